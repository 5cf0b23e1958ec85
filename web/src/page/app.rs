//! What the page shows, as signals, and what a person can do, as methods. Views read the one and call
//! the other; none of them keeps a copy.

mod importing;
mod keeping;
mod lab;
mod sharing;

pub(crate) use importing::{Outcome, Reading};
pub(crate) use sharing::{Format, LONGEST};

use crate::{
    actions::Dialog,
    host,
    keep::{Trouble, Troubles, journal::Journal, settings},
    tree,
    workspace::{SendOrder, Source, StreamKey, Summary, Workspace},
};
use keeping::{Left, text};
use lab::Wanted;
use leptos::prelude::*;
use rewound_core::{
    domain::Snapshot,
    domains,
    error::{Error, Result},
    event::Event,
    run::Done,
    timeline::{Cause, Timeline},
    value::Object,
};
use rewound_web::route::{Route, SCREENS};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};
use wasm_bindgen_futures::spawn_local;

/// The one state of the page. Copying it copies handles.
#[derive(Clone, Copy)]
pub(crate) struct App {
    workspace: StoredValue<Workspace, LocalStorage>,
    /// Every stream there is.
    pub(crate) streams: RwSignal<Arc<Vec<Arc<Summary>>>>,
    /// What the list of streams is filtered by.
    pub(crate) filter: RwSignal<String>,
    /// The streams that the filter lets through.
    pub(crate) filtered: Memo<Arc<Vec<Arc<Summary>>>>,
    /// The stream that is open.
    pub(crate) selected: RwSignal<Option<StreamKey>>,
    timeline: RwSignal<Timeline, LocalStorage>,
    /// How many events the open stream has.
    pub(crate) length: Memo<u64>,
    /// The version that is shown: where the scrubber stands.
    pub(crate) version: RwSignal<u64>,
    /// Whether the scrubber moves by itself.
    pub(crate) playing: RwSignal<bool>,
    /// Whether the command form is shown.
    pub(crate) commanding: RwSignal<bool>,
    /// The file that is being read.
    pub(crate) reading: RwSignal<Option<Reading>>,
    /// What came of the files that were imported last, until it is put away.
    pub(crate) outcomes: RwSignal<Vec<Arc<Outcome>>>,
    /// The place in the state that is asked about: why is it what it is?
    pub(crate) why: RwSignal<Option<String>>,
    /// The events that made it so.
    pub(crate) causes: Memo<Arc<Vec<Cause>>>,
    /// Why what is done here is not kept, where it is not.
    pub(crate) troubles: RwSignal<Troubles>,
    /// Where the last visit ended, until the page is there again.
    left: StoredValue<Option<Left>>,
    /// How often everything was removed: what began before that has nothing to add any more.
    epoch: RwSignal<u32>,
    /// Whether this window waits for its turn to write.
    waits: StoredValue<bool>,
    /// `light`, `dark`, or as the system has it.
    pub(crate) theme: RwSignal<String>,
    /// How fast the scrubber plays.
    pub(crate) speed: RwSignal<u64>,
    /// Who sends commands.
    pub(crate) actor: RwSignal<String>,
    /// Whether the event at the scrubber is shown as JSON.
    pub(crate) json: RwSignal<bool>,
    /// The name of the screen that is shown.
    pub(crate) screen: RwSignal<&'static str>,
    /// The stream that the address names, and the version, until it is there: files are read after the page stands.
    wanted: RwSignal<Option<Wanted>>,
    /// What is said of an address that names nothing here.
    pub(crate) missing: RwSignal<Option<String>>,
    /// Whether every file that was kept has been read.
    is_read: StoredValue<bool>,
    /// The address at which each screen was left.
    left_at: RwSignal<HashMap<&'static str, String>>,
    /// What others are given of the streams: see `distinct`.
    distinct: StoredValue<Arc<Vec<Arc<Summary>>>>,
    /// What lies over the page.
    pub(crate) dialog: RwSignal<Option<Dialog>>,
    /// Whether single keys do anything.
    pub(crate) keys: RwSignal<bool>,
}

/// The state at the shown version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) version: u64,
    /// `$meta`, as names and texts; none at version 0.
    pub(crate) meta: Vec<(&'static str, String)>,
    pub(crate) rows: Vec<tree::Row>,
    /// How many of its fields changed with its last event.
    pub(crate) changes: usize,
}

