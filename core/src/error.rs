//! What can go wrong, each thing with its own name.
//!
//! *Invalid* is a command that is malformed: its sender must change it. *Rejected* is a well-formed
//! command that a business rule refuses in the present state. The two are never mixed.

use crate::{
    event::{Event, Text},
    time::Ulid,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// The result of anything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command had no effect, or a question no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The command is malformed. Every bad field is named.
    Invalid(Vec<Issue>),
    /// A business rule refuses the command in the present state.
    Rejected(Rejection),
    /// Neither a compiled domain nor one that was defined has this name.
    UnknownAggregate {
        /// The name that was asked for.
        name: String,
    },
    /// The aggregate has no such command.
    UnknownCommand {
        /// The name that was asked for.
        name: String,
        /// The commands that there are.
        known: Vec<String>,
    },
    /// The aggregate was never created.
    NotFound {
        /// The name of the aggregate's kind.
        aggregate: String,
        /// Its id.
        id: String,
    },
    /// The aggregate has fewer versions than were asked for.
    NotReached {
        /// Its id.
        id: String,
        /// The version that was asked for.
        version: u64,
        /// The version that it is at.
        last: u64,
    },
    /// The caller pinned a version, and the aggregate is at another.
    WrongVersion {
        /// The version that was pinned; 0 stands for "create only".
        expected: u64,
        /// The version that the aggregate is at; 0 where it does not exist.
        actual: u64,
    },
    /// Other writers won every attempt. Trying again later may succeed.
    Contention {
        /// How many commits were tried.
        attempts: u32,
        /// The version that the last one was decided on.
        expected: u64,
        /// The version that it met, where the store said so.
        actual: Option<u64>,
    },
    /// The idempotency key was used before, with another command.
    KeyReused {
        /// The key.
        key: String,
    },
    /// The command takes effect once for good ([`Aggregate::once`](crate::aggregate::Aggregate::once)), and
    /// another command did so in its place, such as the reversal of a transfer in the place of its
    /// arrival. Sending it again changes nothing.
    Settled {
        /// The key that the other command took: [`Record::key`](crate::store::Record::key).
        key: String,
        /// The id of the aggregate that the other command changed, one of the same kind.
        id: String,
        /// The version of the first event that the other command recorded there.
        version: u64,
    },
    /// The stored events do not reduce.
    Reduce(ReduceError),
    /// A domain that is not written in Rust failed to decide, or decided what is no event.
    Domain(String),
    /// The store did not do what it was asked.
    Store {
        /// What it said.
        message: String,
        /// Whether the same request may succeed later.
        retryable: bool,
        /// Whether a commit may have taken effect all the same (its answer was lost). Send the command
        /// again with its idempotency key to find out.
        uncertain: bool,
    },
}

/// One thing that is wrong with a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The place, a JSON pointer (RFC 6901) into the command's fields; empty for the whole.
    pub pointer: String,
    /// What was expected there, and what was found.
    pub message: String,
}

/// The refusal of a command by a business rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The rule's stable name in kebab case, for programs.
    pub code: Cow<'static, str>,
    /// The rule and what broke it, for people.
    pub message: String,
}

impl Rejection {
    /// The code of a command to an aggregate that was never created.
    pub const NOT_FOUND: &str = "not-found";

    /// A refusal by the rule `code`.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The refusal of every command but the first to an aggregate that was never created.
    pub fn not_found() -> Self {
        Self::new(Self::NOT_FOUND, "It was never created: nothing can happen to it yet.")
    }

    /// The refusal of a second creation.
    pub fn already_exists() -> Self {
        Self::new("already-exists", "It was created before, and that happens once.")
    }
}

