//! Commands to the stream that is followed, and what the edge answers.

use super::{
    Screen,
    client::{Reply, Trouble},
    stream::Followed,
    watch::{state_at, whose},
};
use crate::{
    erased::{Click, click, flag, maybe, part, parts, text, value, word},
    focus,
    form::{self, Field, Kind},
    format::{count, gist, money},
    host,
    icon::{Icon, SEND},
    tree,
};
use leptos::{ev::SubmitEvent, html, prelude::*};
use rewound_core::{
    domains,
    error::Issue,
    event::Event,
    http::tag,
    schema::{Shape, validate},
    value::below,
};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_bindgen_futures::spawn_local;

/// How many answers are kept in sight.
const KEPT: usize = 6;

/// What the form knows. Copying it copies handles.
#[derive(Clone, Copy)]
struct Form {
    followed: Followed,
    /// The texts in the fields.
    draft: RwSignal<Value>,
    /// Whether the version that is shown is sent along.
    pin: RwSignal<bool>,
    /// The idempotency key; empty where none is sent.
    key: RwSignal<String>,
    issues: Memo<Vec<Issue>>,
    /// Whether it was sent as it is, so that every error is shown.
    tried: RwSignal<bool>,
    sending: RwSignal<bool>,
    /// What was answered, the last first.
    answers: RwSignal<Vec<Answer>>,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    command: String,
    /// The version that it was decided on, where that was sent along.
    pinned: Option<u64>,
    result: Result<Reply, Trouble>,
}

impl Answer {
    fn status(&self) -> u16 {
        match &self.result {
            Ok(reply) => reply.status,
            Err(trouble) => trouble.reply().map_or(0, |reply| reply.status),
        }
    }

    fn cost(&self) -> String {
        let cost = self.result.as_ref().ok().and_then(|reply| reply.body.get("cost"));
        let number = |name: &str| cost.and_then(|cost| cost.get(name)).map(Value::to_string);
        match (number("requests"), number("rcu"), number("wcu")) {
            (Some(requests), Some(rcu), Some(wcu)) => format!("{requests} requests, {rcu} RCU, {wcu} WCU"),
            _ => "–".to_owned(),
        }
    }
}

