//! The fields of an event, straight from the bytes of an item: for the shape in which DynamoDB writes it,
//! with nothing built but a list of slices.
//!
//! What it reads is read as the general parser would. Whatever else may stand there (spaces, lists, maps,
//! sets, escapes in names) it leaves to that one: it says so, and never what is wrong.

use crate::{
    block::{Block, Native, alike, plain},
    is_number, same_bytes, string,
};
use std::{fmt::Write, mem};

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
#[derive(Debug, Default)]
pub(crate) struct Scanned<'a> {
    /// The texts of the head, by [`Part`]; an empty one was not there, or is none.
    texts: [&'a str; TEXTS],
    /// The numbers of the head.
    version: Option<u64>,
    schema_version: Option<u64>,
    seen: [bool; HEAD.len()],
    /// All that is not the head's.
    fields: Vec<Field<'a>>,
    /// A bit for the name of each of them.
    names: u64,
    /// One of them was there twice.
    again: bool,
    /// A part of the head was there twice.
    twice: bool,
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
    /// A text of the head; none where it is not there, or empty.
    #[inline(always)]
    fn text(&self, part: Part) -> Option<&'a str> {
        self.texts.get(part as usize).copied().filter(|text| !text.is_empty())
    }

    /// The numbers of the head; none where the head is not whole, or not in order.
    #[inline(always)]
    pub(crate) fn head(&self) -> Option<Head> {
        let there = |part| self.text(part).is_some();
        let whole =
            there(Part::Name) && there(Part::Aggregate) && there(Part::AggregateId) && there(Part::Actor);
        let head = Head {
            time: time_of(self.text(Part::Id)?)?,
            version: self.version.filter(|version| (1..=MAX_VERSION).contains(version))?,
            schema_version: self.schema_version()?,
        };
        (whole && !self.twice && head.schema_version > 0).then_some(head)
    }

    /// The schema version, 1 where none is written; none where it is no such number.
    #[inline(always)]
    fn schema_version(&self) -> Option<u32> {
        match (self.schema_version, self.seen.get(Part::SchemaVersion as usize)) {
            (None, Some(true)) => None,
            (version, _) => u32::try_from(version.unwrap_or(1)).ok(),
        }
    }

    /// Writes the item as the JSON of an envelope, in the usual order; none where it has to be read in full to know
    /// that: a schema version, a name that JSON escapes or its parser keeps for itself, half a character.
    fn write(&self, reader: &Reader, out: &mut String) -> Option<()> {
        if self.seen.get(Part::SchemaVersion as usize)? == &true {
            return None;
        }
        let version = self.version?.to_string();
        for (index, (name, part)) in
            HEAD.into_iter().take(TEXTS).filter(|(_, part)| *part != Part::Time).enumerate()
        {
            let start = if index == 0 { "{\"" } else { "\",\"" };
            out.extend([start, name, "\":\"", self.text(part)?]);
        }
        out.extend(["\",\"aggregateVersion\":", &version]);
        for field in &self.fields {
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

    #[inline(always)]
    fn clear(&mut self) {
        (self.texts, self.seen) = Default::default();
        (self.version, self.schema_version, self.twice) = Default::default();
        (self.names, self.again) = Default::default();
        self.fields.clear();
    }

    /// Keeps a plain text as the value of a field. (It goes straight to its place, never by way of a [`Value`]:
    /// what was written in parts and is read as a whole at once, a processor has to wait for.)
    #[inline(always)]
    fn keep_plain(&mut self, field: Known, text: &'a str) -> Option<()> {
        match (field.part, field.number) {
            (None, false) => self.push(field, Value::Text(text)),
            (Some(part), false) => {
                self.see(part);
                *self.texts.get_mut(part as usize)? = text;
            }
            (part, true) => match (part, integer(text)) {
                (None, Some(number)) => self.push(field, Value::Integer(number as i64)),
                (Some(part), Some(number)) => {
                    self.see(part);
                    self.set(part, number);
                }
                _ if !is_number(text) => return None,
                (part, None) => self.keep(Known { part, ..field }, Value::Json(text)),
            },
        }
        Some(())
    }

    #[inline(always)]
    fn push(&mut self, field: Known, value: Value<'a>) {
        let name = 1 << field.name;
        self.again |= self.names & name != 0;
        self.names |= name;
        self.fields.push(Field { start: field.start, value });
    }

    /// Keeps any other value. What cannot be a part of the head is taken for missing.
    #[cold]
    #[inline(never)]
    fn keep(&mut self, field: Known, value: Value<'a>) {
        match field.part {
            None => self.push(field, value),
            Some(part) => {
                self.see(part);
                if let (Some(place), Value::Text(text)) = (self.texts.get_mut(part as usize), value) {
                    *place = text;
                }
            }
        }
    }

    #[inline(always)]
    fn see(&mut self, part: Part) {
        if let Some(seen) = self.seen.get_mut(part as usize) {
            self.twice |= mem::replace(seen, true);
        }
    }

    #[inline(always)]
    fn set(&mut self, part: Part, number: u64) {
        let place = if part == Part::Version { &mut self.version } else { &mut self.schema_version };
        *place = Some(number);
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

/// How many items in a row may be unlike a piece before another takes its place.
const MISSES: u8 = 2;

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
        scanned.clear();
        let at = self.head.read::<B>(bytes, at, scanned)?;
        let name = plain::<B>(bytes, at, self.name);
        self.name = name.len();
        scanned.keep_plain(Known { start: END, name: 0, number: false, part: Some(Part::Name) }, name)?;
        self.tails.get_mut(slot(name))?.read::<B>(bytes, at + name.len(), scanned)
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
        scanned.clear();
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
                        if simple && !scanned.twice && end - item <= LONG {
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
                b'"' => scanned.keep_plain(start.known, text)?,
                _ if start.known.number => return None,
                _ => {
                    let (value, length) = odd::<B>(bytes, from, end)?;
                    (end, simple) = (from + length, false);
                    scanned.keep(start.known, value);
                }
            }
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
        Self { text: text.to_owned(), mask, spans, misses: 0 }
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
                // The quote behind it has to fit as well.
                if !whole && span.end - done >= found.len() {
                    break;
                }
                let text = found.get(span.from - done, span.end - done)?;
                scanned.keep_plain(span.field, text)?;
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
            scanned.keep_plain(span.field, text)?;
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

/// An integer of 16 digits at the most from its text.
#[inline(always)]
fn integer(text: &str) -> Option<u64> {
    let (mut integer, mut digits) = (0_u64, true);
    for byte in text.bytes() {
        let digit = byte.wrapping_sub(b'0');
        digits &= digit < 10;
        integer = integer.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    let short = text.len() == 1 || (text.len() < 17 && !text.starts_with('0') && !text.is_empty());
    (digits && short).then_some(integer)
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

/// What each byte is as a digit of an event's id (Crockford's base 32, in capitals or small letters); 255
/// where it is none.
#[allow(clippy::indexing_slicing, reason = "the compiler goes through it")]
const DIGITS: [u8; 256] = {
    let (mut digits, mut rest, mut value) = ([255; 256], b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".as_slice(), 0);
    while let Some((digit, more)) = rest.split_first() {
        (digits[*digit as usize], digits[digit.to_ascii_lowercase() as usize]) = (value, value);
        (rest, value) = (more, value + 1);
    }
    digits
};

/// The time in an event's id, of which every digit is looked at, and only the first ten are put together; none
/// where a ULID's own reader would not read it, or it would not fit into its 128 bits.
pub fn time_of(id: &str) -> Option<u64> {
    let id: &[u8; 26] = id.as_bytes().try_into().ok()?;
    let digit = |byte: &u8| DIGITS.get(usize::from(*byte)).map_or(255, |digit| *digit);
    let all = id.iter().fold(0, |all, byte| all | digit(byte));
    let time = id.iter().take(10).fold(0, |time, byte| time << 5 | u64::from(digit(byte)));
    (all < 32 && time < 1 << 48).then_some(time)
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
    pub fn text(&self, part: Part) -> &'a str {
        self.scanned.text(part).unwrap_or_default()
    }

    /// The value of the field with that name, which may well be at `guess`.
    #[inline(always)]
    pub fn find(&self, name: &str, guess: usize) -> Option<Value<'a>> {
        match self.scanned.fields.get(guess) {
            Some(field) if same_bytes(self.name(field).as_bytes(), name.as_bytes()) => Some(field.value),
            _ => self.search(name),
        }
    }

    #[inline(never)]
    fn search(&self, name: &str) -> Option<Value<'a>> {
        let named = |field: &&Field<'a>| same_bytes(self.name(field).as_bytes(), name.as_bytes());
        self.scanned.fields.iter().find(named).map(|field| field.value)
    }

    /// Whether any field is there twice.
    pub fn has_twice(&self) -> bool {
        self.scanned.again
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
