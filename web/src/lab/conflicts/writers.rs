//! The writers: what each wants, what it insists on, and what goes wrong for it.

use super::{FEWEST, MOST, Race, setup::free_name};
use crate::{
    close::Close,
    erased::{click, flag, maybe, part, parts, text, value, word},
    focus,
    form::{self, Field, Kind},
    format::{grouped, money, short_id},
    host,
};
use leptos::{prelude::*, reactive::graph::untrack, task::spawn_local};
use rewound_core::{
    domain::Command,
    domains,
    error::{Error, Issue},
    number::MAX_SAFE,
    schema::Shape,
    sim::{Loss, MAX_RETRIES, Role},
    value::Object,
};
use serde_json::Value;
use web_sys::{Event, HtmlInputElement};

/// What a clock can be.
const CLOCKS: [(i64, &str); 4] =
    [(0, "right"), (240_000, "4 minutes ahead"), (-240_000, "4 minutes behind"), (3_600_000, "1 hour ahead")];

#[component]
pub(super) fn Writers(race: Race) -> impl IntoView {
    let count = Memo::new(move |_| race.setup.read().roles.len());
    let add = move || {
        race.set(|setup| {
            let name = free_name(&setup.roles);
            let last = setup.roles.last().cloned();
            if let (Some(name), Some(last), true) = (name, last, setup.roles.len() < MOST) {
                setup.roles.push(Role { name: name.to_owned(), idempotency_key: None, ..last });
            }
        });
        // The fourth takes the button's place; whoever comes is named first.
        let newest = count.get_untracked().saturating_sub(1);
        spawn_local(async move {
            host::pause(0).await;
            focus(document().query_selector(&format!("#writer-{newest}-name")));
        });
    };
    view! {
        <section class="card writers" aria-labelledby="writers-title">
            <h3 id="writers-title">"Writers"</h3>
            <div class="roles">{parts(move || 0..count.get(), move |index| writer(race, index, count))}</div>
            <button
                type="button"
                class="button"
                id="add-writer"
                hidden=flag(move || count.get() >= MOST)
                on:click=click(add)
            >
                "Add a writer"
            </button>
        </section>
    }
}

/// The commands of a kind that people send, and that need no list.
fn commands(aggregate: &str) -> impl Iterator<Item = &'static Shape> {
    let commands = domains::find(aggregate).map(|domain| domain.commands()).unwrap_or_default();
    commands.iter().filter(|shape| {
        let fields = form::fields(shape);
        shape.schema.get("x-sender").is_none()
            && !fields.iter().any(|field| matches!(field.kind, Kind::List(_)))
    })
}

/// What is wrong with a command, if anything.
fn issues(aggregate: &str, command: &Command) -> Vec<Issue> {
    match domains::for_log(aggregate).validate(command) {
        Err(Error::Invalid(issues)) => issues,
        _ => Vec::new(),
    }
}

