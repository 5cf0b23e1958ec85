//! Domains: the compiled ones, and those that are written in JavaScript.

use crate::{
    error::{Result, any, data, reduce, replay},
    js::{field, text},
    json::{self, envelopes, held, snapshot},
};
use js_sys::Uint8Array;
use rewound_core::{
    aggregate::{Meta, Once, fingerprint, in_order},
    domain::{Command, Domain, Draft, Instance, Sender, Snapshot, SnapshotError, belongs, decide},
    domains,
    error::{Error, Issue, Problem, ReduceError, Rejection},
    event::{Event, RESERVED, RESERVED_IN_ROWS, Text, Trace},
    replay::{Record, Unapplied, replay_by},
    schema::Shape,
    time::Millis,
    upcast::Upcaster,
    value::Object,
};
use serde_json::{Value, json};
use std::{fmt, rc::Rc};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What a domain written in JavaScript does. Each function takes JSON texts and gives one; the face catches what the
    /// person's own functions throw, so an exception here is the face's.
    #[derive(Debug, Clone)]
    pub type Hooks;

    /// `(state, command, context)` to `{"events"}`, `{"rejected": {code, message}}`, `{"invalid": [issue]}`,
    /// `{"missing"}` or `{"failed": message}`.
    #[wasm_bindgen(method, catch)]
    fn decide(
        this: &Hooks,
        state: Option<&str>,
        command: &str,
        context: &str,
    ) -> std::result::Result<String, JsValue>;

    /// `(state, events)` to `{"state"}`, or to `{"failed": {index, message}}`.
    #[wasm_bindgen(method, catch)]
    fn fold(this: &Hooks, state: Option<&str>, events: &str) -> std::result::Result<String, JsValue>;
}

/// A kind of aggregate.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub(crate) domain: &'static dyn Domain,
}

#[wasm_bindgen]
impl Kind {
    /// The compiled domain of that name.
    pub fn find(name: &str) -> Result<Kind> {
        let domain =
            domains::find(name).ok_or_else(|| any(Error::UnknownAggregate { name: name.to_owned() }))?;
        Ok(Kind { domain })
    }

    /// A domain written in JavaScript. It lives as long as the program. `source` tells its reducer from another.
    pub fn define(name: String, source: &str, hooks: Hooks) -> Kind {
        let fingerprint = fingerprint(&[name.as_bytes(), source.as_bytes()]);
        let of = Rc::new(Of { name: name.into(), fingerprint, hooks });
        let domain = Box::leak(Box::new(Defined { of, state: Value::Bool(true) }));
        Kind { domain }
    }

    /// The same again: what takes one that may be absent takes it for good.
    pub fn copy(&self) -> Kind {
        *self
    }

    /// Which reducer it has.
    pub fn fingerprint(&self) -> String {
        self.domain.fingerprint().to_string()
    }

    /// The schemas of its commands, events and state, as JSON.
    pub fn schemas(&self) -> String {
        let shapes = |shapes: &[Shape]| -> Object {
            shapes.iter().map(|shape| (shape.name.clone(), shape.schema.clone())).collect()
        };
        let (commands, events) = (shapes(self.domain.commands()), shapes(self.domain.events()));
        json!({ "commands": commands, "events": events, "state": self.domain.state() }).to_string()
    }

    /// The events with which a state answers a command, as a JSON array. `sent` says who sends it, when, with which
    /// random bytes, and to which id.
    pub fn decide(&self, state: Option<String>, command: &str, sent: JsValue) -> Result<String> {
        let id = text(&sent, "id").unwrap_or_default();
        let by = Sender {
            now: field(&sent, "now").as_f64().unwrap_or_default() as Millis,
            random: random(&Uint8Array::new(&field(&sent, "random")).to_vec()),
            ..sender(&sent)
        };
        let command = self::command(command)?;
        let instance = match state {
            None => self.domain.start(&id),
            Some(text) => self.resume(&snapshot(self.domain, &text)?, Some(&id))?,
        };
        let events = decide(self.domain, instance.as_ref(), &command, &by).map_err(any)?;
        held(json::events(&events))
    }

