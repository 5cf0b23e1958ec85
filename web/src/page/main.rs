//! The Rewound playground: one page around the core, in the browser.
//!
//! [`app`] holds what the page shows and what a person can do; [`workspace`] the streams themselves;
//! [`keep`] what outlives the page; a module of [`views`] each part of it. The rest are plain functions:
//! [`form`] makes forms from
//! schemas, [`tree`] rows from states, [`format`](mod@format) text for people. Nothing here decides or reduces: the
//! core does.

mod actions;
mod app;
mod demo;
mod import;
mod keep;
mod views;
mod workspace;

use rewound_web::{form, format, host, tree};

fn main() {
    // The core never panics. Should the page ever, the console says where.
    std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
    wasm_bindgen_futures::spawn_local(async {
        // Should the window be taken over later, the page has to be told, which is not there yet.
        let page = std::rc::Rc::new(std::cell::OnceCell::<app::App>::new());
        let told = page.clone();
        let lost = move || {
            if let Some(app) = told.get() {
                app.taken_over();
            }
        };
        let access = keep::open(keep::window::How::IfFree, lost).await;
        leptos::mount::mount_to_body(move || {
            let app = app::App::new(access);
            // It is the first and only one.
            let _ = page.set(app);
            views::Page(views::PageProps { app })
        });
    });
}
