//! Whole logs, and the timelines of their streams.

use crate::{
    domain::Kind,
    error::{Result, any, data, reduce, replay},
    js::object,
    json::{self, held},
};
use js_sys::{Array, Uint8Array};
use rewound_core::{
    domains::for_log,
    error::Error,
    import::{self, EventLog, Import, LineProblem, Stream},
    time::to_iso,
    timeline::Timeline,
};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A log of many streams.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Log(EventLog);

#[wasm_bindgen]
impl Log {
    /// Reads a log that comes in these pieces.
    #[wasm_bindgen(constructor)]
    pub fn new(pieces: Vec<Uint8Array>) -> Log {
        let mut import = Import::new();
        for piece in pieces {
            import.push(&piece.to_vec());
        }
        Log(import.finish())
    }

    /// Its streams.
    pub fn streams(&self) -> Array {
        let listed = |stream: &Stream| {
            object(&[
                ("aggregateId", stream.aggregate_id().into()),
                ("aggregateName", stream.aggregate_name().into()),
                ("version", (stream.version() as f64).into()),
                ("lastEventName", stream.last_event_name().into()),
                ("updatedAt", to_iso(stream.updated_at()).into()),
            ])
        };
        self.0.streams().iter().map(listed).collect()
    }

    /// What is wrong in it: `{line, message}` each.
    pub fn problems(&self) -> Array {
        let told = |problem: &LineProblem| {
            object(&[("line", problem.line.into()), ("message", (&*problem.message).into())])
        };
        self.0.problems().iter().map(told).collect()
    }

    /// The timeline of a stream, by a domain or by the one that its name says.
    pub fn timeline(&self, aggregate_id: &str, kind: Option<Kind>) -> Result<Line> {
        let stream = self.0.stream(aggregate_id);
        let stream = stream
            .ok_or_else(|| any(Error::NotFound { aggregate: "stream".into(), id: aggregate_id.into() }))?;
        let domain = kind.map_or_else(|| for_log(stream.aggregate_name()), |kind| kind.domain);
        Ok(Line(Timeline::new(domain, aggregate_id, stream.events().cloned().collect())))
    }

    /// Its events as lines of JSON, in the order in which they came in.
    pub fn ndjson(&self) -> String {
        self.0.to_ndjson()
    }
}

/// The timeline of one stream.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Line(Timeline);

#[wasm_bindgen]
impl Line {
    /// The timeline of the one stream in these pages, by a domain or by the one that its name says.
    #[wasm_bindgen(constructor)]
    pub fn new(pages: Vec<Uint8Array>, kind: Option<Kind>) -> Result<Line> {
        let events = rewound_core::replay::events(pages.iter().map(Uint8Array::to_vec));
        let events = events.map_err(|error| replay(&error))?;
        let (name, id) = match events.first() {
            Some(first) => (first.aggregate().to_owned(), first.aggregate_id().to_owned()),
            None => Default::default(),
        };
        let domain = kind.map_or_else(|| for_log(&name), |kind| kind.domain);
        let timeline = Timeline::new(domain, &id, events);
        match timeline.problem() {
            Some(error) => Err(reduce(error)),
            None => Ok(Line(timeline)),
        }
    }

    /// How many events it has.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> f64 {
        self.0.len() as f64
    }

    /// The first event that does not reduce: it ends before that.
    pub fn problem(&self) -> Option<JsValue> {
        self.0.problem().map(reduce)
    }

    /// The state at a version, at the end where there are fewer.
    pub fn state(&self, version: f64) -> Result<Option<String>> {
        let instance = self.0.seek(version as u64).map_err(|error| reduce(&error))?;
        instance.snapshot().as_ref().map(json::state).transpose()
    }

    /// How many events there are before the first that is later.
    #[wasm_bindgen(js_name = versionAt)]
    pub fn version_at(&self, time: f64) -> f64 {
        self.0.version_at(time as u64) as f64
    }

    /// What changed between two versions.
    pub fn diff(&self, from: f64, to: f64) -> Result<String> {
        written(&self.0.diff(from as u64, to as u64))
    }

    /// The events that changed a field.
    pub fn why(&self, path: &str) -> Result<String> {
        written(&self.0.why(path))
    }

    /// The events behind a version.
    pub fn events(&self, after: f64, limit: f64) -> Result<String> {
        let rest = self.0.events().get(after as usize..).unwrap_or_default();
        held(json::events(rest.iter().take(limit as usize)))
    }
}

fn written(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|error| crate::error::whole(error.to_string()))?;
    held(text)
}

/// The events in records of a DynamoDB stream.
#[wasm_bindgen(js_name = eventsOfRecords)]
pub fn events_of_records(records: &str) -> Result<String> {
    let events = import::events_of_records(records).map_err(data)?;
    held(json::events(&events))
}
