//! Between the types of a domain and JSON: what [`Described`] derives is a table and a
//! call for each field, and what is called there is compiled once.
//!
//! Serde would write code for each field of each type, and each way to read it once more: that took 130 KB of
//! WebAssembly for four domains. Here, what is on the quick way of a replay is inlined, and nothing else.

use crate::{
    error::Issue,
    event::Borrowed,
    raw::{self, Listed},
    schema::{Described, Field, Type, Variant},
    value::{Object, below},
};
#[cfg(feature = "replay")]
use rewound_scan::{Item, Part};
use rewound_scan::{Letters, Value as Written, same};
pub use serde_json::Value;
use std::{borrow::Cow, fmt};

/// A JSON value that is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(Form<'a>);

#[derive(Debug, Clone, Copy)]
enum Form<'a> {
    Written(Written<'a>),
    /// A variant of an enum, in two parts: events and commands are a name beside flat fields on the wire.
    Variant(&'a str, &'a Json<'a>),
}

/// A value does not fit, at this place below it.
pub type Misfit = Box<Issue>;

pub(crate) fn misfit(message: impl fmt::Display) -> Misfit {
    Box::new(Issue { pointer: String::new(), message: message.to_string() })
}

/// JSON that is something else. (Its place is said by whoever goes up; the parser's is one in this value alone.)
fn unread(error: serde_json::Error) -> Misfit {
    let message = error.to_string();
    misfit(message.split_once(" at line ").map_or(&*message, |(what, _)| what))
}

impl Issue {
    /// The same one level up.
    pub(crate) fn within(mut self: Box<Self>, name: &str) -> Misfit {
        self.pointer.insert_str(0, &below("", name));
        self
    }
}

impl<'a> Json<'a> {
    /// A value from its text.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(Form::Written(Written::Json(text)))
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(self) -> Result<Cow<'a, str>, Misfit> {
        match self.0 {
            Form::Written(Written::Json(json)) => parsed_text(json),
            Form::Written(Written::Text(text)) => Ok(Cow::Borrowed(text)),
            _ => Err(Self::not("text")),
        }
    }

    /// A text, where it is one.
    #[inline(always)]
    pub(crate) fn letters(self) -> Option<Letters> {
        match self.0 {
            Form::Written(Written::Text(text)) => Some(Letters::new(text)),
            Form::Written(Written::Json(json)) => Some(Letters::long(long_text(json)?)),
            _ => None,
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// It is something else, or has more than 64 bits.
    pub fn integer(self) -> Result<i64, Misfit> {
        match self.0 {
            Form::Written(Written::Json(json)) => serde_json::from_str(json).map_err(unread),
            Form::Written(Written::Integer(integer)) => Ok(integer),
            _ => Err(Self::not("an integer")),
        }
    }

    /// An integer within these limits, both included.
    ///
    /// # Errors
    /// It is something else, or outside.
    pub fn integer_within(self, least: i64, most: i64) -> Result<i64, Misfit> {
        match self.integer()? {
            integer if (least..=most).contains(&integer) => Ok(integer),
            outside => {
                Err(misfit(format_args!("{outside} is outside: expected an integer from {least} to {most}")))
            }
        }
    }

    /// An integer, where it is one.
    #[inline(always)]
    pub(crate) fn quick_integer(self) -> Option<i64> {
        match self.0 {
            Form::Written(Written::Integer(integer)) => Some(integer),
            Form::Written(Written::Json(json)) => parsed_integer(json),
            _ => None,
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// It is something else.
    pub fn boolean(self) -> Result<bool, Misfit> {
        match self.0 {
            Form::Written(Written::Json("true")) => Ok(true),
            Form::Written(Written::Json("false")) => Ok(false),
            _ => Err(Self::not("true or false")),
        }
    }

    /// The items of a list.
    pub(crate) fn list(self) -> Result<Vec<Json<'a>>, Misfit> {
        let Form::Written(Written::Json(json)) = self.0 else { return Err(Self::not("a list")) };
        Ok(raw::items(json).map_err(unread)?.into_iter().map(Self::new).collect())
    }

    /// The fields of an object, as they stand there.
    pub(crate) fn object(self) -> Result<Listed<'a>, Misfit> {
        self.listed(None)
    }

    /// The same; only those that are wanted, where that is said.
    fn listed(self, is_wanted: Option<&dyn Fn(&str) -> bool>) -> Result<Listed<'a>, Misfit> {
        let Form::Written(Written::Json(json)) = self.0 else { return Err(Self::not("an object")) };
        raw::listed(json, is_wanted).map_err(unread)
    }

    #[cold]
    fn not(expected: &str) -> Misfit {
        misfit(format_args!("expected {expected}"))
    }

    fn is_null(self) -> bool {
        matches!(self.0, Form::Written(Written::Json("null")))
    }
}

/// Where the fields of a struct or a variant are read from, in the order in which they are declared.
pub trait Source {
    /// What it says of a field that is missing, or does not fit.
    type Misfit;

    /// Which variant it is; 0 of a struct.
    fn variant(&self) -> usize;

    /// A field that has to be there.
    ///
    /// # Errors
    /// It is missing, or does not fit.
    fn get<T: Described>(&mut self, name: &'static str) -> Result<T, Self::Misfit>;

    /// A field, or what it is where it is not there.
    ///
    /// # Errors
    /// It does not fit.
    fn get_or<T: Described>(&mut self, name: &'static str, default: fn() -> T) -> Result<T, Self::Misfit>;

    /// A field where it is there and is not null.
    ///
    /// # Errors
    /// It does not fit.
    fn get_option<T: Described>(&mut self, name: &'static str) -> Result<Option<T>, Self::Misfit>;

    /// There is no such variant, or there are no fields.
    fn unknown(&self) -> Self::Misfit;
}

/// The fields of a struct or a variant, as JSON has them.
#[derive(Debug)]
pub struct Fields<'a> {
    variant: usize,
    given: Listed<'a>,
}

impl<'a> Fields<'a> {
    /// The fields that a struct or an enum declares, as `json` has them. Those that it does not declare are skipped.
    ///
    /// # Errors
    /// It is no object, or names no variant of the enum.
    #[inline]
    pub fn of(declared: &'static Type, json: Json<'a>) -> Result<Self, Misfit> {
        let Type::Enum { variants, .. } = declared else {
            return Self::new(0, part(declared, 0).1.unwrap_or_default(), json);
        };
        let find = |name: &str| place(variants, name).ok_or_else(|| unknown(name));
        let (variant, fields) = match json.0 {
            Form::Variant(name, fields) => (find(name)?, Some(*fields)),
            Form::Written(Written::Json(text)) if text.starts_with('{') => {
                let (name, fields) = json.object()?.pop().ok_or_else(|| unknown(""))?;
                (find(&name)?, Some(Json::new(fields)))
            }
            _ => (find(&json.text()?)?, None),
        };
        match (part(declared, variant).1, fields) {
            (Some(declared), fields) => Self::new(variant, declared, fields.unwrap_or(json)),
            (None, _) => Ok(Self { variant, given: Vec::new() }),
        }
    }

    #[inline]
    fn new(variant: usize, declared: &'static [Field], json: Json<'a>) -> Result<Self, Misfit> {
        let is_declared = |name: &str| declared.iter().any(|field| field.name == name);
        Ok(Self { variant, given: json.listed(Some(&is_declared))? })
    }

    #[inline]
    fn find(&self, name: &str) -> Option<Json<'a>> {
        self.given.iter().find(|(written, _)| written == name).map(|(_, value)| Json::new(value))
    }
}

impl Source for Fields<'_> {
    type Misfit = Misfit;

    fn variant(&self) -> usize {
        self.variant
    }

    fn get<T: Described>(&mut self, name: &'static str) -> Result<T, Misfit> {
        let json = self.find(name).ok_or_else(|| misfit("it is missing").within(name))?;
        T::read(json).map_err(|misfit| misfit.within(name))
    }

    fn get_or<T: Described>(&mut self, name: &'static str, default: fn() -> T) -> Result<T, Misfit> {
        match self.find(name) {
            Some(json) => T::read(json).map_err(|misfit| misfit.within(name)),
            None => Ok(default()),
        }
    }

    fn get_option<T: Described>(&mut self, name: &'static str) -> Result<Option<T>, Misfit> {
        match self.find(name) {
            Some(json) if !json.is_null() => T::read(json).map(Some).map_err(|misfit| misfit.within(name)),
            _ => Ok(None),
        }
    }

    fn unknown(&self) -> Misfit {
        unknown("")
    }
}

/// The fields of an item, which a replay reads with each event. It is compiled for speed, and says nothing of what
/// does not fit: the thorough way does.
#[cfg(feature = "replay")]
struct ItemFields<'i, 'a> {
    item: &'i Item<'i, 'a>,
    variant: usize,
    next: usize,
}

/// Something does not fit.
#[cfg(feature = "replay")]
pub(crate) struct Unfit;

#[cfg(feature = "replay")]
impl<'a> ItemFields<'_, 'a> {
    /// The field of that name, which may well come next.
    #[inline(always)]
    fn find(&mut self, name: &str) -> Option<Json<'a>> {
        let value = self.item.find(name, self.next);
        self.next += 1;
        value.map(|value| Json(Form::Written(value)))
    }
}

