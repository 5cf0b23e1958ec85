//! From the bytes of one stream straight to its state, as strictly as [`reduce`](crate::aggregate::reduce).
//!
//! There are two ways. The thorough one is what everything else does as well: each record becomes an
//! [`Event`], they are put in order and applied one by one; it can read all that an
//! [`Import`](crate::import::Import) can, and says what is wrong and where. The quick one builds no events:
//! it knows the shape in which DynamoDB answers, and hands a domain slices of the bytes. It is tried first,
//! and does each record that it does not know the other way. Where it would not end in a state, it says
//! nothing, and the thorough way has the word: so there is one place where errors come from.

use crate::{
    aggregate::{Aggregate, Context, Meta},
    domain::{Domain, Instance, Snapshot, Typed},
    error::{Issue, ReduceError},
    event::{Event, Interner, RESERVED, Text},
    gzip::unpacked,
    import::{MAX_BYTES, event_of_item, strictly},
    order::sort_by_key,
    upcast::{Upcaster, is_current},
    wire,
};
use rewound_scan::{Found, Head, Item, Part, Reader, same};
use serde::de::IgnoredAny;
use std::{cmp::Ordering, collections::BinaryHeap, fmt};

/// Replays one stream to its state; none where there is no event.
///
/// A page is a whole text: the answer to a DynamoDB `Query` (`{"Items":[…],…}`), a file of a DynamoDB export,
/// lines of envelopes (NDJSON), or a JSON array of them; each may be gzip. Events are applied in the order
/// of their `aggregateVersion`, wherever they stand. Pages are gone through again where something is wrong,
/// so making one should be cheap.
///
/// ```
/// use rewound_core::{domains, replay::replay};
/// let page = br#"{"Items":[{"eventId":{"S":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE"},"eventName":{"S":"AccountOpened"},"aggregateName":{"S":"BankAccount"},"aggregateId":{"S":"a"},"aggregateVersion":{"N":"1"},"actorId":{"S":"ada"},"accountHolderId":{"S":"ada"},"initialDeposit":{"N":"100"},"currency":{"S":"EUR"}}],"Count":1}"#;
/// let bank = domains::find("BankAccount").unwrap();
/// let account = replay(bank, [page])?.unwrap();
/// assert_eq!((account.meta.version, &account.state["balance"]), (1, &100.into()));
///
/// let twice = replay(bank, [page, page]).unwrap_err().to_string();
/// assert!(twice.starts_with("page 2, line 1: event AccountOpened (01K1RZXKEYCYQ5MSEQJ4Z5JNDE), version 1 of a: the stream has that version already"));
/// # Ok::<_, rewound_core::replay::ReplayError>(())
/// ```
///
/// # Errors
/// The first record that cannot be read; else the first event, by version, that cannot come next.
pub fn replay<P: AsRef<[u8]>, I: Iterator<Item = P> + Clone>(
    domain: &'static dyn Domain,
    pages: impl IntoIterator<Item = P, IntoIter = I>,
) -> Result<Option<Snapshot>, ReplayError> {
    replay_by(domain, erased, pages)
}

/// As [`replay`], with a quicker way to apply the events of the domain, where its types are known: [`typed`].
///
/// # Errors
/// As [`replay`].
pub fn replay_by<P: AsRef<[u8]>, I: Iterator<Item = P> + Clone>(
    domain: &'static dyn Domain,
    begin: Begin,
    pages: impl IntoIterator<Item = P, IntoIter = I>,
) -> Result<Option<Snapshot>, ReplayError> {
    let pages = pages.into_iter();
    match quick(domain, begin, pages.clone()) {
        Some(state) => Ok(state),
        None => thorough(domain, pages),
    }
}

/// An aggregate in a replay. None says that there is an error, which the thorough way finds as well; the aggregate is
/// spent then.
pub trait Replaying {
    /// Applies an event that was not read in full.
    fn record(&mut self, record: &Record<'_>) -> Option<()>;

    /// Applies an event.
    fn event(&mut self, event: &Event) -> Option<()>;

    /// The state after the events; none before the first.
    fn snapshot(self: Box<Self>) -> Option<Snapshot>;
}

/// Starts a replay of the aggregate of that id.
pub type Begin = fn(&'static dyn Domain, &str) -> Box<dyn Replaying>;

/// One of any domain.
pub fn erased(domain: &'static dyn Domain, id: &str) -> Box<dyn Replaying> {
    Box::new(Erased(Some(domain.start(id))))
}

/// One of a domain whose types are known, without erasing them. The code for it is compiled where this is asked for.
pub fn typed<A: Aggregate + 'static>(domain: &'static dyn Domain, id: &str) -> Box<dyn Replaying> {
    match domain.start(id).own().and_then(|own| own.downcast::<Typed<A>>().ok()) {
        Some(own) => Box::new(Known { domain, own: Some(own) }),
        // Another domain with that name.
        None => erased(domain, id),
    }
}

/// One of any domain; none once it is spent.
struct Erased(Option<Box<dyn Instance>>);

impl Replaying for Erased {
    fn record(&mut self, record: &Record<'_>) -> Option<()> {
        self.0 = Some(self.0.take()?.apply_record(record).ok()?);
        Some(())
    }

