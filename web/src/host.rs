//! What the browser gives and the core never takes for itself: the clock, randomness, a pause.

use js_sys::{Function, JsString, Promise};
use rewound_core::time::{Millis, Ulid};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// The browser's clock, in milliseconds since the epoch.
pub(crate) fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// Milliseconds since the page was opened, for measuring.
pub(crate) fn stopwatch() -> f64 {
    leptos::prelude::window().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}

/// 80 random bits; the clock's where the browser has no randomness to give.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u128::from_le_bytes(bytes) >> 48,
        Err(_) => u128::from(js_sys::Math::random().to_bits()),
    }
}

/// A new id.
pub(crate) fn new_id() -> String {
    Ulid::from_parts(now(), random()).to_string()
}

/// The text in lower case. The browser brings the tables for that; our own would be downloaded.
pub(crate) fn lower_case(text: &str) -> String {
    JsString::from(text).to_lower_case().into()
}

/// Lets the browser paint and answer before the work goes on, for so many milliseconds or just a moment.
pub(crate) async fn pause(milliseconds: i32) {
    let mut resolver = |resolve: Function, _: Function| {
        let window = leptos::prelude::window();
        if window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds).is_err() {
            // Without a timer there is no pause, and the work goes on all the same.
            drop(resolve.call0(&JsValue::UNDEFINED));
        }
    };
    drop(JsFuture::from(Promise::new(&mut resolver)).await);
}

/// What the browser says of an error.
pub(crate) fn said(error: &JsValue) -> String {
    let message = js_sys::Reflect::get(error, &"message".into()).ok();
    message
        .and_then(|message| message.as_string())
        .unwrap_or_else(|| "the browser does not say why".to_owned())
}
