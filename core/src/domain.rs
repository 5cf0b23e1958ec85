//! A domain with its types erased: what every shell, store and tool works with, whether the domain was
//! written in Rust, is the [generic](crate::domains::generic) one, or comes from elsewhere.
//!
//! A [`Domain`] describes a kind of aggregate and makes [`Instance`]s; an `Instance` is one aggregate at
//! one version, which applies events and decides commands. Values cross this line as JSON only where
//! they have to: an `Instance` keeps its state in the domain's own type while it replays.

#[cfg(feature = "replay")]
use crate::replay::{Record, Unapplied};
use crate::{
    aggregate::{Aggregate, Context, Meta, Once, Versioned, decode, reduce},
    error::{Error, Issue, Problem, ReduceError, Rejection, Result},
    event::{Event, Head, Text, Trace},
    number::MAX_SAFE,
    schema::{self, Described, Shape, shapes, validate},
    time::{Millis, rising_ids, to_iso},
    upcast::{Upcaster, newest},
    value::{Object, text},
    wire,
};
use serde_json::{Value, json};
#[cfg(feature = "replay")]
use std::any::Any;
use std::{fmt, marker::PhantomData, sync::OnceLock};

/// A kind of aggregate.
pub trait Domain: fmt::Debug {
    /// The name on the wire.
    fn name(&self) -> &str;

    /// Which reducer this is: a [`Snapshot`] with another fingerprint is not read.
    fn fingerprint(&self) -> u64;

    /// The commands that it knows, in the order in which they are declared.
    fn commands(&self) -> &[Shape];

    /// The events that it knows, in the order in which they are declared.
    fn events(&self) -> &[Shape];

    /// The JSON Schema of its state's own fields.
    fn state(&self) -> &Value;

    /// Checks a command's form, whatever the state; gives its name among those that take effect once for
    /// good ([`Aggregate::once`]), if it is one.
    ///
    /// # Errors
    /// [`Error::UnknownCommand`], or [`Error::Invalid`] with every bad field.
    fn validate(&self, command: &Command) -> Result<Option<Once>>;

    /// The steps from older schema versions of its events to today's.
    fn upcasters(&self) -> &[Upcaster];

    /// An aggregate to which nothing has happened yet.
    fn start(&self, id: &str) -> Box<dyn Instance>;

    /// An aggregate as a snapshot has it.
    ///
    /// # Errors
    /// A snapshot that another reducer wrote, or one that does not hold a state: replay from the events.
    fn resume(&self, snapshot: &Snapshot) -> Result<Box<dyn Instance>, SnapshotError>;

    /// An aggregate that was taken in its [`own`](Instance::own) type, as it was before; none where it is another's.
    #[cfg(feature = "replay")]
    fn erase(&self, _own: Box<dyn Any>) -> Option<Box<dyn Instance>> {
        None
    }
}

/// One aggregate at one version.
pub trait Instance: fmt::Debug {
    /// The aggregate's id.
    fn id(&self) -> &str;

    /// Where in its stream it is; none before the first event.
    fn meta(&self) -> Option<&Meta>;

    /// The aggregate after the event. Whoever may need the state before it keeps a [`fork`](Self::fork).
    ///
    /// # Errors
    /// An event that cannot come next; the instance is spent.
    fn apply(self: Box<Self>, event: &Event) -> Result<Box<dyn Instance>, ReduceError>;

    /// The aggregate after these events: for a reducer that is far away, all of them go there at once.
    ///
    /// # Errors
    /// The first event that cannot come next; the instance is spent.
    fn apply_all(self: Box<Self>, events: &[Event]) -> Result<Box<dyn Instance>, ReduceError>;

    /// As [`apply`](Self::apply), of an event that was not read in full. Who has no quicker way to read it
    /// need not write one.
    ///
    /// # Errors
    /// Where `apply` has one, which says what is wrong.
    #[cfg(feature = "replay")]
    fn apply_record(self: Box<Self>, record: &Record<'_>) -> Result<Box<dyn Instance>, Unapplied> {
        let event = record.event().map_err(|_| Unapplied)?;
        self.apply(&event).map_err(|_| Unapplied)
    }

    /// Itself in its own type, for who knows that; [`Domain::erase`] is the way back.
    #[cfg(feature = "replay")]
    fn own(self: Box<Self>) -> Option<Box<dyn Any>> {
        None
    }

    /// The events with which it would answer a command that [`Domain::validate`] let pass: none where
    /// everything is as the command wants.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::UnknownCommand`], [`Error::Rejected`], [`Error::NotFound`].
    fn decide(&self, command: &Command, actor: &str) -> Result<Vec<Draft>>;

