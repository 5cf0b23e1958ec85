//! A race in one of its orders, as a test to be run elsewhere.

use super::{Loss, Role, Scenario};
use crate::{
    domain::Snapshot,
    dynamodb::exchange::{event_item, row},
    error::ReduceError,
    event::Event,
    timeline::export::{raw, text},
};
use serde_json::{Value, json};

/// The test in JavaScript but for its race.
const JAVASCRIPT: &str = include_str!("export.mjs");

/// A race as a Rust test, a whole file for the folder `tests` of a crate that depends on `rewound-core`. `order` are the
/// roles of its requests, from 0 on; what it leaves out comes behind it.
///
/// # Errors
/// A start whose events do not follow each other.
pub fn rust_test(scenario: &Scenario, order: &[usize]) -> Result<String, ReduceError> {
    let (world, order) = scenario.play(order)?;
    let end = scenario.end(&world);
    let Scenario { title, aggregate, id, start, roles, is_locking } = scenario;
    let title = one_line(title);
    let mut uses = vec!["Ground", "Task", "World", "Writer"];
    if roles.iter().any(|role| role.loss != Loss::None) {
        uses.insert(1, "Loss");
    }
    let uses = uses.join(", ");
    let mut text = String::new();
    let mut line = |line: &str| {
        text += line;
        text.push('\n');
    };
    line(&format!("//! {title}"));
    line("");
    line(&format!("use rewound_core::{{event::Event, sim::{{{uses}}}}};"));
    line("");
    line("/// The stream before anybody writes.");
    line(&format!(
        "const START: &[&str] = &[{}];",
        listed(start.iter().map(|event| quoted(event.as_json())))
    ));
    line("");
    line("#[test]");
    line("fn the_race_ends_like_this() {");
    line("    let start: Vec<Event> = START.iter().map(|json| Event::parse(json).unwrap()).collect();");
    let comment = if *is_locking { "with" } else { "without" };
    line(&format!("    // A store {comment} optimistic locking."));
    line(&format!("    let store = Ground::new({is_locking}, &start).unwrap();"));
    line("    let task =");
    let place = format!("{}, {}", quoted(aggregate), quoted(id));
    line(&format!("        |command: &str| Task::parse({place}, command).unwrap();"));
    line("    let writers = [");
    for role in roles {
        line(&format!("        {},", writer(role)));
    }
    line("    ];");
    line("    let mut world = World::new(store, [], writers);");
    line("");
    line("    // Whose request the store answers next; the writers count from 1.");
    let numbers: Vec<String> = order.iter().map(|role| (role + 1).to_string()).collect();
    line(&format!("    for writer in [{}] {{", numbers.join(", ")));
    line("        world.step(writer);");
    line("    }");
    line("");
    line("    let ended = |writer: usize| {");
    line("        world.writers()[writer].ended().iter().map(|end| end.word()).collect::<Vec<_>>()");
    line("    };");
    for (index, (role, words)) in roles.iter().zip(&end.words).enumerate() {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let (words, number, name) = (words.join(", "), index + 1, quoted(&role.name));
        line(&format!("    assert_eq!(ended({number}), [{words}], {name});"));
    }
    line("");
    let names = listed(end.events.iter().map(|name| quoted(name)));
    line(&format!(
        "    let names: Vec<&str> = world.store.events({place}).iter().map(Event::name).collect();"
    ));
    line(&format!("    let expected: &[&str] = &[{names}];"));
    line("    assert_eq!(names, expected);");
    let state = quoted(&Value::Object(end.state).to_string());
    line(&format!("    let state = {state};"));
    line(&format!("    assert_eq!(world.store.state({place}), ({}, state.to_owned()));", end.version));
    line("}");
    Ok(text)
}

/// A race as a JavaScript test for `node --test`, of the npm package `rewound`. `order` is as in [`rust_test`].
///
/// # Errors
/// A start whose events do not follow each other.
pub fn javascript_test(scenario: &Scenario, order: &[usize]) -> Result<String, ReduceError> {
    let before = scenario.world()?;
    let row = before.store.memory.stream(scenario.aggregate, &scenario.id);
    let row = row.and_then(|stored| stored.snapshot.as_ref());
    // What was read as a state and as events can be written.
    let row = row.and_then(row_item);
    let events: Vec<Value> = scenario.start.iter().filter_map(item_of).collect();
    let (world, order) = scenario.play(order)?;
    let end = scenario.end(&world);
    let race = json!({
        "title": one_line(&scenario.title),
        "aggregate": scenario.aggregate,
        "id": scenario.id,
        "locking": scenario.is_locking,
        "row": row,
        "events": events,
        "writers": scenario.roles.iter().map(Role::to_json).collect::<Vec<_>>(),
        "order": order,
        "expected": {
            "words": end.words,
            "version": end.version,
            "events": end.events,
            "state": end.state,
        },
    });
    Ok(JAVASCRIPT.replacen("RACE", &pretty(&race, 0), 1))
}

fn row_item(snapshot: &Snapshot) -> Option<Value> {
    row(&snapshot.meta, &snapshot.state).ok().map(Value::Object)
}

fn item_of(event: &Event) -> Option<Value> {
    event_item(event).ok().map(Value::Object)
}

/// A writer as Rust makes it.
fn writer(role: &Role) -> String {
    let mut task = format!("task({})", quoted(&role.command.to_json().to_string()));
    if let Some(version) = role.expected_version {
        task += &format!(".at_version({version})");
    }
    if let Some(key) = &role.idempotency_key {
        task += &format!(".with_key({})", quoted(key));
    }
    let mut text = format!("Writer::new({}, {}, [{task}]).once()", quoted(&role.name), role.retries);
    match role.loss {
        Loss::None => {}
        Loss::Answer => text += ".losing(Loss::Answer)",
        Loss::Sender => text += ".losing(Loss::Sender)",
    }
    if role.skew != 0 {
        text += &format!(".skewed({})", role.skew);
    }
    text
}

/// A text as it stands in Rust: raw where quotes would have to be escaped. Where it holds what is not seen, such as a
/// carriage return or a mark that turns the direction of text, it has escapes instead: Rust takes no raw string of these.
fn quoted(text: &str) -> String {
    let is_unseen = |letter: char| !matches!(letter, '"' | '\'' | '\\') && letter.escape_debug().len() > 1;
    if text.contains(is_unseen) || !text.contains(['"', '\\']) { format!("{text:?}") } else { raw(text) }
}

/// Several, each on a line.
fn listed(items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("\n    {item},")).collect();
    if items.is_empty() { items } else { items + "\n" }
}

/// A comment ends with its line, and `$` and the like mean nothing in it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A JSON text, two spaces for each depth; what is short enough stays on its line.
fn pretty(value: &Value, depth: usize) -> String {
    const WIDTH: usize = 90;
    let flat = text(value);
    let (open, close, parts) = match value {
        _ if flat.len() + 2 * depth < WIDTH => return flat,
        Value::Object(fields) => {
            let part = |(name, field): (&String, &Value)| {
                format!("{}: {}", text(&Value::from(name.as_str())), pretty(field, depth + 1))
            };
            ('{', '}', fields.iter().map(part).collect::<Vec<_>>())
        }
        Value::Array(items) => {
            ('[', ']', items.iter().map(|item| pretty(item, depth + 1)).collect::<Vec<_>>())
        }
        _ => return flat,
    };
    let indent = "  ".repeat(depth + 1);
    let parts: Vec<String> = parts.into_iter().map(|part| format!("{indent}{part},\n")).collect();
    format!("{open}\n{}{}{close}", parts.concat(), "  ".repeat(depth))
}
