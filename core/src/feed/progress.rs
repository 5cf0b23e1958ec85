//! How far the read side has come: a record for each [`Reader`] of the stream, written by whoever sweeps on the condition
//! that nobody else wrote it.
//!
//! That condition is what makes a rebuild whole. A rebuild begins by writing this record. A sweep that read it before, and
//! so handed a page of the stream to the generations of then, cannot move its checkpoint behind that page any more: it
//! reads the record again, and hands the page to the new generation as well.

use super::{Consumer, Reply, Shell, ask, get, item as item_of, plain, put_call, unless_changed};
use crate::{
    dynamodb::{Quoted, json, record_key},
    error::{Error, Result},
    projection::Projection,
    time::{Millis, to_iso},
    value::Object,
    views,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use std::collections::BTreeMap;

/// How long a shell may take it for known which generations there are, in milliseconds.
pub const KNOWN: Millis = 2_000;

/// Who reads the stream, each from a checkpoint of its own: what listens outside may be down for a day, and no view waits
/// for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// For the views and the transfers.
    Views,
    /// For the outbox.
    Outbox,
}

impl Reader {
    /// The name of its record.
    fn record(self) -> &'static str {
        match self {
            Reader::Views => "feed",
            Reader::Outbox => "feed#outbox",
        }
    }

    /// Its name, for logs and numbers.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Views => "views",
            Reader::Outbox => "outbox",
        }
    }
}

/// How far a reader has come. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    #[serde(skip)]
    rev: u64,
    /// Random, and new with every writing: whoever lost the answer to one knows theirs from everybody else's.
    mark: String,
    /// The stream that is read, by its ARN.
    pub stream: String,
    /// How far each of its shards was read.
    pub shards: BTreeMap<String, Shard>,
    /// When a sweep last came to the end of all of them.
    pub swept_at: Millis,
    /// Who sweeps. It spares work and is no lock: the record's condition is.
    pub lease: Lease,
    /// The generations of each view, by its name. A view that is not here has its first one, and nothing else.
    pub views: BTreeMap<String, Generations>,
    /// The walk through the events table for what the stream did not have any more.
    pub catch_up: Option<Walk>,
}

/// How far a shard was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shard {
    /// Behind this sequence number; from its start where there is none.
    pub at: Option<String>,
    /// Whether it is closed and was read to its end.
    pub done: bool,
    /// When it was read last.
    pub read_at: Millis,
    /// The iterator behind the last page, and when it was given out. There can be empty pages before the next record: who
    /// begins behind the last one would meet them again each time.
    pub resume: Option<(String, Millis)>,
}

/// Who sweeps, and until when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// A name that nobody else has.
    pub by: String,
    /// When it ends.
    pub until: Millis,
}

/// The generations of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Generations {
    /// The one that answers.
    pub live: u64,
    /// The one that is being built beside it.
    pub next: Option<Next>,
    /// Those that answered before, and when they ceased to: they are removed when nobody can be asking them any more.
    pub old: Vec<(u64, Millis)>,
    /// How many events the last rebuild took, and how many milliseconds.
    pub built: Option<(u64, Millis)>,
}

impl Default for Generations {
    fn default() -> Self {
        Self { live: 1, next: None, old: Vec::new(), built: None }
    }
}

/// A generation that is being built.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Next {
    /// Its number.
    pub generation: u64,
    /// How far it has come.
    pub walk: Walk,
}

/// A walk through the events table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Walk {
    /// When it began.
    pub began: Millis,
    /// Where the last page ended: a key of the table.
    pub cursor: Option<String>,
    /// How many events it has met.
    pub events: u64,
    /// Whether it has come to the end.
    pub done: bool,
    /// How many milliseconds it has taken so far.
    pub took: Millis,
}

impl Walk {
    pub(super) fn from(began: Millis) -> Self {
        Self { began, ..Self::default() }
    }
}

/// The consumers that are no views, by the names that an operator calls them by; and what could not even be read.
pub const OTHERS: [&str; 3] = ["transfers", "outbox", "unreadable"];

impl Progress {
    /// The generations of a view.
    pub fn of(&self, view: &Projection) -> Generations {
        self.views.get(view.name).cloned().unwrap_or_default()
    }

    /// A view's generations, to be changed.
    pub(super) fn of_mut(&mut self, view: &Projection) -> &mut Generations {
        self.views.entry(view.name.to_owned()).or_default()
    }

    /// Who takes the events of the views' reader: every generation of every view, and the saga.
    pub fn consumers(&self) -> Vec<Consumer> {
        let mut all = Vec::new();
        for view in &views::ALL {
            let generations = self.of(view);
            all.push(Consumer::View(view, generations.live));
            all.extend(generations.next.map(|next| Consumer::View(view, next.generation)));
        }
        all.push(Consumer::Transfers);
        all
    }

