//! A read on its way: a state, a page of events or a list, as a state machine that asks for I/O and never does it.
//!
//! It is driven as a [command run](crate::run) is. Where the store has no usable snapshot of an aggregate, or an
//! old one, the events behind it are asked for and applied.
//!
//! ```
//! use rewound_core::{domains, error::Error, read::{Question, Reading}, run::Step, store::{MemoryStore, Store}};
//! let mut store = MemoryStore::new();
//! let account = domains::find("BankAccount").unwrap();
//! let mut reading = Reading::new(Question::State { domain: account, id: "a1".into() });
//! let mut reply = None;
//! let missing = loop {
//!     match reading.next(reply.take(), 42) {
//!         Step::Ask(request) => reply = Some(store.answer(&request)),
//!         Step::Wait(_milliseconds) => {}
//!         Step::Done(result) => break result.unwrap_err(),
//!     }
//! };
//! assert_eq!(missing.to_string(), "BankAccount a1 does not exist");
//! ```

use crate::{
    aggregate::Meta,
    domain::{Domain, Instance, Snapshot},
    error::{Error, Problem, Result},
    event::Event,
    run::{Options, Step, again, begin, caught_up, goes_on, pause, unasked},
    store::{Answer, Cost, PAGE, Page, Reply, Request},
    time::Millis,
};

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// The state of an aggregate now. Ends in [`Error::NotFound`] where it does not exist.
    State {
        /// Its domain.
        domain: &'static dyn Domain,
        /// Its id.
        id: String,
    },
    /// The state that an aggregate had. Ends in [`Error::NotReached`] where it has fewer versions than that, and in
    /// [`Error::NotFound`] where it did not exist at that time.
    StateAt {
        /// Its domain.
        domain: &'static dyn Domain,
        /// Its id.
        id: String,
        /// When.
        at: Moment,
    },
    /// Some events of a stream; an unknown one has none.
    Events {
        /// The aggregate's kind.
        aggregate: String,
        /// Its id.
        id: String,
        /// Only those behind this version; 0 for all.
        after: u64,
        /// Where the page before ended: its [`Page::next`].
        cursor: Option<String>,
        /// How many at the most.
        limit: usize,
    },
    /// Some aggregates of a kind.
    List {
        /// The aggregates' kind.
        aggregate: String,
        /// Where the page before ended.
        cursor: Option<String>,
        /// How many at the most.
        limit: usize,
    },
}

/// A moment in an aggregate's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Right after the event of that version, 1-based.
    Version(u64),
    /// At that time, in milliseconds since the epoch: after the last event that is not younger.
    Time(Millis),
}

/// How far two events of one stream can be in the wrong order by their times, in milliseconds. AWS refuses whoever's clock
/// is more than 15 minutes off (<https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>), to either side.
const DISORDER: Millis = 30 * 60 * 1_000;

impl Moment {
    /// Whether an event has happened by then.
    fn holds(self, version: u64, time: Option<Millis>) -> bool {
        match self {
            Moment::Version(last) => version <= last,
            Moment::Time(last) => time.is_some_and(|time| time <= last),
        }
    }

