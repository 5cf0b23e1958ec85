//! The rows of a read model, a page at a time, in the order of one of its indexes.

use super::{Screen, board, card::title};
use crate::{
    erased::{click, flag, part, text, value, word},
    format::{count, grouped, is_cents, minute, money, short_id},
    route::Route,
};
use leptos::prelude::*;
use rewound_core::{
    projection::{Index, Projection},
    schema::words,
    time::parse_iso,
    value::Object,
};
use serde_json::Value;

/// How many rows a page has.
const PAGE: usize = 8;
/// How many values are offered for what an index asks for.
const OFFERED: usize = 20;

/// What is asked of a read model.
#[derive(Debug, Clone, PartialEq, Default)]
struct Question {
    /// The index, from 1 on; 0 where the rows come by their ids.
    order: usize,
    by: String,
    start: String,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Shown {
    skip: usize,
    rows: Vec<(String, Vec<String>)>,
    total: usize,
}

#[component]
pub(super) fn Rows(screen: Screen, number: usize, view: Projection) -> impl IntoView {
    let question = RwSignal::new(asked(&screen.lab.route.read_untracked(), view.name));
    let skip = RwSignal::new(0_usize);
    // A link that is opened here is a question too.
    Effect::watch(
        move || asked(&screen.lab.route.read(), view.name),
        move |asked, _, _| {
            if *question.read_untracked() != *asked {
                question.set(asked.clone());
                skip.set(0);
            }
        },
        false,
    );
    let ask = move |change: &dyn Fn(&mut Question)| {
        question.update(change);
        skip.set(0);
        let route = with_question(screen.lab.route.get_untracked(), view.name, &question.read_untracked());
        route.replace();
        screen.lab.route.set(route);
    };
    let index = move || question.read().order.checked_sub(1).and_then(|order| view.indexes.get(order));
    let tick = screen.tick(number);
    let shown = Memo::new(move |_| {
        tick.iter().for_each(Track::track);
        let question = question.read();
        let order = index().map(|index| (index, prefix(index, &question)));
        let order = order.as_ref().map(|(index, prefix)| (*index, prefix.as_str()));
        let page = |skip| {
            board::card(number, |card| {
                let (rows, total) = card.projector.page(order, skip, PAGE);
                let rows = rows.iter().map(|(id, row)| ((*id).to_owned(), cells(&view, row)));
                Shown { skip, rows: rows.collect(), total }
            })
            .unwrap_or_default()
        };
        match page(skip.get()) {
            // The rows became fewer meanwhile.
            shown if shown.rows.is_empty() && shown.total > 0 => page((shown.total - 1) / PAGE * PAGE),
            shown => shown,
        }
    });
    let total = Memo::new(move |_| shown.read().total);
    let head = std::iter::once("Id".to_owned()).chain(view.fields.iter().map(|(name, _)| words(name)));
    let amount = |name: &str| is_cents(view.aggregate, name) || name == "items";
    let classes: Vec<_> =
        view.fields.iter().map(|(name, _)| if amount(name) { "figure" } else { "" }).collect();
    let head_classes = classes.clone();
    let head = head.enumerate().map(move |(column, title)| {
        let class =
            column.checked_sub(1).and_then(|column| head_classes.get(column)).copied().unwrap_or_default();
        view! { <th scope="col" class=class>{title}</th> }
    });
    let body = part(move || {
        let shown = shown.read();
        let rows = shown.rows.iter().map(|(id, cells)| {
            let cells = cells
                .iter()
                .zip(&classes)
                .map(|(cell, class)| view! { <td class=*class>{cell.clone()}</td> });
            view! {
                <tr data-id=id.clone()>
                    <th scope="row"><code title=id.clone()>{short_id(id)}</code></th>
                    {cells.collect_view()}
                </tr>
            }
        });
        rows.collect_view()
    });
    let range = move || {
        let shown = shown.read();
        match (shown.rows.len(), shown.total) {
            (0, _) if question.read().order > 0 => "no rows of that kind".to_owned(),
            (0, _) => "no rows yet".to_owned(),
            (here, total) if here == total => count(total, "row"),
            (here, total) => {
                format!(
                    "{}–{} of {}",
                    grouped(shown.skip as u64 + 1),
                    grouped((shown.skip + here) as u64),
                    count(total, "row")
                )
            }
        }
    };
    let turn = move |forth: bool| {
        click(move || {
            let Shown { skip: here, total, .. } = *shown.read_untracked();
            let there = if forth { here + PAGE } else { here.saturating_sub(PAGE) };
            if there < total {
                skip.set(there);
            }
        })
    };
    let at_start = word(move || shown.read().skip == 0);
    let at_end = word(move || shown.read().skip + PAGE >= shown.read().total);
    let one_page = flag(move || total.get() <= PAGE);
    let label = format!("Rows of {}", title(&view));
    let orders = view.indexes.iter().enumerate().map(|(order, index)| {
        view! { <option value=order + 1 selected=flag(move || question.read().order == order + 1)>{order_in_words(index)}</option> }
    });
    view! {
        <div class="rows">
            <div class="bar">
                <label>
                    "Order"
                    <select
                        on:change=value(move |order| ask(&|question: &mut Question| {
                            *question = Question { order: order.parse().unwrap_or(0), ..Question::default() };
                        }))
                    >
                        <option value="0" selected=flag(move || question.read().order == 0)>"by id"</option>
                        {orders.collect_view()}
                    </select>
                </label>
                {part(move || index().map(|index| filters(number, &view, index, question, ask)))}
            </div>
            <div class="wide-table" tabindex="0" role="region" aria-label=label>
                <table>
                    <thead><tr>{head.collect_view()}</tr></thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
            <div class="bar pages">
                <span class="about">{text(range)}</span>
                <button type="button" class="button small" hidden=one_page aria-disabled=at_start on:click=turn(false)>"Back"</button>
                <button
                    type="button"
                    class="button small"
                    hidden=flag(move || total.get() <= PAGE)
                    aria-disabled=at_end
                    on:click=turn(true)
                >
                    "On"
                </button>
            </div>
        </div>
    }
}

fn filters(
    number: usize,
    view: &Projection,
    index: &'static Index,
    question: RwSignal<Question>,
    ask: impl Fn(&dyn Fn(&mut Question)) + Copy + Send + 'static,
) -> AnyView {
    let list = format!("{}-{}", view.name, index.by.unwrap_or_default());
    let by = index.by.map(|field| {
        let mut offered: Vec<String> = Vec::new();
        board::card(number, |card| {
            for row in card.projector.rows().values().take(1_000) {
                let value = row.get(field).and_then(Value::as_str).unwrap_or_default();
                if offered.len() < OFFERED && !offered.iter().any(|known| known == value) {
                    offered.push(value.to_owned());
                }
            }
        });
        let offered = offered.into_iter().map(|value| view! { <option value=value></option> });
        view! {
            <label>
                {words(field)}
                <input
                    type="text"
                    placeholder="any"
                    list=list.clone()
                    prop:value=text(move || question.read().by.clone())
                    on:change=value(move |by| ask(&|question: &mut Question| question.by = by.trim().to_owned()))
                />
                <datalist id=list.clone()>{offered.collect_view()}</datalist>
            </label>
        }
    });
    let is_open = move || index.by.is_none() || !question.read().by.is_empty();
    let start = part(move || {
        is_open().then(|| view! {
            <label>
                {format!("{} begins with", words(index.order))}
                <input
                    type="text"
                    prop:value=text(move || question.read().start.clone())
                    on:input=value(move |start| ask(&|question: &mut Question| question.start = start.trim().to_owned()))
                />
            </label>
        })
    });
    view! { {by} {start} }.into_any()
}

fn prefix(index: &Index, question: &Question) -> String {
    match index.by {
        // All values, one after another.
        Some(_) if question.by.is_empty() => String::new(),
        Some(_) => index.prefix(Some(&question.by), &question.start),
        None => index.prefix(None, &question.start),
    }
}

fn order_in_words(index: &Index) -> String {
    let order = words(index.order).to_lowercase();
    let order = if index.descending { format!("{order}, the latest first") } else { order };
    match index.by {
        Some(by) => format!("by {}, then {order}", words(by).to_lowercase()),
        None => format!("by {order}"),
    }
}

/// The fields of a row as people read them.
fn cells(view: &Projection, row: &Object) -> Vec<String> {
    let cell = |(name, _): &(&str, &str)| match row.get(*name) {
        Some(Value::Number(number)) => match number.as_i64().filter(|_| is_cents(view.aggregate, name)) {
            Some(cents) => {
                let currency = row.get("currency").and_then(Value::as_str).unwrap_or_default();
                format!("{} {currency}", money(cents)).trim_end().to_owned()
            }
            None => number.to_string(),
        },
        Some(Value::String(text)) => match parse_iso(text).filter(|_| name.ends_with("At")) {
            Some(time) => minute(time),
            None if name.ends_with("Id") => short_id(text),
            None => text.clone(),
        },
        _ => "–".to_owned(),
    };
    view.fields.iter().map(cell).collect()
}

/// What the address asks of a read model.
fn asked(route: &Route, view: &str) -> Question {
    let setting = |name: &str| route.setting(&format!("{view}.{name}")).unwrap_or_default().to_owned();
    Question { order: setting("order").parse().unwrap_or(0), by: setting("is"), start: setting("from") }
}

fn with_question(mut route: Route, view: &str, question: &Question) -> Route {
    let own = format!("{view}.");
    route.query.retain(|(name, _)| !name.starts_with(&own));
    let order = if question.order == 0 { String::new() } else { question.order.to_string() };
    for (name, value) in [("order", &order), ("is", &question.by), ("from", &question.start)] {
        if !value.is_empty() {
            route = route.with(&format!("{own}{name}"), value);
        }
    }
    route
}
