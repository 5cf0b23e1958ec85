//! The read side on the emulator, driven a call at a time: whoever ends it, between any two calls, and however several
//! get into each other's way, every event takes effect once.

use rewound_core::{
    domain::{Command, Sender, Snapshot},
    domains::{self, transfer::Step},
    dynamodb::{
        Call, Layout,
        exchange::{Exchange, Next, Received},
    },
    error::{Error, Result},
    event::Event,
    feed::{
        Consumer, Limits, Report, Shell,
        letters::{self, Address},
        nudge,
        outbox::Outbox,
        progress::{self, Reader},
        query, sweep,
    },
    read::{Found, Question, Reading},
    run::{CommandRun, Done, Options, Step as Run},
    store::{Cost, Reply, Request},
    value::Object,
    views,
};
use rewound_dynamodb::{Client, Server, layout};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

const BANK: &str = "BankAccount";

/// A shell that can be ended at any call, and lets others go first at any call.
struct Desk {
    client: Client,
    layout: Arc<Layout>,
    outbox: Option<Outbox>,
    sent: RefCell<Vec<Event>>,
    /// The milliseconds since the epoch: waits take no time here.
    clock: Cell<u64>,
    dice: Cell<u64>,
    calls: Cell<u32>,
    /// After which call everything ends, and whether that one is still made.
    end: Cell<Option<(u32, bool)>>,
    /// Whether others go first.
    polite: Cell<bool>,
}

impl Desk {
    fn new(server: &Server) -> Self {
        let layout = layout("feed");
        let client = Client::new(&server.url, layout.clone());
        client.create_tables().unwrap();
        Self {
            client,
            layout: layout.into(),
            outbox: Some(Outbox::Queue),
            sent: RefCell::default(),
            clock: Cell::new(1_800_000_000_000),
            dice: Cell::new(42),
            calls: Cell::new(0),
            end: Cell::new(None),
            polite: Cell::new(false),
        }
    }

    fn roll(&self) -> u64 {
        // xorshift64 (Marsaglia, 2003)
        let mut dice = self.dice.get();
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        self.dice.set(dice);
        dice
    }

    async fn answer(&self, request: Request) -> Reply {
        let (mut exchange, mut next) = Exchange::new(&self.layout, request);
        loop {
            next = match next {
                Next::Done(reply) => return reply,
                Next::Send(call) => match self.call(&call).await {
                    Some(received) => exchange.answered(received.response(), self.now()),
                    None => exchange.lost(),
                },
            };
        }
    }

    async fn drive<T>(&self, mut next: impl FnMut(Option<Reply>, u64, u128) -> Run<T>) -> Result<T> {
        let mut reply = None;
        loop {
            match next(reply.take(), self.now(), self.random()) {
                Run::Ask(request) => reply = Some(self.answer(request).await),
                Run::Wait(time) => self.wait(time).await,
                Run::Done(result) => return result,
            }
        }
    }

    async fn command(&self, domain: &str, id: &str, name: &str, fields: Value) -> Result<Done> {
        let by = Sender { actor: "ada".into(), ..Sender::default() };
        let command = Command::new(name, fields).unwrap();
        let mut run = CommandRun::new(domains::find(domain).unwrap(), id, command, by, Options::default());
        self.drive(|reply, now, random| run.next(reply, now, random)).await
    }

    /// The same, to its end.
    fn done(&self, domain: &str, id: &str, name: &str, fields: Value) -> Done {
        now(self.command(domain, id, name, fields)).unwrap().unwrap()
    }

    /// Puts something into the table of events that no command would have recorded.
    fn plant(&self, event: Value) {
        let item: Object = event.as_object().unwrap().clone();
        let item = Value::Object(rewound_core::dynamodb::item::of(&item).unwrap());
        let body = json!({ "TableName": self.layout.events, "Item": item }).to_string();
        let call = Call { target: "DynamoDB_20120810.PutItem".into(), body };
        assert_eq!(self.client.call(&call).unwrap().0, 200);
    }

