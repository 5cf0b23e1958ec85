//! What a request asks for, and what its answer looks like, without a network.

use proptest::prelude::*;
use rewound_core::{
    domain::{Command, Sender},
    domains,
    http::{
        Answer, Ask, Cursor, Head, Route, Spent, ask, auth::Token, commanded, config::Config, finished,
        found, live::Limits, preflight, problem::Problem, route,
    },
    read::{Found, Moment, Question, Reading},
    run::{Options, Step, run},
    store::{Cost, MemoryStore, Store},
};
use serde_json::{Value, json};

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Head { method: method.to_owned(), target: target.to_owned(), headers }
}

fn asked(head: &Head, body: &[u8]) -> Result<Ask, Problem> {
    ask(route(head)?, head, body, "ada", "talk", Limits::default())
}

/// What a GET of that asks for.
fn get(target: &str) -> Result<Question, Problem> {
    match asked(&head("GET", target, &[]), b"")? {
        Ask::Read(question) => Ok(question),
        other => panic!("{other:?}"),
    }
}

fn refused(result: Result<impl std::fmt::Debug, Problem>) -> (u16, String) {
    let problem = result.unwrap_err();
    (problem.status, problem.code)
}

#[test]
fn paths_are_decoded_and_lead_to_one_route_each() {
    let table = [
        ("GET", "/aggregates/Order", "list Order "),
        ("GET", "/aggregates/Order/a%2Fb%20%C3%BC", "state Order a/b ü"),
        ("HEAD", "/aggregates/Order/o1?version=1", "state Order o1"),
        ("GET", "/aggregates/Order/commands", "state Order commands"),
        ("GET", "/aggregates/Order/o1/events", "events Order o1"),
        ("POST", "/aggregates/Order/events/commands/Create", "command Order events"),
        ("GET", "/openapi.json", "openapi  "),
        ("GET", "/healthz", "health  "),
        ("GET", "/metrics", "metrics  "),
    ];
    for (method, target, expected) in table {
        let route = route(&head(method, target, &[])).unwrap();
        let (name, id) = match &route {
            Route::Command { domain, id, .. }
            | Route::State { domain, id }
            | Route::Events { domain, id } => (domain.name(), id.as_str()),
            Route::List { domain } => (domain.name(), ""),
            _ => ("", ""),
        };
        assert_eq!(format!("{} {name} {id}", route.name()), expected, "{target}");
    }
    for (method, target, status) in [
        ("GET", "/", 404),
        ("GET", "//aggregates/Order", 404),
        ("GET", "/aggregates/Order/", 400),
        ("GET", "/aggregates/Order/o1/", 404),
        ("GET", "/aggregates/order", 404),
        ("GET", "/aggregates/Order/o1/commands", 404),
        ("PUT", "/aggregates/Order/o1", 405),
        ("GET", "/aggregates/Order/o1/commands/Create", 405),
        ("POST", "/healthz", 405),
        ("OPTIONS", "/healthz", 405),
        ("GET", "/aggregates/Order/%ff", 400),
        ("GET", "/aggregates/Order/%0a", 400),
    ] {
        assert_eq!(route(&head(method, target, &[])).unwrap_err().status, status, "{method} {target}");
    }
}

#[test]
fn what_only_the_saga_sends_takes_a_scope_of_its_own() {
    for (command, to) in [("Deposit", "command"), ("ReceiveTransfer", "saga"), ("Nothing", "command")] {
        let head = head("POST", &format!("/aggregates/BankAccount/a/commands/{command}"), &[]);
        let route = route(&head).unwrap();
        let scope = route.scope().unwrap();
        assert_eq!((scope.of, scope.to), ("BankAccount", to));
    }
}

#[test]
fn moments_and_cursors_are_read_and_nothing_is_guessed() {
    let moment = |query: &str| match get(&format!("/aggregates/Order/o1?{query}")).unwrap() {
        Question::StateAt { at, .. } => at,
        other => panic!("{other:?}"),
    };
    assert_eq!(moment("version=7"), Moment::Version(7));
    let noon = Moment::Time(1_769_860_800_000);
    assert_eq!(moment("at=2026-01-31T12:00:00Z"), noon);
    assert_eq!(moment("at=2026-01-31T14:00:00%2B02:00"), noon);
    assert_eq!(moment("at=2026-01-31T14:00:00+02:00"), noon);
    for query in
        ["version=0", "version=x", "version=", "at=noon", "at=", "version=1&at=2026-01-31T12:00:00Z", "v=1"]
    {
        assert_eq!(
            refused(get(&format!("/aggregates/Order/o1?{query}"))),
            (400, "invalid".into()),
            "{query}"
        );
    }

    let events = |query: &str| match get(&format!("/aggregates/Order/o1/events?{query}")) {
        Ok(Question::Events { after, cursor, limit, .. }) => Some((after, cursor, limit)),
        _ => None,
    };
    let id = "01K1RZXKEYCYQ5MSEQJ4Z5JNDE";
    assert_eq!(events(""), Some((0, None, 100)));
    assert_eq!(events("after=12&limit=1000"), Some((12, None, 1_000)));
    assert_eq!(events(&format!("after=12.{id}")), Some((12, Some(id.into()), 100)));
    for query in [
        "after=-1",
        "after=.x",
        "after=1.x",
        "after=1.-",
        "after=9007199254740992",
        "limit=0",
        "limit=1001",
        "after=+1",
    ] {
        assert_eq!(events(query), None, "{query}");
    }
}