#[cfg(feature = "replay")]
impl Source for ItemFields<'_, '_> {
    type Misfit = Unfit;

    #[inline(always)]
    fn variant(&self) -> usize {
        self.variant
    }

    #[inline(always)]
    fn get<T: Described>(&mut self, name: &'static str) -> Result<T, Unfit> {
        match self.find(name) {
            Some(json) => T::read_quickly(json).ok_or(Unfit),
            None => Err(Unfit),
        }
    }

    #[inline(always)]
    fn get_or<T: Described>(&mut self, name: &'static str, default: fn() -> T) -> Result<T, Unfit> {
        match self.find(name) {
            Some(json) => T::read_quickly(json).ok_or(Unfit),
            None => Ok(default()),
        }
    }

    #[inline(always)]
    fn get_option<T: Described>(&mut self, name: &'static str) -> Result<Option<T>, Unfit> {
        match self.find(name) {
            Some(json) if !json.is_null() => T::read_quickly(json).map(Some).ok_or(Unfit),
            _ => Ok(None),
        }
    }

    fn unknown(&self) -> Unfit {
        Unfit
    }
}

// What is rare on the quick way of a replay is given in a register. What it would write to memory would be kept there
// wherever it comes from, and a processor waits to read as a whole what was written in parts.

#[cold]
#[inline(never)]
fn parsed_integer(json: &str) -> Option<i64> {
    serde_json::from_str(json).ok()
}

