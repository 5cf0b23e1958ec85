//! The read side in the Workers runtime: what follows a commit, and what the clock wakes. All of it is the core's
//! ([`rewound_core::feed`]); here are the calls.

use crate::{
    host,
    isolate::{self, Isolate, clock},
};
use rewound_core::{
    domain::{Sender, Snapshot},
    domains::{self, transfer::Step},
    dynamodb::{Call, Layout, exchange::Received},
    error::{Error, Result},
    event::Event,
    feed::{
        self, Shell, measure, nudge,
        outbox::Outbox,
        progress::{self, Progress, Reader},
    },
    http::{
        Answer, Order,
        metrics::gauges,
        problem::Problem,
        views::{self, Ask},
    },
    read::{Found, Question, Reading},
    run::{Done, Options},
    store::Cost,
    time::Millis,
    value::Object,
};
use serde_json::json;
use std::{cell::Cell, future::Future, rc::Rc, sync::Arc};
use worker::{Env, console_log};

/// The kind of aggregate that transfers go between.
const BANK: &str = "BankAccount";

/// Events that were just recorded, and the state of their aggregate after them.
type Recorded = (Vec<Event>, Object);

/// The aggregates whose events are being handed over, and what came meanwhile.
#[derive(Default)]
pub(crate) struct Crowd(Vec<Turn>);

struct Turn {
    place: (String, String),
    since: Millis,
    waiting: Option<Recorded>,
}

/// How long somebody is taken to be at it, in milliseconds. The runtime may have ended them.
const AT_IT: Millis = 10_000;

impl Crowd {
    /// What whoever comes with these is to hand over: nothing where somebody else does.
    fn join(&mut self, place: &(String, String), (events, state): Recorded, now: Millis) -> Option<Recorded> {
        // What the runtime ended long ago, the sweep has brought.
        self.0.retain(|turn| now.saturating_sub(turn.since) < 6 * AT_IT);
        let Some(turn) = self.0.iter_mut().find(|turn| turn.place == *place) else {
            self.0.push(Turn { place: place.clone(), since: now, waiting: None });
            return Some((events, state));
        };
        let (mut all, before) = turn.waiting.take().unwrap_or_default();
        // Answers do not come in the order of their versions.
        let version = |events: &[Event]| events.iter().map(Event::version).max();
        let newest = if version(&all) > version(&events) { before } else { state };
        all.extend(events);
        if now.saturating_sub(turn.since) < AT_IT {
            turn.waiting = Some((all, newest));
            return None;
        }
        turn.since = now;
        Some((all, newest))
    }

    /// What came meanwhile. Where nothing did, whoever comes next is the first again.
    fn leave(&mut self, place: &(String, String)) -> Option<Recorded> {
        let at = self.0.iter().position(|turn| turn.place == *place)?;
        let waiting = self.0.get_mut(at)?.waiting.take();
        if waiting.is_none() {
            self.0.swap_remove(at);
        }
        waiting
    }
}

/// Whoever follows the events, for one request or one sweep.
pub(crate) struct Follower {
    isolate: Rc<Isolate>,
    env: Env,
    layout: Arc<Layout>,
    calls: Cell<u32>,
    cost: Cell<Cost>,
}

impl Follower {
    pub(crate) fn new(isolate: &Rc<Isolate>, env: &Env) -> Self {
        Self {
            isolate: Rc::clone(isolate),
            env: env.clone(),
            layout: isolate.layout(),
            calls: Cell::new(0),
            cost: Cell::default(),
        }
    }

    /// What its calls cost so far.
    pub(crate) fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// The checkpoint, [so old](progress::KNOWN) at the most.
    async fn progress(&self) -> Result<Rc<Progress>> {
        let known = self.isolate.progress.borrow().clone();
        if let Some((progress, at)) = known
            && clock().saturating_sub(at) < progress::KNOWN
        {
            return Ok(progress);
        }
        let progress = Rc::new(progress::load(self, Reader::Views).await?);
        self.isolate.progress.replace(Some((Rc::clone(&progress), clock())));
        Ok(progress)
    }

