//! Time travel: branches, causes and instants, on a history that a person could follow.

use rewound_core::{
    domain::{Command, Draft, Sender, decide},
    domains,
    event::Event,
    timeline::{
        Branch, Edit, Fate, Timeline, Verdict, dropped, edits_from_json, edits_to_json, export, inserted,
        placed, replaced, restored,
    },
    value::Object,
};
use serde_json::{Value, json};

const MINUTE: u64 = 60_000;

fn fields(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Opened with 100.00; 50.00 in; a transfer of 120.00 out and complete; 30.00 out. A minute apart.
fn account() -> Timeline {
    let bank = domains::find("BankAccount").unwrap();
    let mut timeline = Timeline::empty(bank, "a");
    let commands = [
        ("Open", json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 10_000})),
        ("Deposit", json!({"amount": 5_000, "transactionReference": "salary"})),
        ("InitiateTransfer", json!({"transferId": "t", "destinationAccountId": "b", "amount": 12_000})),
        ("CompleteTransfer", json!({"transferId": "t"})),
        ("Withdraw", json!({"amount": 3_000, "transactionReference": "rent"})),
    ];
    for (minute, (name, fields)) in (1..).zip(commands) {
        let now = timeline.seek(u64::MAX).unwrap();
        let by = Sender { actor: "ada".into(), now: minute * MINUTE, ..Sender::default() };
        for event in decide(bank, now.as_ref(), &Command::new(name, fields).unwrap(), &by).unwrap() {
            timeline.push(event).unwrap();
        }
    }
    timeline
}

fn balance(timeline: &Timeline) -> Value {
    timeline.state_at(u64::MAX).unwrap().state["balance"].clone()
}

fn words(verdicts: &[Verdict]) -> Vec<String> {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Possible => "possible".to_owned(),
        Verdict::Rejected(rule) => rule.code.to_string(),
        Verdict::Otherwise(drafts) => format!("otherwise: {}", drafts[0].name),
        Verdict::Impossible(error) => format!("impossible: {}", error.problem),
        Verdict::Failed(error) => format!("failed: {error}"),
        Verdict::Unknown => "unknown".to_owned(),
    };
    verdicts.iter().map(word).collect()
}

#[test]
fn a_branch_without_edits_is_the_history_itself() {
    let timeline = account();
    let branch = timeline.branch(&[]).unwrap();
    assert_eq!(branch.timeline.events(), timeline.events());
    assert_eq!(words(&branch.verdicts), ["possible"; 5]);
}

#[test]
fn what_others_wrote_into_an_event_decides_nothing() {
    let order = json!({
        "eventId": "01K1RZXKEYCYQ5MSEQJ4Z5JNDE", "eventName": "OrderCreated", "aggregateName": "Order",
        "aggregateId": "o", "aggregateVersion": 1, "actorId": "ada", "customerId": "c", "totalAmount": 300,
        "items": [{"productId": "pen", "quantity": 2, "price": 150, "note": "a gift"}],
    });
    let event = Event::parse(&order.to_string()).unwrap();
    let branch = Timeline::new(domains::find("Order").unwrap(), "o", vec![event]).branch(&[]).unwrap();
    assert_eq!(words(&branch.verdicts), ["possible"]);
}

