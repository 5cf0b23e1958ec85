//! Races step by step: what is kept of each step, what goes wrong on request, every order in slices, and the tests
//! that are written of them.

use rewound_core::{
    domain::Command,
    error::Error,
    sim::{
        Did, Exploration, Kind, Loss, Repair, Role, Scenario, Scene, TOLERANCE, explore, javascript_test,
        rust_test,
    },
    store::{Answer, Failure, Request},
};
use serde_json::{Value, json};
use std::cell::Cell;

fn command(name: &str, fields: Value) -> Command {
    Command::new(name, fields).unwrap()
}

fn withdraw(amount: i64) -> Command {
    command("Withdraw", json!({ "amount": amount, "transactionReference": "out" }))
}

fn deposit(amount: i64) -> Command {
    command("Deposit", json!({ "amount": amount, "transactionReference": "in" }))
}

/// An account of 100.00, and these writers.
fn race(roles: impl IntoIterator<Item = Role>) -> Scenario {
    let open = json!({ "accountHolderId": "ada", "currency": "EUR", "initialDeposit": 10_000 });
    let start = Scenario::history("BankAccount", "a1", "bank", [command("Open", open)], 1_000).unwrap();
    Scenario {
        title: "A race".to_owned(),
        aggregate: "BankAccount",
        id: "a1".to_owned(),
        start,
        roles: roles.into_iter().collect(),
        is_locking: true,
    }
}

fn overdraft() -> Scenario {
    race([Role::new("ada", withdraw(6_000)), Role::new("bob", withdraw(6_000))])
}

fn kinds(scene: &Scene) -> Vec<(usize, &'static str)> {
    scene.steps().iter().map(|step| (step.role, step.kind().word())).collect()
}

fn played(scenario: Scenario, requests: &[usize]) -> Scene {
    Scene::of_requests(scenario, requests).unwrap()
}

#[test]
fn each_step_says_what_it_was() {
    let mut scene = Scene::new(overdraft()).unwrap();
    assert_eq!((scene.next(0), scene.next(1), scene.next(2)), (Some(Kind::Load), Some(Kind::Load), None));
    for role in [0, 1, 0, 1, 0, 1, 1] {
        assert!(scene.step(role));
    }
    assert!(scene.is_over() && !scene.step(0) && !scene.step(7));
    let expected =
        [(0, "load"), (1, "load"), (0, "decide"), (1, "decide"), (0, "commit"), (1, "commit"), (1, "decide")];
    assert_eq!(kinds(&scene), expected);

    let steps = scene.steps();
    let Did::Decided(first) = &steps[2].did else { panic!("{:?}", steps[2]) };
    assert_eq!(first.on.as_ref().unwrap().state["balance"], 10_000);
    assert_eq!(first.result.as_ref().unwrap()[0].name(), "MoneyWithdrawn");
    assert_eq!(steps[4].row.as_ref().unwrap().state["balance"], 4_000);
    assert_eq!(steps[4].ended.as_ref().unwrap().word(), "committed");
    assert_eq!((steps[4].conflict(), steps[5].conflict()), (None, Some((1, 2))));
    assert_eq!(steps[5].row, None);
    // The winner's row came back with the conflict, and the retry is decided on it.
    let Did::Decided(retry) = &steps[6].did else { panic!("{:?}", steps[6]) };
    assert_eq!(retry.on.as_ref().unwrap().state["balance"], 4_000);
    assert!(
        matches!(&retry.result, Err(Error::Rejected(rejection)) if rejection.code == "insufficient-funds")
    );
    assert_eq!(steps[6].ended.as_ref().unwrap().word(), "insufficient-funds");

    assert_eq!(scene.requests(), [0, 1, 0, 1]);
    let end = scene.end();
    assert_eq!(end.words, [["committed"], ["insufficient-funds"]]);
    assert_eq!((end.version, end.events.len(), &end.state["balance"]), (2, 2, &json!(4_000)));
    assert_eq!(end.violations, [""; 0]);
}