    /// The state after events, from another or from none.
    pub fn reduce(&self, events: &str, state: Option<String>) -> Result<Option<String>> {
        let events = envelopes(events)?;
        let instance = match (state, events.first()) {
            (Some(text), _) => self.resume(&snapshot(self.domain, &text)?, None)?,
            (None, Some(first)) => self.domain.start(first.aggregate_id()),
            (None, None) => return Ok(None),
        };
        let instance = instance.apply_all(&events).map_err(|error| reduce(&error))?;
        instance.snapshot().as_ref().map(json::state).transpose()
    }

    /// The state after the events of pages of bytes; none where there is no event.
    pub fn replay(&self, pages: Vec<Uint8Array>) -> Result<Option<String>> {
        // Each page is copied here when its turn comes, and once more only where something is wrong.
        let bytes = pages.iter().map(Uint8Array::to_vec);
        let state = replay_by(self.domain, rewound_quick::begin(self.domain.name()), bytes);
        state.map_err(|error| replay(&error))?.as_ref().map(json::state).transpose()
    }
}

impl Kind {
    fn resume(&self, snapshot: &Snapshot, id: Option<&str>) -> Result<Box<dyn Instance>> {
        if let Some(id) = id.filter(|id| *id != &*snapshot.meta.id) {
            let message = format!("it is the state of {}, and the command goes to {id}", snapshot.meta.id);
            return Err(data(Issue { pointer: "/$meta/id".to_owned(), message }));
        }
        self.domain.resume(snapshot).map_err(|error| match error {
            SnapshotError::Corrupt(issue) => data(issue),
            SnapshotError::Stale => data(Issue { pointer: String::new(), message: error.to_string() }),
        })
    }
}

/// A command as it came from a person.
pub(crate) fn command(text: &str) -> Result<Command> {
    Command::from_json(&json::read(text)?).map_err(any)
}

/// Ten bytes as the bits of an id.
pub(crate) fn random(bytes: &[u8]) -> u128 {
    bytes.iter().take(10).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// Who sends a command, and what caused it.
pub(crate) fn sender(sent: &JsValue) -> Sender {
    let trace = Trace {
        command_id: text(sent, "commandId"),
        correlation_id: text(sent, "correlationId"),
        causation_id: text(sent, "causationId"),
    };
    Sender { actor: text(sent, "actorId").unwrap_or_default(), trace, ..Sender::default() }
}

/// A domain written in JavaScript.
struct Defined {
    of: Rc<Of>,
    state: Value,
}

impl fmt::Debug for Defined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of.name)
    }
}

/// What an aggregate needs of its domain.
struct Of {
    name: Text,
    fingerprint: u64,
    hooks: Hooks,
}

impl Domain for Defined {
    fn name(&self) -> &str {
        &self.of.name
    }

    fn fingerprint(&self) -> u64 {
        self.of.fingerprint
    }

    fn commands(&self) -> &[Shape] {
        &[]
    }

    fn events(&self) -> &[Shape] {
        &[]
    }

    fn state(&self) -> &Value {
        &self.state
    }

    /// Its own `decide` has the word.
    fn validate(&self, _: &Command) -> std::result::Result<Option<Once>, Error> {
        Ok(None)
    }

    fn upcasters(&self) -> &[Upcaster] {
        &[]
    }

    fn start(&self, id: &str) -> Box<dyn Instance> {
        Box::new(Aggregate { of: Rc::clone(&self.of), id: id.into(), now: None, waiting: None })
    }

    fn resume(&self, snapshot: &Snapshot) -> std::result::Result<Box<dyn Instance>, SnapshotError> {
        snapshot.written_by(self)?;
        let state = Value::Object(snapshot.state.clone()).to_string();
        let (id, now) = (snapshot.meta.id.clone(), Some((snapshot.meta.clone(), state)));
        Ok(Box::new(Aggregate { of: Rc::clone(&self.of), id, now, waiting: None }))
    }
}

