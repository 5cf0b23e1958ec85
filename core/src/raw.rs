//! JSON that is looked into without being read: fields and items as the texts that they are. One way for every object
//! of which a few fields are wanted, where a derived struct is a parser of its own.

use crate::event::Borrowed;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::{Deserializer, Error, value::RawValue};
use std::fmt;

/// Some fields of an object.
pub(crate) struct Fields<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Fields<'a> {
    /// Those of these names. None of them may be there twice.
    pub(crate) fn read(text: &'a str, names: &'static [&'static str]) -> Result<Self, Error> {
        let mut json = Deserializer::from_str(text);
        let fields = serde::Deserializer::deserialize_map(&mut json, Reader(names))?;
        json.end()?;
        Ok(Fields(fields))
    }

    /// The text of a field; none where it is not there, or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let field = self.0.iter().find(|(known, _)| *known == name);
        field.map(|(_, value)| *value).filter(|value| *value != "null")
    }

    /// What stands in a field that holds a string.
    pub(crate) fn string(&self, name: &str) -> Result<Option<String>, Error> {
        self.get(name).map(serde_json::from_str).transpose()
    }

    /// The items of a field that holds an array, if it is there.
    pub(crate) fn items(&self, name: &str) -> Result<Option<Vec<&'a str>>, Error> {
        self.get(name).map(items).transpose()
    }
}

/// The items of an array.
pub(crate) fn items(text: &str) -> Result<Vec<&str>, Error> {
    let items: Vec<&RawValue> = serde_json::from_str(text)?;
    Ok(items.into_iter().map(RawValue::get).collect())
}

struct Reader(&'static [&'static str]);

impl<'de> Visitor<'de> for Reader {
    type Value = Vec<(&'static str, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Self::Value::new();
        while let Some(Borrowed(name)) = map.next_key()? {
            let value = map.next_value::<&RawValue>()?.get();
            if let Some(name) = self.0.iter().find(|known| **known == name) {
                if fields.iter().any(|(known, _)| known == name) {
                    return Err(M::Error::duplicate_field(name));
                }
                fields.push((name, value));
            }
        }
        Ok(fields)
    }
}
