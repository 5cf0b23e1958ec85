//! DynamoDB's attribute values, `{"S":"text"}` or `{"N":"12"}`, as plain JSON: read in one pass,
//! straight from text to text, with the digits of every number as they are.
//!
//! Format: Amazon DynamoDB Developer Guide, "DynamoDB JSON" and "Data type descriptors". Sets become
//! lists, and binary values stay the base64 text that they are in that format.

use rewound_scan::is_number;
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Writes an item, a JSON object of attribute values, as a plain JSON object, leaving out the
/// attributes named in `without`.
///
/// # Errors
/// JSON that is broken, an unknown type descriptor, a number that is none; with line and column.
pub(crate) fn item_to_json(item: &str, without: &[&str]) -> Result<String, serde_json::Error> {
    let mut out = Vec::with_capacity(item.len());
    let mut json = serde_json::Deserializer::from_str(item);
    Fields { out: &mut out, without }.deserialize(&mut json)?;
    json.end()?;
    String::from_utf8(out).map_err(de::Error::custom)
}

/// An object of attribute values.
struct Fields<'o> {
    out: &'o mut Vec<u8>,
    without: &'o [&'o str],
}

/// One attribute value.
struct Attribute<'o>(&'o mut Vec<u8>);

/// What follows a type descriptor.
struct Content<'o>(&'o mut Vec<u8>, Kind);

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Bool,
    Null,
    /// A list of attribute values.
    List,
    /// A set: a list of plain texts, or of numbers in text.
    TextSet,
    NumberSet,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of DynamoDB attribute values")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        self.out.push(b'{');
        let mut first = true;
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if self.without.contains(&name.as_ref()) {
                map.next_value::<de::IgnoredAny>()?;
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            write_text(self.out, &name)?;
            self.out.push(b':');
            map.next_value_seed(Attribute(self.out))?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Attribute<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Attribute<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a DynamoDB attribute value such as {\"S\":\"text\"}")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        const KINDS: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];
        let Some(kind) = map.next_key::<std::borrow::Cow<'_, str>>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        match kind.as_ref() {
            "S" | "B" => map.next_value_seed(Content(self.0, Kind::Text))?,
            "N" => map.next_value_seed(Content(self.0, Kind::Number))?,
            "BOOL" => map.next_value_seed(Content(self.0, Kind::Bool))?,
            "NULL" => map.next_value_seed(Content(self.0, Kind::Null))?,
            "M" => map.next_value_seed(Fields { out: self.0, without: &[] })?,
            "L" => map.next_value_seed(Content(self.0, Kind::List))?,
            "SS" | "BS" => map.next_value_seed(Content(self.0, Kind::TextSet))?,
            "NS" => map.next_value_seed(Content(self.0, Kind::NumberSet))?,
            other => return Err(de::Error::unknown_variant(other, &KINDS)),
        }
        match map.next_key::<std::borrow::Cow<'_, str>>()? {
            None => Ok(()),
            Some(more) => Err(de::Error::custom(format_args!(
                "an attribute value has one type, found `{kind}` and `{more}`"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.1 {
            Kind::Text | Kind::Number => deserializer.deserialize_str(self),
            Kind::Bool | Kind::Null => deserializer.deserialize_bool(self),
            Kind::List | Kind::TextSet | Kind::NumberSet => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.1 {
            Kind::Text => "a string",
            Kind::Number => "a number in a string",
            Kind::Bool => "true or false",
            Kind::Null => "true",
            Kind::List => "a list of attribute values",
            Kind::TextSet => "a list of strings",
            Kind::NumberSet => "a list of numbers in strings",
        })
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        let text: &[u8] = match (self.1, value) {
            (Kind::Null, _) => b"null",
            (_, true) => b"true",
            (_, false) => b"false",
        };
        self.0.extend_from_slice(text);
        Ok(())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if matches!(self.1, Kind::Text) {
            return write_text(self.0, text);
        }
        if !is_number(text) {
            return Err(E::invalid_value(de::Unexpected::Str(text), &"a number in a string"));
        }
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let Content(out, kind) = self;
        out.push(b'[');
        let mut first = true;
        loop {
            let end = out.len();
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            let more = match kind {
                Kind::TextSet => items.next_element_seed(Content(out, Kind::Text))?,
                Kind::NumberSet => items.next_element_seed(Content(out, Kind::Number))?,
                _ => items.next_element_seed(Attribute(out))?,
            };
            if more.is_none() {
                out.truncate(end);
                break;
            }
        }
        out.push(b']');
        Ok(())
    }
}

fn write_text<E: de::Error>(out: &mut Vec<u8>, text: &str) -> Result<(), E> {
    serde_json::to_writer(out, text).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_becomes_plain_json() {
        let item = r#"{"s":{"S":"a \"b\" \u00e9"},"n":{"N":"31.30"},"big":{"N":"-12345678901234567890123456789012345678"},
            "t":{"BOOL":true},"nil":{"NULL":true},"m":{"M":{"x":{"L":[{"N":"1E2"},{"S":""},{"L":[]}]}}},
            "ss":{"SS":["a","b"]},"ns":{"NS":["1","2.0"]},"b":{"B":"aGk="},"eventTs":{"S":"left out"}}"#;
        assert_eq!(
            item_to_json(item, &["eventTs"]).unwrap(),
            r#"{"s":"a \"b\" é","n":31.30,"big":-12345678901234567890123456789012345678,"t":true,"nil":null,"m":{"x":[1E2,"",[]]},"ss":["a","b"],"ns":[1,2.0],"b":"aGk="}"#
        );
    }

    #[test]
    fn what_is_no_attribute_value_is_an_error() {
        for (item, expected) in [
            (r#"{"a":"plain"}"#, "a DynamoDB attribute value"),
            (r#"{"a":{"X":"1"}}"#, "unknown variant `X`"),
            (r#"{"a":{}}"#, "a DynamoDB attribute value"),
            (r#"{"a":{"N":"1","S":"1"}}"#, "one type"),
            (r#"{"a":{"N":"NaN"}}"#, "a number in a string"),
            (r#"{"a":{"N":"01"}}"#, "a number in a string"),
            (r#"{"a":{"N":"1."}}"#, "a number in a string"),
            (r#"{"a":{"S":1}}"#, "a string"),
            (r#"{"a":{"L":[{"S":"x"}"#, "EOF"),
        ] {
            let error = item_to_json(item, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{item}: {error}");
        }
    }
}
