//! What the lab knows of the page: its streams, which one is open, and their events.

use crate::{
    host, link,
    route::{Route, SCREENS},
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

/// What every screen is given. Copying it copies handles.
#[derive(Clone, Copy)]
pub(crate) struct Lab {
    page: StoredValue<link::Page, LocalStorage>,
    /// The screen that the address names; empty where it is none of the lab's.
    pub(crate) screen: Memo<&'static str>,
    /// The address.
    pub(crate) route: RwSignal<Route>,
    /// Every stream of the page.
    pub(crate) streams: RwSignal<Arc<Vec<Stream>>>,
    /// The stream that is open on the page, and the version that is shown there.
    pub(crate) open: RwSignal<Option<Open>>,
}

/// A stream of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) aggregate: String,
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) version: u64,
    /// Whether commands made it here; it was imported where not.
    pub(crate) own: bool,
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
        on_cleanup(move || moved.remove());
        let lab = Self {
            page: StoredValue::new_local(page),
            screen: Memo::new(move |_| {
                let named = route.read();
                let screen = SCREENS.iter().find(|screen| screen.name == named.screen);
                screen.map_or("", |screen| screen.name)
            }),
            route,
            streams: RwSignal::default(),
            open: RwSignal::new(None),
        };
        let changed =
            move |what: String| if what == "open" { lab.look_what_is_open() } else { lab.look_at_streams() };
        let changed = Closure::<dyn Fn(String)>::new(changed).into_js_value();
        lab.page.with_value(|page| page.subscribe(changed.unchecked_ref()));
        lab
    }

    fn look_at_streams(self) {
        let streams = self.page.with_value(link::Page::streams);
        let streams: Value = serde_json::from_str(&streams).unwrap_or_default();
        let streams = streams.as_array().into_iter().flatten().map(|stream| Stream {
            aggregate: text(stream, "aggregate"),
            id: text(stream, "id"),
            label: text(stream, "label"),
            version: number(stream, "version"),
            own: stream.get("own") == Some(&Value::Bool(true)),
        });
        let streams: Vec<_> = streams.collect();
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
        const BUSY: f64 = 10.0;
        let mut import = Import::new();
        let mut since = host::stopwatch();
        for number in 0.. {
            let Some(part) = self.page.with_value(|page| page.part(number)) else { break };
            for piece in part.to_vec().chunks(16 << 10) {
                import.push(piece);
                if host::stopwatch() - since > BUSY {
                    tell(import.events());
                    host::pause(0).await;
                    since = host::stopwatch();
                }
            }
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

    /// Gives the page events to import, as NDJSON.
    pub(crate) fn import(self, name: &str, ndjson: &str) {
        self.page.with_value(|page| page.import(name, ndjson));
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}
