//! What a running gate can be told, a line of JSON each: to let something go wrong, to have another clock, to change its
//! streams, to say what it counted and which events it took.

use crate::{
    faults::{Fault, Plan},
    gate::Watch,
    streams::Manner,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::atomic::Ordering};

const ORDERS: &str = r#"{"faults": ["lost", …], "every": 5, "only": "TransactWriteItems"}, {"skew": milliseconds}, {"count": true}, {"streams": {"split": true}}, {"streams": {"expire": true}}, {"streams": {"trim": true}}, {"streams": {"disorder": true, "repeat": true, "page": 10, "empty": 2, "shards": 2}}, {"bus": {"take": true}} or {"bus": {"fail": 3}}"#;

/// A hundred years: farther off, a time cannot be written as a date.
const MOST: i64 = 100 * 365 * 24 * 3_600_000;

/// What came by the gate.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Count {
    /// Requests with a signature that is right, whatever they suffered then.
    pub(crate) passed: u64,
    /// The same, by action.
    pub(crate) actions: BTreeMap<String, u64>,
    /// What they and their answers weighed.
    pub(crate) bytes: Bytes,
    /// What they suffered.
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// How many of them read a shard too often.
    pub(crate) limited: u64,
}

/// Bytes of bodies, as the client sees them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Bytes {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skew {
    skew: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lasting {
    streams: Manner,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failing {
    bus: Fail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    fail: u64,
}

/// Does what the line says, and gives the answer.
pub(crate) async fn obey(watch: &Watch, line: &str) -> Result<Value, String> {
    let wrong = |error: serde_json::Error| format!("{error}: an order is {ORDERS}");
    let order: Value = serde_json::from_str(line).map_err(wrong)?;
    if order == json!({ "count": true }) {
        let count = watch.note(|notes| std::mem::take(&mut notes.count));
        return serde_json::to_value(count).map_err(|error| error.to_string());
    }
    if order == json!({ "bus": { "take": true } }) {
        return Ok(json!({ "entries": watch.note(|notes| notes.bus.take()) }));
    }
    if order == json!({ "streams": { "split": true } }) {
        watch.split().await?;
    } else if order == json!({ "streams": { "expire": true } }) {
        watch.streams.lock().await.expire();
    } else if order == json!({ "streams": { "trim": true } }) {
        watch.trim().await?;
    } else if order.get("streams").is_some() {
        let Lasting { streams } = serde_json::from_value(order).map_err(wrong)?;
        watch.streams.lock().await.manner = streams;
    } else if order.get("bus").is_some() {
        let Failing { bus } = serde_json::from_value(order).map_err(wrong)?;
        watch.note(|notes| notes.bus.fail(bus.fail));
    } else if order.get("faults").is_some() {
        let plan: Plan = serde_json::from_value(order).map_err(wrong)?;
        let plan = plan.check()?;
        watch.note(|notes| notes.plan = plan);
    } else if order.get("skew").is_some() {
        let Skew { skew } = serde_json::from_value(order).map_err(wrong)?;
        if skew.unsigned_abs() > MOST.unsigned_abs() {
            return Err(format!("skew: {skew} is farther off than a hundred years"));
        }
        watch.skew.store(skew, Ordering::Relaxed);
    } else {
        return Err(format!("no order: an order is {ORDERS}"));
    }
    Ok(json!({ "ok": true }))
}