    /// Whether no event behind this one has happened by then.
    fn is_past(self, event: &Event) -> bool {
        match self {
            Moment::Version(last) => event.version() >= last,
            Moment::Time(last) => event.time() > last.saturating_add(DISORDER),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// To [`Question::State`] and [`Question::StateAt`].
    State(Snapshot),
    /// To [`Question::Events`], in the order of their versions.
    Events(Page<Event>),
    /// To [`Question::List`].
    List(Page<Meta>),
}

/// One read on its way. See the [module](self).
#[derive(Debug)]
pub struct Reading {
    question: Question,
    /// An aggregate that is behind this version, and where its next page of events begins.
    behind: Option<(Box<dyn Instance>, u64, Option<String>)>,
    /// The aggregate at the moment that is asked for, as far as is known.
    at: Option<Box<dyn Instance>>,
    resent: u32,
    cost: Cost,
}

impl Reading {
    /// A read that has asked for nothing yet.
    pub fn new(question: Question) -> Self {
        Self { question, behind: None, at: None, resent: 0, cost: Cost::default() }
    }

    /// What the read has cost so far.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// What the read needs next, given the reply to what it asked last. `random` are random bits, new ones each
    /// time. A store that is busy, or whose answer is lost, is asked again as often as a command's
    /// [default](Options) is.
    pub fn next(&mut self, reply: Option<Reply>, random: u128) -> Step<Found> {
        let Some(reply) = reply else { return Step::Ask(self.request()) };
        self.cost += reply.cost;
        let answer = match reply.result {
            Ok(answer) => answer,
            Err(failure) => {
                let Options { resends, backoff, .. } = Options::default();
                return match again(failure, &mut self.resent, resends, false) {
                    Ok(()) => Step::Wait(pause(backoff, self.resent, random)),
                    Err(error) => Step::Done(Err(error)),
                };
            }
        };
        self.resent = 0;
        match self.answered(answer) {
            Ok(Some(found)) => Step::Done(Ok(found)),
            Ok(None) => Step::Ask(self.request()),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn request(&self) -> Request {
        match (&self.question, &self.behind) {
            (
                Question::State { domain, id } | Question::StateAt { domain, id, .. },
                Some((instance, _, cursor)),
            ) => Request::Events {
                aggregate: domain.name().to_owned(),
                id: id.clone(),
                after: instance.version(),
                cursor: cursor.clone(),
                limit: PAGE,
            },
            (Question::State { domain, id } | Question::StateAt { domain, id, .. }, None) => {
                Request::Load { aggregate: domain.name().to_owned(), id: id.clone() }
            }
            (Question::Events { aggregate, id, after, cursor, limit }, _) => Request::Events {
                aggregate: aggregate.clone(),
                id: id.clone(),
                after: *after,
                // Without one, a store would look for a single event from the end.
                cursor: Some(cursor.clone().unwrap_or_default()),
                limit: *limit,
            },
            (Question::List { aggregate, cursor, limit }, _) => {
                Request::List { aggregate: aggregate.clone(), cursor: cursor.clone(), limit: *limit }
            }
        }
    }

    /// What was found; nothing where more has to be asked.
    fn answered(&mut self, answer: Answer) -> Result<Option<Found>> {
        let instance = match (&self.question, self.behind.take(), answer) {
            (Question::State { domain, id }, None, Answer::Loaded(loaded)) => {
                let version = loaded.version;
                let instance = begin(*domain, id, loaded);
                if instance.version() < version {
                    self.behind = Some((instance, version, None));
                    return Ok(None);
                }
                instance
            }
            (Question::State { .. }, Some((instance, version, _)), Answer::Events(page)) => {
                let (instance, whole) = caught_up(instance, version, &page)?;
                if !whole {
                    self.behind = Some((instance, version, page.next));
                    return Ok(None);
                }
                instance
            }
            (Question::StateAt { domain, id, at }, None, Answer::Loaded(loaded)) => {
                let (domain, version) = (*domain, loaded.version);
                if let Moment::Version(asked) = *at
                    && (1..asked).contains(&version)
                {
                    return Err(Error::NotReached { id: id.clone(), version: asked, last: version });
                }
                // The newest state may be the one.
                let newest = begin(domain, id, loaded);
                let time = newest.meta().and_then(|meta| meta.updated_at);
                if version > 0 && !(newest.version() == version && at.holds(version, time)) {
                    self.behind = Some((domain.start(id), version, None));
                    return Ok(None);
                }
                newest
            }
            (Question::StateAt { at, .. }, Some((instance, version, _)), Answer::Events(page)) => {
                let at = *at;
                let held = page.items.iter().rposition(|event| at.holds(event.version(), Some(event.time())));
                let (held, rest) =
                    page.items.split_at_checked(held.map_or(0, |last| last + 1)).unwrap_or_default();
                let instance = instance.apply_all(held)?;
                if !held.is_empty() {
                    self.at = Some(instance.fork());
                }
                if !page.items.iter().any(|event| at.is_past(event)) {
                    // An older event may stand behind younger ones.
                    let before = instance.version() - held.len() as u64;
                    let instance = instance.apply_all(rest)?;
                    if goes_on(instance.as_ref(), before, version, &page)? {
                        self.behind = Some((instance, version, page.next));
                        return Ok(None);
                    }
                }
                let found = self.at.take().ok_or_else(|| self.missing())?;
                if let Moment::Version(asked) = at
                    && found.version() != asked
                {
                    // What comes behind says that it does not come next.
                    found.apply_all(rest)?;
                    return Err(unasked());
                }
                found
            }
            (Question::Events { after, .. }, _, Answer::Events(page)) => {
                return whole(page, *after).map(|page| Some(Found::Events(page)));
            }
            (Question::List { .. }, _, Answer::List(page)) => return Ok(Some(Found::List(page))),
            _ => return Err(unasked()),
        };
        instance.snapshot().map(Found::State).ok_or_else(|| self.missing()).map(Some)
    }

    /// The aggregate that is asked for does not exist.
    fn missing(&self) -> Error {
        match &self.question {
            Question::State { domain, id } | Question::StateAt { domain, id, .. } => {
                Error::NotFound { aggregate: domain.name().to_owned(), id: id.clone() }
            }
            _ => unasked(),
        }
    }
}

/// The events of a page up to the first that is missing, from where the next page goes on, and ends.
///
/// # Errors
/// The first is missing.
fn whole(mut page: Page<Event>, after: u64) -> Result<Page<Event>> {
    let wrong = page.items.iter().zip(after + 1..).position(|(event, version)| event.version() != version);
    match wrong {
        None => Ok(page),
        Some(0) => {
            let expected = after + 1;
            let error = page.items.first().map(|event| Problem::Gap { expected }.of(event).into());
            Err(error.unwrap_or_else(unasked))
        }
        Some(place) => {
            page.items.truncate(place);
            page.next = page.items.last().map(|event| event.id().to_string());
            Ok(page)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Command, Sender},
        domains,
        run::run,
        store::{Failure, MemoryStore, Store},
    };
    use serde_json::json;

    fn account(events: u64, snapshots: u64) -> MemoryStore {
        let bank = domains::find("BankAccount").unwrap();
        let mut store = MemoryStore::with_snapshots(snapshots);
        let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
        let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR"})).unwrap();
        run(&mut store, bank, "a", open, &by, Options::default()).unwrap();
        for _ in 1..events {
            let deposit = Command::new("Deposit", json!({"amount": 5, "transactionReference": "r"})).unwrap();
            run(&mut store, bank, "a", deposit, &by, Options::default()).unwrap();
        }
        store
    }

    /// Reads, with what `ask` answers; what was asked, and how it ended.
    fn read(
        question: Question,
        mut ask: impl FnMut(&Request) -> Reply,
    ) -> (Vec<&'static str>, Result<Found>) {
        let (mut reading, mut reply, mut asked) = (Reading::new(question), None, Vec::new());
        loop {
            match reading.next(reply.take(), 7) {
                Step::Ask(request) => {
                    asked.push(if matches!(request, Request::Load { .. }) { "load" } else { "events" });
                    assert!(asked.len() < 100, "the read does not end");
                    reply = Some(ask(&request));
                }
                Step::Wait(milliseconds) => assert!((50..600).contains(&milliseconds)),
                Step::Done(result) => {
                    assert_eq!(reading.cost().requests as usize, asked.len());
                    return (asked, result);
                }
            }
        }
    }

    fn state() -> Question {
        Question::State { domain: domains::find("BankAccount").unwrap(), id: "a".into() }
    }

    fn version(result: Result<Found>) -> u64 {
        let Ok(Found::State(snapshot)) = result else { panic!("{result:?}") };
        assert_eq!(snapshot.state["balance"], 5 * (snapshot.meta.version - 1));
        snapshot.meta.version
    }

    #[test]
    fn a_row_is_enough_and_an_old_snapshot_is_caught_up() {
        let mut rows = account(5, 1);
        let (asked, result) = read(state(), |request| rows.answer(request));
        assert_eq!((asked, version(result)), (vec!["load"], 5));

        let mut old = account(5, 3);
        let (asked, result) = read(state(), |request| old.answer(request));
        assert_eq!((asked, version(result)), (vec!["load", "events"], 5));
    }

    #[test]
    fn a_row_of_another_reducer_is_not_read() {
        let mut rows = account(1_005, 1);
        let (asked, result) = read(state(), |request| {
            let mut reply = rows.answer(request);
            if let Ok(Answer::Loaded(loaded)) = &mut reply.result {
                loaded.snapshot.as_mut().unwrap().fingerprint ^= 1;
                loaded.snapshot.as_mut().unwrap().state.insert("balance".into(), 99.into());
            }
            reply
        });
        assert_eq!((asked, version(result)), (vec!["load", "events", "events"], 1_005));
    }

    #[test]
    fn a_busy_store_is_asked_again_and_not_for_ever() {
        let mut rows = account(2, 1);
        let mut failures = vec![Failure::Lost, Failure::Busy].into_iter();
        let (asked, result) = read(state(), |request| match failures.next() {
            Some(failure) => Reply::one(Err(failure)),
            None => rows.answer(request),
        });
        assert_eq!((asked.len(), version(result)), (3, 2));

        let (asked, result) = read(state(), |_| Reply::one(Err(Failure::Busy)));
        assert_eq!(asked.len(), 6);
        assert!(matches!(result, Err(Error::Store { retryable: true, .. })));
        let (asked, result) = read(state(), |_| Reply::one(Err(Failure::Refused("no".into()))));
        assert_eq!(asked.len(), 1);
        assert!(matches!(result, Err(Error::Store { retryable: false, .. })));
    }

    #[test]
    fn a_past_state_is_that_of_its_version_or_time() {
        let at = |at| Question::StateAt { domain: domains::find("BankAccount").unwrap(), id: "a".into(), at };
        let mut rows = account(2_005, 1);
        let mut ask = |question| read(question, |request| rows.answer(request));
        let (asked, newest) = ask(at(Moment::Version(2_005)));
        assert_eq!((asked, version(newest)), (vec!["load"], 2_005));
        let (asked, old) = ask(at(Moment::Version(1_000)));
        assert_eq!((asked, version(old)), (vec!["load", "events"], 1_000));
        assert_eq!(version(ask(at(Moment::Version(1_500))).1), 1_500);
        let Error::NotReached { version: 2_006, last: 2_005, .. } =
            ask(at(Moment::Version(2_006))).1.unwrap_err()
        else {
            panic!("it says how far it is");
        };

        let Ok(Found::State(seventh)) = ask(at(Moment::Version(7))).1 else { panic!() };
        let time = seventh.meta.updated_at.unwrap();
        assert_eq!(version(ask(at(Moment::Time(time))).1), 7);
        assert_eq!(version(ask(at(Moment::Time(time - 1))).1), 6);
        assert_eq!(version(ask(at(Moment::Time(u64::MAX))).1), 2_005);
        assert!(matches!(ask(at(Moment::Time(1))).1, Err(Error::NotFound { .. })));
        let mut empty = MemoryStore::new();
        let (_, none) = read(at(Moment::Version(1)), |request| empty.answer(request));
        assert!(matches!(none, Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_store_that_hides_events_is_found_out() {
        let mut rows = account(5, 3);
        let (_, result) = read(state(), |request| {
            let mut reply = rows.answer(request);
            if let Ok(Answer::Events(page)) = &mut reply.result {
                page.items.clear();
            }
            reply
        });
        let message = result.unwrap_err().to_string();
        assert!(message.contains("version 5 of a and holds the events up to 3"), "{message}");
    }
}
