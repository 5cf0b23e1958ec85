//! What DynamoDB says when it refuses: its error codes, and what each means for a request.
//!
//! Codes: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB"; API Reference, "Common Errors" and
//! the errors of each action.

use crate::store::Failure;

/// What an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Too much at once, or another transaction has the item: nothing was done, and the same request may
    /// succeed after a while.
    Busy,
    /// DynamoDB failed: whether it did something is not known.
    Unknown,
    /// Something in the request or its tables is wrong: sending it again does not help. Where it is the clock,
    /// [`correction`](super::sign::correction) says so.
    Refused,
}

/// The codes that are not [`Meaning::Refused`].
const CODES: &[(&str, Meaning)] = &[
    ("InternalServerError", Meaning::Unknown),
    ("InternalFailure", Meaning::Unknown),
    ("ServiceUnavailable", Meaning::Unknown),
    ("ServiceUnavailableException", Meaning::Unknown),
    ("LimitExceededException", Meaning::Busy),
    ("ProvisionedThroughputExceeded", Meaning::Busy),
    ("ProvisionedThroughputExceededException", Meaning::Busy),
    ("RequestLimitExceeded", Meaning::Busy),
    ("ReplicatedWriteConflictException", Meaning::Busy),
    ("Throttling", Meaning::Busy),
    ("ThrottlingError", Meaning::Busy),
    ("ThrottlingException", Meaning::Busy),
    ("TransactionConflict", Meaning::Busy),
    ("TransactionConflictException", Meaning::Busy),
    ("TransactionInProgressException", Meaning::Busy),
];

/// What a code means, as it stands in `__type` (with its namespace or without) or in a reason for a
/// cancellation. `status` is HTTP's: a code that nobody documented on a 500 is a failure of the service.
///
/// ```
/// use rewound_core::dynamodb::error::{Meaning, meaning};
/// let code = "com.amazonaws.dynamodb.v20120810#ThrottlingException";
/// assert_eq!(meaning(code, 400), Meaning::Busy);
/// assert_eq!(meaning("ResourceNotFoundException", 400), Meaning::Refused);
/// assert_eq!(meaning("", 502), Meaning::Unknown);
/// ```
pub fn meaning(code: &str, status: u16) -> Meaning {
    let known = CODES.iter().find(|(known, _)| *known == bare(code)).map(|(_, meaning)| *meaning);
    known.unwrap_or(if status >= 500 { Meaning::Unknown } else { Meaning::Refused })
}

/// The failure of a store that an error is.
pub(super) fn failure(code: &str, status: u16, message: &str) -> Failure {
    match meaning(code, status) {
        Meaning::Busy => Failure::Busy,
        Meaning::Unknown => Failure::Lost,
        Meaning::Refused => Failure::Refused(format!("DynamoDB answered {status} {}: {message}", bare(code))),
    }
}

/// The code alone, of `namespace#Code`, `Code:http://…` and `namespace#Code:http://…`.
pub(crate) fn bare(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.rsplit_once('#').map_or(code, |(_, code)| code)
}
