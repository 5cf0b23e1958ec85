//! Given these events, when this command comes, then those events follow, or that rule refuses it: every
//! rule of every domain.

use rewound_core::{
    aggregate::Once,
    domain::{Command, Compiled, Domain, Instance, Sender, Snapshot, decide},
    domains,
    error::{Error, Problem},
    event::{Event, RESERVED, RESERVED_IN_ROWS},
    schema::validate,
    timeline::{Edit, Timeline, Verdict},
};
use serde_json::{Value, json};

/// The events of a history, by name and payload, all done by `ada` to the aggregate `a1`.
fn history(aggregate: &str, events: &[(&str, Value)]) -> Vec<Event> {
    let event = |(version, (name, payload)): (u64, &(&str, Value))| {
        let mut fields = json!({
            "eventId": rewound_core::time::Ulid::from_parts(version * 1_000, 7).to_string(),
            "eventName": name, "aggregateName": aggregate, "aggregateId": "a1",
            "aggregateVersion": version, "actorId": "ada",
        });
        fields.as_object_mut().unwrap().extend(payload.as_object().unwrap().clone());
        Event::parse(&fields.to_string()).unwrap()
    };
    (1..).zip(events).map(event).collect()
}

fn replayed(aggregate: &str, given: &[(&str, Value)]) -> Box<dyn Instance> {
    domains::find(aggregate).unwrap().start("a1").apply_all(&history(aggregate, given)).unwrap()
}

/// What a command leads to: an event's name and payload, nothing, or the reason why not.
fn decided(
    aggregate: &str,
    given: &[(&str, Value)],
    (name, fields): (&str, Value),
) -> Result<Vec<(String, Value)>, String> {
    let domain = domains::find(aggregate).unwrap();
    let command = Command::new(name, fields).unwrap();
    let decided = domain.validate(&command).and_then(|_| replayed(aggregate, given).decide(&command, "eve"));
    match decided {
        Ok(drafts) => Ok(drafts.into_iter().map(|draft| (draft.name, Value::Object(draft.fields))).collect()),
        Err(Error::Rejected(rejection)) => {
            assert!(!rejection.message.is_empty());
            Err(rejection.code.into_owned())
        }
        Err(Error::NotFound { .. }) => Err("not-found".into()),
        Err(Error::Invalid(issues)) => {
            Err(issues.iter().map(|issue| issue.pointer.as_str()).collect::<Vec<_>>().join(" "))
        }
        Err(other) => Err(other.to_string()),
    }
}

#[track_caller]
fn then(aggregate: &str, given: &[(&str, Value)], when: (&str, Value), event: (&str, Value)) {
    let expected = Ok(vec![(event.0.to_owned(), event.1)]);
    assert_eq!(decided(aggregate, given, when), expected);
}

#[track_caller]
fn refused(aggregate: &str, given: &[(&str, Value)], when: (&str, Value), code: &str) {
    assert_eq!(decided(aggregate, given, when), Err(code.to_owned()));
}

fn state(aggregate: &str, given: &[(&str, Value)]) -> Value {
    let Snapshot { state, .. } = replayed(aggregate, given).snapshot().unwrap();
    Value::Object(state)
}

#[test]
fn a_post_is_created_once_and_published_once() {
    let created = ("BlogPostCreated", json!({"title": "Hello"}));
    let published = ("BlogPostPublished", json!({}));
    let titled = ("BlogPostTitleChanged", json!({"title": "Bye"}));
    let blog = "BlogPost";
    then(blog, &[], ("Create", json!({"title": "Hello"})), created.clone());
    refused(blog, std::slice::from_ref(&created), ("Create", json!({"title": "Again"})), "already-exists");
    refused(blog, &[], ("Publish", json!({})), "not-found");
    refused(blog, &[], ("ChangeTitle", json!({"title": "Bye"})), "not-found");
    then(blog, std::slice::from_ref(&created), ("Publish", json!({})), published.clone());
    refused(blog, &[created.clone(), published.clone()], ("Publish", json!({})), "already-published");
    then(
        blog,
        &[created.clone(), published.clone()],
        ("ChangeTitle", json!({"title": "Bye"})),
        titled.clone(),
    );
    refused(blog, std::slice::from_ref(&created), ("ChangeTitle", json!({"title": ""})), "/title");

    assert_eq!(state(blog, std::slice::from_ref(&created)), json!({"authorId": "ada", "title": "Hello"}));
    assert_eq!(
        state(blog, &[created, published, titled]),
        json!({"authorId": "ada", "title": "Bye", "isPublic": true})
    );
}

