//! The event envelope: the one form in which an event is stored, sent and shown.
//!
//! An [`Event`] is its JSON text with the head read out of it. The text is never written anew, so an
//! event that came in as a line goes out as that same line, with its key order, its numbers' digits and
//! its escapes. The payload is parsed only when somebody asks for it.

use crate::{
    error::Issue,
    order::Map,
    time::{Millis, Ulid},
    value::{Object, below, object},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{borrow::Cow, fmt, sync::Arc};

/// A short text that many events share: copying it copies a pointer.
pub type Text = Arc<str>;

/// The names that an envelope keeps for itself; no payload field may have one of them.
pub const RESERVED: [&str; 12] = [
    "eventId",
    "eventName",
    "aggregateName",
    "aggregateId",
    "aggregateVersion",
    "actorId",
    "commandId",
    "correlationId",
    "causationId",
    "schemaVersion",
    "eventTs",
    "$meta",
];

/// The names that a row of an aggregate keeps for itself; no state field may have one of them.
pub const RESERVED_IN_ROWS: [&str; 5] = ["aggregateId", "version", "actorId", "updatedAt", "$meta"];

/// Something that happened to an aggregate.
///
/// ```
/// use rewound_core::event::Event;
/// let line = r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"MoneyDeposited","aggregateName":"BankAccount","aggregateId":"01K1RZXKEWDX1ESHFJVDHDWM2E","aggregateVersion":2,"actorId":"user-17","amount":2500}"#;
/// let event = Event::parse(line).unwrap();
/// assert_eq!((event.name(), event.version()), ("MoneyDeposited", 2));
/// assert_eq!(event.payload()["amount"], 2500);
/// assert_eq!(event.as_json(), line);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Event {
    id: Ulid,
    version: u64,
    name: Text,
    aggregate: Text,
    aggregate_id: Text,
    actor: Text,
    schema_version: u32,
    json: Text,
}

/// What caused an event, and which conversation it belongs to. All of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The command that the event answers.
    pub command_id: Option<String>,
    /// The conversation that command, event and follow-ups share.
    pub correlation_id: Option<String>,
    /// The event or command that directly caused this one.
    pub causation_id: Option<String>,
}

/// The head of an event that is about to be written: everything but its payload.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The event's id; its time is the event's time.
    pub id: Ulid,
    /// The event's name.
    pub name: &'a str,
    /// The name of the aggregate's kind.
    pub aggregate: &'a str,
    /// The aggregate's id.
    pub aggregate_id: &'a str,
    /// The place in the stream, from 1.
    pub version: u64,
    /// Who did it.
    pub actor: &'a str,
    /// The schema version of the payload, from 1; written down from 2 on.
    pub schema_version: u32,
    /// What caused it.
    pub trace: &'a Trace,
}

impl Event {
    /// Reads an envelope from its JSON text, and checks all of it: what is read later cannot fail.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place where it has one.
    pub fn parse(json: &str) -> Result<Event, Issue> {
        Self::parse_shared(json, &mut Interner::default())
    }

