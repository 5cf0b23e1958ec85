//! A command run: load, decide, commit, and again after a conflict, as a state machine that asks for
//! I/O and never does it.
//!
//! The shell calls [`CommandRun::next`]: it asks for one thing of the store ([`Step::Ask`]), for a wait
//! ([`Step::Wait`]), or it is done. The shell does that and calls again with what came back. Whatever is
//! hard about a command lives here, once for every shell: retries after a conflict and after a lost
//! answer, pinned versions, idempotency, and what it all cost.
//!
//! ```
//! use rewound_core::{domain::{Command, Sender}, domains, run::{CommandRun, Options, Step}, store::{MemoryStore, Store}};
//! use serde_json::json;
//! let mut store = MemoryStore::new();
//! let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR"})).unwrap();
//! let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
//! let account = domains::find("BankAccount").unwrap();
//! let mut run = CommandRun::new(account, "a1", open, by, Options::default());
//! let mut reply = None;
//! let done = loop {
//!     match run.next(reply.take(), 1_000, 42) {
//!         Step::Ask(request) => reply = Some(store.answer(&request)),
//!         Step::Wait(_milliseconds) => {}
//!         Step::Done(result) => break result.unwrap(),
//!     }
//! };
//! assert_eq!((done.version(), run.cost().requests), (1, 1));
//! ```

use crate::{
    aggregate::Once,
    domain::{Command, Domain, Instance, Sender, Snapshot, SnapshotError, decide},
    error::{Error, Issue, Result},
    event::Event,
    store::{
        Answer, Commit, Cost, Failure, KEY_LIFETIME, Loaded, MAX_ITEMS, PAGE, Page, Record, Reply, Request,
        Store, gone,
    },
    time::Millis,
    value::sha256,
};
use serde_json::json;

/// How a command is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The version that the caller decided on; 0 for "create only". At any other version the command is
    /// refused ([`Error::WrongVersion`]) and not retried.
    pub expected_version: Option<u64>,
    /// A key under which the command takes effect once within 72 hours, whatever is repeated. Only a
    /// command that records an event takes its key.
    pub idempotency_key: Option<String>,
    /// How often to decide again after a conflict.
    pub retries: u32,
    /// How often to send a request again that the store was too busy for, or whose answer was lost.
    pub resends: u32,
    /// The wait before another attempt, in milliseconds: so much times the attempt, and up to so much
    /// more by chance, so that writers who met once do not meet again.
    pub backoff: Millis,
    /// The last known state, to be spared the load. Only a commit proves it: whatever would write
    /// nothing is decided again on a fresh one, and a conflict with it is no attempt.
    pub cached: Option<Snapshot>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            expected_version: None,
            idempotency_key: None,
            retries: 3,
            resends: 5,
            backoff: 50,
            cached: None,
        }
    }
}

/// What a run needs next, until it ends in a `T`.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<T = Done> {
    /// Ask the store for this, and come back with its reply.
    Ask(Request),
    /// Wait so many milliseconds, and come back without a reply.
    Wait(Millis),
    /// The run is over.
    Done(Result<T>),
}

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The events that it recorded; none where everything was as it wanted.
    pub events: Vec<Event>,
    /// The state after them; none where nothing ever happened to the aggregate.
    pub snapshot: Option<Snapshot>,
    /// Whether this is the answer of an earlier run with the same key.
    pub repeated: bool,
}

impl Done {
    /// The version after the command; 0 where the aggregate does not exist.
    pub fn version(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.meta.version)
    }
}

/// One command on its way. See the [module](self).
#[derive(Debug, Clone)]
pub struct CommandRun {
    domain: &'static dyn Domain,
    id: String,
    command: Command,
    sender: Sender,
    options: Options,
    /// The keys under which the command is recorded, and until when each counts. The caller's comes
    /// first: who reuses one is told so, whatever else is true of the command.
    keys: Vec<(String, Option<Millis>)>,
    phase: Phase,
    /// Whether the state in hand comes from the store, or only from a cache.
    fresh: bool,
    /// Whether the store said that nothing is recorded under any key.
    keys_are_free: bool,
    /// Where the last page of events ended.
    cursor: Option<String>,
    /// The state that was decided on last.
    known: Option<Snapshot>,
    /// How many commits met a conflict.
    conflicts: u32,
    /// How often the request in hand was sent again, and how often any was.
    resent: u32,
    resends: u32,
    /// Whether an answer to the commit in hand was lost.
    lost: bool,
    /// Whether the shell's clock was corrected.
    on_time: bool,
    cost: Cost,
}

