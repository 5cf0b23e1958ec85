//! Files into logs, piece by piece, so that the page stays responsive.

use crate::host;
use js_sys::Uint8Array;
use rewound_core::import::{EventLog, Import};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// How much is asked of the file at once, and how much of that is read before the clock is looked at.
const BLOCK: usize = 1 << 20;
const PIECE: usize = 16 << 10;
/// How many milliseconds of reading go by before the page may paint: less than a frame.
const BUSY: f64 = 10.0;

/// How far the reading is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    /// From 0 to 1.
    pub(crate) part: f64,
    pub(crate) events: usize,
}

/// Reads a file.
///
/// # Errors
/// What the browser says where it cannot read it.
pub(crate) async fn read(file: &File, tell: impl Fn(Progress)) -> Result<EventLog, String> {
    let mut import = Import::new();
    let size = file.size();
    let mut place = 0.0;
    let mut since = host::stopwatch();
    while place < size {
        let end = (place + BLOCK as f64).min(size);
        let block = block(file, place, end).await.map_err(|error| host::said(&error))?;
        for (number, piece) in block.chunks(PIECE).enumerate() {
            import.push(piece);
            if host::stopwatch() - since > BUSY {
                let read = place + (number * PIECE) as f64;
                tell(Progress { part: read / size, events: import.events() });
                host::pause(0).await;
                since = host::stopwatch();
            }
        }
        place = end;
    }
    Ok(import.finish())
}

async fn block(file: &File, start: f64, end: f64) -> Result<Vec<u8>, JsValue> {
    let slice = file.slice_with_f64_and_f64(start, end)?;
    let buffer = JsFuture::from(slice.array_buffer()).await?;
    Ok(Uint8Array::new(&buffer).to_vec())
}
