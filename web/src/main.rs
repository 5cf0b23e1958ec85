//! The Rewound playground.

use leptos::prelude::*;

fn main() {
    mount_to_body(|| view! { <main><h1>"Rewound"</h1></main> });
}
