//! Deliveries: the events of one kind of aggregate on their way to a [`Projector`], one after another as they were
//! recorded, and on request as deliveries are in the wild: twice, out of order, or broken.
//!
//! ```
//! use rewound_core::{delivery::Delivery, event::Event, projection::{Arrival, Projector}, views};
//! let line = |version: u64, name: &str, payload: &str| Event::parse(&format!(r#"{{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JND{version}","eventName":"{name}","aggregateName":"BankAccount","aggregateId":"a","aggregateVersion":{version},"actorId":"ada",{payload}}}"#)).unwrap();
//! let opened = line(1, "AccountOpened", r#""accountHolderId":"ada","initialDeposit":100,"currency":"EUR""#);
//! let deposited = line(2, "MoneyDeposited", r#""amount":5,"transactionReference":"r","description":"d""#);
//!
//! let mut balances = Projector::new(views::ACCOUNT_BALANCES);
//! let mut delivery = Delivery::new(vec![opened, deposited]);
//! let (early, arrival) = delivery.deliver_early(&mut balances).unwrap();
//! assert_eq!((early.version(), arrival), (2, Arrival::Waits(1)));
//! delivery.deliver_next(&mut balances);
//! assert_eq!(balances.run(0, 50), 2);
//! assert_eq!(balances.rows()["a"]["balance"], 105);
//! let (_, arrival) = delivery.deliver_again(&mut balances).unwrap();
//! assert_eq!(arrival, Arrival::LetGo);
//! ```

use crate::{
    event::Event,
    projection::{Arrival, Lag, Projector},
    time::Millis,
    value::Object,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many of the events that are still to come are looked through for one that can be delivered early, or broken.
const SEARCHED: usize = 1_000;

/// Events on their way. See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Every event, in the order in which they were recorded.
    log: Vec<Event>,
    /// All before this one were delivered.
    next: usize,
    /// Those behind it that were delivered before their turn.
    early: BTreeSet<usize>,
    /// What is delivered in the place of some.
    broken: BTreeMap<usize, Event>,
    /// How many were given to the generation that is being built.
    replayed: usize,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is still to be delivered.
    Coming,
    /// It is still to be delivered, and was broken.
    Poisoned,
    /// It was delivered and waits.
    Waits,
    /// It was applied.
    Applied,
    /// It is a dead letter.
    Parked,
    /// It was a dead letter, and was given up.
    GivenUp,
}

impl Delivery {
    /// Events of which none was delivered yet, in the order in which they were recorded.
    pub fn new(log: Vec<Event>) -> Self {
        Self { log, ..Self::default() }
    }

    /// Adds an event that was recorded just now.
    pub fn record(&mut self, event: Event) {
        self.log.push(event);
    }

    /// How many events were recorded.
    pub fn head(&self) -> usize {
        self.log.len()
    }

    /// How many of them are still to be delivered.
    pub fn ahead(&self) -> usize {
        self.log.len().saturating_sub(self.next).saturating_sub(self.early.len())
    }

    /// The events that are still to be delivered, as they will be, the next one first.
    pub fn coming(&self) -> impl Iterator<Item = &Event> {
        self.undelivered().filter_map(|index| self.given(index))
    }

    /// How far a read model is behind the last event that was recorded.
    pub fn lag(&self, projector: &Projector) -> Lag {
        let waiting = projector.lag();
        let oldest = self.undelivered().filter_map(|index| self.log.get(index)).map(Event::time);
        Lag { events: waiting.events + self.ahead() as u64, since: oldest.chain(waiting.since).min() }
    }

    /// The time between the moment up to which a read model has seen everything and the last event, in milliseconds.
    /// Where it has seen nothing, that moment is the first event's.
    pub fn lag_in_time(&self, projector: &Projector) -> Millis {
        let Some(since) = self.lag(projector).since else { return 0 };
        let times = || self.log.iter().map(Event::time);
        let seen = times().filter(|time| *time < since).max().unwrap_or(since);
        times().max().map_or(0, |newest| newest.saturating_sub(seen))
    }

