//! What the lab knows of the page: its streams, which one is open, and their events.

use crate::{
    host, link, live,
    route::{Route, SCREENS},
    what_if,
};
use leptos::{ev, prelude::*};
use rewound_core::{
    domains,
    import::{EventLog, Import},
    timeline::Timeline,
};
use serde_json::Value;
use std::sync::Arc;
use wasm_bindgen::{JsCast, prelude::Closure};
use wasm_bindgen_futures::spawn_local;

/// What every screen is given. Copying it copies handles.
#[derive(Clone, Copy)]
pub(crate) struct Lab {
    page: StoredValue<link::Page, LocalStorage>,
    /// How often the streams were looked at.
    looks: StoredValue<u32>,
    /// The screen that the address names, or named last.
    pub(crate) screen: Memo<&'static str>,
    /// The address.
    pub(crate) route: RwSignal<Route>,
    /// Every stream of the page.
    pub(crate) streams: RwSignal<Arc<Vec<Stream>>>,
    /// The stream that is open on the page, and the version that is shown there.
    pub(crate) open: RwSignal<Option<Open>>,
    /// How often everything was forgotten: each time the screens begin anew.
    pub(crate) begun: RwSignal<u32>,
}

/// A stream of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) aggregate: String,
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) version: u64,
    /// The number of the file that it was read from; none where commands made it here.
    pub(crate) file: Option<u64>,
}

/// What is open on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) aggregate: String,
    pub(crate) id: String,
    pub(crate) version: u64,
}

impl Lab {
    pub(crate) fn new(page: link::Page) -> Self {
        let route = RwSignal::new(Route::current());
        let moved = window_event_listener(ev::hashchange, move |_| route.set(Route::current()));
        let told = window_event_listener_untyped("moved", move |_| route.set(Route::current()));
        on_cleanup(move || {
            moved.remove();
            told.remove();
        });
        let lab = Self {
            page: StoredValue::new_local(page),
            looks: StoredValue::new(0),
            // An address that names none leaves one where one is, as the page does.
            screen: Memo::new(move |before| {
                let named = route.read();
                let screen = SCREENS.iter().find(|screen| screen.name == named.screen);
                screen.map_or(before.copied().unwrap_or_default(), |screen| screen.name)
            }),
            route,
            streams: RwSignal::default(),
            open: RwSignal::new(None),
            begun: RwSignal::new(0),
        };
        let changed = move |what: String| match what.as_str() {
            "open" => lab.look_what_is_open(),
            "over" => {
                what_if::forget();
                live::forget();
                lab.begun.update(|begun| *begun += 1);
            }
            _ => spawn_local(lab.look_at_streams()),
        };
        let changed = Closure::<dyn Fn(String)>::new(changed).into_js_value();
        lab.page.with_value(|page| page.subscribe(changed.unchecked_ref()));
        lab
    }

    /// Takes the streams over part by part, since there may be more than a frame has time for.
    async fn look_at_streams(self) {
        let turn = self.looks.try_update_value(|looks| {
            *looks += 1;
            *looks
        });
        let mut streams = Vec::new();
        let mut since = host::stopwatch();
        for part in 0.. {
            let part = self.page.with_value(|page| page.streams(part));
            let part: Value = serde_json::from_str(&part).unwrap_or_default();
            let Some(part) = part.as_array().filter(|part| !part.is_empty()) else { break };
            streams.extend(part.iter().map(|stream| Stream {
                aggregate: text(stream, "aggregate"),
                id: text(stream, "id"),
                label: text(stream, "label"),
                version: number(stream, "version"),
                file: stream.get("file").and_then(Value::as_u64),
            }));
            since = host::breathe(since).await;
            // Meanwhile they may have changed again, and somebody else looks.
            if self.looks.try_get_value() != turn {
                return;
            }
        }
        if **self.streams.read_untracked() != streams {
            self.streams.set(Arc::new(streams));
        }
    }

    fn look_what_is_open(self) {
        let open = self.page.with_value(link::Page::open);
        let open: Value = serde_json::from_str(&open).unwrap_or_default();
        let open = open.is_object().then(|| Open {
            aggregate: text(&open, "aggregate"),
            id: text(&open, "id"),
            version: number(&open, "version"),
        });
        if *self.open.read_untracked() != open {
            self.open.set(open);
        }
    }

    /// The timeline of a stream; an empty one where there is none.
    pub(crate) fn timeline(self, aggregate: &str, id: &str) -> Timeline {
        let bytes = self.page.with_value(|page| page.events(aggregate, id)).to_vec();
        let empty = || Timeline::empty(domains::for_log(aggregate), id);
        EventLog::from_bytes(&bytes).timeline(id).unwrap_or_else(empty)
    }

    /// All events of the page, stream by stream. The page may paint now and then meanwhile; `tell` hears how many
    /// were read.
    pub(crate) async fn history(self, tell: impl Fn(usize)) -> EventLog {
        let mut import = Import::new();
        let mut since = host::stopwatch();
        for number in 0.. {
            let Some(part) = self.page.with_value(|page| page.part(number)) else { break };
            for piece in part.to_vec().chunks(16 << 10) {
                import.push(piece);
                let now = host::breathe(since).await;
                if now != since {
                    tell(import.events());
                }
                since = now;
            }
        }
        while import.settle(250) {
            since = host::breathe(since).await;
        }
        import.finish()
    }

    /// What is wrong with the imported files, by file, line and message.
    pub(crate) fn problems(self) -> Vec<(String, u64, String)> {
        let problems = self.page.with_value(link::Page::problems);
        let problems: Value = serde_json::from_str(&problems).unwrap_or_default();
        let problems = problems.as_array().into_iter().flatten();
        problems.map(|each| (text(each, "file"), number(each, "line"), text(each, "message"))).collect()
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}