/// One aggregate of such a domain. Its state is text: whatever a reducer does to the objects that it is handed, no other
/// version of the state is touched.
#[derive(Clone)]
struct Aggregate {
    of: Rc<Of>,
    id: Text,
    now: Option<(Meta, String)>,
    /// Events of a replay that were not folded yet, an open JSON array, and where the stream is after them.
    waiting: Option<(Meta, String)>,
}

/// How many bytes of events wait before they are folded.
const BLOCK: usize = 1 << 20;

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.of.name, self.id)
    }
}

/// What a hook gives: `name` alone, or `{name: value}`.
fn answer(text: &str) -> std::result::Result<(String, Value), String> {
    match serde_json::from_str(text).map_err(|error| error.to_string())? {
        Value::String(name) => Ok((name, Value::Null)),
        Value::Object(fields) => Ok(fields.into_iter().next().unwrap_or_default()),
        other => Err(format!("a hook gave {other}")),
    }
}

/// A text in what a hook gives.
fn said(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn thrown(error: &JsValue) -> String {
    format!("a hook threw: {}", text(error, "message").unwrap_or_default())
}

impl Aggregate {
    /// The state after a JSON array of events; else which of them failed, if not the last, and why.
    fn evolve(&self, events: &str) -> std::result::Result<String, (Option<usize>, String)> {
        let state = self.now.as_ref().map(|(_, state)| state.as_str());
        let text = self.of.hooks.fold(state, events).map_err(|error| (Some(0), thrown(&error)))?;
        let (name, state) = answer(&text).map_err(|error| (Some(0), error))?;
        if name == "failed" {
            let index = state.get("index").and_then(Value::as_u64).unwrap_or_default();
            return Err((Some(index as usize), said(&state, "message")));
        }
        let Value::Object(object) = &state else {
            let start: String = state.to_string().chars().take(40).collect();
            return Err((None, format!("`evolve` has to give an object, and gave {start}")));
        };
        if let Some(name) = RESERVED_IN_ROWS.iter().find(|name| object.contains_key(**name)) {
            let message =
                format!("`evolve` gave a state with the field {name}, which every row has: it is reserved");
            return Err((None, message));
        }
        Ok(state.to_string())
    }

    /// Folds events that are in their order.
    fn fold(mut self: Box<Self>, events: &[Event]) -> std::result::Result<Box<Self>, ReduceError> {
        let Some(last) = events.last() else { return Ok(self) };
        let state = self.evolve(&json::events(events)).map_err(|(index, message)| {
            let event = index.and_then(|index| events.get(index)).unwrap_or(last);
            Problem::Other(message).of(event)
        })?;
        let meta = Meta {
            id: self.id.clone(),
            version: last.version(),
            actor: last.actor().into(),
            updated_at: Some(last.time()),
        };
        self.now = Some((meta, state));
        Ok(self)
    }

    /// Folds the events that wait.
    fn flush(&mut self) -> Option<()> {
        if let Some((meta, events)) = self.waiting.take() {
            let state = self.evolve(&(events + "]")).ok()?;
            self.now = Some((meta, state));
        }
        Some(())
    }

    /// An event that `decide` gave.
    fn draft(&self, command: &Command, index: usize, event: Value) -> std::result::Result<Draft, Error> {
        let nonsense = |what: &str| {
            let (aggregate, command) = (&self.of.name, &command.name);
            Err(Error::Domain(format!("{aggregate}.decide({command}): the event at /{index} {what}")))
        };
        let Value::Object(mut fields) = event else { return nonsense("is no object") };
        let name = match fields.shift_remove("eventName") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return nonsense("has no `eventName`"),
        };
        match RESERVED.iter().find(|name| fields.contains_key(**name)) {
            Some(name) => nonsense(&format!("has the field {name}, which is the envelope's")),
            None => Ok(Draft { name, fields }),
        }
    }
}

impl Instance for Aggregate {
    fn id(&self) -> &str {
        &self.id
    }

    fn meta(&self) -> Option<&Meta> {
        self.now.as_ref().map(|(meta, _)| meta)
    }

    fn apply(self: Box<Self>, event: &Event) -> std::result::Result<Box<dyn Instance>, ReduceError> {
        self.apply_all(std::slice::from_ref(event))
    }

