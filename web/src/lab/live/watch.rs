//! One stream, live: its events as they arrive, the state that they make, and who was it.

use super::{
    Screen,
    command::{Command, CommandProps},
    stream::{Followed, Line},
};
use crate::{
    erased::{click, flag, maybe, part, text},
    format::{count, gist, kind, minute, span},
    tree,
};
use leptos::prelude::*;
use rewound_core::{
    domain::Snapshot,
    event::Event,
    http::tag,
    value::{Object, Op},
};
use serde_json::Value;

/// How many events are shown.
const SHOWN: usize = 40;

#[component]
pub(super) fn Watch(screen: Screen, aggregate: String, id: String) -> impl IntoView {
    let followed = Followed::new(screen.client(), &aggregate, &id, screen.own);
    let url = screen.client().url;
    let line = part(move || {
        let (shape, class, said) = match followed.line.get() {
            Line::Calling => ("…", "", "asking for the stream".to_owned()),
            Line::Open => ("●", "good", "live".to_owned()),
            Line::Waits(_, time) => ("↻", "warn", format!("cut off, tried again in {}", span(time))),
            Line::Over(_) => ("✕", "bad", "not followed".to_owned()),
        };
        view! { <span class=format!("mark {class}") data-shape=shape role="status">{said}</span> }
    });
    let trouble = part(move || {
        let (Line::Waits(trouble, _) | Line::Over(trouble)) = followed.line.get() else { return None };
        let (said, advice) = trouble.in_words(&url);
        Some(view! { <p class="outcome refused">{said}</p> <p class="about">{advice}</p> })
    });
    let broken =
        part(move || followed.broken.get().map(|said| view! { <p class="outcome refused">{said}</p> }));
    let title = format!("{} ", kind(&aggregate));
    view! {
        <section class="card watch" aria-labelledby="watch-title">
            <div class="head">
                <h3 id="watch-title">{title} <code>{id.clone()}</code></h3>
                {line}
            </div>
            {trouble}
            {broken}
            <div class="two">
                <State followed=followed aggregate=aggregate.clone() />
                <Events followed=followed />
            </div>
        </section>
        {Command(CommandProps { screen, followed, aggregate, id })}
    }
}

/// The state's own fields at a version.
pub(super) fn state_at(followed: Followed, version: u64) -> Value {
    let snapshot = followed.timeline.with(|timeline| timeline.state_at(version));
    Value::Object(snapshot.map_or_else(Object::new, |Snapshot { state, .. }| state))
}

/// The state at the version that is shown.
#[component]
fn State(followed: Followed, aggregate: String) -> impl IntoView {
    let rows = Memo::new(move |_| {
        let version = followed.shown.get();
        let before = version
            .checked_sub(1)
            .map_or_else(|| Value::Object(Object::new()), |before| state_at(followed, before));
        tree::rows(&aggregate, &before, &state_at(followed, version)).0
    });
    let body = part(move || rows.read().iter().map(row).collect_view());
    let newer = move || followed.length.get().saturating_sub(followed.shown.get());
    let hold = click(move || {
        followed
            .held
            .update(|held| *held = if held.is_none() { Some(followed.length.get_untracked()) } else { None });
    });
    let held = Memo::new(move |_| followed.held.read().is_some());
    let label = text(move || if held.get() { "Let go" } else { "Hold" }.to_owned());
    let title = text(move || match followed.shown.get() {
        0 => "No state yet".to_owned(),
        version => format!("State at version {version}"),
    });
    let etag = maybe(move || {
        Some(followed.shown.get())
            .filter(|version| *version > 0)
            .map(|version| format!("ETag {}", tag(version)))
    });
    let meanwhile = part(move || {
        Some(newer()).filter(|newer| *newer > 0).map(|newer| {
            view! { <span class="mark warn" data-shape="!">{format!("{} meanwhile", count(newer as usize, "event"))}</span> }
        })
    });
    view! {
        <section aria-labelledby="live-state">
            <div class="bar">
                <h4 id="live-state">{title}</h4>
                <code>{etag}</code>
                <button
                    type="button"
                    class="button small"
                    aria-pressed=crate::erased::word(move || held.get())
                    title="Holding keeps this version in view, so that a command can be decided on it while others go on"
                    on:click=hold
                >
                    {label}
                </button>
                <span role="status">{meanwhile}</span>
            </div>
            <table class="tree">
                <thead>
                    <tr>
                        <th scope="col"><span class="unseen">"Field"</span></th>
                        <th scope="col"><span class="unseen">"Value"</span></th>
                    </tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
            <p class="about" hidden=flag(move || followed.shown.get() != 0)>
                "Nothing has happened to it. Its first command creates it."
            </p>
        </section>
    }
}