#[test]
fn a_retry_waits_between_its_decision_and_its_commit() {
    let scene = played(race([Role::new("ada", deposit(1)), Role::new("bob", deposit(2))]), &[0, 1, 0, 1, 1]);
    let bob: Vec<_> =
        kinds(&scene).into_iter().filter(|(role, _)| *role == 1).map(|(_, kind)| kind).collect();
    assert_eq!(bob, ["load", "decide", "commit", "decide", "wait", "commit"]);
    let waited = scene.steps().iter().find_map(|step| match step.did {
        Did::Waited(time) => Some(time),
        _ => None,
    });
    assert_eq!(waited, Some(52), "50 ms times the attempt, and bob's own chance");
    assert_eq!(scene.end().words, [["committed"], ["committed"]]);
    // Of one who creates, the decision comes first.
    let open = json!({ "accountHolderId": "ada", "currency": "EUR" });
    let create = race([Role::new("ada", command("Open", open))]);
    let scene = played(Scenario { start: Vec::new(), ..create }, &[]);
    assert_eq!(kinds(&scene), [(0, "decide"), (0, "commit")]);
}

#[test]
fn who_may_not_retry_gives_up_and_who_insists_is_told() {
    let never = |name: &str| Role { retries: 0, ..Role::new(name, deposit(1)) };
    let scene = played(race([never("ada"), never("bob")]), &[0, 1, 0, 1]);
    assert_eq!(scene.end().words, [["committed"], ["contention"]]);
    // A key lets others send it again; the writer itself does not.
    let keyed = |name: &str| Role { idempotency_key: Some("k".to_owned()), ..never(name) };
    let scene = played(race([keyed("ada"), keyed("bob")]), &[0, 1, 0, 1]);
    assert_eq!(scene.end().words, [["committed"], ["contention"]]);
    let pinned = |name: &str| Role { expected_version: Some(1), ..Role::new(name, deposit(1)) };
    let scene = played(race([pinned("ada"), pinned("bob")]), &[0, 0, 1]);
    assert_eq!(scene.end().words, [["committed"], ["wrong-version"]]);
    let last = scene.steps().last().unwrap();
    assert!(matches!(&last.did, Did::Decided(decision) if decision.result.is_err()), "{last:?}");
}

#[test]
fn a_lost_answer_is_found_by_the_run_and_by_the_key() {
    let losing = |loss, key: Option<&str>| {
        let key = key.map(str::to_owned);
        let scene =
            played(race([Role { loss, idempotency_key: key, ..Role::new("ada", deposit(500)) }]), &[]);
        let kinds: Vec<&str> = scene.steps().iter().map(|step| step.kind().word()).collect();
        (kinds.join(", "), scene.end())
    };
    // The run asks who won, and finds itself.
    let (kinds, end) = losing(Loss::Answer, None);
    assert_eq!(kinds, "load, decide, commit, wait, commit, read events");
    assert_eq!((end.words, end.version), (vec![vec!["committed".to_owned()]], 2));
    assert_eq!(end.violations, [""; 0]);
    // Nobody asks, and the command is sent again.
    let (kinds, end) = losing(Loss::Sender, None);
    assert_eq!(kinds, "load, decide, commit, send again, load, decide, commit");
    assert_eq!((end.words[0].join(" "), end.version), ("uncertain committed".to_owned(), 3));
    assert!(end.violations[0].contains("took effect 2 times"), "{:?}", end.violations);
    let (_, end) = losing(Loss::Sender, Some("k"));
    assert_eq!((end.words[0].join(" "), end.version), ("repeated".to_owned(), 2));
    assert_eq!(end.violations, [""; 0]);
}

#[test]
fn a_clock_that_is_off_orders_nothing_and_one_too_far_off_is_corrected() {
    let skewed = |skew| {
        let ahead = Role { skew, ..Role::new("ada", deposit(1)) };
        played(race([ahead, Role::new("bob", deposit(2))]), &[0, 1, 0, 1, 1])
    };
    let scene = skewed(240_000);
    let end = scene.end();
    assert_eq!((end.violations, end.version), (vec![], 3));
    let row = scene.row().unwrap();
    // Bob's own clock is four minutes behind what ada wrote, and his event comes a millisecond after hers.
    assert_eq!(row.meta.updated_at, Some(rewound_core::sim::START + 240_001));

    let scene = skewed(-(TOLERANCE as i64) - 1);
    assert!(matches!(scene.steps()[0].did, Did::Asked(_, Err(Failure::Clock), _)));
    assert_eq!(scene.end().words, [["committed"], ["committed"]]);
    assert_eq!(scene.row().unwrap().meta.updated_at, Some(rewound_core::sim::START + 1));
}

