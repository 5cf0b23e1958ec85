//! Dead letters: events that a consumer could not take. They are kept until somebody tries them again or gives them up.

use super::{
    Consumer, Reply, Shell, ask, cut, escaped, fitted, key, nudge, outbox, page,
    past::{Behind, MISSING, Past},
    plain,
    progress::{self, Reader},
    rows, saga, stream,
};
use crate::{
    dynamodb::{Call, Quoted, item, json, sign::Api},
    error::{Error, Result},
    event::Event,
    projection::Projection,
    store::Page,
    time::to_iso,
    value::Object,
};
use serde_json::{Value, json as value};

/// A dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The kind of its aggregate.
    pub aggregate: String,
    /// The id of its aggregate.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// The event, or what came in its place; empty where it is too large to be kept twice, or not there.
    pub event: String,
    /// Why its last attempt failed.
    pub error: String,
    /// How many attempts there were.
    pub attempts: u64,
    /// When the last one was, as ISO 8601.
    pub at: String,
}

/// The most bytes of an event that is kept in its letter: an item has 400 KB at the most. The table has it anyway.
const MOST_EVENT: usize = 300_000;
/// The most bytes of an error that are kept.
const MOST_ERROR: usize = 1_000;

impl Letter {
    pub(super) fn of(
        (aggregate, id, version): (&str, &str, u64),
        event: Option<&Event>,
        error: &str,
        attempts: u32,
    ) -> Self {
        let event = event.map_or("", Event::as_json).to_owned();
        let (aggregate, id, error) = (aggregate.to_owned(), id.to_owned(), error.to_owned());
        Self { aggregate, id, version, event, error, attempts: attempts.into(), at: String::new() }
    }

    fn read(item: &str) -> Option<Self> {
        let item = plain(item)?;
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| item.get(name).and_then(Value::as_u64);
        Some(Self {
            aggregate: text("aggregate")?,
            id: text("id")?,
            version: number("version")?,
            event: text("event")?,
            error: text("error")?,
            attempts: number("attempts")?,
            at: text("at")?,
        })
    }

    /// As the wire shows it.
    pub fn to_json(&self) -> Value {
        let Letter { aggregate, id, version, event, error, attempts, at } = self;
        let event: Value = serde_json::from_str(event).unwrap_or(Value::Null);
        value!({
            "aggregateName": aggregate, "aggregateId": id, "version": version, "event": event, "error": error,
            "attempts": attempts, "at": at,
        })
    }
}

/// Which letter is meant: of a consumer, and of an aggregate's version.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// The consumer.
    pub consumer: Consumer,
    /// The kind of the aggregate.
    pub aggregate: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The event's version.
    pub version: u64,
}

impl Address<'_> {
    /// Its partition, and its place there.
    fn place(&self) -> (String, String) {
        let Address { consumer, aggregate, id, version } = self;
        let (aggregate, id) = (escaped(aggregate), escaped(id));
        (format!("dead#{consumer}"), format!("{}#{}#{version:016}", fitted(&aggregate), fitted(&id)))
    }

    fn key(&self) -> String {
        let (pk, sk) = self.place();
        key(&pk, &sk)
    }
}

/// Parks an event.
pub(super) async fn park(shell: &impl Shell, consumer: Consumer, letter: &Letter) -> Result<()> {
    let Letter { aggregate, id, version, event, error, attempts, .. } = letter;
    let (pk, sk) = Address { consumer, aggregate, id, version: *version }.place();
    let event = Some(event.as_str()).filter(|event| event.len() <= MOST_EVENT).unwrap_or_default();
    let fields = Object::from_iter([
        ("pk".to_owned(), Value::from(pk)),
        ("sk".to_owned(), sk.into()),
        ("aggregate".to_owned(), aggregate.as_str().into()),
        ("id".to_owned(), id.as_str().into()),
        ("version".to_owned(), (*version).into()),
        ("event".to_owned(), event.into()),
        ("error".to_owned(), cut(error, MOST_ERROR).into()),
        ("attempts".to_owned(), (*attempts).into()),
        ("at".to_owned(), to_iso(shell.now()).into()),
    ]);
    // Texts and small numbers always fit.
    let item = Value::Object(item::of(&fields).unwrap_or_default());
    let template = r#"{"TableName":$,"Item":$,"ReturnConsumedCapacity":"TOTAL"}"#;
    let call = Call::to(Api::Tables, "PutItem", json(template, &[&Quoted(&shell.layout().helpers), &item]));
    ask(shell, &call).await?.done(&call).map(drop)
}