fn row(row: &tree::Row) -> impl IntoView + use<> {
    let (sign, class) = match row.change {
        Some(Op::Add) => ("+", "added"),
        Some(Op::Remove) => ("−", "removed"),
        Some(Op::Replace) => ("~", "changed"),
        None => ("", ""),
    };
    let was = row
        .was
        .clone()
        .map(|was| view! { " " <span class="was"><span class="unseen">"was "</span><s>{was}</s></span> });
    let value = row.money.clone().unwrap_or_else(|| row.value.clone());
    view! {
        <tr class=class data-path=row.path.clone() data-value=row.value.clone()>
            <th scope="row" style=format!("--depth:{}", row.depth)>
                <span class="sign" aria-hidden="true">{sign}</span>
                {row.name.clone()}
            </th>
            <td class="value">{value} {was}</td>
        </tr>
    }
}

/// Whose an event is, by what this window knows.
pub(super) fn whose(followed: Followed, event: &Event) -> Option<(&'static str, &'static str, &'static str)> {
    if followed.is_own(event) {
        return Some(("✓", "good", "from this window"));
    }
    // What was there when it was opened is nobody's news.
    let base = followed.base.get()?;
    (event.version() > base).then_some(("◆", "warn", "not from this window"))
}

/// The events, the newest on top.
#[component]
fn Events(followed: Followed) -> impl IntoView {
    let events = Memo::new_with_compare(
        move |_| {
            followed.length.track();
            followed
                .timeline
                .with(|timeline| timeline.events().iter().rev().take(SHOWN).cloned().collect::<Vec<_>>())
        },
        |before, now| before.map(Vec::len) != now.map(Vec::len) || before != now,
    );
    let rows = move || {
        let events = events.read();
        let rows = events.iter().map(|event| {
            let whose = whose(followed, event);
            let mark = whose.map(|(shape, class, said)| view! { <span class=format!("mark {class}") data-shape=shape>{said}</span> });
            let is_ahead = event.version() > followed.shown.get();
            view! {
                <li class:future=is_ahead>
                    <span class="position">{event.version()}</span>
                    <span class="happened">
                        <b>{event.name().to_owned()}</b>
                        " "
                        <span>{gist(event)}</span>
                        <span class="about">{format!("by {} at {}", event.actor(), minute(event.time()))}</span>
                    </span>
                    {mark}
                </li>
            }
        });
        rows.collect_view()
    };
    let news = maybe(move || {
        let events = events.read();
        let event = events.first()?;
        let (_, _, said) = whose(followed, event)?;
        Some(format!("Version {} by {}, {said}: {}.", event.version(), event.actor(), event.name()))
    });
    let more = maybe(move || {
        let hidden = (followed.length.get() as usize).saturating_sub(SHOWN);
        (hidden > 0).then(|| format!("and {} before", count(hidden, "event")))
    });
    view! {
        <section aria-labelledby="live-events">
            <h4 id="live-events">{text(move || count(followed.length.get() as usize, "event"))}</h4>
            <p class="news" aria-live="polite">{news}</p>
            <ol class="arrivals">{part(rows)}</ol>
            <p class="about">{more}</p>
        </section>
    }
}
