//! The gate's EventBridge: what it takes, what it refuses, and what it says then.

mod events;

use events::{put, send};
use rewound_dynamodb::{Gate, REGION, Server, credentials};
use serde_json::{Value, json};

fn gate() -> (Server, Gate) {
    let server = Server::start(0, None).unwrap();
    let gate = Gate::start(0, &server.url, REGION, credentials()).unwrap();
    (server, gate)
}

fn order(gate: &Gate, order: Value) {
    assert_eq!(gate.order(&order.to_string()), json!({ "ok": true }), "{order}");
}

fn taken(gate: &Gate) -> Vec<Value> {
    gate.order(r#"{"bus":{"take":true}}"#)["entries"].as_array().unwrap().clone()
}

fn entry(detail: &str) -> Value {
    json!({ "Source": "rewound", "DetailType": "Deposited", "Detail": detail, "EventBusName": "other" })
}

fn numbered(number: usize) -> Value {
    entry(&json!({ "number": number }).to_string())
}

fn codes(answer: &Value) -> Vec<&str> {
    let entries = answer["Entries"].as_array().unwrap();
    let codes: Vec<&str> =
        entries.iter().map(|entry| entry["ErrorCode"].as_str().unwrap_or_default()).collect();
    for (entry, code) in entries.iter().zip(&codes) {
        assert_eq!(entry["EventId"].is_string(), code.is_empty(), "{answer}");
        assert_eq!(entry["ErrorMessage"].is_string(), !code.is_empty(), "{answer}");
    }
    assert_eq!(answer["FailedEntryCount"], codes.iter().filter(|code| !code.is_empty()).count());
    codes
}

#[test]
fn events_are_taken_in_their_order_and_given_out_once() {
    let (_server, gate) = gate();
    let mut ids = Vec::new();
    for start in [0, 3] {
        let entries: Vec<Value> = (start..start + 3).map(numbered).collect();
        let (status, answer) = put(&gate.url, &json!({ "Entries": entries }));
        assert_eq!((status, codes(&answer)), (200, vec![""; 3]));
        ids.extend(answer["Entries"].as_array().unwrap().iter().map(|entry| entry["EventId"].to_string()));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    assert_eq!(taken(&gate), (0..6).map(numbered).collect::<Vec<_>>());
    assert_eq!(taken(&gate), [] as [Value; 0]);
    assert_eq!(gate.order(r#"{"count":true}"#)["actions"], json!({ "PutEvents": 2 }));
}

#[test]
fn an_entry_that_is_wrong_fails_alone() {
    let (_server, gate) = gate();
    let without = |field: &str| {
        let mut entry = numbered(0);
        entry.as_object_mut().unwrap().remove(field);
        entry
    };
    let mut empty = numbered(0);
    empty["Source"] = "".into();
    let entries = [
        without("Source"),
        numbered(1),
        without("DetailType"),
        without("Detail"),
        empty,
        entry("[1]"),
        entry("{\"half\":"),
        without("EventBusName"),
    ];
    let (status, answer) = put(&gate.url, &json!({ "Entries": entries }));
    let (invalid, malformed) = ("InvalidArgument", "MalformedDetail");
    let expected = [invalid, "", invalid, invalid, invalid, malformed, malformed, ""];
    assert_eq!((status, codes(&answer)), (200, expected.to_vec()));
    assert_eq!(
        answer["Entries"][2]["ErrorMessage"],
        "Parameter DetailType is not valid. Reason: DetailType is a required argument."
    );
    assert_eq!(taken(&gate), [numbered(1), without("EventBusName")]);
}

#[test]
fn a_request_that_is_too_much_is_refused_as_a_whole() {
    let (_server, gate) = gate();
    let refused = |body: Value, message: &str| {
        let (status, answer) = put(&gate.url, &body);
        assert_eq!((status, &answer["__type"]), (400, &"ValidationException".into()), "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(message), "{answer}");
    };
    refused(json!({ "Entries": [] }), "greater than or equal to 1");
    refused(json!({}), "greater than or equal to 1");
    refused(
        json!({ "Entries": (0..11).map(numbered).collect::<Vec<_>>() }),
        "'entries' failed to satisfy constraint: Member must have length less than or equal to 10",
    );

    // 14 for the time, 7 + 9 for what it is, 7 in two resources, 8 for what is around the detail: and as many letters,
    // two bytes each, as there is room for.
    let heavy = |detail: usize| {
        let mut entry = entry(&format!(r#"{{"a":"{}"}}"#, "é".repeat(detail)));
        entry["Time"] = 1_767_225_600.into();
        entry["Resources"] = json!(["arn", "arn2"]);
        entry
    };
    let fixed = 14 + 7 + 9 + 7 + 8;
    let both = |second: usize| json!({ "Entries": [heavy(100), heavy(second)] });
    let room = (256 * 1024 - 2 * fixed - 200) / 2;
    let (status, answer) = put(&gate.url, &both(room));
    assert_eq!((status, codes(&answer)), (200, vec![""; 2]));
    refused(both(room + 1), "Total size of the entries in the request is over the limit.");
    assert_eq!(taken(&gate).len(), 2);
}

#[test]
fn every_so_manyth_entry_fails_on_order() {
    let (_server, gate) = gate();
    order(&gate, json!({ "bus": { "fail": 3 } }));
    // One that is wrong is no turn.
    let entries: Vec<Value> =
        [numbered(1), entry("?"), numbered(2), numbered(3), numbered(4), numbered(5)].into();
    let (_, answer) = put(&gate.url, &json!({ "Entries": entries }));
    assert_eq!(codes(&answer), ["", "MalformedDetail", "", "ThrottlingException", "", ""]);
    let (_, answer) = put(&gate.url, &json!({ "Entries": (6..10).map(numbered).collect::<Vec<_>>() }));
    assert_eq!(codes(&answer), ["InternalFailure", "", "", "ThrottlingException"]);
    assert_eq!(taken(&gate), [1, 2, 4, 5, 7, 8].map(numbered));

    order(&gate, json!({ "bus": { "fail": 0 } }));
    let (_, answer) = put(&gate.url, &json!({ "Entries": (0..10).map(numbered).collect::<Vec<_>>() }));
    assert_eq!(codes(&answer), [""; 10]);
}

#[test]
fn each_service_wants_its_own_signature_and_media_type() {
    let (_server, gate) = gate();
    let (old, new) = ("application/x-amz-json-1.0", "application/x-amz-json-1.1");
    let (put, list) = ("AWSEvents.PutEvents", "DynamoDB_20120810.ListTables");
    let (mine, unknown) = (Some("InvalidSignatureException"), Some("UnknownOperationException"));
    for (target, service, content_type, expected) in [
        (put, "events", new, (200, None)),
        (put, "dynamodb", new, (400, mine)),
        (put, "dynamodb", old, (400, mine)),
        (put, "events", old, (404, unknown)),
        ("AWSEvents.ListRules", "events", new, (400, unknown)),
        (list, "dynamodb", old, (200, None)),
        (list, "events", old, (400, mine)),
        (list, "events", new, (400, mine)),
        (list, "dynamodb", new, (404, unknown)),
    ] {
        let body = if target == put { json!({ "Entries": [numbered(1)] }) } else { json!({}) };
        let (status, answer, headers) = send(&gate.url, service, content_type, target, &body);
        let code = answer["__type"].as_str().and_then(|name| name.split('#').next_back());
        assert_eq!((status, code), expected, "{target} {service} {content_type}: {answer}");
        // Checksums are DynamoDB's alone.
        let is_dynamodb = target == list;
        assert_eq!(headers["content-type"], if is_dynamodb { old } else { new });
        assert_eq!(headers.contains_key("x-amz-crc32"), is_dynamodb);
    }
    assert_eq!(taken(&gate).len(), 1);
}

#[test]
fn putting_events_suffers_too() {
    let (_server, gate) = gate();
    order(&gate, json!({ "faults": ["error", "throttle"], "only": "PutEvents", "every": 2 }));
    let put = || {
        let (status, answer) = put(&gate.url, &json!({ "Entries": [numbered(1)] }));
        (status, answer["__type"].as_str().map(str::to_owned))
    };
    let fine = (200, None);
    assert_eq!(
        [put(), put(), put(), put()],
        [
            fine.clone(),
            (500, Some("InternalException".into())),
            fine,
            (400, Some("ThrottlingException".into()))
        ]
    );
    assert_eq!(taken(&gate).len(), 2);
}
