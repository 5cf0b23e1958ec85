//! What the page gives the lab, and where on the playground one is.

use super::{App, sharing::SCENE};
use crate::{
    format,
    workspace::{Source, StreamKey, Summary},
};
use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use rewound_core::{event::Event, import::LineProblem};
use rewound_web::route::{Route, SCREENS, Screen};
use serde_json::json;
use std::{collections::HashMap, sync::Arc, time::Duration};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{File, FilePropertyBag};

/// How many streams make a part of what the lab asks for.
const PART: usize = 400;

/// A stream that the address names.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    aggregate: String,
    id: String,
    version: Option<u64>,
    /// Whether one from a file is meant before an own one.
    imported: bool,
}

impl App {
    /// Follows the address, and keeps it true. Where it names a place, that is where the visit begins.
    pub(super) fn follow_address(self) {
        let moved = window_event_listener(leptos::ev::hashchange, move |event| {
            // Each screen is found again as it was left.
            let old = event.old_url().split_once('#').map(|(_, old)| old.to_owned()).unwrap_or_default();
            let place = Route::parse(&old);
            if let Some(screen) = SCREENS.iter().find(|screen| screen.name == place.screen) {
                self.left_at.update(|left| drop(left.insert(screen.name, format!("#{old}"))));
            }
            self.go(&Route::current(), false);
        });
        on_cleanup(move || moved.remove());
        // Scrubbing would write it more often than a browser lets it.
        const REST: Duration = Duration::from_millis(300);
        Effect::new(move |waiting: Option<Option<TimeoutHandle>>| {
            if let Some(waiting) = waiting.flatten() {
                waiting.clear();
            }
            if self.screen.get() != SCREENS[0].name || self.wanted.read().is_some() {
                return None;
            }
            self.selected.track();
            self.version.track();
            let write = move || {
                if let Some(here) = untrack(|| self.here()) {
                    here.replace();
                }
            };
            set_timeout_with_handle(write, REST).ok()
        });
    }

    /// The address of the shown version of the open stream.
    pub(crate) fn here(self) -> Option<Route> {
        let version = self.version.get().to_string();
        let open = self.selected.read();
        let StreamKey { aggregate, id, .. } = open.as_ref()?;
        Some(Route::new(SCREENS[0].name, [aggregate, id, &version]))
    }

    /// Goes to a place. A stream that is not there yet is opened when its file was read; of those with the same id the
    /// last that came, where `imported` says so.
    pub(super) fn go(self, place: &Route, imported: bool) {
        if let (SCENE, [packed]) = (place.screen.as_str(), place.path.as_slice()) {
            return self.open_scene(packed.clone());
        }
        let Some(screen) = SCREENS.iter().find(|screen| screen.name == place.screen) else { return };
        if self.screen.get_untracked() != screen.name {
            self.screen.set(screen.name);
        }
        if let [aggregate, id, rest @ ..] = place.path.as_slice()
            && screen == &SCREENS[0]
        {
            let version = rest.first().and_then(|version| version.parse().ok());
            self.wanted.set(Some(Wanted { aggregate: aggregate.clone(), id: id.clone(), version, imported }));
            // Once every file was read, nothing more will come.
            if !self.open_wanted() && self.is_read.get_value() {
                self.give_up_wanted();
            }
        } else if screen == &SCREENS[0]
            && let Some(here) = untrack(|| self.here())
        {
            here.replace();
        }
    }

    /// The address of a screen, as it was left.
    pub(crate) fn way_to(self, screen: &'static Screen) -> String {
        let left = self.left_at.read();
        left.get(screen.name).cloned().unwrap_or_else(|| Route::new(screen.name, []).fragment())
    }

    /// Opens the stream that the address named, if it is there by now.
    pub(super) fn open_wanted(self) -> bool {
        let Some(wanted) = self.wanted.get_untracked() else { return false };
        let streams = self.streams.read_untracked();
        let is_it =
            |stream: &&Arc<Summary>| stream.key.aggregate == wanted.aggregate && stream.key.id == wanted.id;
        let found = if wanted.imported { streams.iter().rfind(is_it) } else { streams.iter().find(is_it) };
        let Some(key) = found.map(|stream| stream.key.clone()) else { return false };
        drop(streams);
        self.wanted.set(None);
        if self.selected.read_untracked().as_ref() != Some(&key) {
            self.open(key);
        }
        if let Some(version) = wanted.version {
            self.seek(version);
        }
        true
    }

    /// Says that the stream which the address named is nowhere, once everything was read.
    pub(super) fn give_up_wanted(self) {
        if let Some(Wanted { aggregate, id, .. }) = self.wanted.get_untracked() {
            self.wanted.set(None);
            self.missing.set(Some(format!(
                "The link names {} {id}, which this browser does not have. Import the file that holds it, and open the link again.",
                format::kind(&aggregate)
            )));
        }
    }

