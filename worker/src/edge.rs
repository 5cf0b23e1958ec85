//! A request's way to its answer.

use crate::{
    feed::Follower,
    host,
    isolate::{Isolate, clock, random, wait},
    line,
};
use futures_util::{
    StreamExt,
    future::{Either, select},
    lock::Mutex,
    pin_mut, stream,
};
use rewound_core::{
    http::{
        Answer, Ask, Head, Order, Route, Spent, ask, commanded, finished, found,
        live::{Live, Next},
        preflight,
        problem::Problem,
        route, views,
    },
    read::{Question, Reading},
    store::Cost,
    time::{Millis, rising_ids},
};
use serde_json::json;
use std::{pin::Pin, rc::Rc};
use worker::{Env, Headers, Request, Response, ResponseBuilder, Result, console_log};

/// Where a request is handled.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Where it arrived.
    Front,
    /// In the line before its aggregate, where one command at a time has its turn.
    Line(&'a Mutex<()>),
}

/// Sees to it that work goes on behind the answer.
pub(crate) type Later<'a> = &'a dyn Fn(Pin<Box<dyn Future<Output = ()>>>);

/// The milliseconds in which a body has to be there.
const BODY_TIME: Millis = 10_000;

/// What a request came to.
enum Outcome {
    Answer(Answer),
    /// A stream that goes on.
    Live(Box<Live>),
    /// The answer of the line before its aggregate.
    Elsewhere(Response),
}

/// What a request's log line says besides.
#[derive(Default)]
struct Trail {
    route: &'static str,
    actor: Option<String>,
    cost: Cost,
    cause: Option<Box<str>>,
}

