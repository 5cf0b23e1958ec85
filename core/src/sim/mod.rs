//! The simulator: many command runs against one store, under every schedule or under seeded faults.
//!
//! Since a [`CommandRun`] asks for I/O and never does it, a schedule is just the order in which the
//! writers' requests reach the store. [`explore`] tries every order of a few writers; [`storm`] plays
//! long random ones and lets go wrong what goes wrong in the field: answers lost after the commit,
//! throttles, requests delivered twice or late, writers that crash, clocks that lag. [`audit`] says what
//! does not hold afterwards.
//!
//! A [`Scenario`] is a race as data: a stream, a few writers with a command each, what goes wrong for them.
//! Its [`Scene`] plays it step by step and keeps every step; [`rust_test`] and [`javascript_test`] write one of its
//! orders as a test.

mod audit;
mod explore;
mod export;
mod ground;
mod scenario;
mod scene;
mod storm;

pub use audit::audit;
pub use explore::{Exploration, Outcome, Progress, Report, explore};
pub use export::{javascript_test, rust_test};
pub use ground::Ground;
pub use scenario::{End, MAX_RETRIES, Role, Scenario};
pub use scene::{Did, Kind, Repair, Scene, Step};
pub use storm::{Faults, storm};

use crate::{
    domain::{Command, Sender, Snapshot},
    domains::{self, transfer},
    error::{Error, Issue, Result},
    event::{Event, Trace},
    run::{self, CommandRun, Done, Options},
    store::{Answer, Failure, Reply, Request, Store},
    time::Millis,
};
use fastrand::Rng;
use std::{collections::VecDeque, fmt::Debug};

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

    /// A command in its JSON form, the name under `type` and the fields beside it.
    ///
    /// ```
    /// use rewound_core::sim::Task;
    /// let task = Task::parse("Order", "o1", r#"{"type":"Confirm"}"#)?;
    /// assert_eq!(task.command.name, "Confirm");
    /// # Ok::<_, rewound_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no such JSON.
    pub fn parse(aggregate: &'static str, id: &str, command: &str) -> Result<Self> {
        let read = serde_json::from_str(command).map_err(|error| {
            Error::Invalid(vec![Issue { pointer: String::new(), message: error.to_string() }])
        });
        Ok(Self::new(aggregate, id, Command::from_json(&read?)?))
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

/// What becomes of the answer to a writer's first commit that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loss {
    /// It arrives.
    #[default]
    None,
    /// It never reaches the run, which goes on without it.
    Answer,
    /// The run dies with it. Its sender hears nothing, and sends the command again: with the same key, if it has one.
    Sender,
}

/// By how many milliseconds a clock can be off before DynamoDB refuses what is signed with it: five minutes.
pub const TOLERANCE: u64 = 300_000;

/// One writer: its tasks, done one after the other.
#[derive(Debug, Clone)]
pub struct Writer {
    name: String,
    retries: u32,
    /// How far its clock is ahead; behind, where that is negative.
    skew: i64,
    loss: Loss,
    /// Whether it leaves a task at its first end: it sends nothing again that failed, and no saga's steps.
    once: bool,
    todo: VecDeque<Task>,
    tasks: usize,
    /// The task in hand, its run, and what that asks the store for.
    current: Option<(Task, CommandRun, Request)>,
    ended: Vec<Ended>,
}

/// What a writer does without the store, between two of its requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Local {
    /// It decided.
    Decided(Box<Decision>),
    /// It waited so many milliseconds before another attempt.
    Waited(Millis),
    /// The command came to an end.
    Ended(Box<Ended>),
    /// Its sender, who heard nothing, sent the command again.
    SentAgain,
}

/// What was decided, and on what.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The state that it was decided on; none where the aggregate did not exist.
    pub on: Option<Snapshot>,
    /// The events, or why there are none.
    pub result: Result<Vec<Event>>,
}

impl Decision {
    fn of(run: &CommandRun, result: Result<Vec<Event>>) -> Local {
        Local::Decided(Box::new(Self { on: run.known().cloned(), result }))
    }
}

/// One request, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What was asked.
    pub request: Request,
    /// What the store answered.
    pub answer: Result<Answer, Failure>,
    /// Whether that never arrived, and where.
    pub loss: Loss,
    /// What the writer did then, until it asked for something else or was done.
    pub then: Vec<Local>,
}

impl Writer {
    /// A writer with these tasks. `retries` is how often each is decided again after a conflict.
    pub fn new(name: &str, retries: u32, tasks: impl IntoIterator<Item = Task>) -> Self {
        Self {
            name: name.to_owned(),
            retries,
            skew: 0,
            loss: Loss::None,
            once: false,
            todo: tasks.into_iter().collect(),
            tasks: 0,
            current: None,
            ended: Vec::new(),
        }
    }

