//! Streams as AWS has them, before the emulator's: that has one shard for each, which never ends, from which nothing is
//! ever gone, whose iterators last and which can be read as often as one likes.
//!
//! The gate describes shards of its own instead. Each is a part of the emulator's shard: the records behind one sequence
//! number and up to another, of the items whose partition key falls into one of so many buckets. So every record is in
//! exactly one of them, and whoever reads parents before their children sees an item's records in their order.
//!
//! It keeps them as long as it runs. A gate that is started anew before the same emulator has one shard again.
//!
//! - Shards, their ends and their children, and that what is older than a day is gone:
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>
//! - `DescribeStream`: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html>
//! - `GetShardIterator`:
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html>
//! - `GetRecords`, its limits, its errors and their words:
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html>
//! - What is said of a shard that is gone: <https://github.com/ironSource/node-dynamodb-stream/issues/16>

use crate::{
    answer::{Answer, refusal},
    gate::{Done, Watch},
    service::Service,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    time::{Duration, Instant},
};

/// How AWS says that somebody asks too often.
pub(crate) const LIMITED: &str = "Too many operations for a given subscriber.";

const DESCRIBE: &str = "DynamoDBStreams_20120810.DescribeStream";
const ITERATE: &str = "DynamoDBStreams_20120810.GetShardIterator";
const READ: &str = "DynamoDBStreams_20120810.GetRecords";

/// How often a shard may be read in a second. AWS names two readers for a shard, and for the shards of Kinesis, whose
/// interface this one is, five reads a second:
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const OFTEN: usize = 5;

/// The most records of a page, and the most bytes that they weigh.
const RECORDS: usize = 1_000;
const BYTES: u64 = 1 << 20;

/// The most shards of a page.
const SHARDS: usize = 100;

/// A sequence number: the emulator's have 21 digits.
type Number = u128;

/// The emulator's first number is behind this one.
const BEFORE: Number = 100_000_000_000_000_000_000;

/// What differs from the streams that the emulator has.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// By their ARN, those that somebody looked at.
    known: HashMap<String, Stream>,
    pub(crate) manner: Manner,
    /// How often all iterators expired.
    age: u64,
}

/// How records and shards come.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Manner {
    /// A page's records come in reverse: AWS promises an order to the records of each item alone.
    disorder: bool,
    /// Each record comes in the next page again.
    repeat: bool,
    /// The most records of a page.
    page: Option<NonZeroUsize>,
    /// How many empty pages come before one that has records.
    empty: u64,
    /// The most shards of a page.
    shards: Option<NonZeroUsize>,
}

#[derive(Debug)]
struct Stream {
    /// The emulator's shard.
    real: String,
    /// The table's keys, as DynamoDB describes them.
    keys: Value,
    /// In the order in which they were made, which is that of their names as well.
    shards: Vec<Shard>,
    /// What is up to this number is gone.
    horizon: Number,
}

/// A part of the emulator's shard.
#[derive(Debug)]
struct Shard {
    id: String,
    parent: Option<String>,
    /// It starts behind this number.
    after: Number,
    /// It ends with this number; it is open where there is none.
    until: Option<Number>,
    bucket: Bucket,
    /// When it was read in the last second.
    read: VecDeque<Instant>,
}

/// A part of the partition keys: those whose hash leaves this remainder when it is divided by so many.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    remainder: u32,
    of: u32,
}

impl Bucket {
    fn halves(self) -> [Self; 2] {
        let of = self.of * 2;
        [Self { of, ..self }, Self { remainder: self.remainder + self.of, of }]
    }
}

/// A record of the emulator's.
struct Record {
    number: Number,
    hash: u32,
    bytes: u64,
    record: Value,
}

/// Where somebody reads on. A client gets it as a text that means nothing to it.
#[derive(Debug, Clone)]
struct Cursor {
    stream: String,
    shard: String,
    /// What is up to this number was read.
    position: Number,
    /// What is behind this number came with the last page.
    again: Number,
    /// How many empty pages came in its place.
    empty: u64,
    /// How often all iterators had expired when it was made.
    age: u64,
}

