//! What an event says, to be changed: its payload as JSON, beside what its schema asks for.

use super::{Desk, focus_on, rows::aggregate_of};
use crate::{
    erased::{click, flag, maybe, part, text, value, word},
    focus,
};
use leptos::prelude::*;
use rewound_core::{
    domain::Draft,
    event::RESERVED,
    schema::{Shape, sample, validate, words},
    timeline::{inserted, replaced},
};
use serde_json::Value;

/// What is being edited.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Editing {
    /// The row that it is about; none before the first.
    pub(super) row: Option<usize>,
    /// Whether it is to be a new event behind that row.
    is_new: bool,
    /// The event's name.
    name: String,
    /// Its payload as it was typed.
    json: String,
}

/// What was typed, as far as it is an event.
struct Typed {
    draft: Option<Draft>,
    /// Why it is none.
    error: Option<String>,
    /// What reduce will not take.
    warnings: Vec<String>,
}

/// Edits the event of a row.
pub(super) fn change(desk: Desk, index: usize) {
    let draft = untrack(|| {
        desk.with(|original, branch| branch.rows.get(index).and_then(|row| branch.says(original, row)))
            .flatten()
    });
    if let Some(Draft { name, fields }) = draft {
        open(desk, Editing { row: Some(index), is_new: false, name, json: indented(&Value::Object(fields)) });
    }
}

/// Adds an event behind a row.
pub(super) fn insert(desk: Desk, row: Option<usize>) {
    // A history goes on with what is not its first event.
    let names = names(desk);
    let name = names.get(usize::from(row.is_some())).or(names.first()).cloned().unwrap_or_default();
    let json = suggestion(desk, &name);
    open(desk, Editing { row, is_new: true, name, json });
}

fn open(desk: Desk, editing: Editing) {
    if let Some(row) = editing.row {
        desk.chosen.set(row + 1);
    }
    desk.editing.set(Some(editing));
    request_animation_frame(|| focus(document().query_selector(".what-if .editor :is(select, textarea)")));
}

fn close(desk: Desk) {
    let editing = desk.editing.get_untracked();
    desk.editing.set(None);
    match editing {
        Some(Editing { row: Some(row), is_new, .. }) => focus_on(row, if is_new { "add" } else { "change" }),
        _ => focus(document().query_selector(".add-first")),
    }
}

/// The names of the events that there can be: the domain's, or those of the log.
fn names(desk: Desk) -> Vec<String> {
    let original = desk.original.get_untracked();
    let known: Vec<String> = original.domain().events().iter().map(|shape| shape.name.clone()).collect();
    if !known.is_empty() {
        return known;
    }
    let mut names: Vec<String> = Vec::new();
    for event in original.events().iter().take(1_000) {
        if !names.iter().any(|name| name == event.name()) {
            names.push(event.name().to_owned());
        }
    }
    names
}

fn shape(desk: Desk, name: &str) -> Option<Shape> {
    desk.original.get_untracked().domain().events().iter().find(|shape| shape.name == name).cloned()
}

/// A payload to begin with: what the last event of that name said, or what the schema asks for.
fn suggestion(desk: Desk, name: &str) -> String {
    let original = desk.original.get_untracked();
    let last = original.events().iter().rev().take(1_000).find(|event| event.name() == name);
    let last = last.map(|event| Value::Object(event.payload()));
    let by_schema = || shape(desk, name).map(|shape| sample(&shape.schema));
    indented(&last.or_else(by_schema).unwrap_or_else(|| Value::Object(Default::default())))
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Reads what was typed.
fn read(desk: Desk, editing: &Editing) -> Typed {
    let wrong = |error: String| Typed { draft: None, error: Some(error), warnings: Vec::new() };
    let fields = match serde_json::from_str(&editing.json) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return wrong("Expected an object: { … } with the event's own fields.".to_owned()),
        Err(error) => return wrong(format!("This is no JSON: {error}.")),
    };
    if let Some(name) = RESERVED.iter().find(|name| fields.contains_key(**name)) {
        return wrong(format!("/{name}: the envelope keeps this name for itself: choose another."));
    }
    let schema = shape(desk, &editing.name).map(|shape| shape.schema);
    let issues = schema.map(|schema| validate(&schema, &Value::Object(fields.clone()))).unwrap_or_default();
    let warnings = issues.iter().map(ToString::to_string).collect();
    Typed { draft: Some(Draft { name: editing.name.clone(), fields }), error: None, warnings }
}