/// Where a run is: what the next reply will answer.
#[derive(Debug, Clone)]
enum Phase {
    Start,
    /// Asked for the aggregate.
    Load,
    /// Asking for the events behind the instance, up to a version.
    Catch(Box<dyn Instance>, u64),
    /// A row does not say when it was written: asked for its last event.
    Clock(Box<dyn Instance>),
    /// Asked for the commit to be written.
    Commit(Box<Commit>),
    /// A commit whose first answer was lost met a conflict: asked whether the winner is itself.
    Own(Box<Commit>, Option<Loaded>),
    /// Asked for the record of a key before an answer that writes nothing.
    Record(Result<Done>),
    /// The command took effect before: asking for the events that it recorded.
    Repeat(Record, Box<dyn Instance>, Vec<Event>),
    /// The same, where the state that it led to is known, and one event made it.
    Recall(Record, Box<Snapshot>),
    /// Waiting before the next attempt; then this is asked, or the state in hand decided on.
    Wait(Box<Phase>),
    /// Over.
    Done(Result<Done>),
}

impl CommandRun {
    /// A run that has asked for nothing yet. The sender's clock and random bits are not used: each
    /// [`next`](Self::next) brings its own.
    pub fn new(
        domain: &'static dyn Domain,
        id: &str,
        command: Command,
        sender: Sender,
        options: Options,
    ) -> Self {
        Self {
            domain,
            id: id.to_owned(),
            command,
            sender,
            options,
            keys: Vec::new(),
            phase: Phase::Start,
            fresh: false,
            keys_are_free: false,
            cursor: None,
            known: None,
            conflicts: 0,
            resent: 0,
            resends: 0,
            lost: false,
            on_time: false,
            cost: Cost::default(),
        }
    }

    /// What the run has cost so far.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// How many commits met a conflict so far.
    pub fn conflicts(&self) -> u32 {
        self.conflicts
    }

    /// The state that was decided on last; none where nothing was decided, or the aggregate did not exist.
    pub fn known(&self) -> Option<&Snapshot> {
        self.known.as_ref()
    }

    /// What was decided and writes nothing, while it is asked whether an earlier run with the same key has a better
    /// answer.
    pub fn undecided(&self) -> Option<&Result<Done>> {
        match &self.phase {
            Phase::Record(result) => Some(result),
            _ => None,
        }
    }

    /// How often a request was sent again so far, since the store was too busy or its answer was lost.
    pub fn resends(&self) -> u32 {
        self.resends
    }

    /// What the run needs next, given the reply to what it asked last. `now` is the shell's clock in
    /// milliseconds since the epoch, `random` 80 random bits, new ones each time.
    pub fn next(&mut self, reply: Option<Reply>, now: Millis, random: u128) -> Step {
        self.sender.now = now;
        self.sender.random = random;
        if let Some(reply) = &reply {
            self.cost += reply.cost;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Start);
        let next = match (phase, reply) {
            (Phase::Start, _) => self.start(),
            (Phase::Wait(then), _) => *then,
            (Phase::Done(result), _) => Phase::Done(result),
            // Without a reply the same is asked again.
            (phase, None) => phase,
            (phase, Some(Reply { result: Err(failure), .. })) => self.failed(phase, failure),
            (phase, Some(Reply { result: Ok(answer), .. })) => {
                self.resent = 0;
                self.answered(phase, answer)
            }
        };
        let step = self.step(&next);
        self.phase = next;
        step
    }