impl Cursor {
    /// As AWS's begin: with the stream, and a version.
    fn text(&self) -> String {
        let Self { stream, shard, position, again, empty, age } = self;
        format!("{stream}|1|{shard}.{position}.{again}.{empty}.{age}")
    }

    fn parse(text: &str) -> Option<Self> {
        let (stream, rest) = text.rsplit_once("|1|")?;
        let mut parts = rest.split('.');
        let shard = parts.next()?.to_owned();
        let mut number = || parts.next()?.parse::<Number>().ok();
        let (position, again) = (number()?, number()?);
        let (empty, age) = (number()?.try_into().ok()?, number()?.try_into().ok()?);
        Some(Self { stream: stream.to_owned(), shard, position, again, empty, age })
    }
}

impl Streams {
    /// Whatever was given out has expired.
    pub(crate) fn expire(&mut self) {
        self.age += 1;
    }
}

impl Stream {
    fn new(arn: &str, real: String, keys: Value) -> Self {
        let mut stream = Self { real, keys, shards: Vec::new(), horizon: 0 };
        stream.open(arn, None, BEFORE, Bucket { remainder: 0, of: 1 });
        stream
    }

    fn open(&mut self, arn: &str, parent: Option<String>, after: Number, bucket: Bucket) {
        let count = self.shards.len() + 1;
        let id = format!("shardId-{count:020}-{:08x}", crc32fast::hash(format!("{arn}{count}").as_bytes()));
        let shard = Shard { id, parent, after, until: None, bucket, read: VecDeque::new() };
        self.shards.push(shard);
    }

    /// Ends every open shard with this number; each has two children.
    fn split(&mut self, arn: &str, end: Number) {
        for index in 0..self.shards.len() {
            let shard = &mut self.shards[index];
            if shard.until.is_none() {
                // Where nothing was ever written, the stream ends before it begins.
                let end = end.max(shard.after);
                shard.until = Some(end);
                let (id, bucket) = (shard.id.clone(), shard.bucket);
                for half in bucket.halves() {
                    self.open(arn, Some(id.clone()), end, half);
                }
            }
        }
    }

    /// Whether anything may be in a shard.
    fn has(&self, shard: &Shard) -> bool {
        shard.until.is_none_or(|until| until > self.horizon)
    }

    /// The shards of a page, and the last one's name if there are more.
    fn page(&self, start: Option<&str>, limit: usize) -> (Vec<Value>, Option<&str>) {
        let behind = |shard: &&Shard| start.is_none_or(|start| shard.id.as_str() > start);
        let mut left = self.shards.iter().filter(|shard| self.has(shard)).filter(behind).peekable();
        let page: Vec<&Shard> = left.by_ref().take(limit).collect();
        let last = left.peek().and(page.last()).map(|shard| shard.id.as_str());
        (page.into_iter().map(Shard::describe).collect(), last)
    }

    fn shard(&self, id: &str) -> Result<&Shard, Box<Answer>> {
        let shard = self.shards.iter().find(|shard| shard.id == id && self.has(shard));
        shard.ok_or_else(|| {
            refuse("ResourceNotFoundException", "Requested resource not found: Shard does not exist")
        })
    }

