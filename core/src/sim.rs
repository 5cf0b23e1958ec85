//! The simulator: many command runs against one store, under every schedule or under seeded faults.
//!
//! Since a [`CommandRun`] asks for I/O and never does it, a schedule is just the order in which the
//! writers' requests reach the store. [`explore`] tries every order of a few writers; [`storm`] plays
//! long random ones and lets go wrong what goes wrong in the field: answers lost after the commit,
//! throttles, requests delivered twice or late, writers that crash, clocks that lag. [`audit`] says what
//! does not hold afterwards.

use crate::{
    aggregate::decode,
    domain::{Command, Sender},
    domains::{
        self,
        bank_account::{BankAccount, BankAccountEvent},
        transfer,
    },
    error::{Error, Result},
    event::{Event, Trace},
    run::{CommandRun, Done, Options, Step},
    schema::Described,
    store::{Failure, MemoryStore, Reply, Request, Store, Stored},
    text::Label,
    time::Millis,
};
use fastrand::Rng;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Debug,
    mem,
    rc::Rc,
};

/// When the simulated clock starts: 2027-01-15T08:00:00Z.
pub const START: Millis = 1_800_000_000_000;

/// What a writer is to do: one command to one aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The aggregate's kind: the name of a compiled domain.
    pub aggregate: &'static str,
    /// Its id.
    pub id: String,
    /// The command.
    pub command: Command,
    /// The version that the writer decided on, where it insists on it.
    pub expected_version: Option<u64>,
    /// The key under which it may be sent again.
    pub idempotency_key: Option<String>,
    /// The `commandId` that its events carry.
    command_id: String,
    /// Whether it is a saga's: sent again after every failure that may pass.
    saga: bool,
}

impl Task {
    /// A command that is sent once.
    pub fn new(aggregate: &'static str, id: &str, command: Command) -> Self {
        Self {
            aggregate,
            id: id.to_owned(),
            command,
            expected_version: None,
            idempotency_key: None,
            command_id: String::new(),
            saga: false,
        }
    }

    /// The same with a key: it is sent again after a failure that leaves its effect open.
    pub fn with_key(self, key: impl Into<String>) -> Self {
        Self { idempotency_key: Some(key.into()), ..self }
    }

    /// The same, pinned to a version.
    pub fn at_version(self, version: u64) -> Self {
        Self { expected_version: Some(version), ..self }
    }

    fn of_saga(step: transfer::Step) -> Self {
        let task = Self::new("BankAccount", &step.aggregate_id, step.command);
        Self { saga: true, ..task }
    }

    fn repeatable(&self) -> bool {
        self.saga || self.idempotency_key.is_some()
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The task.
    pub task: Task,
    /// The end of its last run.
    pub result: Result<Done>,
}

impl Ended {
    /// The end in a word: `committed`, `repeated`, `nothing`, the code of a rejection, or the error's kind.
    pub fn word(&self) -> String {
        match &self.result {
            Ok(Done { repeated: true, .. }) => "repeated".to_owned(),
            Ok(Done { events, .. }) if events.is_empty() => "nothing".to_owned(),
            Ok(_) => "committed".to_owned(),
            Err(Error::Rejected(rejection)) => rejection.code.to_string(),
            Err(Error::NotFound { .. }) => "not-found".to_owned(),
            Err(Error::WrongVersion { .. }) => "wrong-version".to_owned(),
            Err(Error::Contention { .. }) => "contention".to_owned(),
            Err(Error::KeyReused { .. }) => "key-reused".to_owned(),
            Err(Error::Settled { .. }) => "settled".to_owned(),
            Err(Error::Store { uncertain: true, .. }) => "uncertain".to_owned(),
            Err(_) => "failed".to_owned(),
        }
    }
}

/// One writer: its tasks, done one after the other.
#[derive(Debug, Clone)]
pub struct Writer {
    name: String,
    retries: u32,
    /// How far its clock is behind.
    behind: Millis,
    todo: VecDeque<Task>,
    tasks: usize,
    /// The task in hand, its run, and what that asks the store for.
    current: Option<(Task, CommandRun, Request)>,
    ended: Vec<Ended>,
}

impl Writer {
    /// A writer with these tasks. `retries` is how often each is decided again after a conflict.
    pub fn new(name: &str, retries: u32, tasks: impl IntoIterator<Item = Task>) -> Self {
        let todo = tasks.into_iter().collect();
        let name = name.to_owned();
        Self { name, retries, behind: 0, todo, tasks: 0, current: None, ended: Vec::new() }
    }

    /// What it asks the store for next; none when all is done.
    pub fn asks(&self) -> Option<&Request> {
        self.current.as_ref().map(|(.., request)| request)
    }

