//! The edge's HTTP API, as far as it needs no network: what a request asks for, who may ask it, and what the answer
//! looks like. A shell reads requests, drives what they [ask](Ask) for, and sends answers; a client builds the same.
//!
//! | request | answer |
//! |---|---|
//! | `POST /aggregates/{name}/{id}/commands/{Command}` | 201 for a new aggregate, else 200: `{events, state, cost, token, repeated}` |
//! | `GET /aggregates/{name}/{id}` `?version=` `?at=` | the state, now or as of then |
//! | `GET /aggregates/{name}/{id}/events` `?after=&limit=` | `{items, next}`, or the stream itself as server-sent events |
//! | `GET /aggregates/{name}` `?cursor=&limit=` | `{items, next}` |
//! | `GET /views`, `/views/{view}`, `/views/{view}/{id}` | read models: `{items, next}`, a row |
//! | `GET /feed`, and below it | how far the read side has come, dead letters; `POST`: sweeps, rebuilds, retries |
//! | `GET /openapi.json`, `/healthz`, `/metrics` | what there is, whether it lives, what it did |
//!
//! ```
//! use rewound_core::http::{Head, Route, route};
//! let head = Head { method: "GET".into(), target: "/aggregates/BankAccount/a1?version=3".into(), headers: vec![] };
//! let Route::State { domain, id } = route(&head)? else { panic!() };
//! assert_eq!((domain.name(), id.as_str()), ("BankAccount", "a1"));
//! # Ok::<_, rewound_core::http::problem::Problem>(())
//! ```

pub mod auth;
pub mod config;
pub mod live;
pub mod messages;
pub mod metrics;
mod openapi;
pub mod problem;
pub mod views;

pub use openapi::openapi;

use crate::{
    aggregate::Meta,
    domain::{Command, Domain, Sender, Snapshot},
    domains,
    error::{Error, Issue},
    event::{Event, Trace},
    number::MAX_SAFE,
    read::{Found, Moment, Question},
    run::{Done, Options},
    store::{Cost, Page},
    time::{Millis, Ulid, parse_iso},
    value::Object,
};
use auth::Scope;
use live::Live;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use problem::Problem;
use serde_json::{Value, json};
use std::fmt;

/// A request without its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The method, in capitals.
    pub method: String,
    /// The path and the query, as they came.
    pub target: String,
    /// The headers, their names in any case.
    pub headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// The headers, their names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub enum Route {
    /// A command to an aggregate.
    Command {
        /// The aggregate's domain.
        domain: &'static dyn Domain,
        /// Its id.
        id: String,
        /// The command's name. It may be unknown.
        command: String,
    },
    /// The state of an aggregate.
    State {
        /// Its domain.
        domain: &'static dyn Domain,
        /// Its id.
        id: String,
    },
    /// The events of a stream.
    Events {
        /// The aggregate's domain.
        domain: &'static dyn Domain,
        /// Its id.
        id: String,
    },
    /// The aggregates of a kind.
    List {
        /// Their domain.
        domain: &'static dyn Domain,
    },
    /// The read side.
    Views(views::Place),
    /// The description of all this.
    OpenApi,
    /// Whether it lives.
    Health,
    /// What it did.
    Metrics,
}

/// What a request asks for.
#[derive(Debug)]
pub enum Ask {
    /// To run a command.
    Command(Box<Order>),
    /// To read; events behind a version are given out with cursors.
    Read(Question),
    /// To follow a stream.
    Live(Box<Live>),
    /// Something of the read side.
    Views(Box<views::Ask>),
    /// Nothing that takes a store.
    Say(Answer),
    /// The shell's own numbers.
    Metrics,
}

/// A command as it is to be run.
#[derive(Debug, Clone)]
pub struct Order {
    /// The aggregate's domain.
    pub domain: &'static dyn Domain,
    /// Its id.
    pub id: String,
    /// The command.
    pub command: Command,
    /// By whom, and what caused it; its clock and random bits are not used.
    pub sender: Sender,
    /// The pinned version and the idempotency key.
    pub options: Options,
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Of the store.
    pub cost: Cost,
    /// The milliseconds from the request to the answer.
    pub time: Millis,
}

