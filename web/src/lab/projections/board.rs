//! The read models at work, behind the screen: they stay as they are while another screen is shown.

use crate::{
    format::{count, short_id, span},
    host,
    page::{Lab, Stream},
};
use leptos::prelude::GetUntracked;
use rewound_core::{
    delivery::{Delivery, Fate},
    event::Event,
    projection::{Arrival, BATCH, Projection, Projector, Tried},
    time::Millis,
    views,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
};

/// How many events a read model leaves for a person to try things with.
const LEFT: usize = 4;
/// How many lines of what happened are kept.
const SAID: usize = 6;
/// How many streams may change at once before everything is read anew.
const FEW: usize = 20;
/// How many events of the log are drawn.
const DRAWN: usize = 24;

thread_local! {
    static BOARD: RefCell<Board> = RefCell::default();
    /// Whether somebody reads for the board: one at a time, also where the screen was left and opened again meanwhile.
    static IS_READ: Cell<bool> = const { Cell::new(false) };
}

/// Every read model, and what is known of the page's streams.
#[derive(Default)]
pub(super) struct Board {
    pub(super) cards: Vec<Card>,
    /// The version of each stream that the cards have heard of.
    known: HashMap<Place, u64>,
    /// The version of each stream in the page's list when it was looked at last.
    listed: HashMap<Place, u64>,
}

/// A stream's kind and its id.
type Place = (String, String);

/// A read model at work.
pub(super) struct Card {
    pub(super) projector: Projector,
    pub(super) delivery: Delivery,
    /// How many events are left when it pauses by itself; none where it goes on.
    leave: Option<usize>,
    said: VecDeque<String>,
    /// How many messages there were.
    messages: usize,
    parked: usize,
}

/// Looks at the board, or changes it.
pub(super) fn with<T>(act: impl FnOnce(&mut Board) -> T) -> T {
    BOARD.with_borrow_mut(act)
}

/// Looks at a card, or changes it.
pub(super) fn card<T>(number: usize, act: impl FnOnce(&mut Card) -> T) -> Option<T> {
    with(|board| board.cards.get_mut(number).map(act))
}

/// Brings the board what the page recorded since it looked last. `tell` hears how many events were read so far while
/// everything is read anew.
pub(super) async fn catch_up(lab: Lab, tell: impl Fn(usize)) {
    while IS_READ.replace(true) {
        host::pause(20).await;
    }
    bring(lab, tell).await;
    IS_READ.set(false);
}

async fn bring(lab: Lab, tell: impl Fn(usize)) {
    let streams = lab.streams.get_untracked();
    let mut now: HashMap<Place, &Stream> = HashMap::new();
    for stream in streams.iter() {
        now.entry((stream.aggregate.clone(), stream.id.clone())).or_insert(stream);
    }
    let listed: HashMap<Place, u64> =
        now.iter().map(|(place, stream)| (place.clone(), stream.version)).collect();
    let (changed, is_new) = with(|board| {
        let grown =
            |(place, version): &(&Place, &u64)| board.known.get(*place).copied().unwrap_or(0) < **version;
        let changed: Vec<Place> = listed.iter().filter(grown).map(|(place, _)| place.clone()).collect();
        let kept = |(place, version): (&Place, &u64)| listed.get(place).is_some_and(|now| now >= version);
        let is_new = board.cards.is_empty() || changed.len() > FEW || !board.listed.iter().all(kept);
        (changed, is_new)
    });
    if is_new {
        let (cards, held) = read_all(lab, tell).await;
        // What was recorded while it was read is in what was read: its cards have heard of it.
        let mut known = listed.clone();
        for (place, version) in held {
            let known = known.entry(place).or_default();
            *known = version.max(*known);
        }
        with(|board| *board = Board { cards, known, listed });
        return;
    }
    let mut events: Vec<Event> = Vec::new();
    let mut heard = listed.clone();
    for place in changed {
        let known = with(|board| board.known.get(&place).copied().unwrap_or(0));
        let timeline = lab.timeline(&place.0, &place.1);
        events.extend(timeline.events().iter().filter(|event| event.version() > known).cloned());
        let heard = heard.entry(place).or_default();
        *heard = timeline.len().max(*heard);
    }
    events.sort_by_key(Event::id);
    with(|board| {
        for event in events {
            let following =
                board.cards.iter_mut().find(|card| card.projection().aggregate == event.aggregate());
            if let Some(card) = following {
                card.say(format!("{} was recorded.", named(&event)));
                card.delivery.record(event);
            }
        }
        for (place, version) in heard {
            let known = board.known.entry(place).or_default();
            *known = version.max(*known);
        }
        board.listed = listed;
    });
}

