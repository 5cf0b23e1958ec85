//! Projections: read models that are folded from events as these are delivered: twice, out of order, or
//! with one among them that cannot be applied.
//!
//! A [`Projection`] is a pure function from a row and an event to the row after it. A [`Projector`] is
//! the machine around it: each event takes effect once, in the order of its stream; an event that fails
//! is tried again, and then parked as a [`DeadLetter`] while the rest goes on; a new generation can be
//! built beside the live one and swapped in.

use crate::{event::Event, run::escaped, time::Millis, value::Object};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    mem,
    ops::Bound,
};

/// How many events are applied at once where nothing else is asked for.
pub const BATCH: usize = 50;
/// How often an event is tried before it is parked.
pub const ATTEMPTS: u32 = 5;
/// The wait between two attempts, in milliseconds.
pub const RETRY_AFTER: Millis = 1_000;

/// A read model with a row for each aggregate of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    /// Its name.
    pub name: &'static str,
    /// The kind of aggregate whose events it follows.
    pub aggregate: &'static str,
    /// The row after an event; none where there is none (any more).
    ///
    /// # Errors
    /// Why the event cannot be applied.
    pub apply: fn(Option<Object>, &Event) -> Result<Option<Object>, String>,
    /// The fields of its rows, and the JSON type of each: `string` or `integer`.
    pub fields: &'static [(&'static str, &'static str)],
    /// The orders in which its rows can be asked for besides that of their ids: two at the most.
    pub indexes: &'static [Index],
}

/// An order in which the rows of a read model can be asked for, by fields that hold texts. A row without them is not in
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The field that has one value in all the rows that are asked for together, such as `status`; none where all rows
    /// are.
    pub by: Option<&'static str>,
    /// The field that they are ordered by. Where a question names it, they begin with that text.
    pub order: &'static str,
    /// Whether they come from the greatest to the least: times from the newest to the oldest.
    pub descending: bool,
}

/// How many bytes of what orders them is looked at: a key of DynamoDB has 1,024 at the most.
const LONGEST_KEY: usize = 900;

impl Index {
    /// Where a row stands.
    ///
    /// ```
    /// use rewound_core::projection::Index;
    /// use serde_json::json;
    /// let index = Index { by: Some("status"), order: "email", descending: false };
    /// let row = json!({ "email": "Ada@example.com", "status": "ACTIVE" });
    /// assert_eq!(index.key(row.as_object().unwrap()).unwrap(), "ACTIVE#ada@example.com");
    /// assert_eq!(index.prefix(Some("ACTIVE"), "ADA"), "ACTIVE#ada");
    /// ```
    pub fn key(&self, row: &Object) -> Option<String> {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let by = self.by.map(text);
        // A field that is asked for and not there keeps the row out.
        Some(self.prefix(by.unwrap_or(Some(""))?.into(), text(self.order)?))
    }

    /// What the places of rows begin with that have this value, and are ordered by texts with this beginning. Capital
    /// letters are as good as small ones there, as in e-mail addresses.
    pub fn prefix(&self, by: Option<&str>, start: &str) -> String {
        // The value ends at the first `#`, so it has none itself.
        let by = escaped(by.unwrap_or_default());
        let mut key = format!("{by}#{}", start.to_ascii_lowercase());
        key.truncate(key.floor_char_boundary(LONGEST_KEY));
        key
    }
}

/// An event that could not be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The event.
    pub event: Event,
    /// Why its last attempt failed.
    pub error: String,
    /// How many attempts there were.
    pub attempts: u32,
}

/// What it comes to that an event is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next of its stream.
    Next,
    /// It waits until this version of its stream was applied or parked.
    Waits(u64),
    /// It was applied or parked before, waits already, or is no business of this projection: it is let go.
    LetGo,
}

/// What it came to that an event was tried.
#[derive(Debug, Clone, PartialEq)]
pub enum Tried {
    /// It was applied.
    Applied(Event),
    /// It could not be applied, and is tried again.
    Failed {
        /// The event.
        event: Event,
        /// Why not.
        error: String,
        /// How often it was tried.
        attempts: u32,
        /// When it is tried again.
        at: Millis,
    },
    /// It could not be applied, and was parked: the last of the dead letters.
    Parked(Event),
}

/// An event that was delivered and neither applied nor parked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting<'a> {
    /// The event.
    pub event: &'a Event,
    /// What it waits for.
    pub why: Arrival,
    /// How often it was tried in vain, and when it is tried again.
    pub failing: Option<(u32, Millis)>,
}

