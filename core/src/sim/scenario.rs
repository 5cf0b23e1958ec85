//! A race as data.

use super::{Ended, Ground, Loss, Task, World, Writer, audit::audit_race};
use crate::{
    domain::{Command, Sender},
    domains,
    error::{Error, Issue, ReduceError, Result},
    event::Event,
    number::MAX_SAFE,
    run::{Options, run},
    store::MemoryStore,
    time::Millis,
    value::Object,
};
use serde_json::{Value, json};

/// A stream and a few writers who race to change it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called, in a sentence.
    pub title: String,
    /// The aggregate's kind: the name of a compiled domain.
    pub aggregate: &'static str,
    /// Its id.
    pub id: String,
    /// The events that are there before anybody writes.
    pub start: Vec<Event>,
    /// The writers.
    pub roles: Vec<Role>,
    /// Whether the store insists on the expected version.
    pub is_locking: bool,
}

/// One writer of a race: a command, and what goes wrong for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name: the actor of its events. Each has its own.
    pub name: String,
    /// What it wants.
    pub command: Command,
    /// The version that it insists on, if it does.
    pub expected_version: Option<u64>,
    /// The key under which it may be sent again.
    pub idempotency_key: Option<String>,
    /// How often to decide again after a conflict.
    pub retries: u32,
    /// What becomes of the answer to its commit.
    pub loss: Loss,
    /// How many milliseconds its clock is ahead; behind, where that is negative.
    pub skew: i64,
}

/// The most retries of a [`Role`]: what the npm package and the edge do where nothing else is configured.
pub const MAX_RETRIES: u32 = 3;

impl Role {
    /// A writer for whom nothing goes wrong.
    pub fn new(name: &str, command: Command) -> Self {
        let (expected_version, idempotency_key) = (None, None);
        let (retries, loss, skew) = (MAX_RETRIES, Loss::None, 0);
        Self { name: name.to_owned(), command, expected_version, idempotency_key, retries, loss, skew }
    }

    /// As an object: `{name, command: {type, …}}`, and what is not as in [`new`](Self::new).
    pub fn to_json(&self) -> Value {
        let mut role = json!({ "name": self.name, "command": self.command.to_json() });
        let loss = match self.loss {
            Loss::None => Value::Null,
            Loss::Answer => "answer".into(),
            Loss::Sender => "sender".into(),
        };
        let rest = [
            ("expectedVersion", self.expected_version.map_or(Value::Null, Value::from)),
            ("idempotencyKey", self.idempotency_key.clone().map_or(Value::Null, Value::from)),
            ("retries", if self.retries == MAX_RETRIES { Value::Null } else { self.retries.into() }),
            ("loss", loss),
            ("skew", if self.skew == 0 { Value::Null } else { self.skew.into() }),
        ];
        if let Value::Object(role) = &mut role {
            role.extend(
                rest.into_iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.to_owned(), v)),
            );
        }
        role
    }

    /// Reads what [`to_json`](Self::to_json) writes. What is no such thing is as in [`new`](Self::new).
    ///
    /// # Errors
    /// No name, or no command.
    pub fn from_json(value: &Value) -> Result<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let missing = |pointer: &str, message: &str| {
            Error::Invalid(vec![Issue { pointer: pointer.to_owned(), message: message.to_owned() }])
        };
        let name = text("name").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| missing("/name", "expected the writer's name"))?;
        let command = value.get("command").ok_or_else(|| missing("/command", "expected a command"))?;
        let version = value.get("expectedVersion").and_then(Value::as_u64);
        let retries = value.get("retries").and_then(Value::as_u64).unwrap_or(MAX_RETRIES.into());
        Ok(Self {
            expected_version: version.filter(|version| *version <= MAX_SAFE as u64),
            idempotency_key: text("idempotencyKey").filter(|key| !key.is_empty()),
            retries: retries.min(MAX_RETRIES.into()) as u32,
            loss: match text("loss").as_deref() {
                Some("answer") => Loss::Answer,
                Some("sender") => Loss::Sender,
                _ => Loss::None,
            },
            skew: value.get("skew").and_then(Value::as_i64).unwrap_or(0),
            ..Self::new(&name, Command::from_json(command)?)
        })
    }

    fn task(&self, aggregate: &'static str, id: &str) -> Task {
        Task {
            expected_version: self.expected_version,
            idempotency_key: self.idempotency_key.clone(),
            ..Task::new(aggregate, id, self.command.clone())
        }
    }
}

