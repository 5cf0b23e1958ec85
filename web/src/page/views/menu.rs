//! What a person sets once: the colours, what is to go, and a fresh start.

use super::{
    close::Close,
    erased::{click, flag, part, text, value},
    focus,
    icon::{Icon, MORE},
};
use crate::{app::App, keep::Trouble};
use leptos::prelude::*;

/// The names of the themes, and what they are called.
const THEMES: [(&str, &str); 3] = [("system", "As the system"), ("light", "Light"), ("dark", "Dark")];

/// A button, and the menu that the browser itself opens and closes below it.
#[component]
pub(crate) fn Menu(app: App) -> impl IntoView {
    Effect::new(move |_| {
        if let Some(root) = document().document_element() {
            // An element takes any attribute.
            let _ = root.set_attribute("data-theme", &app.theme.read());
        }
    });
    let themes = THEMES.map(|(name, title)| {
        view! {
            <label class="chip">
                <input
                    type="radio"
                    name="theme"
                    value=name
                    prop:checked=flag(move || *app.theme.read() == name)
                    on:change=value(move |name| app.theme.set(name))
                />
                <span>{title}</span>
            </label>
        }
    });
    view! {
        <button type="button" class="round" aria-label="Settings" title="Settings" popovertarget="menu">
            <Icon path=MORE />
        </button>
        <div id="menu" class="menu" popover="auto" role="dialog" aria-label="Settings" tabindex="-1">
            <fieldset class="choice">
                <legend>"Colours"</legend>
                <div class="chips">{themes.collect_view()}</div>
            </fieldset>
            <p class="about">
                "Nothing leaves this browser. It holds " {text(move || app.own())} " of your own"
                {text(move || if app.imports().is_empty() { "." } else { ", and these imports:" }.to_owned())}
            </p>
            <ul class="files">{part(move || app.imports().into_iter().map(|file| import(app, file)).collect_view())}</ul>
            // Another window's streams are not for this one to remove.
            <details hidden=flag(move || app.troubles.read().window == Some(Trouble::OtherWindow))>
                <summary>"Start over…"</summary>
                <p class="about">
                    "Every stream and file goes, here and wherever this browser keeps them, and the demo begins again. There is no way back."
                </p>
                <button
                    type="button"
                    class="button danger wide"
                    popovertarget="menu"
                    popovertargetaction="hide"
                    on:click=click(move || app.start_over())
                >
                    "Remove everything"
                </button>
            </details>
        </div>
    }
}

/// A file that was imported, to be removed.
fn import(app: App, (number, name, events): (u32, String, String)) -> impl IntoView + use<> {
    let remove = click(move || {
        app.remove(number);
        // The button goes; the focus stays in the menu.
        focus(document().query_selector("#menu"));
    });
    view! {
        <li>
            <span class="name" title=name.clone()>{name.clone()}</span>
            <span class="tally">{events}</span>
            <Close label=format!("Remove {name}") act=remove />
        </li>
    }
}
