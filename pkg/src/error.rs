//! The core's errors as plain objects, of which the face makes its classes: `kind` names the class, the other fields
//! are its own.

use crate::js::{object, with};
use js_sys::Array;
use rewound_core::{
    error::{Error, Issue, ReduceError},
    replay::{ReplayError, Trouble},
};
use wasm_bindgen::JsValue;

/// The result of anything here that can fail.
pub(crate) type Result<T> = std::result::Result<T, JsValue>;

/// What is thrown.
fn thrown(kind: &str, message: &str, fields: &[(&str, JsValue)]) -> JsValue {
    with(object(&[("kind", kind.into()), ("message", message.into())]), fields)
}

fn listed(issues: &[Issue]) -> JsValue {
    let issue = |Issue { pointer, message }: &Issue| {
        object(&[("pointer", pointer.into()), ("message", message.into())])
    };
    issues.iter().map(issue).collect::<Array>().into()
}

/// What was given is not what was asked for, or holds what JavaScript could not.
pub(crate) fn data(issue: Issue) -> JsValue {
    thrown("InvalidDataError", &issue.to_string(), &[("issues", listed(&[issue]))])
}

/// As [`data`], of the whole.
pub(crate) fn whole(message: impl Into<String>) -> JsValue {
    data(Issue { pointer: String::new(), message: message.into() })
}

/// A store that did not do what it was asked.
pub(crate) fn store(message: &str) -> JsValue {
    thrown("StoreError", message, &[("retryable", false.into()), ("uncertain", false.into())])
}

pub(crate) fn reduce(error: &ReduceError) -> JsValue {
    let fields = [
        ("aggregateId", (&*error.aggregate_id).into()),
        ("version", number(error.version)),
        ("eventId", error.event_id.to_string().into()),
        ("eventName", (&*error.event_name).into()),
    ];
    thrown("ReduceError", &error.to_string(), &fields)
}

pub(crate) fn replay(error: &ReplayError) -> JsValue {
    let fields =
        [("message", error.to_string().into()), ("page", error.page.into()), ("line", error.line.into())];
    let thrown = match &error.trouble {
        Trouble::Reduce(reduced) => reduce(reduced),
        Trouble::Unreadable(_) => thrown("InvalidDataError", "", &[("issues", listed(&[]))]),
    };
    with(thrown, &fields)
}

pub(crate) fn any(error: Error) -> JsValue {
    let message = error.to_string();
    let of = |kind, fields: &[(&str, JsValue)]| thrown(kind, &message, fields);
    match error {
        Error::Invalid(issues) => of("InvalidCommandError", &[("issues", listed(&issues))]),
        Error::UnknownCommand { .. } => {
            let issue = Issue { pointer: "/type".to_owned(), message: message.clone() };
            of("InvalidCommandError", &[("issues", listed(&[issue]))])
        }
        Error::Rejected(rejection) => of("RejectedError", &[("code", (&*rejection.code).into())]),
        Error::Settled { key, .. } => of("RejectedError", &[("code", "settled".into()), ("key", key.into())]),
        Error::UnknownAggregate { name } => of("NotFoundError", &[("aggregateName", name.into())]),
        Error::NotFound { aggregate, id } => {
            of("NotFoundError", &[("aggregateName", aggregate.into()), ("aggregateId", id.into())])
        }
        Error::NotReached { id, .. } => of("NotFoundError", &[("aggregateId", id.into())]),
        Error::WrongVersion { expected, actual } => {
            of("ConflictError", &[("expected", number(expected)), ("actual", number(actual))])
        }
        Error::Contention { attempts, expected, actual } => {
            let actual = actual.map(number).unwrap_or_default();
            let fields = [("attempts", attempts.into()), ("expected", number(expected)), ("actual", actual)];
            of("ConflictError", &fields)
        }
        Error::KeyReused { key } => of("KeyReusedError", &[("key", key.into())]),
        Error::Reduce(error) => reduce(&error),
        Error::Domain(_) => of("DomainError", &[]),
        Error::Store { retryable, uncertain, .. } => {
            of("StoreError", &[("retryable", retryable.into()), ("uncertain", uncertain.into())])
        }
    }
}

/// A version: a number that JavaScript holds.
fn number(version: u64) -> JsValue {
    (version as f64).into()
}