    /// As [`parse`](Self::parse), sharing the texts that many events repeat.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_shared(json: &str, shared: &mut Interner) -> Result<Event, Issue> {
        let json = json.trim();
        let mut place = String::new();
        let mut text = serde_json::Deserializer::from_str(json);
        let head = text.deserialize_map(Reader(&mut place)).and_then(|head| text.end().map(|()| head));
        match head {
            Ok(head) => head.into_event(json, shared),
            Err(error) => Err(Issue {
                pointer: place,
                // An event is one line: which one, the reader of a log knows better.
                message: error.to_string().replace(" at line 1 column ", " at column "),
            }),
        }
    }

    /// Writes an event from its head and payload. Payload fields stand flat beside the head's, in their
    /// own order.
    ///
    /// # Errors
    /// A payload field with a [`RESERVED`] name, an empty name or id, a version outside 1 to 2^53 − 1.
    pub fn write(head: &Head<'_>, payload: Object) -> Result<Event, Issue> {
        if let Some(name) = RESERVED.iter().find(|name| payload.contains_key(**name)) {
            return Err(Issue {
                pointer: below("", name),
                message: "the envelope keeps this name for itself: choose another".into(),
            });
        }
        let mut fields = Object::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("eventId", head.id.to_string().into());
        put("eventName", head.name.into());
        put("aggregateName", head.aggregate.into());
        put("aggregateId", head.aggregate_id.into());
        put("aggregateVersion", head.version.into());
        put("actorId", head.actor.into());
        let Trace { command_id, correlation_id, causation_id } = head.trace;
        let traces =
            [("commandId", command_id), ("correlationId", correlation_id), ("causationId", causation_id)];
        for (name, value) in traces {
            if let Some(value) = value {
                put(name, value.as_str().into());
            }
        }
        if head.schema_version > 1 {
            put("schemaVersion", head.schema_version.into());
        }
        fields.extend(payload);
        Event::parse(&Value::Object(fields).to_string())
    }

    /// `eventId`: unique, and rising within its stream for events written here.
    pub fn id(&self) -> Ulid {
        self.id
    }

    /// `eventName`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `aggregateName`: the kind of aggregate.
    pub fn aggregate(&self) -> &str {
        &self.aggregate
    }

    /// `aggregateId`: which aggregate.
    pub fn aggregate_id(&self) -> &str {
        &self.aggregate_id
    }

    /// `aggregateVersion`: the place in the stream, from 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// `actorId`: who did it.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// `schemaVersion`: the version of the payload's schema; 1 where the envelope does not say.
    pub fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// When it happened: the time in its id, milliseconds since the epoch.
    pub fn time(&self) -> Millis {
        self.id.timestamp_ms()
    }

    /// The envelope as JSON: the very text that was read.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The whole envelope as an object.
    pub fn fields(&self) -> Object {
        object(&self.json).unwrap_or_default()
    }

    /// The event's own fields: the envelope without the [`RESERVED`] names.
    pub fn payload(&self) -> Object {
        payload(&self.json)
    }

    /// What caused the event.
    pub fn trace(&self) -> Trace {
        let mut fields = self.fields();
        let mut take = |name| match fields.get_mut(name) {
            Some(Value::String(text)) => Some(std::mem::take(text)),
            _ => None,
        };
        Trace {
            command_id: take("commandId"),
            correlation_id: take("correlationId"),
            causation_id: take("causationId"),
        }
    }

    /// The same event at another place: a branch of a stream renumbers what follows an edit.
    pub(crate) fn moved(&self, id: Ulid, version: u64) -> Result<Event, Issue> {
        self.rewritten(id, version, self.payload())
    }

    /// The same event with another payload.
    pub(crate) fn with_payload(&self, payload: Object) -> Result<Event, Issue> {
        self.rewritten(self.id, self.version, payload)
    }

    fn rewritten(&self, id: Ulid, version: u64, payload: Object) -> Result<Event, Issue> {
        let head = Head {
            id,
            name: &self.name,
            aggregate: &self.aggregate,
            aggregate_id: &self.aggregate_id,
            version,
            actor: &self.actor,
            schema_version: self.schema_version,
            trace: &self.trace(),
        };
        Event::write(&head, payload)
    }

    pub(crate) fn shared_name(&self) -> &Text {
        &self.name
    }

    pub(crate) fn shared_actor(&self) -> &Text {
        &self.actor
    }

    pub(crate) fn shared_aggregate(&self) -> &Text {
        &self.aggregate
    }

    pub(crate) fn shared_aggregate_id(&self) -> &Text {
        &self.aggregate_id
    }
}

/// The fields of an envelope without the [`RESERVED`] names.
pub(crate) fn payload(json: &str) -> Object {
    let mut fields: Object = serde_json::from_str(json).unwrap_or_default();
    fields.retain(|name, _| !RESERVED.contains(&name.as_str()));
    fields
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

/// Keeps one copy of each text, for events that repeat the same names and ids.
#[derive(Debug, Default)]
pub struct Interner(Map<()>);

impl Interner {
    /// The shared copy of `text`.
    pub fn share(&mut self, text: &str) -> Text {
        self.0.share(text)
    }
}

/// The head as it stands in the text, borrowed from it where no escape stands in the way.
#[derive(Default)]
struct Envelope<'a> {
    event_id: Option<Cow<'a, str>>,
    event_name: Option<Cow<'a, str>>,
    aggregate_name: Option<Cow<'a, str>>,
    aggregate_id: Option<Cow<'a, str>>,
    aggregate_version: Option<u64>,
    actor_id: Option<Cow<'a, str>>,
    schema_version: Option<u32>,
}

