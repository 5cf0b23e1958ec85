//! Branches: what would have been.

use super::{Edit, Timeline};
use crate::{
    domain::{Command, Domain, Draft, Instance},
    error::{Error, Issue, ReduceError, Rejection},
    event::{Event, Head},
    time::{MAX_TIME, Ulid},
    upcast::{newest, upcast},
    value::Object,
};
use serde_json::Value;
use std::collections::BTreeMap;

impl Timeline {
    /// The same history with these edits, replayed and decided again. This one stays as it is.
    ///
    /// Events that follow an edit are renumbered; an event keeps its id where it still rises.
    ///
    /// ```
    /// # use rewound_core::{domain::{Command, Sender, decide}, domains, timeline::*};
    /// # use rewound_core::value::json;
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
        let mut branching = self.branching(edits, None)?;
        branching.step(usize::MAX);
        Ok(branching.branch)
    }

    /// As [`branch`](Self::branch), a slice at a time, for long histories: how the two stand beside each other
    /// is known at once, the verdicts and states come with each [`step`](Branching::step). What the branch
    /// begins with in common with a `known` one of this timeline is taken from there.
    ///
    /// # Errors
    /// As [`branch`](Self::branch).
    pub fn branching(&self, edits: &[Edit], known: Option<&Branch>) -> Result<Branching, Issue> {
        let (events, rows) = self.planned(edits)?;
        let common = known.map_or(0, |known| {
            let pairs = events.iter().zip(known.timeline.events());
            pairs.take_while(|(one, other)| one == other).count()
        });
        let (timeline, verdicts) = match known {
            Some(known) => {
                (known.timeline.until(common), known.verdicts.iter().take(common).cloned().collect())
            }
            None => (Timeline::empty(self.domain, self.id()), Vec::new()),
        };
        let head = timeline.seek(u64::MAX).unwrap_or_else(|_| self.domain.start(self.id()));
        Ok(Branching { branch: Branch { timeline, verdicts, events, rows }, head: Some(head) })
    }

    /// The events of a branch, and how it stands beside the original.
    fn planned(&self, edits: &[Edit]) -> Result<(Vec<Event>, Vec<Row>), Issue> {
        let changes = Changes::of(edits, self.len())?;
        let mut events: Vec<Event> = Vec::with_capacity(self.events.len() + edits.len());
        let mut rows = Vec::with_capacity(self.events.len() + edits.len());
        for slot in 0..=self.len() {
            let event = self.event(slot);
            if let Some(event) = event {
                let (fate, planned) = match changes.of.get(&slot) {
                    None if events.len() as u64 + 1 == slot => (Fate::Kept, Some(Planned::Kept(event))),
                    None => (Fate::Renumbered, Some(Planned::Kept(event))),
                    Some(Changed { dropped: true, .. }) => (Fate::Dropped, None),
                    Some(Changed { moved: true, .. }) => (Fate::Left { to: 0 }, None),
                    Some(Changed { draft, .. }) => {
                        (Fate::Edited, draft.map(|draft| Planned::New(draft, Some(event), Some(event))))
                    }
                };
                if let Some(planned) = planned {
                    events.push(planned.at(self, &events)?);
                }
                rows.push(Row { at: (slot, events.len() as u64), fate });
            }
            // An event lends an inserted one its actor, and whatever comes behind it its time.
            let beside = event.or(self.events.first());
            for (edit, float) in changes.behind.get(&slot).into_iter().flatten() {
                let edit = *edit;
                let (fate, planned) = match float {
                    Float::New(draft) => (Fate::Inserted { edit }, Planned::New(draft, beside, beside)),
                    Float::Moved(version) => {
                        let Some(event) = self.event(*version) else { continue };
                        let draft = changes.of.get(version).and_then(|changed| changed.draft);
                        let fate = Fate::Moved { from: *version, edited: draft.is_some(), edit };
                        let planned = draft.map(|draft| Planned::New(draft, beside, Some(event)));
                        (fate, planned.unwrap_or(Planned::Moved(event, beside)))
                    }
                };
                events.push(planned.at(self, &events)?);
                rows.push(Row { at: (slot, events.len() as u64), fate });
            }
        }
        if changes.of.values().any(|changed| changed.moved) {
            let places = rows.iter().filter_map(|row| match row.fate {
                Fate::Moved { from, .. } => Some((from, row.at.1)),
                _ => None,
            });
            let places: BTreeMap<u64, u64> = places.collect();
            for row in &mut rows {
                if let Fate::Left { to } = &mut row.fate {
                    *to = places.get(&row.at.0).copied().unwrap_or(0);
                }
            }
        }
        Ok((events, rows))
    }

    /// The event of a version; none at 0.
    pub fn event(&self, version: u64) -> Option<&Event> {
        self.events.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }
}

