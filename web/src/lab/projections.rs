//! Projections.

use crate::page::Lab;
use leptos::prelude::*;

#[component]
pub(crate) fn Projections(lab: Lab) -> impl IntoView {
    let _ = lab;
    view! { <h2>"Projections"</h2> }
}
