//! The gate's streams: shards that end and have children, iterators that expire, records that are gone, and pages that
//! come as AWS's may.

use rewound_core::dynamodb::Call;
use rewound_dynamodb::{Client, Gate, REGION, Server, credentials, layout};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How many aggregates the events are of.
const AGGREGATES: usize = 9;

const NONE: [usize; 0] = [];

/// A stream behind a gate.
struct Tried {
    client: Client,
    gate: Gate,
    arn: String,
    _server: Server,
}

/// What a page had, and where it goes on.
type Page = (Vec<usize>, Option<String>);

fn tried() -> Tried {
    let server = Server::start(0, None).unwrap();
    let gate = Gate::start(0, &server.url, REGION, credentials()).unwrap();
    let client = Client::new(&gate.url, layout("streams"));
    client.create_tables().unwrap();
    let mut tried = Tried { client, gate, arn: String::new(), _server: server };
    let (status, list) = tried.ask("ListStreams", json!({ "TableName": layout("streams").events }));
    assert_eq!(status, 200, "{list}");
    tried.arn = list["Streams"][0]["StreamArn"].as_str().unwrap().to_owned();
    tried
}

fn item(number: usize, weight: usize) -> Value {
    json!({
        "aggregateId": { "S": format!("a{}", number % AGGREGATES) },
        "eventId": { "S": format!("{number:04}") },
        "weight": { "S": "x".repeat(weight) },
    })
}

