//! The store in memory: the first-class sibling of the others, and the simulator's ground.

use super::{Answer, Commit, Failure, Loaded, MAX_ITEMS, Page, Record, Reply, Request, Store};
use crate::{
    aggregate::{Meta, in_order},
    domain::{Snapshot, belongs},
    error::ReduceError,
    event::Event,
    order::Map,
};

/// How many events lie between two snapshots where nothing else is asked for.
pub const SNAPSHOT_EVERY: u64 = 100;

/// Streams, snapshots and records in memory.
///
/// ```
/// use rewound_core::{domain::{Command, Sender}, domains, run::{run, Options}, store::MemoryStore};
/// use serde_json::json;
/// let mut store = MemoryStore::new();
/// let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR"}))?;
/// let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
/// let account = domains::find("BankAccount").unwrap();
/// let done = run(&mut store, account, "a1", open, &by, Options::default())?;
/// assert_eq!(done.version(), 1);
/// assert_eq!(store.stream("BankAccount", "a1").unwrap().events.len(), 1);
/// # Ok::<_, rewound_core::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    /// By the kind of the aggregates, and by their ids.
    streams: Map<Map<Stored>>,
    records: Map<Record>,
    snapshot_every: u64,
}

/// A stream as it is stored.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Its events, in the order of their versions.
    pub events: Vec<Event>,
    /// Its newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Where it is, by its last commit.
    pub head: Option<Meta>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that keeps a snapshot every 100 events.
    pub fn new() -> Self {
        Self::with_snapshots(SNAPSHOT_EVERY)
    }

    /// An empty store that keeps a snapshot every so many events: every 1 is a row that is always
    /// current, as on DynamoDB.
    pub fn with_snapshots(every: u64) -> Self {
        Self { streams: Map::default(), records: Map::default(), snapshot_every: every.max(1) }
    }

    /// Every stream, with the name of its aggregate and its id, in their order.
    pub fn streams(&self) -> impl Iterator<Item = (&str, &str, &Stored)> {
        self.streams
            .iter()
            .flat_map(|(aggregate, ids)| ids.iter().map(move |(id, stored)| (&**aggregate, &**id, stored)))
    }

    /// One stream.
    pub fn stream(&self, aggregate: &str, id: &str) -> Option<&Stored> {
        self.streams.get(aggregate)?.get(id)
    }

    /// Every record, expired ones too.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|(_, record)| record)
    }

    /// Takes back what a commit wrote, from wherever it was kept: its events, and its records.
    ///
    /// # Errors
    /// Events that do not follow those that are here; nothing is taken then.
    pub fn restore(&mut self, events: Vec<Event>, records: Vec<Record>) -> Result<(), ReduceError> {
        let Some(last) = events.last() else { return Ok(()) };
        let (aggregate, id) = (last.shared_aggregate().clone(), last.shared_aggregate_id().clone());
        let head = Meta {
            id: id.clone(),
            version: last.version(),
            actor: last.shared_actor().clone(),
            updated_at: Some(last.time()),
        };
        let stored = self.stream(&aggregate, &id);
        let versions = stored.map_or(0, |stored| stored.events.len() as u64)..;
        for (version, event) in versions.zip(&events) {
            in_order(version, event.version()).map_err(|problem| problem.of(event))?;
            belongs(event, &aggregate, &id)?;
        }
        if let Some(stored) = self.stored(&aggregate, &id) {
            stored.events.extend(events);
            stored.head = Some(head);
        }
        self.keep(records);
        Ok(())
    }

    /// Writes a commit without looking at its conditions: [`answer`](Store::answer) looks first.
    pub(crate) fn write(&mut self, commit: &Commit) {
        let every = self.snapshot_every;
        let Some(stored) = self.stored(&commit.aggregate, &commit.id) else { return };
        stored.events.extend(commit.events.iter().cloned());
        let kept = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.meta.version);
        let version = commit.snapshot.meta.version;
        if version / every > kept / every {
            stored.snapshot = Some(commit.snapshot.clone());
        }
        stored.head = Some(commit.snapshot.meta.clone());
        self.keep(commit.records.clone());
    }

    pub(crate) fn keep(&mut self, records: Vec<Record>) {
        for record in records {
            let kept = self.records.entry(&record.key, || record.clone());
            kept.into_iter().for_each(|kept| kept.clone_from(&record));
        }
    }

    /// A stream to be written to.
    fn stored(&mut self, aggregate: &str, id: &str) -> Option<&mut Stored> {
        self.streams.entry(aggregate, Map::default)?.entry(id, Stored::default)
    }

    fn loaded(&self, aggregate: &str, id: &str) -> Loaded {
        self.stream(aggregate, id).map_or_else(Loaded::default, |stored| Loaded {
            version: stored.events.last().map_or(0, Event::version),
            snapshot: stored.snapshot.clone(),
        })
    }

    pub(crate) fn record(&self, key: &str, now: u64) -> Option<&Record> {
        self.records.get(key).filter(|record| record.counts(now))
    }

    fn commit(&mut self, commit: &Commit) -> Result<Answer, Failure> {
        let versions = commit.events.iter().map(Event::version);
        let (events, records) = (commit.events.len(), commit.records.len());
        if events == 0 || events + records > MAX_ITEMS {
            return Err(Failure::Refused(format!(
                "a commit holds an event or more, and {MAX_ITEMS} events and records at the most: \
                 found {events} events and {records} records"
            )));
        }
        if !versions.eq((commit.expected + 1..).take(commit.events.len())) {
            return Err(Failure::Refused("a commit's versions follow the expected one".to_owned()));
        }
        let mut records = commit.records.iter();
        if let Some(taken) = records.find_map(|record| self.record(&record.key, commit.now)) {
            return Ok(Answer::KeyTaken(taken.clone()));
        }
        let loaded = self.loaded(&commit.aggregate, &commit.id);
        if loaded.version != commit.expected {
            return Ok(Answer::Conflict(Some(loaded)));
        }
        self.write(commit);
        Ok(Answer::Committed)
    }
}

