//! Every order there is: how each ends, and how often.

use super::{Race, words};
use crate::{
    erased::{click, flag, part, text, value},
    format::{count, grouped},
    host,
};
use leptos::{prelude::*, task::spawn_local};
use rewound_core::sim::{Exploration, Outcome, Progress, Report, Scene};

/// How many different states are looked at, at the most: what a person may choose.
const CAPS: [usize; 3] = [2_000, 20_000, 200_000];
/// How long the page may wait for an answer, in milliseconds.
const BUSY: f64 = 12.0;

/// How far it has come.
#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Idle,
    Going(Progress),
    Done { report: Report, cap: usize, is_cancelled: bool },
}

#[component]
pub(super) fn Explore(race: Race) -> impl IntoView {
    let stage = RwSignal::new(Stage::Idle);
    let cap = RwSignal::new(CAPS[1]);
    // What goes on is what has this number; another one begins, or nothing does.
    let going = RwSignal::new(0_u32);
    // Another race has other ends.
    Effect::new(move |before: Option<()>| {
        race.scenario.track();
        if before.is_some() {
            going.update(|going| *going += 1);
            stage.set(Stage::Idle);
        }
    });
    on_cleanup(move || {
        going.try_update(|going| *going += 1);
    });
    let explore = move || {
        going.update(|going| *going += 1);
        let (number, most) = (going.get_untracked(), cap.get_untracked());
        let scenario = race.scenario.get_untracked();
        let Ok(world) = scenario.world() else { return };
        let mut exploration = Exploration::new(world, most);
        stage.set(Stage::Going(exploration.progress()));
        spawn_local(async move {
            let check = |world: &_| scenario.check(world);
            let mut is_cancelled = false;
            loop {
                let since = host::stopwatch();
                let mut goes_on = true;
                while goes_on && host::stopwatch() - since < BUSY {
                    goes_on = exploration.advance(16, &check);
                }
                if going.try_get_untracked() != Some(number) {
                    // Cancelled, if this is still the race that is shown.
                    is_cancelled = matches!(stage.try_get_untracked(), Some(Stage::Going(_)));
                    if !is_cancelled {
                        return;
                    }
                }
                if !goes_on || is_cancelled {
                    break;
                }
                stage.try_set(Stage::Going(exploration.progress()));
                host::pause(0).await;
            }
            stage.try_set(Stage::Done { report: exploration.report(), cap: most, is_cancelled });
        });
    };
    let cancel = move || going.update(|going| *going += 1);
    let is_going = move || matches!(*stage.read(), Stage::Going(_));
    view! {
        <section class="card explore" aria-labelledby="explore-title">
            <h3 id="explore-title">"Every order"</h3>
            <div class="bar">
                <button
                    type="button"
                    class="button primary"
                    on:click=click(move || if is_going() { cancel() } else { explore() })
                >
                    {text(move || if is_going() { "Cancel" } else { "Explore all" }.to_owned())}
                </button>
                <label for="cap">"At the most"</label>
                <select id="cap" on:change=value(move |text| cap.set(text.parse().unwrap_or(CAPS[1])))>
                    {CAPS
                        .map(|states| {
                            let is_chosen = flag(move || cap.get() == states);
                            let title = format!("{} states", grouped(states as u64));
                            view! { <option value=states.to_string() selected=is_chosen>{title}</option> }
                        })
                        .collect_view()}
                </select>
                <span class="going" hidden=flag(move || !is_going())>
                    {part(move || match &*stage.read() {
                        Stage::Going(progress) => {
                            let share = (progress.share * 1000.0) as u32;
                            Some(view! {
                                <progress max="1000" value=share aria-label="Tried so far"></progress>
                                " "
                                {format!("{} states", grouped(progress.states as u64))}
                            })
                        }
                        _ => None,
                    })}
                </span>
                <span class="about" hidden=flag(move || *stage.read() != Stage::Idle)>
                    "Tries every order in which the writers' requests can reach the store, and counts how they end."
                </span>
            </div>
            <div role="status">{part(move || match &*stage.read() {
                Stage::Done { report, cap, is_cancelled } => Some(found(race, report, *cap, *is_cancelled)),
                _ => None,
            })}</div>
        </section>
    }
}

/// A number that may be too large to be counted.
fn number(count: u128) -> String {
    u64::try_from(count).map_or_else(|_| "more than 18 quintillion".to_owned(), grouped)
}

