//! A race, played step by step and kept.

use super::{Asked, Decision, End, Ended, Ground, Local, Loss, Scenario, World, ground::met};
use crate::{
    domain::Snapshot,
    error::ReduceError,
    event::Event,
    store::{Answer, Failure, Request},
    time::Millis,
};
use std::collections::VecDeque;

/// A race on its way, with every step that was taken.
///
/// A writer's steps are its requests, and what it does between them: it decides, and waits. Only the order of the
/// requests matters to anybody else; when a writer decides does not, since that touches nothing but the writer.
///
/// ```
/// use rewound_core::{domain::Command, sim::{Kind, Role, Scenario, Scene}};
/// use serde_json::json;
/// let command = |name: &str, fields| Command::new(name, fields).unwrap();
/// let open = command("Open", json!({"accountHolderId": "ada", "currency": "EUR"}));
/// let deposit = command("Deposit", json!({"amount": 100, "transactionReference": "r"}));
/// let start = Scenario::history("BankAccount", "a1", "bank", [open], 1_000)?;
/// let roles = ["ann", "bob"].map(|name| Role::new(name, deposit.clone())).to_vec();
/// let title = "Two deposits".to_owned();
/// let scenario = Scenario { title, aggregate: "BankAccount", id: "a1".into(), start, roles, is_locking: true };
/// let mut scene = Scene::new(scenario)?;
/// for role in [0, 1, 0, 1, 0, 1] {
///     assert!(scene.step(role));
/// }
/// let last = scene.steps().last().unwrap();
/// assert_eq!((last.kind(), last.conflict()), (Kind::Commit, Some((1, 2))));
/// # Ok::<_, rewound_core::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scene {
    scenario: Scenario,
    world: World<Ground>,
    /// What each role did that has not been a step yet. It is done, and nobody can tell.
    ahead: Vec<VecDeque<Local>>,
    steps: Vec<Step>,
}

/// One step of a role.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Whose.
    pub role: usize,
    /// What it did.
    pub did: Did,
    /// How its command ended with it, if it did.
    pub ended: Option<Ended>,
    /// The row after the step, where the step wrote it.
    pub row: Option<Snapshot>,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq)]
pub enum Did {
    /// The store was asked, and answered; whether that was lost, and where.
    Asked(Box<Request>, Result<Answer, Failure>, Loss),
    /// The command was decided.
    Decided(Box<Decision>),
    /// So many milliseconds were waited for.
    Waited(Millis),
    /// The command was sent again.
    SentAgain,
}

/// The kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The aggregate is read.
    Load,
    /// The command is decided.
    Decide,
    /// What was decided is written.
    Commit,
    /// Another attempt is waited for.
    Wait,
    /// It is asked whether the key was used.
    Lookup,
    /// Events are read.
    Read,
    /// The command is sent again.
    SendAgain,
}

impl Kind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Load => "load",
            Kind::Decide => "decide",
            Kind::Commit => "commit",
            Kind::Wait => "wait",
            Kind::Lookup => "look up key",
            Kind::Read => "read events",
            Kind::SendAgain => "send again",
        }
    }

    fn of_request(request: &Request) -> Self {
        match request {
            Request::Load { .. } | Request::List { .. } => Kind::Load,
            Request::Commit(_) | Request::Rewrite { .. } => Kind::Commit,
            Request::Record { .. } => Kind::Lookup,
            Request::Events { .. } => Kind::Read,
        }
    }
}

impl Step {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match &self.did {
            Did::Asked(request, ..) => Kind::of_request(request),
            Did::Decided(_) => Kind::Decide,
            Did::Waited(_) => Kind::Wait,
            Did::SentAgain => Kind::SendAgain,
        }
    }

    /// Whether the store took part in it.
    pub fn is_request(&self) -> bool {
        matches!(self.did, Did::Asked(..))
    }

    /// The version that was expected and the one that was met, where it is a commit that met a conflict.
    pub fn conflict(&self) -> Option<(u64, u64)> {
        match &self.did {
            Did::Asked(request, Ok(answer), _) => met(request, answer),
            _ => None,
        }
    }
}

/// What was done to an order so that it could be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// The role was done before: so many of its steps were left out.
    Dropped {
        /// Whose.
        role: usize,
        /// How many.
        steps: usize,
    },
    /// The role was not done yet: so many of its steps were put to the end.
    Added {
        /// Whose.
        role: usize,
        /// How many.
        steps: usize,
    },
}

impl Scene {
    /// A race before its first step.
    ///
    /// # Errors
    /// A start whose events do not follow each other.
    pub fn new(scenario: Scenario) -> Result<Self, ReduceError> {
        let (world, did) = scenario.begin()?;
        // The world's first writer set it up.
        let ahead = did.into_iter().skip(1).map(|did| did.into_iter().collect()).collect();
        let mut scene = Self { scenario, world, ahead, steps: Vec::new() };
        for role in 0..scene.ahead.len() {
            scene.skip_ended(role);
        }
        Ok(scene)
    }

