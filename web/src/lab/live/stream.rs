//! A stream that is followed live: what is known of it, and how the line to the edge is.

use super::client::{Client, Trouble};
use crate::host;
use leptos::prelude::*;
use rewound_core::{domains, event::Event, http::path, time::Millis, timeline::Timeline};
use serde_json::Value;
use std::collections::BTreeSet;
use wasm_bindgen_futures::spawn_local;
use web_sys::AbortController;

/// The longest wait between two attempts to come back, in milliseconds.
const LONGEST_WAIT: Millis = 8_000;

/// How the line is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// It is asked for.
    Calling,
    /// Events arrive as they happen.
    Open,
    /// It was cut off, and is asked for again in so many milliseconds.
    Waits(Trouble, Millis),
    /// It will not be asked for again.
    Over(Trouble),
}

/// The stream that is followed. Copying it copies handles.
#[derive(Clone, Copy)]
pub(super) struct Followed {
    /// Which one it is: its kind and its id.
    pub(super) key: StoredValue<(String, String)>,
    pub(super) timeline: RwSignal<Timeline, LocalStorage>,
    /// How many events have arrived.
    pub(super) length: Memo<u64>,
    /// The version at which the view is held, while it is.
    pub(super) held: RwSignal<Option<u64>>,
    /// The version that is shown.
    pub(super) shown: Memo<u64>,
    pub(super) line: RwSignal<Line>,
    /// An event that does not follow from those before it.
    pub(super) broken: RwSignal<Option<String>>,
    /// The version at which it was when it was opened, once that is known.
    pub(super) base: RwSignal<Option<u64>>,
    /// The ids of the events that commands of this window recorded.
    pub(super) own: RwSignal<BTreeSet<String>>,
}

impl Followed {
    /// Follows a stream until its owner is gone.
    pub(super) fn new(client: Client, aggregate: &str, id: &str, own: RwSignal<BTreeSet<String>>) -> Self {
        let timeline = RwSignal::new_local(Timeline::empty(domains::for_log(aggregate), id));
        let held = RwSignal::new(None);
        let length = Memo::new(move |_| timeline.with(Timeline::len));
        let followed = Self {
            key: StoredValue::new((aggregate.to_owned(), id.to_owned())),
            timeline,
            length,
            held,
            shown: Memo::new(move |_| held.get().unwrap_or_else(|| length.get())),
            line: RwSignal::new(Line::Calling),
            broken: RwSignal::new(None),
            base: RwSignal::new(None),
            own,
        };
        let (asker, place) = (client.clone(), path(&["aggregates", aggregate, id]));
        spawn_local(async move {
            let version = match asker.get(&place, None).await {
                Ok(reply) => reply.etag.and_then(|tag| tag.trim_matches(['W', '/', '"']).parse().ok()),
                Err(Trouble::Problem(reply)) if reply.status == 404 => Some(0),
                Err(_) => None,
            };
            followed.base.try_set(version);
        });
        if let Ok(abort) = AbortController::new() {
            let stop = StoredValue::new_local(abort.clone());
            on_cleanup(move || {
                stop.try_with_value(AbortController::abort);
            });
            spawn_local(follow(followed, client, abort));
        }
        followed
    }

    /// Takes in what a message brought. What arrived before is not taken twice.
    fn take(self, data: &str) {
        match Event::parse(data) {
            Ok(event) if event.version() <= self.length.try_get_untracked().unwrap_or(0) => {}
            Ok(event) => {
                let mut wrong = None;
                self.timeline.try_update(|timeline| wrong = timeline.push(event).err());
                if let Some(error) = wrong {
                    self.broken.try_set(Some(error.to_string()));
                }
            }
            Err(issue) => {
                self.broken.try_set(Some(issue.to_string()));
            }
        }
    }

    /// Whether an event was recorded by a command of this window.
    pub(super) fn is_own(self, event: &Event) -> bool {
        self.own.read().contains(&event.id().to_string())
    }
}

async fn follow(followed: Followed, client: Client, abort: AbortController) {
    let signal = abort.signal();
    let (Some((aggregate, id)), mut cursor, mut failures) =
        (followed.key.try_get_value(), String::new(), 0_u64)
    else {
        return;
    };
    while !signal.aborted() {
        let mut wait = 1_000;
        let came = match client.follow(&aggregate, &id, &cursor, &signal).await {
            Err(trouble) => Err(trouble),
            Ok(mut stream) => {
                followed.line.try_set(Line::Open);
                failures = 0;
                let ended = loop {
                    match stream.next().await {
                        Err(trouble) => break Err(trouble),
                        Ok(None) => break Ok(()),
                        Ok(Some(messages)) => {
                            for message in messages {
                                match message.event.as_str() {
                                    "" | "message" => followed.take(&message.data),
                                    _ => {
                                        let said: Value =
                                            serde_json::from_str(&message.data).unwrap_or_default();
                                        let said =
                                            said.get("detail").and_then(Value::as_str).map(str::to_owned);
                                        followed.broken.try_set(Some(said.unwrap_or(message.data)));
                                    }
                                }
                                cursor = message.id;
                            }
                        }
                    }
                };
                wait = stream.retry();
                ended
            }
        };
        if signal.aborted() {
            return;
        }
        if let Err(trouble) = came {
            // What it said no to it will say no to again.
            if trouble.reply().is_some_and(|reply| (400..500).contains(&reply.status)) {
                followed.line.try_set(Line::Over(trouble));
                return;
            }
            failures += 1;
            wait = (wait * failures).min(LONGEST_WAIT);
            followed.line.try_set(Line::Waits(trouble, wait));
        }
        host::pause(i32::try_from(wait).unwrap_or(1_000)).await;
    }
}
