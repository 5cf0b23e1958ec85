//! The core's errors as plain objects, of which the face makes its classes.

use rewound_core::{
    error::{Error, Issue, ReduceError},
    replay::{ReplayError, Trouble},
};
use serde::Serialize;
use wasm_bindgen::JsValue;

/// What is thrown. `kind` names the class; the other fields are its own.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Thrown {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    issues: Option<Vec<Issue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncertain: Option<bool>,
}

/// The result of anything here that can fail.
pub(crate) type Result<T> = std::result::Result<T, JsValue>;

impl From<Thrown> for JsValue {
    fn from(thrown: Thrown) -> Self {
        serde_wasm_bindgen::to_value(&thrown).unwrap_or_else(|_| JsValue::from_str(&thrown.message))
    }
}

/// What was given is not what was asked for, or holds what JavaScript could not.
pub(crate) fn data(issue: Issue) -> JsValue {
    Thrown {
        kind: "InvalidDataError",
        message: issue.to_string(),
        issues: Some(vec![issue]),
        ..Thrown::default()
    }
    .into()
}

/// As [`data`], of the whole.
pub(crate) fn whole(message: impl Into<String>) -> JsValue {
    data(Issue { pointer: String::new(), message: message.into() })
}

/// A store that did not do what it was asked.
pub(crate) fn store(message: &str) -> JsValue {
    let (retryable, uncertain) = (Some(false), Some(false));
    Thrown { kind: "StoreError", message: message.to_owned(), retryable, uncertain, ..Thrown::default() }
        .into()
}

pub(crate) fn reduce(error: &ReduceError) -> Thrown {
    Thrown {
        kind: "ReduceError",
        message: error.to_string(),
        aggregate_id: Some(error.aggregate_id.to_string()),
        version: Some(error.version),
        event_id: Some(error.event_id.to_string()),
        event_name: Some(error.event_name.to_string()),
        ..Thrown::default()
    }
}

pub(crate) fn replay(error: &ReplayError) -> JsValue {
    let thrown = match &error.trouble {
        Trouble::Reduce(reduced) => reduce(reduced),
        Trouble::Unreadable(_) => {
            Thrown { kind: "InvalidDataError", issues: Some(Vec::new()), ..Thrown::default() }
        }
    };
    let (page, line) = (Some(error.page), Some(error.line));
    Thrown { message: error.to_string(), page, line, ..thrown }.into()
}

pub(crate) fn any(error: Error) -> JsValue {
    let message = error.to_string();
    let of = |kind| Thrown { kind, message: message.clone(), ..Thrown::default() };
    let thrown = match error {
        Error::Invalid(issues) => Thrown { issues: Some(issues), ..of("InvalidCommandError") },
        Error::UnknownCommand { .. } => {
            let issue = Issue { pointer: "/type".to_owned(), message: message.clone() };
            Thrown { issues: Some(vec![issue]), ..of("InvalidCommandError") }
        }
        Error::Rejected(rejection) => {
            Thrown { code: Some(rejection.code.into_owned()), ..of("RejectedError") }
        }
        Error::Settled { key, .. } => {
            Thrown { code: Some("settled".to_owned()), key: Some(key), ..of("RejectedError") }
        }
        Error::UnknownAggregate { name } => Thrown { aggregate_name: Some(name), ..of("NotFoundError") },
        Error::NotFound { aggregate, id } => {
            Thrown { aggregate_name: Some(aggregate), aggregate_id: Some(id), ..of("NotFoundError") }
        }
        Error::WrongVersion { expected, actual } => {
            Thrown { expected: Some(expected), actual: Some(actual), ..of("ConflictError") }
        }
        Error::Contention { attempts, expected, actual } => {
            Thrown { attempts: Some(attempts), expected: Some(expected), actual, ..of("ConflictError") }
        }
        Error::KeyReused { key } => Thrown { key: Some(key), ..of("KeyReusedError") },
        Error::Reduce(error) => reduce(&error),
        Error::Domain(_) => of("DomainError"),
        Error::Store { retryable, uncertain, .. } => {
            Thrown { retryable: Some(retryable), uncertain: Some(uncertain), ..of("StoreError") }
        }
    };
    thrown.into()
}
