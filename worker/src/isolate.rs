//! What an isolate keeps between requests, and how it calls DynamoDB. An isolate may end at any time: nothing here is
//! more than a shortcut.

use crate::{crypto, feed::Crowd, host};
use js_sys::Uint8Array;
use rewound_core::{
    cache::Cache,
    domain::Domain,
    dynamodb::{
        Call, Layout,
        chore::{self, Chore},
        exchange::{Exchange, Next, Received},
        sign::{Api, corrected, sign},
    },
    error::{self, Error},
    feed::progress::Progress,
    http::{
        Order,
        auth::{Check, KeyRing, Need, Policy, Principal, Token},
        config::{Config, KeySource, VARIABLES},
        metrics::Metrics,
        problem::Problem,
    },
    run::{CommandRun, Done, Step},
    store::{Cost, Reply, Request},
    time::Millis,
};
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use wasm_bindgen::JsCast;
use worker::{Delay, Env};

thread_local! {
    /// The names of all variables, in words.
    static NAMES: String = VARIABLES.iter().map(|variable| variable.name).collect::<Vec<_>>().join(" ");

    /// With the variables that it was set up with.
    static ISOLATE: RefCell<Option<(String, Rc<Isolate>)>> = const { RefCell::new(None) };
}

/// How long it is taken for known which reducer wrote the rows: another program may begin to.
const TRUST: Millis = 60_000;

/// How many signatures are known to be good without asking again.
const PASSED: usize = 100;

pub(crate) struct Isolate {
    pub(crate) config: Config,
    pub(crate) cache: RefCell<Cache>,
    pub(crate) metrics: RefCell<Metrics>,
    /// A name of its own, for its numbers.
    pub(crate) name: String,
    layout: RefCell<Arc<Layout>>,
    /// When it was asked who wrote the rows of a kind, and whether as one who writes.
    asked: RefCell<Vec<(String, bool, Millis)>>,
    ring: RefCell<KeyRing>,
    /// The checks of signatures that passed last, by their digests, the latest first.
    passed: RefCell<VecDeque<[u8; 32]>>,
    /// How far the read side had come when it was looked at last, and when that was.
    pub(crate) progress: RefCell<Option<(Rc<Progress>, Millis)>>,
    /// Whose events are being handed over to the read side.
    pub(crate) crowd: RefCell<Crowd>,
    /// The milliseconds by which the clock was found to be off.
    correction: Cell<i64>,
}

/// The host's clock, in milliseconds since the epoch. It stands still between two calls.
pub(crate) fn clock() -> Millis {
    js_sys::Date::now() as Millis
}

/// 80 random bits.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    // Without random bits an id is that of its time alone, and a commit with an id that is there is refused.
    let _ = getrandom::fill(&mut bytes[..10]);
    u128::from_le_bytes(bytes)
}

impl Isolate {
    /// This isolate, set up at its first request. A key that is changed comes with new variables, and not always with a
    /// new isolate.
    ///
    /// # Errors
    /// Everything that is missing or wrong in the variables.
    pub(crate) fn of(env: &Env) -> Result<Rc<Self>, Vec<String>> {
        let variables = NAMES.with(|names| host::variables(env, names));
        let known = ISOLATE.with_borrow(|known| {
            let same = known.as_ref().filter(|(before, _)| *before == variables);
            same.map(|(_, isolate)| Rc::clone(isolate))
        });
        if let Some(isolate) = known {
            return Ok(isolate);
        }
        let values: Value = serde_json::from_str(&variables).unwrap_or_default();
        let config = Config::read(&|name| {
            let place = VARIABLES.iter().position(|variable| variable.name == name)?;
            values.get(place)?.as_str().map(str::to_owned)
        })?;
        let mut ring = KeyRing::default();
        if let KeySource::Fixed(keys) = &config.keys {
            ring.fetched(Some(keys.clone()), clock());
        }
        let isolate = Rc::new(Self {
            cache: RefCell::new(Cache::new(config.cached)),
            metrics: RefCell::default(),
            name: format!("{:08x}", random() as u32),
            layout: RefCell::new(config.layout.clone().into()),
            asked: RefCell::default(),
            ring: RefCell::new(ring),
            passed: RefCell::default(),
            progress: RefCell::default(),
            crowd: RefCell::default(),
            correction: Cell::new(0),
            config,
        });
        ISOLATE.set(Some((variables, Rc::clone(&isolate))));
        Ok(isolate)
    }

