//! Projections under deliveries that repeat, mix up and fail.

use rewound_core::{
    domain::{Command, Sender, decide},
    domains,
    event::Event,
    projection::{ATTEMPTS, Lag, Projection, Projector, RETRY_AFTER},
    value::Object,
    views,
};
use serde_json::{Value, json};

/// The events of these commands to one aggregate.
fn events(domain: &str, id: &str, commands: &[(&str, Value)]) -> Vec<Event> {
    let domain = domains::find(domain).unwrap();
    let mut now = domain.start(id);
    let mut events = Vec::new();
    for (name, fields) in commands {
        let by = Sender { actor: "ada".into(), now: 1_800_000_000_000, ..Sender::default() };
        let new = decide(domain, now.as_ref(), &Command::new(*name, fields.clone()).unwrap(), &by).unwrap();
        now = now.apply_all(&new).unwrap();
        events.extend(new);
    }
    events
}

fn account(id: &str, deposits: &[i64]) -> Vec<Event> {
    let open = ("Open", json!({"accountHolderId": id, "currency": "EUR"}));
    let deposits =
        deposits.iter().map(|amount| ("Deposit", json!({"amount": amount, "transactionReference": "r"})));
    events("BankAccount", id, &[open].into_iter().chain(deposits).collect::<Vec<_>>())
}

/// Fails on a deposit of 13, whatever else happens.
fn superstitious(row: Option<Object>, event: &Event) -> Result<Option<Object>, String> {
    if event.payload().get("amount") == Some(&json!(13)) {
        return Err("13 brings bad luck".into());
    }
    (views::ACCOUNT_BALANCES.apply)(row, event)
}

fn fussy() -> Projector {
    Projector::new(Projection { apply: superstitious, ..views::ACCOUNT_BALANCES })
}

#[test]
fn every_view_shows_its_domain() {
    let show = |projection, domain, commands: &[(&str, Value)]| {
        let mut projector = Projector::new(projection);
        events(domain, "x", commands).into_iter().for_each(|event| projector.deliver(event));
        projector.run(0, 100);
        assert_eq!(projector.dead_letters(), []);
        let row = &projector.rows()["x"];
        let types: Vec<_> = (row.iter())
            .map(|(name, value)| (name.as_str(), if value.is_i64() { "integer" } else { "string" }))
            .collect();
        assert_eq!(types, projection.fields, "what {} says that its rows have", projection.name);
        Value::Object(row.clone())
    };
    let item = |quantity: i64| json!({"productId": "pen", "quantity": quantity, "price": 150});
    assert_eq!(
        show(
            views::ORDERS,
            "Order",
            &[
                ("Create", json!({"customerId": "c", "items": [item(2)]})),
                ("AddItem", item(1)),
                ("Confirm", json!({}))
            ]
        ),
        json!({"customerId": "c", "items": 2, "totalAmount": 450, "status": "confirmed", "placedAt": "2027-01-15T08:00:00.000Z"})
    );
    assert_eq!(
        show(
            views::CUSTOMERS,
            "Customer",
            &[
                ("Register", json!({"email": "a@b", "name": "Ada"})),
                ("UpdateEmail", json!({"newEmail": "c@d"})),
                ("Suspend", json!({"reason": "x"}))
            ]
        ),
        json!({"email": "c@d", "name": "Ada", "status": "SUSPENDED"})
    );
    assert_eq!(
        show(
            views::BLOG_POSTS,
            "BlogPost",
            &[
                ("Create", json!({"title": "A"})),
                ("ChangeTitle", json!({"title": "B"})),
                ("Publish", json!({}))
            ]
        ),
        json!({"title": "B", "authorId": "ada", "createdAt": "2027-01-15T08:00:00.000Z", "publishedAt": "2027-01-15T08:00:00.002Z"})
    );
    let transfer = [
        ("Open", json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 100})),
        ("InitiateTransfer", json!({"transferId": "t", "destinationAccountId": "b", "amount": 40})),
        ("ReverseTransfer", json!({"transferId": "t", "amount": 40, "reason": "x"})),
        ("Withdraw", json!({"amount": 100, "transactionReference": "r"})),
        ("Close", json!({"reason": "x"})),
    ];
    assert_eq!(
        show(views::ACCOUNT_BALANCES, "BankAccount", &transfer),
        json!({"accountHolderId": "ada", "balance": 0, "currency": "EUR", "status": "Closed", "openedAt": "2027-01-15T08:00:00.000Z"})
    );
}

#[test]
fn an_event_that_fails_is_tried_again_and_then_parked_while_the_rest_goes_on() {
    let mut projector = fussy();
    let (a, b) = (account("a", &[5, 13, 7]), account("b", &[1]));
    a.iter().chain(&b).cloned().for_each(|event| projector.deliver(event));
    let mut now = 10_000;
    assert_eq!(projector.run(now, 50), 4); // two of a, and all of b
    for attempt in 2..=ATTEMPTS {
        assert_eq!(projector.run(now, 50), 0, "it waits for its next attempt");
        assert_eq!(projector.wakes_at(), Some(now + RETRY_AFTER));
        assert_eq!((projector.dead_letters().len(), projector.rows()["a"]["balance"].clone()), (0, json!(5)));
        now += RETRY_AFTER;
        let done = projector.run(now, 50);
        assert_eq!(done, if attempt == ATTEMPTS { 2 } else { 0 });
    }
    let [letter] = projector.dead_letters() else { panic!() };
    assert_eq!(
        (letter.event.version(), letter.error.as_str(), letter.attempts),
        (3, "13 brings bad luck", ATTEMPTS)
    );
    assert_eq!(
        (&projector.rows()["a"]["balance"], &projector.rows()["b"]["balance"]),
        (&json!(12), &json!(1))
    );
    assert_eq!(projector.checkpoint()["a"], 4);
    assert_eq!(projector.wakes_at(), None);

    assert_eq!(projector.retry(0), Err("13 brings bad luck".to_owned()));
    assert_eq!(projector.dead_letters()[0].attempts, ATTEMPTS + 1);
    assert_eq!(projector.retry(9), Err("there is no such dead letter".to_owned()));
    assert_eq!(projector.skip(0).map(|letter| letter.event), Some(a[2].clone()));
    assert_eq!(projector.skip(0), None);
}

