//! What does not hold at an end.

use super::{Ended, Scenario, Task, World, Writer, ground::Ground};
use crate::{
    aggregate::{Aggregate, decode},
    domain::Snapshot,
    domains::{
        self,
        bank_account::{Account, BankAccount, BankAccountEvent},
    },
    error::{Error, Result},
    event::Event,
    run::Done,
    schema::Described,
    store::{MemoryStore, Stored},
    text::Label,
    value::diff,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What does not hold once every writer is done; nothing where all is well.
///
/// - Every stream runs 1 … n, its event ids and times rise, it replays, it is listed as its last event left
///   it, and its snapshot is what its events make at that version.
/// - Every command took effect as often as its sender was told: once, not at all, or (where the sender
///   was told that this is open) at most once. Every key took effect once. Who was told that a command was
///   a repetition got the effect of that very command, sent with the same key or known by its name.
/// - Money is conserved: what is in the accounts and on its way is what was put in less what was taken
///   out. Every transfer was initiated, received and settled once at the most, and settled as it went.
pub fn audit<S>(world: &World<S>, store: &MemoryStore) -> Vec<String> {
    let mut wrong = Vec::new();
    for (aggregate, id, stored) in store.streams() {
        audit_stream(aggregate, id, stored, &mut wrong);
    }
    audit_effects(&world.writers, store, 0, &mut wrong);
    audit_money(store, &mut wrong);
    wrong
}

/// As [`audit`], of one race: what was there before it is nobody's, and a transfer need not have arrived. Each role
/// meant its command once.
pub(super) fn audit_race(scenario: &Scenario, world: &World<Ground>) -> Vec<String> {
    let mut wrong = Vec::new();
    let store = &world.store.memory;
    let start = scenario.start.len() as u64;
    if let Some(stored) = store.stream(scenario.aggregate, &scenario.id) {
        audit_stream(scenario.aggregate, &scenario.id, stored, &mut wrong);
        let balance = stored.snapshot.as_ref().and_then(|row| row.state.get("balance")?.as_i64());
        let replayed = domains::for_log(scenario.aggregate).start(&scenario.id).apply_all(&stored.events);
        let replayed = replayed.ok().and_then(|instance| instance.snapshot());
        let replayed = replayed.and_then(|snapshot| snapshot.state.get("balance")?.as_i64());
        if scenario.aggregate == BankAccount::NAME
            && let Some(lowest) = [balance, replayed].into_iter().flatten().min().filter(|lowest| *lowest < 0)
        {
            wrong.push(format!("{} is overdrawn: {lowest}", scenario.id));
        }
        for role in &scenario.roles {
            let own = stored.events.iter().skip(start as usize).filter(|event| event.actor() == role.name);
            let commands: BTreeSet<Option<String>> = own.map(|event| event.trace().command_id).collect();
            if commands.len() > 1 {
                let (name, command) = (&role.name, &role.command.name);
                wrong.push(format!(
                    "{name} meant one {command}, and it took effect {} times: without a key nobody could tell that \
                     it was sent again",
                    commands.len()
                ));
            }
        }
    }
    audit_effects(&world.writers, store, start, &mut wrong);
    wrong
}

fn audit_stream(aggregate: &str, id: &str, stored: &Stored, wrong: &mut Vec<String>) {
    let domain = domains::for_log(aggregate);
    let events = &stored.events;
    if !events.iter().map(Event::version).eq(1..=events.len() as u64) {
        let versions: Vec<u64> = events.iter().map(Event::version).collect();
        wrong.push(format!("the versions of {id} are {versions:?}"));
    }
    if !events.iter().map(Event::id).is_sorted_by(|a, b| a < b) {
        wrong.push(format!("the event ids of {id} do not rise"));
    }
    if !events.iter().map(Event::time).is_sorted() {
        wrong.push(format!("the times of {id} run backwards"));
    }
    match domain.start(id).apply_all(events) {
        Ok(instance) if instance.meta() == stored.head.as_ref() => {}
        Ok(instance) => {
            wrong.push(format!(
                "the head of {id} is {:?}, its events make {:?}",
                stored.head,
                instance.meta()
            ));
        }
        Err(error) => wrong.push(format!("{id} does not replay: {error}")),
    }
    if let Some(snapshot) = &stored.snapshot {
        let prefix = events.get(..snapshot.meta.version as usize).unwrap_or(events);
        let replayed = domain.start(id).apply_all(prefix).ok().and_then(|instance| instance.snapshot());
        if replayed.as_ref() != Some(snapshot) {
            wrong.push(format!("the row of {id} {}", differs(snapshot, replayed.as_ref())));
        }
    }
}

/// How a row differs from the state that its events make.
fn differs(row: &Snapshot, replayed: Option<&Snapshot>) -> String {
    let Some(replayed) = replayed else { return "has no events that make a state".to_owned() };
    let (row, replayed) = (row.to_json(), replayed.to_json());
    let says = |value: Option<Value>| value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
    let changes = diff(&row, &replayed).into_iter().map(|change| {
        let place = change.path.trim_start_matches('/').to_owned();
        format!("says {place} {}, its events make {}", says(change.from), says(change.to))
    });
    let changes: Vec<String> = changes.collect();
    match changes.as_slice() {
        [] => "was written by another reducer than reads it".to_owned(),
        changes => changes.join("; "),
    }
}

/// What a sender was told, in a few words.
fn word_of(result: &Result<Done>) -> String {
    match result {
        Ok(done) => named(&done.events.iter().collect::<Vec<_>>()),
        Err(error) => error.to_string(),
    }
}

/// Events by their names and versions.
fn named(events: &[&Event]) -> String {
    let names = events.iter().map(|event| format!("{} in version {}", event.name(), event.version()));
    match names.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "no event".to_owned(),
        names => names,
    }
}

