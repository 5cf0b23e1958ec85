//! What the screen says of steps and ends.

use crate::format::{gist, is_cents, money};
use rewound_core::{
    error::Error,
    event::Event,
    sim::{Did, Ended, Kind, Loss, Scenario, Step},
    store::{Answer, Failure, Request},
    value::Object,
};
use serde_json::Value;

/// How something is: its class, and its shape for who sees no colours.
pub(super) type Mark = (&'static str, &'static str);

pub(super) const GOOD: Mark = ("good", "✓");
pub(super) const BAD: Mark = ("bad", "✕");
pub(super) const WARN: Mark = ("warn", "!");
pub(super) const PLAIN: Mark = ("", "·");

/// The shape of a kind of step.
pub(super) fn shape(kind: Kind) -> &'static str {
    match kind {
        Kind::Load => "↓",
        Kind::Decide => "◆",
        Kind::Commit => "↑",
        Kind::Wait => "◷",
        Kind::Lookup => "?",
        Kind::Read => "≡",
        Kind::SendAgain => "↻",
    }
}

/// What is most worth knowing of a state, in a line.
pub(super) fn gist_of(aggregate: &str, state: &Object) -> String {
    let parts = state.iter().filter_map(|(name, value)| match value {
        Value::Number(number) => Some(match number.as_i64() {
            Some(cents) if is_cents(aggregate, name) => format!("{name} {}", money(cents)),
            _ => format!("{name} {number}"),
        }),
        Value::String(text) if matches!(name.as_str(), "status" | "email" | "title") => {
            Some(format!("{name} {text}"))
        }
        Value::Bool(flag) => Some(format!("{name} {flag}")),
        Value::Array(items) => {
            Some(crate::format::count(items.len(), name.strip_suffix('s').unwrap_or(name)))
        }
        _ => None,
    });
    parts.take(3).collect::<Vec<_>>().join(", ")
}

/// An event with its gist.
pub(super) fn event(event: &Event) -> String {
    let gist = gist(event);
    if gist.is_empty() { event.name().to_owned() } else { format!("{} {gist}", event.name()) }
}

/// What a writer did, how it went, and what the store said.
pub(super) struct Said {
    pub(super) what: String,
    pub(super) mark: Option<(Mark, String)>,
    /// What the store did, where it was asked.
    pub(super) store: Option<(Mark, String)>,
}

fn plain(what: impl Into<String>) -> Said {
    Said { what: what.into(), mark: None, store: None }
}

pub(super) fn said(scenario: &Scenario, step: &Step) -> Said {
    match &step.did {
        Did::Waited(time) => plain(format!("{time} ms before the next attempt")),
        Did::SentAgain => Said {
            mark: Some((WARN, "heard nothing".to_owned())),
            ..plain("The sender sends the same command once more")
        },
        Did::Decided(decision) => {
            let on = match &decision.on {
                Some(snapshot) => format!("on version {}", snapshot.meta.version),
                None => "on nothing".to_owned(),
            };
            match &decision.result {
                Ok(events) if events.is_empty() => plain(format!("Nothing to do, {on}")),
                Ok(events) => {
                    let events = events.iter().map(event).collect::<Vec<_>>().join(", ");
                    plain(format!("{events}, {on}"))
                }
                // Where the command ends with it, the reason is what the sender is told.
                Err(_) if step.ended.is_some() => plain(format!("Refused {on}")),
                Err(error) => Said {
                    mark: Some((BAD, code(error))),
                    ..plain(format!("Refused {on}: {}", reason(error)))
                },
            }
        }
        Did::Asked(request, answer, loss) => asked(scenario, step, request, answer, *loss),
    }
}

