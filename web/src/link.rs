//! How the page and the lab talk: two programs with a memory each, so what passes between them is text and bytes.

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What the page gives the lab.
    pub type Page;

    /// Every stream: a JSON array of `{aggregate, id, label, version, own}`.
    #[wasm_bindgen(method)]
    pub fn streams(this: &Page) -> String;

    /// The stream that is open and the version that is shown: `{aggregate, id, version}`, or `null`.
    #[wasm_bindgen(method)]
    pub fn open(this: &Page) -> String;

    /// The events of one stream as NDJSON; of none where there is no such stream.
    #[wasm_bindgen(method)]
    pub fn events(this: &Page, aggregate: &str, id: &str) -> Uint8Array;

    /// The n-th part, from 0 on, of all events as NDJSON, stream by stream; nothing behind the last. No id comes twice.
    #[wasm_bindgen(method)]
    pub fn part(this: &Page, number: u32) -> Option<Uint8Array>;

    /// What is wrong with the imported files: a JSON array of `{file, line, message}`.
    #[wasm_bindgen(method)]
    pub fn problems(this: &Page) -> String;

    /// Reads a file's text as if it had been imported.
    #[wasm_bindgen(method)]
    pub fn import(this: &Page, name: &str, text: &str);

    /// Calls the function whenever a stream has come, gone or grown, or another one is open.
    #[wasm_bindgen(method)]
    pub fn subscribe(this: &Page, changed: &Function);
}

#[wasm_bindgen(inline_js = r#"
let lab;
export function load_lab() {
  lab ??= (async () => {
    const module = await import(new URL("rewound-lab.js", document.baseURI));
    await module.default();
    return module;
  })();
  lab.catch(() => (lab = undefined));
  return lab;
}
export async function open_lab(element, page) {
  (await load_lab()).start(element, page);
}
export async function price(order) {
  return (await load_lab()).price(order);
}
"#)]
extern "C" {
    /// Downloads the lab and lets it fill the element.
    ///
    /// # Errors
    /// What the browser says, which could not bring it; it is asked anew the next time.
    #[wasm_bindgen(catch)]
    pub async fn open_lab(element: &web_sys::HtmlElement, page: &JsValue) -> Result<JsValue, JsValue>;

    /// What a command costs on DynamoDB, by the lab's word: JSON in, JSON out.
    ///
    /// # Errors
    /// As [`open_lab`].
    #[wasm_bindgen(catch)]
    pub async fn price(order: &str) -> Result<JsValue, JsValue>;
}
