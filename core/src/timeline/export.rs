//! A branch as given/when/then tests: given the events before, when the command that an event stands for is decided,
//! then the event comes about, or the rule refuses it. The text runs as it is.

use super::{Branch, Timeline, Verdict, command_of};
use crate::{
    domain::Draft,
    domains,
    error::Error,
    event::Event,
    time::Millis,
    value::{Object, Value},
};
use std::fmt::Write;

/// The most events of a branch that are told as tests of their own.
pub const MAX_CASES: usize = 40;

/// A test: what is given, what happens, what comes of it.
struct Case {
    /// The version of the event; the events before it are given.
    version: u64,
    event_name: String,
    actor: String,
    time: Millis,
    /// The command and what comes of it; none where the domain does not say which command records the event.
    when: Option<(Value, Then)>,
    /// What reduce says of the event, where it does not take it.
    irreducible: Option<String>,
}

/// What comes of a command.
enum Then {
    Events(Vec<Draft>),
    Rejected(String),
    Missing,
    Malformed,
}

/// The tests of a branch, from where it differs on: of the first [`MAX_CASES`] events there, and of the state behind
/// them.
struct Suite<'a> {
    aggregate: &'a str,
    id: &'a str,
    /// The events that are given, the last of which is told in the last test.
    events: Vec<String>,
    cases: Vec<Case>,
    /// The version of the last state, and that state.
    end: (u64, Value),
}

impl<'a> Suite<'a> {
    fn new(branch: &'a Branch) -> Self {
        let Branch { timeline, verdicts, irreducible, .. } = branch;
        let events = || timeline.events().iter().chain(irreducible);
        let first = branch.first_difference().and_then(|row| branch.rows.get(row));
        let start = first.map_or(0, |row| row.at.1 - u64::from(row.branch().is_some()));
        let skipped = usize::try_from(start).unwrap_or(usize::MAX);
        let told = events().zip(verdicts).skip(skipped).take(MAX_CASES);
        let cases: Vec<Case> = told.map(|(event, verdict)| Case::new(timeline, event, verdict)).collect();
        let last = start + cases.len() as u64;
        let at = last.min(timeline.len());
        let state = timeline.state_at(at).map_or(Value::Null, |snapshot| Value::Object(snapshot.state));
        let given = events().take(usize::try_from(last).unwrap_or(usize::MAX));
        Self {
            aggregate: events().next().map_or_else(|| timeline.domain().name(), Event::aggregate),
            id: timeline.id(),
            events: given.map(|event| text(&Value::Object(event.fields()))).collect(),
            cases,
            end: (at, state),
        }
    }
}

impl Case {
    fn new(timeline: &Timeline, event: &Event, verdict: &Verdict) -> Self {
        let irreducible = match verdict {
            Verdict::Impossible(error) => Some(error.problem.to_string()),
            _ => None,
        };
        let command = command_of(timeline.domain(), event).filter(|_| irreducible.is_none());
        let when = command.and_then(|command| {
            let then = match verdict {
                Verdict::Possible => {
                    let known = timeline.domain().events().iter().find(|shape| shape.name == event.name());
                    let mut fields = event.payload();
                    // Other writers may have written more than the command decides on.
                    if let Some(shape) = known {
                        super::branch::prune(&shape.schema, &mut fields);
                    }
                    Then::Events(vec![Draft { name: event.name().to_owned(), fields }])
                }
                Verdict::Otherwise(drafts) => Then::Events(drafts.clone()),
                Verdict::Rejected(rule) if rule.code == crate::error::Rejection::NOT_FOUND => Then::Missing,
                Verdict::Rejected(rule) => Then::Rejected(rule.code.to_string()),
                Verdict::Failed(Error::Invalid(_)) => Then::Malformed,
                _ => return None,
            };
            Some((command.to_json(), then))
        });
        Self {
            version: event.version(),
            event_name: event.name().to_owned(),
            actor: event.actor().to_owned(),
            time: event.time(),
            when,
            irreducible,
        }
    }

    /// What it says, in words.
    fn title(&self) -> String {
        let Self { version, event_name, .. } = self;
        let what = match (&self.irreducible, self.when.as_ref().map(|(_, then)| then)) {
            (Some(_), _) => "does not reduce".to_owned(),
            (None, None) => "reduces".to_owned(),
            (None, Some(Then::Rejected(code))) => format!("is refused: {code}"),
            (None, Some(Then::Missing)) => "is refused: not found".to_owned(),
            (None, Some(Then::Malformed)) => "has a malformed command".to_owned(),
            (None, Some(Then::Events(drafts))) => match drafts.as_slice() {
                [draft] if draft.name == *event_name => "is decided".to_owned(),
                [] => "is not decided".to_owned(),
                _ => "is decided otherwise".to_owned(),
            },
        };
        format!("version {version}: {event_name} {what}")
    }
}

/// Drafts as JSON: `[{"eventName": …, its own fields}]`.
fn drafts(drafts: &[Draft]) -> Value {
    let drafts = drafts.iter().map(|draft| {
        let mut fields = Object::from_iter([("eventName".to_owned(), Value::from(draft.name.as_str()))]);
        fields.extend(draft.fields.clone());
        Value::Object(fields)
    });
    drafts.collect()
}

