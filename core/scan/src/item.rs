//! The fields of an event, straight from the bytes of an item: for the shape in which DynamoDB writes it,
//! with nothing built but a list of slices.
//!
//! What it reads is read as the general parser would. Whatever else may stand there (spaces, lists, maps,
//! sets, escapes in names) it leaves to that one: it says so, and never what is wrong.

use crate::{
    block::{Block, LOW, Native, alike, digit, plain},
    is_number, same_bytes, string,
};
use std::fmt::Write;

/// A field, as it stands in the text.
#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    /// The place of its start, and so of its name, among the learned ones.
    start: u8,
    value: Value<'a>,
}

/// A value.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// The text of any value, as it stands in JSON.
    Json(&'a str),
    /// What stands between the quotes of a string, where it stands for itself.
    Text(&'a str),
    /// An integer of 16 digits at the most.
    Integer(i64),
}

/// What stands in an item: the head of an event, and the fields beside it.
#[derive(Debug)]
pub(crate) struct Scanned<'a> {
    seen: Seen,
    /// The texts of the head, by [`Part`]; an empty one is none. One that was not seen is of another item.
    texts: [&'a str; TEXTS],
    /// The numbers of the head; 0 for one that is no integer, or no small one.
    numbers: [u64; HEAD.len() - TEXTS],
    /// All that is not the head's.
    fields: [Field<'a>; MOST],
    /// How many there are.
    count: usize,
}

/// Which names there are.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// A bit for each part of the head.
    parts: u8,
    /// A bit for the name of each field.
    names: u64,
    /// A part of the head was there twice.
    twice: bool,
    /// Another field was there twice.
    again: bool,
}

impl Seen {
    #[inline(always)]
    fn with(self, other: Self) -> Self {
        Self {
            parts: self.parts | other.parts,
            names: self.names | other.names,
            twice: self.twice | other.twice | (self.parts & other.parts != 0),
            again: self.again | other.again | (self.names & other.names != 0),
        }
    }

    #[inline(always)]
    fn one(field: Known) -> Self {
        match field.part {
            Some(part) => Self { parts: 1 << part as u8, ..Self::default() },
            None => Self { names: 1 << field.name, ..Self::default() },
        }
    }
}

/// The numbers of an event's head.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// When it happened, in milliseconds since the epoch: what its id says.
    pub time: u64,
    /// Its version.
    pub version: u64,
    /// The version of its schema.
    pub schema_version: u32,
}

/// The largest version: 2^53 − 1.
const MAX_VERSION: u64 = (1 << 53) - 1;

/// A part of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its id.
    Id,
    /// Its name.
    Name,
    /// The name of its aggregate.
    Aggregate,
    /// The id of its aggregate.
    AggregateId,
    /// Who did it.
    Actor,
    /// It repeats the id's time.
    Time,
    /// Its version.
    Version,
    /// The version of its schema.
    SchemaVersion,
}

/// The name of each part, in the same order; first come the texts.
const HEAD: [(&str, Part); 8] = [
    ("eventId", Part::Id),
    ("eventName", Part::Name),
    ("aggregateName", Part::Aggregate),
    ("aggregateId", Part::AggregateId),
    ("actorId", Part::Actor),
    ("eventTs", Part::Time),
    ("aggregateVersion", Part::Version),
    ("schemaVersion", Part::SchemaVersion),
];
const TEXTS: usize = Part::Version as usize;

impl<'a> Scanned<'a> {
    pub(crate) fn new() -> Self {
        let none = Field { start: 0, value: Value::Text("") };
        Self {
            seen: Seen::default(),
            texts: [""; TEXTS],
            numbers: [0; HEAD.len() - TEXTS],
            fields: [none; MOST],
            count: 0,
        }
    }

    #[inline(always)]
    fn has(&self, part: Part) -> bool {
        self.seen.parts >> part as u8 & 1 == 1
    }