fn call(client: &Client, api: &str, action: &str, body: &Value) -> (u16, Value) {
    let target = format!("{api}_20120810.{action}");
    let (status, body) = client.call(&Call { target, body: body.to_string() }).unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn code((status, answer): (u16, Value)) -> String {
    assert_eq!(status, 400, "{answer}");
    answer["__type"].as_str().unwrap().split('#').next_back().unwrap().to_owned()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl Tried {
    fn ask(&self, action: &str, body: Value) -> (u16, Value) {
        call(&self.client, "DynamoDBStreams", action, &body)
    }

    fn order(&self, order: Value) {
        let order = json!({ "streams": order });
        assert_eq!(self.gate.order(&order.to_string()), json!({ "ok": true }), "{order}");
    }

    /// Writes events with these numbers, each of the next aggregate.
    fn write(&self, numbers: Range<usize>) {
        for number in numbers {
            let put = json!({ "TableName": layout("streams").events, "Item": item(number, 0) });
            let (status, answer) = call(&self.client, "DynamoDB", "PutItem", &put);
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// Writes many of them that weigh so much, a few at a time.
    fn write_all(&self, numbers: Range<usize>, weight: usize) {
        let events = layout("streams").events;
        let numbers: Vec<usize> = numbers.collect();
        for few in numbers.chunks(25) {
            let puts: Vec<Value> =
                few.iter().map(|number| json!({ "PutRequest": { "Item": item(*number, weight) } })).collect();
            let put = json!({ "RequestItems": { &events: puts } });
            let (status, answer) = call(&self.client, "DynamoDB", "BatchWriteItem", &put);
            assert_eq!((status, &answer["UnprocessedItems"]), (200, &json!({})), "{answer}");
        }
    }

    fn describe(&self, more: Value) -> Value {
        let mut body = json!({ "StreamArn": self.arn });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, mut answer) = self.ask("DescribeStream", body);
        assert_eq!(status, 200, "{answer}");
        answer["StreamDescription"].take()
    }

    /// Every shard, whatever pages they come in.
    fn shards(&self) -> Vec<Value> {
        let (mut shards, mut more) = (Vec::new(), json!({}));
        loop {
            let page = self.describe(more);
            shards.extend(page["Shards"].as_array().unwrap().clone());
            match page.get("LastEvaluatedShardId") {
                Some(last) => more = json!({ "ExclusiveStartShardId": last }),
                None => return shards,
            }
        }
    }

    fn ids(&self) -> Vec<String> {
        self.shards().iter().map(|shard| text(&shard["ShardId"]).unwrap()).collect()
    }

    fn try_iterator(&self, shard: &str, kind: &str, number: Option<&str>) -> (u16, Value) {
        let mut body = json!({ "StreamArn": self.arn, "ShardId": shard, "ShardIteratorType": kind });
        if let Some(number) = number {
            body["SequenceNumber"] = number.into();
        }
        self.ask("GetShardIterator", body)
    }

    fn iterator(&self, shard: &str, kind: &str, number: Option<&str>) -> String {
        let (status, answer) = self.try_iterator(shard, kind, number);
        assert_eq!(status, 200, "{answer}");
        text(&answer["ShardIterator"]).unwrap()
    }

    /// A page as it is answered, however long one has to wait for it.
    fn records(&self, iterator: &str) -> Value {
        loop {
            let (status, answer) = self.ask("GetRecords", json!({ "ShardIterator": iterator }));
            if status == 200 {
                return answer;
            }
            assert_eq!(code((status, answer)), "LimitExceededException");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn page(&self, iterator: &str) -> Page {
        let answer = self.records(iterator);
        let number =
            |record: &Value| record["dynamodb"]["Keys"]["eventId"]["S"].as_str().unwrap().parse().unwrap();
        (
            answer["Records"].as_array().unwrap().iter().map(number).collect(),
            text(&answer["NextShardIterator"]),
        )
    }

    /// What is in a shard, read to its end, or to a page without records.
    fn read(&self, shard: &str) -> Vec<usize> {
        let (mut all, mut next) = (Vec::new(), Some(self.iterator(shard, "TRIM_HORIZON", None)));
        while let Some(iterator) = next {
            let (page, then) = self.page(&iterator);
            if page.is_empty() {
                break;
            }
            all.extend(page);
            next = then;
        }
        all
    }
}

#[test]
fn at_first_a_stream_has_one_open_shard() {
    let tried = tried();
    tried.write(0..3);
    let described = tried.describe(json!({}));
    let shard = &described["Shards"][0];
    let id = text(&shard["ShardId"]).unwrap();
    let parts: Vec<&str> = id.split('-').collect();
    assert!(
        matches!(parts[..], ["shardId", number, hex] if number.len() == 20
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && hex.len() == 8 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{id}"
    );
    assert_eq!(described["Shards"].as_array().unwrap().len(), 1);
    assert_eq!(shard.get("ParentShardId"), None);
    assert!(text(&shard["SequenceNumberRange"]["StartingSequenceNumber"]).unwrap().len() >= 21);
    assert_eq!(shard["SequenceNumberRange"].get("EndingSequenceNumber"), None);
    assert_eq!(described.get("LastEvaluatedShardId"), None);
    // The rest is the emulator's, and the keys are the table's.
    assert_eq!(
        (&described["StreamArn"], &described["StreamStatus"]),
        (&tried.arn.clone().into(), &"ENABLED".into())
    );
    assert_eq!(described["KeySchema"][0], json!({ "AttributeName": "aggregateId", "KeyType": "HASH" }));

    let first = tried.iterator(&id, "TRIM_HORIZON", None);
    let latest = tried.iterator(&id, "LATEST", None);
    let (page, next) = tried.page(&first);
    assert_eq!(page, [0, 1, 2]);
    tried.write(3..5);
    assert_eq!(tried.page(&next.unwrap()).0, [3, 4]);
    let (page, next) = tried.page(&latest);
    assert_eq!((page, next.is_some()), (vec![3, 4], true));
    assert_eq!(tried.page(&next.unwrap()).0, NONE);
}

#[test]
fn sequence_numbers_say_where_to_read_on() {
    let tried = tried();
    tried.write(0..4);
    let shard = tried.ids().remove(0);
    let records = tried.records(&tried.iterator(&shard, "TRIM_HORIZON", None));
    let numbers: Vec<String> = records["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| text(&record["dynamodb"]["SequenceNumber"]).unwrap())
        .collect();
    let from = |kind, number: &str| tried.page(&tried.iterator(&shard, kind, Some(number))).0;
    assert_eq!(from("AT_SEQUENCE_NUMBER", &numbers[2]), [2, 3]);
    assert_eq!(from("AFTER_SEQUENCE_NUMBER", &numbers[2]), [3]);
    assert_eq!(from("AFTER_SEQUENCE_NUMBER", &numbers[3]), NONE);

    tried.order(json!({ "split": true }));
    let shards = tried.shards();
    let start = text(&shards[1]["SequenceNumberRange"]["StartingSequenceNumber"]).unwrap();
    let end = text(&shards[0]["SequenceNumberRange"]["EndingSequenceNumber"]).unwrap();
    assert_eq!(end, numbers[3]);
    let child = text(&shards[1]["ShardId"]).unwrap();
    assert!(tried.try_iterator(&child, "AT_SEQUENCE_NUMBER", Some(&start)).0 == 200);
    let after = "AFTER_SEQUENCE_NUMBER";
    for refused in [
        tried.try_iterator(&child, after, Some(&end)),
        tried.try_iterator(&shard, after, Some(&start)),
        tried.try_iterator(&shard, after, Some("7")),
        tried.try_iterator(&shard, after, None),
        tried.try_iterator(&shard, "LATEST", Some(&end)),
        tried.try_iterator(&shard, "EARLIEST", None),
        tried.ask("GetRecords", json!({ "ShardIterator": "?" })),
        tried.ask(
            "GetRecords",
            json!({ "ShardIterator": tried.iterator(&shard, "LATEST", None), "Limit": 1001 }),
        ),
        tried.ask(
            "GetRecords",
            json!({ "ShardIterator": tried.iterator(&shard, "LATEST", None), "Limit": 0 }),
        ),
        tried.ask("DescribeStream", json!({ "StreamArn": tried.arn, "Limit": 101 })),
    ] {
        assert_eq!(code(refused), "ValidationException");
    }
    let unknown = tried.try_iterator("shardId-00000000000000000007-00000000", "LATEST", None);
    assert_eq!(code(unknown), "ResourceNotFoundException");
    let unknown = tried.ask("DescribeStream", json!({ "StreamArn": tried.arn.replace("streams-", "no-") }));
    assert_eq!(code(unknown), "ResourceNotFoundException");
    assert_eq!(code(tried.ask("DescribeStream", json!([]))), "SerializationException");
}

#[test]
fn every_record_is_in_one_shard_whatever_was_split() {
    let tried = tried();
    tried.write(0..40);
    tried.order(json!({ "split": true }));
    tried.write(40..80);
    tried.order(json!({ "split": true }));
    tried.write(80..120);
    tried.order(json!({ "shards": 2 }));

    let shards = tried.shards();
    assert_eq!(shards.len(), 7);
    assert_eq!(tried.describe(json!({}))["Shards"].as_array().unwrap().len(), 2);
    let one = tried.describe(json!({ "Limit": 1, "ExclusiveStartShardId": shards[2]["ShardId"] }));
    assert_eq!((&one["Shards"], &one["LastEvaluatedShardId"]), (&json!([shards[3]]), &shards[3]["ShardId"]));

    let (mut read, mut homes) = (BTreeMap::new(), BTreeMap::new());
    for (index, shard) in shards.iter().enumerate() {
        let id = text(&shard["ShardId"]).unwrap();
        let parent = shard["ParentShardId"].as_str();
        let is_closed = shard["SequenceNumberRange"].get("EndingSequenceNumber").is_some();
        // Parents come before their children, and each closed shard has two.
        let children = shards.iter().filter(|child| child["ParentShardId"] == shard["ShardId"]).count();
        assert_eq!((is_closed, children), if index < 3 { (true, 2) } else { (false, 0) });
        assert_eq!(parent.is_some(), index > 0);
        assert!(parent.is_none_or(|parent| read.contains_key(parent)), "{shard}");

        let records = tried.read(&id);
        assert!(records.is_sorted() && !records.is_empty(), "{records:?}");
        let generation = [0, 1, 1, 2, 2, 2, 2][index];
        assert!(records.iter().all(|record| record / 40 == generation), "{generation}: {records:?}");
        for record in &records {
            // All that is written of an aggregate at a time is in one shard.
            assert_eq!(homes.entry((generation, record % AGGREGATES)).or_insert(id.clone()), &id);
        }
        // Only what is open goes on.
        let (_, next) = tried.page(&tried.iterator(&id, "LATEST", None));
        assert_eq!(next.is_none(), is_closed);
        read.insert(id, records);
    }
    let mut all: Vec<usize> = read.into_values().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..120).collect::<Vec<_>>());
}

/// The iterator of an open shard ends with it, where it is split in the meantime.
#[test]
fn whoever_reads_while_it_is_split_misses_nothing() {
    const EVENTS: usize = 240;
    let tried = tried();
    let written = AtomicUsize::new(0);
    let read: Vec<usize> = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..EVENTS {
                tried.write(number..number + 1);
                written.store(number + 1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(3));
            }
        });
        scope.spawn(|| {
            for part in 1..=2 {
                while written.load(Ordering::Relaxed) < part * EVENTS / 4 {
                    thread::sleep(Duration::from_millis(1));
                }
                tried.order(json!({ "split": true }));
            }
        });
        let (mut read, mut open, mut seen) = (Vec::new(), Vec::<String>::new(), BTreeSet::new());
        while read.len() < EVENTS || open.len() < 4 {
            for id in tried.ids() {
                if seen.insert(id.clone()) {
                    open.push(tried.iterator(&id, "TRIM_HORIZON", None));
                }
            }
            open = open
                .into_iter()
                .filter_map(|iterator| {
                    let (page, next) = tried.page(&iterator);
                    read.extend(page);
                    next
                })
                .collect();
            assert!(read.len() <= EVENTS, "{read:?}");
        }
        read
    });
    assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), (0..EVENTS).collect());
}

