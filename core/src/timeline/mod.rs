//! Time travel: the states of one stream at any version or time, what changed between two of them, why a
//! field is what it is, and what would have been.

mod branch;
mod edit;
pub mod export;

pub use branch::{Branch, Branching, Fate, Row, Verdict, command_of};
pub use edit::{Edit, dropped, edits_from_json, edits_to_json, inserted, placed, replaced, restored};

use crate::{
    domain::{Domain, Instance, Snapshot},
    error::ReduceError,
    event::Event,
    order::sort_by_key,
    time::Millis,
    value::{Change, diff},
};
use serde::Serialize;
use serde_json::Value;

/// How many events lie between two kept states: a seek folds fewer than this, however long the stream.
pub const KEYFRAME_EVERY: usize = 256;

/// One stream, ready to be travelled.
///
/// It holds the events up to the first that does not reduce; [`problem`](Self::problem) says which one
/// that is and why. A keyframe is kept every [`KEYFRAME_EVERY`] events, so a seek takes the same time
/// in a stream of a hundred events and of a million.
///
/// ```
/// use rewound_core::{domain::{Command, Sender, decide}, domains, timeline::Timeline};
/// use serde_json::json;
/// let bank = domains::find("BankAccount").unwrap();
/// let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
/// let mut account = bank.start("a1");
/// let mut events = Vec::new();
/// for (name, fields) in [
///     ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
///     ("Deposit", json!({"amount": 2500, "transactionReference": "inv-42"})),
/// ] {
///     let new = decide(bank, account.as_ref(), &Command::new(name, fields)?, &by)?;
///     account = account.apply(&new[0])?;
///     events.extend(new);
/// }
/// let timeline = Timeline::new(bank, "a1", events);
/// assert_eq!(timeline.state_at(2).unwrap().state["balance"], 2500);
/// assert_eq!(timeline.diff(1, 2)[0].path, "/balance");
/// assert_eq!(timeline.why("/balance").last().unwrap().event_name, "MoneyDeposited");
/// # Ok::<_, rewound_core::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Timeline {
    domain: &'static dyn Domain,
    events: Vec<Event>,
    /// One after every multiple of [`KEYFRAME_EVERY`] events, from 0 on.
    keyframes: Vec<Keyframe>,
    problem: Option<ReduceError>,
}

#[derive(Debug, Clone)]
struct Keyframe {
    instance: Box<dyn Instance>,
    /// The latest time of all the events before it.
    latest: Millis,
}