#[cold]
#[inline(never)]
fn long_text(json: &str) -> Option<Box<Box<str>>> {
    parsed_text(json).ok().map(|text| Box::new(text.into()))
}

#[inline(never)]
fn parsed_text(json: &str) -> Result<Cow<'_, str>, Misfit> {
    serde_json::from_str(json).map(|Borrowed(text)| text).map_err(unread)
}

#[cold]
fn unknown(name: &str) -> Misfit {
    misfit(format_args!("there is no `{name}`"))
}

/// Which variant has the name.
#[inline]
fn place(variants: &[Variant], name: &str) -> Option<usize> {
    // Most have another length, and are not even compared.
    variants.iter().position(|variant| variant.name.len() == name.len() && same(variant.name, name))
}

/// The name of an enum's variant, and its fields; or a struct's.
#[inline]
fn part(declared: &'static Type, variant: usize) -> (Option<&'static str>, Option<&'static [Field]>) {
    match declared {
        Type::Struct { fields, .. } => (None, Some(fields)),
        Type::Enum { variants, .. } => {
            let variant = variants.get(variant);
            (variant.map(|variant| variant.name), variant.and_then(|variant| variant.fields))
        }
        Type::Plain(_) | Type::List(_) | Type::Map(_) => (None, None),
    }
}

/// Writes the fields of a struct or a variant, in the order in which they are declared.
#[derive(Debug)]
pub struct Writer {
    variant: Option<&'static str>,
    declared: Option<&'static [Field]>,
    fields: Object,
    next: usize,
}

impl Writer {
    /// Writes a struct, or that variant of an enum.
    #[inline]
    pub fn of(declared: &'static Type, variant: usize) -> Self {
        let (variant, declared) = part(declared, variant);
        Self { variant, declared, fields: Object::new(), next: 0 }
    }

    /// Writes the next field.
    pub fn put<T: Described>(&mut self, value: &T) {
        self.add(Some(value.to_json()));
    }

    /// Writes the next field where there is a value: none is not written.
    pub fn put_option<T: Described>(&mut self, value: &Option<T>) {
        self.add(value.as_ref().map(T::to_json));
    }

