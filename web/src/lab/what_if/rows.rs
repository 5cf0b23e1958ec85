//! The original and the branch beside each other, event by event.

use super::{Desk, actions::actions, editor, focus_on};
use crate::{
    erased::{click, flag, part, parts, text, value, word},
    format::{gist_of, grouped},
    tree::brief,
};
use leptos::{ev, prelude::*};
use rewound_core::{
    timeline::{Fate, Row, Timeline, Verdict, restored},
    value::Change,
};
use serde_json::Value;
use std::ops::Range;

/// How many rows there are at a time.
const WINDOW: usize = 40;

/// A row as it is shown.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    row: Row,
    original: Option<Side>,
    branch: Option<Side>,
    verdict: Option<Told>,
    /// Whether it is the first row in which the two differ.
    is_first: bool,
    /// Whether the two differ before it, or in it.
    differs: bool,
}

/// An event of one side.
#[derive(Debug, Clone, PartialEq)]
struct Side {
    version: u64,
    name: String,
    gist: String,
    /// What it changed in the state.
    changes: Vec<String>,
}

/// A verdict in words.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    class: &'static str,
    shape: &'static str,
    word: String,
    message: String,
}

pub(super) fn rows(desk: Desk) -> impl IntoView {
    let length = Memo::new(move |_| desk.with(|_, branch| branch.rows.len()).unwrap_or(0));
    // The window moves when the chosen row leaves it.
    let first = RwSignal::new(0_usize);
    Effect::new(move |_| {
        let (length, at) = (length.get(), desk.chosen.get().min(length.get()).saturating_sub(1));
        let start = first.get_untracked();
        let is_within = at >= start && at < start + WINDOW && (start == 0 || start + WINDOW <= length);
        if !is_within {
            first.set(at.saturating_sub(WINDOW / 2).min(length.saturating_sub(WINDOW)));
        }
    });
    let window = Memo::new(move |_| {
        let start = first.get().min(length.get());
        start..(start + WINDOW).min(length.get())
    });
    let shown = Memo::new(move |_| (window.get().start, within(desk, &window.get())));
    let dragged = RwSignal::new(None::<usize>);
    let over = RwSignal::new(None::<usize>);
    let one = move |index: usize| {
        let shown = Memo::new(move |_| {
            let shown = shown.read();
            index.checked_sub(shown.0).and_then(|index| shown.1.get(index).cloned())
        });
        view! {
            {part(move || shown.get().map(|shown| pair(desk, index, &shown, dragged, over)))}
            {part(move || {
                let here = desk.editing.read().as_ref().is_some_and(|editing| editing.row == Some(index));
                here.then(|| view! { <li class="edit">{editor::editor(desk)}</li> })
            })}
        }
        .into_any()
    };
    let at_start = move || desk.editing.read().as_ref().is_some_and(|editing| editing.row.is_none());
    let earlier = move || window.get().start;
    let later = move || length.get() - window.get().end;
    let page = move |by: isize| {
        click(move || {
            let place = window.get_untracked();
            let middle = (place.start + WINDOW / 2).saturating_add_signed(by * WINDOW as isize);
            desk.chosen.set((middle + 1).clamp(1, length.get_untracked().max(1)));
        })
    };
    view! {
        <section class="card beside" aria-labelledby="beside-title">
            <h3 id="beside-title">"Event by event"</h3>
            {slider(desk, length)}
            <div class="names" aria-hidden="true">
                <b>"Original"</b>
                <b>"Branch"</b>
            </div>
            <button type="button" class="button small" hidden=flag(move || earlier() == 0) on:click=page(-1)>
                {text(move || format!("↑ {} rows before", grouped(earlier() as u64)))}
            </button>
            <div class="start" hidden=flag(move || window.read().start != 0)>
                <button
                    type="button"
                    class="button small add-first"
                    on:click=click(move || editor::insert(desk, None))
                >
                    "+ Insert before the first"
                </button>
                {part(move || at_start().then(|| editor::editor(desk)))}
            </div>
            <ol class="pairs" aria-label="Original and branch, event by event">
                {parts(move || window.get(), one)}
            </ol>
            <p class="empty" hidden=flag(move || length.get() != 0)>
                "There are no events yet. Insert one, and see what comes of it."
            </p>
            <button type="button" class="button small" hidden=flag(move || later() == 0) on:click=page(1)>
                {text(move || format!("↓ {} rows behind", grouped(later() as u64)))}
            </button>
        </section>
    }
}

/// Moves through both sides.
fn slider(desk: Desk, length: Memo<usize>) -> impl IntoView {
    let place = Memo::new(move |_| desk.chosen.get().min(length.get()));
    let range = NodeRef::<leptos::html::Input>::new();
    // In this order: a browser cuts a value at the maximum that it knows.
    Effect::new(move |_| {
        if let Some(range) = range.get() {
            range.set_max(&length.get().to_string());
            range.set_value(&place.get().to_string());
        }
    });
    let at = move || {
        let at = desk.with(|_, branch| {
            let row = place.get().checked_sub(1).and_then(|row| branch.rows.get(row));
            row.map_or((0, 0), |row| row.at)
        });
        let (original, branch) = at.unwrap_or((0, 0));
        format!("original version {}, branch version {}", grouped(original), grouped(branch))
    };
    view! {
        <div class="track" style=text(move || format!("--part:calc({}/{})", place.get(), length.get().max(1)))>
            <input
                node_ref=range
                type="range"
                min="0"
                step="1"
                aria-label="Place in both histories"
                aria-valuetext=text(at)
                on:input=value(move |text| desk.chosen.set(text.parse().unwrap_or_default()))
            />
        </div>
    }
}

