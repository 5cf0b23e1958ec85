//! What the page has no room for: what a command would take on DynamoDB, and its export format.

use crate::{
    erased::{click, part},
    format::grouped,
    json,
};
use leptos::prelude::*;
use rewound_core::{
    domain::{Command, Sender},
    domains,
    dynamodb::{
        Call,
        exchange::exported,
        quote::{self, Quote, per_million},
    },
    error::{Error, Result},
    import::EventLog,
    run::Options,
    store::Cost,
};
use rewound_web::host;
use serde_json::Value;
use std::{any::Any, cell::RefCell};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlElement;

/// Fills the element with what a command would take on DynamoDB: `{aggregate, id, command, actor, expected?, events}`,
/// the last one NDJSON; an empty text where there is none. Called again, it shows the new one in the same place.
#[wasm_bindgen]
pub fn price(element: HtmlElement, order: String) {
    /// Where it is shown, what is shown there, and what takes it away again.
    type Shown = (HtmlElement, ArcRwSignal<String>, Box<dyn Any>);
    thread_local! {
        static SHOWN: RefCell<Option<Shown>> = const { RefCell::new(None) };
    }
    let is_there = SHOWN.with_borrow(|shown| {
        let there = shown.as_ref().filter(|(place, ..)| *place == element);
        there.map(|(_, shown, _)| shown.set(order.clone())).is_some()
    });
    if is_there {
        return;
    }
    // A form that was closed took its place with it.
    SHOWN.set(None);
    let shown = ArcRwSignal::new(order);
    let order = shown.clone();
    let handle = leptos::mount::mount_to(element.clone(), move || {
        part(move || match order.read().as_str() {
            "" => view! { <p class="about">"Fill in the form to see it."</p> }.into_any(),
            order => match priced(order) {
                Ok(quote) => shown_quote(quote),
                Err(error) => {
                    view! { <p class="about">{format!("It would not be written: {error}.")}</p> }.into_any()
                }
            },
        })
    });
    SHOWN.set(Some((element, shown, Box::new(handle))));
}

fn priced(order: &str) -> Result<Quote> {
    let order: Value = serde_json::from_str(order).unwrap_or_default();
    let text = |name: &str| order.get(name).and_then(Value::as_str).unwrap_or_default();
    let unknown = || Error::UnknownAggregate { name: text("aggregate").to_owned() };
    let domain = domains::find(text("aggregate")).ok_or_else(unknown)?;
    let command = Command::from_json(order.get("command").unwrap_or(&Value::Null))?;
    let by = Sender {
        actor: text("actor").to_owned(),
        now: host::now(),
        random: host::random(),
        ..Sender::default()
    };
    let log = EventLog::from_bytes(text("events").as_bytes());
    let stream = log.stream(text("id")).into_iter();
    let events: Vec<_> = stream.flat_map(|stream| stream.events()).cloned().collect();
    let expected_version = order.get("expected").and_then(Value::as_u64);
    quote::quote(domain, text("id"), &events, command, by, Options { expected_version, ..Options::default() })
}

fn shown_quote(quote: Quote) -> AnyView {
    let Quote { calls, cold, warm, peer } = quote;
    let rows = [("State remembered", warm), ("State read first", cold), ("The peer library", peer)];
    let rows = rows.map(|(name, cost)| row(name, cost)).collect_view();
    view! {
        <div class="wide-table">
            <table>
                <thead>
                    <tr>
                        <th scope="col"><span class="unseen">"How"</span></th>
                        <th scope="col" class="amount">"Requests"</th>
                        <th scope="col" class="amount"><abbr title="Read capacity units">"RCU"</abbr></th>
                        <th scope="col" class="amount"><abbr title="Write capacity units">"WCU"</abbr></th>
                        <th scope="col" class="amount">"A million cost"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="about">
            "On demand, us-east-1, as of November 2024; without storage. The peer library is "
            <code>"@coderbyheart/aws-dynamodb-es-cqrs"</code> ", on the same tables: it reads the row before every command."
        </p>
        {calls.into_iter().map(call).collect_view()}
    }
    .into_any()
}

fn row(name: &'static str, cost: Cost) -> impl IntoView {
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td class="amount">{cost.requests}</td>
            <td class="amount">{cost.rcu}</td>
            <td class="amount">{cost.wcu}</td>
            <td class="amount">{dollars(per_million(&cost))}</td>
        </tr>
    }
}

/// Millionths of a dollar as dollars, to a tenth of a cent: `3_187_500` is `$3.188`.
fn dollars(millionths: u64) -> String {
    let tenths = millionths.div_ceil(1_000);
    format!("${}.{:03}", grouped(tenths / 1_000), tenths % 1_000)
}

/// A call, readable; the button copies it as it would be sent.
fn call(call: Call) -> impl IntoView {
    let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
    let action = call.target.rsplit('.').next().unwrap_or_default().to_owned();
    let copied = RwSignal::new("");
    let copy = click(move || {
        let body = call.body.clone();
        spawn_local(async move {
            let done = host::copy(&body).await;
            // By now the form may show another one.
            let _ = copied.try_set(if done { "Copied." } else { "The browser does not let the page copy." });
        });
    });
    view! {
        <div class="bar">
            <h4>{action}</h4>
            <button type="button" class="button small" on:click=copy>"Copy the exact bytes"</button>
            <span role="status">{move || copied.get()}</span>
        </div>
        {json::pretty(&body)}
    }
}

/// Events, NDJSON, as the lines of an export from DynamoDB.
///
/// # Errors
/// The first event that no item can hold, and where.
#[wasm_bindgen]
pub fn items(lines: &[u8]) -> std::result::Result<String, JsError> {
    let log = EventLog::from_bytes(lines);
    let mut items = String::new();
    for event in log.streams().iter().flat_map(|stream| stream.events()) {
        let line = exported(event).map_err(|issue| {
            let (id, version) = (event.aggregate_id(), event.version());
            JsError::new(&format!("version {version} of {id} cannot be an item of DynamoDB: {issue}"))
        })?;
        items.push_str(&line);
        items.push('\n');
    }
    Ok(items)
}
