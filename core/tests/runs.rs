//! A command run meets everything that a store can do to it.

use rewound_core::{
    domain::{Command, Sender, Snapshot},
    domains::{self, transfer},
    error::{Error, Problem},
    event::Event,
    run::{CommandRun, Done, Options, Step, run},
    store::{Answer, Failure, KEY_LIFETIME, Loaded, MemoryStore, Page, Reply, Request, Store},
};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000_000;

fn open() -> Command {
    Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 1_000}))
        .unwrap()
}

fn deposit(amount: i64) -> Command {
    Command::new("Deposit", json!({"amount": amount, "transactionReference": "in"})).unwrap()
}

fn withdraw(amount: i64) -> Command {
    Command::new("Withdraw", json!({"amount": amount, "transactionReference": "out"})).unwrap()
}

fn by(actor: &str) -> Sender {
    Sender { actor: actor.into(), now: NOW, random: 1, ..Sender::default() }
}

fn keyed(key: &str) -> Options {
    Options { idempotency_key: Some(key.into()), ..Options::default() }
}

/// How a run went: its end, what it asked for by name, and its waits in milliseconds.
struct Trip {
    result: Result<Done, Error>,
    asked: Vec<&'static str>,
    waits: Vec<u64>,
}

/// Runs a command, handing each request to `store`.
fn trip(
    command: Command,
    options: Options,
    now: u64,
    mut store: impl FnMut(usize, &Request) -> Reply,
) -> Trip {
    let bank = domains::find("BankAccount").unwrap();
    let mut run = CommandRun::new(bank, "a", command, by("ada"), options);
    let (mut asked, mut waits, mut reply) = (Vec::new(), Vec::new(), None);
    loop {
        match run.next(reply.take(), now, 7) {
            Step::Ask(request) => {
                reply = Some(store(asked.len(), &request));
                asked.push(match &request {
                    Request::Load { .. } => "load",
                    Request::Events { .. } => "events",
                    Request::Record { .. } => "record",
                    Request::Commit(_) => "commit",
                    Request::List { .. } => "list",
                    Request::Rewrite { .. } => "rewrite",
                });
                assert!(asked.len() < 100, "the run does not end");
            }
            Step::Wait(milliseconds) => waits.push(milliseconds),
            Step::Done(result) => {
                assert_eq!(run.cost().requests as usize, asked.len());
                return Trip { result, asked, waits };
            }
        }
    }
}

fn on(store: &mut MemoryStore, command: Command, options: Options) -> Trip {
    trip(command, options, NOW, |_, request| store.answer(request))
}

/// A store whose rows are always current, as on DynamoDB, with an account of 10.00.
fn rows() -> MemoryStore {
    let mut store = MemoryStore::with_snapshots(1);
    on(&mut store, open(), Options::default()).result.unwrap();
    store
}

fn versions(store: &MemoryStore) -> Vec<u64> {
    store.stream("BankAccount", "a").unwrap().events.iter().map(Event::version).collect()
}

#[test]
fn a_command_asks_as_little_as_it_can() {
    let mut store = MemoryStore::with_snapshots(1);
    let created = on(&mut store, open(), Options::default());
    assert_eq!(created.asked, ["commit"]);
    let cold = on(&mut store, deposit(5), Options::default());
    assert_eq!(cold.asked, ["load", "commit"]);
    let cached = cold.result.unwrap().snapshot;
    let warm = Options { cached: cached.clone(), ..Options::default() };
    let done = on(&mut store, deposit(6), warm.clone());
    assert_eq!(done.asked, ["commit"]);
    // The cache is old now: the winner's row comes back with the conflict.
    let late = on(&mut store, deposit(7), warm.clone());
    assert_eq!((late.asked, late.waits), (vec!["commit", "commit"], vec![]));
    assert_eq!(late.result.unwrap().version(), 4);
    // What writes nothing is decided again on what is there: the cached state would allow this.
    on(&mut store, withdraw(1_018), Options::default()).result.unwrap();
    let refused = on(&mut store, withdraw(1_005), warm.clone());
    assert_eq!(refused.asked, ["commit"]);
    assert!(matches!(refused.result, Err(Error::Rejected(rule)) if rule.code == "insufficient-funds"));
    // And this one is refused by the cached state, and allowed by the real one.
    on(&mut store, deposit(5_000), Options::default()).result.unwrap();
    let allowed = on(&mut store, withdraw(4_000), warm);
    assert_eq!(allowed.asked, ["load", "commit"]);
    allowed.result.unwrap();
    let twice = on(&mut store, open(), Options { retries: 0, ..Options::default() });
    assert!(matches!(twice.result, Err(Error::Rejected(rule)) if rule.code == "already-exists"));
    let malformed = on(&mut store, deposit(0), Options::default());
    assert_eq!(malformed.asked, [""; 0]);
    assert!(matches!(malformed.result, Err(Error::Invalid(issues)) if issues[0].pointer == "/amount"));
}