/// Where a page of events ends: behind that version, and behind that event's id, by which a store finds it.
///
/// ```
/// use rewound_core::http::Cursor;
/// let cursor = Cursor::read("12.01K1RZXKEYCYQ5MSEQJ4Z5JNDE").unwrap();
/// assert_eq!((cursor.after, cursor.to_string().as_str()), (12, "12.01K1RZXKEYCYQ5MSEQJ4Z5JNDE"));
/// assert_eq!(Cursor::read("12"), Some(Cursor { after: 12, place: None }));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The version of the last event before; 0 for the start.
    pub after: u64,
    /// The place in the store, where it is known.
    pub place: Option<String>,
}

impl Cursor {
    /// Reads a cursor; a version alone is one too.
    pub fn read(text: &str) -> Option<Self> {
        let (version, place) = match text.split_once('.') {
            Some((version, place)) => (version, Some(place)),
            None => (text, None),
        };
        let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        let after = version.parse().ok().filter(|after| digits && *after <= MAX_SAFE as u64)?;
        let place = match place {
            None | Some("") => None,
            // An event's id, or the number that a store in memory goes by.
            Some(place) => {
                let is_number = place.len() < 20 && place.bytes().all(|byte| byte.is_ascii_digit());
                if !is_number && Ulid::from_string(place).is_err() {
                    return None;
                }
                Some(place.to_owned())
            }
        };
        Some(Self { after, place })
    }

    /// The one behind an event.
    pub fn behind(event: &Event) -> Self {
        Self { after: event.version(), place: Some(event.id().to_string()) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.after)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, ".{place}"))
    }
}

/// How many events or aggregates a page has where nothing is said, and at the most.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 1_000;
/// The most bytes of an aggregate's id, and of what comes in headers.
pub(crate) const LONGEST_ID: usize = 512;
const LONGEST_HEADER: usize = 255;