    fn event(&mut self, event: &Event) -> Option<()> {
        self.0 = Some(self.0.take()?.apply(event).ok()?);
        Some(())
    }

    fn snapshot(self: Box<Self>) -> Option<Snapshot> {
        self.0?.snapshot()
    }
}

/// One in its own type. (To ask for that with each event takes two calls that nothing can foresee.)
struct Known<A: Aggregate> {
    domain: &'static dyn Domain,
    own: Option<Box<Typed<A>>>,
}

impl<A: Aggregate + 'static> Replaying for Known<A> {
    fn record(&mut self, record: &Record<'_>) -> Option<()> {
        let Typed { id, meta, state } = self.own.as_deref_mut()?;
        let version = meta.as_ref().map_or(0, |meta| meta.version);
        if !record.comes_behind(version, id, A::NAME, A::UPCASTERS) {
            return self.event(&record.event().ok()?);
        }
        let event = wire::read_item::<A::Event>(record.item);
        let of = Context { id, actor: record.actor };
        *state = Some(A::evolve(state.take(), event.as_ref().ok()?, of).ok()?);
        record.place(meta, id);
        Some(())
    }

    // What is rare is done with its types erased: it is compiled already.
    fn event(&mut self, event: &Event) -> Option<()> {
        let erased = self.domain.erase(self.own.take()?)?;
        self.own = erased.apply(event).ok()?.own()?.downcast().ok();
        Some(())
    }

    fn snapshot(self: Box<Self>) -> Option<Snapshot> {
        self.domain.erase(self.own?)?.snapshot()
    }
}

/// As [`replay`], by the thorough way alone: an [`Event`] for each record. It ends in the same state or
/// error, and is there to be compared with.
///
/// # Errors
/// As [`replay`].
pub fn thorough<P: AsRef<[u8]>>(
    domain: &'static dyn Domain,
    pages: impl IntoIterator<Item = P>,
) -> Result<Option<Snapshot>, ReplayError> {
    let (places, events) = in_order(pages)?;
    let Some(first) = events.first() else { return Ok(None) };
    let mut instance = domain.start(first.aggregate_id());
    for (places, events) in places.chunks(BLOCK).zip(events.chunks(BLOCK)) {
        let before = instance.fork();
        instance = match instance.apply_all(events) {
            Ok(instance) => instance,
            Err(error) => return Err(misplaced(before, places, events, error)),
        };
    }
    Ok(instance.snapshot())
}

/// The events of pages as [`replay`] reads them, in the order of their versions.
///
/// # Errors
/// The first record that cannot be read.
pub fn events<P: AsRef<[u8]>>(pages: impl IntoIterator<Item = P>) -> Result<Vec<Event>, ReplayError> {
    in_order(pages).map(|(_, events)| events)
}

/// How many events are applied at once.
const BLOCK: usize = 10_000;

/// A page and a line.
type Place = (u32, u32);

fn in_order<P: AsRef<[u8]>>(
    pages: impl IntoIterator<Item = P>,
) -> Result<(Vec<Place>, Vec<Event>), ReplayError> {
    let mut events: Vec<(Place, Event)> = Vec::new();
    let mut shared = Interner::default();
    for (page, bytes) in (1..).zip(pages) {
        let (read, kept) = strictly(bytes.as_ref(), shared).map_err(|problem| {
            let trouble = Trouble::Unreadable(problem.message);
            ReplayError { page, line: problem.line, trouble }
        })?;
        events.extend(read.into_iter().map(|(line, event)| ((page, line), event)));
        shared = kept;
    }
    sort_by_key(&mut events, |(_, event)| event.version());
    Ok(events.into_iter().unzip())
}

