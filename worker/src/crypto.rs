//! What the host's cryptography is asked: whether a signature is good.

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use rewound_core::http::auth::{Algorithm, Check, Key, Keys};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};
use worker::{Fetch, Method, Request, RequestInit, RequestRedirect};

/// Whether a signature passes its check. One that the host cannot even read does not.
pub(crate) async fn is_good(check: &Check) -> bool {
    verify(check).await.unwrap_or(false)
}

async fn verify(check: &Check) -> Result<bool, JsValue> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    let subtle: SubtleCrypto = global.crypto()?.subtle();
    let algorithm = match check.algorithm {
        Algorithm::Hs256 => object(&[("name", "HMAC"), ("hash", "SHA-256")]),
        Algorithm::Rs256 => object(&[("name", "RSASSA-PKCS1-v1_5"), ("hash", "SHA-256")]),
        Algorithm::Es256 => object(&[("name", "ECDSA"), ("hash", "SHA-256"), ("namedCurve", "P-256")]),
    };
    let (format, key): (&str, Object) = match &check.key {
        Key::Secret(bytes) => ("raw", Uint8Array::from(bytes.as_slice()).unchecked_into()),
        Key::Public(key) => ("jwk", js_sys::JSON::parse(&key.to_string())?.unchecked_into()),
    };
    let usages = Array::of1(&"verify".into());
    let key: CryptoKey = ready(subtle.import_key_with_object(format, &key, &algorithm, false, &usages)?)
        .await?
        .unchecked_into();
    let (signature, signed) =
        (Uint8Array::from(check.signature.as_slice()), Uint8Array::from(check.signed.as_bytes()));
    let good =
        subtle.verify_with_object_and_js_u8_array_and_js_u8_array(&algorithm, &key, &signature, &signed)?;
    Ok(ready(good).await?.is_truthy())
}

async fn ready(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

fn object(fields: &[(&str, &str)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // A new object takes any field.
        let _ = Reflect::set(&object, &(*name).into(), &(*value).into());
    }
    object
}

/// The keys that are published at an address.
pub(crate) async fn published(address: &str, timeout: u32) -> Option<Keys> {
    let mut how = RequestInit::new();
    how.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(address, &how).ok()?;
    let signal = web_sys::AbortSignal::timeout_with_u32(timeout).into();
    let mut response = Fetch::Request(request).send_with_signal(&signal).await.ok()?;
    if response.status_code() != 200 {
        return None;
    }
    Keys::read(&response.text().await.ok()?).ok()
}