/// The cards with all that the page has, and the version of each stream there.
async fn read_all(lab: Lab, tell: impl Fn(usize)) -> (Vec<Card>, Vec<(Place, u64)>) {
    let log = lab.history(&tell).await;
    let mut logs: BTreeMap<&'static str, BTreeMap<_, Event>> = BTreeMap::new();
    let mut since = host::stopwatch();
    let mut held = Vec::new();
    for stream in log.streams() {
        let version = stream.events().last().map_or(0, Event::version);
        held.push(((stream.aggregate_name().to_owned(), stream.aggregate_id().to_owned()), version));
        let Some(view) = views::ALL.iter().find(|view| view.aggregate == stream.aggregate_name()) else {
            continue;
        };
        let log = logs.entry(view.aggregate).or_default();
        for event in stream.events() {
            log.insert((event.id(), event.version()), event.clone());
        }
        since = host::breathe(since).await;
    }
    let card = |view: &Projection| {
        let log = logs.remove(view.aggregate).unwrap_or_default();
        Card::new(*view, log.into_values().collect())
    };
    (views::ALL.iter().map(card).collect(), held)
}

impl Card {
    fn new(projection: Projection, log: Vec<Event>) -> Self {
        let leave = LEFT.min(log.len() / 2);
        Self {
            projector: Projector::new(projection),
            delivery: Delivery::new(log),
            leave: Some(leave),
            said: VecDeque::new(),
            messages: 0,
            parked: 0,
        }
    }

    pub(super) fn projection(&self) -> Projection {
        *self.projector.projection()
    }

    /// Works for a while, and says whether there is more to do at once.
    pub(super) fn work(&mut self, now: Millis, is_over: impl Fn() -> bool) -> bool {
        loop {
            let before = (self.projector.settled(), self.projector.rebuilt().map(|(settled, _)| settled));
            let mut more = false;
            if !self.projector.is_paused() {
                for _ in 0..BATCH {
                    let is_enough = self.leave.is_some_and(|leave| self.delivery.ahead() <= leave);
                    if is_enough || self.delivery.deliver_next(&mut self.projector).is_none() {
                        break;
                    }
                    more = true;
                }
            }
            for _ in 0..BATCH {
                more |= self.delivery.replay_next(&mut self.projector);
            }
            self.projector.run(now, BATCH);
            let after = (self.projector.settled(), self.projector.rebuilt().map(|(settled, _)| settled));
            more |= before != after;
            if !more || is_over() {
                self.look_around(more);
                return more;
            }
        }
    }

    /// Says what came of the work.
    fn look_around(&mut self, more: bool) {
        let letters = self.projector.dead_letters();
        let new: Vec<_> = letters.iter().skip(self.parked).map(|letter| parked(&letter.event)).collect();
        self.parked = letters.len();
        new.into_iter().for_each(|text| self.say(text));
        if let Some(leave) = self.leave.filter(|_| !more) {
            self.leave = None;
            if leave > 0 {
                self.projector.pause();
                let events = count(leave, "event");
                self.say(format!("Paused {events} before the end, for you to try what follows."));
            }
        }
    }

    fn say(&mut self, text: String) {
        self.messages += 1;
        self.said.push_front(text);
        self.said.truncate(SAID);
    }

    pub(super) fn pause_or_resume(&mut self) {
        self.leave = None;
        if self.projector.is_paused() {
            self.projector.resume();
            self.say(match self.delivery.lag(&self.projector).events {
                0 => "Resumed: it follows what is recorded.".to_owned(),
                events => format!("Resumed: {} to catch up on.", count(events as usize, "event")),
            });
        } else {
            self.projector.pause();
            self.say("Paused: what is recorded now waits.".to_owned());
        }
    }