/// Where the event of a block is that cannot come next.
fn misplaced(
    mut instance: Box<dyn Instance>,
    places: &[Place],
    events: &[Event],
    mut error: ReduceError,
) -> ReplayError {
    let mut place = (0, 0);
    for ((page, line), event) in places.iter().zip(events) {
        place = (*page, *line);
        match instance.apply(event) {
            Ok(next) => instance = next,
            Err(found) => {
                error = found;
                break;
            }
        }
    }
    let (page, line) = place;
    ReplayError { page, line, trouble: Trouble::Reduce(Box::new(error)) }
}

/// Why there is no state, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayError {
    /// The page, from 1.
    pub page: u32,
    /// The line in the page, from 1.
    pub line: u32,
    /// What is wrong there.
    pub trouble: Trouble,
}

/// What is wrong in a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// A record that is no event.
    Unreadable(String),
    /// An event that cannot come next.
    Reduce(Box<ReduceError>),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page, line, trouble } = self;
        write!(f, "page {page}, line {line}: ")?;
        match trouble {
            Trouble::Unreadable(message) => f.write_str(message),
            Trouble::Reduce(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}

/// An event as it stands in the bytes, of which only the head was read: what
/// [`Instance::apply_record`] applies.
#[derive(Debug)]
pub struct Record<'a> {
    pub(crate) item: &'a Item<'a, 'a>,
    pub(crate) actor: &'a Text,
}

impl<'a> Record<'a> {
    /// Whether it is an event of the aggregate of that name with that id.
    #[inline(always)]
    pub fn is_of(&self, name: &str, id: &str) -> bool {
        self.item.is_of(name, id)
    }

    /// Where the stream of the aggregate with that id is after the event.
    pub fn meta(&self, id: Text) -> Meta {
        let Head { version, time, .. } = self.item.head;
        Meta { id, version, actor: self.actor.clone(), updated_at: Some(time) }
    }

    /// Whether it is what comes next in the stream of an aggregate, in today's schema.
    #[inline(always)]
    pub(crate) fn comes_behind(&self, version: u64, id: &str, kind: &str, upcasters: &[Upcaster]) -> bool {
        let head = &self.item.head;
        head.version == version + 1
            && self.is_of(kind, id)
            && is_current(upcasters, self.item.text(Part::Name), head.schema_version)
    }

    /// Says where the stream is after the event, as [`meta`](Self::meta) does.
    #[inline(always)]
    pub(crate) fn place(&self, meta: &mut Option<Meta>, id: &Text) {
        match meta {
            Some(meta) => {
                let Head { version, time, .. } = self.item.head;
                (meta.version, meta.updated_at) = (version, Some(time));
                if !Text::ptr_eq(&meta.actor, self.actor) {
                    meta.actor = self.actor.clone();
                }
            }
            None => *meta = Some(self.meta(id.clone())),
        }
    }

    /// Writes the event as JSON, as it would stand in a line of its own; `false` where that takes
    /// [reading it](Self::event) in full. Something may have been written then.
    pub fn write(&self, out: &mut String) -> bool {
        self.item.write(out).is_some()
    }

    /// The event, read in full.
    ///
    /// # Errors
    /// As [`Event::parse`]: a record was checked before, so there is none that should come up.
    pub fn event(&self) -> Result<Event, Issue> {
        event(self.item.bytes, &mut Interner::default())
    }
}

/// A record was not applied. Its event says why: [`Instance::apply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unapplied;

fn event(item: &[u8], shared: &mut Interner) -> Result<Event, Issue> {
    let text = str::from_utf8(item);
    let text = text.map_err(|error| Issue { pointer: String::new(), message: error.to_string() })?;
    event_of_item(text, shared)
}

/// The quick way. None where it does not lead to a state.
fn quick<P: AsRef<[u8]>>(
    domain: &'static dyn Domain,
    begin: Begin,
    pages: impl Iterator<Item = P>,
) -> Option<Option<Snapshot>> {
    let (mut quick, mut reader) = (Quick::new(domain, begin)?, Reader::default());
    for page in pages {
        quick.page(page.as_ref(), &mut reader)?;
    }
    quick.finish()
}

struct Quick {
    domain: &'static dyn Domain,
    begin: Begin,
    aggregate: Option<Box<dyn Replaying>>,
    version: u64,
    /// Events that came before their time, the first on top.
    early: BinaryHeap<Early>,
    shared: Interner,
    /// Who acted lately, by something of their names: most events are by one of a few.
    actors: [Option<Text>; 16],
}

