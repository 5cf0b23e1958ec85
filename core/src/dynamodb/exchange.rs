//! A store's request as calls of DynamoDB's HTTP API, and its reply from their answers.

use super::{
    Call, Layout, MAX_ITEM, MAX_TRANSACTION, Quoted, error, item, item::typed, json, record_key,
    sign::correction,
};
use crate::{
    aggregate::Meta,
    attribute::item_to_json,
    domain::Snapshot,
    error::Issue,
    event::{Event, RESERVED_IN_ROWS},
    gzip::crc32,
    order::sort_by_key,
    raw::Fields,
    store::{Answer, Commit, Cost, Failure, Loaded, PAGE, Page, Record, Reply, Request},
    time::{Millis, parse_iso, to_iso},
    value::{Object, below, hex, object},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{fmt::Display, sync::Arc};

/// One request on its way, as a state machine: it asks for calls and never makes them.
///
/// ```
/// use std::sync::Arc;
/// use rewound_core::{dynamodb::{Layout, Rows, exchange::{Exchange, Next, Response}}, store::{Answer, Request}};
/// let rows = Rows { table: "accounts".into(), fingerprint: 0 };
/// let aggregates = [("BankAccount".to_owned(), rows)].into();
/// let layout = Arc::new(Layout { events: "events".into(), helpers: "helpers".into(), aggregates, ..Layout::default() });
/// let load = Request::Load { aggregate: "BankAccount".into(), id: "a1".into() };
/// let (mut exchange, next) = Exchange::new(&layout, load);
/// let Next::Send(call) = next else { panic!() };
/// assert_eq!(call.target, "DynamoDB_20120810.GetItem");
/// // … the shell signs and sends it, and hands back what came:
/// let response = Response { status: 200, body: b"{}", ..Response::default() };
/// let Next::Done(reply) = exchange.answered(response, 1_800_000_000_000) else { panic!() };
/// assert_eq!(reply.result, Ok(Answer::Loaded(Default::default())));
/// ```
#[derive(Debug)]
pub struct Exchange {
    layout: Arc<Layout>,
    request: Request,
    /// The call that was made last.
    sent: Option<Call>,
    /// The events found so far.
    found: Vec<Event>,
    /// Whether they are looked for from the start of the stream, since one was not behind the cursor.
    from_the_start: bool,
    cost: Cost,
    correction: Option<i64>,
}

/// What came back over HTTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Response<'a> {
    /// HTTP's status.
    pub status: u16,
    /// The header `Date`: where the clock was wrong, it tells by how much.
    pub date: Option<&'a str>,
    /// The header `x-amz-crc32`: the body's checksum.
    pub crc32: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What came back over HTTP, for a shell to keep.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// HTTP's status.
    pub status: u16,
    /// The header `Date`.
    pub date: Option<String>,
    /// The header `x-amz-crc32`.
    pub crc32: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// As an exchange takes it.
    pub fn response(&self) -> Response<'_> {
        let Self { status, date, crc32, body } = self;
        Response { status: *status, date: date.as_deref(), crc32: crc32.as_deref(), body }
    }
}

/// What an exchange needs next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Make this call, and come back with its [answer](Exchange::answered), or [without](Exchange::lost).
    Send(Call),
    /// It is over.
    Done(Reply),
}

/// What can stand in an answer, of whatever call.
struct Body<'a> {
    item: Option<&'a str>,
    items: Vec<&'a str>,
    /// What a transaction read.
    responses: Vec<Fields<'a>>,
    last: Option<&'a str>,
    consumed: Option<Value>,
    reasons: Vec<Reason<'a>>,
    code: String,
    message: String,
}

/// Why an item kept a transaction from being written.
struct Reason<'a> {
    code: String,
    message: Option<String>,
    item: Option<&'a str>,
}

type Found<T> = Result<T, Failure>;

/// What the events found so far make.
enum Paging {
    Page(Page<Event>),
    /// More has to be asked.
    More,
    /// All of it has to be asked again, from the start of the stream.
    Again,
}

/// After how many calls a request for events ends without one.
const MOST_CALLS: u32 = 10;

/// What an answer leads to.
enum Read {
    Answer(Answer),
    /// This has to be asked as well.
    More(Call),
}

