//! Text for people: money, times, ids, and what an event says in one line.

use rewound_core::{
    domains,
    event::Event,
    schema::words,
    time::{Millis, to_iso},
    value::Object,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The aggregates whose fields are known, each with those that hold cents.
type CentsByAggregate = Vec<(String, BTreeSet<String>)>;

/// Whether a field of that aggregate's events or state counts cents; never in an unknown domain.
pub fn is_cents(aggregate: &str, field: &str) -> bool {
    thread_local! {
        static KNOWN: CentsByAggregate = domains::all()
            .iter()
            .map(|domain| {
                let mut fields = BTreeSet::new();
                let events = domain.events().iter().map(|shape| &shape.schema);
                events.chain([domain.state()]).for_each(|schema| collect_cents(schema, &mut fields));
                (domain.name().to_owned(), fields)
            })
            .collect();
    }
    KNOWN.with(|known| known.iter().any(|(name, fields)| name == aggregate && fields.contains(field)))
}

fn collect_cents(schema: &Value, fields: &mut BTreeSet<String>) {
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if field.get("x-unit").and_then(Value::as_str) == Some("cents") {
            fields.insert(name.clone());
        }
        let inner = [Some(field), field.get("items"), field.get("additionalProperties")];
        inner.into_iter().flatten().for_each(|inner| collect_cents(inner, fields));
    }
}

/// Cents as people write money: `-123456` is `−1,234.56`.
pub fn money(cents: i64) -> String {
    let minus = if cents < 0 { "−" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{minus}{}.{:02}", grouped(cents / 100), cents % 100)
}

/// A number with its thousands apart: `8577` is `8,577`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 event`, `2 events`, `8,577 events`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number as u64), if number == 1 { "" } else { "s" })
}

/// A time to the minute, in UTC: `2026-06-01 09:30`.
pub fn minute(time: Millis) -> String {
    let iso = to_iso(time);
    match (iso.get(..10), iso.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => iso,
    }
}

/// How long something takes, by its two greatest units: `850 ms`, `4.2 s`, `2 d 3 h`.
pub fn span(time: Millis) -> String {
    let (seconds, minutes, hours) = (time / 1_000, time / 60_000, time / 3_600_000);
    match time {
        0..1_000 => format!("{time} ms"),
        1_000..60_000 => format!("{seconds}.{} s", time % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", grouped(hours / 24), hours % 24),
    }
}

/// The end of a long id, where ids of the same day differ.
pub fn short_id(id: &str) -> String {
    let letters = id.chars().count();
    if letters <= 16 {
        return id.to_owned();
    }
    format!("…{}", id.chars().skip(letters - 8).collect::<String>())
}

/// What a person calls an aggregate, by the event that created it; none where nothing in it is a name.
pub fn label(first: &Event) -> Option<String> {
    let payload = || first.payload();
    let text = |payload: Object, field: &str| payload.get(field).and_then(Value::as_str).map(str::to_owned);
    match first.aggregate() {
        "BankAccount" => text(payload(), "accountHolderId"),
        "Customer" => text(payload(), "name"),
        "BlogPost" => text(payload(), "title"),
        "Order" => {
            let payload = payload();
            let items = payload.get("items")?.as_array()?;
            let first = items.first()?.get("productId")?.as_str()?;
            Some(match items.len() {
                1 => first.to_owned(),
                more => format!("{first} + {} more", more - 1),
            })
        }
        _ => None,
    }
}

/// An aggregate's kind in words: `BankAccount` is "Bank account".
pub fn kind(aggregate: &str) -> String {
    if domains::find(aggregate).is_some() { words(aggregate) } else { aggregate.to_owned() }
}

/// What an event says, in one line: the first of its fields, money readable.
pub fn gist(event: &Event) -> String {
    gist_of(event.aggregate(), &event.payload())
}

/// What a payload of that aggregate says, as [`gist`].
pub fn gist_of(aggregate: &str, payload: &Object) -> String {
    const FIELDS: usize = 3;
    const LETTERS: usize = 32;
    let known = domains::find(aggregate).is_some();
    let parts = payload.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::Number(number) => match number.as_i64() {
                Some(cents) if is_cents(aggregate, name) => money(cents),
                _ => number.to_string(),
            },
            Value::String(text) if known => short_id(text),
            Value::String(text) => text.clone(),
            Value::Array(items) => count(items.len(), name.strip_suffix('s').unwrap_or(name)),
            Value::Bool(flag) => format!("{name}: {flag}"),
            Value::Object(_) | Value::Null => return None,
        };
        if text.is_empty() {
            return None;
        }
        Some(match text.char_indices().nth(LETTERS) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        })
    });
    parts.take(FIELDS).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    // For all tests of what the two programs share.
    wasm_bindgen_test_configure!(run_in_browser);

    #[wasm_bindgen_test]
    fn a_span_is_told_by_its_two_greatest_units() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (4_250, "4.2 s"),
            (60_000, "1 min 0 s"),
            (3_600_000 + 61_000, "1 h 1 min"),
            (1_500 * 86_400_000 + 7_200_000, "1,500 d 2 h"),
        ];
        for (time, said) in table {
            assert_eq!(span(time), said);
        }
    }
}