    /// What the shell is asked for in a phase.
    fn step(&self, phase: &Phase) -> Step {
        let (aggregate, id) = (self.domain.name().to_owned(), self.id.clone());
        Step::Ask(match phase {
            Phase::Start | Phase::Load => Request::Load { aggregate, id },
            Phase::Catch(instance, _) | Phase::Repeat(_, instance, _) => {
                let (after, cursor) = (instance.version(), self.cursor.clone());
                Request::Events { aggregate, id, after, cursor, limit: PAGE }
            }
            Phase::Clock(instance) => {
                let after = instance.version().saturating_sub(1);
                Request::Events { aggregate, id, after, cursor: None, limit: 1 }
            }
            Phase::Recall(record, _) => {
                let after = record.first.saturating_sub(1);
                Request::Events { aggregate, id, after, cursor: None, limit: 1 }
            }
            Phase::Commit(commit) => Request::Commit(commit.clone()),
            Phase::Own(commit, _) => {
                Request::Events { aggregate, id, after: commit.expected, cursor: None, limit: 1 }
            }
            Phase::Record(_) => {
                let keys = self.keys.iter().map(|(key, _)| key.clone()).collect();
                Request::Record { keys, now: self.sender.now }
            }
            Phase::Wait(_) => {
                let attempt = self.conflicts.max(self.resent);
                return Step::Wait(pause(self.options.backoff, attempt, self.sender.random));
            }
            Phase::Done(result) => return Step::Done(result.clone()),
        })
    }

    fn start(&mut self) -> Phase {
        let once = match self.domain.validate(&self.command) {
            Ok(once) => once,
            Err(error) => return Phase::Done(Err(error)),
        };
        if let Some(key) = &self.options.idempotency_key {
            let end = self.sender.now.saturating_add(KEY_LIFETIME);
            self.keys.push((format!("idem#{}#{key}", escaped(&self.sender.actor)), Some(end)));
        }
        if let Some(Once { owner, name }) = once {
            let owner = escaped(owner.as_deref().unwrap_or(&self.id));
            self.keys.push((format!("once#{}#{owner}#{name}", self.domain.name()), None));
        }
        // Where nothing is known, the run tries as if nothing were there: a command that creates its
        // aggregate needs no load, and every other is refused by that state and loads the real one.
        let cached = self.options.cached.take();
        let known = cached.and_then(|snapshot| resume(self.domain, &self.id, &snapshot).ok());
        self.decide(known.unwrap_or_else(|| self.domain.start(&self.id)))
    }

    fn answered(&mut self, phase: Phase, answer: Answer) -> Phase {
        match (phase, answer) {
            (Phase::Load, Answer::Loaded(loaded)) => {
                self.keys_are_free = false;
                self.loaded(loaded)
            }
            (Phase::Catch(instance, version), Answer::Events(page)) => {
                // What is read now is newer than what was known of the keys.
                self.keys_are_free = false;
                match caught_up(instance, version, &page) {
                    Ok((instance, true)) => self.decide(instance),
                    Ok((instance, false)) => {
                        self.cursor = page.next;
                        Phase::Catch(instance, version)
                    }
                    Err(error) => Phase::Done(Err(error)),
                }
            }
            (Phase::Clock(instance), Answer::Events(page)) => {
                let time = page.items.first().map(Event::time);
                let dated = instance.snapshot().and_then(|mut snapshot| {
                    snapshot.meta.updated_at = Some(time?);
                    self.domain.resume(&snapshot).ok()
                });
                match dated {
                    Some(instance) => self.decide(instance),
                    None => failed(format!("the last event of {} is missing", self.id)),
                }
            }
            (Phase::Commit(commit), Answer::Committed) => done(*commit),
            (Phase::Commit(commit), Answer::Conflict(winner)) if self.lost => Phase::Own(commit, winner),
            (Phase::Commit(commit), Answer::Conflict(winner)) => self.conflict(commit.expected, winner),
            (Phase::Own(commit, winner), Answer::Events(page)) => {
                // A commit is whole or not there, and ids are unique: the first event tells.
                let own = page.items.first().map(Event::id) == commit.events.first().map(Event::id);
                if own { done(*commit) } else { self.conflict(commit.expected, winner) }
            }
            (Phase::Commit(_), Answer::KeyTaken(record)) => self.repeat(record),
            (Phase::Record(..), Answer::Record(Some(record))) => self.repeat(record),
            (Phase::Record(result), Answer::Record(None)) => Phase::Done(result),
            (Phase::Recall(record, snapshot), Answer::Events(page)) => match page.items.into_iter().next() {
                Some(event) if event.version() == record.first => {
                    Phase::Done(Ok(Done { events: vec![event], snapshot: Some(*snapshot), repeated: true }))
                }
                _ => missing(&record),
            },
            (Phase::Repeat(record, instance, events), Answer::Events(page)) => {
                self.cursor = page.next;
                self.repeated(record, instance, events, page.items)
            }
            _ => Phase::Done(Err(unasked())),
        }
    }

