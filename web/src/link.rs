//! How the page and the lab talk: two programs with a memory each, so what passes between them is text and bytes.

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What the page gives the lab.
    pub type Page;

    /// The n-th part, from 0 on, of all streams: a JSON array of `{aggregate, id, label, version, file}`, an empty one
    /// behind the last. `file` numbers the file that it was read from, and is `null` where commands made it here.
    #[wasm_bindgen(method)]
    pub fn streams(this: &Page, part: u32) -> String;

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

    /// Calls the function with `streams` whenever a stream has come, gone or grown, and with `open` whenever another one
    /// is open or another version shown, each at once as well, and only while the lab is in sight; with `over` when a
    /// person had everything removed.
    #[wasm_bindgen(method)]
    pub fn subscribe(this: &Page, changed: &Function);
}

#[wasm_bindgen(module = "/src/link.js")]
extern "C" {
    /// Downloads the lab and lets it fill the element.
    ///
    /// # Errors
    /// What the browser says, which could not bring it; it is asked anew the next time.
    #[wasm_bindgen(catch)]
    pub async fn open_lab(element: &web_sys::HtmlElement, page: &JsValue) -> Result<JsValue, JsValue>;

    /// Lets the lab fill the element with what a command costs on DynamoDB: `{aggregate, id, command, actor, expected?,
    /// events}`, or an empty text.
    ///
    /// # Errors
    /// As [`open_lab`].
    #[wasm_bindgen(catch)]
    pub async fn price(element: &web_sys::HtmlElement, order: &str) -> Result<JsValue, JsValue>;

    /// Tells the lab that the address has changed without a step.
    pub fn moved();

    /// NDJSON as the lines of an export from DynamoDB, by the lab's word.
    ///
    /// # Errors
    /// As [`open_lab`]; or the event that no item can hold.
    #[wasm_bindgen(catch)]
    pub async fn items(lines: &Uint8Array) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/src/share.js")]
extern "C" {
    /// A text, compressed, in letters that an address takes as they are; `undefined` where they would be more than
    /// `most`.
    ///
    /// # Errors
    /// What the browser says that has no compression.
    #[wasm_bindgen(catch)]
    pub async fn pack(text: &str, most: u32) -> Result<JsValue, JsValue>;

    /// The text that was packed.
    ///
    /// # Errors
    /// Where it is none, or has more than `most` bytes.
    #[wasm_bindgen(catch)]
    pub async fn unpack(letters: &str, most: u32) -> Result<JsValue, JsValue>;

    /// Saves parts (texts or bytes) as one file; compressed where its name ends in `.gz`.
    ///
    /// # Errors
    /// What the browser says.
    #[wasm_bindgen(catch)]
    pub async fn save(name: &str, parts: &js_sys::Array) -> Result<JsValue, JsValue>;

    /// Puts a text on the clipboard.
    ///
    /// # Errors
    /// What the browser says, which may not let a page do that.
    #[wasm_bindgen(catch)]
    pub async fn copy(text: &str) -> Result<JsValue, JsValue>;
}
