//! What the page shows, as signals, and what a person can do, as methods. Views read the one and call
//! the other; none of them keeps a copy.

use crate::{
    format, host,
    import::{self, Progress},
    keep::{self, Trouble, files, journal::Journal, settings},
    tree,
    workspace::{Log, SendOrder, Source, StreamKey, Summary, Workspace},
};
use leptos::prelude::*;
use rewound_core::{
    domains,
    error::Result,
    event::Event,
    import::{EventLog, LineProblem},
    run::Done,
    timeline::{Cause, Timeline},
    value::Object,
};
use serde_json::Value;
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;
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
    /// The place in the state that is asked about: why is it what it is?
    pub(crate) why: RwSignal<Option<String>>,
    /// The events that made it so.
    pub(crate) causes: Memo<Arc<Vec<Cause>>>,
    /// Why what is done here is not kept, where it is not.
    pub(crate) trouble: RwSignal<Option<Trouble>>,
    /// `light`, `dark`, or as the system has it.
    pub(crate) theme: RwSignal<String>,
    /// How fast the scrubber plays.
    pub(crate) speed: RwSignal<u64>,
    /// Who sends commands.
    pub(crate) actor: RwSignal<String>,
    /// Whether the event at the scrubber is shown as JSON.
    pub(crate) json: RwSignal<bool>,
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
    /// The page as it was left, or as it is at the first visit: the demo, its first account open at its end.
    /// `access` says whether the browser's storage is ours.
    pub(crate) fn new(access: std::result::Result<(), Trouble>) -> Self {
        let readable = !matches!(access, Err(Trouble::Refused(_)));
        let journal = if readable { Journal::open(access.is_ok()) } else { Journal::in_memory() };
        let mut settings = if readable { settings::read() } else { Object::new() };
        let mut text = |name: &str| match settings.swap_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let workspace = Workspace::new(journal);
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
            importing: RwSignal::new(Importing::Idle),
            why,
            causes: Memo::new(move |_| {
                let why = why.read();
                Arc::new(
                    why.as_ref().map_or_else(Vec::new, |path| timeline.with(|timeline| timeline.why(path))),
                )
            }),
            trouble: RwSignal::new(access.err()),
            theme: RwSignal::new(text("theme").unwrap_or_else(|| "system".to_owned())),
            speed: RwSignal::new(text("speed").and_then(|speed| speed.parse().ok()).unwrap_or(1)),
            actor: RwSignal::new(text("actor").unwrap_or_else(|| "ada".to_owned())),
            json: RwSignal::new(text("json").is_none_or(|json| json == "true")),
        };
        let left = Left {
            file: text("file").and_then(|file| file.parse().ok()),
            aggregate: text("aggregate").unwrap_or_default(),
            id: text("id").unwrap_or_default(),
            version: text("version").and_then(|version| version.parse().ok()).unwrap_or(u64::MAX),
        };
        app.tell_trouble();
        // An imported stream is opened when its file was read again.
        if left.file.is_none() {
            app.resume(&left);
        }
        if readable {
            spawn_local(async move {
                app.read_kept_files().await;
                if left.file.is_some() && app.selected.read_untracked().is_none() {
                    app.resume(&left);
                }
            });
        }
        app
    }

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
        if let Some(key) = self.selected.get_untracked() {
            let file =
                self.workspace.try_update_value(|workspace| workspace.log(key.source)?.kept_as).flatten();
            if let Some(file) = file {
                put("file", file.to_string());
            }
            if key.source == Source::Own || file.is_some() {
                put("aggregate", key.aggregate);
                put("id", key.id);
                put("version", self.version.get_untracked().to_string());
            }
        }
        settings::write(settings);
    }

    /// Opens the stream that was open at the last visit; the first of all where it is gone.
    fn resume(self, left: &Left) {
        let source = match left.file {
            None => Some(Source::Own),
            Some(file) => self.workspace.with_value(|workspace| {
                let log = workspace.logs().find(|(_, log)| log.kept_as == Some(file));
                log.map(|(number, _)| Source::Log(number))
            }),
        };
        let wanted = source.and_then(|source| {
            let key = StreamKey { source, aggregate: left.aggregate.clone(), id: left.id.clone() };
            self.streams.read_untracked().iter().any(|stream| stream.key == key).then_some(key)
        });
        if let Some(key) = wanted {
            self.open(key);
            self.version.set(left.version.min(self.length.get_untracked()));
        } else if let Some(first) = self.streams.read_untracked().first() {
            self.open(first.key.clone());
        }
    }

    /// Reads again what was imported at earlier visits, or meanwhile in another window.
    async fn read_kept_files(self) {
        let kept = match files::all().await {
            Ok(kept) => kept,
            Err(error) => return self.not_kept("what you import", &host::said(&error)),
        };
        for (number, file) in kept {
            let is_known =
                |workspace: &Workspace| workspace.logs().any(|(_, log)| log.kept_as == Some(number));
            if self.workspace.with_value(is_known) {
                continue;
            }
            match self.read(&file).await {
                Ok(log) => {
                    self.workspace.update_value(|workspace| drop(workspace.add(file, log, Some(number))));
                    self.importing.set(Importing::Idle);
                }
                Err(message) => self.importing.set(Importing::Failed { name: file.name(), message }),
            }
        }
        self.refresh();
    }

    /// Keeps the file of a log, if this window may; says so where there is no room.
    async fn keep_file(self, number: u32) {
        let file = |workspace: &mut Workspace| {
            let log = workspace.log(Source::Log(number))?;
            log.kept_as.is_none().then(|| log.file.clone())
        };
        let file = self.workspace.try_update_value(file).flatten();
        let (Some(file), true) = (file, self.writes()) else { return };
        match files::add(&file).await {
            Ok(kept_as) => self.workspace.update_value(|workspace| {
                if let Some(log) = workspace.log(Source::Log(number)) {
                    log.kept_as = Some(kept_as);
                }
            }),
            Err(error) => self.not_kept(&file.name(), &host::said(&error)),
        }
    }

    /// Waits until no file is being read.
    async fn idle(self) {
        while matches!(*self.importing.read_untracked(), Importing::Reading { .. }) {
            host::pause().await;
        }
    }

    fn writes(self) -> bool {
        self.workspace.with_value(|workspace| workspace.journal.writes())
    }

    /// Makes this the window that keeps the streams, on top of what the other one kept.
    pub(crate) fn take_over(self) {
        spawn_local(async move {
            if let Err(trouble) = keep::open(true, move || self.taken_over()).await {
                return self.trouble.set(Some(trouble));
            }
            self.workspace.update_value(|workspace| {
                let journal = std::mem::replace(&mut workspace.journal, Journal::in_memory());
                workspace.journal = journal.take_over();
            });
            self.trouble.set(None);
            self.tell_trouble();
            self.refresh();
            if let Some(key) = self.selected.get_untracked() {
                self.open(key);
            }
            // The files that were read in either window are there in the end.
            self.idle().await;
            self.read_kept_files().await;
            let logs: Vec<u32> =
                self.workspace.with_value(|workspace| workspace.logs().map(|(number, _)| number).collect());
            for number in logs {
                self.keep_file(number).await;
            }
        });
    }

    /// Another window keeps the streams from now on.
    pub(crate) fn taken_over(self) {
        self.workspace.update_value(|workspace| workspace.journal.stop());
        self.trouble.set(Some(Trouble::OtherWindow));
    }

    /// Forgets everything, here and in the browser's storage: the page as it is at the first visit.
    pub(crate) fn start_over(self) {
        spawn_local(async move {
            // What is being read would come back otherwise.
            self.idle().await;
            let writes = self.writes();
            self.workspace.update_value(|workspace| {
                workspace.journal.clear();
                let journal = std::mem::replace(&mut workspace.journal, Journal::in_memory());
                *workspace = Workspace::new(journal);
            });
            self.trouble.update(|trouble| {
                if !matches!(trouble, Some(Trouble::OtherWindow | Trouble::Refused(_))) {
                    *trouble = None;
                }
            });
            if writes {
                settings::clear();
                if let Err(error) = files::clear().await {
                    self.not_kept("the removal of what you imported", &host::said(&error));
                }
            }
            self.importing.set(Importing::Idle);
            self.filter.set(String::new());
            self.commanding.set(false);
            self.why.set(None);
            self.refresh();
            let first = self.streams.read_untracked().first().map(|stream| stream.key.clone());
            if let Some(first) = first {
                self.open(first);
            }
        });
    }

    /// Removes a log, and its file from the browser's storage.
    pub(crate) fn remove(self, number: u32) {
        let log = self.workspace.try_update_value(|workspace| workspace.remove(number)).flatten();
        self.refresh();
        let is_open =
            self.selected.read_untracked().as_ref().is_some_and(|key| key.source == Source::Log(number));
        let first = self.streams.read_untracked().first().map(|stream| stream.key.clone());
        if let (true, Some(first)) = (is_open, first) {
            self.open(first);
        }
        let (Some(Log { file, kept_as: Some(kept_as), .. }), true) = (log, self.writes()) else { return };
        spawn_local(async move {
            if let Err(error) = files::remove(kept_as).await {
                self.not_kept(&format!("the removal of {}", file.name()), &host::said(&error));
            }
        });
    }

    /// How many streams of one's own there are, in words.
    pub(crate) fn own(self) -> String {
        let own = self.streams.read().iter().filter(|stream| stream.key.source == Source::Own).count();
        format::count(own, "stream")
    }

    /// What was imported: the number of each log, the name of its file, and what it holds in words.
    pub(crate) fn imports(self) -> Vec<(u32, String, String)> {
        self.streams.track();
        self.workspace.with_value(|workspace| {
            let logs = workspace.logs().map(|(number, log)| {
                let events = format::count(log.events.len(), "event");
                (number, log.file.name(), events)
            });
            logs.collect()
        })
    }

    fn not_kept(self, what: &str, error: &str) {
        self.trouble.set(Some(Trouble::Full { what: what.to_owned(), error: error.to_owned() }));
    }

    /// Shows what the journal has to complain about.
    fn tell_trouble(self) {
        let trouble = self.workspace.with_value(|workspace| workspace.journal.trouble());
        let is_ours =
            |trouble: &Option<Trouble>| !matches!(trouble, Some(Trouble::OtherWindow | Trouble::Refused(_)));
        if is_ours(&self.trouble.read_untracked())
            && (trouble.is_some() || self.trouble.read_untracked().is_some())
        {
            self.trouble.set(trouble);
        }
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
        self.tell_trouble();
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
        spawn_local(async move {
            for file in files {
                self.idle().await;
                self.import_one(file).await;
            }
        });
    }

    async fn import_one(self, file: File) {
        let name = file.name();
        let start = host::stopwatch();
        let log = match self.read(&file).await {
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
        self.workspace.update_value(|workspace| first = workspace.add(file, log, None));
        self.filter.set(String::new());
        self.refresh();
        if let Some(first) = first.clone() {
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
        // It is on the screen before the browser copies it.
        host::pause().await;
        if let Some(StreamKey { source: Source::Log(number), .. }) = first {
            self.keep_file(number).await;
        }
    }

    async fn read(self, file: &File) -> std::result::Result<EventLog, String> {
        let name = file.name();
        let tell = |progress| self.importing.set(Importing::Reading { name: name.clone(), progress });
        tell(Progress { part: 0.0, events: 0 });
        import::read(file, tell).await
    }
}

/// Where the last visit ended.
struct Left {
    /// The number of the file that held the open stream; none for an own one.
    file: Option<u32>,
    aggregate: String,
    id: String,
    version: u64,
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
