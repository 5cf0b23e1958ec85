//! What lies over the page: the palette with the keys, and what is shared.

use super::{
    close::Close,
    erased::{click, flag, maybe, part, text, value, word},
    focus,
    share::Share,
};
use crate::{
    actions::{ACTIONS, Action, Dialog},
    app::App,
    format::{grouped, kind},
    host,
    workspace::Summary,
};
use leptos::{ev, html, prelude::*};
use std::sync::Arc;

/// The most streams that the palette names; typing makes them fewer.
const MOST: usize = 40;

#[component]
pub(crate) fn Dialogs(app: App) -> impl IntoView {
    let frame = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let (Some(frame), open) = (frame.get(), app.dialog.get()) else { return };
        match open {
            // The browser keeps the focus inside, and gives it back.
            Some(_) if !frame.open() => drop(frame.show_modal()),
            None => frame.close(),
            Some(_) => {}
        }
    });
    let content = part(move || match app.dialog.get() {
        None => ().into_any(),
        Some(Dialog::Share) => view! { <Share app=app /> }.into_any(),
        Some(dialog) => view! { <Palette app=app keys=dialog == Dialog::Keys /> }.into_any(),
    });
    let title = text(move || match app.dialog.get() {
        Some(Dialog::Share) => "Share or export".to_owned(),
        Some(Dialog::Keys) => "Keys".to_owned(),
        _ => "Do or go to".to_owned(),
    });
    // A press beside it closes it, as people expect. (Its own edge is part of it, and a selection may end anywhere.)
    let beside = move |event: ev::MouseEvent| {
        let Some(frame) = frame.get_untracked() else { return };
        let place = frame.get_bounding_client_rect();
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        if x < place.left() || x > place.right() || y < place.top() || y > place.bottom() {
            app.dialog.set(None);
        }
    };
    // The browser tells of it later, and by then another box may be open.
    let closed = move |_| {
        if frame.get_untracked().is_some_and(|frame| !frame.open()) {
            app.dialog.set(None);
        }
    };
    view! {
        <dialog
            class="over"
            aria-labelledby="over-title"
            node_ref=frame
            on:cancel=move |_: ev::Event| app.dialog.set(None)
            on:close=closed
            on:mousedown=beside
        >
            <div class="pane-head">
                <h2 id="over-title">{title}</h2>
                <Close label="Close" act=click(move || app.dialog.set(None)) />
            </div>
            {content}
        </dialog>
    }
}

/// A line of the palette.
#[derive(Clone)]
enum Choice {
    Do(&'static Action),
    Version(u64),
    Open(Arc<Summary>),
}

impl Choice {
    fn take(&self, app: App) {
        app.dialog.set(None);
        match self {
            Self::Do(action) => (action.act)(app),
            Self::Version(version) => {
                app.seek(*version);
                app.go_home();
            }
            Self::Open(stream) => {
                app.open(stream.key.clone());
                app.go_home();
            }
        }
    }

    fn titles(&self) -> (String, String) {
        match self {
            Self::Do(action) => (action.title.to_owned(), action.key.to_owned()),
            Self::Version(version) => (format!("Go to version {}", grouped(*version)), String::new()),
            Self::Open(stream) => (
                stream.label.clone(),
                format!("{} v{}", kind(&stream.key.aggregate), grouped(stream.version)),
            ),
        }
    }
}

/// What the words in the palette may mean.
fn choices(app: App, words: &str, keys: bool) -> Vec<Choice> {
    let words = host::lower_case(words);
    let words: Vec<&str> = words.split_whitespace().collect();
    let actions = ACTIONS.iter().filter(|action| {
        let title = action.title.to_ascii_lowercase();
        (keys || action.is_here(app)) && words.iter().all(|word| title.contains(word))
    });
    let mut choices: Vec<_> = actions.map(Choice::Do).collect();
    if let [word] = words[..]
        && let Ok(version) = word.parse()
        && version <= app.length.get()
    {
        choices.insert(0, Choice::Version(version));
    }
    if !keys {
        let streams = app.streams.read();
        let streams = streams.iter().filter(|stream| stream.matches(&words));
        choices.extend(streams.take(MOST).cloned().map(Choice::Open));
    }
    choices
}

#[component]
fn Palette(app: App, keys: bool) -> impl IntoView {
    let words = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let found = Memo::new_with_compare(move |_| Arc::new(choices(app, &words.read(), keys)), |_, _| true);
    let take = move |index: usize| {
        let choice = found.read_untracked().get(index).cloned();
        if let Some(choice) = choice {
            choice.take(app);
        }
    };
    let on_keydown = move |event: ev::KeyboardEvent| {
        let last = found.read_untracked().len().saturating_sub(1);
        let next = match (event.key().as_str(), at.get_untracked()) {
            ("ArrowDown", at) => (at + 1).min(last),
            ("ArrowUp", at) => at.saturating_sub(1),
            ("Enter", at) => {
                event.prevent_default();
                return take(at);
            }
            _ => return,
        };
        event.prevent_default();
        at.set(next);
        if let Some(row) = document().get_element_by_id(&format!("choice-{next}")) {
            row.scroll_into_view_with_bool(false);
        }
    };
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if field.get().is_some() {
            focus(document().query_selector("#palette"));
        }
    });
    let rows = part(move || {
        let rows = found.get();
        let rows = rows.iter().enumerate().map(|(index, choice)| {
            let (title, note) = choice.titles();
            let is_key = matches!(choice, Choice::Do(_));
            view! {
                <div
                    class="choice-row"
                    role="option"
                    id=format!("choice-{index}")
                    aria-selected=word(move || at.get() == index)
                    on:click=click(move || take(index))
                >
                    <span>{title}</span>
                    <span class:key=is_key class="note">{note}</span>
                </div>
            }
        });
        rows.collect_view()
    });
    let switch = keys.then(|| {
        view! {
            <label class="switch">
                <input
                    type="checkbox"
                    prop:checked=flag(move || app.keys.get())
                    on:change=click_change(move || app.keys.update(|keys| *keys = !*keys))
                />
                "Keys work by themselves, wherever nothing is being written"
            </label>
            <p class="about">
                <kbd>"Ctrl K"</kbd> " (or " <kbd>"⌘ K"</kbd> ") opens the palette, and always works. In lists and on the slider the arrow keys, Page up and down, Home and End move."
            </p>
        }
    });
    view! {
        <input
            id="palette"
            node_ref=field
            type="text"
            role="combobox"
            autocomplete="off"
            aria-expanded="true"
            aria-controls="choices"
            aria-label="Do or go to"
            placeholder="A stream, a version, or what to do"
            aria-activedescendant=maybe(move || (!found.read().is_empty()).then(|| format!("choice-{}", at.get())))
            on:input=value(move |text| {
                words.set(text);
                at.set(0);
            })
            on:keydown=on_keydown
        />
        <div class="choices" id="choices" role="listbox" aria-label="What was found">{rows}</div>
        <p class="empty" role="status" hidden=flag(move || !found.read().is_empty())>"Nothing is called that."</p>
        {switch}
    }
}

fn click_change(mut act: impl FnMut() + 'static) -> Box<dyn FnMut(ev::Event)> {
    Box::new(move |_| act())
}
