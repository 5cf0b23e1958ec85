//! What a person chose, and where on the page they were: one object in the browser's local storage.

use gloo_storage::{LocalStorage, Storage};
use rewound_core::value::Object;
use serde_json::Value;

const KEY: &str = "rewound/settings";

/// The settings of the last visit; none of them where there was none.
pub(crate) fn read() -> Object {
    match LocalStorage::get(KEY) {
        Ok(Value::Object(settings)) => settings,
        _ => Object::new(),
    }
}

/// Keeps settings. Where there is no room for them they are the smallest loss.
pub(crate) fn write(settings: Object) {
    drop(LocalStorage::set(KEY, Value::Object(settings)));
}

/// Forgets them.
pub(crate) fn clear() {
    LocalStorage::delete(KEY);
}