#[test]
fn a_pinned_version_is_kept_to() {
    let mut store = rows();
    let pinned = |version| Options { expected_version: Some(version), ..Options::default() };
    let wrong = |expected, actual| Err(Error::WrongVersion { expected, actual });
    assert_eq!(on(&mut store, deposit(1), pinned(2)).result, wrong(2, 1));
    assert_eq!(on(&mut store, deposit(1), pinned(0)).result, wrong(0, 1));
    assert_eq!(on(&mut store, open(), pinned(0)).result, wrong(0, 1));
    assert_eq!(on(&mut store, deposit(1), pinned(1)).result.unwrap().version(), 2);
    // Somebody is quicker between the load and the commit: no retry, and the truth about the version.
    let mut raced = rows();
    let trip = trip(deposit(1), pinned(1), NOW, |_, request| {
        if let Request::Commit(_) = request {
            run(
                &mut raced,
                domains::find("BankAccount").unwrap(),
                "a",
                deposit(9),
                &by("eve"),
                Options::default(),
            )
            .unwrap();
        }
        raced.answer(request)
    });
    assert_eq!((trip.result, trip.asked), (wrong(1, 2), vec!["load", "commit"]));
}

#[test]
fn conflicts_are_retried_with_growing_waits_and_then_given_up() {
    let mut store = rows();
    let mut eve = 0;
    let mut busy_store = |_, request: &Request| {
        if let Request::Commit(_) = request {
            eve += 1;
            run(
                &mut store,
                domains::find("BankAccount").unwrap(),
                "a",
                deposit(eve),
                &by("eve"),
                Options::default(),
            )
            .unwrap();
        }
        store.answer(request)
    };
    let lost = trip(deposit(1), Options::default(), NOW, &mut busy_store);
    assert_eq!(lost.result, Err(Error::Contention { attempts: 4, expected: 4, actual: Some(5) }));
    assert_eq!(lost.asked, ["load", "commit", "commit", "commit", "commit"]);
    // 50 ms times the attempt, and 7 of up to 50 by chance.
    assert_eq!(lost.waits, [57, 107, 157]);
}

#[test]
fn a_lost_answer_is_asked_for_again_and_the_effect_is_single() {
    for written in [true, false] {
        let mut store = rows();
        let trip = trip(deposit(5), Options::default(), NOW, |index, request| match index {
            1 => {
                if written {
                    store.answer(request);
                }
                Reply::one(Err(Failure::Lost))
            }
            _ => store.answer(request),
        });
        assert_eq!(trip.result.unwrap().version(), 2);
        assert_eq!(versions(&store), [1, 2]);
        let expected: &[&str] =
            if written { &["load", "commit", "commit", "events"] } else { &["load", "commit", "commit"] };
        assert_eq!(trip.asked, expected);
    }
}

#[test]
fn a_lost_answer_and_another_writer_are_told_apart() {
    let mut store = rows();
    let trip = trip(deposit(5), Options::default(), NOW, |index, request| {
        if index == 1 {
            // It never arrived, and eve was quicker.
            run(
                &mut store,
                domains::find("BankAccount").unwrap(),
                "a",
                deposit(9),
                &by("eve"),
                Options::default(),
            )
            .unwrap();
            return Reply::one(Err(Failure::Lost));
        }
        store.answer(request)
    });
    assert_eq!(trip.result.unwrap().version(), 3);
    assert_eq!(trip.asked, ["load", "commit", "commit", "events", "commit"]);
}