impl Quick {
    /// None where a payload has a field with a name of the head's: here it would not be found.
    fn new(domain: &'static dyn Domain, begin: Begin) -> Option<Self> {
        let reserved = |(name, _): (&str, _)| RESERVED.contains(&name);
        let clean = !domain.events().iter().any(|shape| shape.fields().any(reserved));
        clean.then(|| Self {
            domain,
            begin,
            aggregate: None,
            version: 0,
            early: BinaryHeap::new(),
            shared: Interner::default(),
            actors: Default::default(),
        })
    }

    /// Reads a page: exported items, or the answer to a query.
    fn page(&mut self, bytes: &[u8], reader: &mut Reader) -> Option<()> {
        let bytes = unpacked(bytes, MAX_BYTES)?;
        let others = reader.page(&bytes, &mut |found| match found {
            Found::Read(item) => self.item(item),
            Found::Unread(item) => self.event(item),
        })?;
        let is_value = |text| serde_json::from_str::<IgnoredAny>(text).ok();
        others.into_iter().try_for_each(|value| is_value(str::from_utf8(value).ok()?).map(|_| ()))
    }

    /// An event whose fields were found.
    fn item(&mut self, item: &Item<'_, '_>) -> Option<()> {
        if self.aggregate.is_none() {
            self.aggregate = Some((self.begin)(self.domain, item.text(Part::AggregateId)));
        }
        if item.head.version != self.version + 1 {
            return self.event(item.bytes);
        }
        let actor = actor(&mut self.actors, item.text(Part::Actor))?;
        self.version = item.head.version;
        self.aggregate.as_mut()?.record(&Record { item, actor })?;
        if self.early.is_empty() { Some(()) } else { self.catch_up() }
    }

    /// An event that is read in full.
    #[cold]
    #[inline(never)]
    fn event(&mut self, item: &[u8]) -> Option<()> {
        let event = event(item, &mut self.shared).ok()?;
        if self.aggregate.is_none() {
            self.aggregate = Some((self.begin)(self.domain, event.aggregate_id()));
        }
        self.early.push(Early(event));
        self.catch_up()
    }

    /// Applies the events whose time has come. None where it has passed.
    fn catch_up(&mut self) -> Option<()> {
        while let Some(Early(event)) = self.early.peek().filter(|early| early.0.version() <= self.version + 1)
        {
            if event.version() <= self.version {
                return None;
            }
            self.aggregate.as_mut()?.event(event)?;
            self.version += 1;
            self.early.pop();
        }
        Some(())
    }

    fn finish(self) -> Option<Option<Snapshot>> {
        match self.aggregate {
            _ if !self.early.is_empty() => None,
            Some(aggregate) => aggregate.snapshot().map(Some),
            None => Some(None),
        }
    }
}

/// An event that came before its time: of two, the greater has the lower version.
struct Early(Event);

impl Ord for Early {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.version().cmp(&self.0.version())
    }
}

