//! The aggregates of an edge by their kinds, and whatever else it can be asked.

use super::{
    Screen,
    client::{Reply, Trouble},
};
use crate::{
    erased::{click, flag, part, text, value, word},
    format::{kind, minute, short_id},
    host, json,
};
use leptos::prelude::*;
use rewound_core::{domains, http::path, time::parse_iso, views};
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

/// How many aggregates come at once.
const PAGE: usize = 20;

/// An aggregate in the list.
#[derive(Debug, Clone, PartialEq)]
struct Item {
    id: String,
    version: u64,
    actor: String,
    updated: String,
}

impl Item {
    fn read(meta: &Value) -> Self {
        let text = |name: &str| meta.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            id: text("id").to_owned(),
            version: meta.get("version").and_then(Value::as_u64).unwrap_or(0),
            actor: text("actorId").to_owned(),
            updated: parse_iso(text("updatedAt")).map_or_else(|| "unknown".to_owned(), minute),
        }
    }
}

#[component]
pub(super) fn List(screen: Screen) -> impl IntoView {
    let items = RwSignal::new(Vec::<Item>::new());
    let next = RwSignal::new(None::<String>);
    let trouble = RwSignal::new(None::<(String, String)>);
    let loading = RwSignal::new(false);
    let load = move |cursor: Option<String>| {
        let (client, aggregate) = (screen.client(), screen.kind.get_untracked());
        loading.set(true);
        spawn_local(async move {
            let behind = cursor.as_deref().map_or_else(String::new, |cursor| {
                format!("&cursor={}", String::from(js_sys::encode_uri_component(cursor)))
            });
            let place = format!("{}?limit={PAGE}{behind}", path(&["aggregates", &aggregate]));
            let asked = client.get(&place, None).await;
            // What was asked of another kind meanwhile is nobody's answer.
            if screen.kind.try_get_untracked() != Some(aggregate) {
                return;
            }
            loading.set(false);
            match asked {
                Ok(reply) => {
                    let new = reply.body.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                    items.update(|items| {
                        if cursor.is_none() {
                            items.clear();
                        }
                        items.extend(new.iter().map(Item::read));
                    });
                    next.set(reply.body.get("next").and_then(Value::as_str).map(str::to_owned));
                    trouble.set(None);
                }
                Err(error) => trouble.set(Some(error.in_words(&client.url))),
            }
        });
    };
    Effect::new(move |_| {
        screen.kind.track();
        screen.listed.track();
        load(None);
    });
    let choose_kind = value(move |kind| {
        items.set(Vec::new());
        next.set(None);
        screen.kind.set(kind);
        screen.choose(None);
    });
    let kinds = domains::all().map(|domain| {
        let name = domain.name().to_owned();
        let selected = {
            let name = name.clone();
            flag(move || *screen.kind.read() == name)
        };
        view! { <option value=name.clone() selected=selected>{kind(&name)}</option> }
    });
    let rows = part(move || {
        let open = screen.id.get();
        let rows = items.get().into_iter().map(|item| {
            let id = item.id.clone();
            let is_open = open.as_ref() == Some(&id);
            let choose = click(move || screen.choose(Some(id.clone())));
            view! {
                <tr>
                    <th scope="row">
                        <button type="button" class="ask" title=item.id.clone() aria-pressed=is_open.to_string() on:click=choose>
                            {short_id(&item.id)}
                        </button>
                    </th>
                    <td class="figure">{item.version}</td>
                    <td>{item.actor}</td>
                    <td>{item.updated}</td>
                </tr>
            }
        });
        rows.collect_view()
    });
    let is_empty = move || items.read().is_empty() && trouble.read().is_none() && !loading.get();
    let failed = part(move || {
        let (said, advice) = trouble.get()?;
        Some(view! { <p class="outcome refused">{said}</p> <p class="about">{advice}</p> })
    });
    view! {
        <section class="card" aria-labelledby="aggregates-title">
            <h3 id="aggregates-title">"Aggregates"</h3>
            <div class="bar">
                <label>"Kind" <select on:change=choose_kind>{kinds.collect_view()}</select></label>
                <button type="button" class="button small" on:click=click(move || load(None))>"Look again"</button>
                <button
                    type="button"
                    class="button small"
                    on:click=click(move || screen.choose(Some(host::new_id())))
                >
                    "New"
                </button>
            </div>
            <div class="wide-table" hidden=flag(move || items.read().is_empty())>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Id"</th>
                            <th scope="col" class="figure">"Version"</th>
                            <th scope="col">"By"</th>
                            <th scope="col">"Updated"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <p class="empty" role="status" hidden=flag(move || !is_empty())>
                {text(move || format!("The edge has no {} yet. New begins one.", kind(&screen.kind.read()).to_ascii_lowercase()))}
            </p>
            <div role="alert">{failed}</div>
            <button
                type="button"
                class="button small"
                hidden=flag(move || next.read().is_none())
                aria-busy=word(move || loading.get())
                on:click=click(move || {
                    // The page that is asked for comes once, however often it is asked for.
                    if !loading.get_untracked() {
                        load(next.get_untracked());
                    }
                })
            >
                "More"
            </button>
        </section>
    }
}

/// Whatever else the edge can be asked: its read models and its numbers.
#[component]
pub(super) fn Asked(screen: Screen) -> impl IntoView {
    let places = || {
        let views = views::ALL.iter().map(|view| format!("{}?limit=20", path(&["views", view.name])));
        views.chain(["/metrics", "/healthz", "/openapi.json"].map(str::to_owned))
    };
    let place = RwSignal::new(places().next().unwrap_or_default());
    let answer = RwSignal::new(None::<Result<Reply, Trouble>>);
    let ask = move || {
        let client = screen.client();
        spawn_local(async move {
            let asked = client.get(&place.get_untracked(), None).await;
            answer.try_set(Some(asked));
        });
    };
    let body = part(move || {
        let url = screen.client().url;
        Some(match answer.get()? {
            Ok(reply) if reply.body.is_null() => view! { <pre class="said">{reply.text}</pre> }.into_any(),
            Ok(reply) => view! { <div class="said">{json::pretty(&reply.body)}</div> }.into_any(),
            Err(trouble) => {
                let (said, advice) = trouble.in_words(&url);
                view! { <p class="outcome refused">{said}</p> <p class="about">{advice}</p> }.into_any()
            }
        })
    });
    let options = places().map(|place| view! { <option value=place.clone()>{place.clone()}</option> });
    view! {
        <section class="card" aria-labelledby="asked-title">
            <h3 id="asked-title">"Read models and numbers"</h3>
            <div class="bar">
                <label>"Get" <select on:change=value(move |text| place.set(text))>{options.collect_view()}</select></label>
                <button type="button" class="button small" on:click=click(ask)>"Ask"</button>
            </div>
            <div tabindex="0" role="region" aria-label="The edge's answer" aria-live="polite">{body}</div>
        </section>
    }
}