#[test]
fn an_order_that_does_not_fit_is_repaired_and_told() {
    let order = [0, 1, 0, 1, 0, 1, 1];
    let (scene, repairs) = Scene::play(overdraft(), &order, true).unwrap();
    assert_eq!((scene.order(), repairs), (order.to_vec(), vec![]));
    // Bob after ada has no conflict, and less to do.
    let (scene, repairs) = Scene::play(overdraft(), &[0, 0, 0, 1, 1, 1, 1], true).unwrap();
    assert_eq!(scene.order(), [0, 0, 0, 1, 1]);
    assert_eq!(repairs, [Repair::Dropped { role: 1, steps: 2 }]);
    // And more in the other order; who is not part of the race has no step.
    let (scene, repairs) = Scene::play(overdraft(), &[0, 9, 1, 0, 1, 0], true).unwrap();
    assert_eq!(scene.order(), [0, 1, 0, 1, 0, 1, 1]);
    assert_eq!(repairs, [Repair::Added { role: 1, steps: 2 }]);
    let (scene, repairs) = Scene::play(overdraft(), &[0, 1, 0], false).unwrap();
    assert_eq!((scene.order(), repairs, scene.is_over()), (vec![0, 1, 0], vec![], false));
}

#[test]
fn without_locking_an_update_is_lost_and_shown() {
    let scenario = Scenario { is_locking: false, ..overdraft() };
    let scene = played(scenario.clone(), &[0, 1, 0, 1]);
    let end = scene.end();
    assert_eq!(end.words, [["committed"], ["committed"]]);
    // The row knows of one withdrawal, and the events of both.
    assert_eq!((&end.state["balance"], end.version), (&json!(4_000), 3));
    let lost = "the row of a1 says balance 4000, its events make -2000";
    assert!(end.violations.iter().any(|wrong| wrong == lost), "{:#?}", end.violations);
    assert!(end.violations.iter().any(|wrong| wrong == "a1 is overdrawn: -2000"), "{:#?}", end.violations);
    let world = scenario.world().unwrap();
    let report = explore(&world, 10_000, &|world| scenario.check(world));
    let good = report.outcomes.iter().filter(|outcome| outcome.violations.is_empty());
    // One after the other nothing is lost: both orders of whole runs.
    assert_eq!((report.interleavings, good.map(|outcome| outcome.interleavings).sum::<u128>()), (6, 2));
    // Each outcome's shortest order leads there again.
    for outcome in &report.outcomes {
        let order: Vec<usize> = outcome.shortest.iter().map(|writer| writer - 1).collect();
        assert_eq!(played(scenario.clone(), &order).end().violations, outcome.violations);
    }
}

#[test]
fn slices_find_what_the_whole_finds() {
    let mut roles = overdraft().roles;
    roles.push(Role::new("cyd", deposit(1_000)));
    let scenario = race(roles);
    let world = scenario.world().unwrap();
    let check = |world: &_| scenario.check(world);
    let whole = explore(&world, 100_000, &check);
    assert!(whole.complete && whole.merged > 0);
    for slice in [1, 7, 1_000] {
        let mut sliced = Exploration::new(world.clone(), 100_000);
        let (mut share, mut found) = (0.0, 0);
        let ends = Cell::new(0);
        let counted = |world: &_| {
            ends.set(ends.get() + 1);
            scenario.check(world)
        };
        while sliced.advance(slice, &counted) {
            let progress = sliced.progress();
            assert!(progress.share + 1e-9 >= share && progress.share < 1.0, "{progress:?} after {share}");
            share = progress.share;
            // What was found is told, stays found, and is where it is said to be.
            let report = sliced.report();
            assert!(report.interleavings >= found && !report.complete);
            assert_eq!(report.outcomes.is_empty(), ends.get() == 0);
            found = report.interleavings;
            for outcome in &report.outcomes {
                let mut world = world.clone();
                outcome.shortest.iter().for_each(|writer| world.step(*writer));
                assert_eq!(scenario.end(&world).words, outcome.words[1..]);
            }
        }
        assert_eq!(sliced.progress().share, 1.0);
        assert_eq!(sliced.report(), whole);
    }
    // A cap is told.
    let capped = explore(&world, 50, &check);
    assert_eq!((capped.complete, capped.states), (false, 50));
    assert!(capped.interleavings < whole.interleavings);
}