#[test]
fn an_order_takes_items_until_it_is_confirmed() {
    let item = |product: &str, quantity: i64, price: i64| json!({"productId": product, "quantity": quantity, "price": price});
    let create = |items: Value| json!({"customerId": "c1", "items": items});
    let created = ("OrderCreated", create(json!([item("pen", 2, 150)])));
    let added = ("OrderItemAdded", item("ink", 3, 199));
    let confirmed = ("OrderConfirmed", json!({}));
    let order = "Order";
    then(order, &[], ("Create", created.1.clone()), created.clone());
    refused(order, &[], ("Create", create(json!([]))), "/items");
    refused(
        order,
        &[],
        ("Create", create(json!([item("pen", 0, 1), item("", 1, -1)]))),
        "/items/0/quantity /items/1/productId /items/1/price",
    );
    let mut odd = item("pen", 1, 1);
    odd["note"] = json!("gift");
    refused(order, &[], ("Create", create(json!([item("ink", 1, 1), odd]))), "/items/1/note");
    refused(order, &[], ("AddItem", added.1.clone()), "not-found");
    refused(order, &[], ("Confirm", json!({})), "not-found");
    refused(order, std::slice::from_ref(&created), ("Create", created.1.clone()), "already-exists");
    then(order, std::slice::from_ref(&created), ("AddItem", added.1.clone()), added.clone());
    then(order, std::slice::from_ref(&created), ("Confirm", json!({})), confirmed.clone());
    let done = [created.clone(), confirmed.clone()];
    refused(order, &done, ("AddItem", added.1.clone()), "not-pending");
    refused(order, &done, ("Confirm", json!({})), "not-pending");
    let huge = item("gold", 1_000_000, 9_007_199_254_740_991);
    refused(order, &[], ("Create", create(json!([huge]))), "total-out-of-range");
    refused(order, std::slice::from_ref(&created), ("AddItem", huge), "total-out-of-range");

    let expected = json!({"customerId": "c1", "items": [item("pen", 2, 150), item("ink", 3, 199)], "totalAmount": 897, "status": "confirmed"});
    assert_eq!(state(order, &[created, added, confirmed]), expected);
    // An older writer stored the total in the event: it is accepted, and not believed.
    let mut old = create(json!([item("pen", 2, 150)]));
    old["totalAmount"] = json!(999);
    old["items"][0]["note"] = json!("an older writer's");
    assert_eq!(state(order, &[("OrderCreated", old)])["totalAmount"], 300);
}

#[test]
fn only_an_active_customer_changes() {
    let registered = ("CustomerRegistered", json!({"email": "ada@example.com", "name": "Ada"}));
    let updated =
        ("CustomerEmailUpdated", json!({"oldEmail": "ada@example.com", "newEmail": "ada@new.example"}));
    let suspended = ("CustomerSuspended", json!({"reason": "unpaid"}));
    let reactivated = ("CustomerReactivated", json!({}));
    let customer = "Customer";
    let known = std::slice::from_ref(&registered);
    let away = [registered.clone(), suspended.clone()];
    let update = |email: &str| ("UpdateEmail", json!({"newEmail": email}));
    then(customer, &[], ("Register", registered.1.clone()), registered.clone());
    refused(customer, known, ("Register", registered.1.clone()), "already-exists");
    refused(customer, &[], ("Register", json!({"email": "nonsense", "name": ""})), "/email /name");
    refused(customer, &[], update("a@b"), "not-found");
    then(customer, known, update("ada@new.example"), updated.clone());
    assert_eq!(decided(customer, known, update("ada@example.com")), Ok(vec![]));
    refused(customer, &away, update("ada@new.example"), "not-active");
    refused(customer, &away, update("ada@example.com"), "not-active");
    then(customer, known, ("Suspend", json!({"reason": "unpaid"})), suspended.clone());
    refused(customer, &away, ("Suspend", json!({"reason": "more"})), "not-active");
    refused(customer, &[], ("Suspend", json!({"reason": "x"})), "not-found");
    then(customer, &away, ("Reactivate", json!({})), reactivated.clone());
    refused(customer, known, ("Reactivate", json!({})), "not-suspended");
    refused(customer, &[], ("Reactivate", json!({})), "not-found");

    let active = json!({"email": "ada@example.com", "name": "Ada", "status": "ACTIVE"});
    assert_eq!(state(customer, known), active);
    assert_eq!(state(customer, &away)["suspensionReason"], "unpaid");
    assert_eq!(state(customer, &[registered.clone(), suspended, reactivated]), active);
    assert_eq!(state(customer, &[registered, updated])["email"], "ada@new.example");
}