    /// Its state as JSON; none before the first event.
    fn snapshot(&self) -> Option<Snapshot>;

    /// A copy, to go another way from here.
    fn fork(&self) -> Box<dyn Instance>;
}

impl dyn Instance + '_ {
    /// How many events made it.
    pub fn version(&self) -> u64 {
        self.meta().map_or(0, |meta| meta.version)
    }
}

impl Clone for Box<dyn Instance> {
    fn clone(&self) -> Self {
        self.fork()
    }
}

/// Applies events in their order: what [`Instance::apply_all`] is where an event alone costs no more.
pub(crate) fn one_by_one(
    instance: Box<dyn Instance>,
    events: &[Event],
) -> Result<Box<dyn Instance>, ReduceError> {
    events.iter().try_fold(instance, |instance, event| instance.apply(event))
}

/// A command: its name and its fields.
///
/// ```
/// use rewound_core::domain::Command;
/// use serde_json::json;
/// let deposit = Command::from_json(&json!({"type": "Deposit", "amount": 2500})).unwrap();
/// assert_eq!((deposit.name.as_str(), &deposit.fields["amount"]), ("Deposit", &json!(2500)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Its name, such as `Deposit`.
    pub name: String,
    /// Its fields.
    pub fields: Object,
}

impl Command {
    /// A command from its name and a JSON object of its fields.
    pub fn new(name: impl Into<String>, fields: Value) -> Result<Self> {
        match fields {
            Value::Object(fields) => Ok(Self { name: name.into(), fields }),
            _ => Err(Error::Invalid(vec![Issue {
                pointer: String::new(),
                message: "expected an object with the command's fields".into(),
            }])),
        }
    }

    /// A command from one object: the name under `type`, the fields beside it.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no object, or has no `type`.
    pub fn from_json(value: &Value) -> Result<Self> {
        let mut fields = value.as_object().cloned().unwrap_or_default();
        match fields.shift_remove("type") {
            Some(Value::String(name)) => Ok(Self { name, fields }),
            _ => Err(Error::Invalid(vec![Issue {
                pointer: "/type".into(),
                message: "expected the name of the command".into(),
            }])),
        }
    }

    /// The command as one object, as [`from_json`](Self::from_json) reads it.
    pub fn to_json(&self) -> Value {
        let mut object = Object::from_iter([("type".to_owned(), Value::from(self.name.clone()))]);
        object.extend(self.fields.clone());
        object.into()
    }
}

/// An event that was decided and has no place in a stream yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The event's name.
    pub name: String,
    /// Its payload.
    pub fields: Object,
}

/// Who sends a command, when, and with what: all that a new event needs and no state knows.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// Who sends the command.
    pub actor: String,
    /// What caused it.
    pub trace: Trace,
    /// The shell's clock, in milliseconds since the epoch.
    pub now: Millis,
    /// 80 random bits for the first event's id.
    pub random: u128,
}

/// Decides a command and puts the events in their place, right behind the instance's version.
///
/// ```
/// use rewound_core::{domain::{decide, Command, Sender}, domains};
/// use serde_json::json;
/// let account = domains::find("BankAccount").unwrap();
/// let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR"}))?;
/// let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
/// let events = decide(account, account.start("a1").as_ref(), &open, &by)?;
/// assert_eq!((events[0].name(), events[0].version()), ("AccountOpened", 1));
/// # Ok::<_, rewound_core::error::Error>(())
/// ```
///
/// # Errors
/// As [`Instance::decide`].
pub fn decide(
    domain: &dyn Domain,
    instance: &dyn Instance,
    command: &Command,
    by: &Sender,
) -> Result<Vec<Event>> {
    domain.validate(command)?;
    let drafts = instance.decide(command, &by.actor)?;
    let after = instance.meta().and_then(|meta| meta.updated_at);
    let ids = rising_ids(by.now, after, by.random);
    let versions = instance.version() + 1..;
    let events = drafts.into_iter().zip(ids).zip(versions).map(|((draft, id), version)| {
        let head = Head {
            id,
            name: &draft.name,
            aggregate: domain.name(),
            aggregate_id: instance.id(),
            version,
            actor: &by.actor,
            schema_version: newest(domain.upcasters(), &draft.name),
            trace: &by.trace,
        };
        Event::write(&head, draft.fields)
    });
    events.collect::<Result<_, Issue>>().map_err(|issue| Error::Invalid(vec![issue]))
}

/// A state at a version, as it is stored and shown: a row is a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Where in its stream it is.
    pub meta: Meta,
    /// The state's own fields.
    pub state: Object,
    /// The reducer that made it.
    pub fingerprint: u64,
}