    fn loaded(&mut self, loaded: Loaded) -> Phase {
        self.fresh = true;
        let version = loaded.version;
        let instance = begin(self.domain, &self.id, loaded);
        if instance.version() < version {
            self.cursor = None;
            Phase::Catch(instance, version)
        } else {
            self.decide(instance)
        }
    }

    fn decide(&mut self, instance: Box<dyn Instance>) -> Phase {
        let version = instance.version();
        self.known = instance.snapshot();
        if let Some(expected) = self.options.expected_version.filter(|expected| *expected != version) {
            return self.nothing(Err(Error::WrongVersion { expected, actual: version }));
        }
        if instance.meta().is_some_and(|meta| meta.updated_at.is_none()) {
            return Phase::Clock(instance);
        }
        let events = match decide(self.domain, instance.as_ref(), &self.command, &self.sender) {
            Ok(events) => events,
            Err(error) => return self.nothing(Err(error)),
        };
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            let snapshot = self.known.clone();
            return self.nothing(Ok(Done { events, snapshot, repeated: false }));
        };
        let most = MAX_ITEMS - self.keys.len();
        if events.len() > most {
            let message = format!("this command can record {most} events, and decided {}", events.len());
            return self.nothing(Err(refused(message)));
        }
        let record = |(key, expires_at): &(String, Option<Millis>)| Record {
            key: key.clone(),
            hash: self.hash(),
            aggregate: self.domain.name().to_owned(),
            id: self.id.clone(),
            first: first.version(),
            last: last.version(),
            expires_at: *expires_at,
        };
        let records = self.keys.iter().map(record).collect();
        let before = self.known.as_ref();
        // What cannot be reduced is never written.
        let snapshot = match instance.apply_all(&events) {
            Ok(instance) => instance.snapshot(),
            Err(error) => return self.nothing(Err(error.into())),
        };
        let Some(snapshot) = snapshot else {
            return self.nothing(Err(refused(format!("{} has no state after its first event", self.id))));
        };
        let removed = gone(before, &snapshot);
        self.lost = false;
        Phase::Commit(Box::new(Commit {
            aggregate: self.domain.name().to_owned(),
            id: self.id.clone(),
            expected: version,
            events,
            snapshot,
            removed,
            records,
            now: self.sender.now,
        }))
    }

    /// A result that writes nothing is only as good as the state that it was decided on, and comes
    /// second to the answer that an earlier run with one of the keys got.
    fn nothing(&mut self, result: Result<Done>) -> Phase {
        if !self.fresh {
            Phase::Load
        } else if self.keys_are_free || self.keys.is_empty() {
            Phase::Done(result)
        } else {
            Phase::Record(result)
        }
    }

    fn conflict(&mut self, expected: u64, winner: Option<Loaded>) -> Phase {
        // The commit would have said so if a key were taken.
        self.keys_are_free = true;
        if !self.fresh {
            // Nobody raced: what the run thought it knew was old.
            return match winner {
                Some(winner) => self.loaded(winner),
                None => Phase::Load,
            };
        }
        self.conflicts += 1;
        // A pinned version ends by itself, unless the store contradicts itself.
        let pinned = u32::from(self.options.expected_version.is_some());
        if self.conflicts > self.options.retries.saturating_add(pinned) {
            let actual = winner.map(|winner| winner.version);
            return Phase::Done(Err(Error::Contention { attempts: self.conflicts, expected, actual }));
        }
        let next = match winner {
            Some(winner) => self.loaded(winner),
            None => Phase::Load,
        };
        match next {
            // A retry is decided on the winner's row at once, and sent after the wait.
            Phase::Done(result) => Phase::Done(result),
            next => Phase::Wait(Box::new(next)),
        }
    }

    fn repeat(&mut self, record: Record) -> Phase {
        self.cursor = None;
        if record.hash == self.hash() {
            // Mostly nothing has happened since: then a stream's length costs nothing.
            let known = self.known.take().filter(|known| {
                (record.first, record.last) == (known.meta.version, known.meta.version)
                    && record.id == self.id
            });
            if let Some(known) = known {
                return Phase::Recall(record, Box::new(known));
            }
            return Phase::Repeat(record, self.domain.start(&self.id), Vec::new());
        }
        Phase::Done(Err(match (record.expires_at, &self.options.idempotency_key) {
            // People know their key by the name they gave it.
            (Some(_), Some(key)) => Error::KeyReused { key: key.clone() },
            _ => {
                let Record { key, id, first: version, .. } = record;
                Error::Settled { key, id, version }
            }
        }))
    }

    fn repeated(
        &mut self,
        record: Record,
        instance: Box<dyn Instance>,
        mut events: Vec<Event>,
        page: Vec<Event>,
    ) -> Phase {
        let up_to: Vec<Event> = page.into_iter().filter(|event| event.version() <= record.last).collect();
        if up_to.is_empty() {
            return missing(&record);
        }
        let instance = match instance.apply_all(&up_to) {
            Ok(instance) => instance,
            Err(error) => return Phase::Done(Err(error.into())),
        };
        events.extend(up_to.into_iter().filter(|event| event.version() >= record.first));
        if instance.version() < record.last {
            return Phase::Repeat(record, instance, events);
        }
        Phase::Done(Ok(Done { events, snapshot: instance.snapshot(), repeated: true }))
    }

    fn failed(&mut self, phase: Phase, failure: Failure) -> Phase {
        let committing = matches!(phase, Phase::Commit(_));
        self.lost |= committing && failure == Failure::Lost;
        if committing
            && failure == Failure::Clock
            && !self.lost
            && !std::mem::replace(&mut self.on_time, true)
        {
            // Nothing was written, and the events have ids of a wrong time: it is decided again at the right one.
            return Phase::Load;
        }
        // What was recorded under its key took effect, and only its events are missing.
        let uncertain = self.lost || matches!(phase, Phase::Repeat(..) | Phase::Recall(..));
        match again(failure, &mut self.resent, self.options.resends, uncertain) {
            Ok(()) => {
                self.resends += 1;
                Phase::Wait(Box::new(phase))
            }
            Err(error) => Phase::Done(Err(error)),
        }
    }

    /// The same command to the same aggregate has the same hash.
    fn hash(&self) -> String {
        sha256(&json!([self.domain.name(), self.id, self.command.to_json()]))
    }
}

