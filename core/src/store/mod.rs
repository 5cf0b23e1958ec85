//! What a store can be asked, and what it answers: one small set of values for every store, in memory,
//! in a browser, on DynamoDB.
//!
//! A shell takes a [`Request`] from a [command run](crate::run), carries it out, and hands the
//! [`Reply`] back. [`contract`] is the suite that every store has to pass.

pub mod contract;
mod memory;

pub use memory::{MemoryStore, SNAPSHOT_EVERY, Stored};

use crate::{aggregate::Meta, domain::Snapshot, event::Event, time::Millis};

/// The most events and records that one commit can hold together. DynamoDB takes 100 items in a
/// transaction: the aggregate's row, and these.
pub const MAX_ITEMS: usize = 99;

/// How many events a reader asks for at once.
pub const PAGE: usize = 1_000;

/// How long an idempotency key is remembered: 72 hours, in milliseconds.
pub const KEY_LIFETIME: Millis = 72 * 60 * 60 * 1_000;

/// What a store can be asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Where an aggregate is, and its newest snapshot. Answered by [`Answer::Loaded`], consistently.
    Load {
        /// The aggregate's kind.
        aggregate: String,
        /// Its id.
        id: String,
    },
    /// The events of a stream, in the order of their versions. Answered by [`Answer::Events`], consistently.
    Events {
        /// The aggregate's kind.
        aggregate: String,
        /// Its id.
        id: String,
        /// Only those behind this version; 0 for all.
        after: u64,
        /// Where the page before ended, as it said in [`Page::next`]: a store that cannot find a version by
        /// its number goes on from there.
        cursor: Option<String>,
        /// How many at the most.
        limit: usize,
    },
    /// What was recorded under the first of these keys under which something counts. Answered by
    /// [`Answer::Record`], consistently.
    Record {
        /// The keys, as in [`Record::key`].
        keys: Vec<String>,
        /// The time at which an expired record no longer counts.
        now: Millis,
    },
    /// Write all of this or nothing. Answered by [`Answer::Committed`], [`Answer::Conflict`] or
    /// [`Answer::KeyTaken`].
    Commit(Box<Commit>),
    /// Put this in the place of the aggregate's snapshot, which another reducer made, unless the aggregate is at
    /// another version by now. Answered by [`Answer::Committed`] or [`Answer::Conflict`].
    Rewrite {
        /// The aggregate's kind.
        aggregate: String,
        /// Its state.
        snapshot: Box<Snapshot>,
    },
    /// The aggregates of a kind. Answered by [`Answer::List`].
    List {
        /// The aggregates' kind.
        aggregate: String,
        /// Where the page before ended.
        cursor: Option<String>,
        /// How many at the most.
        limit: usize,
    },
}

/// One command's effect: written whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The aggregate's kind.
    pub aggregate: String,
    /// Its id.
    pub id: String,
    /// The version that was decided on; 0 for an aggregate that must not exist yet. Where the aggregate
    /// is elsewhere, nothing is written.
    pub expected: u64,
    /// The new events, with the versions that follow.
    pub events: Vec<Event>,
    /// The state after them.
    pub snapshot: Snapshot,
    /// The fields of the state before that are gone in it.
    pub removed: Vec<String>,
    /// What is recorded under keys: the caller's idempotency key and the name of a command that takes effect
    /// once, if it has them. Where a key is taken, nothing is written.
    pub records: Vec<Record>,
    /// The time at which an expired record no longer takes its key.
    pub now: Millis,
}

/// The names of the fields that are gone after a commit.
pub(crate) fn gone(before: Option<&Snapshot>, after: &Snapshot) -> Vec<String> {
    let names = before.into_iter().flat_map(|before| before.state.keys());
    names.filter(|name| !after.state.contains_key(*name)).cloned().collect()
}

/// The trace that a command leaves under its key, so that its repetition is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `idem#{actorId}#{key}` for a caller's idempotency key,
    /// `once#{aggregateName}#{aggregateId}#{name}` for a command that takes effect once for good. The latter's id
    /// is that of the name's [owner](crate::aggregate::Once::owner). In both ids `%` stands as `%25` and `#`
    /// as `%23`, so that no two have one key.
    pub key: String,
    /// The SHA-256 of the command and its target.
    pub hash: String,
    /// The kind of the aggregate that the command changed.
    pub aggregate: String,
    /// Its id. It need not be the one in the key.
    pub id: String,
    /// The version of the first event that answered the command.
    pub first: u64,
    /// The version of the last.
    pub last: u64,
    /// When the record no longer counts, in milliseconds since the epoch; never where it is absent.
    pub expires_at: Option<Millis>,
}

impl Record {
    /// Whether the record still takes its key at that time.
    pub fn counts(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|end| end >= now)
    }
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Request::Load`].
    Loaded(Loaded),
    /// To [`Request::Events`].
    Events(Page<Event>),
    /// To [`Request::Record`]: none where nothing counts under any of the keys.
    Record(Option<Record>),
    /// Everything was written.
    Committed,
    /// The aggregate is not at the expected version; nothing was written. A store that learned where it
    /// is says so.
    Conflict(Option<Loaded>),
    /// A record's key is taken, by this one; nothing was written. Where several are, it is the first in
    /// the order of [`Commit::records`]. It goes before a conflict.
    KeyTaken(Record),
    /// To [`Request::List`].
    List(Page<Meta>),
}

/// Where an aggregate is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Its version; 0 where it does not exist.
    pub version: u64,
    /// Its newest snapshot, which may be older than its version.
    pub snapshot: Option<Snapshot>,
}

/// Some of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// These.
    pub items: Vec<T>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// Why a store did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was too busy, and did nothing. The same request may succeed after a while.
    Busy,
    /// Its answer was lost: a commit may have been written or not.
    Lost,
    /// The shell's clock is too far off for it, and it did nothing. The shell knows the right time now.
    Clock,
    /// It refuses the request for good, and did nothing.
    Refused(String),
}

/// What an exchange with the store cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Requests.
    pub requests: u32,
    /// Read capacity units.
    pub rcu: f64,
    /// Write capacity units.
    pub wcu: f64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.rcu += other.rcu;
        self.wcu += other.wcu;
    }
}

/// A store's answer or failure, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What came back.
    pub result: Result<Answer, Failure>,
    /// What it cost.
    pub cost: Cost,
}

impl Reply {
    /// A reply that took one request.
    pub fn one(result: Result<Answer, Failure>) -> Self {
        Self { result, cost: Cost { requests: 1, ..Cost::default() } }
    }
}

/// A store that answers at once.
pub trait Store {
    /// Carries out a request.
    fn answer(&mut self, request: &Request) -> Reply;
}
