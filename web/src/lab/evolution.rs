//! Evolution.

use crate::page::Lab;
use leptos::prelude::*;

#[component]
pub(crate) fn Evolution(lab: Lab) -> impl IntoView {
    let _ = lab;
    view! { <h2>"Evolution"</h2> }
}