impl Envelope<'_> {
    fn into_event(self, json: &str, shared: &mut Interner) -> Result<Event, Issue> {
        let id = text("eventId", self.event_id)?;
        let name = text("eventName", self.event_name)?;
        let aggregate = text("aggregateName", self.aggregate_name)?;
        let aggregate_id = text("aggregateId", self.aggregate_id)?;
        let version = self.aggregate_version.ok_or_else(|| at("aggregateVersion", MISSING))?;
        let actor = text("actorId", self.actor_id)?;
        if version == 0 || version > crate::number::MAX_SAFE as u64 {
            let message = format!("expected a version from 1 to 2^53 − 1, found {version}");
            return Err(at("aggregateVersion", message));
        }
        if self.schema_version == Some(0) {
            return Err(at("schemaVersion", "expected a version from 1, found 0"));
        }
        let id = match Ulid::from_string(&id) {
            // The first of 26 digits holds three bits: more would be another id's text.
            Ok(ulid) if id.len() == 26 && id.as_bytes().first() <= Some(&b'7') => ulid,
            _ => {
                let message = format!("expected a ULID (26 digits of Crockford's base 32), found `{id}`");
                return Err(at("eventId", message));
            }
        };
        Ok(Event {
            id,
            version,
            name: shared.share(&name),
            aggregate: shared.share(&aggregate),
            aggregate_id: shared.share(&aggregate_id),
            actor: shared.share(&actor),
            schema_version: self.schema_version.unwrap_or(1),
            json: json.into(),
        })
    }
}

const MISSING: &str = "it is missing: every event has one";

fn text<'a>(name: &str, value: Option<Cow<'a, str>>) -> Result<Cow<'a, str>, Issue> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(at(name, "expected some text, found none")),
        None => Err(at(name, MISSING)),
    }
}

fn at(name: &str, message: impl Into<String>) -> Issue {
    let pointer = if name.is_empty() { String::new() } else { below("", name) };
    Issue { pointer, message: message.into() }
}

/// Reads the head, and checks the rest. Where something is wrong below the top, it says in which place.
struct Reader<'p>(&'p mut String);

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut head = Envelope::default();
        while let Some(Borrowed(key)) = map.next_key()? {
            let (place, text): (_, &mut Option<Cow<'de, str>>) = match key.as_ref() {
                "eventId" => ("eventId", &mut head.event_id),
                "eventName" => ("eventName", &mut head.event_name),
                "aggregateName" => ("aggregateName", &mut head.aggregate_name),
                "aggregateId" => ("aggregateId", &mut head.aggregate_id),
                "actorId" => ("actorId", &mut head.actor_id),
                "aggregateVersion" => {
                    let version = head_field(&mut map, "aggregateVersion", self.0)?;
                    once(head.aggregate_version.replace(version), "aggregateVersion")?;
                    continue;
                }
                "schemaVersion" => {
                    let version = head_field(&mut map, "schemaVersion", self.0)?;
                    once(head.schema_version.replace(version), "schemaVersion")?;
                    continue;
                }
                key => {
                    sound_field(&mut map, key, self.0)?;
                    continue;
                }
            };
            let Borrowed(value) = head_field(&mut map, place, self.0)?;
            once(text.replace(value), place)?;
        }
        Ok(head)
    }
}

fn once<T, E: de::Error>(before: Option<T>, name: &'static str) -> Result<(), E> {
    if before.is_some() { Err(E::duplicate_field(name)) } else { Ok(()) }
}

/// A string, borrowed where its text holds no escape.
pub(crate) struct Borrowed<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Borrowed<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Any value that a later, full parse will accept. (Serde's `IgnoredAny` is laxer: it lets lone
/// surrogates and any depth pass, which would only fail when somebody asks for the payload.) Where it is
/// not sound, its place stands in the text afterwards.
struct Sound<'p>(&'p mut String);

/// What the names start with that `serde_json` takes for its own when it reads an object as a value: it
/// would read another value, or none.
const KEPT_BY_THE_PARSER: &str = "$serde_json::private::";

fn head_field<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    map: &mut M,
    name: &str,
    place: &mut String,
) -> Result<T, M::Error> {
    map.next_value().inspect_err(|_| *place = below("", name))
}

fn sound_field<'de, M: MapAccess<'de>>(map: &mut M, key: &str, place: &mut String) -> Result<(), M::Error> {
    let value = if key.starts_with(KEPT_BY_THE_PARSER) {
        Err(de::Error::custom("the JSON parser keeps this name for itself: choose another"))
    } else {
        map.next_value_seed(Sound(place))
    };
    value.inspect_err(|_| place.insert_str(0, &below("", key)))
}

impl<'de> DeserializeSeed<'de> for Sound<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let mut index = 0_usize;
        loop {
            let item = items.next_element_seed(Sound(self.0));
            match item.inspect_err(|_| self.0.insert_str(0, &format!("/{index}")))? {
                Some(()) => index += 1,
                None => return Ok(()),
            }
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = fields.next_key()? {
            match key {
                Some(key) => sound_field(&mut fields, &key, self.0)?,
                None => fields.next_value_seed(Sound(self.0))?,
            }
        }
        Ok(())
    }
}

