//! A stream that is followed live, as server-sent events (HTML Living Standard, section 9.2).
//!
//! Every event is one message: its JSON as `data`, and a [`Cursor`] as `id`, which a client that was cut off sends back
//! as `Last-Event-ID`. The stream is asked again and again, since DynamoDB tells nobody; after so many times it ends by
//! itself, before the runtime ends it, and says when to come back.

use super::{Cursor, problem::Problem};
use crate::{
    read::{Found, Question, Reading},
    run::{Step, unasked},
    store::{PAGE, Reply, Request},
    time::Millis,
};

/// How long and how often a stream is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often the store is asked for what is new before the stream ends itself.
    pub polls: u32,
    /// The milliseconds between.
    pub pause: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        // A Worker may make 50 requests for one of its own on the smallest plan.
        Self { polls: 40, pause: 1_000 }
    }
}

/// What following needs next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Ask the store for this, and come back with its reply.
    Ask(Request),
    /// Wait so many milliseconds, and come back without one.
    Wait(Millis),
    /// Send this, and come back without one.
    Send(String),
    /// Send this; it is over.
    End(String),
}

/// A stream on its way to a client.
///
/// ```
/// use rewound_core::{http::{Cursor, live::{Limits, Live, Next}}, store::{MemoryStore, Store}};
/// let mut store = MemoryStore::new();
/// let limits = Limits { polls: 1, pause: 1_000 };
/// let mut live = Live::new("Order".into(), "o1".into(), Cursor::default(), limits);
/// let Next::Ask(request) = live.next(None, 42) else { panic!() };
/// // Nothing has happened to it, and once was as often as it was to be asked.
/// let end = live.next(Some(store.answer(&request)), 42);
/// assert_eq!(end, Next::End(": until later\nretry: 1000\n\n".into()));
/// ```
#[derive(Debug)]
pub struct Live {
    aggregate: String,
    id: String,
    cursor: Cursor,
    limits: Limits,
    /// How often the store was asked.
    polls: u32,
    reading: Option<Reading>,
    /// Whether it is to wait before the store is asked again.
    is_to_wait: bool,
}

/// What is sent where nothing is new: nobody in between takes the connection for dead then, and only who sends learns
/// that nobody reads any more.
const NOTHING: &str = ":\n\n";

impl Live {
    /// The events of a stream behind a cursor.
    pub fn new(aggregate: String, id: String, cursor: Cursor, limits: Limits) -> Self {
        Self { aggregate, id, cursor, limits, polls: 0, reading: None, is_to_wait: false }
    }

