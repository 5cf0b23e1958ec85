//! Reads whole logs: DynamoDB's exports and query answers, lines of JSON (NDJSON) or one JSON array of
//! envelopes, plain or gzip, of domains that are known here or not.
//!
//! An [`Import`] takes the bytes in pieces of any size, so that a shell can show progress and stay
//! responsive. Whatever is wrong is told with its line; the good rest stays usable.

use crate::{
    attribute::item_to_json,
    domains::for_log,
    error::Issue,
    event::{Event, Interner},
    gzip::Gunzip,
    order::{Map, sort_by_key},
    raw::{Fields, items},
    time::Millis,
    timeline::Timeline,
};
use serde::{Serialize, de};
use std::{fmt, mem};

/// The most bytes that a log may have once it is decompressed: 2 GiB. A small file that decompresses to
/// more is refused before it fills the memory.
pub const MAX_BYTES: usize = 2 << 30;

/// How many problems are told one by one. A file that is no log at all has millions.
pub const MAX_PROBLEMS: usize = 1_000;

/// A log of many streams.
///
/// ```
/// use rewound_core::import::EventLog;
/// let log = EventLog::from_bytes(br#"{"eventId":"00VQKTYNC0CDP7X95DEHXG9K22","eventName":"Create Fine","aggregateName":"TrafficFine","aggregateId":"f1","aggregateVersion":1,"actorId":"33","amount":31.30}
/// this line is no event
/// "#);
/// assert_eq!(log.streams()[0].aggregate_id(), "f1");
/// assert_eq!(log.problems()[0].line, 2);
/// assert_eq!(log.timeline("f1").unwrap().len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct EventLog {
    streams: Map<Stream>,
    problems: Vec<LineProblem>,
}

/// One stream of a log: the events that are there, in the order of their versions, each version once.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Each event with the line that it stood in.
    lines: Vec<(u32, Event)>,
    /// How many of them follow each other from version 1 without a gap.
    whole: usize,
}

/// What is wrong in a line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineProblem {
    /// The line, from 1, in the decompressed text.
    pub line: u32,
    /// What is wrong, and what became of it.
    pub message: String,
}

impl EventLog {
    /// Reads a whole log at once.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut import = Import::new();
        import.push(bytes);
        import.finish()
    }

    /// The streams, in the order in which they first appear. None is empty.
    pub fn streams(&self) -> &[Stream] {
        self.streams.values()
    }

    /// The stream of an aggregate.
    pub fn stream(&self, aggregate_id: &str) -> Option<&Stream> {
        self.streams.get(aggregate_id)
    }

    /// What was wrong, in the order of the lines: all of it, or [`MAX_PROBLEMS`] and that there is more.
    pub fn problems(&self) -> &[LineProblem] {
        &self.problems
    }

    /// How many events the log holds.
    pub fn len(&self) -> usize {
        self.streams().iter().map(|stream| stream.lines.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.streams().is_empty()
    }

    /// The timeline of an aggregate, replayed by its compiled domain or by the generic one.
    pub fn timeline(&self, aggregate_id: &str) -> Option<Timeline> {
        self.stream(aggregate_id).map(Stream::timeline)
    }

    /// The events as lines of JSON, in the order in which they came in, each the very text that it was.
    pub fn to_ndjson(&self) -> String {
        let mut lines: Vec<&(u32, Event)> = self.streams().iter().flat_map(|stream| &stream.lines).collect();
        // A line that holds several events has them in the order of their versions.
        sort_by_key(&mut lines, |(_, event)| event.version());
        sort_by_key(&mut lines, |(line, _)| u64::from(*line));
        lines.iter().fold(String::new(), |text, (_, event)| text + event.as_json() + "\n")
    }
}

impl Stream {
    /// The aggregate's id.
    pub fn aggregate_id(&self) -> &str {
        self.lines.first().map_or("", |(_, event)| event.aggregate_id())
    }

    /// The aggregate's kind.
    pub fn aggregate_name(&self) -> &str {
        self.lines.first().map_or("", |(_, event)| event.aggregate())
    }

    /// The version of its last event.
    pub fn version(&self) -> u64 {
        self.lines.last().map_or(0, |(_, event)| event.version())
    }

    /// The name of its last event.
    pub fn last_event_name(&self) -> &str {
        self.lines.last().map_or("", |(_, event)| event.name())
    }

