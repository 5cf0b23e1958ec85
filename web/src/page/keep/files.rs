//! Imported files, as their original bytes, in the browser's IndexedDB: local storage is too small for them.
//!
//! A request of IndexedDB becomes a promise without a line of Rust in between, which is why there is no library
//! here: the one that was tried (`idb`) was a fourth of what the page had left of its size.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, IdbDatabase, IdbObjectStore, IdbObjectStoreParameters, IdbOpenDbRequest, IdbRequest,
    IdbTransactionMode,
};

const DATABASE: &str = "rewound";
const FILES: &str = "files";

/// Keeps a file; gives its number, which rises from file to file.
///
/// # Errors
/// What the browser says, which has no room or gives none.
pub(crate) async fn add(file: &File) -> Result<u32, JsValue> {
    let files = open(IdbTransactionMode::Readwrite).await?;
    let number = done(&files.add(file)?).await?;
    written(&files).await?;
    Ok(read(&number))
}

/// Every file that was kept, with its number, in the order in which they came.
///
/// # Errors
/// What the browser says, which gives no such storage.
pub(crate) async fn all() -> Result<Vec<(u32, File)>, JsValue> {
    let files = open(IdbTransactionMode::Readonly).await?;
    let (numbers, values) = (files.get_all_keys()?, files.get_all()?);
    let numbers: js_sys::Array = done(&numbers).await?.unchecked_into();
    let values: js_sys::Array = done(&values).await?.unchecked_into();
    let all = numbers.iter().zip(values.iter());
    Ok(all.filter_map(|(number, file)| Some((read(&number), file.dyn_into().ok()?))).collect())
}

/// Forgets a file.
///
/// # Errors
/// What the browser says.
pub(crate) async fn remove(number: u32) -> Result<(), JsValue> {
    let files = open(IdbTransactionMode::Readwrite).await?;
    done(&files.delete(&number.into())?).await?;
    written(&files).await
}

/// Forgets every file.
///
/// # Errors
/// What the browser says.
pub(crate) async fn clear() -> Result<(), JsValue> {
    let files = open(IdbTransactionMode::Readwrite).await?;
    done(&files.clear()?).await?;
    written(&files).await
}

async fn open(mode: IdbTransactionMode) -> Result<IdbObjectStore, JsValue> {
    let factory = leptos::prelude::window().indexed_db()?.ok_or("it has no IndexedDB")?;
    let request: IdbOpenDbRequest = factory.open_with_u32(DATABASE, 1)?;
    // At the first visit there is no such database yet, and it is made.
    let made = wasm_bindgen::closure::Closure::once_into_js({
        let request = request.clone();
        move || -> Result<(), JsValue> {
            let database: IdbDatabase = request.result()?.unchecked_into();
            let parameters = IdbObjectStoreParameters::new();
            parameters.set_auto_increment(true);
            database.create_object_store_with_optional_parameters(FILES, &parameters).map(drop)
        }
    });
    request.set_onupgradeneeded(Some(made.unchecked_ref()));
    let database: IdbDatabase = done(&request.into()).await?.unchecked_into();
    database.transaction_with_str_and_mode(FILES, mode)?.object_store(FILES)
}

/// What a request brings.
async fn done(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |kept, broken| {
        request.set_onsuccess(Some(&kept));
        request.set_onerror(Some(&broken));
    });
    match JsFuture::from(promise).await {
        Ok(_) => request.result(),
        Err(event) => Err(request.error().ok().flatten().map_or(event, JsValue::from)),
    }
}

/// Waits until what was asked of a store is on the disk: only then is it known that there was room.
async fn written(files: &IdbObjectStore) -> Result<(), JsValue> {
    let transaction = files.transaction();
    let promise = Promise::new(&mut |kept, broken| {
        transaction.set_oncomplete(Some(&kept));
        transaction.set_onabort(Some(&broken));
    });
    match JsFuture::from(promise).await {
        Ok(_) => Ok(()),
        Err(event) => Err(transaction.error().map_or(event, JsValue::from)),
    }
}

fn read(number: &JsValue) -> u32 {
    number.as_f64().unwrap_or_default() as u32
}
