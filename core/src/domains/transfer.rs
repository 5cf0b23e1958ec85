//! The saga that carries a transfer from one account to another: initiated at the source, received at
//! the destination, completed at the source; or reversed there, where the destination refuses it.
//!
//! It is a function from what happened to what is to be done next ([`after`]), and one from what could
//! not be done to what is to be done instead ([`instead`]). Its commands take effect once, and of receiving
//! and reversing a transfer only one ever does: whoever drives a transfer may start over from any of its
//! events, any time, beside any number of others.

use crate::{
    aggregate::{Aggregate, decode},
    domain::Command,
    domains::bank_account::{Account, BankAccount, BankAccountEvent},
    error::{Error, Rejection},
    event::Event,
    schema::Described,
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
}

/// Which transfer an event is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The account that it comes from.
    pub source: String,
    /// Its id, one of its source's.
    pub id: String,
}

/// Whether there is something for the saga to do behind an event.
pub fn concerns(event: &Event) -> bool {
    event.aggregate() == BankAccount::NAME && matches!(event.name(), "TransferInitiated" | "TransferReceived")
}

/// Whether an error of a step says that the transfer was over before.
pub fn is_over(error: &Error) -> bool {
    match error {
        Error::Rejected(rejection) => rejection.code == "transfer-not-pending",
        Error::Settled { .. } => true,
        _ => false,
    }
}

/// The transfer that an event begins or carries on; none where it does neither, or cannot be read.
pub fn of(event: &Event) -> Option<Transfer> {
    match decode::<BankAccount>(event).ok()?.event {
        BankAccountEvent::TransferInitiated { transfer_id, .. } => {
            Some(Transfer { source: event.aggregate_id().to_owned(), id: transfer_id.to_string() })
        }
        BankAccountEvent::TransferReceived { transfer_id, source_account_id, .. } => {
            Some(Transfer { source: source_account_id.to_string(), id: transfer_id.to_string() })
        }
        _ => None,
    }
}

/// Whether a source still waits for a transfer, given its state.
pub fn is_pending(state: &Object, transfer: &str) -> bool {
    state.get("pendingTransfers").is_some_and(|pending| pending.get(transfer).is_some())
}

fn step(aggregate_id: &str, name: &str, fields: Value) -> Option<Step> {
    let command = Command { name: name.to_owned(), fields: fields.as_object()?.clone() };
    Some(Step { aggregate_id: aggregate_id.to_owned(), command })
}

/// What the saga does after an event, given the state of its account after it. Most events are not the
/// saga's business.
pub fn after(event: &Event, state: &Object) -> Option<Step> {
    match decode::<BankAccount>(event).ok()?.event {
        BankAccountEvent::TransferInitiated { transfer_id, destination_account_id, amount } => {
            let source = Account::from_object(state).ok()?;
            let receive = json!({
                "transferId": transfer_id,
                "sourceAccountId": event.aggregate_id(),
                "amount": amount,
                "currency": source.currency,
            });
            step(&destination_account_id, "ReceiveTransfer", receive)
        }
        BankAccountEvent::TransferReceived { transfer_id, source_account_id, .. } => {
            step(&source_account_id, "CompleteTransfer", json!({ "transferId": transfer_id }))
        }
        _ => None,
    }
}

/// What the saga does instead of a step that ended in an error: a transfer that its destination refuses, or
/// that has no destination, is reversed; one that was received after all is completed. None where
/// the transfer is settled, and where the step is to be sent again: [`Error::Contention`], [`Error::Store`].
pub fn instead(of: &Step, error: &Error) -> Option<Step> {
    let field = |name: &str| of.command.fields.get(name);
    let (receives, source) = match of.command.name.as_str() {
        "ReceiveTransfer" => (true, field("sourceAccountId")?.as_str()?),
        "ReverseTransfer" => (false, of.aggregate_id.as_str()),
        _ => return None,
    };
    let transfer_id = field("transferId")?;
    match error {
        Error::Rejected(_) | Error::NotFound { .. } if receives => {
            let why = match error {
                Error::Rejected(rejection) => &rejection.code,
                _ => Rejection::NOT_FOUND,
            };
            let reason = format!("The destination refused the transfer: {why}.");
            let reverse = json!({ "transferId": transfer_id, "amount": field("amount")?, "reason": reason });
            step(source, "ReverseTransfer", reverse)
        }
        // What is settled elsewhere than at the source was received there.
        Error::Settled { id, .. } if id != source => {
            step(source, "CompleteTransfer", json!({ "transferId": transfer_id }))
        }
        _ => None,
    }
}
