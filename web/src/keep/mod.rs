//! What outlives the page: own streams ([`journal`]) and [`settings`] in the browser's local storage, imported
//! files ([`files`]) in IndexedDB. One window at a time may write ([`window`]).

pub(crate) mod files;
pub(crate) mod journal;
pub(crate) mod settings;
pub(crate) mod window;

use crate::host;

/// Why what is done here is gone when the page is closed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// Another window keeps the streams: two would write over each other.
    OtherWindow,
    /// The browser gives no storage, and says this.
    Refused(String),
    /// The storage took no more: this is in memory alone, and the browser says that.
    Full { what: String, error: String },
    /// So many commands make no sense on top of what is kept, the first for this reason.
    Damaged { number: usize, first: String },
}

/// Asks for the browser's storage, and to be the one window that writes to it. `lost` is called should another
/// window take that over.
///
/// # Errors
/// Why nothing can be kept.
pub(crate) async fn open(take_over: bool, lost: impl FnOnce() + 'static) -> Result<(), Trouble> {
    let refused = |error: wasm_bindgen::JsValue| Trouble::Refused(host::said(&error));
    // `gloo_storage` panics where there is none, so it is asked for here, before anything is read.
    match leptos::prelude::window().local_storage() {
        Ok(Some(_)) => {}
        Ok(None) => return Err(Trouble::Refused("it has no local storage".to_owned())),
        Err(error) => return Err(refused(error)),
    }
    match window::acquire(take_over, lost).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trouble::OtherWindow),
        // Web Locks came late, and not to pages without TLS.
        Err(_) => Err(Trouble::Refused("it has no Web Locks, which keep two windows apart".to_owned())),
    }
}
