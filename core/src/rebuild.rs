//! Rows written anew after a reducer changed, as a state machine that asks for I/O and never does it.
//!
//! Until then every command on an aggregate whose row another reducer wrote replays its events. A rebuild replays each
//! aggregate of a kind once and puts its state in the place of its row, unless a command was quicker: then it looks
//! again. It can run beside live commands, and be run again where it was interrupted.
//!
//! ```
//! use rewound_core::{domains, rebuild::Rebuild, run::Step, store::{MemoryStore, Store}};
//! let mut store = MemoryStore::new();
//! let mut rebuild = Rebuild::new(domains::find("BankAccount").unwrap());
//! let mut reply = None;
//! let rows = loop {
//!     match rebuild.next(reply.take(), 42) {
//!         Step::Ask(request) => reply = Some(store.answer(&request)),
//!         Step::Wait(_milliseconds) => {}
//!         Step::Done(result) => break result.unwrap(),
//!     }
//! };
//! assert_eq!(rows, 0); // there were none
//! ```

use crate::{
    domain::Domain,
    error::{Error, Result},
    read::{Found, Question, Reading},
    run::{Options, Step, again, pause, unasked},
    store::{Answer, Cost, Reply, Request},
};

/// How many aggregates are listed at once.
const PAGE: usize = 100;

/// One rebuild on its way. See the [module](self).
#[derive(Debug)]
pub struct Rebuild {
    domain: &'static dyn Domain,
    /// The ids of the page in hand that are still to be done, the next one last.
    ids: Vec<String>,
    /// Where the next page begins; none after the last.
    next: Option<Option<String>>,
    doing: Doing,
    /// How often the row in hand was written without an answer.
    resent: u32,
    rows: u64,
    cost: Cost,
}

#[derive(Debug)]
enum Doing {
    Listing(Reading),
    Replaying(Reading),
    /// A row is being written.
    Writing,
}

impl Rebuild {
    /// A rebuild of every row of a kind of aggregate that has asked for nothing yet.
    pub fn new(domain: &'static dyn Domain) -> Self {
        let doing = Doing::Listing(list(domain, None));
        Self { domain, ids: Vec::new(), next: None, doing, resent: 0, rows: 0, cost: Cost::default() }
    }

    /// How many rows were written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What the rebuild has cost so far.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// What is needed next, given the reply to what was asked last; ends in how many rows were written. `random` are
    /// random bits, new ones each time.
    ///
    /// # Errors
    /// Events that do not reduce, and what [`Reading`] ends with.
    pub fn next(&mut self, mut reply: Option<Reply>, random: u128) -> Step<u64> {
        if let Some(reply) = &reply {
            self.cost += reply.cost;
        }
        loop {
            let step = match &mut self.doing {
                Doing::Listing(reading) | Doing::Replaying(reading) => reading.next(reply.take(), random),
                Doing::Writing => match reply.take().map(|reply| reply.result) {
                    Some(Ok(Answer::Committed)) => {
                        (self.rows, self.resent) = (self.rows + 1, 0);
                        self.ids.pop();
                        match self.go_on() {
                            Some(done) => return done,
                            None => continue,
                        }
                    }
                    outcome => {
                        let Options { resends, backoff, .. } = Options::default();
                        let tried = match outcome {
                            // Whether it was written is not known: the row says.
                            Some(Err(failure)) => again(failure, &mut self.resent, resends, false),
                            // Somebody was quicker. A row that never meets its events was not written with them.
                            _ => self.outrun(resends),
                        };
                        if let Err(error) = tried {
                            return Step::Done(Err(error));
                        }
                        self.replay();
                        return Step::Wait(pause(backoff, self.resent, random));
                    }
                },
            };
            match step {
                Step::Ask(request) => return Step::Ask(request),
                Step::Wait(time) => return Step::Wait(time),
                Step::Done(Err(error)) => return Step::Done(Err(error)),
                Step::Done(Ok(Found::List(page))) => {
                    self.ids = page.items.iter().rev().map(|meta| meta.id.to_string()).collect();
                    self.next = page.next.map(Some);
                    if let Some(done) = self.go_on() {
                        return done;
                    }
                }
                Step::Done(Ok(Found::State(snapshot))) => {
                    self.doing = Doing::Writing;
                    let aggregate = self.domain.name().to_owned();
                    return Step::Ask(Request::Rewrite { aggregate, snapshot: Box::new(snapshot) });
                }
                Step::Done(Ok(Found::Events(_))) => return Step::Done(Err(unasked())),
            }
        }
    }

    /// Counts that the row in hand was at another version than its events.
    fn outrun(&mut self, resends: u32) -> Result<()> {
        self.resent += 1;
        if self.resent <= resends {
            return Ok(());
        }
        let id = self.ids.last().map_or("", String::as_str);
        let message =
            format!("the row of {id} is at another version than its events: was one of the tables restored?");
        Err(Error::Store { message, retryable: false, uncertain: false })
    }

