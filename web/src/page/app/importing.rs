//! Files into streams: read one after the other, told one by one, kept once they are on the screen.

use super::App;
use crate::{
    format, host,
    import::{self, Progress, Read},
    keep::files,
    workspace::{Log, Source, StreamKey, Workspace},
};
use leptos::prelude::*;
use rewound_core::import::LineProblem;
use std::sync::Arc;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

/// A file that is being read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) progress: Progress,
}

/// What came of a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Imported {
        name: String,
        streams: usize,
        events: usize,
        /// From its turn to the open stream.
        milliseconds: f64,
        problems: Vec<LineProblem>,
    },
    Failed {
        name: String,
        message: String,
    },
}

impl Outcome {
    /// What is said of it in one line.
    pub(crate) fn summary(&self) -> String {
        match self {
            Outcome::Imported { name, streams, events, milliseconds, .. } => format!(
                "{name}: {} in {}, read in {} ms",
                format::count(*events, "event"),
                format::count(*streams, "stream"),
                format::grouped(milliseconds.round() as u64),
            ),
            Outcome::Failed { name, message } => {
                format!("{name} was not imported: {}.", message.trim_end_matches('.'))
            }
        }
    }
}

impl App {
    /// Reads files, one after the other, and opens the first stream of the last.
    pub(crate) fn import(self, files: Vec<File>) {
        if files.is_empty() {
            return;
        }
        let epoch = self.epoch.get_untracked();
        spawn_local(async move {
            self.idle().await;
            self.outcomes.set(Vec::new());
            for file in files {
                self.idle().await;
                if self.epoch.get_untracked() != epoch {
                    return;
                }
                self.import_one(file).await;
            }
        });
    }

    async fn import_one(self, file: File) {
        let name = file.name();
        let start = host::stopwatch();
        let number = self.next_log();
        let read = match self.read(&file, number).await {
            Ok(read) => read,
            Err(message) => return self.tell(Outcome::Failed { name, message }),
        };
        let problems = read.log.problems().to_vec();
        let (streams, events) = (read.log.streams().len(), read.log.len());
        if streams == 0 && problems.is_empty() {
            let message = "there is no event in it".to_owned();
            return self.tell(Outcome::Failed { name, message });
        }
        let first =
            self.workspace.try_update_value(|workspace| workspace.add(number, file, read, None)).flatten();
        self.filter.set(String::new());
        self.refresh();
        if let Some(first) = first.clone() {
            self.open(first);
        }
        let milliseconds = host::stopwatch() - start;
        self.tell(Outcome::Imported { name, streams, events, milliseconds, problems });
        // It is on the screen before the browser copies it.
        host::pause(0).await;
        if let Some(StreamKey { source: Source::Log(number), .. }) = first {
            self.keep_file(number).await;
        }
    }

    fn tell(self, outcome: Outcome) {
        self.outcomes.update(|outcomes| outcomes.push(Arc::new(outcome)));
    }

    fn next_log(self) -> u32 {
        self.workspace.try_update_value(Workspace::next_log).unwrap_or_default()
    }

    async fn read(self, file: &File, number: u32) -> Result<Read, String> {
        let name = file.name();
        let tell = |progress| self.reading.set(Some(Reading { name: name.clone(), progress }));
        tell(Progress { part: 0.0, events: 0 });
        let read = import::read(file, Source::Log(number), tell).await;
        self.reading.set(None);
        read
    }

    /// Waits until no file is being read.
    pub(super) async fn idle(self) {
        while self.reading.read_untracked().is_some() {
            host::pause(0).await;
        }
    }

    /// Reads again what was imported at earlier visits, or meanwhile in another window.
    pub(super) async fn read_kept_files(self) {
        let epoch = self.epoch.get_untracked();
        let kept = match files::all().await {
            Ok(kept) => kept,
            Err(error) => return self.not_kept("what you import", &host::said(&error)),
        };
        for (number, file) in kept {
            if self.workspace.with_value(|workspace| workspace.kept(number)).is_some() {
                continue;
            }
            let source = self.next_log();
            let read = self.read(&file, source).await;
            if self.epoch.get_untracked() != epoch {
                return;
            }
            // What cannot be read is in the list all the same, so that it can be removed.
            let read = read.unwrap_or_else(|message| {
                self.tell(Outcome::Failed { name: file.name(), message });
                Read::default()
            });
            self.workspace.update_value(|workspace| drop(workspace.add(source, file, read, Some(number))));
        }
        self.refresh();
    }

    /// Keeps the file of a log, if this window may; says so where there is no room.
    pub(super) async fn keep_file(self, number: u32) {
        let file = |workspace: &mut Workspace| {
            let log = workspace.log(Source::Log(number))?;
            log.kept_as.is_none().then(|| log.file.clone())
        };
        let file = self.workspace.try_update_value(file).flatten();
        let (Some(file), true) = (file, self.writes()) else { return };
        match files::add(&file).await {
            Ok(kept_as) => {
                let mark = |workspace: &mut Workspace| {
                    workspace.log(Source::Log(number)).map(|log| log.kept_as = Some(kept_as))
                };
                if self.workspace.try_update_value(mark).flatten().is_none() {
                    // It was removed while the browser copied it.
                    self.remove_file(&file.name(), kept_as).await;
                }
            }
            Err(error) => self.not_kept(&file.name(), &host::said(&error)),
        }
    }

    /// Removes a log, and its file from the browser's storage.
    pub(crate) fn remove(self, number: u32) {
        let log = self.workspace.try_update_value(|workspace| workspace.remove(number)).flatten();
        self.refresh();
        let open = self.selected.get_untracked();
        if open.is_some_and(|key| key.source == Source::Log(number)) {
            self.open_first();
        }
        if let (Some(Log { file, kept_as: Some(kept_as), .. }), true) = (log, self.writes()) {
            spawn_local(async move { self.remove_file(&file.name(), kept_as).await });
        }
    }

    async fn remove_file(self, name: &str, kept_as: u32) {
        if let Err(error) = files::remove(kept_as).await {
            self.not_kept(&format!("the removal of {name}"), &host::said(&error));
        }
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
}