    /// Who sends a token.
    pub(crate) async fn principal(&self, authorization: Option<&str>) -> Result<Principal, Problem> {
        let token = Token::read(authorization)?;
        let Config { policy, .. } = &self.config;
        self.keys_for(&token).await;
        let check = self.ring.borrow().check(&token, policy, clock())?;
        if !self.is_good(&check).await {
            return Err(Policy::forged());
        }
        token.principal(policy, clock())
    }

    /// Whether a signature passes its check. Most tokens come many times: what passed a while ago is not asked again.
    async fn is_good(&self, check: &Check) -> bool {
        let digest = check.digest();
        if self.passed.borrow().contains(&digest) {
            return true;
        }
        let is_good = crypto::is_good(check).await;
        if is_good {
            let mut passed = self.passed.borrow_mut();
            passed.truncate(PASSED - 1);
            passed.push_front(digest);
        }
        is_good
    }

    /// Fetches published keys, where that is to be done before this token is looked at.
    async fn keys_for(&self, token: &Token) {
        let KeySource::Address(address) = &self.config.keys else { return };
        loop {
            let need = self.ring.borrow_mut().need(token, clock());
            match need {
                Need::Nothing => return,
                Need::Wait => wait(20).await,
                Need::Fetch => {
                    let found = crypto::published(address, self.config.timeout).await;
                    self.ring.borrow_mut().fetched(found, clock());
                }
            }
        }
    }