#[component]
pub(super) fn Command(screen: Screen, followed: Followed, aggregate: String, id: String) -> impl IntoView {
    let shapes: Vec<Shape> = domains::find(&aggregate).map_or_else(Vec::new, |domain| {
        // The saga's own commands are left to it.
        domain.commands().iter().filter(|shape| shape.schema.get("x-sender").is_none()).cloned().collect()
    });
    let shapes = StoredValue::new(shapes);
    let chosen = RwSignal::new(None::<String>);
    let is_new = Memo::new(move |_| followed.length.get() == 0);
    let shape = Memo::new(move |_| {
        shapes.with_value(|shapes| {
            let named = chosen.get().and_then(|name| shapes.iter().find(|shape| shape.name == name));
            // The first command creates; what comes after is for those that exist.
            named.or_else(|| shapes.get(usize::from(!is_new.get()))).cloned()
        })
    });
    let fields = Memo::new(move |_| shape.read().as_ref().map_or_else(Vec::new, form::fields));
    let draft = RwSignal::new(Value::Null);
    let form = Form {
        followed,
        draft,
        pin: RwSignal::new(true),
        key: RwSignal::new(String::new()),
        issues: Memo::new(move |_| {
            let command = Value::Object(form::read(&fields.read(), &draft.read()));
            shape.read().as_ref().map_or_else(Vec::new, |shape| validate(&shape.schema, &command))
        }),
        tried: RwSignal::new(false),
        sending: RwSignal::new(false),
        answers: RwSignal::new(Vec::new()),
    };
    Effect::new(move |_| {
        draft.set(form::blank(&fields.read()));
        form.tried.set(false);
    });
    let send = move || {
        form.tried.set(true);
        let Some(name) = shape.read_untracked().as_ref().map(|shape| shape.name.clone()) else { return };
        if !form.issues.read_untracked().is_empty() || form.sending.get_untracked() {
            return;
        }
        form.sending.set(true);
        let fields = Value::Object(form::read(&fields.read_untracked(), &draft.read_untracked()));
        let pinned = form.pin.get_untracked().then(|| followed.shown.get_untracked());
        let key = form.key.read_untracked().trim().to_owned();
        let (client, aggregate, id) = (screen.client(), aggregate.clone(), id.clone());
        spawn_local(async move {
            let version = pinned.map(tag).unwrap_or_default();
            let mut headers = Vec::new();
            match pinned {
                Some(0) => headers.push(("If-None-Match", "*")),
                Some(_) => headers.push(("If-Match", version.as_str())),
                None => {}
            }
            if !key.is_empty() {
                headers.push(("Idempotency-Key", key.as_str()));
            }
            let result = client.send(&aggregate, &id, &name, &fields, &headers).await;
            if let Ok(reply) = &result {
                let events = reply.body.get("events").and_then(Value::as_array);
                let ids = events.into_iter().flatten().filter_map(|event| event.get("eventId")?.as_str());
                screen.own.try_update(|own| own.extend(ids.map(str::to_owned)));
                screen.listed.try_update(|listed| *listed += 1);
            }
            form.sending.try_set(false);
            form.answers.try_update(|answers| {
                answers.insert(0, Answer { command: name, pinned, result });
                answers.truncate(KEPT);
            });
        });
    };
    let place = NodeRef::<html::Form>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
        request_animation_frame(move || {
            if let Some(place) = place.try_get_untracked().flatten() {
                focus(place.query_selector("[aria-invalid=true]"));
            }
        });
    };
    let commands = move || {
        let names: Vec<String> =
            shapes.with_value(|shapes| shapes.iter().map(|shape| shape.name.clone()).collect());
        let chips = names.into_iter().map(|name| {
            let (known, shown, chosen_name) = (name.clone(), name.clone(), name);
            let is_chosen = flag(move || shape.read().as_ref().is_some_and(|shape| shape.name == known));
            let choose = move |_| chosen.set(Some(chosen_name.clone()));
            view! {
                <label class="chip">
                    <input type="radio" name="live-command" value=shown.clone() prop:checked=is_chosen on:change=choose />
                    <span>{shown}</span>
                </label>
            }
        });
        chips.collect_view()
    };
    let name = maybe(move || shape.read().as_ref().map(|shape| format!("Send {}", shape.name)));
    let pinned = text(move || match followed.shown.get() {
        0 => "Create only (If-None-Match: *)".to_owned(),
        version => format!("Only on version {version} (If-Match: {})", tag(version)),
    });
    let body = part(move || match fields.get() {
        none if none.is_empty() => view! { <p class="about">"This command has no fields."</p> }.into_any(),
        fields => many(form, fields, String::new()),
    });
    let pin = move |event| form.pin.set(event_target_checked(&event));
    view! {
        <form class="card send" aria-labelledby="send-title" novalidate autocomplete="off" node_ref=place on:submit=submit>
            <h3 id="send-title">"Send it a command"</h3>
            <fieldset>
                <legend class="unseen">"Command"</legend>
                <div class="chips">{commands()}</div>
            </fieldset>
            <div class="fields">{body}</div>
            <div class="bar">
                <label><input type="checkbox" prop:checked=flag(move || form.pin.get()) on:change=pin /> {pinned}</label>
            </div>
            <div class="bar">
                <label>
                    "Idempotency-Key"
                    <input
                        type="text"
                        placeholder="none"
                        prop:value=text(move || form.key.get())
                        on:input=value(move |text| form.key.set(text))
                    />
                </label>
                <button type="button" class="button small" on:click=click(move || form.key.set(host::new_id()))>"New key"</button>
            </div>
            <div class="bar">
                <button type="submit" class="button primary" aria-busy=word(move || form.sending.get())>
                    <Icon path=SEND />
                    {name}
                </button>
                <span class="about">"The actor is whoever the token names."</span>
            </div>
        </form>
        <section class="card answers" aria-labelledby="answers-title">
            <h3 id="answers-title">"What the edge answered"</h3>
            <div aria-live="polite">{part(move || last(screen, form))}</div>
            {part(move || before(&form.answers.read()))}
        </section>
    }
}