#[test]
fn what_follows_a_dropped_event_is_decided_again() {
    let timeline = account();
    let branch = timeline.branch(&[Edit::Drop { version: 2 }]).unwrap();
    assert_eq!(words(&branch.verdicts), ["possible", "insufficient-funds", "possible", "insufficient-funds"]);
    // History shows it as it would have been, in the red; versions run on and ids still rise.
    assert_eq!(balance(&branch.timeline), -5_000);
    let events = branch.timeline.events();
    assert_eq!(events.iter().map(Event::version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(events.iter().map(Event::id).is_sorted_by(|a, b| a < b));
    assert_eq!(events[1].id(), timeline.events()[2].id());
    // The original is as it was.
    assert_eq!((timeline.len(), balance(&timeline)), (5, json!(0)));
}

#[test]
fn events_can_be_replaced_and_inserted() {
    let timeline = account();
    let deposit = |amount: i64| Draft {
        name: "MoneyDeposited".into(),
        fields: fields(json!({"amount": amount, "transactionReference": "bonus", "description": "Deposit"})),
    };
    let edits = [
        Edit::Insert { after: 5, event: deposit(1) },
        Edit::Replace { version: 2, event: deposit(9_000) },
        Edit::Insert { after: 1, event: deposit(100) },
    ];
    let branch = timeline.branch(&edits).unwrap();
    assert_eq!(words(&branch.verdicts), ["possible"; 7]);
    assert_eq!(balance(&branch.timeline), 4_101);
    let late = [Edit::Insert {
        after: 5,
        event: Draft { name: "OrderConfirmed".into(), fields: fields(json!({})) },
    }];
    let branch = timeline.branch(&late).unwrap();
    assert!(
        words(&branch.verdicts)[5].starts_with("impossible: no event has this name"),
        "{:?}",
        branch.verdicts
    );
    assert_eq!(branch.timeline.len(), 5);
    let forged =
        Draft { name: "AccountClosed".into(), fields: fields(json!({"reason": "moved", "closedBy": "ada"})) };
    let branch = timeline.branch(&[Edit::Insert { after: 2, event: forged }]).unwrap();
    let expected =
        ["possible", "possible", "balance-not-zero", "account-closed", "possible", "account-closed"];
    assert_eq!(words(&branch.verdicts), expected);
}

#[test]
fn edits_may_meet_at_one_version() {
    let timeline = account();
    let deposit = |amount: i64| Draft {
        name: "MoneyDeposited".into(),
        fields: fields(json!({"amount": amount, "transactionReference": "x", "description": "Deposit"})),
    };
    let amounts = |edits: &[Edit]| {
        let branch = timeline.branch(edits).unwrap();
        let amount = |event: &Event| event.payload().get("amount").and_then(Value::as_i64).unwrap_or(0);
        branch.timeline.events().iter().map(amount).collect::<Vec<_>>()
    };
    let (drop, first) = (Edit::Drop { version: 5 }, Edit::Insert { after: 5, event: deposit(1) });
    let second = Edit::Insert { after: 5, event: deposit(2) };
    assert_eq!(amounts(&[drop.clone(), first.clone(), second]), [0, 5_000, 12_000, 0, 1, 2]);
    assert_eq!(
        amounts(&[Edit::Drop { version: 2 }, Edit::Insert { after: 2, event: deposit(7) }]),
        [0, 7, 12_000, 0, 3_000]
    );
    assert!(timeline.branch(&[drop.clone(), drop]).unwrap_err().message.contains("twice"));
}

#[test]
fn an_edit_of_what_is_not_there_is_an_error() {
    let timeline = account();
    for edit in [Edit::Drop { version: 0 }, Edit::Drop { version: 6 }] {
        let issue = timeline.branch(&[edit]).unwrap_err().to_string();
        assert!(issue.starts_with("/version: expected a version from 1 to 5, found"), "{issue}");
    }
    let event = Draft { name: "X".into(), fields: fields(json!({"actorId": "eve"})) };
    assert_eq!(timeline.branch(&[Edit::Insert { after: 0, event }]).unwrap_err().pointer, "/actorId");
}

#[test]
fn a_field_knows_which_events_made_it() {
    let causes = account().why("/balance");
    let found: Vec<_> = causes.iter().map(|cause| (cause.version, cause.to.clone().unwrap())).collect();
    assert_eq!(found, [(1, json!(10_000)), (2, json!(15_000)), (3, json!(3_000)), (5, json!(0))]);
    let pending = account().why("/pendingTransfers/t/amount");
    let found: Vec<_> = pending.iter().map(|cause| (cause.event_name.as_str(), cause.to.clone())).collect();
    assert_eq!(found, [("TransferInitiated", Some(json!(12_000))), ("TransferCompleted", None)]);
    assert_eq!(account().why("/nothing"), []);
}

#[test]
fn an_instant_shows_what_was_known_then() {
    let timeline = account();
    for (time, version) in [(0, 0), (MINUTE - 1, 0), (MINUTE, 1), (3 * MINUTE + 5, 3), (u64::MAX, 5)] {
        assert_eq!(timeline.version_at(time), version, "at {time}");
    }
    assert_eq!(timeline.diff(3, 5).len(), 2);
    assert_eq!(timeline.diff(0, 1).len(), 5);
}

#[test]
fn a_stream_that_breaks_is_travelled_up_to_the_break() {
    let mut events = account().events().to_vec();
    let mut odd = events[3].fields();
    odd.insert("eventName".into(), "MoneyPrinted".into());
    events[3] = Event::parse(&Value::Object(odd).to_string()).unwrap();
    let timeline = Timeline::new(domains::find("BankAccount").unwrap(), "a", events);
    assert_eq!((timeline.len(), timeline.problem().map(|problem| problem.version)), (3, Some(4)));
    assert_eq!(timeline.state_at(99).unwrap().meta.version, 3);
}

/// The branch as a person reads it: each row's versions and what became of its event.
fn read(branch: &Branch) -> Vec<String> {
    let rows = branch.rows.iter().map(|row| {
        let version = |version: Option<u64>| version.map_or("-".to_owned(), |version| version.to_string());
        let fate = match row.fate {
            Fate::Kept => "kept".to_owned(),
            Fate::Renumbered => "renumbered".to_owned(),
            Fate::Edited => "edited".to_owned(),
            Fate::Dropped => "dropped".to_owned(),
            Fate::Left { to } => format!("left to {to}"),
            Fate::Moved { from, edited, .. } => {
                format!("moved from {from}{}", if edited { ", edited" } else { "" })
            }
            Fate::Inserted { .. } => "inserted".to_owned(),
        };
        format!("{} {} {fate}", version(row.original()), version(row.branch()))
    });
    rows.collect()
}

fn deposit(amount: i64) -> Draft {
    Draft {
        name: "MoneyDeposited".into(),
        fields: fields(json!({"amount": amount, "transactionReference": "x", "description": "Deposit"})),
    }
}

#[test]
fn original_and_branch_stand_beside_each_other() {
    let timeline = account();
    let edits = [
        Edit::Drop { version: 4 },
        Edit::Insert { after: 1, event: deposit(5) },
        Edit::Replace { version: 2, event: deposit(7) },
        Edit::Move { version: 5, after: 1 },
    ];
    let branch = timeline.branch(&edits).unwrap();
    let rows = [
        "1 1 kept",
        "- 2 inserted",
        "- 3 moved from 5",
        "2 4 edited",
        "3 5 renumbered",
        "4 - dropped",
        "5 - left to 3",
    ];
    assert_eq!(read(&branch), rows);
    assert_eq!(branch.first_difference(), Some(1));
    let names: Vec<_> =
        branch.timeline.events().iter().map(|event| (event.version(), event.name(), event.actor())).collect();
    assert_eq!(names[2], (3, "MoneyWithdrawn", "ada"));
    assert!(branch.timeline.events().iter().map(Event::id).is_sorted_by(|one, next| one < next));
    // What was moved takes the time of its place, so that what was left where it was keeps its own.
    assert_eq!(branch.timeline.events()[4].time(), 3 * MINUTE);
    assert_eq!(edits_from_json(&edits_to_json(&edits)).unwrap(), edits);
}

#[test]
fn an_edited_event_can_be_moved_and_an_event_cannot_be_moved_and_dropped() {
    let timeline = account();
    let (replace, move_) =
        (Edit::Replace { version: 2, event: deposit(7) }, Edit::Move { version: 2, after: 5 });
    for edits in [[replace.clone(), move_.clone()], [move_.clone(), replace]] {
        let branch = timeline.branch(&edits).unwrap();
        assert_eq!(read(&branch)[5], "- 5 moved from 2, edited");
        assert_eq!(branch.timeline.events()[4].payload()["amount"], 7);
    }
    let twice = [Edit::Drop { version: 2 }, move_];
    assert!(timeline.branch(&twice).unwrap_err().message.contains("twice"));
}

#[test]
fn broken_edits_are_refused_by_their_place() {
    for (text, place) in [
        (json!({}), ""),
        (json!([{}]), "/0"),
        (json!([{"drop": 1}, {"drop": "x"}]), "/1/drop"),
        (json!([{"move": 1}]), "/0/after"),
        (json!([{"insert": "", "after": 1, "fields": {}}]), "/0/insert"),
        (json!([{"replace": 1, "event": "A"}]), "/0/fields"),
    ] {
        assert_eq!(edits_from_json(&text).unwrap_err().pointer, place, "{text}");
    }
}

/// Whatever a person drags where: the branch has the events in the order in which a list that is edited the same
/// way has its entries, and what was never touched stays in order.
#[test]
fn dragging_rows_is_as_moving_the_entries_of_a_list() {
    let timeline = account();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..400 {
        let (mut edits, mut list): (Vec<Edit>, Vec<String>) =
            (vec![], (1..=5).map(|n| n.to_string()).collect());
        for step in 0..12 {
            let branch = timeline.branch(&edits).unwrap();
            let tag = |row: &rewound_core::timeline::Row| match row.fate {
                Fate::Moved { from, .. } => from.to_string(),
                Fate::Inserted { .. } => {
                    format!("+{}", branch.says(&timeline, row).unwrap().fields["amount"])
                }
                _ => row.at.0.to_string(),
            };
            let shown: Vec<usize> =
                (0..branch.rows.len()).filter(|row| branch.rows[*row].branch().is_some()).collect();
            let tags: Vec<String> = shown.iter().map(|row| tag(&branch.rows[*row])).collect();
            assert_eq!(tags, list, "{edits:?}");
            let Some(from) = (!shown.is_empty()).then(|| random.usize(..shown.len())) else { break };
            match random.u8(..5) {
                0 => {
                    edits = inserted(&edits, Some(&branch.rows[shown[from]]), deposit(step + 1));
                    list.insert(from + 1, format!("+{}", step + 1));
                }
                1 if list.len() > 2 && !list[from].starts_with('+') => {
                    edits = dropped(&edits, list[from].parse().unwrap());
                    list.remove(from);
                }
                _ => {
                    let to = random.usize(..shown.len());
                    edits = placed(&edits, &branch.rows, shown[from], shown[to]);
                    let entry = list.remove(from);
                    list.insert(to, entry);
                }
            }
        }
    }
}

#[test]
fn edits_are_taken_back_one_event_at_a_time() {
    let timeline = account();
    let branch = timeline.branch(&[]).unwrap();
    let edits = replaced(&[], &branch.rows[1], deposit(7));
    let edits = placed(&edits, &timeline.branch(&edits).unwrap().rows, 1, 3);
    let edits = dropped(&edits, 5);
    assert_eq!(edits.len(), 3);
    assert_eq!(restored(&edits, 2), [Edit::Drop { version: 5 }]);
    assert_eq!(restored(&restored(&edits, 2), 5), []);
}

/// A branch that is decided in slices, with what it has in common with another taken from there, is the same branch.
#[test]
fn slices_and_what_is_known_make_no_difference() {
    let timeline = account();
    let known = timeline.branch(&[Edit::Drop { version: 4 }]).unwrap();
    for edits in [
        vec![],
        vec![Edit::Drop { version: 5 }],
        vec![Edit::Drop { version: 1 }],
        vec![Edit::Insert { after: 5, event: deposit(1) }],
    ] {
        let whole = timeline.branch(&edits).unwrap();
        let mut slices = timeline.branching(&edits, Some(&known)).unwrap();
        assert_eq!(slices.branch().rows, whole.rows);
        while slices.step(&timeline, 1) {}
        let sliced = slices.finish();
        assert_eq!(sliced.verdicts, whole.verdicts, "{edits:?}");
        assert_eq!(sliced.timeline.events(), whole.timeline.events());
        assert_eq!(sliced.timeline.problem(), whole.timeline.problem());
        assert_eq!(sliced.timeline.state_at(u64::MAX), whole.timeline.state_at(u64::MAX));
    }
}

#[test]
fn an_edit_to_begin_with_shows_that_something_depends_on_it() {
    let timeline = account();
    assert_eq!(timeline.telling_drop(), Some(Edit::Drop { version: 2 }));
    let short = Timeline::new(timeline.domain(), "a", timeline.events()[..2].to_vec());
    assert_eq!(short.telling_drop(), None);
}

#[test]
fn each_event_of_a_range_says_what_it_changed() {
    let timeline = account();
    let changes = timeline.changes(1, 99);
    assert_eq!(changes.len(), 4);
    for (version, found) in (1..).zip(changes) {
        assert_eq!(found, timeline.diff(version, version + 1));
    }
    assert_eq!(timeline.changes(9, 12), Vec::<Vec<_>>::new());
}

/// An exported file holds what could break out of it as what it is: text.
#[test]
fn exported_tests_hold_any_text() {
    let event = |version: u64, own: Object| {
        let head = json!({
            "eventId": format!("01K1RZXKEYCYQ5MSEQJ4Z5JND{version}"), "eventName": "It's \"odd\"\n", "aggregateName": "Odd*/",
            "aggregateId": "o'#\"#", "aggregateVersion": version, "actorId": "a'b\\",
        });
        let mut fields = fields(head);
        fields.extend(own);
        Event::parse(&Value::Object(fields).to_string()).unwrap()
    };
    let odd = fields(json!({"text": "\"## ' \\ \u{202e}abc\r\n${x}"}));
    let log = Timeline::new(domains::for_log("Odd*/"), "o'#\"#", vec![event(1, odd.clone()), event(2, odd)]);
    assert_eq!(log.len(), 2);
    let branch = log.branch(&[Edit::Drop { version: 1 }]).unwrap();
    let rust = export::rust_tests(&branch);
    assert!(rust.contains("r###\""), "{rust}");
    assert!(rust.contains("fn version_1_it_s_odd_reduces()"), "{rust}");
    for text in [rust, export::javascript_tests(&branch)] {
        assert!(!text.contains('\u{202e}') && !text.contains('\r'), "{text}");
    }
}