    /// What of the emulator's records is in a page, and where it goes on, unless that was all of the shard. They are
    /// those that follow where the last page ended, or began where each comes twice: all of them, or a thousand.
    fn records(
        &self,
        shard: &Shard,
        cursor: &Cursor,
        records: Vec<Record>,
        limit: usize,
        manner: &Manner,
    ) -> Result<(Vec<Value>, Option<Cursor>), Box<Answer>> {
        let is_all = records.len() < RECORDS;
        let seen = records.last().map_or(cursor.position, |record| record.number.max(cursor.position));
        let (again, new): (Vec<_>, Vec<_>) = records
            .into_iter()
            .filter(|record| shard.holds(record))
            .partition(|record| record.number <= cursor.position);
        if new.first().is_some_and(|record| record.number <= self.horizon) {
            return Err(trimmed());
        }
        let mut page: Vec<Record> = again.into_iter().filter(|record| record.number > self.horizon).collect();
        page.truncate(limit);
        let (repeated, found) = (page.len(), new.len());
        let mut bytes: u64 = page.iter().map(|record| record.bytes).sum();
        for record in new.into_iter().take(limit - repeated) {
            bytes += record.bytes;
            // One alone is never too much.
            if bytes > BYTES && !page.is_empty() {
                break;
            }
            page.push(record);
        }
        if !page.is_empty() && cursor.empty < manner.empty {
            return Ok((Vec::new(), Some(Cursor { empty: cursor.empty + 1, ..cursor.clone() })));
        }
        let fresh = page.len() - repeated;
        let position = match fresh {
            _ if fresh == found => shard.until.map_or(seen, |until| seen.min(until)).max(cursor.position),
            0 => cursor.position,
            _ => page.last().map_or(cursor.position, |record| record.number),
        };
        let is_read = shard.until.is_some_and(|until| fresh == found && (is_all || seen >= until));
        // What came in the last page is still to come again.
        let is_over = is_read && !(manner.repeat && fresh > 0);
        let next = Cursor { position, again: cursor.position, empty: 0, ..cursor.clone() };
        if manner.disorder {
            page.reverse();
        }
        let page = page.into_iter().map(|record| record.record).collect();
        Ok((page, (!is_over).then_some(next)))
    }
}

impl Shard {
    fn holds(&self, record: &Record) -> bool {
        record.number > self.after
            && self.until.is_none_or(|until| record.number <= until)
            && record.hash % self.bucket.of == self.bucket.remainder
    }

    /// The numbers that it says to be from and, where it is closed, to. A range has an end that is not before its start,
    /// and so one number that is in no shard where nothing was written between two splits.
    fn range(&self) -> (Number, Option<Number>) {
        let start = self.after + 1;
        (start, self.until.map(|until| until.max(start)))
    }

    fn describe(&self) -> Value {
        let (start, end) = self.range();
        let mut range = json!({ "StartingSequenceNumber": start.to_string() });
        if let Some(end) = end {
            range["EndingSequenceNumber"] = end.to_string().into();
        }
        let mut shard = json!({ "ShardId": self.id, "SequenceNumberRange": range });
        if let Some(parent) = &self.parent {
            shard["ParentShardId"] = parent.as_str().into();
        }
        shard
    }

    /// Whether it may be read once more in this second.
    fn may_be_read(&mut self) -> bool {
        let now = Instant::now();
        self.read.retain(|read| now.duration_since(*read) < Duration::from_secs(1));
        let may = self.read.len() < OFTEN;
        if may {
            self.read.push_back(now);
        }
        may
    }
}