    /// A text of the head; none where it is not there, or empty.
    #[inline(always)]
    fn text(&self, part: Part) -> Option<&'a str> {
        self.texts.get(part as usize).copied().filter(|text| self.has(part) && !text.is_empty())
    }

    /// A number of the head; none where it is not there, or 0.
    #[inline(always)]
    fn number(&self, part: Part) -> Option<u64> {
        self.numbers.get(part as usize - TEXTS).copied().filter(|number| self.has(part) && *number > 0)
    }

    #[inline(always)]
    fn fields(&self) -> &[Field<'a>] {
        self.fields.get(..self.count).unwrap_or_default()
    }

    /// The numbers of the head; none where the head is not whole, or not in order.
    #[inline(always)]
    pub(crate) fn head(&self) -> Option<Head> {
        let there = |part| self.text(part).is_some();
        let whole =
            there(Part::Name) && there(Part::Aggregate) && there(Part::AggregateId) && there(Part::Actor);
        let schema_version = match self.number(Part::SchemaVersion) {
            None if !self.has(Part::SchemaVersion) => 1,
            version => version?,
        };
        let head = Head {
            time: time_of(self.text(Part::Id)?)?,
            version: self.number(Part::Version).filter(|version| *version <= MAX_VERSION)?,
            schema_version: u32::try_from(schema_version).ok()?,
        };
        (whole && !self.seen.twice).then_some(head)
    }

    /// Writes the item as the JSON of an envelope, in the usual order; none where it has to be read in full to know
    /// that: a schema version, a name that JSON escapes or its parser keeps for itself, half a character.
    fn write(&self, reader: &Reader, out: &mut String) -> Option<()> {
        if self.has(Part::SchemaVersion) {
            return None;
        }
        let version = self.number(Part::Version)?;
        for (index, (name, part)) in
            HEAD.into_iter().take(TEXTS).filter(|(_, part)| *part != Part::Time).enumerate()
        {
            let start = if index == 0 { "{\"" } else { "\",\"" };
            out.extend([start, name, "\":\"", self.text(part)?]);
        }
        write!(out, "\",\"aggregateVersion\":{version}").ok()?;
        for field in self.fields() {
            let name = &*reader.learned.get(usize::from(field.start))?.name;
            if name.starts_with('$') || name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
                return None;
            }
            out.extend([",\"", name, "\":"]);
            match field.value {
                Value::Text(text) => out.extend(["\"", text, "\""]),
                Value::Integer(number) => write!(out, "{number}").ok()?,
                Value::Json(json) => out.push_str(json),
            }
        }
        out.push('}');
        Some(())
    }

    /// Keeps the plain text that is there from `from` as the value of a field. (It goes straight to its place, never
    /// by way of a [`Value`]: what was written in parts and is read as a whole at once, a processor has to wait for.)
    #[inline(always)]
    fn keep_plain(&mut self, field: Known, bytes: &[u8], from: usize, text: &'a str) -> Option<()> {
        match (field.part, field.number) {
            (None, false) => self.push(field, Value::Text(text)),
            (Some(part), false) => {
                *self.texts.get_mut(part as usize)? = text;
                Some(())
            }
            (part, true) => match (part, integer(bytes, from, text)) {
                (None, Some(number)) => self.push(field, Value::Integer(number as i64)),
                (Some(part), Some(number)) => {
                    *self.numbers.get_mut(part as usize - TEXTS)? = number;
                    Some(())
                }
                (_, None) => is_number(text).then(|| self.keep(field, Value::Json(text)))?,
            },
        }
    }

    #[inline(always)]
    fn push(&mut self, field: Known, value: Value<'a>) -> Option<()> {
        *self.fields.get_mut(self.count)? = Field { start: field.start, value };
        self.count += 1;
        Some(())
    }

    /// Keeps any other value. What cannot be a part of the head is taken for missing.
    #[cold]
    #[inline(never)]
    fn keep(&mut self, field: Known, value: Value<'a>) -> Option<()> {
        let Some(part) = field.part else { return self.push(field, value) };
        match (self.texts.get_mut(part as usize), value) {
            (Some(place), Value::Text(text)) => *place = text,
            (Some(place), _) => *place = "",
            (None, _) => *self.numbers.get_mut(part as usize - TEXTS)? = 0,
        }
        Some(())
    }
}

/// Reads items, and learns how their fields start and how long they are: in a log, most look like one
/// before. What was learned only says where to look first.
#[derive(Debug, Default)]
pub struct Reader {
    learned: Vec<Start>,
    /// The start of the first field.
    first: u8,
    /// The start of an item, up to the event's name.
    head: Piece,
    /// How long the name was.
    name: usize,
    /// The rest, by [`slot`] of the name.
    tails: Vec<Piece>,
    /// The fields of the item in hand, as they will stand in its pieces.
    spans: Vec<Span>,
}

