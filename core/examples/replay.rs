//! Replays one stream of a log and prints its state after each of its events, a line of JSON each:
//!
//! ```sh
//! cargo run --example replay -- LOG [AGGREGATE-ID]
//! ```
//!
//! The log is a DynamoDB export (gzip or plain), lines of JSON or one JSON array. Without an id it is the first
//! stream. Whatever is wrong in the log goes to standard error.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "an example is a shell around the core"
)]

use rewound_core::import::EventLog;
use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let file = args.next().ok_or("expected a log: replay LOG [AGGREGATE-ID]")?;
    let log = EventLog::from_bytes(&fs::read(&file).map_err(|error| format!("{file}: {error}"))?);
    for problem in log.problems() {
        eprintln!("{file}:{}: {}", problem.line, problem.message);
    }
    let first = log.streams().first().map(|stream| stream.aggregate_id().to_owned());
    let id = args.next().or(first).ok_or_else(|| format!("{file} holds no event"))?;
    let timeline = log.timeline(&id).ok_or_else(|| format!("{file} holds no stream of {id}"))?;
    let mut out = io::stdout().lock();
    for version in 1..=timeline.len() {
        if let Some(snapshot) = timeline.state_at(version) {
            writeln!(out, "{}", snapshot.to_json())?;
        }
    }
    Ok(())
}
