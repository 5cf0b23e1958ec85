//! The lanes: the writers to the left and right of the store, and a row for each step.

use super::{
    Race,
    order::Order,
    words::{self, Mark, Said, gist_of, said, shape},
};
use crate::{
    erased::{Text, click, flag, part, parts, text, word},
    icon::{BACK, FIRST, Icon, LAST, PAUSE, PLAY},
    json,
};
use leptos::prelude::*;
use rewound_core::{
    dynamodb::{
        Call, Layout,
        exchange::{Exchange, Next, cancellation},
    },
    sim::{Did, Kind, Loss, Step},
    store::{Answer, Failure, Request},
};
use serde_json::Value;
use std::sync::Arc;

/// The column of a writer's lane, with the store in the middle.
fn column(role: usize, roles: usize) -> usize {
    if role < roles.div_ceil(2) { role + 1 } else { role + 2 }
}

fn store_column(roles: usize) -> usize {
    roles.div_ceil(2) + 1
}

#[component]
pub(super) fn Stage(race: Race) -> impl IntoView {
    let roles = Memo::new(move |_| race.scenario.read().roles.len());
    let count = Memo::new(move |_| race.played.read().steps.len());
    view! {
        <section class="card stage" aria-labelledby="stage-title">
            <h3 id="stage-title">"Step by step"</h3>
            <Controls race=race roles=roles count=count />
            <Order race=race count=count />
            <p class="note" role="status">{text(move || race.note.get())}</p>
            <div class="lanes" style=text(move || format!("--lanes:{}", roles.get() + 1))>
                {part(move || heads(race, roles.get()))}
                <div class="beams" aria-hidden="true">
                    {part(move || (0..=roles.get()).map(|_| view! { <span></span> }).collect_view())}
                </div>
                <ol class="steps" aria-label="Steps, the first one first">
                    {parts(move || 0..count.get(), move |index| row(race, roles, index))}
                </ol>
                <p class="empty" hidden=flag(move || count.get() != 0)>
                    "Nothing has happened yet. Take a step with one of the buttons above, or play."
                </p>
            </div>
        </section>
    }
}

/// The names above the lanes.
fn heads(race: Race, roles: usize) -> impl IntoView + use<> {
    let scenario = race.scenario.get();
    let heads = scenario.roles.iter().enumerate().map(|(index, role)| {
        let style = format!("--column:{}", column(index, roles));
        view! {
            <div class=format!("head role-{index}") style=style>
                <b>{role.name.clone()}</b>
                <span>{role.command.name.clone()}</span>
            </div>
        }
    });
    let aggregate = scenario.aggregate;
    let now = text(move || match &race.played.read().row {
        Some(row) => format!("version {}: {}", row.meta.version, gist_of(aggregate, &row.state)),
        None => "no row".to_owned(),
    });
    let locking = if scenario.is_locking { "optimistic locking" } else { "no locking" };
    view! {
        <div class="heads">
            {heads.collect_view()}
            <div class="head store" style=format!("--column:{}", store_column(roles))>
                <b>"Store"</b>
                <span>{locking}</span>
                <span class="now">{now}</span>
            </div>
        </div>
    }
}

#[component]
fn Controls(race: Race, roles: Memo<usize>, count: Memo<usize>) -> impl IntoView {
    let one = move |role: usize| {
        let next = Memo::new(move |_| race.played.read().next.get(role).copied().flatten());
        let name = Memo::new(move |_| race.scenario.read().roles.get(role).map(|role| role.name.clone()));
        let label = text(move || {
            let step = next.get().map_or("done", Kind::word);
            format!("{}: {step}", name.get().unwrap_or_default())
        });
        view! {
            <button
                type="button"
                class=format!("button take role-{role}")
                aria-disabled=word(move || next.get().is_none())
                on:click=click(move || race.step(role))
            >
                {label}
            </button>
        }
        .into_any()
    };
    let at_start = move || count.get() == 0;
    let at_end = move || race.played.read().is_over;
    view! {
        <div class="bar controls" role="group" aria-label="Take a step">
            {parts(move || 0..roles.get(), one)}
            <span class="gap"></span>
            <div class="player">
            <Round label="To the start" path=FIRST disabled=word(at_start) act=click(move || race.reset()) />
            <Round label="One step back" path=BACK disabled=word(at_start) act=click(move || race.back()) />
            <button
                type="button"
                class="round play"
                aria-label=text(move || if race.playing.get() { "Pause" } else { "Play" }.to_owned())
                on:click=click(move || race.play())
            >
                {part(move || {
                    let path = if race.playing.get() { PAUSE } else { PLAY };
                    view! { <Icon path=path /> }
                })}
            </button>
            <Round label="To the end" path=LAST disabled=word(at_end) act=click(move || race.finish()) />
            </div>
        </div>
    }
}