    /// How its tasks ended, the saga's among them.
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// Goes on with the store's reply until it asks for something else, or is done. Waits take no time.
    fn go_on(&mut self, mut reply: Option<Reply>, now: Millis, random: u128) {
        let now = now.saturating_sub(self.behind);
        loop {
            let (task, mut run) = match self.current.take() {
                Some((task, run, _)) => (task, run),
                None => match self.todo.pop_front() {
                    Some(task) => self.start(task),
                    None => return,
                },
            };
            let result = loop {
                match run.next(reply.take(), now, random) {
                    Step::Ask(request) => {
                        self.current = Some((task, run, request));
                        return;
                    }
                    Step::Wait(_) => {}
                    Step::Done(result) => break result,
                }
            };
            self.end(task, result);
        }
    }

    fn start(&mut self, mut task: Task) -> (Task, CommandRun) {
        if task.command_id.is_empty() {
            self.tasks += 1;
            task.command_id = format!("{}-{}", self.name, self.tasks);
        }
        let trace = Trace { command_id: Some(task.command_id.clone()), ..Trace::default() };
        let sender = Sender { actor: self.name.clone(), trace, ..Sender::default() };
        let options = Options {
            expected_version: task.expected_version,
            idempotency_key: task.idempotency_key.clone(),
            retries: self.retries,
            ..Options::default()
        };
        let domain = domains::for_log(task.aggregate);
        let run = CommandRun::new(domain, &task.id, task.command.clone(), sender, options);
        (task, run)
    }

    fn end(&mut self, task: Task, result: Result<Done>) {
        let may_pass = matches!(result, Err(Error::Contention { .. } | Error::Store { retryable: true, .. }));
        if may_pass && task.repeatable() {
            return self.todo.push_front(task);
        }
        match &result {
            Ok(Done { events, snapshot: Some(snapshot), .. }) => {
                let follow = events.iter().filter_map(|event| transfer::after(event, &snapshot.state));
                follow.for_each(|step| self.todo.push_front(Task::of_saga(step)));
            }
            Err(error) if task.saga => {
                let step = transfer::Step { aggregate_id: task.id.clone(), command: task.command.clone() };
                let instead = transfer::instead(&step, error).map(Task::of_saga);
                instead.into_iter().for_each(|task| self.todo.push_front(task));
            }
            _ => {}
        }
        self.ended.push(Ended { task, result });
    }

    /// Forgets the run in hand, as a process that dies does. What may be sent again will be.
    fn crash(&mut self) {
        if let Some((task, ..)) = self.current.take() {
            if task.repeatable() {
                self.todo.push_front(task);
            } else {
                let message = "the writer crashed".to_owned();
                let result = Err(Error::Store { message, retryable: false, uncertain: true });
                self.ended.push(Ended { task, result });
            }
        }
    }
}

/// A store and its writers.
#[derive(Debug, Clone)]
pub struct World<S> {
    /// The store.
    pub store: S,
    writers: Vec<Writer>,
    now: Millis,
}

impl<S: Store> World<S> {
    /// A world in which nothing has happened but `setup`, one command after the other.
    pub fn new(
        mut store: S,
        setup: impl IntoIterator<Item = Task>,
        writers: impl IntoIterator<Item = Writer>,
    ) -> Self {
        let mut first = Writer::new("setup", 0, setup);
        first.go_on(None, START, 0);
        while let Some(request) = first.asks().cloned() {
            let reply = store.answer(&request);
            first.go_on(Some(reply), START, 0);
        }
        let mut world = Self { store, writers: vec![first], now: START };
        world.writers.extend(writers);
        (0..world.writers.len()).for_each(|index| world.go_on(index, None, index as u128));
        world
    }

    /// The writers; the first is the one that set the world up.
    pub fn writers(&self) -> &[Writer] {
        &self.writers
    }

    /// The writers that still ask for something.
    pub fn waiting(&self) -> impl Iterator<Item = usize> {
        (0..self.writers.len())
            .filter(|index| self.writers.get(*index).is_some_and(|writer| writer.asks().is_some()))
    }

    /// Lets the store answer what one writer asks.
    pub fn step(&mut self, writer: usize) {
        if let Some(request) = self.asks(writer) {
            let reply = self.store.answer(&request);
            self.go_on(writer, Some(reply), writer as u128);
        }
    }

    /// Gives any writer a saga's step that is over to do again, as an event that is delivered again does.
    fn repeat(&mut self, rng: &mut Rng) {
        let over = self.writers.iter().flat_map(|writer| &writer.ended).filter(|ended| ended.task.saga);
        let Some(step) = rng.choice(over.collect::<Vec<_>>()) else { return };
        let task = Task { command_id: String::new(), ..step.task.clone() };
        let index = rng.usize(0..self.writers.len());
        if let Some(writer) = self.writers.get_mut(index) {
            writer.todo.push_back(task);
            if writer.current.is_none() {
                self.go_on(index, None, u128::from(rng.u64(..)) << 16);
            }
        }
    }

