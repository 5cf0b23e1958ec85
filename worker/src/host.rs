//! What the host is asked in one step each: see `host.js`.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{Headers, Request};

#[wasm_bindgen(module = "/src/host.js")]
extern "C" {
    /// A request's method, its address, and its headers, a line each.
    pub(crate) fn head(request: &Request) -> String;

    /// These variables, named in words: a JSON array of their values, `null` where one is not set.
    pub(crate) fn variables(env: &JsValue, names: &str) -> String;

    /// The bytes of a body.
    #[wasm_bindgen(catch)]
    pub(crate) async fn body(request: &Request) -> Result<Uint8Array, JsValue>;

    /// Puts texts, a JSON array of them, on the queue that is bound as `OUTBOX_QUEUE`.
    #[wasm_bindgen(catch)]
    pub(crate) async fn enqueue(env: &JsValue, texts: &str) -> Result<JsValue, JsValue>;

    /// Headers that are written as [`lines`].
    #[wasm_bindgen(catch)]
    pub(crate) fn headers(lines: &str) -> Result<Headers, JsValue>;

    /// A call to DynamoDB: the answer's status, its `date`, its `x-amz-crc32` and its bytes.
    #[wasm_bindgen(catch)]
    pub(crate) async fn call(url: &str, headers: &str, body: &str, timeout: u32) -> Result<Array, JsValue>;
}

/// Headers as the host reads them: a name, its value, the next name, a line each.
pub(crate) fn lines<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<&str> = headers.into_iter().flat_map(|(name, value)| [name, value]).collect();
    lines.join("\n")
}