/// A part of a key that others follow behind a `#`.
pub(crate) fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

fn done(commit: Commit) -> Phase {
    Phase::Done(Ok(Done { events: commit.events, snapshot: Some(commit.snapshot), repeated: false }))
}

/// The aggregate as a snapshot has it, where that is one of this very aggregate and can be used.
fn resume(
    domain: &'static dyn Domain,
    id: &str,
    snapshot: &Snapshot,
) -> Result<Box<dyn Instance>, SnapshotError> {
    if *snapshot.meta.id != *id {
        let message = format!("it is the state of {}", snapshot.meta.id);
        return Err(SnapshotError::Corrupt(Issue { pointer: "/$meta/id".into(), message }));
    }
    domain.resume(snapshot)
}

/// What a store knows of an aggregate without its events.
pub(crate) fn begin(domain: &'static dyn Domain, id: &str, loaded: Loaded) -> Box<dyn Instance> {
    begin_and_say(domain, id, loaded).0
}

/// The same, and why the snapshot was not taken, where there was one.
pub(crate) fn begin_and_say(
    domain: &'static dyn Domain,
    id: &str,
    loaded: Loaded,
) -> (Box<dyn Instance>, Option<SnapshotError>) {
    let resumed = loaded.snapshot.map(|snapshot| {
        if snapshot.meta.version > loaded.version {
            let message = format!("it is ahead of the events, which end with version {}", loaded.version);
            return Err(SnapshotError::Corrupt(Issue { pointer: "/$meta/version".into(), message }));
        }
        resume(domain, id, &snapshot)
    });
    match resumed {
        Some(Ok(instance)) => (instance, None),
        Some(Err(error)) => (domain.start(id), Some(error)),
        None => (domain.start(id), None),
    }
}