impl Exchange {
    /// A request that was not sent yet, and what it needs first.
    pub fn new(layout: &Arc<Layout>, request: Request) -> (Self, Next) {
        let (found, cost) = (Vec::new(), Cost::default());
        let layout = Arc::clone(layout);
        let mut exchange =
            Self { layout, request, sent: None, found, from_the_start: false, cost, correction: None };
        let next = match exchange.first() {
            Ok(call) => exchange.send(call),
            Err(failure) => exchange.done(Err(failure)),
        };
        (exchange, next)
    }

    /// The answer to the last call, which was signed with the time `now`. Where that was refused as too far off,
    /// the same call is asked for once more, to be signed with the [corrected](Self::correction) time; a commit ends
    /// as [`Failure::Clock`].
    pub fn answered(&mut self, response: Response<'_>, now: Millis) -> Next {
        if !response.is_whole() {
            return self.lost();
        }
        if self.correction.is_none()
            && let Some(correction) = response.correction(now)
            && let Some(call) = self.sent.take()
        {
            self.correction = Some(correction);
            return match self.request {
                // Its events carry the wrong time.
                Request::Commit(_) => self.done(Err(Failure::Clock)),
                _ => self.send(call),
            };
        }
        match self.read(response) {
            Ok(Read::Answer(answer)) => self.done(Ok(answer)),
            Ok(Read::More(call)) => self.send(call),
            Err(failure) => self.done(Err(failure)),
        }
    }

    /// How many milliseconds to add to the shell's clock from now on, where DynamoDB found it too far off: for
    /// signatures, and for the ids of events.
    pub fn correction(&self) -> Option<i64> {
        self.correction
    }

    /// No answer came to the last call: what it did is not known.
    pub fn lost(&mut self) -> Next {
        self.done(Err(Failure::Lost))
    }

    fn send(&mut self, call: Call) -> Next {
        self.cost.requests += 1;
        self.sent = Some(call.clone());
        Next::Send(call)
    }

    fn done(&mut self, result: Found<Answer>) -> Next {
        Next::Done(Reply { result, cost: std::mem::take(&mut self.cost) })
    }

