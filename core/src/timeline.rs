//! Time travel: the states of one stream at any version or time, what changed between two of them, why a
//! field is what it is, and what would have been.

use crate::{
    domain::{Command, Domain, Draft, Instance, Snapshot},
    error::{Error, Issue, ReduceError},
    event::{Event, Head},
    order::sort_by_key,
    time::{MAX_TIME, Millis, Ulid},
    upcast::{newest, upcast},
    value::{Change, Object, diff},
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

    /// The same history with these edits, replayed and decided again. This one stays as it is.
    ///
    /// Events that follow an edit are renumbered; an event keeps its id where it still rises.
    ///
    /// ```
    /// # use rewound_core::{domain::{Command, Sender, decide}, domains, timeline::*};
    /// # use serde_json::json;
    /// # let bank = domains::find("BankAccount").unwrap();
    /// # let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
    /// # let mut timeline = Timeline::empty(bank, "a1");
    /// # for (name, fields) in [
    /// #     ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
    /// #     ("Deposit", json!({"amount": 2500, "transactionReference": "inv-42"})),
    /// #     ("Withdraw", json!({"amount": 2000, "transactionReference": "rent"})),
    /// # ] {
    /// #     let account = timeline.seek(timeline.len())?;
    /// #     for event in decide(bank, account.as_ref(), &Command::new(name, fields)?, &by)? {
    /// #         timeline.push(event)?;
    /// #     }
    /// # }
    /// // Without the deposit, the withdrawal would have been refused.
    /// let branch = timeline.branch(&[Edit::Drop { version: 2 }]).unwrap();
    /// let Verdict::Rejected(rule) = &branch.verdicts[1] else { panic!() };
    /// assert_eq!(rule.code, "insufficient-funds");
    /// # Ok::<_, rewound_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// An edit of a version that there is not, or a payload field with a reserved name.
    pub fn branch(&self, edits: &[Edit]) -> Result<Branch, Issue> {
        // A slot for each original event, and what comes behind it; the first slot is the start.
        let kept = self.events.iter().map(|event| (Some(Planned::Kept(event)), false, Vec::new()));
        let mut slots: Vec<(Option<Planned>, bool, Vec<Planned>)> =
            [(None, true, Vec::new())].into_iter().chain(kept).collect();
        for edit in edits {
            let place = edit.place();
            let index = usize::try_from(place).unwrap_or(usize::MAX);
            // An event lends an inserted one, or the one that replaces it, its actor.
            let beside = self.events.get(index.saturating_sub(1));
            let wrong = |message: String| Issue { pointer: "/version".into(), message };
            let first = u64::from(!matches!(edit, Edit::Insert { .. }));
            let slot = slots.get_mut(index).filter(|_| place >= first);
            let Some((slot, edited, behind)) = slot else {
                return Err(wrong(format!(
                    "expected a version from {first} to {}, found {place}",
                    self.len()
                )));
            };
            if let Edit::Insert { event, .. } = edit {
                behind.push(Planned::New(event, beside));
                continue;
            }
            if std::mem::replace(edited, true) {
                return Err(wrong(format!("version {place} is dropped or replaced twice: once is enough")));
            }
            *slot = match edit {
                Edit::Replace { event, .. } => Some(Planned::New(event, beside)),
                _ => None,
            };
        }
        let plan: Vec<Planned> =
            slots.into_iter().flat_map(|(slot, _, behind)| slot.into_iter().chain(behind)).collect();
        let mut events: Vec<Event> = Vec::with_capacity(plan.len());
        for (version, planned) in (1..).zip(plan) {
            let last = events.last().map(Event::id);
            events.push(planned.at(self, version, last)?);
        }
        Ok(Branch::new(self, events))
    }
}

/// A change to a history, for [`Timeline::branch`]. Versions are those of the original.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Leave this event out.
    Drop {
        /// Its version.
        version: u64,
    },
    /// Let something else have happened.
    Replace {
        /// The version of the event that gives way.
        version: u64,
        /// What happened instead.
        event: Draft,
    },
    /// Let something more have happened.
    Insert {
        /// The version of the event that it follows; 0 for the start.
        after: u64,
        /// What happened.
        event: Draft,
    },
}

impl Edit {
    fn place(&self) -> u64 {
        match self {
            Edit::Drop { version } | Edit::Replace { version, .. } => *version,
            Edit::Insert { after, .. } => *after,
        }
    }
}

/// An event of a branch before it has its place.
enum Planned<'a> {
    Kept(&'a Event),
    /// What it says, and the original event that lends it its head.
    New(&'a Draft, Option<&'a Event>),
}

