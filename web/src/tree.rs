//! A state as rows: its fields as deep as they go, with what changed from the state before.

use crate::format::{is_cents, money};
use rewound_core::value::{Op, below};
use serde_json::Value;

/// The most rows that are shown; the last says how many more there are.
const MOST: usize = 400;

/// One field, item or nested object.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its place, a JSON pointer.
    pub path: String,
    /// How deep it is, from 0 on.
    pub depth: usize,
    /// The field's name, or the item's number.
    pub name: String,
    /// What it is, for the colour: `text`, `number`, `word`, `nest`.
    pub class: &'static str,
    /// The value as it is stored, in a line.
    pub value: String,
    /// The value as money, where it counts cents.
    pub money: Option<String>,
    /// What became of it.
    pub change: Option<Op>,
    /// The value before, where there is another now.
    pub was: Option<String>,
}

/// The rows of a state that became `now` from `before`, and how many of all its fields changed.
pub fn rows(aggregate: &str, before: &Value, now: &Value) -> (Vec<Row>, usize) {
    let mut tree = Tree { aggregate, rows: Vec::new(), changes: 0, left_out: 0 };
    let currency = now.get("currency").and_then(Value::as_str).unwrap_or_default();
    tree.children("", 0, Some(before), Some(now));
    if !currency.is_empty() {
        for money in tree.rows.iter_mut().filter_map(|row| row.money.as_mut()) {
            money.push(' ');
            money.push_str(currency);
        }
    }
    if tree.left_out > 0 {
        tree.rows.push(Row {
            path: String::new(),
            depth: 0,
            name: "…".to_owned(),
            class: "nest",
            value: format!("and {} more", crate::format::count(tree.left_out, "row")),
            money: None,
            change: None,
            was: None,
        });
    }
    (tree.rows, tree.changes)
}

struct Tree<'a> {
    aggregate: &'a str,
    rows: Vec<Row>,
    changes: usize,
    left_out: usize,
}

impl Tree<'_> {
    fn children(&mut self, path: &str, depth: usize, before: Option<&Value>, now: Option<&Value>) {
        let is_array = matches!(now.or(before), Some(Value::Array(_)));
        if is_array {
            let length = |value: Option<&Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
            for index in 0..length(before).max(length(now)) {
                let item = |value: Option<&Value>| value.and_then(|value| value.get(index)).cloned();
                self.row(path, &index.to_string(), depth, item(before).as_ref(), item(now).as_ref());
            }
            return;
        }
        let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (was, is) = (fields(before), fields(now));
        for (name, value) in &is {
            self.row(path, name, depth, was.get(name), Some(value));
        }
        for (name, value) in was.iter().filter(|(name, _)| !is.contains_key(*name)) {
            self.row(path, name, depth, Some(value), None);
        }
    }

    fn row(&mut self, path: &str, name: &str, depth: usize, before: Option<&Value>, now: Option<&Value>) {
        let Some(shown) = now.or(before) else { return };
        let nests = |value: Option<&Value>| matches!(value, Some(Value::Object(_) | Value::Array(_)));
        let both_nest = nests(before) && nests(now);
        let change = match (before, now) {
            (None, _) => Some(Op::Add),
            (_, None) => Some(Op::Remove),
            (Some(was), Some(is)) if was != is && !both_nest => Some(Op::Replace),
            _ => None,
        };
        let path = below(path, name);
        self.changes += usize::from(change.is_some());
        if self.rows.len() < MOST {
            self.add(&path, name, depth, before, shown, change);
        } else {
            self.left_out += 1;
        }
        if nests(Some(shown)) {
            // What is new or gone as a whole has no other side to compare with.
            self.children(&path, depth + 1, before.filter(|_| nests(before)), now);
        }
    }

    fn add(
        &mut self,
        path: &str,
        name: &str,
        depth: usize,
        before: Option<&Value>,
        shown: &Value,
        change: Option<Op>,
    ) {
        let (class, value) = text(shown);
        let is_money = is_cents(self.aggregate, name);
        self.rows.push(Row {
            depth,
            name: name.to_owned(),
            class,
            value,
            money: shown.as_i64().filter(|_| is_money).map(money),
            change,
            was: before.filter(|_| change == Some(Op::Replace)).map(|was| brief(self.aggregate, path, was)),
            path: path.to_owned(),
        });
    }
}

/// A value at a place in a line of its own: money where it counts cents.
pub fn brief(aggregate: &str, path: &str, value: &Value) -> String {
    let field = path.rsplit('/').next().unwrap_or_default();
    match value.as_i64() {
        Some(cents) if is_cents(aggregate, field) => money(cents),
        _ => text(value).1,
    }
}

fn text(value: &Value) -> (&'static str, String) {
    match value {
        Value::Object(fields) if fields.is_empty() => ("nest", "{ }".to_owned()),
        Value::Array(items) if items.is_empty() => ("nest", "[ ]".to_owned()),
        Value::Object(fields) => ("nest", crate::format::count(fields.len(), "field")),
        Value::Array(items) => ("nest", crate::format::count(items.len(), "item")),
        Value::String(text) => ("text", text.clone()),
        Value::Number(number) => ("number", number.to_string()),
        Value::Bool(_) | Value::Null => ("word", value.to_string()),
    }
}