    fn first(&self) -> Found<Call> {
        match &self.request {
            Request::Load { aggregate, id } => Ok(get(self.rows(aggregate)?, &key(id, ""))),
            Request::Record { keys, .. } => match keys.as_slice() {
                [key] => Ok(get(&self.layout.helpers, &record_key(key))),
                keys => {
                    let get = |key: &String| {
                        let (table, key) = (Quoted(&self.layout.helpers), record_key(key));
                        json(r#"{"Get":{"TableName":$,"Key":$}}"#, &[&table, &key])
                    };
                    let items = keys.iter().map(get).collect::<Vec<_>>().join(",");
                    Ok(Call::new("TransactGetItems", json(TRANSACTION, &[&items])))
                }
            },
            Request::Events { .. } => Ok(self.query(self.place())),
            Request::List { aggregate, cursor, limit } => {
                let template = r##"{
                    "TableName":$,
                    "ConsistentRead":true,
                    "ProjectionExpression":"#n0, #n1, #n2, #n3",
                    "ExpressionAttributeNames":{
                        "#n0":"aggregateId","#n1":"version","#n2":"actorId","#n3":"updatedAt"
                    },
                    "Limit":$,
                    "ReturnConsumedCapacity":"TOTAL"
                    $
                }"##;
                let start = cursor.as_ref().map_or_else(String::new, |id| starting(&key(id, "")));
                Ok(Call::new("Scan", json(template, &[&Quoted(self.rows(aggregate)?), limit, &start])))
            }
            Request::Commit(commit) => transaction(&self.layout, self.rows(&commit.aggregate)?, commit),
            Request::Rewrite { aggregate, snapshot } => {
                let row =
                    row(&snapshot.meta, &snapshot.state).map_err(|issue| unwritable("the state", issue))?;
                let template = r##"{
                    "TableName":$,
                    "Item":$,
                    "ConditionExpression":"#n0 = :v0",
                    "ExpressionAttributeNames":{"#n0":"version"},
                    "ExpressionAttributeValues":{":v0":{"N":"$"}},
                    "ReturnConsumedCapacity":"TOTAL"
                }"##;
                let (table, item) = (Quoted(self.rows(aggregate)?), Value::Object(row));
                Ok(Call::new("PutItem", json(template, &[&table, &item, &snapshot.meta.version])))
            }
        }
    }

    fn rows(&self, aggregate: &str) -> Found<&str> {
        let rows = self.layout.rows(aggregate);
        rows.map(|rows| rows.table.as_str()).ok_or_else(|| {
            Failure::Refused(format!("no table is known for aggregates of the kind {aggregate}"))
        })
    }

    /// The events of a stream in the order of their ids, which is that of their versions as a rule and not by
    /// promise. The first behind a version is looked for from the end, since that is where it lies.
    fn query(&self, start: Option<&str>) -> Call {
        let (id, limit) = match &self.request {
            Request::Events { id, limit, .. } => (id.as_str(), *limit),
            _ => ("", 0),
        };
        let template = r##"{
            "TableName":$,
            "KeyConditionExpression":"#n0 = :v0",
            "ExpressionAttributeNames":{"#n0":"aggregateId"},
            "ExpressionAttributeValues":{":v0":{"S":$}},
            "ConsistentRead":true,
            "ScanIndexForward":$,
            "Limit":$,
            "ReturnConsumedCapacity":"TOTAL"
            $
        }"##;
        let (forward, limit) = match self.is_backwards() {
            true => (false, 10),
            // The first that is asked for may lie anywhere.
            false if self.is_searching() => (true, PAGE),
            false => (true, limit),
        };
        let start = start.map_or_else(String::new, |event_id| {
            starting(&key(id, &json(r#","eventId":{"S":$}"#, &[&Quoted(event_id)])))
        });
        let values: [&dyn Display; 5] = [&Quoted(&self.layout.events), &Quoted(id), &forward, &limit, &start];
        Call::new("Query", json(template, &values))
    }

    /// Behind which event's id the page is said to begin.
    fn place(&self) -> Option<&str> {
        match &self.request {
            Request::Events { cursor, .. } => cursor.as_deref().filter(|cursor| !cursor.is_empty()),
            _ => None,
        }
    }

    /// Whether the place of the first event that is asked for is not known, or was not the right one.
    fn is_searching(&self) -> bool {
        matches!(self.request, Request::Events { after: 1.., .. })
            && (self.from_the_start || self.cost.requests > 0 || self.place().is_none())
    }

    fn is_backwards(&self) -> bool {
        matches!(&self.request, Request::Events { after: 1.., cursor: None, limit: 1, .. })
    }

    /// What an answer says.
    fn read(&mut self, response: Response<'_>) -> Found<Read> {
        let status = response.status;
        let body = parse(status, response.body)?;
        let units = consumed(body.consumed.as_ref());
        if matches!(self.request, Request::Commit(_) | Request::Rewrite { .. }) {
            self.cost.wcu += units;
        } else {
            self.cost.rcu += units;
        }
        if status != 200 {
            return self.refused(status, &body).map(Read::Answer);
        }
        Ok(Read::Answer(match &self.request {
            Request::Load { aggregate, .. } => {
                let loaded = body.item.map(|item| self.loaded(aggregate, item)).transpose()?;
                Answer::Loaded(loaded.unwrap_or_default())
            }
            Request::Record { now, .. } => {
                let items =
                    body.item.into_iter().chain(body.responses.iter().filter_map(|part| part.get("Item")));
                let records = items.map(record).collect::<Found<Vec<Record>>>()?;
                Answer::Record(records.into_iter().find(|record| record.counts(*now)))
            }
            Request::Commit(_) | Request::Rewrite { .. } => Answer::Committed,
            Request::List { .. } => {
                let items = body.items.iter().map(|item| meta(&mut plain(item)?));
                let items = items.collect::<Found<Vec<Meta>>>()?;
                let next = body.last.and(items.last()).map(|last| last.id.to_string());
                Answer::List(Page { items, next })
            }
            Request::Events { aggregate, after, limit, .. } => {
                let (after, limit) = (*after, *limit);
                for item in &body.items {
                    let event = event(item)?;
                    // An aggregate of another kind may have the same id.
                    if aggregate.is_empty() || *event.aggregate() == *aggregate {
                        self.found.push(event);
                    }
                }
                let last = last_event(&body)?;
                match self.page(after, limit, last.clone()) {
                    Paging::Page(page) => Answer::Events(page),
                    Paging::More => return Ok(Read::More(self.query(last.as_deref()))),
                    Paging::Again => {
                        self.from_the_start = true;
                        self.found.clear();
                        return Ok(Read::More(self.query(None)));
                    }
                }
            }
        }))
    }

    /// The page that the events found so far make; more is asked where one between them is still missing. After many
    /// calls without one that is asked for, the page is empty and says where to go on: one request never walks through
    /// a whole stream.
    fn page(&mut self, after: u64, limit: usize, last: Option<String>) -> Paging {
        self.found.retain(|event| event.version() > after);
        sort_by_key(&mut self.found, Event::version);
        let versions = self.found.iter().map(Event::version);
        let whole = versions.zip(after + 1..).take_while(|(found, expected)| found == expected).count();
        if self.is_backwards() {
            let first = self.found.first().filter(|_| whole > 0).cloned();
            if first.is_none() && last.is_some() {
                return Paging::More;
            }
            // Whether anything comes behind it, the next page tells.
            let next = first.as_ref().map(|event| event.id().to_string());
            return Paging::Page(Page { items: first.into_iter().collect(), next });
        }
        // Before the first version that is asked for there may be whole pages of earlier ones.
        let is_enough = last.is_none() || self.cost.requests >= MOST_CALLS;
        if !is_enough && (whole < self.found.len() || self.found.is_empty()) {
            return Paging::More;
        }
        // Ids follow versions as a rule. A foreign clock can break it, and the cursor is behind the event then.
        if whole == 0 && !self.found.is_empty() && self.place().is_some() && !self.from_the_start {
            return Paging::Again;
        }
        let rest = self.found.split_off(limit.min(self.found.len()));
        let items = std::mem::take(&mut self.found);
        if rest.is_empty() {
            return Paging::Page(Page { items, next: last });
        }
        // The next page begins behind the last id before which nothing is left over.
        let first_left = rest.iter().map(Event::id).min();
        let before = items.iter().map(Event::id).filter(|id| Some(*id) < first_left).max();
        let next =
            before.map(|id| id.to_string()).unwrap_or_else(|| self.place().unwrap_or_default().to_owned());
        Paging::Page(Page { items, next: Some(next) })
    }

    /// What an error means.
    fn refused(&self, status: u16, body: &Body<'_>) -> Found<Answer> {
        const CHECK: &str = "ConditionalCheckFailed";
        let failure = || error::failure(&body.code, status, &body.message);
        match error::bare(&body.code) {
            "TransactionCanceledException" => {}
            "ConditionalCheckFailedException" if matches!(self.request, Request::Rewrite { .. }) => {
                return Ok(Answer::Conflict(None));
            }
            _ => return Err(failure()),
        }
        let reasons = body.reasons.iter().filter(|reason| !matches!(reason.code.as_str(), "" | "None"));
        let of = |reason: &Reason<'_>| {
            error::failure(&reason.code, status, reason.message.as_deref().unwrap_or(&body.message))
        };
        // What cannot pass says more than what may.
        let refused = |failure: &Failure| matches!(failure, Failure::Refused(_));
        let Request::Commit(commit) = &self.request else {
            return Err(reasons.map(of).max_by_key(refused).unwrap_or_else(failure));
        };
        // A key that is taken goes before a conflict, and both before what may pass.
        let mut records = body.reasons.iter().skip(1 + commit.events.len());
        if let Some(reason) = records.find(|reason| reason.code == CHECK) {
            let item =
                reason.item.ok_or_else(|| unreadable("the record that has the key is not in the answer"))?;
            return record(item).map(Answer::KeyTaken);
        }
        if let Some(reason) = body.reasons.first().filter(|reason| reason.code == CHECK) {
            let winner = reason.item.map(|item| self.loaded(&commit.aggregate, item)).transpose()?;
            return Ok(Answer::Conflict(Some(winner.unwrap_or_default())));
        }
        let failures = reasons.map(|reason| match reason.code.as_str() {
            CHECK => Failure::Refused(format!(
                "an event of {} {} has an id that is there already, though its version is not",
                commit.aggregate, commit.id
            )),
            _ => of(reason),
        });
        Err(failures.max_by_key(refused).unwrap_or_else(failure))
    }

    /// A row as what it is: the newest snapshot.
    fn loaded(&self, aggregate: &str, item: &str) -> Found<Loaded> {
        let mut state = plain(item)?;
        let meta = meta(&mut state)?;
        let fingerprint = self.layout.rows(aggregate).map_or(0, |rows| rows.fingerprint);
        Ok(Loaded { version: meta.version, snapshot: Some(Snapshot { meta, state, fingerprint }) })
    }
}

