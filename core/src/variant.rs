//! Between an enum and its variant's name and fields: events and commands are enums in a domain, and a
//! name beside flat fields on the wire.
//!
//! (Serde's own tagged enums buffer the whole value first, and lose the text of its numbers there.)

use crate::value::Object;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::Value;
use std::fmt;

/// Reads the variant `name` from the JSON text of an object. Fields that it does not know are skipped.
///
/// There is one way to read, from text: every further one would be another copy of every domain's code.
pub(crate) fn read<'a, T: Deserialize<'a>>(name: &str, text: &'a str) -> Result<T, serde_json::Error> {
    T::deserialize(Variant { name, fields: &mut serde_json::Deserializer::from_str(text) })
}

/// Reads the variant `name` from the fields of an item, as [`read`] does from their text. (It is a copy of the
/// code that reads a domain's events, for the quick way of a replay.)
#[cfg(feature = "replay")]
#[inline(always)]
pub(crate) fn read_fields<'a, T: Deserialize<'a>>(
    name: &str,
    fields: crate::scan::Fields<'_, 'a>,
) -> Result<T, serde_json::Error> {
    T::deserialize(Variant { name, fields })
}

/// The names of an enum's variants.
pub(crate) fn names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    struct Ask;
    #[derive(Debug)]
    struct Answer(&'static [&'static str]);
    impl fmt::Display for Answer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0.join(", "))
        }
    }
    impl std::error::Error for Answer {}
    impl de::Error for Answer {
        fn custom<M: fmt::Display>(_: M) -> Self {
            Answer(&[])
        }
    }
    impl<'de> Deserializer<'de> for Ask {
        type Error = Answer;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
            Err(Answer(&[]))
        }
        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Answer> {
            Err(Answer(variants))
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }
    match T::deserialize(Ask) {
        Err(Answer(variants)) => variants,
        Ok(_) => &[],
    }
}

/// The name and the fields of a variant.
///
/// # Errors
/// A variant without named fields (`Closed` instead of `Closed {}`), or one that is not JSON.
pub(crate) fn split<T: Serialize>(variant: &T) -> Result<(String, Object), String> {
    match serde_json::to_value(variant).map_err(|error| error.to_string())? {
        Value::Object(outer) => match outer.into_iter().next() {
            Some((name, Value::Object(fields))) => Ok((name, fields)),
            _ => Err("a variant must have named fields".to_owned()),
        },
        _ => Err("a variant must have named fields".to_owned()),
    }
}

/// Feeds an enum's visitor with a name and the deserializer of the fields.
struct Variant<'n, D> {
    name: &'n str,
    fields: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Variant<'_, D> {
    type Error = D::Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_enum(self)
    }
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, D: Deserializer<'de>> EnumAccess<'de> for Variant<'_, D> {
    type Error = D::Error;
    type Variant = Self;
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), D::Error> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self))
    }
}

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for Variant<'_, D> {
    type Error = D::Error;
    fn unit_variant(self) -> Result<(), D::Error> {
        Ok(())
    }
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, D::Error> {
        seed.deserialize(self.fields)
    }
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.fields.deserialize_tuple(len, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.fields.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Things {
        Moved { to: Vec<u32> },
        Stopped {},
    }

    #[test]
    fn a_variant_is_read_from_its_name_and_the_text_of_its_fields() {
        let moved = read::<Things>("Moved", r#"{"skipped":1.0,"to":[1,2]}"#).ok();
        assert_eq!(moved, Some(Things::Moved { to: vec![1, 2] }));
        assert_eq!(read("Stopped", "{}").ok(), Some(Things::Stopped {}));
        assert!(read::<Things>("Moved", r#"{"to":"there"}"#).is_err());
        assert!(read::<Things>("Flown", "{}").is_err());
        assert_eq!(names::<Things>(), ["Moved", "Stopped"]);
        let (name, fields) = split(&Things::Moved { to: vec![3] }).unwrap();
        let text = Value::Object(fields).to_string();
        assert_eq!((name.as_str(), read(&name, &text).ok()), ("Moved", Some(Things::Moved { to: vec![3] })));
    }
}
