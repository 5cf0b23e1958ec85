//! One window at a time writes to the browser's storage: it holds a lock (Web Locks) for as long as it lives.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

#[wasm_bindgen]
extern "C" {
    // web-sys has this behind a compiler flag of its own.
    #[wasm_bindgen(catch, js_namespace = ["navigator", "locks"])]
    fn request(name: &str, options: &Object, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// Becomes the window that writes: true where none is yet, or where that one may be relieved (`take_over`).
/// `lost` is called when another window relieves this one.
///
/// # Errors
/// What the browser says where it has no such locks.
pub(crate) async fn acquire(take_over: bool, lost: impl FnOnce() + 'static) -> Result<bool, JsValue> {
    let options = Object::new();
    let how = if take_over { "steal" } else { "ifAvailable" };
    Reflect::set(&options, &how.into(), &true.into())?;
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
    spawn_local(async move {
        if JsFuture::from(held).await.is_err() {
            lost();
        }
    });
    Ok(JsFuture::from(answer).await?.is_truthy())
}
