#![doc = "draft"]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod aggregate;
mod attribute;
pub mod domain;
pub mod domains;
pub mod error;
pub mod event;
pub mod import;
pub mod number;
pub mod run;
pub mod schema;
pub mod store;
pub mod time;
pub mod timeline;
pub mod upcast;
pub mod value;
mod variant;