impl App {
    /// The page as it was left, or as it is at the first visit: the demo, its first account open at its end.
    /// `access` says whether the browser's storage is ours.
    pub(crate) fn new(access: std::result::Result<(), Trouble>) -> Self {
        let readable = !matches!(access, Err(Trouble::Refused(_)));
        let journal = if readable { Journal::open(access.is_ok()) } else { Journal::in_memory() };
        let settings = if readable { settings::read() } else { Object::new() };
        let text = |name: &str| text(&settings, name);
        let workspace = Workspace::new(journal);
        let left = Left::read(&settings);
        let is_own = left.file.is_none();
        let streams = RwSignal::new(Arc::new(workspace.summaries()));
        let filter = RwSignal::new(String::new());
        let timeline = RwSignal::new_local(Timeline::empty(domains::for_log(""), ""));
        let why = RwSignal::new(None::<String>);
        let app = Self {
            workspace: StoredValue::new_local(workspace),
            streams,
            filter,
            filtered: Memo::new(move |_| {
                let filter = host::lower_case(&filter.read());
                let words: Vec<&str> = filter.split_whitespace().collect();
                if words.is_empty() {
                    return streams.get();
                }
                let streams = streams.read();
                Arc::new(streams.iter().filter(|stream| stream.matches(&words)).cloned().collect())
            }),
            selected: RwSignal::new(None),
            timeline,
            length: Memo::new(move |_| timeline.with(Timeline::len)),
            version: RwSignal::new(0),
            playing: RwSignal::new(false),
            commanding: RwSignal::new(false),
            reading: RwSignal::new(None),
            outcomes: RwSignal::new(Vec::new()),
            why,
            causes: Memo::new(move |_| {
                let why = why.read();
                Arc::new(
                    why.as_ref().map_or_else(Vec::new, |path| timeline.with(|timeline| timeline.why(path))),
                )
            }),
            troubles: RwSignal::new(Troubles { window: access.err(), ..Troubles::default() }),
            left: StoredValue::new(Some(left)),
            epoch: RwSignal::new(0),
            waits: StoredValue::new(false),
            theme: RwSignal::new(text("theme").unwrap_or_else(|| "system".to_owned())),
            speed: RwSignal::new(text("speed").and_then(|speed| speed.parse().ok()).unwrap_or(1)),
            actor: RwSignal::new(text("actor").unwrap_or_else(|| "ada".to_owned())),
            json: RwSignal::new(text("json").is_none_or(|json| json == "true")),
            screen: RwSignal::new(SCREENS[0].name),
            wanted: RwSignal::new(None),
            missing: RwSignal::new(None),
            is_read: StoredValue::new(false),
            left_at: RwSignal::default(),
            distinct: StoredValue::default(),
            dialog: RwSignal::new(None),
            keys: RwSignal::new(text("keys").is_none_or(|keys| keys == "true")),
        };
        app.tell_journal();
        if app.troubles.read_untracked().window == Some(Trouble::OtherWindow) {
            app.wait_for_turn();
        }
        // An address that the page itself wrote says less than what was kept with it.
        if text("address").is_none_or(|address| window().location().hash() != Ok(address)) {
            app.go(&Route::current(), false);
        } else {
            app.go(&Route::new(&Route::current().screen, []), false);
        }
        // An imported stream is opened when its file was read again.
        if is_own && app.selected.read_untracked().is_none() {
            app.resume();
        }
        app.follow_address();
        spawn_local(async move {
            if readable {
                app.read_kept_files().await;
            }
            if !app.open_wanted() && app.selected.read_untracked().is_none() {
                app.resume();
            }
            app.give_up_wanted();
            app.is_read.set_value(true);
        });
        app
    }

    /// Opens a stream: an own one at its end, an imported one at its start.
    pub(crate) fn open(self, key: StreamKey) {
        let Some(timeline) = self.workspace.with_value(|workspace| workspace.timeline(&key)) else { return };
        let version = match key.source {
            Source::Own => timeline.len(),
            Source::Log(_) => timeline.len().min(1),
        };
        let same_kind =
            self.selected.read_untracked().as_ref().is_some_and(|open| open.aggregate == key.aggregate);
        if !same_kind {
            self.why.set(None);
        }
        self.playing.set(false);
        self.timeline.set(timeline);
        self.version.set(version);
        self.selected.set(Some(key));
    }

    /// Moves the scrubber; what plays stops there.
    pub(crate) fn seek(self, version: u64) {
        self.playing.set(false);
        self.version.set(version.min(self.length.get_untracked()));
    }

