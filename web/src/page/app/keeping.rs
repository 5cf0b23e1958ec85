//! How a visit is kept for the next one, by one window at a time, and how it starts over.

use super::App;
use crate::{
    format, host,
    keep::{self, Trouble, files, journal::Journal, settings, window::How},
    workspace::{Source, StreamKey},
};
use leptos::prelude::*;
use rewound_core::value::Object;
use rewound_web::{
    link,
    route::{Route, SCREENS},
};
use serde_json::Value;
use std::collections::HashMap;
use wasm_bindgen_futures::spawn_local;

/// Where the last visit ended.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// The number of the file that held the open stream; none for an own one.
    pub(super) file: Option<u32>,
    aggregate: String,
    id: String,
    version: u64,
}

/// A setting's text.
pub(super) fn text(settings: &Object, name: &str) -> Option<String> {
    settings.get(name).and_then(Value::as_str).map(str::to_owned)
}

impl Left {
    pub(super) fn read(settings: &Object) -> Self {
        Self {
            file: text(settings, "file").and_then(|file| file.parse().ok()),
            aggregate: text(settings, "aggregate").unwrap_or_default(),
            id: text(settings, "id").unwrap_or_default(),
            version: text(settings, "version").and_then(|version| version.parse().ok()).unwrap_or(u64::MAX),
        }
    }
}

impl App {
    /// What is kept of where the page stands, for the next visit.
    pub(crate) fn keep_settings(self) {
        if !self.writes() {
            return;
        }
        let mut settings = Object::new();
        let mut put = |name: &str, text: String| settings.insert(name.to_owned(), text.into());
        put("theme", self.theme.get_untracked());
        put("speed", self.speed.get_untracked().to_string());
        put("actor", self.actor.get_untracked());
        put("json", self.json.get_untracked().to_string());
        put("keys", self.keys.get_untracked().to_string());
        // As the page wrote it, which may be a moment behind the place itself.
        put("address", window().location().hash().unwrap_or_default());
        if let Some(Left { file, aggregate, id, version }) = self.place() {
            put("aggregate", aggregate);
            put("id", id);
            put("version", version.to_string());
            if let Some(file) = file {
                put("file", file.to_string());
            }
        }
        settings::write(settings);
    }

    /// Where the page stands: where it was left, as long as that was not read again.
    fn place(self) -> Option<Left> {
        let Some(StreamKey { source, aggregate, id }) = self.selected.get_untracked() else {
            return self.left.get_value();
        };
        let log = self.workspace.try_update_value(|workspace| workspace.log(source).map(|log| log.kept_as));
        let file = match log.flatten() {
            None => None,
            Some(Some(file)) => Some(file),
            // A file that is not kept is not there at the next visit.
            Some(None) => return None,
        };
        Some(Left { file, aggregate, id, version: self.version.get_untracked() })
    }

    /// Opens the stream that was open at the last visit; the first of all where it is gone.
    pub(super) fn resume(self) {
        let left = self.left.try_update_value(Option::take).flatten();
        let wanted = left.and_then(|left| {
            let source = match left.file {
                None => Source::Own,
                Some(file) => self.workspace.with_value(|workspace| workspace.kept(file))?,
            };
            let key = StreamKey { source, aggregate: left.aggregate, id: left.id };
            let is_there = self.streams.read_untracked().iter().any(|stream| stream.key == key);
            is_there.then_some((key, left.version))
        });
        if let Some((key, version)) = wanted {
            self.open(key);
            self.version.set(version.min(self.length.get_untracked()));
        } else {
            self.open_first();
        }
    }

    pub(super) fn open_first(self) {
        let first = self.streams.read_untracked().first().map(|stream| stream.key.clone());
        if let Some(first) = first {
            self.open(first);
        }
    }

    /// Whether this window may write to the browser's storage.
    pub(crate) fn writes(self) -> bool {
        self.workspace.with_value(|workspace| workspace.journal.writes())
    }

