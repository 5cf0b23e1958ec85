//! JSON Schemas of commands and events, and the check of a command against its own.
//!
//! The types of a domain are the one source: `schemars` derives the schemas from them, and forms,
//! TypeScript types and the OpenAPI document come from the schemas. [`validate`] knows exactly the
//! keywords that the derived schemas use, and names every bad field in one pass.

use crate::{
    error::Issue,
    value::{Object, below},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

/// A command or an event: its name, and the JSON Schema (draft 2020-12) of its own fields.
///
/// Beside the standard's keywords a schema may carry `x-unit` (such as `cents`) on a field, and
/// `x-command` on an event: the command that records it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Shape {
    /// The name on the wire, such as `MoneyDeposited`.
    pub name: String,
    /// The schema of an object with its fields.
    pub schema: Value,
}

impl Shape {
    /// The fields in the order in which they are declared, each with its schema.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
    }

    /// Whether a field has to be given.
    pub fn requires(&self, field: &str) -> bool {
        requires(&self.schema, field)
    }
}

fn requires(schema: &Value, field: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|name| name == field))
}

/// The shapes of an enum's variants, each written with named fields: `Deposit { amount: Amount }`.
pub fn shapes<T: JsonSchema>() -> Vec<Shape> {
    variants(&of::<T>())
}

// What follows is not generic, so that it is compiled once and not for every type.

fn variants(whole: &Value) -> Vec<Shape> {
    let variants = whole.get("oneOf").and_then(Value::as_array);
    let shapes = variants.into_iter().flatten().filter_map(|variant| {
        let (name, fields) = variant.get("properties")?.as_object()?.iter().next()?;
        let mut schema = fields.as_object()?.clone();
        // What is said of a variant stands on the wrapper that names it.
        for (key, value) in variant.as_object()? {
            if key == "description" || key == "title" || key.starts_with("x-") {
                schema.insert(key.clone(), value.clone());
            }
        }
        schema.entry("properties").or_insert_with(|| Object::new().into());
        let mut schema = Value::Object(schema);
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            close(&mut schema);
        }
        entitle(name, &mut schema);
        Some(Shape { name: name.clone(), schema })
    });
    shapes.collect()
}

/// Closes what is below a closed schema too: a command shares types with events, which stay open.
fn close(schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut().filter(|schema| schema.contains_key("properties")) {
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.values_mut().for_each(close);
    }
    if let Some(items) = schema.get_mut("items") {
        close(items);
    }
}

/// Gives a schema and all below it the title that its name makes, where it has none of its own.
fn entitle(name: &str, schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.entry("title").or_insert_with(|| words(name).into());
    }
    entitle_fields(schema);
}

fn entitle_fields(schema: &mut Value) {
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.iter_mut().for_each(|(name, field)| entitle(name, field));
    }
    if let Some(items) = schema.get_mut("items") {
        entitle_fields(items);
    }
}

/// The JSON Schema (draft 2020-12) of any type, without references.
pub fn of<T: JsonSchema>() -> Value {
    named(generator().into_root_schema_for::<T>())
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator()
}

fn named(schema: Schema) -> Value {
    let mut schema = schema.to_value();
    // The root's title is the Rust type's name, which is nobody's business.
    if let Some(schema) = schema.as_object_mut() {
        schema.shift_remove("title");
    }
    entitle_fields(&mut schema);
    schema
}

/// A name in camel case as words: `InitiateTransfer` is "Initiate transfer".
///
/// ```
/// assert_eq!(rewound_core::schema::words("destinationAccountId"), "Destination account id");
/// ```
pub fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for (index, letter) in name.chars().enumerate() {
        match letter {
            first if index == 0 => words.push(first.to_ascii_uppercase()),
            capital if capital.is_ascii_uppercase() => {
                words.push(' ');
                words.push(capital.to_ascii_lowercase());
            }
            letter => words.push(letter),
        }
    }
    words
}

