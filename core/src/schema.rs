//! JSON Schemas of commands and events, and the check of a command against its own.
//!
//! The types of a domain are the one source: [`Described`] is derived for them, the schemas are made from
//! its tables, and forms, TypeScript types and the OpenAPI document come from the schemas. [`validate`] knows
//! exactly the keywords that these schemas use, and names every bad field in one pass.

use crate::{
    error::Issue,
    value::{Object, below, text},
    wire::{Json, Misfit, Source},
};
use serde_json::Value;
use std::borrow::Cow;

/// A command or an event: its name, and the JSON Schema (draft 2020-12) of its own fields.
///
/// Beside the standard's keywords a schema may carry `x-unit` (such as `cents`) on a field, and
/// `x-command` on an event: the command that records it; and `x-sender` on a command: who alone sends it.
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

pub use rewound_derive::Described;

/// A type that says what its JSON looks like, is read from it and written to it. Derive it:
///
/// ```
/// use rewound_core::{number::{Amount, Price}, schema::{Described, of, shapes}, text::Label};
/// use serde_json::json;
///
/// /// What a till can be asked to do.
/// #[derive(Debug, PartialEq, Described)]
/// #[described(rename_all_fields = "camelCase", closed)]
/// enum TillCommand {
///     /// Open the till.
///     Open {
///         /// What is in it from the start.
///         #[described(default)]
///         first_coins: Price,
///         /// Who answers for it, where somebody does.
///         cashier: Option<Label>,
///     },
/// }
///
/// #[derive(Described)]
/// enum TillEvent {
///     #[described(command = "Open")]
///     TillOpened {},
///     #[described(command = "Sell")]
///     Sold {
///         #[described(min_items = 1)]
///         prices: Vec<Amount>,
///     },
/// }
///
/// assert_eq!(shapes::<TillCommand>()[0].schema, json!({
///     "type": "object",
///     "properties": {
///         "firstCoins": {
///             "description": "What is in it from the start.",
///             "type": "integer", "minimum": 0, "maximum": 9007199254740991_i64, "x-unit": "cents",
///             "default": 0, "title": "First coins",
///         },
///         "cashier": {
///             "description": "Who answers for it, where somebody does.",
///             "type": "string", "minLength": 1, "maxLength": 200, "title": "Cashier",
///         },
///     },
///     "additionalProperties": false,
///     "description": "Open the till.",
///     "title": "Open",
/// }));
/// let sold = &shapes::<TillEvent>()[1];
/// assert_eq!(sold.schema["x-command"], "Sell");
/// assert_eq!(sold.schema["properties"]["prices"]["minItems"], 1);
///
/// let open = TillCommand::Open { first_coins: Price::default(), cashier: Some("ada".into()) };
/// assert_eq!(open.to_json(), json!({"Open": {"firstCoins": 0, "cashier": "ada"}}));
/// assert_eq!(TillCommand::from_json(&json!({"Open": {"cashier": "ada"}})), Ok(open));
/// ```
///
/// Names are spelled as the attributes say which are serde's own; `closed` refuses other fields than these. A field
/// is required unless it has a default, whose value stands in the schema and which may name a function
/// (`default = seven`), or is an `Option`: one that is none is not written, and `null` is read as none.
///
/// An attribute that the derive does not know does not compile:
///
/// ```compile_fail
/// #[derive(rewound_core::schema::Described)]
/// struct Till {
///     #[described(alias = "cash")] // `alias` on a field is not known to `Described`: leave it out, or …
///     coins: u32,
/// }
/// ```
///
/// A newtype says it by hand:
///
/// ```
/// use rewound_core::{schema::{Described, Keyword, Type, of}, wire::{Json, Misfit}};
/// use serde_json::Value;
/// struct Iban(String);
/// impl Described for Iban {
///     const TYPE: &'static Type =
///         &Type::Plain(&[("type", Keyword::Text("string")), ("maxLength", Keyword::Number(34))]);
///     fn read(json: Json<'_>) -> Result<Self, Misfit> {
///         String::read(json).map(Self)
///     }
///     fn to_json(&self) -> Value {
///         self.0.to_json()
///     }
/// }
/// assert_eq!(of::<Iban>().to_string(), r#"{"type":"string","maxLength":34}"#);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what its JSON looks like",
    note = "derive `rewound_core::schema::Described` for it; an `Option` can only be a field's own type, \
            and money and other large integers have a type in `rewound_core::number`"
)]
pub trait Described: Sized {
    /// What it says, as static data: a table costs a few bytes where code that builds one costs kilobytes.
    const TYPE: &'static Type;

    /// Reads a value. It is lenient where a schema is not: what older programs stored stays readable.
    ///
    /// # Errors
    /// What does not fit, and where.
    fn read(json: Json<'_>) -> Result<Self, Misfit>;

    /// As [`read`](Self::read), for each event of a replay: it says nothing of what does not fit.
    #[inline]
    fn read_quickly(json: Json<'_>) -> Option<Self> {
        Self::read(json).ok()
    }

    /// Puts a value together from its fields, which is derived: what is written by hand has none.
    ///
    /// # Errors
    /// A field that is missing, or does not fit.
    fn from_fields<S: Source>(fields: &mut S) -> Result<Self, S::Misfit> {
        Err(fields.unknown())
    }

    /// Writes the value.
    fn to_json(&self) -> Value;

    /// As [`read`](Self::read), of a value that was parsed.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn from_json(value: &Value) -> Result<Self, Misfit> {
        Self::read(Json::new(&value.to_string()))
    }

