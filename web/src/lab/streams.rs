//! The choice of a stream, as some of the screens offer it.

use crate::{
    erased::{part, value},
    format::{count, grouped, kind},
    page::{Lab, Stream},
};
use leptos::prelude::*;

/// The most streams that are offered; the page's own list finds any.
const MOST: usize = 300;

/// A field in which a stream is chosen.
pub(crate) fn choice(
    lab: Lab,
    open: Signal<Option<(String, String)>>,
    choose: impl Fn(&Stream) + 'static,
) -> impl IntoView {
    let options = move || {
        let streams = lab.streams.get();
        let open = open.get();
        let is_open = |stream: &Stream| {
            open.as_ref().is_some_and(|open| (&open.0, &open.1) == (&stream.aggregate, &stream.id))
        };
        let offered = streams.iter().enumerate();
        let offered = offered.filter(|(index, stream)| *index < MOST || is_open(stream));
        // Without this option, the first stream would look as if it were chosen.
        let is_chosen = streams.iter().any(is_open);
        let options = offered.map(|(index, stream)| {
            let events = count(stream.version as usize, "event");
            let name = format!("{}: {} ({events})", kind(&stream.aggregate), stream.label);
            let selected = is_open(stream);
            view! { <option value=index prop:selected=selected>{name}</option> }
        });
        let more = streams.len().saturating_sub(MOST);
        let rest = format!("and {} more: open them on Streams", grouped(more as u64));
        view! {
            <option value="" disabled hidden=is_chosen prop:selected=!is_chosen>"Choose a stream"</option>
            {options.collect_view()}
            {(more > 0).then(|| view! { <option disabled>{rest}</option> })}
        }
    };
    let choose = value(move |index| {
        let streams = lab.streams.get_untracked();
        if let Some(stream) = index.parse::<usize>().ok().and_then(|index| streams.get(index)) {
            choose(stream);
        }
    });
    view! { <label>"Stream" <select class="stream-choice" on:change=choose>{part(options)}</select></label> }
}
