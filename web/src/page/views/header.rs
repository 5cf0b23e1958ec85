//! The head of the page: its name, and the two things to begin with.

use super::{
    at_home,
    erased::{click, maybe, text, value, word},
    icon::{IMPORT, Icon, SEARCH, SEND, SHARE},
    listed,
    menu::Menu,
};
use crate::{actions::Dialog, app::App};
use leptos::{ev, html, prelude::*};
use rewound_web::route::SCREENS;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

#[component]
pub(crate) fn Header(app: App) -> impl IntoView {
    let picker = NodeRef::<html::Input>::new();
    let pick = click(move || {
        if let Some(picker) = picker.get() {
            picker.click();
        }
    });
    let picked = value(move |_| {
        if let Some(picker) = picker.get() {
            app.import(listed(picker.files()));
            // The same file can be chosen again.
            picker.set_value("");
        }
    });
    let screens = SCREENS.iter().map(|screen| {
        let current = maybe(move || (app.screen.get() == screen.name).then(|| "page".to_owned()));
        // Where one is, one stays as one is.
        let stay = move |event: ev::MouseEvent| {
            if app.screen.get_untracked() == screen.name {
                event.prevent_default();
            }
        };
        view! { <a href=text(move || app.way_to(screen)) aria-current=current on:click=stay>{screen.title}</a> }
    });
    // Where the names of the screens do not fit side by side, the one that is shown comes into sight.
    let names = NodeRef::<html::Nav>::new();
    Effect::new(move |_| {
        let screen = SCREENS.iter().find(|screen| screen.name == app.screen.get());
        document().set_title(&match screen.filter(|screen| *screen != &SCREENS[0]) {
            Some(screen) => format!("{} · Rewound", screen.title),
            None => "Rewound: event sourcing you can see".to_owned(),
        });
        request_animation_frame(move || {
            let Some(names) = names.try_get_untracked().flatten() else { return };
            let current = names.query_selector("[aria-current=page]").ok().flatten();
            if let Some(current) = current.and_then(|current| current.dyn_into::<HtmlElement>().ok()) {
                let middle = current.offset_left() + current.offset_width() / 2;
                names.set_scroll_left(middle - names.offset_left() - names.client_width() / 2);
            }
        });
    });
    view! {
        <header class="top">
            <h1>
                <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
                    <rect width="16" height="16" rx="3.5" />
                    <path d="M8 4v8L2.5 8zM13.5 4v8L8 8z" />
                </svg>
                "Rewound"
            </h1>
            <nav class="screens" aria-label="Screens" node_ref=names>{screens.collect_view()}</nav>
            <div class="actions">
                <input
                    node_ref=picker
                    type="file"
                    class="unseen"
                    id="file"
                    tabindex="-1"
                    multiple
                    aria-label="Files with events"
                    on:change=picked
                />
                <button type="button" id="import-button" class="button" on:click=pick>
                    <Icon path=IMPORT />
                    "Import events"
                </button>
                <button
                    type="button"
                    class="button"
                    id="share-button"
                    on:click=click(move || app.dialog.set(Some(Dialog::Share)))
                >
                    <Icon path=SHARE />
                    "Share"
                </button>
                <button
                    type="button"
                    id="command-button"
                    class="button primary"
                    aria-expanded=word(move || app.commanding.get() && at_home(app))
                    on:click=click(move || app.open_or_close_form())
                >
                    <Icon path=SEND />
                    "Send a command"
                </button>
                <button
                    type="button"
                    class="round"
                    id="palette-button"
                    aria-label="Do or go to"
                    title="Do or go to (Ctrl K)"
                    on:click=click(move || app.dialog.set(Some(Dialog::Palette)))
                >
                    <Icon path=SEARCH />
                </button>
                <Menu app=app />
            </div>
        </header>
    }
}