#[component]
fn Round(
    label: &'static str,
    path: &'static str,
    disabled: Text,
    act: crate::erased::Click,
) -> impl IntoView {
    view! {
        // Not `disabled`: the button in hand would lose the focus.
        <button type="button" class="round" aria-label=label title=label aria-disabled=disabled on:click=act>
            <Icon path=path />
        </button>
    }
}

/// A step across the lanes.
fn row(race: Race, roles: Memo<usize>, index: usize) -> AnyView {
    let step = Memo::new(move |_| race.played.read().steps.get(index).cloned());
    let shown = move || {
        let step = step.get()?;
        let roles = roles.get();
        Some(card(race, index, &step, roles))
    };
    let is_open = Memo::new(move |_| race.open.get() == Some(index));
    let detail = move || {
        let step = step.get().filter(|_| is_open.get())?;
        Some(detail(race, index, &step))
    };
    view! {
        <li class="turn" class:open=flag(move || is_open.get()) id=format!("step-{index}")>
            {part(shown)}
            {part(detail)}
        </li>
    }
    .into_any()
}

fn mark((class, shape): Mark, text: String) -> impl IntoView {
    view! { <span class=format!("mark {class}") data-shape=shape>{text}</span> }
}

fn card(race: Race, index: usize, step: &Step, roles: usize) -> impl IntoView + use<> {
    let Said { what, mark: how, store } = said(&race.scenario.read(), step);
    let name = race.name(step.role);
    let kind = step.kind();
    let own = column(step.role, roles);
    let middle = store_column(roles);
    let class = format!("act role-{} {}", step.role, if step.is_request() { "request" } else { "local" });
    let ended = step.ended.as_ref().map(|ended| {
        let (how, word, told) = words::end(ended);
        view! {
            <span class="told">
                <span class="unseen">"The sender is told: "</span>
                {mark(how, words::word_of(&word))}
                <span class="reason">{told}</span>
            </span>
        }
    });
    let store = store.map(|(how, text)| {
        let (from, to) = (own.min(middle), own.max(middle) + 1);
        view! {
            <div class="wire" style=format!("--from:{from};--to:{to}") aria-hidden="true"></div>
            <div class=format!("reply {}", how.0) style=format!("--column:{middle}")>
                <span class="unseen">"The store: "</span>
                {text}
            </div>
        }
    });
    let title = format!("{name}: {}", kind.word());
    // What the sender is told says it already.
    let how = how.filter(|_| step.ended.is_none());
    view! {
        <div class=class style=format!("--column:{own}")>
            <button
                type="button"
                class="pick"
                aria-expanded=word(move || race.open.get() == Some(index))
                on:click=click(move || {
                    race.open.update(|open| *open = if *open == Some(index) { None } else { Some(index) });
                })
            >
                <span class="shape" aria-hidden="true">{shape(kind)}</span>
                <span class="number">{index + 1}</span>
                <b>{title}</b>
                {how.map(|(how, text)| mark(how, text))}
            </button>
            <p class="does">{what}</p>
            {ended}
        </div>
        {store}
    }
}