#[test]
fn a_store_that_stays_silent_is_an_honest_error() {
    let mut store = rows();
    let silent = trip(deposit(5), Options::default(), NOW, |index, request| match index {
        0 => store.answer(request),
        _ => Reply::one(Err(Failure::Lost)),
    });
    let Err(error @ Error::Store { retryable: true, uncertain: true, .. }) = silent.result else { panic!() };
    assert!(error.to_string().contains("may have taken effect"), "{error}");
    assert_eq!(silent.waits, [57, 107, 157, 207, 257]);

    let busy = trip(deposit(5), Options::default(), NOW, |_, _| Reply::one(Err(Failure::Busy)));
    assert!(matches!(busy.result, Err(Error::Store { retryable: true, uncertain: false, .. })));
    assert_eq!(busy.asked, ["load"; 6]);

    let refused = trip(deposit(5), Options::default(), NOW, |_, _| {
        Reply::one(Err(Failure::Refused("no such table".into())))
    });
    let error = Error::Store { message: "no such table".into(), retryable: false, uncertain: false };
    assert_eq!(refused.result, Err(error));
}

#[test]
fn answers_that_make_no_sense_are_errors() {
    let nonsense = [
        Answer::Committed,
        Answer::List(Page { items: vec![], next: None }),
        Answer::Events(Page { items: vec![], next: None }),
        Answer::Record(None),
        Answer::Loaded(Loaded { version: 9, snapshot: None }),
    ];
    for answer in nonsense {
        let trip = trip(deposit(5), Options::default(), NOW, |_, _| Reply::one(Ok(answer.clone())));
        assert!(
            matches!(trip.result, Err(Error::Store { retryable: false, .. })),
            "{answer:?}: {:?}",
            trip.result
        );
    }
}

#[test]
fn a_key_takes_effect_once_and_the_repeat_gets_the_first_answer() {
    let mut store = rows();
    let first = on(&mut store, withdraw(1_000), keyed("k")).result.unwrap();
    on(&mut store, deposit(77), Options::default()).result.unwrap();
    // Decided anew it would be refused: the money is gone.
    let again = on(&mut store, withdraw(1_000), keyed("k"));
    assert_eq!(again.asked, ["load", "record", "events"]);
    assert_eq!(again.result, Ok(Done { repeated: true, ..first }));
    let other = on(&mut store, withdraw(1), keyed("k")).result;
    assert_eq!(other, Err(Error::KeyReused { key: "k".into() }));
    // Keys are each actor's own.
    let bank = domains::find("BankAccount").unwrap();
    run(&mut store, bank, "a", withdraw(1), &by("eve"), keyed("k")).unwrap();
    assert_eq!(versions(&store), [1, 2, 3, 4]);

    // After 72 hours the key is free.
    let later = |store: &mut MemoryStore, now| {
        trip(deposit(3), keyed("d"), now, |_, request| store.answer(request)).result.unwrap()
    };
    assert!(!later(&mut store, NOW).repeated);
    assert!(later(&mut store, NOW + KEY_LIFETIME).repeated);
    assert!(!later(&mut store, NOW + KEY_LIFETIME + 1).repeated);
}

#[test]
fn a_repeat_right_behind_its_command_asks_for_its_event_alone() {
    let mut store = rows();
    for _ in 0..20 {
        on(&mut store, deposit(1), Options::default()).result.unwrap();
    }
    let first = on(&mut store, withdraw(1_000), keyed("k")).result.unwrap();
    let version = first.version();
    let cached = Options { cached: first.snapshot.clone(), ..keyed("k") };
    for (options, path) in
        [(keyed("k"), &["load", "record", "events"][..]), (cached, &["load", "record", "events"])]
    {
        let mut after = Vec::new();
        let again = trip(withdraw(1_000), options, NOW, |_, request| {
            if let Request::Events { after: behind, limit, .. } = request {
                after.push((*behind, *limit));
            }
            store.answer(request)
        });
        assert_eq!((again.asked.as_slice(), after), (path, vec![(version - 1, 1)]));
        assert_eq!(again.result, Ok(Done { repeated: true, ..first.clone() }));
    }
}