fn writer(race: Race, index: usize, count: Memo<usize>) -> AnyView {
    let role = Memo::new(move |_| race.setup.read().roles.get(index).cloned());
    let aggregate = Memo::new(move |_| race.setup.read().aggregate());
    let name = Memo::new(move |_| role.read().as_ref().map_or_else(String::new, |role| role.name.clone()));
    let chosen = Memo::new(move |_| role.read().as_ref().map(|role| role.command.name.clone()));
    let change = move |change: &dyn Fn(&mut Role)| {
        race.set(|setup| {
            if let Some(role) = setup.roles.get_mut(index) {
                change(role);
            }
        });
    };
    // Why what was entered is not taken: the name and the version.
    let refused = RwSignal::new((None, None));
    Effect::new(move |_| {
        role.track();
        refused.set((None, None));
    });
    let rename = move |text: &str| {
        let own = name.get_untracked();
        let is_taken = race.setup.read_untracked().roles.iter().any(|role| role.name == text);
        if text == own {
            return None;
        } else if text.is_empty() {
            return Some(format!("A writer has a name: it is {own} as before."));
        } else if is_taken {
            return Some(format!("Another writer is called {text}: this one is {own} as before."));
        }
        change(&|role| role.name = text.to_owned());
        None
    };
    let pin = move |text: &str| {
        let version = text.parse().ok().filter(|version| *version <= MAX_SAFE as u64);
        if version.is_none() && !text.is_empty() {
            return Some(format!(
                "\"{text}\" is no version: expected a whole number up to {}, or nothing for any.",
                grouped(MAX_SAFE as u64)
            ));
        }
        change(&|role| role.expected_version = version);
        None
    };
    let version_of = move || {
        let role = role.read();
        role.as_ref()
            .and_then(|role| role.expected_version)
            .map_or_else(String::new, |version| version.to_string())
    };
    let choose = value(move |name| {
        let shape = commands(aggregate.get_untracked()).find(|shape| shape.name == name);
        let blank = shape.map(|shape| filled(&form::fields(shape))).unwrap_or_default();
        change(&|role| role.command = Command { name: name.clone(), fields: blank.clone() });
    });
    let options = move || {
        let options = commands(aggregate.get()).map(|shape| {
            let is_chosen = chosen.read().as_ref() == Some(&shape.name);
            view! { <option value=shape.name.clone() selected=is_chosen>{shape.name.clone()}</option> }
        });
        options.collect_view()
    };
    let fields = move || {
        let shape = commands(aggregate.get()).find(|shape| Some(&shape.name) == chosen.read().as_ref())?;
        let fields = form::fields(shape).into_iter();
        Some(fields.map(|field| input(race, index, role, aggregate, field)).collect_view())
    };
    let remove = click(move || {
        let before = race.order.get_untracked();
        let rest = before.into_iter().filter(|role| *role != index);
        race.order.set(rest.map(|role| if role > index { role - 1 } else { role }).collect());
        race.set(|setup| {
            if setup.roles.len() > FEWEST {
                setup.roles.remove(index);
            }
        });
        focus(document().query_selector("#add-writer"));
    });
    let said =
        move |what: fn(&Role) -> String| text(move || role.read().as_ref().map(what).unwrap_or_default());
    let id = |what: &str| format!("writer-{index}-{what}");
    view! {
        <fieldset class=format!("role role-{index}")>
            <legend>{text(move || name.get())}</legend>
            <div class="grid">
                <div class="entry-line">
                    <label for=id("name")>"Name"</label>
                    <input
                        id=id("name")
                        type="text"
                        maxlength="24"
                        aria-describedby=id("name-help")
                        prop:value=text(move || name.get())
                        on:change=entered(move |text| {
                            let why = rename(text);
                            refused.update(|refused| refused.0 = why);
                            name.get_untracked()
                        })
                    />
                    <p class="help" id=id("name-help") role="status">{maybe(move || refused.get().0)}</p>
                </div>
                <div class="entry-line">
                    <label for=id("command")>"Command"</label>
                    <select id=id("command") on:change=choose>{part(options)}</select>
                </div>
                {part(fields)}
                <div class="entry-line">
                    <label for=id("version")>"Pinned version"</label>
                    <input
                        id=id("version")
                        type="text"
                        inputmode="numeric"
                        placeholder="any"
                        aria-describedby=id("version-help")
                        prop:value=text(version_of)
                        on:change=entered(move |text| {
                            let why = pin(text);
                            refused.update(|refused| refused.1 = why);
                            untrack(version_of)
                        })
                    />
                    <p class="help" id=id("version-help") role="status">{maybe(move || refused.get().1)}</p>
                </div>
                <div class="entry-line">
                    <label for=id("retries")>"Retries"</label>
                    <select
                        id=id("retries")
                        on:change=value(move |text| change(&|role| role.retries = text.parse().unwrap_or(MAX_RETRIES)))
                    >
                        {(0..=MAX_RETRIES)
                            .map(|retries| {
                                let is_chosen = move || role.read().as_ref().is_some_and(|role| role.retries == retries);
                                view! { <option value=retries.to_string() selected=is_chosen>{retries}</option> }
                            })
                            .collect_view()}
                    </select>
                </div>
                <div class="entry-line">
                    <label for=id("key")>"Idempotency key"</label>
                    <input
                        id=id("key")
                        type="text"
                        placeholder="none"
                        maxlength="64"
                        prop:value=said(|role| role.idempotency_key.clone().unwrap_or_default())
                        on:change=value(move |text| {
                            let key = Some(text.trim().to_owned()).filter(|key| !key.is_empty());
                            change(&|role| role.idempotency_key.clone_from(&key));
                        })
                    />
                </div>
                <div class="entry-line">
                    <label for=id("loss")>"Lost answer"</label>
                    <select
                        id=id("loss")
                        on:change=value(move |text| change(&|role| role.loss = loss(&text)))
                    >
                        {[
                            (Loss::None, "none", "none"),
                            (Loss::Answer, "answer", "the store's, to the run"),
                            (Loss::Sender, "sender", "the run's, to its sender"),
                        ]
                            .map(|(loss, name, title)| {
                                let is_chosen = move || role.read().as_ref().is_some_and(|role| role.loss == loss);
                                view! { <option value=name selected=is_chosen>{title}</option> }
                            })
                            .collect_view()}
                    </select>
                </div>
                <div class="entry-line">
                    <label for=id("clock")>"Clock"</label>
                    <select
                        id=id("clock")
                        on:change=value(move |text| change(&|role| role.skew = text.parse().unwrap_or(0)))
                    >
                        {CLOCKS
                            .map(|(skew, title)| {
                                let is_chosen = move || role.read().as_ref().is_some_and(|role| role.skew == skew);
                                view! { <option value=skew.to_string() selected=is_chosen>{title}</option> }
                            })
                            .collect_view()}
                    </select>
                </div>
            </div>
            <Close
                label=format!("Remove writer {}", index + 1)
                act=remove
                hidden=flag(move || count.get() <= FEWEST)
            />
        </fieldset>
    }
    .into_any()
}