    fn apply_all(self: Box<Self>, events: &[Event]) -> std::result::Result<Box<dyn Instance>, ReduceError> {
        if self.waiting.is_some() {
            let mut folded = self;
            return match (folded.flush(), events.first()) {
                (None, Some(first)) => {
                    Err(Problem::Other("what comes before it was not folded".to_owned()).of(first))
                }
                _ => folded.apply_all(events),
            };
        }
        let first = self.now.as_ref().map_or(0, |(meta, _)| meta.version);
        let wrong = (first..).zip(events).enumerate().find_map(|(index, (version, event))| {
            let place = belongs(event, &self.of.name, &self.id);
            let place =
                place.and_then(|()| in_order(version, event.version()).map_err(|problem| problem.of(event)));
            Some((index, place.err()?))
        });
        match wrong {
            None => Ok(self.fold(events)?),
            Some((index, error)) => {
                // What comes before it may be wrong as well, and comes first.
                self.fold(events.get(..index).unwrap_or_default())?;
                Err(error)
            }
        }
    }

    fn apply_record(
        mut self: Box<Self>,
        record: &Record<'_>,
    ) -> std::result::Result<Box<dyn Instance>, Unapplied> {
        if !record.is_of(&self.of.name, &self.id) {
            return Err(Unapplied);
        }
        let meta = record.meta(self.id.clone());
        let (before, mut events) = match self.waiting.take() {
            Some((before, events)) => (Some(before), events),
            None => (None, String::new()),
        };
        let end = events.len();
        events.push(if end == 0 { '[' } else { ',' });
        if record.write(&mut events) {
            let is_full = events.len() > BLOCK;
            self.waiting = Some((meta, events));
            if is_full {
                self.flush().ok_or(Unapplied)?;
            }
            return Ok(self);
        }
        events.truncate(end);
        self.waiting = before.map(|before| (before, events));
        let event = record.event().map_err(|_| Unapplied)?;
        self.apply(&event).map_err(|_| Unapplied)
    }

    fn decide(&self, command: &Command, actor: &str) -> std::result::Result<Vec<Draft>, Error> {
        let (version, state) = match &self.now {
            Some((meta, state)) => (meta.version, Some(state.as_str())),
            None => (0, None),
        };
        let context = json!({ "id": *self.id, "version": version, "actorId": actor }).to_string();
        let text = self.of.hooks.decide(state, &command.to_json().to_string(), &context);
        let text = text.map_err(|error| Error::Domain(thrown(&error)))?;
        let (name, value) = answer(&text).map_err(Error::Domain)?;
        match (name.as_str(), value) {
            ("events", Value::Array(events)) => {
                let drafts = events.into_iter().enumerate();
                drafts.map(|(index, event)| self.draft(command, index, event)).collect()
            }
            ("rejected", rejection) => {
                let (code, message) = (said(&rejection, "code").into(), said(&rejection, "message"));
                Err(Error::Rejected(Rejection { code, message }))
            }
            ("invalid", Value::Array(issues)) => {
                let issue =
                    |issue| Issue { pointer: said(issue, "pointer"), message: said(issue, "message") };
                Err(Error::Invalid(issues.iter().map(issue).collect()))
            }
            ("missing", _) => {
                Err(Error::NotFound { aggregate: self.of.name.to_string(), id: self.id.to_string() })
            }
            (_, Value::String(message)) => Err(Error::Domain(message)),
            (name, _) => Err(Error::Domain(format!("a hook gave {name}"))),
        }
    }

    fn snapshot(&self) -> Option<Snapshot> {
        if self.waiting.is_some() {
            let mut folded = self.clone();
            folded.flush()?;
            return folded.snapshot();
        }
        let (meta, state) = self.now.as_ref()?;
        let Ok(Value::Object(state)) = serde_json::from_str(state) else { return None };
        Some(Snapshot { meta: meta.clone(), state, fingerprint: self.of.fingerprint })
    }

    fn fork(&self) -> Box<dyn Instance> {
        Box::new(self.clone())
    }
}
