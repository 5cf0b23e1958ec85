//! Stores: in memory, and on DynamoDB. A command or a read is a [`Run`] that the face drives: it makes the calls and
//! waits, and nothing else.

use crate::{
    domain::{Kind, command, random, sender},
    error::{Result, any, store},
    js::{field, object, text},
    json::{self, held},
};
use js_sys::Map;
use rewound_core::{
    aggregate::Meta,
    cache::Cache,
    domain::{Domain, Snapshot},
    dynamodb::{
        Call, Layout, Rows,
        chore::{self, Chore},
        exchange::{Exchange, Next, Response},
        sign::{self, Credentials},
    },
    read::{Found, Question, Reading},
    rebuild::Rebuild,
    run::{CommandRun, Done, Options, Step},
    store::{Cost, MemoryStore, Page, Reply, Request, Store},
    time::Millis,
};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc, sync::Arc};
use wasm_bindgen::prelude::*;

/// A command as it is sent: `order` says by whom, and with which options.
fn command_run(
    kind: &Kind,
    id: &str,
    command: &str,
    order: &JsValue,
    cached: Option<Snapshot>,
) -> Result<CommandRun> {
    let options = Options {
        expected_version: field(order, "expectedVersion").as_f64().map(|version| version as u64),
        idempotency_key: text(order, "idempotencyKey"),
        cached,
        ..Options::default()
    };
    Ok(CommandRun::new(kind.domain, id, self::command(command)?, sender(order), options))
}