    fn replay(&mut self) {
        let id = self.ids.last().cloned().unwrap_or_default();
        self.doing = Doing::Replaying(Reading::new(Question::State { domain: self.domain, id }));
    }

    /// The next aggregate, or the next page; at the end, what the rebuild ends with.
    fn go_on(&mut self) -> Option<Step<u64>> {
        if !self.ids.is_empty() {
            self.replay();
            return None;
        }
        match self.next.take() {
            Some(cursor) => {
                self.doing = Doing::Listing(list(self.domain, cursor));
                None
            }
            None => Some(Step::Done(Ok(self.rows))),
        }
    }
}

fn list(domain: &'static dyn Domain, cursor: Option<String>) -> Reading {
    Reading::new(Question::List { aggregate: domain.name().to_owned(), cursor, limit: PAGE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Command, Sender},
        domains,
        run::{Options, run},
        store::{Failure, MemoryStore, Store},
    };
    use serde_json::json;

    fn accounts(count: usize) -> MemoryStore {
        let bank = domains::find("BankAccount").unwrap();
        let mut store = MemoryStore::with_snapshots(1);
        let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
        for n in 0..count {
            let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR"})).unwrap();
            run(&mut store, bank, &format!("a{n:03}"), open, &by, Options::default()).unwrap();
        }
        store
    }

    /// A store whose rows another reducer wrote; `meddle` may answer in its place.
    fn rebuilt(
        store: &mut MemoryStore,
        mut meddle: impl FnMut(&mut MemoryStore, &Request) -> Option<Reply>,
    ) -> (Vec<String>, Result<u64>) {
        let mut rebuild = Rebuild::new(domains::find("BankAccount").unwrap());
        let (mut reply, mut written) = (None, Vec::new());
        for _ in 0..10_000 {
            match rebuild.next(reply.take(), 7) {
                Step::Ask(request) => {
                    let mut answer = match meddle(store, &request) {
                        Some(reply) => reply,
                        None => store.answer(&request),
                    };
                    if let Ok(Answer::Loaded(loaded)) = &mut answer.result
                        && let Some(snapshot) = &mut loaded.snapshot
                    {
                        snapshot.fingerprint ^= 1;
                        snapshot.state.insert("balance".into(), 99.into());
                    }
                    if let (Request::Rewrite { snapshot, .. }, Ok(Answer::Committed)) =
                        (&request, &answer.result)
                    {
                        assert_eq!(snapshot.state["balance"], 0);
                        written.push(snapshot.meta.id.to_string());
                    }
                    reply = Some(answer);
                }
                Step::Wait(_) => {}
                Step::Done(result) => return (written, result),
            }
        }
        panic!("the rebuild does not end");
    }

    #[test]
    fn every_row_is_written_once_over_the_pages() {
        let mut store = accounts(PAGE * 2 + 3);
        let (written, rows) = rebuilt(&mut store, |_, _| None);
        let expected: Vec<String> = (0..PAGE * 2 + 3).map(|n| format!("a{n:03}")).collect();
        assert_eq!((written, rows), (expected, Ok(203)));
    }

    #[test]
    fn a_writer_who_was_quicker_is_looked_at_again() {
        let mut store = accounts(3);
        let mut times = 0;
        let (written, rows) = rebuilt(&mut store, |_, request| match request {
            Request::Rewrite { snapshot, .. } if &*snapshot.meta.id == "a001" && times < 2 => {
                times += 1;
                let lost = if times == 1 { Ok(Answer::Conflict(None)) } else { Err(Failure::Lost) };
                Some(Reply::one(lost))
            }
            _ => None,
        });
        assert_eq!((written.len(), rows, times), (3, Ok(3), 2));
    }

    #[test]
    fn a_row_that_never_meets_its_events_ends_it() {
        let mut store = accounts(2);
        let (written, rows) = rebuilt(&mut store, |_, request| match request {
            Request::Rewrite { snapshot, .. } if &*snapshot.meta.id == "a001" => {
                Some(Reply::one(Ok(Answer::Conflict(None))))
            }
            _ => None,
        });
        assert_eq!(written, ["a000"]);
        let Err(Error::Store { message, retryable: false, .. }) = rows else { panic!("{rows:?}") };
        assert!(message.contains("the row of a001"), "{message}");
    }

    #[test]
    fn a_store_that_refuses_ends_it() {
        let mut store = accounts(1);
        let (_, rows) = rebuilt(&mut store, |_, request| match request {
            Request::Rewrite { .. } => Some(Reply::one(Err(Failure::Refused("no".into())))),
            _ => None,
        });
        assert!(matches!(rows, Err(Error::Store { retryable: false, .. })), "{rows:?}");
    }
}
