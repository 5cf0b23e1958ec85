//! Values by their names, for states.

use crate::{
    schema::{Described, Type},
    text::Label,
    wire::{Json, Misfit},
};
use serde_json::Value;

/// Values by their names, in the order of those. They lie side by side: a state has few (it is a row), and a tree
/// would be twenty times the code for each type.
///
/// ```
/// use rewound_core::{named::Named, text::Label};
/// let mut ages = Named::default();
/// ages.insert("grace".into(), 37);
/// ages.insert("ada".into(), 36);
/// assert_eq!(ages.remove("grace"), Some(37));
/// assert_eq!((ages.get("ada"), ages.get("grace")), (Some(&36), None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<V>(Vec<(Label, V)>);

impl<V> Named<V> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.place(name).ok().and_then(|place| self.0.get(place)).map(|(_, value)| value)
    }

    /// Gives the value the name; gives the one that had it before.
    pub fn insert(&mut self, name: Label, value: V) -> Option<V> {
        match self.place(&name) {
            Ok(place) => self.0.get_mut(place).map(|(_, before)| std::mem::replace(before, value)),
            Err(place) => {
                self.0.insert(place, (name, value));
                None
            }
        }
    }

    /// Takes the value of that name.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        self.place(name).ok().map(|place| self.0.remove(place).1)
    }

    /// The names and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Where the name is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V: Described> Described for Named<V> {
    const TYPE: &'static Type = &Type::Map(V::TYPE);

    fn read(json: Json<'_>) -> Result<Self, Misfit> {
        let mut values = Self::default();
        for (name, value) in json.object()? {
            values.insert(
                Label::from(&*name),
                V::read(Json::new(value)).map_err(|misfit| misfit.within(&name))?,
            );
        }
        Ok(values)
    }

    fn to_json(&self) -> Value {
        Value::Object(self.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect())
    }
}
