//! The order of the steps, to be changed: by dragging, with buttons, or with Alt and the arrows.

use super::{Race, words::shape};
use crate::{
    erased::{click, flag, parts, text, word},
    focus,
};
use leptos::{
    ev::{DragEvent, KeyboardEvent},
    prelude::*,
};

#[component]
pub(super) fn Order(race: Race, count: Memo<usize>) -> impl IntoView {
    // The step that is being dragged, and the place it would go to.
    let dragged = RwSignal::new(None::<usize>);
    let over = RwSignal::new(None::<usize>);
    let one = move |index: usize| chip(race, index, dragged, over);
    let shift = move |by: isize| {
        click(move || {
            if let Some(open) = race.open.get_untracked()
                && let Some(to) = open.checked_add_signed(by)
            {
                race.shift(open, to);
            }
        })
    };
    let cannot = move |by: isize| {
        word(move || {
            let to = race.open.get().and_then(|open| open.checked_add_signed(by));
            to.is_none_or(|to| to >= count.get())
        })
    };
    view! {
        <div class="order" hidden=flag(move || count.get() == 0)>
            <p class="caption" id="order-title">
                "Order "
                <span class="help">"Drag a step to another place, or choose one and move it (Alt and ← or →)."</span>
            </p>
            <div class="bar">
                <ol class="strip" aria-labelledby="order-title">{parts(move || 0..count.get(), one)}</ol>
                <div class="moves">
                    <button
                        type="button"
                        class="button small"
                        aria-disabled=cannot(-1)
                        on:click=shift(-1)
                    >
                        "Earlier"
                    </button>
                    <button
                        type="button"
                        class="button small"
                        aria-disabled=cannot(1)
                        on:click=shift(1)
                    >
                        "Later"
                    </button>
                </div>
            </div>
        </div>
    }
}

fn chip(
    race: Race,
    index: usize,
    dragged: RwSignal<Option<usize>>,
    over: RwSignal<Option<usize>>,
) -> AnyView {
    let step = Memo::new(move |_| {
        let played = race.played.read();
        let step = played.steps.get(index)?;
        Some((step.role, step.kind()))
    });
    let name = move || {
        let role = step.get().map_or(0, |(role, _)| role);
        race.scenario.read().roles.get(role).map_or_else(String::new, |role| role.name.clone())
    };
    let label = text(move || {
        let kind = step.get().map_or("", |(_, kind)| kind.word());
        format!("Step {}, {}: {kind}", index + 1, name())
    });
    let keyed = move |event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowLeft" => -1,
            "ArrowRight" => 1,
            _ => return,
        };
        // Without Alt the arrows go through the steps.
        event.prevent_default();
        let Some(to) = index.checked_add_signed(by) else { return };
        if event.alt_key() {
            race.shift(index, to);
        }
        focus(document().query_selector(&format!("#order-{to}")));
    };
    let start = move |event: DragEvent| {
        if let Some(transfer) = event.data_transfer() {
            // Firefox drags nothing that carries nothing.
            drop(transfer.set_data("text/plain", &index.to_string()));
        }
        dragged.set(Some(index));
    };
    let enter = move |event: DragEvent| {
        if dragged.get_untracked().is_some() {
            event.prevent_default();
            over.set(Some(index));
        }
    };
    let end = move |event: DragEvent| {
        event.prevent_default();
        over.set(None);
        if let Some(from) = dragged.get_untracked() {
            dragged.set(None);
            race.shift(from, index);
        }
    };
    view! {
        <li
            class=text(move || format!("chip-step role-{}", step.get().map_or(0, |(role, _)| role)))
            class:over=flag(move || over.get() == Some(index) && dragged.get() != Some(index))
            class:dragged=flag(move || dragged.get() == Some(index))
            draggable="true"
            on:dragstart=start
            on:dragover=enter
            on:drop=end
            on:dragend=move |_| {
                dragged.set(None);
                over.set(None);
            }
        >
            <button
                type="button"
                id=format!("order-{index}")
                aria-label=label
                aria-pressed=word(move || race.open.get() == Some(index))
                on:keydown=keyed
                on:click=click(move || race.open.set(Some(index)))
            >
                <span aria-hidden="true">{text(move || step.get().map_or("", |(_, kind)| shape(kind)).to_owned())}</span>
                <span aria-hidden="true">{text(name)}</span>
            </button>
        </li>
    }
    .into_any()
}