    fn asks(&self, writer: usize) -> Option<Request> {
        self.writers.get(writer).and_then(Writer::asks).cloned()
    }

    fn go_on(&mut self, writer: usize, reply: Option<Reply>, random: u128) {
        if let Some(writer) = self.writers.get_mut(writer) {
            writer.go_on(reply, self.now, random);
        }
    }
}

/// What [`explore`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How many orders there are in which the writers' requests can reach the store; `u128::MAX` where there
    /// are more.
    pub interleavings: u128,
    /// How many different states of the world they lead through.
    pub states: usize,
    /// The ends that they lead to.
    pub outcomes: Vec<Outcome>,
    /// Whether every order was tried to its end; not where there were more states than allowed, or where
    /// one never ends.
    pub complete: bool,
    /// Whether an order was found that never ends: it leads back to a state that it came through.
    pub endless: bool,
}

/// One way in which it can end.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How each writer's tasks ended, in [words](Ended::word).
    pub words: Vec<Vec<String>>,
    /// What does not hold.
    pub violations: Vec<String>,
    /// How many orders end like this; `u128::MAX` where there are more.
    pub interleavings: u128,
    /// The writers in the shortest order that does.
    pub shortest: Vec<usize>,
}

/// By its words and violations: how many orders lead there from a state, and the shortest.
type Ends = BTreeMap<(Vec<Vec<String>>, Vec<String>), (u128, Vec<usize>)>;

/// A state on the way that is being tried, and what is known of its ends so far.
struct Open<S> {
    world: World<S>,
    digest: [u8; 32],
    /// The writers that were not let go first yet, the last one next.
    left: Vec<usize>,
    /// The one that went first on the way that is being tried.
    via: usize,
    ends: Ends,
}

/// Tries every order in which the writers' requests can reach the store. Equal states are tried once,
/// which changes no count; at the most `max_states` different ones are. `check` names what does not hold
/// at an end.
pub fn explore<S: Store + Clone + Debug>(
    world: &World<S>,
    max_states: usize,
    check: &impl Fn(&World<S>) -> Vec<String>,
) -> Report {
    // None while a state is open: whoever meets it then goes in a circle.
    let mut seen: BTreeMap<[u8; 32], Option<Rc<Ends>>> = BTreeMap::new();
    let (mut complete, mut endless) = (true, false);
    // The way is kept here and not on the program's stack, which long ones would overflow.
    let mut way: Vec<Open<S>> = Vec::new();
    let mut next = Some(world.clone());
    let mut ends = Rc::default();
    loop {
        if let Some(world) = next.take() {
            // The text of a state tells all of it, so equal texts are equal states.
            let digest: [u8; 32] = Sha256::digest(format!("{world:?}").as_bytes()).into();
            let left: Vec<usize> = world.waiting().collect();
            match seen.get(&digest) {
                Some(Some(known)) => ends = known.clone(),
                Some(None) => {
                    (complete, endless) = (false, true);
                    ends = Rc::default();
                }
                None if seen.len() >= max_states => {
                    complete = false;
                    ends = Rc::default();
                }
                None if left.is_empty() => {
                    let words = |writer: &Writer| writer.ended.iter().map(Ended::word).collect();
                    let end = (world.writers.iter().map(words).collect(), check(&world));
                    ends = Rc::new(Ends::from([(end, (1, Vec::new()))]));
                    seen.insert(digest, Some(ends.clone()));
                }
                None => {
                    seen.insert(digest, None);
                    let left = left.into_iter().rev().collect();
                    way.push(Open { world, digest, left, via: 0, ends: Ends::new() });
                }
            }
        }
        let Some(open) = way.last_mut() else { break };
        for (end, (count, order)) in mem::take(&mut ends).iter() {
            let known = open.ends.entry(end.clone()).or_default();
            if known.0 == 0 || order.len() + 1 < known.1.len() {
                known.1 = [open.via].into_iter().chain(order.iter().copied()).collect();
            }
            known.0 = known.0.saturating_add(*count);
        }
        if let Some(writer) = open.left.pop() {
            open.via = writer;
            let mut world = open.world.clone();
            world.step(writer);
            next = Some(world);
        } else if let Some(done) = way.pop() {
            ends = Rc::new(done.ends);
            seen.insert(done.digest, Some(ends.clone()));
        }
    }
    let outcomes = ends.iter().map(|((words, violations), (interleavings, shortest))| Outcome {
        words: words.clone(),
        violations: violations.clone(),
        interleavings: *interleavings,
        shortest: shortest.clone(),
    });
    let outcomes: Vec<Outcome> = outcomes.collect();
    let counts = outcomes.iter().map(|outcome| outcome.interleavings);
    let interleavings = counts.fold(0, u128::saturating_add);
    Report { interleavings, states: seen.len(), outcomes, complete, endless }
}