/// A named text format: what it asks for, in words, and the check.
type Format = (&'static str, &'static str, fn(&str) -> bool);

const FORMATS: [Format; 2] = [
    ("email", "an e-mail address such as ada@example.com", is_email),
    ("iso-4217", "a currency of three capital letters such as EUR (ISO 4217)", is_currency),
];

/// One `@` between a local part and a domain, no space: what can be said without sending a mail.
fn is_email(text: &str) -> bool {
    let sound = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    sound
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
        })
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase())
}

/// Everything that is wrong with `value`, each with the place, what was expected and what was found.
/// Empty where nothing is.
///
/// ```
/// use rewound_core::{domains, schema::validate};
/// use serde_json::json;
/// let bank = domains::find("BankAccount").unwrap();
/// let deposit = bank.commands().iter().find(|command| command.name == "Deposit").unwrap();
/// let issues = validate(&deposit.schema, &json!({"amount": 0, "refrence": "inv-42"}));
/// let places: Vec<_> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
/// assert_eq!(places, ["/amount", "/transactionReference", "/refrence"]);
/// ```
pub fn validate(schema: &Value, value: &Value) -> Vec<Issue> {
    let mut issues = Vec::new();
    check("", schema, value, &mut issues);
    issues
}

fn check(path: &str, schema: &Value, value: &Value, issues: &mut Vec<Issue>) {
    let mut say = |expected: String| {
        let message = format!("expected {expected}, found {}", shown(value));
        issues.push(Issue { pointer: path.to_owned(), message });
    };
    let number = |keyword| schema.get(keyword).and_then(Value::as_i64);
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_type(name, value)) {
        return say(expected_type(schema, &types));
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array)
        && !options.contains(value)
    {
        let options: Vec<_> = options.iter().map(Value::to_string).collect();
        return say(format!("one of {}", options.join(", ")));
    }
    match value {
        Value::Number(found) => {
            // An integer beyond 64 bits is beyond every limit that a schema here sets.
            let (least, most) = (number("minimum"), number("maximum"));
            let inside = found.as_i64().map_or(least.is_none() && most.is_none(), |found| {
                least.is_none_or(|least| found >= least) && most.is_none_or(|most| found <= most)
            });
            if !inside {
                say(expected_type(schema, &["integer"]));
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as i64;
            if number("minLength").is_some_and(|least| length < least) {
                match number("minLength") {
                    Some(1) => say("some text".to_owned()),
                    least => say(format!("{} characters or more", least.unwrap_or(0))),
                }
            } else if let Some(most) = number("maxLength").filter(|most| length > *most) {
                let message = format!("expected {most} characters at the most, found {length}");
                issues.push(Issue { pointer: path.to_owned(), message });
            } else if let Some(name) = schema.get("format").and_then(Value::as_str)
                && let Some((_, expected, is)) = FORMATS.iter().find(|(known, ..)| *known == name)
                && !is(text)
            {
                say((*expected).to_owned());
            }
        }
        Value::Array(items) => {
            if let Some(least) = number("minItems").filter(|least| (items.len() as i64) < *least) {
                say(format!("{least} or more"));
            }
            if let Some(each) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    check(&below(path, &index.to_string()), each, item, issues);
                }
            }
        }
        Value::Object(fields) => check_fields(path, schema, fields, issues),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_fields(path: &str, schema: &Value, fields: &Object, issues: &mut Vec<Issue>) {
    let none = Object::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (name, property) in properties {
        match fields.get(name) {
            Some(value) => check(&below(path, name), property, value, issues),
            None if requires(schema, name) => {
                let message = "it is missing".to_owned();
                issues.push(Issue { pointer: below(path, name), message });
            }
            None => {}
        }
    }
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        for name in fields.keys().filter(|name| !properties.contains_key(*name)) {
            let known: Vec<_> = properties.keys().map(String::as_str).collect();
            let message = match known.as_slice() {
                [] => "no such field: the command has none".to_owned(),
                known => format!("no such field; there are: {}", known.join(", ")),
            };
            issues.push(Issue { pointer: below(path, name), message });
        }
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "integer" => match value {
            // Serde reads `-0` as a fraction: an integer has no such zero.
            Value::Number(number) => *number.as_str() != *"-0" && !number.as_str().contains(['.', 'e', 'E']),
            _ => false,
        },
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn expected_type(schema: &Value, types: &[&str]) -> String {
    let limit = |keyword| schema.get(keyword).and_then(Value::as_i64);
    let safe = Some(crate::number::MAX_SAFE);
    let name = match types.iter().find(|name| **name != "null") {
        Some(&"integer") => "an integer",
        Some(&"number") => "a number",
        Some(&"string") => "text",
        Some(&"boolean") => "true or false",
        Some(&"array") => "a list",
        Some(&"object") => "an object",
        _ => "null",
    };
    let of_unit = match schema.get("x-unit").and_then(Value::as_str) {
        Some(unit) => format!(" of {unit}"),
        None => String::new(),
    };
    match (limit("minimum"), limit("maximum")) {
        (Some(least), most) if most == safe && Some(least) != safe.map(|safe| -safe) => {
            format!("{name}{of_unit}, {least} or more (and at the most 2^53 − 1)")
        }
        (Some(_), most) if most == safe => format!("{name}{of_unit} between ±(2^53 − 1)"),
        (Some(least), Some(most)) => format!("{name}{of_unit} from {least} to {most}"),
        (Some(least), None) => format!("{name}{of_unit}, {least} or more"),
        (None, Some(most)) => format!("{name}{of_unit}, {most} or less"),
        (None, None) => format!("{name}{of_unit}"),
    }
}

/// A value as an error shows it: short, on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        value => {
            let text = value.to_string();
            match text.char_indices().nth(40) {
                Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
                None => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_bad_field_is_named_in_one_pass() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["id", "items", "mail"],
            "properties": {
                "id": {"type": "string", "minLength": 1, "maxLength": 3},
                "mail": {"type": "string", "format": "email"},
                "currency": {"type": ["string", "null"], "format": "iso-4217"},
                "items": {"type": "array", "minItems": 1, "items": {
                    "type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9, "x-unit": "cents"}}
                }},
            }
        });
        let check = |value: Value, expected: &[(&str, &str)]| {
            let found = validate(&schema, &value);
            let found: Vec<_> = found.iter().map(|i| (i.pointer.as_str(), i.message.as_str())).collect();
            assert_eq!(found, expected, "{value}");
        };
        check(json!({"id": "a", "mail": "a@b", "currency": null, "items": [{"n": 1}]}), &[]);
        check(
            json!({"id": "", "mail": "a b@c", "currency": "eur", "items": [], "x/y": 1}),
            &[
                ("/id", "expected some text, found none"),
                ("/mail", "expected an e-mail address such as ada@example.com, found \"a b@c\""),
                (
                    "/currency",
                    "expected a currency of three capital letters such as EUR (ISO 4217), found \"eur\"",
                ),
                ("/items", "expected 1 or more, found a list of 0"),
                ("/x~1y", "no such field; there are: id, mail, currency, items"),
            ],
        );
        check(
            json!({"id": "abcd", "items": [{"n": 10}, {}, 5, {"n": 1.0}, {"n": 1e3}]}),
            &[
                ("/id", "expected 3 characters at the most, found 4"),
                ("/mail", "it is missing"),
                ("/items/0/n", "expected an integer of cents from 1 to 9, found 10"),
                ("/items/1/n", "it is missing"),
                ("/items/2", "expected an object, found 5"),
                ("/items/3/n", "expected an integer of cents from 1 to 9, found 1.0"),
                ("/items/4/n", "expected an integer of cents from 1 to 9, found 1000.0"),
            ],
        );
        check(json!([]), &[("", "expected an object, found a list of 0")]);
    }
}
