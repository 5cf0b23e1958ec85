//! What a person sets once: the colours, and a fresh start.

use super::{
    erased::{click, flag, text, value},
    icon::{Icon, MORE},
};
use crate::app::App;
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
        <div id="menu" class="menu" popover="auto" role="dialog" aria-label="Settings">
            <fieldset class="choice">
                <legend>"Colours"</legend>
                <div class="chips">{themes.collect_view()}</div>
            </fieldset>
            <p class="about">"Nothing leaves this browser. It holds " {text(move || app.inventory())} "."</p>
            <details>
                <summary>"Start over…"</summary>
                <p class="about">
                    "Every stream and file goes, also from the browser's storage, and the demo begins again. There is no way back."
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