/// A piece of an item as it once was. One whose values are as long is compared with it as a whole, which is
/// much less to do than field by field.
#[derive(Debug, Default)]
struct Piece {
    text: Vec<u8>,
    /// 255 where the text is the same in every such item, and 0 in the values.
    mask: Vec<u8>,
    spans: Vec<Span>,
    /// What is in the spans.
    seen: Seen,
    /// How many items in a row were not like it.
    misses: u8,
}

/// A field in a [`Piece`], with the place of its value.
#[derive(Debug, Clone, Copy)]
struct Span {
    field: Known,
    from: usize,
    end: usize,
}

/// What is known of a field by its start.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The place of its start among the learned ones.
    start: u8,
    /// The place of the first one with the same name.
    name: u8,
    number: bool,
    part: Option<Part>,
}

/// From behind a value to the first byte of the next, such as `"},"amount":{"N":"`.
#[derive(Debug, Clone)]
struct Start {
    text: [u8; LONGEST],
    /// Ones where the text is.
    mask: [u8; LONGEST],
    length: usize,
    name: Box<str>,
    known: Known,
    /// What followed the last time, by [`slot`] of the event's name.
    next: [Next; SLOTS],
}

/// How long the value was, and which start came behind it.
#[derive(Debug, Clone, Copy)]
struct Next {
    size: u8,
    start: u8,
}

/// The longest start that is learned, three blocks; the general parser reads an item with a longer one.
const LONGEST: usize = 48;

/// How many starts are learned; a log that has more has no shape.
const MOST: usize = 64;

/// No start: the item's end.
const END: u8 = u8::MAX;

/// Events of one name have the same fields: they share a slot, and hardly with others.
const SLOTS: usize = 64;