/// What the edits say, by the place that they say it of.
struct Changes<'a> {
    of: BTreeMap<u64, Changed<'a>>,
    /// What comes behind an event, each with the index of its edit.
    behind: BTreeMap<u64, Vec<(usize, Float<'a>)>>,
}

#[derive(Default)]
struct Changed<'a> {
    dropped: bool,
    moved: bool,
    draft: Option<&'a Draft>,
}

enum Float<'a> {
    New(&'a Draft),
    Moved(u64),
}

impl<'a> Changes<'a> {
    fn of(edits: &'a [Edit], length: u64) -> Result<Self, Issue> {
        let wrong = |message: String| Issue { pointer: "/version".into(), message };
        let within = |first: u64, place: u64| {
            let message = || wrong(format!("expected a version from {first} to {length}, found {place}"));
            (first..=length).contains(&place).then_some(()).ok_or_else(message)
        };
        let mut changes = Self { of: BTreeMap::new(), behind: BTreeMap::new() };
        for (index, edit) in edits.iter().enumerate() {
            if let Some(version) = edit.version() {
                within(1, version)?;
                let changed = changes.of.entry(version).or_default();
                let twice = match edit {
                    Edit::Drop { .. } => changed.dropped || changed.moved || changed.draft.is_some(),
                    Edit::Move { .. } => changed.dropped || changed.moved,
                    _ => changed.dropped || changed.draft.is_some(),
                };
                if twice {
                    let message =
                        format!("version {version} is dropped, replaced or moved twice: once is enough");
                    return Err(wrong(message));
                }
                match edit {
                    Edit::Drop { .. } => changed.dropped = true,
                    Edit::Move { .. } => changed.moved = true,
                    Edit::Replace { event, .. } => changed.draft = Some(event),
                    Edit::Insert { .. } => {}
                }
            }
            if let Some(after) = edit.after() {
                within(0, after)?;
                let float = match edit {
                    Edit::Insert { event, .. } => Float::New(event),
                    edit => Float::Moved(edit.version().unwrap_or(0)),
                };
                changes.behind.entry(after).or_default().push((index, float));
            }
        }
        Ok(changes)
    }
}