#[test]
fn a_stream_is_split_where_nobody_wrote() {
    let tried = tried();
    tried.order(json!({ "split": true }));
    tried.order(json!({ "split": true }));
    tried.write(0..9);
    let shards = tried.shards();
    assert_eq!(shards.len(), 7);
    for shard in &shards[..3] {
        let range = &shard["SequenceNumberRange"];
        let number = |name: &str| text(&range[name]).unwrap().parse::<u128>().unwrap();
        assert!(number("StartingSequenceNumber") <= number("EndingSequenceNumber"), "{range}");
        let id = text(&shard["ShardId"]).unwrap();
        assert_eq!(tried.page(&tried.iterator(&id, "TRIM_HORIZON", None)), (vec![], None));
    }
    let mut all: Vec<usize> = tried.ids().iter().flat_map(|id| tried.read(id)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..9).collect::<Vec<_>>());
}

#[test]
fn iterators_expire() {
    let tried = tried();
    tried.write(0..3);
    let shard = tried.ids().remove(0);
    let (_, next) = tried.page(&tried.iterator(&shard, "TRIM_HORIZON", None));
    let first = tried.iterator(&shard, "TRIM_HORIZON", None);
    tried.order(json!({ "expire": true }));
    for iterator in [first, next.unwrap()] {
        let expired = tried.ask("GetRecords", json!({ "ShardIterator": iterator }));
        assert_eq!(expired.1["message"], "The provided iterator exceeds the maximum age allowed.");
        assert_eq!(code(expired), "ExpiredIteratorException");
    }
    assert_eq!(tried.read(&shard), [0, 1, 2]);
}

