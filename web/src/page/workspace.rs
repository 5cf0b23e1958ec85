//! The streams themselves: own ones in a store that commands run against, and imported logs.

use crate::{demo, format, host, import::Read, keep::journal::Journal};
use rewound_core::{
    domain::{Command, Sender},
    domains,
    error::{Error, Result},
    event::Event,
    import::EventLog,
    run::{Done, Options, run},
    time::Millis,
    timeline::Timeline,
};
use std::{collections::BTreeMap, sync::Arc};
use web_sys::File;

/// Every stream that the page knows.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) journal: Journal,
    logs: BTreeMap<u32, Log>,
    /// The number of the last log. None is used twice, so nobody takes one log for another.
    next_log: u32,
}

/// What was read from a file.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) file: File,
    pub(crate) events: EventLog,
    summaries: Vec<Arc<Summary>>,
    /// The number under which its file is kept, once it is.
    pub(crate) kept_as: Option<u32>,
}

/// Where a stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Commands made it here.
    Own,
    /// It was read from a file, the n-th of this visit: it can be replayed and not changed.
    Log(u32),
}

/// Which stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamKey {
    pub(crate) source: Source,
    pub(crate) aggregate: String,
    pub(crate) id: String,
}

/// A stream as the list shows it.
#[derive(Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) key: StreamKey,
    pub(crate) label: String,
    pub(crate) version: u64,
    pub(crate) last_event: String,
    pub(crate) updated_at: Millis,
    /// What the filter looks in.
    haystack: String,
}

impl Summary {
    pub(crate) fn new(source: Source, first: &Event, last: &Event) -> Self {
        let (aggregate, id) = (first.aggregate(), first.aggregate_id());
        let label = format::label(first).unwrap_or_else(|| format::short_id(id));
        Self {
            haystack: host::lower_case(&format!("{aggregate} {id} {label} {}", last.name())),
            key: StreamKey { source, aggregate: aggregate.to_owned(), id: id.to_owned() },
            label,
            version: last.version(),
            last_event: last.name().to_owned(),
            updated_at: last.time(),
        }
    }

    /// Whether every word stands somewhere in it. The words are in lower case.
    pub(crate) fn matches(&self, words: &[&str]) -> bool {
        words.iter().all(|word| self.haystack.contains(word))
    }
}

impl Workspace {
    /// What a journal holds; the demo, where it holds nothing yet.
    pub(crate) fn new(mut journal: Journal) -> Self {
        if journal.memory().streams().next().is_none() && journal.unreadable().is_empty() {
            demo::tell(&mut journal);
        }
        Self { journal, logs: BTreeMap::new(), next_log: 0 }
    }

    /// Forgets everything, and begins with the demo.
    pub(crate) fn clear(&mut self) {
        self.logs.clear();
        self.journal.clear();
        demo::tell(&mut self.journal);
    }

    /// Every stream: own ones by kind and age, then the logs in the order of their files.
    pub(crate) fn summaries(&self) -> Vec<Arc<Summary>> {
        let mut all = Vec::new();
        for domain in domains::all() {
            let own = self.journal.memory().streams().filter(|(aggregate, ..)| *aggregate == domain.name());
            all.extend(own.filter_map(|(_, _, stored)| {
                Some(Arc::new(Summary::new(Source::Own, stored.events.first()?, stored.events.last()?)))
            }));
        }
        all.extend(self.logs.values().flat_map(|log| log.summaries.iter().cloned()));
        all
    }

    /// The timeline of a stream; none where there is no such stream.
    pub(crate) fn timeline(&self, key: &StreamKey) -> Option<Timeline> {
        match key.source {
            Source::Own => {
                let domain = domains::find(&key.aggregate)?;
                let stored = self.journal.memory().stream(&key.aggregate, &key.id)?;
                Some(Timeline::new(domain, &key.id, stored.events.clone()))
            }
            Source::Log(number) => self.logs.get(&number)?.events.timeline(&key.id),
        }
    }

    /// Looks at each event of a stream, in order; at none where there is no such stream.
    pub(crate) fn each_event(&self, key: &StreamKey, look: &mut dyn FnMut(&Event)) {
        match key.source {
            Source::Own => {
                let stored = self.journal.memory().stream(&key.aggregate, &key.id);
                stored.into_iter().flat_map(|stored| &stored.events).for_each(look);
            }
            Source::Log(number) => {
                let stream = self.logs.get(&number).and_then(|log| log.events.stream(&key.id));
                stream.into_iter().flat_map(|stream| stream.events()).for_each(look);
            }
        }
    }

    /// The number of a log that is going to be read.
    pub(crate) fn next_log(&mut self) -> u32 {
        self.next_log += 1;
        self.next_log
    }

    /// Takes in a log from a file, which may be kept under a number of its own; gives its first stream.
    pub(crate) fn add(
        &mut self,
        number: u32,
        file: File,
        read: Read,
        kept_as: Option<u32>,
    ) -> Option<StreamKey> {
        let Read { log: events, summaries } = read;
        let first = summaries.first().map(|summary| summary.key.clone());
        self.logs.insert(number, Log { file, events, summaries, kept_as });
        first
    }

    /// The logs, in the order in which they came, each with its number.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (u32, &Log)> {
        self.logs.iter().map(|(number, log)| (*number, log))
    }

    /// The log that a stream comes from.
    pub(crate) fn log(&mut self, source: Source) -> Option<&mut Log> {
        match source {
            Source::Own => None,
            Source::Log(number) => self.logs.get_mut(&number),
        }
    }

    /// The log whose file is kept under a number.
    pub(crate) fn kept(&self, file: u32) -> Option<Source> {
        self.logs().find(|(_, log)| log.kept_as == Some(file)).map(|(number, _)| Source::Log(number))
    }

    /// Puts a log away.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Log> {
        self.logs.remove(&number)
    }

    /// Runs a command against the store, now.
    pub(crate) fn send(&mut self, order: SendOrder) -> Result<Done> {
        let SendOrder { aggregate, id, command, actor, expected_version } = order;
        let Some(domain) = domains::find(&aggregate) else {
            return Err(Error::UnknownAggregate { name: aggregate });
        };
        let by = Sender { actor, now: host::now(), random: host::random(), ..Sender::default() };
        let options = Options { expected_version, ..Options::default() };
        run(&mut self.journal, domain, &id, command, &by, options)
    }
}

/// A command and all that goes with it.
#[derive(Debug, Clone)]
pub(crate) struct SendOrder {
    pub(crate) aggregate: String,
    pub(crate) id: String,
    pub(crate) command: Command,
    pub(crate) actor: String,
    pub(crate) expected_version: Option<u64>,
}
