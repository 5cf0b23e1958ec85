//! The store on DynamoDB against the emulator, over HTTP.

use rewound_core::{
    domain::{Command, Sender},
    domains,
    dynamodb::{Call, chore::Chore, cost, item, sign::Credentials},
    error::{Error, Problem, Result},
    event::Event,
    read::{Found, Moment, Question, Reading},
    run::{CommandRun, Done, Options, Step},
    store::{Answer, Cost, Page, Reply, Request, Store, contract},
    time::{Ulid, to_iso},
    timeline::Timeline,
};
use rewound_dynamodb::{Client, Gate, REGION, Server, credentials, layout};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const NOW: u64 = 1_767_225_600_000;

/// A store on the emulator, behind a gate that looks at every signature.
fn store(prefix: &str) -> ((Server, Gate), Client) {
    let server = Server::start(0, None).unwrap();
    let gate = Gate::start(0, &server.url, REGION, credentials()).unwrap();
    let client = Client::new(&gate.url, layout(prefix));
    client.create_tables().unwrap();
    ((server, gate), client)
}

/// Runs a command on the account `a`: how it ended, and what it cost.
fn send(store: &mut impl Store, name: &str, fields: Value, options: Options) -> (Result<Done>, Cost) {
    let by = Sender { actor: "ada".to_owned(), ..Sender::default() };
    let command = Command::new(name, fields).unwrap();
    let mut run = CommandRun::new(domains::find("BankAccount").unwrap(), "a", command, by, options);
    // The same command at the same moment with the same random bits would be the same bytes.
    static RANDOM: AtomicU64 = AtomicU64::new(1);
    let mut reply = None;
    loop {
        match run.next(reply.take(), NOW, RANDOM.fetch_add(1, Ordering::Relaxed).into()) {
            Step::Ask(request) => reply = Some(store.answer(&request)),
            Step::Wait(_) => {}
            Step::Done(result) => return (result, run.cost()),
        }
    }
}

fn open() -> Value {
    json!({ "accountHolderId": "ada", "currency": "EUR", "initialDeposit": 500 })
}

fn deposit(amount: u64) -> Value {
    json!({ "amount": amount, "transactionReference": "r" })
}

/// Writes an item as any program could.
fn put(client: &Client, table: &str, fields: Value) {
    let item = item::of(fields.as_object().unwrap()).unwrap();
    let body = json!({ "TableName": table, "Item": item }).to_string();
    let (status, body) = client.call(&Call { target: "DynamoDB_20120810.PutItem".into(), body }).unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
}

fn event(version: u64, id: &str, amount: u64, more: &str) -> Value {
    let name = if version == 1 { "AccountOpened" } else { "MoneyDeposited" };
    let mut event = json!({
        "eventId": format!("01KDVD7G00000000000000{id:0>4}"), "eventName": name,
        "aggregateName": "BankAccount", "aggregateId": "a", "aggregateVersion": version, "actorId": "eve",
    });
    let own = match version {
        1 => json!({ "accountHolderId": "ada", "initialDeposit": amount, "currency": "EUR" }),
        _ => json!({ "amount": amount, "transactionReference": "r", "description": more }),
    };
    event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    event
}

