//! The tables: what makes them, and what tells that they are there.

use super::{Call, Layout, with};
use serde_json::{Value, json};

/// A table that a layout needs.
pub(super) struct Table<'a> {
    pub(super) name: &'a str,
    keys: &'static [&'static str],
    more: Value,
}

/// Every table of a layout. They are billed by request; the events have the index `eventNameIndex` and a stream of
/// new images.
pub(super) fn all(layout: &Layout) -> impl Iterator<Item = Table<'_>> {
    let events = json!({
        "AttributeDefinitions": (["aggregateId", "eventId", "eventName"].map(definition)),
        "GlobalSecondaryIndexes": [{
            "IndexName": "eventNameIndex",
            "KeySchema": schema(&["eventName", "aggregateId"]),
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
    });
    let rows = layout.aggregates.iter();
    rows.map(|(_, rows)| Table { name: &rows.table, keys: &["aggregateId"], more: json!({}) }).chain([
        Table { name: &layout.events, keys: &["aggregateId", "eventId"], more: events },
        Table { name: &layout.helpers, keys: &["pk", "sk"], more: json!({}) },
    ])
}

impl Table<'_> {
    pub(super) fn create(&self) -> Call {
        let body = json!({
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": self.keys(),
            "AttributeDefinitions": self.keys.iter().map(|key| definition(key)).collect::<Vec<_>>(),
        });
        Call::new("CreateTable", &with(body, self.more.clone()))
    }

    pub(super) fn describe(&self) -> Call {
        Call::new("DescribeTable", &json!({ "TableName": self.name }))
    }

    /// The keys, as they are made and as they are described.
    pub(super) fn keys(&self) -> Value {
        schema(self.keys)
    }
}

/// Asks whether expired helpers are removed.
pub(super) fn lifetime(layout: &Layout) -> Call {
    Call::new("DescribeTimeToLive", &json!({ "TableName": layout.helpers }))
}

/// Lets expired helpers be removed.
pub(super) fn expire(layout: &Layout) -> Call {
    let body = json!({
        "TableName": layout.helpers,
        "TimeToLiveSpecification": { "AttributeName": "expiresAt", "Enabled": true },
    });
    Call::new("UpdateTimeToLive", &body)
}

fn schema(keys: &[&str]) -> Value {
    let keys = keys.iter().zip(["HASH", "RANGE"]);
    keys.map(|(key, kind)| json!({ "AttributeName": key, "KeyType": kind })).collect()
}

fn definition(key: &str) -> Value {
    json!({ "AttributeName": key, "AttributeType": "S" })
}