/// Why a snapshot cannot be used. Its events can.
#[derive(Debug, Clone, PartialEq)]
pub enum SnapshotError {
    /// Another reducer made it.
    Stale,
    /// It does not hold a state of the domain.
    Corrupt(Issue),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Stale => f.write_str("another reducer made the snapshot: replay the events"),
            SnapshotError::Corrupt(issue) => write!(f, "the snapshot holds no state: {issue}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Meta {
    /// As the wire shows it: `{id, version, actorId, updatedAt}`.
    pub fn to_json(&self) -> Value {
        let Meta { id, version, actor, updated_at } = self;
        let mut meta = json!({ "id": **id, "version": version, "actorId": **actor });
        if let (Some(time), Value::Object(meta)) = (updated_at, &mut meta) {
            meta.insert("updatedAt".into(), to_iso(*time).into());
        }
        meta
    }
}

impl Snapshot {
    /// The state as the wire shows it: `$meta: {id, version, actorId, updatedAt}` beside its own fields.
    pub fn to_json(&self) -> Value {
        let mut object = Object::from_iter([("$meta".to_owned(), self.meta.to_json())]);
        object.extend(self.state.clone());
        object.into()
    }

    /// Reads a state from the form of [`to_json`](Self::to_json), trusting that the reducer with this
    /// fingerprint made it.
    ///
    /// # Errors
    /// What is missing in its `$meta`.
    pub fn from_json(value: &Value, fingerprint: u64) -> Result<Self, Issue> {
        let wrong = |pointer: &str, message: &str| Issue { pointer: pointer.into(), message: message.into() };
        let mut state = value.as_object().cloned().ok_or_else(|| wrong("", "expected a state: an object"))?;
        let meta = state.shift_remove("$meta").ok_or_else(|| wrong("/$meta", "it is missing"))?;
        let text = |name: &str| meta.get(name).and_then(Value::as_str);
        Ok(Self {
            meta: Meta {
                id: text("id").ok_or_else(|| wrong("/$meta/id", "expected text"))?.into(),
                version: (meta.get("version").and_then(Value::as_u64))
                    .filter(|version| (1..=MAX_SAFE as u64).contains(version))
                    .ok_or_else(|| wrong("/$meta/version", "expected an integer from 1 to 2^53 − 1"))?,
                actor: text("actorId").ok_or_else(|| wrong("/$meta/actorId", "expected text"))?.into(),
                updated_at: match meta.get("updatedAt") {
                    None | Some(Value::Null) => None,
                    Some(time) => Some(
                        (time.as_str().and_then(crate::time::parse_iso))
                            .ok_or_else(|| wrong("/$meta/updatedAt", "expected an RFC 3339 time"))?,
                    ),
                },
            },
            state,
            fingerprint,
        })
    }

    /// Checks that the snapshot was made by the reducer of `domain`.
    ///
    /// # Errors
    /// [`SnapshotError::Stale`] where it was not.
    pub fn written_by(&self, domain: &dyn Domain) -> Result<(), SnapshotError> {
        if self.fingerprint == domain.fingerprint() { Ok(()) } else { Err(SnapshotError::Stale) }
    }
}

/// A domain written in Rust, with its types erased.
pub struct Compiled<A> {
    commands: OnceLock<Vec<Shape>>,
    events: OnceLock<Vec<Shape>>,
    state: OnceLock<Value>,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Aggregate> Compiled<A> {
    /// The domain of the aggregate `A`.
    #[allow(clippy::new_without_default, reason = "a constant for statics, where Default has no say")]
    pub const fn new() -> Self {
        Self {
            commands: OnceLock::new(),
            events: OnceLock::new(),
            state: OnceLock::new(),
            aggregate: PhantomData,
        }
    }
}

impl<A: Aggregate> fmt::Debug for Compiled<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A::NAME)
    }
}

impl<A: Aggregate> Domain for Compiled<A> {
    fn name(&self) -> &str {
        A::NAME
    }

    fn fingerprint(&self) -> u64 {
        A::FINGERPRINT
    }

    fn commands(&self) -> &[Shape] {
        self.commands.get_or_init(shapes::<A::Command>)
    }

    fn events(&self) -> &[Shape] {
        self.events.get_or_init(shapes::<A::Event>)
    }

    fn state(&self) -> &Value {
        self.state.get_or_init(schema::of::<A::State>)
    }

    fn validate(&self, command: &Command) -> Result<Option<Once>> {
        check(self.commands(), command)?;
        Ok(A::once(&typed::<A>(command)?))
    }

    fn upcasters(&self) -> &[Upcaster] {
        A::UPCASTERS
    }

    fn start(&self, id: &str) -> Box<dyn Instance> {
        Box::new(Typed::<A>::new(id))
    }

