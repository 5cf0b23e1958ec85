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
        branching.step(self, usize::MAX);
        Ok(branching.branch)
    }

    /// As [`branch`](Self::branch), a slice at a time, for long histories: how the two stand beside each other
    /// is known at once, the events, verdicts and states come with each [`step`](Branching::step). What the branch
    /// begins with in common with a `known` one of this timeline is taken from there.
    ///
    /// # Errors
    /// As [`branch`](Self::branch).
    pub fn branching(&self, edits: &[Edit], known: Option<&Branch>) -> Result<Branching, Issue> {
        let rows = self.rows(edits)?;
        let of = |edits, rows| Branch {
            timeline: Timeline::empty(self.domain, self.id()),
            verdicts: Vec::new(),
            irreducible: None,
            rows,
            edits,
        };
        let mut branch = of(edits.to_vec(), rows);
        if let Some(known) = known {
            let common = branch.sources().zip(known.sources()).take_while(|(one, other)| one == other);
            let common = common.count().min(known.timeline.events.len());
            branch.timeline = known.timeline.until(common);
            branch.verdicts = known.verdicts.iter().take(common).cloned().collect();
        }
        let head = branch.timeline.seek(u64::MAX).ok();
        // The first row whose event is still to come.
        let decided = branch.timeline.len();
        let next = branch.rows.partition_point(|row| row.at.1 <= decided);
        Ok(Branching { branch, head, next })
    }

    /// An edit to begin with: the first event without which `decide` would refuse another that follows. It looks
    /// at the start of the history only; none where nothing there depends on anything.
    pub fn telling_drop(&self) -> Option<Edit> {
        const FIRST: usize = 24;
        let start = self.until(FIRST.min(self.events.len()));
        let refused = |edits: &[Edit]| {
            let verdicts = start.branch(edits).map(|branch| branch.verdicts).unwrap_or_default();
            verdicts.iter().filter(|verdict| verdict.refuses()).count()
        };
        let as_it_was = refused(&[]);
        // Without its first event a history is none.
        let mut drops = (2..=start.len()).map(|version| Edit::Drop { version });
        drops.find(|drop| refused(std::slice::from_ref(drop)) > as_it_was)
    }

    /// How the original and the branch stand beside each other.
    fn rows(&self, edits: &[Edit]) -> Result<Vec<Row>, Issue> {
        let changes = Changes::of(edits, self)?;
        let mut rows = Vec::with_capacity(self.events.len() + edits.len());
        let mut version = 0;
        let mut places: BTreeMap<u64, u64> = BTreeMap::new();
        for slot in 0..=self.len() {
            let fate = match changes.of.get(&slot) {
                None if version + 1 == slot => Fate::Kept,
                None => Fate::Renumbered,
                Some(Changed { dropped: true, .. }) => Fate::Dropped,
                Some(Changed { moved: true, .. }) => Fate::Left { to: 0 },
                Some(_) => Fate::Edited,
            };
            // At slot 0 nothing happened yet.
            if slot > 0 {
                version += u64::from(!matches!(fate, Fate::Dropped | Fate::Left { .. }));
                rows.push(Row { at: (slot, version), fate });
            }
            for (edit, moved) in changes.behind.get(&slot).into_iter().flatten() {
                version += 1;
                let edit = *edit;
                let fate = match *moved {
                    None => Fate::Inserted { edit },
                    Some(from) => {
                        places.insert(from, version);
                        let edited = changes.of.get(&from).is_some_and(|changed| changed.replaced);
                        Fate::Moved { from, edited, edit }
                    }
                };
                rows.push(Row { at: (slot, version), fate });
            }
        }
        for (from, place) in places {
            let left = rows.partition_point(|row| row.at.0 < from);
            if let Some(Row { fate: Fate::Left { to }, .. }) = rows.get_mut(left) {
                *to = place;
            }
        }
        Ok(rows)
    }

    /// The event of a version; none at 0.
    pub fn event(&self, version: u64) -> Option<&Event> {
        self.events.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }

    /// The event that a branch has at a place.
    fn planned(&self, source: &Source<'_>, version: u64, last: Option<Ulid>) -> Result<Event, Issue> {
        let rising = |id: Ulid| match last {
            Some(last) if id <= last => match last.increment() {
                Ok(next) | Err(next) => next,
            },
            _ => id,
        };
        let event = source.original.and_then(|version| self.event(version));
        // An event lends what is put behind it its time, and an inserted one its actor.
        let beside = self.event(source.slot).or(self.events.first());
        let id = rising(beside.map_or(Ulid::from_parts(MAX_TIME, 0), Event::id));
        let who = event.or(beside);
        match (event, source.draft) {
            (Some(event), None) if event.version() == version && id == event.id() => Ok(event.clone()),
            (Some(event), None) => event.moved(id, version),
            (_, draft) => {
                let empty = Draft { name: String::new(), fields: Object::new() };
                let draft = draft.unwrap_or(&empty);
                let head = Head {
                    id,
                    name: &draft.name,
                    aggregate: who.map_or(self.domain.name(), Event::aggregate),
                    aggregate_id: self.id(),
                    version,
                    actor: who.map_or("somebody", Event::actor),
                    schema_version: newest(self.domain.upcasters(), &draft.name),
                    trace: &Default::default(),
                };
                Event::write(&head, draft.fields.clone())
            }
        }
    }
}

