//! The read side: what follows the events after they were recorded, on DynamoDB.
//!
//! A [`Consumer`] is a view, the saga of transfers, or the outbox. Events reach it on two ways, and both end in the same
//! functions: right after a commit whoever wrote it hands over what it holds ([`nudge`](nudge()), which is quick and may be
//! lost), and now and then somebody reads the stream of the events table from where the last one stopped
//! ([`sweep`](sweep()), which loses nothing). Correctness rests on the second alone.
//!
//! | what | how |
//! |---|---|
//! | an event takes effect once in a view | a row holds the version up to which it has seen its aggregate, and is written on the condition that nobody else wrote it |
//! | in order | by `aggregateVersion`: what is missing in between is read from the events table first |
//! | none is lost | a [checkpoint](progress) moves behind what every consumer has taken; where the stream no longer has it, the events table is walked through |
//! | a rebuild | a generation of rows beside the one that serves: events of before it began come from the table, all others from the stream |
//! | an event that cannot be taken | is tried [five times](crate::projection::ATTEMPTS), then [parked](letters), and the rest goes on |
//!
//! All of this is asynchronous functions over a [`Shell`], which makes the calls: nothing here does I/O.
//!
//! Everything lies in the tables `views` and `helpers`:
//!
//! | `pk` | `sk` | what |
//! |---|---|---|
//! | `{view}@{generation}` | the aggregate's id | in `views`: a row, see [`rows`] |
//! | `feed`, `feed#outbox` | `record` | the [checkpoints](progress): shards, generations, the lease |
//! | `dead#{consumer}` | id and version | a [dead letter](letters) |
//! | `outbox#{aggregateName}#{id}` | `record` | up to which version an aggregate's events were sent |
//!
//! Streams: Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams", and the API reference of
//! DynamoDB Streams.

pub mod letters;
pub mod measure;
mod nudge;
pub mod outbox;
mod past;
pub mod progress;
pub mod query;
pub mod rows;
mod saga;
mod stream;
mod sweep;

pub use nudge::nudge;
pub use sweep::{Limits, Report, sweep};

use crate::{
    attribute::item_to_json,
    domain::{Sender, Snapshot},
    domains::transfer::Step,
    dynamodb::{
        Call, Layout, Quoted,
        error::{Meaning, bare, meaning},
        exchange::{Received, consumed as capacity},
        json,
        sign::Api,
    },
    error::{Error, Result},
    event::Event,
    projection::Projection,
    raw::Fields,
    run::{Done, escaped, pause},
    store::Cost,
    time::Millis,
    value::{Object, object, sha256},
};
use serde_json::Value;
use std::{borrow::Cow, fmt, future::Future, sync::Arc};

/// What the read side asks of its shell.
pub trait Shell {
    /// The tables.
    fn layout(&self) -> &Arc<Layout>;

    /// Where every event is sent, if anywhere.
    fn outbox(&self) -> Option<&outbox::Outbox>;

    /// The time in milliseconds since the epoch.
    fn now(&self) -> Millis;

    /// Random bits, new ones each time.
    fn random(&self) -> u128;

    /// Waits so many milliseconds.
    fn wait(&self, time: Millis) -> impl Future<Output = ()>;

    /// Makes a call: nothing where no answer came. The shell signs it, and corrects its clock where DynamoDB finds it
    /// too far off.
    fn call(&self, call: &Call) -> impl Future<Output = Option<Received>>;

    /// How many calls it has made so far.
    fn calls(&self) -> u32;

    /// Adds up what calls cost.
    fn spend(&self, cost: Cost);

    /// The state of a bank account; none where there is no such account.
    fn account(&self, id: &str) -> impl Future<Output = Result<Option<Snapshot>>>;

    /// Runs a command of the saga to its end.
    fn execute(&self, step: &Step, by: Sender) -> impl Future<Output = Result<Done>>;

    /// Puts events on the queue, all of them or none.
    fn enqueue(&self, events: &[Event]) -> impl Future<Output = Result<(), String>>;
}

/// Who takes the events.
#[derive(Debug, Clone, Copy)]
pub enum Consumer {
    /// A generation of a read model.
    View(&'static Projection, u64),
    /// The saga that carries transfers from account to account.
    Transfers,
    /// Whatever listens outside.
    Outbox,
    /// Nobody: what is in the events table and cannot be read as an event is parked here.
    Unreadable,
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Consumer::View(view, generation) => write!(f, "{}@{generation}", view.name),
            Consumer::Transfers => f.write_str("transfers"),
            Consumer::Outbox => f.write_str("outbox"),
            Consumer::Unreadable => f.write_str("unreadable"),
        }
    }
}