const BANK: &str = "BankAccount";

fn opened(deposit: i64) -> (&'static str, Value) {
    ("AccountOpened", json!({"accountHolderId": "ada", "initialDeposit": deposit, "currency": "EUR"}))
}

fn closed() -> (&'static str, Value) {
    ("AccountClosed", json!({"reason": "moved", "closedBy": "ada"}))
}

fn initiated(amount: i64) -> (&'static str, Value) {
    ("TransferInitiated", json!({"transferId": "t1", "destinationAccountId": "b2", "amount": amount}))
}

#[test]
fn an_account_is_opened_and_closed_once() {
    then(BANK, &[], ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})), opened(0));
    then(
        BANK,
        &[],
        ("Open", json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 100})),
        opened(100),
    );
    refused(
        BANK,
        &[],
        ("Open", json!({"accountHolderId": "", "currency": "eur", "initialDeposit": -1})),
        "/accountHolderId /currency /initialDeposit",
    );
    refused(
        BANK,
        &[opened(0)],
        ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
        "already-exists",
    );
    let minus_zero =
        serde_json::from_str(r#"{"accountHolderId":"ada","currency":"EUR","initialDeposit":-0}"#);
    refused(BANK, &[], ("Open", minus_zero.unwrap()), "/initialDeposit");
    refused(BANK, &[], ("Close", json!({"reason": "moved"})), "not-found");
    then(BANK, &[opened(0)], ("Close", json!({"reason": "moved", "closedBy": "ada"})), closed());
    // Where nobody is named, it was the actor.
    then(
        BANK,
        &[opened(0)],
        ("Close", json!({"reason": "moved"})),
        ("AccountClosed", json!({"reason": "moved", "closedBy": "eve"})),
    );
    refused(BANK, &[opened(1)], ("Close", json!({"reason": "moved"})), "balance-not-zero");
    refused(BANK, &[opened(5), initiated(5)], ("Close", json!({"reason": "moved"})), "transfers-pending");
    refused(BANK, &[opened(0), closed()], ("Close", json!({"reason": "moved"})), "account-closed");
    assert_eq!(
        state(BANK, &[opened(0), closed()]),
        json!({"accountHolderId": "ada", "balance": 0, "currency": "EUR", "status": "Closed", "pendingTransfers": {}})
    );
}

