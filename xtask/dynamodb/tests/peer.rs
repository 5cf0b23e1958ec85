//! The same tables with `@coderbyheart/aws-dynamodb-es-cqrs` 1.3.0: each reads what the other wrote.

use rewound_core::{
    domain::{Command, Sender},
    domains,
    error::Result,
    event::Event,
    run::{Done, Options, run},
    store::{Answer, Request, Store},
    value::canonical,
};
use rewound_dynamodb::{Client, Server, layout};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

const NOW: u64 = 1_767_225_600_000;

/// The other library in Node.
struct Peer {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(url: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer");
        let help = "`npm ci` in xtask/dynamodb/peer first, or run `cargo xtask test`";
        assert!(folder.join("node_modules").exists(), "{help}");
        let mut child = std::process::Command::new("node")
            .args(["peer.mjs", url])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node 20 or newer is on the PATH");
        let asks = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, asks, answers }
    }

    fn ask(&mut self, what: Value) -> Value {
        writeln!(self.asks, "{what}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{what}: {line}"))
    }

    fn persist(&mut self, aggregate: Value, event: Value) -> Value {
        self.ask(json!({ "ask": "persist", "table": "peer-Customer", "events": "peer-events", "aggregate": aggregate, "event": event }))
    }

    fn load(&mut self) -> Value {
        self.ask(json!({ "ask": "load", "table": "peer-Customer", "id": "c1" }))["ok"].clone()
    }

    fn events(&mut self) -> Value {
        self.ask(json!({ "ask": "events", "events": "peer-events", "id": "c1" }))["ok"].clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn both() -> (Server, Client, Peer) {
    let server = Server::start(0, None).unwrap();
    let client = Client::new(&server.url, layout("peer"));
    client.create_tables().unwrap();
    let peer = Peer::start(&server.url);
    (server, client, peer)
}

fn send(store: &mut Client, name: &str, fields: Value, random: u128, options: Options) -> Result<Done> {
    let by = Sender { actor: "rewound".to_owned(), now: NOW, random, ..Sender::default() };
    let command = Command::new(name, fields).unwrap();
    run(store, domains::find("Customer").unwrap(), "c1", command, &by, options)
}

fn event(version: u64, name: &str, own: Value) -> Value {
    let mut event = json!({
        "eventId": format!("01KDVD7G00000000000000000{version}"), "eventName": name, "aggregateName": "Customer",
        "aggregateId": "c1", "aggregateVersion": version, "actorId": "peer",
    });
    event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    event
}

fn meta(version: u64, actor: &str, updated_at: &str) -> Value {
    json!({ "id": "c1", "version": version, "actorId": actor, "updatedAt": updated_at })
}

fn stored(store: &mut Client) -> (Value, Vec<Event>) {
    let (aggregate, id) = ("Customer".to_owned(), "c1".to_owned());
    let load = Request::Load { aggregate: aggregate.clone(), id: id.clone() };
    let Answer::Loaded(loaded) = store.answer(&load).result.unwrap() else { panic!() };
    let events = Request::Events { aggregate, id, after: 0, cursor: None, limit: 100 };
    let Answer::Events(page) = store.answer(&events).result.unwrap() else { panic!() };
    (loaded.snapshot.unwrap().to_json(), page.items)
}

fn equal(left: &Value, right: &Value) {
    assert_eq!(canonical(left), canonical(right));
}

#[test]
fn each_goes_on_with_what_the_other_wrote() {
    let (_server, mut store, mut peer) = both();
    // The peer creates: it writes no `updatedAt` then.
    let registered = event(1, "CustomerRegistered", json!({ "email": "ada@example.com", "name": "Ada" }));
    let state = json!({
        "$meta": { "id": "c1", "version": 1, "actorId": "peer" },
        "email": "ada@example.com", "name": "Ada", "status": "ACTIVE",
    });
    equal(&peer.persist(state.clone(), registered.clone()), &json!({ "ok": true }));
    let (row, events) = stored(&mut store);
    equal(&row, &state);
    equal(&events[0].fields().into(), &registered);

    // Rewound goes on, and the peer reads it as its own.
    let suspended =
        send(&mut store, "Suspend", json!({ "reason": "an unpaid bill" }), 1, Options::default()).unwrap();
    let state = peer.load();
    equal(&state, &suspended.snapshot.clone().unwrap().to_json());
    assert_eq!(
        (&state["$meta"]["version"], &state["suspensionReason"]),
        (&json!(2), &json!("an unpaid bill"))
    );
    equal(&peer.events()[1], &suspended.events[0].fields().into());

    // The peer takes a field away, as its documentation says, and Rewound does not see it.
    let reactivated = event(3, "CustomerReactivated", json!({}));
    let state = json!({
        "$meta": meta(3, "peer", "2026-01-01T00:00:01.000Z"), "email": "ada@example.com", "name": "Ada",
        "status": "ACTIVE", "suspensionReason": null,
    });
    equal(&peer.persist(state.clone(), reactivated), &json!({ "ok": true }));
    let (row, events) = stored(&mut store);
    assert_eq!((row.get("suspensionReason"), &row["$meta"]), (None, &state["$meta"]));
    assert_eq!(events.len(), 3);

    // Rewound takes one away, and the peer does not see it.
    send(&mut store, "Suspend", json!({ "reason": "again" }), 2, Options::default()).unwrap();
    assert_eq!(peer.load()["suspensionReason"], "again");
    let done = send(&mut store, "Reactivate", json!({}), 3, Options::default()).unwrap();
    let state = peer.load();
    equal(&state, &done.snapshot.unwrap().to_json());
    assert_eq!((state.get("suspensionReason"), &state["$meta"]["version"]), (None, &json!(5)));
    let (_, events) = stored(&mut store);
    let read: Vec<Value> = events.iter().map(|event| event.fields().into()).collect();
    let mut peers = peer.events().as_array().unwrap().clone();
    peers.sort_by_key(|event| event["aggregateVersion"].as_u64());
    equal(&peers.into(), &read.into());
}

#[test]
fn neither_overwrites_the_other() {
    let (_server, mut store, mut peer) = both();
    let created = send(
        &mut store,
        "Register",
        json!({ "email": "ada@example.com", "name": "Ada" }),
        1,
        Options::default(),
    );
    let created = created.unwrap();

    // The peer is late: with a new aggregate, and with a version.
    let registered = event(1, "CustomerRegistered", json!({ "email": "eve@example.com", "name": "Eve" }));
    let state = json!({ "$meta": { "id": "c1", "version": 1, "actorId": "peer" }, "name": "Eve" });
    let conflict = json!({ "error": "Failed to persist \"c1\" due to version conflict!" });
    equal(&peer.persist(state, registered), &conflict);
    send(&mut store, "UpdateEmail", json!({ "newEmail": "ada@example.org" }), 2, Options::default()).unwrap();
    let late = json!({ "$meta": meta(2, "peer", "2026-01-01T00:00:01.000Z"), "status": "SUSPENDED" });
    equal(&peer.persist(late, event(2, "CustomerSuspended", json!({ "reason": "late" }))), &conflict);

    // Rewound is late: it meets the peer's row, and decides again on it.
    let state = json!({
        "$meta": meta(3, "peer", "2026-01-01T00:00:01.000Z"), "status": "SUSPENDED", "suspensionReason": "first",
        "email": "ada@example.org", "name": "Ada",
    });
    equal(
        &peer.persist(state, event(3, "CustomerSuspended", json!({ "reason": "first" }))),
        &json!({ "ok": true }),
    );
    let cached = Options { cached: created.snapshot, ..Options::default() };
    let done = send(&mut store, "Reactivate", json!({}), 3, cached).unwrap();
    assert_eq!(done.version(), 4);
    let state = peer.load();
    assert_eq!((&state["status"], &state["email"]), (&json!("ACTIVE"), &json!("ada@example.org")));
    let versions: Vec<u64> = stored(&mut store).1.iter().map(Event::version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
}