#[test]
fn a_role_is_its_json() {
    let plain = Role::new("ada", deposit(1));
    assert_eq!(plain.to_json().as_object().unwrap().len(), 2);
    let all = Role {
        expected_version: Some(0),
        idempotency_key: Some("k".into()),
        retries: 1,
        loss: Loss::Sender,
        skew: -5,
        ..plain.clone()
    };
    for role in [plain, all] {
        assert_eq!(Role::from_json(&role.to_json()).unwrap(), role);
    }
    let odd = json!({ "name": "a", "command": { "type": "X" }, "retries": 99, "loss": 1, "skew": "x", "expectedVersion": -1 });
    assert_eq!(Role::from_json(&odd).unwrap(), Role::new("a", command("X", json!({}))));
    for wrong in [json!(null), json!({ "command": { "type": "X" } }), json!({ "name": "a" })] {
        assert!(matches!(Role::from_json(&wrong), Err(Error::Invalid(_))), "{wrong}");
    }
}

#[test]
fn a_race_is_written_as_tests() {
    let mut scenario = overdraft();
    scenario.title = "Ada's \"race\"\nin $1".into();
    scenario.roles[1].loss = Loss::Answer;
    let rust = rust_test(&scenario, &[0, 1]).unwrap();
    assert!(rust.starts_with("//! Ada's \"race\" in $1\n"), "{rust}");
    // What the order leaves out is there.
    assert!(rust.contains("for writer in [1, 2, 1, 2] {"), "{rust}");
    assert!(rust.contains(r#"assert_eq!(ended(2), ["insufficient-funds"], "bob");"#), "{rust}");
    let javascript = javascript_test(&scenario, &[0, 1]).unwrap();
    assert!(javascript.contains(r#""title": "Ada's \"race\" in $1""#), "{javascript}");
    assert!(javascript.contains(r#""order": [0,1,0,1]"#), "{javascript}");
    assert!(javascript.contains(r#""balance": {"N":"10000"}"#), "{javascript}");
}

#[test]
fn what_is_not_seen_is_escaped_in_the_tests() {
    let odd = "turned \u{202e}dna\r\nback";
    let command = command("Deposit", json!({ "amount": 1, "transactionReference": odd }));
    let role = Role { idempotency_key: Some(odd.to_owned()), ..Role::new(odd, command) };
    let scenario = race([role, Role::new("bob", deposit(1))]);
    let end = scenario.play(&[]).unwrap().0;
    assert_eq!(scenario.end(&end).words, [["committed"], ["committed"]]);
    for text in [rust_test(&scenario, &[]).unwrap(), javascript_test(&scenario, &[]).unwrap()] {
        assert!(
            text.contains("turned \\u{202e}dna\\r\\nback") || text.contains("turned \\u202edna\\r\\nback"),
            "{text}"
        );
        assert!(!text.contains(['\u{202e}', '\r']), "{text}");
    }
}

#[test]
fn a_conflict_brings_the_winners_row() {
    let scene = played(overdraft(), &[0, 1, 0, 1]);
    let conflict = scene.steps().iter().find(|step| step.conflict().is_some()).unwrap();
    let Did::Asked(request, Ok(Answer::Conflict(Some(winner))), Loss::None) = &conflict.did else {
        panic!("{conflict:?}")
    };
    assert!(matches!(&**request, Request::Commit(commit) if commit.expected == 1));
    assert_eq!(winner.snapshot.as_ref().unwrap().state["balance"], 4_000);
    let won: Vec<_> = scene.winners(conflict).iter().map(|event| (event.name(), event.actor())).collect();
    assert_eq!(won, [("MoneyWithdrawn", "ada")]);
    assert!(scene.winners(&scene.steps()[0]).is_empty());
}