impl Planned<'_> {
    fn at(self, original: &Timeline, version: u64, last: Option<Ulid>) -> Result<Event, Issue> {
        let rising = |id: Ulid| match last {
            Some(last) if id <= last => match last.increment() {
                Ok(next) | Err(next) => next,
            },
            _ => id,
        };
        match self {
            Planned::Kept(event) if event.version() == version && rising(event.id()) == event.id() => {
                Ok(event.clone())
            }
            Planned::Kept(event) => event.moved(rising(event.id()), version),
            Planned::New(draft, beside) => {
                let beside = beside.or_else(|| original.events.first());
                let head = Head {
                    id: rising(beside.map_or(Ulid::from_parts(MAX_TIME, 0), Event::id)),
                    name: &draft.name,
                    aggregate: beside.map_or(original.domain.name(), Event::aggregate),
                    aggregate_id: beside.map_or("branch", Event::aggregate_id),
                    version,
                    actor: beside.map_or("somebody", Event::actor),
                    schema_version: newest(original.domain.upcasters(), &draft.name),
                    trace: &Default::default(),
                };
                Event::write(&head, draft.fields.clone())
            }
        }
    }
}

/// A history as it might have been.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Its events, up to the first that does not reduce.
    pub timeline: Timeline,
    /// What `decide` says to each of its events, in their order; it goes on behind one that a rule
    /// refuses, and ends with one that does not reduce.
    pub verdicts: Vec<Verdict>,
}

/// Whether an event of a branch could have come about.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Its command decides on just this event, in the state before it.
    Possible,
    /// Its command decides on something else.
    Otherwise(Vec<Draft>),
    /// A rule refuses its command.
    Rejected(crate::error::Rejection),
    /// Its command is malformed, or fails otherwise.
    Failed(Error),
    /// It does not reduce.
    Impossible(ReduceError),
    /// The domain does not say which command records it.
    Unknown,
}

impl Branch {
    fn new(original: &Timeline, events: Vec<Event>) -> Self {
        let domain = original.domain;
        let id = original.keyframes.first().map_or("", |keyframe| keyframe.instance.id());
        let mut instance = domain.start(id);
        let mut verdicts = Vec::with_capacity(events.len());
        for event in &events {
            let verdict = judge(domain, instance.as_ref(), event);
            match instance.apply(event) {
                Ok(next) => instance = next,
                Err(error) => {
                    verdicts.push(Verdict::Impossible(error));
                    break;
                }
            }
            verdicts.push(verdict);
        }
        Self { timeline: Timeline::new(domain, id, events), verdicts }
    }
}

/// Decides the command that records `event`, as its schema of today names it, in the state before it.
fn judge(domain: &dyn Domain, before: &dyn Instance, event: &Event) -> Verdict {
    let mut fields: Object = event.payload();
    // What cannot be lifted has no command; whether it reduces all the same is the reducer's to say.
    let Ok(event_name) = upcast(domain.upcasters(), event.name(), event.schema_version(), &mut fields) else {
        return Verdict::Unknown;
    };
    let Some(shape) = domain.events().iter().find(|shape| shape.name == event_name) else {
        return Verdict::Unknown;
    };
    let name = shape.schema.get("x-command").and_then(Value::as_str);
    let Some(command) = domain.commands().iter().find(|command| Some(command.name.as_str()) == name) else {
        return Verdict::Unknown;
    };
    prune(&shape.schema, &mut fields);
    let draft = Draft { name: event_name.to_owned(), fields: fields.clone() };
    fields.retain(|name, _| command.fields().any(|(field, _)| field == name));
    let command = Command { name: command.name.clone(), fields };
    let decided = domain.validate(&command).and_then(|_| before.decide(&command, event.actor()));
    match decided {
        Ok(drafts) if drafts == [draft] => Verdict::Possible,
        Ok(drafts) => Verdict::Otherwise(drafts),
        Err(Error::Rejected(rejection)) => Verdict::Rejected(rejection),
        Err(Error::NotFound { .. }) => Verdict::Rejected(crate::error::Rejection::not_found()),
        Err(error) => Verdict::Failed(error),
    }
}

/// Leaves only the fields that a schema knows, at any depth: what an event says beyond them was written by
/// others, and decides nothing.
fn prune(schema: &Value, fields: &mut Object) {
    let Some(known) = schema.get("properties").and_then(Value::as_object) else { return };
    fields.retain(|name, _| known.contains_key(name));
    for (name, value) in fields {
        match (value, known.get(name)) {
            (Value::Object(fields), Some(schema)) => prune(schema, fields),
            (Value::Array(items), Some(schema)) => {
                let Some(each) = schema.get("items") else { continue };
                items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| prune(each, item));
            }
            _ => {}
        }
    }
}