pub(crate) async fn serve(
    request: Request,
    env: &Env,
    place: Place<'_>,
    later: Later<'_>,
) -> Result<Response> {
    let begun = clock();
    let head = head(&request);
    let correlation = match head.header("x-correlation-id") {
        Some(given) if given.len() <= 255 && given.is_ascii() => given.to_owned(),
        _ => rising_ids(begun, None, random()).next().map(|id| id.to_string()).unwrap_or_default(),
    };
    let mut trail = Trail { route: "unknown", ..Trail::default() };
    let isolate = Isolate::of(env);
    let outcome = match &isolate {
        Ok(isolate) => respond(isolate, request, env, &head, place, &correlation, later, &mut trail).await,
        Err(reasons) => Err(unconfigured(reasons)),
    };
    let outcome = outcome.unwrap_or_else(|mut problem| {
        trail.cause = problem.cause.take();
        Outcome::Answer(problem.answer())
    });
    let spent = Spent { cost: trail.cost, time: clock().saturating_sub(begun) };
    let origins = isolate.as_ref().map_or(&[][..], |isolate| &isolate.config.origins);
    let (answer, live) = match outcome {
        // It was counted and logged there.
        Outcome::Elsewhere(response) => return Ok(response),
        Outcome::Answer(answer) => (answer, None),
        Outcome::Live(live) => (Answer::live(), Some(live)),
    };
    let answer = finished(&head, answer, origins, &correlation, spent);
    log(&head, &answer, &correlation, &trail, &spent);
    if let Ok(isolate) = &isolate {
        isolate.metrics.borrow_mut().request(trail.route, answer.status);
    }
    let headers = host::lines(answer.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let headers = Headers(host::headers(&headers)?);
    let response = ResponseBuilder::new().with_status(answer.status).with_headers(headers);
    match (live, isolate) {
        (Some(live), Ok(isolate)) => response.from_stream(messages(isolate, *live)),
        _ if answer.body.is_empty() => Ok(response.empty()),
        _ => Ok(response.fixed(answer.body.into_bytes())),
    }
}

/// Nothing is served before it is said who may ask.
fn unconfigured(reasons: &[String]) -> Problem {
    let detail = format!("The edge is not set up: {}", reasons.join(" "));
    Problem::new(503, "not-configured", detail).with("reasons", json!(reasons))
}

fn head(request: &Request) -> Head {
    let head = host::head(request.inner());
    let mut lines = head.split('\n').map(str::to_owned);
    let (method, url) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    // What stands behind the origin, as it came.
    let target = url.splitn(4, '/').nth(3).map(|rest| format!("/{rest}")).unwrap_or_default();
    let headers = std::iter::from_fn(|| lines.next().zip(lines.next())).collect();
    Head { method, target, headers }
}

#[allow(clippy::too_many_arguments, reason = "all that a request is answered with, handed on once")]
async fn respond(
    isolate: &Rc<Isolate>,
    request: Request,
    env: &Env,
    head: &Head,
    place: Place<'_>,
    correlation: &str,
    later: Later<'_>,
    trail: &mut Trail,
) -> std::result::Result<Outcome, Problem> {
    if let Some(answer) = preflight(head) {
        trail.route = "preflight";
        return Ok(Outcome::Answer(answer));
    }
    // Who asks comes before what for: without a token nothing is told.
    let route = route(head);
    let is_open = route.as_ref().is_ok_and(|route| isolate.config.is_open(route.name()));
    let principal = match is_open {
        true => None,
        false => Some(apart(isolate.principal(head.header("authorization"))).await?),
    };
    trail.actor = principal.as_ref().map(|principal| principal.actor.clone());
    #[cfg(feature = "contract")]
    match head.path() {
        "/contract" => return Ok(Outcome::Answer(contract(isolate).await)),
        "/trap" => std::process::abort(),
        _ => {}
    }
    let route = route?;
    trail.route = route.name();
    if let (Some(principal), Some(scope)) = (&principal, route.scope()) {
        principal.may(scope)?;
    }
    if let (Route::Command { domain, id, .. }, Place::Front) = (&route, place)
        && isolate.config.hot.iter().any(|hot| hot == domain.name())
    {
        return line::forward(env, request, domain.name(), id).await.map(Outcome::Elsewhere);
    }
    let body = match &route {
        Route::Command { .. } => apart(body(request, head, isolate.config.max_body)).await?,
        _ => Vec::new(),
    };
    let actor = principal.map(|principal| principal.actor).unwrap_or_default();
    Ok(match ask(route, head, &body, &actor, correlation, isolate.config.live)? {
        Ask::Command(order) => {
            // Not before: who sends a body slowly keeps nobody waiting.
            let _turn = match place {
                Place::Line(turn) => Some(turn.lock().await),
                Place::Front => None,
            };
            Outcome::Answer(apart(command(isolate, env, *order, correlation, later, trail)).await?)
        }
        Ask::Read(question) => Outcome::Answer(apart(read(isolate, head, question, trail)).await?),
        Ask::Live(live) => Outcome::Live(live),
        Ask::Say(answer) => Outcome::Answer(answer),
        Ask::Views(ask) => {
            let rebuilds = matches!(*ask, views::Ask::Rebuild(_));
            let follower = Follower::new(isolate, env);
            let answer = apart(follower.answer(*ask)).await;
            trail.cost = follower.cost();
            let answer = answer?;
            if rebuilds {
                later(Box::pin(Follower::new(isolate, env).sweep()));
            }
            Outcome::Answer(answer)
        }
        Ask::Metrics => Outcome::Answer(apart(Follower::new(isolate, env).metrics()).await),
    })
}

/// Work whose code stands by itself. All of a request's way would be one function otherwise, and a runtime takes longer
/// for one large function than for its parts: that was a third of what it compiles for an isolate's first answer.
fn apart<'a, T>(work: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(work)
}

