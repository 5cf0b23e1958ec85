//! JSON values as DynamoDB's attribute values, and how large an item is.
//!
//! Formats: Amazon DynamoDB Developer Guide, "Data type descriptors", "Item sizes and formats" and "Service
//! quotas" (numbers: 38 digits, from 1E-130 to 9.9…E+125).

use crate::{
    error::Issue,
    value::{self, Object, below},
};
use serde_json::Value;

/// A JSON object as an item: each field an attribute value such as `{"N":"2500"}`, each number with the digits
/// that it has.
///
/// ```
/// use rewound_core::dynamodb::item;
/// use serde_json::json;
/// let fields = json!({ "amount": 2500, "open": true, "tags": ["a", null] });
/// let item = item::of(fields.as_object().unwrap())?;
/// assert_eq!(item["amount"], json!({ "N": "2500" }));
/// assert_eq!(item["tags"], json!({ "L": [{ "S": "a" }, { "NULL": true }] }));
/// # Ok::<_, rewound_core::error::Issue>(())
/// ```
///
/// # Errors
/// A number that DynamoDB cannot hold, by its JSON pointer.
pub fn of(fields: &Object) -> Result<Object, Issue> {
    object("", fields)
}

fn object(path: &str, fields: &Object) -> Result<Object, Issue> {
    let attributes =
        fields.iter().map(|(name, value)| Ok((name.clone(), attribute(&below(path, name), value)?)));
    attributes.collect()
}

/// An attribute value of that type.
pub(super) fn typed(kind: &str, value: Value) -> Value {
    Object::from_iter([(kind.to_owned(), value)]).into()
}

/// A JSON value as an attribute value; `path` is where it stands, for the error.
///
/// # Errors
/// As [`of`].
pub fn attribute(path: &str, value: &Value) -> Result<Value, Issue> {
    Ok(match value {
        Value::Null => typed("NULL", true.into()),
        Value::Bool(flag) => typed("BOOL", (*flag).into()),
        Value::String(text) => typed("S", text.as_str().into()),
        Value::Number(number) => {
            let text = number.to_string();
            if !fits(&text) {
                let message = format!(
                    "expected a number that DynamoDB holds (38 digits, 1E-130 to 1E+126), found {text}"
                );
                return Err(Issue { pointer: path.to_owned(), message });
            }
            typed("N", text.into())
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let items = items.map(|(index, item)| attribute(&below(path, &index.to_string()), item));
            typed("L", items.collect::<Result<Value, Issue>>()?)
        }
        Value::Object(fields) => typed("M", object(path, fields)?.into()),
    })
}

/// How many significant digits a JSON number has, and the power of ten of the first of them. Nothing for zero.
fn digits(number: &str) -> Option<(usize, i64)> {
    let (_, digits, power) = value::digits(number);
    let behind = digits.len().checked_sub(1)?;
    Some((digits.len(), power.saturating_add(behind as i64)))
}

fn fits(number: &str) -> bool {
    digits(number).is_none_or(|(count, power)| count <= 38 && (-130..=125).contains(&power))
}

/// How many bytes an item counts: its names, and its values by their type.
///
/// ```
/// # use rewound_core::dynamodb::item;
/// # use serde_json::json;
/// let item = json!({ "shirt-color": { "S": "R" }, "shirt-size": { "S": "M" } });
/// assert_eq!(item::size(item.as_object().unwrap()), 23); // the guide's own example
/// ```
pub fn size(item: &Object) -> usize {
    item.iter().map(|(name, value)| name.len() + attribute_size(value)).sum()
}

fn attribute_size(attribute: &Value) -> usize {
    let Some((kind, value)) = attribute.as_object().and_then(|attribute| attribute.iter().next()) else {
        return 0;
    };
    let items = || value.as_array().into_iter().flatten();
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(number)) => number_size(number),
        // Base64: four letters for three bytes.
        ("B", Value::String(text)) => text.trim_end_matches('=').len() * 3 / 4,
        ("SS" | "BS", _) => items().filter_map(Value::as_str).map(str::len).sum(),
        ("NS", _) => items().filter_map(Value::as_str).map(number_size).sum(),
        ("L", _) => 3 + items().map(|item| 1 + attribute_size(item)).sum::<usize>(),
        ("M", Value::Object(fields)) => 3 + fields.len() + size(fields),
        _ => 1,
    }
}

/// About a byte for two digits, one more, and one for a minus.
fn number_size(number: &str) -> usize {
    let (count, _) = digits(number).unwrap_or((0, 0));
    count.div_ceil(2) + 1 + usize::from(number.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_their_digits_up_to_what_dynamodb_holds() {
        let most = "9".repeat(38);
        for number in
            ["0", "-0", "12.50", "1e125", "-1E-130", "0.000001", &most, &format!("{most}{}", "0".repeat(88))]
        {
            let value: Value = serde_json::from_str(number).unwrap();
            assert_eq!(attribute("", &value).unwrap(), json!({ "N": value.to_string() }), "{number}");
        }
        let too_many = format!("1{most}");
        for number in [too_many.as_str(), "1e126", "1e-131", "1e99999999999999999999", "0.1e-130"] {
            let value: Value = serde_json::from_str(&format!("{{\"a\":[{number}]}}")).unwrap();
            let issue = of(value.as_object().unwrap()).unwrap_err();
            assert_eq!(issue.pointer, "/a/0", "{number}");
            assert!(issue.message.contains("38 digits"), "{issue}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_guide() {
        let bytes = |value: Value| attribute_size(&attribute("", &value).unwrap());
        assert_eq!(bytes(json!("日本")), 6);
        assert_eq!(
            (bytes(json!(27)), bytes(json!(-27)), bytes(json!(100)), bytes(json!(123_456_789))),
            (2, 3, 2, 6)
        );
        assert_eq!((bytes(json!(true)), bytes(json!(null))), (1, 1));
        // 3 bytes of its own, and 1 for each element or pair.
        assert_eq!(bytes(json!(["a", "bc"])), 3 + 1 + 1 + 1 + 2);
        assert_eq!(bytes(json!({ "k": "v" })), 3 + 1 + 1 + 1);
    }
}
