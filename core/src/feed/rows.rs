//! The rows of views, and how events come into them.
//!
//! | attribute | what |
//! |---|---|
//! | `pk`, `sk` | `{view}@{generation}`, the aggregate's id (the beginning of a long one, and its digest) |
//! | `id` | the aggregate's id, where that is a long one |
//! | `version` | up to which of its aggregate's events the row has seen |
//! | `rev` | how often it was written: whoever writes it says which one they saw |
//! | `row` | its fields; missing where there is no row (any more) |
//! | `lacks` | the versions whose events were parked as dead letters |
//! | `sk1`, `sk2` | where it stands in the view's [indexes](crate::projection::Index) |

use super::{
    Batch, Consumer, Reply, Shell, ask, fitted,
    letters::{self, Letter},
    past::{Behind, MISSING, Past},
    plain, put_call, unless_changed,
};
use crate::{
    dynamodb::item,
    error::{Error, Result},
    event::Event,
    projection::{ATTEMPTS, Projection, RETRY_AFTER},
    value::Object,
};
use serde_json::{Value, json as value};
use std::collections::BTreeMap;

/// A row of a view as it lies in its table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Up to which of its aggregate's events it has seen; 0 before the first.
    pub version: u64,
    /// Its fields, where there is one.
    pub fields: Option<Object>,
    pub(super) lacks: Vec<u64>,
    rev: u64,
}

impl Row {
    /// Reads an item.
    ///
    /// # Errors
    /// It is no row, or one of a newer program: whoever took it for none would write over it.
    pub(super) fn read(item: &str) -> Result<(String, Self)> {
        let unreadable = || Error::Store {
            message: "a row of a view cannot be read: was it written by a newer program?".to_owned(),
            retryable: false,
            uncertain: false,
        };
        Self::known(item).ok_or_else(unreadable)
    }

    fn known(item: &str) -> Option<(String, Self)> {
        let mut item = plain(item)?;
        let number = |name: &str| item.get(name).and_then(Value::as_u64);
        let (version, rev) = (number("version")?, number("rev")?);
        let lacks = item.get("lacks").and_then(Value::as_array).into_iter().flatten();
        let lacks = lacks.filter_map(Value::as_u64).collect();
        let id = item.get("id").or_else(|| item.get("sk"))?.as_str()?.to_owned();
        let fields = match item.shift_remove("row") {
            Some(Value::Object(fields)) => Some(fields),
            _ => None,
        };
        Some((id, Self { version, fields, lacks, rev }))
    }

    /// What tells this row from every other that there was under its id, in any generation.
    pub fn tag(&self, generation: u64) -> String {
        format!("{generation}.{}", self.rev)
    }

    /// The row as an item, and its number as it was before.
    fn item(&self, view: &Projection, place: &str, id: &str) -> Result<Object, String> {
        let mut fields = Object::from_iter([
            ("pk".to_owned(), Value::from(place)),
            ("sk".to_owned(), fitted(id).into()),
            ("version".to_owned(), self.version.into()),
            ("rev".to_owned(), (self.rev + 1).into()),
        ]);
        if fitted(id) != id {
            fields.insert("id".into(), id.into());
        }
        if !self.lacks.is_empty() {
            fields.insert("lacks".into(), value!(self.lacks));
        }
        if let Some(row) = &self.fields {
            for (index, name) in view.indexes.iter().zip(["sk1", "sk2"]) {
                fields.extend(index.key(row).map(|key| (name.to_owned(), key.into())));
            }
            fields.insert("row".into(), row.clone().into());
        }
        item::of(&fields).map_err(|issue| format!("the row cannot be written to DynamoDB: {issue}"))
    }
}

/// What came of delivering events to a row.
#[derive(Debug)]
pub(super) enum Delivered {
    /// The row has seen all of them.
    Seen(Row),
    /// This one cannot be applied to the row.
    Stuck(Box<Stuck>),
    /// The row has seen this version, and there are no more events.
    Missing(u64),
}

#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) version: u64,
    /// None where the events table has nothing that could be read as one.
    pub(super) event: Option<Event>,
    pub(super) error: String,
    row: Row,
}

/// A row's key.
fn key(place: &str, id: &str) -> String {
    super::key(place, &fitted(id))
}

/// Reads a row, consistently; an empty one where there is none.
pub(super) async fn get(shell: &impl Shell, place: &str, id: &str) -> Result<Row> {
    let item = super::get(shell, &shell.layout().views, &key(place, id)).await?;
    Ok(item.map(|item| Row::read(&item)).transpose()?.map(|(_, row)| row).unwrap_or_default())
}

/// Reads many rows, consistently: those that there are.
pub(super) async fn get_all(shell: &impl Shell, place: &str, ids: &[&str]) -> Result<BTreeMap<String, Row>> {
    let keys = ids.iter().map(|id| key(place, id)).collect();
    let items = super::get_all(shell, &shell.layout().views, keys).await?;
    items.iter().map(|item| Row::read(item)).collect()
}

/// What came of writing a row.
pub(super) enum Put {
    Written,
    /// Somebody else wrote it, and it is this by now.
    Outrun(Row),
    /// It can never be written.
    Impossible(String),
}

