//! Event sourcing and CQRS as pure functions.
//!
//! An [`aggregate`] is three functions on one page: `decide` turns a command into events or
//! refuses it, `evolve` folds an event into the state, and the state before any event is none. Around
//! them stands everything that an event-sourced system needs and that is the same for all of them:
//!
//! | module | what it is for |
//! |---|---|
//! | [`event`], [`time`], [`number`], [`text`], [`value`] | the envelope, rising ids, money, texts, JSON |
//! | [`aggregate`], [`domains`], [`upcast`] | domains: the trait, the four that ship, older schemas |
//! | [`domain`], [`schema`] | domains with their types erased, and their JSON Schemas |
//! | [`run`], [`read`], [`rebuild`], [`cache`], [`store`] | a command or a read on its way, and what a store is |
//! | [`timeline`], [`import`] | time travel, and real logs to travel in |
//! | [`evolution`] | old events, logs and snapshots: what becomes of them today |
//! | [`replay`] | from the bytes of a stream straight to its state |
//! | [`dynamodb`], [`http`] | the store's calls and the edge's requests, without sending or receiving any |
//! | [`projection`], [`views`], [`delivery`] | read models, and events on their way to them |
//! | [`feed`] | how events reach read models, the saga and an outbox on DynamoDB |
//! | [`sim`] | every interleaving, and storms of faults |
//!
//! # What it never does
//!
//! It does no I/O, reads no clock, draws no random number, starts no thread and logs nothing: `now` and
//! every id's randomness are arguments. It never panics: bad data is an `Err` that says what and where.
//! So the same code runs in a browser, in Node and at the edge, and a test can try every order in which
//! things can happen.
//!
//! ```
//! use rewound_core::{domain::{Command, Sender}, domains, run::{run, Options}, store::MemoryStore};
//! use serde_json::json;
//!
//! let mut store = MemoryStore::new();
//! let bank = domains::find("BankAccount").unwrap();
//! let by = Sender { actor: "ada".into(), now: 1_800_000_000_000, random: 42, ..Sender::default() };
//! let open = Command::new("Open", json!({"accountHolderId": "ada", "currency": "EUR", "initialDeposit": 100}))?;
//! run(&mut store, bank, "a1", open, &by, Options::default())?;
//! let withdraw = Command::new("Withdraw", json!({"amount": 250, "transactionReference": "rent"}))?;
//! let refused = run(&mut store, bank, "a1", withdraw, &by, Options::default()).unwrap_err();
//! assert_eq!(
//!     refused.to_string(),
//!     "The balance is 100 cents, 250 were asked for: there is no overdraft. (insufficient-funds)"
//! );
//! # Ok::<_, rewound_core::error::Error>(())
//! ```
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

// What is derived for a type names the core from outside, also where it is inside.
extern crate self as rewound_core;

pub mod aggregate;
mod attribute;
pub mod cache;
pub mod delivery;
pub mod domain;
pub mod domains;
pub mod dynamodb;
pub mod error;
pub mod event;
pub mod evolution;
pub mod feed;
mod gzip;
pub mod http;
pub mod import;
pub mod named;
pub mod number;
mod order;
pub mod projection;
mod raw;
pub mod read;
pub mod rebuild;
#[cfg(feature = "replay")]
pub mod replay;
pub mod run;
pub mod schema;
pub mod sim;
pub mod store;
pub mod text;
pub mod time;
pub mod timeline;
pub mod upcast;
pub mod value;
pub mod views;
pub mod wire;
