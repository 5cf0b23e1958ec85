//! Small objects on their way to JavaScript and back. What they hold was checked by the face.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

/// A field of an object; `undefined` where there is none.
pub(crate) fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// A field that is a text.
pub(crate) fn text(object: &JsValue, name: &str) -> Option<String> {
    field(object, name).as_string()
}

/// An object of those of these fields that are not `undefined`.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    with(Object::new().into(), fields)
}

/// An object with those of these fields that are not `undefined`.
pub(crate) fn with(object: JsValue, fields: &[(&str, JsValue)]) -> JsValue {
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_undefined()) {
        // It fails for what is no object alone.
        _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}
