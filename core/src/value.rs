//! JSON values: the one form in which a command, an event's payload and a state cross a boundary.
//!
//! Numbers keep their text and objects their key order (two features of `serde_json`), so what came in
//! goes out again. What JavaScript could not hold is found by [`unsafe_number`], and only a shell that
//! has to make a JavaScript number of it needs to ask.

use crate::{number::MAX_SAFE, order::Map};
use sha2::{Digest, Sha256};

/// A JSON value, and the macro that writes one.
pub use serde_json::{Value, json};

/// A JSON object that keeps the order of its keys.
pub type Object = serde_json::Map<String, Value>;

/// Reads an object; what is none is one without fields.
pub(crate) fn object(text: &str) -> Result<Object, serde_json::Error> {
    Ok(match serde_json::from_str(text)? {
        Value::Object(fields) => fields,
        _ => Object::new(),
    })
}

/// Writes an object.
pub(crate) fn text(fields: &Object) -> String {
    // Whatever has texts for names can be written.
    serde_json::to_string(fields).unwrap_or_default()
}

/// One difference between two values, as [`diff`] finds it.
///
/// ```
/// use rewound_core::value::{diff, Op};
/// use serde_json::json;
/// let found = diff(&json!({"balance": 100}), &json!({"balance": 75}));
/// assert_eq!(found[0].path, "/balance");
/// assert_eq!(found[0].op, Op::Replace);
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Change {
    /// What happened to the place.
    pub op: Op,
    /// The place, a JSON pointer (RFC 6901).
    pub path: String,
    /// What stood there before; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What stands there now; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// The kind of a [`Change`], named as in JSON Patch (RFC 6902).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// The place is new.
    Add,
    /// The place is gone.
    Remove,
    /// The place holds another value.
    Replace,
}

/// Every difference from `before` to `after`, at the deepest place that tells it, in document order:
/// what is gone or changed first, then what is new.
pub fn diff(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for (key, was) in a {
                compare(&below(path, key), Some(was), b.get(key), found);
            }
            for (key, is) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                compare(&below(path, key), None, Some(is), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(&below(path, &index.to_string()), a.get(index), b.get(index), found);
            }
        }
        (Some(was), Some(is)) if was == is => {}
        (None, None) => {}
        (from, to) => found.push(Change {
            op: match (from, to) {
                (None, _) => Op::Add,
                (_, None) => Op::Remove,
                _ => Op::Replace,
            },
            path: path.to_owned(),
            from: from.cloned(),
            to: to.cloned(),
        }),
    }
}

/// The JSON pointer of `key` below `path`, escaped as RFC 6901 asks.
///
/// ```
/// assert_eq!(rewound_core::value::below("/a", "b/c"), "/a/b~1c");
/// ```
pub fn below(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The JSON text of a value with the keys of every object sorted: equal values have equal text, in
/// whatever order their keys were written.
///
/// ```
/// use rewound_core::value::canonical;
/// use serde_json::json;
/// assert_eq!(canonical(&json!({"b": 1, "a": [true]})), r#"{"a":[true],"b":1}"#);
/// ```
pub fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut order = Map::default();
            for (name, value) in fields {
                order.entry(name, || value);
            }
            order.iter().map(|(name, value)| (name.to_string(), sorted(value))).collect()
        }
        other => other.clone(),
    }
}

/// The SHA-256 of a value's [`canonical`] text, in lower-case hexadecimal (64 digits).
pub fn sha256(value: &Value) -> String {
    hex(&Sha256::digest(canonical(value).as_bytes()))
}

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The place and the text of the first number that a JavaScript number cannot hold exactly: an integer
/// beyond ±(2^53 − 1), or a fraction that comes back as other digits. `back` says which: it reads a text as a
/// number of JavaScript (an IEEE 754 double) and writes that, as short as tells it from every other.
/// (JavaScript does both itself. Doing them here would take 20 KB of tables into the browser.)
///
/// ```
/// use rewound_core::value::unsafe_number;
/// let back = |text: &str| text.parse::<f64>().unwrap().to_string();
/// let value = serde_json::from_str(r#"{"a":1.50,"b":[9007199254740993]}"#).unwrap();
/// assert_eq!(unsafe_number(&value, &back), Some(("/b/0".into(), "9007199254740993".into())));
/// ```
pub fn unsafe_number(value: &Value, back: &dyn Fn(&str) -> String) -> Option<(String, String)> {
    let found = |key: &str, item: &Value| {
        unsafe_number(item, back).map(|(path, text)| (below("", key) + &path, text))
    };
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            (!fits_javascript(&text, back)).then(|| (String::new(), text))
        }
        Value::Array(items) => {
            (0..).zip(items).find_map(|(index, item)| found(&u32::to_string(&index), item))
        }
        Value::Object(fields) => fields.iter().find_map(|(key, item)| found(key, item)),
        _ => None,
    }
}

/// Whether a number's text means the same decimal value after a trip through JavaScript.
fn fits_javascript(text: &str, back: &dyn Fn(&str) -> String) -> bool {
    if text.contains(['.', 'e', 'E']) {
        return digits(text) == digits(&back(text));
    }
    text.parse().is_ok_and(|integer: i64| integer.unsigned_abs() <= MAX_SAFE as u64)
}

/// A decimal number as its sign, its significant digits and the power of ten that the last of them stands at, so that
/// `1.50`, `15e-1` and `1.5` are equal. Zero has no digits and no sign. An exponent beyond 64 bits counts as a large one.
pub(crate) fn digits(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let trimmed = all.trim_end_matches('0');
    let significant = trimmed.trim_start_matches('0').to_owned();
    if significant.is_empty() {
        return (false, significant, 0);
    }
    let shift = (all.len() - trimmed.len()) as i64 - fraction.len() as i64;
    (negative, significant, exponent.saturating_add(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_names_the_deepest_place_and_escapes_it() {
        let before = json!({"a": {"x/y": 1, "gone": true}, "list": [1, 2]});
        let after = json!({"a": {"x/y": 2}, "list": [1, 2, 3], "new": null});
        let found: Vec<_> = diff(&before, &after).into_iter().map(|c| (c.op, c.path)).collect();
        assert_eq!(
            found,
            [
                (Op::Replace, "/a/x~1y".to_owned()),
                (Op::Remove, "/a/gone".to_owned()),
                (Op::Add, "/list/2".to_owned()),
                (Op::Add, "/new".to_owned()),
            ]
        );
    }

    #[test]
    fn numbers_that_javascript_cannot_hold_are_found() {
        for (text, fits) in [
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("31.30", true),
            ("0.1", true),
            ("1e2", true),
            ("0", true),
            ("0.0", true),
            ("-0.0", true),
            ("0.1234567890123456", true),
            ("0.1234567890123456789", false),
            ("5e-324", true),
            ("4e-324", false),
            ("1e23", true),
            ("1e400", false),
            ("12345678901234567890123456789012345678", false),
        ] {
            let back = |text: &str| format!("{:e}", text.parse::<f64>().unwrap());
            assert_eq!(fits_javascript(text, &back), fits, "{text}");
        }
    }
}
