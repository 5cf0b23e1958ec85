//! Live.

use crate::page::Lab;
use leptos::prelude::*;

#[component]
pub(crate) fn Live(lab: Lab) -> impl IntoView {
    let _ = lab;
    view! { <h2>"Live"</h2> }
}
