//! What goes wrong between a client and AWS, on order: as AWS says it, or as a network does it.

use crate::{
    answer::{self, Answer},
    service::Service,
    streams,
};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, io, num::NonZeroU64, time::Duration};

/// The requests that read or write items, that follow a stream and that put events. Those that make or describe tables
/// never suffer.
const DATA: &[&str] = &[
    "BatchExecuteStatement",
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "DescribeStream",
    "ExecuteStatement",
    "ExecuteTransaction",
    "GetItem",
    "GetRecords",
    "GetShardIterator",
    "PutEvents",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
];

/// How long a slow answer is held back.
const SLOW: Duration = Duration::from_millis(300);

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fault {
    /// It is done, and the connection closes without an answer.
    Lost,
    /// It is not done: a failure of the service's own.
    Error,
    /// It is not done: too much at once.
    Throttle,
    /// It is not done: another transaction has an item of it.
    Conflict,
    /// It is done, and answered late.
    Slow,
    /// It is done, and the connection closes in the middle of the answer.
    Cut,
    /// It is done, and what is answered as JSON is none.
    Garbage,
    /// It is done, and a box on the way answers with a page.
    Type,
}

/// Which requests suffer what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// One after the other, and from the first again.
    faults: Vec<Fault>,
    /// The how manyth request suffers.
    #[serde(default = "each")]
    every: NonZeroU64,
    /// Only requests of this action count.
    only: Option<String>,
    /// How many requests counted.
    #[serde(skip)]
    seen: u64,
    /// How often a fault struck an action.
    #[serde(skip)]
    struck: BTreeMap<(Fault, String), usize>,
}

fn each() -> NonZeroU64 {
    NonZeroU64::MIN
}

impl Default for Plan {
    /// Nothing goes wrong.
    fn default() -> Self {
        Self { faults: Vec::new(), every: each(), only: None, seen: 0, struck: BTreeMap::new() }
    }
}

impl Plan {
    /// Says why the plan would do nothing, where it was not meant so.
    pub(crate) fn check(self) -> Result<Self, String> {
        match self.only.as_deref().filter(|only| !DATA.contains(only)) {
            Some(other) => Err(format!("only: {other} is none of {}", DATA.join(", "))),
            None => Ok(self),
        }
    }

    /// What the next request suffers, if anything, and how often the same struck the same action before.
    pub(crate) fn next(&mut self, action: &str) -> Option<(Fault, usize)> {
        let counts = self.only.as_deref().map_or(DATA.contains(&action), |only| only == action);
        if !counts || self.faults.is_empty() {
            return None;
        }
        self.seen += 1;
        if self.seen % self.every != 0 {
            return None;
        }
        let turn = (self.seen / self.every - 1) as usize;
        let fault = self.faults[turn % self.faults.len()];
        let struck = self.struck.entry((fault, action.to_owned())).or_default();
        *struck += 1;
        Some((fault, *struck - 1))
    }
}

/// The answer to a request that is not passed on; none where the fault is that of an answer.
pub(crate) fn refuse(
    service: Service,
    fault: Fault,
    before: usize,
    action: &str,
    body: &[u8],
) -> Option<Answer> {
    const FULL: &str = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically \
                        scaling your table or index so please try again shortly.";
    const BUSY: &str = "Transaction is ongoing for the item";
    // AWS names the item that was in the way. Each of a transaction's items is in the way in its turn.
    let transact = matches!(action, "TransactWriteItems" | "TransactGetItems");
    let stream = matches!(action, "DescribeStream" | "GetShardIterator" | "GetRecords");
    let simple = |code, message| answer::error(service, StatusCode::BAD_REQUEST, code, message);
    Some(match fault {
        Fault::Error => {
            // https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
            let code = if service == Service::Events { "InternalException" } else { "InternalServerError" };
            answer::error(service, StatusCode::INTERNAL_SERVER_ERROR, code, "Internal server error")
        }
        Fault::Throttle if stream => simple("LimitExceededException", streams::LIMITED),
        Fault::Throttle if service == Service::Events => simple("ThrottlingException", "Rate exceeded"),
        // AWS has two ways to say so to a transaction: one after the other.
        Fault::Throttle if transact && before % 2 == 1 => {
            cancelled(items(body), before / 2, "ThrottlingError", FULL)
        }
        Fault::Throttle => simple("ThrottlingException", FULL),
        Fault::Conflict if transact => cancelled(items(body), before, "TransactionConflict", BUSY),
        // AWS says so to writes of items alone. A client that does anything else meets more here than there.
        Fault::Conflict => simple("TransactionConflictException", BUSY),
        Fault::Lost | Fault::Slow | Fault::Cut | Fault::Garbage | Fault::Type => return None,
    })
}

/// Does its harm to the answer to a request that was passed on. An error closes the connection.
pub(crate) async fn spoil(service: Service, fault: Fault, answer: Answer) -> io::Result<Answer> {
    Ok(match fault {
        Fault::Lost => return Err(io::Error::other("lost, as ordered")),
        Fault::Slow => {
            tokio::time::sleep(SLOW).await;
            answer
        }
        Fault::Cut => answer.map(answer::Part::half),
        Fault::Garbage => answer::of(StatusCode::OK, service.content_type(), &b"\x1f\x8b{\"Item\xff\0\0"[..]),
        Fault::Type => answer::of(
            StatusCode::BAD_GATEWAY,
            "text/html",
            "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n",
        ),
        Fault::Error | Fault::Throttle | Fault::Conflict => answer,
    })
}

/// How many items a transaction has.
fn items(body: &[u8]) -> usize {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["TransactItems"].as_array().map_or(1, |items| items.len().max(1))
}

/// A transaction cancelled for the sake of one of its items: a reason for each, as AWS does it.
fn cancelled(items: usize, which: usize, code: &str, message: &str) -> Answer {
    let reason = |index: usize| {
        if index == which % items {
            (code, json!({ "Code": code, "Message": message }))
        } else {
            ("None", json!({ "Code": "None" }))
        }
    };
    let (codes, reasons): (Vec<&str>, Vec<Value>) = (0..items).map(reason).unzip();
    let codes = codes.join(", ");
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]");
    let name = Service::DynamoDb.error("TransactionCanceledException");
    let error = json!({ "__type": name, "Message": message, "CancellationReasons": reasons });
    answer::json(Service::DynamoDb, StatusCode::BAD_REQUEST, &error)
}
