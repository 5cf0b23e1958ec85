//! The page, and each of its parts in a module of its own.

// What `#[component]` makes of a function is `pub`, however it was written.
#![allow(unreachable_pub)]

mod command;
mod dialogs;
mod events;
mod header;
mod lab;
mod menu;
mod notice;
mod price;
mod scrubber;
mod share;
mod state;
mod streams;
mod virtual_list;
mod why;

use crate::{actions, app::App};
use erased::{flag, part};
use leptos::{ev, prelude::*};
use rewound_web::{close, erased, focus, icon, json, route::SCREENS};
use web_sys::{DragEvent, FileList};

/// The whole page.
#[component]
pub(crate) fn Page(app: App) -> impl IntoView {
    let dragging = RwSignal::new(false);

    // Files may be dropped anywhere, so that nobody has to aim, and no drop leaves the page.
    let over = window_event_listener(ev::dragover, move |event| {
        if has_files(&event) {
            event.prevent_default();
            dragging.set(true);
        }
    });
    let leave = window_event_listener(ev::dragleave, move |event| {
        if event.related_target().is_none() {
            dragging.set(false);
        }
    });
    let dropped = window_event_listener(ev::drop, move |event| {
        if has_files(&event) {
            event.prevent_default();
            dragging.set(false);
            app.import(listed(event.data_transfer().and_then(|transfer| transfer.files())));
        }
    });
    let pressed = window_event_listener(ev::keydown, move |event| actions::pressed(app, &event));
    // A page that is left may not come back: what it was like is written down then.
    for event in ["pagehide", "visibilitychange"] {
        drop(window_event_listener_untyped(event, move |_| app.keep_settings()));
    }
    on_cleanup(move || {
        over.remove();
        leave.remove();
        dropped.remove();
        pressed.remove();
    });

    view! {
        <header::Header app=app />
        <notice::Notice app=app />
        <main class="panes" class:commanding=flag(move || app.commanding.get()) hidden=flag(move || !at_home(app))>
            <streams::Streams app=app />
            <events::Events app=app />
            <state::State app=app />
            {part(move || app.commanding.get().then(|| view! { <command::CommandPanel app=app /> }))}
        </main>
        <lab::Screen app=app />
        <scrubber::Scrubber app=app hidden=flag(move || !at_home(app)) />
        <dialogs::Dialogs app=app />
        <div class="drop" hidden=flag(move || !dragging.get())>
            <p>"Drop to import"</p>
        </div>
    }
}

/// Whether the page's own screen is shown.
fn at_home(app: App) -> bool {
    app.screen.get() == SCREENS[0].name
}

/// Gives the focus to the first that the selector finds.
pub(crate) fn focus_on(selector: &str) {
    focus(document().query_selector(selector));
}

fn has_files(event: &DragEvent) -> bool {
    event.data_transfer().is_some_and(|transfer| transfer.types().includes(&"Files".into(), 0))
}

fn listed(files: Option<FileList>) -> Vec<web_sys::File> {
    let files = files.as_ref();
    files.map_or(0..0, |files| 0..files.length()).filter_map(|index| files?.get(index)).collect()
}
