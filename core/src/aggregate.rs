//! An aggregate is three pure functions on one page: [`decide`](Aggregate::decide),
//! [`evolve`](Aggregate::evolve), and its initial state, which is none.

use crate::{
    error::{Issue, Problem, ReduceError, Rejection},
    event::{Event, Text, payload},
    schema::{Described, Type, shapes_of, validate},
    time::{Millis, Ulid},
    upcast::{Upcaster, is_current, upcast},
    wire,
};
use serde_json::Value;
use std::borrow::Cow;

/// A kind of aggregate, written in Rust. The examples in [`domains`](crate::domains) each fit on a page.
///
/// Commands and events are enums whose variants have named fields (`Publish {}`, not `Publish`): the
/// variant is the name on the wire, its fields stand flat beside it.
///
/// ```
/// use rewound_core::{
///     aggregate::{Aggregate, Context, fingerprint},
///     domain::{Command, Compiled, Sender},
///     error::{Issue, Problem, Rejection},
///     run::{Options, run},
///     schema::Described,
///     store::MemoryStore,
/// };
///
/// #[derive(Described)]
/// #[described(closed)]
/// enum LampCommand { Install {}, Switch { on: bool } }
///
/// #[derive(Described)]
/// enum LampEvent { Installed {}, Switched { on: bool } }
///
/// #[derive(Clone, Described)]
/// struct LampState { on: bool }
///
/// struct Lamp;
///
/// impl Aggregate for Lamp {
///     const NAME: &'static str = "Lamp";
///     const FINGERPRINT: u64 = fingerprint(&[file!().as_bytes()]); // include_bytes!("lamp.rs") in a file
///     type Command = LampCommand;
///     type Event = LampEvent;
///     type State = LampState;
///
///     fn decide(lamp: Option<&LampState>, command: LampCommand, _: Context) -> Result<Vec<LampEvent>, Rejection> {
///         match (lamp, command) {
///             (None, LampCommand::Install {}) => Ok(vec![LampEvent::Installed {}]),
///             (Some(_), LampCommand::Install {}) => Err(Rejection::already_exists()),
///             (None, _) => Err(Rejection::not_found()),
///             (Some(lamp), LampCommand::Switch { on }) if lamp.on == on => Ok(vec![]),
///             (Some(_), LampCommand::Switch { on }) => Ok(vec![LampEvent::Switched { on }]),
///         }
///     }
///
///     fn evolve(lamp: Option<LampState>, event: &LampEvent, _: Context) -> Result<LampState, Problem> {
///         match (lamp, event) {
///             (None, LampEvent::Installed {}) => Ok(LampState { on: false }),
///             (Some(_), LampEvent::Installed {}) => Err(Problem::AlreadyCreated),
///             (None, _) => Err(Problem::NotCreated),
///             (Some(_), LampEvent::Switched { on }) => Ok(LampState { on: *on }),
///         }
///     }
/// }
///
/// static LAMP: Compiled<Lamp> = Compiled::new();
/// let (mut store, by) = (MemoryStore::new(), Sender { actor: "ada".into(), ..Sender::default() });
/// for (name, fields) in [("Install", "{}"), ("Switch", r#"{"on":true}"#)] {
///     let command = Command::new(name, serde_json::from_str(fields).unwrap())?;
///     run(&mut store, &LAMP, "kitchen", command, &by, Options::default())?;
/// }
/// assert_eq!(store.stream("Lamp", "kitchen").unwrap().events[1].name(), "Switched");
/// # Ok::<_, rewound_core::error::Error>(())
/// ```
pub trait Aggregate: Sized + 'static {
    /// The name on the wire, such as `BankAccount`.
    const NAME: &'static str;
    /// Says which reducer this is: see [`fingerprint`].
    const FINGERPRINT: u64;
    /// The steps from older schema versions of its events to today's.
    const UPCASTERS: &'static [Upcaster] = &[];
    /// What it can be asked to do.
    type Command: Described;
    /// What can have happened to it.
    type Event: Described;
    /// What it is, as far as its commands need to know.
    type State: Described + Clone;

    /// Decides what happens. No event at all means that everything is as the command wants it.
    ///
    /// # Errors
    /// The rule that refuses the command in this state.
    fn decide(
        state: Option<&Self::State>,
        command: Self::Command,
        of: Context<'_>,
    ) -> Result<Vec<Self::Event>, Rejection>;

    /// The state after an event. It repeats no rule: what happened, happened.
    ///
    /// # Errors
    /// An event that cannot come next in any history: a second creation, a change before the creation,
    /// a sum that no state can hold.
    fn evolve(
        state: Option<Self::State>,
        event: &Self::Event,
        of: Context<'_>,
    ) -> Result<Self::State, Problem>;

    /// Names a command that must take effect once for good, however often and by whomever it is sent,
    /// such as the credit of a transfer. The store keeps the name beside the stream, so that the state
    /// need not remember every one.
    ///
    /// Of several commands with one name, even to different aggregates of the kind, one takes effect; the
    /// others end as [`Error::Settled`](crate::error::Error::Settled).
    fn once(_command: &Self::Command) -> Option<Once> {
        None
    }
}

