//! Texts with what is asked of them in their type: labels, notes, e-mail addresses, currencies.
//!
//! The limits stand in the schema, and commands are held to them. Reading is lenient: an event that an
//! older program stored stays readable, whatever its texts look like.

use crate::{
    schema::{
        Described,
        Keyword::{Number, Text},
        Type,
    },
    wire::{Json, Misfit},
};
use rewound_scan::Letters;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::{fmt, ops::Deref};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident { $($keyword:literal: $value:expr),* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Letters);

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Letters::new(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self)
            }
        }

        impl Described for $name {
            const TYPE: &'static Type = &Type::Plain(&[("type", Text("string")), $(($keyword, $value)),*]);

            fn read(json: Json<'_>) -> Result<Self, Misfit> {
                json.text().map(|text| Self(Letters::new(&text)))
            }

            #[inline(always)]
            fn read_quickly(json: Json<'_>) -> Option<Self> {
                Some(Self(json.letters()?))
            }

            fn to_json(&self) -> Value {
                Value::from(&**self)
            }
        }
    )* };
}

texts! {
    /// A name, an id, a reference: 1 to 200 characters.
    Label { "minLength": Number(1), "maxLength": Number(200) }
    /// A sentence or two: 1 to 500 characters.
    Note { "minLength": Number(1), "maxLength": Number(500) }
    /// An e-mail address: 254 characters at the most (RFC 5321, 4.5.3.1.3).
    Email { "format": Text("email"), "maxLength": Number(254) }
    /// What money is counted in: three capital letters (ISO 4217).
    Currency { "format": Text("iso-4217"), "pattern": Text("^[A-Z]{3}$") }
}