/// JSON in one line, without the marks that turn the direction of text: in source code they could hide some.
pub(crate) fn text(value: &Value) -> String {
    let turns = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut text = String::new();
    for letter in value.to_string().chars() {
        if turns(letter) {
            // It stands in a string: nowhere else does JSON have such letters.
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
    }
    text
}

/// A raw string of Rust, for what [`text`] wrote: a raw string holds neither a bare carriage return nor a mark that
/// turns the direction of text, and JSON has both escaped.
pub(crate) fn raw(text: &str) -> String {
    let mut marks = "#".to_owned();
    while text.contains(&format!("\"{marks}")) {
        marks.push('#');
    }
    format!("r{marks}\"{text}\"{marks}")
}

/// A string of Rust.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// A string of JavaScript in single quotes.
fn single(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r"))
}

/// A name for a function of Rust: letters, digits and underscores.
fn snake(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            if letter.is_ascii_uppercase() && name.ends_with(|last: char| last.is_ascii_lowercase()) {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}

/// The branch as a file of Rust tests: put it into `tests/` of a crate that depends on `rewound-core`.
///
/// The tests begin where the branch differs from the original, [`MAX_CASES`] of them at the most.
///
/// ```
/// # use rewound_core::{domains, event::Event, timeline::*};
/// # let event = Event::parse(r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"BlogPostCreated","aggregateName":"BlogPost","aggregateId":"p","aggregateVersion":1,"actorId":"ada","title":"Hello"}"#).unwrap();
/// let post = Timeline::new(domains::find("BlogPost").unwrap(), "p", vec![event]);
/// let branch = post.branch(&[]).unwrap();
/// let text = export::rust_tests(&branch);
/// assert!(text.contains("fn version_1_blog_post_created_is_decided()"));
/// ```
pub fn rust_tests(branch: &Branch) -> String {
    let Suite { aggregate, id, events, cases, end } = Suite::new(branch);
    let mut text = format!(
        "//! Given/when/then: a branch of {}, as it might have been. Put this file into `tests/` of a crate\n\
         //! that depends on `rewound-core`.\n\n\
         use rewound_core::{{\n    domain::{{Command, Domain, Instance}},\n    domains,\n    error::Error,\n    \
         event::Event,\n    value::{{Value, json}},\n}};\n\n\
         /// The events of the branch, version 1 first.\nconst EVENTS: &[&str] = &[\n",
        snake(aggregate).replace('_', " ")
    );
    for event in &events {
        let _ = writeln!(text, "    {},", raw(event));
    }
    let _ = write!(
        text,
        "];\n\n\
         fn domain() -> &'static dyn Domain {{\n    domains::for_log({})\n}}\n\n\
         fn event(version: usize) -> Event {{\n    Event::parse(EVENTS[version - 1]).unwrap()\n}}\n\n\
         /// The aggregate after so many events.\n\
         fn given(count: usize) -> Box<dyn Instance> {{\n    \
             (1..=count).fold(domain().start({}), |before, version| before.apply(&event(version)).unwrap())\n\
         }}\n\n\
         /// What the command is answered with: events, or why not.\n#[allow(dead_code)]\n\
         fn when(given: Box<dyn Instance>, actor: &str, command: &str) -> Result<Vec<Value>, Error> {{\n    \
             let command = Command::from_json(&value(command))?;\n    \
             domain().validate(&command)?;\n    \
             let drafts = given.decide(&command, actor)?.into_iter();\n    \
             Ok(drafts\n        .map(|draft| {{\n            let mut event = json!({{ \"eventName\": draft.name }});\n            \
                 event.as_object_mut().unwrap().extend(draft.fields);\n            event\n        }})\n        .collect())\n\
         }}\n\n\
         fn state(given: Box<dyn Instance>) -> Value {{\n    \
             given.snapshot().map_or(Value::Null, |snapshot| Value::Object(snapshot.state))\n}}\n\n\
         fn value(json: &str) -> Value {{\n    json.parse().unwrap()\n}}\n",
        quoted(aggregate),
        quoted(id),
    );
    for case in &cases {
        let (before, version) = (case.version - 1, case.version);
        let _ = write!(text, "\n#[test]\nfn {}() {{\n", snake(&case.title()));
        match (&case.irreducible, &case.when) {
            (Some(problem), _) => {
                let _ = write!(
                    text,
                    "    let refused = given({before}).apply(&event({version})).unwrap_err();\n    \
                     assert_eq!(refused.problem.to_string(), {});\n",
                    quoted(problem)
                );
            }
            (None, None) => {
                let _ = writeln!(text, "    given({before}).apply(&event({version})).unwrap();");
            }
            (None, Some((command, then))) => {
                let command = raw(&self::text(command));
                let call = format!("when(given({before}), {}, {command})", quoted(&case.actor));
                let _ = match then {
                    Then::Events(events) => write!(
                        text,
                        "    let events = {call}.unwrap();\n    assert_eq!(Value::from(events), value({}));\n",
                        raw(&self::text(&drafts(events)))
                    ),
                    Then::Rejected(code) => write!(
                        text,
                        "    let Err(Error::Rejected(rule)) = {call} else {{ panic!(\"it was not refused\") }};\n    \
                         assert_eq!(rule.code, {});\n",
                        quoted(code)
                    ),
                    Then::Missing => {
                        writeln!(text, "    assert!(matches!({call}, Err(Error::NotFound {{ .. }})));")
                    }
                    Then::Malformed => {
                        writeln!(text, "    assert!(matches!({call}, Err(Error::Invalid(_))));")
                    }
                };
            }
        }
        text.push_str("}\n");
    }
    let (at, state) = end;
    let _ = write!(
        text,
        "\n#[test]\nfn the_state_at_version_{at}() {{\n    assert_eq!(state(given({at})), value({}));\n}}\n",
        raw(&self::text(&state))
    );
    text
}

/// The branch as a file of JavaScript tests for `node --test`, with the npm package `rewound`.
///
/// The tests begin where the branch differs from the original, [`MAX_CASES`] of them at the most.
pub fn javascript_tests(branch: &Branch) -> String {
    let Suite { aggregate, id, events, cases, end } = Suite::new(branch);
    let compiled = domains::find(aggregate).is_some();
    let mut text = format!(
        "// Given/when/then: a branch of {}, as it might have been. Run it with `node --test`, beside the\n\
         // npm package `rewound`.\n\n\
         import assert from \"node:assert/strict\";\nimport {{ test }} from \"node:test\";\n",
        snake(aggregate).replace('_', " ")
    );
    let name = single(aggregate);
    let reduce = if compiled {
        let _ = write!(text, "import {{ aggregate }} from \"rewound\";\n\nconst kind = aggregate({name});\n");
        "const given = (count) => kind.reduceEvents(events.slice(0, count));\n"
    } else {
        // No function reduces what nobody wrote a domain for: its fields show their last values.
        text.push_str("import { Timeline } from \"rewound\";\n");
        "const bytes = new TextEncoder().encode(lines.join(\"\\n\"));\n\
         const timeline = Timeline.from(bytes);\n\
         const given = (count) => timeline.stateAt(count);\n"
    };
    text.push_str("\n// The events of the branch, version 1 first.\nconst lines = [\n");
    for event in &events {
        let _ = writeln!(text, "  {},", single(event));
    }
    text.push_str("];\n");
    if compiled {
        text.push_str("const events = lines.map((line) => JSON.parse(line));\n");
    }
    let _ = write!(text, "\n// The state after so many events.\n{reduce}");
    text.push_str(
        "const state = (count) => {\n  const { $meta, ...own } = given(count) ?? {};\n  \
         return $meta ? own : null;\n};\n",
    );
    if cases.iter().any(|case| case.when.is_some()) {
        let _ = write!(
            text,
            "\n// What the command is answered with: events, without what every event has.\n\
             const when = (count, actorId, now, command) =>\n  \
             kind.decide(given(count), command, {{ id: {}, actorId, now }}).map(own);\n\
             function own(event) {{\n  \
             const {{ eventId, aggregateName, aggregateId, aggregateVersion, actorId, schemaVersion, ...rest }} = event;\n  \
             return rest;\n}}\n",
            single(id)
        );
    }
    for case in &cases {
        let (before, version) = (case.version - 1, case.version);
        let _ = write!(text, "\ntest({}, () => {{\n", single(&case.title()));
        match (&case.irreducible, &case.when) {
            (Some(_), _) if compiled => {
                let _ = writeln!(
                    text,
                    "  assert.throws(() => given({version}), {{ name: \"ReduceError\", version: {version} }});"
                );
            }
            (Some(_), _) => {
                let _ = writeln!(text, "  assert.equal(timeline.length, {before});");
            }
            (None, None) => {
                let _ = writeln!(text, "  assert.equal(given({version}).$meta.version, {version});");
            }
            (None, Some((command, then))) => {
                let command = format!("JSON.parse({})", single(&self::text(command)));
                let call = format!("when({before}, {}, {}, {command})", single(&case.actor), case.time);
                let _ = match then {
                    Then::Events(events) => writeln!(
                        text,
                        "  const events = {call};\n  assert.deepEqual(events, JSON.parse({}));",
                        single(&self::text(&drafts(events)))
                    ),
                    Then::Rejected(code) => writeln!(
                        text,
                        "  assert.throws(() => {call}, {{\n    name: \"RejectedError\",\n    code: {},\n  }});",
                        single(code)
                    ),
                    Then::Missing => {
                        writeln!(text, "  assert.throws(() => {call}, {{ name: \"NotFoundError\" }});")
                    }
                    Then::Malformed => {
                        writeln!(text, "  assert.throws(() => {call}, {{ name: \"InvalidCommandError\" }});")
                    }
                };
            }
        }
        text.push_str("});\n");
    }
    let (at, state) = end;
    let _ = write!(
        text,
        "\ntest(\"the state at version {at}\", () => {{\n  assert.deepEqual(state({at}), JSON.parse({}));\n}});\n",
        single(&self::text(&state))
    );
    text
}