#[test]
fn money_goes_in_and_out_within_the_rules() {
    let deposit = |amount: i64| ("Deposit", json!({"amount": amount, "transactionReference": "r"}));
    let withdraw = |amount: i64| {
        ("Withdraw", json!({"amount": amount, "transactionReference": "r", "description": "rent"}))
    };
    let deposited = |amount: i64| {
        ("MoneyDeposited", json!({"amount": amount, "transactionReference": "r", "description": "Deposit"}))
    };
    let withdrawn = |amount: i64| {
        ("MoneyWithdrawn", json!({"amount": amount, "transactionReference": "r", "description": "rent"}))
    };
    then(BANK, &[opened(0)], deposit(100_000_000), deposited(100_000_000));
    refused(BANK, &[opened(0)], deposit(100_000_001), "deposit-limit");
    refused(BANK, &[opened(0)], deposit(0), "/amount");
    refused(BANK, &[opened(0)], deposit(-5), "/amount");
    refused(
        BANK,
        &[opened(0)],
        ("Deposit", json!({"amount": 2.5, "transactionReference": 7})),
        "/amount /transactionReference",
    );
    refused(BANK, &[], deposit(1), "not-found");
    refused(BANK, &[opened(0), closed()], deposit(1), "account-closed");
    refused(BANK, &[opened(9_007_199_254_740_991)], deposit(1), "balance-out-of-range");
    then(BANK, &[opened(50)], withdraw(50), withdrawn(50));
    refused(BANK, &[opened(50)], withdraw(51), "insufficient-funds");
    refused(BANK, &[opened(50)], withdraw(0), "/amount");
    refused(BANK, &[], withdraw(1), "not-found");
    refused(BANK, &[opened(0), closed()], withdraw(1), "account-closed");
    assert_eq!(state(BANK, &[opened(50), deposited(30), withdrawn(20)])["balance"], 60);
}

#[test]
fn a_transfer_leaves_arrives_and_is_settled() {
    let initiate = |amount: i64, to: &str| {
        ("InitiateTransfer", json!({"transferId": "t1", "destinationAccountId": to, "amount": amount}))
    };
    then(BANK, &[opened(50)], initiate(50, "b2"), initiated(50));
    refused(BANK, &[opened(50)], initiate(51, "b2"), "insufficient-funds");
    refused(BANK, &[opened(50)], initiate(0, "b2"), "/amount");
    refused(BANK, &[opened(50)], initiate(5, "a1"), "transfer-to-self");
    refused(BANK, &[opened(50), initiated(5)], initiate(5, "b2"), "transfer-exists");
    refused(BANK, &[opened(0), closed()], initiate(5, "b2"), "account-closed");
    refused(BANK, &[], initiate(5, "b2"), "not-found");
    let pending = state(BANK, &[opened(50), initiated(20)]);
    assert_eq!(pending["balance"], 30);
    assert_eq!(pending["pendingTransfers"], json!({"t1": {"destinationAccountId": "b2", "amount": 20}}));

    let receive = |currency: &str| {
        (
            "ReceiveTransfer",
            json!({"transferId": "t1", "sourceAccountId": "b2", "amount": 20, "currency": currency}),
        )
    };
    let received = ("TransferReceived", receive("EUR").1);
    then(BANK, &[opened(0)], receive("EUR"), received.clone());
    refused(BANK, &[opened(0)], receive("USD"), "currency-mismatch");
    refused(BANK, &[opened(0), closed()], receive("EUR"), "account-closed");
    refused(BANK, &[], receive("EUR"), "not-found");
    refused(BANK, &[opened(9_007_199_254_740_991)], receive("EUR"), "balance-out-of-range");
    assert_eq!(state(BANK, &[opened(1), received])["balance"], 21);

    let complete = ("CompleteTransfer", json!({"transferId": "t1"}));
    let completed = ("TransferCompleted", json!({"transferId": "t1"}));
    let sent = [opened(50), initiated(20)];
    then(BANK, &sent, complete.clone(), completed.clone());
    refused(BANK, &[opened(50)], complete.clone(), "transfer-not-pending");
    refused(BANK, &[opened(50), initiated(20), completed.clone()], complete.clone(), "transfer-not-pending");
    refused(BANK, &[], complete, "not-found");
    let after = state(BANK, &[opened(50), initiated(20), completed.clone()]);
    assert_eq!((&after["balance"], &after["pendingTransfers"]), (&json!(30), &json!({})));

    let reverse =
        |amount: i64| ("ReverseTransfer", json!({"transferId": "t1", "amount": amount, "reason": "closed"}));
    let reversed = ("TransferReversed", reverse(20).1);
    then(BANK, &sent, reverse(20), reversed.clone());
    refused(BANK, &sent, reverse(19), "amount-mismatch");
    refused(BANK, &[opened(50), initiated(20), completed], reverse(20), "transfer-not-pending");
    refused(BANK, &[], reverse(20), "not-found");
    let back = state(BANK, &[opened(50), initiated(20), reversed]);
    assert_eq!((&back["balance"], &back["pendingTransfers"]), (&json!(50), &json!({})));
}