/// The letters of a consumer, a page of them, in the order of their ids and versions.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn list(
    shell: &impl Shell,
    consumer: Consumer,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<Letter>> {
    let pk = format!("dead#{consumer}");
    let start = cursor.map_or_else(String::new, |sk| {
        let template = r#","ExclusiveStartKey":{"pk":{"S":$},"sk":{"S":$}}"#;
        json(template, &[&Quoted(&pk), &Quoted(sk)])
    });
    let template = r##"{
        "TableName":$,
        "KeyConditionExpression":"#n0 = :v0",
        "ExpressionAttributeNames":{"#n0":"pk"},
        "ExpressionAttributeValues":{":v0":{"S":$}},
        "ConsistentRead":true,
        "ReturnConsumedCapacity":"TOTAL",
        "Limit":$
        $
    }"##;
    let body = json(template, &[&Quoted(&shell.layout().helpers), &Quoted(&pk), &limit, &start]);
    let call = Call::to(Api::Tables, "Query", body);
    let body = ask(shell, &call).await?.done(&call)?;
    let (items, end) = page(&body, "dead letters")?;
    let last = end.and_then(plain);
    let next = last.and_then(|last| last.get("sk").and_then(Value::as_str).map(str::to_owned));
    Ok(Page { items: items.into_iter().filter_map(Letter::read).collect(), next })
}

/// How many letters a consumer has.
pub(super) async fn count(shell: &impl Shell, consumer: Consumer) -> Result<u64> {
    let mut count = 0;
    let mut start = String::new();
    loop {
        let template = r##"{
            "TableName":$,
            "Select":"COUNT",
            "ReturnConsumedCapacity":"TOTAL",
            "KeyConditionExpression":"#n0 = :v0",
            "ExpressionAttributeNames":{"#n0":"pk"},
            "ExpressionAttributeValues":{":v0":{"S":$}}
            $
        }"##;
        let pk = format!("dead#{consumer}");
        let body = json(template, &[&Quoted(&shell.layout().helpers), &Quoted(&pk), &start]);
        let call = Call::to(Api::Tables, "Query", body);
        let body: Value = serde_json::from_str(&ask(shell, &call).await?.done(&call)?).unwrap_or_default();
        count += body.get("Count").and_then(Value::as_u64).unwrap_or(0);
        match body.get("LastEvaluatedKey").filter(|last| !last.is_null()) {
            Some(last) => start = format!(r#","ExclusiveStartKey":{last}"#),
            None => return Ok(count),
        }
    }
}

/// Tries a letter once more. It is gone if the event could be taken now.
///
/// Gives why it could not, where it could not, and nothing where there is no such letter.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn retry(shell: &impl Shell, address: Address<'_>) -> Result<Option<Result<(), String>>> {
    let Some(letter) = get(shell, address).await? else { return Ok(None) };
    let tried = match event_of(shell, address, &letter).await? {
        Err(why) => Err(why),
        Ok(event) => match address.consumer {
            Consumer::View(view, generation) => again(shell, view, generation, &event).await?,
            Consumer::Transfers => {
                saga::pursue(shell, &event, None).await.map(drop).map_err(|error| error.to_string())
            }
            Consumer::Outbox => match shell.outbox() {
                None => Err("no outbox is set up".to_owned()),
                Some(to) => match outbox::send(shell, to, &[&event]).await.pop() {
                    Some(Err(refusal)) => Err(refusal.why),
                    _ => Ok(()),
                },
            },
            Consumer::Unreadable => {
                let consumers = progress::load(shell, Reader::Views).await?.consumers();
                nudge(shell, vec![event], None, &consumers).await.map_err(|error| error.to_string())
            }
        },
    };
    match &tried {
        Ok(()) => skip(shell, address).await.map(drop)?,
        Err(error) => {
            let (error, attempts) = (error.clone(), letter.attempts + 1);
            park(shell, address.consumer, &Letter { error, attempts, ..letter }).await?;
        }
    }
    Ok(Some(tried))
}

