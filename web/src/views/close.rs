//! The button with a cross.

use super::{
    erased::{Click, Flag, flag},
    icon::{CLOSE, Icon},
};
use leptos::prelude::*;

/// Closes or removes what its label says.
#[component]
pub(crate) fn Close(
    #[prop(into)] label: String,
    act: Click,
    #[prop(default = flag(|| false))] hidden: Flag,
) -> impl IntoView {
    view! {
        <button type="button" class="round" aria-label=label hidden=hidden on:click=act>
            <Icon path=CLOSE />
        </button>
    }
}
