//! The store on which races are played.

use crate::{
    domains,
    error::ReduceError,
    event::Event,
    store::{Answer, Commit, MemoryStore, Reply, Request, Store},
};
use serde_json::Value;

/// A store with a row for each aggregate, always current as on DynamoDB, with or without optimistic locking.
///
/// Without, the expected version is ignored: what was decided on an old state is appended all the same, and the row
/// becomes what its writer made of that old state. The update of whoever came first is lost from it.
#[derive(Debug, Clone)]
pub struct Ground {
    /// What is stored.
    pub memory: MemoryStore,
    /// Whether a commit has to expect the right version.
    pub is_locking: bool,
}

impl Ground {
    /// A store that holds these events, of one stream.
    ///
    /// # Errors
    /// The first event that cannot come next.
    pub fn new(is_locking: bool, events: &[Event]) -> Result<Self, ReduceError> {
        let mut memory = MemoryStore::with_snapshots(1);
        memory.restore(events.to_vec(), Vec::new())?;
        if let Some(first) = events.first() {
            let domain = domains::for_log(first.aggregate());
            let instance = domain.start(first.aggregate_id()).apply_all(events)?;
            if let Some(snapshot) = instance.snapshot() {
                let (aggregate, snapshot) = (domain.name().to_owned(), Box::new(snapshot));
                memory.answer(&Request::Rewrite { aggregate, snapshot });
            }
        }
        Ok(Self { memory, is_locking })
    }

    /// The events of a stream.
    pub fn events(&self, aggregate: &str, id: &str) -> &[Event] {
        self.memory.stream(aggregate, id).map_or(&[], |stored| &stored.events)
    }

    /// The version of an aggregate's row, and its state as JSON; version 0 and `{}` where there is none.
    pub fn state(&self, aggregate: &str, id: &str) -> (u64, String) {
        let row = self.memory.stream(aggregate, id).and_then(|stored| stored.snapshot.as_ref());
        row.map_or_else(
            || (0, "{}".to_owned()),
            |row| (row.meta.version, Value::from(row.state.clone()).to_string()),
        )
    }
}

impl Store for Ground {
    fn answer(&mut self, request: &Request) -> Reply {
        match request {
            Request::Commit(commit) if !self.is_locking => {
                let stored = self.events(&commit.aggregate, &commit.id);
                let sent = commit.events.first().map(Event::id);
                let taken = |key: &str| self.memory.record(key, commit.now).is_some();
                let is_new = !commit.records.iter().any(|record| taken(&record.key));
                if is_new && stored.iter().any(|event| Some(event.id()) == sent) {
                    // The same bytes once more: an id is there once.
                    return Reply::one(Ok(Answer::Committed));
                }
                let head = stored.len() as u64;
                self.memory.answer(&Request::Commit(moved(commit, head)))
            }
            _ => self.memory.answer(request),
        }
    }
}

/// The commit as it would be behind another version.
fn moved(commit: &Commit, head: u64) -> Box<Commit> {
    let mut moved = Box::new(commit.clone());
    moved.expected = head;
    moved.events = (head + 1..).zip(&commit.events).map(|(version, event)| at(event, version)).collect();
    moved.snapshot.meta.version = head + commit.events.len() as u64;
    for record in &mut moved.records {
        (record.first, record.last) = (head + 1, head + commit.events.len() as u64);
    }
    moved
}

/// The event at another version.
fn at(event: &Event, version: u64) -> Event {
    let mut fields = event.fields();
    fields.insert("aggregateVersion".to_owned(), version.into());
    // What was an event is one with any version.
    Event::parse(&Value::Object(fields).to_string()).unwrap_or_else(|_| event.clone())
}

/// What the store's answer says of a conflict: the version that was expected, and the one that was met.
pub(super) fn met(request: &Request, answer: &Answer) -> Option<(u64, u64)> {
    match (request, answer) {
        (Request::Commit(commit), Answer::Conflict(winner)) => {
            Some((commit.expected, winner.as_ref().map_or(0, |winner| winner.version)))
        }
        _ => None,
    }
}