    /// Delivers the next event; none where all were.
    pub fn deliver_next(&mut self, to: &mut Projector) -> Option<Arrival> {
        let index = self.undelivered().next()?;
        let event = self.given(index)?.clone();
        self.mark(index);
        Some(deliver(to, event))
    }

    /// Holds an event back and delivers the one after it in the same stream; none where no stream has two events that
    /// are still to come.
    pub fn deliver_early(&mut self, to: &mut Projector) -> Option<(Event, Arrival)> {
        let index = self.second()?;
        let event = self.given(index)?.clone();
        self.mark(index);
        Some((event.clone(), deliver(to, event)))
    }

    /// Whether [`deliver_early`](Self::deliver_early) would find an event.
    pub fn can_be_early(&self) -> bool {
        self.second().is_some()
    }

    /// Delivers the last of the delivered events once more; none where none was.
    pub fn deliver_again(&self, to: &mut Projector) -> Option<(Event, Arrival)> {
        let last = self.early.last().copied().or(self.next.checked_sub(1))?;
        let event = self.given(last)?.clone();
        Some((event.clone(), deliver(to, event)))
    }

    /// Breaks the payload of the next event that has one, and gives the event; none where none of those to come has.
    pub fn poison(&mut self) -> Option<&Event> {
        let spoil = |index| Some((index, spoiled(self.log.get(index)?)?));
        let mut whole = self.undelivered().take(SEARCHED).filter(|index| !self.broken.contains_key(index));
        let found = whole.find_map(spoil);
        drop(whole);
        let (index, event) = found?;
        self.broken.insert(index, event);
        self.broken.get(&index)
    }

    /// Whether this is a broken copy of an event.
    pub fn is_poisoned(&self, event: &Event) -> bool {
        self.broken.values().any(|broken| broken == event)
    }

    /// What became of the event at a place of the log, from 0 on; none where there is no such place.
    pub fn fate(&self, index: usize, of: &Projector) -> Option<(&Event, Fate)> {
        let event = self.given(index)?;
        let was_delivered = index < self.next || self.early.contains(&index);
        let is = |other: &Event| {
            (other.aggregate_id(), other.version()) == (event.aggregate_id(), event.version())
        };
        let fate = match (was_delivered, self.broken.contains_key(&index)) {
            (false, true) => Fate::Poisoned,
            (false, false) => Fate::Coming,
            _ if of.checkpoint().get(event.aggregate_id()).copied().unwrap_or(0) < event.version() => {
                Fate::Waits
            }
            _ if of.dead_letters().iter().any(|letter| is(&letter.event)) => Fate::Parked,
            _ if of.is_given_up(event) => Fate::GivenUp,
            _ => Fate::Applied,
        };
        Some((event, fate))
    }

    /// How many events of the log were delivered in their turn: the place of the next one.
    pub fn place(&self) -> usize {
        self.next
    }

    /// Takes the poison out of a parked event: it is as it was recorded again, there and in every replay. Gives whether
    /// there was poison in it.
    pub fn cure(&mut self, at: &mut Projector, letter: usize) -> bool {
        let Some(event) = at.dead_letters().get(letter).map(|letter| &letter.event) else { return false };
        let found = self.broken.iter().find(|(_, broken)| *broken == event).map(|(index, _)| *index);
        let Some((index, whole)) = found.and_then(|index| Some((index, self.log.get(index)?))) else {
            return false;
        };
        let cured = at.repair(letter, whole.clone());
        self.broken.remove(&index);
        cured
    }

    /// Begins again: none was delivered yet, and none is broken.
    pub fn start_over(&mut self) {
        *self = Self::new(std::mem::take(&mut self.log));
    }

    /// Begins to build a read model anew from all that was delivered in its turn.
    pub fn rebuild(&mut self, of: &mut Projector) {
        self.replayed = 0;
        of.rebuild();
    }

