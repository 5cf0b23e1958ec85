//! What is sent to DynamoDB, byte for byte, and what each of its answers means.

use rewound_core::{
    aggregate::Meta,
    domain::Snapshot,
    dynamodb::{
        Call, Layout, Rows,
        error::{Meaning, meaning},
        exchange::{Exchange, Next, Response, cancellation},
    },
    event::Event,
    store::{Answer, Commit, Failure, Loaded, Record, Request},
};
use serde_json::{Value, json};
use std::sync::Arc;

const LATER: &str = r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"CustomerReactivated","aggregateName":"Customer","aggregateId":"c1","aggregateVersion":3,"actorId":"ada"}"#;

const NOW: u64 = 1_800_000_000_000;

fn response(status: u16, body: &[u8]) -> Response<'_> {
    Response { status, body, ..Response::default() }
}

fn layout() -> Arc<Layout> {
    let rows = Rows { table: "customers".into(), fingerprint: 7 };
    let aggregates = [("Customer".to_owned(), rows)].into();
    Arc::new(Layout { events: "events".into(), helpers: "helpers".into(), aggregates, ..Layout::default() })
}

fn commit() -> Commit {
    let state = json!({ "email": "ada@example.com", "name": "Ada", "status": "ACTIVE" });
    let meta = Meta { id: "c1".into(), version: 3, actor: "ada".into(), updated_at: Some(1_754_287_951_326) };
    Commit {
        aggregate: "Customer".into(),
        id: "c1".into(),
        expected: 2,
        events: vec![Event::parse(LATER).unwrap()],
        snapshot: Snapshot { meta, state: state.as_object().unwrap().clone(), fingerprint: 7 },
        removed: vec!["suspensionReason".into()],
        records: vec![Record {
            key: "idem#ada#k".into(),
            hash: "ab".into(),
            aggregate: "Customer".into(),
            id: "c1".into(),
            first: 3,
            last: 3,
            expires_at: Some(1_754_547_151_001),
        }],
        now: 1_754_287_951_326,
    }
}

fn first(request: Request) -> Call {
    let layout = layout();
    let Next::Send(call) = Exchange::new(&layout, request).1 else { panic!() };
    call
}

/// What an answer to a request means.
fn answer(request: Request, status: u16, body: &Value) -> Result<Answer, Failure> {
    let layout = layout();
    let (mut exchange, _) = Exchange::new(&layout, request);
    let Next::Done(reply) = exchange.answered(response(status, body.to_string().as_bytes()), NOW) else {
        panic!()
    };
    reply.result
}

fn load() -> Request {
    Request::Load { aggregate: "Customer".into(), id: "c1".into() }
}

fn cancelled(reasons: Value) -> Result<Answer, Failure> {
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    });
    answer(Request::Commit(Box::new(commit())), 400, &body)
}

