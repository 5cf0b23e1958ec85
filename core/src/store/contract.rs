//! The suite that every store has to pass, in memory, in a browser or on DynamoDB: the same code, so
//! that "it is a store" means one thing.
//!
//! It asks through a function, so a store that answers in its own time is tested as it is used. Every
//! case works on aggregates of its own, named after `prefix`: a shared store need not be empty.

use super::{Answer, Commit, Failure, Loaded, MAX_ITEMS, Page, Record, Reply, Request, Store, gone};
use crate::{
    aggregate::Meta,
    domain::{Command, Domain, Instance, Sender, Snapshot, decide},
    domains,
    event::Event,
    value::canonical,
};
use serde_json::{Value, json};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// A case that a store does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The case.
    pub case: &'static str,
    /// What was expected, and what was found.
    pub message: String,
}

type Outcome = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+));
        }
    };
}

macro_rules! suite {
    ($($case:ident,)*) => {
        /// The names of the cases.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Tries every case on a store that is asked through `ask`; empty where it passes them all.
        pub async fn run(ask: &mut impl AsyncFnMut(Request) -> Reply, prefix: &str) -> Vec<Finding> {
            let mut findings = Vec::new();
            $(
                let case = stringify!($case);
                if let Err(message) = $case(ask, &format!("{prefix}-{case}")).await {
                    findings.push(Finding { case, message });
                }
            )*
            findings
        }
    };
}

suite! {
    what_is_absent_is_empty,
    a_stream_is_read_as_it_was_written,
    events_come_in_pages,
    creating_twice_is_a_conflict,
    another_version_is_a_conflict,
    a_commit_is_whole_or_not_at_all,
    a_commit_sent_again_is_written_once,
    a_key_is_taken_once,
    each_of_two_keys_is_taken,
    a_key_goes_before_a_conflict,
    an_expired_key_is_free,
    a_key_without_end_never_expires,
    a_field_that_goes_away_is_gone,
    a_snapshot_is_rewritten_unless_the_aggregate_has_moved_on,
    every_text_and_number_survives,
    as_many_events_as_a_commit_can_hold,
    a_list_names_every_aggregate_once,
}

/// Tries every case on a store that answers at once.
pub fn check(store: &mut impl Store) -> Vec<Finding> {
    let mut ask = async |request: Request| store.answer(&request);
    let suite = pin!(run(&mut ask, "contract"));
    match suite.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(findings) => findings,
        Poll::Pending => {
            vec![Finding { case: "suite", message: "a store that answers at once waited".to_owned() }]
        }
    }
}

/// A stream that the suite writes: what it should be.
struct Draft {
    domain: &'static dyn Domain,
    now: Box<dyn Instance>,
    events: Vec<Event>,
}

impl Draft {
    fn new(domain: &str, id: &str) -> Result<Self, String> {
        let domain = domains::find(domain).ok_or("the suite's domain is missing")?;
        Ok(Self { domain, now: domain.start(id), events: Vec::new() })
    }

