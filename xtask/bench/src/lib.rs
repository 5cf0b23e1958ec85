//! The WebAssembly side of `cargo xtask bench`: one long bank account, folded and travelled.

use js_sys::Uint8Array;
use rewound_core::{
    aggregate::{Aggregate, Decoded, decode, reduce},
    domain::Snapshot,
    domains::{
        self,
        bank_account::{BankAccount, BankAccountEvent},
    },
    event::{Event, Interner},
    replay::{self, ReplayError},
    schema::Described,
    time::{Ulid, to_iso},
    timeline::Timeline,
    value::Object,
};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

/// The account whose stream is measured.
const ID: &str = "01K1RZXKEWDX1ESHFJVDHDWM2E";

/// One stream of a bank account, the same for the same count and seed.
#[wasm_bindgen]
pub struct Bench {
    events: Vec<Event>,
    decoded: Vec<Decoded<BankAccountEvent>>,
    timeline: Option<Timeline>,
}

#[wasm_bindgen]
impl Bench {
    /// A stream of `count` events: an opening, then deposits, withdrawals, and transfers that go out, come
    /// in, arrive or come back.
    #[wasm_bindgen(constructor)]
    pub fn new(count: u32, seed: u32) -> Result<Bench, String> {
        let mut shared = Interner::default();
        let mut events = Vec::with_capacity(count as usize);
        for (version, (name, payload)) in (1..=u64::from(count)).zip(history(u64::from(seed))) {
            let id = Ulid::from_parts(1_754_000_000_000 + version * 1_000, u128::from(version));
            let mut fields = json!({
                "eventId": id.to_string(),
                "eventName": name,
                "aggregateName": BankAccount::NAME,
                "aggregateId": ID,
                "aggregateVersion": version,
                "actorId": format!("user-{}", version % 7),
            });
            if let (Value::Object(fields), Value::Object(payload)) = (&mut fields, payload) {
                fields.extend(payload);
            }
            let event = Event::parse_shared(&fields.to_string(), &mut shared);
            events.push(event.map_err(|issue| issue.to_string())?);
        }
        let decoded = events.iter().map(decode::<BankAccount>).collect::<Result<_, _>>();
        Ok(Bench { events, decoded: decoded.map_err(|error| error.to_string())?, timeline: None })
    }

    /// The events from one index up to another as a JSON array, for the JavaScript side to parse.
    #[wasm_bindgen(js_name = eventsJson)]
    pub fn events_json(&self, from: usize, to: usize) -> String {
        let events = self.events.get(from..to.min(self.events.len())).unwrap_or_default();
        let items: Vec<&str> = events.iter().map(Event::as_json).collect();
        format!("[{}]", items.join(","))
    }

    /// Folds all events, which are decoded already; gives the state as JSON, with `$meta`.
    pub fn fold(&self) -> Result<String, String> {
        let folded = reduce::<BankAccount>(None, &self.decoded).map_err(|error| error.to_string())?;
        let folded = folded.ok_or("there are no events")?;
        let state = folded.state.to_json().as_object().cloned().unwrap_or_default();
        let snapshot = Snapshot { meta: folded.meta, state, fingerprint: BankAccount::FINGERPRINT };
        Ok(snapshot.to_json().to_string())
    }

    /// The stream as DynamoDB answers a query for it: pages of a megabyte by its own count.
    #[wasm_bindgen(js_name = queryPages)]
    pub fn query_pages(&self) -> Vec<Uint8Array> {
        let mut pages = Vec::new();
        let (mut items, mut size) = (Vec::new(), 0);
        for event in &self.events {
            let mut fields = event.fields();
            fields.insert("eventTs".into(), to_iso(event.time()).into());
            size += fields.iter().map(|(name, value)| name.len() + value.to_string().len()).sum::<usize>();
            items.push(attributes(&fields));
            if size > 1_000_000 || event.version() == self.events.len() as u64 {
                let next = json!({"aggregateId": {"S": ID}, "eventId": {"S": event.id().to_string()}});
                let body = format!(
                    r#"{{"Count":{count},"Items":[{}],"LastEvaluatedKey":{next},"ScannedCount":{count}}}"#,
                    items.join(","),
                    count = items.len(),
                );
                pages.push(Uint8Array::from(body.as_bytes()));
                (items, size) = (Vec::new(), 0);
            }
        }
        pages
    }

    /// Builds the timeline of all events, as the playground does. The events move into it.
    pub fn timeline(&mut self) {
        self.decoded = Vec::new();
        let events = std::mem::take(&mut self.events);
        self.timeline = Some(Timeline::new(domains::for_log(BankAccount::NAME), ID, events));
    }

    /// The state at a version as JSON, with `$meta`.
    pub fn seek(&self, version: u32) -> Result<String, String> {
        let timeline = self.timeline.as_ref().ok_or("build the timeline first")?;
        let state = timeline.state_at(u64::from(version)).ok_or("there is no state")?;
        Ok(state.to_json().to_string())
    }
}

