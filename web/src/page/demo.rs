//! What is there at the first visit: a little history, made by real commands with a fixed clock and
//! fixed randomness.

use js_sys::Date;
use rewound_core::{
    domain::{Command, Sender},
    domains,
    run::{Options, run},
    store::Store,
    time::Millis,
    value::Object,
};
use serde_json::Value;

/// The commands, in the order in which they are sent: `at`, `actor`, `to`, `id` and `type`, and the
/// command's own fields beside them.
const STORY: &str = include_str!("demo.json");

/// Sends the demo's commands.
pub(crate) fn tell(store: &mut impl Store) {
    let story: Vec<Object> = serde_json::from_str(STORY).unwrap_or_default();
    for (random, line) in (1..).zip(story) {
        // The browser test reads every number of this story: a refused command would show there.
        let sent = send(store, random, line);
        debug_assert!(sent.is_some(), "command {random} of the demo was refused");
    }
}

fn send(store: &mut impl Store, random: u128, mut line: Object) -> Option<()> {
    let mut take = |name: &str| match line.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let now = Date::parse(&take("at")?) as Millis;
    let by = Sender { actor: take("actor")?, now, random, ..Sender::default() };
    let domain = domains::find(&take("to")?)?;
    let (id, name) = (take("id")?, take("type")?);
    let command = Command { name, fields: line };
    run(store, domain, &id, command, &by, Options::default()).ok().map(drop)
}
