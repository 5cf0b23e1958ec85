//! The saga that carries a transfer from one account to another: initiated at the source, received at
//! the destination, completed at the source; or reversed there, where the destination refuses it.
//!
//! It is a function from what happened to what is to be done next. Its commands take effect once, so
//! the one who drives a transfer may send each again after a crash, from wherever it left off.
//!
//! Not guarded yet: a driver that starts over from `TransferInitiated` after the transfer was reversed. A
//! refusal leaves no trace, so an account that was opened meanwhile would receive the money as well.
//! Drive each transfer from one place, and go on from its last step.

use crate::{
    aggregate::decode,
    domain::Command,
    domains::bank_account::{Account, BankAccount, BankAccountEvent},
    event::Event,
    value::Object,
};
use serde_json::{Value, json};

/// A command that the saga sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The account that it goes to.
    pub aggregate_id: String,
    /// What it is to do.
    pub command: Command,
    /// What is to be done instead where the account refuses, or does not exist.
    pub otherwise: Option<Box<Step>>,
}

/// What the saga does after an event, given the state of its account after it. Most events are not the
/// saga's business.
pub fn after(event: &Event, state: &Object) -> Option<Step> {
    let step = |aggregate_id: &str, name: &str, fields: Value, otherwise: Option<Step>| {
        let command = Command { name: name.to_owned(), fields: fields.as_object()?.clone() };
        Some(Step { aggregate_id: aggregate_id.to_owned(), command, otherwise: otherwise.map(Box::new) })
    };
    match decode::<BankAccount>(event).ok()?.event {
        BankAccountEvent::TransferInitiated { transfer_id, destination_account_id, amount } => {
            let source: Account = serde_json::from_value(Value::Object(state.clone())).ok()?;
            let refused = "The destination refused the transfer.";
            let reverse = json!({ "transferId": transfer_id, "amount": amount, "reason": refused });
            let receive = json!({
                "transferId": transfer_id,
                "sourceAccountId": event.aggregate_id(),
                "amount": amount,
                "currency": source.currency,
            });
            let reverse = step(event.aggregate_id(), "ReverseTransfer", reverse, None);
            step(&destination_account_id, "ReceiveTransfer", receive, reverse)
        }
        BankAccountEvent::TransferReceived { transfer_id, source_account_id, .. } => {
            step(&source_account_id, "CompleteTransfer", json!({ "transferId": transfer_id }), None)
        }
        _ => None,
    }
}
