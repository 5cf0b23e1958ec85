//! The states of both sides at the chosen place, and what differs.

use super::{Desk, rows::aggregate_of};
use crate::{
    erased::{part, text},
    format::{count, grouped},
    tree::{self, Row},
};
use leptos::prelude::*;
use rewound_core::value::Op;
use serde_json::Value;

pub(super) fn states(desk: Desk) -> impl IntoView {
    let shown = Memo::new(move |_| {
        let shown = desk.with(|original, branch| {
            let chosen = desk.chosen.get().min(branch.rows.len());
            let at = chosen.checked_sub(1).and_then(|row| branch.rows.get(row)).map_or((0, 0), |row| row.at);
            let state = |snapshot: Option<rewound_core::domain::Snapshot>| {
                Value::Object(snapshot.map(|snapshot| snapshot.state).unwrap_or_default())
            };
            let reached = branch.timeline.len();
            let before = state(original.state_at(at.0));
            let now = state(branch.timeline.state_at(at.1));
            let (rows, changes) = tree::rows(&aggregate_of(original), &before, &now);
            (at, reached.min(at.1), rows, changes)
        });
        shown.unwrap_or_default()
    });
    let tally = move || {
        let shown = shown.read();
        match shown.3 {
            0 => "the same on both sides".to_owned(),
            changes => format!("{} differ{}", count(changes, "field"), if changes == 1 { "s" } else { "" }),
        }
    };
    let branch_at = move || {
        let ((_, wanted), reached, ..) = *shown.read();
        if reached < wanted {
            format!("Branch, as far as version {}", grouped(reached))
        } else {
            format!("Branch, version {}", grouped(wanted))
        }
    };
    let table = move || {
        let shown = shown.get();
        if shown.2.is_empty() {
            return view! { <p class="empty">"There is no state on either side: nothing has happened yet."</p> }
                .into_any();
        }
        let rows: Vec<_> = shown.2.iter().map(row).collect();
        view! {
            <div class="wide-table">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Field"</th>
                            <th scope="col">{format!("Original, version {}", grouped(shown.0.0))}</th>
                            <th scope="col">{text(branch_at)}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="card states" aria-labelledby="states-title">
            <h3 id="states-title">
                "The states at the chosen place "
                <span class="tally" role="status">{text(tally)}</span>
            </h3>
            {part(table)}
        </section>
    }
}

fn row(row: &Row) -> impl IntoView + use<> {
    let (sign, said, class) = match row.change {
        Some(Op::Add) => ("+", "only in the branch", "added"),
        Some(Op::Remove) => ("−", "only in the original", "removed"),
        Some(Op::Replace) => ("≠", "differs", "changed"),
        None => ("", "", ""),
    };
    let now = row.money.clone().unwrap_or_else(|| row.value.clone());
    let (original, branch) = match row.change {
        Some(Op::Add) => (String::new(), now),
        Some(Op::Remove) => (now, String::new()),
        Some(Op::Replace) => {
            // Money has its currency behind it on both sides.
            let currency =
                row.money.as_ref().and_then(|money| money.split_once(' ')).map(|(_, currency)| currency);
            let was = row.was.iter().map(String::as_str).chain(currency);
            (was.collect::<Vec<_>>().join(" "), now)
        }
        None => (now.clone(), now),
    };
    view! {
        <tr class=class data-path=row.path.clone()>
            <th scope="row" style=format!("--depth:{}", row.depth)>
                <span class="sign" aria-hidden="true">{sign}</span>
                {row.name.clone()}
                <span class="unseen">{format!(" {said}")}</span>
            </th>
            <td>{original}</td>
            <td>{branch}</td>
        </tr>
    }
}
