//! What the two programs of the playground share.
//!
//! The page is downloaded first and has to be small: streams, time travel, commands. The lab is downloaded when one of
//! its screens is opened. Each is a program of its own; they talk through [`link`], and where on the page one is stands
//! in the address ([`route`]).

pub mod close;
pub mod erased;
pub mod form;
pub mod format;
pub mod host;
pub mod icon;
pub mod json;
pub mod link;
pub mod route;
pub mod tree;

/// Gives the focus to what was found.
pub fn focus<E>(found: Result<Option<web_sys::Element>, E>) {
    use wasm_bindgen::JsCast;
    let element = found.ok().flatten();
    if let Some(element) = element.as_ref().and_then(|element| element.dyn_ref::<web_sys::HtmlElement>()) {
        drop(element.focus());
    }
}