/// The body with which DynamoDB refuses a commit that is answered like this: status 400, a reason for each item of the
/// transaction, and the row or record that was in the way. None where nothing was in the way, or it cannot be written.
///
/// ```
/// use rewound_core::{aggregate::Meta, domain::Snapshot, dynamodb::exchange::cancellation, event::Event};
/// use rewound_core::store::{Answer, Commit, Loaded};
/// let event = r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"OrderConfirmed","aggregateName":"Order","aggregateId":"o1","aggregateVersion":3,"actorId":"ada"}"#;
/// let snapshot = |version: u64| Snapshot {
///     meta: Meta { id: "o1".into(), version, actor: "ada".into(), updated_at: None },
///     state: Default::default(),
///     fingerprint: 0,
/// };
/// let commit = Commit {
///     aggregate: "Order".into(),
///     id: "o1".into(),
///     expected: 2,
///     events: vec![Event::parse(event).unwrap()],
///     snapshot: snapshot(3),
///     removed: vec![],
///     records: vec![],
///     now: 0,
/// };
/// let winner = Loaded { version: 5, snapshot: Some(snapshot(5)) };
/// let body = cancellation(&commit, &Answer::Conflict(Some(winner))).unwrap();
/// assert_eq!(body["CancellationReasons"][0]["Code"], "ConditionalCheckFailed");
/// assert_eq!(body["CancellationReasons"][0]["Item"]["version"]["N"], "5");
/// assert_eq!(body["CancellationReasons"][1]["Code"], "None");
/// ```
pub fn cancellation(commit: &Commit, answer: &Answer) -> Option<Value> {
    let (place, item) = match answer {
        Answer::Conflict(winner) => {
            let snapshot = winner.as_ref().and_then(|winner| winner.snapshot.as_ref());
            (0, snapshot.map(|snapshot| row(&snapshot.meta, &snapshot.state)).transpose().ok()?)
        }
        Answer::KeyTaken(taken) => {
            let place = commit.records.iter().position(|record| record.key == taken.key)?;
            (1 + commit.events.len() + place, Some(record_item(taken)))
        }
        _ => return None,
    };
    let items = 1 + commit.events.len() + commit.records.len();
    let code = |index: usize| if index == place { "ConditionalCheckFailed" } else { "None" };
    let reason = |index: usize| {
        let mut reason = Object::from_iter([("Code".to_owned(), code(index).into())]);
        if index == place {
            reason.insert("Message".to_owned(), "The conditional request failed".into());
            reason.extend(item.clone().map(|item| ("Item".to_owned(), item.into())));
        }
        Value::Object(reason)
    };
    let codes = (0..items).map(code).collect::<Vec<_>>().join(", ");
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]");
    Some(Value::Object(Object::from_iter([
        ("__type".to_owned(), "com.amazonaws.dynamodb.v20120810#TransactionCanceledException".into()),
        ("Message".to_owned(), message.into()),
        ("CancellationReasons".to_owned(), (0..items).map(reason).collect()),
    ])))
}

