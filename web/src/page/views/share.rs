//! Links and files: what can be given to others.

use super::erased::{click, flag, maybe, part, text};
use crate::{
    app::{App, Format, LONGEST},
    format::{count, grouped},
    host,
};
use leptos::{html, prelude::*};
use wasm_bindgen_futures::spawn_local;

#[component]
pub(crate) fn Share(app: App) -> impl IntoView {
    // None until it is known; then a link, or that it would be too long, or why there is none.
    let scene = RwSignal::new(None::<Result<Option<String>, String>>);
    let said = RwSignal::new(String::new());
    let busy = RwSignal::new(None::<usize>);
    spawn_local(async move {
        let link = app.scene_link().await;
        // The box may be closed by now.
        let _ = scene.try_set(Some(link));
    });
    let say = move |text: String| {
        let _ = said.try_set(text);
    };

    let export = move |format: Format| {
        click(move || {
            if busy.get_untracked().is_some() {
                return;
            }
            busy.set(Some(0));
            said.set(String::new());
            spawn_local(async move {
                let tell = |events| {
                    let _ = busy.try_set(Some(events));
                };
                say(match app.export(format, tell).await {
                    Ok(events) => format!("{} in one file.", count(events, "event")),
                    Err(error) => format!("No file was written: {error}."),
                });
                let _ = busy.try_set(None);
            });
        })
    };
    let whole = move || {
        app.streams.track();
        let (events, streams) = app.whole();
        format!("{} in {}.", count(events, "event"), count(streams, "stream"))
    };
    view! {
        <p class="about">
            "Nothing leaves this browser by itself: it writes the files, and what stands behind the # of a link is never sent to a server."
        </p>
        <h3>"This scene as a link"</h3>
        {part(move || match scene.get() {
            None => view! { <p class="about" role="status">"It is being packed…"</p> }.into_any(),
            Some(Err(error)) => view! { <p class="about">{format!("There is no link: {error}.")}</p> }.into_any(),
            Some(Ok(None)) => view! { <TooLong app=app say=say /> }.into_any(),
            Some(Ok(Some(link))) => view! { <Link link=link say=say /> }.into_any(),
        })}
        <h3>"Everything as a file"</h3>
        <p class="about">{text(whole)} " Imported again, each event is the same: byte for byte from NDJSON, value for value from DynamoDB’s format."</p>
        <div class="buttons-row">
            <button type="button" class="button" on:click=export(Format::Ndjson)>"Save NDJSON"</button>
            <button type="button" class="button" on:click=export(Format::DynamoDb)>"Save a DynamoDB export"</button>
        </div>
        <p class="about" hidden=flag(move || busy.get().is_none())>
            <progress aria-label="The file is being written"></progress>
            {maybe(move || busy.get().map(|events| format!(" {} so far", count(events, "event"))))}
        </p>
        <p class="outcome" role="status">{text(move || said.get())}</p>
    }
}

#[component]
fn Link(link: String, say: impl Fn(String) + Copy + Send + 'static) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let about = format!(
        "{} characters: it holds every event that is needed to see this.",
        grouped(link.len() as u64)
    );
    let copy = {
        let link = link.clone();
        click(move || {
            let link = link.clone();
            spawn_local(async move {
                if host::copy(&link).await {
                    return say("The link is on the clipboard.".to_owned());
                }
                // It stands there to be copied by hand.
                if let Some(field) = field.try_get_untracked().flatten() {
                    field.select();
                }
                say("The browser does not let the page copy: the link is selected.".to_owned());
            });
        })
    };
    view! {
        <div class="buttons-row">
            <input type="text" id="scene" readonly aria-label="Link to this scene" node_ref=field value=link />
            <button type="button" class="button primary" on:click=copy>"Copy the link"</button>
        </div>
        <p class="about">{about}</p>
    }
}

#[component]
fn TooLong(app: App, say: impl Fn(String) + Copy + Send + 'static) -> impl IntoView {
    let save = click(move || {
        spawn_local(async move {
            say(match app.save_scene().await {
                Ok(()) => "The scene is in rewound-scene.ndjson: whoever has it imports it.".to_owned(),
                Err(error) => format!("No file was written: {error}."),
            });
        });
    });
    view! {
        <p class="about">
            {format!("With its events the link would be longer than {} characters, which some programs cut off. A file holds it all:", grouped(LONGEST as u64))}
        </p>
        <div class="buttons-row">
            <button type="button" class="button primary" on:click=save>"Save the scene"</button>
        </div>
    }
}
