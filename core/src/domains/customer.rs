//! A customer: registered once, suspended and reactivated; only an active one changes.

use super::prelude::*;
use crate::text::{Email, Label, Note};

/// What a customer can be asked to do.
#[derive(Debug, Described)]
#[described(rename_all_fields = "camelCase", closed)]
pub enum CustomerCommand {
    /// Take in a new customer.
    Register {
        /// Where mail reaches the customer.
        email: Email,
        /// What the customer is called.
        name: Label,
    },
    /// Send mail to another address from now on.
    UpdateEmail {
        /// The new address.
        new_email: Email,
    },
    /// Stop dealing with the customer for now.
    Suspend {
        /// Why.
        reason: Note,
    },
    /// Deal with the customer again.
    Reactivate {},
}

/// What can have happened to a customer.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all_fields = "camelCase")]
pub enum CustomerEvent {
    /// The customer was taken in.
    #[described(command = "Register")]
    CustomerRegistered {
        /// Where mail reaches the customer.
        email: Email,
        /// What the customer is called.
        name: Label,
    },
    /// The address changed.
    #[described(command = "UpdateEmail")]
    CustomerEmailUpdated {
        /// The address before.
        old_email: Email,
        /// The address from now on.
        new_email: Email,
    },
    /// The customer was suspended.
    #[described(command = "Suspend")]
    CustomerSuspended {
        /// Why.
        reason: Note,
    },
    /// The customer is active again.
    #[described(command = "Reactivate")]
    CustomerReactivated {},
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all = "camelCase")]
pub struct Person {
    /// Where mail reaches the customer.
    pub email: Email,
    /// What the customer is called.
    pub name: Label,
    /// Whether we deal with the customer.
    pub status: CustomerStatus,
    /// Why not; only while suspended.
    pub suspension_reason: Option<Note>,
}

/// Whether we deal with a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Described)]
#[described(rename_all = "UPPERCASE")]
pub enum CustomerStatus {
    /// We do.
    Active,
    /// Not for now.
    Suspended,
}

/// The aggregate `Customer`.
#[derive(Debug, Clone)]
pub struct Customer;

impl Aggregate for Customer {
    const NAME: &'static str = "Customer";
    const FINGERPRINT: u64 = fingerprint(&[include_bytes!("customer.rs"), include_bytes!("../text.rs")]);
    type Command = CustomerCommand;
    type Event = CustomerEvent;
    type State = Person;

    fn decide(
        customer: Option<&Person>,
        command: CustomerCommand,
        _: Context<'_>,
    ) -> Result<Vec<CustomerEvent>, Rejection> {
        use CustomerCommand::*;
        use CustomerEvent::*;
        let event = match (customer, command) {
            (None, Register { email, name }) => CustomerRegistered { email, name },
            (Some(_), Register { .. }) => return Err(Rejection::already_exists()),
            (None, _) => return Err(Rejection::not_found()),
            (Some(Person { status: CustomerStatus::Suspended, .. }), Reactivate {}) => CustomerReactivated {},
            (Some(_), Reactivate {}) => {
                return Err(Rejection::new("not-suspended", "Only a suspended customer is reactivated."));
            }
            (Some(Person { status: CustomerStatus::Suspended, .. }), _) => {
                return Err(Rejection::new("not-active", "The customer is suspended: reactivate first."));
            }
            (Some(customer), UpdateEmail { new_email }) if customer.email == new_email => return Ok(vec![]),
            (Some(customer), UpdateEmail { new_email }) => {
                CustomerEmailUpdated { old_email: customer.email.clone(), new_email }
            }
            (Some(_), Suspend { reason }) => CustomerSuspended { reason },
        };
        Ok(vec![event])
    }

    #[inline]
    fn evolve(customer: Option<Person>, event: &CustomerEvent, _: Context<'_>) -> Result<Person, Problem> {
        use CustomerEvent::*;
        use CustomerStatus::*;
        Ok(match (customer, event) {
            (None, CustomerRegistered { email, name }) => {
                Person { email: email.clone(), name: name.clone(), status: Active, suspension_reason: None }
            }
            (Some(_), CustomerRegistered { .. }) => return Err(Problem::AlreadyCreated),
            (None, _) => return Err(Problem::NotCreated),
            (Some(customer), CustomerEmailUpdated { new_email, .. }) => {
                Person { email: new_email.clone(), ..customer }
            }
            (Some(customer), CustomerSuspended { reason }) => {
                Person { status: Suspended, suspension_reason: Some(reason.clone()), ..customer }
            }
            (Some(customer), CustomerReactivated {}) => {
                Person { status: Active, suspension_reason: None, ..customer }
            }
        })
    }
}