    /// Every event that there is.
    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut body = json!({ "TableName": self.layout.events });
            if !start.is_null() {
                body["ExclusiveStartKey"] = start;
            }
            let call = Call { target: "DynamoDB_20120810.Scan".into(), body: body.to_string() };
            let (_, body) = self.client.call(&call).unwrap();
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            let records = body["Items"].as_array().unwrap().iter();
            let records: Vec<Value> = records
                .map(|item| json!({ "eventName": "INSERT", "dynamodb": { "NewImage": item } }))
                .collect();
            events.extend(rewound_core::import::events_of_records(&json!(records).to_string()).unwrap());
            start = body["LastEvaluatedKey"].take();
            if start.is_null() {
                events.sort_by_key(|event| (event.aggregate_id().to_owned(), event.version()));
                return events;
            }
        }
    }
}

impl Shell for Desk {
    fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn outbox(&self) -> Option<&Outbox> {
        self.outbox.as_ref()
    }

    fn now(&self) -> u64 {
        self.clock.get()
    }

    fn random(&self) -> u128 {
        u128::from(self.roll()) << 16
    }

    async fn wait(&self, time: u64) {
        self.clock.set(self.clock.get() + time);
    }

    fn calls(&self) -> u32 {
        self.calls.get()
    }

    fn spend(&self, _cost: Cost) {}

    async fn call(&self, call: &Call) -> Option<Received> {
        if self.polite.get() {
            yielded().await;
        }
        self.calls.set(self.calls.get() + 1);
        let end = self.end.get().filter(|(last, _)| *last == self.calls.get());
        if let Some((_, false)) = end {
            pending::<()>().await;
        }
        let (status, body) = self.client.call(call).unwrap();
        if end.is_some() {
            pending::<()>().await;
        }
        Some(Received { status, body, ..Received::default() })
    }

