//! What can be done anywhere on the page: by the palette, and most of it by one key.

use crate::{app::App, views::focus_on};
use leptos::{ev::KeyboardEvent, prelude::*};
use rewound_web::route::{Route, SCREENS};
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Something to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    /// The key that does it, without Ctrl or the like.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// Whether it belongs to the streams and is done there alone.
    at_home: bool,
    pub(crate) act: fn(App),
}

/// A box that lies over the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// Everything that can be done, and every stream, by name.
    Palette,
    /// The keys.
    Keys,
    /// Links and files.
    Share,
}

const fn home(key: &'static str, title: &'static str, act: fn(App)) -> Action {
    Action { key, title, at_home: true, act }
}

const fn anywhere(key: &'static str, title: &'static str, act: fn(App)) -> Action {
    Action { key, title, at_home: false, act }
}

/// Every action, as the list of keys shows them.
pub(crate) static ACTIONS: [Action; 17] = [
    home("k", "Play or pause", App::play_or_pause),
    home("j", "One event back", |app| app.seek(app.version.get_untracked().saturating_sub(1))),
    home("l", "One event on", |app| app.seek(app.version.get_untracked().saturating_add(1))),
    home("0", "Before the first event", |app| app.seek(0)),
    home("e", "To the last event", |app| app.seek(u64::MAX)),
    home("/", "Filter the streams", |_| focus_on(".filter")),
    home("c", "Send a command", open_form),
    anywhere("1", SCREENS[0].title, |app| visit(app, 0)),
    anywhere("2", SCREENS[1].title, |app| visit(app, 1)),
    anywhere("3", SCREENS[2].title, |app| visit(app, 2)),
    anywhere("4", SCREENS[3].title, |app| visit(app, 3)),
    anywhere("5", SCREENS[4].title, |app| visit(app, 4)),
    anywhere("6", SCREENS[5].title, |app| visit(app, 5)),
    anywhere("i", "Import events", |_| pick()),
    anywhere("s", "Share or export", |app| app.dialog.set(Some(Dialog::Share))),
    anywhere("d", "Light or dark", |app| {
        app.theme.update(|theme| *theme = if theme == "dark" { "light" } else { "dark" }.to_owned());
    }),
    anywhere("?", "Keys", |app| app.dialog.set(Some(Dialog::Keys))),
];

impl Action {
    /// Whether it can be done on the screen that is shown.
    pub(crate) fn is_here(&self, app: App) -> bool {
        !self.at_home || app.screen.get() == SCREENS[0].name
    }
}

/// Does what a key that was pressed anywhere on the page means.
pub(crate) fn pressed(app: App, event: &KeyboardEvent) {
    // Asked of the browser, which closes a box at once and tells of it later.
    let is_over = matches!(document().query_selector("dialog[open]"), Ok(Some(_)));
    if event.default_prevented() || event.is_composing() || is_over {
        return;
    }
    let key = event.key();
    if (event.ctrl_key() || event.meta_key()) && !event.alt_key() && key.eq_ignore_ascii_case("k") {
        event.prevent_default();
        return app.dialog.set(Some(Dialog::Palette));
    }
    // Whoever writes means letters; so does whoever has switched the keys off.
    if event.ctrl_key() || event.meta_key() || event.alt_key() || !app.keys.get_untracked() || writes(event) {
        return;
    }
    let is_here = |action: &&Action| action.key == key && untrack(|| action.is_here(app));
    if let Some(action) = ACTIONS.iter().find(is_here) {
        event.prevent_default();
        (action.act)(app);
    }
}

/// Whether the key goes to something that takes letters, or chooses by them.
fn writes(event: &KeyboardEvent) -> bool {
    const TAKES: &str = "textarea, select, [contenteditable], \
        input:not([type=range], [type=checkbox], [type=radio], [type=file])";
    let element = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    // Where it cannot be asked it is left alone.
    element.is_some_and(|element| element.matches(TAKES).unwrap_or(true))
}

/// Lets a person choose files.
fn pick() {
    let picker = document().get_element_by_id("file");
    if let Some(picker) = picker.and_then(|picker| picker.dyn_into::<web_sys::HtmlElement>().ok()) {
        picker.click();
    }
}

/// Goes to a screen, as it was left.
fn visit(app: App, screen: usize) {
    if let Some(screen) = SCREENS.get(screen).filter(|screen| screen.name != app.screen.get_untracked()) {
        Route::parse(&untrack(|| app.way_to(screen))).go();
    }
}

/// Opens the form for a command, or goes on in it: what was typed there stays.
fn open_form(app: App) {
    if app.commanding.get_untracked() {
        return focus_on("#target");
    }
    app.open_or_close_form();
}
