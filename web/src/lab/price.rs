//! What a command costs on DynamoDB.

use wasm_bindgen::prelude::*;

/// The price of an order: JSON in, JSON out.
#[wasm_bindgen]
pub fn price(order: String) -> String {
    order
}