#[test]
fn a_key_is_its_actors_own_whatever_their_names_hold() {
    let mut store = rows();
    let bank = domains::find("BankAccount").unwrap();
    for (amount, (actor, key)) in (1..).zip([("a", "b#c"), ("a#b", "c"), ("a%23b", "c")]) {
        let done = run(&mut store, bank, "a", deposit(amount), &by(actor), keyed(key));
        assert!(!done.unwrap().repeated, "{actor} {key}");
    }
    let keys: Vec<&str> = store.records().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["idem#a#b#c", "idem#a%23b#c", "idem#a%2523b#c"]);
}

#[test]
fn with_a_key_nothing_is_answered_before_its_record_was_looked_up() {
    let mut store = rows();
    let refused = on(&mut store, withdraw(5_000), keyed("k"));
    assert_eq!(refused.asked, ["load", "record"]);
    assert!(matches!(refused.result, Err(Error::Rejected(_))));
    // A rejection is not recorded: with more money the same key succeeds.
    on(&mut store, deposit(9_000), Options::default()).result.unwrap();
    assert!(!on(&mut store, withdraw(5_000), keyed("k")).result.unwrap().repeated);
    // A version that was right at the first time is right at the repeat.
    let pinned = Options { expected_version: Some(3), ..keyed("p") };
    let first = on(&mut store, deposit(1), pinned.clone()).result.unwrap();
    assert_eq!(on(&mut store, deposit(1), pinned).result, Ok(Done { repeated: true, ..first }));
}

#[test]
fn a_saga_step_takes_effect_once_for_good_whoever_repeats_it() {
    let mut store = rows();
    let bank = domains::find("BankAccount").unwrap();
    let receive = |amount: i64| {
        Command::new(
            "ReceiveTransfer",
            json!({"transferId": "t", "sourceAccountId": "b", "amount": amount, "currency": "EUR"}),
        )
        .unwrap()
    };
    let first = run(&mut store, bank, "a", receive(5), &by("saga-1"), Options::default()).unwrap();
    let mut later = by("saga-2");
    later.now += 1_000 * KEY_LIFETIME;
    let again = run(&mut store, bank, "a", receive(5), &later, keyed("any")).unwrap();
    assert_eq!(again, Done { repeated: true, ..first });
    let other = run(&mut store, bank, "a", receive(6), &later, Options::default());
    let key = "once#BankAccount#b#outcome/t".to_owned();
    assert_eq!(other, Err(Error::Settled { key, id: "a".into(), version: 2 }));
    assert_eq!(versions(&store), [1, 2]);
}

#[test]
fn a_saga_step_takes_its_callers_key_too() {
    let mut store = rows();
    let initiate = |transfer: &str, amount: i64| {
        let fields = json!({"transferId": transfer, "destinationAccountId": "b", "amount": amount});
        Command::new("InitiateTransfer", fields).unwrap()
    };
    let reused = || Err(Error::KeyReused { key: "k".into() });
    let first = on(&mut store, initiate("t1", 1), keyed("k")).result.unwrap();
    let keys: Vec<&str> = store.records().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["idem#ada#k", "once#BankAccount#a#initiate/t1"]);
    // Whatever else is sent with the key is another command, of whatever kind.
    assert_eq!(on(&mut store, deposit(1), keyed("k")).result, reused());
    assert_eq!(on(&mut store, initiate("t2", 1), keyed("k")).result, reused());
    assert_eq!(on(&mut store, initiate("t1", 1), keyed("k")).result, Ok(Done { repeated: true, ..first }));
    // The caller's mistake is told, and not the first answer of a step that took effect without the key.
    on(&mut store, initiate("t2", 2), Options::default()).result.unwrap();
    assert_eq!(on(&mut store, initiate("t2", 2), keyed("k")).result, reused());
    let settled = on(&mut store, initiate("t2", 3), keyed("new"));
    assert!(matches!(settled.result, Err(Error::Settled { .. })), "{:?}", settled.result);
    // Before a refusal every key is looked up, in one request.
    let refused = on(&mut store, initiate("t3", 5_000), keyed("new"));
    assert_eq!(refused.asked, ["load", "record"]);
    assert!(matches!(refused.result, Err(Error::Rejected(rule)) if rule.code == "insufficient-funds"));
    assert_eq!(versions(&store), [1, 2, 3]);
}

