//! The race in its order, as a test to be run elsewhere.

use super::Race;
use crate::{
    erased::{click, part, text, word},
    host,
};
use leptos::{prelude::*, task::spawn_local};
use rewound_core::sim::{javascript_test, rust_test};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    JavaScript,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::JavaScript => "JavaScript",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Language::Rust => "race.rs",
            Language::JavaScript => "race.test.mjs",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Language::Rust => {
                "Put it into the folder tests of a crate that depends on rewound-core, and run cargo test."
            }
            Language::JavaScript => {
                "Put it beside a node_modules with the package rewound, and run node --test race.test.mjs."
            }
        }
    }
}

#[component]
pub(super) fn Export(race: Race) -> impl IntoView {
    let language = RwSignal::new(None::<Language>);
    let copied = RwSignal::new("");
    let source = Memo::new(move |_| {
        let language = language.get()?;
        let (scenario, played) = (race.scenario.read(), race.played.read());
        let order: Vec<usize> =
            played.steps.iter().filter(|step| step.is_request()).map(|step| step.role).collect();
        let source = match language {
            Language::Rust => rust_test(&scenario, &order),
            Language::JavaScript => javascript_test(&scenario, &order),
        };
        copied.set("");
        Some(source.unwrap_or_else(|error| error.to_string()))
    });
    let choose = move |chosen: Language| {
        let is_chosen = word(move || language.get() == Some(chosen));
        let choose = click(move || language.update(|now| *now = (*now != Some(chosen)).then_some(chosen)));
        view! {
            <button type="button" class="button" aria-expanded=is_chosen on:click=choose>
                {format!("{} test", chosen.name())}
            </button>
        }
    };
    let copy = move || {
        let Some(source) = source.get_untracked() else { return };
        spawn_local(async move {
            let done = host::copy(&source).await;
            let said = if done { "Copied." } else { "The browser keeps its clipboard: select the text." };
            copied.try_set(said);
        });
    };
    let shown = move || {
        let language = language.get()?;
        let link = text(move || host::as_address(&source.get().unwrap_or_default()));
        Some(view! {
            <p class="about">{language.about()}</p>
            <div class="bar">
                <button type="button" class="button small" on:click=click(copy)>"Copy"</button>
                <a class="button small" download=language.file() href=link>{format!("Download {}", language.file())}</a>
                <span role="status">{move || copied.get()}</span>
            </div>
            <pre class="source" tabindex="0" role="region" aria-label=format!("The {} test", language.name())>
                <code>{text(move || source.get().unwrap_or_default())}</code>
            </pre>
        })
    };
    let rest = move || {
        let is_over = race.played.read().is_over;
        (!is_over)
            .then_some("What is not played yet is played to its end in the test, each writer in its turn.")
    };
    view! {
        <section class="card exports" aria-labelledby="export-title">
            <h3 id="export-title">"Take it with you"</h3>
            <div class="bar">
                {choose(Language::Rust)}
                {choose(Language::JavaScript)}
                <span class="about">"This order, as a test that runs as it is."</span>
            </div>
            <p class="about">{part(rest)}</p>
            {part(shown)}
        </section>
    }
}