/// What a path keeps as it is (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Head {
    /// A header's value; one that is there and empty says nothing good, so it is not the same as none.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }

    fn is_read(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The values of these query parameters, in their order. One that is not known is refused: a mistyped `version`
    /// would be answered with another state.
    fn query<const N: usize>(&self, known: [&str; N]) -> Result<[Option<String>; N], Problem> {
        let mut found = [const { None }; N];
        self.parameters(&known, &mut found)?;
        Ok(found)
    }

    /// As [`query`](Self::query), of as many as there are.
    fn parameters(&self, known: &[&str], found: &mut [Option<String>]) -> Result<(), Problem> {
        let text = self.target.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let place = known.iter().zip(found.iter_mut()).find(|(known, _)| **known == name);
            match place {
                Some((_, place @ None)) => *place = Some(value.into_owned()),
                Some(_) => return Err(wrong(&format!("/query/{name}"), "it is given twice")),
                None => {
                    let message = match known.len() {
                        0 => "there are no parameters here".to_owned(),
                        _ => format!("it is not known here; there are: {}", known.join(", ")),
                    };
                    return Err(wrong(&format!("/query/{name}"), &message));
                }
            }
        }
        Ok(())
    }

    /// Whether the sender takes an answer of that type (RFC 9110, 12.5.1).
    fn accepts(&self, media: &str) -> bool {
        let Some(accept) = self.header("accept").filter(|accept| !accept.is_empty()) else { return true };
        let (kind, _) = media.split_once('/').unwrap_or_default();
        let mut taken = false;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).and_then(|weight| weight.parse().ok());
            let wanted = weight.unwrap_or(1.0_f32) > 0.0;
            if name.eq_ignore_ascii_case(media) {
                return wanted;
            }
            taken |= wanted && (name == "*/*" || name.strip_suffix("/*") == Some(kind));
        }
        taken
    }

    /// Whether the sender names that type among those that it takes.
    fn names(&self, media: &str) -> bool {
        let ranges = self.header("accept").unwrap_or_default().split(',');
        let mut names = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
        names.any(|name| name.eq_ignore_ascii_case(media)) && self.accepts(media)
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn new(status: u16, kind: &str, body: String) -> Self {
        // What is private to one may be kept by that one, and asked for again with its `ETag`.
        let headers =
            vec![("content-type", kind.to_owned()), ("cache-control", "private, no-cache".to_owned())];
        Self { status, headers, body }
    }

    fn json(status: u16, body: String) -> Self {
        Self::new(status, "application/json", body)
    }

    /// The numbers of a shell, as Prometheus reads them.
    pub fn metrics(text: String) -> Self {
        Self::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
    }

    /// The beginning of a stream that is followed live; its messages come behind.
    pub fn live() -> Self {
        let kind = [("content-type", "text/event-stream"), ("cache-control", "no-store")];
        let headers = kind.map(|(name, value)| (name, value.to_owned())).into();
        Self { status: 200, headers, body: String::new() }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Route {
    /// The scope that it takes; none where any token will do.
    pub fn scope(&self) -> Option<Scope<'_>> {
        match self {
            Route::Command { domain, command, .. } => {
                let shape = domain.commands().iter().find(|shape| shape.name == *command);
                let to = shape.and_then(|shape| shape.schema.get("x-sender")?.as_str()).unwrap_or("command");
                Some(Scope { of: domain.name(), to })
            }
            Route::State { domain, .. } | Route::Events { domain, .. } | Route::List { domain } => {
                Some(Scope { of: domain.name(), to: "read" })
            }
            Route::Metrics => Some(Scope { of: auth::METRICS, to: "read" }),
            Route::Views(place) => place.scope(),
            Route::OpenApi | Route::Health => None,
        }
    }

    /// Its name, for logs and numbers.
    pub fn name(&self) -> &'static str {
        match self {
            Route::Command { .. } => "command",
            Route::State { .. } => "state",
            Route::Events { .. } => "events",
            Route::List { .. } => "list",
            Route::Views(place) => place.name(),
            Route::OpenApi => "openapi",
            Route::Health => "health",
            Route::Metrics => "metrics",
        }
    }
}

fn wrong(pointer: &str, message: &str) -> Problem {
    Problem::invalid(&[Issue { pointer: pointer.to_owned(), message: message.to_owned() }])
}

/// The id of an aggregate in a path.
fn identity(id: &str) -> Result<String, Problem> {
    match id.len() {
        1..=LONGEST_ID if !id.contains(char::is_control) => Ok(id.to_owned()),
        _ => Err(wrong("/path/id", "expected 1 to 512 bytes, without control characters")),
    }
}