/// A hash of the name's last eight bytes (by the golden ratio: Knuth, volume 3, 6.4).
#[inline(always)]
fn slot(name: &str) -> usize {
    let end = name.as_bytes().last_chunk().copied().map_or(name.len() as u64, u64::from_le_bytes);
    (end.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
}

/// The longest item that is learned as a whole: one with long texts is read quickly enough.
const LONG: usize = 2048;

/// How many items in a row may be unlike a piece before another takes its place: a value that is longer by chance now
/// and then is no reason to learn anew, which takes as long as reading a few.
const MISSES: u8 = 8;

impl Reader {
    /// Reads the item that starts at `at`; gives the byte behind it. None where it is not sure, which says
    /// nothing about the item.
    #[inline(always)]
    pub(crate) fn item<'a>(
        &mut self,
        bytes: &'a [u8],
        at: usize,
        scanned: &mut Scanned<'a>,
    ) -> Option<usize> {
        match self.whole::<Native>(bytes, at, scanned) {
            Some(end) => Some(end),
            None => self.field_by_field::<Native>(bytes, at, scanned),
        }
    }

    /// Reads an item that is like one before. Nothing is lost where it is not: the other way reads it again.
    #[inline(always)]
    fn whole<'a, B: Block>(
        &mut self,
        bytes: &'a [u8],
        at: usize,
        scanned: &mut Scanned<'a>,
    ) -> Option<usize> {
        scanned.count = 0;
        let at = self.head.read::<B>(bytes, at, scanned)?;
        let name = plain::<B>(bytes, at, self.name);
        self.name = name.len();
        *scanned.texts.get_mut(Part::Name as usize)? = name;
        let tail = self.tails.get_mut(slot(name))?;
        scanned.seen = self.head.seen.with(tail.seen);
        tail.read::<B>(bytes, at + name.len(), scanned)
    }

    /// Makes pieces of an item whose fields are the spans, where it is time to.
    fn learn(&mut self, item: &[u8]) {
        let Some(place) = self.spans.iter().position(|span| span.field.part == Some(Part::Name)) else {
            return;
        };
        let Some((before, [name, after @ ..])) = self.spans.split_at_checked(place) else { return };
        let (Some(text), Some(rest)) = (item.get(name.from..name.end), item.get(name.end..)) else { return };
        self.tails.resize_with(SLOTS, Piece::default);
        let Some(tail) = str::from_utf8(text).ok().and_then(|name| self.tails.get_mut(slot(name))) else {
            return;
        };
        if self.head.is_stale() || tail.is_stale() {
            self.head = Piece::new(item.get(..name.from).unwrap_or_default(), before, 0);
            self.head.seen = self.head.seen.with(Seen::one(name.field));
            *tail = Piece::new(rest, after, name.end);
        } else {
            tail.misses += 1;
        }
    }

    #[inline(never)]
    fn field_by_field<'a, B: Block>(
        &mut self,
        bytes: &'a [u8],
        at: usize,
        scanned: &mut Scanned<'a>,
    ) -> Option<usize> {
        (scanned.seen, scanned.count) = Default::default();
        self.spans.clear();
        let (item, mut simple) = (at, true);
        let (mut at, mut before, mut guess, mut kind) = (at, END, self.first, 0);
        loop {
            // Here is the brace that starts the item, or the quote that ends a value.
            let known = self.learned.get_mut(usize::from(guess)).filter(|start| start.is_at::<B>(bytes, at));
            let start = match known {
                Some(start) => start,
                None => {
                    let end = bytes.get(at..)?.starts_with(b"\"}}");
                    guess = if end { END } else { self.find::<B>(bytes, at)? };
                    match self.learned.get_mut(usize::from(before)) {
                        Some(before) => before.next.get_mut(kind)?.start = guess,
                        None => self.first = guess,
                    }
                    if end {
                        let end = at + 3;
                        if simple && !scanned.seen.twice && end - item <= LONG {
                            self.learn(bytes.get(item..end)?);
                        }
                        return Some(end);
                    }
                    self.learned.get_mut(usize::from(guess))?
                }
            };
            let from = at + start.length;
            let next = start.next.get_mut(kind)?;
            let text = plain::<B>(bytes, from, usize::from(next.size));
            let mut end = from + text.len();
            if text.len() != usize::from(next.size) {
                next.size = text.len() as u8;
            }
            match bytes.get(end)? {
                b'"' => scanned.keep_plain(start.known, bytes, from, text)?,
                _ if start.known.number => return None,
                _ => {
                    let (value, length) = odd::<B>(bytes, from, end)?;
                    (end, simple) = (from + length, false);
                    scanned.keep(start.known, value)?;
                }
            }
            scanned.seen = scanned.seen.with(Seen::one(start.known));
            if start.known.part == Some(Part::Name) {
                kind = slot(text);
            }
            self.spans.push(Span { field: start.known, from: from - item, end: end - item });
            (before, guess) = (guess, start.next.get(kind)?.start);
            at = end;
        }
    }

    /// The start of the field here, as it was learned before or is now.
    #[cold]
    #[inline(never)]
    fn find<B: Block>(&mut self, bytes: &[u8], at: usize) -> Option<u8> {
        let here = bytes.get(at..)?;
        let skipped = match here {
            [b'{', b'"', ..] => 2,
            [b'"', b'}', b',', b'"', ..] => 4,
            _ => return None,
        };
        let name = plain::<B>(here, skipped, 0);
        let between = here.get(skipped + name.len()..)?;
        let number = between.starts_with(b"\":{\"N\":\"");
        if !number && !between.starts_with(b"\":{\"S\":\"") {
            return None;
        }
        let length = skipped + name.len() + 8;
        let here = here.get(..length)?;
        if let Some(known) =
            self.learned.iter().position(|start| start.text.get(..start.length) == Some(here))
        {
            return Some(known as u8);
        }
        let part = HEAD.iter().find(|part| part.0 == name).map(|part| part.1);
        let fits = part.is_none_or(|part| number == (part as usize >= TEXTS));
        // The general parser keeps some names with a dollar for itself.
        if self.learned.len() == MOST || name.starts_with('$') || !fits {
            return None;
        }
        let (mut text, mut mask) = ([0; LONGEST], [0; LONGEST]);
        text.get_mut(..length)?.copy_from_slice(here);
        mask.get_mut(..length)?.fill(255);
        let next = [Next { size: 0, start: END }; SLOTS];
        let same = self.learned.iter().position(|start| &*start.name == name);
        let start = self.learned.len();
        let known = Known { start: start as u8, name: same.unwrap_or(start) as u8, number, part };
        self.learned.push(Start { text, mask, length, name: name.into(), known, next });
        Some(known.start)
    }
}

impl Piece {
    /// A piece of an item, with those of its fields whose values stand in it. It starts in the item at `start`.
    fn new(text: &[u8], fields: &[Span], start: usize) -> Self {
        let mut mask = vec![255; text.len()];
        let moved = |span: &Span| Span { from: span.from - start, end: span.end - start, ..*span };
        let spans: Vec<Span> = fields.iter().map(moved).collect();
        for span in &spans {
            mask.get_mut(span.from..span.end).unwrap_or_default().fill(0);
        }
        let seen = spans.iter().fold(Seen::default(), |seen, span| seen.with(Seen::one(span.field)));
        Self { text: text.to_owned(), mask, spans, seen, misses: 0 }
    }

