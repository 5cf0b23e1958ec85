//! What holds for every input: random histories, random bytes, random commands.

use proptest::prelude::*;
use rewound_core::{
    domain::{Command, Sender, Snapshot, decide},
    domains,
    event::Event,
    import::{EventLog, Import},
    number::{Cents, MAX_SAFE},
    projection::Projector,
    run::{Options, run},
    schema::validate,
    store::MemoryStore,
    time::rising_ids,
    timeline::{KEYFRAME_EVERY, Timeline},
    value::{canonical, diff},
    views,
};
use serde_json::{Value, json};

/// A command to an account of a random kind and size; many are refused, which is part of the game.
fn command() -> impl Strategy<Value = Command> {
    let amount = 1_i64..30_000;
    let transfer = "[a-d]";
    prop_oneof![
        4 => amount.clone().prop_map(|amount| ("Deposit", json!({"amount": amount, "transactionReference": "in"}))),
        4 => amount.clone().prop_map(|amount| ("Withdraw", json!({"amount": amount, "transactionReference": "out"}))),
        3 => (transfer, amount.clone()).prop_map(|(id, amount)| ("InitiateTransfer", json!({"transferId": id, "destinationAccountId": "b", "amount": amount}))),
        1 => (transfer, amount).prop_map(|(id, amount)| ("ReceiveTransfer", json!({"transferId": id, "sourceAccountId": "b", "amount": amount, "currency": "EUR"}))),
        2 => transfer.prop_map(|id| ("CompleteTransfer", json!({"transferId": id}))),
        1 => Just(("Close", json!({"reason": "moved"}))),
    ]
    .prop_map(|(name, fields)| Command::new(name, fields).unwrap())
}

/// A history that the rules allow.
fn history(most: usize) -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(command(), 0..most).prop_map(|commands| {
        let bank = domains::find("BankAccount").unwrap();
        let open = Command::new(
            "Open",
            json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 20_000}),
        );
        let mut account = bank.start("a");
        let mut events = Vec::new();
        for (index, command) in [open.unwrap()].into_iter().chain(commands).enumerate() {
            let by = Sender {
                actor: "ada".into(),
                now: 1_000_000 + index as u64 * 977,
                random: index as u128,
                ..Sender::default()
            };
            if let Ok(new) = decide(bank, account.as_ref(), &command, &by) {
                account = account.apply_all(&new).unwrap();
                events.extend(new);
            }
        }
        events
    })
}

fn fold(events: &[Event]) -> Option<Snapshot> {
    let bank = domains::find("BankAccount").unwrap();
    bank.start("a").apply_all(events).unwrap().snapshot()
}