    /// An account with its opening written.
    async fn account(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Result<Self, String> {
        let mut account = Self::new("BankAccount", id)?;
        let opening = account.commit(&[open()])?;
        written(ask, opening).await?;
        Ok(account)
    }

    /// A commit of these commands' events, which are taken to be written.
    fn commit(&mut self, commands: &[(&str, Value)]) -> Result<Commit, String> {
        let expected = self.now.version();
        let before = self.now.snapshot();
        let mut events = Vec::new();
        for (name, fields) in commands {
            let by = Sender {
                actor: "suite".to_owned(),
                now: 1_700_000_000_000,
                random: self.events.len() as u128,
                ..Sender::default()
            };
            let command = Command::new(*name, fields.clone()).map_err(|error| error.to_string())?;
            let new =
                decide(self.domain, self.now.as_ref(), &command, &by).map_err(|error| error.to_string())?;
            self.now = self.now.fork().apply_all(&new).map_err(|error| error.to_string())?;
            events.extend(new);
        }
        self.events.extend(events.iter().cloned());
        let snapshot = self.now.snapshot().ok_or("the suite's commit has no state")?;
        let removed = gone(before.as_ref(), &snapshot);
        Ok(Commit {
            aggregate: self.domain.name().to_owned(),
            id: self.now.id().to_owned(),
            expected,
            events,
            snapshot,
            removed,
            records: Vec::new(),
            now: 1_700_000_000_000,
        })
    }

    /// Reads the stream back and compares it with what it should be.
    async fn check(&self, ask: &mut impl AsyncFnMut(Request) -> Reply) -> Outcome {
        let (aggregate, id) = (self.domain.name(), self.now.id());
        let loaded = load(ask, aggregate, id).await?;
        let version = self.now.version();
        ensure!(loaded.version == version, "expected version {version} of {id}, found {}", loaded.version);
        let Page { items, next } = events(ask, aggregate, id, (0, None), 2_000).await?;
        ensure!(next.is_none(), "expected all {version} events of {id} in one page, found a next one");
        let values = |events: &[Event]| -> Vec<String> {
            events.iter().map(|event| canonical(&Value::Object(event.fields()))).collect()
        };
        let (expected, found) = (values(&self.events), values(&items));
        ensure!(expected == found, "expected the events {expected:?}, found {found:?}");
        if let Some(snapshot) = loaded.snapshot {
            ensure!(snapshot.meta.version <= version, "a snapshot of {id} is newer than its events");
            let prefix = self.events.get(..snapshot.meta.version as usize).unwrap_or_default();
            let replayed = self.domain.start(id).apply_all(prefix).map_err(|error| error.to_string())?;
            let expected = replayed.snapshot().map(|replayed| canonical(&replayed.to_json()));
            let found = Some(canonical(&snapshot.to_json()));
            ensure!(expected == found, "expected the snapshot {expected:?}, found {found:?}");
        }
        Ok(())
    }
}

fn open() -> (&'static str, Value) {
    ("Open", json!({ "accountHolderId": "ada", "currency": "EUR", "initialDeposit": 10_000 }))
}

fn deposit(amount: i64) -> (&'static str, Value) {
    ("Deposit", json!({ "amount": amount, "transactionReference": format!("ref-{amount}") }))
}

fn with_key(mut commit: Commit, key: &str, expires_at: Option<u64>) -> Commit {
    commit.records.push(Record {
        key: key.to_owned(),
        hash: "0".repeat(64),
        aggregate: commit.aggregate.clone(),
        id: commit.id.clone(),
        first: commit.expected + 1,
        last: commit.expected + commit.events.len() as u64,
        expires_at,
    });
    commit
}

async fn a_snapshot_is_rewritten_unless_the_aggregate_has_moved_on(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    id: &str,
) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    let old = account.now.snapshot().ok_or("the account has no state")?;
    let rewrite = |snapshot: &Snapshot| {
        let aggregate = account.domain.name().to_owned();
        Request::Rewrite { aggregate, snapshot: Box::new(snapshot.clone()) }
    };
    let mut other = old.clone();
    other.state.insert("note".to_owned(), "rewritten".into());
    let first = answer(ask, rewrite(&other)).await?;
    ensure!(first == Answer::Committed, "expected the snapshot to be rewritten, found {first:?}");
    let loaded = load(ask, account.domain.name(), id).await?;
    let found = loaded.snapshot.map(|snapshot| snapshot.state);
    // A store may keep no snapshot; it must not keep the old one.
    let is_new = found.as_ref().is_none_or(|found| *found == other.state);
    ensure!(is_new, "expected the rewritten state, found {found:?}");
    let again = answer(ask, rewrite(&old)).await?;
    ensure!(again == Answer::Committed, "expected it to be rewritten again, found {again:?}");
    let late = rewrite(&other);
    let deposit = account.commit(&[deposit(1)])?;
    written(ask, deposit).await?;
    let late = answer(ask, late).await?;
    ensure!(matches!(late, Answer::Conflict(_)), "expected a conflict for an old snapshot, found {late:?}");
    account.check(ask).await
}

async fn answer(ask: &mut impl AsyncFnMut(Request) -> Reply, request: Request) -> Result<Answer, String> {
    let told = format!("{request:?}");
    ask(request).await.result.map_err(|failure| format!("{failure:?}, asked for {told}"))
}