    /// The time of its last event, in milliseconds since the epoch.
    pub fn updated_at(&self) -> Millis {
        self.lines.last().map_or(0, |(_, event)| event.time())
    }

    /// Its events in the order of their versions. Behind a gap they are here, and not in the timeline.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Event> + DoubleEndedIterator + Clone {
        self.lines.iter().map(|(_, event)| event)
    }

    /// The same, each with the line that it stood in.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (u32, &Event)> {
        self.lines.iter().map(|(line, event)| (*line, event))
    }

    /// How many of its events follow each other from version 1 without a gap.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// Its timeline, up to the first gap.
    pub fn timeline(&self) -> Timeline {
        let events = self.events().take(self.whole).cloned().collect();
        Timeline::new(for_log(self.aggregate_name()), self.aggregate_id(), events)
    }
}

/// A log that is being read.
#[derive(Debug, Default)]
pub struct Import {
    source: Source,
    records: Splitter,
    shared: Interner,
    shape: Shape,
    bytes: usize,
    events: usize,
    log: EventLog,
    /// How many streams were put in order; none while more may be pushed.
    settled: Option<usize>,
    /// Where it is read strictly: each event as it comes, instead of the log's streams.
    strict: Option<Vec<(u32, Event)>>,
}

/// Reads every event of a page, in the order in which they stand there, each with its line. A page that is one
/// JSON value may have line feeds in it.
///
/// # Errors
/// The first thing in it that is wrong.
#[cfg(feature = "replay")]
pub(crate) fn strictly(page: &[u8], shared: Interner) -> Result<(Vec<(u32, Event)>, Interner), LineProblem> {
    let mut import = Import { strict: Some(Vec::new()), shared, ..Import::default() };
    match one_value(page) {
        Some((line, value)) => import.record(line, &value),
        None => import.push(page),
    }
    import.end();
    match import.log.problems.into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok((import.strict.unwrap_or_default(), import.shared)),
    }
}

/// The object that the page is, and the line in which it starts.
#[cfg(feature = "replay")]
fn one_value(page: &[u8]) -> Option<(u32, Vec<u8>)> {
    let text = crate::gzip::unpacked(page, MAX_BYTES)?;
    let value = text.trim_ascii_start();
    let before = text.len() - value.len();
    let line = 1 + text.iter().take(before).filter(|byte| **byte == b'\n').count() as u32;
    let is_one = || serde_json::from_str::<de::IgnoredAny>(&String::from_utf8_lossy(value)).is_ok();
    let object = value.starts_with(b"{") && is_one();
    object.then(|| (line, value.to_vec()))
}

/// How the bytes are packed; the first two tell.
#[derive(Default)]
enum Source {
    #[default]
    Unknown,
    /// The first byte, where it came alone.
    Undecided(u8),
    Plain,
    Gzip(Box<Gunzip>),
    /// Nothing more is read: what came is broken, or too much.
    Stopped,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Unknown | Source::Undecided(_) => "unknown",
            Source::Plain => "plain",
            Source::Gzip(_) => "gzip",
            Source::Stopped => "stopped",
        })
    }
}

/// How a record holds its event. A log has one shape throughout: it is tried first.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Shape {
    /// `{"eventId":"…",…}`
    #[default]
    Envelope,
    /// `{"Item":{"eventId":{"S":"…"},…}}`, or `NewImage` in an incremental export.
    Exported,
    /// `{"eventId":{"S":"…"},…}`
    Item,
    /// `{"Items":[…],…}`: the answer to a query or scan.
    Items,
}

