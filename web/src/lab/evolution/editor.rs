//! An old event to play with: before and after, at every keystroke.

use super::{Past, versions::field};
use crate::{
    erased::{part, text, value, word},
    json,
};
use leptos::prelude::*;
use rewound_core::{
    event::Event,
    evolution::{Stage, compare, lifted},
    schema::{sample, validate},
    time::Ulid,
    upcast::newest,
};
use serde_json::Value;

pub(super) fn editor(past: Past) -> impl IntoView {
    // The samples: one for each schema version that is stored, or one that the schema makes.
    let samples = Memo::new(move |_| samples(past));
    let typed = RwSignal::new(String::new());
    let area = NodeRef::<leptos::html::Textarea>::new();
    // The sample that was taken: what it is called, and its text.
    let taken = RwSignal::new((String::new(), String::new()));
    let take = move |index: usize| {
        let sample = samples.with_untracked(|samples| samples.get(index).cloned()).unwrap_or_default();
        if let Some(area) = area.get_untracked() {
            area.set_value(&sample.1);
        }
        typed.set(sample.1.clone());
        taken.set(sample);
    };
    // The samples of another aggregate take the place of these. Those that come in with the history do so where
    // nobody has typed yet.
    Effect::new(move |before: Option<String>| {
        area.track();
        let of = past.of.get();
        let (name, text) = taken.get_untracked();
        let same = samples.with(|samples| samples.iter().position(|sample| sample.0 == name));
        if before.as_ref() != Some(&of) {
            take(0);
        } else if *typed.read_untracked() == text {
            take(same.unwrap_or(0));
        }
        of
    });
    let options = move || {
        let (samples, taken) = (samples.read(), taken.read());
        let options = samples.iter().enumerate().map(|(index, (name, _))| {
            view! { <option value=index prop:selected={*name == taken.0}>{name.clone()}</option> }
        });
        options.collect_view()
    };
    let lifting = Memo::new(move |_| (past.of.get(), typed.get()));
    let is_wrong = Memo::new(move |_| Event::parse(&lifting.read().1).is_err());
    view! {
        <section class="card lift" aria-labelledby="lift-title">
            <h3 id="lift-title">"Lift an event by hand"</h3>
            <div class="bar">
                <label>
                    "Sample"
                    <select on:change=value(move |index| take(index.parse().unwrap_or(0)))>{part(options)}</select>
                </label>
            </div>
            <div class="sides">
                <label class="before">
                    <span>"As it is stored, to be changed at will"</span>
                    <textarea
                        node_ref=area
                        rows="13"
                        spellcheck="false"
                        aria-invalid=word(move || is_wrong.get())
                        aria-describedby="lifted"
                        on:input=value(move |json| typed.set(json))
                    ></textarea>
                </label>
                <div class="after" id="lifted" role="status" aria-label="As the reducer sees it">
                    <p class="side-title">"As the reducer sees it"</p>
                    {part(move || after(past, &lifting.read().1))}
                </div>
            </div>
        </section>
    }
}

/// Samples of the aggregate's events: what each is called, and its envelope as JSON.
fn samples(past: Past) -> Vec<(String, String)> {
    let (stored, aggregate) = (past.stored(), past.aggregate());
    let called = |name: &str, version: u32| format!("{name}, schema version {version}");
    let indented = |value: Value| serde_json::to_string_pretty(&value).unwrap_or_default();
    let mut samples: Vec<(String, String)> = Vec::new();
    for (name, versions) in stored.events(&aggregate) {
        for (version, (_, event)) in versions {
            samples.push((called(name, *version), indented(event.fields().into())));
        }
    }
    if samples.is_empty() {
        let shapes = if past.is_example() { &[] } else { past.domain().events() };
        let made = shapes.iter().map(|shape| {
            let version = newest(past.upcasters(), &shape.name);
            let mut event = rewound_core::value::json!({
                "eventId": Ulid::from_parts(0, 1).to_string(), "eventName": shape.name, "aggregateName": aggregate,
                "aggregateId": "a", "aggregateVersion": 1, "actorId": "ada",
            });
            if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), sample(&shape.schema)) {
                event.extend(fields);
            }
            (called(&shape.name, version), indented(event))
        });
        samples.extend(made);
    }
    samples
}

fn after(past: Past, typed: &str) -> AnyView {
    let event = match Event::parse(typed) {
        Ok(event) => event,
        Err(issue) => {
            let what = if issue.pointer.is_empty() {
                issue.message
            } else {
                format!("{}: {}", issue.pointer, issue.message)
            };
            return wrong("This is no event", what);
        }
    };
    let (stages, problem) =
        match lifted(past.upcasters(), event.name(), event.schema_version(), event.payload()) {
            Ok(stages) => (stages, None),
            Err((stages, problem)) => (stages, Some(problem)),
        };
    let steps: Vec<_> = stages.windows(2).map(step).collect();
    let Some(last) = stages.last() else { return ().into_any() };
    if let Some(problem) = problem {
        return view! {
            <ol class="steps">{steps}</ol>
            {wrong("It cannot be lifted", problem.to_string())}
        }
        .into_any();
    }
    let shapes = if past.is_example() { &[] } else { past.domain().events() };
    let shape = shapes.iter().find(|shape| shape.name == last.name);
    let payload = Value::Object(last.payload.clone());
    let issues = shape.map(|shape| validate(&shape.schema, &payload)).unwrap_or_default();
    let unknown = !shapes.is_empty() && shape.is_none();
    let verdict = match (steps.len(), unknown, issues.first()) {
        (_, true, _) => wrong("The reducer refuses it", format!("{} is no event of {} today", last.name, past.aggregate())),
        (_, _, Some(issue)) => wrong("The reducer refuses it", issue.to_string()),
        (0, ..) => view! {
            <p><span class="mark good" data-shape="✓">"it is of today"</span> " It is read as it is stored."</p>
        }
        .into_any(),
        (steps, ..) => {
            let said = format!(" {} of the stored event stays as it was.", if steps == 1 { "One step; the text" } else { "Step by step; the text" });
            view! { <p><span class="mark good" data-shape="✓">"lifted"</span> {said}</p> }.into_any()
        }
    };
    view! {
        {verdict}
        <ol class="steps">{steps}</ol>
        {json::pretty(&payload)}
    }
    .into_any()
}

/// What a step did to each field.
fn step(stages: &[Stage]) -> AnyView {
    let [before, after] = stages else { return ().into_any() };
    let fields = compare(&before.payload, &after.payload);
    let fields: Vec<_> = fields.iter().map(|(name, became)| field(name, became)).collect();
    let renamed = (before.name != after.name).then(|| format!(": {} is called {}", before.name, after.name));
    view! {
        <li>
            <b>{format!("Schema version {} to {}", before.version, after.version)}</b>
            {renamed}
            <ul class="fields-of">{fields}</ul>
        </li>
    }
    .into_any()
}

fn wrong(word: &'static str, what: String) -> AnyView {
    view! {
        <p class="wrong"><span class="mark bad" data-shape="✕">{word}</span> " " {text(move || what.clone())}</p>
    }
    .into_any()
}