#[test]
fn a_transfer_that_came_back_never_arrives_as_well() {
    let mut store = rows();
    let bank = domains::find("BankAccount").unwrap();
    let mut send =
        |id: &str, command: Command, by: &Sender| run(&mut store, bank, id, command, by, Options::default());
    let transfer = |id: &str| {
        let fields = json!({"transferId": id, "destinationAccountId": "b#1", "amount": 600});
        Command::new("InitiateTransfer", fields).unwrap()
    };
    let next =
        |done: &Done| transfer::after(&done.events[0], &done.snapshot.as_ref().unwrap().state).unwrap();
    // The destination is not there: the money comes back.
    let receive = next(&send("a", transfer("t1"), &by("ada")).unwrap());
    let missing = send(&receive.aggregate_id, receive.command.clone(), &by("saga")).unwrap_err();
    let reverse = transfer::instead(&receive, &missing).unwrap();
    let first = send(&reverse.aggregate_id, reverse.command.clone(), &by("saga")).unwrap();
    assert_eq!(first.snapshot.as_ref().unwrap().state["balance"], 1_000);
    // It is opened meanwhile, and another driver starts over: the transfer is settled, and it knows so.
    send("b#1", open(), &by("eve")).unwrap();
    let late = send(&receive.aggregate_id, receive.command.clone(), &by("other saga")).unwrap_err();
    let settled = |id: &str, transfer: &str, version: u64| Error::Settled {
        key: format!("once#BankAccount#a#outcome/{transfer}"),
        id: id.into(),
        version,
    };
    assert_eq!(late, settled("a", "t1", 3));
    assert_eq!(transfer::instead(&receive, &late), None);
    let again = send(&reverse.aggregate_id, reverse.command.clone(), &by("other saga"));
    assert_eq!(again, Ok(Done { repeated: true, ..first }));
    // The other way round: what arrived is never taken back, before it is complete and after.
    let receive = next(&send("a", transfer("t2"), &by("ada")).unwrap());
    let reverse = transfer::instead(&receive, &missing).unwrap();
    let first = send(&receive.aggregate_id, receive.command.clone(), &by("saga")).unwrap();
    let complete = next(&first);
    for repeated in [false, true] {
        let refused = send(&reverse.aggregate_id, reverse.command.clone(), &by("other saga")).unwrap_err();
        assert_eq!(refused, settled("b#1", "t2", 2));
        assert_eq!(transfer::instead(&reverse, &refused).as_ref(), Some(&complete));
        let done = send(&complete.aggregate_id, complete.command.clone(), &by("saga")).unwrap();
        assert_eq!((done.repeated, &done.snapshot.unwrap().state["balance"]), (repeated, &json!(400)));
    }
    let again = send(&receive.aggregate_id, receive.command.clone(), &by("other saga"));
    assert_eq!(again, Ok(Done { repeated: true, ..first }));
    assert_eq!(store.stream("BankAccount", "b#1").unwrap().events.len(), 2);
}

#[test]
fn no_event_is_an_answer_too() {
    let mut store = MemoryStore::new();
    let customer = domains::find("Customer").unwrap();
    let mut send = |name: &str, fields: Value| {
        run(&mut store, customer, "c", Command::new(name, fields).unwrap(), &by("ada"), Options::default())
            .unwrap()
    };
    send("Register", json!({"email": "ada@example.com", "name": "Ada"}));
    let same = send("UpdateEmail", json!({"newEmail": "ada@example.com"}));
    assert_eq!((same.events.len(), same.version(), same.repeated), (0, 1, false));
}

#[test]
fn order_never_depends_on_the_clock() {
    let mut store = rows();
    let first = store.stream("BankAccount", "a").unwrap().events[0].clone();
    for now in [0, NOW - 3_600_000, NOW] {
        trip(deposit(1), Options::default(), now, |_, request| store.answer(request)).result.unwrap();
    }
    let events = &store.stream("BankAccount", "a").unwrap().events;
    assert_eq!(events[1].time(), first.time() + 1);
    assert!(events.iter().map(Event::id).is_sorted_by(|a, b| a < b));
}

