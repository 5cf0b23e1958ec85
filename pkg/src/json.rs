//! JSON text on its way to JavaScript and back.

use crate::error::{Result, data, whole};
use js_sys::Number;
use rewound_core::{
    domain::{Domain, Snapshot},
    error::Issue,
    event::{Event, Interner},
    value::{below, unsafe_number},
};
use serde_json::{Value, value::RawValue};

/// A text that JavaScript's `JSON.parse` reads without losing a digit.
pub(crate) fn held(text: String) -> Result<String> {
    if !may_be_lost(&text) {
        return Ok(text);
    }
    let value: Value = serde_json::from_str(&text).map_err(|error| whole(error.to_string()))?;
    match unsafe_number(&value, &back) {
        None => Ok(text),
        Some((pointer, number)) => Err(data(Issue {
            pointer,
            message: format!(
                "JavaScript cannot hold the number {number}: read it where it is, or store it as a text"
            ),
        })),
    }
}

/// A number as JavaScript writes it, having read it.
fn back(text: &str) -> String {
    let number = Number::from(Number::parse_float(text));
    number.to_string_with_radix(10).map_or_else(|_| String::new(), String::from)
}

/// Whether a number in a JSON text may be one that JavaScript cannot hold: it has an exponent, or 16 digits or more.
fn may_be_lost(text: &str) -> bool {
    let (mut digits, mut in_text, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => (in_text, digits) = (true, 0),
            b'0'..=b'9' => digits += 1,
            b'.' => {}
            b'e' | b'E' if digits > 0 => return true,
            _ => digits = 0,
        }
        if digits >= 16 {
            return true;
        }
    }
    false
}

/// Events as a JSON array, each the very text that it is.
pub(crate) fn events<'a>(events: impl IntoIterator<Item = &'a Event>) -> String {
    let texts: Vec<&str> = events.into_iter().map(Event::as_json).collect();
    format!("[{}]", texts.join(","))
}

/// A state with `$meta`.
pub(crate) fn state(snapshot: &Snapshot) -> Result<String> {
    held(snapshot.to_json().to_string())
}

/// A state as it came from a person.
pub(crate) fn snapshot(domain: &dyn Domain, text: &str) -> Result<Snapshot> {
    let value: Value = read(text)?;
    Snapshot::from_json(&value, domain.fingerprint()).map_err(data)
}

/// A JSON array of envelopes.
pub(crate) fn envelopes(text: &str) -> Result<Vec<Event>> {
    let items: Vec<&RawValue> = read(text)?;
    let mut shared = Interner::default();
    let events = items.iter().enumerate().map(|(index, item)| {
        Event::parse_shared(item.get(), &mut shared).map_err(|issue| {
            let pointer = format!("{}{}", below("", &index.to_string()), issue.pointer);
            data(Issue { pointer, ..issue })
        })
    });
    events.collect()
}

pub(crate) fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| whole(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::may_be_lost;

    #[test]
    fn only_numbers_outside_texts_are_looked_at() {
        for text in
            ["[1,2.5,-3]", r#"{"a":"12345678901234567890","b":"1e400","c\"":"\\"}"#, "[true,999999999999999]"]
        {
            assert!(!may_be_lost(text), "{text}");
        }
        for text in ["[1e3]", "9007199254740993", r#"{"a\\":1234567890.1234567}"#, "[[1E400]]"] {
            assert!(may_be_lost(text), "{text}");
        }
    }
}