    /// As [`from_json`](Self::from_json), of an object.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn from_object(fields: &Object) -> Result<Self, Misfit> {
        Self::read(Json::new(&text(fields)))
    }
}

/// What the JSON of a type looks like.
#[derive(Debug)]
pub enum Type {
    /// What the keywords of its schema say.
    Plain(&'static [(&'static str, Keyword)]),
    /// An array of one type.
    List(&'static Type),
    /// An object with any names, and values of one type.
    Map(&'static Type),
    /// An object with these fields.
    Struct {
        /// The doc comment.
        docs: &'static str,
        /// The fields in their order.
        fields: &'static [Field],
        /// Whether other fields are refused.
        closed: bool,
    },
    /// One of these.
    Enum {
        /// The doc comment.
        docs: &'static str,
        /// What it can be.
        variants: &'static [Variant],
        /// Whether other fields than a variant's own are refused.
        closed: bool,
    },
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// The name in JSON.
    pub name: &'static str,
    /// The doc comment.
    pub docs: &'static str,
    /// The type of its value.
    pub of: &'static Type,
    /// Whether it has to be there.
    pub required: bool,
    /// Makes what it is where it is not there.
    pub default: Option<fn() -> Value>,
    /// What else its schema says.
    pub keywords: &'static [(&'static str, Keyword)],
}

/// A variant of an enum.
#[derive(Debug)]
pub struct Variant {
    /// The name in JSON.
    pub name: &'static str,
    /// The doc comment.
    pub docs: &'static str,
    /// Its fields; none where it is only a name (`Closed`, not `Closed {}`).
    pub fields: Option<&'static [Field]>,
    /// What else its schema says.
    pub keywords: &'static [(&'static str, Keyword)],
}

/// What a keyword of a schema says.
#[derive(Debug, Clone, Copy)]
pub enum Keyword {
    /// Such as a `minimum`.
    Number(i64),
    /// Such as a `format`.
    Text(&'static str),
}

macro_rules! integers {
    ($($of:ty)+) => { $(
        impl Described for $of {
            const TYPE: &'static Type = &Type::Plain(&[
                ("type", Keyword::Text("integer")),
                ("minimum", Keyword::Number(<$of>::MIN as i64)),
                ("maximum", Keyword::Number(<$of>::MAX as i64)),
            ]);

            fn read(json: Json<'_>) -> Result<Self, Misfit> {
                json.integer_within(<$of>::MIN.into(), <$of>::MAX.into()).map(|integer| integer as $of)
            }

            fn to_json(&self) -> Value {
                (*self).into()
            }
        }
    )+ };
}

// Larger ones leave what JavaScript can hold: `number::Integer` says their limits.
integers! { u8 u16 u32 i8 i16 i32 }

impl Described for bool {
    const TYPE: &'static Type = &Type::Plain(&[("type", Keyword::Text("boolean"))]);

