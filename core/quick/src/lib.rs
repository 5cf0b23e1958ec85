//! How the events of the domains that ship are applied in a replay, compiled for speed.
//!
//! What knows a domain's types is generic in rewound-core, and compiled in the crate that first asks for it: this one,
//! and Cargo compiles each crate for speed or for size.

use rewound_core::{
    aggregate::Aggregate,
    domains::{bank_account::BankAccount, blog_post::BlogPost, customer::Customer, order::Order},
    replay::{Begin, erased, typed},
};

/// How a [replay](rewound_core::replay::replay_by) of the domain of that name begins.
// A function as short as this may be compiled where it is called, with all that it asks for.
#[inline(never)]
pub fn begin(name: &str) -> Begin {
    match name {
        BankAccount::NAME => typed::<BankAccount>,
        Order::NAME => typed::<Order>,
        Customer::NAME => typed::<Customer>,
        BlogPost::NAME => typed::<BlogPost>,
        // One from elsewhere with one of these names is taken for what it is as well.
        _ => erased,
    }
}