    /// The consumer of that name, as an operator calls it: a view by its name, meaning the generation that answers.
    pub fn consumer(&self, name: &str) -> Option<Consumer> {
        match name {
            "transfers" => Some(Consumer::Transfers),
            "outbox" => Some(Consumer::Outbox),
            "unreadable" => Some(Consumer::Unreadable),
            name => views::find(name).map(|view| Consumer::View(view, self.of(view).live)),
        }
    }

    /// As the wire shows it, with the outbox's beside it and the letters that each consumer has.
    pub fn to_json(&self, outbox: &Self, letters: &[(String, u64)]) -> Value {
        let dead =
            |name: &str| letters.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
        let views = views::ALL.iter().map(|view| {
            let Generations { live, next, built, .. } = self.of(view);
            let rebuild = next.map(|Next { generation, walk }| {
                value!({ "generation": generation, "began": to_iso(walk.began), "events": walk.events })
            });
            let built = built.map(|(events, time)| value!({ "events": events, "ms": time }));
            value!({
                "name": view.name, "aggregate": view.aggregate, "generation": live, "deadLetters": dead(view.name),
                "rebuild": rebuild, "lastRebuild": built,
            })
        });
        let others = OTHERS.map(|name| value!({ "name": name, "deadLetters": dead(name) }));
        let mut shown = self.checkpoint();
        shown.insert("views".into(), views.collect());
        shown.insert("others".into(), others.into_iter().collect());
        shown.insert("outbox".into(), outbox.checkpoint().into());
        shown.into()
    }

    fn checkpoint(&self) -> Object {
        let walk = self.catch_up.as_ref();
        let walk = walk.map(|walk| value!({ "began": to_iso(walk.began), "events": walk.events }));
        let swept = Some(self.swept_at).filter(|at| *at > 0).map(to_iso);
        Object::from_iter([("sweptAt".to_owned(), value!(swept)), ("catchUp".to_owned(), value!(walk))])
    }
}

/// Reads a reader's record, consistently; one without anything where there is none yet.
///
/// # Errors
/// DynamoDB does not answer, or the record cannot be read.
pub async fn load(shell: &impl Shell, reader: Reader) -> Result<Progress> {
    let key = record_key(reader.record());
    let Some(item) = get(shell, &shell.layout().helpers, &key).await? else { return Ok(Progress::default()) };
    read(&item).ok_or_else(|| Error::Store {
        message: format!(
            "the record `{}` among the helpers cannot be read: was it written by a newer program?",
            reader.record()
        ),
        retryable: false,
        uncertain: false,
    })
}

fn read(item: &str) -> Option<Progress> {
    let item = plain(item)?;
    let progress: Progress = serde_json::from_str(item.get("progress")?.as_str()?).ok()?;
    Some(Progress { rev: item.get("rev")?.as_u64()?, ..progress })
}

/// Writes the record in the place of the one that was read, and says whether it could: not where somebody else did
/// meanwhile.
pub(super) async fn save(shell: &impl Shell, reader: Reader, progress: &mut Progress) -> Result<bool> {
    let mark = format!("{:020x}", shell.random());
    let next = Progress { rev: progress.rev + 1, mark, ..progress.clone() };
    let text = serde_json::to_string(&next).unwrap_or_default();
    let template = r#"{"pk":{"S":$},"sk":{"S":"record"},"rev":{"N":"$"},"progress":{"S":$}}"#;
    let item = json(template, &[&Quoted(reader.record()), &next.rev, &Quoted(&text)]);
    let call = put_call(&shell.layout().helpers, &item, &unless_changed(progress.rev));
    match ask(shell, &call).await? {
        Reply::Done(_) => {}
        Reply::Refused { code, body } if code == "ConditionalCheckFailedException" => {
            // An answer that was lost: it is ours.
            if item_of(&body).and_then(read).as_ref() != Some(&next) {
                return Ok(false);
            }
        }
        reply => drop(reply.done(&call)?),
    }
    *progress = next;
    Ok(true)
}

/// Begins to build a view anew. Where that is going on already, its generation is given instead.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn rebuild(shell: &impl Shell, view: &'static Projection) -> Result<Result<u64, u64>> {
    loop {
        let mut progress = load(shell, Reader::Views).await?;
        let generations = progress.of_mut(view);
        if let Some(next) = &generations.next {
            return Ok(Err(next.generation));
        }
        // One that answered before may still be on its way out.
        let used = generations.old.iter().map(|(old, _)| *old).max();
        let generation = used.unwrap_or(0).max(generations.live) + 1;
        generations.next = Some(Next { generation, walk: Walk::from(shell.now()) });
        if save(shell, Reader::Views, &mut progress).await? {
            return Ok(Ok(generation));
        }
    }
}