/// Where an event of a branch comes from.
#[derive(PartialEq)]
struct Source<'a> {
    /// The original event.
    original: Option<u64>,
    /// What it says, where that is something else.
    draft: Option<&'a Draft>,
    /// The version of the original that it stands at or behind.
    slot: u64,
}

/// What the edits say, by the place that they say it of.
struct Changes {
    of: BTreeMap<u64, Changed>,
    /// What comes behind an event: the index of its edit, and the version of an original event that is moved there.
    behind: BTreeMap<u64, Vec<(usize, Option<u64>)>>,
}

#[derive(Default)]
struct Changed {
    dropped: bool,
    moved: bool,
    replaced: bool,
}

impl Changes {
    fn of(edits: &[Edit], original: &Timeline) -> Result<Self, Issue> {
        let length = original.len();
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
                let Changed { dropped, moved, replaced } = changed;
                let (word, clash) = match edit {
                    Edit::Drop { .. } => (&mut *dropped, *moved || *replaced),
                    Edit::Move { .. } => (&mut *moved, *dropped),
                    _ => (&mut *replaced, *dropped),
                };
                if std::mem::replace(word, true) || clash {
                    let message =
                        format!("version {version} is dropped, replaced or moved twice: once is enough");
                    return Err(wrong(message));
                }
            }
            if let Some(after) = edit.after() {
                within(0, after)?;
                changes.behind.entry(after).or_default().push((index, edit.version()));
            }
            if let Some(draft) = edit.draft() {
                // What can be written once can be written at any place.
                original.planned(&Source { original: None, draft: Some(draft), slot: 0 }, 1, None)?;
            }
        }
        Ok(changes)
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
    /// The event that does not reduce, where there is one.
    pub irreducible: Option<Event>,
    /// The original and the branch beside each other.
    pub rows: Vec<Row>,
    /// The edits that make it.
    pub edits: Vec<Edit>,
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

    /// What the event of a row says in the branch, whether it was decided yet or not; none where the branch has no
    /// event there.
    pub fn says(&self, original: &Timeline, row: &Row) -> Option<Draft> {
        let Source { original: version, draft, .. } = self.source(row)?;
        let said = |event: &Event| Draft { name: event.name().to_owned(), fields: event.payload() };
        draft.cloned().or_else(|| Some(said(original.event(version?)?)))
    }

    fn source(&self, row: &Row) -> Option<Source<'_>> {
        let slot = row.at.0;
        let draft_of = |version: u64| {
            let mut drafts = self.edits.iter().filter(|edit| edit.version() == Some(version));
            drafts.find_map(Edit::draft)
        };
        let (original, draft) = match row.fate {
            Fate::Kept | Fate::Renumbered => (Some(slot), None),
            Fate::Edited => (Some(slot), draft_of(slot)),
            Fate::Moved { from, edited, .. } => (Some(from), edited.then(|| draft_of(from)).flatten()),
            Fate::Inserted { edit } => (None, self.edits.get(edit).and_then(Edit::draft)),
            Fate::Dropped | Fate::Left { .. } => return None,
        };
        Some(Source { original, draft, slot })
    }

    fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.rows.iter().filter_map(|row| self.source(row))
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
    /// The index of the next row.
    next: usize,
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

    /// Decides what the next so many rows of the branch of `original` hold; says whether there are more.
    pub fn step(&mut self, original: &Timeline, most: usize) -> bool {
        let end = self.next.saturating_add(most).min(self.branch.rows.len());
        while self.next < end {
            let Some(head) = self.head.take() else { break };
            let source = self.branch.rows.get(self.next).and_then(|row| self.branch.source(row));
            self.next += 1;
            let Some(source) = source else {
                self.head = Some(head);
                continue;
            };
            let timeline = &self.branch.timeline;
            let last = timeline.events.last().map(Event::id);
            // Every draft was written once, to see that it can be: this is no error.
            let Ok(event) = original.planned(&source, timeline.len() + 1, last) else { break };
            let Branch { timeline, verdicts, irreducible, .. } = &mut self.branch;
            let verdict = judge(timeline.domain, head.as_ref(), &event);
            let next = timeline.admit(head, vec![event.clone()]);
            match timeline.problem.clone() {
                Some(problem) => {
                    verdicts.push(Verdict::Impossible(problem));
                    *irreducible = Some(event);
                }
                None => {
                    verdicts.push(verdict);
                    self.head = Some(next);
                }
            }
        }
        self.head.is_some() && self.next < self.branch.rows.len()
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