#[test]
fn a_row_without_its_time_costs_one_more_request() {
    // A foreign writer's first version does not say when it was written.
    let mut store = rows();
    let last = store.stream("BankAccount", "a").unwrap().events[0].clone();
    let trip = trip(deposit(1), Options::default(), 0, |_, request| {
        let mut reply = store.answer(request);
        if let Ok(Answer::Loaded(Loaded { snapshot: Some(snapshot), .. })) = &mut reply.result {
            snapshot.meta.updated_at = None;
        }
        reply
    });
    assert_eq!(trip.asked, ["load", "events", "commit"]);
    assert_eq!(trip.result.unwrap().events[0].time(), last.time() + 1);
}

#[test]
fn a_snapshot_that_cannot_be_used_is_replayed() {
    let mut store = rows();
    for amount in 1..5 {
        on(&mut store, deposit(amount), Options::default()).result.unwrap();
    }
    let change = |change: fn(&mut Snapshot)| {
        let mut store = store.clone();
        let trip = trip(deposit(100), Options::default(), NOW, |_, request| {
            let mut reply = store.answer(request);
            if let Ok(Answer::Loaded(Loaded { snapshot: Some(snapshot), .. })) = &mut reply.result {
                change(snapshot);
            }
            reply
        });
        assert_eq!(trip.result.unwrap().snapshot.unwrap().state["balance"], 1_110);
        trip.asked
    };
    assert_eq!(change(|_| {}), ["load", "commit"]);
    // Another reducer wrote it: its numbers mean nothing here.
    assert_eq!(
        change(|snapshot| {
            snapshot.fingerprint += 1;
            snapshot.state.insert("balance".into(), 1.into());
        }),
        ["load", "events", "commit"]
    );
    assert_eq!(
        change(|snapshot| {
            snapshot.state.insert("balance".into(), "a lot".into());
        }),
        ["load", "events", "commit"]
    );
    assert_eq!(
        change(|snapshot| {
            snapshot.state.clear();
        }),
        ["load", "events", "commit"]
    );
    assert_eq!(change(|snapshot| snapshot.meta.version = 99), ["load", "events", "commit"]);
}

#[test]
fn a_stream_that_does_not_reduce_is_never_written_to() {
    let store = rows();
    let gap: Vec<Event> = {
        let mut fields = store.stream("BankAccount", "a").unwrap().events[0].fields();
        fields.insert("aggregateVersion".into(), 2.into());
        vec![Event::parse(&Value::Object(fields).to_string()).unwrap()]
    };
    let trip = trip(deposit(1), Options::default(), NOW, |_, request| {
        Reply::one(Ok(match request {
            Request::Load { .. } => Answer::Loaded(Loaded { version: 2, snapshot: None }),
            Request::Events { .. } => Answer::Events(Page { items: gap.clone(), next: None }),
            other => panic!("asked for {other:?}"),
        }))
    });
    let Err(Error::Reduce(error)) = trip.result else { panic!() };
    assert_eq!((error.version, error.problem), (2, Problem::Gap { expected: 1 }));
}

#[test]
fn a_key_that_was_taken_during_the_wait_is_looked_up_again() {
    // Snapshots are rare, so a conflict reads events; meanwhile the twin with the same key wins.
    let mut store = MemoryStore::new();
    on(&mut store, open(), Options::default()).result.unwrap();
    let bank = domains::find("BankAccount").unwrap();
    let trip = trip(withdraw(1_000), keyed("k"), NOW, |index, request| {
        if let Request::Commit(_) = request {
            run(&mut store, bank, "a", deposit(1), &by("eve"), Options::default()).unwrap();
        }
        let reply = store.answer(request);
        if index == 2 {
            run(&mut store, bank, "a", withdraw(1_000), &by("ada"), keyed("k")).unwrap();
        }
        reply
    });
    assert!(trip.result.unwrap().repeated, "{:?}", trip.asked);
}

#[test]
fn a_cached_state_of_another_aggregate_is_not_used() {
    let mut store = rows();
    let bank = domains::find("BankAccount").unwrap();
    let other = run(&mut store, bank, "b", open(), &by("ada"), Options::default()).unwrap().snapshot;
    let done = on(&mut store, deposit(1), Options { cached: other, ..Options::default() }).result.unwrap();
    assert!(done.events.iter().all(|event| event.aggregate_id() == "a"));
}