/// A key of an object; none where there is no object. With arbitrary precision, `serde_json` hands numbers
/// over as maps, and their key is the parser's own: it is no option, as the keys that were written are.
struct Key<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_some<D: Deserializer<'de>>(self, written: D) -> Result<Key<'de>, D::Error> {
                Borrowed::deserialize(written).map(|Borrowed(key)| Key(Some(key)))
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Key<'de>, E> {
                Ok(Key(None))
            }
        }
        deserializer.deserialize_option(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#""eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"E","aggregateName":"A","aggregateId":"a","aggregateVersion":1,"actorId":"u""#;

    #[test]
    fn the_text_survives_to_the_byte() {
        let line = format!(r#"{{ "z": 1.50, "naïve \u00e9\/": [ 1E3, 12345678901234567890.10 ], {HEAD} }}"#);
        let event = Event::parse(&line).unwrap();
        assert_eq!(event.as_json(), line);
        assert_eq!(event.payload()["z"].to_string(), "1.50");
        assert_eq!(event.payload().keys().collect::<Vec<_>>(), ["z", "naïve é/"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |json: &str, expected: &str| {
            let issue = Event::parse(json).unwrap_err().to_string();
            assert!(issue.contains(expected), "{json}: {issue}");
        };
        wrong("", "EOF");
        wrong("[]", "an event: a JSON object");
        wrong(&format!("{{{}}}", HEAD.replace("\"actorId\":\"u\"", "\"x\":1")), "/actorId: it is missing");
        wrong(&format!("{{{}}}", HEAD.replace(":1,", ":0,")), "/aggregateVersion: expected a version from 1");
        wrong(&format!("{{{}}}", HEAD.replace(":1,", ":1.5,")), "expected u64");
        wrong(&format!("{{{}}}", HEAD.replace("01K1", "91K1")), "/eventId: expected a ULID");
        wrong(&format!("{{{}}}", HEAD.replace("\"E\"", "\"\"")), "/eventName: expected some text");
        wrong(&format!("{{{HEAD},\"eventName\":\"F\"}}"), "duplicate field `eventName`");
        wrong(&format!("{{{HEAD},\"x\":[0,{{\"y\":\"\\ud800\"}}]}}"), "/x/1/y: ");
        wrong(&format!("{{{HEAD},\"x\":\"\\ud800\"}}"), "hex escape");
        wrong(&format!("{{{HEAD},\"x\":{}}}", "[".repeat(200)), "recursion limit");
        wrong(&format!("{{{HEAD}}} {{}}"), "trailing characters");
    }

    #[test]
    fn a_name_that_the_parser_keeps_is_refused_at_its_place() {
        let refused = |payload: &str, pointer: &str| {
            let issue = Event::parse(&format!("{{{HEAD},{payload}}}")).unwrap_err();
            assert_eq!(issue.pointer, pointer, "{issue}");
            assert!(issue.message.contains("keeps this name"), "{issue}");
        };
        for name in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
            refused(&format!(r#""{name}":"1""#), &format!("/{name}"));
            refused(&format!(r#""x":{{"{name}":"1"}}"#), &format!("/x/{name}"));
            refused(&format!(r#""x":[1,{{"a/b":{{"c":1e400,"{name}":5}}}}]"#), &format!("/x/1/a~1b/{name}"));
            refused(&format!(r#""x":{{"\u0024{}":"no"}}"#, &name[1..]), &format!("/x/{name}"));
        }
        // Numbers of any length are no such name, and a value may be one.
        let sound = format!(
            r#"{{{HEAD},"x":[1e400,{{"y":12345678901234567890.5}}],"z":"$serde_json::private::Number"}}"#
        );
        assert_eq!(Event::parse(&sound).unwrap().payload().len(), 2);
    }

    #[test]
    fn a_payload_cannot_take_a_reserved_name() {
        let head = Head {
            id: Ulid::from_parts(1, 1),
            name: "E",
            aggregate: "A",
            aggregate_id: "a",
            version: 1,
            actor: "u",
            schema_version: 1,
            trace: &Trace::default(),
        };
        for name in RESERVED {
            let payload = Object::from_iter([(name.to_owned(), Value::Null)]);
            assert_eq!(Event::write(&head, payload).unwrap_err().pointer, format!("/{name}"));
        }
    }
}