impl PartialOrd for Early {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Early {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Early {}

/// The text of an actor's name.
fn actor<'a>(kept: &'a mut [Option<Text>; 16], name: &str) -> Option<&'a Text> {
    let slot = name.len() + usize::from(*name.as_bytes().last()?);
    let kept = kept.get_mut(slot % 16)?;
    if !kept.as_ref().is_some_and(|kept| same(kept, name)) {
        *kept = Some(name.into());
    }
    kept.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domains,
        domains::{bank_account::BankAccount, order::Order},
        time::Ulid,
    };
    use proptest::prelude::*;
    use serde_json::json;

    fn bank() -> &'static dyn Domain {
        domains::for_log("BankAccount")
    }

    /// An item; the first is an opening, the others deposits.
    fn item(version: u64) -> String {
        let id = Ulid::from_parts(1_754_000_000_000 + version, 7);
        let head = format!(
            r#""eventId":{{"S":"{id}"}},"aggregateName":{{"S":"BankAccount"}},"aggregateId":{{"S":"a"}},"aggregateVersion":{{"N":"{version}"}},"actorId":{{"S":"ada"}}"#
        );
        match version {
            1 => format!(
                r#"{{{head},"eventName":{{"S":"AccountOpened"}},"accountHolderId":{{"S":"ada"}},"initialDeposit":{{"N":"100"}},"currency":{{"S":"EUR"}},"eventTs":{{"S":"2025-07-31T22:13:20.001Z"}}}}"#
            ),
            _ => format!(
                r#"{{{head},"eventName":{{"S":"MoneyDeposited"}},"amount":{{"N":"{version}"}},"transactionReference":{{"S":"inv-{version}"}},"description":{{"S":"d"}},"eventTs":{{"S":"2025-07-31T22:13:20.002Z"}}}}"#
            ),
        }
    }

    fn answer(items: &[String]) -> String {
        format!(
            r#"{{"Count":{count},"Items":[{}],"ScannedCount":{count}}}"#,
            items.join(","),
            count = items.len()
        )
    }

    /// Both ways must agree; gives what they agree on, and whether the quick one knew it.
    fn check(pages: &[&[u8]]) -> (Result<Option<Snapshot>, ReplayError>, bool) {
        let quick = quick(bank(), typed::<BankAccount>, pages.iter());
        let thorough = thorough(bank(), pages);
        assert_eq!(replay(bank(), pages), thorough);
        if let Some(quick) = &quick {
            assert_eq!(
                Ok(quick),
                thorough.as_ref(),
                "{:?}",
                pages.iter().map(|page| String::from_utf8_lossy(page))
            );
        }
        (thorough, quick.is_some())
    }

    fn version(page: &str) -> (u64, bool) {
        let (state, quick) = check(&[page.as_bytes()]);
        (state.unwrap().map_or(0, |state| state.meta.version), quick)
    }

    fn error(pages: &[&str]) -> String {
        let pages: Vec<&[u8]> = pages.iter().map(|page| page.as_bytes()).collect();
        check(&pages).0.unwrap_err().to_string()
    }

    #[test]
    fn every_form_of_a_page_ends_in_the_same_state() {
        let items: Vec<String> = (1..=3).map(item).collect();
        let body = answer(&items);
        let exported = items.iter().map(|item| format!("{{\"Item\":{item}}}\n")).collect::<String>();
        assert_eq!(version(&body), (3, true));
        assert_eq!(version(&exported), (3, true));
        assert_eq!(version(&format!("\n{}\n\n{}\r\n", answer(&items[..1]), answer(&items[1..]))), (3, true));
        assert_eq!(version(&body.replace("},{", "} ,\n\t{").replace(":[", " : [ ")), (3, true));
        assert_eq!(
            version(r#"{"Items":[],"Count":0,"LastEvaluatedKey":{"x":[{"S":"\u00e9"},1e5,null]}}"#),
            (0, true)
        );
        assert_eq!(version(""), (0, true));
        // What is no answer and no export is read the thorough way.
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&body).unwrap());
        assert_eq!(version(&pretty.unwrap()), (3, true));
        assert_eq!(version(&format!("[{}]", items.join(", "))), (3, false));
        let log = crate::import::EventLog::from_bytes(body.as_bytes()).to_ndjson();
        assert_eq!(version(&log), (3, false));
        assert_eq!(version(&format!("[{}]", log.trim().replace('\n', ","))), (3, false));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, body.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(check(&[&gzip]).0.unwrap().unwrap().meta.version, 3);
        assert!(check(&[&gzip]).1 && !check(&[&gzip[..gzip.len() - 3]]).1);
    }

    #[test]
    fn an_item_may_be_written_in_many_ways() {
        let two = |second: String| version(&answer(&[item(1), second]));
        let reversed = |item: &str| {
            let fields: crate::value::Object = serde_json::from_str(item).unwrap();
            serde_json::Value::Object(fields.into_iter().rev().collect()).to_string()
        };
        for second in [
            item(2),
            reversed(&item(2)),
            item(2).replace("\"d\"", r#""a \"quoted\" \u00e9\\""#),
            item(2).replace("\"d\"", "\"Überweisung à 5 €\""),
            item(2).replace("\"d\"", &format!("\"{}\"", "long ".repeat(99))),
            item(2).replace("\"amount\"", r#""more":{"N":"-1.50e3"},"amount""#),
            item(2).replace(
                "\"amount\"",
                r#""x":{"S":""},"a name of more than forty eight bytes is not learned":{"S":"x"},"amount""#,
            ),
            item(2).replace("\"amount\"", r#""l":{"L":[{"M":{"}":{"S":"\\\"]}"}}},{"NULL":true}]},"amount""#),
            item(2).replace("\"amount\"", r#""$meta":{"S":"x"},"amount""#),
            item(2).replace("\"amount\"", r#""na\u006de":{"S":"x"},"amount""#),
            item(2).replace("\"amount\"", r#""schemaVersion":{"N":"1"},"amount""#),
            item(2).replace("\"eventTs\":{\"S\"", "\"eventTs\":{\"anything\""),
            item(2).replace(":{", " : { "),
        ] {
            assert_eq!(two(second.clone()), (2, true), "{second}");
        }
    }

    #[test]
    fn events_are_applied_in_the_order_of_their_versions() {
        let mut items: Vec<String> = (1..=40).map(item).collect();
        fastrand::Rng::with_seed(5).shuffle(&mut items);
        assert_eq!(version(&answer(&items)), (40, true));
        items.reverse();
        let (first, rest) = items.split_at(17);
        let (state, quick) = check(&[answer(first).as_bytes(), answer(rest).as_bytes()]);
        assert_eq!((state.unwrap().unwrap().meta.version, quick), (40, true));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let body = answer;
        let single = |item: &String| answer(std::slice::from_ref(item));
        let told = |pages: &[&str], expected: &str| {
            let error = error(pages);
            assert!(error.contains(expected), "{error}");
        };
        let (one, two, four) = (item(1), item(2), item(4));
        told(
            &[&single(&one), &body(&[two.clone(), four])],
            "page 2, line 1: event MoneyDeposited (01K1H8R1040000000000000007), version 4 of a: the stream has a gap: version 3 should come next",
        );
        told(&[&body(&[one.clone(), two.clone(), two.clone()])], "the stream has that version already");
        told(&[&single(&two)], "a gap: version 1");
        told(&[&body(&[one.clone(), one.clone()])], "has that version already");
        told(&[&body(&[one.clone(), two.replace("\"a\"", "\"b\"")])], "this is the stream of a");
        told(&[&body(&[one.replace("BankAccount", "Order")])], "it belongs to Order/a");
        told(&[&body(&[one.clone(), two.replace("MoneyDeposited", "Rained")])], "no event has this name");
        told(
            &[&body(&[one.clone(), two.replace("MoneyDeposited", "AccountOpened")])],
            "its payload does not fit: /accountHolderId",
        );
        told(
            &[&body(&[two.replace("\"N\":\"2\"", "\"N\":\"1\"")])],
            "the aggregate does not exist before it",
        );
        told(
            &[&body(&[one.clone(), two.replace("\"amount\":{\"N\":\"2\"", "\"amount\":{\"N\":\"2.5\"")])],
            "does not fit: /amount",
        );
        told(
            &[&body(&[
                one.clone(),
                two.replace("\"amount\":{\"N\":\"2\"", "\"amount\":{\"N\":\"9007199254740991\""),
            ])],
            "would leave the integers",
        );
        told(
            &[&body(&[one.clone(), two.replace("\"actorId\"", "\"actor\"")])],
            "page 1, line 1: item 2: /actorId: it is missing",
        );
        told(
            &[&body(&[one.clone(), two.replace("\"actorId\"", "\"eventName\"")])],
            "item 2: duplicate field `eventName`",
        );
        told(&[&body(&[one.clone(), two.replace("\"d\"", "\"\\ud800\"")])], "item 2: ");
        told(&[&body(&[one.clone(), two.replace("\"d\"", "\"\u{1}\"")])], "control character");
        told(&[&body(&[one.clone(), two.replace("\"N\":\"2\"", "\"N\":\"02\"")])], "a number in a string");
        told(&[&body(&[one.clone(), "{}".to_owned()])], "item 2: /eventId: it is missing");
        told(&[&single(&one).replace("ScannedCount", "Items")], "/eventId: it is missing");
        told(&["\n\n{\"Item\":1}"], "page 1, line 3: ");
        told(&[&body(&[one]), "[1,\n2"], "page 2, line 1: ");
        let broken = body(&[two]).replace("ada", "\u{80}").into_bytes();
        let broken: Vec<u8> = broken.into_iter().filter(|byte| *byte != 0xc2).collect();
        assert!(check(&[&broken]).0.unwrap_err().to_string().contains("it is no UTF-8"));
    }

    #[test]
    fn other_domains_and_logs_replay_as_well() {
        let created = json!({"eventId": "01K1RZXKEYCYQ5MSEQJ4Z5JNDE", "eventName": "OrderCreated", "aggregateName": "Order",
            "aggregateId": "o", "aggregateVersion": 1, "actorId": "ada", "customerId": "c", "items": [{"productId": "p", "quantity": 2, "price": 5}]});
        let added = json!({"eventId": "01K1RZXKEYCYQ5MSEQJ4Z5JNDF", "eventName": "OrderItemAdded", "aggregateName": "Order",
            "aggregateId": "o", "aggregateVersion": 2, "actorId": "ada", "productId": "q", "quantity": 1, "price": 7});
        let items = [created, added].map(|event| crate::replay::tests::attributes(&event)["M"].to_string());
        let page = answer(&items);
        for domain in [domains::for_log("Order"), domains::for_log("anything")] {
            let quick = quick(domain, typed::<Order>, [&page].into_iter());
            assert_eq!(quick, Some(thorough(domain, [&page]).unwrap()), "{domain:?}");
            assert_eq!(quick.flatten().unwrap().meta.version, 2);
        }
    }

    /// A value as DynamoDB writes it.
    fn attributes(value: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value::*;
        match value {
            Null => json!({"NULL": true}),
            Bool(value) => json!({"BOOL": value}),
            Number(number) => json!({"N": number.to_string()}),
            String(text) => json!({"S": text}),
            Array(items) => json!({"L": items.iter().map(attributes).collect::<Vec<_>>()}),
            Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), attributes(value)));
                json!({"M": fields.collect::<crate::value::Object>()})
            }
        }
    }

    /// Changes bytes here and there: mostly to such as mean something.
    fn mutate(rng: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
        const PIECES: [&[u8]; 30] = [
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b" ",
            b"\n",
            b"0",
            b"1",
            b"-",
            b".",
            b"e",
            b"\\u00e9",
            b"\\ud800",
            b"\xc3\xa9",
            b"\xff",
            b"\x00",
            b"\x1f",
            b"\x7f",
            b"{\"S\":\"x\"}",
            b"{\"N\":\"1\"}",
            b"{\"BOOL\":true}",
            b"\"eventId\"",
            b"\"Items\"",
            b"\"aggregateVersion\"",
            b"\"schemaVersion\":{\"N\":\"2\"},",
            b"\"x\":{\"L\":[]},",
        ];
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(0..bytes.len());
            let end = (at + rng.usize(0..3)).min(bytes.len());
            match rng.u32(0..6) {
                0 => bytes[at] = rng.u8(..),
                1 => bytes[at] ^= 1 << rng.u32(0..8),
                2 => drop(bytes.drain(at..end)),
                3 => drop(bytes.splice(at..end, PIECES[rng.usize(0..PIECES.len())].iter().copied())),
                4 => {
                    // From behind a comma or a brace, which is where things start.
                    let starts: Vec<usize> =
                        (0..bytes.len()).filter(|at| b",{".contains(&bytes[*at])).collect();
                    let at = starts.get(rng.usize(0..starts.len().max(1))).map_or(0, |at| at + 1);
                    bytes.splice(at..at, PIECES[rng.usize(0..PIECES.len())].iter().copied());
                }
                _ => {
                    // A piece of it, once more.
                    let length = rng.usize(0..(bytes.len() - at).min(300));
                    let piece = bytes[at..at + length].to_vec();
                    let to = rng.usize(0..bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
            if bytes.is_empty() {
                bytes.push(b' ');
            }
        }
    }

    #[test]
    fn both_ways_agree_on_damaged_pages() {
        let full = std::env::var_os("REWOUND_FULL").is_some();
        let (mut states, mut quicks, rounds) = (0, 0, if full { 1_000_000 } else { 6_000 });
        for seed in 0..rounds {
            let mut rng = fastrand::Rng::with_seed(seed);
            let items: Vec<String> = (1..=rng.u64(1..7)).map(item).collect();
            let lines: String = items.iter().map(|item| format!("{{\"Item\":{item}}}\n")).collect();
            let mut page = if rng.bool() { answer(&items) } else { lines }.into_bytes();
            mutate(&mut rng, &mut page);
            let (state, quick) = check(&[&page]);
            states += u32::from(state.is_ok());
            quicks += u32::from(quick);
        }
        assert!(quicks > 0 && states >= quicks && quicks * 10 > states * 9, "{quicks} of {states}");
    }

    #[test]
    fn an_id_is_read_as_a_ulid_is() {
        let check = |id: &[u8]| {
            let Ok(id) = str::from_utf8(id) else { return };
            // The first digit holds three bits alone: an event's id is not read where they overflow.
            let fits = id.as_bytes().first() <= Some(&b'7');
            let ulid = Ulid::from_string(id).ok().filter(|_| fits);
            assert_eq!(rewound_scan::time_of(id), ulid.map(|id| id.timestamp_ms()), "{id}");
        };
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..50 {
            let id = Ulid::from_parts(rng.u64(..1 << 48), rng.u128(..)).to_string();
            check(id.as_bytes());
            check(id.to_lowercase().as_bytes());
            check(&id.as_bytes()[1..]);
            check(format!("{id}0").as_bytes());
            for (place, byte) in (0..26).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
                let mut id = id.clone().into_bytes();
                id[place] = byte;
                check(&id);
            }
        }
    }

    #[test]
    fn both_ways_agree_on_items_of_many_shapes() {
        let rounds = if std::env::var_os("REWOUND_FULL").is_some() { 100_000 } else { 1_000 };
        let mut states = 0;
        for seed in 0..rounds {
            let mut rng = fastrand::Rng::with_seed(seed);
            let items: Vec<String> = (1..=30)
                .map(|version| {
                    let mut item = item(version);
                    if rng.bool() {
                        // Lengths that differ, from none to more than a few blocks.
                        let long = "x".repeat(rng.usize(..4) * rng.usize(..20));
                        item = item.replace("\"d\"", &format!("\"{long}\""));
                        let amount = format!("amount\":{{\"N\":\"{}\"", 10_u64.pow(rng.u32(..9)));
                        item = item.replace(&format!("amount\":{{\"N\":\"{version}\""), &amount);
                    }
                    match rng.u32(..30) {
                        0 => item = item.replace("{\"eventId\"", "{\"more\":{\"S\":\"\"},\"eventId\""),
                        1 => item = item.replace("\"d\"", "\"\u{e9}\\n\""),
                        2 => item = item.replace(",\"amount\"", ",\"x\":{\"N\":\"-0.5\"},\"amount\""),
                        3 => item = item.replace("\"a\"", if rng.bool() { "\"\"" } else { "\"b\"" }),
                        4 => {
                            let fields: crate::value::Object = serde_json::from_str(&item).unwrap();
                            item = serde_json::Value::Object(fields.into_iter().rev().collect()).to_string();
                        }
                        _ => {}
                    }
                    item
                })
                .collect();
            let mut page = answer(&items).into_bytes();
            if rng.bool() {
                mutate(&mut rng, &mut page);
            }
            states += u32::from(check(&[&page]).0.is_ok());
        }
        assert!((rounds as u32 / 20..rounds as u32).contains(&states), "{states}");
    }

    proptest! {
        #[test]
        fn both_ways_agree_on_any_values(
            texts in prop::collection::vec(any::<String>(), 3), digits in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?|[0-9]{0,20}",
            name in "[a-zA-Z$\\\\\"é]{0,50}", shuffle in any::<u64>(), kind in 0..7,
        ) {
            let mut fields: Vec<String> = vec![
                format!(r#""eventId":{{"S":"{}"}}"#, Ulid::from_parts(5, 5)), r#""aggregateName":{"S":"BankAccount"}"#.into(),
                r#""aggregateVersion":{"N":"2"}"#.into(), r#""eventName":{"S":"MoneyWithdrawn"}"#.into(),
                r#""aggregateId":{"S":"a"}"#.into(), format!(r#""actorId":{{"S":{}}}"#, json!(texts[0])),
                format!(r#""transactionReference":{{"S":{}}}"#, json!(texts[1])), r#""description":{"S":"x"}"#.into(),
                r#""amount":{"N":"5"}"#.into(), format!("{}:{{\"S\":{}}}", json!(name), json!(texts[2])),
            ];
            match kind {
                0 => fields[8] = format!(r#""amount":{{"N":"{digits}"}}"#),
                1 => fields[2] = format!(r#""aggregateVersion":{{"N":"{digits}"}}"#),
                2 => fields.push(format!(r#""schemaVersion":{{"N":"{digits}"}}"#)),
                3 => fields[7] = format!("\"description\":{}", attributes(&json!([texts[0], {"x": 5}, null]))),
                4 => fields[7] = format!("{}:{{\"N\":\"{digits}\"}}", json!(name)),
                _ => {}
            }
            fastrand::Rng::with_seed(shuffle).shuffle(&mut fields);
            let withdrawn = format!("{{{}}}", fields.join(","));
            let _ = check(&[answer(&[item(1), withdrawn.clone(), item(3), item(4)]).as_bytes()]);
            let _ = check(&[answer(&[item(1)]).as_bytes(), format!("{{\"Item\":{withdrawn}}}").as_bytes(), answer(&[item(3)]).as_bytes()]);
        }
    }
}