impl Response<'_> {
    /// Whether the body is as it was sent, as far as that can be told.
    pub(crate) fn is_whole(&self) -> bool {
        let expected = self.crc32.and_then(|text| text.trim().parse::<u32>().ok());
        expected.is_none_or(|expected| expected == crc32(self.body))
    }

    /// By how much the clock was off, where that is why the call was refused.
    pub fn correction(&self, now: Millis) -> Option<i64> {
        if !matches!(self.status, 400 | 403) {
            return None;
        }
        let body = parse(self.status, self.body).ok()?;
        correction(&body.code, &body.message, self.date?, now)
    }
}

fn parse(status: u16, body: &[u8]) -> Found<Body<'_>> {
    let text = str::from_utf8(body).map_err(|error| error.to_string());
    text.and_then(|text| Body::read(text).map_err(|error| error.to_string())).map_err(|error| match status {
        // Half an answer, or somebody else's: what DynamoDB did is not known.
        200 | 500.. => Failure::Lost,
        _ => Failure::Refused(format!("the answer {status} is no DynamoDB's: {error}")),
    })
}

impl<'a> Body<'a> {
    fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        const NAMES: &[&str] = &[
            "Item",
            "Items",
            "Responses",
            "LastEvaluatedKey",
            "ConsumedCapacity",
            "CancellationReasons",
            "__type",
            "message",
            "Message",
        ];
        let body = Fields::read(text, NAMES)?;
        let items = |name| body.items(name).map(Option::unwrap_or_default);
        let part = |text| Fields::read(text, &["Item"]);
        let message = body.string("message")?.map_or_else(|| body.string("Message"), |text| Ok(Some(text)));
        Ok(Self {
            item: body.get("Item"),
            items: items("Items")?,
            responses: items("Responses")?.into_iter().map(part).collect::<Result<_, _>>()?,
            last: body.get("LastEvaluatedKey"),
            consumed: body.get("ConsumedCapacity").map(serde_json::from_str).transpose()?,
            reasons: items("CancellationReasons")?.into_iter().map(Reason::read).collect::<Result<_, _>>()?,
            code: body.string("__type")?.unwrap_or_default(),
            message: message?.unwrap_or_default(),
        })
    }
}

