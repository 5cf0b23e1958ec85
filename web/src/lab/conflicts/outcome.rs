//! How it ended: who was told what, the state, and what does not hold.

use super::{Race, words};
use crate::{erased::part, format::count};
use leptos::prelude::*;

#[component]
pub(super) fn Outcome(race: Race) -> impl IntoView {
    let shown = move || {
        let (played, scenario) = (race.played.get(), race.scenario.get());
        let rows = scenario.roles.iter().enumerate().map(|(index, role)| {
            let ends = played.steps.iter().filter(|step| step.role == index);
            let ends: Vec<_> = ends.filter_map(|step| step.ended.as_ref()).map(words::end).collect();
            let told = match (ends.is_empty(), played.next.get(index).copied().flatten()) {
                (true, Some(next)) => {
                    let next = format!("{} comes next", next.word());
                    view! { <span class="mark" data-shape="…">"on its way"</span> " " {next} }.into_any()
                }
                _ => ends
                    .into_iter()
                    .map(|((class, shape), word, told)| {
                        view! {
                            <span class="told">
                                <span class=format!("mark {class}") data-shape=shape>{words::word_of(&word)}</span>
                                " "
                                {told}
                            </span>
                        }
                    })
                    .collect_view()
                    .into_any(),
            };
            view! {
                <tr class=format!("role-{index}")>
                    <th scope="row">{role.name.clone()}</th>
                    <td>{told}</td>
                </tr>
            }
        });
        let end = played.end.clone();
        let state = end.as_ref().map(|end| {
            let gist = words::gist_of(scenario.aggregate, &end.state);
            view! {
                <p class="final">
                    {if played.is_over { "In the end: " } else { "So far: " }}
                    <b>{format!("version {}", end.version)}</b>
                    ", "
                    <b>{gist}</b>
                    ", "
                    {count(end.events.len(), "event")}
                    "."
                </p>
            }
        });
        let wrong = end.filter(|_| played.is_over).map(|end| {
            if end.violations.is_empty() {
                return view! {
                    <p class="holds">
                        <span class="mark good" data-shape="✓">"everything holds"</span>
                        " The events run without a gap, the row is what they make, and everybody was told what happened."
                    </p>
                }
                .into_any();
            }
            let wrong = end.violations.into_iter().map(|wrong| view! { <li>{wrong}"."</li> });
            view! {
                <div class="wrong">
                    <span class="mark bad" data-shape="✕">"this does not hold"</span>
                    <ul>{wrong.collect_view()}</ul>
                </div>
            }
            .into_any()
        });
        view! {
            <div class="wide-table"><table aria-label="Who was told what"><tbody>{rows.collect_view()}</tbody></table></div>
            {state}
            {wrong}
        }
    };
    view! {
        <section class="card outcomes" aria-labelledby="outcome-title">
            <h3 id="outcome-title">"Outcome"</h3>
            <div aria-live="polite">{part(shown)}</div>
        </section>
    }
}