/// Where a request goes.
///
/// # Errors
/// 404 and 405, and 400 for a path that is no text.
pub fn route(head: &Head) -> Result<Route, Problem> {
    let decoded = |part: &str| {
        let text = percent_decode_str(part).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let parts: Option<Vec<String>> = head.path().split('/').skip(1).map(decoded).collect();
    let parts = parts.ok_or_else(|| wrong("/path", "it is no UTF-8"))?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let unknown =
        || Problem::new(404, "unknown-path", "There is nothing here. GET /openapi.json says what there is.");
    let domain = |name: &str| {
        let error = || Problem::from(Error::UnknownAggregate { name: name.to_owned() });
        domains::find(name).ok_or_else(error)
    };
    let route = match *parts {
        ["aggregates", name] => Route::List { domain: domain(name)? },
        ["aggregates", name, id] => Route::State { domain: domain(name)?, id: identity(id)? },
        ["aggregates", name, id, "events"] => Route::Events { domain: domain(name)?, id: identity(id)? },
        ["aggregates", name, id, "commands", command] => {
            Route::Command { domain: domain(name)?, id: identity(id)?, command: command.to_owned() }
        }
        ["views", ref rest @ ..] => Route::Views(views::read(rest)?.ok_or_else(unknown)?),
        ["feed", ref rest @ ..] => Route::Views(views::operate(rest)?.ok_or_else(unknown)?),
        ["openapi.json"] => Route::OpenApi,
        ["healthz"] => Route::Health,
        ["metrics"] => Route::Metrics,
        _ => return Err(unknown()),
    };
    let (fits, allowed) = match route {
        Route::Command { .. } => (head.method == "POST", "POST"),
        Route::Views(ref place) if place.acts() => (head.method == "POST", "POST"),
        _ => (head.is_read(), "GET, HEAD"),
    };
    let refusal = || {
        let detail = format!("{} is not possible here; {allowed} is.", head.method);
        Problem::new(405, "method-not-allowed", detail).header("allow", allowed)
    };
    if fits { Ok(route) } else { Err(refusal()) }
}

/// What a request asks for. `body` is empty where there is none; `correlation` names the conversation where the sender
/// does not (`X-Correlation-Id`).
///
/// # Errors
/// 400 with every bad field, 404, 406, 415.
pub fn ask(
    route: Route,
    head: &Head,
    body: &[u8],
    actor: &str,
    correlation: &str,
    limits: live::Limits,
) -> Result<Ask, Problem> {
    let takes = match route {
        Route::Metrics => "text/plain",
        _ => "application/json",
    };
    let live =
        matches!(route, Route::Events { .. }) && head.method == "GET" && head.names("text/event-stream");
    if !live && !head.accepts(takes) {
        return Err(Problem::new(406, "not-acceptable", format!("The answer is {takes}.")));
    }
    Ok(match route {
        Route::Command { domain, id, command } => {
            let [] = head.query([])?;
            Ask::Command(Box::new(order(domain, id, command, head, body, actor, correlation)?))
        }
        Route::State { domain, id } => {
            let [version, at] = head.query(["version", "at"])?;
            let at = match (version, at) {
                (None, None) => return Ok(Ask::Read(Question::State { domain, id })),
                (Some(version), None) => {
                    let version =
                        version.parse().ok().filter(|version| (1..=MAX_SAFE as u64).contains(version));
                    Moment::Version(
                        version.ok_or_else(|| wrong("/query/version", "expected an integer from 1"))?,
                    )
                }
                (None, Some(time)) => {
                    // A `+` in a query is a space, and nobody escapes it.
                    let time = parse_iso(&time.replace(' ', "+"));
                    let expected = "expected an RFC 3339 time such as 2026-01-31T12:00:00Z";
                    Moment::Time(time.ok_or_else(|| wrong("/query/at", expected))?)
                }
                _ => return Err(wrong("/query", "expected version or at, found both")),
            };
            Ask::Read(Question::StateAt { domain, id, at })
        }
        Route::Events { domain, id } => {
            let [after, limit] = head.query(["after", "limit"])?;
            let expected = "expected a version, the `next` of a page, or the id of a server-sent event";
            let read = |place: &str, text: &str| Cursor::read(text).ok_or_else(|| wrong(place, expected));
            let cursor = match (after, head.header("last-event-id").filter(|last| live && !last.is_empty())) {
                // A client that was cut off asks the same again, and says where it was.
                (_, Some(last)) => read("/header/last-event-id", last)?,
                (Some(after), None) => read("/query/after", &after)?,
                (None, None) => Cursor::default(),
            };
            let aggregate = domain.name().to_owned();
            if live {
                return Ok(Ask::Live(Box::new(Live::new(aggregate, id, cursor, limits))));
            }
            let Cursor { after, place } = cursor;
            Ask::Read(Question::Events { aggregate, id, after, cursor: place, limit: page(limit)? })
        }
        Route::List { domain } => {
            let [cursor, limit] = head.query(["cursor", "limit"])?;
            if cursor.as_ref().is_some_and(|cursor| !(1..=LONGEST_ID).contains(&cursor.len())) {
                return Err(wrong("/query/cursor", "expected the `next` of a page"));
            }
            Ask::Read(Question::List { aggregate: domain.name().to_owned(), cursor, limit: page(limit)? })
        }
        Route::Views(place) => Ask::Views(Box::new(views::ask(place, head)?)),
        Route::OpenApi => Ask::Say(Answer::json(200, openapi().to_string())),
        Route::Health => Ask::Say(Answer::json(200, json!({ "status": "ok" }).to_string())),
        Route::Metrics => Ask::Metrics,
    })
}

/// How many a page is to have.
fn page(limit: Option<String>) -> Result<usize, Problem> {
    let Some(limit) = limit else { return Ok(PAGE) };
    let limit = limit.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
    limit.ok_or_else(|| wrong("/query/limit", "expected an integer from 1 to 1000"))
}

fn order(
    domain: &'static dyn Domain,
    id: String,
    name: String,
    head: &Head,
    body: &[u8],
    actor: &str,
    correlation: &str,
) -> Result<Order, Problem> {
    let media = head.header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
    let is_json = |media: &str| media.eq_ignore_ascii_case("application/json");
    if !media.map_or(body.is_empty(), is_json) {
        let detail = "A command's fields are sent as application/json.";
        return Err(Problem::new(415, "unsupported-media-type", detail));
    }
    let fields = match body {
        // A command without fields needs no body.
        [] => Value::Object(Object::new()),
        body => serde_json::from_slice(body)
            .map_err(|error| wrong("", &format!("the body is no JSON: {error}")))?,
    };
    let command = Command::new(name, fields)?;
    let text = |name: &str| {
        let Some(value) = head.header(name) else { return Ok(None) };
        // A key is a structured field in the draft that names it, and is mostly sent without its quotes. Two headers arrive
        // as one with a comma, which is no key then.
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let several = quoted.is_none() && value.contains(',');
        let value = quoted.unwrap_or(value);
        let good = !several
            && (1..=LONGEST_HEADER).contains(&value.len())
            && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let expected = || wrong(&format!("/header/{name}"), "expected 1 to 255 printable ASCII characters");
        if good { Ok(Some(value.to_owned())) } else { Err(expected()) }
    };
    let expected_version = match (head.header("if-match"), head.header("if-none-match")) {
        (None, None) => None,
        (Some(tag), None) => Some(version(tag).ok_or_else(|| {
            wrong(
                "/header/if-match",
                r#"expected the version in quotes, such as "3": the ETag of what you decided on"#,
            )
        })?),
        (None, Some("*")) => Some(0),
        (None, Some(_)) => return Err(wrong("/header/if-none-match", "expected *: create only")),
        _ => return Err(wrong("/header/if-match", "expected If-Match or If-None-Match, found both")),
    };
    let trace = Trace {
        command_id: text("x-command-id")?,
        correlation_id: text("x-correlation-id")?.or_else(|| Some(correlation.to_owned())),
        causation_id: text("x-causation-id")?,
    };
    let options =
        Options { expected_version, idempotency_key: text("idempotency-key")?, ..Options::default() };
    let sender = Sender { actor: actor.to_owned(), trace, ..Sender::default() };
    Ok(Order { domain, id, command, sender, options })
}

/// The version in an entity tag such as `"3"`.
fn version(tag: &str) -> Option<u64> {
    let version = tag.strip_prefix('"')?.strip_suffix('"')?;
    let version = Some(version).filter(|version| !version.starts_with(['0', '+']))?;
    version.parse().ok().filter(|version| (1..=MAX_SAFE as u64).contains(version))
}

/// The entity tag of a version, as `ETag` and `If-Match` have it.
///
/// ```
/// assert_eq!(rewound_core::http::tag(3), "\"3\"");
/// ```
pub fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// A path of these parts, each escaped: what [`route`] reads.
///
/// ```
/// assert_eq!(rewound_core::http::path(&["aggregates", "Order", "a/b c"]), "/aggregates/Order/a%2Fb%20c");
/// ```
pub fn path(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("/{}", utf8_percent_encode(part, ESCAPED))).collect()
}