/// What a read model has seen of each stream: the version up to which events were applied or parked.
pub type Checkpoint = BTreeMap<String, u64>;

/// How far a read model is behind the events that were delivered to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// How many events wait.
    pub events: u64,
    /// The time of the oldest of them, in milliseconds since the epoch.
    pub since: Option<Millis>,
}

/// A row with the id of its aggregate.
pub type Row<'a> = (&'a str, &'a Object);

/// A projection at work.
///
/// ```
/// use rewound_core::{event::Event, projection::Projector, views};
/// let opened = Event::parse(r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"AccountOpened","aggregateName":"BankAccount","aggregateId":"a","aggregateVersion":1,"actorId":"ada","accountHolderId":"ada","initialDeposit":100,"currency":"EUR"}"#).unwrap();
/// let mut balances = Projector::new(views::ACCOUNT_BALANCES);
/// balances.deliver(opened.clone());
/// balances.deliver(opened); // twice is once
/// assert_eq!(balances.run(0, 50), 1);
/// assert_eq!(balances.rows()["a"]["balance"], 100);
/// ```
#[derive(Debug, Clone)]
pub struct Projector {
    projection: Projection,
    paused: bool,
    live: Generation,
    next: Option<Generation>,
}

/// Where an event stands: its stream and its version.
type Key = (String, u64);

fn place(event: &Event) -> Key {
    (event.aggregate_id().to_owned(), event.version())
}

/// What an event of that version is where a stream was seen up to another.
fn due(seen: u64, version: u64) -> Arrival {
    match seen + 1 {
        next if next == version => Arrival::Next,
        next => Arrival::Waits(next),
    }
}

/// One build of a read model.
#[derive(Debug, Clone, Default)]
struct Generation {
    rows: BTreeMap<String, Object>,
    checkpoint: Checkpoint,
    /// How many events were applied or parked: the sum of the checkpoint's versions.
    settled: u64,
    /// What was delivered and neither applied nor parked, by stream and version.
    waiting: BTreeMap<Key, Event>,
    /// The streams whose next event failed: how often, and when it is tried again.
    failing: BTreeMap<String, (u32, Millis)>,
    dead: Vec<DeadLetter>,
    /// Where the parked events stand that were given up.
    given_up: BTreeSet<Key>,
}

impl Projector {
    /// A read model that has seen nothing.
    pub fn new(projection: Projection) -> Self {
        Self { projection, paused: false, live: Generation::default(), next: None }
    }

    /// The projection at work.
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// Takes an event in. One that was seen before, or is no business of this projection, is let go;
    /// one whose predecessors are missing waits for them.
    pub fn deliver(&mut self, event: Event) {
        if event.aggregate() == self.projection.aggregate {
            if let Some(next) = &mut self.next {
                next.deliver(event.clone());
            }
            self.live.deliver(event);
        }
    }

    /// Applies up to `batch` of the events that are next in their streams, and gives how many it
    /// applied or parked. `now` decides which of those that failed are tried again. A generation that
    /// is being rebuilt works even while the live one is paused.
    pub fn run(&mut self, now: Millis, batch: usize) -> usize {
        if let Some(next) = &mut self.next {
            next.run(&self.projection, now, batch);
        }
        if self.paused { 0 } else { self.live.run(&self.projection, now, batch) }
    }

    /// Tries one event that is due, also while it is paused, and gives what came of it; none where none is due.
    pub fn step(&mut self, now: Millis) -> Option<Tried> {
        let key = self.live.next_due(Bound::Unbounded, now)?;
        self.live.try_one(&self.projection, &key, now)
    }

    /// What it would come to if this event were delivered now.
    pub fn arrival(&self, event: &Event) -> Arrival {
        let Generation { checkpoint, waiting, .. } = &self.live;
        let (id, version) = place(event);
        let seen = checkpoint.get(&id).copied().unwrap_or(0);
        if event.aggregate() != self.projection.aggregate
            || version <= seen
            || waiting.contains_key(&(id, version))
        {
            return Arrival::LetGo;
        }
        due(seen, version)
    }