    /// The same, who leaves each task at its first end: nothing that failed is sent again, and no saga is driven.
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// The same, with an answer that is lost.
    pub fn losing(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// The same, with a clock that is so many milliseconds ahead, or behind.
    pub fn skewed(self, milliseconds: i64) -> Self {
        Self { skew: milliseconds, ..self }
    }

    /// Its name: the actor of its events.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it asks the store for next; none when all is done.
    pub fn asks(&self) -> Option<&Request> {
        self.current.as_ref().map(|(.., request)| request)
    }

    /// How its tasks ended, the saga's among them.
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// Goes on with the store's reply until it asks for something else, or is done; tells what it did meanwhile.
    /// Waits take no time.
    fn go_on(&mut self, mut reply: Option<Reply>, now: Millis, random: u128) -> Vec<Local> {
        let now = now.saturating_add_signed(self.skew);
        let mut did = Vec::new();
        loop {
            let (task, mut run, before) = match self.current.take() {
                Some((task, run, request)) => (task, run, Some(request)),
                None => match self.todo.pop_front() {
                    Some(task) => {
                        let (task, run) = self.start(task);
                        (task, run, None)
                    }
                    None => return did,
                },
            };
            let result = loop {
                match run.next(reply.take(), now, random) {
                    run::Step::Ask(request) => {
                        match (&request, &before) {
                            // What is sent again was decided before.
                            (Request::Commit(commit), Some(Request::Commit(sent)))
                                if commit.events == sent.events => {}
                            (Request::Commit(commit), _) => {
                                // A retry is decided before the wait, and asks for its commit after it.
                                let place =
                                    did.len() - usize::from(matches!(did.last(), Some(Local::Waited(_))));
                                did.insert(place, Decision::of(&run, Ok(commit.events.clone())));
                            }
                            (Request::Record { .. }, _) => {
                                if let Some(result) = run.undecided() {
                                    did.push(Decision::of(&run, result.clone().map(|done| done.events)));
                                }
                            }
                            _ => {}
                        }
                        self.current = Some((task, run, request));
                        return did;
                    }
                    run::Step::Wait(time) => did.push(Local::Waited(time)),
                    run::Step::Done(result) => break result,
                }
            };
            let was_decided = matches!(before, Some(Request::Record { .. }));
            match &result {
                Ok(Done { events, repeated: false, .. }) if events.is_empty() && !was_decided => {
                    did.push(Decision::of(&run, Ok(Vec::new())));
                }
                Err(
                    error @ (Error::Invalid(_)
                    | Error::Rejected(_)
                    | Error::NotFound { .. }
                    | Error::WrongVersion { .. }
                    | Error::UnknownCommand { .. }),
                ) if !was_decided => did.push(Decision::of(&run, Err(error.clone()))),
                _ => {}
            }
            did.extend(self.end(task, result));
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

    fn end(&mut self, task: Task, result: Result<Done>) -> Option<Local> {
        let may_pass = matches!(result, Err(Error::Contention { .. } | Error::Store { retryable: true, .. }));
        if may_pass && task.repeatable() && !self.once {
            self.todo.push_front(task);
            return None;
        }
        match &result {
            _ if self.once => {}
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
        let ended = Ended { task, result };
        self.ended.push(ended.clone());
        Some(Local::Ended(Box::new(ended)))
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

    /// Dies, and is sent the command in hand once more: without a key, that is another command.
    fn send_again(&mut self) -> Vec<Local> {
        let again =
            self.current.as_ref().map(|(task, ..)| Task { command_id: String::new(), ..task.clone() });
        let before = self.ended.len();
        self.crash();
        let ended = self.ended.get(before).cloned();
        if ended.is_some() {
            self.todo.extend(again);
        }
        ended.map(|ended| Local::Ended(Box::new(ended))).into_iter().chain([Local::SentAgain]).collect()
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
        store: S,
        setup: impl IntoIterator<Item = Task>,
        writers: impl IntoIterator<Item = Writer>,
    ) -> Self {
        Self::begin(store, setup, writers).0
    }

    /// The same, and what each writer did before it asked for anything: a command that creates its aggregate is decided
    /// without a load.
    fn begin(
        mut store: S,
        setup: impl IntoIterator<Item = Task>,
        writers: impl IntoIterator<Item = Writer>,
    ) -> (Self, Vec<Vec<Local>>) {
        let mut first = Writer::new("setup", 0, setup);
        first.go_on(None, START, 0);
        while let Some(request) = first.asks().cloned() {
            let reply = store.answer(&request);
            first.go_on(Some(reply), START, 0);
        }
        let mut world = Self { store, writers: vec![first], now: START };
        world.writers.extend(writers);
        let did = (0..world.writers.len()).map(|index| world.go_on(index, None, index as u128)).collect();
        (world, did)
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

    /// Lets the store answer what one writer asks, unless its clock is too far off or the answer gets lost.
    pub fn step(&mut self, writer: usize) {
        self.watch(writer);
    }

    /// The same, and tells what happened; none where the writer asks for nothing.
    pub fn watch(&mut self, writer: usize) -> Option<Asked> {
        let request = self.asks(writer)?;
        let index = writer;
        let writer = self.writers.get_mut(index)?;
        if writer.skew.unsigned_abs() > TOLERANCE {
            // The refusal says what time it is, which the writer knows from now on.
            writer.skew = 0;
            let answer = Err(Failure::Clock);
            let then = self.go_on(index, Some(Reply::one(answer.clone())), index as u128);
            return Some(Asked { request, answer, loss: Loss::None, then });
        }
        let reply = self.store.answer(&request);
        let answer = reply.result.clone();
        let is_written = matches!((&request, &answer), (Request::Commit(_), Ok(Answer::Committed)));
        let loss = if is_written { std::mem::take(&mut writer.loss) } else { Loss::None };
        let then = match loss {
            Loss::None => self.go_on(index, Some(reply), index as u128),
            Loss::Answer => self.go_on(index, Some(Reply::one(Err(Failure::Lost))), index as u128),
            Loss::Sender => {
                let mut did = writer.send_again();
                did.extend(self.go_on(index, None, index as u128));
                did
            }
        };
        Some(Asked { request, answer, loss, then })
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

    fn go_on(&mut self, writer: usize, reply: Option<Reply>, random: u128) -> Vec<Local> {
        let writer = self.writers.get_mut(writer);
        writer.map(|writer| writer.go_on(reply, self.now, random)).unwrap_or_default()
    }
}
