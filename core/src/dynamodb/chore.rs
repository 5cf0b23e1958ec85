//! What a store on DynamoDB needs besides requests: its tables, and to know which reducer wrote their rows.

use super::{
    Call, Layout, Quoted,
    error::{Meaning, bare, meaning},
    exchange::Response,
    json, record_key, table,
};
use crate::{
    error::{Error, Result},
    run::pause,
    time::Millis,
};
use serde_json::Value;
use std::collections::VecDeque;

/// A chore on its way, as a state machine like an [`Exchange`](super::exchange::Exchange): it asks for calls and for
/// waits, and makes none.
///
/// ```
/// use rewound_core::dynamodb::{Layout, Rows, chore::{Chore, Next}, exchange::Response};
/// let rows = Rows { table: "accounts".into(), fingerprint: 0 };
/// let aggregates = [("BankAccount".to_owned(), rows)].into();
/// let layout = Layout { events: "events".into(), helpers: "helpers".into(), aggregates, ..Layout::default() };
/// let mut chore = Chore::reducer(&layout, "BankAccount", 7, true);
/// let Next::Send(ask) = chore.next(None, 1_000, 42) else { panic!() };
/// assert_eq!(ask.target, "DynamoDB_20120810.GetItem");
/// // Nobody has said yet who wrote the rows: we do.
/// let nothing = Response { status: 200, body: b"{}", ..Response::default() };
/// let Next::Send(claim) = chore.next(Some(nothing), 1_000, 42) else { panic!() };
/// assert_eq!(claim.target, "DynamoDB_20120810.PutItem");
/// assert_eq!(chore.next(Some(nothing), 1_000, 42), Next::Done(Ok(Some(7))));
/// ```
#[derive(Debug)]
pub struct Chore {
    tasks: VecDeque<(Task, Call)>,
    /// How often a call is made before it is given up.
    most: u32,
    /// Whether an answer to the first task's call is to be expected, and how often it was made.
    sent: bool,
    tries: u32,
    correction: Option<i64>,
    found: Option<u64>,
}

/// What a chore needs next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Make this call, and come back with its answer; without one where none came.
    Send(Call),
    /// Come back without an answer after so many milliseconds.
    Wait(Millis),
    /// It is over: with the fingerprint, where one was asked for.
    Done(Result<Option<u64>>),
}

#[derive(Debug)]
enum Task {
    /// Make a table, if it is not there.
    Create,
    /// Wait until a table can be used, and see that its keys are these.
    Describe(Value),
    /// See whether expired helpers are removed; else the next task lets them be.
    Lifetime,
    Expire,
    /// Ask which reducer wrote the rows. Where nobody has said, the next task says that it was this one; where it was
    /// another, the one behind that says that it was several.
    Ask {
        ours: u64,
        will_write: bool,
    },
    Claim(u64),
    /// Say that it was this one, whoever said what.
    Write(u64),
}

/// How often a call is made before it is given up, and the milliseconds between: a table takes some seconds to be
/// made.
const TRIES: u32 = 60;
/// The same for what takes no time.
const FEW: u32 = 6;
const BETWEEN: Millis = 500;

impl Chore {
    /// Makes every table of a layout that is not there yet, and waits until all can be used.
    pub fn tables(layout: &Layout) -> Self {
        let tables = table::all(layout);
        let create = tables.iter().map(|table| (Task::Create, table.create()));
        let describe = tables.iter().map(|table| (Task::Describe(table.keys()), table.describe()));
        let lifetime = [(Task::Lifetime, table::lifetime(layout)), (Task::Expire, table::expire(layout))];
        Self::of(create.chain(describe).chain(lifetime))
    }