/// Where an aggregate is found.
fn location(domain: &dyn Domain, id: &str) -> String {
    path(&["aggregates", domain.name(), id])
}

/// The answer to a command.
pub fn commanded(domain: &dyn Domain, id: &str, done: &Done, cost: Cost) -> Answer {
    let state = done.snapshot.as_ref().map_or(Value::Null, Snapshot::to_json);
    let (version, place) = (done.version(), location(domain, id));
    let rest = json!({ "state": state, "cost": cost, "token": format!("{place}@{version}"), "repeated": done.repeated });
    let is_new = done.events.first().is_some_and(|event| event.version() == 1);
    let answer = Answer::json(if is_new { 201 } else { 200 }, listed("events", &done.events, &rest));
    let answer = if is_new { answer.with("location", place) } else { answer };
    if version > 0 { answer.with("etag", tag(version)) } else { answer }
}

/// The answer to a read; `after` is the version behind which events were asked for.
pub fn found(head: &Head, found: &Found, after: u64) -> Answer {
    match found {
        Found::State(snapshot) => {
            unless_known(head.header("if-none-match"), tag(snapshot.meta.version), || {
                snapshot.to_json().to_string()
            })
        }
        Found::Events(Page { items, next }) => {
            let next = next.as_ref().map(|place| {
                let after = items.last().map_or(after, Event::version);
                Cursor { after, place: Some(place.clone()).filter(|place| !place.is_empty()) }.to_string()
            });
            Answer::json(200, listed("items", items, &json!({ "next": next })))
                .with("vary", "Accept".to_owned())
        }
        Found::List(Page { items, next }) => {
            let items: Vec<Value> = items.iter().map(Meta::to_json).collect();
            Answer::json(200, json!({ "items": items, "next": next }).to_string())
        }
    }
}

