//! The button with a cross.

use crate::{
    erased::{Click, Flag, flag},
    icon::{CLOSE, Icon},
};
use leptos::prelude::*;

/// Closes or removes what its label says.
#[component]
pub fn Close(
    /// What it says of itself.
    #[prop(into)]
    label: String,
    /// What it does.
    act: Click,
    /// Whether it is there.
    #[prop(default = flag(|| false))]
    hidden: Flag,
) -> impl IntoView {
    view! {
        <button type="button" class="round" aria-label=label hidden=hidden on:click=act>
            <Icon path=CLOSE />
        </button>
    }
}