/// The last answer, whole.
fn last(screen: Screen, form: Form) -> AnyView {
    let answers = form.answers.read();
    let Some(answer) = answers.first() else {
        return view! { <p class="about">"Nothing was sent yet."</p> }.into_any();
    };
    match &answer.result {
        Ok(reply) => {
            let events: Vec<Event> =
                (reply.body.get("events").and_then(Value::as_array).into_iter().flatten())
                    .filter_map(|event| Event::parse(&event.to_string()).ok())
                    .collect();
            let names: Vec<_> =
                events.iter().map(|event| format!("{} ({})", event.name(), gist(event))).collect();
            let version = reply.etag.clone().unwrap_or_default();
            let is_repeated = reply.body.get("repeated") == Some(&Value::Bool(true));
            let said = match (is_repeated, names.is_empty()) {
                (true, _) => format!(
                    "The first answer to this key again, nothing new was written: {}.",
                    names.join(", ")
                ),
                (false, true) => "No event: everything is as the command wants it.".to_owned(),
                (false, false) => format!("Recorded {}.", names.join(", ")),
            };
            let about = format!("{} · ETag {version} · {}", reply.status, answer.cost());
            let time = reply.time().map(|time| format!(" · {time} ms at the edge")).unwrap_or_default();
            view! { <p class="outcome recorded">{said}</p> <p class="about">{about} {time}</p> }.into_any()
        }
        Err(trouble) => {
            let (said, advice) = trouble.in_words(&screen.client().url);
            let head = trouble.reply().map(|reply| {
                view! { <code class="code">{format!("{} {}", reply.status, reply.code())}</code> " " }
            });
            let later = trouble.reply().and_then(|reply| reply.retry_after.clone());
            let later = later.map(|seconds| format!(" Not before {seconds} s have passed."));
            let sides = trouble.reply().filter(|reply| reply.status == 412).map(|reply| {
                let number = |name: &str| reply.body.get(name).and_then(Value::as_u64);
                sides(form.followed, number("expected").or(answer.pinned), number("actual"))
            });
            view! {
                <p class="outcome refused">{head} {said}</p>
                <p class="about">{advice} {later}</p>
                {sides}
            }
            .into_any()
        }
    }
}

/// What was decided on beside what is there, and the events between.
fn sides(followed: Followed, expected: Option<u64>, actual: Option<u64>) -> AnyView {
    let (expected, actual) = (expected.unwrap_or(0), actual.unwrap_or(0));
    let between = part(move || {
        if followed.length.get() < actual {
            return view! { <p class="about">"The events between are still on their way."</p> }.into_any();
        }
        let (was, is) = (state_at(followed, expected), state_at(followed, actual));
        let (aggregate, _) = followed.key.get_value();
        let (rows, _) = tree::rows(&aggregate, &was, &is);
        let texts = |state: &Value| -> BTreeMap<String, String> {
            let (rows, _) = tree::rows(&aggregate, state, state);
            rows.into_iter().map(|row| (row.path, row.money.unwrap_or(row.value))).collect()
        };
        let (before, after) = (texts(&was), texts(&is));
        let changed = rows.into_iter().filter(|row| row.change.is_some()).map(|row| {
            let text = |side: &BTreeMap<_, _>| side.get(&row.path).cloned().unwrap_or_else(|| "–".to_owned());
            let (was, is) = (text(&before), text(&after));
            view! { <tr><th scope="row"><code>{row.path}</code></th><td>{was}</td><td>{is}</td></tr> }
        });
        let skipped = usize::try_from(expected).unwrap_or(0);
        let events = followed.timeline.with(|timeline| {
            let between = timeline.events().iter().skip(skipped).take(KEPT);
            between
                .map(|event| {
                    let (.., said) = whose(followed, event).unwrap_or(("", "", ""));
                    let text =
                        format!("{}, version {} by {}, {said}", event.name(), event.version(), event.actor());
                    view! { <li>{text.trim_end_matches([',', ' ']).to_owned()}</li> }
                })
                .collect_view()
        });
        let missed = actual.saturating_sub(expected) as usize;
        view! {
            <div class="wide-table" tabindex="0" role="region" aria-label="Expected and actual state">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Field"</th>
                            <th scope="col">{format!("Expected: version {expected}")}</th>
                            <th scope="col">{format!("Actual: version {actual}")}</th>
                        </tr>
                    </thead>
                    <tbody>{changed.collect_view()}</tbody>
                </table>
            </div>
            <p>{format!("{} between:", count(missed, "event"))}</p>
            <ul class="about">{events}</ul>
        }
        .into_any()
    });
    let let_go = click(move || followed.held.set(None));
    view! {
        <div class="sides">
            {between}
            <button type="button" class="button small" on:click=let_go>
                {format!("Look at version {actual} and decide anew")}
            </button>
        </div>
    }
    .into_any()
}