proptest! {
    #[test]
    fn reducing_in_pieces_is_reducing_at_once((events, cut) in history(60).prop_flat_map(|events| {
        let most = events.len();
        (Just(events), 0..=most)
    })) {
        let bank = domains::find("BankAccount").unwrap();
        let (first, rest) = events.split_at(cut);
        let whole = fold(&events);
        let halfway = bank.start("a").apply_all(first).unwrap();
        prop_assert_eq!(&halfway.fork().apply_all(rest).unwrap().snapshot(), &whole);
        // A snapshot, sent as JSON, and the tail are the full replay.
        if let Some(snapshot) = halfway.snapshot() {
            let text = snapshot.to_json().to_string();
            let read = Snapshot::from_json(&serde_json::from_str(&text).unwrap(), bank.fingerprint()).unwrap();
            prop_assert_eq!(&read, &snapshot);
            prop_assert_eq!(&bank.resume(&read).unwrap().apply_all(rest).unwrap().snapshot(), &whole);
        }
    }

    #[test]
    fn money_that_is_there_is_what_the_events_say(events in history(60)) {
        let sum: i64 = events.iter().map(|event| {
            let payload = event.payload();
            let amount = |name: &str| payload.get(name).and_then(Value::as_i64).unwrap_or(0);
            match event.name() {
                "AccountOpened" => amount("initialDeposit"),
                "MoneyDeposited" | "TransferReceived" => amount("amount"),
                "MoneyWithdrawn" => -amount("amount"),
                "TransferCompleted" => {
                    let started = events.iter().rfind(|start| {
                        start.version() < event.version() && start.name() == "TransferInitiated" && start.payload()["transferId"] == payload["transferId"]
                    });
                    -started.unwrap().payload()["amount"].as_i64().unwrap()
                }
                _ => 0,
            }
        }).sum();
        let state = fold(&events).unwrap().state;
        let pending: i64 = state["pendingTransfers"].as_object().unwrap().values().map(|t| t["amount"].as_i64().unwrap()).sum();
        prop_assert_eq!(state["balance"].as_i64().unwrap() + pending, sum);
    }

    #[test]
    fn an_event_survives_json(events in history(30)) {
        for event in &events {
            prop_assert_eq!(&Event::parse(event.as_json()).unwrap(), event);
            let again = Event::parse(&Value::Object(event.fields()).to_string()).unwrap();
            prop_assert_eq!(again.as_json(), event.as_json());
        }
        let lines: String = events.iter().map(|event| format!("{}\n", event.as_json())).collect();
        prop_assert_eq!(EventLog::from_bytes(lines.as_bytes()).to_ndjson(), lines);
    }

    #[test]
    fn any_text_and_number_survives_as_it_is_written(
        text in any::<String>(), key in "[a-z$ _é]{1,9}", digits in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
    ) {
        let line = format!(
            r#"{{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"E","aggregateName":"A","aggregateId":"a","aggregateVersion":1,"actorId":"u",{}:{},"deep":[{{"n":{digits}}}]}}"#,
            json!(key), json!(text),
        );
        let log = EventLog::from_bytes(line.as_bytes());
        prop_assert_eq!(log.to_ndjson(), format!("{line}\n"));
        let event = log.stream("a").unwrap().events().next().unwrap();
        prop_assert_eq!(&event.payload()[&key], &json!(text));
        let state = log.timeline("a").unwrap().state_at(1).unwrap();
        prop_assert_eq!(&state.state[&key], &json!(text));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
        let mut import = Import::new();
        let (first, rest) = bytes.split_at(cut.min(bytes.len()));
        import.push(first);
        import.push(rest);
        let pieces = import.finish();
        let whole = EventLog::from_bytes(&bytes);
        prop_assert_eq!(pieces.problems(), whole.problems());
        let text = String::from_utf8_lossy(&bytes);
        let _ = (Event::parse(&text).is_ok(), rewound_core::time::parse_iso(&text));
    }

    #[test]
    fn a_damaged_export_is_told_and_never_panics(
        events in history(8), place in any::<prop::sample::Index>(), damage in prop::collection::vec(any::<u8>(), 0..4), gzip in any::<bool>(),
    ) {
        let lines: Vec<String> = events.iter().map(|event| format!("{{\"Item\":{}}}\n", attributes(&Value::Object(event.fields()))["M"])).collect();
        let whole = EventLog::from_bytes(lines.concat().as_bytes());
        prop_assert_eq!((whole.len(), whole.problems()), (events.len(), &[][..]));
        let mut bytes = lines.concat().into_bytes();
        if gzip {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let place = place.index(bytes.len());
        bytes.splice(place..(place + damage.len()).min(bytes.len()), damage);
        let log = EventLog::from_bytes(&bytes);
        prop_assert!(log.len() <= events.len());
        // What is lost is told; a damaged gzip header may hide that there was anything at all.
        prop_assert!(log.len() == events.len() || !log.problems().is_empty());
    }

    #[test]
    fn any_json_is_a_state_or_a_command_or_an_error(mut value in json_value(), kind in 0_usize..4) {
        let domain = domains::all()[kind];
        let _ = Command::from_json(&value).map(|command| domain.validate(&command).is_ok());
        let _ = Snapshot::from_json(&value, domain.fingerprint()).is_ok();
        if let Value::Object(fields) = &mut value {
            fields.insert("$meta".into(), json!({"id": "a", "version": 3, "actorId": "ada"}));
            let snapshot = Snapshot::from_json(&value, domain.fingerprint()).unwrap();
            let _ = domain.resume(&snapshot).map(|instance| instance.snapshot());
            let generic = Snapshot { fingerprint: domains::for_log("?").fingerprint(), ..snapshot };
            prop_assert!(domains::for_log("?").resume(&generic).is_ok());
        }
    }

    #[test]
    fn a_damaged_log_keeps_its_good_lines(events in history(12), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut lines: Vec<u8> = events.iter().flat_map(|event| format!("{}\n", event.as_json()).into_bytes()).collect();
        let place = place.index(lines.len());
        lines[place] = byte;
        let log = EventLog::from_bytes(&lines);
        // One byte can spoil one line, or two where it was or becomes their end.
        prop_assert!(log.len() + 2 >= events.len(), "{:?}", log.problems());
        prop_assert!(log.len() >= events.len() || !log.problems().is_empty());
        for stream in log.streams() {
            let timeline = stream.timeline();
            prop_assert!(timeline.len() <= events.len() as u64);
        }
    }

    #[test]
    fn the_form_of_a_command_and_its_type_agree(
        kind in 0_usize..4, command in any::<prop::sample::Index>(), field in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from), any::<f64>().prop_map(Value::from), ".{0,4}".prop_map(Value::from),
            Just(json!("EUR")), Just(json!("a@b.c")), Just(json!([])), Just(json!({})),
            Just(json!([{"productId": "p", "quantity": 1, "price": 1}])), Just(json!([{"productId": "p"}])),
        ],
        drop in any::<bool>(),
    ) {
        let domain = domains::all()[kind];
        let shape = command.get(domain.commands());
        let mut fields = serde_json::Map::new();
        for (name, schema) in shape.fields() {
            let good = match (schema["type"].as_str(), schema["format"].as_str()) {
                (_, Some("email")) => json!("ada@example.com"),
                (_, Some("iso-4217")) => json!("EUR"),
                (Some("integer"), _) => json!(1),
                (Some("array"), _) => json!([{"productId": "p", "quantity": 1, "price": 1}]),
                _ => json!("text"),
            };
            fields.insert(name.to_owned(), good);
        }
        let whole = Value::Object(fields.clone());
        prop_assert_eq!(validate(&shape.schema, &whole), vec![]);
        let names: Vec<String> = fields.keys().cloned().collect();
        if !names.is_empty() {
            let name = field.get(&names);
            if drop { fields.remove(name); } else { fields.insert(name.clone(), value); }
        }
        let command = Command { name: shape.name.clone(), fields: fields.clone() };
        let formed = validate(&shape.schema, &Value::Object(fields)).is_empty();
        // What the schema lets pass, the type can hold: `validate` says so, and deciding never says otherwise.
        prop_assert_eq!(domain.validate(&command).is_ok(), formed);
        let decided = domain.start("x").decide(&command, "ada");
        let typed = !matches!(decided, Err(rewound_core::error::Error::Invalid(_)));
        prop_assert!(typed || !formed, "{:?}", decided);
    }

    #[test]
    fn ids_rise_whatever_the_clock_says(now in 0..1_u64 << 48, after in prop::option::of(0..(1_u64 << 48) - 10), random in any::<u128>()) {
        let ids: Vec<_> = rising_ids(now, after, random).take(50).collect();
        prop_assert!(ids.is_sorted_by(|a, b| a < b));
        prop_assert!(after.is_none_or(|after| ids[0].timestamp_ms() > after));
    }

    #[test]
    fn sums_of_money_are_exact_or_refused(a in -MAX_SAFE..=MAX_SAFE, b in -MAX_SAFE..=MAX_SAFE) {
        let (x, y) = (Cents::new(a).unwrap(), Cents::new(b).unwrap());
        prop_assert_eq!(x.plus(y).map(Cents::get), Some(a + b).filter(|sum| sum.abs() <= MAX_SAFE));
        prop_assert_eq!(x.minus(y).map(Cents::get), Some(a - b).filter(|sum| sum.abs() <= MAX_SAFE));
        let product = a as i128 * b as i128;
        prop_assert_eq!(x.times(y).map(|p| p.get() as i128), Some(product).filter(|p| p.abs() <= MAX_SAFE as i128));
    }

    #[test]
    fn a_difference_is_none_where_values_are_equal(a in json_value(), b in json_value()) {
        prop_assert_eq!(diff(&a, &b).is_empty(), canonical(&a) == canonical(&b));
        let there: Vec<_> = diff(&a, &b).into_iter().map(|change| (change.path, change.from, change.to)).collect();
        let mut back: Vec<_> = diff(&b, &a).into_iter().map(|change| (change.path, change.to, change.from)).collect();
        let mut there = there;
        there.sort_by(|x, y| x.0.cmp(&y.0));
        back.sort_by(|x, y| x.0.cmp(&y.0));
        prop_assert_eq!(there, back);
    }

    #[test]
    fn a_projection_sees_each_event_once_in_any_order(events in history(40), order in any::<u64>(), twice in any::<u64>()) {
        let mut rng = fastrand::Rng::with_seed(order);
        let mut deliveries = events.clone();
        deliveries.extend(events.iter().filter(|event| twice >> (event.version() % 64) & 1 == 1).cloned());
        rng.shuffle(&mut deliveries);
        let mut balances = Projector::new(views::ACCOUNT_BALANCES);
        for event in deliveries {
            balances.deliver(event);
            if rng.bool() { balances.run(0, rng.usize(0..5)); }
        }
        while balances.run(0, 50) > 0 {}
        let state = fold(&events).unwrap().state;
        prop_assert_eq!(&balances.rows()["a"]["balance"], &state["balance"]);
        prop_assert_eq!(&balances.rows()["a"]["status"], &state["status"]);
        prop_assert_eq!(balances.checkpoint()["a"], events.len() as u64);
        prop_assert_eq!(balances.lag().events, 0);
    }

    #[test]
    fn the_state_that_a_run_answers_is_the_fold_of_what_it_stored(commands in prop::collection::vec(command(), 0..40), every in 1_u64..5) {
        let bank = domains::find("BankAccount").unwrap();
        let mut store = MemoryStore::with_snapshots(every);
        let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 20_000})).unwrap();
        for (index, command) in [open].into_iter().chain(commands).enumerate() {
            let by = Sender { actor: "ada".into(), now: 5_000 + index as u64, random: index as u128, ..Sender::default() };
            if let Ok(done) = run(&mut store, bank, "a", command, &by, Options::default()) && !done.repeated {
                let stored = store.stream("BankAccount", "a").unwrap();
                prop_assert_eq!(&done.snapshot, &fold(&stored.events));
            }
        }
    }
}