    /// The events that were delivered and neither applied nor parked, stream by stream, and what each waits for.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting<'_>> {
        self.live.waiting.iter().map(|((id, version), event)| {
            let why = due(self.live.checkpoint.get(id).copied().unwrap_or(0), *version);
            let failing = self.live.failing.get(id).copied().filter(|_| why == Arrival::Next);
            Waiting { event, why, failing }
        })
    }

    /// Stops applying until [`resume`](Self::resume); what is delivered waits.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Goes on.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The rows, by the id of their aggregate.
    pub fn rows(&self) -> &BTreeMap<String, Object> {
        &self.live.rows
    }

    /// Up to `count` rows after the first `skip`, each with the id of its aggregate, and how many there are in all: in
    /// the order of their ids, or as an index has them whose places begin with a [`prefix`](Index::prefix).
    pub fn page(&self, order: Option<(&Index, &str)>, skip: usize, count: usize) -> (Vec<Row<'_>>, usize) {
        let rows = &self.live.rows;
        let row = |(id, row)| (String::as_str(id), row);
        let Some((index, prefix)) = order else {
            return (rows.iter().skip(skip).take(count).map(row).collect(), rows.len());
        };
        let mut total = 0;
        // Only the rows up to the end of the page are kept in order: there may be many more.
        let mut first = BTreeMap::new();
        for (id, fields) in rows {
            let Some(key) = index.key(fields).filter(|key| key.starts_with(prefix)) else { continue };
            total += 1;
            first.insert((key, id), fields);
            if first.len() > skip.saturating_add(count) {
                if index.descending {
                    first.pop_first()
                } else {
                    first.pop_last()
                };
            }
        }
        let page = first.into_iter().map(|((_, id), fields)| (id.as_str(), fields));
        let page = if index.descending { page.rev().skip(skip).collect() } else { page.skip(skip).collect() };
        (page, total)
    }

    /// What it has seen.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.live.checkpoint
    }

    /// How many events it has applied or parked: the sum of the versions in its checkpoint.
    pub fn settled(&self) -> u64 {
        self.live.settled
    }

    /// How far it is behind.
    pub fn lag(&self) -> Lag {
        self.live.lag()
    }

    /// The events that it parked.
    pub fn dead_letters(&self) -> &[DeadLetter] {
        &self.live.dead
    }

    /// When the next failed event is tried again, if one waits for that.
    pub fn wakes_at(&self) -> Option<Millis> {
        let generations = [Some(&self.live), self.next.as_ref()];
        let failing = generations.into_iter().flatten().flat_map(|generation| generation.failing.values());
        failing.map(|(_, at)| *at).min()
    }

    /// Tries a parked event once more; it leaves the dead letters if it can be applied now. Events that
    /// came after it in its stream have been applied: where their order matters, rebuild instead.
    ///
    /// # Errors
    /// Why it still cannot be applied, or that there is no such dead letter.
    pub fn retry(&mut self, index: usize) -> Result<(), String> {
        let letter = self.live.dead.get_mut(index).ok_or("there is no such dead letter")?;
        let id = letter.event.aggregate_id().to_owned();
        match (self.projection.apply)(self.live.rows.get(&id).cloned(), &letter.event) {
            Ok(row) => {
                self.live.put(id, row);
                self.live.dead.remove(index);
                Ok(())
            }
            Err(error) => {
                letter.attempts += 1;
                letter.error.clone_from(&error);
                Err(error)
            }
        }
    }

    /// Puts a repaired copy of a parked event in its place, for [`retry`](Self::retry). It has to be the same version
    /// of the same stream; gives whether it is.
    pub fn repair(&mut self, index: usize, event: Event) -> bool {
        match self.live.dead.get_mut(index) {
            Some(letter) if place(&letter.event) == place(&event) => {
                letter.event = event;
                true
            }
            _ => false,
        }
    }

    /// Gives a parked event up, and gives it back.
    pub fn skip(&mut self, index: usize) -> Option<DeadLetter> {
        let letter = (index < self.live.dead.len()).then(|| self.live.dead.remove(index))?;
        self.live.given_up.insert(place(&letter.event));
        Some(letter)
    }

    /// How many parked events were given up: the rows are without them.
    pub fn given_up(&self) -> usize {
        self.live.given_up.len()
    }

    /// Whether this event was parked and given up.
    pub fn is_given_up(&self, event: &Event) -> bool {
        self.live.given_up.contains(&place(event))
    }

    /// Begins to build the read model anew beside the live one.
    /// [`replay`](Self::replay) feeds it the history; what is delivered meanwhile goes to both.
    pub fn rebuild(&mut self) {
        self.next = Some(Generation::default());
    }

    /// Feeds an event of the history to the generation that is being built.
    pub fn replay(&mut self, event: Event) {
        if let Some(next) = &mut self.next
            && event.aggregate() == self.projection.aggregate
        {
            next.deliver(event);
        }
    }

    /// How many events the generation that is being built has applied or parked, and which it parked; none where none
    /// is being built.
    pub fn rebuilt(&self) -> Option<(u64, &[DeadLetter])> {
        self.next.as_ref().map(|next| (next.settled, next.dead.as_slice()))
    }

    /// How far the generation that is being built is behind the live one, in events; none where none
    /// is being built.
    pub fn rebuild_lag(&self) -> Option<u64> {
        let next = self.next.as_ref()?;
        let behind = self
            .live
            .checkpoint
            .iter()
            .map(|(id, version)| version.saturating_sub(next.checkpoint.get(id).copied().unwrap_or(0)));
        Some(behind.sum())
    }

    /// Puts the new generation in the live one's place; what the live one was still waiting for goes
    /// with it.
    ///
    /// # Errors
    /// How many events the new one is behind, where it has not caught up.
    pub fn swap(&mut self) -> Result<(), u64> {
        match (self.rebuild_lag(), self.next.take()) {
            (Some(0), Some(mut next)) => {
                let waiting = mem::take(&mut self.live.waiting);
                waiting.into_values().for_each(|event| next.deliver(event));
                self.live = next;
                Ok(())
            }
            (behind, next) => {
                self.next = next;
                Err(behind.unwrap_or(0))
            }
        }
    }
}

