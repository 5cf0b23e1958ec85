//! The saga that carries a transfer from one account to another: initiated at the source, received at
//! the destination, completed at the source; or reversed there, where the destination refuses it.
//!
//! It is a function from what happened to what is to be done next ([`after`]), and one from what could
//! not be done to what is to be done instead ([`instead`]). Its commands take effect once, and of receiving
//! and reversing a transfer only one ever does: whoever drives a transfer may start over from any of its
//! events, any time, beside any number of others.

use crate::{
    aggregate::decode,
    domain::Command,
    domains::bank_account::{Account, BankAccount, BankAccountEvent},
    error::Error,
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

fn step(aggregate_id: &str, name: &str, fields: Value) -> Option<Step> {
    let command = Command { name: name.to_owned(), fields: fields.as_object()?.clone() };
    Some(Step { aggregate_id: aggregate_id.to_owned(), command })
}

/// What the saga does after an event, given the state of its account after it. Most events are not the
/// saga's business.
pub fn after(event: &Event, state: &Object) -> Option<Step> {
    match decode::<BankAccount>(event).ok()?.event {
        BankAccountEvent::TransferInitiated { transfer_id, destination_account_id, amount } => {
            let source = Account::from_json(&Value::Object(state.clone())).ok()?;
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
            let reason = "The destination refused the transfer.";
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