    /// Makes this the window that keeps the streams.
    pub(crate) fn take_over(self) {
        self.become_the_one(How::TakeOver);
    }

    /// Another window keeps the streams from now on, until it is closed.
    pub(crate) fn taken_over(self) {
        self.workspace.update_value(|workspace| workspace.journal.stop());
        self.troubles.update(|troubles| troubles.window = Some(Trouble::OtherWindow));
        self.wait_for_turn();
    }

    /// Becomes the window that keeps the streams once the one that does is closed.
    pub(crate) fn wait_for_turn(self) {
        // One place in the queue is enough.
        if self.waits.try_update_value(|waits| std::mem::replace(waits, true)) == Some(false) {
            self.become_the_one(How::InTurn);
        }
    }

    fn become_the_one(self, how: How) {
        spawn_local(async move {
            let granted = keep::open(how, move || self.taken_over()).await;
            if how == How::InTurn {
                self.waits.set_value(false);
            }
            match granted {
                Ok(()) => self.go_on_as_the_one().await,
                Err(trouble) => self.troubles.update(|troubles| troubles.window = Some(trouble)),
            }
        });
    }

    /// What this window did comes on top of what the other one kept.
    async fn go_on_as_the_one(self) {
        self.workspace.update_value(|workspace| {
            let journal = std::mem::replace(&mut workspace.journal, Journal::in_memory());
            workspace.journal = journal.take_over();
        });
        self.troubles.update(|troubles| troubles.window = None);
        self.tell_journal();
        self.refresh();
        if let Some(key) = self.selected.get_untracked() {
            let version = self.version.get_untracked();
            self.open(key);
            self.version.set(version.min(self.length.get_untracked()));
        }
        // The files that were read in either window are there in the end.
        self.idle().await;
        self.read_kept_files().await;
        let logs: Vec<u32> =
            self.workspace.with_value(|workspace| workspace.logs().map(|(number, _)| number).collect());
        for number in logs {
            self.keep_file(number).await;
        }
    }

    /// Forgets everything, here and in the browser's storage: the page as it is at the first visit.
    pub(crate) fn start_over(self) {
        // No step leads back to a place of before.
        let home = Route::new(SCREENS[0].name, []);
        home.replace();
        self.left_at.update(HashMap::clear);
        self.go(&home, false);
        link::moved();
        self.epoch.update(|epoch| *epoch += 1);
        spawn_local(async move {
            let writes = self.writes();
            self.workspace.update_value(|workspace| workspace.clear());
            self.troubles.update(|troubles| {
                troubles.journal = None;
                troubles.files.clear();
            });
            if writes {
                settings::clear();
                if let Err(error) = files::clear().await {
                    self.not_kept("the removal of what you imported", &host::said(&error));
                }
            }
            self.left.set_value(None);
            self.outcomes.set(Vec::new());
            self.filter.set(String::new());
            self.commanding.set(false);
            self.why.set(None);
            self.theme.set("system".to_owned());
            self.speed.set(1);
            self.actor.set("ada".to_owned());
            self.json.set(true);
            self.keys.set(true);
            self.refresh();
            self.open_first();
        });
    }

    /// How many streams of one's own there are, in words.
    pub(crate) fn own(self) -> String {
        let own = self.streams.read().iter().filter(|stream| stream.key.source == Source::Own).count();
        format::count(own, "stream")
    }

    pub(super) fn not_kept(self, what: &str, error: &str) {
        let trouble = Trouble::Full { what: what.to_owned(), error: error.to_owned() };
        self.troubles.update(|troubles| troubles.files.push(trouble));
    }

    /// Shows what the journal has to complain about.
    pub(super) fn tell_journal(self) {
        let trouble = self.workspace.with_value(|workspace| workspace.journal.trouble());
        if self.troubles.read_untracked().journal != trouble {
            self.troubles.update(|troubles| troubles.journal = trouble);
        }
    }
}
