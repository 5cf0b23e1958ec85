//! Files into logs, piece by piece, so that the page stays responsive.

use crate::{
    host,
    workspace::{Source, Summary},
};
use js_sys::Uint8Array;
use rewound_core::import::{EventLog, Import};
use std::sync::Arc;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// How much is asked of the file at once, and how much of that is read before the clock is looked at.
const BLOCK: usize = 1 << 20;
const PIECE: usize = 16 << 10;
/// How many streams are put in order, or summed up, before the clock is looked at.
const STREAMS: usize = 250;

/// How far the reading is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    /// From 0 to 1.
    pub(crate) part: f64,
    pub(crate) events: usize,
}

/// What a file holds, and its streams as the list shows them.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) log: EventLog,
    pub(crate) summaries: Vec<Arc<Summary>>,
}

/// Reads a file, whose streams come from `source` then.
///
/// # Errors
/// What the browser says where it cannot read it.
pub(crate) async fn read(file: &File, source: Source, tell: impl Fn(Progress)) -> Result<Read, String> {
    let mut import = Import::new();
    let size = file.size();
    let mut place = 0.0;
    let mut since = host::stopwatch();
    while place < size {
        let end = (place + BLOCK as f64).min(size);
        let block = block(file, place, end).await.map_err(|error| host::said(&error))?;
        for (number, piece) in block.chunks(PIECE).enumerate() {
            import.push(piece);
            let now = host::breathe(since).await;
            if now != since {
                let read = place + (number * PIECE) as f64;
                tell(Progress { part: read / size, events: import.events() });
            }
            since = now;
        }
        place = end;
    }
    // A file may hold more streams than can be put in order between two frames.
    while import.settle(STREAMS) {
        since = host::breathe(since).await;
    }
    let log = import.finish();
    let mut summaries = Vec::with_capacity(log.streams().len());
    for streams in log.streams().chunks(STREAMS) {
        summaries.extend(streams.iter().filter_map(|stream| {
            let events = stream.events();
            let (first, last) = (events.clone().next()?, events.last()?);
            Some(Arc::new(Summary::new(source, first, last)))
        }));
        since = host::breathe(since).await;
    }
    Ok(Read { log, summaries })
}

async fn block(file: &File, start: f64, end: f64) -> Result<Vec<u8>, JsValue> {
    let slice = file.slice_with_f64_and_f64(start, end)?;
    let buffer = JsFuture::from(slice.array_buffer()).await?;
    Ok(Uint8Array::new(&buffer).to_vec())
}
