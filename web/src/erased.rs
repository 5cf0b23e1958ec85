//! The changing parts of a view, all of one type.
//!
//! Leptos compiles its machinery anew for each closure that a view holds. There are a hundred here that
//! give a text, a flag or a view: behind a pointer they share one copy, which makes the page a tenth
//! smaller.

use leptos::{
    ev::{Event, MouseEvent},
    prelude::*,
};
use std::{ops::Range, sync::Arc};

/// A text that changes.
pub type Text = Box<dyn FnMut() -> String + Send>;
/// Something that is so or not.
pub type Flag = Box<dyn FnMut() -> bool + Send>;
/// A part of the page that changes as a whole.
pub type Part = Box<dyn FnMut() -> AnyView + Send>;
/// What a click does.
pub type Click = Box<dyn FnMut(MouseEvent)>;

/// A text that changes.
pub fn text(text: impl FnMut() -> String + Send + 'static) -> Text {
    Box::new(text)
}

/// A text that changes, and is empty where there is none.
pub fn maybe(mut text: impl FnMut() -> Option<String> + Send + 'static) -> Text {
    Box::new(move || text().unwrap_or_default())
}

/// Something that is so or not.
pub fn flag(flag: impl FnMut() -> bool + Send + 'static) -> Flag {
    Box::new(flag)
}

/// Such a thing as the attributes of ARIA want it: in words.
pub fn word(mut flag: impl FnMut() -> bool + Send + 'static) -> Text {
    Box::new(move || flag().to_string())
}

/// A part of the page that comes, goes or is made anew.
pub fn part<V: IntoView + 'static>(mut part: impl FnMut() -> V + Send + 'static) -> Part {
    Box::new(move || part().into_any())
}

/// A part for each index of a range, which is made when the index comes in and stays while it is there.
pub fn parts(
    range: impl Fn() -> Range<usize> + Send + Sync + 'static,
    part: impl Fn(usize) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let range: Box<dyn Fn() -> Range<usize> + Send + Sync> = Box::new(range);
    let part: Arc<dyn Fn(usize) -> AnyView + Send + Sync> = Arc::new(part);
    view! { <For each=range key=|index| *index children=move |index| part(index) /> }.into_any()
}

/// What a click does.
pub fn click(mut act: impl FnMut() + 'static) -> Click {
    Box::new(move |_| act())
}

/// What becomes of the value of a field that was changed.
pub fn value(mut act: impl FnMut(String) + 'static) -> Box<dyn FnMut(Event)> {
    Box::new(move |event| act(event_target_value(&event)))
}
