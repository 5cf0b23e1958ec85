//! What outlives the page: own streams ([`journal`]) and [`settings`] in the browser's local storage, imported
//! files ([`files`]) in IndexedDB. One window at a time may write ([`window`]).

pub(crate) mod files;
pub(crate) mod journal;
pub(crate) mod settings;
pub(crate) mod window;

use crate::host;
use window::How;

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

/// All that is in the way, by what it is in the way of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Troubles {
    /// Of this window as a whole.
    pub(crate) window: Option<Trouble>,
    /// Of the own streams.
    pub(crate) journal: Option<Trouble>,
    /// Of imported files.
    pub(crate) files: Vec<Trouble>,
}

impl Troubles {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trouble> {
        self.window.iter().chain(&self.journal).chain(&self.files)
    }
}

/// Asks for the browser's storage, and to be the one window that writes to it. `lost` is called should another
/// window take that over.
///
/// # Errors
/// Why nothing can be kept.
pub(crate) async fn open(how: How, lost: impl FnOnce() + Clone + 'static) -> Result<(), Trouble> {
    let refused = |error: wasm_bindgen::JsValue| Trouble::Refused(host::said(&error));
    // `gloo_storage` panics where there is none, so it is asked for here, before anything is read.
    match leptos::prelude::window().local_storage() {
        Ok(Some(_)) => {}
        Ok(None) => return Err(Trouble::Refused("it has no local storage".to_owned())),
        Err(error) => return Err(refused(error)),
    }
    let mut granted = window::acquire(how, lost.clone()).await;
    if how == How::IfFree && granted == Ok(false) {
        // A page that is reloaded may have to wait for the one that it was.
        host::pause(150).await;
        granted = window::acquire(how, lost).await;
    }
    match granted {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trouble::OtherWindow),
        // Web Locks came late, and not to pages without TLS.
        Err(_) => Err(Trouble::Refused("it has no Web Locks, which keep two windows apart".to_owned())),
    }
}
