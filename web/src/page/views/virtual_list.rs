//! A list of any length of which only the rows in sight exist.

use super::erased::{click, maybe, parts, text, word};
use crate::app::App;
use leptos::{ev, html, prelude::*};

/// How many rows are kept ready on either side of those in sight.
const SPARE: usize = 6;

/// A list box of rows of one height. The current row is kept in sight and moved with the keyboard.
///
/// There are as many rows as a window is high: no list here is higher, so none has to be measured.
#[component]
pub(crate) fn VirtualList(
    /// Names its parts in the document.
    id: &'static str,
    label: Signal<String>,
    count: Signal<usize>,
    /// In CSS pixels.
    row_height: usize,
    current: Signal<Option<usize>>,
    /// Called with the row that a person chose.
    on_choose: Callback<usize>,
    /// The content of a row.
    row: fn(App, usize) -> AnyView,
    app: App,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let top = RwSignal::new(0_usize);
    let window_height = RwSignal::new(inner_height());
    let resized = window_event_listener(ev::resize, move |_| window_height.set(inner_height()));
    on_cleanup(move || resized.remove());

    let in_sight = Memo::new(move |_| {
        let first = (top.get() / row_height).saturating_sub(SPARE);
        let last = (top.get() + window_height.get()) / row_height + SPARE;
        // A list that became shorter has not scrolled back yet.
        let last = last.min(count.get());
        first.min(last)..last
    });

    // The row that is current comes into sight: a little further where it is near, to the middle where not.
    Effect::new(move |_| {
        let Some(index) = current.get() else { return };
        let length = count.get();
        request_animation_frame(move || {
            // By the next frame the list may be gone.
            let Some(frame) = frame.try_get_untracked().flatten() else { return };
            let (height, at) = (frame.client_height(), frame.scroll_top());
            let row = i32::try_from(index.min(length) * row_height).unwrap_or(i32::MAX);
            let row_height = row_height as i32;
            if row < at || row.saturating_add(row_height) > at + height {
                let near = (row - at).abs() < 2 * height;
                let wanted = match (near, row < at) {
                    (true, true) => row,
                    (true, false) => row + row_height - height,
                    (false, _) => row - (height - row_height) / 2,
                };
                frame.set_scroll_top(wanted);
            }
        });
    });

    let on_keydown = move |event: ev::KeyboardEvent| {
        let length = count.get_untracked();
        let Some(last) = length.checked_sub(1) else { return };
        let page =
            frame.get_untracked().map_or(1, |frame| frame.client_height().max(0) as usize / row_height);
        let at = current.get_untracked();
        let next = match (event.key().as_str(), at) {
            ("ArrowDown" | "ArrowUp" | "PageDown" | "PageUp" | "Home", None) => 0,
            ("ArrowDown", Some(at)) => at + 1,
            ("ArrowUp", Some(at)) => at.saturating_sub(1),
            ("PageDown", Some(at)) => at + page,
            ("PageUp", Some(at)) => at.saturating_sub(page),
            ("Home", Some(_)) => 0,
            ("End", _) => last,
            _ => return,
        };
        event.prevent_default();
        on_choose.run(next.min(last));
    };

    let one = move |index: usize| {
        view! {
            <div
                class="row"
                role="option"
                id=format!("{id}-{index}")
                aria-posinset=index + 1
                aria-setsize=text(move || count.get().to_string())
                aria-selected=word(move || current.get() == Some(index))
                style=format!("top:{}px;height:{row_height}px", index * row_height)
                on:click=click(move || on_choose.run(index))
            >
                {row(app, index)}
            </div>
        }
        .into_any()
    };
    view! {
        <div
            class="list"
            node_ref=frame
            id=id
            role="listbox"
            tabindex="0"
            aria-label=text(move || label.get())
            aria-activedescendant=maybe(move || {
                let index = current.get().filter(|index| in_sight.read().contains(index));
                index.map(|index| format!("{id}-{index}"))
            })
            on:scroll=move |_| {
                if let Some(frame) = frame.get_untracked() {
                    top.set(frame.scroll_top().max(0) as usize);
                }
            }
            on:keydown=on_keydown
        >
            <div class="sheet" role="presentation" style=text(move || format!("height:{}px", count.get() * row_height))>
                {parts(move || in_sight.get(), one)}
            </div>
        </div>
    }
}

fn inner_height() -> usize {
    let height = window().inner_height().ok().and_then(|height| height.as_f64());
    height.map_or(1_000, |height| height as usize)
}