fn apply(desk: Desk) {
    let Some(editing) = desk.editing.get_untracked() else { return };
    let Some(draft) = read(desk, &editing).draft else { return };
    let edits = desk.edits.get_untracked();
    let row = editing.row.and_then(|index| desk.row(index));
    desk.editing.set(None);
    if editing.is_new {
        desk.change(inserted(&edits, row.as_ref(), draft));
        let index = editing.row.map_or(0, |row| row + 1);
        desk.chosen.set(index + 1);
        focus_on(index, "branch .pick");
    } else if let Some(row) = row {
        desk.change(replaced(&edits, &row, draft));
        focus_on(editing.row.unwrap_or(0), "branch .pick");
    }
}

pub(super) fn editor(desk: Desk) -> impl IntoView {
    let editing = desk.editing.get_untracked()?;
    let typed = Memo::new(move |_| {
        let typed = desk.editing.read().as_ref().map(|editing| read(desk, editing));
        typed.map_or((None, Vec::new()), |typed| (typed.error, typed.warnings))
    });
    let name = Memo::new(move |_| {
        desk.editing.read().as_ref().map_or_else(String::new, |editing| editing.name.clone())
    });
    let area = NodeRef::<leptos::html::Textarea>::new();
    let choose = value(move |name| {
        let json = suggestion(desk, &name);
        if let Some(area) = area.get_untracked() {
            area.set_value(&json);
        }
        desk.editing.update(|editing| {
            if let Some(editing) = editing {
                (editing.name, editing.json) = (name, json);
            }
        });
    });
    let typing = value(move |json| {
        desk.editing.update(|editing| {
            if let Some(editing) = editing {
                editing.json = json;
            }
        });
    });
    let is_new = editing.is_new;
    let title = if is_new { "Insert an event".to_owned() } else { format!("Edit {}", editing.name) };
    let kinds = is_new.then(|| {
        let first = editing.name.clone();
        let options = names(desk).into_iter().map(|name| {
            let selected = name == first;
            view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
        });
        view! { <label>"Event" <select aria-label="Event" on:change=choose>{options.collect_view()}</select></label> }
    });
    let aggregate = aggregate_of(&desk.original.get_untracked());
    let asked = move || {
        let shape = shape(desk, &name.get());
        let Some(shape) = shape else {
            return view! { <p class="about">{format!("Nothing is known of the fields of {aggregate}.")}</p> }.into_any();
        };
        let fields = shape.fields().map(|(field, schema)| {
            let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let kind = [text("type"), text("x-unit")].into_iter().filter(|text| !text.is_empty());
            let kind = kind.collect::<Vec<_>>().join(", ");
            let needed = if shape.requires(field) { "" } else { ", optional" };
            view! {
                <li>
                    <code>{field.to_owned()}</code>
                    {format!(" ({kind}{needed}) {}", text("description"))}
                </li>
            }
        });
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            return view! { <p class="about">{format!("{} has no fields of its own.", words(&shape.name))}</p> }.into_any();
        }
        view! { <ul class="asked">{fields}</ul> }.into_any()
    };
    let json = editing.json.clone();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        apply(desk);
    };
    let keys = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" {
            close(desk);
        }
    };
    let warnings = move || {
        let warnings = typed.get().1;
        (!warnings.is_empty()).then(|| {
            let lines: Vec<_> = warnings.into_iter().map(|line| view! { <li>{line}</li> }).collect();
            view! {
                <p>"It can be tried, and will not reduce:"</p>
                <ul>{lines}</ul>
            }
        })
    };
    Some(view! {
        <form class="editor" aria-labelledby="editor-title" on:submit=submit on:keydown=keys>
            <h4 id="editor-title">{title}</h4>
            {kinds}
            <label class="payload">
                "Payload, as JSON"
                <textarea
                    node_ref=area
                    rows="7"
                    spellcheck="false"
                    aria-invalid=word(move || typed.read().0.is_some())
                    aria-describedby="payload-error"
                    prop:value=json
                    on:input=typing
                ></textarea>
            </label>
            <div id="payload-error" class="wrong" role="status">
                <p class="error" hidden=flag(move || typed.read().0.is_none())>{maybe(move || typed.get().0)}</p>
                {part(warnings)}
            </div>
            {part(asked)}
            <div class="bar">
                <button type="submit" class="button primary" aria-disabled=text(move || typed.read().0.is_some().to_string())>
                    {if is_new { "Insert" } else { "Apply" }}
                </button>
                <button type="button" class="button" on:click=click(move || close(desk))>"Cancel"</button>
            </div>
        </form>
    })
}