    /// Whether it is time for another one.
    fn is_stale(&self) -> bool {
        self.text.is_empty() || self.misses > MISSES
    }

    /// Reads what stands at `at`, if it is like this piece but for how long its values are; gives the byte
    /// behind it.
    #[inline(always)]
    fn read<'a, B: Block>(&mut self, bytes: &'a [u8], at: usize, scanned: &mut Scanned<'a>) -> Option<usize> {
        if self.is_stale() {
            return None;
        }
        // What is at `at` in the bytes is at `done` in the piece.
        let (mut at, mut done, mut spans) = (at, 0, self.spans.as_slice());
        loop {
            let (text, mask) = (self.text.get(done..)?, self.mask.get(done..)?);
            let found = alike::<B>(bytes.get(at..)?, text, mask);
            let whole = found.len() == text.len();
            while let [span, rest @ ..] = spans {
                let (from, end) = (span.from - done, span.end - done);
                // The quote behind it has to fit as well.
                if !whole && end >= found.len() {
                    break;
                }
                scanned.keep_plain(span.field, bytes, at + from, found.get(from, end)?)?;
                spans = rest;
            }
            if whole {
                if done == 0 {
                    self.misses = 0;
                }
                return Some(at + found.len());
            }
            if done == 0 {
                self.misses += 1;
            }
            // A value that is not as long: from its end on, things may fit again.
            let [span, rest @ ..] = spans else { return None };
            let from = span.from.checked_sub(done).filter(|from| *from <= found.len())? + at;
            let text = plain::<B>(bytes, from, 0);
            scanned.keep_plain(span.field, bytes, from, text)?;
            (at, done, spans) = (from + text.len(), span.end, rest);
        }
    }
}

impl Start {
    #[inline(always)]
    fn is_at<B: Block>(&self, bytes: &[u8], at: usize) -> bool {
        let Some(found) = bytes.get(at..).and_then(<[u8]>::first_chunk::<LONGEST>) else { return false };
        let ([a, b, c], _) = found.as_chunks() else { return false };
        let ([x, y, z], _) = self.text.as_chunks() else { return false };
        let ([m, n, o], _) = self.mask.as_chunks() else { return false };
        let unlike = |found, text, mask| B::load(found).unlike(B::load(text), B::load(mask));
        let short = unlike(a, x, m).or(unlike(b, y, n)).is_zero();
        short && (self.length <= 32 || unlike(c, z, o).is_zero())
    }
}

/// An integer of 16 digits at the most, from its text, which starts at `from`.
#[inline(always)]
fn integer(bytes: &[u8], from: usize, text: &str) -> Option<u64> {
    let (integer, digits) = match bytes.get(..from + text.len()).and_then(<[u8]>::last_chunk) {
        Some(last) if (1..=8).contains(&text.len()) => few_digits(u64::from_le_bytes(*last), text.len()),
        _ => text.bytes().fold((0_u64, true), |(integer, digits), byte| {
            let digit = byte.wrapping_sub(b'0');
            (integer.wrapping_mul(10).wrapping_add(u64::from(digit)), digits & (digit < 10))
        }),
    };
    let short = text.len() == 1 || (text.len() < 17 && !text.starts_with('0') && !text.is_empty());
    (digits && short).then_some(integer)
}

/// The number that the last `length` of eight bytes are as digits; and whether they are. All at once: the pairs of
/// digits, of those, and of those, each put together by a multiplication.
#[inline(always)]
fn few_digits(bytes: u64, length: usize) -> (u64, bool) {
    let digits = (bytes ^ (LOW * b'0' as u64)) & (u64::MAX << (64 - 8 * length));
    // Of what is above nine, six more reach the high half of the byte, where nothing may be.
    let are = (digits | digits.wrapping_add(LOW * 6)) & (LOW * 0xf0) == 0;
    let pairs = (digits.wrapping_mul(2561) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(6_553_601) >> 16) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(42_949_672_960_001) >> 32, are)
}