#[test]
fn a_stream_is_followed_where_that_is_asked_for_by_name() {
    let live = |headers: &[(&str, &str)]| {
        let asked = asked(&head("GET", "/aggregates/Order/o1/events?after=3", headers), b"");
        asked.map(|asked| matches!(asked, Ask::Live(_)))
    };
    assert!(live(&[("Accept", "text/event-stream")]).unwrap());
    assert!(live(&[("Accept", "application/json, text/event-stream;q=0.5")]).unwrap());
    assert!(!live(&[("Accept", "*/*")]).unwrap());
    assert!(!live(&[("Accept", "text/event-stream;q=0, application/json")]).unwrap());
    assert_eq!(refused(live(&[("Accept", "text/html")])), (406, "not-acceptable".into()));
    assert!(live(&[("Accept", "text/event-stream"), ("Last-Event-ID", "x")]).is_err());
    assert!(!live(&[("Last-Event-ID", "x")]).unwrap(), "of a page it says nothing");
}

#[test]
fn a_command_is_read_with_its_sender_and_its_conditions() {
    let order = |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![("Content-Type", "application/json; charset=utf-8")];
        all.extend(headers);
        match asked(&head("POST", "/aggregates/Order/o1/commands/AddItem", &all), body.as_bytes())? {
            Ask::Command(order) => Ok(order),
            other => panic!("{other:?}"),
        }
    };
    let plain = order(&[], r#"{"quantity": 1e2}"#).unwrap();
    assert_eq!((plain.command.name.as_str(), &plain.sender.actor), ("AddItem", &"ada".to_owned()));
    assert_eq!(plain.command.fields["quantity"].to_string(), "1e+2", "a number is kept as it was written");
    assert_eq!(plain.sender.trace.correlation_id.as_deref(), Some("talk"));
    assert_eq!((plain.options.expected_version, plain.options.idempotency_key), (None, None));
    let full = order(
        &[
            ("If-Match", r#""3""#),
            ("Idempotency-Key", r#""k 1""#),
            ("X-Correlation-Id", "mine"),
            ("X-Causation-Id", "e"),
        ],
        "{}",
    )
    .unwrap();
    assert_eq!(
        (full.options.expected_version, full.options.idempotency_key.as_deref()),
        (Some(3), Some("k 1"))
    );
    let trace = full.sender.trace;
    assert_eq!((trace.correlation_id.as_deref(), trace.causation_id.as_deref()), (Some("mine"), Some("e")));
    assert_eq!(order(&[("If-None-Match", "*")], "{}").unwrap().options.expected_version, Some(0));
    for headers in [
        &[("If-Match", "3")][..],
        &[("If-Match", r#""0""#)],
        &[("If-Match", r#"W/"3""#)],
        &[("If-Match", r#""3", "4""#)],
        &[("If-None-Match", r#""3""#)],
        &[("If-Match", r#""3""#), ("If-None-Match", "*")],
        &[("Idempotency-Key", r#""""#)],
        &[("Idempotency-Key", "")],
        &[("Idempotency-Key", "a, b")],
        &[("If-Match", "")],
        &[("If-Match", r#""+3""#)],
        &[("Idempotency-Key", "clé")],
        &[("X-Correlation-Id", "a\tb")],
    ] {
        assert_eq!(refused(order(headers, "{}")), (400, "invalid".into()), "{headers:?}");
    }
    for body in ["{", "[]", "7", "null", r#""x""#, "{}{}"] {
        assert_eq!(refused(order(&[], body)), (400, "invalid".into()), "{body}");
    }
    let bare = head("POST", "/aggregates/Order/o1/commands/Confirm", &[]);
    assert!(matches!(asked(&bare, b""), Ok(Ask::Command(_))), "a command without fields needs no body");
    assert_eq!(refused(asked(&bare, b"{}")), (415, "unsupported-media-type".into()));
    let query = head("POST", "/aggregates/Order/o1/commands/Confirm?version=3", &[]);
    assert_eq!(refused(asked(&query, b"")), (400, "invalid".into()));
}

fn deposited(store: &mut MemoryStore, amount: u64) -> Answer {
    let account = domains::find("BankAccount").unwrap();
    let (name, fields) = match amount {
        0 => ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
        _ => ("Deposit", json!({"amount": amount, "transactionReference": "r"})),
    };
    let by = Sender { actor: "ada".into(), now: 1_800_000_000_000, random: 1, ..Sender::default() };
    let command = Command::new(name, fields).unwrap();
    let done = run(store, account, "a/1", command, &by, Options::default()).unwrap();
    commanded(account, "a/1", &done, Cost { requests: 1, rcu: 0.0, wcu: 5.0 })
}

fn read(store: &mut MemoryStore, question: Question) -> Found {
    let (mut reading, mut reply) = (Reading::new(question), None);
    loop {
        match reading.next(reply.take(), 1) {
            Step::Ask(request) => reply = Some(store.answer(&request)),
            Step::Wait(_) => {}
            Step::Done(found) => return found.unwrap(),
        }
    }
}

#[test]
fn answers_carry_what_they_promise() {
    let mut store = MemoryStore::new();
    let opened = deposited(&mut store, 0);
    assert_eq!((opened.status, opened.header("location")), (201, Some("/aggregates/BankAccount/a%2F1")));
    let second = deposited(&mut store, 5);
    assert_eq!((second.status, second.header("location"), second.header("etag")), (200, None, Some("\"2\"")));
    let body: Value = serde_json::from_str(&second.body).unwrap();
    assert_eq!(body["cost"], json!({"requests": 1, "rcu": 0.0, "wcu": 5.0}));
    assert_eq!((&body["state"]["balance"], &body["events"][0]["amount"]), (&json!(5), &json!(5)));
    assert_eq!(body["token"], "/aggregates/BankAccount/a%2F1@2");

    let path = "/aggregates/BankAccount/a%2F1";
    let state = read(&mut store, get(path).unwrap());
    let plain = found(&head("GET", path, &[]), &state, 0);
    assert_eq!((plain.status, plain.header("etag")), (200, Some("\"2\"")));
    for (tags, status) in [("\"2\"", 304), ("\"1\", W/\"2\"", 304), ("*", 304), ("\"1\"", 200), ("2", 200)] {
        let answer = found(&head("GET", path, &[("If-None-Match", tags)]), &state, 0);
        assert_eq!((answer.status, answer.body.is_empty()), (status, status == 304), "{tags}");
    }

    let page = read(&mut store, get(&format!("{path}/events?limit=1")).unwrap());
    let answer = found(&head("GET", path, &[]), &page, 0);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let next = Cursor::read(body["next"].as_str().unwrap()).unwrap();
    assert_eq!((body["items"].as_array().unwrap().len(), next.after), (1, 1));
}

#[test]
fn the_last_touch_says_what_it_cost_and_shows_it_to_whom_it_may() {
    let origins = ["https://a.example".to_owned()];
    let spent = Spent { cost: Cost { requests: 2, rcu: 0.5, wcu: 8.0 }, time: 12 };
    let touched = |method: &str, origin: &str| {
        let answer = Answer { status: 200, headers: vec![], body: "{}".into() };
        finished(&head(method, "/", &[("Origin", origin)]), answer, &origins, "talk", spent)
    };
    let answer = touched("GET", "https://a.example");
    let timing = r#"dynamodb;desc="requests=2 rcu=0.5 wcu=8", total;dur=12"#;
    assert_eq!(
        (answer.header("server-timing"), answer.header("x-correlation-id")),
        (Some(timing), Some("talk"))
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    for origin in ["https://b.example", "https://a.example.evil", "null", "http://a.example"] {
        let answer = touched("GET", origin);
        assert_eq!(
            (answer.header("access-control-allow-origin"), answer.header("vary")),
            (None, Some("Origin"))
        );
    }
    assert_eq!(touched("HEAD", "x").body, "");
    assert!(preflight(&head("OPTIONS", "/", &[("Access-Control-Request-Method", "POST")])).is_some());
    assert!(preflight(&head("OPTIONS", "/", &[])).is_none());
    assert!(preflight(&head("POST", "/", &[("Access-Control-Request-Method", "POST")])).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_comes_in_is_answered_or_refused(
        method in "GET|POST|HEAD|OPTIONS|[A-Z]{0,9}",
        target in "/aggregates/(Order|BankAccount|.{0,9})/.{0,20}(/events|/commands/(Create|Deposit|.{0,5}))?(\\?(after|limit|version|at|cursor|.{0,4})=.{0,30}){0,2}|.{0,40}",
        headers in prop::collection::vec(
            ("accept|if-match|if-none-match|idempotency-key|last-event-id|content-type|x-correlation-id", ".{0,30}|\"[0-9]{0,25}\"|application/json"),
            0..4,
        ),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let head = Head { method, target, headers };
        if let Err(problem) = asked(&head, &body) {
            prop_assert!((400..500).contains(&problem.status), "{problem:?}");
            let body: Value = serde_json::from_str(&problem.answer().body).unwrap();
            prop_assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        }
    }

    #[test]
    fn whatever_stands_in_a_token_or_in_the_variables_is_read_or_refused(
        token in "Bearer [A-Za-z0-9_=-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,20}|.{0,60}",
        value in ".{0,40}|\\{.{0,20}\\}|https?://.{0,20}",
    ) {
        if let Err(problem) = Token::read(Some(&token)) {
            prop_assert_eq!(problem.status, 401);
        }
        if let Err(reasons) = Config::read(&|_| Some(value.clone())) {
            prop_assert!(!reasons.is_empty());
        }
    }
}
