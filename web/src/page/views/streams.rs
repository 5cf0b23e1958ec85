//! The list of streams, with a filter over it.

use super::{
    erased::{flag, part, text, value},
    virtual_list::VirtualList,
};
use crate::{
    app::App,
    format::{count, grouped, kind, minute},
    workspace::{Source, Summary},
};
use leptos::prelude::*;
use std::sync::Arc;

#[component]
pub(crate) fn Streams(app: App) -> impl IntoView {
    let length = Memo::new(move |_| app.filtered.read().len());
    let current = Memo::new(move |_| {
        let selected = app.selected.read();
        let key = selected.as_ref()?;
        app.filtered.read().iter().position(|stream| stream.key == *key)
    });
    let open = Callback::new(move |index: usize| {
        let stream = app.filtered.read_untracked().get(index).cloned();
        if let Some(stream) = stream {
            app.open(stream.key.clone());
        }
    });
    let tally = move || {
        let (shown, all) = (length.get(), app.streams.read().len());
        if shown == all {
            grouped(all as u64)
        } else {
            format!("{} of {}", grouped(shown as u64), grouped(all as u64))
        }
    };
    view! {
        <section class="pane streams" aria-labelledby="streams-title">
            <div class="pane-head">
                <h2 id="streams-title">"Streams"</h2>
                <span class="tally" role="status">{text(tally)}</span>
            </div>
            <input
                type="search"
                class="filter"
                placeholder="Filter by name, id, kind or event"
                aria-label="Filter the streams"
                prop:value=text(move || app.filter.get())
                on:input=value(move |text| app.filter.set(text))
            />
            <VirtualList
                id="streams"
                label=Signal::derive(move || count(length.get(), "stream"))
                count=length.into()
                row_height=56
                current=current.into()
                on_choose=open
                row=|app, index| {
                    let stream = Memo::new(move |_| app.filtered.read().get(index).cloned());
                    part(move || stream.get().map(|stream| row(&stream))).into_any()
                }
                app=app
            />
            <p class="empty" hidden=flag(move || length.get() != 0)>"No stream matches."</p>
        </section>
    }
}

fn row(stream: &Arc<Summary>) -> impl IntoView + use<> {
    let key = &stream.key;
    let imported = matches!(key.source, Source::Log(_));
    view! {
        <span class="first">
            <span class="name" title=key.id.clone()>{stream.label.clone()}</span>
            {imported.then(|| view! { <span class="tag" title="Read from a file: to replay, not to change">"imported"</span> })}
            <time>{minute(stream.updated_at).get(..10).unwrap_or_default().to_owned()}</time>
        </span>
        <span class="second">
            <span class="last">{format!("{} · {}", kind(&key.aggregate), stream.last_event)}</span>
            <span class="version" title="Its version">{format!("v{}", stream.version)}</span>
        </span>
    }
}