async fn load(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    aggregate: &str,
    id: &str,
) -> Result<Loaded, String> {
    match answer(ask, Request::Load { aggregate: aggregate.to_owned(), id: id.to_owned() }).await? {
        Answer::Loaded(loaded) => Ok(loaded),
        other => Err(format!("expected where {id} is, found {other:?}")),
    }
}

async fn events(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    aggregate: &str,
    id: &str,
    (after, cursor): (u64, Option<String>),
    limit: usize,
) -> Result<Page<Event>, String> {
    let (aggregate, id) = (aggregate.to_owned(), id.to_owned());
    let request = Request::Events { aggregate, id: id.clone(), after, cursor, limit };
    match answer(ask, request).await? {
        Answer::Events(page) => Ok(page),
        other => Err(format!("expected the events of {id}, found {other:?}")),
    }
}

async fn record(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    key: &str,
    now: u64,
) -> Result<Option<Record>, String> {
    match answer(ask, Request::Record { keys: vec![key.to_owned()], now }).await? {
        Answer::Record(record) => Ok(record),
        other => Err(format!("expected the record of {key}, found {other:?}")),
    }
}

async fn commit(ask: &mut impl AsyncFnMut(Request) -> Reply, commit: Commit) -> Result<Answer, String> {
    answer(ask, Request::Commit(Box::new(commit))).await
}

async fn written(ask: &mut impl AsyncFnMut(Request) -> Reply, new: Commit) -> Outcome {
    match commit(ask, new).await? {
        Answer::Committed => Ok(()),
        other => Err(format!("expected the commit to be written, found {other:?}")),
    }
}

async fn refused(ask: &mut impl AsyncFnMut(Request) -> Reply, new: Commit, at: u64) -> Outcome {
    match commit(ask, new).await? {
        Answer::Conflict(None) => Ok(()),
        Answer::Conflict(Some(winner)) if winner.version == at => Ok(()),
        other => Err(format!("expected a conflict with version {at}, found {other:?}")),
    }
}

async fn what_is_absent_is_empty(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let loaded = load(ask, "BankAccount", id).await?;
    ensure!(loaded == Loaded::default(), "expected nothing, found {loaded:?}");
    let page = events(ask, "BankAccount", id, (0, None), 10).await?;
    ensure!(page.items.is_empty() && page.next.is_none(), "expected no events, found {page:?}");
    let none = record(ask, id, 0).await?;
    ensure!(none.is_none(), "expected no record, found {none:?}");
    Ok(())
}

async fn a_stream_is_read_as_it_was_written(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    id: &str,
) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    account.check(ask).await?;
    let several = account.commit(&[deposit(1), deposit(2), deposit(3)])?;
    written(ask, several).await?;
    account.check(ask).await
}

async fn events_come_in_pages(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    for _ in 0..3 {
        let deposits: Vec<_> = (1..=80).map(deposit).collect();
        let many = account.commit(&deposits)?;
        written(ask, many).await?;
    }
    account.check(ask).await?;
    let (mut after, mut cursor, mut found) = (7, None, Vec::new());
    loop {
        let page = events(ask, "BankAccount", id, (after, cursor), 50).await?;
        ensure!(page.items.len() <= 50, "expected 50 events at the most, found {}", page.items.len());
        found.extend(page.items.iter().map(Event::version));
        after = found.last().copied().unwrap_or(after);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        ensure!(!page.items.is_empty(), "a page without events has a next one");
    }
    ensure!(found.iter().copied().eq(8..=241), "expected versions 8 to 241, found {found:?}");
    Ok(())
}

async fn creating_twice_is_a_conflict(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let account = Draft::account(ask, id).await?;
    let again = Draft::new("BankAccount", id)?.commit(&[open(), deposit(5)])?;
    refused(ask, again, 1).await?;
    account.check(ask).await
}

async fn another_version_is_a_conflict(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    let mut late = Draft { events: account.events.clone(), now: account.now.fork(), ..account };
    let late = late.commit(&[deposit(7)])?;
    let second = account.commit(&[deposit(1)])?;
    written(ask, second).await?;
    refused(ask, late, 2).await?;
    let mut early = Draft { events: account.events.clone(), now: account.now.fork(), ..account };
    early.commit(&[deposit(2)])?;
    let early = early.commit(&[deposit(3)])?;
    refused(ask, early, 2).await?;
    account.check(ask).await?;
    let mut absent = Draft::new("BankAccount", &format!("{id}-absent"))?;
    absent.commit(&[open()])?;
    let absent = absent.commit(&[deposit(1)])?;
    refused(ask, absent, 0).await
}

