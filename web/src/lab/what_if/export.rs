//! The branch as given/when/then tests, to be taken along.

use super::{Desk, rows::aggregate_of};
use crate::{
    erased::{click, flag, part, text, word},
    format::grouped,
    host,
};
use leptos::prelude::*;
use rewound_core::timeline::export::{MAX_CASES, javascript_tests, rust_tests};
use wasm_bindgen_futures::spawn_local;

/// The most lines that are shown; the file has all.
const LINES: usize = 240;

pub(super) fn export(desk: Desk) -> impl IntoView {
    let is_rust = RwSignal::new(true);
    // The text of a long history is only made where somebody wants it.
    let open = RwSignal::new(true);
    let is_long = Memo::new(move |_| desk.with(|original, _| original.len() > 500).unwrap_or(false));
    Effect::new(move |_| open.set(!is_long.get()));
    let whole = Memo::new(move |_| {
        if !open.get() || desk.turn.read().more {
            return None;
        }
        desk.with(|original, branch| {
            let tests = if is_rust.get() { rust_tests(branch) } else { javascript_tests(branch) };
            let letters =
                |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
            let name: String = aggregate_of(original).chars().map(letters).collect();
            let name =
                if is_rust.get() { format!("what_if_{name}.rs") } else { format!("what-if-{name}.test.mjs") };
            (name, tests)
        })
    });
    let copied = RwSignal::new("");
    Effect::new(move |_| {
        whole.track();
        copied.set("");
    });
    let copy = click(move || {
        let Some((_, tests)) = whole.get_untracked() else { return };
        spawn_local(async move {
            let done = host::copy(&tests).await;
            // By now another screen may be shown.
            let _ = copied.try_set(if done {
                "Copied."
            } else {
                "The browser does not let it: select the text."
            });
        });
    });
    let choice = |rust: bool, name: &'static str| {
        view! {
            <label class="chip">
                <input
                    type="radio"
                    name="language"
                    prop:checked=flag(move || is_rust.get() == rust)
                    on:change=move |_| is_rust.set(rust)
                />
                <span>{name}</span>
            </label>
        }
    };
    let tests = move || {
        if !open.get() {
            return ().into_any();
        }
        let Some((_, tests)) = whole.get() else {
            return view! { <p class="empty">"The tests come when every event was decided."</p> }.into_any();
        };
        let lines = tests.lines().count();
        let shown: Vec<&str> = tests.lines().take(LINES).collect();
        let more = lines.saturating_sub(LINES);
        view! {
            <pre class="code-text" tabindex="0" role="region" aria-label="The tests"><code>{shown.join("\n")}</code></pre>
            {(more > 0).then(|| view! { <p class="about">{format!("{} more lines are in the file.", grouped(more as u64))}</p> })}
        }
        .into_any()
    };
    let file = move || whole.read().as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
    let address = move || whole.read().as_ref().map(|(_, tests)| host::as_address(tests)).unwrap_or_default();
    view! {
        <section class="card export" aria-labelledby="export-title">
            <h3 id="export-title">"As given/when/then tests"</h3>
            <p class="about">
                {format!("They run as they are, from the first difference on: {MAX_CASES} events at the most. ")}
                "Rust: a file in " <code>"tests/"</code> " of a crate that depends on " <code>"rewound-core"</code>
                ". JavaScript: " <code>"node --test"</code> " beside the package " <code>"rewound"</code> "."
            </p>
            <div class="bar">
                <div class="chips" role="radiogroup" aria-label="Language">{choice(true, "Rust")} {choice(false, "JavaScript")}</div>
                <button
                    type="button"
                    class="button"
                    hidden=flag(move || !is_long.get())
                    aria-expanded=word(move || open.get())
                    on:click=click(move || open.update(|open| *open = !*open))
                >
                    {text(move || if open.get() { "Hide the tests" } else { "Show the tests" }.to_owned())}
                </button>
                <button type="button" class="button" hidden=flag(move || whole.read().is_none()) on:click=copy>"Copy"</button>
                <a class="button" hidden=flag(move || whole.read().is_none()) href=text(address) download=text(file)>"Download"</a>
                <span role="status">{text(move || copied.get().to_owned())}</span>
            </div>
            {part(tests)}
        </section>
    }
}
