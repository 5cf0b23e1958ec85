//! What if.

use crate::page::Lab;
use leptos::prelude::*;

#[component]
pub(crate) fn WhatIf(lab: Lab) -> impl IntoView {
    let _ = lab;
    view! { <h2>"What if"</h2> }
}