/// An item as DynamoDB writes it.
fn attributes(fields: &Object) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| match value {
            Value::Number(number) => format!(r#""{name}":{{"N":"{number}"}}"#),
            value => format!(r#""{name}":{{"S":{value}}}"#),
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// Replays the pages of a query; gives the state as JSON, with `$meta`.
#[wasm_bindgen]
pub fn replay(pages: Vec<Uint8Array>) -> Result<String, String> {
    let (bank, begin) = (domains::for_log(BankAccount::NAME), rewound_quick::begin(BankAccount::NAME));
    state(replay::replay_by(bank, begin, pages.iter().map(Uint8Array::to_vec)))
}

/// The same, the thorough way.
#[wasm_bindgen(js_name = replayThoroughly)]
pub fn replay_thoroughly(pages: Vec<Uint8Array>) -> Result<String, String> {
    state(replay::thorough(domains::for_log(BankAccount::NAME), pages.iter().map(Uint8Array::to_vec)))
}

/// Damages small pages at random, and replays them both ways: this build reads with vectors, and the core's own
/// tests without. Gives how many pages still ended in a state.
#[wasm_bindgen(js_name = bothWaysAgree)]
pub fn both_ways_agree(rounds: u32) -> Result<u32, String> {
    const PIECES: [&str; 12] =
        ["\"", "\\", "{", "}", ",", "\n", "0", "-", "\\u00e9", "\u{e9}", "{\"S\":\"x\"}", "\"eventId\""];
    // Enough events that some are like one before: those are compared with it as a whole.
    let (bench, mut states) = (Bench::new(20, 1)?, 0);
    let page = bench.query_pages().first().map(Uint8Array::to_vec).ok_or("there is no page")?;
    let bank = domains::for_log(BankAccount::NAME);
    for seed in 0..rounds {
        let mut rng = fastrand::Rng::with_seed(u64::from(seed));
        let mut page = page.clone();
        for _ in 0..rng.u32(1..3) {
            let at = rng.usize(0..page.len());
            let end = (at + rng.usize(0..3)).min(page.len());
            let piece = rng.choice(PIECES).unwrap_or_default().as_bytes();
            let byte = [rng.u8(..)];
            page.splice(at..end, if rng.bool() { piece } else { &byte }.iter().copied());
        }
        let quick = replay::replay_by(bank, rewound_quick::begin(BankAccount::NAME), [&page]);
        let thorough = replay::thorough(bank, [&page]);
        if quick != thorough {
            let page = String::from_utf8_lossy(&page);
            return Err(format!("{quick:?} is not {thorough:?}, of {page}"));
        }
        states += u32::from(quick.is_ok());
    }
    Ok(states)
}

/// The time in an event's id, in milliseconds; none where it is no id.
#[wasm_bindgen(js_name = timeOf)]
pub fn time_of(id: &str) -> Option<f64> {
    rewound_scan::time_of(id).map(|time| time as f64)
}

fn state(replayed: Result<Option<Snapshot>, ReplayError>) -> Result<String, String> {
    let state = replayed.map_err(|error| error.to_string())?.ok_or("there are no events")?;
    Ok(state.to_json().to_string())
}

/// Names and payloads of a history without end, in which no balance falls below nothing and a few
/// transfers are always on their way.
fn history(seed: u64) -> impl Iterator<Item = (&'static str, Value)> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut balance = 1_000_000;
    let mut pending: Vec<(String, i64)> = Vec::new();
    let mut number = 0_u64;
    std::iter::from_fn(move || {
        number += 1;
        if number == 1 {
            let opened = json!({"accountHolderId": "ada", "initialDeposit": balance, "currency": "EUR"});
            return Some(("AccountOpened", opened));
        }
        let amount = rng.i64(1..=5_000);
        let reference = format!("inv-{}", rng.u32(..100_000));
        Some(match rng.u32(0..10) {
            0..=3 => {
                balance += amount;
                (
                    "MoneyDeposited",
                    json!({"amount": amount, "transactionReference": reference, "description": "Deposit"}),
                )
            }
            4..=6 if amount <= balance => {
                balance -= amount;
                (
                    "MoneyWithdrawn",
                    json!({"amount": amount, "transactionReference": reference, "description": "Withdrawal"}),
                )
            }
            7 if amount <= balance && pending.len() < 4 => {
                balance -= amount;
                let transfer = format!("t-{number}");
                pending.push((transfer.clone(), amount));
                (
                    "TransferInitiated",
                    json!({"transferId": transfer, "destinationAccountId": "b", "amount": amount}),
                )
            }
            8 if !pending.is_empty() => {
                let (transfer, amount) = pending.swap_remove(rng.usize(0..pending.len()));
                if rng.u32(0..8) > 0 {
                    ("TransferCompleted", json!({"transferId": transfer}))
                } else {
                    balance += amount;
                    (
                        "TransferReversed",
                        json!({"transferId": transfer, "amount": amount, "reason": "closed"}),
                    )
                }
            }
            _ => {
                balance += amount;
                (
                    "TransferReceived",
                    json!({"transferId": format!("r-{number}"), "sourceAccountId": "c", "amount": amount, "currency": "EUR"}),
                )
            }
        })
    })
}