/// What happens when something was entered: it is taken or not, and the field shows what holds then. Where nothing
/// changed, nobody else would write it there.
fn entered(take: impl Fn(&str) -> String + 'static) -> impl FnMut(Event) {
    move |event| {
        let holds = take(event_target_value(&event).trim());
        event_target::<HtmlInputElement>(&event).set_value(&holds);
    }
}

fn loss(name: &str) -> Loss {
    match name {
        "answer" => Loss::Answer,
        "sender" => Loss::Sender,
        _ => Loss::None,
    }
}

/// A field of a command.
fn input(
    race: Race,
    index: usize,
    role: Memo<Option<Role>>,
    aggregate: Memo<&'static str>,
    field: Field,
) -> AnyView {
    let Field { name, title, unit, required, kind, .. } = field.clone();
    let (id, help) = (format!("writer-{index}-{name}"), format!("writer-{index}-{name}-help"));
    let written = {
        let name = name.clone();
        Memo::new(move |_| {
            let role = role.read();
            let value = role.as_ref().and_then(|role| role.command.fields.get(&name));
            match value {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(value) => value.to_string(),
            }
        })
    };
    let issue = {
        let pointer = format!("/{name}");
        Memo::new(move |_| {
            let role = role.read();
            let issues = role.as_ref().map(|role| issues(aggregate.get(), &role.command)).unwrap_or_default();
            issues.into_iter().find(|issue| issue.pointer == pointer).map(|issue| issue.message)
        })
    };
    let is_cents = unit.as_deref() == Some("cents");
    let about = maybe(move || {
        issue.get().or_else(|| {
            let cents = written.read().trim().parse().ok().filter(|_| is_cents);
            cents.map(|cents| format!("cents = {}", money(cents)))
        })
    });
    let write = value(move |text| {
        let draft = Value::Object(Object::from_iter([(name.clone(), Value::from(text))]));
        let read = form::read(std::slice::from_ref(&field), &draft);
        race.set(|setup| {
            if let Some(role) = setup.roles.get_mut(index) {
                role.command.fields.shift_remove(&name);
                role.command.fields.extend(read);
            }
        });
    });
    let mode = if matches!(kind, Kind::Integer) { "numeric" } else { "text" };
    view! {
        <div class="entry-line" class:invalid=flag(move || issue.read().is_some())>
            <label for=id.clone()>{title}</label>
            <input
                id=id
                type="text"
                inputmode=mode
                aria-required=required.to_string()
                aria-invalid=word(move || issue.read().is_some())
                aria-describedby=help.clone()
                prop:value=text(move || written.get())
                on:change=write
            />
            <p class="help" id=help>{about}</p>
        </div>
    }
    .into_any()
}

/// A command that can be sent as it is: what a field has to hold, it holds.
fn filled(fields: &[Field]) -> Object {
    let needed = fields.iter().filter(|field| field.required);
    let fields = needed.map(|field| {
        let value = match (&field.kind, field.unit.as_deref(), field.name.as_str()) {
            (Kind::Integer, Some("cents"), _) => 1_000.into(),
            (Kind::Integer, ..) => 1.into(),
            (_, _, "currency") => "EUR".into(),
            (Kind::Text { format: Some(format) }, ..) if format == "email" => "ada@example.com".into(),
            _ => short_id(&field.name).into(),
        };
        (field.name.clone(), value)
    });
    fields.collect()
}
