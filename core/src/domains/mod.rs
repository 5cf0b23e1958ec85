//! The domains that Rewound ships, each on one page: commands, events, state, decide, evolve.

pub mod bank_account;
pub mod blog_post;
pub mod customer;
pub mod generic;
pub mod order;
pub mod transfer;

use crate::domain::{Compiled, Domain};

/// What a domain file needs.
mod prelude {
    pub(super) use crate::{
        aggregate::{Aggregate, Context, Once, fingerprint},
        error::{Problem, Rejection},
        schema::Described,
    };
}

static BLOG_POST: Compiled<blog_post::BlogPost> = Compiled::new();
static ORDER: Compiled<order::Order> = Compiled::new();
static CUSTOMER: Compiled<customer::Customer> = Compiled::new();
static BANK_ACCOUNT: Compiled<bank_account::BankAccount> = Compiled::new();

/// Every compiled domain.
pub fn all() -> [&'static dyn Domain; 4] {
    [&BANK_ACCOUNT, &ORDER, &CUSTOMER, &BLOG_POST]
}

/// The compiled domain with that name.
///
/// ```
/// assert!(rewound_core::domains::find("BankAccount").is_some());
/// assert!(rewound_core::domains::find("TrafficFine").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static dyn Domain> {
    all().into_iter().find(|domain| domain.name() == name)
}

/// The domain that replays a log of that aggregate: the compiled one, or the
/// [generic](generic::Generic) one where none has the name.
pub fn for_log(name: &str) -> &'static dyn Domain {
    find(name).unwrap_or(&generic::Generic)
}