/// An event of a branch before it has its place.
enum Planned<'a> {
    Kept(&'a Event),
    /// What happened at another time, and the event that lends it that.
    Moved(&'a Event, Option<&'a Event>),
    /// What it says, the original event that lends it its time, and the one that lends it its actor.
    New(&'a Draft, Option<&'a Event>, Option<&'a Event>),
}

impl Planned<'_> {
    fn at(self, original: &Timeline, before: &[Event]) -> Result<Event, Issue> {
        let version = before.len() as u64 + 1;
        let rising = |id: Ulid| match before.last().map(Event::id) {
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
            Planned::Moved(event, time) => event.moved(rising(time.unwrap_or(event).id()), version),
            Planned::New(draft, time, who) => {
                let head = Head {
                    id: rising(time.map_or(Ulid::from_parts(MAX_TIME, 0), Event::id)),
                    name: &draft.name,
                    aggregate: who.map_or(original.domain.name(), Event::aggregate),
                    aggregate_id: original.id(),
                    version,
                    actor: who.map_or("somebody", Event::actor),
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
    /// All its events, also those behind one that does not reduce.
    pub events: Vec<Event>,
    /// The original and the branch beside each other.
    pub rows: Vec<Row>,
}

impl Branch {
    /// The first row in which the two differ.
    pub fn first_difference(&self) -> Option<usize> {
        self.rows.iter().position(|row| row.fate != Fate::Kept)
    }

    /// What `decide` says to the event of a version; none where it was not asked.
    pub fn verdict(&self, version: u64) -> Option<&Verdict> {
        self.verdicts.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }
}

/// A row of the original and a branch beside each other: one event on either side, or on one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The versions that the original and the branch are at behind this row.
    pub at: (u64, u64),
    /// What became of the event.
    pub fate: Fate,
}

/// What becomes of an event in a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is as it was, at the version that it had.
    Kept,
    /// It is as it was, at another version.
    Renumbered,
    /// Something else happened in its place.
    Edited,
    /// It did not happen.
    Dropped,
    /// It happened at another time: here it is no more.
    Left {
        /// Its version in the branch.
        to: u64,
    },
    /// It happened at another time: here.
    Moved {
        /// Its version in the original.
        from: u64,
        /// Whether it says something else as well.
        edited: bool,
        /// The index of the edit that moves it.
        edit: usize,
    },
    /// It happened only here.
    Inserted {
        /// The index of the edit that adds it.
        edit: usize,
    },
}

impl Row {
    /// The version of its event in the original.
    pub fn original(&self) -> Option<u64> {
        (!matches!(self.fate, Fate::Inserted { .. } | Fate::Moved { .. })).then_some(self.at.0)
    }

    /// The version of its event in the branch.
    pub fn branch(&self) -> Option<u64> {
        (!matches!(self.fate, Fate::Dropped | Fate::Left { .. })).then_some(self.at.1)
    }
}

/// Whether an event of a branch could have come about.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Its command decides on just this event, in the state before it.
    Possible,
    /// Its command decides on something else.
    Otherwise(Vec<Draft>),
    /// A rule refuses its command.
    Rejected(Rejection),
    /// Its command is malformed, or fails otherwise.
    Failed(Error),
    /// It does not reduce.
    Impossible(ReduceError),
    /// The domain does not say which command records it.
    Unknown,
}

impl Verdict {
    /// Whether the event could not have come about.
    pub fn refuses(&self) -> bool {
        !matches!(self, Verdict::Possible | Verdict::Unknown)
    }
}

/// A branch that is being decided: see [`Timeline::branching`].
#[derive(Debug)]
pub struct Branching {
    branch: Branch,
    /// The aggregate behind the last event that was decided; none once an event did not reduce.
    head: Option<Box<dyn Instance>>,
}

impl Branching {
    /// The branch as far as it was decided.
    pub fn branch(&self) -> &Branch {
        &self.branch
    }

    /// The branch, as far as it was decided.
    pub fn finish(self) -> Branch {
        self.branch
    }

    /// Decides the next so many events; says whether there are more.
    pub fn step(&mut self, most: usize) -> bool {
        let Branch { timeline, verdicts, events, .. } = &mut self.branch;
        for event in events.iter().skip(verdicts.len()).take(most) {
            let Some(head) = self.head.take() else { break };
            let verdict = judge(timeline.domain, head.as_ref(), event);
            let next = timeline.admit(head, vec![event.clone()]);
            match timeline.problem.clone() {
                Some(problem) => verdicts.push(Verdict::Impossible(problem)),
                None => {
                    verdicts.push(verdict);
                    self.head = Some(next);
                }
            }
        }
        self.head.is_some() && verdicts.len() < events.len()
    }
}

/// The command that records `event`, as its schema of today names it; none where the domain does not say.
///
/// ```
/// use rewound_core::{domains, event::Event, timeline::command_of};
/// let event = Event::parse(r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"MoneyDeposited","aggregateName":"BankAccount",
///     "aggregateId":"a","aggregateVersion":2,"actorId":"ada","amount":2500,"transactionReference":"inv-42","description":"Deposit"}"#).unwrap();
/// let command = command_of(domains::find("BankAccount").unwrap(), &event).unwrap();
/// assert_eq!(command.to_json()["type"], "Deposit");
/// ```
pub fn command_of(domain: &dyn Domain, event: &Event) -> Option<Command> {
    recorded(domain, event).map(|(command, _)| command)
}

/// The command that records `event`, and the event as it should decide it.
fn recorded(domain: &dyn Domain, event: &Event) -> Option<(Command, Draft)> {
    let mut fields: Object = event.payload();
    // What cannot be lifted has no command; whether it reduces all the same is the reducer's to say.
    let event_name = upcast(domain.upcasters(), event.name(), event.schema_version(), &mut fields).ok()?;
    let shape = domain.events().iter().find(|shape| shape.name == event_name)?;
    let name = shape.schema.get("x-command").and_then(Value::as_str);
    let command = domain.commands().iter().find(|command| Some(command.name.as_str()) == name)?;
    prune(&shape.schema, &mut fields);
    let draft = Draft { name: event_name.to_owned(), fields: fields.clone() };
    fields.retain(|name, _| command.fields().any(|(field, _)| field == name));
    Some((Command { name: command.name.clone(), fields }, draft))
}

/// Decides the command that records `event` in the state before it.
fn judge(domain: &dyn Domain, before: &dyn Instance, event: &Event) -> Verdict {
    let Some((command, draft)) = recorded(domain, event) else { return Verdict::Unknown };
    let decided = domain.validate(&command).and_then(|_| before.decide(&command, event.actor()));
    match decided {
        Ok(drafts) if drafts == [draft] => Verdict::Possible,
        Ok(drafts) => Verdict::Otherwise(drafts),
        Err(Error::Rejected(rejection)) => Verdict::Rejected(rejection),
        Err(Error::NotFound { .. }) => Verdict::Rejected(Rejection::not_found()),
        Err(error) => Verdict::Failed(error),
    }
}

/// Leaves only the fields that a schema knows, at any depth: what an event says beyond them was written by
/// others, and decides nothing.
pub(super) fn prune(schema: &Value, fields: &mut Object) {
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
