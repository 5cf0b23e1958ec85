//! Conflicts.

use crate::page::Lab;
use leptos::prelude::*;

#[component]
pub(crate) fn Conflicts(lab: Lab) -> impl IntoView {
    let _ = lab;
    view! { <h2>"Conflicts"</h2> }
}
