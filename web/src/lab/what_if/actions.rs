//! What can be done with an event of the branch: each its own button.

use super::{Desk, editor, focus_on};
use crate::{
    erased::{Click, Part, click, part},
    icon::{CLOSE, Icon},
};
use leptos::prelude::*;
use rewound_core::timeline::{Fate, Row, dropped, restored};

/// What can be done with an event of the branch.
pub(super) fn actions(
    desk: Desk,
    index: usize,
    row: &Row,
    name: &str,
    version: u64,
) -> impl IntoView + use<> {
    let of = format!("version {version}, {name}");
    let row = *row;
    let shift = move |up: bool, control| {
        click(move || {
            if let Some(to) = desk.neighbour(index, up) {
                desk.place(index, to, control);
            }
        })
    };
    let drop_it = click(move || {
        let edits = desk.edits.get_untracked();
        desk.editing.set(None);
        match row.fate {
            Fate::Inserted { edit } => {
                let rest = edits.iter().enumerate().filter(|(place, _)| *place != edit);
                desk.change(rest.map(|(_, edit)| edit.clone()).collect());
                focus_on(index.saturating_sub(1), "branch .pick");
            }
            Fate::Moved { from, .. } => {
                desk.change(dropped(&edits, from));
                focus_on(index.saturating_sub(1), "branch .pick");
            }
            _ => {
                desk.change(dropped(&edits, row.at.0));
                desk.chosen.set(index + 1);
                focus_on(index, "restore");
            }
        }
    });
    let changed = match row.fate {
        Fate::Edited => Some(row.at.0),
        Fate::Moved { from, .. } => Some(from),
        _ => None,
    };
    let restore = changed.map(|version| {
        let act = click(move || {
            desk.editing.set(None);
            desk.change(restored(&desk.edits.get_untracked(), version));
            focus_on(index, "branch .pick");
        });
        let label = format!("Restore version {version}");
        view! { <button type="button" class="button small restore" aria-label=label on:click=act>"Restore"</button> }
    });
    let button = |class: &'static str, label: String, act: Click, sign: Part| {
        view! {
            <button type="button" class=format!("round {class}") aria-label=label.clone() title=label on:click=act>
                {sign}
            </button>
        }
    };
    let sign = |sign: &'static str| part(move || view! { <span aria-hidden="true">{sign}</span> });
    view! {
        <div class="actions-of">
            {restore}
            {button("up", format!("Move up {of}"), shift(true, "up"), sign("↑"))}
            {button("down", format!("Move down {of}"), shift(false, "down"), sign("↓"))}
            {button("change", format!("Edit {of}"), click(move || editor::change(desk, index)), sign("✎"))}
            {button("add", format!("Insert behind {of}"), click(move || editor::insert(desk, Some(index))), sign("+"))}
            {button("leave-out", format!("Drop {of}"), drop_it, part(|| view! { <Icon path=CLOSE /> }))}
        </div>
    }
}