/// One event that changed a field, as [`Timeline::why`] finds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The event's version.
    pub version: u64,
    /// Its id.
    pub event_id: String,
    /// Its name.
    pub event_name: String,
    /// What the field was before; absent where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it became; absent where it went away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl Timeline {
    /// The timeline of the stream `id`: its events, sorted by version, up to the first that does not
    /// reduce.
    pub fn new(domain: &'static dyn Domain, id: &str, mut events: Vec<Event>) -> Self {
        sort_by_key(&mut events, Event::version);
        let mut timeline = Self::empty(domain, id);
        let mut head = domain.start(id);
        let mut rest = events.into_iter();
        while timeline.problem.is_none() {
            let block: Vec<Event> = rest.by_ref().take(KEYFRAME_EVERY).collect();
            if block.is_empty() {
                break;
            }
            head = timeline.admit(head, block);
        }
        timeline
    }

    /// A timeline without events, to be grown with [`push`](Self::push).
    pub fn empty(domain: &'static dyn Domain, id: &str) -> Self {
        let first = Keyframe { instance: domain.start(id), latest: 0 };
        Self { domain, events: Vec::new(), keyframes: vec![first], problem: None }
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// An event that cannot come next. It is kept as the timeline's [`problem`](Self::problem), and the
    /// timeline stays as it was.
    pub fn push(&mut self, event: Event) -> Result<(), ReduceError> {
        let head = self.seek(self.len())?;
        self.problem = None;
        self.admit(head, vec![event]);
        self.problem.clone().map_or(Ok(()), Err)
    }

    /// Takes the events of a block that can come next, up to the next keyframe at the most; gives the aggregate
    /// after them.
    fn admit(&mut self, head: Box<dyn Instance>, block: Vec<Event>) -> Box<dyn Instance> {
        let next = match head.fork().apply_all(&block) {
            Ok(next) => {
                self.events.extend(block);
                next
            }
            Err(_) => self.admit_some(head, block),
        };
        if self.events.len() == self.keyframes.len() * KEYFRAME_EVERY {
            let before = self.keyframes.last().map_or(0, |keyframe| keyframe.latest);
            let block = self.events.iter().rev().take(KEYFRAME_EVERY).map(Event::time);
            let latest = block.max().unwrap_or(0).max(before);
            self.keyframes.push(Keyframe { instance: next.fork(), latest });
        }
        next
    }

    /// Takes the events before the first that cannot come next.
    fn admit_some(&mut self, mut head: Box<dyn Instance>, block: Vec<Event>) -> Box<dyn Instance> {
        for event in block {
            match head.fork().apply(&event) {
                Ok(next) => head = next,
                Err(problem) => {
                    self.problem = Some(problem);
                    break;
                }
            }
            self.events.push(event);
        }
        head
    }

    /// The domain that replays it.
    pub fn domain(&self) -> &'static dyn Domain {
        self.domain
    }

    /// How many events it holds, which is the version at its end.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Its events, in the order of their versions.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The first event that did not reduce, and why; the timeline ends before it.
    pub fn problem(&self) -> Option<&ReduceError> {
        self.problem.as_ref()
    }

    /// The aggregate after `version` events; at the end where there are fewer.
    ///
    /// # Errors
    /// None for a reducer that is a function: every event was applied before.
    pub fn seek(&self, version: u64) -> Result<Box<dyn Instance>, ReduceError> {
        let version = usize::try_from(version).unwrap_or(usize::MAX).min(self.events.len());
        let frame = (version / KEYFRAME_EVERY).min(self.keyframes.len().saturating_sub(1));
        let start = self.keyframes.get(frame).map(|keyframe| keyframe.instance.fork());
        let start = start.unwrap_or_else(|| self.domain.start(""));
        let events = self.events.get(frame * KEYFRAME_EVERY..version).unwrap_or_default();
        start.apply_all(events)
    }

    /// The state after `version` events; none at version 0.
    pub fn state_at(&self, version: u64) -> Option<Snapshot> {
        self.seek(version).ok()?.snapshot()
    }

    /// The version at a time: how many events there are before the first that is later.
    pub fn version_at(&self, time: Millis) -> u64 {
        let blocks = self.keyframes.partition_point(|keyframe| keyframe.latest <= time);
        let known = blocks.saturating_sub(1) * KEYFRAME_EVERY;
        let rest = self.events.iter().skip(known).take_while(|event| event.time() <= time);
        (known + rest.count()) as u64
    }

    /// What changed in the state's own fields from one version to another.
    pub fn diff(&self, from: u64, to: u64) -> Vec<Change> {
        let state = |version| Value::Object(self.state_at(version).map(|s| s.state).unwrap_or_default());
        diff(&state(from), &state(to))
    }

    /// The events that changed the field at `path`, a JSON pointer into the state; the empty pointer
    /// is the whole state. It replays the stream once.
    pub fn why(&self, path: &str) -> Vec<Cause> {
        let mut causes = Vec::new();
        let Some(start) = self.keyframes.first() else { return causes };
        let mut instance = start.instance.fork();
        let mut before: Option<Value> = None;
        for event in &self.events {
            let Ok(next) = instance.apply(event) else { break };
            instance = next;
            let state = instance.snapshot().map(|snapshot| Value::Object(snapshot.state));
            let after = state.as_ref().and_then(|state| state.pointer(path)).cloned();
            if after != before {
                causes.push(Cause {
                    version: event.version(),
                    event_id: event.id().to_string(),
                    event_name: event.name().to_owned(),
                    from: std::mem::replace(&mut before, after.clone()),
                    to: after,
                });
            }
        }
        causes
    }

    /// What each event behind the version `from`, up to the version `to`, changed in the state's own fields: the
    /// whole range is replayed once.
    ///
    /// ```
    /// # use rewound_core::{domains, event::Event, timeline::Timeline};
    /// # let event = |name: &str, version: u64, own: &str| Event::parse(&format!(r#"{{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JND{version}",
    /// #     "eventName":"{name}","aggregateName":"BlogPost","aggregateId":"p","aggregateVersion":{version},"actorId":"ada"{own}}}"#)).unwrap();
    /// # let events = vec![event("BlogPostCreated", 1, r#","title":"Hello""#), event("BlogPostPublished", 2, "")];
    /// # let post = Timeline::new(domains::find("BlogPost").unwrap(), "p", events);
    /// // A post is created, and published.
    /// let changes = post.changes(0, 2);
    /// assert_eq!(changes[1][0].path, "/isPublic");
    /// assert_eq!(changes[1], post.diff(1, 2));
    /// ```
    pub fn changes(&self, from: u64, to: u64) -> Vec<Vec<Change>> {
        let state = |instance: &dyn Instance| {
            Value::Object(instance.snapshot().map(|snapshot| snapshot.state).unwrap_or_default())
        };
        let Ok(mut instance) = self.seek(from) else { return Vec::new() };
        let mut before = state(instance.as_ref());
        let mut changes = Vec::new();
        let places = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
        for event in self.events.get(places.start..places.end.min(self.events.len())).unwrap_or_default() {
            let Ok(next) = instance.apply(event) else { break };
            instance = next;
            let after = state(instance.as_ref());
            changes.push(diff(&before, &after));
            before = after;
        }
        changes
    }

    /// The id of the aggregate.
    pub fn id(&self) -> &str {
        self.keyframes.first().map_or("", |keyframe| keyframe.instance.id())
    }

    /// The same stream as far as a version.
    fn until(&self, version: usize) -> Self {
        Self {
            domain: self.domain,
            events: self.events.iter().take(version).cloned().collect(),
            keyframes: self.keyframes.iter().take(version / KEYFRAME_EVERY + 1).cloned().collect(),
            problem: None,
        }
    }
}