    /// Applies one event: what is due, or else the next one.
    pub(super) fn step(&mut self, now: Millis) {
        self.leave = None;
        self.projector.pause();
        let mut tried = self.projector.step(now);
        if tried.is_none() {
            let coming = self.delivery.coming().next().cloned();
            let arrival = self.delivery.deliver_next(&mut self.projector);
            if let (Some(event), Some(Arrival::Waits(version))) = (coming, arrival) {
                return self.say(format!("{} waits for version {version}.", named(&event)));
            }
            tried = self.projector.step(now);
        }
        let text = match tried {
            Some(Tried::Applied(event)) => format!("Applied {}.", named(&event)),
            Some(Tried::Failed { event, error, attempts, .. }) => {
                format!("{} failed, attempt {attempts}: {error}. It is tried again in a second.", named(&event))
            }
            Some(Tried::Parked(event)) => {
                self.parked = self.projector.dead_letters().len();
                parked(&event)
            }
            None => match self.projector.waiting().find_map(|wait| wait.failing) {
                Some((_, at)) => {
                    format!("Nothing is due: the failing event is tried again in {}.", span(at.saturating_sub(now)))
                }
                None => "Every event was applied: there is nothing to step to. Start over, or send a command on Streams.".to_owned(),
            },
        };
        self.say(text);
    }

    pub(super) fn start_over(&mut self) {
        self.projector = Projector::new(self.projection());
        self.projector.pause();
        self.delivery.start_over();
        (self.leave, self.parked) = (None, 0);
        self.say("Started over: paused before the first event.".to_owned());
    }

    pub(super) fn deliver_again(&mut self) {
        let text = match self.delivery.deliver_again(&mut self.projector) {
            Some((event, Arrival::LetGo)) => {
                format!("{} was delivered again and let go: it takes effect once.", named(&event))
            }
            Some((event, _)) => format!("{} was delivered again, and waits.", named(&event)),
            None => "Nothing was delivered yet that could come twice: step first.".to_owned(),
        };
        self.say(text);
    }

    pub(super) fn deliver_early(&mut self) {
        let text = match self.delivery.deliver_early(&mut self.projector) {
            Some((event, Arrival::Waits(version))) => format!(
                "{} was delivered before version {version}, which is held back: it waits. Step delivers version {version}, and then both are applied in order.",
                named(&event)
            ),
            Some((event, _)) => format!("{} was delivered early.", named(&event)),
            None => "No two events of one stream are still to come: start over, and there are.".to_owned(),
        };
        self.say(text);
    }

    pub(super) fn poison(&mut self) {
        let found = self.delivery.poison().map(named);
        self.say(match found {
            Some(event) if self.projector.is_paused() => {
                format!("{event} was broken on its way. Step or resume to see it fail.")
            }
            Some(event) => format!("{event} was broken on its way."),
            None => "No event with fields of its own is still to come: start over, or pause and send a command on Streams.".to_owned(),
        });
    }

    pub(super) fn retry(&mut self, letter: usize) {
        let Some(event) = self.projector.dead_letters().get(letter).map(|letter| named(&letter.event)) else {
            return;
        };
        let text = match self.projector.retry(letter) {
            Ok(()) => format!("{event} was applied at last, after those that came behind it."),
            Err(error) => format!("{event} failed again: {error}. Repair it first."),
        };
        self.parked = self.projector.dead_letters().len();
        self.say(text);
    }

    pub(super) fn skip(&mut self, letter: usize) {
        if let Some(letter) = self.projector.skip(letter) {
            self.parked = self.projector.dead_letters().len();
            self.say(format!("{} was given up: the rows go without it.", named(&letter.event)));
        }
    }

    pub(super) fn repair(&mut self, letter: usize) {
        let Some(event) = self.projector.dead_letters().get(letter).map(|letter| named(&letter.event)) else {
            return;
        };
        let is_cured = self.delivery.cure(&mut self.projector, letter);
        self.say(if is_cured {
            format!(
                "{event} is as it was recorded again. Retry applies it now; a rebuild applies it in its turn."
            )
        } else {
            format!(
                "There is no poison in {event}: it is as it was recorded. A rebuild applies it in its turn."
            )
        });
    }

    pub(super) fn rebuild(&mut self) {
        self.delivery.rebuild(&mut self.projector);
        self.say("A new generation is being built beside the live one, which goes on answering.".to_owned());
    }