impl Store for MemoryStore {
    fn answer(&mut self, request: &Request) -> Reply {
        Reply::one(match request {
            Request::Load { aggregate, id } => Ok(Answer::Loaded(self.loaded(aggregate, id))),
            Request::Events { aggregate, id, after, limit, .. } => {
                let events = self.stream(aggregate, id).map_or(&[][..], |stored| &stored.events);
                // Versions run from 1: the event behind version n stands at index n.
                let known = usize::try_from(*after).unwrap_or(usize::MAX).min(events.len());
                let mut rest = events.iter().skip(known);
                let items: Vec<Event> = rest.by_ref().take(*limit).cloned().collect();
                let more = rest.next().and(items.last());
                let next = more.map(|last| last.version().to_string());
                Ok(Answer::Events(Page { items, next }))
            }
            Request::Record { keys, now } => {
                let found = keys.iter().find_map(|key| self.record(key, *now));
                Ok(Answer::Record(found.cloned()))
            }
            Request::Commit(commit) => self.commit(commit),
            Request::Rewrite { aggregate, snapshot } => {
                let loaded = self.loaded(aggregate, &snapshot.meta.id);
                if loaded.version != snapshot.meta.version {
                    return Reply::one(Ok(Answer::Conflict(Some(loaded))));
                }
                if let Some(stored) = self.stored(aggregate, &snapshot.meta.id) {
                    stored.snapshot = Some((**snapshot).clone());
                }
                Ok(Answer::Committed)
            }
            Request::List { aggregate, cursor, limit } => {
                let ids = self.streams.get(aggregate).into_iter();
                let streams = ids.flat_map(|ids| ids.behind(cursor.as_deref()));
                let mut heads = streams.filter_map(|(_, stored)| stored.head.clone());
                let items: Vec<Meta> = heads.by_ref().take(*limit).collect();
                let more = heads.next().and(items.last());
                let next = more.map(|last| last.id.to_string());
                Ok(Answer::List(Page { items, next }))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Command, Sender},
        domains,
        error::Problem,
        run::{Options, run},
    };
    use serde_json::json;

    #[test]
    fn what_was_kept_is_taken_back_and_goes_on() {
        let bank = domains::find("BankAccount").unwrap();
        let send = |store: &mut MemoryStore, name: &str, fields| {
            let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
            let options = Options { idempotency_key: Some(name.to_owned()), ..Options::default() };
            run(store, bank, "a", Command::new(name, fields).unwrap(), &by, options).unwrap()
        };
        let mut store = MemoryStore::new();
        let open = json!({"accountHolderId": "ada", "currency": "EUR"});
        let deposit = json!({"amount": 5, "transactionReference": "r"});
        let first = send(&mut store, "Open", open.clone());
        let second = send(&mut store, "Deposit", deposit.clone());

        let mut again = MemoryStore::new();
        let records: Vec<Record> = store.records().cloned().collect();
        let gap = again.restore(second.events.clone(), vec![]).unwrap_err();
        assert_eq!(gap.problem, Problem::Gap { expected: 1 });
        assert_eq!(again.streams().count(), 0);
        again.restore(first.events, vec![records[1].clone()]).unwrap();
        again.restore(second.events.clone(), vec![records[0].clone()]).unwrap();
        assert!(again.restore(second.events, vec![]).is_err());
        assert!(send(&mut again, "Open", open).repeated);
        assert!(send(&mut again, "Deposit", deposit.clone()).repeated);
        let withdraw = json!({"amount": 5, "transactionReference": "r"});
        assert_eq!(send(&mut again, "Withdraw", withdraw).version(), 3);
    }
}