/// The answers before the last one, a line each.
fn before(answers: &[Answer]) -> Option<AnyView> {
    if answers.len() < 2 {
        return None;
    }
    let rows = answers.iter().skip(1).map(|answer| {
        let (status, code) = match (&answer.result, answer.status()) {
            (_, 0) => ("–".to_owned(), "no answer".to_owned()),
            (Ok(reply), status) => (status.to_string(), reply.etag.clone().unwrap_or_default()),
            (Err(trouble), status) => {
                (status.to_string(), trouble.reply().map(|reply| reply.code().to_owned()).unwrap_or_default())
            }
        };
        view! {
            <tr>
                <th scope="row">{answer.command.clone()}</th>
                <td>{status}</td>
                <td>{code}</td>
                <td>{answer.cost()}</td>
            </tr>
        }
    });
    Some(
        view! {
            <div class="wide-table" tabindex="0" role="region" aria-label="Answers before">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Command"</th>
                            <th scope="col">"Status"</th>
                            <th scope="col">"ETag or code"</th>
                            <th scope="col">"Cost"</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any(),
    )
}

/// Fields below a place in the draft.
fn many(form: Form, fields: Vec<Field>, at: String) -> AnyView {
    let fields = fields.into_iter().map(|field| {
        let place = below(&at, &field.name);
        match field.kind.clone() {
            Kind::List(each) => list(form, field.title, each, place),
            kind => one(form, &field, &kind, place),
        }
    });
    fields.collect_view().into_any()
}

fn one(form: Form, field: &Field, kind: &Kind, place: String) -> AnyView {
    let id = format!("live{}", place.replace('/', "-"));
    let help = format!("{id}-help");
    let read = {
        let place = place.clone();
        move || form.draft.read().pointer(&place).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let write = {
        let place = place.clone();
        value(move |text| {
            form.draft.update(|draft| {
                if let Some(value) = draft.pointer_mut(&place) {
                    *value = text.into();
                }
            });
        })
    };
    let error = Memo::new(move |_| {
        let issues = form.issues.read();
        let issue = issues.iter().find(|issue| issue.pointer == place)?;
        form.tried.get().then(|| issue.message.clone())
    });
    let amount = {
        let (read, is_money) = (read.clone(), field.unit.as_deref() == Some("cents"));
        maybe(move || read().trim().parse().ok().filter(|_| is_money).map(money))
    };
    let optional = (!field.required).then(|| view! { <span class="optional">"optional"</span> });
    let unit = field.unit.clone().map(|unit| view! { <span class="unit">{unit}</span> });
    let (mode, kind) = match kind {
        Kind::Integer => ("numeric", "text"),
        Kind::Text { format: Some(format) } if format == "email" => ("email", "email"),
        _ => ("text", "text"),
    };
    let description = field.description.clone();
    view! {
        <div class="field" class:invalid=flag(move || error.read().is_some())>
            <label for=id.clone()>{field.title.clone()} {optional}</label>
            <div class="entry">
                <input
                    id=id
                    type=kind
                    inputmode=mode
                    aria-describedby=help.clone()
                    aria-invalid=word(move || error.read().is_some())
                    prop:value=text(read)
                    on:input=write
                />
                {unit}
            </div>
            <p class="help" id=help class:error=flag(move || error.read().is_some())>
                {text(move || error.get().unwrap_or_else(|| description.clone()))}
                <span class="amount">{amount}</span>
            </p>
        </div>
    }
    .into_any()
}

/// Lines of fields, of which there can be more and fewer.
fn list(form: Form, title: String, each: Vec<Field>, place: String) -> AnyView {
    let change = {
        let (place, each) = (place.clone(), each.clone());
        move |more: bool| -> Click {
            let (place, each) = (place.clone(), each.clone());
            click(move || {
                form.draft.update(|draft| {
                    let Some(lines) = draft.pointer_mut(&place).and_then(Value::as_array_mut) else { return };
                    if more {
                        lines.push(form::blank(&each));
                    } else if lines.len() > 1 {
                        lines.pop();
                    }
                });
            })
        }
    };
    let count = {
        let place = place.clone();
        move || 0..form.draft.read().pointer(&place).and_then(Value::as_array).map_or(0, Vec::len)
    };
    let line = move |index: usize| {
        let place = below(&place, &index.to_string());
        view! { <div class="item">{many(form, each.clone(), place)}</div> }.into_any()
    };
    view! {
        <fieldset class="lines">
            <legend>{title}</legend>
            {parts(count, line)}
            <div class="bar">
                <button type="button" class="button small" on:click=change(true)>"One more"</button>
                <button type="button" class="button small" on:click=change(false)>"One less"</button>
            </div>
        </fieldset>
    }
    .into_any()
}