async fn a_commit_is_whole_or_not_at_all(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    let mut late = Draft { events: account.events.clone(), now: account.now.fork(), ..account };
    let other = format!("{id}-other");
    let late = with_key(with_key(late.commit(&[deposit(7), deposit(8)])?, id, None), &other, None);
    let second = account.commit(&[deposit(1)])?;
    written(ask, second).await?;
    refused(ask, late, 2).await?;
    for key in [id, &other] {
        let none = record(ask, key, 0).await?;
        ensure!(none.is_none(), "a commit that met a conflict left a record: {none:?}");
    }
    account.check(ask).await
}

async fn a_commit_sent_again_is_written_once(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    id: &str,
) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    let deposits = account.commit(&[deposit(1), deposit(2)])?;
    written(ask, deposits.clone()).await?;
    // A store may know the repetition, or find the version taken.
    match commit(ask, deposits).await? {
        Answer::Committed | Answer::Conflict(_) => account.check(ask).await,
        other => Err(format!("expected a conflict or a known commit, found {other:?}")),
    }
}

async fn a_key_is_taken_once(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::new("BankAccount", id)?;
    let first = with_key(account.commit(&[open()])?, id, Some(1_800_000_000_000));
    let expected = first.records.first().cloned();
    written(ask, first).await?;
    let found = record(ask, id, 1_700_000_000_000).await?;
    ensure!(found == expected, "expected the record {expected:?}, found {found:?}");
    let other = Draft::new("BankAccount", &format!("{id}-other"))?.commit(&[open()])?;
    let taken = commit(ask, with_key(other, id, Some(1_800_000_000_000))).await?;
    ensure!(
        Some(&taken) == expected.map(Answer::KeyTaken).as_ref(),
        "expected the key to be taken, found {taken:?}"
    );
    let loaded = load(ask, "BankAccount", &format!("{id}-other")).await?;
    ensure!(loaded.version == 0, "a commit whose key was taken was written");
    account.check(ask).await
}

async fn each_of_two_keys_is_taken(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::new("BankAccount", id)?;
    let keys = [format!("{id}-1"), format!("{id}-2")];
    let [one, two] = &keys;
    let first = with_key(with_key(account.commit(&[open()])?, one, Some(1_800_000_000_000)), two, None);
    let expected = first.records.clone();
    written(ask, first).await?;
    for (key, expected) in keys.iter().zip(&expected) {
        let found = record(ask, key, 1_700_000_000_000).await?;
        ensure!(found.as_ref() == Some(expected), "expected the record {expected:?}, found {found:?}");
    }
    // Whichever is taken refuses the commit and is named; of two, the one that the commit names first.
    let (free, absent) = (format!("{id}-3"), format!("{id}-absent"));
    for (keys, taken) in
        [([one, &free], 0), ([&free, one], 0), ([two, &free], 1), ([&free, two], 1), ([two, one], 1)]
    {
        let [left, right] = keys;
        let other = Draft::new("BankAccount", &absent)?.commit(&[open()])?;
        let found = commit(ask, with_key(with_key(other, left, None), right, None)).await?;
        let expected = expected.get(taken).cloned().map(Answer::KeyTaken);
        ensure!(Some(&found) == expected.as_ref(), "expected {expected:?}, found {found:?}");
        let (loaded, none) = (load(ask, "BankAccount", &absent).await?, record(ask, &free, 0).await?);
        ensure!(
            loaded.version == 0 && none.is_none(),
            "a commit with a key that was taken was written: {loaded:?}, {none:?}"
        );
    }
    account.check(ask).await
}

async fn a_key_goes_before_a_conflict(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::new("BankAccount", id)?;
    let first = with_key(account.commit(&[open()])?, id, None);
    written(ask, first.clone()).await?;
    let second = account.commit(&[deposit(1)])?;
    written(ask, second).await?;
    let expected = first.records.first().cloned().map(Answer::KeyTaken);
    let mut again = Draft::new("BankAccount", id)?;
    let again = with_key(again.commit(&[open(), deposit(9)])?, id, None);
    let found = commit(ask, again).await?;
    ensure!(Some(&found) == expected.as_ref(), "expected {expected:?}, found {found:?}");
    account.check(ask).await
}