    /// Gives the next event of the history to the generation that is being built; whether there was one.
    pub fn replay_next(&mut self, to: &mut Projector) -> bool {
        if self.replayed >= self.next {
            return false;
        }
        if let Some(event) = self.given(self.replayed) {
            to.replay(event.clone());
        }
        self.replayed += 1;
        true
    }

    /// How many events of the history are still to be given to the generation that is being built.
    pub fn to_replay(&self) -> usize {
        self.next.saturating_sub(self.replayed)
    }

    fn undelivered(&self) -> impl Iterator<Item = usize> {
        (self.next..self.log.len()).filter(|index| !self.early.contains(index))
    }

    /// What is delivered as this event.
    fn given(&self, index: usize) -> Option<&Event> {
        self.broken.get(&index).or_else(|| self.log.get(index))
    }

    /// The first event that is still to come and whose stream has another before it.
    fn second(&self) -> Option<usize> {
        let mut streams = BTreeSet::new();
        let mut coming = self.undelivered().take(SEARCHED);
        coming.find(|index| self.log.get(*index).is_some_and(|event| !streams.insert(event.aggregate_id())))
    }

    /// Notes that an event was delivered.
    fn mark(&mut self, index: usize) {
        self.early.insert(index);
        while self.early.remove(&self.next) {
            self.next += 1;
        }
    }
}

fn deliver(to: &mut Projector, event: Event) -> Arrival {
    let arrival = to.arrival(&event);
    to.deliver(event);
    arrival
}