impl Import {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        match mem::take(&mut self.source) {
            Source::Unknown => match bytes {
                [] => {}
                [0x1f] => self.source = Source::Undecided(0x1f),
                [0x1f, 0x8b, ..] => {
                    self.source = Source::Gzip(Box::new(Gunzip::new()));
                    self.push(bytes);
                }
                _ => {
                    self.source = Source::Plain;
                    self.push(bytes);
                }
            },
            Source::Undecided(first) => {
                let whole: Vec<u8> = [&[first], bytes].concat();
                if whole.len() == 1 { self.source = Source::Undecided(first) } else { self.push(&whole) }
            }
            Source::Plain => {
                self.source = Source::Plain;
                self.text(bytes);
            }
            Source::Gzip(mut gunzip) => {
                // Small pieces, so that a bomb is seen before it has filled the memory.
                for piece in bytes.chunks(64 * 1024) {
                    let mut text = Vec::new();
                    let result = gunzip.push(piece, &mut text);
                    self.text(&text);
                    if let Err(error) = result {
                        return self.stop(format!("the compressed data is broken here: {error}"));
                    }
                    if matches!(self.source, Source::Stopped) {
                        return;
                    }
                }
                self.source = Source::Gzip(gunzip);
            }
            Source::Stopped => self.source = Source::Stopped,
        }
    }

    /// How many events were read so far.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Does a part of what [`finish`](Self::finish) does, behind the last piece: puts so many more streams in order.
    /// Gives whether any are left. Whoever has to answer meanwhile calls this as long as there are, and finishes then.
    ///
    /// ```
    /// let mut import = rewound_core::import::Import::new();
    /// import.push(b"{}");
    /// while import.settle(500) {}
    /// assert_eq!(import.finish().problems().len(), 1);
    /// ```
    pub fn settle(&mut self, streams: usize) -> bool {
        let from = match self.settled {
            Some(settled) => settled,
            None => {
                self.end();
                0
            }
        };
        let all = self.log.streams.values_mut();
        let until = from.saturating_add(streams).min(all.len());
        for stream in all.get_mut(from..until).into_iter().flatten() {
            stream.put_in_order(&mut self.log.problems);
        }
        self.settled = Some(until);
        until < all.len()
    }

    /// Reads what is left, puts every stream in order, and tells what is missing or twice there.
    pub fn finish(mut self) -> EventLog {
        self.settle(usize::MAX);
        let Self { mut log, .. } = self;
        let more = log.problems.split_off(log.problems.len().min(MAX_PROBLEMS));
        sort_by_key(&mut log.problems, |problem| problem.line.into());
        log.problems.extend(more);
        log
    }

    /// Reads what is left.
    fn end(&mut self) {
        match mem::take(&mut self.source) {
            Source::Undecided(first) => self.text(&[first]),
            Source::Gzip(gunzip) => {
                if let Err(error) = gunzip.finish() {
                    self.stop(format!("the compressed data ends too early: {error}"));
                }
            }
            Source::Unknown | Source::Plain | Source::Stopped => {}
        }
        let mut records = mem::take(&mut self.records);
        let left = records.finish();
        if let Some((line, record)) = left {
            self.record(line, &record);
        }
        if let Some(message) = records.unfinished() {
            self.problem(records.line, message);
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_BYTES {
            return self.stop(format!("the log has more than {MAX_BYTES} bytes: split it"));
        }
        let mut records = mem::take(&mut self.records);
        records.push(bytes, &mut |line, record| self.record(line, record));
        self.records = records;
    }

    fn stop(&mut self, message: String) {
        let kept =
            if self.strict.is_none() { "; what came before was kept, what follows was not read" } else { "" };
        self.problem(self.records.line, format!("{message}{kept}"));
        self.source = Source::Stopped;
    }

    fn problem(&mut self, line: u32, message: String) {
        tell(&mut self.log.problems, line, message);
    }

    /// Tells what is wrong with something that is left out, unless nothing may be.
    fn left_out(&mut self, line: u32, what: &str, problem: &dyn fmt::Display) {
        let message = match (&self.strict, what) {
            (Some(_), "") => problem.to_string(),
            (Some(_), what) => format!("{what}: {problem}"),
            (None, "") => format!("left out: {problem}"),
            (None, what) => format!("{what} was left out: {problem}"),
        };
        self.problem(line, message);
    }

    fn record(&mut self, line: u32, record: &[u8]) {
        let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record).trim_ascii();
        if record.is_empty() {
            return;
        }
        let text = match str::from_utf8(record) {
            Ok(text) => text,
            Err(error) => return self.left_out(line, "", &format_args!("it is no UTF-8: {error}")),
        };
        if let Err(first) = self.read(line, text, self.shape) {
            let shape = probe(text);
            let told = if shape == self.shape { Err(first) } else { self.read(line, text, shape) };
            match told {
                Ok(()) => self.shape = shape,
                Err(issue) => self.left_out(line, "", &issue),
            }
        }
    }

    /// Reads a record of that shape. An error means that nothing of it was taken.
    fn read(&mut self, line: u32, text: &str, shape: Shape) -> Result<(), Issue> {
        let event = match shape {
            Shape::Envelope => Event::parse_shared(text, &mut self.shared)?,
            Shape::Item => self.item(text)?,
            Shape::Exported => {
                let record = Fields::read(text, &["Item", "NewImage"]).map_err(issue)?;
                let item = exported(&record).ok_or_else(|| text_issue("expected `Item` or `NewImage`"))?;
                self.item(item)?
            }
            Shape::Items => {
                let items =
                    Fields::read(text, &["Items"]).and_then(|answer| answer.items("Items")).map_err(issue)?;
                let items = items.ok_or_else(|| text_issue("expected `Items`"))?;
                for (number, item) in (1..).zip(items) {
                    match self.item(item) {
                        Ok(event) => self.keep(line, event),
                        Err(issue) => self.left_out(line, &format!("item {number}"), &issue),
                    }
                }
                return Ok(());
            }
        };
        self.keep(line, event);
        Ok(())
    }

    fn item(&mut self, item: &str) -> Result<Event, Issue> {
        event_of_item(item, &mut self.shared)
    }

    fn keep(&mut self, line: u32, event: Event) {
        self.events += 1;
        if let Some(events) = &mut self.strict {
            return events.push((line, event));
        }
        let new = || Stream { lines: Vec::new(), whole: 0 };
        if let Some(stream) = self.log.streams.entry(event.aggregate_id(), new) {
            stream.lines.push((line, event));
        }
    }
}

