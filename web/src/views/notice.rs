//! The lines under the head: a hint at first, then how an import goes and what was wrong in its file; and why
//! something is not kept.

use super::{
    erased::{click, flag, part, text},
    icon::{CLOSE, Icon},
};
use crate::{
    app::{App, Imported, Importing},
    format::count,
    keep::Trouble,
};
use leptos::prelude::*;
use std::sync::Arc;

/// The most problems that the table shows; it says how many more there are.
const MOST: usize = 500;

#[component]
pub(crate) fn Notice(app: App) -> impl IntoView {
    let class = text(move || {
        match *app.importing.read() {
            Importing::Failed { .. } => "notice failed",
            _ => "notice",
        }
        .to_owned()
    });
    let read = Memo::new(move |_| match &*app.importing.read() {
        Importing::Reading { progress, .. } => Some(progress.part),
        _ => None,
    });
    let done = Memo::new(move |_| match &*app.importing.read() {
        Importing::Done(done) => Some(done.clone()),
        _ => None,
    });
    let said = move || app.importing.read().summary();
    view! {
        <section class=class aria-label="Hints and imports">
            <div class="line">
                <p role="status">
                    {part(move || match said() {
                        Some(text) => text.into_any(),
                        None => {
                            view! {
                                "A state is nothing but its events, replayed. "
                                <b>"Drag the slider at the bottom"</b>
                                " to see this account at any moment of its past."
                            }
                                .into_any()
                        }
                    })}
                    {part(move || done.get().map(|done| verdict(&done)))}
                </p>
                <progress
                    max="1"
                    aria-label="Import"
                    hidden=flag(move || read.get().is_none())
                    prop:value=move || read.get().unwrap_or_default()
                ></progress>
                <button
                    type="button"
                    class="round"
                    aria-label="Close this message"
                    hidden=flag(move || said().is_none() || read.get().is_some())
                    on:click=click(move || app.importing.set(Importing::Idle))
                >
                    <Icon path=CLOSE />
                </button>
            </div>
            <div class="trouble" role="alert">{part(move || app.trouble.get().map(|trouble| told(app, &trouble)))}</div>
            {part(move || done.get().filter(|done| !done.problems.is_empty()).map(|done| problems(&done)))}
        </section>
    }
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
        view! {
            <button type="button" class="button small" on:click=click(move || app.take_over())>
                "Keep them in this one"
            </button>
        }
    });
    view! {
        <p>{text}</p>
        {take_over}
    }
}

fn verdict(done: &Imported) -> impl IntoView + use<> {
    let number = done.problems.len();
    let text = match number {
        0 => "no problem found".to_owned(),
        _ => format!("{} found", count(number, "problem")),
    };
    view! { <span class="verdict" class:bad=number != 0>{text}</span> }
}

fn problems(done: &Arc<Imported>) -> impl IntoView + use<> {
    let rows = done.problems.iter().take(MOST).map(|problem| {
        view! {
            <tr>
                <td class="number">{problem.line}</td>
                <td>{problem.message.clone()}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let more = done.problems.len().saturating_sub(MOST);
    view! {
        <div class="problems" tabindex="0" role="region" aria-label="Problems in the file">
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
}