#[test]
fn a_commit_is_one_transaction() {
    let call = first(Request::Commit(Box::new(commit())));
    assert_eq!(call.target, "DynamoDB_20120810.TransactWriteItems");
    let mut body: Value = serde_json::from_str(&call.body).unwrap();
    let token = body.as_object_mut().unwrap().shift_remove("ClientRequestToken").unwrap();
    let update = json!({ "Update": {
        "TableName": "customers",
        "Key": { "aggregateId": { "S": "c1" } },
        "UpdateExpression":
            "SET #n1 = :v1, #n2 = :v2, #n3 = :v3, #n4 = :v4, #n5 = :v5, #n6 = :v6 REMOVE #r0",
        "ConditionExpression": "attribute_exists(#n0) AND #n1 = :prevVersion",
        "ExpressionAttributeNames": {
            "#n0": "aggregateId", "#n1": "version", "#n2": "actorId", "#n3": "updatedAt", "#n4": "email",
            "#n5": "name", "#n6": "status", "#r0": "suspensionReason",
        },
        "ExpressionAttributeValues": {
            ":v1": { "N": "3" }, ":v2": { "S": "ada" }, ":v3": { "S": "2025-08-04T06:12:31.326Z" },
            ":v4": { "S": "ada@example.com" }, ":v5": { "S": "Ada" }, ":v6": { "S": "ACTIVE" },
            ":prevVersion": { "N": "2" },
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }});
    let event = json!({ "Put": {
        "TableName": "events",
        "Item": {
            "eventId": { "S": "01K1RZXKEYCYQ5MSEQJ4Z5JNDE" }, "eventName": { "S": "CustomerReactivated" },
            "aggregateName": { "S": "Customer" }, "aggregateId": { "S": "c1" }, "aggregateVersion": { "N": "3" },
            "actorId": { "S": "ada" }, "eventTs": { "S": "2025-08-03T22:13:01.022Z" },
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ConditionExpression": "attribute_not_exists(#n0)",
        "ExpressionAttributeNames": { "#n0": "eventId" },
    }});
    let record = json!({ "Put": {
        "TableName": "helpers",
        "Item": {
            "pk": { "S": "idem#ada#k" }, "sk": { "S": "record" }, "hash": { "S": "ab" },
            "aggregateName": { "S": "Customer" }, "aggregateId": { "S": "c1" }, "first": { "N": "3" },
            "last": { "N": "3" }, "expiresAt": { "N": "1754547152" },
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ConditionExpression": "attribute_not_exists(#n0) OR #n1 < :v0",
        "ExpressionAttributeNames": { "#n0": "pk", "#n1": "expiresAt" },
        "ExpressionAttributeValues": { ":v0": { "N": "1754287952" } },
    }});
    assert_eq!(body, json!({ "TransactItems": [update, event, record], "ReturnConsumedCapacity": "TOTAL" }));

    // The same bytes are the same attempt, and any others another one.
    assert_eq!(token.as_str().map(str::len), Some(36));
    assert_eq!(first(Request::Commit(Box::new(commit()))).body, call.body);
    let other = Commit { now: 1_754_287_999_999, ..commit() };
    let other: Value = serde_json::from_str(&first(Request::Commit(Box::new(other))).body).unwrap();
    assert_ne!(other["ClientRequestToken"], token);
}

#[test]
fn a_new_aggregate_must_not_be_there() {
    let mut new = Commit { expected: 0, removed: Vec::new(), records: Vec::new(), ..commit() };
    new.snapshot.meta.version = 1;
    let body: Value = serde_json::from_str(&first(Request::Commit(Box::new(new))).body).unwrap();
    let update = &body["TransactItems"][0]["Update"];
    assert_eq!(update["ConditionExpression"], "attribute_not_exists(#n0)");
    assert!(update["ExpressionAttributeValues"].get(":prevVersion").is_none());
    assert_eq!(body["TransactItems"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_dynamodb_cannot_hold_is_refused_before_it_is_sent() {
    let refusal = |change: &dyn Fn(&mut Commit)| {
        let mut commit = commit();
        change(&mut commit);
        let layout = layout();
        let (_, next) = Exchange::new(&layout, Request::Commit(Box::new(commit)));
        let Next::Done(reply) = next else { panic!("it was sent") };
        let Err(Failure::Refused(message)) = reply.result else { panic!("{reply:?}") };
        assert_eq!(reply.cost.requests, 0);
        message
    };
    let state = |name: &'static str, value: Value| {
        move |commit: &mut Commit| drop(commit.snapshot.state.insert(name.into(), value.clone()))
    };
    let large = refusal(&state("text", "x".repeat(500_000).into()));
    assert!(large.contains("409600"), "{large}");
    let digits: Value = serde_json::from_str(&"9".repeat(39)).unwrap();
    let digits = refusal(&state("number", digits));
    assert!(digits.contains("/number") && digits.contains("38 digits"), "{digits}");
    let reserved = refusal(&state("version", 1.into()));
    assert!(reserved.contains("/version") && reserved.contains("reserved"), "{reserved}");
    let unknown = refusal(&|commit| commit.aggregate = "Bird".into());
    assert!(unknown.contains("Bird"), "{unknown}");
    let event = LATER.replace("\"actorId\"", &format!("\"more\":\"{}\",\"actorId\"", "x".repeat(399_000)));
    let many = refusal(&|commit| commit.events = vec![Event::parse(&event).unwrap(); 11]);
    assert!(many.contains("4194304"), "{many}");
}

#[test]
fn a_row_is_the_newest_snapshot() {
    let row = json!({
        "aggregateId": { "S": "c1" }, "version": { "N": "3" }, "actorId": { "S": "ada" },
        "updatedAt": { "S": "2025-08-04T06:12:31.326Z" }, "name": { "S": "Ada" }, "visits": { "N": "1.50" },
    });
    let body = json!({ "Item": row, "ConsumedCapacity": { "TableName": "customers", "CapacityUnits": 1.0 } });
    let Ok(Answer::Loaded(Loaded { version: 3, snapshot: Some(snapshot) })) = answer(load(), 200, &body)
    else {
        panic!()
    };
    assert_eq!((snapshot.fingerprint, snapshot.meta.updated_at), (7, Some(1_754_287_951_326)));
    assert_eq!(Value::Object(snapshot.state).to_string(), r#"{"name":"Ada","visits":1.50}"#);

    for (name, wrong) in [
        ("version", json!({ "N": "0" })),
        ("actorId", json!({ "N": "1" })),
        ("updatedAt", json!({ "S": "today" })),
    ] {
        let mut body = body.clone();
        body["Item"][name] = wrong;
        let Err(Failure::Refused(message)) = answer(load(), 200, &body) else { panic!("{name}") };
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn a_cancelled_transaction_says_why() {
    let none = json!({ "Code": "None" });
    let check = |item: Value| json!({ "Code": "ConditionalCheckFailed", "Message": "…", "Item": item });
    let row = json!({ "aggregateId": { "S": "c1" }, "version": { "N": "5" }, "actorId": { "S": "eve" } });
    let record = json!({
        "pk": { "S": "idem#ada#k" }, "sk": { "S": "record" }, "hash": { "S": "cd" }, "first": { "N": "1" },
        "aggregateName": { "S": "Customer" }, "aggregateId": { "S": "c0" }, "last": { "N": "2" },
        "expiresAt": { "N": "1754547152" },
    });

    let Ok(Answer::Conflict(Some(winner))) = cancelled(json!([check(row.clone()), none, none])) else {
        panic!()
    };
    assert_eq!((winner.version, winner.snapshot.unwrap().meta.updated_at), (5, None));
    let gone = cancelled(json!([{ "Code": "ConditionalCheckFailed" }, none, none]));
    assert_eq!(gone, Ok(Answer::Conflict(Some(Loaded::default()))));
    // A key that is taken goes before a conflict.
    let Ok(Answer::KeyTaken(taken)) = cancelled(json!([check(row), none, check(record)])) else { panic!() };
    assert_eq!((taken.id.as_str(), taken.last, taken.expires_at), ("c0", 2, Some(1_754_547_152_000)));

    for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        assert_eq!(cancelled(json!([none, { "Code": code }, none])), Err(Failure::Busy), "{code}");
    }
    for code in ["ValidationError", "ItemCollectionSizeLimitExceeded", "Unheard"] {
        let both = json!([{ "Code": "ThrottlingError" }, { "Code": code, "Message": "too bad" }, none]);
        let Err(Failure::Refused(message)) = cancelled(both) else { panic!("{code}") };
        assert!(message.contains(code) && message.contains("too bad"), "{message}");
    }
    let Err(Failure::Refused(message)) = cancelled(json!([none, check(json!({})), none])) else { panic!() };
    assert!(message.contains("an id that is there already"), "{message}");
    assert!(matches!(cancelled(json!([])), Err(Failure::Refused(_))));
}

#[test]
fn a_refusal_that_is_shown_is_one_that_is_understood() {
    let meta = Meta { id: "c1".into(), version: 5, actor: "eve".into(), updated_at: Some(1_000) };
    let state = json!({ "email": "eve@example.com", "tags": [1, null] }).as_object().unwrap().clone();
    let winner = Loaded { version: 5, snapshot: Some(Snapshot { meta, state, fingerprint: 7 }) };
    let taken =
        Record { hash: "cd".into(), expires_at: Some(1_754_547_152_000), ..commit().records[0].clone() };
    for refusal in
        [Answer::Conflict(Some(winner)), Answer::Conflict(Some(Loaded::default())), Answer::KeyTaken(taken)]
    {
        let body = cancellation(&commit(), &refusal).unwrap();
        assert_eq!(body["CancellationReasons"].as_array().map(Vec::len), Some(3));
        assert_eq!(answer(Request::Commit(Box::new(commit())), 400, &body), Ok(refusal));
    }
    assert_eq!(cancellation(&commit(), &Answer::Committed), None);
}

#[test]
fn every_documented_error_says_whether_to_send_again() {
    let failure =
        |status: u16, code: &str| answer(load(), status, &json!({ "__type": code, "message": "so it is" }));
    for (status, code, meant) in [
        (400, "ThrottlingException", Meaning::Busy),
        (400, "ProvisionedThroughputExceededException", Meaning::Busy),
        (400, "RequestLimitExceeded", Meaning::Busy),
        (400, "TransactionInProgressException", Meaning::Busy),
        (400, "TransactionConflictException", Meaning::Busy),
        (400, "ReplicatedWriteConflictException", Meaning::Busy),
        (400, "LimitExceededException", Meaning::Busy),
        (500, "InternalServerError", Meaning::Unknown),
        (503, "ServiceUnavailable", Meaning::Unknown),
        (502, "", Meaning::Unknown),
        (400, "InvalidSignatureException", Meaning::Refused),
        (400, "AccessDeniedException", Meaning::Refused),
        (400, "ConditionalCheckFailedException", Meaning::Refused),
        (400, "IdempotentParameterMismatchException", Meaning::Refused),
        (400, "IncompleteSignatureException", Meaning::Refused),
        (400, "ItemCollectionSizeLimitExceededException", Meaning::Refused),
        (400, "MissingAuthenticationTokenException", Meaning::Refused),
        (400, "ResourceInUseException", Meaning::Refused),
        (400, "ResourceNotFoundException", Meaning::Refused),
        (400, "SerializationException", Meaning::Refused),
        (400, "UnrecognizedClientException", Meaning::Refused),
        (400, "ValidationException", Meaning::Refused),
    ] {
        assert_eq!(meaning(code, status), meant, "{code}");
        let failure = failure(status, &format!("com.amazonaws.dynamodb.v20120810#{code}"));
        match (meant, failure) {
            (Meaning::Busy, Err(Failure::Busy)) | (Meaning::Unknown, Err(Failure::Lost)) => {}
            (Meaning::Refused, Err(Failure::Refused(message))) => {
                assert!(message.contains(code) && message.contains("so it is"), "{message}");
            }
            (_, other) => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn an_answer_that_is_no_answer_leaves_it_open_what_happened() {
    let layout = layout();
    for (status, body) in [(200, "<html>"), (200, ""), (200, r#"{"Item":"#), (502, "<html>bad gateway")] {
        let (mut exchange, _) = Exchange::new(&layout, Request::Commit(Box::new(commit())));
        let Next::Done(reply) = exchange.answered(response(status, body.as_bytes()), NOW) else { panic!() };
        assert_eq!(reply.result, Err(Failure::Lost), "{status} {body}");
    }
    let (mut exchange, _) = Exchange::new(&layout, load());
    let Next::Done(reply) = exchange.answered(response(403, b"<html>forbidden"), NOW) else { panic!() };
    assert!(matches!(reply.result, Err(Failure::Refused(_))));
    let (mut exchange, _) = Exchange::new(&layout, load());
    let Next::Done(reply) = exchange.lost() else { panic!() };
    assert_eq!((reply.result, reply.cost.requests), (Err(Failure::Lost), 1));
}

#[test]
fn a_body_that_does_not_match_its_checksum_is_no_answer() {
    // The checksum of `{}`, by zlib.
    for (crc32, expected) in
        [("2745614147", Ok(Answer::Loaded(Loaded::default()))), ("1", Err(Failure::Lost))]
    {
        let (mut exchange, _) = Exchange::new(&layout(), load());
        let response = Response { crc32: Some(crc32), ..response(200, b"{}") };
        let Next::Done(reply) = exchange.answered(response, NOW) else { panic!() };
        assert_eq!(reply.result, expected, "{crc32}");
    }
}

#[test]
fn a_clock_too_far_off_is_corrected_once() {
    let body = br#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired: 20270115T080000Z is now earlier than 20270115T085500Z"}"#;
    let date = Some("Fri, 15 Jan 2027 09:00:00 GMT");
    let refused = Response { date, ..response(400, body) };
    let (mut exchange, Next::Send(first)) = Exchange::new(&layout(), load()) else { panic!() };
    let Next::Send(again) = exchange.answered(refused, NOW) else { panic!("it was not sent again") };
    assert_eq!((again, exchange.correction()), (first, Some(3_600_000)));
    let Next::Done(reply) = exchange.answered(refused, NOW + 3_600_000) else { panic!("and a third time") };
    assert_eq!(reply.cost.requests, 2);
    assert!(matches!(reply.result, Err(Failure::Refused(message)) if message.contains("Signature expired")));

    let (mut exchange, _) = Exchange::new(&layout(), load());
    let Next::Done(reply) = exchange.answered(Response { date: None, ..refused }, NOW) else { panic!() };
    assert!(matches!(reply.result, Err(Failure::Refused(_))));
}

#[test]
fn several_keys_are_looked_up_in_one_call() {
    let keys = || Request::Record { keys: vec!["idem#ada#k".into(), "once#t1".into()], now: 1_000 };
    let call = first(keys());
    assert_eq!(call.target, "DynamoDB_20120810.TransactGetItems");
    let get = |key: &str| json!({ "Get": { "TableName": "helpers", "Key": { "pk": { "S": key }, "sk": { "S": "record" } } } });
    let expected =
        json!({ "TransactItems": [get("idem#ada#k"), get("once#t1")], "ReturnConsumedCapacity": "TOTAL" });
    assert_eq!(serde_json::from_str::<Value>(&call.body).unwrap(), expected);

    let record = |key: &str, end: &str| {
        json!({ "Item": {
            "pk": { "S": key }, "sk": { "S": "record" }, "hash": { "S": "cd" }, "aggregateName": { "S": "Customer" },
            "aggregateId": { "S": "c0" }, "first": { "N": "1" }, "last": { "N": "2" }, "expiresAt": { "N": end },
        }})
    };
    let found = |responses: Value| match answer(keys(), 200, &json!({ "Responses": responses })) {
        Ok(Answer::Record(record)) => record.map(|record| record.key),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        found(json!([record("idem#ada#k", "5"), record("once#t1", "5")])).as_deref(),
        Some("idem#ada#k")
    );
    assert_eq!(found(json!([record("idem#ada#k", "0"), record("once#t1", "5")])).as_deref(), Some("once#t1"));
    assert_eq!(found(json!([{}, {}])), None);
    let cancelled = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "…", "CancellationReasons": [{ "Code": "None" }, { "Code": "TransactionConflict" }],
    });
    assert_eq!(answer(keys(), 400, &cancelled), Err(Failure::Busy));
}