/// The event that an item of DynamoDB's is.
pub(crate) fn event_of_item(item: &str, shared: &mut Interner) -> Result<Event, Issue> {
    // `eventTs` repeats the id's time: an envelope does not carry it.
    let json = item_to_json(item, &["eventTs"]).map_err(issue)?;
    Event::parse_shared(&json, shared)
}

/// The events in records of a DynamoDB stream, as `GetRecords` and Lambda have them: a JSON array of records, or an
/// object with `Records`. They keep their order, which a stream promises for each aggregate. Records of items that
/// were removed hold no event and are left out.
///
/// ```
/// use rewound_core::import::events_of_records;
/// let records = r#"{"Records":[{"eventName":"INSERT","dynamodb":{"NewImage":{"eventId":{"S":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE"},
///     "eventName":{"S":"AccountOpened"},"aggregateName":{"S":"BankAccount"},"aggregateId":{"S":"a"},
///     "aggregateVersion":{"N":"1"},"actorId":{"S":"ada"},"eventTs":{"S":"2025-08-03T22:13:01.022Z"}}}}]}"#;
/// assert_eq!(events_of_records(records).unwrap()[0].name(), "AccountOpened");
/// ```
///
/// # Errors
/// The first record that is none, or holds no event, or tells of an event that was changed.
pub fn events_of_records(json: &str) -> Result<Vec<Event>, Issue> {
    let list = items(json).or_else(|error| match json.trim_start().starts_with('{') {
        true => {
            let batch = Fields::read(json, &["Records", "records"])?;
            let records =
                batch.items("Records")?.map_or_else(|| batch.items("records"), |list| Ok(Some(list)));
            records?.ok_or_else(|| de::Error::missing_field("Records"))
        }
        false => Err(error),
    });
    let mut shared = Interner::default();
    let mut events = Vec::new();
    for (index, record) in list.map_err(issue)?.into_iter().enumerate() {
        let at = |place: &str, message: String| Issue { pointer: format!("/{index}{place}"), message };
        let (kind, new) = kind_and_image(record).map_err(|error| at("", error.to_string()))?;
        match (kind.as_str(), new) {
            ("REMOVE", _) => {}
            ("INSERT", Some(item)) => {
                let place = "/dynamodb/NewImage";
                let event = event_of_item(item, &mut shared);
                events.push(event.map_err(|issue| at(&format!("{place}{}", issue.pointer), issue.message))?);
            }
            ("INSERT", None) => {
                let message = "it is missing: the stream has to be one of new images".to_owned();
                return Err(at("/dynamodb/NewImage", message));
            }
            _ => {
                let message = format!("expected INSERT, found {kind}: an event is never changed");
                return Err(at("/eventName", message));
            }
        }
    }
    Ok(events)
}

/// What a record of a stream tells of, and the item that there is since then.
fn kind_and_image(record: &str) -> Result<(String, Option<&str>), serde_json::Error> {
    let record = Fields::read(record, &["eventName", "dynamodb"])?;
    let missing = de::Error::missing_field;
    let kind = record.string("eventName")?.ok_or_else(|| missing("eventName"))?;
    let image = record.get("dynamodb").ok_or_else(|| missing("dynamodb"))?;
    Ok((kind, Fields::read(image, &["NewImage"])?.get("NewImage")))
}