    /// What is needed next, given the reply to what was asked last. `random` are random bits, new ones each time.
    pub fn next(&mut self, reply: Option<Reply>, random: u128) -> Next {
        if std::mem::take(&mut self.is_to_wait) {
            return Next::Wait(self.limits.pause);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                self.polls += 1;
                let cursor = self.cursor.place.clone();
                let (aggregate, id) = (self.aggregate.clone(), self.id.clone());
                Reading::new(Question::Events {
                    aggregate,
                    id,
                    after: self.cursor.after,
                    cursor,
                    limit: PAGE,
                })
            }
        };
        match reading.next(reply, random) {
            Step::Ask(request) => {
                self.reading = Some(reading);
                Next::Ask(request)
            }
            Step::Wait(time) => {
                self.reading = Some(reading);
                Next::Wait(time)
            }
            Step::Done(Ok(Found::Events(page))) => {
                let mut text = String::new();
                for event in &page.items {
                    self.cursor = Cursor::behind(event);
                    // A line break between two tokens would end the message.
                    let data = event.as_json().replace(['\r', '\n'], " ");
                    text += &format!("id: {}\ndata: {data}\n\n", self.cursor);
                }
                if page.items.is_empty() && page.next.is_some() {
                    // It was looked for so far.
                    self.cursor.place.clone_from(&page.next);
                }
                self.sent(text, page.next.is_some())
            }
            Step::Done(result) => {
                let problem = Problem::from(result.err().unwrap_or_else(unasked)).answer().body;
                Next::End(format!("event: problem\ndata: {problem}\nretry: {}\n\n", self.limits.pause))
            }
        }
    }

    fn sent(&mut self, text: String, more: bool) -> Next {
        if self.polls >= self.limits.polls {
            return Next::End(format!("{text}: until later\nretry: {}\n\n", self.limits.pause));
        }
        self.is_to_wait = !more;
        Next::Send(if text.is_empty() { NOTHING.to_owned() } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Command, Sender},
        domains,
        event::Event,
        run::run,
        store::{Failure, MemoryStore, Store},
    };
    use serde_json::json;

    fn deposit(store: &mut MemoryStore, number: u64) {
        let (name, fields) = match number {
            1 => ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
            _ => ("Deposit", json!({"amount": 5, "transactionReference": "r"})),
        };
        let by = Sender { actor: "ada".into(), now: 1_000 * number, ..Sender::default() };
        let command = Command::new(name, fields).unwrap();
        run(store, domains::find("BankAccount").unwrap(), "a", command, &by, Default::default()).unwrap();
    }

    /// The versions in what was sent, and the ids.
    fn read(text: &str) -> Vec<(u64, String)> {
        let messages = text.split("\n\n").filter(|message| message.starts_with("id: "));
        messages
            .map(|message| {
                let (id, data) = message.split_once("\ndata: ").unwrap();
                (Event::parse(data).unwrap().version(), id.trim_start_matches("id: ").to_owned())
            })
            .collect()
    }

    fn live(cursor: Cursor, polls: u32) -> Live {
        Live::new("BankAccount".into(), "a".into(), cursor, Limits { polls, pause: 7 })
    }

    #[test]
    fn events_come_once_each_as_they_happen_and_a_client_goes_on_where_it_was() {
        let mut store = MemoryStore::new();
        (1..=3).for_each(|number| deposit(&mut store, number));
        let mut follow = live(Cursor::default(), 4);
        let (mut reply, mut sent, mut number) = (None, String::new(), 3);
        let end = loop {
            match follow.next(reply.take(), 1) {
                Next::Ask(request) => reply = Some(store.answer(&request)),
                Next::Wait(time) => {
                    assert_eq!(time, 7);
                    number += 1;
                    deposit(&mut store, number);
                }
                Next::Send(text) => sent += &text,
                Next::End(text) => break sent + &text,
            }
        };
        assert!(end.ends_with(": until later\nretry: 7\n\n"), "{end}");
        let messages = read(&end);
        assert_eq!(messages.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);

        let cursor = Cursor::read(&messages[1].1).unwrap();
        let mut again = live(cursor, 1);
        let Next::Ask(request) = again.next(None, 1) else { panic!() };
        let Next::End(rest) = again.next(Some(store.answer(&request)), 1) else { panic!() };
        assert_eq!(read(&rest), messages[2..]);
    }

    #[test]
    fn a_store_that_fails_for_good_ends_it_with_the_reason() {
        let mut follow = live(Cursor::default(), 9);
        let Next::Ask(_) = follow.next(None, 1) else { panic!() };
        let Next::End(text) = follow.next(Some(Reply::one(Err(Failure::Refused("arn:aws".into())))), 1)
        else {
            panic!()
        };
        assert!(
            text.starts_with("event: problem\ndata: {\"type\":\"urn:rewound:problem:store-refused\""),
            "{text}"
        );
        assert!(!text.contains("arn:aws"));
    }

    #[test]
    fn a_quiet_stream_says_each_time_that_it_lives_and_waits() {
        let mut store = MemoryStore::new();
        let mut follow = live(Cursor::default(), 25);
        let (mut reply, mut said, mut waits) = (None, 0, 0);
        loop {
            match follow.next(reply.take(), 1) {
                Next::Ask(request) => reply = Some(store.answer(&request)),
                Next::Wait(time) => waits += usize::from(time == 7),
                Next::Send(text) => said += usize::from(text == NOTHING),
                Next::End(_) => break,
            }
        }
        assert_eq!((said, waits), (24, 24));
    }
}