/// Writes a row in the place of the one that was seen.
pub(super) async fn put(
    shell: &impl Shell,
    view: &Projection,
    place: &str,
    id: &str,
    row: &mut Row,
) -> Result<Put> {
    let item = match row.item(view, place, id) {
        Ok(item) => Value::Object(item),
        Err(why) => return Ok(Put::Impossible(why)),
    };
    let call = put_call(&shell.layout().views, &item.to_string(), &unless_changed(row.rev));
    Ok(match ask(shell, &call).await? {
        Reply::Done(_) => {
            row.rev += 1;
            Put::Written
        }
        Reply::Refused { code, body } if code == "ConditionalCheckFailedException" => {
            // Without an item it was removed meanwhile.
            let theirs = super::item(&body).map(Row::read).transpose()?;
            Put::Outrun(theirs.map(|(_, row)| row).unwrap_or_default())
        }
        // A row that is too large, or a key: the event would never go in.
        Reply::Refused { code, body } if code == "ValidationException" => {
            Put::Impossible(super::refusal(&call, &code, &body).to_string())
        }
        Reply::Refused { code, body } => return Err(super::refusal(&call, &code, &body)),
    })
}

/// Brings a row up to a version of its aggregate. The events in hand are used as far as they fit behind what the row has
/// seen; what is missing is read. `known` is the row where it was read already.
pub(super) async fn deliver(
    shell: &impl Shell,
    (view, generation): (&'static Projection, u64),
    id: &str,
    events: &[Event],
    target: u64,
    known: Option<Row>,
) -> Result<Delivered> {
    let place = Consumer::View(view, generation).to_string();
    // Whoever has an aggregate's first event is likely the first: that needs no look.
    let mut assumed = known.is_none() && events.first().is_some_and(|event| event.version() == 1);
    let mut row = match known {
        Some(row) => row,
        None if assumed => Row::default(),
        None => get(shell, &place, id).await?,
    };
    let mut at_once = usize::MAX;
    let mut past = Past::of(view.aggregate, id);
    loop {
        if row.version >= target {
            return Ok(Delivered::Seen(row));
        }
        let read;
        let mut next = after(events, row.version);
        if next.is_empty() {
            read = match past.behind(shell, row.version).await? {
                Behind::Events(events) => events,
                Behind::Nothing if events.last().is_none_or(|last| last.version() <= row.version) => {
                    return Ok(Delivered::Missing(row.version));
                }
                // The stream tells of events behind one that the table does not have.
                Behind::Nothing | Behind::Hole => {
                    let (version, error) = (row.version + 1, MISSING.to_owned());
                    return Ok(Delivered::Stuck(Box::new(Stuck { version, event: None, error, row })));
                }
            };
            next = after(&read, row.version);
        }
        next = next.get(..at_once).unwrap_or(next);
        let mut stuck = None;
        let mut newer = row.clone();
        for event in next {
            match (view.apply)(newer.fields.clone(), event) {
                Ok(fields) => (newer.fields, newer.version) = (fields, event.version()),
                Err(error) => {
                    stuck = Some((event, error));
                    break;
                }
            }
        }
        if newer.version > row.version {
            match put(shell, view, &place, id, &mut newer).await? {
                Put::Written => row = newer,
                Put::Outrun(theirs) => {
                    (row, assumed) = (theirs, false);
                    continue;
                }
                // Which of them it was, each alone will tell.
                Put::Impossible(_) if next.len() > 1 => {
                    at_once = 1;
                    continue;
                }
                Put::Impossible(error) => stuck = next.first().map(|event| (event, error)),
            }
        }
        if let Some((event, error)) = stuck {
            if std::mem::take(&mut assumed) {
                row = get(shell, &place, id).await?;
                continue;
            }
            let (version, event) = (event.version(), Some(event.clone()));
            return Ok(Delivered::Stuck(Box::new(Stuck { version, event, error, row })));
        }
    }
}

/// The events behind a version, as far as none is missing.
fn after(events: &[Event], version: u64) -> &[Event] {
    let start = events.iter().take_while(|event| event.version() <= version).count();
    let rest = events.get(start..).unwrap_or_default();
    let whole = rest.iter().zip(version + 1..).take_while(|(event, version)| event.version() == *version);
    rest.get(..whole.count()).unwrap_or_default()
}

/// Delivers a batch, and parks what cannot be applied however often it is tried.
pub(super) async fn settle(
    shell: &impl Shell,
    (view, generation): (&'static Projection, u64),
    batch: &Batch,
    known: Row,
) -> Result<()> {
    let target = batch.events.last().map_or(0, Event::version);
    let mut known = Some(known);
    let (mut tried, mut attempts, mut parked) = (0, 0, false);
    loop {
        let stuck =
            match deliver(shell, (view, generation), &batch.id, &batch.events, target, known.take()).await? {
                Delivered::Seen(_) | Delivered::Missing(_) => return Ok(()),
                Delivered::Stuck(stuck) => stuck,
            };
        let version = stuck.version;
        attempts = if tried == version { attempts + 1 } else { 1 };
        tried = version;
        // What comes behind a parked event mostly fails for its sake: it is not waited for again and again.
        if attempts < ATTEMPTS && !parked {
            shell.wait(RETRY_AFTER).await;
            continue;
        }
        let consumer = Consumer::View(view, generation);
        let Stuck { event, error, mut row, .. } = *stuck;
        let letter = Letter::of((view.aggregate, &batch.id, version), event.as_ref(), &error, attempts);
        letters::park(shell, consumer, &letter).await?;
        (row.version, parked) = (version, true);
        row.lacks.push(version);
        known = match put(shell, view, &consumer.to_string(), &batch.id, &mut row).await? {
            Put::Written => Some(row),
            Put::Outrun(theirs) => Some(theirs),
            // Not even this can be written. The letter says so, and nobody else waits for it.
            Put::Impossible(_) => return Ok(()),
        };
    }
}
