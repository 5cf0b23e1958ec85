//! JSON that is looked into without being read: fields and items as the texts that they are. One way for every object
//! of which a few fields are wanted, where a derived struct is a parser of its own.

use crate::event::Borrowed;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::{Deserializer, Error, value::RawValue};
use std::{borrow::Cow, fmt};

/// Some fields of an object.
pub(crate) struct Fields<'a>(Listed<'a>);

/// Fields of an object, as they stand there: their names and their texts.
pub(crate) type Listed<'a> = Vec<(Cow<'a, str>, &'a str)>;

impl<'a> Fields<'a> {
    /// Those of these names. None of them may be there twice.
    pub(crate) fn read(text: &'a str, names: &[&str]) -> Result<Self, Error> {
        listed(text, Some(&|name| names.contains(&name))).map(Self)
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

/// The fields of an object: those that are wanted, of which none may be there twice, or all as they come.
pub(crate) fn listed<'a>(
    text: &'a str,
    is_wanted: Option<&dyn Fn(&str) -> bool>,
) -> Result<Listed<'a>, Error> {
    let mut json = Deserializer::from_str(text);
    let fields = serde::Deserializer::deserialize_map(&mut json, Reader(is_wanted))?;
    json.end()?;
    Ok(fields)
}

struct Reader<'w>(Option<&'w dyn Fn(&str) -> bool>);

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Listed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Self::Value::new();
        while let Some(Borrowed(name)) = map.next_key()? {
            let value = map.next_value::<&RawValue>()?.get();
            match self.0 {
                Some(is_wanted) if !is_wanted(&name) => continue,
                Some(_) if fields.iter().any(|(known, _)| *known == name) => {
                    return Err(M::Error::custom(format_args!("duplicate field `{name}`")));
                }
                _ => fields.push((name, value)),
            }
        }
        Ok(fields)
    }
}