/// What has that tag, unless whoever asks has it already: they say which they know.
fn unless_known(known: Option<&str>, tag: String, body: impl FnOnce() -> String) -> Answer {
    let is_known = known.is_some_and(|tags| {
        tags == "*" || tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let answer = match is_known {
        true => Answer::json(304, String::new()),
        false => Answer::json(200, body()),
    };
    answer.with("etag", tag)
}

/// An object of JSON with events under that name, each as its own text, and the rest behind them.
fn listed(name: &str, events: &[Event], rest: &Value) -> String {
    let events: Vec<&str> = events.iter().map(Event::as_json).collect();
    let rest = rest.to_string();
    format!(r#"{{"{name}":[{}],{}"#, events.join(","), rest.strip_prefix('{').unwrap_or_default())
}

/// The answer to what a browser asks before a request to another origin; none where it is no such question.
pub fn preflight(head: &Head) -> Option<Answer> {
    head.header("access-control-request-method").filter(|_| head.method == "OPTIONS")?;
    let headers = [
        ("access-control-allow-methods", "GET, HEAD, POST".to_owned()),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, Accept, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, \
             X-Correlation-Id, X-Causation-Id, X-Command-Id"
                .to_owned(),
        ),
        ("access-control-max-age", "600".to_owned()),
    ];
    Some(Answer { status: 204, headers: headers.into(), body: String::new() })
}

/// The last touch to every answer: what it cost, whom it may be shown to, and no body where none was asked for.
pub fn finished(
    head: &Head,
    mut answer: Answer,
    origins: &[String],
    correlation: &str,
    spent: Spent,
) -> Answer {
    let Spent { cost: Cost { requests, rcu, wcu }, time } = spent;
    let mut add = |name, value: &str| answer.headers.push((name, value.to_owned()));
    add("x-content-type-options", "nosniff");
    add("x-correlation-id", correlation);
    // `dur` is in milliseconds (W3C Server Timing).
    let store = format!(r#"dynamodb;desc="requests={requests} rcu={rcu} wcu={wcu}", total;dur={time}"#);
    add("server-timing", &store);
    let allowed = |origin: &&str| origins.iter().any(|known| known == "*" || known == origin);
    if !origins.is_empty() {
        add("vary", "Origin");
    }
    if let Some(origin) = head.header("origin").filter(allowed) {
        add("access-control-allow-origin", origin);
        add(
            "access-control-expose-headers",
            "ETag, Location, Server-Timing, Retry-After, WWW-Authenticate, X-Correlation-Id",
        );
    }
    if head.method == "HEAD" {
        answer.body = String::new();
    }
    answer
}