    /// Moves the scrubber on by so many events while it plays, and stops it at the end.
    pub(crate) fn play_on(self, events: u64) {
        let next = self.version.get_untracked().saturating_add(events);
        let end = self.length.get_untracked();
        self.version.set(next.min(end));
        if next >= end {
            self.playing.set(false);
        }
    }

    /// Starts the scrubber, from the beginning where it stands at the end, or stops it.
    pub(crate) fn play_or_pause(self) {
        if !self.playing.get_untracked() && self.version.get_untracked() >= self.length.get_untracked() {
            self.version.set(0);
        }
        self.playing.update(|playing| *playing = !*playing);
    }

    /// Opens the form for a command, where it can be seen, or closes it.
    pub(crate) fn open_or_close_form(self) {
        let home = SCREENS[0].name;
        if self.screen.get_untracked() == home {
            return self.commanding.update(|open| *open = !*open);
        }
        self.commanding.set(true);
        self.go_home();
    }

    /// Goes to the streams.
    pub(crate) fn go_home(self) {
        Route::new(SCREENS[0].name, []).go();
    }

    /// Looks at the event of a version of the open stream.
    pub(crate) fn event<T>(self, version: u64, look: impl FnOnce(&Event) -> T) -> Option<T> {
        let index = usize::try_from(version.checked_sub(1)?).ok()?;
        self.timeline.with(|timeline| timeline.events().get(index).map(look))
    }

    /// What ends the open stream's replay before its end, if anything does.
    pub(crate) fn problem(self) -> Option<String> {
        let version = self.summary().map_or(0, |stream| stream.version);
        self.timeline.with(|timeline| match timeline.problem() {
            Some(problem) => Some(problem.to_string()),
            None if version > timeline.len() => Some(format!(
                "version {} is missing, though there is a version {version}",
                timeline.len() + 1
            )),
            None => None,
        })
    }

    /// The open stream in the list.
    pub(crate) fn summary(self) -> Option<Arc<Summary>> {
        let selected = self.selected.read();
        let key = selected.as_ref()?;
        self.streams.read().iter().find(|stream| stream.key == *key).cloned()
    }

    /// The state at the scrubber, and what changed with its last event.
    pub(crate) fn shown(self) -> Shown {
        let version = self.version.get();
        self.timeline.with(|timeline| {
            let state = |version: u64| timeline.state_at(version);
            let before = version.checked_sub(1).and_then(state);
            let now = state(version);
            let meta = now.as_ref().map_or_else(Vec::new, |Snapshot { meta, .. }| {
                let updated_at = meta.updated_at.map(rewound_core::time::to_iso);
                vec![
                    ("id", meta.id.to_string()),
                    ("version", meta.version.to_string()),
                    ("actorId", meta.actor.to_string()),
                    ("updatedAt", updated_at.unwrap_or_else(|| "unknown".to_owned())),
                ]
            });
            let fields = |snapshot: Option<Snapshot>| {
                Value::Object(snapshot.map_or_else(Object::new, |snapshot| snapshot.state))
            };
            let aggregate = timeline.events().first().map_or("", Event::aggregate);
            let (rows, changes) = tree::rows(aggregate, &fields(before), &fields(now));
            Shown { version, meta, rows, changes }
        })
    }

    /// Asks the store's present state something, such as what a command would do.
    pub(crate) fn at_the_end<T>(self, key: &StreamKey, ask: impl FnOnce(&Timeline) -> T) -> Option<T> {
        self.workspace.with_value(|workspace| workspace.timeline(key)).as_ref().map(ask)
    }

    /// Sends a command. What it recorded is shown at once, and the scrubber goes to the end.
    ///
    /// # Errors
    /// As the run ends.
    pub(crate) fn send(self, order: SendOrder) -> Result<Done> {
        let key = StreamKey { source: Source::Own, aggregate: order.aggregate.clone(), id: order.id.clone() };
        let mut result = None;
        self.workspace.update_value(|workspace| result = Some(workspace.send(order)));
        let Some(result) = result else {
            let message = "the page is being left".to_owned();
            return Err(Error::Store { message, retryable: false, uncertain: false });
        };
        let done = result?;
        self.tell_journal();
        if !done.events.is_empty() {
            self.refresh();
            self.open(key);
        }
        Ok(done)
    }

    fn refresh(self) {
        self.streams.set(Arc::new(self.workspace.with_value(Workspace::summaries)));
    }
}
