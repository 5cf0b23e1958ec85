//! The events of the open stream.

use super::{
    erased::{flag, maybe, part, text},
    virtual_list::VirtualList,
};
use crate::{
    app::App,
    format::{count, gist, kind, minute},
    workspace::Source,
};
use leptos::prelude::*;

#[component]
pub(crate) fn Events(app: App) -> impl IntoView {
    let length = Memo::new(move |_| app.length.get() as usize);
    let current = Memo::new(move |_| (app.version.get() as usize).checked_sub(1));
    let summary = Memo::new(move |_| app.summary());
    let title = move || summary.get().map_or_else(String::new, |stream| stream.label.clone());
    let about = move || {
        let stream = summary.get()?;
        let imported = matches!(stream.key.source, Source::Log(_));
        Some(view! {
            <span>{kind(&stream.key.aggregate)}</span>
            <code title=stream.key.id.clone()>{stream.key.id.clone()}</code>
            {imported.then(|| view! { <span class="tag">"imported, read-only"</span> })}
        })
    };
    view! {
        <section class="pane events" aria-labelledby="events-title">
            <div class="pane-head">
                <h2 id="events-title">{text(title)}</h2>
                <span class="tally">{text(move || count(length.get(), "event"))}</span>
            </div>
            <p class="about">{part(about)}</p>
            <VirtualList
                id="events"
                label=Signal::derive(move || format!("Events of {}", title()))
                count=length.into()
                row_height=56
                current=current.into()
                on_choose=Callback::new(move |index: usize| app.seek(index as u64 + 1))
                row=|app, index| row(app, index as u64 + 1).into_any()
                app=app
            />
            <p class="ends" role="note" hidden=flag(move || app.problem().is_none())>
                {maybe(move || app.problem().map(|problem| format!("The replay ends here: {problem}")))}
            </p>
            <p class="empty" hidden=flag(move || length.get() != 0)>
                {text(move || match app.selected.read().is_some() {
                    true => "No event can be replayed.",
                    false => "What was open last is being read again.",
                }.to_owned())}
            </p>
        </section>
    }
}

/// One event. Its text is made again only where another stream shows another event in its place.
fn row(app: App, version: u64) -> impl IntoView {
    let event = Memo::new(move |_| app.event(version, Clone::clone));
    let time = move |part: std::ops::Range<usize>| {
        let event = event.read();
        event.as_ref().and_then(|event| minute(event.time()).get(part).map(str::to_owned))
    };
    let future = move || version > app.version.get();
    view! {
        <span class="event" class:future=flag(future) class:now=flag(move || version == app.version.get())>
            <span class="position">{version}</span>
            <span class="first">
                <span class="name">{maybe(move || event.read().as_ref().map(|event| event.name().to_owned()))}</span>
                <time>
                    {maybe(move || time(0..10))}
                    <span class="clock">{maybe(move || time(10..16))}</span>
                </time>
            </span>
            <span class="second">
                <span class="gist">{maybe(move || event.read().as_ref().map(gist))}</span>
                <span class="actor">{maybe(move || event.read().as_ref().map(|event| event.actor().to_owned()))}</span>
            </span>
        </span>
    }
}
