//! The outbox: every event to whoever listens outside, at least once and those of one aggregate in order.
//!
//! The events table is the outbox: what is committed there is sent from there. A record for each aggregate says up to
//! which version its events were sent, and is written behind the sending: whoever crashes in between sends again. An
//! event is never sent before the one before it was taken; so a request to EventBridge, of which any part may fail, holds
//! one event of an aggregate at the most.
//!
//! (Neither EventBridge nor a Cloudflare Queue promises to hand on what it took in that order. Every event has its
//! `aggregateVersion`.)
//!
//! Limits: Amazon EventBridge User Guide, "Sending events with PutEvents" and "Calculating PutEvents event entry size";
//! Cloudflare Queues, "Limits".

use super::{
    Batch, Consumer, Reply, Shell, ask, escaped, fitted, get_all,
    letters::{self, Letter},
    past::{Behind, MISSING, Past},
    plain,
};
use crate::{
    dynamodb::{Call, Quoted, json, record_key, sign::Api},
    error::{Error, Result},
    event::Event,
    projection::{ATTEMPTS, RETRY_AFTER},
};
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, VecDeque};

/// Where every event is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbox {
    /// To a bus of Amazon EventBridge.
    Bus {
        /// Its name or ARN.
        name: String,
        /// What the events say that they come from.
        source: String,
    },
    /// To a Cloudflare Queue.
    Queue,
}

/// The most entries and bytes of a request to EventBridge.
const MOST_ENTRIES: usize = 10;
const MOST_BYTES: usize = 256 * 1024;
/// The most messages and bytes of a batch for a queue.
const MOST_MESSAGES: usize = 100;
const MOST_MESSAGE_BYTES: usize = 250_000;
/// The most bytes of one message there: 128 KB, with what is added to it.
const LONGEST_MESSAGE: usize = 127_000;

/// What an event is about, as EventBridge is told.
fn resource(event: &Event) -> String {
    format!("/aggregates/{}/{}", escaped(event.aggregate()), escaped(event.aggregate_id()))
}

/// How many bytes an event counts as an entry for EventBridge: its time is 14 of them.
fn entry_size(event: &Event, source: &str) -> usize {
    14 + source.len() + event.name().len() + event.as_json().len() + resource(event).len()
}

/// An event as an entry for EventBridge.
fn entry(event: &Event, name: &str, source: &str) -> Value {
    value!({
        "EventBusName": name,
        "Source": source,
        "DetailType": event.name(),
        "Detail": event.as_json(),
        "Resources": [resource(event)],
        "Time": event.time() / 1_000,
    })
}

/// Why an event was not taken.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) why: String,
    fault: Fault,
}

/// Whose fault it is that events were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The event's own: it will never be taken.
    Event,
    /// That of one among those that were sent together.
    Some,
    /// No event's: it passes, or somebody mends it.
    Nobody,
}

/// The error codes of an entry that are the event's own fault (API reference of EventBridge, `PutEventsResultEntry`).
const LASTING: [&str; 3] = ["InvalidArgument", "MalformedDetail", "RedactionFailure"];

/// Sends events, of different aggregates where they go to a bus: for each, whether it was taken, or why not.
pub(super) async fn send(
    shell: &impl Shell,
    to: &Outbox,
    events: &[&Event],
) -> Vec<std::result::Result<(), Refusal>> {
    let all = |why: String, fault| events.iter().map(|_| Err(Refusal { why: why.clone(), fault })).collect();
    let Outbox::Bus { name, source } = to else {
        if let [event] = events
            && event.as_json().len() > LONGEST_MESSAGE
        {
            return all(
                format!("a message of a queue has {LONGEST_MESSAGE} bytes at the most"),
                Fault::Event,
            );
        }
        let owned: Vec<Event> = events.iter().map(|event| (*event).clone()).collect();
        return match shell.enqueue(&owned).await {
            Ok(()) => events.iter().map(|_| Ok(())).collect(),
            Err(why) => all(why, Fault::Nobody),
        };
    };
    let entries: Vec<Value> = events.iter().map(|event| entry(event, name, source)).collect();
    let call = Call::to(Api::Events, "PutEvents", value!({ "Entries": entries }).to_string());
    let body = match ask(shell, &call).await {
        Ok(Reply::Done(body)) => body,
        Ok(Reply::Refused { code, body }) => {
            let fault = match (code.as_str(), events.len()) {
                ("ValidationException", 1) => Fault::Event,
                ("ValidationException", _) => Fault::Some,
                _ => Fault::Nobody,
            };
            return all(super::refusal(&call, &code, &body).to_string(), fault);
        }
        Err(error) => return all(error.to_string(), Fault::Nobody),
    };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let results = body.get("Entries").and_then(Value::as_array);
    let result = |index: usize| {
        let result = results.and_then(|results| results.get(index));
        let text = |name: &str| result.and_then(|result| result.get(name)?.as_str());
        match (result, text("ErrorCode")) {
            (Some(_), None) => Ok(()),
            (_, code) => {
                let (code, message) = (code.unwrap_or("nothing"), text("ErrorMessage").unwrap_or_default());
                let why = format!("EventBridge answered {code}: {message}");
                let fault = if LASTING.contains(&code) { Fault::Event } else { Fault::Nobody };
                Err(Refusal { why, fault })
            }
        }
    };
    (0..events.len()).map(result).collect()
}