/// The events of one aggregate, in the order of their versions, each once.
#[derive(Debug)]
struct Batch {
    aggregate: String,
    id: String,
    events: Vec<Event>,
}

/// Events by their aggregates, whatever order they came in and however often.
fn batches(mut events: Vec<Event>) -> Vec<Batch> {
    let place = |event: &Event| (event.aggregate().to_owned(), event.aggregate_id().to_owned());
    events.sort_by_cached_key(|event| (place(event), event.version()));
    let mut batches: Vec<Batch> = Vec::new();
    for event in events {
        match batches.last_mut() {
            Some(batch) if batch.aggregate == event.aggregate() && batch.id == event.aggregate_id() => {
                if batch.events.last().is_none_or(|last| last.version() < event.version()) {
                    batch.events.push(event);
                }
            }
            _ => {
                let (aggregate, id) = place(&event);
                batches.push(Batch { aggregate, id, events: vec![event] });
            }
        }
    }
    batches
}

/// How many things are done beside each other. A Worker has six connections at once.
const BESIDE: usize = 6;

/// The text of an answer, or why there is none that says yes.
enum Reply {
    Done(String),
    Refused { code: String, body: String },
}

impl Reply {
    /// The answer to a call that nothing should refuse.
    fn done(self, call: &Call) -> Result<String> {
        match self {
            Reply::Done(body) => Ok(body),
            Reply::Refused { code, body } => Err(refusal(call, &code, &body)),
        }
    }
}

/// A call that was refused for good, as an error that says why.
fn refusal(call: &Call, code: &str, body: &str) -> Error {
    let fields = Fields::read(body, &["message", "Message"]).ok();
    let said = |name| fields.as_ref().and_then(|fields| fields.string(name).ok().flatten());
    let why = said("message").or_else(|| said("Message")).unwrap_or_default();
    let message = format!("{} was refused: {code}: {why}", call.target);
    Error::Store { message, retryable: false, uncertain: false }
}

/// How often a call is made before it is given up, and the wait between, in milliseconds.
const TRIES: u32 = 6;
const BACKOFF: Millis = 50;

/// What the answer to a call says that it cost.
fn cost(call: &Call, body: &str) -> Cost {
    let consumed = Fields::read(body, &["ConsumedCapacity"]).ok();
    let consumed: Option<Value> =
        consumed.and_then(|fields| serde_json::from_str(fields.get("ConsumedCapacity")?).ok());
    let units = capacity(consumed.as_ref());
    let writes =
        ["PutItem", "DeleteItem", "BatchWriteItem"].iter().any(|action| call.target.ends_with(action));
    let (rcu, wcu) = if writes { (0.0, units) } else { (units, 0.0) };
    Cost { requests: 1, rcu, wcu }
}

/// Makes a call until its answer says something. All calls of the read side may be made twice: what they write, they
/// write on conditions.
async fn ask(shell: &impl Shell, call: &Call) -> Result<Reply> {
    for attempt in 1..=TRIES {
        let received = shell.call(call).await;
        if received.is_none() {
            shell.spend(Cost { requests: 1, ..Cost::default() });
        }
        let whole = received.filter(|received| received.response().is_whole());
        if let Some(Received { status, body, .. }) = whole
            && let Ok(body) = String::from_utf8(body)
        {
            shell.spend(cost(call, &body));
            if status == 200 && body.starts_with('{') && body.ends_with('}') {
                return Ok(Reply::Done(body));
            }
            let code = Fields::read(&body, &["__type"]).and_then(|fields| fields.string("__type"));
            if let Ok(Some(code)) = code
                && meaning(&code, status) == Meaning::Refused
            {
                return Ok(Reply::Refused { code: bare(&code).to_owned(), body });
            }
        }
        if attempt < TRIES {
            shell.wait(pause(BACKOFF, attempt, shell.random())).await;
        }
    }
    let message = format!("{} was too busy, or did not answer, {TRIES} times in a row", call.target);
    Err(Error::Store { message, retryable: true, uncertain: false })
}