fn tell(problems: &mut Vec<LineProblem>, line: u32, message: String) {
    match problems.len() {
        known if known < MAX_PROBLEMS => problems.push(LineProblem { line, message }),
        // The rest is one problem, the last, with the line of the first of them.
        MAX_PROBLEMS => {
            let message = "more is wrong than is told here; what could not be used was left out".to_owned();
            problems.push(LineProblem { line, message });
        }
        _ => {}
    }
}

impl Stream {
    /// The kind that most of its events name: one damaged line must not decide it.
    fn kind(&self) -> String {
        let mut counts = Map::default();
        for event in self.events() {
            let count = counts.entry(event.aggregate(), || (event.aggregate(), 0));
            count.into_iter().for_each(|(_, count)| *count += 1);
        }
        // Of equals, the one that came first is taken.
        let most = counts.values().iter().rev().max_by_key(|(_, count)| *count);
        most.map_or_else(String::new, |(name, _)| (*name).to_owned())
    }

    fn put_in_order(&mut self, problems: &mut Vec<LineProblem>) {
        let id = self.aggregate_id().to_owned();
        let kind = self.kind();
        self.lines.retain(|(line, event)| {
            let same = *event.aggregate() == kind;
            if !same {
                let message =
                    format!("left out: {id} is a {} here and a {kind} in most lines", event.aggregate());
                tell(problems, *line, message);
            }
            same
        });
        sort_by_key(&mut self.lines, |(_, event)| event.version());
        let mut kept: Vec<(u32, Event)> = Vec::with_capacity(self.lines.len());
        let mut whole = None;
        for (line, event) in mem::take(&mut self.lines) {
            let version = event.version();
            match kept.last() {
                Some((first, twin)) if twin.version() == version => {
                    let same = if twin.id() == event.id() {
                        "the same event stands"
                    } else {
                        "another event of this version stands"
                    };
                    let message = format!("left out: {same} in line {first} (version {version} of {id})");
                    tell(problems, line, message);
                    continue;
                }
                last => {
                    let before = last.map_or(0, |(_, event)| event.version());
                    if version != before + 1 {
                        let missing = match (before + 1, version - 1) {
                            (first, last) if first == last => format!("version {first} is missing"),
                            (first, last) => format!("versions {first} to {last} are missing"),
                        };
                        let ends = if whole.is_none() { "ends there" } else { "ended before" };
                        whole.get_or_insert(kept.len());
                        let message =
                            format!("a gap: {missing} before version {version} of {id}, whose replay {ends}");
                        tell(problems, line, message);
                    }
                }
            }
            kept.push((line, event));
        }
        self.whole = whole.unwrap_or(kept.len());
        self.lines = kept;
    }
}

/// The item in a record of an export.
fn exported<'a>(record: &Fields<'a>) -> Option<&'a str> {
    record.get("Item").or_else(|| record.get("NewImage"))
}

/// The shape that a record has by the look of its fields.
fn probe(text: &str) -> Shape {
    match Fields::read(text, &["Item", "NewImage", "Items", "eventId"]) {
        Ok(look) if exported(&look).is_some() => Shape::Exported,
        Ok(look) if look.get("Items").is_some() => Shape::Items,
        Ok(look) if look.get("eventId").is_some_and(|id| id.starts_with('{')) => Shape::Item,
        _ => Shape::Envelope,
    }
}

fn issue(error: serde_json::Error) -> Issue {
    text_issue(&error.to_string())
}

fn text_issue(message: &str) -> Issue {
    Issue { pointer: String::new(), message: message.to_owned() }
}

/// Cuts a text into records: its lines, or the elements of the array that it is.
#[derive(Debug)]
struct Splitter {
    mode: Mode,
    /// The record in hand, and the line that it starts in.
    record: Vec<u8>,
    start: u32,
    /// The line that is being read.
    line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    /// Nothing but white space so far.
    Start,
    Lines,
    /// In an array: how deep inside its element, and whether in a string there, behind a backslash.
    Array {
        depth: u32,
        string: bool,
        escaped: bool,
    },
    /// Behind the end of the array.
    End,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { mode: Mode::Start, record: Vec::new(), start: 1, line: 1 }
    }
}