#[test]
fn what_is_trimmed_is_gone() {
    let tried = tried();
    tried.write(0..20);
    let root = tried.ids().remove(0);
    let iterator = |shard: &str, number: u128| {
        let kind = if number == 0 { "TRIM_HORIZON" } else { "AFTER_SEQUENCE_NUMBER" };
        tried.try_iterator(shard, kind, (number > 0).then(|| number.to_string()).as_deref())
    };
    let before = tried.iterator(&root, "TRIM_HORIZON", None);
    let last =
        tried.records(&before)["Records"][19]["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
    let last: u128 = last.parse().unwrap();
    let trimmed = |iterator: &str| code(tried.ask("GetRecords", json!({ "ShardIterator": iterator })));

    // What is open stays, and whoever had come to the end goes on.
    let (_, next) = tried.page(&before);
    tried.order(json!({ "trim": true }));
    assert_eq!(tried.ids(), std::slice::from_ref(&root));
    assert_eq!(trimmed(&before), "TrimmedDataAccessException");
    assert_eq!(code(iterator(&root, last)), "TrimmedDataAccessException");
    assert_eq!(code(iterator(&root, last - 1)), "TrimmedDataAccessException");
    assert_eq!(tried.page(&next.clone().unwrap()).0, NONE);
    tried.write(20..40);
    assert_eq!(tried.page(&next.unwrap()).0, (20..40).collect::<Vec<_>>());
    assert_eq!(tried.read(&root), (20..40).collect::<Vec<_>>());

    // A closed shard goes, its children still name it.
    tried.order(json!({ "split": true }));
    let late = tried.iterator(&root, "TRIM_HORIZON", None);
    tried.write(40..60);
    assert_eq!(tried.ids().len(), 3);
    tried.order(json!({ "trim": true }));
    tried.write(60..80);
    let shards = tried.shards();
    assert_eq!(shards.len(), 2);
    assert!(shards.iter().all(|shard| shard["ParentShardId"] == root.as_str()));
    assert_eq!(trimmed(&late), "TrimmedDataAccessException");
    assert_eq!(code(iterator(&root, 0)), "ResourceNotFoundException");
    let mut all: Vec<usize> = tried.ids().iter().flat_map(|id| tried.read(id)).collect();
    all.sort_unstable();
    assert_eq!(all, (60..80).collect::<Vec<_>>());
}

#[test]
fn a_shard_is_read_five_times_a_second() {
    let tried = tried();
    tried.write(0..20);
    tried.order(json!({ "split": true }));
    for shard in tried.ids() {
        let body = json!({ "ShardIterator": tried.iterator(&shard, "TRIM_HORIZON", None) });
        let read = || tried.ask("GetRecords", body.clone());
        let before = Instant::now();
        let reads: Vec<_> = (0..6).map(|_| read()).collect();
        assert!(before.elapsed() < Duration::from_secs(1), "too slow to be told");
        assert!(reads[..5].iter().all(|(status, _)| *status == 200), "{reads:?}");
        assert_eq!(reads[5].1["message"], "Too many operations for a given subscriber.");
        assert_eq!(code(reads[5].clone()), "LimitExceededException");
        // Whoever was refused did not read.
        thread::sleep(Duration::from_secs(1));
        assert_eq!(read().0, 200);
    }
    assert_eq!(tried.gate.order(r#"{"count":true}"#)["limited"], 3);
}

#[test]
fn pages_come_as_they_may() {
    let tried = tried();
    tried.write(0..5);
    let shard = tried.ids().remove(0);
    let pages = |order: Value, count: usize| {
        tried.order(order);
        let mut next = Some(tried.iterator(&shard, "TRIM_HORIZON", None));
        let mut pages = Vec::new();
        while pages.len() < count {
            let Some(iterator) = next else { break };
            let (page, then) = tried.page(&iterator);
            pages.push(page);
            next = then;
        }
        pages
    };
    assert_eq!(pages(json!({ "page": 2 }), 4), [&[0, 1][..], &[2, 3], &[4], &NONE]);
    assert_eq!(pages(json!({ "disorder": true, "page": 3 }), 2), [&[2, 1, 0][..], &[4, 3]]);
    assert_eq!(
        pages(json!({ "empty": 2, "page": 4 }), 6),
        [&NONE[..], &NONE, &[0, 1, 2, 3], &NONE, &NONE, &[4]]
    );
    assert_eq!(pages(json!({ "repeat": true }), 3), [&[0, 1, 2, 3, 4][..], &[0, 1, 2, 3, 4], &NONE]);
    assert_eq!(
        pages(json!({ "repeat": true, "page": 3 }), 5),
        [&[0, 1, 2][..], &[0, 1, 2], &[3, 4], &[3, 4], &NONE]
    );
    assert_eq!(pages(json!({}), 2), [&[0, 1, 2, 3, 4][..], &NONE]);

    // All of it at once, and to the end of a shard.
    tried.order(json!({ "split": true }));
    assert_eq!(pages(json!({ "page": 2 }), 9), [&[0, 1][..], &[2, 3], &[4]]);
    let all = json!({ "repeat": true, "page": 4, "disorder": true, "empty": 1 });
    assert_eq!(pages(all, 9), [&NONE[..], &[3, 2, 1, 0], &NONE, &[3, 2, 1, 0], &NONE, &[4], &NONE, &[4]]);
    let limited = json!({ "ShardIterator": tried.iterator(&shard, "TRIM_HORIZON", None), "Limit": 1 });
    tried.order(json!({}));
    thread::sleep(Duration::from_secs(1));
    assert_eq!(tried.ask("GetRecords", limited).1["Records"].as_array().unwrap().len(), 1);
}

#[test]
fn a_page_is_no_more_than_a_thousand_records() {
    let tried = tried();
    tried.write_all(0..1_300, 0);
    tried.order(json!({ "split": true }));
    tried.write_all(1_300..3_000, 0);
    let ids = tried.ids();
    let (page, next) = tried.page(&tried.iterator(&ids[0], "TRIM_HORIZON", None));
    assert_eq!(page, (0..1_000).collect::<Vec<_>>());
    assert_eq!(tried.page(&next.unwrap()), ((1_000..1_300).collect(), None));

    let mut all: Vec<usize> = ids[1..].iter().flat_map(|id| tried.read(id)).collect();
    all.sort_unstable();
    assert_eq!(all, (1_300..3_000).collect::<Vec<_>>());
}

#[test]
fn a_page_is_no_more_than_a_megabyte() {
    let tried = tried();
    // Three of them are less than that, and four more.
    tried.write_all(0..7, 300_000);
    let (first, next) = tried.page(&tried.iterator(&tried.ids()[0], "TRIM_HORIZON", None));
    let (second, next) = tried.page(&next.unwrap());
    assert_eq!([first, second, tried.page(&next.unwrap()).0], [&[0, 1, 2][..], &[3, 4, 5], &[6]]);
}

#[test]
fn what_follows_a_stream_suffers_too() {
    let tried = tried();
    tried.write(0..2);
    let shard = tried.ids().remove(0);
    let iterator = tried.iterator(&shard, "TRIM_HORIZON", None);
    let suffer = |fault: &str, action: &str, body: Value| {
        let order = json!({ "faults": [fault], "only": action });
        assert_eq!(tried.gate.order(&order.to_string()), json!({ "ok": true }));
        tried.ask(action, body)
    };
    let stream = json!({ "StreamArn": tried.arn });
    assert_eq!(code(suffer("throttle", "DescribeStream", stream.clone())), "LimitExceededException");
    assert_eq!(code(suffer("throttle", "GetShardIterator", stream.clone())), "LimitExceededException");
    let read = json!({ "ShardIterator": iterator });
    assert_eq!(code(suffer("throttle", "GetRecords", read.clone())), "LimitExceededException");
    assert_eq!(suffer("error", "GetRecords", read.clone()).0, 500);
    assert_eq!(suffer("slow", "GetRecords", read).1["Records"].as_array().unwrap().len(), 2);
    assert_eq!(suffer("error", "DescribeStream", stream).0, 500);
}