/// The event of a letter, or why there is none.
async fn event_of(
    shell: &impl Shell,
    Address { consumer, aggregate, id, version }: Address<'_>,
    letter: &Letter,
) -> Result<Result<Event, String>> {
    if let Consumer::Unreadable = consumer {
        return Ok(stream::event(&letter.event));
    }
    if !letter.event.is_empty() {
        return Ok(Event::parse(&letter.event).map_err(|issue| issue.to_string()));
    }
    let none = || MISSING.to_owned();
    Ok(match Past::of(aggregate, id).behind(shell, version.saturating_sub(1)).await? {
        Behind::Events(events) => events.into_iter().next().ok_or_else(none),
        Behind::Hole | Behind::Nothing => Err(none()),
    })
}

/// Makes a row anew of its aggregate's events, with this one in its place: those behind it were applied without it.
async fn again(
    shell: &impl Shell,
    view: &'static Projection,
    generation: u64,
    event: &Event,
) -> Result<Result<(), String>> {
    let place = Consumer::View(view, generation).to_string();
    let (id, version) = (event.aggregate_id(), event.version());
    loop {
        let mut row = rows::get(shell, &place, id).await?;
        // The row says itself what it lacks, so nobody applies an event that somebody else just did.
        if !row.lacks.contains(&version) {
            return Ok(Ok(()));
        }
        row.lacks.retain(|lacked| *lacked != version);
        let (mut past, mut seen, mut fields) = (Past::of(view.aggregate, id), 0, None);
        while seen < row.version {
            let next = match past.behind(shell, seen).await? {
                Behind::Events(events) => events,
                Behind::Hole => Vec::new(),
                Behind::Nothing => break,
            };
            for event in next.iter().filter(|event| event.version() <= row.version) {
                if !row.lacks.contains(&event.version()) {
                    match (view.apply)(fields, event) {
                        Ok(after) => fields = after,
                        Err(why) => return Ok(Err(why)),
                    }
                }
            }
            seen = next.last().map_or(seen + 1, Event::version);
        }
        row.fields = fields;
        match rows::put(shell, view, &place, id, &mut row).await? {
            rows::Put::Written => return Ok(Ok(())),
            rows::Put::Outrun(_) => {}
            rows::Put::Impossible(error) => return Ok(Err(error)),
        }
    }
}

/// Gives a letter up, and says whether there was one.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn skip(shell: &impl Shell, address: Address<'_>) -> Result<bool> {
    let template = r##"{
        "TableName":$,
        "Key":$,
        "ConditionExpression":"attribute_exists(#n0)",
        "ExpressionAttributeNames":{"#n0":"pk"},
        "ReturnConsumedCapacity":"TOTAL"
    }"##;
    let body = json(template, &[&Quoted(&shell.layout().helpers), &address.key()]);
    let call = Call::to(Api::Tables, "DeleteItem", body);
    match ask(shell, &call).await? {
        Reply::Done(_) => Ok(true),
        Reply::Refused { code, .. } if code == "ConditionalCheckFailedException" => Ok(false),
        reply => reply.done(&call).map(|_| false),
    }
}

async fn get(shell: &impl Shell, address: Address<'_>) -> Result<Option<Letter>> {
    let Some(item) = super::get(shell, &shell.layout().helpers, &address.key()).await? else {
        return Ok(None);
    };
    let unreadable = || Error::Store {
        message: "a dead letter cannot be read".to_owned(),
        retryable: false,
        uncertain: false,
    };
    Letter::read(&item).map(Some).ok_or_else(unreadable)
}