impl Splitter {
    fn push(&mut self, bytes: &[u8], record: &mut impl FnMut(u32, &[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.mode {
                Mode::Start => self.start(rest),
                Mode::Lines | Mode::End => self.lines(rest, record),
                Mode::Array { .. } => self.array(rest, record),
            };
        }
    }

    fn start<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        match byte {
            b'[' => self.mode = Mode::Array { depth: 0, string: false, escaped: false },
            b'\n' => self.line += 1,
            // A byte order mark, or white space, is no content yet.
            0xef | 0xbb | 0xbf | b' ' | b'\t' | b'\r' => {}
            _ => {
                self.mode = Mode::Lines;
                self.start = self.line;
                return bytes;
            }
        }
        rest
    }

    fn lines<'a>(&mut self, bytes: &'a [u8], record: &mut impl FnMut(u32, &[u8])) -> &'a [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.record.extend_from_slice(bytes);
            return &[];
        };
        let (line, rest) = bytes.split_at(end);
        if self.record.is_empty() {
            record(self.line, line);
        } else {
            self.record.extend_from_slice(line);
            record(self.line, &mem::take(&mut self.record));
        }
        self.line += 1;
        self.start = self.line;
        rest.get(1..).unwrap_or_default()
    }

    fn array<'a>(&mut self, bytes: &'a [u8], record: &mut impl FnMut(u32, &[u8])) -> &'a [u8] {
        let Mode::Array { mut depth, mut string, mut escaped } = self.mode else { return bytes };
        for (index, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' {
                self.line += 1;
            }
            let content = !byte.is_ascii_whitespace();
            if content && self.record.is_empty() {
                self.start = self.line;
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if string => escaped = true,
                b'"' => string = !string,
                _ if string => {}
                b'{' | b'[' => depth += 1,
                b',' | b']' if depth == 0 => {
                    record(self.start, &mem::take(&mut self.record));
                    if *byte == b']' {
                        self.mode = Mode::End;
                        return bytes.get(index + 1..).unwrap_or_default();
                    }
                    continue;
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if content || !self.record.is_empty() {
                self.record.push(*byte);
            }
        }
        self.mode = Mode::Array { depth, string, escaped };
        &[]
    }

    /// The record that no line feed or comma ended.
    fn finish(&mut self) -> Option<(u32, Vec<u8>)> {
        let record = mem::take(&mut self.record);
        let start = if matches!(self.mode, Mode::Array { .. }) { self.start } else { self.line };
        (!record.trim_ascii().is_empty()).then_some((start, record))
    }

    fn unfinished(&self) -> Option<String> {
        let open = matches!(self.mode, Mode::Array { .. });
        open.then(|| "the array ends without its closing bracket".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn line(id: &str, version: u64) -> String {
        format!(
            r#"{{"eventId":"00VQKTYNC0CDP7X95DEHXG9K{version:02}","eventName":"E {version}","aggregateName":"A","aggregateId":"{id}","aggregateVersion":{version},"actorId":"u","x":{version}.50}}"#
        )
    }

    fn numbered(version: u64) -> String {
        let id = crate::time::Ulid::from_parts(version, 1);
        line("a", 1)
            .replace("Version\":1,", &format!("Version\":{version},"))
            .replace("00VQKTYNC0CDP7X95DEHXG9K01", &id.to_string())
    }

    fn exported(id: &str, version: u64) -> String {
        format!(
            r#"{{"Item":{{"eventId":{{"S":"00VQKTYNC0CDP7X95DEHXG9K{version:02}"}},"eventName":{{"S":"E {version}"}},"aggregateName":{{"S":"A"}},"aggregateId":{{"S":"{id}"}},"aggregateVersion":{{"N":"{version}"}},"actorId":{{"S":"u"}},"x":{{"N":"{version}.50"}},"eventTs":{{"S":"1999"}}}}}}"#
        )
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn check(bytes: &[u8], events: usize, problems: &[(u32, &str)]) -> EventLog {
        let log = EventLog::from_bytes(bytes);
        let found: Vec<_> = log.problems().iter().map(|p| (p.line, p.message.as_str())).collect();
        let same = found.len() == problems.len()
            && found
                .iter()
                .zip(problems)
                .all(|(found, expected)| found.0 == expected.0 && found.1.contains(expected.1));
        assert!(same, "found {found:#?}");
        assert_eq!(log.len(), events);
        // In single bytes it reads the same.
        let mut import = Import::new();
        bytes.iter().for_each(|byte| import.push(&[*byte]));
        // Put in order stream by stream, it is the same.
        let mut calls = 1;
        while import.settle(1) {
            calls += 1;
        }
        assert_eq!(calls, log.streams().len().max(1));
        let settled = import.finish();
        assert_eq!((settled.to_ndjson(), settled.problems()), (log.to_ndjson(), log.problems()));
        log
    }

    #[test]
    fn lines_arrays_exports_and_answers_hold_the_same_events() {
        let plain = format!("{}\n{}\n", line("a", 1), line("a", 2));
        let pretty = format!("\n [ {},\n\n {} ] \n", line("a", 1).replace("\",\"", "\",\n\""), line("a", 2));
        let export = format!("{}\n{}", exported("a", 1), exported("a", 2));
        let items = export.replace("{\"Item\":", "").replace("\"1999\"}}}", "\"1999\"}}").replace('\n', ",");
        let answer = format!("{{\"Items\":[{items}],\"Count\":2}}");
        let array = format!("[{items}]");
        assert_eq!(check(plain.as_bytes(), 2, &[]).to_ndjson(), plain);
        assert_eq!(check(pretty.as_bytes(), 2, &[]).timeline("a").unwrap().len(), 2);
        for text in [&export, &answer, &array] {
            assert_eq!(check(text.as_bytes(), 2, &[]).to_ndjson(), plain, "{text}");
            assert_eq!(check(&gzip(text), 2, &[]).to_ndjson(), plain);
        }
        let members = [gzip(&plain), gzip(&line("b", 1))].concat();
        assert_eq!(check(&members, 3, &[]).streams().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_rest_is_kept() {
        let text = [
            line("a", 1),
            "{\"broken".into(),
            line("a", 2),
            line("a", 2),
            line("b", 3),
            line("a", 4),
            String::new(),
        ]
        .join("\n");
        let log = check(
            text.as_bytes(),
            4,
            &[
                (2, "left out: EOF"),
                (4, "the same event stands in line 3"),
                (5, "versions 1 to 2 are missing before version 3 of b"),
                (6, "version 3 is missing before version 4 of a"),
            ],
        );
        assert_eq!(log.timeline("a").unwrap().len(), 2);
        assert_eq!(log.stream("a").unwrap().events().len(), 3);
        assert_eq!(log.timeline("b").unwrap().len(), 0);

        let holes = [2, 3, 7, 9, 10].map(|version| line("a", version)).join("\n");
        let log = check(
            holes.as_bytes(),
            5,
            &[
                (1, "version 1 is missing before version 2 of a, whose replay ends there"),
                (3, "versions 4 to 6 are missing before version 7 of a, whose replay ended before"),
                (4, "version 8 is missing before version 9 of a, whose replay ended before"),
            ],
        );
        assert_eq!(log.timeline("a").unwrap().len(), 0);

        let full_of_holes: Vec<String> = (1..=20 * MAX_PROBLEMS as u64).map(|n| numbered(2 * n)).collect();
        let told = EventLog::from_bytes(full_of_holes.join("\n").as_bytes());
        assert_eq!((told.problems().len(), told.len()), (MAX_PROBLEMS + 1, 20 * MAX_PROBLEMS));
        let nonsense = EventLog::from_bytes("x\n".repeat(3 * MAX_PROBLEMS).as_bytes());
        let last = nonsense.problems().last().unwrap();
        assert_eq!((nonsense.problems().len(), last.line as usize), (MAX_PROBLEMS + 1, MAX_PROBLEMS + 1));
        let array = format!("[{},\n{{\"x\": oops}},\n{}", line("a", 1), line("a", 2));
        check(array.as_bytes(), 2, &[(2, "expected value"), (3, "without its closing bracket")]);
        let other = line("a", 2).replace("\"A\"", "\"B\"");
        check(
            format!("{}\n{other}", line("a", 1)).as_bytes(),
            1,
            &[(2, "a is a B here and a A in most lines")],
        );
        check(&[line("a", 1).as_bytes(), b"\n\xff\xfe{}\n"].concat(), 1, &[(2, "no UTF-8")]);
        check(b"", 0, &[]);
        check(b"\x1f", 0, &[(1, "left out")]);
        let broken = gzip(&line("a", 1));
        check(&broken[..broken.len() - 6], 1, &[(1, "ends too early")]);
    }
}