/// An event that cannot come next in its stream, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct ReduceError {
    /// The stream's aggregate.
    pub aggregate_id: Text,
    /// The version that the event claims.
    pub version: u64,
    /// The event's id.
    pub event_id: Ulid,
    /// The event's name.
    pub event_name: Text,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an event, or with its place in the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// Versions are missing before this one.
    Gap {
        /// The version that should come next.
        expected: u64,
    },
    /// Its version was there before.
    Duplicate {
        /// The version that should come next.
        expected: u64,
    },
    /// It belongs to another aggregate.
    Foreign {
        /// The aggregate whose stream this is, as `name/id`.
        expected: String,
        /// The aggregate that the event names.
        found: String,
    },
    /// No event of the aggregate has this name.
    Unknown {
        /// The names that there are.
        known: Vec<String>,
    },
    /// It happens to an aggregate that does not exist yet.
    NotCreated,
    /// It creates an aggregate that exists.
    AlreadyCreated,
    /// Its payload is not what its name promises.
    Payload(Issue),
    /// A value would leave the range in which it can be kept.
    OutOfRange {
        /// The state's field.
        field: &'static str,
    },
    /// It was written by a newer program, in a schema version that this one does not know.
    TooNew {
        /// The event's schema version.
        found: u32,
        /// The newest that is known here.
        newest: u32,
    },
    /// It was refused by a reducer that is not written in Rust, or by an upcaster.
    Other(String),
}

impl Problem {
    /// The error that this problem is for that event.
    pub fn of(self, event: &Event) -> ReduceError {
        ReduceError {
            aggregate_id: event.shared_aggregate_id().clone(),
            version: event.version(),
            event_id: event.id(),
            event_name: event.shared_name().clone(),
            problem: self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Gap { expected } => {
                write!(f, "the stream has a gap: version {expected} should come next")
            }
            Problem::Duplicate { expected } => {
                write!(f, "the stream has that version already: version {expected} should come next")
            }
            Problem::Foreign { expected, found } => {
                write!(f, "it belongs to {found}, and this is the stream of {expected}")
            }
            Problem::Unknown { known } => {
                write!(f, "no event has this name; there are: {}", known.join(", "))
            }
            Problem::NotCreated => f.write_str("the aggregate does not exist before it"),
            Problem::AlreadyCreated => f.write_str("the aggregate was created before"),
            Problem::Payload(issue) => write!(f, "its payload does not fit: {issue}"),
            Problem::OutOfRange { field } => {
                write!(f, "`{field}` would leave the integers that JavaScript can hold (±2^53 − 1)")
            }
            Problem::TooNew { found, newest } => {
                write!(
                    f,
                    "it has schema version {found}, and the newest known here is {newest}: update the reader"
                )
            }
            Problem::Other(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for ReduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aggregate_id, version, event_id, event_name, problem } = self;
        write!(f, "event {event_name} ({event_id}), version {version} of {aggregate_id}: {problem}")
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(issues) => {
                f.write_str("the command is malformed: ")?;
                let issues: Vec<_> = issues.iter().map(Issue::to_string).collect();
                f.write_str(&issues.join("; "))
            }
            Error::Rejected(rejection) => rejection.fmt(f),
            Error::UnknownAggregate { name } => write!(f, "no aggregate is named {name}"),
            Error::UnknownCommand { name, known } => {
                write!(f, "no command is named {name}; there are: {}", known.join(", "))
            }
            Error::NotFound { aggregate, id } => write!(f, "{aggregate} {id} does not exist"),
            Error::NotReached { id, version, last } => {
                write!(f, "{id} has no version {version} yet: it is at {last}")
            }
            Error::WrongVersion { expected: 0, actual } => {
                write!(f, "it was to be created, and it exists at version {actual}")
            }
            Error::WrongVersion { expected, actual } => {
                write!(
                    f,
                    "version {expected} was expected, and it is at version {actual}: load it again and decide anew"
                )
            }
            Error::Contention { attempts, .. } => {
                write!(f, "other writers won each of {attempts} attempts: try again later")
            }
            Error::KeyReused { key } => {
                write!(f, "the idempotency key {key} was used with another command: use a new key")
            }
            Error::Settled { key, id, version } => {
                write!(f, "another command settled it for good, in version {version} of {id} ({key})")
            }
            Error::Reduce(error) => error.fmt(f),
            Error::Domain(message) => f.write_str(message),
            Error::Store { message, uncertain: true, .. } => write!(
                f,
                "the store did not answer, and the command may have taken effect: {message}. \
                 Send it again with its idempotency key"
            ),
            Error::Store { message, retryable, .. } => {
                write!(f, "the store failed: {message}")?;
                f.write_str(if *retryable { ". Try again later" } else { "" })
            }
        }
    }
}

impl std::error::Error for Error {}
impl std::error::Error for ReduceError {}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Error::Rejected(rejection)
    }
}

impl From<ReduceError> for Error {
    fn from(error: ReduceError) -> Self {
        Error::Reduce(error)
    }
}