impl Generation {
    fn deliver(&mut self, event: Event) {
        let id = event.aggregate_id().to_owned();
        if event.version() > self.checkpoint.get(&id).copied().unwrap_or(0) {
            self.waiting.entry((id, event.version())).or_insert(event);
        }
    }

    fn run(&mut self, projection: &Projection, now: Millis, batch: usize) -> usize {
        let mut done = 0;
        let mut from = Bound::Unbounded;
        while done < batch {
            let Some(key) = self.next_due(from, now) else { break };
            let tried = self.try_one(projection, &key, now);
            done += usize::from(matches!(tried, Some(Tried::Applied(_) | Tried::Parked(_))));
            from = Bound::Excluded(key);
        }
        done
    }

    /// The first event from there on that can be tried.
    fn next_due(&self, mut from: Bound<Key>, now: Millis) -> Option<Key> {
        loop {
            let (key, _) = self.waiting.range((from, Bound::Unbounded)).next()?;
            if self.is_next(key, now) {
                return Some(key.clone());
            }
            // Where a stream's first event has to wait, so have the rest.
            from = Bound::Excluded((key.0.clone(), u64::MAX));
        }
    }

    fn is_next(&self, (id, version): &Key, now: Millis) -> bool {
        let is_due = self.failing.get(id).is_none_or(|(_, at)| *at <= now);
        is_due && due(self.checkpoint.get(id).copied().unwrap_or(0), *version) == Arrival::Next
    }

    fn try_one(&mut self, projection: &Projection, key: &Key, now: Millis) -> Option<Tried> {
        let (id, version) = key;
        let Entry::Occupied(waiting) = self.waiting.entry(key.clone()) else { return None };
        let tried = match (projection.apply)(self.rows.get(id).cloned(), waiting.get()) {
            Ok(row) => {
                let event = waiting.remove();
                self.put(id.clone(), row);
                Tried::Applied(event)
            }
            Err(error) => {
                let attempts = self.failing.get(id).map_or(0, |(attempts, _)| *attempts) + 1;
                if attempts < ATTEMPTS {
                    let at = now.saturating_add(RETRY_AFTER);
                    self.failing.insert(id.clone(), (attempts, at));
                    return Some(Tried::Failed { event: waiting.get().clone(), error, attempts, at });
                }
                let event = waiting.remove();
                self.dead.push(DeadLetter { event: event.clone(), error, attempts });
                Tried::Parked(event)
            }
        };
        self.failing.remove(id);
        self.checkpoint.insert(id.clone(), *version);
        self.settled += 1;
        Some(tried)
    }

    fn put(&mut self, id: String, row: Option<Object>) {
        match row {
            Some(row) => self.rows.insert(id, row),
            None => self.rows.remove(&id),
        };
    }

    fn lag(&self) -> Lag {
        Lag { events: self.waiting.len() as u64, since: self.waiting.values().map(Event::time).min() }
    }
}