/// The aggregate after another page of its events, and whether that was the last: it has to reach the version
/// that the store says.
pub(crate) fn caught_up(
    instance: Box<dyn Instance>,
    version: u64,
    page: &Page<Event>,
) -> Result<(Box<dyn Instance>, bool)> {
    let before = instance.version();
    let instance = instance.apply_all(&page.items)?;
    let whole = !goes_on(instance.as_ref(), before, version, page)?;
    Ok((instance, whole))
}

/// Whether there are events behind the page that led to this instance, which was at the version `before`.
pub(crate) fn goes_on(
    instance: &dyn Instance,
    before: u64,
    version: u64,
    page: &Page<Event>,
) -> Result<bool> {
    let whole = instance.version() >= version && page.next.is_none();
    if !whole && instance.version() == before {
        let id = instance.id();
        let message = format!("the store says version {version} of {id} and holds the events up to {before}");
        return Err(Error::Store { message, retryable: false, uncertain: false });
    }
    Ok(!whole)
}

/// Whether a request is sent again that failed so often; else the error, which is `uncertain` where that is said.
pub(crate) fn again(failure: Failure, resent: &mut u32, resends: u32, uncertain: bool) -> Result<()> {
    let message = match failure {
        Failure::Refused(message) => return Err(Error::Store { message, retryable: false, uncertain }),
        Failure::Busy => "it was too busy",
        Failure::Clock => "its clock and ours differ",
        Failure::Lost => "its answer was lost",
    };
    *resent += 1;
    if *resent <= resends {
        return Ok(());
    }
    let message = format!("{message}, {resent} times in a row");
    Err(Error::Store { message, retryable: true, uncertain })
}

/// The milliseconds before another attempt.
pub(crate) fn pause(backoff: Millis, attempt: u32, random: u128) -> Millis {
    let chance = random as u64 % backoff.max(1);
    backoff.saturating_mul(attempt.max(1).into()).saturating_add(chance)
}

/// Events that are recorded under a key, and are not there.
fn missing(record: &Record) -> Phase {
    failed(format!("the events of version {} to {} are missing", record.first, record.last))
}

fn failed(message: String) -> Phase {
    Phase::Done(Err(refused(message)))
}

/// A store that answers something else than it was asked.
pub(crate) fn unasked() -> Error {
    refused("the store answered something that was not asked".to_owned())
}

fn refused(message: String) -> Error {
    Error::Store { message, retryable: false, uncertain: false }
}

/// Runs a command against a store that answers at once, without waiting.
///
/// # Errors
/// As the run ends.
pub fn run(
    store: &mut impl Store,
    domain: &'static dyn Domain,
    id: &str,
    command: Command,
    by: &Sender,
    options: Options,
) -> Result<Done> {
    let mut run = CommandRun::new(domain, id, command, by.clone(), options);
    let mut reply = None;
    loop {
        match run.next(reply.take(), by.now, by.random) {
            Step::Ask(request) => reply = Some(store.answer(&request)),
            Step::Wait(_) => {}
            Step::Done(result) => return result,
        }
    }
}