    /// Hands over what was just recorded. What fails is for the next sweep, and for the log.
    ///
    /// Where a crowd writes to one aggregate, somebody is at it already as a rule: they take what comes meanwhile along,
    /// instead of all of them racing for the same rows.
    pub(crate) async fn nudge(self, events: Vec<Event>, state: Object, correlation: String) {
        let Some(place) =
            events.first().map(|event| (event.aggregate().to_owned(), event.aggregate_id().to_owned()))
        else {
            return;
        };
        let mut next = self.isolate.crowd.borrow_mut().join(&place, (events, state), clock());
        while let Some((events, state)) = next {
            let follow = async {
                let progress = self.progress().await?;
                let consumers = progress.consumers();
                nudge(&self, events, Some(&state), &consumers).await
            };
            if let Err(error) = follow.await {
                let error = error.to_string();
                console_log!("{}", json!({ "work": "nudge", "correlationId": correlation, "error": error }));
            }
            next = self.isolate.crowd.borrow_mut().leave(&place);
        }
    }

    /// Adds up what was called on the way that commands and reads take.
    fn called(&self, cost: Cost) {
        self.calls.set(self.calls.get() + cost.requests);
        let mut sum = self.cost.get();
        sum += cost;
        self.cost.set(sum);
    }

    /// Sweeps, and says what came of it.
    pub(crate) async fn sweep(self) {
        let outbox = self.outbox().map(|_| Reader::Outbox);
        for reader in [Reader::Views].into_iter().chain(outbox) {
            let begun = clock();
            let report = match feed::sweep(&self, reader, self.isolate.config.sweep).await {
                Ok(report) => report.to_json(),
                Err(error) => json!({ "error": error.to_string() }),
            };
            let ms = clock().saturating_sub(begun);
            console_log!("{}", json!({ "work": "sweep", "of": reader.name(), "ms": ms, "report": report }));
        }
    }

    /// Answers what is asked of the read side.
    pub(crate) async fn answer(&self, ask: Ask) -> std::result::Result<Answer, Problem> {
        let progress = self.progress().await?;
        views::answer(self, &progress, self.isolate.config.sweep, ask).await
    }

    /// What this isolate counted, and what is true of the tables. Where they cannot be read, the first alone: whoever
    /// watches sees that the second is missing.
    pub(crate) async fn metrics(&self) -> Answer {
        let counted = self.isolate.metrics.borrow().text(&self.isolate.name);
        let measured = measure::gauges(self).await.unwrap_or_else(|error| {
            console_log!("{}", json!({ "work": "metrics", "error": error.to_string() }));
            Vec::new()
        });
        Answer::metrics(counted + &gauges(&measured))
    }
}

impl Shell for Follower {
    fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn outbox(&self) -> Option<&Outbox> {
        self.isolate.config.outbox.as_ref()
    }

    fn now(&self) -> Millis {
        self.isolate.now()
    }

    fn random(&self) -> u128 {
        isolate::random()
    }

    fn wait(&self, time: Millis) -> impl Future<Output = ()> {
        isolate::wait(time)
    }

    fn calls(&self) -> u32 {
        self.calls.get()
    }

    fn spend(&self, cost: Cost) {
        let mut sum = self.cost.get();
        sum += cost;
        self.cost.set(sum);
        self.isolate.metrics.borrow_mut().spent(&cost);
    }

    async fn call(&self, call: &Call) -> Option<Received> {
        self.calls.set(self.calls.get() + 1);
        self.isolate.call(call).await
    }

    async fn account(&self, id: &str) -> Result<Option<Snapshot>> {
        let Some(domain) = domains::find(BANK) else { return Ok(None) };
        self.isolate.ready(domain, false).await?;
        let mut reading = Reading::new(Question::State { domain, id: id.to_owned() });
        let result = self.isolate.drive(|reply, _, random| reading.next(reply, random)).await;
        self.called(reading.cost());
        self.isolate.metrics.borrow_mut().spent(&reading.cost());
        match result {
            Ok(Found::State(snapshot)) => Ok(Some(snapshot)),
            Ok(_) | Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn execute(&self, step: &Step, sender: Sender) -> Result<Done> {
        let unknown = || Error::UnknownAggregate { name: BANK.to_owned() };
        let domain = domains::find(BANK).ok_or_else(unknown)?;
        let (id, command) = (step.aggregate_id.clone(), step.command.clone());
        let order = Order { domain, id, command, sender, options: Options::default() };
        let (result, cost) = self.isolate.run(order).await;
        self.called(cost);
        result
    }

    async fn enqueue(&self, events: &[Event]) -> std::result::Result<(), String> {
        self.calls.set(self.calls.get() + 1);
        let texts: Vec<&str> = events.iter().map(Event::as_json).collect();
        host::enqueue(&self.env, &json!(texts).to_string())
            .await
            .map(drop)
            .map_err(|error| format!("the queue refused: {error:?}"))
    }
}