/// What goes wrong in a [`storm`], each in percent of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// The store throttles, and does nothing.
    pub busy: u32,
    /// The request never arrives, and its sender hears nothing.
    pub dropped: u32,
    /// The request is carried out, and its sender hears nothing.
    pub lost: u32,
    /// The request is delivered twice, the second time at once.
    pub twice: u32,
    /// The request is delivered again, any time later.
    pub late: u32,
    /// The writer dies while it waits for the answer, which may or may not have been carried out.
    pub crash: u32,
    /// A saga's step that is over, however it ended, is done again by any writer.
    pub again: u32,
    /// How far a writer's clock can be behind, in milliseconds.
    pub behind: Millis,
}

impl Faults {
    /// Everything goes wrong now and then, and clocks are up to an hour behind.
    pub const ALL: Self =
        Self { busy: 6, dropped: 4, lost: 8, twice: 5, late: 5, crash: 4, again: 5, behind: 3_600_000 };
}

/// Plays one random order with faults, the same one for the same seed, until every writer is done and
/// every late request has arrived.
///
/// # Errors
/// More than `max_steps` exchanges.
pub fn storm<S: Store>(
    world: &mut World<S>,
    seed: u64,
    faults: &Faults,
    max_steps: usize,
) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed);
    for writer in &mut world.writers {
        writer.behind = rng.u64(0..=faults.behind);
    }
    let mut late: Vec<Request> = Vec::new();
    for _ in 0..max_steps {
        world.now += rng.u64(0..40);
        if rng.u32(0..100) < faults.again {
            world.repeat(&mut rng);
        }
        let waiting: Vec<usize> = world.waiting().collect();
        if !late.is_empty() && (waiting.is_empty() || rng.u32(0..100) < 10) {
            let again = late.swap_remove(rng.usize(0..late.len()));
            // Nobody waits for this answer any more.
            world.store.answer(&again);
            continue;
        }
        let Some(writer) = rng.choice(waiting) else { return Ok(()) };
        let Some(request) = world.asks(writer) else { continue };
        let random = u128::from(rng.u64(..)) << 16;
        let mut dice = rng.u32(0..100);
        let mut falls = |percent: u32| {
            let falls = dice < percent;
            dice = dice.wrapping_sub(percent);
            falls
        };
        let reply = if falls(faults.busy) {
            Reply::one(Err(Failure::Busy))
        } else if falls(faults.dropped) {
            Reply::one(Err(Failure::Lost))
        } else if falls(faults.lost) {
            world.store.answer(&request);
            Reply::one(Err(Failure::Lost))
        } else if falls(faults.twice) {
            let first = world.store.answer(&request);
            world.store.answer(&request);
            first
        } else if falls(faults.late) {
            late.push(request.clone());
            world.store.answer(&request)
        } else if falls(faults.crash) {
            if rng.bool() {
                world.store.answer(&request);
            }
            if let Some(writer) = world.writers.get_mut(writer) {
                writer.crash();
            }
            world.go_on(writer, None, random);
            continue;
        } else {
            world.store.answer(&request)
        };
        world.go_on(writer, Some(reply), random);
    }
    Err(format!("seed {seed}: not done after {max_steps} exchanges"))
}

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
    audit_effects(&world.writers, store, &mut wrong);
    audit_money(store, &mut wrong);
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
            wrong.push(format!("the snapshot of {id} is {snapshot:?}, its events make {replayed:?}"));
        }
    }
}

fn audit_effects(writers: &[Writer], store: &MemoryStore, wrong: &mut Vec<String>) {
    let mut by_command: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in store.streams().flat_map(|(.., stored)| &stored.events) {
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
                    wrong.push(format!("{} was told that it repeats {told:?}", task.command_id));
                }
                true
            }
            Err(Error::Store { uncertain: true, .. }) => recorded.len() <= 1,
            _ => recorded.iter().copied().eq(told),
        };
        if !right {
            let names: Vec<&str> = recorded.iter().map(|event| event.name()).collect();
            wrong.push(format!("{} recorded {names:?}, and its sender was told {result:?}", task.command_id));
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
        let state =
            state.and_then(|snapshot| domains::bank_account::Account::from_json(&snapshot.state.into()).ok());
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