#[test]
fn a_paused_projection_waits_and_says_how_far_behind_it_is() {
    let mut projector = fussy();
    let events = account("a", &[1, 2, 3]);
    let oldest = events[0].time();
    projector.pause();
    events.into_iter().for_each(|event| projector.deliver(event));
    assert_eq!(projector.run(0, 50), 0);
    assert_eq!(projector.lag(), Lag { events: 4, since: Some(oldest) });
    projector.resume();
    assert_eq!(projector.run(0, 3), 3);
    assert_eq!(projector.lag().events, 1);
    assert_eq!(projector.run(0, 3), 1);
    assert_eq!(projector.lag(), Lag::default());
}

#[test]
fn a_gap_holds_its_own_stream_only() {
    let mut projector = fussy();
    let (a, b) = (account("a", &[1, 2]), account("b", &[4]));
    [&a[0], &a[2], &b[1], &b[0]].into_iter().cloned().for_each(|event| projector.deliver(event));
    assert_eq!(projector.run(0, 50), 3);
    assert_eq!(
        (&projector.rows()["a"]["balance"], &projector.rows()["b"]["balance"]),
        (&json!(0), &json!(4))
    );
    projector.deliver(a[1].clone());
    assert_eq!(projector.run(0, 50), 2);
    assert_eq!(projector.rows()["a"]["balance"], 3);
}

#[test]
fn a_rebuild_grows_beside_the_live_one_and_is_swapped_in_when_it_has_caught_up() {
    let mut projector = Projector::new(views::ACCOUNT_BALANCES);
    let events = account("a", &[1, 2, 3, 4]);
    let (history, new) = events.split_at(3);
    history.iter().cloned().for_each(|event| projector.deliver(event));
    projector.run(0, 50);
    assert_eq!(projector.swap(), Err(0), "nothing is being built");
    projector.rebuild();
    assert_eq!(projector.rebuild_lag(), Some(3));
    projector.replay(history[0].clone());
    projector.run(0, 50);
    assert_eq!(projector.swap(), Err(2));
    // What comes meanwhile goes to both; the new one still lacks what was before.
    projector.deliver(new[0].clone());
    projector.run(0, 50);
    assert_eq!((projector.rebuild_lag(), projector.rows()["a"]["balance"].clone()), (Some(3), json!(6)));
    history[1..].iter().cloned().for_each(|event| projector.replay(event));
    projector.pause();
    projector.deliver(new[1].clone());
    projector.run(0, 50);
    assert_eq!(projector.rebuild_lag(), Some(0));
    assert_eq!(projector.swap(), Ok(()));
    assert_eq!(projector.rows()["a"]["balance"], 10, "the new one worked while the live one was paused");
    assert_eq!((projector.lag().events, projector.rebuild_lag()), (0, None));
}

#[test]
fn a_page_of_rows_comes_in_the_order_of_an_index() {
    let mut customers = Projector::new(views::CUSTOMERS);
    for (id, email) in [("1", "Cy@x"), ("2", "bo@x"), ("3", "al@x"), ("4", "alma@x"), ("5", "dee@x")] {
        let register = ("Register", json!({"email": email, "name": id}));
        let suspend = ("Suspend", json!({"reason": "x"}));
        let all = if id == "2" { vec![register, suspend] } else { vec![register] };
        events("Customer", id, &all).into_iter().for_each(|event| customers.deliver(event));
    }
    customers.run(0, 100);
    let ids = |order, skip, count| {
        let (rows, total) = customers.page(order, skip, count);
        (rows.into_iter().map(|(id, _)| id.to_owned()).collect::<String>(), total)
    };
    assert_eq!(ids(None, 1, 3), ("234".to_owned(), 5));
    let [by_email, by_status] = views::CUSTOMERS.indexes else { panic!("customers have two indexes") };
    assert_eq!(ids(Some((by_email, "")), 0, 100), ("34215".to_owned(), 5));
    let (al, active) = (by_email.prefix(None, "AL"), by_status.prefix(Some("ACTIVE"), ""));
    assert_eq!(ids(Some((by_email, &al)), 0, 1), ("3".to_owned(), 2));
    assert_eq!(ids(Some((by_status, &active)), 2, 2), ("15".to_owned(), 4));
    let newest = rewound_core::projection::Index { descending: true, ..*by_email };
    assert_eq!(ids(Some((&newest, "")), 1, 2), ("12".to_owned(), 5));
    assert_eq!(ids(Some((&newest, "")), 5, 2), (String::new(), 5));
}
