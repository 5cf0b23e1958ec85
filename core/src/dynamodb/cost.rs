//! What a request costs before it is sent, in DynamoDB's capacity units.
//!
//! Rules: Amazon DynamoDB Developer Guide, "Read and write operations" (capacity unit consumption) and
//! "Transactions" (capacity management): a transactional write takes two units for each started KB of an item,
//! a consistent read one for each started 4 KB. An index is written once, and not twice.

use super::{exchange, item};
use crate::{
    domain::Snapshot,
    error::Issue,
    event::Event,
    store::{Commit, Cost},
    value::Object,
};

const KB: usize = 1024;

/// What a commit costs: its row, its events with their index, its records. Where the row becomes smaller, DynamoDB
/// counts its old size, which is not known here.
///
/// # Errors
/// A state or an event that cannot be written at all, by its JSON pointer.
pub fn of_commit(commit: &Commit) -> Result<Cost, Issue> {
    let twice = |bytes: usize| 2 * units(bytes, KB);
    let mut wcu = twice(item::size(&exchange::row(&commit.snapshot.meta, &commit.snapshot.state)?));
    for event in &commit.events {
        let fields = exchange::event_item(event)?;
        // The index holds its own keys and the table's.
        let keys = ["eventName", "aggregateId", "eventId"];
        let entry = fields.iter().filter(|(name, _)| keys.contains(&name.as_str()));
        let entry: Object = entry.map(|(name, value)| (name.clone(), value.clone())).collect();
        wcu += twice(item::size(&fields)) + units(item::size(&entry), KB);
    }
    for record in &commit.records {
        wcu += twice(item::size(&exchange::record_item(record)));
    }
    Ok(Cost { requests: 1, rcu: 0.0, wcu: wcu as f64 })
}

/// What it costs to load an aggregate with this state: its row, consistently.
///
/// # Errors
/// As [`of_commit`].
pub fn of_load(snapshot: &Snapshot) -> Result<Cost, Issue> {
    let row = exchange::row(&snapshot.meta, &snapshot.state)?;
    Ok(Cost { requests: 1, rcu: units(item::size(&row), 4 * KB) as f64, wcu: 0.0 })
}

/// What it costs to query these events consistently, page by page of 1 MB.
///
/// # Errors
/// As [`of_commit`].
pub fn of_events<'e>(events: impl IntoIterator<Item = &'e Event>) -> Result<Cost, Issue> {
    let sizes = events.into_iter().map(|event| Ok(item::size(&exchange::event_item(event)?)));
    let bytes = sizes.sum::<Result<usize, Issue>>()?;
    let requests = bytes.div_ceil(KB * KB).max(1);
    Ok(Cost { requests: requests as u32, rcu: units(bytes, 4 * KB) as f64, wcu: 0.0 })
}

/// Every started unit counts, and the first always.
fn units(bytes: usize, of: usize) -> usize {
    bytes.div_ceil(of).max(1)
}
