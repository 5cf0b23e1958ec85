//! The schema versions of each event beside each other, and the upcaster between two of them.

use super::Past;
use crate::{
    erased::{part, text},
    format::{count, grouped, kind},
};
use leptos::prelude::*;
use rewound_core::{
    evolution::{Became, Stage, Versions, compare, lifted},
    schema::sample,
    upcast::newest,
    value::Object,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An event and its schema versions.
struct Type {
    name: String,
    newest: u32,
    versions: Vec<Version>,
}

/// A schema version of an event.
struct Version {
    number: u32,
    stored: usize,
    /// Its fields, each with what became of it since the version before; none where nothing tells.
    fields: Option<Vec<(String, Became)>>,
}

pub(super) fn versions(past: Past) -> impl IntoView {
    let types = move || {
        let types = types(past);
        if types.is_empty() {
            return view! { <p class="empty">"No event of this kind was ever stored. Import some, or choose another kind."</p> }
                .into_any();
        }
        let all = types.into_iter().map(|one| shown(&one));
        view! { <div class="types">{all.collect_view()}</div> }.into_any()
    };
    let title = move || {
        if past.is_example() {
            "Schema versions".to_owned()
        } else {
            format!("Schema versions of {}", kind(&past.aggregate()))
        }
    };
    view! {
        <section class="card versions" aria-labelledby="versions-title">
            <h3 id="versions-title">{text(title)}</h3>
            {part(types)}
        </section>
    }
}

fn types(past: Past) -> Vec<Type> {
    let (stored, upcasters, aggregate) = (past.stored(), past.upcasters(), past.aggregate());
    let empty = Versions::new();
    let counted: BTreeMap<&str, &Versions> = stored.events(&aggregate).collect();
    let shapes = if past.is_example() { &[] } else { past.domain().events() };
    let mut names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
    names.extend(counted.keys().filter(|name| !shapes.iter().any(|shape| shape.name == **name)));
    let types = names.into_iter().map(|name| {
        let stored = counted.get(name).copied().unwrap_or(&empty);
        let newest = newest(upcasters, name);
        let today = shapes.iter().find(|shape| shape.name == name);
        let own = |number: u32| stored.get(&number).map(|(_, event)| event.payload());
        // The oldest event that is stored, lifted, shows the fields of every version behind its own.
        let first = stored.iter().next().map(|(number, (_, event))| (*number, event.payload()));
        let stages = first.map(|(number, payload)| {
            lifted(upcasters, name, number, payload).unwrap_or_else(|(stages, _)| stages)
        });
        let stages: BTreeMap<u32, Object> =
            stages.into_iter().flatten().map(|Stage { version, payload, .. }| (version, payload)).collect();
        let numbers: BTreeSet<u32> = (1..=newest).chain(stored.keys().copied()).collect();
        let mut before: Option<Object> = None;
        let versions = numbers.into_iter().map(|number| {
            let schema = today.filter(|_| number == newest).map(|shape| {
                let mut fields = sample(&shape.schema).as_object().cloned().unwrap_or_default();
                for (field, _) in shape.fields() {
                    fields.entry(field).or_insert(Value::Null);
                }
                fields
            });
            let payload = stages.get(&number).cloned().or_else(|| own(number));
            // What the schema of today asks for goes before what some event happens to say.
            let payload = if stages.len() > 1 { payload.or(schema) } else { schema.or(payload) };
            let fields = payload.as_ref().map(|payload| {
                let known = before.as_ref().filter(|_| number <= newest);
                compare(known.unwrap_or(payload), payload)
            });
            before = payload.or(before.take());
            Version { number, stored: stored.get(&number).map_or(0, |(count, _)| *count), fields }
        });
        Type { name: name.to_owned(), newest, versions: versions.collect() }
    });
    types.collect()
}

fn shown(one: &Type) -> AnyView {
    let mut parts = Vec::new();
    for (index, version) in one.versions.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).and_then(|before| one.versions.get(before)) {
            parts.push(step(before, version, one.newest));
        }
        parts.push(card(version, one.newest));
    }
    let is_chain = one.versions.len() > 1;
    view! {
        <section class="type" class:chain=is_chain aria-label=one.name.clone()>
            <h4>{one.name.clone()}</h4>
            <div class="line">{parts}</div>
        </section>
    }
    .into_any()
}

fn card(version: &Version, newest: u32) -> AnyView {
    let Version { number, stored, fields } = version;
    let word = match *number {
        number if number > newest => {
            view! { <span class="mark bad" data-shape="✕">"newer than every upcaster"</span> }.into_any()
        }
        number if number == newest => {
            view! { <span class="mark good" data-shape="●">"today"</span> }.into_any()
        }
        _ => view! { <span class="mark" data-shape="○">"older"</span> }.into_any(),
    };
    let list = fields.as_ref().map(|fields| {
        if fields.is_empty() {
            return view! { <p class="about">"No fields of its own."</p> }.into_any();
        }
        let fields = fields.iter().map(|(name, became)| field(name, became));
        view! { <ul class="fields-of">{fields.collect_view()}</ul> }.into_any()
    });
    let unknown =
        fields.is_none().then(|| view! { <p class="about">"None is stored: nothing tells its fields."</p> });
    view! {
        <div class="version">
            <p class="version-head"><b>{format!("Version {number}")}</b> {word}</p>
            <p class="stored">{format!("{} stored", grouped(*stored as u64))}</p>
            {list}
            {unknown}
        </div>
    }
    .into_any()
}

/// A field, and what became of it.
pub(super) fn field(name: &str, became: &Became) -> AnyView {
    let (class, sign, said) = match became {
        Became::Kept => ("", "", String::new()),
        Became::Changed => ("changed", "~", "changed".to_owned()),
        Became::Added => ("added", "+", "added".to_owned()),
        Became::Renamed { from } => ("changed", "→", format!("was {from}")),
        Became::Removed => ("removed", "−", "removed".to_owned()),
    };
    view! {
        <li class=class>
            <span class="sign" aria-hidden="true">{sign}</span>
            " "
            <code>{name.to_owned()}</code>
            " "
            <span class="became">{said}</span>
        </li>
    }
    .into_any()
}

/// What stands between two versions.
fn step(before: &Version, version: &Version, newest: u32) -> AnyView {
    if version.number > newest {
        return view! {
            <div class="step-between none"><span class="arrow" aria-hidden="true"></span> <span>"no upcaster leads here"</span></div>
        }
        .into_any();
    }
    let touched = version
        .fields
        .as_ref()
        .map_or(0, |fields| fields.iter().filter(|(_, became)| *became != Became::Kept).count());
    view! {
        <div class="step-between">
            <span class="arrow" aria-hidden="true"></span>
            <span>{format!("upcaster {} to {}", before.number, version.number)}</span>
            <span class="about">{count(touched, "field")} " touched"</span>
        </div>
    }
    .into_any()
}
