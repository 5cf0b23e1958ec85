//! The stream of the events table: its shards, and the records in them.
//!
//! API: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html>.

use super::{
    Consumer, Reply, Shell, ask, describe,
    letters::{self, Letter},
    plain, progress,
};
use crate::{
    attribute::item_to_json,
    dynamodb::{Call, Quoted, json, sign::Api},
    error::{Error, Result},
    event::Event,
    raw::Fields,
    time::Millis,
    value::sha256,
};
use serde_json::Value;

/// A part of a stream.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) id: String,
    /// The one that it goes on from.
    pub(super) parent: Option<String>,
    /// Whether nothing comes behind what it has.
    pub(super) closed: bool,
}

/// The ARN of the events table's stream.
pub(super) async fn arn(shell: &impl Shell) -> Result<String> {
    let table = &shell.layout().events;
    let body = describe(shell, table).await?;
    let arn = body.pointer("/Table/LatestStreamArn").and_then(Value::as_str);
    arn.map(str::to_owned).ok_or_else(|| Error::Store {
        message: format!("the table {table} has no stream: switch one on, of new images"),
        retryable: false,
        uncertain: false,
    })
}

/// The shards of a stream, parents before their children.
pub(super) async fn shards(shell: &impl Shell, arn: &str) -> Result<Vec<Shard>> {
    let mut all: Vec<Shard> = Vec::new();
    let mut start = String::new();
    loop {
        let body = json(r#"{"StreamArn":$$}"#, &[&Quoted(arn), &start]);
        let call = Call::to(Api::Streams, "DescribeStream", body);
        let body: Value = serde_json::from_str(&ask(shell, &call).await?.done(&call)?).unwrap_or_default();
        let description = body.get("StreamDescription");
        let found = description.and_then(|description| description.get("Shards")?.as_array());
        all.extend(found.into_iter().flatten().filter_map(|shard| {
            let text = |name: &str| shard.get(name).and_then(Value::as_str).map(str::to_owned);
            let closed = shard.pointer("/SequenceNumberRange/EndingSequenceNumber").is_some();
            Some(Shard { id: text("ShardId")?, parent: text("ParentShardId"), closed })
        }));
        match description.and_then(|description| description.get("LastEvaluatedShardId")?.as_str()) {
            Some(last) => start = format!(r#","ExclusiveStartShardId":{}"#, Quoted(last)),
            None => break,
        }
    }
    // A child's number is greater than its parent's: ids begin with when they were made.
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

/// What there is at an iterator.
pub(super) enum Read {
    Page(Page),
    /// The iterator is older than a quarter of an hour.
    Expired,
    /// What it points to is there no more: records live 24 hours.
    Trimmed,
}

/// Some records of a shard.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// How many records they were in.
    pub(super) records: usize,
    /// The sequence number of the last one.
    pub(super) last: Option<String>,
    /// Where to go on; nothing at the end of a closed shard.
    pub(super) next: Option<String>,
    /// Records that hold no event: what they hold, and why it is none.
    pub(super) unreadable: Vec<(String, String)>,
}

/// An iterator at a shard's place.
pub(super) async fn iterator(
    shell: &impl Shell,
    arn: &str,
    shard: &str,
    at: Option<&str>,
) -> Result<Option<String>> {
    let place = match at {
        None => r#""TRIM_HORIZON""#.to_owned(),
        Some(at) => json(r#""AFTER_SEQUENCE_NUMBER","SequenceNumber":$"#, &[&Quoted(at)]),
    };
    let template = r#"{"StreamArn":$,"ShardId":$,"ShardIteratorType":$}"#;
    let body = json(template, &[&Quoted(arn), &Quoted(shard), &place]);
    let call = Call::to(Api::Streams, "GetShardIterator", body);
    match ask(shell, &call).await? {
        Reply::Refused { code, .. }
            if matches!(code.as_str(), "TrimmedDataAccessException" | "ResourceNotFoundException") =>
        {
            Ok(None)
        }
        reply => {
            let body = reply.done(&call)?;
            Ok(Fields::read(&body, &["ShardIterator"])
                .and_then(|fields| fields.string("ShardIterator"))
                .unwrap_or_default())
        }
    }
}

/// The wait before a shard is read, in milliseconds: it may be read five times a second, by all who read it.
pub(super) const PACE: Millis = 250;

/// The most records of a page.
pub(super) const PAGE: u32 = 1_000;

/// Reads what there is at an iterator, so many records at the most.
pub(super) async fn read(shell: &impl Shell, iterator: &str, limit: u32) -> Result<Read> {
    let body = json(r#"{"ShardIterator":$,"Limit":$}"#, &[&Quoted(iterator), &limit]);
    let call = Call::to(Api::Streams, "GetRecords", body);
    let body = match ask(shell, &call).await? {
        Reply::Refused { code, .. } if code == "ExpiredIteratorException" => return Ok(Read::Expired),
        Reply::Refused { code, .. } if code == "TrimmedDataAccessException" => return Ok(Read::Trimmed),
        reply => reply.done(&call)?,
    };
    page(&body).map(Read::Page).map_err(|error| Error::Store {
        message: format!("the records of a stream cannot be read: {error}"),
        retryable: true,
        uncertain: false,
    })
}

fn page(body: &str) -> Result<Page, serde_json::Error> {
    let body = Fields::read(body, &["Records", "NextShardIterator"])?;
    let records = body.items("Records")?.unwrap_or_default();
    let mut page = Page {
        events: Vec::with_capacity(records.len()),
        records: records.len(),
        last: None,
        next: body.string("NextShardIterator")?,
        unreadable: Vec::new(),
    };
    for record in records {
        let head = Fields::read(record, &["eventName", "dynamodb"])?;
        let change = Fields::read(head.get("dynamodb").unwrap_or("{}"), &["NewImage", "SequenceNumber"])?;
        page.last = change.string("SequenceNumber")?.or(page.last);
        // An event is never changed. Whatever else happened to an item is nobody's event.
        if head.string("eventName")?.as_deref() != Some("INSERT") {
            continue;
        }
        let item = change.get("NewImage").unwrap_or("{}");
        match event(item) {
            Ok(event) => page.events.push(event),
            Err(why) => page.unreadable.push((item.to_owned(), why)),
        }
    }
    Ok(page)
}

/// An item of the events table as the event that it is. `eventTs` repeats the id's time, and is no part of it.
pub(super) fn event(item: &str) -> Result<Event, String> {
    let json = item_to_json(item, &["eventTs"]).map_err(|error| error.to_string())?;
    Event::parse(&json).map_err(|issue| issue.to_string())
}

/// Parks what cannot even be read, so that what comes behind it can go on. The stream and the table write the same item in
/// another order: it is one letter all the same.
pub(super) async fn set_aside(shell: &impl Shell, unreadable: &[(String, String)]) -> Result<()> {
    for (item, why) in unreadable {
        let digest = sha256(&plain(item).map_or_else(|| item.as_str().into(), Value::Object));
        let letter = Letter { event: item.clone(), ..Letter::of(("item", &digest, 0), None, why, 1) };
        letters::park(shell, Consumer::Unreadable, &letter).await?;
    }
    Ok(())
}

/// How many pages of a shard are looked at: it can be read five times a second, by all who read it.
const LOOK: usize = 3;

/// What is not read yet, up to three pages of each shard: to be looked at, and not taken.
pub(super) async fn unread(shell: &impl Shell, progress: &progress::Progress) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    // Where nobody has swept yet, nothing was read.
    let arn = match progress.stream.as_str() {
        "" => arn(shell).await?,
        known => known.to_owned(),
    };
    for shard in shards(shell, &arn).await? {
        let known = progress.shards.get(&shard.id);
        if known.is_some_and(|known| known.done) {
            continue;
        }
        let at = known.and_then(|known| known.at.as_deref());
        let mut next = iterator(shell, &arn, &shard.id, at).await?;
        let mut empty = 0;
        for _ in 0..LOOK {
            let Some(iterator) = next.take().filter(|_| empty < 2) else { break };
            shell.wait(PACE).await;
            let Read::Page(page) = read(shell, &iterator, PAGE).await? else { break };
            empty = if page.records > 0 { 0 } else { empty + 1 };
            next.clone_from(&page.next);
            pages.push(page);
        }
    }
    Ok(pages)
}
