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

pub mod chore;
pub mod cost;
pub mod error;
pub mod exchange;
pub mod item;
pub mod sign;
mod table;

use serde_json::Value;

/// Where everything lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The name of the table of events.
    pub events: String,
    /// The name of the table of helpers.
    pub helpers: String,
    /// The table of each kind of aggregate.
    pub aggregates: Vec<(String, Rows)>,
}

impl Layout {
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

/// A call of DynamoDB's HTTP API: `POST /` with this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The header `X-Amz-Target`, such as `DynamoDB_20120810.GetItem`.
    pub target: String,
    /// The body, JSON. The same call has the same bytes.
    pub body: String,
}

impl Call {
    fn new(action: &str, body: &Value) -> Self {
        Self { target: format!("DynamoDB_20120810.{action}"), body: body.to_string() }
    }
}

/// An object with more fields.
fn with(mut body: Value, more: Value) -> Value {
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// The most bytes of an item.
pub const MAX_ITEM: usize = 400 * 1024;
/// The most bytes of all the items of a transaction.
pub const MAX_TRANSACTION: usize = 4 * 1024 * 1024;
