//! Time travel: branches, causes and instants, on a history that a person could follow.

use rewound_core::{
    domain::{Command, Draft, Sender, decide},
    domains,
    event::Event,
    timeline::{Edit, Timeline, Verdict},
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