/// The name under which a command takes effect once for good: see [`Aggregate::once`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The aggregate of the same kind whose name it is; the one that the command goes to where none is said.
    pub owner: Option<String>,
    /// The name, one of its owner's own.
    pub name: String,
}

/// What `decide` and `evolve` may know beside the state: whose aggregate, and who acts.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The aggregate's id.
    pub id: &'a str,
    /// Who sends the command, or did what the event says.
    pub actor: &'a str,
}

/// A number that changes whenever one of these sources does: a state that another reducer wrote is
/// known by it, and never read. It is FNV-1a (64 bits; Fowler, Noll, Vo), computed by the compiler.
///
/// ```
/// use rewound_core::aggregate::fingerprint;
/// const A: u64 = fingerprint(&[b"balance + amount"]);
/// assert_ne!(A, fingerprint(&[b"balance - amount"]));
/// ```
pub const fn fingerprint(sources: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut sources = sources;
    while let Some((source, others)) = sources.split_first() {
        let mut bytes: &[u8] = source;
        while let Some((byte, rest)) = bytes.split_first() {
            hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
            bytes = rest;
        }
        sources = others;
    }
    hash
}

/// Where in its stream an aggregate is: the `$meta` of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The aggregate's id.
    pub id: Text,
    /// How many events made the state, 1 or more.
    pub version: u64,
    /// Who acted last.
    pub actor: Text,
    /// When, in milliseconds since the epoch. A row that a foreign writer created may not say.
    pub updated_at: Option<Millis>,
}

/// A state, and where in its stream it is.
#[derive(Debug, Clone)]
pub struct Versioned<S> {
    /// Where it is.
    pub meta: Meta,
    /// What it is.
    pub state: S,
}

/// An event in its domain's own type: what [`reduce`] folds.
#[derive(Debug, Clone)]
pub struct Decoded<E> {
    /// The event's id.
    pub id: Ulid,
    /// Its name.
    pub name: Text,
    /// The aggregate's id.
    pub aggregate_id: Text,
    /// Its place in the stream, from 1.
    pub version: u64,
    /// Who did it.
    pub actor: Text,
    /// What it says.
    pub event: E,
}

/// Reads an event in its domain's type, lifted to today's schema.
///
/// # Errors
/// Another kind of aggregate's event, an unknown name, a payload that does not fit.
pub fn decode<A: Aggregate>(event: &Event) -> Result<Decoded<A::Event>, ReduceError> {
    let today = today(A::NAME, A::UPCASTERS, event).map_err(|problem| problem.of(event))?;
    Ok(Decoded {
        event: wire::read(today.name, &today.json)
            .map_err(|misfit| unfit(A::Event::TYPE, &today, *misfit).of(event))?,
        id: event.id(),
        name: event.shared_name().clone(),
        aggregate_id: event.shared_aggregate_id().clone(),
        version: event.version(),
        actor: event.shared_actor().clone(),
    })
}

/// An event in today's schema: its name, and an object with the fields of its payload.
struct Today<'e> {
    name: &'e str,
    json: Cow<'e, str>,
}