async fn an_expired_key_is_free(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::new("BankAccount", id)?;
    let first = with_key(account.commit(&[open()])?, id, Some(1_700_000_005_000));
    written(ask, first).await?;
    let counts = record(ask, id, 1_700_000_005_000).await?;
    ensure!(counts.is_some(), "the record is gone at its last moment");
    let expired = record(ask, id, 1_700_000_006_000).await?;
    ensure!(expired.is_none(), "the record counts after its end: {expired:?}");
    let mut second = with_key(account.commit(&[deposit(1)])?, id, Some(1_900_000_000_000));
    second.now = 1_700_000_006_000;
    let expected = second.records.first().cloned();
    written(ask, second).await?;
    let found = record(ask, id, 1_700_000_006_000).await?;
    ensure!(found == expected, "expected the new record {expected:?}, found {found:?}");
    account.check(ask).await
}

async fn a_key_without_end_never_expires(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::new("BankAccount", id)?;
    let first = with_key(account.commit(&[open()])?, id, None);
    written(ask, first).await?;
    let mut other = with_key(Draft::new("BankAccount", &format!("{id}-other"))?.commit(&[open()])?, id, None);
    other.now = crate::time::MAX_TIME;
    let found = commit(ask, other).await?;
    ensure!(matches!(found, Answer::KeyTaken(_)), "expected the key to be taken for good, found {found:?}");
    account.check(ask).await
}

async fn a_field_that_goes_away_is_gone(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut customer = Draft::new("Customer", id)?;
    for (name, fields) in [
        ("Register", json!({ "email": "ada@example.com", "name": "Ada" })),
        ("Suspend", json!({ "reason": "an unpaid bill" })),
        ("Reactivate", json!({})),
    ] {
        let next = customer.commit(&[(name, fields)])?;
        written(ask, next).await?;
        customer.check(ask).await?;
    }
    Ok(())
}

async fn every_text_and_number_survives(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut account = Draft::account(ask, id).await?;
    let texts = [
        "naïve 日本語 🦀",
        "quote \" backslash \\ slash /",
        "\u{0}\u{1f}\t\r\n\u{2028}",
        "__proto__",
        "1.0",
        " ",
    ];
    for text in texts {
        let amount = 100_000_000;
        let odd = ("Deposit", json!({ "amount": amount, "transactionReference": text, "description": "." }));
        let next = account.commit(&[odd])?;
        written(ask, next).await?;
    }
    account.check(ask).await
}

async fn as_many_events_as_a_commit_can_hold(
    ask: &mut impl AsyncFnMut(Request) -> Reply,
    id: &str,
) -> Outcome {
    for keys in 0..=2 {
        let id = format!("{id}-{keys}");
        let mut account = Draft::account(ask, &id).await?;
        let keyed = |commit: Commit, kind: &str| {
            (0..keys).fold(commit, |commit, key| with_key(commit, &format!("{id}-{kind}-{key}"), None))
        };
        let most: Vec<_> = (1..=(MAX_ITEMS - keys) as i64).map(deposit).collect();
        let full = keyed(account.commit(&most)?, "full");
        written(ask, full).await?;
        account.check(ask).await?;
        let mut too_many = Draft { events: account.events.clone(), now: account.now.fork(), ..account };
        let too_many = keyed(too_many.commit(&[&most[..], &[deposit(1)]].concat())?, "more");
        let (events, reply) = (too_many.events.len(), ask(Request::Commit(Box::new(too_many))).await);
        let refused = matches!(reply.result, Err(Failure::Refused(_)));
        ensure!(
            refused,
            "expected {events} events and {keys} records to be refused, found {:?}",
            reply.result
        );
        account.check(ask).await?;
    }
    Ok(())
}

