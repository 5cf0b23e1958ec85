//! What is given away: a link that holds the whole scene, and files with every event. Nothing is sent anywhere.

use super::App;
use crate::{
    demo, host,
    workspace::{Source, StreamKey, Summary},
};
use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use rewound_core::{import::EventLog, store::MemoryStore};
use rewound_web::{
    link,
    route::{Route, SCREENS},
};
use serde_json::{Value, json};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

/// The most characters of a link: more are cut off here and there on their way.
pub(crate) const LONGEST: usize = 2_000;
/// The most bytes that a link is unpacked to.
const MOST: u32 = 16 << 20;
/// The name of the place that such a link names.
pub(super) const SCENE: &str = "scene";

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Format {
    /// An event a line.
    Ndjson,
    /// As DynamoDB exports a table to S3, compressed.
    DynamoDb,
}

impl App {
    /// A link that holds the scene: what commands made here beyond the demo, the open stream, and where one is. None where
    /// it would be too long.
    ///
    /// # Errors
    /// What the browser says that cannot compress.
    pub(crate) async fn scene_link(self) -> Result<Option<String>, String> {
        let scene =
            json!({ "at": self.place_now().fragment(), "events": self.scene_events(true) }).to_string();
        let address = window().location();
        let base = address.href().unwrap_or_default();
        let base = base.split('#').next().unwrap_or_default().to_owned();
        let base = format!("{base}#/{SCENE}/");
        let room = LONGEST.saturating_sub(base.len()) as u32;
        let packed = link::pack(&scene, room).await.map_err(|error| host::said(&error))?;
        Ok(packed.as_string().map(|packed| base + &packed))
    }

    /// Where one is: on the lab's screens the address says it best.
    fn place_now(self) -> Route {
        let here = untrack(|| self.here()).filter(|_| self.screen.get_untracked() == SCREENS[0].name);
        here.unwrap_or_else(Route::current)
    }

    /// The events of the scene, NDJSON: those of own streams, without the demo's where that is known, and those of an open
    /// file's stream.
    fn scene_events(self, demo_is_known: bool) -> String {
        let mut demo = MemoryStore::new();
        if demo_is_known {
            demo::tell(&mut demo);
        }
        let mut lines = String::new();
        self.workspace.with_value(|workspace| {
            for (aggregate, id, stored) in workspace.journal.memory().streams() {
                let known = demo.stream(aggregate, id).map_or(&[][..], |stored| &stored.events);
                let is_known = stored.events.get(..known.len()) == Some(known);
                for event in stored.events.iter().skip(if is_known { known.len() } else { 0 }) {
                    lines.push_str(event.as_json());
                    lines.push('\n');
                }
            }
        });
        if let Some(key @ StreamKey { source: Source::Log(_), .. }) = self.selected.get_untracked() {
            self.write_lines(&key, &mut lines);
        }
        lines
    }

    /// Opens the scene that a link holds: its events as a log beside what is here, which stays as it is.
    pub(super) fn open_scene(self, packed: String) {
        spawn_local(async move {
            if let Err(error) = self.unpack_scene(&packed).await {
                let error = error.trim_end_matches('.');
                self.missing.set(Some(format!(
                    "The link holds a scene that cannot be read ({error}). It may have been cut off on its way: ask for it again, or for the file."
                )));
            }
        });
    }

    async fn unpack_scene(self, packed: &str) -> Result<(), String> {
        let text = link::unpack(packed, MOST).await.map_err(|error| host::said(&error))?;
        let scene: Value =
            serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|error| error.to_string())?;
        let text = |name: &str| scene.get(name).and_then(Value::as_str).ok_or(format!("it has no `{name}`"));
        let (place, events) = (Route::parse(text("at")?), text("events")?);
        let lines = self.news_of(events);
        if !lines.is_empty() {
            self.import_text("Shared scene.ndjson", &lines);
            host::pause(0).await;
            self.idle().await;
        }
        // Opened again, the address must not bring the same events once more.
        place.replace();
        self.go(&place, true);
        link::moved();
        Ok(())
    }

    /// The streams of a scene, NDJSON, that are not here already: what was sent, with the demo where that is its beginning.
    fn news_of(self, events: &str) -> String {
        let mut demo = MemoryStore::new();
        demo::tell(&mut demo);
        // A stream that begins otherwise comes whole.
        let sent = EventLog::from_bytes(events.as_bytes());
        let begins = |id: &str| {
            sent.stream(id).is_some_and(|stream| stream.events().any(|event| event.version() == 1))
        };
        let demo = demo.streams().filter(|(_, id, _)| !begins(id)).flat_map(|(.., stored)| &stored.events);
        let mut lines: String = demo.map(|event| format!("{}\n", event.as_json())).collect();
        lines.push_str(events);
        let scene = EventLog::from_bytes(lines.as_bytes());
        let mut news = String::new();
        for stream in scene.streams() {
            let text: String = stream.events().map(|event| format!("{}\n", event.as_json())).collect();
            let is_same = |here: &&Arc<Summary>| {
                here.key.id == stream.aggregate_id() && {
                    let mut lines = String::new();
                    self.write_lines(&here.key, &mut lines);
                    lines == text
                }
            };
            if !self.streams.read_untracked().iter().any(|here| is_same(&here)) {
                news.push_str(&text);
            }
        }
        news
    }

    /// A file with every event of every stream. An id that stands in a file and here as well is taken once, from here.
    ///
    /// # Errors
    /// What the browser says, or which event DynamoDB does not hold.
    pub(crate) async fn export(self, format: Format, tell: impl Fn(usize)) -> Result<usize, String> {
        let parts = Array::new();
        let mut events = 0;
        for number in 0.. {
            let Some(lines) = self.part(number) else { break };
            events += lines.lines().count();
            let bytes = Uint8Array::from(lines.as_bytes());
            match format {
                Format::Ndjson => drop(parts.push(&bytes)),
                Format::DynamoDb => {
                    let items = link::items(&bytes).await.map_err(|error| host::said(&error))?;
                    parts.push(&items);
                }
            }
            tell(events);
            host::pause(0).await;
        }
        let name = match format {
            Format::Ndjson => "rewound-events.ndjson",
            Format::DynamoDb => "rewound-events.dynamodb.json.gz",
        };
        link::save(name, &parts).await.map_err(|error| host::said(&error))?;
        Ok(events)
    }

    /// A file with the scene's events, for where a link is too short.
    ///
    /// # Errors
    /// What the browser says.
    pub(crate) async fn save_scene(self) -> Result<(), String> {
        let lines: JsValue = self.scene_events(false).into();
        let parts = Array::of1(lines.unchecked_ref());
        link::save("rewound-scene.ndjson", &parts).await.map(drop).map_err(|error| host::said(&error))
    }
}