/// What a step looks like from near.
fn detail(race: Race, index: usize, step: &Step) -> AnyView {
    let played = race.played.get();
    let scenario = race.scenario.get();
    let winners = played.winners.get(index).cloned().unwrap_or_default();
    let conflict = step.conflict().map(|(expected, met)| {
        let events = winners.iter().map(|event| {
            view! {
                <li>
                    <span class="position">{event.version()}</span>
                    <b>{event.actor().to_owned()}</b>
                    " "
                    {words::event(event)}
                </li>
            }
        });
        view! {
            <div class="versions">
                <p><span>"Expected version"</span><b class="expected">{expected}</b></p>
                <p><span>"Actual version"</span><b class="actual">{met}</b></p>
            </div>
            <p class="caption">"Who came first"</p>
            <ul class="winners">{events.collect_view()}</ul>
        }
    });
    let inside = match &step.did {
        Did::Asked(request, answer, loss) => exchange(scenario.is_locking, request, answer, *loss),
        Did::Decided(decision) => {
            let on = match &decision.on {
                Some(snapshot) => json::pretty(&snapshot.to_json()).into_any(),
                None => view! { <p>"Nothing: it did not exist."</p> }.into_any(),
            };
            let result = match &decision.result {
                Ok(events) => {
                    let events: Value = events.iter().map(|event| Value::Object(event.fields())).collect();
                    json::pretty(&events).into_any()
                }
                Err(error) => view! { <p>{words::reason(error)}</p> }.into_any(),
            };
            view! {
                <div class="pair">
                    <div><p class="caption">"The state that it was decided on"</p>{on}</div>
                    <div><p class="caption">"What was decided"</p>{result}</div>
                </div>
            }
            .into_any()
        }
        Did::Waited(_) => view! {
            <p>
                "50 ms times the attempt, and up to 50 ms more by chance, so that writers who met once do not meet \
                 again. What comes next was decided on the winner's row already, which came back with the conflict."
            </p>
        }
        .into_any(),
        Did::SentAgain => view! {
            <p>
                "A sender who hears nothing cannot know whether its command took effect. With an idempotency key the \
                 store can tell that it was there before; without one, this is another command."
            </p>
        }
        .into_any(),
    };
    view! { <div class="detail" role="region" aria-label=format!("Step {}", index + 1)>{conflict} {inside}</div> }
        .into_any()
}

/// A request as DynamoDB gets it, and what it answers.
fn exchange(is_locking: bool, request: &Request, answer: &Result<Answer, Failure>, loss: Loss) -> AnyView {
    let (_, next) = Exchange::new(&Arc::new(Layout::prefixed("bank")), request.clone());
    let Next::Send(Call { target, body }) = next else { return ().into_any() };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let refusal = match (request, answer) {
        (Request::Commit(commit), Ok(answer)) => cancellation(commit, answer),
        _ => None,
    };
    let answered = match (refusal, answer) {
        (Some(body), _) => {
            view! { <p class="caption">"DynamoDB answers 400"</p> {json::pretty(&body)} }.into_any()
        }
        (None, Ok(Answer::Committed)) => view! {
            <p class="caption">"DynamoDB answers 200"</p>
            <p>"All of it was written: the row, its events, and the record of the key, if there is one."</p>
        }
        .into_any(),
        (None, Ok(Answer::Loaded(loaded))) => match &loaded.snapshot {
            Some(snapshot) => {
                view! { <p class="caption">"The row"</p> {json::pretty(&snapshot.to_json())} }.into_any()
            }
            None => view! { <p>"There is no row."</p> }.into_any(),
        },
        (None, Ok(Answer::Events(page))) => {
            let events: Value = page.items.iter().map(|event| Value::Object(event.fields())).collect();
            view! { <p class="caption">"The events"</p> {json::pretty(&events)} }.into_any()
        }
        (None, Err(Failure::Clock)) => view! {
            <p>
                "The signature was made with a clock that is more than five minutes off, and nothing was done. The \
                 answer's Date says what time it is: the writer goes on with that."
            </p>
        }
        .into_any(),
        (None, _) => ().into_any(),
    };
    let lost = match loss {
        Loss::None => None,
        Loss::Answer => Some(
            "This answer never reached the run. It sends the same bytes again, meets a conflict, and asks whether the \
             winner is itself.",
        ),
        Loss::Sender => Some("The run died with this answer: its sender hears nothing."),
    };
    let naive = (!is_locking && matches!(request, Request::Commit(_))).then_some(
        "This store ignores the conditions below, numbers the events itself, and overwrites the row.",
    );
    view! {
        {lost.map(|lost| view! { <p class="remark">{lost}</p> })}
        {naive.map(|naive| view! { <p class="remark">{naive}</p> })}
        <div class="pair">
            <div><p class="caption"><code>{target}</code></p>{json::pretty(&body)}</div>
            <div>{answered}</div>
        </div>
    }
    .into_any()
}