fn today<'e>(aggregate: &str, upcasters: &[Upcaster], event: &'e Event) -> Result<Today<'e>, Problem> {
    if event.aggregate() != aggregate {
        return Err(Problem::Foreign {
            expected: aggregate.to_owned(),
            found: format!("{}/{}", event.aggregate(), event.aggregate_id()),
        });
    }
    let (name, version) = (event.name(), event.schema_version());
    if is_current(upcasters, name, version) {
        return Ok(Today { name, json: event.as_json().into() });
    }
    let mut payload = event.payload();
    let name = upcast(upcasters, name, version, &mut payload)?;
    Ok(Today { name, json: Value::Object(payload).to_string().into() })
}

/// What is wrong with an event that was not read: its schema knows the place.
fn unfit(events: &Type, event: &Today<'_>, misfit: Issue) -> Problem {
    let shapes = shapes_of(events);
    let Some(shape) = shapes.iter().find(|shape| shape.name == event.name) else {
        return Problem::Unknown { known: shapes.into_iter().map(|shape| shape.name).collect() };
    };
    let payload = payload(&event.json);
    let issue = validate(&shape.schema, &payload.into()).into_iter().next();
    Problem::Payload(issue.unwrap_or(misfit))
}

/// Folds events onto a state, strictly: versions run on without a gap, and all are one aggregate's.
///
/// ```
/// use rewound_core::{aggregate::{decode, reduce}, domains::bank_account::BankAccount, event::Event};
/// let opened = Event::parse(r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"AccountOpened","aggregateName":"BankAccount","aggregateId":"a","aggregateVersion":1,"actorId":"ada","accountHolderId":"ada","initialDeposit":100,"currency":"EUR"}"#).unwrap();
/// let account = reduce::<BankAccount>(None, [&decode::<BankAccount>(&opened)?])?.unwrap();
/// assert_eq!((account.meta.version, account.state.balance.get()), (1, 100));
/// # Ok::<_, rewound_core::error::ReduceError>(())
/// ```
///
/// # Errors
/// The first event that cannot come next, and why. What went before it is in the caller's hands.
pub fn reduce<'e, A: Aggregate>(
    from: Option<Versioned<A::State>>,
    events: impl IntoIterator<Item = &'e Decoded<A::Event>>,
) -> Result<Option<Versioned<A::State>>, ReduceError>
where
    A::Event: 'e,
{
    let (mut meta, mut state) = match from {
        Some(Versioned { meta, state }) => (Some(meta), Some(state)),
        None => (None, None),
    };
    let mut version = meta.as_ref().map_or(0, |meta| meta.version);
    let mut last: Option<&Decoded<A::Event>> = None;
    for event in events {
        let place = match (last, &meta) {
            (Some(before), _) => follows(&before.aggregate_id, version, event),
            (None, Some(meta)) => follows(&meta.id, version, event),
            (None, None) => follows(&event.aggregate_id, version, event),
        };
        let of = Context { id: &event.aggregate_id, actor: &event.actor };
        let next = place.and_then(|()| A::evolve(state, &event.event, of));
        state = Some(next.map_err(|problem| ReduceError {
            aggregate_id: event.aggregate_id.clone(),
            version: event.version,
            event_id: event.id,
            event_name: event.name.clone(),
            problem,
        })?);
        version = event.version;
        last = Some(event);
    }
    if let Some(event) = last {
        meta = Some(Meta {
            id: event.aggregate_id.clone(),
            version,
            actor: event.actor.clone(),
            updated_at: Some(event.id.timestamp_ms()),
        });
    }
    Ok(meta.zip(state).map(|(meta, state)| Versioned { meta, state }))
}

fn follows<E>(id: &Text, version: u64, event: &Decoded<E>) -> Result<(), Problem> {
    let same = std::ptr::eq(id.as_ptr(), event.aggregate_id.as_ptr()) || *id == event.aggregate_id;
    if !same {
        return Err(Problem::Foreign { expected: id.to_string(), found: event.aggregate_id.to_string() });
    }
    in_order(version, event.version)
}

/// Whether `found` is the version that comes after `version`.
///
/// # Errors
/// [`Problem::Duplicate`] or [`Problem::Gap`] where it is not.
pub fn in_order(version: u64, found: u64) -> Result<(), Problem> {
    let expected = version + 1;
    match found {
        found if found == expected => Ok(()),
        found if found < expected => Err(Problem::Duplicate { expected }),
        _ => Err(Problem::Gap { expected }),
    }
}
