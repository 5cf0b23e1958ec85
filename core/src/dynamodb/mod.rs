//! The store on DynamoDB, as far as it needs no network: what to send, what the answers mean, what it costs.
//!
//! A shell makes an [`Exchange`](exchange::Exchange) of each [`Request`](crate::store::Request), sends the calls
//! that it asks for with the headers of [`sign`], and hands the answers back, until there is a
//! [`Reply`](crate::store::Reply). Nothing here does I/O.
//!
//! The layout is that of the npm package `@coderbyheart/aws-dynamodb-es-cqrs` 1.3.0, on whose tables this works:
//!
//! | table | key | attributes |
//! |---|---|---|
//! | one for each kind of aggregate | `aggregateId` (S) | `version`, `actorId`, `updatedAt`, and the state's fields |
//! | events | `aggregateId` (S), `eventId` (S) | the envelope, flat, and `eventTs`, its time as ISO 8601 |
//! | helpers | `pk` (S), `sk` (S) | what is ours alone: records under keys, with `expiresAt` (seconds) for TTL |
//! | views | `pk` (S), `sk` (S) | what is ours alone: rows of read models, with what their [indexes](crate::projection::Index) need |

pub mod chore;
pub mod cost;
pub mod error;
pub mod exchange;
pub mod item;
pub mod quote;
pub mod sign;
mod table;

use crate::domains;
use serde_json::Value;
use sign::Api;
use std::fmt::{self, Display};

/// Where everything lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The name of the table of events.
    pub events: String,
    /// The name of the table of helpers.
    pub helpers: String,
    /// The name of the table of views; empty for a store without any.
    pub views: String,
    /// The table of each kind of aggregate.
    pub aggregates: Vec<(String, Rows)>,
}

impl Layout {
    /// Tables with this prefix for every compiled domain, such as `rewound-events` and `rewound-Order`. Nobody is trusted
    /// to have written rows yet.
    pub fn prefixed(prefix: &str) -> Self {
        let table = |name: &str| format!("{prefix}-{name}");
        let rows = |name: &str| (name.to_owned(), Rows { table: table(name), fingerprint: 0 });
        let aggregates = domains::all().map(|domain| rows(domain.name())).into();
        Self { events: table("events"), helpers: table("helpers"), views: table("views"), aggregates }
    }

    /// Says which reducer wrote the rows of a kind of aggregate.
    pub fn trust(&mut self, aggregate: &str, fingerprint: u64) {
        for (_, rows) in self.aggregates.iter_mut().filter(|(kind, _)| kind == aggregate) {
            rows.fingerprint = fingerprint;
        }
    }

    /// The table of a kind of aggregate.
    pub fn rows(&self, aggregate: &str) -> Option<&Rows> {
        self.aggregates.iter().find(|(kind, _)| kind == aggregate).map(|(_, rows)| rows)
    }
}

/// A table of aggregates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Its name.
    pub table: String,
    /// The [fingerprint](crate::domain::Domain::fingerprint) of the reducer that wrote its rows. Rows of
    /// another reducer are not trusted: their aggregates are replayed from the events.
    pub fingerprint: u64,
}

/// A call of DynamoDB's HTTP API, or of another that is called the same way: `POST /` with this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The header `X-Amz-Target`, such as `DynamoDB_20120810.GetItem`. It says [whose](sign::Api::of) it is.
    pub target: String,
    /// The body, JSON. The same call has the same bytes.
    pub body: String,
}

impl Call {
    fn new(action: &str, body: String) -> Self {
        Self::to(Api::Tables, action, body)
    }

    pub(crate) fn to(api: Api, action: &str, body: String) -> Self {
        Self { target: api.target(action), body }
    }
}

/// A JSON text with these in the places of its `$`, and without line breaks and what indents its lines. (`json!` is
/// code for each field: all of our calls would be several times as large.)
pub(crate) fn json(template: &str, values: &[&dyn Display]) -> String {
    let mut values = values.iter();
    let mut json = String::new();
    for part in template.lines().flat_map(|line| line.trim_start().split_inclusive('$')) {
        match part.strip_suffix('$') {
            Some(part) => {
                json += &[part, &values.next().map_or_else(String::new, ToString::to_string)].concat()
            }
            None => json += part,
        }
    }
    json
}

/// A text as it stands in JSON.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::from(self.0).fmt(f)
    }
}

/// The key of a record among the helpers.
pub(crate) fn record_key(key: &str) -> String {
    json(r#"{"pk":{"S":$},"sk":{"S":"record"}}"#, &[&Quoted(key)])
}

/// The most bytes of an item.
pub const MAX_ITEM: usize = 400 * 1024;
/// The most bytes of all the items of a transaction.
pub const MAX_TRANSACTION: usize = 4 * 1024 * 1024;