    /// What the lab is given: see [`rewound_web::link::Page`].
    pub(crate) fn for_the_lab(self) -> JsValue {
        let page = Object::new();
        let set = |name: &str, function: JsValue| {
            // An object that was just made takes anything.
            let _ = Reflect::set(&page, &name.into(), &function);
        };
        let text = |given: JsValue| given.as_string().unwrap_or_default();
        set("streams", answer(move |part, _| self.streams_as_json(number(&part)).into()));
        set("open", answer(move |_, _| self.open_as_json().into()));
        set("events", answer(move |aggregate, id| bytes(&self.lines_of(&text(aggregate), &text(id))).into()));
        let part = move |part: JsValue, _| {
            self.part(number(&part)).map_or(JsValue::UNDEFINED, |text| bytes(&text).into())
        };
        set("part", answer(part));
        set("problems", answer(move |_, _| self.problems_as_json().into()));
        let subscribe = move |changed: JsValue, _| {
            let changed: Function = changed.unchecked_into();
            // While the lab is out of sight it need not know.
            let tell = |changed: Function, what: &'static str, track: Box<dyn Fn()>| {
                Effect::new(move |_| {
                    if self.screen.get() != SCREENS[0].name {
                        track();
                        drop(changed.call1(&JsValue::UNDEFINED, &what.into()));
                    }
                });
            };
            let over = changed.clone();
            Effect::new(move |before: Option<u32>| {
                let now = self.epoch.get();
                if before.is_some_and(|before| before != now) {
                    drop(over.call1(&JsValue::UNDEFINED, &"over".into()));
                }
                now
            });
            tell(changed.clone(), "streams", Box::new(move || self.streams.track()));
            let track = move || {
                self.selected.track();
                self.version.track();
            };
            tell(changed, "open", Box::new(track));
            JsValue::UNDEFINED
        };
        set("subscribe", answer(subscribe));
        page.into()
    }

    /// The streams that others are given, each id once: of those with the same one that of the open stream's source, then
    /// the longest, then the first. Reckoned anew for the first part.
    fn distinct(self, part: usize) -> Arc<Vec<Arc<Summary>>> {
        if part == 0 {
            let streams = self.streams.get_untracked();
            let open = self.selected.get_untracked().map(|key| key.source);
            let rank = |stream: &Summary| (Some(stream.key.source) == open, stream.version);
            let mut best: HashMap<&str, usize> = HashMap::new();
            for (index, stream) in streams.iter().enumerate() {
                let known = best.entry(&stream.key.id).or_insert(index);
                if streams.get(*known).is_some_and(|known| rank(stream) > rank(known)) {
                    *known = index;
                }
            }
            let is_best =
                |(index, stream): &(usize, &Arc<Summary>)| best.get(stream.key.id.as_str()) == Some(index);
            let distinct =
                streams.iter().enumerate().filter(is_best).map(|(_, stream)| stream.clone()).collect();
            self.distinct.set_value(Arc::new(distinct));
        }
        self.distinct.get_value()
    }

    /// How many events and streams a file with everything holds.
    pub(crate) fn whole(self) -> (usize, usize) {
        let streams = self.distinct(0);
        let count = |key: &StreamKey| {
            let mut events = 0;
            self.workspace.with_value(|workspace| workspace.each_event(key, &mut |_: &Event| events += 1));
            events
        };
        (streams.iter().map(|stream| count(&stream.key)).sum(), streams.len())
    }

    fn streams_as_json(self, part: usize) -> String {
        let streams = self.distinct(part);
        let part = streams.iter().skip(part.saturating_mul(PART)).take(PART);
        let streams = part.map(|stream| {
            let file = match stream.key.source {
                Source::Own => None,
                Source::Log(number) => Some(number),
            };
            json!({
                "aggregate": stream.key.aggregate, "id": stream.key.id, "label": stream.label,
                "version": stream.version, "file": file,
            })
        });
        serde_json::Value::from_iter(streams).to_string()
    }

    fn open_as_json(self) -> String {
        let open = self.selected.get_untracked();
        let open = open.map(|key| {
            json!({ "aggregate": key.aggregate, "id": key.id, "version": self.version.get_untracked() })
        });
        open.unwrap_or_default().to_string()
    }

    /// The events of a stream, NDJSON.
    pub(crate) fn lines_of(self, aggregate: &str, id: &str) -> String {
        let streams = self.distinct(0);
        let found = streams.iter().find(|stream| stream.key.aggregate == aggregate && stream.key.id == id);
        let mut lines = String::new();
        if let Some(stream) = found {
            self.write_lines(&stream.key, &mut lines);
        }
        lines
    }

    pub(super) fn write_lines(self, key: &StreamKey, lines: &mut String) {
        self.workspace.with_value(|workspace| {
            workspace.each_event(key, &mut |event: &Event| {
                lines.push_str(event.as_json());
                lines.push('\n');
            });
        });
    }

    /// The n-th part of all events.
    pub(super) fn part(self, number: usize) -> Option<String> {
        let streams = self.distinct(number);
        let part = streams.get(number.checked_mul(PART)?..).filter(|part| !part.is_empty())?;
        let mut lines = String::new();
        for stream in part.iter().take(PART) {
            self.write_lines(&stream.key, &mut lines);
        }
        Some(lines)
    }

    fn problems_as_json(self) -> String {
        let problems = self.workspace.with_value(|workspace| {
            let all = workspace.logs().flat_map(|(_, log)| {
                let name = log.file.name();
                log.events.problems().iter().map(move |LineProblem { line, message }| {
                    json!({ "file": name, "line": line, "message": message })
                })
            });
            serde_json::Value::from_iter(all)
        });
        problems.to_string()
    }

    /// Reads text as if it were a file of that name.
    pub(crate) fn import_text(self, name: &str, text: &str) {
        let parts = Array::of1(&text.into());
        if let Ok(file) = File::new_with_str_sequence_and_options(&parts, name, &FilePropertyBag::new()) {
            self.import(vec![file]);
        }
    }
}

fn number(given: &JsValue) -> usize {
    given.as_f64().unwrap_or(0.0) as usize
}

fn bytes(text: &str) -> Uint8Array {
    Uint8Array::from(text.as_bytes())
}

/// A function of JavaScript with two arguments at the most.
fn answer(act: impl Fn(JsValue, JsValue) -> JsValue + 'static) -> JsValue {
    Closure::<dyn Fn(JsValue, JsValue) -> JsValue>::new(act).into_js_value()
}