/// How a race ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// How each writer's command ended, in [words](Ended::word): more than one where it was sent again.
    pub words: Vec<Vec<String>>,
    /// The version of the stream.
    pub version: u64,
    /// The names of its events.
    pub events: Vec<String>,
    /// The state in its row.
    pub state: Object,
    /// What does not hold: see [`audit`](super::audit).
    pub violations: Vec<String>,
}

impl Scenario {
    /// The events that these commands of one actor record, one after the other from nothing.
    ///
    /// # Errors
    /// The first that is refused.
    pub fn history(
        aggregate: &'static str,
        id: &str,
        actor: &str,
        commands: impl IntoIterator<Item = Command>,
        now: Millis,
    ) -> Result<Vec<Event>> {
        let (mut store, mut events) = (MemoryStore::new(), Vec::new());
        for (index, command) in commands.into_iter().enumerate() {
            let by = Sender { actor: actor.to_owned(), now, random: index as u128, ..Sender::default() };
            let domain = domains::for_log(aggregate);
            events.extend(run(&mut store, domain, id, command, &by, Options::default())?.events);
        }
        Ok(events)
    }

    /// The race before its first step. Its writers are those of the world from 1 on.
    ///
    /// # Errors
    /// A start whose events do not follow each other.
    pub fn world(&self) -> Result<World<Ground>, ReduceError> {
        Ok(self.begin()?.0)
    }

    pub(super) fn begin(&self) -> Result<(World<Ground>, Vec<Vec<super::Local>>), ReduceError> {
        let writers = self.roles.iter().map(|role| {
            let task = role.task(self.aggregate, &self.id);
            Writer::new(&role.name, role.retries, [task]).once().losing(role.loss).skewed(role.skew)
        });
        Ok(World::begin(Ground::new(self.is_locking, &self.start)?, [], writers))
    }

    /// What does not hold in a world of this race that has come to an end; nothing where all is well.
    pub fn check(&self, world: &World<Ground>) -> Vec<String> {
        audit_race(self, world)
    }

    /// How a world of this race ended.
    pub fn end(&self, world: &World<Ground>) -> End {
        let words =
            world.writers().iter().skip(1).map(|writer| writer.ended().iter().map(Ended::word).collect());
        let stored = world.store.memory.stream(self.aggregate, &self.id).cloned().unwrap_or_default();
        End {
            words: words.collect(),
            version: stored.events.len() as u64,
            events: stored.events.iter().map(|event| event.name().to_owned()).collect(),
            state: stored.snapshot.map(|row| row.state).unwrap_or_default(),
            violations: self.check(world),
        }
    }

    /// An order of the roles' requests, from 0 on, played to its end: what it leaves out comes behind it, each role in
    /// its turn. Gives the whole order as well.
    ///
    /// # Errors
    /// As [`world`](Self::world).
    pub fn play(&self, order: &[usize]) -> Result<(World<Ground>, Vec<usize>), ReduceError> {
        let mut world = self.world()?;
        let mut whole = Vec::new();
        for role in order {
            if world.watch(role + 1).is_some() {
                whole.push(*role);
            }
        }
        loop {
            let waiting: Vec<usize> = world.waiting().collect();
            if waiting.is_empty() {
                return Ok((world, whole));
            }
            for writer in waiting {
                world.step(writer);
                whole.push(writer.saturating_sub(1));
            }
        }
    }
}
