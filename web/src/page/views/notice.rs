//! The lines under the head: a hint at first, then how an import goes and what was wrong in its file; and why
//! something is not kept.

use super::{
    at_home,
    close::Close,
    erased::{click, flag, maybe, part},
    focus,
};
use crate::{
    app::{App, Outcome},
    format::count,
    keep::Trouble,
};
use leptos::prelude::*;
use rewound_core::import::LineProblem;

/// The most problems that the table shows; it says how many more there are.
const MOST: usize = 500;

#[component]
pub(crate) fn Notice(app: App) -> impl IntoView {
    let reads = Memo::new(move |_| app.reading.read().is_some());
    let is_silent = move || !reads.get() && app.outcomes.read().is_empty();
    let reading = move || {
        let reading = app.reading.read();
        let reading = reading.as_ref()?;
        Some(format!("Reading {}: {} so far", reading.name, count(reading.progress.events, "event")))
    };
    let close = click(move || {
        app.outcomes.set(Vec::new());
        focus(document().query_selector("#import-button"));
    });
    let done = move || app.outcomes.read().iter().map(|outcome| said(outcome)).collect_view();
    let tables = move || app.outcomes.read().iter().map(|outcome| problems(outcome)).collect_view();
    view! {
        <section class="notice" aria-label="Hints and imports">
            <div class="line">
                <div class="said" role="status">
                    <p hidden=flag(move || !is_silent() || !at_home(app))>
                        "A state is nothing but its events, replayed. " <b>"Drag the slider at the bottom"</b>
                        " to see this account at any moment of its past."
                    </p>
                    {part(done)}
                    <p hidden=flag(move || !reads.get())>{maybe(reading)}</p>
                </div>
                <progress
                    max="1"
                    aria-label="Import"
                    hidden=flag(move || !reads.get())
                    prop:value=move || app.reading.read().as_ref().map_or(0.0, |reading| reading.progress.part)
                ></progress>
                <Close
                    label="Close this message"
                    act=close
                    hidden=flag(move || app.outcomes.read().is_empty())
                />
            </div>
            {part(tables)}
            <div class="troubles" role="alert">
                {part(move || app.missing.get().map(|text| view! {
                    <div class="trouble">
                        <p>{text}</p>
                        <button type="button" class="button small" on:click=click(move || app.missing.set(None))>"Close"</button>
                    </div>
                }))}
                {part(move || app.troubles.read().iter().map(|trouble| told(app, trouble)).collect_view())}
            </div>
        </section>
    }
}

/// What came of a file.
fn said(outcome: &Outcome) -> impl IntoView + use<> {
    let verdict = match outcome {
        Outcome::Failed { .. } => None,
        Outcome::Imported { problems, .. } => {
            let text = match problems.len() {
                0 => "no problem found".to_owned(),
                number => format!("{} found", count(number, "problem")),
            };
            Some(view! { " " <span class="verdict" class:bad=!problems.is_empty()>{text}</span> })
        }
    };
    let failed = verdict.is_none();
    view! { <p class:failed=failed>{outcome.summary()} {verdict}</p> }
}

/// Why something is not kept, and what to do.
fn told(app: App, trouble: &Trouble) -> impl IntoView + use<> {
    let text = match trouble {
        Trouble::OtherWindow => {
            "Another window keeps your streams: what you do in this one is gone when you close it.".to_owned()
        }
        Trouble::Refused(error) => {
            format!(
                "This browser keeps nothing ({error}): all of it works, and is gone when you close the page."
            )
        }
        Trouble::Full { what, error } => {
            format!("In memory only: {what}. The browser's storage took no more ({error}).")
        }
        Trouble::Damaged { number, first } => {
            let commands = count(*number, "command");
            format!("Left out: {commands} that cannot follow from what is kept. The first: {first}")
        }
    };
    let take_over = (*trouble == Trouble::OtherWindow).then(|| {
        let take_over = click(move || {
            app.take_over();
            focus(document().query_selector("#streams"));
        });
        view! {
            <button type="button" class="button small" on:click=take_over>
                "Keep them in this one"
            </button>
        }
    });
    view! { <div class="trouble"><p>{text}</p> {take_over}</div> }
}

/// What was wrong in a file, if anything was.
fn problems(outcome: &Outcome) -> Option<impl IntoView + use<>> {
    let Outcome::Imported { name, problems, .. } = outcome else { return None };
    let row = |problem: &LineProblem| {
        view! {
            <tr>
                <td class="number">{problem.line}</td>
                <td>{problem.message.clone()}</td>
            </tr>
        }
    };
    let rows = problems.iter().take(MOST).map(row).collect_view();
    let more = problems.len().saturating_sub(MOST);
    let label = format!("Problems in {name}");
    (!problems.is_empty()).then(|| {
        view! {
            <div class="problems" tabindex="0" role="region" aria-label=label>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Line"</th>
                            <th scope="col">"What is wrong"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
                {(more > 0).then(|| view! { <p>{format!("and {} more", count(more, "problem"))}</p> })}
            </div>
        }
    })
}
