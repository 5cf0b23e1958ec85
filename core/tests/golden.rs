//! Vectors that every language reads: a state and a command, and the exact events, state and DynamoDB transaction that
//! they make. What is given stands in `golden/given.json`; with `REWOUND_WRITE=1` what follows is written anew to
//! `golden/vectors.json`, to be looked at before it is committed. The npm package's tests read the same file.

#![allow(clippy::disallowed_methods, reason = "the vectors are files")]

use rewound_core::{
    domain::{Command, Sender, Snapshot},
    domains,
    dynamodb::{
        Layout, Rows,
        exchange::{Exchange, Next, Response},
        item,
    },
    run::{CommandRun, Options, Step},
};
use serde_json::{Value, json};
use std::{env, fs, path::PathBuf, sync::Arc};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// The row of a state with `$meta`, as DynamoDB holds it.
fn row(state: &Value) -> Value {
    let mut fields = state.as_object().unwrap().clone();
    let meta = fields.shift_remove("$meta").unwrap();
    let mut row =
        json!({ "aggregateId": meta["id"], "version": meta["version"], "actorId": meta["actorId"] });
    row["updatedAt"] = meta["updatedAt"].clone();
    row.as_object_mut().unwrap().extend(fields);
    item::of(row.as_object().unwrap()).unwrap().into()
}

/// What a case leads to, beside what is given in it.
fn follow(given: &Value) -> Value {
    let text = |name: &str| given[name].as_str().unwrap().to_owned();
    let domain = domains::find(&text("aggregate")).unwrap();
    let rows = |name: &str| Rows { table: format!("table-{name}"), fingerprint: domain.fingerprint() };
    let aggregates = domains::all().map(|domain| (domain.name().to_owned(), rows(domain.name()))).into();
    let layout = Arc::new(Layout {
        events: "events".into(),
        helpers: "helpers".into(),
        aggregates,
        ..Layout::default()
    });

    let random = u128::from_str_radix(&text("random"), 16).unwrap();
    let now = given["now"].as_u64().unwrap();
    let by = Sender { actor: text("actorId"), ..Sender::default() };
    let idempotency_key = given["idempotencyKey"].as_str().map(str::to_owned);
    let options = Options { idempotency_key, ..Options::default() };
    let command = Command::from_json(&given["command"]).unwrap();
    let mut run = CommandRun::new(domain, &text("id"), command, by, options);
    let (mut reply, mut transaction) = (None, Value::Null);
    let row = given.get("state").map(row);
    let done = loop {
        match run.next(reply.take(), now, random) {
            Step::Wait(_) => {}
            Step::Done(done) => break done.unwrap(),
            Step::Ask(request) => {
                let (mut exchange, next) = Exchange::new(&layout, request);
                let Next::Send(call) = next else { panic!("{next:?}") };
                let body = match call.target.as_str() {
                    "DynamoDB_20120810.GetItem" => json!({ "Item": row }),
                    "DynamoDB_20120810.TransactWriteItems" => {
                        transaction = serde_json::from_str(&call.body).unwrap();
                        json!({})
                    }
                    other => panic!("{other}"),
                };
                let body = body.to_string();
                let response = Response { status: 200, body: body.as_bytes(), ..Response::default() };
                let Next::Done(answer) = exchange.answered(response, now) else { panic!() };
                reply = Some(answer);
            }
        }
    };
    let events: Vec<Value> = done.events.iter().map(|event| event.fields().into()).collect();
    let after = done.snapshot.as_ref().map(Snapshot::to_json);
    json!({ "row": row, "events": events, "after": after, "transaction": transaction })
}

#[test]
fn what_follows_is_what_was_agreed() {
    let found: Vec<Value> = read("given.json")
        .into_iter()
        .map(|given| {
            let mut vector = given.as_object().unwrap().clone();
            vector.extend(follow(&given).as_object().unwrap().clone());
            vector.into()
        })
        .collect();
    if env::var_os("REWOUND_WRITE").is_some() {
        fs::write(file("vectors.json"), serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let agreed = read("vectors.json");
    assert_eq!(found.len(), agreed.len());
    for (found, agreed) in found.iter().zip(&agreed) {
        // As text: the order of fields and the digits of numbers count.
        assert_eq!(found.to_string(), agreed.to_string(), "{}", agreed["name"]);
    }
}