    fn resume(&self, snapshot: &Snapshot) -> Result<Box<dyn Instance>, SnapshotError> {
        snapshot.written_by(self)?;
        let state =
            A::State::from_object(&snapshot.state).map_err(|misfit| SnapshotError::Corrupt(*misfit))?;
        let meta = snapshot.meta.clone();
        Ok(Box::new(Typed::<A> { id: meta.id.clone(), meta: Some(meta), state: Some(state) }))
    }

    #[cfg(feature = "replay")]
    fn erase(&self, own: Box<dyn Any>) -> Option<Box<dyn Instance>> {
        let own: Box<Typed<A>> = own.downcast().ok()?;
        Some(own)
    }
}

/// Checks the form of a command against the shapes of those that there are.
fn check(commands: &[Shape], command: &Command) -> Result<()> {
    let shape = commands.iter().find(|shape| shape.name == command.name).ok_or_else(|| {
        let known = commands.iter().map(|shape| shape.name.clone()).collect();
        Error::UnknownCommand { name: command.name.clone(), known }
    })?;
    let issues = validate(&shape.schema, &Value::Object(command.fields.clone()));
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

fn typed<A: Aggregate>(command: &Command) -> Result<A::Command> {
    wire::read(&command.name, &text(&command.fields)).map_err(|misfit| Error::Invalid(vec![*misfit]))
}

fn drafts(events: Vec<Value>) -> Result<Vec<Draft>> {
    let draft = |event| match wire::split(event) {
        Ok((name, fields)) => Ok(Draft { name, fields }),
        Err(misfit) => Err(Error::Invalid(vec![*misfit])),
    };
    events.into_iter().map(draft).collect()
}

/// Whether an event is of this aggregate.
///
/// # Errors
/// [`Problem::Foreign`] where it is not.
pub fn belongs(event: &Event, aggregate: &str, id: &str) -> Result<(), ReduceError> {
    if (event.aggregate(), event.aggregate_id()) == (aggregate, id) {
        return Ok(());
    }
    let expected = format!("{aggregate}/{id}");
    let found = format!("{}/{}", event.aggregate(), event.aggregate_id());
    Err(Problem::Foreign { expected, found }.of(event))
}

pub(crate) struct Typed<A: Aggregate> {
    pub(crate) id: Text,
    pub(crate) meta: Option<Meta>,
    /// There where `meta` is.
    pub(crate) state: Option<A::State>,
}

impl<A: Aggregate> Typed<A> {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.into(), meta: None, state: None }
    }
}

impl<A: Aggregate> fmt::Debug for Typed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.snapshot() {
            Some(snapshot) => snapshot.to_json().fmt(f),
            None => write!(f, "{}/{} before its first event", A::NAME, self.id),
        }
    }
}

impl<A: Aggregate> Instance for Typed<A> {
    fn id(&self) -> &str {
        &self.id
    }

    fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    fn apply(mut self: Box<Self>, event: &Event) -> Result<Box<dyn Instance>, ReduceError> {
        if self.meta.is_none() {
            belongs(event, A::NAME, &self.id)?;
        }
        let now = self.meta.take().zip(self.state.take()).map(|(meta, state)| Versioned { meta, state });
        if let Some(now) = reduce::<A>(now, [&decode::<A>(event)?])? {
            (self.meta, self.state) = (Some(now.meta), Some(now.state));
        }
        Ok(self)
    }

    fn apply_all(self: Box<Self>, events: &[Event]) -> Result<Box<dyn Instance>, ReduceError> {
        one_by_one(self, events)
    }

    #[cfg(feature = "replay")]
    fn own(self: Box<Self>) -> Option<Box<dyn Any>> {
        Some(self)
    }

    fn decide(&self, command: &Command, actor: &str) -> Result<Vec<Draft>> {
        let of = Context { id: &self.id, actor };
        let events = A::decide(self.state.as_ref(), typed::<A>(command)?, of).map_err(|rejection| {
            if rejection.code == Rejection::NOT_FOUND {
                Error::NotFound { aggregate: A::NAME.to_owned(), id: self.id.to_string() }
            } else {
                Error::Rejected(rejection)
            }
        })?;
        drafts(events.iter().map(Described::to_json).collect())
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let Value::Object(state) = self.state.as_ref()?.to_json() else { return None };
        Some(Snapshot { meta: self.meta.clone()?, state, fingerprint: A::FINGERPRINT })
    }

    fn fork(&self) -> Box<dyn Instance> {
        Box::new(Typed::<A> { id: self.id.clone(), meta: self.meta.clone(), state: self.state.clone() })
    }
}
