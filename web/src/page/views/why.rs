//! Why a field is what it is: the events that changed it, each a step of the scrubber.

use super::{
    close::Close,
    erased::{click, flag, maybe, part, text},
    focus,
    virtual_list::VirtualList,
};
use crate::{app::App, format::count, tree};
use leptos::prelude::*;

#[component]
pub(crate) fn Why(app: App) -> impl IntoView {
    let length = Memo::new(move |_| app.causes.read().len());
    // The last event that had changed it by the version that is shown.
    let current = Memo::new(move |_| {
        let version = app.version.get();
        app.causes.read().partition_point(|cause| cause.version <= version).checked_sub(1)
    });
    let choose = Callback::new(move |index: usize| {
        let version = app.causes.read_untracked().get(index).map(|cause| cause.version);
        if let Some(version) = version {
            app.seek(version);
        }
    });
    // The focus goes back to the field that was asked about.
    let close = click(move || {
        focus(document().query_selector(".ask[aria-pressed=true]"));
        app.why.set(None);
    });
    let place = move || app.why.get().unwrap_or_default();
    view! {
        <section class="why" aria-labelledby="why-title">
            <div class="pane-head">
                <h3 id="why-title">"Why " <code>{text(place)}</code> "?"</h3>
                <span class="tally" role="status">{text(move || count(length.get(), "event"))}</span>
                <Close label="Close the question" act=close />
            </div>
            <VirtualList
                id="causes"
                label=Signal::derive(move || format!("Events that changed {}", place()))
                count=length.into()
                row_height=ROW
                current=current.into()
                on_choose=choose
                row=|app, index| row(app, index).into_any()
                app=app
            />
            <p class="empty" hidden=flag(move || length.get() != 0)>"No event of this stream ever changed it."</p>
        </section>
    }
}

/// The height of a row, in CSS pixels.
const ROW: usize = 40;

fn row(app: App, index: usize) -> impl IntoView {
    let cause = Memo::new(move |_| app.causes.read().get(index).cloned());
    let step = move || {
        let cause = cause.get()?;
        let path = app.why.get()?;
        let aggregate = app.selected.read().as_ref().map(|key| key.aggregate.clone()).unwrap_or_default();
        let value = |value| tree::brief(&aggregate, &path, value);
        let from = cause.from.as_ref().map(|from| view! { <s>{value(from)}</s> " → " });
        let to = match &cause.to {
            Some(to) => value(to),
            None => "gone".to_owned(),
        };
        Some(view! {
            {from}
            <b>{to}</b>
        })
    };
    let future = move || cause.read().as_ref().is_some_and(|cause| cause.version > app.version.get());
    view! {
        <span class="step" class:future=flag(future)>
            <span class="position">{maybe(move || cause.read().as_ref().map(|cause| cause.version.to_string()))}</span>
            <span class="name">{maybe(move || cause.read().as_ref().map(|cause| cause.event_name.clone()))}</span>
            <span class="change">{part(step)}</span>
        </span>
    }
}