/// An aggregate's events that are to be sent.
struct Line {
    aggregate: String,
    id: String,
    events: VecDeque<Event>,
    /// What the table has of them, for what is not in hand.
    past: Past,
    /// Up to where all are to be sent, what the record says of it, and up to where they were.
    target: u64,
    marked: u64,
    sent: u64,
    /// How often its next event was sent, and whether that is to be sent alone.
    attempts: u32,
    alone: bool,
}

/// How many lines are sent from beside each other, and how many events at the most before that is marked.
const WINDOW: usize = MOST_ENTRIES;
const MARK: u64 = 100;

/// Sends what of these batches was not sent yet. Where `thorough`, what is missing before them is read and sent too, and
/// what fails is tried again: then it is parked where that is its own fault, and everything ends where it is not.
pub(super) async fn follow(shell: &impl Shell, batches: &[Batch], thorough: bool) -> Result<()> {
    let Some(to) = shell.outbox() else { return Ok(()) };
    let mut waiting = lines(batches, &sent(shell, batches).await?);
    // Those behind it hold nothing but what was in hand: however long a stream, a page of it is held at a time.
    let mut window = VecDeque::new();
    // How often in a row nothing was taken at all.
    let mut failed = 0;
    loop {
        let room = WINDOW.saturating_sub(window.len()).min(waiting.len());
        window.extend(waiting.drain(..room));
        let mut next = VecDeque::new();
        for mut line in window {
            fill(shell, &mut line, thorough).await?;
            if line.sent >= line.target || line.sent - line.marked >= MARK {
                mark(shell, &mut line).await?;
            }
            if line.sent < line.target {
                next.push_back(line);
            }
        }
        window = next;
        if window.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        let wave = wave(to, &mut window);
        let events: Vec<&Event> =
            wave.iter().flat_map(|(line, count)| line.events.iter().take(*count)).collect();
        if events.is_empty() {
            continue;
        }
        let mut results = send(shell, to, &events).await.into_iter();
        let (mut taken, mut down) = (false, None);
        for (mut line, count) in wave {
            // A queue takes all or nothing, and of a bus's request each has one.
            match results.by_ref().take(count).fold(Ok(()), std::result::Result::and) {
                Ok(()) => {
                    let last = line.events.drain(..count).next_back();
                    line.sent = last.map_or(line.sent, |event| event.version());
                    (line.attempts, line.alone, taken) = (0, false, true);
                }
                Err(_) if !thorough => line.target = line.sent,
                Err(Refusal { why, fault: Fault::Event }) if count == 1 => {
                    let event = line.events.pop_front();
                    park(shell, &mut line, event.as_ref(), &why).await?;
                    taken = true;
                }
                Err(Refusal { why, fault }) => {
                    line.attempts += 1;
                    // Which of several it was, each alone will tell.
                    line.alone |= fault != Fault::Nobody;
                    taken |= fault != Fault::Nobody;
                    down = Some(why);
                }
            }
            window.push_back(line);
        }
        failed = if taken { 0 } else { failed + 1 };
        let Some(why) = down else { continue };
        if failed >= ATTEMPTS {
            // What was sent need not be sent again.
            for line in &mut window {
                mark(shell, line).await?;
            }
            let message = format!("events are not taken: {why}");
            return Err(Error::Store { message, retryable: true, uncertain: false });
        }
        shell.wait(RETRY_AFTER).await;
    }
}

/// Sees to it that a line has its next event in hand, where there is one.
async fn fill(shell: &impl Shell, line: &mut Line, thorough: bool) -> Result<()> {
    while line.events.is_empty() && line.sent < line.target {
        if !thorough {
            line.target = line.sent;
            break;
        }
        match line.past.behind(shell, line.sent).await? {
            Behind::Events(events) => line.events = events.into(),
            Behind::Hole | Behind::Nothing => {
                park(shell, line, None, MISSING).await?;
            }
        }
    }
    Ok(())
}

/// Parks a line's next event.
async fn park(shell: &impl Shell, line: &mut Line, event: Option<&Event>, why: &str) -> Result<()> {
    line.sent += 1;
    let place = (line.aggregate.as_str(), line.id.as_str(), line.sent);
    let letter = Letter::of(place, event, why, line.attempts + 1);
    (line.attempts, line.alone) = (0, false);
    letters::park(shell, Consumer::Outbox, &letter).await
}

