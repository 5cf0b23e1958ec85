//! Own streams: a store in memory, every commit of which is kept in the browser's local storage, under a key of
//! its own and in the order in which they were made.

use super::Trouble;
use gloo_storage::{LocalStorage, Storage, errors::StorageError};
use rewound_core::{
    event::Event,
    store::{Answer, Commit, MemoryStore, Record, Reply, Request, Store},
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

const PREFIX: &str = "rewound/commit/";

/// A store whose commits outlive the page, as far as the browser lets them.
#[derive(Debug)]
pub(crate) struct Journal {
    memory: MemoryStore,
    /// Whether this window may write to the browser's storage.
    writes: bool,
    /// The commits that the browser's storage has not got, the oldest first, each as it is kept:
    /// `{"events": […], "records": […]}`.
    waiting: VecDeque<Value>,
    /// The number of the next key.
    next: u32,
    /// What could not be taken back, a line for each.
    unreadable: Vec<String>,
    trouble: Option<Trouble>,
}

impl Journal {
    /// A journal that writes nothing down.
    pub(crate) fn in_memory() -> Self {
        Self {
            memory: MemoryStore::new(),
            writes: false,
            waiting: VecDeque::new(),
            next: 1,
            unreadable: Vec::new(),
            trouble: None,
        }
    }

    /// Takes back every commit that was kept. Those that make no sense are told, and stay where they are.
    ///
    /// There has to be a local storage.
    pub(crate) fn open(writes: bool) -> Self {
        let mut journal = Self { writes, ..Self::in_memory() };
        let storage = LocalStorage::raw();
        let keys = (0..LocalStorage::length()).filter_map(|index| storage.key(index).ok().flatten());
        let keys: BTreeSet<String> = keys.filter(|key| key.starts_with(PREFIX)).collect();
        for key in keys {
            let number = key.strip_prefix(PREFIX).and_then(|number| number.parse().ok());
            journal.next = number.map_or(journal.next, |number: u32| number.saturating_add(1));
            let entry: Result<Value, StorageError> = LocalStorage::get(&key);
            let taken = entry.map_err(|error| error.to_string()).and_then(|entry| journal.take_back(&entry));
            if let Err(error) = taken {
                journal.unreadable.push(format!("{key}: {error}"));
            }
        }
        journal
    }

    fn take_back(&mut self, entry: &Value) -> Result<(), String> {
        let part = |name: &str| entry.get(name).and_then(Value::as_array).into_iter().flatten();
        let events = part("events").map(|event| Event::parse(&event.to_string()));
        let events: Vec<Event> = events.collect::<Result<_, _>>().map_err(|issue| issue.to_string())?;
        self.memory
            .restore(events, part("records").filter_map(record).collect())
            .map_err(|error| error.to_string())
    }

    /// The streams.
    pub(crate) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// What could not be taken back when it was opened.
    pub(crate) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// Why the last commits are in memory alone, or the first could not be taken back, where that is so.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let damaged = || {
            let first = self.unreadable.first()?.clone();
            Some(Trouble::Damaged { number: self.unreadable.len(), first })
        };
        self.trouble.clone().or_else(damaged)
    }

    /// Whether this window may write to the browser's storage.
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    /// Writes nothing from now on.
    pub(crate) fn stop(&mut self) {
        self.writes = false;
    }

    /// The commits of this journal that were never written down, on top of those that are kept: what another
    /// window wrote comes first. Where one does not fit there any more, it is told.
    pub(crate) fn take_over(self) -> Self {
        let mut journal = Self::open(true);
        for entry in self.waiting {
            match journal.take_back(&entry) {
                Ok(()) => journal.waiting.push_back(entry),
                Err(error) => journal.unreadable.push(error),
            }
        }
        journal.write_down();
        journal
    }

    /// Forgets everything, here and in the browser's storage.
    pub(crate) fn clear(&mut self) {
        if self.writes {
            (1..self.next).for_each(|number| LocalStorage::delete(key(number)));
        }
        *self = Self { writes: self.writes, ..Self::in_memory() };
    }

    /// Writes down what waits, in its order, as far as there is room.
    fn write_down(&mut self) {
        while self.writes
            && let Some(entry) = self.waiting.front()
        {
            let key = key(self.next);
            // Another window that has just taken over may have been quicker than its message.
            if is_there(&key) {
                self.stop();
                return self.trouble = Some(Trouble::OtherWindow);
            }
            // Whoever cleared the storage meant it, and a commit without those before it is worth nothing.
            if self.next > 1 && !is_there(&self::key(self.next - 1)) {
                self.stop();
                let error = "its storage was cleared while the page was open".to_owned();
                return self.trouble = Some(Trouble::Refused(error));
            }
            match LocalStorage::set(key, entry) {
                Ok(()) => {
                    self.waiting.pop_front();
                    self.next += 1;
                    self.trouble = None;
                }
                Err(error) => {
                    let what = crate::format::count(self.waiting.len(), "command");
                    return self.trouble = Some(Trouble::Full { what, error: error.to_string() });
                }
            }
        }
    }

    fn keep(&mut self, commit: &Commit) {
        let events: Vec<Value> = commit.events.iter().map(|event| event.fields().into()).collect();
        let records: Vec<Value> = commit.records.iter().map(to_json).collect();
        self.waiting.push_back(json!({ "events": events, "records": records }));
        self.write_down();
    }
}

