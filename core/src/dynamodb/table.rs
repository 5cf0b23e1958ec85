//! The tables: what makes them, and what tells that they are there.

use super::{Call, Layout, Quoted, json};
use serde_json::Value;

/// A table that a layout needs.
pub(super) struct Table<'a> {
    pub(super) name: &'a str,
    keys: &'static [&'static str],
    /// What its keys and indexes are made of.
    attributes: &'static [&'static str],
    more: &'static str,
}

const EVENTS: &str = r#",
    "GlobalSecondaryIndexes":[{
        "IndexName":"eventNameIndex",
        "KeySchema":[
            {"AttributeName":"eventName","KeyType":"HASH"},
            {"AttributeName":"aggregateId","KeyType":"RANGE"}
        ],
        "Projection":{"ProjectionType":"KEYS_ONLY"}
    }],
    "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}"#;

/// A row's key in each index begins with its view's, so an index holds what its rows have a key for, view by view.
const VIEWS: &str = r#",
    "GlobalSecondaryIndexes":[{
        "IndexName":"index1",
        "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk1","KeyType":"RANGE"}],
        "Projection":{"ProjectionType":"ALL"}
    },{
        "IndexName":"index2",
        "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk2","KeyType":"RANGE"}],
        "Projection":{"ProjectionType":"ALL"}
    }]"#;

/// Every table of a layout. They are billed by request; the events have the index `eventNameIndex` and a stream of
/// new images.
pub(super) fn all(layout: &Layout) -> Vec<Table<'_>> {
    let table = |name, keys| Table { name, keys, attributes: keys, more: "" };
    let mut all: Vec<_> =
        layout.aggregates.iter().map(|(_, rows)| table(&rows.table, &["aggregateId"])).collect();
    let events = table(&layout.events, &["aggregateId", "eventId"]);
    all.push(Table { attributes: &["aggregateId", "eventId", "eventName"], more: EVENTS, ..events });
    all.push(table(&layout.helpers, &["pk", "sk"]));
    if !layout.views.is_empty() {
        let views = table(&layout.views, &["pk", "sk"]);
        all.push(Table { attributes: &["pk", "sk", "sk1", "sk2"], more: VIEWS, ..views });
    }
    all
}

impl Table<'_> {
    pub(super) fn create(&self) -> Call {
        let template = r#"{
            "TableName":$,
            "BillingMode":"PAY_PER_REQUEST",
            "KeySchema":$,
            "AttributeDefinitions":[$]
            $
        }"#;
        let definition = |name: &&str| json(r#"{"AttributeName":"$","AttributeType":"S"}"#, &[name]);
        let definitions = self.attributes.iter().map(definition).collect::<Vec<_>>().join(",");
        let more = json(self.more, &[]);
        Call::new("CreateTable", json(template, &[&Quoted(self.name), &self.schema(), &definitions, &more]))
    }

    pub(super) fn describe(&self) -> Call {
        Call::new("DescribeTable", named(self.name))
    }

    /// The keys, as they are described.
    pub(super) fn keys(&self) -> Value {
        serde_json::from_str(&self.schema()).unwrap_or_default()
    }

    fn schema(&self) -> String {
        let keys = self.keys.iter().zip(["HASH", "RANGE"]);
        let keys = keys.map(|(key, kind)| json(r#"{"AttributeName":"$","KeyType":"$"}"#, &[key, &kind]));
        json("[$]", &[&keys.collect::<Vec<_>>().join(",")])
    }
}

/// Asks whether expired helpers are removed.
pub(super) fn lifetime(layout: &Layout) -> Call {
    Call::new("DescribeTimeToLive", named(&layout.helpers))
}

/// Lets expired helpers be removed.
pub(super) fn expire(layout: &Layout) -> Call {
    let template =
        r#"{"TableName":$,"TimeToLiveSpecification":{"AttributeName":"expiresAt","Enabled":true}}"#;
    Call::new("UpdateTimeToLive", json(template, &[&Quoted(&layout.helpers)]))
}

fn named(table: &str) -> String {
    json(r#"{"TableName":$}"#, &[&Quoted(table)])
}
