//! What the page shows, as signals, and what a person can do, as methods. Views read the one and call
//! the other; none of them keeps a copy.

use crate::{
    demo, format, host,
    import::{self, Progress},
    tree,
    workspace::{SendOrder, Source, StreamKey, Summary, Workspace},
};
use leptos::{prelude::*, task::spawn_local};
use rewound_core::{
    domains, error::Result, event::Event, import::LineProblem, run::Done, timeline::Timeline,
};
use serde_json::Value;
use std::sync::Arc;
use web_sys::File;

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
    /// What the last import is doing, or did.
    pub(crate) importing: RwSignal<Importing>,
}

/// The life of an import.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Importing {
    /// Nothing was imported, or its message was put away.
    Idle,
    Reading {
        name: String,
        progress: Progress,
    },
    Done(Arc<Imported>),
    Failed {
        name: String,
        message: String,
    },
}

/// What an import brought.
#[derive(Debug, PartialEq)]
pub(crate) struct Imported {
    pub(crate) name: String,
    pub(crate) streams: usize,
    pub(crate) events: usize,
    /// From the choice of the file to the open stream.
    pub(crate) milliseconds: f64,
    pub(crate) problems: Vec<LineProblem>,
}

/// The state at the shown version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) version: u64,
    /// `$meta`, as names and texts; none at version 0.
    pub(crate) meta: Vec<(&'static str, String)>,
    pub(crate) rows: Vec<tree::Row>,
}

impl App {
    /// The page at its first visit: the demo, its first account open at its end.
    pub(crate) fn new() -> Self {
        let mut workspace = Workspace::default();
        workspace.store = demo::store();
        let streams = RwSignal::new(Arc::new(workspace.summaries()));
        let filter = RwSignal::new(String::new());
        let timeline = RwSignal::new_local(Timeline::empty(domains::for_log(""), ""));
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
            importing: RwSignal::new(Importing::Idle),
        };
        let first = streams.read_untracked().first().map(|stream| stream.key.clone());
        if let Some(first) = first {
            app.open(first);
        }
        app
    }

    /// Opens a stream: an own one at its end, an imported one at its start.
    pub(crate) fn open(self, key: StreamKey) {
        let Some(timeline) = self.workspace.with_value(|workspace| workspace.timeline(&key)) else { return };
        let version = match key.source {
            Source::Own => timeline.len(),
            Source::Log(_) => timeline.len().min(1),
        };
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

    /// Looks at the event of a version of the open stream.
    pub(crate) fn event<T>(self, version: u64, look: impl FnOnce(&Event) -> T) -> Option<T> {
        let index = usize::try_from(version.checked_sub(1)?).ok()?;
        self.timeline.with(|timeline| timeline.events().get(index).map(look))
    }

    /// What ends the open stream's replay before its end, if anything does.
    pub(crate) fn problem(self) -> Option<String> {
        self.timeline.with(|timeline| timeline.problem().map(ToString::to_string))
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
            let before = version.checked_sub(1).and_then(state).map(|snapshot| snapshot.state);
            let now = state(version);
            let aggregate = timeline.events().first().map_or("", Event::aggregate);
            let meta = now.as_ref().map(|snapshot| &snapshot.meta);
            Shown {
                version,
                meta: meta.map_or_else(Vec::new, |meta| {
                    let updated_at = meta.updated_at.map(rewound_core::time::to_iso);
                    vec![
                        ("id", meta.id.to_string()),
                        ("version", meta.version.to_string()),
                        ("actorId", meta.actor.to_string()),
                        ("updatedAt", updated_at.unwrap_or_else(|| "unknown".to_owned())),
                    ]
                }),
                rows: tree::rows(
                    aggregate,
                    &Value::Object(before.unwrap_or_default()),
                    &Value::Object(now.map(|snapshot| snapshot.state).unwrap_or_default()),
                ),
            }
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
        let Some(result) = result else { return Err(rewound_core::error::Error::Contention { attempts: 0 }) };
        let done = result?;
        if !done.events.is_empty() {
            self.refresh();
            self.open(key);
        }
        Ok(done)
    }

    fn refresh(self) {
        self.streams.set(Arc::new(self.workspace.with_value(Workspace::summaries)));
    }

    /// Reads files, one after the other, and opens the first stream of the last.
    pub(crate) fn import(self, files: Vec<File>) {
        if files.is_empty() || matches!(*self.importing.read_untracked(), Importing::Reading { .. }) {
            return;
        }
        spawn_local(async move {
            for file in files {
                self.import_one(file).await;
            }
        });
    }

    async fn import_one(self, file: File) {
        let name = file.name();
        let start = host::stopwatch();
        let tell = |progress| self.importing.set(Importing::Reading { name: name.clone(), progress });
        tell(Progress { part: 0.0, events: 0 });
        let log = match import::read(&file, tell).await {
            Ok(log) => log,
            Err(message) => return self.importing.set(Importing::Failed { name, message }),
        };
        let problems = log.problems().to_vec();
        let (streams, events) = (log.streams().len(), log.len());
        if streams == 0 && problems.is_empty() {
            let message = "there is no event in it".to_owned();
            return self.importing.set(Importing::Failed { name, message });
        }
        let mut first = None;
        self.workspace.update_value(|workspace| first = workspace.add(log));
        self.filter.set(String::new());
        self.refresh();
        if let Some(first) = first {
            self.open(first);
        }
        let milliseconds = host::stopwatch() - start;
        self.importing.set(Importing::Done(Arc::new(Imported {
            name,
            streams,
            events,
            milliseconds,
            problems,
        })));
    }
}

impl Importing {
    /// What is said of it in one line; nothing while it is idle.
    pub(crate) fn summary(&self) -> Option<String> {
        Some(match self {
            Importing::Idle => return None,
            Importing::Reading { name, progress } => {
                format!("Reading {name}: {} so far", format::count(progress.events, "event"))
            }
            Importing::Done(done) => format!(
                "{}: {} in {}, read in {} ms",
                done.name,
                format::count(done.events, "event"),
                format::count(done.streams, "stream"),
                format::grouped(done.milliseconds.round() as u64),
            ),
            Importing::Failed { name, message } => format!("{name} was not imported: {message}."),
        })
    }
}
