//! What the browser gives and the core never takes for itself: the clock, randomness, a pause.

use js_sys::{Function, JsString, Promise};
use rewound_core::time::{Millis, Ulid};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// The browser's clock, in milliseconds since the epoch.
pub fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// Milliseconds since the page was opened, for measuring.
pub fn stopwatch() -> f64 {
    leptos::prelude::window().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}

/// 80 random bits; the clock's where the browser has no randomness to give.
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u128::from_le_bytes(bytes) >> 48,
        Err(_) => u128::from(js_sys::Math::random().to_bits()),
    }
}

/// A new id.
pub fn new_id() -> String {
    Ulid::from_parts(now(), random()).to_string()
}

/// The text in lower case. The browser brings the tables for that; our own would be downloaded.
pub fn lower_case(text: &str) -> String {
    JsString::from(text).to_lower_case().into()
}

/// Lets the browser paint and answer before the work goes on, for so many milliseconds or just a moment.
pub async fn pause(milliseconds: i32) {
    let mut resolver = |resolve: Function, _: Function| {
        let window = leptos::prelude::window();
        if window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds).is_err() {
            // Without a timer there is no pause, and the work goes on all the same.
            drop(resolve.call0(&JsValue::UNDEFINED));
        }
    };
    drop(JsFuture::from(Promise::new(&mut resolver)).await);
}

/// Puts a text on the clipboard; says whether the browser let it.
pub async fn copy(text: &str) -> bool {
    crate::link::copy(text).await.is_ok()
}

/// The address of a text that a link downloads.
pub fn as_address(text: &str) -> String {
    format!("data:text/plain;charset=utf-8,{}", String::from(js_sys::encode_uri_component(text)))
}

/// Lets the browser paint where the work has gone on for longer than a frame allows; gives since when it goes on, by the
/// [`stopwatch`].
pub async fn breathe(since: f64) -> f64 {
    // Less than a frame, which has other things to do as well.
    const BUSY: f64 = 10.0;
    if stopwatch() - since <= BUSY {
        return since;
    }
    pause(0).await;
    stopwatch()
}

/// What the browser says of an error.
pub fn said(error: &JsValue) -> String {
    let text = |of: &str| {
        let text = js_sys::Reflect::get(error, &of.into()).ok()?.as_string();
        text.filter(|text| !text.is_empty())
    };
    // Not every error has a message: a full storage may be nothing but a `QuotaExceededError`.
    text("message").or_else(|| text("name")).unwrap_or_else(|| "the browser does not say why".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;
    use web_sys::DomException;

    #[wasm_bindgen_test]
    fn an_error_without_a_message_is_told_by_its_name() {
        let told = |message: &str| {
            said(&DomException::new_with_message_and_name(message, "QuotaExceededError").unwrap())
        };
        assert_eq!(told("no room"), "no room");
        assert_eq!(told(""), "QuotaExceededError");
        assert_eq!(said(&JsValue::UNDEFINED), "the browser does not say why");
    }
}