/// A value as DynamoDB writes it.
fn attributes(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(value) => json!({"BOOL": value}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attributes).collect::<Vec<_>>()}),
        Value::Object(fields) => {
            json!({"M": fields.iter().map(|(name, value)| (name.clone(), attributes(value))).collect::<serde_json::Map<_, _>>()})
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        "[ab/~]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[ab/~]{1,2}", inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn seeking_is_folding_the_first_events(events in history(3 * KEYFRAME_EVERY), at in any::<prop::sample::Index>(), shuffle in any::<u64>()) {
        let mut shuffled = events.clone();
        fastrand::Rng::with_seed(shuffle).shuffle(&mut shuffled);
        let bank = domains::find("BankAccount").unwrap();
        let timeline = Timeline::new(bank, "a", shuffled);
        prop_assert_eq!(timeline.len(), events.len() as u64);
        let near: Vec<usize> = [KEYFRAME_EVERY - 1, KEYFRAME_EVERY, KEYFRAME_EVERY + 1, 0, events.len()]
            .into_iter().chain([at.index(events.len())]).filter(|version| *version <= events.len()).collect();
        for version in near {
            prop_assert_eq!(timeline.state_at(version as u64), fold(&events[..version]), "version {}", version);
            if let Some(event) = events.get(version) {
                prop_assert_eq!(timeline.version_at(event.time()), version as u64 + 1);
                prop_assert_eq!(timeline.version_at(event.time() - 1), version as u64);
            }
        }
        // Grown one by one it is the same.
        let mut grown = Timeline::empty(bank, "a");
        for event in events.iter().take(2 * KEYFRAME_EVERY + 1) {
            grown.push(event.clone()).unwrap();
        }
        prop_assert_eq!(grown.state_at(u64::MAX), timeline.state_at(grown.len()));
        // Why a field is what it is: the causes lead from nothing to its value, one to the next.
        let causes = timeline.why("/balance");
        prop_assert!(causes.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].version < pair[1].version));
        prop_assert_eq!(causes.last().and_then(|cause| cause.to.clone()), timeline.state_at(u64::MAX).map(|s| s.state["balance"].clone()));
    }
}
