//! The gate, told to let things go wrong: each fault does what it says, and no more.

use rewound_core::{
    domain::{Command, Domain, Sender},
    domains,
    dynamodb::sign::{parse_http_date, sign},
    error::Result,
    event::Event,
    run::{CommandRun, Done, Options, Step},
    store::{Answer, Request, Store},
};
use rewound_dynamodb::{Client, Gate, REGION, Server, credentials, layout};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const TABLE: &str = "faults-BankAccount";

/// An emulator with tables, and a gate before it.
fn gate() -> (Server, Gate) {
    let server = Server::start(0, None).unwrap();
    Client::new(&server.url, layout("faults")).create_tables().unwrap();
    let gate = Gate::start(0, &server.url, REGION, credentials()).unwrap();
    (server, gate)
}

fn order(gate: &Gate, order: Value) {
    assert_eq!(gate.order(&order.to_string()), json!({ "ok": true }), "{order}");
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// What came over a connection: whole, or until it was closed.
#[derive(Debug)]
struct Came {
    head: String,
    body: Vec<u8>,
    is_closed: bool,
}

impl Came {
    fn status(&self) -> Option<u16> {
        self.head.split(' ').nth(1)?.parse().ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn promised(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error, in the place where DynamoDB has it.
    fn code(&self) -> String {
        let json = self.json();
        let checksum = crc32fast::hash(&self.body).to_string();
        assert_eq!(self.header("x-amz-crc32"), Some(checksum.as_str()), "{self:?}");
        json["__type"].as_str().and_then(|name| name.split('#').nth(1)).unwrap_or_default().to_owned()
    }
}

/// Sends a signed request over a connection of its own, byte by byte as HTTP has it: a client would hide half of what is
/// looked for here.
fn ask(url: &str, action: &str, body: &Value) -> Came {
    let host = url.trim_start_matches("http://");
    let (target, body) = (format!("DynamoDB_20120810.{action}"), body.to_string());
    let headers = sign(&credentials(), REGION, host, &target, body.as_bytes(), clock());
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
        let mut came =
            Came { head: String::from_utf8_lossy(head).into_owned(), body: body.to_vec(), is_closed: false };
        if end.is_some() && came.promised() == Some(came.body.len()) {
            return came;
        }
        // A connection that is torn down is as closed as one that is ended.
        match stream.read(&mut buffer) {
            Ok(0) => {
                came.is_closed = true;
                return came;
            }
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                came.is_closed = true;
                return came;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn key(id: &str) -> Value {
    json!({ "aggregateId": { "S": id } })
}

fn put(id: &str) -> Value {
    json!({ "TableName": TABLE, "Item": key(id), "ReturnConsumedCapacity": "TOTAL" })
}

fn get(id: &str) -> Value {
    json!({ "TableName": TABLE, "Key": key(id), "ConsistentRead": true })
}

/// Writes three items at once.
fn transact(id: &str) -> Value {
    let put = |part: &str| json!({ "Put": { "TableName": TABLE, "Item": key(&format!("{id}{part}")) } });
    json!({ "TransactItems": [put(""), put("-2"), put("-3")], "ReturnConsumedCapacity": "TOTAL" })
}

/// Whether the item is there, asked past the gate.
fn is_there(server: &Server, id: &str) -> bool {
    let came = ask(&server.url, "GetItem", &get(id));
    assert_eq!(came.status(), Some(200), "{came:?}");
    came.json().get("Item").is_some()
}

#[test]
fn each_fault_does_what_it_says() {
    let (server, gate) = gate();
    let suffer = |fault: &str, action: &str, id: &str| {
        order(&gate, json!({ "faults": [fault] }));
        let body = if action == "PutItem" { put(id) } else { transact(id) };
        let came = ask(&gate.url, action, &body);
        let count = gate.order(r#"{"count":true}"#);
        assert_eq!(count["faults"], json!({ fault: 1 }));
        (came, is_there(&server, id))
    };
    for action in ["PutItem", "TransactWriteItems"] {
        let suffer = |fault: &str| suffer(fault, action, &format!("{fault}-{action}"));

        let (came, is_done) = suffer("lost");
        assert!(came.head.is_empty() && came.body.is_empty() && came.is_closed && is_done, "{came:?}");

        let (came, is_done) = suffer("error");
        assert_eq!((came.status(), came.code(), is_done), (Some(500), "InternalServerError".into(), false));

        let (came, is_done) = suffer("throttle");
        assert_eq!((came.status(), came.code(), is_done), (Some(400), "ThrottlingException".into(), false));

        let before = Instant::now();
        let (came, is_done) = suffer("slow");
        assert_eq!((came.status(), is_done), (Some(200), true), "{came:?}");
        assert!(before.elapsed() >= Duration::from_millis(300));
        assert!(came.json()["ConsumedCapacity"] != Value::Null, "{came:?}");

        let (came, is_done) = suffer("cut");
        assert_eq!((came.status(), came.is_closed, is_done), (Some(200), true, true), "{came:?}");
        assert!(
            came.body.len() > 10 && came.promised().unwrap().div_ceil(2) - came.body.len() <= 1,
            "{came:?}"
        );

        let (came, is_done) = suffer("garbage");
        assert_eq!((came.status(), came.header("x-amz-crc32"), is_done), (Some(200), None, true), "{came:?}");
        assert!(!came.body.is_empty() && serde_json::from_slice::<Value>(&came.body).is_err(), "{came:?}");

        let (came, is_done) = suffer("type");
        assert_eq!(
            (came.status(), came.header("content-type"), is_done),
            (Some(502), Some("text/html"), true)
        );
        assert!(came.body.starts_with(b"<html>"), "{came:?}");
    }
    let (came, is_done) = suffer("conflict", "PutItem", "conflict");
    assert_eq!(
        (came.status(), came.code(), is_done),
        (Some(400), "TransactionConflictException".into(), false)
    );
}

/// As AWS has it: a reason for each item, and the one that was in the way named among them.
#[test]
fn a_cancelled_transaction_gives_a_reason_for_each_item() {
    let (server, gate) = gate();
    let reasons = |came: &Came| -> Vec<String> {
        assert_eq!((came.status(), came.code()), (Some(400), "TransactionCanceledException".into()));
        let json = came.json();
        let reasons = json["CancellationReasons"].as_array().unwrap();
        let codes: Vec<String> =
            reasons.iter().map(|reason| reason["Code"].as_str().unwrap().to_owned()).collect();
        let message = json["Message"].as_str().unwrap();
        assert!(message.ends_with(&format!("[{}]", codes.join(", "))), "{message}");
        codes
    };
    order(&gate, json!({ "faults": ["conflict"] }));
    for expected in [
        ["TransactionConflict", "None", "None"],
        ["None", "TransactionConflict", "None"],
        ["None", "None", "TransactionConflict"],
        ["TransactionConflict", "None", "None"],
    ] {
        assert_eq!(reasons(&ask(&gate.url, "TransactWriteItems", &transact("c"))), expected);
    }
    order(&gate, json!({ "faults": ["throttle"] }));
    for expected in [["ThrottlingError", "None", "None"], ["None", "ThrottlingError", "None"]] {
        let simple = ask(&gate.url, "TransactWriteItems", &transact("c"));
        assert_eq!((simple.status(), simple.code()), (Some(400), "ThrottlingException".into()));
        // One alone has no reasons, and does not count as a turn.
        assert_eq!(ask(&gate.url, "PutItem", &put("c")).code(), "ThrottlingException");
        assert_eq!(reasons(&ask(&gate.url, "TransactWriteItems", &transact("c"))), expected);
    }
    assert!(!is_there(&server, "c"));
}

#[test]
fn every_so_manyth_request_for_data_suffers_in_turn() {
    let (server, gate) = gate();
    let statuses = |actions: &[(&str, Value)]| -> Vec<u16> {
        actions.iter().map(|(action, body)| ask(&gate.url, action, body).status().unwrap()).collect()
    };
    let describe = || ("DescribeTable", json!({ "TableName": TABLE }));
    let (put, get) = (|| ("PutItem", put("p")), || ("GetItem", get("p")));

    order(&gate, json!({ "faults": ["error", "throttle", "type"], "every": 2 }));
    let requests = [put(), describe(), get(), describe(), put(), put(), get(), get(), put(), get()];
    assert_eq!(statuses(&requests), [200, 200, 500, 200, 200, 400, 200, 502, 200, 500]);

    order(&gate, json!({ "faults": ["error", "throttle"], "every": 2, "only": "PutItem" }));
    let requests = [put(), get(), get(), put(), get(), put(), put(), put()];
    assert_eq!(statuses(&requests), [200, 200, 200, 500, 200, 200, 400, 200]);

    order(&gate, json!({ "faults": [] }));
    assert_eq!(statuses(&[put(), put(), get()]), [200, 200, 200]);
    drop(server);
}

#[test]
fn who_is_slow_is_in_nobodys_way() {
    let (_server, gate) = gate();
    order(&gate, json!({ "faults": ["slow"], "only": "PutItem" }));
    let before = Instant::now();
    thread::scope(|scope| {
        for index in 0..64 {
            let url = &gate.url;
            scope
                .spawn(move || assert_eq!(ask(url, "PutItem", &put(&index.to_string())).status(), Some(200)));
        }
    });
    // One after the other they would take 64 times as long, and a thread for each core is soon used up.
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(8 * 300), "{took:?}");
}

#[test]
fn a_clock_that_is_right_is_refused_by_a_gate_whose_clock_is_wrong() {
    let (_server, gate) = gate();
    for (skew, refusal) in [
        (10 * 60_000, Some("Signature expired")),
        (-10 * 60_000, Some("Signature not yet current")),
        (4 * 60_000, None),
        (0, None),
    ] {
        order(&gate, json!({ "skew": skew }));
        let came = ask(&gate.url, "GetItem", &get("s"));
        let date = parse_http_date(came.header("date").unwrap()).unwrap();
        assert!(date.abs_diff(clock().saturating_add_signed(skew)) < 10_000, "{skew}: {came:?}");
        match refusal {
            None => assert_eq!(came.status(), Some(200), "{came:?}"),
            Some(refusal) => {
                assert_eq!((came.status(), came.code()), (Some(400), "InvalidSignatureException".into()));
                assert!(came.json()["message"].as_str().unwrap().contains(refusal), "{came:?}");
            }
        }
    }
}

#[test]
fn what_came_by_is_counted_once() {
    let (_server, gate) = gate();
    order(&gate, json!({ "faults": ["lost", "cut", "error"], "only": "PutItem", "every": 2 }));
    let (mut sent, mut received) = (0, 0);
    for (action, body) in [
        ("PutItem", put("1")),
        ("GetItem", get("1")),
        ("PutItem", put("2")),
        ("TransactWriteItems", transact("3")),
        ("PutItem", put("4")),
        ("PutItem", put("5")),
        ("DescribeTable", json!({ "TableName": TABLE })),
    ] {
        let came = ask(&gate.url, action, &body);
        sent += body.to_string().len();
        received += came.body.len();
    }
    // Refused, and so not counted.
    order(&gate, json!({ "skew": 600_000 }));
    assert_eq!(ask(&gate.url, "PutItem", &put("6")).status(), Some(400));
    let expected = json!({
        "passed": 7,
        "actions": { "DescribeTable": 1, "GetItem": 1, "PutItem": 4, "TransactWriteItems": 1 },
        "bytes": { "sent": sent, "received": received },
        "faults": { "lost": 1, "cut": 1 },
        "limited": 0,
    });
    assert_eq!(gate.order(r#"{"count":true}"#), expected);
    let nothing = json!({
        "passed": 0, "actions": {}, "bytes": { "sent": 0, "received": 0 }, "faults": {}, "limited": 0,
    });
    assert_eq!(gate.order(r#"{"count": true}"#), nothing);
}

#[test]
fn what_is_no_order_is_told_and_changes_nothing() {
    let (_server, gate) = gate();
    order(&gate, json!({ "faults": ["error"] }));
    for (line, expected) in [
        ("", "EOF"),
        ("what?", "expected value"),
        ("[]", "no order"),
        ("7", "no order"),
        ("{}", "no order"),
        (r#"{"count":false}"#, "no order"),
        (r#"{"stop":true}"#, "no order"),
        (r#"{"faults":["fire"]}"#, "`garbage`"),
        (r#"{"faults":"lost"}"#, "a sequence"),
        (r#"{"faults":["lost"],"every":0}"#, "nonzero"),
        (r#"{"faults":["lost"],"each":5}"#, "`each`"),
        (r#"{"faults":["lost"],"only":"CreateTable"}"#, "TransactWriteItems"),
        (r#"{"skew":"a bit"}"#, "i64"),
        (r#"{"skew":9223372036854775807}"#, "a hundred years"),
        (r#"{"skew":1,"count":true}"#, "`count`"),
        (r#"{"streams":{"split":false}}"#, "`split`"),
        (r#"{"streams":{"merge":true}}"#, "`merge`"),
        (r#"{"streams":{"page":0}}"#, "nonzero"),
        (r#"{"streams":{"trim":true},"count":true}"#, "`trim`"),
        (r#"{"streams":true}"#, "Manner"),
        (r#"{"bus":{"take":false}}"#, "`take`"),
        (r#"{"bus":{"fail":"often"}}"#, "u64"),
    ] {
        let answer = gate.order(line);
        let error = answer["error"].as_str().unwrap_or_else(|| panic!("{line}: {answer}"));
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert_eq!(ask(&gate.url, "PutItem", &put("o")).status(), Some(500));
}

/// The gate as a process of its own.
struct Apart {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The name of a file that is not there.
fn new_file(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for end in ["", "-wal", "-shm"] {
        // The run before may have left it.
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    file
}

impl Apart {
    fn start(port: &str, file: &Path) -> (Self, String) {
        let mut child = Program::new(env!("CARGO_BIN_EXE_rewound-dynamodb"))
            .args(["--gate", "--port", port, "--file"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut apart = Self { child, orders, answers };
        let url = apart.line()["url"].as_str().unwrap().to_owned();
        (apart, url)
    }

    /// With SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn order(&mut self, order: &str) -> Value {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        self.line()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_file_holds_what_was_acknowledged_before_the_kill() {
    let file = new_file("killed.sqlite");
    let (mut apart, url) = Apart::start("0", &file);
    Client::new(&url, layout("faults")).create_tables().unwrap();
    assert!(apart.order("?")["error"].is_string());

    let acknowledged = AtomicU64::new(0);
    let ids: Vec<String> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (url, acknowledged) = (&url, &acknowledged);
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    let client = Client::new(url, layout("faults"));
                    for index in 0.. {
                        let id = format!("{writer}-{index}");
                        let target = "DynamoDB_20120810.TransactWriteItems".to_owned();
                        let call = rewound_core::dynamodb::Call { target, body: transact(&id).to_string() };
                        match client.call(&call) {
                            Ok((200, _)) => ids.push(id),
                            Ok(other) => panic!("{other:?}"),
                            // It was killed.
                            Err(_) => break,
                        }
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    ids
                })
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < 200 {
            thread::sleep(Duration::from_millis(1));
        }
        // In the midst of writing.
        apart.kill();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });

    let port = url.rsplit(':').next().unwrap();
    let (mut again, same) = Apart::start(port, &file);
    assert_eq!(same, url);
    assert!(ids.len() >= 200);
    for id in &ids {
        for part in ["", "-2", "-3"] {
            let came = ask(&url, "GetItem", &get(&format!("{id}{part}")));
            assert!(came.json().get("Item").is_some(), "{id}{part}: {came:?}");
        }
    }
    let count = again.order(r#"{"count":true}"#);
    assert_eq!(count["actions"], json!({ "GetItem": 3 * ids.len() }));
    // It ends with its standard input.
    again.orders = None;
    assert!(again.child.wait().unwrap().success());
}

// Commands

const WRITERS: u64 = 32;
const DEPOSITS: u64 = 8;
const ACCOUNTS: u64 = 8;

fn account() -> &'static dyn Domain {
    domains::find("BankAccount").unwrap()
}

/// Runs a command as a shell does, patiently.
fn send(store: &mut Client, id: &str, name: &str, fields: Value, key: Option<String>) -> Result<Done> {
    static RANDOM: AtomicU64 = AtomicU64::new(1);
    let by = Sender { actor: "ada".to_owned(), ..Sender::default() };
    let patience =
        Options { idempotency_key: key, retries: 100, resends: 100, backoff: 2, ..Options::default() };
    let mut run = CommandRun::new(account(), id, Command::new(name, fields).unwrap(), by, patience);
    let mut reply = None;
    loop {
        let random = RANDOM.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match run.next(reply.take(), clock(), random.into()) {
            Step::Ask(request) => reply = Some(store.answer(&request)),
            Step::Wait(milliseconds) => thread::sleep(Duration::from_millis(milliseconds)),
            Step::Done(result) => return result,
        }
    }
}

#[test]
fn streams_are_whole_whatever_goes_wrong() {
    let (server, gate) = gate();
    let faults = ["lost", "error", "throttle", "conflict", "slow", "cut", "garbage", "type"];
    order(&gate, json!({ "faults": faults, "every": 3 }));
    for account in 0..ACCOUNTS {
        let mut store = Client::new(&gate.url, layout("faults"));
        let open = json!({ "accountHolderId": "ada", "currency": "EUR" });
        send(&mut store, &format!("a{account}"), "Open", open, None).unwrap();
    }
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let url = &gate.url;
            scope.spawn(move || {
                let mut store = Client::new(url, layout("faults"));
                let id = format!("a{}", writer % ACCOUNTS);
                for deposit in 0..DEPOSITS {
                    let reference = format!("{writer}-{deposit}");
                    // Half of them are known again by a key, the others by their events alone.
                    let key = (deposit % 2 == 0).then(|| reference.clone());
                    let fields = json!({ "amount": 1, "transactionReference": reference });
                    send(&mut store, &id, "Deposit", fields, key).unwrap();
                }
            });
        }
    });
    let count = gate.order(r#"{"count":true}"#);
    for fault in faults {
        assert!(count["faults"][fault].as_u64() > Some(5), "{count}");
    }
    let mut store = Client::new(&server.url, layout("faults"));
    for account in 0..ACCOUNTS {
        is_whole(&mut store, &format!("a{account}"), 1 + WRITERS / ACCOUNTS * DEPOSITS);
    }
}

/// Between two kills every commit is written and none is answered. What the emulator remembered of them it does not
/// remember after the kill, so each meets itself.
#[test]
fn streams_are_whole_whoever_is_killed() {
    let file = new_file("met.sqlite");
    let (mut apart, url) = Apart::start("0", &file);
    Client::new(&url, layout("faults")).create_tables().unwrap();
    let port = url.rsplit(':').next().unwrap();
    let open = json!({ "accountHolderId": "ada", "currency": "EUR" });
    for account in 0..ACCOUNTS {
        let mut store = Client::new(&url, layout("faults"));
        send(&mut store, &format!("a{account}"), "Open", open.clone(), None).unwrap();
    }
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (url, done) = (&url, &done);
            scope.spawn(move || {
                let mut store = Client::new(url, layout("faults"));
                for deposit in 0..DEPOSITS {
                    let reference = format!("{writer}-{deposit}");
                    let fields = json!({ "amount": 1, "transactionReference": reference });
                    send(&mut store, &format!("a{}", writer % ACCOUNTS), "Deposit", fields, None).unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for kill in 1..=3 {
            while done.load(Ordering::Relaxed) < kill * WRITERS * DEPOSITS / 4 {
                thread::sleep(Duration::from_millis(1));
            }
            let order = json!({ "faults": ["lost"], "only": "TransactWriteItems" });
            assert_eq!(apart.order(&order.to_string()), json!({ "ok": true }));
            while apart.order(r#"{"count":true}"#)["faults"]["lost"].is_null() {
                thread::sleep(Duration::from_millis(10));
            }
            apart.kill();
            apart = Apart::start(port, &file).0;
        }
    });
    let mut store = Client::new(&url, layout("faults"));
    for account in 0..ACCOUNTS {
        is_whole(&mut store, &format!("a{account}"), 1 + WRITERS / ACCOUNTS * DEPOSITS);
    }
}

/// One event for each command, in a row, and a row that says what they say.
fn is_whole(store: &mut Client, id: &str, expected: u64) {
    let (aggregate, id) = ("BankAccount".to_owned(), id.to_owned());
    let request = Request::Events {
        aggregate: aggregate.clone(),
        id: id.clone(),
        after: 0,
        cursor: None,
        limit: 1_000,
    };
    let Answer::Events(page) = store.answer(&request).result.unwrap() else { panic!() };
    let versions: Vec<u64> = page.items.iter().map(Event::version).collect();
    assert_eq!((versions, page.next), ((1..=expected).collect(), None));
    let replayed = account().start(&id).apply_all(&page.items).unwrap().snapshot().unwrap();
    assert_eq!(replayed.state["balance"], expected - 1);
    let Answer::Loaded(loaded) = store.answer(&Request::Load { aggregate, id }).result.unwrap() else {
        panic!()
    };
    assert_eq!(loaded.snapshot, Some(replayed));
}