impl<'a> Reason<'a> {
    fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        let reason = Fields::read(text, &["Code", "Message", "Item"])?;
        let code = reason.string("Code")?.unwrap_or_default();
        Ok(Self { code, message: reason.string("Message")?, item: reason.get("Item") })
    }
}

fn unwritable(what: &str, issue: Issue) -> Failure {
    Failure::Refused(format!("{what} cannot be written to DynamoDB: {issue}"))
}

fn unreadable(what: &str) -> Failure {
    Failure::Refused(what.to_owned())
}

/// An item as plain JSON.
fn plain(item: &str) -> Found<Object> {
    let json =
        item_to_json(item, &[]).map_err(|error| unreadable(&format!("an item cannot be read: {error}")))?;
    object(&json).map_err(|error| unreadable(&format!("an item cannot be read: {error}")))
}

/// Takes what every row has out of it. What is wrong with one is said without its values: they are somebody's.
fn meta(row: &mut Object) -> Found<Meta> {
    let mut take = |name: &str| row.shift_remove(name);
    let (id, version, actor) = (take("aggregateId"), take("version"), take("actorId"));
    let updated_at = take("updatedAt");
    let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(crate::event::Text::from);
    let wrong =
        |name: &str, expected: &str| unreadable(&format!("{name} of a row is missing, or is not {expected}"));
    Ok(Meta {
        id: text(id).ok_or_else(|| wrong("aggregateId", "a text"))?,
        version: (version.as_ref().and_then(Value::as_u64).filter(|version| *version > 0))
            .ok_or_else(|| wrong("version", "a version from 1 on"))?,
        actor: text(actor).ok_or_else(|| wrong("actorId", "a text"))?,
        updated_at: match updated_at {
            None => None,
            Some(time) => Some(
                time.as_str()
                    .and_then(parse_iso)
                    .ok_or_else(|| wrong("updatedAt", "a time such as 2026-01-31T12:00:00Z"))?,
            ),
        },
    })
}

fn event(item: &str) -> Found<Event> {
    let json = item_to_json(item, &["eventTs"]).map_err(|error| error.to_string());
    let event = json.and_then(|json| Event::parse(&json).map_err(|issue| issue.to_string()));
    event.map_err(|error| unreadable(&format!("an item is no event: {error}")))
}

/// The id with which a page ends; none where there is no other.
fn last_event(body: &Body<'_>) -> Found<Option<String>> {
    let Some(last) = body.last else { return Ok(None) };
    match plain(last)?.get("eventId") {
        Some(Value::String(id)) => Ok(Some(id.clone())),
        _ => Err(unreadable("DynamoDB's page ends without the id of its last event")),
    }
}

/// The body of a transaction.
const TRANSACTION: &str = r#"{"TransactItems":[$],"ReturnConsumedCapacity":"TOTAL"}"#;

