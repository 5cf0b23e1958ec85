//! The scrubber under everything: where in its history the stream is shown.

use super::{
    erased::{Flag, Text, click, flag, maybe, part, text, value, word},
    icon::{BACK, FIRST, Icon, LAST, NEXT, PAUSE, PLAY},
};
use crate::{
    app::App,
    format::{grouped, minute},
};
use leptos::{html, leptos_dom::helpers::IntervalHandle, prelude::*};
use std::time::Duration;

/// The most events that are marked on the scrubber one by one.
const MARKS: u64 = 120;

#[component]
pub(crate) fn Scrubber(app: App, hidden: Flag) -> impl IntoView {
    let range = NodeRef::<html::Input>::new();
    let speed = app.speed;

    // In this order: a browser cuts a value at the maximum that it knows.
    Effect::new(move |_| {
        let (version, length) = (app.version.get(), app.length.get());
        if let Some(range) = range.get() {
            range.set_max(&length.to_string());
            range.set_value(&version.to_string());
        }
    });
    Effect::new(move |running: Option<Option<IntervalHandle>>| {
        if let Some(running) = running.flatten() {
            running.clear();
        }
        let (every, events) = pace(app.length.get(), speed.get());
        let play = move || app.play_on(events);
        app.playing.get().then(|| set_interval_with_handle(play, every).ok()).flatten()
    });

    let name = move || app.event(app.version.get(), |event| event.name().to_owned());
    let place = move || format!("Version {} of {}", grouped(app.version.get()), grouped(app.length.get()));
    let what = move || name().unwrap_or_else(|| "before the first event".to_owned());
    let time = move || app.event(app.version.get(), |event| format!("{} UTC", minute(event.time())));
    let fill = text(move || {
        // A ratio for CSS to divide: formatting fractions takes more code than all of this.
        let (version, length) = (app.version.get(), app.length.get().max(1));
        let marks = app.length.get();
        let marks = if marks <= MARKS { marks.max(1) } else { 0 };
        format!("--part:calc({version}/{length});--marks:{marks}")
    });
    let step = move |by: i64| click(move || app.seek(app.version.get_untracked().saturating_add_signed(by)));
    let at_start = move || app.version.get() == 0;
    let at_end = move || app.version.get() >= app.length.get();
    view! {
        <section class="scrubber" aria-label="Time travel" hidden=hidden>
            <div class="buttons">
                <Button label="To the start" path=FIRST disabled=word(at_start) on_click=click(move || app.seek(0)) />
                <Button label="One event back" path=BACK disabled=word(at_start) on_click=step(-1) />
                <button
                    type="button"
                    class="round play"
                    aria-label=text(move || if app.playing.get() { "Pause" } else { "Play" }.to_owned())
                    disabled=flag(move || app.length.get() == 0)
                    on:click=click(move || app.play_or_pause())
                >
                    {part(move || {
                        let path = if app.playing.get() { PAUSE } else { PLAY };
                        view! { <Icon path=path /> }
                    })}
                </button>
                <Button label="One event on" path=NEXT disabled=word(at_end) on_click=step(1) />
                <Button label="To the end" path=LAST disabled=word(at_end) on_click=click(move || app.seek(u64::MAX)) />
            </div>
            <div class="track" style=fill>
                <div class="marks" aria-hidden="true" hidden=flag(move || app.length.get() > MARKS)></div>
                <input
                    node_ref=range
                    id="scrubber"
                    type="range"
                    min="0"
                    step="1"
                    aria-label="Version"
                    aria-valuetext=text(move || format!("{}: {}", place(), what()))
                    on:input=value(move |text| app.seek(text.parse().unwrap_or_default()))
                />
            </div>
            <p class="place">
                <b>{text(place)}</b>
                <span class="what">{text(what)}</span>
                <time>{maybe(time)}</time>
            </p>
            <label class="speed">
                "Speed"
                <select
                    prop:value=text(move || speed.get().to_string())
                    on:change=value(move |text| speed.set(text.parse().unwrap_or(1)))
                >
                    {[1, 4, 16].map(|times: u64| {
                        view! { <option value=times selected=flag(move || speed.get() == times)>{format!("{times}×")}</option> }
                    })
                    .collect_view()}
                </select>
            </label>
        </section>
    }
}

/// How often the playing scrubber moves, and by how many events: a short history at a pace at which
/// people can read, a long one within a minute.
fn pace(length: u64, speed: u64) -> (Duration, u64) {
    const SLOWEST: u64 = 800;
    const FASTEST: u64 = 50;
    const WHOLE: u64 = 60_000;
    let each = (WHOLE / length.max(1)).min(SLOWEST) / speed.max(1);
    if each >= FASTEST {
        return (Duration::from_millis(each), 1);
    }
    let steps = (WHOLE / speed.max(1) / FASTEST).max(1);
    (Duration::from_millis(FASTEST), length.div_ceil(steps).max(1))
}

#[component]
fn Button(
    label: &'static str,
    path: &'static str,
    disabled: Text,
    on_click: Box<dyn FnMut(leptos::ev::MouseEvent)>,
) -> impl IntoView {
    view! {
        // Not `disabled`: at the end of a history the button in hand would lose the focus.
        <button
            type="button"
            class="round"
            aria-label=label
            title=label
            aria-disabled=disabled
            on:click=on_click
        >
            <Icon path=path />
        </button>
    }
}
