//! The place of the lab on the page: empty until one of its screens is opened for the first time.

use super::{
    at_home,
    erased::{click, flag, part},
};
use crate::{app::App, host};
use leptos::{html, prelude::*};
use rewound_web::link;
use wasm_bindgen_futures::spawn_local;

/// How the lab is.
#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Unasked,
    Coming,
    There,
    Failed(String),
}

#[component]
pub(crate) fn Screen(app: App) -> impl IntoView {
    let stage = RwSignal::new(Stage::Unasked);
    let place = NodeRef::<html::Div>::new();
    let bring = move || {
        let Some(place) = place.get_untracked() else { return };
        stage.set(Stage::Coming);
        spawn_local(async move {
            let came = link::open_lab(&place, &app.for_the_lab()).await;
            stage.set(came.map_or_else(|error| Stage::Failed(host::said(&error)), |_| Stage::There));
        });
    };
    Effect::new(move |_| {
        if !at_home(app) && place.read().is_some() && stage.get_untracked() == Stage::Unasked {
            bring();
        }
    });
    let about = part(move || match stage.get() {
        Stage::Unasked | Stage::There => ().into_any(),
        Stage::Coming => {
            view! { <p class="empty" role="status">"This screen is being brought…"</p> }.into_any()
        }
        Stage::Failed(error) => view! {
            <div class="empty" role="alert">
                <p>{format!("This screen could not be brought: {error}.")}</p>
                <button type="button" class="button" on:click=click(bring)>"Try again"</button>
            </div>
        }
        .into_any(),
    });
    view! {
        <main class="lab" hidden=flag(move || at_home(app))>
            {about}
            <div id="lab" node_ref=place></div>
        </main>
    }
}
