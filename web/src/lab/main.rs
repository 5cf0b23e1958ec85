//! The lab: the screens of the playground that are downloaded when one of them is opened. A module each; what they
//! know of the page comes through [`page`].

// What `#[component]` makes of a function is `pub`, however it was written.
#![allow(unreachable_pub)]

mod conflicts;
mod evolution;
mod live;
mod page;
mod price;
mod projections;
mod streams;
mod what_if;

use leptos::prelude::*;
use page::Lab;
use rewound_web::{close, erased, focus, form, format, host, icon, json, link, route, tree};
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

fn main() {
    // The core never panics. Should the lab ever, the console says where.
    std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
}

/// Fills the element with the screen that the address names, from now on.
#[wasm_bindgen]
pub fn start(element: HtmlElement, page: link::Page) {
    leptos::mount::mount_to(element, move || {
        let lab = Lab::new(page);
        move || {
            lab.begun.track();
            match lab.screen.get() {
                "conflicts" => conflicts::Conflicts(conflicts::ConflictsProps { lab }).into_any(),
                "projections" => projections::Projections(projections::ProjectionsProps { lab }).into_any(),
                "what-if" => what_if::WhatIf(what_if::WhatIfProps { lab }).into_any(),
                "evolution" => evolution::Evolution(evolution::EvolutionProps { lab }).into_any(),
                "live" => live::Live(live::LiveProps { lab }).into_any(),
                _ => ().into_any(),
            }
        }
    })
    .forget();
}
