//! The reducer of logs whose domain nobody wrote down: each field's last value, and how often each event
//! happened. It decides nothing; it makes any real log replayable.

use crate::{
    aggregate::{Meta, Once, in_order},
    domain::{Command, Domain, Draft, Instance, Snapshot, SnapshotError, belongs, one_by_one},
    error::{Error, ReduceError, Result},
    event::{Event, Text},
    schema::Shape,
    upcast::Upcaster,
    value::Object,
};
use serde_json::Value;

/// The state's field that counts the events by their names.
pub const COUNTS: &str = "$events";

/// The domain of any log. Its state holds each payload field's last value, and under [`COUNTS`] how
/// often each event happened.
///
/// ```
/// use rewound_core::{domain::Domain, domains::generic::Generic, event::Event};
/// let fine = Event::parse(r#"{"eventId":"00VQKTYNC0CDP7X95DEHXG9K22","eventName":"Create Fine","aggregateName":"TrafficFine","aggregateId":"f1","aggregateVersion":1,"actorId":"33","amount":31.30}"#).unwrap();
/// let state = Generic.start("f1").apply(&fine).unwrap().snapshot().unwrap();
/// assert_eq!(state.state["amount"].to_string(), "31.30");
/// assert_eq!(state.state["$events"]["Create Fine"], 1);
/// ```
#[derive(Debug)]
pub struct Generic;

impl Domain for Generic {
    fn name(&self) -> &str {
        "*"
    }

    fn fingerprint(&self) -> u64 {
        const { crate::aggregate::fingerprint(&[include_bytes!("generic.rs")]) }
    }

    fn commands(&self) -> &[Shape] {
        &[]
    }

    fn events(&self) -> &[Shape] {
        &[]
    }

    fn state(&self) -> &Value {
        &Value::Bool(true)
    }

    fn validate(&self, command: &Command) -> Result<Option<Once>> {
        Err(Error::UnknownCommand { name: command.name.clone(), known: Vec::new() })
    }

    fn upcasters(&self) -> &[Upcaster] {
        &[]
    }

    fn start(&self, id: &str) -> Box<dyn Instance> {
        Box::new(Log {
            id: id.into(),
            aggregate: None,
            meta: None,
            fields: Object::new(),
            counts: Object::new(),
        })
    }

    fn resume(&self, snapshot: &Snapshot) -> Result<Box<dyn Instance>, SnapshotError> {
        snapshot.written_by(self)?;
        let mut fields = snapshot.state.clone();
        let counts = match fields.shift_remove(COUNTS) {
            Some(Value::Object(counts)) => counts,
            _ => Object::new(),
        };
        let meta = snapshot.meta.clone();
        Ok(Box::new(Log { id: meta.id.clone(), aggregate: None, meta: Some(meta), fields, counts }))
    }
}

#[derive(Debug, Clone)]
struct Log {
    id: Text,
    /// The kind that the first event names; every later one must name it too.
    aggregate: Option<String>,
    meta: Option<Meta>,
    fields: Object,
    counts: Object,
}

impl Instance for Log {
    fn id(&self) -> &str {
        &self.id
    }

    fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    fn apply(mut self: Box<Self>, event: &Event) -> Result<Box<dyn Instance>, ReduceError> {
        let aggregate = self.aggregate.get_or_insert_with(|| event.aggregate().to_owned());
        belongs(event, aggregate, &self.id)?;
        let version = self.meta.as_ref().map_or(0, |meta| meta.version);
        in_order(version, event.version()).map_err(|problem| problem.of(event))?;
        self.fields.extend(event.payload());
        let count = self.counts.get(event.name()).and_then(Value::as_u64).unwrap_or(0);
        self.counts.insert(event.name().to_owned(), (count + 1).into());
        self.meta = Some(Meta {
            id: self.id.clone(),
            version: event.version(),
            actor: event.shared_actor().clone(),
            updated_at: Some(event.time()),
        });
        Ok(self)
    }

    fn apply_all(self: Box<Self>, events: &[Event]) -> Result<Box<dyn Instance>, ReduceError> {
        one_by_one(self, events)
    }

    fn decide(&self, command: &Command, _: &str) -> Result<Vec<Draft>> {
        Err(Error::UnknownCommand { name: command.name.clone(), known: Vec::new() })
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let mut state = self.fields.clone();
        state.insert(COUNTS.to_owned(), Value::Object(self.counts.clone()));
        Some(Snapshot { meta: self.meta.clone()?, state, fingerprint: Generic.fingerprint() })
    }

    fn fork(&self) -> Box<dyn Instance> {
        Box::new(self.clone())
    }
}
