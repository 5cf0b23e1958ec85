//! The claims that the simulator has to bear out, and a store that has to fail them.
//!
//! `REWOUND_FULL=1` plays ten times as many storms.
#![allow(clippy::disallowed_macros, reason = "a test may say how much it tried")]

use rewound_core::{
    domain::Command,
    sim::{Faults, Ground, Report, Task, World, Writer, audit, explore, storm},
    store::{Answer, Failure, MemoryStore, Record, Reply, Request, Store},
};
use serde_json::{Value, json};

fn task(id: &str, name: &str, fields: Value) -> Task {
    Task::new("BankAccount", id, Command::new(name, fields).unwrap())
}

fn open(id: &str, deposit: i64) -> Task {
    task(id, "Open", json!({"accountHolderId": id, "currency": "EUR", "initialDeposit": deposit}))
}

fn deposit(id: &str, amount: i64) -> Task {
    task(id, "Deposit", json!({"amount": amount, "transactionReference": "in"}))
}

fn withdraw(id: &str, amount: i64) -> Task {
    task(id, "Withdraw", json!({"amount": amount, "transactionReference": "out"}))
}

fn transfer(from: &str, to: &str, transfer: &str, amount: i64) -> Task {
    task(
        from,
        "InitiateTransfer",
        json!({"transferId": transfer, "destinationAccountId": to, "amount": amount}),
    )
}

/// Three writers on one account of 100.00: two want to withdraw 60.00, one deposits 10.00.
fn race<S: Store>(store: S, retries: u32) -> World<S> {
    let writer = |name: &str, task| Writer::new(name, retries, [task]);
    World::new(
        store,
        [open("a", 10_000)],
        [
            writer("ann", withdraw("a", 6_000)),
            writer("bob", withdraw("a", 6_000)),
            writer("cyd", deposit("a", 1_000)),
        ],
    )
}

fn words(report: &Report) -> Vec<Vec<&str>> {
    report.outcomes.iter().map(|o| o.words[1..].iter().map(|words| words[0].as_str()).collect()).collect()
}

#[test]
fn every_interleaving_of_three_writers_keeps_the_books() {
    for rows in [1, 100] {
        let world = race(MemoryStore::with_snapshots(rows), 2);
        let report = explore(&world, 100_000, &|world| audit(world, &world.store));
        assert!(report.complete);
        println!("rows every {rows}: {} interleavings, {} states", report.interleavings, report.states);
        for outcome in &report.outcomes {
            assert_eq!(outcome.violations, [""; 0], "after {:?}", outcome.shortest);
        }
        // Two retries are enough for three writers, so nobody gives up: one withdrawal wins, the other
        // is refused, and the deposit always arrives.
        assert_eq!(
            words(&report),
            [
                ["committed", "insufficient-funds", "committed"],
                ["insufficient-funds", "committed", "committed"]
            ]
        );
        // Merging equal states changes no count: without merging there are as many orders.
        assert_eq!(report.interleavings, count(&world));
    }
}

/// Every order, one by one.
fn count(world: &World<MemoryStore>) -> u128 {
    let waiting: Vec<usize> = world.waiting().collect();
    if waiting.is_empty() {
        return 1;
    }
    let step = |writer| {
        let mut next = world.clone();
        next.step(writer);
        count(&next)
    };
    waiting.into_iter().map(step).sum()
}

#[test]
fn without_retries_some_orders_end_in_contention_and_none_loses_money() {
    let report = explore(&race(MemoryStore::new(), 0), 100_000, &|world| audit(world, &world.store));
    assert!(report.complete);
    assert!(report.outcomes.iter().all(|outcome| outcome.violations.is_empty()), "{report:#?}");
    let contention =
        report.outcomes.iter().filter(|o| o.words.iter().flatten().any(|word| word == "contention"));
    assert!(contention.count() > 0, "{report:#?}");
}

#[test]
fn pinned_versions_let_one_writer_win() {
    let pinned = |name: &str| Writer::new(name, 2, [deposit("a", 1).at_version(1)]);
    let world = World::new(MemoryStore::new(), [open("a", 0)], [pinned("ann"), pinned("bob")]);
    let report = explore(&world, 10_000, &|world| audit(world, &world.store));
    assert_eq!(words(&report), [["committed", "wrong-version"], ["wrong-version", "committed"]]);
}

