//! The store's contract on a second, independent emulator: moto, in Python. It is not safe under concurrency and knows
//! no request tokens, so it is asked one thing at a time, and proves shapes and conditions rather than races. It is an
//! EventBridge as well, which the gate puts events to.
//!
//! `cargo xtask test --full` installs it and says where it is.

mod events;

use events::{put, send};
use rewound_core::store::contract;
use rewound_dynamodb::{Client, Gate, REGION, Server, credentials, layout};
use serde_json::json;
use std::{
    env,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// Ends with the test, whatever comes of it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one, and waits until it listens.
fn moto() -> (Running, String) {
    let program = env::var_os("REWOUND_MOTO").expect("REWOUND_MOTO says where moto_server is");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let running = Running(
        Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    (running, format!("http://127.0.0.1:{port}"))
}

#[test]
#[ignore = "half a minute, and it takes Python: `cargo xtask test --full` runs it"]
fn a_second_emulator_keeps_the_contract() {
    let (_running, url) = moto();
    let mut client = Client::new(&url, layout("contract"));
    client.create_tables().unwrap();
    assert_eq!(contract::check(&mut client), []);
}

#[test]
#[ignore = "it takes Python: `cargo xtask test --full` runs it"]
fn what_the_gate_takes_is_put_to_another_bus() {
    let (_running, url) = moto();
    let server = Server::start(0, None).unwrap();
    let gate = Gate::start(0, &server.url, REGION, credentials()).unwrap().with_bus(&url).unwrap();
    let events = |action: &str, body| {
        let target = format!("AWSEvents.{action}");
        let (status, answer, _) = send(&gate.url, "events", "application/x-amz-json-1.1", &target, &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    // An archive counts what arrives. Its bus is in the account of whoever has no other.
    let bus = format!("arn:aws:events:{REGION}:123456789012:event-bus/default");
    events("CreateArchive", json!({ "ArchiveName": "all", "EventSourceArn": bus }));

    let entry = |detail: &str| json!({ "Source": "rewound", "DetailType": "Deposited", "Detail": detail });
    let (one, two) = (entry(r#"{"a":1}"#), entry(r#"{"a":2}"#));
    assert_eq!(gate.order(r#"{"bus":{"fail":3}}"#), json!({ "ok": true }));
    let (status, answer) = put(&gate.url, &json!({ "Entries": [one, entry("?"), two, entry("{}")] }));
    assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(2)), "{answer}");
    let entries = answer["Entries"].as_array().unwrap();
    for index in [0, 2] {
        let id = entries[index]["EventId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(!id.starts_with("00000000"), "{id} is the gate's own");
    }
    assert_eq!(entries[1]["ErrorCode"], "MalformedDetail");
    assert_eq!(entries[3]["ErrorCode"], "ThrottlingException");
    assert_eq!(gate.order(r#"{"bus":{"take":true}}"#), json!({ "entries": [one, two] }));
    assert_eq!(events("DescribeArchive", json!({ "ArchiveName": "all" }))["EventCount"], 2);
}
