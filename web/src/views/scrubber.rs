//! The scrubber under everything: where in its history the stream is shown.

use super::icon::{BACK, FIRST, Icon, LAST, NEXT, PAUSE, PLAY};
use crate::{
    app::App,
    format::{grouped, minute},
};
use leptos::{html, leptos_dom::helpers::IntervalHandle, prelude::*};
use std::time::Duration;

/// The most events that are marked on the scrubber one by one.
const MARKS: u64 = 120;

#[component]
pub(crate) fn Scrubber(app: App) -> impl IntoView {
    let range = NodeRef::<html::Input>::new();
    let speed = RwSignal::new(1_u64);

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
    let fill = move || {
        let part = app.version.get() as f64 / app.length.get().max(1) as f64;
        let marks = app.length.get();
        let marks = if marks <= MARKS { marks.max(1) } else { 0 };
        format!("--part:{part:.5};--marks:{marks}")
    };
    let step = move |by: i64| move |_| app.seek(app.version.get_untracked().saturating_add_signed(by));
    let at_start = move || app.version.get() == 0;
    let at_end = move || app.version.get() >= app.length.get();
    view! {
        <section class="scrubber" aria-label="Time travel">
            <div class="buttons">
                <Button label="To the start" path=FIRST disabled=at_start on_click=move |_| app.seek(0) />
                <Button label="One event back" path=BACK disabled=at_start on_click=step(-1) />
                <button
                    type="button"
                    class="round play"
                    aria-label=move || if app.playing.get() { "Pause" } else { "Play" }
                    disabled=move || app.length.get() == 0
                    on:click=move |_| app.play_or_pause()
                >
                    <Icon path=Signal::derive(move || if app.playing.get() { PAUSE } else { PLAY }) />
                </button>
                <Button label="One event on" path=NEXT disabled=at_end on_click=step(1) />
                <Button label="To the end" path=LAST disabled=at_end on_click=move |_| app.seek(u64::MAX) />
            </div>
            <div class="track" style=fill>
                <div class="marks" aria-hidden="true" hidden=move || { app.length.get() > MARKS }></div>
                <input
                    node_ref=range
                    id="scrubber"
                    type="range"
                    min="0"
                    step="1"
                    aria-label="Version"
                    aria-valuetext=move || format!("{}: {}", place(), what())
                    on:input=move |event| {
                        app.seek(event_target_value(&event).parse().unwrap_or_default())
                    }
                />
            </div>
            <p class="place">
                <b>{place}</b>
                <span class="what">{what}</span>
                <time>{time}</time>
            </p>
            <label class="speed">
                "Speed"
                <select on:change=move |event| speed.set(event_target_value(&event).parse().unwrap_or(1))>
                    <option value="1">"1×"</option>
                    <option value="4">"4×"</option>
                    <option value="16">"16×"</option>
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
    disabled: impl Fn() -> bool + Send + Sync + 'static,
    on_click: impl Fn(leptos::ev::MouseEvent) + 'static,
) -> impl IntoView {
    view! {
        // Not `disabled`: at the end of a history the button in hand would lose the focus.
        <button
            type="button"
            class="round"
            aria-label=label
            title=label
            aria-disabled=move || disabled().to_string()
            on:click=on_click
        >
            <Icon path=path />
        </button>
    }
}