/// Reads a body that is not too long and does not take too long.
async fn body(mut request: Request, head: &Head, most: usize) -> std::result::Result<Vec<u8>, Problem> {
    let too_long = || Problem::new(413, "too-large", format!("A body has {most} bytes at the most."));
    let said = head.header("content-length").and_then(|length| length.parse::<usize>().ok());
    if said.is_some_and(|length| length > most) {
        return Err(too_long());
    }
    let cut_off = || Problem::new(400, "cut-off", "The body ended too early.");
    let read = async {
        // No more comes than was said.
        if said.is_some() {
            return host::body(request.inner()).await.map(|body| body.to_vec()).map_err(|_| cut_off());
        }
        // Without a body there is no stream either.
        let Ok(mut chunks) = request.stream() else { return Ok(Vec::new()) };
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            body.extend(chunk.map_err(|_| cut_off())?);
            if body.len() > most {
                return Err(too_long());
            }
        }
        Ok(body)
    };
    let late = wait(BODY_TIME);
    pin_mut!(read, late);
    match select(read, late).await {
        Either::Left((body, _)) => body,
        Either::Right(_) => Err(Problem::new(408, "too-slow", "The body did not arrive within 10 seconds.")),
    }
}

/// Runs a command, and lets the read side follow behind its answer.
async fn command(
    isolate: &Rc<Isolate>,
    env: &Env,
    order: Order,
    correlation: &str,
    later: Later<'_>,
    trail: &mut Trail,
) -> std::result::Result<Answer, Problem> {
    let (domain, id) = (order.domain, order.id.clone());
    let (result, cost) = isolate.run(order).await;
    trail.cost = cost;
    let done = result?;
    let answer = commanded(domain, &id, &done, cost);
    if let Some(snapshot) = done.snapshot.filter(|_| isolate.config.nudge && !done.repeated)
        && !done.events.is_empty()
    {
        let follower = Follower::new(isolate, env);
        later(Box::pin(follower.nudge(done.events, snapshot.state, correlation.to_owned())));
    }
    Ok(answer)
}

async fn read(
    isolate: &Isolate,
    head: &Head,
    question: Question,
    trail: &mut Trail,
) -> std::result::Result<Answer, Problem> {
    let after = match &question {
        Question::State { domain, .. } | Question::StateAt { domain, .. } => {
            isolate.ready(*domain, false).await?;
            0
        }
        Question::Events { after, .. } => *after,
        Question::List { .. } => 0,
    };
    let mut reading = Reading::new(question);
    let result = isolate.drive(|reply, _, random| reading.next(reply, random)).await;
    trail.cost = reading.cost();
    isolate.metrics.borrow_mut().spent(&trail.cost);
    Ok(found(head, &result?, after))
}

/// The messages of a stream that is followed, until it ends itself or nobody reads any more.
fn messages(isolate: Rc<Isolate>, live: Live) -> impl stream::Stream<Item = Result<Vec<u8>>> + 'static {
    stream::unfold(Some((isolate, live)), |going| async {
        let (isolate, mut live) = going?;
        let mut reply = None;
        loop {
            match live.next(reply.take(), random()) {
                Next::Ask(request) => reply = Some(isolate.answer(request).await),
                Next::Wait(time) => wait(time).await,
                Next::Send(text) => return Some((Ok(text.into_bytes()), Some((isolate, live)))),
                Next::End(text) => return Some((Ok(text.into_bytes()), None)),
            }
        }
    })
}

/// One line of JSON for a request: where it went and what it came to. No payload, no token, no query, and nothing of a
/// path but its route, since an id can be somebody's name.
fn log(head: &Head, answer: &Answer, correlation: &str, trail: &Trail, spent: &Spent) {
    let line = json!({
        "method": head.method, "route": trail.route, "status": answer.status, "ms": spent.time,
        "actor": trail.actor, "correlationId": correlation, "cost": spent.cost, "cause": trail.cause,
    });
    console_log!("{line}");
}

/// The store's contract, tried on the tables.
#[cfg(feature = "contract")]
async fn contract(isolate: &Isolate) -> Answer {
    use rewound_core::store::{Request, contract};
    let mut ask = async |request: Request| isolate.answer(request).await;
    let findings = contract::run(&mut ask, &format!("contract-{:08x}", random() as u32)).await;
    let findings: Vec<_> =
        findings.into_iter().map(|finding| format!("{}: {}", finding.case, finding.message)).collect();
    Answer { status: 200, headers: Vec::new(), body: json!(findings).to_string() }
}
