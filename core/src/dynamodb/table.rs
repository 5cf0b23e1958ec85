//! The tables, as the bodies of `CreateTable` and `UpdateTimeToLive`.

use super::{Call, Layout, with};
use serde_json::{Value, json};

/// The calls that make every table of a layout. They are billed by request; the events have the index
/// `eventNameIndex` and a stream of new images, the helpers are removed once they expired.
///
/// ```
/// use rewound_core::dynamodb::{Layout, Rows, table};
/// let rows = Rows { table: "accounts".into(), fingerprint: 0 };
/// let aggregates = [("BankAccount".to_owned(), rows)].into();
/// let layout = Layout { events: "events".into(), helpers: "helpers".into(), aggregates };
/// let targets: Vec<String> = table::create(&layout).into_iter().map(|call| call.target).collect();
/// assert_eq!(targets[0], "DynamoDB_20120810.CreateTable");
/// assert_eq!(targets.len(), 4); // three tables, and the lifetime of helpers
/// ```
pub fn create(layout: &Layout) -> Vec<Call> {
    let table = |name: &str, keys: &[&str], more: Value| {
        let body = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": schema(keys),
            "AttributeDefinitions": keys.iter().map(|key| definition(key)).collect::<Vec<_>>(),
        });
        Call::new("CreateTable", &with(body, more))
    };
    let events = json!({
        "AttributeDefinitions": (["aggregateId", "eventId", "eventName"].map(definition)),
        "GlobalSecondaryIndexes": [{
            "IndexName": "eventNameIndex",
            "KeySchema": schema(&["eventName", "aggregateId"]),
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
    });
    let lifetime = json!({
        "TableName": layout.helpers,
        "TimeToLiveSpecification": { "AttributeName": "expiresAt", "Enabled": true },
    });
    let rows = layout.aggregates.values().map(|rows| table(&rows.table, &["aggregateId"], json!({})));
    rows.chain([
        table(&layout.events, &["aggregateId", "eventId"], events),
        table(&layout.helpers, &["pk", "sk"], json!({})),
        Call::new("UpdateTimeToLive", &lifetime),
    ])
    .collect()
}

fn schema(keys: &[&str]) -> Value {
    let keys = keys.iter().zip(["HASH", "RANGE"]);
    keys.map(|(key, kind)| json!({ "AttributeName": key, "KeyType": kind })).collect()
}

fn definition(key: &str) -> Value {
    json!({ "AttributeName": key, "AttributeType": "S" })
}