#[test]
fn it_is_a_store_by_the_contract() {
    let ((_server, gate), mut client) = store("contract");
    assert_eq!(contract::check(&mut client), []);
    let count = gate.order(r#"{"count":true}"#);
    assert!(count["passed"].as_u64() > Some(100), "{count}");
}

#[test]
fn the_gate_lets_no_other_key_in() {
    let server = Server::start(0, None).unwrap();
    for (region, id, secret) in [
        ("eu-west-1", "AKIDLOCAL", "other"),
        ("eu-west-1", "AKIDOTHER", "local"),
        ("eu-west-2", "AKIDLOCAL", "local"),
    ] {
        let (access_key_id, secret_access_key) = (id.to_owned(), secret.to_owned());
        let wanted = Credentials { access_key_id, secret_access_key, session_token: None };
        let gate = Gate::start(0, &server.url, region, wanted).unwrap();
        let error = Client::new(&gate.url, layout("gate")).create_tables().unwrap_err().to_string();
        assert!(error.contains("does not match the signature you provided"), "{error}");
        assert_eq!(gate.order(r#"{"count":true}"#)["passed"], 0);
    }
}

#[test]
fn tables_are_made_once_and_others_of_their_names_are_told() {
    let (_harness, client) = store("tables");
    client.create_tables().unwrap();
    let lifetime = json!({ "TableName": "tables-helpers" }).to_string();
    let call = Call { target: "DynamoDB_20120810.DescribeTimeToLive".into(), body: lifetime };
    let body: Value = serde_json::from_slice(&client.call(&call).unwrap().1).unwrap();
    assert_eq!(body["TimeToLiveDescription"]["AttributeName"], "expiresAt");

    let mut wrong = layout("tables");
    wrong.helpers = "tables-events".into();
    let error = Client::new(client.url(), wrong).create_tables().unwrap_err().to_string();
    assert!(error.contains("tables-events") && error.contains("keys"), "{error}");
}

#[test]
fn who_wrote_the_rows_is_said_by_who_writes_them() {
    let (_harness, client) = store("reducers");
    let layout = layout("reducers");
    let ask = |name: &str, ours: u64, will_write: bool| {
        client.do_chore(Chore::reducer(&layout, name, ours, will_write)).unwrap()
    };
    assert_eq!(ask("Order", 7, false), Some(7)); // who only reads says nothing
    assert_eq!(ask("Order", u64::MAX, true), Some(u64::MAX));
    assert_eq!(ask("Order", 7, false), Some(u64::MAX));
    assert_eq!(ask("Order", u64::MAX, true), Some(u64::MAX));
    // Another reducer is about to write: from now on neither trusts the rows.
    assert_eq!(ask("Order", 7, true), Some(0));
    assert_eq!(ask("Order", u64::MAX, true), Some(0));
    assert_eq!(client.do_chore(Chore::rewritten(&layout, "Order", 7)).unwrap(), Some(7));
    assert_eq!(ask("Order", 7, true), Some(7));
    assert_eq!(ask("Customer", 7, true), Some(7));
}

#[test]
fn a_command_costs_the_requests_that_were_promised() {
    let (_server, mut store) = store("costs");
    let (new, cost) = send(&mut store, "Open", open(), Options::default());
    let new = new.unwrap();
    assert_eq!(cost.requests, 1, "new");
    // Two items of less than a KB, twice for the transaction, and the event's index.
    assert!((4.0..=6.0).contains(&cost.wcu) && cost.rcu == 0.0, "{cost:?}");

    let (cold, cost) = send(&mut store, "Deposit", deposit(1), Options::default());
    let cold = cold.unwrap();
    assert_eq!(cost.requests, 2, "cold");
    assert_eq!(cost.rcu, 1.0, "a row of less than 4 KB, consistently");

    let warm = Options { cached: cold.snapshot, ..Options::default() };
    let (warm, cost) = send(&mut store, "Deposit", deposit(2), warm);
    assert_eq!((cost.requests, warm.unwrap().version()), (1, 3), "warm");

    // Somebody else was quicker: the conflict brings the winner's row.
    let late = Options { cached: new.snapshot, ..Options::default() };
    let (late, cost) = send(&mut store, "Deposit", deposit(4), late);
    let late = late.unwrap();
    assert_eq!((cost.requests, late.version()), (2, 4), "warm, a conflict more");
    assert_eq!(late.snapshot.as_ref().unwrap().state["balance"], 507);

    let cached = Options { cached: late.snapshot, ..Options::default() };
    let (refused, cost) = send(&mut store, "Withdraw", deposit(1_000_000), cached);
    assert!(matches!(refused, Err(Error::Rejected(_))), "{refused:?}");
    assert_eq!((cost.requests, cost.wcu), (1, 0.0), "what writes nothing reads a fresh row first");
}

/// What a store is asked and answers, written down.
struct Watched<'a>(&'a mut Client, Vec<(Request, Reply)>);

impl Store for Watched<'_> {
    fn answer(&mut self, request: &Request) -> Reply {
        let reply = self.0.answer(request);
        self.1.push((request.clone(), reply.clone()));
        reply
    }
}

#[test]
fn what_a_request_costs_is_known_before_it_is_sent() {
    let (_server, mut client) = store("units");
    let mut store = Watched(&mut client, Vec::new());
    for length in [1, 200, 500] {
        let id = format!("{length}-{}", "i".repeat(length));
        let by = Sender { actor: "a".repeat(length), now: NOW, random: length as u128, ..Sender::default() };
        let options = || Options { idempotency_key: Some("k".repeat(length * 3)), ..Options::default() };
        let items: Vec<Value> = (1..=length.min(80))
            .map(
                |index| json!({ "productId": format!("p-{index}"), "quantity": index, "price": index * 100 }),
            )
            .collect();
        let order = domains::find("Order").unwrap();
        let create = Command::new("Create", json!({ "customerId": "c", "items": items })).unwrap();
        rewound_core::run::run(&mut store, order, &id, create, &by, options()).unwrap();
        let confirm = Command::new("Confirm", json!({})).unwrap();
        let by = Sender { random: 999 + length as u128, ..by };
        rewound_core::run::run(&mut store, order, &id, confirm, &by, Options::default()).unwrap();
        let (aggregate, id) = ("Order".to_owned(), id);
        store.answer(&Request::Events { aggregate, id, after: 0, cursor: None, limit: 100 });
    }
    let mut kinds = [0; 3];
    for (request, reply) in store.1 {
        let expected = match (&request, &reply.result) {
            (Request::Commit(commit), Ok(Answer::Committed)) => (0, cost::of_commit(commit)),
            (Request::Load { .. }, Ok(Answer::Loaded(loaded))) => {
                (1, cost::of_load(loaded.snapshot.as_ref().unwrap()))
            }
            (Request::Events { .. }, Ok(Answer::Events(page))) => (2, cost::of_events(&page.items)),
            other => panic!("{other:?}"),
        };
        kinds[expected.0] += 1;
        assert_eq!(reply.cost, expected.1.unwrap(), "{request:?}");
    }
    assert_eq!(kinds, [6, 3, 3]);
}

#[test]
fn a_key_takes_effect_once() {
    let (_server, mut store) = store("keys");
    let key = || Options { idempotency_key: Some("k".to_owned()), ..Options::default() };
    let first = send(&mut store, "Open", open(), key()).0.unwrap();
    let again = send(&mut store, "Open", open(), key()).0.unwrap();
    let ids = |done: &Done| done.events.iter().map(Event::id).collect::<Vec<_>>();
    assert_eq!((again.repeated, ids(&again)), (true, ids(&first)));
    assert_eq!(again.snapshot.map(|snapshot| snapshot.state), first.snapshot.map(|snapshot| snapshot.state));
    let other = send(&mut store, "Deposit", deposit(1), key()).0;
    assert_eq!(other, Err(Error::KeyReused { key: "k".to_owned() }));
    let Answer::List(Page { items, next }) = store
        .answer(&Request::List { aggregate: "BankAccount".to_owned(), cursor: None, limit: 10 })
        .result
        .unwrap()
    else {
        panic!()
    };
    assert_eq!((items.len(), items[0].version, next), (1, 1, None));
}

#[test]
fn a_field_that_goes_away_leaves_the_row() {
    let (_server, mut store) = store("fields");
    let by = Sender { actor: "ada".to_owned(), now: NOW, random: 1, ..Sender::default() };
    let customer = domains::find("Customer").unwrap();
    for (name, fields) in [
        ("Register", json!({ "email": "ada@example.com", "name": "Ada" })),
        ("Suspend", json!({ "reason": "an unpaid bill" })),
        ("Reactivate", json!({})),
    ] {
        let command = Command::new(name, fields).unwrap();
        rewound_core::run::run(&mut store, customer, "c", command, &by, Options::default()).unwrap();
        let body =
            json!({ "TableName": "fields-Customer", "Key": { "aggregateId": { "S": "c" } } }).to_string();
        let (_, body) = store.call(&Call { target: "DynamoDB_20120810.GetItem".into(), body }).unwrap();
        let row: Value = serde_json::from_slice(&body).unwrap();
        let reason = row["Item"].get("suspensionReason").cloned();
        assert_eq!(reason, (name == "Suspend").then(|| json!({ "S": "an unpaid bill" })), "{row}");
    }
}

/// Another program's clock ran behind, so its later events have the smaller ids.
#[test]
fn the_order_of_a_stream_is_that_of_its_versions() {
    let (_server, mut store) = store("order");
    for (version, id) in [(1, "5"), (2, "3"), (3, "9"), (4, "1"), (5, "7"), (6, "8")] {
        put(&store, "order-events", event(version, id, version * 10, "d"));
    }
    let events = |store: &mut Client, after, cursor, limit| {
        let (aggregate, id) = ("BankAccount".to_owned(), "a".to_owned());
        let request = Request::Events { aggregate, id, after, cursor, limit };
        let Answer::Events(page) = store.answer(&request).result.unwrap() else { panic!() };
        page
    };
    for limit in 1..=7 {
        let (mut found, mut cursor) = (Vec::new(), None);
        for _ in 0..20 {
            let after = found.last().map_or(0, Event::version);
            let page = events(&mut store, after, cursor, limit);
            assert!(page.items.len() <= limit);
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let versions: Vec<u64> = found.iter().map(Event::version).collect();
        assert_eq!(versions, [1, 2, 3, 4, 5, 6], "{limit} at a time");
    }
    for after in 0..6 {
        let page = events(&mut store, after, None, 1);
        assert_eq!(page.items.first().map(Event::version), Some(after + 1), "the one behind {after}");
    }
    assert_eq!(events(&mut store, 6, None, 1), Page { items: Vec::new(), next: None });
}

/// A row that the other library created says neither when, nor what its reducer was.
#[test]
fn a_stream_of_another_program_is_gone_on_with() {
    let (_server, mut store) = store("peer");
    put(&store, "peer-events", event(1, "5", 100, ""));
    let row = json!({
        "aggregateId": "a", "version": 1, "actorId": "eve", "accountHolderId": "ada", "balance": 100,
        "currency": "EUR", "status": "Active", "pendingTransfers": {},
    });
    put(&store, "peer-BankAccount", row);
    let (done, cost) = send(&mut store, "Deposit", deposit(11), Options::default());
    let done = done.unwrap();
    assert_eq!((cost.requests, done.version()), (3, 2));
    assert_eq!(done.snapshot.unwrap().state["balance"], 111);
    assert!(done.events[0].time() >= NOW);
}

#[test]
fn a_long_stream_is_read_over_the_pages_of_a_megabyte() {
    let (_server, mut store) = store("long");
    send(&mut store, "Open", open(), Options::default()).0.unwrap();
    let long = "x".repeat(450);
    let mut expected = 500;
    for version in 2..=3_000 {
        put(&store, "long-events", event(version, &version.to_string(), version, &long));
        expected += version;
    }
    let row = json!({ "aggregateId": "a", "version": 3_000, "actorId": "eve" });
    put(&store, "long-BankAccount", row);
    // The row holds no state that could be used: the aggregate is replayed.
    let (done, cost) = send(&mut store, "Deposit", deposit(1), Options::default());
    let done = done.unwrap();
    assert_eq!(done.snapshot.unwrap().state["balance"], expected + 1);
    assert!(cost.requests >= 5, "{cost:?}");
    let (aggregate, id) = ("BankAccount".to_owned(), "a".to_owned());
    let all = Request::Events { aggregate, id, after: 0, cursor: None, limit: 10_000 };
    let Answer::Events(page) = store.answer(&all).result.unwrap() else { panic!() };
    let timeline = Timeline::new(domains::find("BankAccount").unwrap(), "a", page.items);
    assert!(timeline.problem().is_none() && timeline.len() > 1_000);
}

/// An event as the other library could have written it, with an id of that time in milliseconds.
fn foreign(client: &Client, version: u64, time: u64) {
    let id = Ulid::from_parts(time, version.into()).to_string();
    let mut fields = json!({
        "eventId": id, "eventName": if version == 1 { "AccountOpened" } else { "MoneyDeposited" },
        "aggregateName": "BankAccount", "aggregateId": "a", "aggregateVersion": version, "actorId": "ada",
        "eventTs": to_iso(time),
    });
    let own = match version {
        1 => json!({ "accountHolderId": "ada", "initialDeposit": 0, "currency": "EUR" }),
        _ => json!({ "amount": version, "transactionReference": "r", "description": "d" }),
    };
    fields.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    put(client, "foreign-events", fields);
}

/// The row of that account.
fn row(client: &Client, version: u64, time: u64) {
    let fields = json!({
        "aggregateId": "a", "version": version, "actorId": "ada", "updatedAt": to_iso(time),
        "accountHolderId": "ada", "balance": (2..=version).sum::<u64>(), "currency": "EUR", "status": "Active",
        "pendingTransfers": {},
    });
    put(client, "foreign-BankAccount", fields);
}

fn read(client: &mut Client, question: Question) -> (Result<Found>, u32) {
    let (mut reading, mut reply) = (Reading::new(question), None);
    loop {
        match reading.next(reply.take(), 1) {
            Step::Ask(request) => reply = Some(client.answer(&request)),
            Step::Wait(_) => {}
            Step::Done(found) => return (found, reading.cost().requests),
        }
    }
}

fn events_behind(
    client: &mut Client,
    after: u64,
    cursor: Option<String>,
    limit: usize,
) -> (Result<Vec<u64>>, Option<String>, u32) {
    let (aggregate, id) = ("BankAccount".to_owned(), "a".to_owned());
    let (found, requests) = read(client, Question::Events { aggregate, id, after, cursor, limit });
    match found {
        Ok(Found::Events(page)) => (Ok(page.items.iter().map(Event::version).collect()), page.next, requests),
        Ok(other) => panic!("{other:?}"),
        Err(error) => (Err(error), None, requests),
    }
}

fn at(client: &mut Client, at: Moment) -> Result<u64> {
    let domain = domains::find("BankAccount").unwrap();
    match read(client, Question::StateAt { domain, id: "a".to_owned(), at }).0? {
        Found::State(snapshot) => Ok(snapshot.meta.version),
        other => panic!("{other:?}"),
    }
}

const MINUTE: u64 = 60_000;

#[test]
fn an_event_of_a_clock_that_is_behind_is_not_skipped() {
    let (_running, mut client) = store("foreign");
    foreign(&client, 1, NOW);
    let (_, next, _) = events_behind(&mut client, 0, None, 1);
    let place = next.unwrap();
    // The second writer's clock is ten minutes behind; the third's is right.
    foreign(&client, 2, NOW - 10 * MINUTE);
    foreign(&client, 3, NOW + MINUTE);
    row(&client, 3, NOW + MINUTE);
    assert_eq!(events_behind(&mut client, 1, Some(place), 10).0.unwrap(), [2, 3]);
    assert_eq!(events_behind(&mut client, 0, None, 10).0.unwrap(), [1, 2, 3]);
}

#[test]
fn a_gap_is_told_by_every_reader() {
    let (_running, mut client) = store("foreign");
    for version in [1, 2, 4] {
        foreign(&client, version, NOW + version * MINUTE);
    }
    row(&client, 4, NOW + 4 * MINUTE);
    let (good, next, _) = events_behind(&mut client, 0, None, 10);
    assert_eq!(good.unwrap(), [1, 2]);
    let gap = |result: Result<Vec<u64>>| match result {
        Err(Error::Reduce(error)) => assert_eq!(error.problem, Problem::Gap { expected: 3 }),
        other => panic!("{other:?}"),
    };
    gap(events_behind(&mut client, 2, next, 10).0);
    gap(events_behind(&mut client, 2, None, 10).0);
    assert_eq!(at(&mut client, Moment::Version(2)), Ok(2));
    assert!(at(&mut client, Moment::Version(3)).is_err());
}

#[test]
fn the_past_does_not_change_when_more_happens() {
    let (_running, mut client) = store("foreign");
    // The second event's clock was 20 minutes ahead of the third's.
    for (version, time) in [(1, 0), (2, 40), (3, 20)] {
        foreign(&client, version, NOW + time * MINUTE);
    }
    row(&client, 3, NOW + 20 * MINUTE);
    let past =
        |client: &mut Client| [0, 19, 20, 30, 40].map(|time| at(client, Moment::Time(NOW + time * MINUTE)));
    let before = past(&mut client);
    assert_eq!(before, [Ok(1), Ok(1), Ok(3), Ok(3), Ok(3)]);
    foreign(&client, 4, NOW + 120 * MINUTE);
    row(&client, 4, NOW + 120 * MINUTE);
    assert_eq!(past(&mut client), before);
    assert_eq!(at(&mut client, Moment::Time(NOW + 120 * MINUTE)), Ok(4));
}

#[test]
fn a_single_event_in_a_long_stream_takes_few_requests() {
    let (_running, mut client) = store("foreign");
    for version in 1..=60 {
        foreign(&client, version, NOW + version);
    }
    for (after, limit) in [(5, 1), (57, 2), (0, 1)] {
        let (found, _, requests) = events_behind(&mut client, after, None, limit);
        let expected: Vec<u64> = (after + 1..).take(limit).collect();
        assert_eq!((found.unwrap(), requests), (expected, 1), "after {after}");
    }
    let (nothing, next, requests) = events_behind(&mut client, 9_007_199_254_740_991, None, 1);
    assert_eq!((nothing.unwrap(), next, requests), (vec![], None, 1));
}