#[test]
fn one_key_of_two_racing_writers_takes_effect_once() {
    // The same client twice: its first request hangs, and it sends another with the same key.
    let writer = || Writer::new("ann", 2, [deposit("a", 500).with_key("k")]);
    let world = World::new(MemoryStore::new(), [open("a", 0)], [writer(), writer()]);
    let report = explore(&world, 10_000, &|world| {
        let stream = &world.store.stream("BankAccount", "a").unwrap().events;
        if stream.len() == 2 { vec![] } else { vec![format!("{} events", stream.len())] }
    });
    assert!(report.outcomes.iter().all(|outcome| outcome.violations.is_empty()), "{report:#?}");
    assert_eq!(words(&report), [["committed", "repeated"], ["repeated", "committed"]]);
}

/// A store that never does anything.
#[derive(Debug, Clone)]
struct Closed {
    failure: Failure,
    /// How often it was asked, where it counts.
    asked: Option<u64>,
}

impl Store for Closed {
    fn answer(&mut self, _: &Request) -> Reply {
        self.asked = self.asked.map(|asked| asked + 1);
        Reply::one(Err(self.failure.clone()))
    }
}

#[test]
fn a_world_that_never_ends_is_left_and_told() {
    let writers = || ["ann", "bob"].map(|name| Writer::new(name, 2, [deposit("a", 1).with_key("k")]));
    // They ask again and again, and the world is as it was.
    let world = World::new(Closed { failure: Failure::Busy, asked: None }, [], writers());
    let report = explore(&world, 100_000, &|_| vec![]);
    assert!(report.endless && !report.complete && report.outcomes.is_empty(), "{report:#?}");
    assert!(report.states < 1_000, "{}", report.states);
    // It is never as it was: only the number of states ends it.
    let world = World::new(Closed { failure: Failure::Busy, asked: Some(0) }, [], writers());
    let report = explore(&world, 20_000, &|_| vec![]);
    assert!(!report.endless && !report.complete && report.outcomes.is_empty(), "{report:#?}");
    assert_eq!(report.states, 20_000);
}

#[test]
fn more_orders_than_can_be_counted_are_as_many_as_can_be() {
    // C(134, 67) is more than 2^128.
    let writers = ["ann", "bob"].map(|name| Writer::new(name, 0, vec![deposit("a", 1); 67]));
    let world = World::new(Closed { failure: Failure::Refused("no".into()), asked: None }, [], writers);
    let report = explore(&world, 10_000, &|_| vec![]);
    assert_eq!((report.complete, report.states, report.outcomes.len()), (true, 68 * 68, 1));
    assert_eq!(report.interleavings, u128::MAX);
    assert_eq!(report.outcomes[0].shortest.len(), 134);
}

#[test]
fn a_transfer_arrives_or_comes_back_in_every_order() {
    // Two drivers of one transfer, and a destination that may be opened before, between and after them.
    let driver = |name: &str| Writer::new(name, 2, [transfer("a", "b", "t", 600)]);
    let writers = [driver("ann"), driver("abe"), Writer::new("bob", 2, [open("b", 0)])];
    let world = World::new(MemoryStore::with_snapshots(1), [open("a", 1_000)], writers);
    let report = explore(&world, 100_000, &|world| audit(world, &world.store));
    assert!(report.complete);
    let wrong: Vec<_> = report.outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let ended =
        |word: &str| report.outcomes.iter().any(|o| o.words.iter().flatten().any(|found| found == word));
    assert!(ended("settled") && ended("not-found"), "{report:#?}");
}

/// A few accounts, a few writers, each with some commands of every kind.
fn town<S: Store>(store: S, seed: u64) -> World<S> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let accounts = ["a", "b", "c"];
    let closed = task("z", "Close", json!({"reason": "moved"}));
    let dollars = task("d", "Open", json!({"accountHolderId": "d", "currency": "USD", "initialDeposit": 0}));
    let setup = accounts.map(|id| open(id, 10_000)).into_iter().chain([open("z", 0), closed, dollars]);
    let writers: Vec<Writer> = (0..rng.usize(2..5))
        .map(|writer| {
            let mut pick = || accounts[rng.usize(0..3)];
            let (from, to, third) = (pick(), pick(), pick());
            let mut tasks = Vec::new();
            for index in 0..rng.usize(1..5) {
                let amount = rng.i64(1..6_000);
                let name = format!("{writer}-{index}");
                let new = match rng.u32(0..9) {
                    // What was refused for want of a destination may find it the next time.
                    8 => open("nobody", 0),
                    0 | 1 => deposit(from, amount),
                    2 | 3 => withdraw(from, amount),
                    // To a closed account, one in another currency, one that does not exist, or itself.
                    4 => transfer(from, ["z", "d", "nobody", from][rng.usize(0..4)], &name, amount),
                    _ => transfer(third, to, &name, amount),
                };
                // Some commands are sent once, some with a key, some twice with the same key. A transfer
                // always has one: its saga starts where its sender knows that it was initiated.
                match rng.u32(0..3) {
                    0 if new.command.name != "InitiateTransfer" => tasks.push(new),
                    1 => tasks.push(new.with_key(name)),
                    _ => tasks.extend([new.clone().with_key(name.clone()), new.with_key(name)]),
                }
            }
            Writer::new(&format!("w{writer}"), 3, tasks)
        })
        .collect();
    World::new(store, setup, writers)
}

