//! One window at a time writes to the browser's storage: it holds a lock (Web Locks) for as long as it lives.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

#[wasm_bindgen]
extern "C" {
    // web-sys has this behind a compiler flag of its own.
    #[wasm_bindgen(catch, js_namespace = ["navigator", "locks"])]
    fn request(name: &str, options: &Object, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// How to become the window that writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    /// Where there is none yet.
    IfFree,
    /// Once there is none any more.
    InTurn,
    /// In place of the one that is.
    TakeOver,
}

/// Becomes the window that writes; false where another one is. `lost` is called when another window takes over
/// from this one.
///
/// # Errors
/// What the browser says where it has no such locks, or gives none.
pub(crate) async fn acquire(how: How, lost: impl FnOnce() + 'static) -> Result<bool, JsValue> {
    let options = Object::new();
    let option = match how {
        How::IfFree => Some("ifAvailable"),
        How::InTurn => None,
        How::TakeOver => Some("steal"),
    };
    if let Some(option) = option {
        Reflect::set(&options, &option.into(), &true.into())?;
    }
    let mut held = Err(JsValue::UNDEFINED);
    let answer = Promise::new(&mut |answer: Function, _| {
        let granted = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            let is_ours = !lock.is_null();
            drop(answer.call1(&JsValue::UNDEFINED, &is_ours.into()));
            // Held until this promise is kept, which is never.
            if is_ours { Promise::new(&mut |_, _| {}).into() } else { JsValue::UNDEFINED }
        });
        held = request("rewound", &options, &granted);
    });
    let held = held?;
    // Where the browser refuses, the lock's own promise is broken, and the answer never comes.
    let is_ours = JsFuture::from(Promise::race(&Array::of2(&answer, &held))).await?.is_truthy();
    if is_ours {
        spawn_local(async move {
            if JsFuture::from(held).await.is_err() {
                lost();
            }
        });
    }
    Ok(is_ours)
}