fn outcome(done: &Done, cost: Cost) -> Result<String> {
    let state = done.snapshot.as_ref().map_or(Value::Null, Snapshot::to_json);
    let rest = json!({ "state": state, "repeated": done.repeated, "cost": cost }).to_string();
    let rest = rest.strip_prefix('{').unwrap_or_default();
    held(format!(r#"{{"events":{},{rest}"#, json::events(&done.events)))
}

fn found(found: &Found, after: u64, cost: Cost) -> Result<String> {
    match found {
        Found::State(snapshot) => json::state(snapshot),
        Found::Events(Page { items, next }) => {
            // A cursor says after which version it goes on, and where a store finds it.
            let last = items.last().map_or(after, |event| event.version());
            let next = next.as_ref().map(|next| format!("{last}.{next}"));
            let rest = json!({ "next": next, "cost": cost }).to_string();
            let rest = rest.strip_prefix('{').unwrap_or_default();
            held(format!(r#"{{"items":{},{rest}"#, json::events(items)))
        }
        Found::List(Page { items, next }) => {
            let items: Vec<Value> = items.iter().map(Meta::to_json).collect();
            held(json!({ "items": items, "next": next, "cost": cost }).to_string())
        }
    }
}

/// Behind which version events are asked for.
fn behind(question: &Question) -> u64 {
    match question {
        Question::Events { after, .. } => *after,
        _ => 0,
    }
}

fn events(aggregate: String, id: String, after: f64, cursor: Option<String>, limit: f64) -> Question {
    Question::Events { aggregate, id, after: after as u64, cursor, limit: limit as usize }
}

/// A store in memory.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Memory(RefCell<MemoryStore>);

#[wasm_bindgen]
impl Memory {
    /// An empty store.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Runs a command at the time `now`.
    pub fn execute(
        &self,
        kind: &Kind,
        id: &str,
        command: &str,
        order: JsValue,
        now: f64,
        bits: &[u8],
    ) -> Result<String> {
        let mut run = command_run(kind, id, command, &order, None)?;
        let (mut reply, mut random) = (None, random(bits));
        loop {
            // The store is free while the domain decides: that may be somebody's JavaScript.
            match run.next(reply.take(), now as Millis, random) {
                Step::Ask(request) => reply = Some(self.0.borrow_mut().answer(&request)),
                Step::Wait(_) => random = random.wrapping_add(1),
                Step::Done(done) => return outcome(&done.map_err(any)?, run.cost()),
            }
        }
    }

    /// The state of an aggregate.
    pub fn load(&self, kind: &Kind, id: &str) -> Result<String> {
        self.read(Question::State { domain: kind.domain, id: id.to_owned() })
    }

    /// A page of events of the stream `id`, of whatever kind it is.
    pub fn events(&self, id: &str, after: f64, limit: f64) -> Result<String> {
        let kind =
            self.0.borrow().streams().find(|(_, known, _)| *known == id).map(|(kind, ..)| kind.to_owned());
        self.read(events(kind.unwrap_or_default(), id.to_owned(), after, None, limit))
    }

    /// A page of aggregates.
    pub fn list(&self, kind: &Kind, cursor: Option<String>, limit: f64) -> Result<String> {
        let aggregate = kind.domain.name().to_owned();
        self.read(Question::List { aggregate, cursor, limit: limit as usize })
    }

    /// Every event as lines of JSON.
    pub fn ndjson(&self) -> String {
        let store = self.0.borrow();
        let events = store.streams().flat_map(|(.., stored)| &stored.events);
        events.fold(String::new(), |text, event| text + event.as_json() + "\n")
    }
}

impl Memory {
    fn read(&self, question: Question) -> Result<String> {
        let after = behind(&question);
        let (mut reading, mut reply) = (Reading::new(question), None);
        loop {
            match reading.next(reply.take(), 0) {
                Step::Ask(request) => reply = Some(self.0.borrow_mut().answer(&request)),
                Step::Wait(_) => {}
                Step::Done(result) => return found(&result.map_err(any)?, after, reading.cost()),
            }
        }
    }
}

/// A store on DynamoDB.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Dynamo {
    layout: RefCell<Arc<Layout>>,
    cache: Rc<RefCell<Cache>>,
}

#[wasm_bindgen]
impl Dynamo {
    /// A store on tables `{events, helpers, aggregates}`, which remembers so many states. `aggregates` is a map from
    /// the kinds to the names of their tables.
    #[wasm_bindgen(constructor)]
    pub fn new(tables: JsValue, cache: f64) -> Dynamo {
        let name = |name| text(&tables, name).unwrap_or_default();
        let mut layout = Layout { events: name("events"), helpers: name("helpers"), ..Layout::default() };
        Map::from(field(&tables, "aggregates")).for_each(&mut |table, kind| {
            let (kind, table) = (kind.as_string().unwrap_or_default(), table.as_string().unwrap_or_default());
            layout.aggregates.push((kind, Rows { table, fingerprint: 0 }));
        });
        let cache = Rc::new(RefCell::new(Cache::new(cache as usize)));
        Dynamo { layout: RefCell::new(layout.into()), cache }
    }

    /// A command on its way.
    pub fn execute(&self, kind: &Kind, id: &str, command: &str, order: JsValue) -> Result<Run> {
        let cached = self.cache.borrow_mut().get(kind.domain.name(), id);
        let run = command_run(kind, id, command, &order, cached)?;
        let learnt = Learnt { cache: Rc::clone(&self.cache), domain: kind.domain, id: id.to_owned() };
        Ok(self.run(Work::Command(Box::new(run), learnt)))
    }

    /// The state of an aggregate, on its way.
    pub fn load(&self, kind: &Kind, id: &str) -> Run {
        self.read(Question::State { domain: kind.domain, id: id.to_owned() })
    }

    /// A page of events of the stream `id`, on its way.
    pub fn events(&self, id: &str, after: f64, cursor: Option<String>, limit: f64) -> Run {
        self.read(events(String::new(), id.to_owned(), after, cursor, limit))
    }

    /// A page of aggregates, on its way.
    pub fn list(&self, kind: &Kind, cursor: Option<String>, limit: f64) -> Run {
        let aggregate = kind.domain.name().to_owned();
        self.read(Question::List { aggregate, cursor, limit: limit as usize })
    }

    /// The making of its tables, on its way.
    pub fn tables(&self) -> Run {
        self.run(Work::Chore(Chore::tables(&self.layout.borrow())))
    }

    /// The question who wrote the rows of a kind, on its way. Its answer is for [`trust`](Self::trust).
    pub fn reducer(&self, kind: &Kind, will_write: bool) -> Run {
        let (name, ours) = (kind.domain.name(), kind.domain.fingerprint());
        self.run(Work::Chore(Chore::reducer(&self.layout.borrow(), name, ours, will_write)))
    }

    /// The rewriting of all rows of a kind, on its way; [`rewritten`](Self::rewritten) comes behind it.
    pub fn rebuild(&self, kind: &Kind) -> Run {
        self.run(Work::Rebuild(Rebuild::new(kind.domain)))
    }

    /// The word that this reducer wrote all rows of a kind, on its way. Its answer is for [`trust`](Self::trust).
    pub fn rewritten(&self, kind: &Kind) -> Run {
        let (name, ours) = (kind.domain.name(), kind.domain.fingerprint());
        self.run(Work::Chore(Chore::rewritten(&self.layout.borrow(), name, ours)))
    }

    /// Says that the rows of a kind were written by this reducer.
    pub fn trust(&self, kind: &Kind, fingerprint: &str) {
        let mut layout = self.layout.borrow_mut();
        Arc::make_mut(&mut layout).trust(kind.domain.name(), fingerprint.parse().unwrap_or(0));
    }
}

impl Dynamo {
    fn run(&self, work: Work) -> Run {
        Run { work, layout: Arc::clone(&self.layout.borrow()), exchange: None, correction: None }
    }

    fn read(&self, question: Question) -> Run {
        let after = behind(&question);
        self.run(Work::Read(Reading::new(question), after))
    }
}

/// Something on its way to DynamoDB.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Run {
    work: Work,
    layout: Arc<Layout>,
    exchange: Option<Exchange>,
    correction: Option<i64>,
}

#[derive(Debug)]
enum Work {
    Command(Box<CommandRun>, Learnt),
    /// A read; of events, those behind this version.
    Read(Reading, u64),
    Rebuild(Rebuild),
    Chore(Chore),
    /// A single request of the contract suite.
    #[cfg(feature = "contract")]
    Request(Option<Request>, Rc<RefCell<Option<Reply>>>),
}

/// Where the state that a command leads to is kept.
#[derive(Debug)]
struct Learnt {
    cache: Rc<RefCell<Cache>>,
    domain: &'static dyn Domain,
    id: String,
}

/// What is to be done next.
enum Todo {
    /// Send this, and come back with the answer.
    Send(Call),
    /// Come back after so many milliseconds.
    Wait(Millis),
    /// It is over: a JSON text.
    Done(String),
}

impl From<Todo> for JsValue {
    fn from(todo: Todo) -> JsValue {
        object(&[match todo {
            Todo::Send(Call { target, body }) => {
                ("send", object(&[("target", target.into()), ("body", body.into())]))
            }
            Todo::Wait(time) => ("wait", (time as f64).into()),
            Todo::Done(text) => ("done", text.into()),
        }])
    }
}

#[wasm_bindgen]
impl Run {
    /// What is to be done next. `head` is `{status, date, crc32}` of the answer to what was sent last, and `body` its
    /// bytes; neither is there at the start, after a wait, and where no answer came. `now` is the time with which the
    /// call was signed, and `bits` are ten random bytes.
    pub fn next(&mut self, now: f64, bits: &[u8], head: JsValue, body: Option<Vec<u8>>) -> Result<JsValue> {
        let (date, crc32, body) = (text(&head, "date"), text(&head, "crc32"), body.unwrap_or_default());
        let response = field(&head, "status").as_f64().map(|status| Response {
            status: status as u16,
            date: date.as_deref(),
            crc32: crc32.as_deref(),
            body: &body,
        });
        self.step(now as Millis, random(bits), response).map(Into::into)
    }

    /// How many rows a rebuild has written so far.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> f64 {
        match &self.work {
            Work::Rebuild(rebuild) => rebuild.rows() as f64,
            _ => 0.0,
        }
    }

    /// How many milliseconds to add to the clock from now on, where it was found to be off.
    #[wasm_bindgen(getter)]
    pub fn correction(&self) -> Option<f64> {
        self.correction.map(|correction| correction as f64)
    }
}

impl Run {
    fn step(&mut self, now: Millis, random: u128, response: Option<Response<'_>>) -> Result<Todo> {
        if let Work::Chore(chore) = &mut self.work {
            let next = chore.next(response, now, random);
            self.correction = chore.correction();
            return Ok(match next {
                chore::Next::Send(call) => Todo::Send(call),
                chore::Next::Wait(time) => Todo::Wait(time),
                chore::Next::Done(result) => {
                    // A fingerprint has more digits than a number of JavaScript.
                    let found = result.map_err(any)?.map(|fingerprint| fingerprint.to_string());
                    Todo::Done(json!(found).to_string())
                }
            });
        }
        let mut reply = None;
        if let Some(exchange) = &mut self.exchange {
            let next = match response {
                Some(response) => exchange.answered(response, now),
                None => exchange.lost(),
            };
            self.correction = exchange.correction().or(self.correction);
            match next {
                Next::Send(call) => return Ok(Todo::Send(call)),
                Next::Done(done) => reply = Some(done),
            }
            self.exchange = None;
        }
        loop {
            let request = match self.ask(reply.take(), now, random)? {
                Asked::Request(request) => request,
                Asked::Todo(todo) => return Ok(todo),
            };
            let (exchange, next) = Exchange::new(&self.layout, request);
            match next {
                Next::Send(call) => {
                    self.exchange = Some(exchange);
                    return Ok(Todo::Send(call));
                }
                Next::Done(done) => reply = Some(done),
            }
        }
    }

    fn ask(&mut self, reply: Option<Reply>, now: Millis, random: u128) -> Result<Asked> {
        let wait = |time| Ok(Asked::Todo(Todo::Wait(time)));
        match &mut self.work {
            Work::Command(run, learnt) => match run.next(reply, now, random) {
                Step::Ask(request) => Ok(Asked::Request(request)),
                Step::Wait(time) => wait(time),
                Step::Done(done) => {
                    let mut cache = learnt.cache.borrow_mut();
                    match done.as_ref().map(|done| done.snapshot.clone()) {
                        Ok(Some(snapshot)) => cache.put(learnt.domain.name(), snapshot),
                        _ => cache.forget(learnt.domain.name(), &learnt.id),
                    }
                    Ok(Asked::Todo(Todo::Done(outcome(&done.map_err(any)?, run.cost())?)))
                }
            },
            Work::Read(reading, after) => match reading.next(reply, random) {
                Step::Ask(request) => Ok(Asked::Request(request)),
                Step::Wait(time) => wait(time),
                Step::Done(result) => {
                    Ok(Asked::Todo(Todo::Done(found(&result.map_err(any)?, *after, reading.cost())?)))
                }
            },
            Work::Rebuild(rebuild) => match rebuild.next(reply, random) {
                Step::Ask(request) => Ok(Asked::Request(request)),
                Step::Wait(time) => wait(time),
                Step::Done(rows) => {
                    let rows = rows.map_err(any)?;
                    Ok(Asked::Todo(Todo::Done(json!({ "rows": rows, "cost": rebuild.cost() }).to_string())))
                }
            },
            Work::Chore(_) => Err(store("a chore asks nothing of a store")),
            #[cfg(feature = "contract")]
            Work::Request(request, answer) => match request.take() {
                Some(request) => Ok(Asked::Request(request)),
                None => {
                    answer.replace(reply);
                    Ok(Asked::Todo(Todo::Done("null".to_owned())))
                }
            },
        }
    }
}

enum Asked {
    Request(Request),
    Todo(Todo),
}

/// Signs what is sent to one region and host.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Signer {
    region: String,
    host: String,
}

