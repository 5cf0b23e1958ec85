//! What becomes of old events, odd logs and damaged snapshots.

use rewound_core::{
    aggregate::{Aggregate, Context, fingerprint},
    domain::{Command, Compiled, Domain, Sender, Snapshot, SnapshotError},
    domains,
    error::{Problem, Rejection},
    evolution::{
        Became, Census, EXAMPLE, EXAMPLE_EVENTS, Judging, Kind, Verdict, What, compare, corrupted, lifted,
        load, snapshot_before, stale, tampered, verdict,
    },
    import::EventLog,
    run::{Options, run},
    schema::Described,
    store::MemoryStore,
    timeline::Timeline,
    upcast::Upcaster,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn back(text: &str) -> String {
    text.parse::<f64>().unwrap().to_string()
}

/// A log from the events' own fields; each a line.
fn log(lines: &[Value]) -> EventLog {
    let text: String = (1..).zip(lines).fold(String::new(), |text, (number, own)| {
        let mut event = json!({
            "eventId": format!("01K1RZXKEYCYQ5MSEQJ4Z5{number:04}"), "aggregateName": "BlogPost", "aggregateId": "p", "actorId": "ada",
        });
        event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        text + &event.to_string() + "\n"
    });
    EventLog::from_bytes(text.as_bytes())
}

fn told(verdict: &Verdict) -> Vec<(What, usize, u32)> {
    verdict.reasons.iter().map(|reason| (reason.what, reason.count, reason.first.line)).collect()
}

const CREATED: &str = "BlogPostCreated";

#[test]
fn a_log_that_is_understood_is_fine() {
    let log = log(&[
        json!({"eventName": CREATED, "aggregateVersion": 1, "title": "Hello"}),
        json!({"eventName": "BlogPostPublished", "aggregateVersion": 2}),
    ]);
    let verdict = verdict(&log, domains::for_log, &back);
    assert_eq!((verdict.kind, verdict.streams, verdict.events), (Kind::Fine, 1, 2));
    assert_eq!(verdict.reasons, []);
}

#[test]
fn what_replays_without_being_understood_is_risky() {
    let created = json!({"eventName": CREATED, "aggregateVersion": 1, "title": "Hello", "mood": "glad"});
    let changed =
        json!({"eventName": "BlogPostTitleChanged", "aggregateVersion": 2, "title": "Hi", "mood": "sad"});
    let unknown = verdict(&log(&[created, changed]), domains::for_log, &back);
    assert_eq!((unknown.kind, told(&unknown)), (Kind::Risky, vec![(What::UnknownFields, 2, 1)]));
    assert_eq!(unknown.reasons[0].first.event, Some(("p".to_owned(), 1)));
    assert!(unknown.reasons[0].first.message.starts_with("/mood"), "{unknown:?}");

    let fine = |version: u64, amount: u64| json!({"eventName": "Fined", "aggregateName": "Fine", "aggregateVersion": version, "amount": amount});
    let generic = verdict(&log(&[fine(1, 5), fine(2, 9_007_199_254_740_993)]), domains::for_log, &back);
    assert_eq!(generic.kind, Kind::Risky);
    assert_eq!(told(&generic), [(What::NoDomain, 2, 1), (What::LargeNumbers, 1, 2)]);

    let text = "this is no event\n";
    let lines = verdict(&EventLog::from_bytes(text.as_bytes()), domains::for_log, &back);
    assert_eq!((lines.kind, told(&lines)), (Kind::Risky, vec![(What::Lines, 1, 1)]));
}

#[test]
fn what_does_not_replay_is_impossible() {
    let created = |version: u64| json!({"eventName": CREATED, "aggregateVersion": version, "title": "Hello"});
    let newer = json!({"eventName": "BlogPostPublished", "aggregateVersion": 2, "schemaVersion": 7});
    let found = verdict(&log(&[created(1), newer, created(3)]), domains::for_log, &back);
    assert_eq!(found.kind, Kind::Impossible);
    assert_eq!(told(&found), [(What::TooNew, 1, 2), (What::NotReached, 1, 3)]);
    assert!(found.reasons[0].first.message.contains("schema version 7"), "{found:?}");

    let twice = verdict(&log(&[created(1), created(2)]), domains::for_log, &back);
    assert_eq!(told(&twice), [(What::NotReduced, 1, 2)]);

    let gap = verdict(&log(&[created(1), created(3)]), domains::for_log, &back);
    assert_eq!(told(&gap), [(What::BehindGap, 1, 2), (What::Lines, 1, 2)]);
}

/// A domain whose event has changed: what the examples of upcasters lift.
#[derive(Debug, Deserialize, Described)]
#[serde(deny_unknown_fields)]
enum Register {
    Register {},
}

#[derive(Debug, Serialize, Deserialize, Described)]
enum Registered {
    CustomerRegistered { name: String, email: String, language: String },
}

#[derive(Debug, Clone, Serialize, Deserialize, Described)]
struct Member {
    email: String,
}

struct Members;

impl Aggregate for Members {
    const NAME: &'static str = "Customer";
    const FINGERPRINT: u64 = fingerprint(&[b"members"]);
    const UPCASTERS: &'static [Upcaster] = &EXAMPLE;
    type Command = Register;
    type Event = Registered;
    type State = Member;

    fn decide(_: Option<&Member>, _: Register, _: Context<'_>) -> Result<Vec<Registered>, Rejection> {
        Ok(vec![])
    }

    fn evolve(_: Option<Member>, event: &Registered, _: Context<'_>) -> Result<Member, Problem> {
        let Registered::CustomerRegistered { email, .. } = event;
        Ok(Member { email: email.clone() })
    }
}

static MEMBERS: Compiled<Members> = Compiled::new();

#[test]
fn the_example_is_counted_lifted_and_judged() {
    let log = EventLog::from_bytes(EXAMPLE_EVENTS.as_bytes());
    assert_eq!(log.problems(), []);
    let mut census = Census::default();
    log.streams().iter().flat_map(|stream| stream.events()).for_each(|event| census.add(event));
    let (name, versions) = census.events("Customer").next().unwrap();
    let counts: Vec<_> = versions.iter().map(|(version, (count, _))| (*version, *count)).collect();
    assert_eq!((name, counts), ("CustomerRegistered", vec![(1, 3), (2, 1), (3, 2)]));
    assert_eq!(versions[&2].1.payload()["name"], "Edsger Dijkstra");

    let find = |_: &str| -> &'static dyn Domain { &MEMBERS };
    let fine = verdict(&log, find, &back);
    assert_eq!((fine.kind, told(&fine)), (Kind::Fine, vec![(What::Lifted, 4, 1)]));
    let broken = EXAMPLE_EVENTS.replace(r#""fullName":"Grace Hopper","#, "");
    let broken = verdict(&EventLog::from_bytes(broken.as_bytes()), find, &back);
    assert_eq!((broken.kind, told(&broken)[0]), (Kind::Impossible, (What::NotLifted, 1, 2)));
    assert!(broken.reasons[0].first.message.contains("`fullName` is missing"), "{broken:?}");
    // By today's domain, which knows no older version, the newer are not understood.
    assert_eq!(verdict(&log, domains::for_log, &back).kind, Kind::Impossible);
}

#[test]
fn every_stage_says_what_its_step_did() {
    let payload = |text: Value| text.as_object().unwrap().clone();
    let old = payload(json!({"fullName": "Ada", "mail": "Ada@X.com"}));
    let stages = lifted(&EXAMPLE, "CustomerRegistered", 1, old.clone()).unwrap();
    assert_eq!(stages.iter().map(|stage| stage.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(stages[0].payload, old);
    let renamed = |from: &str| Became::Renamed { from: from.to_owned() };
    let first = [("name".to_owned(), renamed("fullName")), ("email".to_owned(), renamed("mail"))];
    assert_eq!(compare(&stages[0].payload, &stages[1].payload), first);
    let second = [("name", Became::Kept), ("email", Became::Changed), ("language", Became::Added)];
    let found = compare(&stages[1].payload, &stages[2].payload);
    assert_eq!(
        found.iter().map(|(name, became)| (name.as_str(), became.clone())).collect::<Vec<_>>(),
        second
    );

    let (stages, problem) =
        lifted(&EXAMPLE, "CustomerRegistered", 1, payload(json!({"fullName": "Ada"}))).unwrap_err();
    assert_eq!(
        (stages.len(), problem.to_string()),
        (1, "lifting CustomerRegistered from schema version 1 failed: `mail` is missing".to_owned())
    );
    let (stages, problem) = lifted(&EXAMPLE, "CustomerRegistered", 9, payload(json!({}))).unwrap_err();
    assert_eq!((stages.len(), problem), (1, Problem::TooNew { found: 9, newest: 3 }));
}

#[test]
fn slices_judge_as_the_whole() {
    let lines: Vec<Value> = (1..=50)
        .map(|version| json!({"eventName": if version == 30 { "Odd" } else { "Noted" }, "aggregateName": if version < 40 { "A" } else { "B" },
            "aggregateId": if version < 40 { "a" } else { "b" }, "aggregateVersion": if version < 40 { version } else { version - 39 }}))
        .collect();
    let log = log(&lines);
    let whole = verdict(&log, domains::for_log, &back);
    let mut judging = Judging::new(domains::for_log);
    while judging.step(&log, 7, &back) {}
    assert_eq!(judging.events(), 50);
    assert_eq!(judging.verdict(log.problems()), whole);
}

/// An account with so many deposits of a cent, in a store with a snapshot every five events.
fn account(deposits: u64) -> (Timeline, Option<Snapshot>) {
    let bank = domains::find("BankAccount").unwrap();
    let mut store = MemoryStore::with_snapshots(5);
    for minute in 0..=deposits {
        let command = match minute {
            0 => Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
            _ => Command::new("Deposit", json!({"amount": 1, "transactionReference": "r"})),
        };
        let by = Sender { actor: "ada".into(), now: minute * 60_000, ..Sender::default() };
        run(&mut store, bank, "a", command.unwrap(), &by, Options::default()).unwrap();
    }
    let stored = store.stream("BankAccount", "a").unwrap();
    (Timeline::new(bank, "a", stored.events.clone()), stored.snapshot.clone())
}

#[test]
fn a_load_folds_what_lies_behind_the_snapshot() {
    for deposits in [2, 4, 7, 9, 11] {
        let (timeline, snapshot) = account(deposits);
        let version = timeline.len();
        let at = snapshot_before(version, 5);
        assert_eq!(snapshot.as_ref().map(|snapshot| snapshot.meta.version), at, "the store keeps it there");
        let loading = load(&timeline, version, snapshot.as_ref()).unwrap();
        assert_eq!((loading.from, loading.folded), (at.unwrap_or(0), version - at.unwrap_or(0)));
        assert_eq!((loading.refused, loading.wrong.len()), (None, 0));
        assert_eq!(loading.state.unwrap().state["balance"], deposits);
    }
}

#[test]
fn a_snapshot_that_cannot_be_used_costs_a_replay_and_changes_nothing() {
    let bank = domains::find("BankAccount").unwrap();
    let (timeline, snapshot) = account(7);
    let snapshot = snapshot.unwrap();
    let ahead = Snapshot {
        meta: rewound_core::aggregate::Meta { version: 99, ..snapshot.meta.clone() },
        ..snapshot.clone()
    };
    let other = Snapshot {
        meta: rewound_core::aggregate::Meta { id: "b".into(), ..snapshot.meta.clone() },
        ..snapshot.clone()
    };
    for (snapshot, reason) in [
        (stale(&snapshot), "another reducer made the snapshot"),
        (corrupted(&snapshot), "the snapshot holds no state: /accountHolderId: invalid type"),
        (ahead, "the snapshot holds no state: /$meta/version"),
        (other, "the snapshot holds no state: /$meta/id"),
    ] {
        let loading = load(&timeline, 8, Some(&snapshot)).unwrap();
        let refused = loading.refused.unwrap();
        assert!(refused.to_string().starts_with(reason), "{refused}");
        assert_eq!((loading.from, loading.folded, loading.wrong.len()), (0, 8, 0));
    }
    assert_eq!(bank.resume(&stale(&snapshot)).unwrap_err(), SnapshotError::Stale);
    // Where the stream was shorter, the snapshot is ahead of it.
    assert!(load(&timeline, 4, Some(&snapshot)).unwrap().refused.is_some());
    // What still is a state is taken at its word: only a replay tells.
    let loading = load(&timeline, 8, Some(&tampered(&snapshot))).unwrap();
    assert_eq!((loading.from, loading.folded, loading.refused), (5, 3, None));
    assert_eq!((loading.wrong[0].path.as_str(), loading.wrong[0].to.clone()), ("/balance", Some(json!(8))));
}