/// A string from `from` with something at `at` that is not plain; and its length.
#[cold]
#[inline(never)]
fn odd<'a, B: Block>(bytes: &'a [u8], from: usize, at: usize) -> Option<(Value<'a>, usize)> {
    let (end, escaped) = string_end::<B>(bytes, at)?;
    let json = str::from_utf8(bytes.get(from - 1..end + 1)?).ok()?;
    // The general parser knows which escapes there are, and what may not stand in a string.
    string(json, 1)?;
    let value = if escaped { Value::Json(json) } else { Value::Text(json.get(1..json.len() - 1)?) };
    Some((value, end - from))
}

/// The quote that ends the string which goes on at `at`, and whether a backslash is before it.
fn string_end<B: Block>(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at += plain::<B>(bytes, at, 0).len();
        match bytes.get(at)? {
            b'"' => return Some((at, escaped)),
            b'\\' => (at, escaped) = (at + 2, true),
            _ => at += 1,
        }
    }
}

/// The time in an event's id; none where a ULID's own reader would not read it, or it would not fit into its 128 bits.
#[inline(always)]
pub fn time_of(id: &str) -> Option<u64> {
    let id: &[u8; 26] = id.as_bytes().try_into().ok()?;
    // The blocks overlap.
    let (start, end) = (id.first_chunk()?, id.last_chunk()?);
    let time = id.iter().take(10).fold(0, |time, byte| time << 5 | u64::from(digit(*byte)));
    (Native::load(start).is_base32() && Native::load(end).is_base32() && time < 1 << 48).then_some(time)
}

/// The byte behind the value that starts at `at`, going by its brackets and strings: it is not checked
/// otherwise.
pub fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut at, mut depth) = (at, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end::<Native>(bytes, at + 1)?.0 + 1,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            // Behind a number or a word.
            b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return Some(at),
            b'}' | b']' => (at, depth) = (at + 1, depth - 1),
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// An item whose fields were found.
#[derive(Debug, Clone, Copy)]
pub struct Item<'r, 'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The numbers of its head.
    pub head: Head,
    pub(crate) reader: &'r Reader,
    pub(crate) scanned: &'r Scanned<'a>,
}

impl<'a> Item<'_, 'a> {
    /// A text of the head: each was seen to be there. (A copy of it here would be read too soon behind being
    /// written: a processor has to wait for that.)
    #[inline(always)]
    pub fn text(&self, part: Part) -> &'a str {
        self.scanned.text(part).unwrap_or_default()
    }

    /// Whether it is an event of that aggregate.
    #[inline(never)]
    pub fn is_of(&self, aggregate: &str, id: &str) -> bool {
        same_bytes(self.text(Part::AggregateId).as_bytes(), id.as_bytes())
            && same_bytes(self.text(Part::Aggregate).as_bytes(), aggregate.as_bytes())
    }

    /// The value of the field with that name, which may well be at `guess`.
    #[inline(always)]
    pub fn find(&self, name: &str, guess: usize) -> Option<Value<'a>> {
        match self.scanned.fields().get(guess) {
            Some(field) if same_bytes(self.name(field).as_bytes(), name.as_bytes()) => Some(field.value),
            _ => self.search(name),
        }
    }

    #[inline(never)]
    fn search(&self, name: &str) -> Option<Value<'a>> {
        let named = |field: &&Field<'a>| same_bytes(self.name(field).as_bytes(), name.as_bytes());
        self.scanned.fields().iter().find(named).map(|field| field.value)
    }

    /// Whether any field is there twice.
    pub fn has_twice(&self) -> bool {
        self.scanned.seen.again
    }

    /// Writes it as the JSON of an envelope, in the usual order; none where it has to be read in full to know
    /// that: a schema version, a name that JSON escapes or its parser keeps for itself, half a character.
    pub fn write(&self, out: &mut String) -> Option<()> {
        self.scanned.write(self.reader, out)
    }

    #[inline(always)]
    fn name(&self, field: &Field<'a>) -> &str {
        self.reader.learned.get(usize::from(field.start)).map_or("", |start| &*start.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_integer_is_what_its_digits_say(
            before in "[ -~]{0,12}", text in prop_oneof![4 => "[0-9]{0,18}", 1 => "[ -~]{0,10}", 1 => "[0-9]{0,5}[/:;?@][0-9]{0,5}"],
            after in "[ -~]{0,9}",
        ) {
            let is = (1..17).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'));
            let bytes = [&*before, &text, &after].concat();
            prop_assert_eq!(integer(bytes.as_bytes(), before.len(), &text), text.parse().ok().filter(|_| is));
        }
    }
}
