//! The Rewound playground: one page around the core, in the browser.
//!
//! [`app`] holds what the page shows and what a person can do; [`workspace`] the streams themselves; a
//! module of [`views`] each part of the page. The rest are plain functions: [`form`] makes forms from
//! schemas, [`tree`] rows from states, [`format`](mod@format) text for people. Nothing here decides or reduces: the
//! core does.

mod app;
mod demo;
mod form;
mod format;
mod host;
mod import;
mod tree;
mod views;
mod workspace;

fn main() {
    // The core never panics. Should the page ever, the console says where.
    std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
    leptos::mount::mount_to_body(views::Page);
}