/// The rows of a window. What the events of each side changed comes from replaying the window once.
fn within(desk: Desk, window: &Range<usize>) -> Vec<Shown> {
    let shown = desk.with(|original, branch| {
        let rows = branch.rows.get(window.clone()).unwrap_or_default();
        let aggregate = aggregate_of(original);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Vec::new() };
        let before = |row: Option<u64>, at: u64| at - u64::from(row.is_some());
        let start = (before(first.original(), first.at.0), before(first.branch(), first.at.1));
        let changed = original.changes(start.0, last.at.0);
        let would_change = branch.timeline.changes(start.1, last.at.1);
        let words = |all: &[Vec<Change>], start: u64, version: u64| {
            let changes = all.get((version - start) as usize - 1);
            changes.map_or_else(Vec::new, |changes| said(&aggregate, changes))
        };
        let difference = branch.first_difference();
        let rows = rows.iter().zip(window.clone()).map(|(row, index)| Shown {
            row: *row,
            original: row.original().and_then(|version| {
                let event = original.event(version)?;
                Some(Side {
                    version,
                    name: event.name().to_owned(),
                    gist: gist_of(&aggregate, &event.payload()),
                    changes: words(&changed, start.0, version),
                })
            }),
            branch: row.branch().and_then(|version| {
                let draft = branch.says(original, row)?;
                Some(Side {
                    version,
                    gist: gist_of(&aggregate, &draft.fields),
                    name: draft.name,
                    changes: words(&would_change, start.1, version),
                })
            }),
            verdict: row.branch().map(|version| match branch.verdict(version) {
                Some(verdict) => judged(verdict),
                None if branch.irreducible.is_some() => {
                    Told { class: "", shape: "–", word: "not reached".to_owned(), message: String::new() }
                }
                None => Told { class: "", shape: "…", word: "deciding".to_owned(), message: String::new() },
            }),
            is_first: difference == Some(index),
            differs: difference.is_some_and(|difference| difference <= index),
        });
        rows.collect()
    });
    shown.unwrap_or_default()
}

/// The aggregate's kind, by its events: a log's domain has no name of its own.
pub(super) fn aggregate_of(original: &Timeline) -> String {
    original.event(1).map_or_else(|| original.domain().name(), |event| event.aggregate()).to_owned()
}

/// What changed in a state, the first of it in words.
fn said(aggregate: &str, changes: &[Change]) -> Vec<String> {
    const MOST: usize = 2;
    let told =
        changes.iter().filter(|change| !change.path.starts_with("/$events")).take(MOST).map(|change| {
            let name = change.path.trim_start_matches('/').replace('/', " › ");
            let value = |value: &Value| brief(aggregate, &change.path, value);
            match (&change.from, &change.to) {
                (Some(from), Some(to)) => format!("{name} {} → {}", value(from), value(to)),
                (None, Some(to)) => format!("{name} {}", value(to)),
                _ => format!("{name} gone"),
            }
        });
    told.collect()
}

fn judged(verdict: &Verdict) -> Told {
    let told =
        |class, shape, word: &str, message: String| Told { class, shape, word: word.to_owned(), message };
    match verdict {
        Verdict::Possible => told("good", "✓", "decided", String::new()),
        Verdict::Otherwise(drafts) if drafts.is_empty() => told(
            "warn",
            "≠",
            "no event",
            "The command would change nothing: decide answers with no event.".to_owned(),
        ),
        Verdict::Otherwise(drafts) => {
            let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
            told(
                "warn",
                "≠",
                "otherwise",
                format!("Decide answers with something else: {}.", names.join(", ")),
            )
        }
        Verdict::Rejected(rule) => {
            told("bad", "✕", &format!("impossible: {}", rule.code), rule.message.clone())
        }
        Verdict::Failed(error) => told("bad", "✕", "impossible", error.to_string()),
        Verdict::Impossible(error) => {
            told("bad", "✕", "does not reduce", format!("{}. The branch ends before it.", error.problem))
        }
        Verdict::Unknown => told("", "○", "replayed", String::new()),
    }
}