#[wasm_bindgen]
impl Signer {
    /// For that region and host, with its port unless it is the scheme's own; AWS's where none is given.
    #[wasm_bindgen(constructor)]
    pub fn new(region: String, host: Option<String>) -> Signer {
        let host = host.unwrap_or_else(|| sign::Api::Tables.host(&region));
        Signer { region, host }
    }

    /// The host.
    #[wasm_bindgen(getter)]
    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// The headers for `body`: names and values in turn. `key` is the key's id, its secret and its session token,
    /// if it has one.
    pub fn sign(&self, key: Vec<String>, target: &str, body: &str, now: f64) -> Vec<String> {
        let mut key = key.into_iter();
        let mut part = || key.next().unwrap_or_default();
        let (access_key_id, secret_access_key, token) = (part(), part(), part());
        let session_token = Some(token).filter(|token| !token.is_empty());
        let credentials = Credentials { access_key_id, secret_access_key, session_token };
        let headers =
            sign::sign(&credentials, &self.region, &self.host, target, body.as_bytes(), now as Millis);
        headers.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

#[cfg(feature = "contract")]
pub(crate) mod contract {
    //! The store's contract, tried on the tables of a [`Dynamo`]. Never published.

    use super::{Dynamo, Result, Work};
    use js_sys::{Function, Promise};
    use rewound_core::store::{Failure, Reply, Request, contract};
    use std::{cell::RefCell, rc::Rc};
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::JsFuture;

    /// Tries the store's contract on the tables of `dynamo`. `drive` is the package's own way to drive a [`Run`](super::Run) to its
    /// end, and gives a promise. What comes back are the cases that failed, and why.
    #[wasm_bindgen]
    pub async fn contract(dynamo: &Dynamo, drive: &Function) -> Result<Vec<String>> {
        let mut ask = async |request: Request| {
            let answer = Rc::new(RefCell::new(None));
            let run = dynamo.run(Work::Request(Some(request), Rc::clone(&answer)));
            let lost = Reply::one(Err(Failure::Lost));
            let Ok(promise) = drive.call1(&JsValue::NULL, &run.into()) else { return lost };
            match JsFuture::from(Promise::from(promise)).await {
                Ok(_) => answer.take().unwrap_or(lost),
                Err(error) => Reply::one(Err(Failure::Refused(format!("{error:?}")))),
            }
        };
        let findings = contract::run(&mut ask, "contract").await;
        Ok(findings.into_iter().map(|finding| format!("{}: {}", finding.case, finding.message)).collect())
    }
}