/// Events up to the version `start` of their stream are older than the writers.
fn audit_effects(writers: &[Writer], store: &MemoryStore, start: u64, wrong: &mut Vec<String>) {
    let mut by_command: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    let events = store.streams().flat_map(|(.., stored)| &stored.events);
    for event in events.filter(|event| event.version() > start) {
        by_command.entry(event.trace().command_id.unwrap_or_default()).or_default().push(event);
    }
    let mut by_key: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let ended = writers.iter().flat_map(|writer| writer.ended.iter().map(move |end| (writer, end)));
    let senders: BTreeMap<&str, (&Writer, &Task)> =
        ended.clone().map(|(writer, end)| (end.task.command_id.as_str(), (writer, &end.task))).collect();
    for (writer, Ended { task, result }) in ended {
        let recorded = by_command.get(&task.command_id).map_or(&[][..], Vec::as_slice);
        let told: &[Event] = result.as_ref().map_or(&[], |done| &done.events);
        let right = match result {
            Ok(Done { repeated: true, .. }) if recorded.is_empty() => {
                let first = told.first().and_then(|event| event.trace().command_id).unwrap_or_default();
                let effect = by_command.get(&first).map_or(&[][..], Vec::as_slice);
                let repeats = |(by, first): &(&Writer, &Task)| {
                    let same_key = task.idempotency_key.is_some()
                        && (&by.name, &first.idempotency_key) == (&writer.name, &task.idempotency_key);
                    (first.aggregate, &first.id, &first.command) == (task.aggregate, &task.id, &task.command)
                        && (same_key || takes_effect_once(task))
                };
                if !senders.get(first.as_str()).is_some_and(repeats) || !effect.iter().copied().eq(told) {
                    let told = named(&told.iter().collect::<Vec<_>>());
                    wrong.push(format!("{} was told that it repeats {told}", task.command_id));
                }
                true
            }
            Err(Error::Store { uncertain: true, .. }) => recorded.len() <= 1,
            _ => recorded.iter().copied().eq(told),
        };
        if !right {
            let (command, recorded, told) = (&task.command_id, named(recorded), word_of(result));
            wrong.push(format!("{command} recorded {recorded}, and its sender was told: {told}"));
        }
        let stored = told.iter().all(|event| {
            store.stream(task.aggregate, &task.id).is_some_and(|stored| stored.events.contains(event))
        });
        if !stored {
            wrong.push(format!("{} was told of events that are not stored", task.command_id));
        }
        if let Some(key) = &task.idempotency_key {
            *by_key.entry((&writer.name, key)).or_default() += recorded.len();
        }
    }
    for (command, events) in by_command.iter().filter(|(id, _)| !senders.contains_key(id.as_str())) {
        wrong.push(format!("nobody knows the command {command}, which recorded {} events", events.len()));
    }
    for ((actor, key), effects) in by_key.into_iter().filter(|(_, effects)| *effects > 1) {
        wrong.push(format!("the key {key} of {actor} took effect {effects} times"));
    }
    for record in store.records() {
        let events = store.stream(&record.aggregate, &record.id).map_or(&[][..], |stored| &stored.events);
        if events.iter().filter(|event| (record.first..=record.last).contains(&event.version())).count() != 1
        {
            wrong.push(format!("the record {} points at no event", record.key));
        }
    }
}

fn takes_effect_once(task: &Task) -> bool {
    matches!(domains::for_log(task.aggregate).validate(&task.command), Ok(Some(_)))
}

fn audit_money(store: &MemoryStore, wrong: &mut Vec<String>) {
    let (mut put_in, mut there) = (0_i64, 0_i64);
    // For each transfer: initiated, received, completed, reversed.
    let mut transfers: BTreeMap<Label, [u32; 4]> = BTreeMap::new();
    let mut count = |id: Label, step: usize| {
        if let Some(count) = transfers.entry(id).or_default().get_mut(step) {
            *count += 1;
        }
    };
    for (_, id, stored) in store.streams().filter(|(aggregate, ..)| *aggregate == "BankAccount") {
        for event in stored.events.iter().filter_map(|event| decode::<BankAccount>(event).ok()) {
            use BankAccountEvent::*;
            match event.event {
                AccountOpened { initial_deposit, .. } => put_in += initial_deposit.get(),
                MoneyDeposited { amount, .. } => put_in += amount.get(),
                MoneyWithdrawn { amount, .. } => put_in -= amount.get(),
                TransferInitiated { transfer_id, .. } => count(transfer_id, 0),
                TransferReceived { transfer_id, .. } => count(transfer_id, 1),
                TransferCompleted { transfer_id } => count(transfer_id, 2),
                TransferReversed { transfer_id, .. } => count(transfer_id, 3),
                AccountClosed { .. } => {}
            }
        }
        let domain = domains::for_log("BankAccount");
        let state = domain.start(id).apply_all(&stored.events).ok().and_then(|instance| instance.snapshot());
        let state = state.and_then(|snapshot| Account::from_object(&snapshot.state).ok());
        if let Some(account) = state {
            if account.balance.get() < 0 {
                wrong.push(format!("{id} is overdrawn: {}", account.balance));
            }
            let pending = account.pending_transfers.iter().map(|(_, transfer)| transfer.amount.get());
            there += account.balance.get() + pending.sum::<i64>();
        }
    }
    if put_in != there {
        wrong.push(format!("{put_in} cents were put in, and {there} are there"));
    }
    for (id, steps) in transfers {
        // A saga never gives up: what was initiated has arrived and is complete, or came back.
        if steps != [1, 1, 1, 0] && steps != [1, 0, 0, 1] {
            wrong.push(format!("the transfer {id} took its steps so often: {steps:?}"));
        }
    }
}