/// Keys sort as their numbers do.
fn key(number: u32) -> String {
    format!("{PREFIX}{number:08}")
}

/// Whether anything is kept under a key, whatever it is.
fn is_there(key: &str) -> bool {
    matches!(LocalStorage::raw().get_item(key), Ok(Some(_)))
}

fn to_json(record: &Record) -> Value {
    json!({
        "key": record.key, "hash": record.hash, "aggregate": record.aggregate, "id": record.id,
        "first": record.first, "last": record.last, "expiresAt": record.expires_at,
    })
}

fn record(value: &Value) -> Option<Record> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    Some(Record {
        key: text("key")?,
        hash: text("hash")?,
        aggregate: text("aggregate")?,
        id: text("id")?,
        first: number("first")?,
        last: number("last")?,
        expires_at: number("expiresAt"),
    })
}

impl Store for Journal {
    fn answer(&mut self, request: &Request) -> Reply {
        let reply = self.memory.answer(request);
        if let (Request::Commit(commit), Ok(Answer::Committed)) = (request, &reply.result) {
            self.keep(commit);
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewound_core::store::contract;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_browser);

    fn events(journal: &Journal) -> Vec<String> {
        let events = journal.memory.streams().flat_map(|(.., stored)| &stored.events);
        events.map(|event| event.as_json().to_owned()).collect()
    }

    #[wasm_bindgen_test]
    async fn it_is_a_store_by_the_contract() {
        LocalStorage::clear();
        let mut journal = Journal::open(true);
        let mut ask = async |request: Request| journal.answer(&request);
        assert_eq!(contract::run(&mut ask, "one").await, []);
        assert_eq!(journal.trouble(), None);
    }

    #[wasm_bindgen_test]
    async fn it_is_one_when_the_page_is_reloaded_before_every_request() {
        LocalStorage::clear();
        let mut ask = async |request: Request| Journal::open(true).answer(&request);
        assert_eq!(contract::run(&mut ask, "each").await, []);
    }

    #[wasm_bindgen_test]
    fn it_goes_on_behind_a_commit_that_is_not_even_json() {
        LocalStorage::clear();
        LocalStorage::raw().set_item(&key(1), "{").unwrap();
        let mut journal = Journal::open(true);
        crate::demo::tell(&mut journal);
        assert!(journal.writes() && journal.waiting.is_empty());
        assert!(matches!(journal.trouble(), Some(Trouble::Damaged { number: 1, .. })));
        assert_eq!(events(&Journal::open(true)), events(&journal));
    }

    #[wasm_bindgen_test]
    async fn one_that_may_not_write_leaves_the_storage_alone() {
        LocalStorage::clear();
        let mut journal = Journal::open(false);
        let mut ask = async |request: Request| journal.answer(&request);
        assert_eq!(contract::run(&mut ask, "none").await, []);
        assert_eq!(LocalStorage::length(), 0);

        let before = events(&journal);
        let after = journal.take_over();
        assert_eq!(events(&after), before);
        assert_eq!(events(&Journal::open(false)), before);
        assert!(after.waiting.is_empty());
        assert!(Journal::open(false).memory.records().eq(after.memory.records()));
    }
}