    /// Asks which reducer wrote the rows of a kind of aggregate: what is found is
    /// [`Rows::fingerprint`](super::Rows::fingerprint), and 0 where several did. Where nobody has said, it was this one.
    ///
    /// A program that will write rows says so here, before it does: where another reducer wrote them, they are
    /// several's from then on, so that neither trusts the other's.
    pub fn reducer(layout: &Layout, aggregate: &str, ours: u64, will_write: bool) -> Self {
        let key = record_key(&record(aggregate));
        let ask = json(r#"{"TableName":$,"Key":$,"ConsistentRead":true}"#, &[&Quoted(&layout.helpers), &key]);
        let unsaid = r##",
            "ConditionExpression":"attribute_not_exists(#n0)",
            "ExpressionAttributeNames":{"#n0":"pk"},
            "ReturnValuesOnConditionCheckFailure":"ALL_OLD""##;
        let claim = (Task::Claim(ours), put(layout, aggregate, ours, &json(unsaid, &[])));
        let several = (Task::Write(0), put(layout, aggregate, 0, ""));
        let tasks = [(Task::Ask { ours, will_write }, Call::new("GetItem", ask)), claim, several];
        Self { most: FEW, ..Self::of(tasks) }
    }

    /// Says that this reducer wrote all rows of a kind of aggregate: the end of a rebuild.
    pub fn rewritten(layout: &Layout, aggregate: &str, ours: u64) -> Self {
        Self { most: FEW, ..Self::of([(Task::Write(ours), put(layout, aggregate, ours, ""))]) }
    }

    fn of(tasks: impl IntoIterator<Item = (Task, Call)>) -> Self {
        let tasks = tasks.into_iter().collect();
        Self { tasks, most: TRIES, sent: false, tries: 0, correction: None, found: None }
    }

    /// As of an [exchange](super::exchange::Exchange::correction).
    pub fn correction(&self) -> Option<i64> {
        self.correction
    }

    /// What the chore needs next, given the answer to its last call, which was signed with the time `now`; none
    /// after a wait, and where none came. `random` are random bits, new ones each time.
    pub fn next(&mut self, response: Option<Response<'_>>, now: Millis, random: u128) -> Next {
        let done = match response {
            None if !self.sent => Ok(false),
            None => self.again("DynamoDB did not answer"),
            Some(response) if !response.is_whole() => self.again("an answer did not match its checksum"),
            Some(response) => match response.correction(now).filter(|_| self.correction.is_none()) {
                Some(correction) => {
                    self.correction = Some(correction);
                    return self.send();
                }
                None => self.read(&response),
            },
        };
        match done {
            Ok(true) => {
                self.tasks.pop_front();
                self.tries = 0;
                self.send()
            }
            Ok(false) if self.sent => {
                self.sent = false;
                Next::Wait(pause(BETWEEN, 1, random))
            }
            Ok(false) => self.send(),
            Err(error) => Next::Done(Err(error)),
        }
    }

    fn send(&mut self) -> Next {
        self.sent = true;
        self.tries += 1;
        match self.tasks.front() {
            Some((_, call)) => Next::Send(call.clone()),
            None => Next::Done(Ok(self.found)),
        }
    }

    /// The same call once more, unless it was made too often.
    fn again(&self, why: &str) -> Result<bool> {
        if self.tries < self.most {
            return Ok(false);
        }
        let message = format!("{why}, {} times in a row", self.tries);
        Err(Error::Store { message, retryable: true, uncertain: false })
    }

    /// Whether a task is done.
    fn read(&mut self, response: &Response<'_>) -> Result<bool> {
        let text = str::from_utf8(response.body).unwrap_or_default();
        let Ok(body) = serde_json::from_str::<Value>(text) else {
            return self.again("an answer was no JSON");
        };
        let Some((task, call)) = self.tasks.front() else { return Ok(true) };
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let refused = |message: String| Error::Store { message, retryable: false, uncertain: false };
        if response.status != 200 {
            let code = text("/__type").unwrap_or_default();
            let message = text("/message").or_else(|| text("/Message")).unwrap_or_default();
            return match (task, bare(code), meaning(code, response.status)) {
                (Task::Create, "ResourceInUseException", _) => Ok(true),
                (Task::Claim(_), "ConditionalCheckFailedException", _) => {
                    self.found = fingerprint(&body);
                    self.tasks.clear();
                    Ok(true)
                }
                (.., Meaning::Refused) => Err(refused(format!(
                    "DynamoDB answered {} {} to {}: {message}",
                    response.status,
                    bare(code),
                    call.target
                ))),
                _ => self.again("DynamoDB was too busy, or failed"),
            };
        }
        match task {
            Task::Create | Task::Expire => {}
            Task::Describe(keys) if body.pointer("/Table/KeySchema") != Some(keys) => {
                let name = text("/Table/TableName").unwrap_or_default();
                return Err(refused(format!("the table {name} is there, and its keys are not {keys}")));
            }
            Task::Describe(_) if text("/Table/TableStatus") != Some("ACTIVE") => {
                return self.again("a table cannot be used yet");
            }
            Task::Describe(_) => {}
            Task::Lifetime => {
                if let Some("ENABLED" | "ENABLING") = text("/TimeToLiveDescription/TimeToLiveStatus") {
                    self.tasks.clear();
                }
            }
            Task::Ask { ours, will_write } => {
                self.found = fingerprint(&body);
                match self.found {
                    // The claim is next.
                    None if *will_write => {}
                    Some(found) if found != *ours && found != 0 && *will_write => drop(self.tasks.remove(1)),
                    None => {
                        self.found = Some(*ours);
                        self.tasks.clear();
                    }
                    Some(_) => self.tasks.clear(),
                }
            }
            Task::Claim(ours) => {
                self.found = Some(*ours);
                self.tasks.clear();
            }
            Task::Write(ours) => self.found = Some(*ours),
        }
        Ok(true)
    }
}

/// The name of the record of who wrote the rows.
fn record(aggregate: &str) -> String {
    format!("reducer#{aggregate}")
}

/// Writes that record. A fingerprint is written in hex, since it may be larger than a number that JavaScript holds.
fn put(layout: &Layout, aggregate: &str, fingerprint: u64, more: &str) -> Call {
    let template = r#"{"TableName":$,"Item":{"pk":{"S":$},"sk":{"S":"record"},"fingerprint":{"S":"$"}}$}"#;
    let (table, fingerprint) = (Quoted(&layout.helpers), format!("{fingerprint:016x}"));
    Call::new("PutItem", json(template, &[&table, &Quoted(&record(aggregate)), &fingerprint, &more]))
}

/// The fingerprint in a record. One that cannot be read is nobody's: rows are replayed then.
fn fingerprint(body: &Value) -> Option<u64> {
    let text = body.pointer("/Item/fingerprint/S")?.as_str()?;
    Some(u64::from_str_radix(text, 16).unwrap_or(0))
}