#[test]
fn only_commands_that_must_not_be_repeated_have_a_name_of_their_own() {
    let bank = domains::find(BANK).unwrap();
    let once = |name: &str, fields: Value| bank.validate(&Command::new(name, fields).unwrap()).unwrap();
    let named =
        |owner: Option<&str>, name: &str| Some(Once { owner: owner.map(Into::into), name: name.into() });
    let initiate = json!({"transferId": "t1", "destinationAccountId": "b2", "amount": 1});
    assert_eq!(once("InitiateTransfer", initiate), named(None, "initiate/t1"));
    // Both outcomes have one name, the source's: a transfer that arrived never comes back as well.
    let receive = json!({"transferId": "t1", "sourceAccountId": "a1", "amount": 1, "currency": "EUR"});
    assert_eq!(once("ReceiveTransfer", receive), named(Some("a1"), "outcome/t1"));
    let reverse = json!({"transferId": "t1", "amount": 1, "reason": "x"});
    assert_eq!(once("ReverseTransfer", reverse), named(None, "outcome/t1"));
    assert_eq!(once("CompleteTransfer", json!({"transferId": "t1"})), named(None, "complete/t1"));
    assert_eq!(once("Deposit", json!({"amount": 1, "transactionReference": "r"})), None);
}

#[test]
fn an_event_that_cannot_come_next_is_refused_with_its_place() {
    let wrong = |mut events: Vec<Event>, change: &dyn Fn(&mut Value), expected: &dyn Fn(&Problem) -> bool| {
        let last = events.pop().unwrap();
        let mut fields = Value::Object(last.fields());
        change(&mut fields);
        events.push(Event::parse(&fields.to_string()).unwrap());
        let error = domains::find(BANK).unwrap().start("a1").apply_all(&events).unwrap_err();
        assert!(expected(&error.problem), "{error}");
        assert_eq!(error.event_id.to_string(), fields["eventId"].as_str().unwrap());
    };
    let deposited = ("MoneyDeposited", json!({"amount": 1, "transactionReference": "r", "description": "d"}));
    let three = || history(BANK, &[opened(1), deposited.clone(), deposited.clone()]);
    wrong(three(), &|e| e["aggregateVersion"] = json!(4), &|p| matches!(p, Problem::Gap { expected: 3 }));
    wrong(three(), &|e| e["aggregateVersion"] = json!(2), &|p| {
        matches!(p, Problem::Duplicate { expected: 3 })
    });
    wrong(three(), &|e| e["aggregateId"] = json!("b2"), &|p| matches!(p, Problem::Foreign { .. }));
    wrong(three(), &|e| e["aggregateName"] = json!("Order"), &|p| matches!(p, Problem::Foreign { .. }));
    wrong(
        three(),
        &|e| e["eventName"] = json!("MoneyPrinted"),
        &|p| matches!(p, Problem::Unknown { known } if known.len() == 8),
    );
    wrong(
        three(),
        &|e| e["amount"] = json!("1"),
        &|p| matches!(p, Problem::Payload(issue) if issue.pointer == "/amount"),
    );
    wrong(three(), &|e| e["amount"] = json!(1.5), &|p| matches!(p, Problem::Payload(_)));
    wrong(three(), &|e| e["schemaVersion"] = json!(2), &|p| {
        matches!(p, Problem::TooNew { found: 2, newest: 1 })
    });
    wrong(history(BANK, std::slice::from_ref(&deposited)), &|_| {}, &|p| matches!(p, Problem::NotCreated));
    wrong(history(BANK, &[opened(1), opened(1)]), &|_| {}, &|p| matches!(p, Problem::AlreadyCreated));
    let full = [opened(9_007_199_254_740_991), deposited];
    wrong(history(BANK, &full), &|_| {}, &|p| matches!(p, Problem::OutOfRange { field: "balance" }));
}