/// What there is to be sent of each aggregate, with the events in hand that come next.
fn lines(batches: &[Batch], sent: &BTreeMap<String, u64>) -> VecDeque<Line> {
    let line = |Batch { aggregate, id, events }: &Batch| {
        let sent = sent.get(&record(aggregate, id)).copied().unwrap_or(0);
        let target = events.last().map_or(0, Event::version);
        let next = events.iter().filter(|event| event.version() > sent).zip(sent + 1..);
        let next = next.take_while(|(event, version)| event.version() == *version);
        let events = next.map(|(event, _)| event.clone()).collect();
        let past = Past::of(aggregate, id);
        let (aggregate, id) = (aggregate.clone(), id.clone());
        let line =
            Line { aggregate, id, events, past, target, marked: sent, sent, attempts: 0, alone: false };
        Some(line).filter(|line| line.sent < line.target)
    };
    batches.iter().filter_map(line).collect()
}

/// What is sent at once, and how many events of each line that is.
fn wave(to: &Outbox, lines: &mut VecDeque<Line>) -> Vec<(Line, usize)> {
    let mut wave: Vec<(Line, usize)> = Vec::new();
    let mut bytes = 0;
    let (most, most_bytes) = match to {
        Outbox::Bus { .. } => (MOST_ENTRIES, MOST_BYTES),
        Outbox::Queue => (MOST_MESSAGES, MOST_MESSAGE_BYTES),
    };
    let mut room = most;
    while let Some(line) = lines.front().filter(|line| room > 0 && !line.events.is_empty()) {
        // And so is what a queue never takes.
        let too_long = |event: &Event| *to == Outbox::Queue && event.as_json().len() > LONGEST_MESSAGE;
        let alone = line.alone || line.events.front().is_some_and(too_long);
        if alone && !wave.is_empty() {
            break;
        }
        let most = if alone || matches!(to, Outbox::Bus { .. }) { 1 } else { room };
        let mut count = 0;
        for event in line.events.iter().take(most) {
            if count > 0 && too_long(event) {
                break;
            }
            let size = match to {
                Outbox::Bus { source, .. } => entry_size(event, source),
                // What a queue adds to a message is about a hundred bytes.
                Outbox::Queue => event.as_json().len() + 100,
            };
            let is_first = wave.is_empty() && count == 0;
            if !is_first && bytes + size > most_bytes {
                break;
            }
            (bytes, count) = (bytes + size, count + 1);
        }
        if count == 0 {
            break;
        }
        room -= count;
        wave.extend(lines.pop_front().map(|line| (line, count)));
        if alone {
            break;
        }
    }
    wave
}

/// The name of the record of what was sent.
pub(super) fn record(aggregate: &str, id: &str) -> String {
    let (aggregate, id) = (escaped(aggregate), escaped(id));
    format!("outbox#{}#{}", fitted(&aggregate), fitted(&id))
}

/// Up to where the events of these aggregates were sent, by the names of their records.
pub(super) async fn sent(shell: &impl Shell, batches: &[Batch]) -> Result<BTreeMap<String, u64>> {
    let key = |batch: &Batch| record_key(&record(&batch.aggregate, &batch.id));
    let items = get_all(shell, &shell.layout().helpers, batches.iter().map(key).collect()).await?;
    let read = |item: &String| {
        let item = plain(item)?;
        Some((item.get("pk")?.as_str()?.to_owned(), item.get("version")?.as_u64()?))
    };
    Ok(items.iter().filter_map(read).collect())
}

/// Says that an aggregate's events were sent. Whoever sent more says so too, and is right.
async fn mark(shell: &impl Shell, line: &mut Line) -> Result<()> {
    if line.sent == line.marked {
        return Ok(());
    }
    line.marked = line.sent;
    let template = r##"{
        "TableName":$,
        "Item":{"pk":{"S":$},"sk":{"S":"record"},"version":{"N":"$"}},
        "ConditionExpression":"attribute_not_exists(#n0) OR #n1 < :v0",
        "ExpressionAttributeNames":{"#n0":"pk","#n1":"version"},
        "ExpressionAttributeValues":{":v0":{"N":"$"}},
        "ReturnConsumedCapacity":"TOTAL"
    }"##;
    let record = record(&line.aggregate, &line.id);
    let body = json(template, &[&Quoted(&shell.layout().helpers), &Quoted(&record), &line.sent, &line.sent]);
    let call = Call::to(Api::Tables, "PutItem", body);
    match ask(shell, &call).await? {
        Reply::Refused { code, .. } if code == "ConditionalCheckFailedException" => Ok(()),
        reply => reply.done(&call).map(drop),
    }
}