    /// The race.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Every step that was taken.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The roles of the steps that were taken.
    pub fn order(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.role).collect()
    }

    /// The roles of the requests among them: all that matters to anybody else.
    pub fn requests(&self) -> Vec<usize> {
        self.steps.iter().filter(|step| step.is_request()).map(|step| step.role).collect()
    }

    /// The kind of a role's next step; none where it is done.
    pub fn next(&self, role: usize) -> Option<Kind> {
        let ahead = self.ahead.get(role)?;
        match ahead.front() {
            Some(Local::Decided(_)) => Some(Kind::Decide),
            Some(Local::Waited(_)) => Some(Kind::Wait),
            Some(Local::SentAgain) => Some(Kind::SendAgain),
            Some(Local::Ended(_)) | None => self.world.writers().get(role + 1)?.asks().map(Kind::of_request),
        }
    }

    /// Whether every role is done.
    pub fn is_over(&self) -> bool {
        (0..self.ahead.len()).all(|role| self.next(role).is_none())
    }

    /// The row as it is now.
    pub fn row(&self) -> Option<&Snapshot> {
        let Scenario { aggregate, id, .. } = &self.scenario;
        self.world.store.memory.stream(aggregate, id)?.snapshot.as_ref()
    }

    /// The events that came between what a step expected and what it met: the winner's. None where it met no conflict.
    pub fn winners(&self, step: &Step) -> &[Event] {
        let Scenario { aggregate, id, .. } = &self.scenario;
        let events = self.world.store.events(aggregate, id);
        let between = step.conflict().map(|(expected, met)| expected as usize..met as usize);
        between.and_then(|between| events.get(between)).unwrap_or_default()
    }

    /// How it ended, or would if nobody did anything more.
    pub fn end(&self) -> End {
        self.scenario.end(&self.world)
    }

    /// Takes a role's next step; whether it had one.
    pub fn step(&mut self, role: usize) -> bool {
        let Some(ahead) = self.ahead.get_mut(role) else { return false };
        let (did, row) = match ahead.pop_front() {
            Some(Local::Decided(decision)) => (Did::Decided(decision), None),
            Some(Local::Waited(time)) => (Did::Waited(time), None),
            Some(Local::SentAgain) => (Did::SentAgain, None),
            Some(Local::Ended(_)) | None => {
                let Some(Asked { request, answer, loss, then }) = self.world.watch(role + 1) else {
                    return false;
                };
                ahead.extend(then);
                let is_written = matches!((&request, &answer), (Request::Commit(_), Ok(Answer::Committed)));
                let row = if is_written { self.row().cloned() } else { None };
                (Did::Asked(Box::new(request), answer, loss), row)
            }
        };
        let ended = self.skip_ended(role);
        self.steps.push(Step { role, did, ended, row });
        true
    }

    /// An end is no step of its own: it comes with the one before.
    fn skip_ended(&mut self, role: usize) -> Option<Ended> {
        let ahead = self.ahead.get_mut(role)?;
        match ahead.front() {
            Some(Local::Ended(_)) => match ahead.pop_front() {
                Some(Local::Ended(ended)) => Some(*ended),
                _ => None,
            },
            _ => None,
        }
    }

    /// The race played in an order of steps. A role that was done before its last step has fewer; where the order is said
    /// to be whole, those who are not done at its end go on, each in its turn. What was changed is told.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn play(
        scenario: Scenario,
        order: &[usize],
        is_whole: bool,
    ) -> Result<(Self, Vec<Repair>), ReduceError> {
        let mut scene = Self::new(scenario)?;
        let roles = scene.ahead.len();
        let (mut dropped, mut added) = (vec![0; roles], vec![0; roles]);
        for role in order {
            if !scene.step(*role)
                && let Some(dropped) = dropped.get_mut(*role)
            {
                *dropped += 1;
            }
        }
        while is_whole && !scene.is_over() {
            for (role, added) in added.iter_mut().enumerate() {
                *added += usize::from(scene.step(role));
            }
        }
        let told = |steps: Vec<usize>, repair: fn(usize, usize) -> Repair| {
            let told = steps.into_iter().enumerate().filter(|(_, steps)| *steps > 0);
            told.map(move |(role, steps)| repair(role, steps))
        };
        let dropped = told(dropped, |role, steps| Repair::Dropped { role, steps });
        let added = told(added, |role, steps| Repair::Added { role, steps });
        Ok((scene, dropped.chain(added).collect()))
    }

    /// The race played in an order of requests, to its end: each decision comes right behind the answer that it rests on.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_requests(scenario: Scenario, order: &[usize]) -> Result<Self, ReduceError> {
        let mut scene = Self::new(scenario)?;
        for role in 0..scene.ahead.len() {
            scene.catch_up(role);
        }
        for role in order {
            scene.step(*role);
            scene.catch_up(*role);
        }
        while !scene.is_over() {
            for role in 0..scene.ahead.len() {
                scene.step(role);
                scene.catch_up(role);
            }
        }
        Ok(scene)
    }

    /// Takes the steps of a role that need no store.
    fn catch_up(&mut self, role: usize) {
        while self.ahead.get(role).is_some_and(|ahead| !ahead.is_empty()) {
            self.step(role);
        }
    }
}