#[test]
fn money_and_history_survive_every_storm() {
    let full = std::env::var_os("REWOUND_FULL").is_some();
    let storms = if full { 100_000 } else { 10_000 };
    let (mut ends, mut events) = (std::collections::BTreeMap::<String, u32>::new(), 0);
    for seed in 0..storms {
        let mut world = town(MemoryStore::with_snapshots([1, 3, 100][seed as usize % 3]), seed);
        storm(&mut world, seed, &Faults::ALL, 5_000).unwrap();
        let wrong = audit(&world, &world.store);
        assert_eq!(wrong, [""; 0], "seed {seed}");
        for ended in world.writers().iter().flat_map(Writer::ended) {
            *ends.entry(ended.word()).or_default() += 1;
        }
        events += world.store.streams().map(|(.., stored)| stored.events.len()).sum::<usize>();
    }
    println!("{storms} storms, {events} events: {ends:?}");
    // The storms are no breeze: everything that can happen to a command happened.
    for word in [
        "committed",
        "repeated",
        "insufficient-funds",
        "uncertain",
        "contention",
        "not-found",
        "account-closed",
        "currency-mismatch",
        "transfer-to-self",
        "settled",
    ] {
        assert!(ends.contains_key(word), "no command ended as {word}: {ends:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_storm() {
    let play = |seed| {
        let mut world = town(MemoryStore::new(), 7);
        storm(&mut world, seed, &Faults::ALL, 5_000).unwrap();
        format!("{world:?}")
    };
    assert_eq!(play(1), play(1));
    assert_ne!(play(1), play(2));
}

/// The test of the tests.
#[test]
fn a_store_that_ignores_the_expected_version_is_found_out() {
    let world = race(Ground::new(false, &[]).unwrap(), 2);
    let report = explore(&world, 100_000, &|world| audit(world, &world.store.memory));
    let mut violations = report.outcomes.iter().flat_map(|outcome| &outcome.violations);
    assert!(violations.any(|wrong| wrong.contains("is overdrawn: -1000")), "{report:#?}");

    let found = (0..200).filter(|seed| {
        let mut world = town(Ground::new(false, &[]).unwrap(), *seed);
        let done = storm(&mut world, *seed, &Faults::ALL, 5_000);
        done.is_err() || !audit(&world, &world.store.memory).is_empty()
    });
    let found = found.count();
    assert!(found > 100, "only {found} of 200 storms found the broken store");
}

/// A store that answers some requests in its own way.
#[derive(Debug, Clone)]
struct Lying(MemoryStore, fn(&mut MemoryStore, &Request) -> Option<Reply>);

impl Store for Lying {
    fn answer(&mut self, request: &Request) -> Reply {
        (self.1)(&mut self.0, request).unwrap_or_else(|| self.0.answer(request))
    }
}

#[test]
fn a_store_that_lies_is_found_out() {
    let found = |lie: fn(&mut MemoryStore, &Request) -> Option<Reply>, expected: &str| {
        let writer = Writer::new("ann", 2, [deposit("a", 5).with_key("k")]);
        let mut world = World::new(Lying(MemoryStore::new(), lie), [open("a", 0)], [writer]);
        let calm = Faults { busy: 0, dropped: 0, lost: 0, twice: 0, late: 0, crash: 0, again: 0, behind: 0 };
        storm(&mut world, 1, &calm, 100).unwrap();
        let wrong = audit(&world, &world.store.0);
        assert!(wrong.len() == 1 && wrong[0].contains(expected), "{expected}: {wrong:#?}");
    };
    // It gives the opening for what an earlier run with the key did, and deposits nothing.
    let another_effect = |_: &mut MemoryStore, request: &Request| match request {
        Request::Commit(commit) => {
            let record = commit.records.first()?.clone();
            Some(Reply::one(Ok(Answer::KeyTaken(Record { first: 1, last: 1, ..record }))))
        }
        _ => None,
    };
    found(another_effect, "ann-1 was told that it repeats");
    // It lists the account with another actor than the last.
    let another_actor = |store: &mut MemoryStore, request: &Request| match request {
        Request::Commit(commit) => {
            let mut commit = commit.clone();
            commit.snapshot.meta.actor = "eve".into();
            Some(store.answer(&Request::Commit(commit)))
        }
        _ => None,
    };
    found(another_actor, "the head of a is");
}