/// The key of a row or, with more, of an event.
fn key(id: &str, more: &str) -> String {
    json(r#"{"aggregateId":{"S":$}$}"#, &[&Quoted(id), &more])
}

/// What lets a query or scan go on where another ended.
fn starting(key: &str) -> String {
    json(r#","ExclusiveStartKey":$"#, &[&key])
}

fn get(table: &str, key: &str) -> Call {
    let template = r#"{"TableName":$,"Key":$,"ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL"}"#;
    Call::new("GetItem", json(template, &[&Quoted(table), &key]))
}

/// The units of one table or of several.
pub(crate) fn consumed(consumed: Option<&Value>) -> f64 {
    match consumed {
        Some(Value::Array(tables)) => tables.iter().map(|table| self::consumed(Some(table))).sum(),
        Some(table) => table.get("CapacityUnits").map_or(0.0, |units| number(&units.to_string())),
        None => 0.0,
    }
}

/// A number of units, which DynamoDB counts in halves: `0.5` or `12.0`. The general parser of floats brings 14 KB of
/// tables into a browser.
fn number(text: &str) -> f64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    let number = |digits: &str| digits.parse::<u32>().unwrap_or_default();
    f64::from(number(whole)) + f64::from(number(&part)) / 1_000.0
}

// Records under keys

/// Times of records are whole seconds, since that is what DynamoDB's time to live counts in.
fn seconds(time: Millis) -> u64 {
    time.div_ceil(1_000)
}

/// A record as an item.
pub(super) fn record_item(record: &Record) -> Object {
    let text = |text: &str| typed("S", text.into());
    let number = |number: u64| typed("N", number.to_string().into());
    let fields = [
        ("pk", text(&record.key)),
        ("sk", text("record")),
        ("hash", text(&record.hash)),
        ("aggregateName", text(&record.aggregate)),
        ("aggregateId", text(&record.id)),
        ("first", number(record.first)),
        ("last", number(record.last)),
    ];
    let end = record.expires_at.map(|end| ("expiresAt", number(seconds(end))));
    fields.into_iter().chain(end).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn record(item: &str) -> Found<Record> {
    let mut fields = plain(item)?;
    let mut take = |name: &str| fields.shift_remove(name);
    let (key, hash, aggregate, id) = (take("pk"), take("hash"), take("aggregateName"), take("aggregateId"));
    let (first, last, expires_at) = (take("first"), take("last"), take("expiresAt"));
    let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let number = |value: Option<Value>| value.as_ref().and_then(Value::as_u64);
    let read = || {
        Some(Record {
            key: text(key)?,
            hash: text(hash)?,
            aggregate: text(aggregate)?,
            id: text(id)?,
            first: number(first)?,
            last: number(last)?,
            expires_at: number(expires_at).map(|seconds| seconds.saturating_mul(1_000)),
        })
    };
    read().ok_or_else(|| unreadable("a helper item is no record of a key"))
}

// Transactions

/// A commit as one transaction: the row, the events, the records.
fn transaction(layout: &Layout, rows: &str, commit: &Commit) -> Found<Call> {
    let row = row(&commit.snapshot.meta, &commit.snapshot.state);
    let row = row.map_err(|issue| unwritable("the state", issue))?;
    let mut sizes = vec![item::size(&row)];
    let mut items = vec![update(rows, row, commit)];
    let mut add = |table: &str, fields: Object, condition: &str| {
        sizes.push(item::size(&fields));
        let template = r#"{"Put":{
            "TableName":$,"Item":$,"ReturnValuesOnConditionCheckFailure":"ALL_OLD","ConditionExpression":$
        }}"#;
        items.push(json(template, &[&Quoted(table), &Value::Object(fields), &condition]));
    };
    for event in &commit.events {
        let fields = event_item(event).map_err(|issue| unwritable(event.name(), issue))?;
        let condition = r##""attribute_not_exists(#n0)","ExpressionAttributeNames":{"#n0":"eventId"}"##;
        add(&layout.events, fields, condition);
    }
    let condition = r##""attribute_not_exists(#n0) OR #n1 < :v0",
        "ExpressionAttributeNames":{"#n0":"pk","#n1":"expiresAt"},
        "ExpressionAttributeValues":{":v0":{"N":"$"}}"##;
    for record in &commit.records {
        add(&layout.helpers, record_item(record), &json(condition, &[&seconds(commit.now)]));
    }
    if let Some(large) = sizes.iter().find(|size| **size > MAX_ITEM) {
        return Err(Failure::Refused(format!(
            "an item of {large} bytes: DynamoDB takes {MAX_ITEM} at the most"
        )));
    }
    let whole: usize = sizes.iter().sum();
    if whole > MAX_TRANSACTION {
        let message = format!("a transaction of {whole} bytes: DynamoDB takes {MAX_TRANSACTION} at the most");
        return Err(Failure::Refused(message));
    }
    if items.len() > 100 {
        return Err(Failure::Refused(format!("a transaction of {} items: DynamoDB takes 100", items.len())));
    }
    let body = json(TRANSACTION, &[&items.join(",")]);
    // The same bytes sent again are the same attempt; a command that was decided again is a new one.
    let digest = hex(&Sha256::digest(&body));
    let (body, token) = (body.strip_suffix('}').unwrap_or_default(), digest.get(..36).unwrap_or_default());
    Ok(Call::new("TransactWriteItems", json(r#"$,"ClientRequestToken":"$"}"#, &[&body, &token])))
}

/// A row as an item, in the order in which its attributes are set.
pub(crate) fn row(meta: &Meta, state: &Object) -> Result<Object, Issue> {
    if let Some(name) = RESERVED_IN_ROWS.iter().find(|name| state.contains_key(**name)) {
        let message = "every row has a field of that name: it is reserved".to_owned();
        return Err(Issue { pointer: below("", name), message });
    }
    let mut fields = Object::from_iter([
        ("aggregateId".to_owned(), Value::from(&*meta.id)),
        ("version".to_owned(), Value::from(meta.version)),
        ("actorId".to_owned(), Value::from(&*meta.actor)),
    ]);
    fields.extend(meta.updated_at.map(|time| ("updatedAt".to_owned(), to_iso(time).into())));
    fields.extend(state.iter().map(|(name, value)| (name.clone(), value.clone())));
    item::of(&fields)
}

/// An event as an item: its fields, and its time for people.
pub(crate) fn event_item(event: &Event) -> Result<Object, Issue> {
    let mut fields = event.fields();
    fields.insert("eventTs".to_owned(), to_iso(event.time()).into());
    item::of(&fields)
}

/// An event as a line of a table's export to S3, in DynamoDB JSON, without the line feed. Importing it gives the same
/// event, key by key and digit by digit.
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>)
///
/// ```
/// use rewound_core::{dynamodb::exchange::exported, event::Event, import::EventLog};
/// let event = r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"Paid","aggregateName":"A","aggregateId":"a","aggregateVersion":1,"actorId":"ada","amount":1.50}"#;
/// let line = exported(&Event::parse(event).unwrap()).unwrap();
/// assert!(line.starts_with(r#"{"Item":{"eventId":{"S":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE"}"#));
/// assert_eq!(EventLog::from_bytes(line.as_bytes()).to_ndjson().trim_end(), event);
/// ```
///
/// # Errors
/// Where in the event a value stands that DynamoDB does not hold, such as a number of more than 38 digits.
pub fn exported(event: &Event) -> Result<String, Issue> {
    Ok(json(r#"{"Item":$}"#, &[&Value::Object(event_item(event)?)]))
}

/// The row's update: placeholders throughout, since names may be words that DynamoDB keeps for itself.
fn update(table: &str, row: Object, commit: &Commit) -> String {
    let mut names = Object::from_iter([("#n0".to_owned(), Value::from("aggregateId"))]);
    let mut values = Object::new();
    let mut set = Vec::new();
    // The key comes first, and is not set.
    for (index, (name, value)) in row.into_iter().enumerate().skip(1) {
        set.push(format!("#n{index} = :v{index}"));
        names.insert(format!("#n{index}"), name.into());
        values.insert(format!(":v{index}"), value);
    }
    let gone = commit.removed.iter().enumerate().map(|(index, name)| {
        names.insert(format!("#r{index}"), name.as_str().into());
        format!("#r{index}")
    });
    let gone: Vec<String> = gone.collect();
    let mut expression = format!("SET {}", set.join(", "));
    if !gone.is_empty() {
        expression += &format!(" REMOVE {}", gone.join(", "));
    }
    let condition = if commit.expected == 0 {
        "attribute_not_exists(#n0)"
    } else {
        // `version` is the first attribute that is set.
        values.insert(":prevVersion".to_owned(), typed("N", commit.expected.to_string().into()));
        "attribute_exists(#n0) AND #n1 = :prevVersion"
    };
    let template = r#"{"Update":{
        "TableName":$,
        "Key":$,
        "UpdateExpression":$,
        "ConditionExpression":"$",
        "ExpressionAttributeNames":$,
        "ExpressionAttributeValues":$,
        "ReturnValuesOnConditionCheckFailure":"ALL_OLD"
    }}"#;
    let (names, values) = (Value::Object(names), Value::Object(values));
    let (key, expression) = (key(&commit.id, ""), Quoted(&expression));
    json(template, &[&Quoted(table), &key, &expression, &condition, &names, &values])
}