#[test]
fn schemas_name_every_field_with_a_title_and_nothing_reserved() {
    // The keywords that `validate` knows; `pattern` only beside the `format` that checks it.
    let known = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "format",
        "minItems",
        "items",
        "enum",
        "default",
        "title",
        "description",
        "x-unit",
        "x-command",
        "x-sender",
        "pattern",
    ];
    fn walk(schema: &Value, known: &[&str], path: &str) {
        for (keyword, value) in schema.as_object().unwrap() {
            assert!(known.contains(&keyword.as_str()), "{path}: {keyword}");
            match keyword.as_str() {
                "pattern" => assert!(schema.get("format").is_some(), "{path}"),
                "format" => assert!(!validate(schema, &json!("#")).is_empty(), "{path}: an unknown format"),
                "items" => walk(value, known, path),
                "properties" => value.as_object().unwrap().iter().for_each(|(name, field)| {
                    assert!(field.get("title").is_some(), "{path}/{name} has no title");
                    assert!(field.get("description").is_some(), "{path}/{name} has no description");
                    assert!(!RESERVED.contains(&name.as_str()), "{path}/{name} is reserved");
                    walk(field, known, &format!("{path}/{name}"));
                }),
                _ => {}
            }
        }
    }
    /// A command is refused with a field that it does not know, at any depth.
    fn closed(schema: &Value, path: &str) {
        if schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], json!(false), "{path}");
        }
        schema["properties"].as_object().into_iter().flatten().for_each(|(name, field)| closed(field, name));
        schema.get("items").into_iter().for_each(|items| closed(items, path));
    }
    for domain in domains::all() {
        for shape in domain.commands() {
            closed(&shape.schema, &shape.name);
            walk(&shape.schema, &known, &shape.name);
        }
        for shape in domain.events() {
            assert!(!shape.schema.to_string().contains("additionalProperties"), "{}", shape.name);
            walk(&shape.schema, &known, &shape.name);
            let command = shape.schema["x-command"].as_str().unwrap();
            assert!(domain.commands().iter().any(|known| known.name == command), "{command}");
        }
    }
    for domain in domains::all() {
        let fields = domain.state()["properties"].as_object().unwrap();
        assert!(fields.values().all(|field| field.get("title").is_some()), "{domain:?}");
    }
    let bank = domains::find(BANK).unwrap();
    assert_eq!(bank.state()["properties"]["balance"]["x-unit"], "cents");
    let rows = [
        state("BlogPost", &[("BlogPostCreated", json!({"title": "x"}))]),
        state(BANK, &[opened(1)]),
        state("Customer", &[("CustomerRegistered", json!({"email": "a@b", "name": "x"}))]),
        state("Order", &[("OrderCreated", json!({"customerId": "c", "items": []}))]),
    ];
    for row in rows {
        assert!(RESERVED_IN_ROWS.iter().all(|name| row.get(*name).is_none()), "{row}");
    }
}

/// A domain whose events have a past: `Opened` had a `colour` once, then an American one, and now a list.
mod lamp {
    use rewound_core::{
        aggregate::{Aggregate, Context},
        error::{Problem, Rejection},
        schema::Described,
        upcast::Upcaster,
    };

    #[derive(Described)]
    pub(super) enum Command {
        Make { colors: Vec<String> },
    }

    #[derive(Described)]
    pub(super) enum Event {
        #[described(command = "Make")]
        Made { colors: Vec<String> },
    }

    #[derive(Clone, Described)]
    pub(super) struct State {
        colors: Vec<String>,
    }

    pub(super) struct Lamp;

    impl Aggregate for Lamp {
        const NAME: &'static str = "Lamp";
        const FINGERPRINT: u64 = 1;
        const UPCASTERS: &'static [Upcaster] = &[
            Upcaster {
                event: "Opened",
                from: 1,
                renamed: None,
                lift: |payload| {
                    let colour = payload.remove("colour").ok_or("`colour` is missing")?;
                    payload.insert("color".into(), colour);
                    Ok(())
                },
            },
            Upcaster {
                event: "Opened",
                from: 2,
                renamed: Some("Made"),
                lift: |payload| {
                    let color = payload.remove("color").ok_or("`color` is missing")?;
                    payload.insert("colors".into(), vec![color].into());
                    Ok(())
                },
            },
        ];
        type Command = Command;
        type Event = Event;
        type State = State;

