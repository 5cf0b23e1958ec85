//! The state at the scrubber, what changed, and the event that changed it.

use super::{
    erased::{click, flag, part, parts, text, word},
    icon::{Icon, OPEN},
    json,
    why::Why,
};
use crate::{
    app::App,
    format::{count, minute},
    tree::Row,
};
use leptos::prelude::*;
use rewound_core::value::Op;

#[component]
pub(crate) fn State(app: App) -> impl IntoView {
    let shown = Memo::new(move |_| app.shown());
    // While one scrubs, only the rows that change are made anew.
    let one = move |index: usize| {
        let shown = Memo::new(move |_| shown.read().rows.get(index).cloned());
        part(move || shown.get().map(|shown| row(app, &shown))).into_any()
    };
    let asked = Memo::new(move |_| app.why.read().is_some());
    let tally = move || match (shown.read().version, shown.read().changes) {
        (0, _) => String::new(),
        (_, 0) => "nothing changed".to_owned(),
        (_, changes) => count(changes, "change"),
    };
    view! {
        <section class="pane state" aria-labelledby="state-title">
            <div class="pane-head">
                <h2 id="state-title">{text(move || format!("State at version {}", shown.read().version))}</h2>
                <span class="tally">{text(tally)}</span>
            </div>
            <div class="scroll" tabindex="0" role="region" aria-label="Its fields, and the event that made it">
                <table class="tree" aria-labelledby="state-title">
                    <colgroup>
                        <col class="sign" />
                        <col class="field-name" />
                        <col />
                    </colgroup>
                    <thead>
                        <tr>
                            <th scope="col"><span class="unseen">"Change"</span></th>
                            <th scope="col"><span class="unseen">"Field"</span></th>
                            <th scope="col"><span class="unseen">"Value"</span></th>
                        </tr>
                    </thead>
                    <tbody>
                        {parts(move || 0..shown.read().rows.len(), one)}
                    </tbody>
                    <tbody class="meta">{part(move || meta(&shown.read().meta))}</tbody>
                </table>
                <p class="empty" hidden=flag(move || shown.read().version != 0)>
                    {text(move || if app.length.get() == 0 {
                        "There is no state without events."
                    } else {
                        "Nothing has happened yet. Every state begins as nothing."
                    }.to_owned())}
                </p>
                {part(move || cause(app))}
            </div>
            {part(move || asked.get().then(|| view! { <Why app=app /> }))}
        </section>
    }
}

fn row(app: App, row: &Row) -> AnyView {
    if row.path.is_empty() {
        return view! { <tr><td class="sign"></td><th scope="row">{row.name.clone()}</th><td class="value">{row.value.clone()}</td></tr> }
            .into_any();
    }
    let (sign, said, class) = match row.change {
        Some(Op::Add) => ("+", "added", "added"),
        Some(Op::Remove) => ("−", "removed", "removed"),
        Some(Op::Replace) => ("~", "changed", "changed"),
        None => ("", "", ""),
    };
    let was = row.was.clone().map(|was| {
        view! {
            <span class="was">
                <span class="unseen">"was "</span>
                <s>{was}</s>
            </span>
        }
    });
    let value = match (&row.money, row.class) {
        (Some(money), _) => view! {
            <span class="money">{money.clone()}</span>
            " "
            <span class="raw" title="What is stored: an integer of cents">{row.value.clone()}" ¢"</span>
        }
        .into_any(),
        (None, class) => view! { <span class=class>{row.value.clone()}</span> }.into_any(),
    };
    let ask = {
        let path = row.path.clone();
        click(move || {
            app.why.update(|why| *why = if why.as_ref() == Some(&path) { None } else { Some(path.clone()) });
        })
    };
    let asked = {
        let path = row.path.clone();
        word(move || app.why.read().as_ref() == Some(&path))
    };
    view! {
        <tr class=class data-path=row.path.clone() data-value=row.value.clone()>
            <td class="sign">
                <span aria-hidden="true">{sign}</span>
                <span class="unseen">{said}</span>
            </td>
            <th scope="row" style=format!("--depth:{}", row.depth)>
                <button type="button" class="ask" aria-pressed=asked title="Why? Which events changed it" on:click=ask>
                    {breakable(&row.name)}
                </button>
            </th>
            <td class="value">{value} {was}</td>
        </tr>
    }
    .into_any()
}

/// A name in camel case, which may break before each of its capitals.
fn breakable(name: &str) -> impl IntoView + use<> {
    let starts = name.char_indices().filter(|(at, letter)| *at > 0 && letter.is_ascii_uppercase());
    let ends: Vec<usize> = starts.map(|(at, _)| at).chain([name.len()]).collect();
    let mut start = 0;
    let parts = ends.into_iter().map(|end| {
        let part = name.get(start..end).unwrap_or_default().to_owned();
        let before = (start > 0).then(|| view! { <wbr /> });
        start = end;
        view! { {before} {part} }
    });
    parts.collect_view()
}

fn meta(meta: &[(&'static str, String)]) -> impl IntoView + use<> {
    if meta.is_empty() {
        return None;
    }
    let rows = meta.iter().map(|(name, value)| {
        let path = format!("/$meta/{name}");
        view! {
            <tr data-path=path data-value=value.clone()>
                <td class="sign"></td>
                <th scope="row" style="--depth:1">{*name}</th>
                <td class="value">{value.clone()}</td>
            </tr>
        }
    });
    Some(view! {
        <tr>
            <td class="sign"></td>
            <th scope="row" style="--depth:0">"$meta"</th>
            <td class="value"></td>
        </tr>
        {rows.collect_view()}
    })
}

/// The event at the scrubber, as it is stored.
fn cause(app: App) -> impl IntoView {
    let event = app.event(app.version.get(), Clone::clone)?;
    let (version, name) = (event.version(), event.name().to_owned());
    let about = format!("by {} at {} UTC", event.actor(), minute(event.time()));
    Some(view! {
        <section class="cause" aria-label="The event that made it">
            <h3>
                <span class="position">{version}</span>
                {name}
                <button
                    type="button"
                    class="round"
                    id="json"
                    aria-label="The event as JSON"
                    aria-expanded=word(move || app.json.get())
                    on:click=click(move || app.json.update(|open| *open = !*open))
                >
                    <Icon path=OPEN />
                </button>
            </h3>
            <p class="about">{about}</p>
            {part(move || app.json.get().then(|| json::pretty(&event.fields().into())))}
        </section>
    })
}
