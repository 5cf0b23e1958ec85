//! Which stream, what of the branch as a whole, and back to what happened.

use super::{Desk, Turn};
use crate::{
    erased::{click, flag, maybe, part, text, value},
    format::{count, grouped, kind},
    route::Route,
};
use leptos::prelude::*;
use rewound_core::timeline::Verdict;

/// The most streams that are offered here; the page's own list finds any.
const MOST: usize = 300;

pub(super) fn head(desk: Desk) -> impl IntoView {
    let streams = move || {
        let streams = desk.lab.streams.get();
        let open = desk.stream.get();
        let is_open = |aggregate: &str, id: &str| {
            open.as_ref().is_some_and(|open| (open.0.as_str(), open.1.as_str()) == (aggregate, id))
        };
        let offered = streams.iter().enumerate();
        let offered =
            offered.filter(|(index, stream)| *index < MOST || is_open(&stream.aggregate, &stream.id));
        let options = offered.map(|(index, stream)| {
            let name = format!(
                "{}: {} ({})",
                kind(&stream.aggregate),
                stream.label,
                count(stream.version as usize, "event")
            );
            let selected = is_open(&stream.aggregate, &stream.id);
            view! { <option value=index selected=selected>{name}</option> }
        });
        let more = streams.len().saturating_sub(MOST);
        let rest = format!("and {} more: open them on Streams", grouped(more as u64));
        view! {
            {options.collect_view()}
            {(more > 0).then(|| view! { <option disabled>{rest}</option> })}
        }
    };
    let choose = value(move |index| {
        let streams = desk.lab.streams.get_untracked();
        let stream = index.parse::<usize>().ok().and_then(|index| streams.get(index));
        if let Some(stream) = stream {
            Route::new("what-if", [&stream.aggregate, &stream.id]).go();
        }
    });
    let undo = click(move || desk.undo());
    let reset = click(move || {
        desk.editing.set(None);
        desk.change(Vec::new());
    });
    view! {
        <div class="card head">
            <div class="bar">
                <label>"Stream" <select on:change=choose>{part(streams)}</select></label>
                // Not `disabled`: the button in hand would lose the focus.
                <button
                    type="button"
                    class="button"
                    aria-disabled=text(move || desk.past.read().is_empty().to_string())
                    on:click=undo
                >
                    "Undo"
                </button>
                <button
                    type="button"
                    class="button"
                    aria-disabled=text(move || desk.edits.read().is_empty().to_string())
                    on:click=reset
                >
                    "Reset"
                </button>
            </div>
            <div class="told" role="status">{part(move || told(desk))}</div>
            <p class="trouble" hidden=flag(move || desk.trouble.read().is_none())>{maybe(move || desk.trouble.get())}</p>
        </div>
    }
}

/// What is to be said of the branch as a whole.
fn told(desk: Desk) -> impl IntoView {
    let Turn { decided, more, .. } = desk.turn.get();
    let said = desk.with(|original, branch| {
        let first = branch.first_difference();
        let refused = |(_, verdict): &(u64, &Verdict)| verdict.refuses();
        let start = first.and_then(|row| branch.rows.get(row)).map_or(u64::MAX, |row| row.at.1);
        let verdicts = (1..).zip(&branch.verdicts).skip_while(|(version, _)| *version < start);
        let impossible: Vec<(u64, &Verdict)> = verdicts.filter(refused).collect();
        let worst = impossible.first().map(|(version, _)| *version);
        let length = branch.rows.iter().filter(|row| row.branch().is_some()).count();
        (original.len(), length, first.is_some(), impossible.len(), worst)
    });
    let (original, length, differs, impossible, worst) = said?;
    let edits = desk.edits.read().len();
    let summary = match (edits, differs, worst) {
        _ if original == 0 => view! { <span class="mark" data-shape="○">"no events"</span> }.into_any(),
        (0, ..) | (_, false, _) => {
            view! { <span class="mark" data-shape="=">"nothing differs yet"</span> }.into_any()
        }
        (_, _, None) => view! {
            <span class="mark good" data-shape="✓">{if more { "possible so far" } else { "a possible history" }}</span>
        }
        .into_any(),
        (_, _, Some(version)) => view! {
            <span class="mark bad" data-shape="✕">"an impossible history"</span>
            " "
            {format!("{} could not have come about, version {} first.", count(impossible, "event"), grouped(version))}
        }
        .into_any(),
    };
    let example = desk.example.get().then(|| view! { <b>"An example to begin with. "</b> });
    let progress = more.then(|| {
        let done = format!("{} of {} decided", grouped(decided as u64), count(length, "event"));
        view! {
            <span class="deciding">
                <progress max=length value=decided aria-label="Deciding"></progress>
                {done}
            </span>
        }
    });
    Some(view! {
        <p>{example} {count(edits, "edit")} " · " {summary} {progress}</p>
        <p class="about">
            {format!("The history itself is as it was: {}.", count(original as usize, "event"))}
        </p>
    })
}