        fn decide(_: Option<&State>, command: Command, _: Context<'_>) -> Result<Vec<Event>, Rejection> {
            let Command::Make { colors } = command;
            Ok(vec![Event::Made { colors }])
        }

        fn evolve(_: Option<State>, event: &Event, _: Context<'_>) -> Result<State, Problem> {
            let Event::Made { colors } = event;
            Ok(State { colors: colors.clone() })
        }
    }
}

static LAMP: Compiled<lamp::Lamp> = Compiled::new();

#[test]
fn events_of_every_age_are_decided_again_as_todays() {
    let events = [
        ("Opened", json!({"colour": "red", "byTheWay": "unknown today"})),
        ("Opened", json!({"color": "blue", "schemaVersion": 2})),
        ("Made", json!({"colors": ["green"], "schemaVersion": 3})),
        ("Opened", json!({"colour": "red"})),
    ];
    let timeline = Timeline::new(&LAMP, "a1", history("Lamp", &events));
    let branch = timeline.branch(&[Edit::Drop { version: 1 }]).unwrap();
    assert_eq!(branch.verdicts, [Verdict::Possible, Verdict::Possible, Verdict::Possible]);
    // The stored event keeps its age.
    assert_eq!(branch.timeline.events()[2].name(), "Opened");
    assert_eq!(branch.timeline.events()[2].schema_version(), 1);
}

#[test]
fn events_of_every_age_reduce_to_todays_state() {
    let state = |name: &str, version: u32, payload: Value| {
        let mut payload = payload;
        payload["schemaVersion"] = json!(version);
        let made = LAMP.start("a1").apply_all(&history("Lamp", &[(name, payload)]));
        made.map(|lamp| Value::Object(lamp.snapshot().unwrap().state))
            .map_err(|error| error.problem.to_string())
    };
    let red = Ok(json!({"colors": ["red"]}));
    assert_eq!(state("Opened", 1, json!({"colour": "red"})), red);
    assert_eq!(state("Opened", 2, json!({"color": "red"})), red);
    assert_eq!(state("Made", 3, json!({"colors": ["red"]})), red);
    let missing = "lifting Opened from schema version 1 failed: `colour` is missing";
    assert_eq!(state("Opened", 1, json!({})), Err(missing.into()));
    assert!(state("Made", 4, json!({"colors": []})).unwrap_err().contains("the newest known here is 3"));
    // What is written today says so.
    let make = Command::new("Make", json!({"colors": ["blue"]})).unwrap();
    let new =
        decide(&LAMP, LAMP.start("l").as_ref(), &make, &Sender { actor: "ada".into(), ..Sender::default() })
            .unwrap();
    assert_eq!(new[0].schema_version(), 3);
}

#[test]
fn a_state_says_what_is_wrong_with_its_meta() {
    let good = json!({"$meta": {"id": "a", "version": 1, "actorId": "ada", "updatedAt": "2027-01-15T08:00:00.000Z"}, "title": "x"});
    let read = |value: &Value| {
        Snapshot::from_json(value, 0).map(|state| state.to_json()).map_err(|issue| issue.pointer)
    };
    assert_eq!(read(&good), Ok(good.clone()));
    for (name, value) in [
        ("id", json!(7)),
        ("version", json!(0)),
        ("version", json!(u64::MAX)),
        ("version", json!("1")),
        ("actorId", Value::Null),
        ("updatedAt", json!("today")),
    ] {
        let mut state = good.clone();
        state["$meta"][name] = value;
        assert_eq!(read(&state), Err(format!("/$meta/{name}")));
    }
    assert_eq!(read(&json!({"title": "x"})), Err("/$meta".to_owned()));
    assert_eq!(read(&json!([])), Err(String::new()));
}