async fn a_list_names_every_aggregate_once(ask: &mut impl AsyncFnMut(Request) -> Reply, id: &str) -> Outcome {
    let mut expected: Vec<Meta> = Vec::new();
    for index in 0..7 {
        let mut account = Draft::account(ask, &format!("{id}-{index}")).await?;
        if index % 2 == 0 {
            let second = account.commit(&[deposit(1)])?;
            written(ask, second).await?;
        }
        expected.extend(account.now.meta().cloned());
    }
    let (mut cursor, mut found) = (None, Vec::new());
    for _ in 0..10_000 {
        let request = Request::List { aggregate: "BankAccount".to_owned(), cursor, limit: 3 };
        let Answer::List(page) = answer(ask, request).await? else {
            return Err("expected a list of aggregates".to_owned());
        };
        ensure!(page.items.len() <= 3, "expected 3 aggregates at the most, found {}", page.items.len());
        found.extend(page.items.into_iter().filter(|meta| meta.id.starts_with(id)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    ensure!(found == expected, "expected {expected:?}, found {found:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn the_store_in_memory_passes_with_rare_snapshots_and_with_current_rows() {
        assert_eq!(check(&mut MemoryStore::new()), []);
        assert_eq!(check(&mut MemoryStore::with_snapshots(1)), []);
    }

    /// Breaks one promise of a good store.
    struct Broken(MemoryStore, fn(&mut MemoryStore, &Request) -> Option<Reply>);

    impl Store for Broken {
        fn answer(&mut self, request: &Request) -> Reply {
            (self.1)(&mut self.0, request).unwrap_or_else(|| self.0.answer(request))
        }
    }

    fn fails(case: &str, broken: fn(&mut MemoryStore, &Request) -> Option<Reply>) {
        let findings = check(&mut Broken(MemoryStore::with_snapshots(1), broken));
        assert!(findings.iter().any(|finding| finding.case == case), "{case}: {findings:?}");
    }

    #[test]
    fn a_store_that_breaks_a_promise_fails_the_case_that_names_it() {
        let ignores_version: fn(&mut MemoryStore, &Request) -> Option<Reply> = |store, request| match request
        {
            Request::Commit(commit) => {
                store.write(commit);
                Some(Reply::one(Ok(Answer::Committed)))
            }
            _ => None,
        };
        fails("creating_twice_is_a_conflict", ignores_version);
        fails("another_version_is_a_conflict", ignores_version);
        fails("a_key_is_taken_once", ignores_version);
        fails("as_many_events_as_a_commit_can_hold", ignores_version);
        fails("a_commit_is_whole_or_not_at_all", |store, request| match request {
            Request::Commit(commit) => {
                let reply = store.answer(request);
                if let (Ok(Answer::Conflict(_)), [_, ..]) = (&reply.result, &commit.records[..]) {
                    let mut other = commit.clone();
                    other.id += "-beside";
                    store.write(&other);
                }
                Some(reply)
            }
            _ => None,
        });
        let looks_at_one_key: fn(&mut MemoryStore, &Request) -> Option<Reply> = |store, request| match request
        {
            Request::Commit(commit) => {
                let mut first = commit.clone();
                let others = first.records.split_off(commit.records.len().min(1));
                let reply = store.answer(&Request::Commit(first));
                if reply.result == Ok(Answer::Committed) {
                    store.keep(others);
                }
                Some(reply)
            }
            _ => None,
        };
        fails("each_of_two_keys_is_taken", looks_at_one_key);
        fails("as_many_events_as_a_commit_can_hold", looks_at_one_key);
        fails("a_snapshot_is_rewritten_unless_the_aggregate_has_moved_on", |_, request| match request {
            Request::Rewrite { .. } => Some(Reply::one(Ok(Answer::Committed))),
            _ => None,
        });
        fails("an_expired_key_is_free", |store, request| match request {
            Request::Record { keys, .. } => {
                Some(Reply::one(Ok(Answer::Record(store.record(&keys[0], 0).cloned()))))
            }
            _ => None,
        });
        fails("events_come_in_pages", |store, request| match request {
            Request::Events { aggregate, id, after, limit: 50, .. } => {
                let request = Request::Events {
                    aggregate: aggregate.clone(),
                    id: id.clone(),
                    after: *after,
                    cursor: None,
                    limit: 49,
                };
                match store.answer(&request).result {
                    Ok(Answer::Events(page)) => {
                        Some(Reply::one(Ok(Answer::Events(Page { next: None, ..page }))))
                    }
                    _ => None,
                }
            }
            _ => None,
        });
    }
}
