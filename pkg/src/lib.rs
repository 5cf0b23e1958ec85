//! What the npm package `rewound` calls: the core behind functions of texts, bytes and small objects. Its face, in
//! TypeScript, is in `face/`: it checks what people pass, awaits what they have to wait for, and throws real errors.
//!
//! Nothing crosses the boundary once for each event: pages of bytes come in, one answer goes out. Commands, states and
//! events cross as JSON text, which JavaScript reads and writes faster than anything builds objects from outside.

mod domain;
mod error;
mod js;
mod json;
mod log;
mod store;

pub use domain::{Hooks, Kind};
pub use log::{Line, Log, events_of_records};
#[cfg(feature = "contract")]
pub use store::contract::contract;
pub use store::{Dynamo, Memory, Run, Signer};