    pub(super) fn swap(&mut self) {
        let parked = self.projector.rebuilt().map_or(0, |(_, letters)| letters.len());
        let text = match (self.projector.rebuilt().is_some(), self.delivery.to_replay()) {
            (false, _) => "There is no new generation to swap in: rebuild first.".to_owned(),
            (true, 0) => match self.projector.swap() {
                Ok(()) => {
                    format!("Swapped: the new generation answers, with {}.", count(parked, "dead letter"))
                }
                Err(behind) => {
                    format!("Not yet: the new generation is {} behind.", count(behind as usize, "event"))
                }
            },
            (true, left) => format!("Not yet: {} are still to be replayed.", count(left, "event")),
        };
        self.parked = self.projector.dead_letters().len();
        self.say(text);
    }

    /// When it has something to do next, where it has to wait.
    pub(super) fn wakes_at(&self) -> Option<Millis> {
        let is_rebuilding = self.projector.rebuilt().is_some();
        self.projector.wakes_at().filter(|_| is_rebuilding || !self.projector.is_paused())
    }

    pub(super) fn face(&self, now: Millis) -> Face {
        let (projector, delivery) = (&self.projector, &self.delivery);
        let waiting = projector.waiting().map(|wait| {
            let what = match (wait.failing, wait.why) {
                (Some((attempts, at)), _) => {
                    format!("failed {}, tried again in {}", times(attempts), span(at.saturating_sub(now)))
                }
                (None, Arrival::Waits(version)) => format!("waits for version {version}"),
                (None, _) => "is next".to_owned(),
            };
            (named(wait.event), what)
        });
        let letters = projector.dead_letters().iter().map(|letter| Letter {
            event: named(&letter.event),
            error: letter.error.clone(),
            attempts: letter.attempts,
            is_poisoned: delivery.is_poisoned(&letter.event),
        });
        let start = delivery.place().saturating_sub(DRAWN * 2 / 3).min(delivery.head().saturating_sub(DRAWN));
        let drawn = (start..start + DRAWN).map_while(|index| delivery.fate(index, projector));
        let rebuild = projector.rebuilt().map(|(settled, letters)| Rebuild {
            settled,
            to_replay: delivery.to_replay(),
            // Counting needs every stream: it is for the end.
            behind: (delivery.to_replay() == 0).then(|| projector.rebuild_lag().unwrap_or(0)),
            parked: letters.len(),
        });
        Face {
            head: delivery.head(),
            settled: projector.settled(),
            lag: delivery.lag(projector).events,
            lag_in_time: delivery.lag_in_time(projector),
            is_paused: projector.is_paused(),
            is_failing: projector.waiting().any(|wait| wait.failing.is_some()),
            rows: projector.rows().len(),
            waiting: waiting.take(LEFT).collect(),
            letters: letters.collect(),
            given_up: projector.given_up(),
            drawn_from: start,
            drawn: drawn.map(|(event, fate)| (named(event), fate)).collect(),
            rebuild,
            said: self.said.iter().cloned().collect(),
            messages: self.messages,
        }
    }
}

/// What a card shows besides its rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Face {
    pub(super) head: usize,
    pub(super) settled: u64,
    pub(super) lag: u64,
    pub(super) lag_in_time: Millis,
    pub(super) is_paused: bool,
    pub(super) is_failing: bool,
    pub(super) rows: usize,
    /// Events that wait, and for what.
    pub(super) waiting: Vec<(String, String)>,
    pub(super) letters: Vec<Letter>,
    /// How many letters were given up.
    pub(super) given_up: usize,
    pub(super) drawn_from: usize,
    pub(super) drawn: Vec<(String, Fate)>,
    pub(super) rebuild: Option<Rebuild>,
    /// What happened, the last first.
    pub(super) said: Vec<String>,
    /// How many such messages there were.
    pub(super) messages: usize,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Letter {
    pub(super) event: String,
    pub(super) error: String,
    pub(super) attempts: u32,
    pub(super) is_poisoned: bool,
}

/// A generation that is being built.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rebuild {
    pub(super) settled: u64,
    pub(super) to_replay: usize,
    /// How many events it is behind the live one, once everything was replayed.
    pub(super) behind: Option<u64>,
    pub(super) parked: usize,
}

/// An event in words.
fn named(event: &Event) -> String {
    format!("{}, version {} of {}", event.name(), event.version(), short_id(event.aggregate_id()))
}

fn parked(event: &Event) -> String {
    format!("{} was parked as a dead letter; the rest goes on.", named(event))
}

fn times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}