    /// The tables, and who is known to have written their rows.
    pub(crate) fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout.borrow())
    }

    /// Runs a command to its end: what came of it, and what it cost.
    pub(crate) async fn run(&self, order: Order) -> (error::Result<Done>, Cost) {
        let Order { domain, id, command, sender, mut options } = order;
        if let Err(error) = self.ready(domain, true).await {
            return (Err(error), Cost::default());
        }
        options.cached = self.cache.borrow_mut().get(domain.name(), &id);
        let mut run = CommandRun::new(domain, &id, command, sender, options);
        let result = self.drive(|reply, now, random| run.next(reply, now, random)).await;
        match result.as_ref().map(|done| done.snapshot.clone()) {
            Ok(Some(snapshot)) => self.cache.borrow_mut().put(domain.name(), snapshot),
            // What is known of the aggregate is as good as before.
            Err(Error::Invalid(_) | Error::UnknownCommand { .. } | Error::Rejected(_)) => {}
            _ => self.cache.borrow_mut().forget(domain.name(), &id),
        }
        let (outcome, events) = match &result {
            Ok(done) if done.repeated => ("repeated".to_owned(), 0),
            Ok(done) if done.events.is_empty() => ("unchanged".to_owned(), 0),
            Ok(done) => ("recorded".to_owned(), done.events.len()),
            Err(error) => (Problem::from(error.clone()).code, 0),
        };
        let mut metrics = self.metrics.borrow_mut();
        metrics.command(domain.name(), &outcome, events, run.conflicts(), run.resends());
        metrics.spent(&run.cost());
        drop(metrics);
        (result, run.cost())
    }

    /// The clock as DynamoDB has it.
    pub(crate) fn now(&self) -> Millis {
        corrected(clock(), self.correction.get())
    }

    /// Drives a command or a read to its end.
    pub(crate) async fn drive<T>(
        &self,
        mut next: impl FnMut(Option<Reply>, Millis, u128) -> Step<T>,
    ) -> error::Result<T> {
        let mut reply = None;
        loop {
            match next(reply.take(), self.now(), random()) {
                Step::Ask(request) => reply = Some(self.answer(request).await),
                Step::Wait(time) => wait(time).await,
                Step::Done(result) => return result,
            }
        }
    }

    /// Carries out a store's request.
    pub(crate) async fn answer(&self, request: Request) -> Reply {
        let layout = self.layout();
        let (mut exchange, mut next) = Exchange::new(&layout, request);
        let mut found = None;
        loop {
            next = match next {
                Next::Done(reply) => return reply,
                Next::Send(call) => {
                    let (signed, correction) = (self.now(), self.correction.get());
                    let next = match self.send(&call, signed).await {
                        Some(received) => exchange.answered(received.response(), signed),
                        None => exchange.lost(),
                    };
                    self.correct(exchange.correction(), &mut found, correction);
                    next
                }
            };
        }
    }

    /// Of several calls that were refused for the clock at once, each finds the same correction.
    fn correct(&self, correction: Option<i64>, found: &mut Option<i64>, before: i64) {
        if correction != *found {
            *found = correction;
            self.correction.set(before + correction.unwrap_or(0));
        }
    }

    /// Asks who wrote the rows of a kind, where that was not asked for a while. Who is about to write says so here.
    ///
    /// # Errors
    /// Nobody could be asked.
    pub(crate) async fn ready(&self, domain: &dyn Domain, will_write: bool) -> error::Result<()> {
        let (name, now) = (domain.name(), clock());
        let is_known = |(kind, wrote, at): &(String, bool, Millis)| {
            kind == name && (*wrote || !will_write) && now.saturating_sub(*at) < TRUST
        };
        if self.asked.borrow().iter().any(is_known) {
            return Ok(());
        }
        let layout = self.layout();
        let chore = Chore::reducer(&layout, name, domain.fingerprint(), will_write);
        let fingerprint = self.chore(chore).await?.unwrap_or(0);
        let mut layout = self.layout.borrow_mut();
        if layout.rows(name).is_some_and(|rows| rows.fingerprint != fingerprint) {
            Arc::make_mut(&mut layout).trust(name, fingerprint);
        }
        let mut asked = self.asked.borrow_mut();
        asked.retain(|(kind, wrote, _)| kind != name || *wrote != will_write);
        asked.push((name.to_owned(), will_write, clock()));
        Ok(())
    }

    async fn chore(&self, mut chore: Chore) -> error::Result<Option<u64>> {
        let (mut received, mut signed, mut correction): (Option<Received>, _, _) = (None, self.now(), 0);
        let mut found = None;
        loop {
            let next = chore.next(received.as_ref().map(Received::response), signed, random());
            self.correct(chore.correction(), &mut found, correction);
            (signed, correction) = (self.now(), self.correction.get());
            received = match next {
                chore::Next::Done(result) => return result,
                chore::Next::Send(call) => self.send(&call, signed).await,
                chore::Next::Wait(time) => {
                    wait(time).await;
                    None
                }
            };
        }
    }

    /// Makes a call, and once more where the clock was too far off for it; nothing where no answer came.
    pub(crate) async fn call(&self, call: &Call) -> Option<Received> {
        let (signed, before) = (self.now(), self.correction.get());
        let received = self.send(call, signed).await?;
        let Some(correction) = received.response().correction(signed) else { return Some(received) };
        self.correction.set(before + correction);
        self.send(call, self.now()).await
    }

    /// Makes a call, signed with that time; nothing where no answer came.
    async fn send(&self, call: &Call, signed: Millis) -> Option<Received> {
        let Config { credentials, region, timeout, .. } = &self.config;
        let (endpoint, host) = self.config.endpoint(Api::of(&call.target));
        let headers = sign(credentials, region, host, &call.target, call.body.as_bytes(), signed);
        let headers = host::lines(headers.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = host::call(endpoint, &headers, &call.body, *timeout).await.ok()?;
        let [status, date, crc32, body] = [0, 1, 2, 3].map(|at| answer.get(at));
        let body = body.unchecked_into::<Uint8Array>().to_vec();
        Some(Received {
            status: status.as_f64()? as u16,
            date: date.as_string(),
            crc32: crc32.as_string(),
            body,
        })
    }
}

/// Waits so many milliseconds.
pub(crate) async fn wait(time: Millis) {
    Delay::from(Duration::from_millis(time)).await;
}
