//! What the command in the form would take on DynamoDB, by the lab's word.

use super::erased::maybe;
use crate::host;
use leptos::{ev, html, prelude::*};
use rewound_web::link;
use wasm_bindgen_futures::spawn_local;

/// A part of the form that is unfolded. `order` is what [`link::price`] takes; empty where there is no whole command.
#[component]
pub(crate) fn Price(order: Memo<String>) -> impl IntoView {
    let fold = NodeRef::<html::Details>::new();
    let place = NodeRef::<html::Div>::new();
    let open = RwSignal::new(false);
    let failed = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        let (true, Some(place)) = (open.get(), place.get()) else { return };
        let order = order.get();
        spawn_local(async move {
            let priced = link::price(&place, &order).await;
            // The form may be closed by now.
            let _ = failed.try_set(priced.err().map(|error| host::said(&error)));
        });
    });
    let toggled = move |_: ev::Event| open.set(fold.get().is_some_and(|fold| fold.open()));
    view! {
        <details class="price" node_ref=fold on:toggle=toggled>
            <summary>"What it costs on DynamoDB"</summary>
            <p class="outcome refused" role="alert">
                {maybe(move || failed.get().map(|error| format!("This could not be brought: {error}.")))}
            </p>
            <div node_ref=place></div>
        </details>
    }
}
