//! What went wrong, as RFC 9457 says it: `application/problem+json`. The one table from errors to statuses is here.

use super::Answer;
use crate::error::{Error, Issue};
use serde_json::{Value, json};

/// Why a request has no other answer.
///
/// ```
/// use rewound_core::{error::Error, http::problem::Problem};
/// let problem = Problem::from(Error::WrongVersion { expected: 3, actual: 5 });
/// let answer = problem.answer();
/// assert_eq!(answer.status, 412);
/// assert_eq!(
///     answer.body,
///     r#"{"type":"urn:rewound:problem:version-mismatch","title":"Precondition Failed","status":412,"detail":"version 3 was expected, and it is at version 5: load it again and decide anew","code":"version-mismatch","expected":3,"actual":5}"#
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// HTTP's status.
    pub status: u16,
    /// What kind of problem it is, in kebab case, for programs.
    pub code: String,
    /// What is wrong and what to do, for people.
    pub detail: String,
    /// Other members, by kind: `issues`, `expected`, `actual`, `uncertain`.
    pub members: Vec<(&'static str, Value)>,
    /// Headers that belong to it: `Allow`, `ETag`, `Retry-After`, `WWW-Authenticate`.
    pub headers: Vec<(&'static str, String)>,
    /// What only a log should see: an answer of a store names accounts and tables.
    pub cause: Option<Box<str>>,
}

impl Problem {
    /// A problem of that kind.
    pub fn new(status: u16, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self { status, code, detail, members: Vec::new(), headers: Vec::new(), cause: None }
    }

    /// A request that is malformed at these places: [`Issue::pointer`] goes into its body, or is `/header/…` or
    /// `/query/…`.
    pub fn invalid(issues: &[Issue]) -> Self {
        let detail = Error::Invalid(issues.to_vec()).to_string();
        Self::new(400, "invalid", detail).with("issues", json!(issues))
    }

    /// With another member.
    pub fn with(mut self, member: &'static str, value: Value) -> Self {
        self.members.push((member, value));
        self
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As an answer.
    pub fn answer(self) -> Answer {
        let Self { status, code, detail, members, mut headers, .. } = self;
        let problem = json!({
            "type": format!("urn:rewound:problem:{code}"),
            "title": title(status),
            "status": status,
            "detail": detail,
            "code": code,
        });
        let mut body = problem.as_object().cloned().unwrap_or_default();
        body.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
        headers.push(("content-type", "application/problem+json".to_owned()));
        headers.push(("cache-control", "no-store".to_owned()));
        Answer { status, headers, body: Value::Object(body).to_string() }
    }
}

/// The phrase that RFC 9110 has for a status.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// The seconds after which something is worth another try.
const RETRY_AFTER: &str = "1";

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let of = |status, code: &str| Problem::new(status, code, text.clone());
        // What stands behind the store is not for everybody.
        let hidden = |problem: Problem| Problem { cause: Some(text.as_str().into()), ..problem };
        match error {
            Error::Invalid(issues) => Problem::invalid(&issues),
            Error::Rejected(rejection) if rejection.code == crate::error::Rejection::NOT_FOUND => {
                of(404, &rejection.code)
            }
            Error::Rejected(rejection) => Problem::new(409, rejection.code, rejection.message),
            Error::Settled { .. } => of(409, "settled"),
            Error::UnknownAggregate { .. } => of(404, "unknown-aggregate"),
            Error::UnknownCommand { .. } => of(404, "unknown-command"),
            Error::NotFound { .. } => of(404, "not-found"),
            Error::NotReached { last, .. } => of(404, "not-reached").with("actual", last.into()),
            Error::WrongVersion { expected, actual } => {
                of(412, "version-mismatch").with("expected", expected.into()).with("actual", actual.into())
            }
            Error::Contention { expected, actual, .. } => of(409, "contention")
                .with("expected", expected.into())
                .with("actual", actual.into())
                .header("retry-after", RETRY_AFTER),
            Error::KeyReused { .. } => of(422, "idempotency-key-reused"),
            Error::Reduce(_) => hidden(Problem::new(
                500,
                "unreadable-stream",
                "The stored events of this aggregate do not reduce. The log says which one, and why.",
            )),
            Error::Domain(_) => hidden(Problem::new(500, "domain", "The domain failed. The log says how.")),
            Error::Store { retryable: true, uncertain, .. } => {
                let what = match uncertain {
                    true => {
                        "The store did not answer, and the command may have taken effect. Send it again with the \
                         same Idempotency-Key to find out."
                    }
                    false => {
                        "The store is too busy, or did not answer. This request wrote nothing: send it again later, \
                         with its Idempotency-Key if it has one."
                    }
                };
                let problem =
                    Problem::new(503, "store-unavailable", what).with("uncertain", uncertain.into());
                hidden(problem.header("retry-after", RETRY_AFTER))
            }
            Error::Store { uncertain, .. } => {
                let what = "The store refused the request, and will again. The log has its words.";
                hidden(Problem::new(502, "store-refused", what).with("uncertain", uncertain.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Problem as Wrong, ReduceError, Rejection},
        time::Ulid,
    };

    fn store(retryable: bool, uncertain: bool) -> Error {
        let message = "DynamoDB answered 400 to arn:aws:iam::123456789012:user/edge".to_owned();
        Error::Store { message, retryable, uncertain }
    }

    #[test]
    fn every_error_has_its_status_and_code() {
        let (aggregate, id) = ("Order".to_owned(), "o1".to_owned());
        let stream = ReduceError {
            aggregate_id: "o1".into(),
            version: 2,
            event_id: Ulid(1),
            event_name: "OrderConfirmed".into(),
            problem: Wrong::NotCreated,
        };
        let issue = Issue { pointer: "/amount".into(), message: "it is missing".into() };
        let table = [
            (Error::Invalid(vec![issue]), 400, "invalid"),
            (Error::Rejected(Rejection::not_found()), 404, "not-found"),
            (Error::Rejected(Rejection::already_exists()), 409, "already-exists"),
            (Error::Settled { key: "k".into(), id: id.clone(), version: 1 }, 409, "settled"),
            (Error::UnknownAggregate { name: "Odder".into() }, 404, "unknown-aggregate"),
            (Error::UnknownCommand { name: "Burn".into(), known: vec![] }, 404, "unknown-command"),
            (Error::NotFound { aggregate, id: id.clone() }, 404, "not-found"),
            (Error::NotReached { id, version: 9, last: 7 }, 404, "not-reached"),
            (Error::WrongVersion { expected: 3, actual: 5 }, 412, "version-mismatch"),
            (Error::Contention { attempts: 4, expected: 3, actual: None }, 409, "contention"),
            (Error::KeyReused { key: "k".into() }, 422, "idempotency-key-reused"),
            (Error::Reduce(stream), 500, "unreadable-stream"),
            (Error::Domain("it threw".into()), 500, "domain"),
            (store(true, false), 503, "store-unavailable"),
            (store(true, true), 503, "store-unavailable"),
            (store(false, false), 502, "store-refused"),
        ];
        for (error, status, code) in table {
            let problem = Problem::from(error.clone());
            assert_eq!((problem.status, &*problem.code), (status, code), "{error:?}");
            let answer = problem.answer();
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(body["status"], status, "{error:?}");
            assert_eq!(body["title"] == "Internal Server Error", status == 500, "{error:?}");
            let later = matches!(status, 503) || code == "contention";
            assert_eq!(answer.header("retry-after").is_some(), later, "{error:?}");
        }
    }

    #[test]
    fn what_the_store_said_is_for_the_log_alone() {
        for (retryable, uncertain) in [(true, true), (true, false), (false, false)] {
            let problem = Problem::from(store(retryable, uncertain));
            assert!(problem.cause.as_ref().unwrap().contains("arn:aws"));
            let body = problem.answer().body;
            assert!(
                !body.contains("arn:aws") && body.contains(&format!("\"uncertain\":{uncertain}")),
                "{body}"
            );
        }
    }
}