    async fn account(&self, id: &str) -> Result<Option<Snapshot>> {
        let domain = domains::find(BANK).unwrap();
        let mut reading = Reading::new(Question::State { domain, id: id.to_owned() });
        match self.drive(|reply, _, random| reading.next(reply, random)).await {
            Ok(Found::State(snapshot)) => Ok(Some(snapshot)),
            Ok(_) | Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn execute(&self, step: &Step, by: Sender) -> Result<Done> {
        let domain = domains::find(BANK).unwrap();
        let mut run =
            CommandRun::new(domain, &step.aggregate_id, step.command.clone(), by, Options::default());
        self.drive(|reply, now, random| run.next(reply, now, random)).await
    }

    async fn enqueue(&self, events: &[Event]) -> Result<(), String> {
        self.sent.borrow_mut().extend_from_slice(events);
        Ok(())
    }
}

/// Lets whoever else there is go on once.
async fn yielded() {
    let mut waited = false;
    let once = poll_fn(|context| {
        // Futures that are several in one ask only those again that say so.
        context.waker().wake_by_ref();
        if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
    });
    once.await;
}

/// What comes of work that waits for nobody; nothing where it was ended.
fn now<T>(work: impl Future<Output = T>) -> Option<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

/// Accounts with transfers between them: to one that takes them, one that is closed, one that is not there and one of
/// another currency; and some of everything else.
fn busy(desk: &Desk) {
    let open = |id: &str, currency: &str, deposit: u64| {
        let fields = json!({ "accountHolderId": id, "currency": currency, "initialDeposit": deposit });
        desk.done(BANK, id, "Open", fields);
    };
    open("a", "EUR", 10_000);
    open("b", "EUR", 5_000);
    open("dollars", "USD", 700);
    open("closed", "EUR", 0);
    desk.done(BANK, "closed", "Close", json!({ "reason": "done" }));
    for (index, to) in ["b", "closed", "nowhere", "dollars", "b"].into_iter().enumerate() {
        let id = format!("t{index}");
        let fields = json!({ "transferId": id, "destinationAccountId": to, "amount": 100 + index });
        desk.done(BANK, "a", "InitiateTransfer", fields);
    }
    desk.done(
        BANK,
        "b",
        "InitiateTransfer",
        json!({ "transferId": "back", "destinationAccountId": "a", "amount": 7 }),
    );
    for id in ["c1", "c2"] {
        desk.done("Customer", id, "Register", json!({ "email": format!("{id}@x.org"), "name": id }));
    }
    desk.done("Customer", "c2", "Suspend", json!({ "reason": "x" }));
    let item = json!({ "productId": "pen", "quantity": 2, "price": 150 });
    desk.done("Order", "o1", "Create", json!({ "customerId": "c1", "items": [item] }));
    desk.done("BlogPost", "p1", "Create", json!({ "title": "A" }));
    desk.done("BlogPost", "p1", "Publish", json!({}));
}

/// Everything is as the events say: each view a fold of them, no transfer under way, money what it was, and all of them
/// sent, in order.
fn settled(desk: &Desk, money: i64) {
    let events = desk.events();
    folded(desk, &events, None, money);
    let count = |name: &str| events.iter().filter(|event| event.name() == name).count();
    let ended = count("TransferCompleted") + count("TransferReversed");
    assert_eq!((count("TransferInitiated"), count("TransferCompleted")), (ended, count("TransferReceived")));
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for event in desk.sent.borrow().iter() {
        let last = seen.entry(event.aggregate_id().to_owned()).or_default();
        assert!(event.version() <= *last + 1, "{} of {} came early", event.version(), event.aggregate_id());
        *last = event.version().max(*last);
    }
    for event in &events {
        assert!(seen.get(event.aggregate_id()).is_some_and(|last| *last >= event.version()), "{event:?}");
    }
}

/// Each view, in the generation that answers or in this one, is a fold of the events, and the balances add up.
fn folded(desk: &Desk, events: &[Event], generation: Option<u64>, money: i64) {
    let progress = now(progress::load(desk, Reader::Views)).unwrap().unwrap();
    for view in &views::ALL {
        let mut rows: BTreeMap<&str, Option<Object>> = BTreeMap::new();
        for event in events.iter().filter(|event| event.aggregate() == view.aggregate) {
            let row = rows.entry(event.aggregate_id()).or_default();
            *row = (view.apply)(row.take(), event).unwrap();
        }
        let place = (view, generation.unwrap_or(progress.of(view).live));
        for (id, expected) in &rows {
            let row = now(query::one(desk, place, id)).unwrap().unwrap();
            // Through DynamoDB the order of fields is lost.
            assert_eq!(json!(row.fields), json!(expected), "{} of {id}", view.name);
        }
        let listed = query::Query { index: None, prefix: String::new(), cursor: None, limit: 1_000 };
        let page = now(query::page(desk, place, &listed)).unwrap().unwrap();
        assert_eq!(page.items.len(), rows.len(), "{}", view.name);
        if view.name == "account-balances" {
            let sum: i64 = page.items.iter().map(|row| row["balance"].as_i64().unwrap()).sum();
            assert_eq!(sum, money);
        }
    }
}

/// Sweeps for both readers.
async fn both(desk: &Desk) -> Result<Report> {
    let all = Limits { calls: u32::MAX };
    let views = sweep(desk, Reader::Views, all).await?;
    let outbox = sweep(desk, Reader::Outbox, all).await?;
    Ok(Report { whole: views.whole && outbox.whole, busy: views.busy || outbox.busy, ..views })
}

#[test]
fn whoever_sweeps_can_be_ended_between_any_two_calls() {
    let server = Server::start(0, None).unwrap();
    let desk = Desk::new(&server);
    busy(&desk);
    let mut ended = 0;
    loop {
        // A little farther each time, and both before and behind that call.
        desk.calls.set(0);
        desk.end.set(Some((2 + ended / 3, ended % 2 == 0)));
        let done = now(both(&desk));
        // The lease of whoever was ended ends as well.
        desk.clock.set(desk.clock.get() + 61_000);
        match done {
            Some(report) if report.as_ref().unwrap().whole => break,
            _ => ended += 1,
        }
    }
    desk.end.set(None);
    assert!(ended > 50, "{ended} restarts are few");
    settled(&desk, 15_700);
    for consumer in now(progress::load(&desk, Reader::Views)).unwrap().unwrap().consumers() {
        let dead = now(letters::list(&desk, consumer, None, 10)).unwrap().unwrap();
        assert_eq!(dead.items, [], "{consumer}");
    }
}

/// Polls work in an order that dice decide, until all is done.
fn mixed(desk: &Desk, mut work: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    while !work.is_empty() {
        let at = desk.roll() as usize % work.len();
        if work[at].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            drop(work.swap_remove(at));
        }
    }
}

#[test]
fn events_in_any_order_and_however_often_take_effect_once_in_every_view() {
    let server = Server::start(0, None).unwrap();
    let desk = Desk::new(&server);
    busy(&desk);
    let (events, desk) = (desk.events(), &desk);
    for seed in 1..=30 {
        desk.dice.set(seed);
        // A generation that nobody has written to.
        let place = |view| Consumer::View(view, seed + 1);
        desk.polite.set(true);
        let twice = events.iter().chain(&events).cloned();
        mixed(
            desk,
            twice
                .map(|event| {
                    Box::pin(async move {
                        let consumers = views::ALL.each_ref().map(place);
                        nudge(desk, vec![event], None, &consumers).await.unwrap();
                    }) as Pin<Box<dyn Future<Output = ()>>>
                })
                .collect(),
        );
        desk.polite.set(false);
        // The money of six transfers is under way.
        folded(desk, &events, Some(seed + 1), 15_700 - 517);
    }
}

#[test]
fn nudges_sweeps_rebuilds_and_writers_at_once_leave_every_view_a_fold_of_the_events() {
    for seed in 1..=20 {
        let server = Server::start(0, None).unwrap();
        let desk = Desk::new(&server);
        desk.dice.set(seed);
        busy(&desk);
        let before = desk.events();
        desk.polite.set(true);
        let desk = &desk;
        let (rebuilt, paid) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let mut work: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        // What was recorded is handed over in any order, and some of it twice.
        for event in before.iter().chain(before.iter().take(8)).cloned() {
            let consumers = [
                Consumer::View(&views::ACCOUNT_BALANCES, 1),
                Consumer::View(&views::CUSTOMERS, 1),
                Consumer::Transfers,
            ];
            work.push(Box::pin(async move {
                // Others may win every time: then it is the sweep's.
                let _ = nudge(desk, vec![event], None, &consumers).await;
            }));
        }
        for _ in 0..2 {
            work.push(Box::pin(async move {
                for _ in 0..4 {
                    // It may be taken over by the other.
                    let _ = both(desk).await;
                    yielded().await;
                    desk.clock.set(desk.clock.get() + 20_000);
                }
            }));
        }
        for n in 0..6 {
            let paid = Rc::clone(&paid);
            work.push(Box::pin(async move {
                let id = ["a", "b", "c"][n % 3];
                let fields = json!({ "accountHolderId": id, "currency": "EUR", "initialDeposit": 0 });
                drop(desk.command(BANK, id, "Open", fields).await);
                let fields = json!({ "amount": 1, "transactionReference": "r" });
                let done = desk.command(BANK, id, "Deposit", fields).await;
                paid.set(paid.get() + i64::from(done.is_ok()));
            }));
        }
        // What a rebuild made would hide what went wrong with the rows before it.
        let rebuilds: &[_] = if seed % 2 == 0 { &views::ALL } else { &[] };
        let count = Rc::clone(&rebuilt);
        work.push(Box::pin(async move {
            for _ in 0..30 {
                yielded().await;
            }
            for view in rebuilds {
                count.set(count.get() + usize::from(progress::rebuild(desk, view).await.unwrap().is_ok()));
            }
        }));
        mixed(desk, work);
        desk.polite.set(false);
        desk.clock.set(desk.clock.get() + 120_000);
        let report = now(both(desk)).unwrap().unwrap();
        assert!(report.whole && !report.busy, "{report:?}");
        assert!(paid.get() > 0);
        settled(desk, 15_700 + paid.get());
        assert_eq!(rebuilt.get(), rebuilds.len());
        let progress = now(progress::load(desk, Reader::Views)).unwrap().unwrap();
        for view in &views::ALL {
            let live = if rebuilds.is_empty() { 1 } else { 2 };
            assert_eq!((progress.of(view).live, progress.of(view).next), (live, None), "{}", view.name);
        }
    }
}

#[test]
fn an_event_that_cannot_be_applied_is_parked_and_the_rest_goes_on() {
    let server = Server::start(0, None).unwrap();
    let desk = Desk::new(&server);
    desk.done("Customer", "good", "Register", json!({ "email": "g@x.org", "name": "G" }));
    let head = |name: &str, version: u64| {
        json!({
            "eventId": format!("01K1RZXKEYCYQ5MSEQJ4Z5JN{version:02}"), "eventName": name,
            "aggregateName": "Customer", "aggregateId": "bad", "aggregateVersion": version, "actorId": "ada",
        })
    };
    let with = |mut event: Value, name: &str, value: &str| {
        event[name] = value.into();
        event
    };
    // Without an address, and with a change of it that nobody knows how to read; then one that is fine.
    desk.plant(with(head("CustomerRegistered", 1), "name", "B"));
    desk.plant(with(head("CustomerRenamed", 2), "name", "C"));
    let report = now(both(&desk)).unwrap().unwrap();
    assert!(report.whole);
    let view = Consumer::View(&views::CUSTOMERS, 1);
    let list = |cursor: Option<&str>| now(letters::list(&desk, view, cursor, 1)).unwrap().unwrap();
    let first = list(None);
    let second = list(first.next.as_deref());
    let [letter] = first.items.as_slice() else { panic!("{first:?}") };
    assert_eq!((letter.id.as_str(), letter.version, letter.attempts), ("bad", 1, 5));
    assert!(letter.error.contains("email") && letter.event.contains("CustomerRegistered"), "{letter:?}");
    assert_eq!(second.items.iter().map(|letter| letter.version).collect::<Vec<_>>(), [2]);
    let row = |id| now(query::one(&desk, (&views::CUSTOMERS, 1), id)).unwrap().unwrap();
    assert_eq!((row("good").version, row("bad").version, row("bad").fields), (1, 2, None));

    let bad = Address { consumer: view, aggregate: "Customer", id: "bad", version: 1 };
    let tried = now(letters::retry(&desk, bad)).unwrap().unwrap();
    assert!(tried.is_some_and(|tried| tried.is_err_and(|why| why.contains("email"))));
    assert_eq!(list(None).items[0].attempts, 6);
    assert!(now(letters::skip(&desk, bad)).unwrap().unwrap());
    assert!(!now(letters::skip(&desk, bad)).unwrap().unwrap());
    assert_eq!(now(letters::retry(&desk, bad)).unwrap().unwrap(), None);
    assert_eq!(list(None).items[0].version, 2);
}

#[test]
fn what_cannot_be_read_or_is_not_there_stops_nobody() {
    let server = Server::start(0, None).unwrap();
    let desk = Desk::new(&server);
    let long = "ü".repeat(1_000);
    let account = |id: &str, version: u64| {
        json!({
            "eventId": format!("01K1RZXKEYCYQ5MSEQJ4{:06}", desk.roll() % 1_000_000),
            "eventName": if version == 1 { "AccountOpened" } else { "MoneyDeposited" },
            "aggregateName": BANK, "aggregateId": id, "aggregateVersion": version, "actorId": "ada",
            "accountHolderId": "ada", "currency": "EUR", "initialDeposit": 5,
            "amount": 7, "transactionReference": "r", "description": "d",
        })
    };
    for (id, versions) in [("hole", &[1, 3][..]), ("odd", &[1, 3]), (long.as_str(), &[1, 2])] {
        versions.iter().for_each(|version| desk.plant(account(id, *version)));
    }
    let mut odd = account("odd", 2);
    odd["aggregateVersion"] = "two".into();
    desk.plant(odd);
    desk.done(BANK, "zz", "Open", json!({ "accountHolderId": "z", "currency": "EUR", "initialDeposit": 9 }));
    for _ in 0..2 {
        let report = now(both(&desk)).unwrap().unwrap();
        assert!(report.whole, "{report:?}");
    }
    let balance = |id: &str| {
        let row = now(query::one(&desk, (&views::ACCOUNT_BALANCES, 1), id)).unwrap().unwrap();
        (row.version, row.fields.unwrap()["balance"].clone())
    };
    for (id, expected) in [("hole", (3, 12)), ("odd", (3, 12)), (&long, (2, 12)), ("zz", (1, 9))] {
        assert_eq!(balance(id), (expected.0, json!(expected.1)), "{id}");
    }
    for consumer in [Consumer::View(&views::ACCOUNT_BALANCES, 1), Consumer::Outbox] {
        let letters = now(letters::list(&desk, consumer, None, 10)).unwrap().unwrap().items;
        let places: Vec<_> = letters.iter().map(|letter| (letter.id.as_str(), letter.version)).collect();
        assert_eq!(places, [("hole", 2), ("odd", 2)], "{consumer}");
    }
    let unreadable = now(letters::list(&desk, Consumer::Unreadable, None, 10)).unwrap().unwrap();
    assert_eq!(unreadable.items.len(), 1, "the stream and the table told of the same item");
    assert_eq!(desk.sent.borrow().len(), 7);
}

#[test]
fn a_letter_that_is_taken_late_takes_its_place_in_the_order() {
    let server = Server::start(0, None).unwrap();
    let desk = Desk::new(&server);
    desk.done("Customer", "c", "Register", json!({ "email": "one@x.org", "name": "C" }));
    for email in ["two@x.org", "three@x.org"] {
        desk.done("Customer", "c", "UpdateEmail", json!({ "newEmail": email }));
    }
    // As an older program would have left it, which could not read the second.
    let events = desk.events();
    let view = Consumer::View(&views::CUSTOMERS, 1);
    now(nudge(&desk, vec![events[0].clone()], None, &[view])).unwrap().unwrap();
    let key = json!({ "pk": { "S": "customers@1" }, "sk": { "S": "c" } });
    let body = json!({
        "TableName": desk.layout.views, "Key": key, "UpdateExpression": "SET version = :v, lacks = :l",
        "ExpressionAttributeValues": { ":v": { "N": "2" }, ":l": { "L": [{ "N": "2" }] } },
    });
    let call = Call { target: "DynamoDB_20120810.UpdateItem".into(), body: body.to_string() };
    assert_eq!(desk.client.call(&call).unwrap().0, 200);
    now(nudge(&desk, vec![events[2].clone()], None, &[view])).unwrap().unwrap();
    let item = json!({
        "pk": "dead#customers@1", "sk": "Customer#c#0000000000000002", "aggregate": "Customer", "id": "c", "version": 2,
        "event": events[1].as_json(), "error": "x", "attempts": 5, "at": "2026-01-01T00:00:00.000Z",
    });
    let item = Value::Object(rewound_core::dynamodb::item::of(item.as_object().unwrap()).unwrap());
    let body = json!({ "TableName": desk.layout.helpers, "Item": item }).to_string();
    desk.client.call(&Call { target: "DynamoDB_20120810.PutItem".into(), body }).unwrap();
    let address = Address { consumer: view, aggregate: "Customer", id: "c", version: 2 };
    assert_eq!(now(letters::retry(&desk, address)).unwrap().unwrap(), Some(Ok(())));
    let row = now(query::one(&desk, (&views::CUSTOMERS, 1), "c")).unwrap().unwrap();
    assert_eq!((row.version, &row.fields.unwrap()["email"]), (3, &json!("three@x.org")));
}

#[test]
fn a_stream_that_is_long_is_followed_from_wherever_a_row_is() {
    let server = Server::start(0, None).unwrap();
    let desk = Desk::new(&server);
    desk.done(BANK, "a", "Open", json!({ "accountHolderId": "a", "currency": "EUR", "initialDeposit": 0 }));
    for version in 2..=260 {
        desk.plant(json!({
            "eventId": format!("01K1RZXKEYCYQ5MSEQJ4{version:06}"), "eventName": "MoneyDeposited",
            "aggregateName": BANK, "aggregateId": "a", "aggregateVersion": version, "actorId": "ada",
            "amount": 1, "transactionReference": "r", "description": "d",
        }));
    }
    let events = desk.events();
    // What is missing lies far from the end, or (of 260, the last 100 are looked at first) near it. Whatever was read on the
    // way there is taken as well.
    for (generation, hands) in [(1, vec![(0, 1), (1, 2), (149, 260)]), (2, vec![(0, 1), (200, 260)])] {
        let view = Consumer::View(&views::ACCOUNT_BALANCES, generation);
        for (hand, expected) in hands {
            now(nudge(&desk, vec![events[hand].clone()], None, &[view])).unwrap().unwrap();
            let row = now(query::one(&desk, (&views::ACCOUNT_BALANCES, generation), "a")).unwrap().unwrap();
            assert_eq!(
                (row.version, row.fields.unwrap()["balance"].clone()),
                (expected, json!(expected - 1))
            );
        }
    }
    let near = Consumer::View(&views::ACCOUNT_BALANCES, 3);
    now(nudge(&desk, events[..190].to_vec(), None, &[near])).unwrap().unwrap();
    let calls = desk.calls.get();
    now(nudge(&desk, vec![events[199].clone()], None, &[near])).unwrap().unwrap();
    let row = now(query::one(&desk, (&views::ACCOUNT_BALANCES, 3), "a")).unwrap().unwrap();
    // The row, the end of the stream, the row written, what the outbox has; and the row as it is looked at here.
    assert_eq!((row.version, desk.calls.get() - calls), (260, 5));
}