fn asked(
    scenario: &Scenario,
    step: &Step,
    request: &Request,
    answer: &Result<Answer, Failure>,
    loss: Loss,
) -> Said {
    let what = match request {
        Request::Load { .. } => "Reads the row".to_owned(),
        Request::Events { after, .. } => format!("Asks what came behind version {after}"),
        Request::Record { .. } => "Asks whether the key was used before".to_owned(),
        Request::Commit(commit) => {
            let versions = commit.events.iter().map(|event| event.version().to_string());
            let versions = versions.collect::<Vec<_>>().join(", ");
            match scenario.is_locking {
                true => format!("Writes version {versions}, if the row is still at {}", commit.expected),
                false => format!("Writes version {versions}, wherever the row is"),
            }
        }
        _ => String::new(),
    };
    let row = |snapshot: &rewound_core::domain::Snapshot| {
        format!("version {}: {}", snapshot.meta.version, gist_of(scenario.aggregate, &snapshot.state))
    };
    let store = match answer {
        Ok(Answer::Loaded(loaded)) => match &loaded.snapshot {
            Some(snapshot) => (PLAIN, row(snapshot)),
            None => (PLAIN, format!("version {}", loaded.version)),
        },
        Ok(Answer::Committed) => (GOOD, step.row.as_ref().map_or_else(|| "written".to_owned(), row)),
        Ok(Answer::Conflict(winner)) => (
            BAD,
            format!("conflict: it is at version {}", winner.as_ref().map_or(0, |winner| winner.version)),
        ),
        Ok(Answer::KeyTaken(record)) => (WARN, format!("the key took effect in version {}", record.first)),
        Ok(Answer::Record(Some(record))) => (WARN, format!("it was, in version {}", record.first)),
        Ok(Answer::Record(None)) => (PLAIN, "it was not".to_owned()),
        Ok(Answer::Events(page)) => (PLAIN, page.items.first().map_or_else(|| "nothing".to_owned(), event)),
        Ok(Answer::List(_)) => (PLAIN, String::new()),
        Err(Failure::Clock) => (BAD, "refused: the clock is too far off".to_owned()),
        Err(Failure::Busy) => (BAD, "too busy".to_owned()),
        Err(Failure::Lost) => (BAD, "no answer".to_owned()),
        Err(Failure::Refused(message)) => (BAD, message.clone()),
    };
    let mark = match (loss, answer) {
        (Loss::Answer | Loss::Sender, _) => Some((WARN, "answer lost".to_owned())),
        (_, Ok(Answer::Committed)) => Some((GOOD, "written".to_owned())),
        (_, Ok(Answer::Conflict(_))) => Some((BAD, "conflict".to_owned())),
        (_, Ok(Answer::KeyTaken(_))) => Some((WARN, "key taken".to_owned())),
        (_, Err(_)) => Some((BAD, "refused".to_owned())),
        _ => None,
    };
    Said { what, mark, store: Some(store) }
}

/// An error in a word.
fn code(error: &Error) -> String {
    match error {
        Error::Rejected(rejection) => rejection.code.to_string(),
        Error::WrongVersion { .. } => "wrong version".to_owned(),
        Error::NotFound { .. } => "not found".to_owned(),
        _ => "malformed".to_owned(),
    }
}

/// An error in a sentence.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Rejected(rejection) => rejection.message.clone(),
        error => error.to_string(),
    }
}

/// How a command ended: its mark, a word for it, and what its sender was told.
pub(super) fn end(ended: &Ended) -> (Mark, String, String) {
    match &ended.result {
        Ok(done) => {
            let events = done.events.iter().map(event).collect::<Vec<_>>().join(", ");
            let told = match (done.repeated, done.events.is_empty()) {
                (true, _) => format!("{events}: the answer of the first time"),
                (false, true) => "Everything was as it wants: no event".to_owned(),
                (false, false) => format!("{events}, version {}", done.version()),
            };
            (GOOD, ended.word(), told)
        }
        Err(error @ Error::Contention { attempts, .. }) => (
            WARN,
            "gave up".to_owned(),
            format!("{error} ({} tried)", crate::format::count(*attempts as usize, "commit")),
        ),
        Err(Error::Store { uncertain: true, .. }) => {
            (WARN, "uncertain".to_owned(), "No answer came: it may have taken effect".to_owned())
        }
        Err(error) => (BAD, ended.word(), reason(error)),
    }
}

/// A word of an outcome, as its mark.
pub(super) fn mark_of(word: &str) -> Mark {
    match word {
        "committed" | "repeated" | "nothing" => GOOD,
        "contention" | "uncertain" => WARN,
        _ => BAD,
    }
}

/// A word of an outcome, for people.
pub(super) fn word_of(word: &str) -> String {
    match word {
        "contention" => "gave up".to_owned(),
        word => word.replace('-', " "),
    }
}