/// Reads many items of a table by their keys, consistently: those that there are, in any order.
async fn get_all(shell: &impl Shell, table: &str, keys: Vec<String>) -> Result<Vec<String>> {
    let mut items = Vec::new();
    for keys in keys.chunks(100) {
        let template = r#"{$:{"Keys":[$],"ConsistentRead":true}}"#;
        let mut wanted = json(template, &[&Quoted(table), &keys.join(",")]);
        loop {
            let body = format!(r#"{{"RequestItems":{wanted},"ReturnConsumedCapacity":"TOTAL"}}"#);
            let call = Call::to(Api::Tables, "BatchGetItem", body);
            let body = ask(shell, &call).await?.done(&call)?;
            let mut body: Value = serde_json::from_str(&body).unwrap_or_default();
            let found = body.get("Responses").and_then(|tables| tables.get(table)?.as_array());
            items.extend(found.into_iter().flatten().map(Value::to_string));
            // DynamoDB leaves over what was too much at once.
            match body.get_mut("UnprocessedKeys").map(Value::take) {
                Some(Value::Object(rest)) if !rest.is_empty() => wanted = Value::Object(rest).to_string(),
                _ => break,
            }
            shell.wait(BACKOFF).await;
        }
    }
    Ok(items)
}

/// Reads an item by its key, consistently; none where there is none.
async fn get(shell: &impl Shell, table: &str, key: &str) -> Result<Option<String>> {
    let template = r#"{"TableName":$,"Key":$,"ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL"}"#;
    let call = Call::to(Api::Tables, "GetItem", json(template, &[&Quoted(table), &key]));
    let body = ask(shell, &call).await?.done(&call)?;
    Ok(item(&body).map(str::to_owned))
}

/// The key of an item of ours.
fn key(pk: &str, sk: &str) -> String {
    json(r#"{"pk":{"S":$},"sk":{"S":$}}"#, &[&Quoted(pk), &Quoted(sk)])
}

/// The item in an answer.
fn item(body: &str) -> Option<&str> {
    Fields::read(body, &["Item"]).ok()?.get("Item")
}

/// The items in an answer, and where the page ends; `of` is what it is a page of, for the error.
fn page<'a>(body: &'a str, of: &str) -> Result<(Vec<&'a str>, Option<&'a str>)> {
    let read = || {
        let fields = Fields::read(body, &["Items", "LastEvaluatedKey"])?;
        Ok((fields.items("Items")?.unwrap_or_default(), fields.get("LastEvaluatedKey")))
    };
    read().map_err(|error: serde_json::Error| Error::Store {
        message: format!("a page of {of} cannot be read: {error}"),
        retryable: true,
        uncertain: false,
    })
}

/// What DynamoDB says of a table.
async fn describe(shell: &impl Shell, table: &str) -> Result<Value> {
    let call = Call::to(Api::Tables, "DescribeTable", json(r#"{"TableName":$}"#, &[&Quoted(table)]));
    let body = ask(shell, &call).await?.done(&call)?;
    Ok(serde_json::from_str(&body).unwrap_or_default())
}

/// The condition on which something is written in the place of what was seen: its attribute `rev` counts how often it was.
fn unless_changed(rev: u64) -> String {
    match rev {
        0 => r##""attribute_not_exists(#n0)","ExpressionAttributeNames":{"#n0":"pk"}"##.to_owned(),
        rev => json(
            r##""#n0 = :v0",
                "ExpressionAttributeNames":{"#n0":"rev"},
                "ExpressionAttributeValues":{":v0":{"N":"$"}}"##,
            &[&rev],
        ),
    }
}

/// Writes an item, given as its JSON, on a condition.
fn put_call(table: &str, item: &str, condition: &str) -> Call {
    let template = r#"{
        "TableName":$,
        "Item":$,
        "ConditionExpression":$,
        "ReturnValuesOnConditionCheckFailure":"ALL_OLD",
        "ReturnConsumedCapacity":"TOTAL"
    }"#;
    Call::to(Api::Tables, "PutItem", json(template, &[&Quoted(table), &item, &condition]))
}

/// A text that may be part of a key: a long one is cut, and has its digest behind it. A sort key has 1,024 bytes at the most,
/// and the other library's tables take ids of 2,048.
fn fitted(text: &str) -> Cow<'_, str> {
    const MOST: usize = 700;
    if text.len() <= MOST {
        return text.into();
    }
    format!("{}~{}", cut(text, MOST), sha256(&text.into())).into()
}

/// A text of so many bytes at the most.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// An item as plain JSON; nothing where it is no item.
fn plain(item: &str) -> Option<Object> {
    object(&item_to_json(item, &[]).ok()?).ok()
}