fn pair(
    desk: Desk,
    index: usize,
    shown: &Shown,
    dragged: RwSignal<Option<usize>>,
    over: RwSignal<Option<usize>>,
) -> AnyView {
    let Shown { row, original, branch, verdict, is_first, differs } = shown;
    let is_chosen = Memo::new(move |_| {
        let length = desk.with(|_, branch| branch.rows.len()).unwrap_or(0);
        desk.chosen.get().min(length) == index + 1
    });
    let (class, shape, fate) = match row.fate {
        Fate::Kept => ("", "=", "kept".to_owned()),
        Fate::Renumbered => ("", "#", format!("kept, now version {}", grouped(row.at.1))),
        Fate::Edited => ("warn", "~", "edited".to_owned()),
        Fate::Dropped => ("bad", "−", "dropped".to_owned()),
        Fate::Left { to } => ("warn", "↕", format!("moved to version {}", grouped(to))),
        Fate::Moved { from, edited, .. } => (
            "warn",
            "↕",
            format!("moved from version {}{}", grouped(from), if edited { ", edited" } else { "" }),
        ),
        Fate::Inserted { .. } => ("good", "+", "inserted".to_owned()),
    };
    let fate = differs.then(|| {
        view! { <span class=format!("mark {class}") data-shape=shape>{fate}</span> }
    });
    let verdict = verdict.as_ref().filter(|_| *differs).map(|told| {
        let message = told.message.clone();
        view! {
            <span class=format!("mark {}", told.class) data-shape=told.shape>{told.word.clone()}</span>
            {(!message.is_empty()).then(|| view! { <p class="reason">{message}</p> })}
        }
    });
    let said = |side: &Side, word: &'static str| {
        let label = format!("{word} version {}: {}", side.version, side.name);
        let changes: Vec<_> =
            side.changes.iter().map(|change| view! { <span>{change.clone()}</span> }).collect();
        view! {
            <span class="position" aria-hidden="true">{grouped(side.version)}</span>
            <div class="says">
                <button
                    type="button"
                    class="pick"
                    aria-label=label
                    aria-pressed=word_of(is_chosen)
                    on:click=click(move || desk.chosen.set(index + 1))
                >
                    {side.name.clone()}
                </button>
                <span class="gist">{side.gist.clone()}</span>
                <span class="changes">{changes}</span>
            </div>
        }
    };
    let left = match original {
        Some(side) => said(side, "Original").into_any(),
        None => view! { <span class="nothing">"not in the original"</span> }.into_any(),
    };
    let right = match (branch, row.fate) {
        (Some(side), _) => view! {
            {said(side, "Branch")}
            <div class="marks-of">{fate} {verdict}</div>
            {actions(desk, index, row, &side.name, side.version)}
        }
        .into_any(),
        (None, fate_of) => {
            let version = row.at.0;
            let is_dropped = fate_of == Fate::Dropped;
            let restore = is_dropped.then(|| {
                let act = click(move || {
                    desk.change(restored(&desk.edits.get_untracked(), version));
                    desk.chosen.set(index + 1);
                    focus_on(index, "leave-out");
                });
                let label = format!("Restore version {version}");
                view! { <button type="button" class="button small restore" aria-label=label on:click=act>"Restore"</button> }
            });
            view! { <div class="marks-of gone">{fate}</div> {restore} }.into_any()
        }
    };
    let shift = move |up: bool, control| {
        if let Some(to) = desk.neighbour(index, up) {
            desk.place(index, to, control);
        }
    };
    let has_branch = branch.is_some();
    let keys = move |event: ev::KeyboardEvent| {
        if event.alt_key() && ["ArrowUp", "ArrowDown"].contains(&event.key().as_str()) {
            event.prevent_default();
            shift(event.key() == "ArrowUp", "branch .pick");
        }
    };
    let start = move |event: ev::DragEvent| {
        if let Some(transfer) = event.data_transfer() {
            // Some browsers drag nothing without data.
            drop(transfer.set_data("text/plain", ""));
        }
        dragged.set(Some(index));
    };
    let drag_over = move |event: ev::DragEvent| {
        if dragged.get_untracked().is_some() {
            event.prevent_default();
            over.set(Some(index));
        }
    };
    let put = move |event: ev::DragEvent| {
        if let Some(from) = dragged.get_untracked() {
            event.prevent_default();
            dragged.set(None);
            over.set(None);
            desk.place(from, index, "branch .pick");
        }
    };
    let ended = move |_: ev::DragEvent| {
        dragged.set(None);
        over.set(None);
    };
    let line = is_first.then(|| view! { <li class="divide">"From here on they differ"</li> });
    view! {
        {line}
        <li
            id=format!("pair-{index}")
            class="pair"
            class:chosen=flag(move || is_chosen.get())
            class:over=flag(move || over.get() == Some(index))
            data-fate=fate_name(row.fate)
            draggable=has_branch.to_string()
            on:keydown=keys
            on:dragstart=start
            on:dragover=drag_over
            on:drop=put
            on:dragend=ended
        >
            <div class="side original">{left}</div>
            <div class="side branch">{right}</div>
        </li>
    }
    .into_any()
}

fn word_of(is_chosen: Memo<bool>) -> crate::erased::Text {
    word(move || is_chosen.get())
}

fn fate_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Kept => "kept",
        Fate::Renumbered => "renumbered",
        Fate::Edited => "edited",
        Fate::Dropped => "dropped",
        Fate::Left { .. } => "left",
        Fate::Moved { .. } => "moved",
        Fate::Inserted { .. } => "inserted",
    }
}