    fn add(&mut self, value: Option<Value>) {
        let field = self.declared.and_then(|declared| declared.get(self.next));
        self.next += 1;
        if let (Some(field), Some(value)) = (field, value) {
            self.fields.insert(field.name.to_owned(), value);
        }
    }

    /// What was written: an object of the fields, below its name where it is a variant; or that name alone.
    pub fn done(self) -> Value {
        match (self.variant, self.declared) {
            (None, _) => self.fields.into(),
            (Some(name), None) => name.into(),
            (Some(name), Some(_)) => Object::from_iter([(name.to_owned(), self.fields.into())]).into(),
        }
    }
}

/// Reads the variant `name` from the JSON text of an object. Fields that it does not know are skipped.
///
/// # Errors
/// What does not fit, and where.
pub(crate) fn read<T: Described>(name: &str, text: &str) -> Result<T, Misfit> {
    T::read(Json(Form::Variant(name, &Json::new(text))))
}

/// Reads a variant from the fields of an item.
///
/// # Errors
/// They do not fit.
#[cfg(feature = "replay")]
#[inline(always)]
pub(crate) fn read_item<T: Described>(item: &Item<'_, '_>) -> Result<T, Unfit> {
    let name = item.text(Part::Name);
    let variant = match T::TYPE {
        Type::Enum { variants, .. } => place(variants, name),
        _ => None,
    };
    match variant {
        Some(variant) if !item.has_twice() => T::from_fields(&mut ItemFields { item, variant, next: 0 }),
        _ => Err(Unfit),
    }
}

/// The name and the fields of a variant, as it was written.
///
/// # Errors
/// A variant without named fields (`Closed` instead of `Closed {}`).
pub(crate) fn split(variant: Value) -> Result<(String, Object), Misfit> {
    if let Value::Object(outer) = variant
        && let Some((name, Value::Object(fields))) = outer.into_iter().next()
    {
        return Ok((name, fields));
    }
    Err(misfit("a variant must have named fields"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fmt::Debug;

    #[derive(Debug, PartialEq, Described)]
    enum Things {
        Moved { to: Vec<u32> },
        Stopped {},
        Lost,
    }

    fn wrong<T: Debug>(read: Result<T, Misfit>, expected: &str) {
        let issue = read.unwrap_err().to_string();
        assert!(issue.contains(expected), "{issue}");
    }

    #[test]
    fn a_variant_is_read_from_its_name_and_the_text_of_its_fields() {
        let moved = read::<Things>("Moved", r#"{"skipped":1.0,"to":[1,2]}"#);
        assert_eq!(moved, Ok(Things::Moved { to: vec![1, 2] }));
        assert_eq!(read("Stopped", "{}"), Ok(Things::Stopped {}));
        wrong(read::<Things>("Moved", r#"{"to":[1,"there"]}"#), "/to/1: invalid type: string \"there\"");
        wrong(read::<Things>("Moved", r#"{"to":[1],"to":[1]}"#), "duplicate field `to`");
        wrong(read::<Things>("Moved", "{}"), "/to: it is missing");
        wrong(read::<Things>("Stopped", "[]"), "expected an object");
        wrong(read::<Things>("Flown", "{}"), "there is no `Flown`");
        let (name, fields) = split(Things::Moved { to: vec![3] }.to_json()).unwrap();
        let text = Value::Object(fields).to_string();
        assert_eq!((name.as_str(), read(&name, &text)), ("Moved", Ok(Things::Moved { to: vec![3] })));
        assert!(split(Things::Lost.to_json()).is_err());
    }

    #[test]
    fn an_enum_as_a_whole_is_a_name_or_has_its_fields_below_it() {
        for (thing, json) in [
            (Things::Moved { to: vec![1] }, json!({"Moved": {"to": [1]}})),
            (Things::Stopped {}, json!({"Stopped": {}})),
            (Things::Lost, json!("Lost")),
        ] {
            assert_eq!((thing.to_json(), Things::from_json(&json)), (json, Ok(thing)));
        }
        wrong(Things::from_json(&json!("Stopped")), "expected an object");
        wrong(Things::from_json(&json!(1)), "expected a string");
        wrong(Things::from_json(&json!({})), "there is no ``");
    }
}