impl Record {
    /// `key` is the name of the partition key.
    fn new(record: Value, key: &str) -> Option<Self> {
        let number = record["dynamodb"]["SequenceNumber"].as_str()?.parse().ok()?;
        let bytes = record["dynamodb"]["SizeBytes"].as_u64()?;
        let hash = crc32fast::hash(record["dynamodb"]["Keys"][key].to_string().as_bytes());
        Some(Self { number, hash, bytes, record })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeStream {
    #[serde(default)]
    stream_arn: String,
    exclusive_start_shard_id: Option<String>,
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetShardIterator {
    #[serde(default)]
    stream_arn: String,
    #[serde(default)]
    shard_id: String,
    #[serde(default)]
    shard_iterator_type: String,
    #[serde(default)]
    sequence_number: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecords {
    #[serde(default)]
    shard_iterator: String,
    limit: Option<i64>,
}

impl Watch {
    pub(crate) async fn describe_stream(&self, body: &[u8]) -> Done {
        let request: DescribeStream = parse(body)?;
        let mut streams = self.streams.lock().await;
        let Streams { known, manner, .. } = &mut *streams;
        let limit = bounded(request.limit, SHARDS, manner.shards)?;
        let (stream, mut described) = self.meet(known, &request.stream_arn).await?;
        let (shards, last) = stream.page(request.exclusive_start_shard_id.as_deref(), limit);
        described["KeySchema"] = stream.keys.clone();
        described["Shards"] = shards.into();
        if let Some(last) = last {
            described["LastEvaluatedShardId"] = last.into();
        }
        Ok(json!({ "StreamDescription": described }))
    }

    pub(crate) async fn get_shard_iterator(&self, body: &[u8]) -> Done {
        let request: GetShardIterator = parse(body)?;
        let mut streams = self.streams.lock().await;
        let Streams { known, age, .. } = &mut *streams;
        let (stream, described) = self.meet(known, &request.stream_arn).await?;
        // It looks at the rest of the request.
        let mut asked: Value = parse(body)?;
        asked["ShardId"] = stream.real.as_str().into();
        self.emulator(ITERATE, &asked).await?;
        let horizon = stream.horizon;
        let shard = stream.shard(&request.shard_id)?;
        let named = || {
            let number = request.sequence_number.parse::<Number>().ok();
            let (start, end) = shard.range();
            let number = number.filter(|number| *number >= start && end.is_none_or(|end| *number <= end));
            let number = number.ok_or_else(|| invalid("Invalid SequenceNumber for the shard"))?;
            if number > horizon { Ok(number) } else { Err(trimmed()) }
        };
        let position = match request.shard_iterator_type.as_str() {
            "AT_SEQUENCE_NUMBER" => named()? - 1,
            "AFTER_SEQUENCE_NUMBER" => named()?,
            "LATEST" => shard.until.unwrap_or_else(|| end(&described).max(shard.after)),
            _ => shard.after.max(horizon),
        };
        let cursor = Cursor {
            stream: request.stream_arn,
            shard: request.shard_id,
            position,
            again: position,
            empty: 0,
            age: *age,
        };
        Ok(json!({ "ShardIterator": cursor.text() }))
    }

    pub(crate) async fn get_records(&self, body: &[u8]) -> Done {
        let request: GetRecords = parse(body)?;
        let cursor =
            Cursor::parse(&request.shard_iterator).ok_or_else(|| invalid("Invalid ShardIterator"))?;
        let mut streams = self.streams.lock().await;
        let Streams { known, manner, age } = &mut *streams;
        let limit = bounded(request.limit, RECORDS, manner.page)?;
        let (stream, _) = self.meet(known, &cursor.stream).await?;
        let shard = stream.shards.iter().position(|shard| shard.id == cursor.shard);
        let shard =
            shard.ok_or_else(|| refuse("ResourceNotFoundException", "Invalid ShardId in ShardIterator"))?;
        if !stream.shards[shard].may_be_read() {
            self.note(|notes| notes.count.limited += 1);
            return Err(refuse("LimitExceededException", LIMITED));
        }
        if cursor.age < *age {
            return Err(refuse(
                "ExpiredIteratorException",
                "The provided iterator exceeds the maximum age allowed.",
            ));
        }
        let from = if manner.repeat { cursor.again } else { cursor.position };
        let mut asked = json!({
            "StreamArn": cursor.stream, "ShardId": stream.real,
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": from.to_string(),
        });
        // The emulator knows no number before its first.
        if from == BEFORE {
            asked["ShardIteratorType"] = "TRIM_HORIZON".into();
            asked["SequenceNumber"] = Value::Null;
        }
        let iterator = self.emulator(ITERATE, &asked).await?;
        let asked = json!({ "ShardIterator": iterator["ShardIterator"], "Limit": RECORDS });
        let mut answer = self.emulator(READ, &asked).await?;
        let key = partition(&stream.keys);
        let records = answer["Records"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let records = records.into_iter().filter_map(|record| Record::new(record, key)).collect();
        let (page, next) = stream.records(&stream.shards[shard], &cursor, records, limit, manner)?;
        let mut answer = json!({ "Records": page });
        if let Some(next) = next {
            answer["NextShardIterator"] = next.text().into();
        }
        Ok(answer)
    }

    /// Splits every open shard of every stream.
    pub(crate) async fn split(&self) -> Result<(), String> {
        self.each(|stream, arn, end| stream.split(arn, end)).await
    }

    /// Lets all records be gone that there are.
    pub(crate) async fn trim(&self) -> Result<(), String> {
        self.each(|stream, _, end| stream.horizon = stream.horizon.max(end)).await
    }

    /// Changes every stream that the emulator has, at its present end. Nobody reads meanwhile.
    async fn each(&self, change: impl Fn(&mut Stream, &str, Number)) -> Result<(), String> {
        let said = |answer: Box<Answer>| String::from_utf8_lossy(answer.body().sent()).into_owned();
        let mut streams = self.streams.lock().await;
        let list = self.emulator("DynamoDBStreams_20120810.ListStreams", &json!({})).await.map_err(said)?;
        for arn in
            list["Streams"].as_array().into_iter().flatten().filter_map(|one| one["StreamArn"].as_str())
        {
            let (stream, described) = self.meet(&mut streams.known, arn).await.map_err(said)?;
            change(stream, arn, end(&described));
        }
        Ok(())
    }

    /// A stream as the gate has it, and as the emulator describes it.
    async fn meet<'a>(
        &self,
        known: &'a mut HashMap<String, Stream>,
        arn: &str,
    ) -> Result<(&'a mut Stream, Value), Box<Answer>> {
        let mut answer = self.emulator(DESCRIBE, &json!({ "StreamArn": arn })).await?;
        let described = answer["StreamDescription"].take();
        if !known.contains_key(arn) {
            let asked = json!({ "TableName": described["TableName"] });
            let mut table = self.emulator("DynamoDB_20120810.DescribeTable", &asked).await?;
            let real = described["Shards"][0]["ShardId"].as_str().unwrap_or_default().to_owned();
            known.insert(arn.to_owned(), Stream::new(arn, real, table["Table"]["KeySchema"].take()));
        }
        let stream = known.get_mut(arn).ok_or_else(|| invalid("Invalid StreamArn"))?;
        Ok((stream, described))
    }
}

/// The number of a stream's last record, as the emulator describes it.
fn end(described: &Value) -> Number {
    let number = described["Shards"][0]["SequenceNumberRange"]["EndingSequenceNumber"].as_str();
    number.and_then(|number| number.parse().ok()).unwrap_or(BEFORE)
}

/// The name of the partition key.
fn partition(keys: &Value) -> &str {
    let mut keys = keys.as_array().into_iter().flatten();
    let key = keys.find(|key| key["KeyType"] == "HASH");
    key.and_then(|key| key["AttributeName"].as_str()).unwrap_or_default()
}

/// How much a page has: what is asked for, and no more than AWS and the order allow.
fn bounded(asked: Option<i64>, most: usize, ordered: Option<NonZeroUsize>) -> Result<usize, Box<Answer>> {
    let asked = asked.unwrap_or(most as i64);
    let bound = match usize::try_from(asked).ok() {
        Some(limit) if (1..=most).contains(&limit) => {
            return Ok(ordered.map_or(limit, |ordered| limit.min(ordered.get())));
        }
        Some(limit) if limit > most => format!("less than or equal to {most}"),
        _ => "greater than or equal to 1".to_owned(),
    };
    Err(invalid(&format!(
        "1 validation error detected: Value '{asked}' at 'limit' failed to satisfy constraint: Member must have value \
         {bound}"
    )))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Answer>> {
    serde_json::from_slice(body).map_err(|error| refuse("SerializationException", &error.to_string()))
}

fn refuse(code: &str, message: &str) -> Box<Answer> {
    refusal(Service::DynamoDb, code, message)
}

fn invalid(message: &str) -> Box<Answer> {
    refuse("ValidationException", message)
}

fn trimmed() -> Box<Answer> {
    refuse("TrimmedDataAccessException", "The data you are trying to access has been trimmed")
}
