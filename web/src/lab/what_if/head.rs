//! Which stream, what of the branch as a whole, and back to what happened.

use super::{Desk, LINK, Turn};
use crate::{
    erased::{click, flag, maybe, part, text},
    format::{count, grouped},
    page::Stream,
    route::Route,
    streams,
};
use leptos::prelude::*;
use rewound_core::timeline::Verdict;

pub(super) fn head(desk: Desk) -> impl IntoView {
    let choose = |stream: &Stream| Route::new("what-if", [&stream.aggregate, &stream.id]).go();
    let undo = click(move || desk.undo());
    let reset = click(move || {
        desk.editing.set(None);
        desk.change(Vec::new());
    });
    view! {
        <div class="card head">
            <div class="bar">
                {streams::choice(desk.lab, desk.stream.into(), choose)}
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
            <p class="trouble" role="status" hidden=flag(move || desk.trouble.read().is_none())>{maybe(move || desk.trouble.get())}</p>
            <p class="too-long" role="status">{part(move || too_long(desk))}</p>
        </div>
    }
}

/// Says that the address does not hold these edits.
fn too_long(desk: Desk) -> impl IntoView {
    let length = desk.too_long()?;
    let said = format!(
        " These edits are {} bytes of JSON, and a link holds {}: they are gone when the page is loaded again, and its link \
         opens without them. Shorten what the events say, or undo some.",
        grouped(length as u64),
        grouped(LINK as u64)
    );
    Some(view! { <span class="mark warn" data-shape="!">"not in the link"</span> {said} })
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
