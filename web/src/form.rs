//! Forms from schemas: which fields there are, and the command that their raw texts mean.

use rewound_core::{schema::Shape, schema::words, value::Object};
use serde_json::{Number, Value};

/// A field of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name in the command.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it is, in a sentence; empty where the schema has none.
    pub description: String,
    /// What it counts, such as `cents`.
    pub unit: Option<String>,
    /// Whether a command needs it.
    pub required: bool,
    /// The text that stands there from the start.
    pub default: String,
    /// What it takes.
    pub kind: Kind,
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A text.
    Text {
        /// `email` and the like, where the schema names one.
        format: Option<String>,
    },
    /// A whole number.
    Integer,
    /// Lines with these fields.
    List(Vec<Field>),
}

/// The fields of a command.
pub fn fields(shape: &Shape) -> Vec<Field> {
    of(&shape.schema)
}

fn of(schema: &Value) -> Vec<Field> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|each| each == name));
    let fields = properties.into_iter().flatten().map(|(name, field)| {
        let text = |key: &str| field.get(key).and_then(Value::as_str).map(str::to_owned);
        let has_type = |wanted: &str| match field.get("type") {
            Some(Value::String(name)) => name == wanted,
            Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
            _ => false,
        };
        Field {
            name: name.clone(),
            title: text("title").unwrap_or_else(|| words(name)),
            description: text("description").unwrap_or_default(),
            unit: text("x-unit"),
            required: is_required(name),
            default: match field.get("default") {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(value) => value.to_string(),
            },
            kind: match field.get("items") {
                Some(each) if has_type("array") => Kind::List(of(each)),
                _ if has_type("integer") => Kind::Integer,
                _ => Kind::Text { format: text("format") },
            },
        }
    });
    fields.collect()
}

/// The texts of a form that nobody filled in yet: an object of texts, a list with one line.
pub fn blank(fields: &[Field]) -> Value {
    let fields = fields.iter().map(|field| {
        let value = match &field.kind {
            Kind::List(each) => Value::Array(vec![blank(each)]),
            _ => field.default.clone().into(),
        };
        (field.name.clone(), value)
    });
    Value::Object(fields.collect())
}

/// What the texts mean. A text that is no number stays a text: the schema's check says so then.
pub fn read(fields: &[Field], draft: &Value) -> Object {
    let mut object = Object::new();
    for field in fields {
        let value = match (&field.kind, draft.get(&field.name)) {
            (_, None) => continue,
            (Kind::List(each), Some(Value::Array(lines))) => {
                lines.iter().map(|line| Value::Object(read(each, line))).collect()
            }
            (Kind::Integer, Some(Value::String(text))) => match text.trim() {
                "" => continue,
                text => text.parse::<Number>().map_or_else(|_| text.into(), Value::Number),
            },
            (_, Some(Value::String(text))) if text.is_empty() => continue,
            (_, Some(value)) => value.clone(),
        };
        object.insert(field.name.clone(), value);
    }
    object
}