/// What share a number is of all.
fn percent(count: u128, all: u128) -> String {
    let tenths = count.saturating_mul(1000).checked_div(all).unwrap_or(0);
    match tenths {
        0 => "< 0.1 %".to_owned(),
        tenths => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

fn found(race: Race, report: &Report, cap: usize, is_cancelled: bool) -> AnyView {
    let all = report.interleavings;
    let (reach, leads) = match (report.complete, all) {
        (true, 1) => ("The only order was tried: ".to_owned(), "it leads"),
        (true, _) => (format!("All {} orders were tried: ", number(all)), "they lead"),
        (false, 0) => ("No order was tried to its end: ".to_owned(), "what was tried leads"),
        (false, 1) => ("1 order was tried to its end: ".to_owned(), "what was tried leads"),
        (false, _) => (format!("{} orders were tried to their end: ", number(all)), "they lead"),
    };
    let states = match report.states {
        1 => "1 state".to_owned(),
        states => format!("{} different states", grouped(states as u64)),
    };
    let merged = match report.merged {
        0 => "no order came to a state that was known from another".to_owned(),
        1 => "once an order came to a state that was known and was not tried twice".to_owned(),
        times => format!(
            "{} times an order came to a state that was known and was not tried twice",
            grouped(times as u64)
        ),
    };
    let how = format!("{leads} through {states}, and {merged}.");
    let left_out = if report.complete {
        None
    } else if is_cancelled {
        Some("You cancelled it: there are more orders, and perhaps other ends. The counts are of what was tried.".to_owned())
    } else if report.endless {
        Some("An order was found that never ends: it leads back to where it was.".to_owned())
    } else {
        let cap = grouped(cap as u64);
        Some(format!(
            "The cap of {cap} states was met: there are more orders, and perhaps other ends. Fewer writers or \
             retries make it whole, or a higher cap."
        ))
    };
    let scenario = race.scenario.get_untracked();
    let names = scenario.roles.iter().map(|role| view! { <th scope="col">{role.name.clone()}</th> });
    let names = names.collect_view();
    let rows = report.outcomes.iter().map(|outcome| row(race, outcome, all)).collect_view();
    view! {
        <p class="reach"><b>{reach}</b>{how}</p>
        {left_out.map(|text| view! { <p class="cap"><span class="mark warn" data-shape="!">"not all"</span> " " {text}</p> })}
        <div class="wide-table">
            <table aria-label="Outcomes">
                <thead>
                    <tr>
                        {names}
                        <th scope="col" class="counted">"Orders"</th>
                        <th scope="col" class="counted">"Share"</th>
                        <th scope="col">"Does not hold"</th>
                        <th scope="col">"Shortest"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(race: Race, outcome: &Outcome, all: u128) -> impl IntoView + use<> {
    // The world's first writer set it up.
    let words = outcome.words.iter().skip(1).map(|words| {
        let marks = words.iter().map(|word| {
            let (class, shape) = words::mark_of(word);
            view! { <span class=format!("mark {class}") data-shape=shape>{words::word_of(word)}</span> " " }
        });
        view! { <td>{marks.collect_view()}</td> }
    });
    let wrong = match outcome.violations.as_slice() {
        [] => "nothing".into_any(),
        wrong => {
            view! { <ul>{wrong.iter().map(|wrong| view! { <li>{wrong.clone()}</li> }).collect_view()}</ul> }
                .into_any()
        }
    };
    let requests: Vec<usize> = outcome.shortest.iter().map(|writer| writer.saturating_sub(1)).collect();
    let label = format!("Open, {}", count(requests.len(), "request"));
    let open = click(move || {
        let scenario = race.scenario.get_untracked();
        if let Ok(scene) = Scene::of_requests((*scenario).clone(), &requests) {
            race.playing.set(false);
            race.put(&scene.order(), false, "");
            race.open.set(race.played.read_untracked().conflict());
            crate::focus(document().query_selector("#order-0"));
        }
    });
    view! {
        <tr class:broken=!outcome.violations.is_empty()>
            {words.collect_view()}
            <td class="counted">{number(outcome.interleavings)}</td>
            <td class="counted">{percent(outcome.interleavings, all)}</td>
            <td class="violations">{wrong}</td>
            <td>
                <button type="button" class="button small" on:click=open>
                    {label}
                </button>
            </td>
        </tr>
    }
}