    fn read(json: Json<'_>) -> Result<Self, Misfit> {
        json.boolean()
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl Described for String {
    const TYPE: &'static Type = &Type::Plain(&[("type", Keyword::Text("string"))]);

    #[inline(always)]
    fn read(json: Json<'_>) -> Result<Self, Misfit> {
        json.text().map(Cow::into_owned)
    }

    fn to_json(&self) -> Value {
        self.as_str().into()
    }
}

impl<T: Described> Described for Vec<T> {
    const TYPE: &'static Type = &Type::List(T::TYPE);

    fn read(json: Json<'_>) -> Result<Self, Misfit> {
        let items = json.list()?.into_iter().enumerate();
        items.map(|(at, item)| T::read(item).map_err(|misfit| misfit.within(&at.to_string()))).collect()
    }

    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }
}

/// The shapes of an enum's variants, each written with named fields: `Deposit { amount: Amount }`.
pub fn shapes<T: Described>() -> Vec<Shape> {
    shapes_of(T::TYPE)
}

/// The JSON Schema (draft 2020-12) of any type, without references.
pub fn of<T: Described>() -> Value {
    schema(T::TYPE, "", false).into()
}

// What follows is not generic, so that it is compiled once and not for every type.

pub(crate) fn shapes_of(of: &Type) -> Vec<Shape> {
    let Type::Enum { variants, closed, .. } = *of else { return Vec::new() };
    let shapes = variants.iter().filter_map(|variant| {
        let mut schema = Object::new();
        add_fields(&mut schema, variant.fields?, closed);
        describe(&mut schema, variant.docs, variant.keywords);
        add(&mut schema, "title", words(variant.name).into());
        Some(Shape { name: variant.name.to_owned(), schema: schema.into() })
    });
    shapes.collect()
}

/// The schema of a type, described by `docs`, or else by the type's own. What is below something closed is
/// closed too: a command shares types with events, which stay open.
fn schema(of: &Type, docs: &str, closed: bool) -> Object {
    let mut schema = Object::new();
    let own = match of {
        Type::Struct { docs, .. } | Type::Enum { docs, .. } => docs,
        Type::Plain(_) | Type::List(_) | Type::Map(_) => "",
    };
    describe(&mut schema, if docs.is_empty() { own } else { docs }, &[]);
    match *of {
        Type::Plain(keywords) => describe(&mut schema, "", keywords),
        Type::List(each) => {
            add(&mut schema, "type", "array".into());
            add(&mut schema, "items", self::schema(each, "", closed).into());
        }
        Type::Map(each) => {
            add(&mut schema, "type", "object".into());
            add(&mut schema, "additionalProperties", self::schema(each, "", closed).into());
        }
        Type::Struct { fields, closed: itself, .. } => add_fields(&mut schema, fields, closed || itself),
        Type::Enum { variants, closed: itself, .. } => add_variants(&mut schema, variants, closed || itself),
    }
    schema
}

fn add_fields(schema: &mut Object, fields: &[Field], closed: bool) {
    let (mut properties, mut required) = (Object::new(), Vec::new());
    for field in fields {
        let mut property = self::schema(field.of, field.docs, closed);
        describe(&mut property, "", field.keywords);
        if let Some(default) = field.default {
            add(&mut property, "default", default());
        }
        add(&mut property, "title", words(field.name).into());
        add(&mut properties, field.name, property.into());
        if field.required {
            required.push(field.name.into());
        }
    }
    add_object(schema, properties, closed, required);
}

fn add_object(schema: &mut Object, properties: Object, closed: bool, required: Vec<Value>) {
    add(schema, "type", "object".into());
    add(schema, "properties", properties.into());
    if closed {
        add(schema, "additionalProperties", false.into());
    }
    if !required.is_empty() {
        add(schema, "required", required.into());
    }
}

/// As serde writes an enum: the name alone, or an object with the name and the fields below it.
fn add_variants(schema: &mut Object, variants: &[Variant], closed: bool) {
    if variants.iter().all(|variant| variant.fields.is_none() && variant.docs.is_empty()) {
        add(schema, "type", "string".into());
        return add(schema, "enum", variants.iter().map(|variant| variant.name).collect());
    }
    let variants = variants.iter().map(|variant| {
        let mut schema = Object::new();
        if let Some(fields) = variant.fields {
            let mut inside = Object::new();
            add_fields(&mut inside, fields, closed);
            let mut properties = Object::new();
            add(&mut properties, variant.name, inside.into());
            add_object(&mut schema, properties, true, vec![variant.name.into()]);
        } else {
            add(&mut schema, "type", "string".into());
            add(&mut schema, "const", variant.name.into());
        }
        describe(&mut schema, variant.docs, variant.keywords);
        schema
    });
    add(schema, "oneOf", variants.collect());
}

fn describe(schema: &mut Object, docs: &str, keywords: &[(&str, Keyword)]) {
    if !docs.is_empty() {
        add(schema, "description", docs.into());
    }
    for (name, keyword) in keywords {
        let value = match *keyword {
            Keyword::Number(number) => number.into(),
            Keyword::Text(text) => text.into(),
        };
        add(schema, name, value);
    }
}

fn add(schema: &mut Object, keyword: &str, value: Value) {
    schema.insert(keyword.to_owned(), value);
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

/// A value that fits the schema, to begin with: every field that has to be given, with the smallest number and a
/// short text.
///
/// ```
/// use rewound_core::{domains, schema::{sample, validate}};
/// for domain in domains::all() {
///     for event in domain.events() {
///         assert_eq!(validate(&event.schema, &sample(&event.schema)), []);
///     }
/// }
/// ```
pub fn sample(schema: &Value) -> Value {
    let keyword = |name: &str| schema.get(name);
    if let Some(value) = keyword("default").or(keyword("const")) {
        return value.clone();
    }
    let first = |name: &str| keyword(name).and_then(Value::as_array).and_then(|values| values.first());
    if let Some(value) = first("enum") {
        return value.clone();
    }
    if let Some(one) = first("oneOf") {
        return sample(one);
    }
    match keyword("type").and_then(Value::as_str) {
        Some("object") => {
            let fields = keyword("properties").and_then(Value::as_object).into_iter().flatten();
            let fields = fields.filter(|(name, _)| requires(schema, name));
            Value::Object(fields.map(|(name, field)| (name.clone(), sample(field))).collect())
        }
        Some("array") => {
            let least = keyword("minItems").and_then(Value::as_u64).unwrap_or(0);
            (0..least).filter_map(|_| keyword("items").map(sample)).collect()
        }
        Some("integer" | "number") => keyword("minimum").cloned().unwrap_or_else(|| 0.into()),
        Some("boolean") => false.into(),
        Some("string") => match keyword("format").and_then(Value::as_str) {
            Some("email") => "ada@example.com".into(),
            Some("iso-4217") => "EUR".into(),
            _ => "text".into(),
        },
        _ => Value::Null,
    }
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