/// The event with nothing in any of its own fields; none where it has none.
fn spoiled(event: &Event) -> Option<Event> {
    let payload: Object = event.payload().into_iter().map(|(name, _)| (name, Value::Null)).collect();
    if payload.is_empty() { None } else { event.with_payload(payload).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Command, Sender, decide},
        domains,
        projection::{ATTEMPTS, RETRY_AFTER, Tried},
        views,
    };
    use serde_json::json;

    /// Events of these commands, a second apart, each with the id of its aggregate.
    fn recorded(commands: &[(&str, &str, Value)]) -> Vec<Event> {
        let bank = domains::find("BankAccount").unwrap();
        let mut states = BTreeMap::new();
        let mut events = Vec::new();
        for (second, (id, name, fields)) in (0..).zip(commands) {
            let state = states.entry(*id).or_insert_with(|| bank.start(id));
            let now = 1_800_000_000_000 + second * 1_000;
            let by = Sender { actor: "ada".into(), now, random: now.into(), ..Sender::default() };
            let new =
                decide(bank, state.as_ref(), &Command::new(*name, fields.clone()).unwrap(), &by).unwrap();
            *state = state.clone().apply_all(&new).unwrap();
            events.extend(new);
        }
        events
    }

    /// Two accounts: a with 10, 20 and 30, b with nothing, opened between.
    fn history() -> Vec<Event> {
        let open = |id| (id, "Open", json!({"accountHolderId": id, "currency": "EUR"}));
        let deposit = |amount: i64| ("a", "Deposit", json!({"amount": amount, "transactionReference": "r"}));
        recorded(&[open("a"), deposit(10), open("b"), deposit(20), deposit(30)])
    }

    fn start() -> (Delivery, Projector) {
        (Delivery::new(history()), Projector::new(views::ACCOUNT_BALANCES))
    }

    fn run_to_the_end(delivery: &mut Delivery, to: &mut Projector) {
        while delivery.deliver_next(to).is_some() {}
        to.run(0, 100);
    }

    fn run_out_of_attempts(projector: &mut Projector) {
        for attempt in 0..ATTEMPTS {
            projector.run(u64::from(attempt) * RETRY_AFTER, 100);
        }
    }

    fn balance(projector: &Projector) -> Option<&Value> {
        projector.rows().get("a").map(|row| &row["balance"])
    }

    #[test]
    fn the_lag_counts_what_was_not_delivered_and_what_waits() {
        let (mut delivery, mut balances) = start();
        assert_eq!((delivery.lag(&balances).events, delivery.lag_in_time(&balances)), (5, 4_000));
        delivery.deliver_next(&mut balances);
        // It waits in the projector now: nothing has been seen yet.
        assert_eq!((delivery.lag(&balances).events, delivery.lag_in_time(&balances)), (5, 4_000));
        balances.run(0, 1);
        // The rows are as they were at the first event, four seconds before the last.
        assert_eq!((delivery.lag(&balances).events, delivery.lag_in_time(&balances)), (4, 4_000));
        delivery.deliver_next(&mut balances);
        balances.run(0, 1);
        assert_eq!((delivery.lag(&balances).events, delivery.lag_in_time(&balances)), (3, 3_000));
        run_to_the_end(&mut delivery, &mut balances);
        assert_eq!((delivery.lag(&balances), delivery.lag_in_time(&balances)), (Lag::default(), 0));
        assert_eq!((delivery.head(), balances.settled(), balance(&balances)), (5, 5, Some(&json!(60))));
    }

    #[test]
    fn an_event_before_its_turn_waits_for_the_one_that_was_held_back() {
        let (mut delivery, mut balances) = start();
        assert_eq!(delivery.deliver_next(&mut balances), Some(Arrival::Next));
        balances.run(0, 1);
        // The next of a is version 2; b's first event has no other before it.
        let (early, arrival) = delivery.deliver_early(&mut balances).unwrap();
        assert_eq!((early.version(), arrival), (3, Arrival::Waits(2)));
        assert_eq!(balances.step(0), None);
        let waiting: Vec<_> = balances.waiting().map(|wait| (wait.event.version(), wait.why)).collect();
        assert_eq!(waiting, [(3, Arrival::Waits(2))]);
        let fates: Vec<_> = (0..6).map_while(|index| Some(delivery.fate(index, &balances)?.1)).collect();
        assert_eq!(fates, [Fate::Applied, Fate::Coming, Fate::Coming, Fate::Waits, Fate::Coming]);
        // Again: the one after it.
        assert_eq!(delivery.deliver_early(&mut balances).unwrap().0.version(), 4);
        assert!(!delivery.can_be_early());
        assert_eq!(delivery.ahead(), 2);
        let coming: Vec<_> =
            delivery.coming().map(|event| (event.aggregate_id().to_owned(), event.version())).collect();
        assert_eq!(coming, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        run_to_the_end(&mut delivery, &mut balances);
        assert_eq!((balance(&balances), delivery.ahead()), (Some(&json!(60)), 0));
    }

    #[test]
    fn an_event_that_is_delivered_again_is_let_go() {
        let (mut delivery, mut balances) = start();
        assert_eq!(delivery.deliver_again(&mut balances), None);
        run_to_the_end(&mut delivery, &mut balances);
        let (event, arrival) = delivery.deliver_again(&mut balances).unwrap();
        assert_eq!((event.version(), arrival), (4, Arrival::LetGo));
        assert_eq!((balances.run(0, 100), balance(&balances)), (0, Some(&json!(60))));
    }

    #[test]
    fn a_poisoned_event_is_parked_and_a_cure_lets_a_rebuild_heal() {
        let (mut delivery, mut balances) = start();
        delivery.deliver_next(&mut balances);
        balances.run(0, 1);
        let poisoned = delivery.poison().unwrap().clone();
        assert_eq!((poisoned.version(), delivery.is_poisoned(&poisoned)), (2, true));
        assert_eq!(delivery.fate(1, &balances).unwrap().1, Fate::Poisoned);
        delivery.deliver_next(&mut balances);
        for attempt in 1..ATTEMPTS {
            let now = u64::from(attempt) * RETRY_AFTER;
            let Some(Tried::Failed { attempts, at, error, .. }) = balances.step(now) else {
                panic!("attempt {attempt} did not fail")
            };
            assert_eq!((attempts, at), (attempt, now + RETRY_AFTER));
            assert!(error.contains("amount"), "{error}");
            assert_eq!(balances.waiting().next().unwrap().failing, Some((attempt, at)));
            assert_eq!(balances.step(now), None, "its time has not come");
        }
        assert_eq!(balances.step(u64::MAX), Some(Tried::Parked(poisoned)));
        run_to_the_end(&mut delivery, &mut balances);
        assert_eq!(balance(&balances), Some(&json!(50)), "the rest went on");
        assert_eq!(delivery.fate(1, &balances).unwrap().1, Fate::Parked);

        // With the poison in it a new generation parks it too, and a retry fails.
        assert!(balances.retry(0).is_err());
        delivery.rebuild(&mut balances);
        while delivery.replay_next(&mut balances) {}
        run_out_of_attempts(&mut balances);
        assert_eq!(balances.rebuilt().map(|(settled, dead)| (settled, dead.len())), Some((5, 1)));

        assert!(delivery.cure(&mut balances, 0));
        assert!(!delivery.cure(&mut balances, 0), "there is no poison left");
        delivery.rebuild(&mut balances);
        assert_eq!((delivery.to_replay(), balances.swap()), (5, Err(5)));
        while delivery.replay_next(&mut balances) {}
        balances.run(0, 100);
        assert_eq!((balances.swap(), balance(&balances)), (Ok(()), Some(&json!(60))));
        assert_eq!(balances.dead_letters(), []);
    }

    /// All is delivered, and the second event is a dead letter.
    fn with_a_letter() -> (Delivery, Projector) {
        let (mut delivery, mut balances) = start();
        delivery.deliver_next(&mut balances);
        balances.run(0, 1);
        delivery.poison();
        while delivery.deliver_next(&mut balances).is_some() {}
        run_out_of_attempts(&mut balances);
        (delivery, balances)
    }

    #[test]
    fn a_cured_letter_can_be_tried_again() {
        let (mut delivery, mut balances) = with_a_letter();
        assert!(delivery.cure(&mut balances, 0));
        assert_eq!((balances.retry(0), balance(&balances)), (Ok(()), Some(&json!(60))));
    }

    #[test]
    fn a_letter_that_is_given_up_was_not_applied() {
        let (mut delivery, mut balances) = with_a_letter();
        assert_eq!((balances.given_up(), delivery.fate(1, &balances).unwrap().1), (0, Fate::Parked));
        assert!(balances.skip(0).is_some());
        assert_eq!((balances.given_up(), balances.dead_letters().len()), (1, 0));
        let fates: Vec<_> = (0..5).map(|index| delivery.fate(index, &balances).unwrap().1).collect();
        assert_eq!(fates, [Fate::Applied, Fate::GivenUp, Fate::Applied, Fate::Applied, Fate::Applied]);
        // A new generation gives nothing up by itself.
        delivery.rebuild(&mut balances);
        while delivery.replay_next(&mut balances) {}
        run_out_of_attempts(&mut balances);
        balances.swap().unwrap();
        assert_eq!((balances.given_up(), delivery.fate(1, &balances).unwrap().1), (0, Fate::Parked));
    }

    #[test]
    fn what_is_recorded_later_is_delivered_too() {
        let mut later = history();
        let last = later.pop().unwrap();
        let mut delivery = Delivery::new(later);
        let mut balances = Projector::new(views::ACCOUNT_BALANCES);
        run_to_the_end(&mut delivery, &mut balances);
        assert_eq!(delivery.poison(), None, "there is nothing to break");
        delivery.record(last);
        assert_eq!(delivery.lag(&balances).events, 1);
        run_to_the_end(&mut delivery, &mut balances);
        assert_eq!(balance(&balances), Some(&json!(60)));
        delivery.start_over();
        assert_eq!((delivery.ahead(), delivery.place()), (5, 0));
    }
}
