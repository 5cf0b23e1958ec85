//! EventBridge, as far as putting events goes: what it takes, what it refuses, and what it says then.
//!
//! - `PutEvents`: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
//! - An entry's result, and its error codes:
//!   <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
//! - What an entry weighs, and how much a request may:
//!   <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>
//! - The words, where AWS's pages do not have them:
//!   <https://github.com/getmoto/moto/blob/5.2.5/moto/events/models.py> and
//!   <https://github.com/awslabs/aws-service-catalog-puppet/issues/563>

use crate::{
    answer::{Answer, refusal},
    gate::{Done, Watch, read},
    service::Service,
};
use hyper::{HeaderMap, Method, body::Bytes};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The most entries of a request.
const MOST: usize = 10;

/// The most bytes that they weigh together.
const HEAVIEST: usize = 256 << 10;

/// What was put.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    taken: Vec<Value>,
    /// The how manyth entry fails; none where it is 0.
    fail: u64,
    /// How many entries counted since then.
    seen: u64,
    /// How many events were given an id.
    ids: u64,
}

impl Bus {
    /// What was taken since the last time.
    pub(crate) fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.taken)
    }

    /// From now on so manyth entries fail.
    pub(crate) fn fail(&mut self, every: u64) {
        (self.fail, self.seen) = (every, 0);
    }

    /// What the next entry that nothing is wrong with suffers, if anything.
    fn next(&mut self) -> Option<Value> {
        if self.fail == 0 {
            return None;
        }
        self.seen += 1;
        match (self.seen % self.fail, self.seen / self.fail % 2) {
            (0, 1) => Some(failed("ThrottlingException", "Rate exceeded")),
            (0, _) => Some(failed("InternalFailure", "Internal failure")),
            _ => None,
        }
    }

    /// An event's id, of the form that AWS's have.
    fn id(&mut self) -> Value {
        self.ids += 1;
        json!({ "EventId": format!("00000000-0000-4000-8000-{:012x}", self.ids) })
    }
}

/// What the gate looks at in an entry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    time: Option<Value>,
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
}

impl Entry {
    fn weight(&self) -> usize {
        let texts =
            [&self.source, &self.detail_type, &self.detail].into_iter().flatten().chain(&self.resources);
        texts.map(String::len).sum::<usize>() + self.time.as_ref().map_or(0, |_| 14)
    }

    /// Why this entry fails, where it does.
    fn check(&self) -> Option<Value> {
        let required =
            [("Source", &self.source), ("DetailType", &self.detail_type), ("Detail", &self.detail)];
        let is_missing = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
        if let Some((name, _)) = required.into_iter().find(|(_, text)| is_missing(text)) {
            let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            return Some(failed("InvalidArgument", &message));
        }
        let detail = self.detail.as_deref().unwrap_or_default();
        let is_object = serde_json::from_str::<Map<String, Value>>(detail).is_ok();
        (!is_object).then(|| failed("MalformedDetail", "Detail is malformed."))
    }
}

fn failed(code: &str, message: &str) -> Value {
    json!({ "ErrorCode": code, "ErrorMessage": message })
}

/// The entries of a request, as they are and as they are understood.
fn entries(request: &Value) -> Result<Vec<(Value, Entry)>, Box<Answer>> {
    let refusal = |code: &str, message: &str| refusal(Service::Events, code, message);
    let values: Vec<Value> = request["Entries"].as_array().cloned().unwrap_or_default();
    let bound = match values.len() {
        0 => Some("greater than or equal to 1"),
        1..=MOST => None,
        _ => Some("less than or equal to 10"),
    };
    if let Some(bound) = bound {
        let message = format!(
            "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: \
             Member must have length {bound}"
        );
        return Err(refusal("ValidationException", &message));
    }
    let read = |value: Value| Ok((value.clone(), serde_json::from_value(value)?));
    let entries: Vec<(Value, Entry)> = values
        .into_iter()
        .map(read)
        .collect::<serde_json::Result<_>>()
        .map_err(|error| refusal("SerializationException", &error.to_string()))?;
    if entries.iter().map(|(_, entry)| entry.weight()).sum::<usize>() > HEAVIEST {
        let message = "Total size of the entries in the request is over the limit.";
        return Err(refusal("ValidationException", message));
    }
    Ok(entries)
}

impl Watch {
    pub(crate) async fn put_events(&self, headers: &HeaderMap, body: &[u8]) -> Done {
        let mut request: Value = serde_json::from_slice(body)
            .map_err(|error| refusal(Service::Events, "SerializationException", &error.to_string()))?;
        let entries = entries(&request)?;
        // Each with what is wrong with it.
        let judged: Vec<(Value, Option<Value>)> = self.note(|notes| {
            let judge = |(value, entry): (Value, Entry)| (value, entry.check().or_else(|| notes.bus.next()));
            entries.into_iter().map(judge).collect()
        });
        let fine = || judged.iter().filter(|(_, wrong)| wrong.is_none()).map(|(value, _)| value);
        // What another EventBridge says of those that are fine, in their order.
        let mut said = match self.bus() {
            Some(bus) if fine().next().is_some() => {
                request["Entries"] = fine().cloned().collect();
                let body = Bytes::from(request.to_string());
                let answer = self.pass(bus, Method::POST, headers, body).await;
                let mut answer = read(Service::Events, answer)?;
                let said = answer["Entries"].as_array_mut().map(std::mem::take);
                Some(said.unwrap_or_default().into_iter())
            }
            _ => None,
        };
        let results: Vec<Value> = self.note(|notes| {
            let result = |(value, wrong): (Value, Option<Value>)| {
                let result = match (wrong, &mut said) {
                    (Some(wrong), _) => wrong,
                    (None, None) => notes.bus.id(),
                    (None, Some(said)) => {
                        said.next().unwrap_or_else(|| failed("InternalFailure", "The bus said nothing of it"))
                    }
                };
                if result.get("EventId").is_some() {
                    notes.bus.taken.push(value);
                }
                result
            };
            judged.into_iter().map(result).collect()
        });
        let failures = results.iter().filter(|result| result.get("EventId").is_none()).count();
        Ok(json!({ "FailedEntryCount": failures, "Entries": results }))
    }
}
