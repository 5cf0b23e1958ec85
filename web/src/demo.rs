//! What is there at the first visit: a little history, made by real commands with a fixed clock and
//! fixed randomness.

use rewound_core::{
    domain::{Command, Sender},
    domains,
    run::{Options, run},
    store::MemoryStore,
    time::{Millis, Ulid, parse_iso},
};
use serde_json::{Value, json};

/// The store with the demo in it.
pub(crate) fn store() -> MemoryStore {
    let mut demo = Demo { store: MemoryStore::new(), commands: 0 };
    demo.tell();
    demo.store
}

struct Demo {
    store: MemoryStore,
    commands: u128,
}

impl Demo {
    fn tell(&mut self) {
        let (ada, grace) = (id("2026-04-01T09:00:00Z", 1), id("2026-04-02T09:00:00Z", 2));
        let (order, customer, post) =
            (id("2026-05-20T18:00:00Z", 3), id("2026-05-20T17:30:00Z", 4), id("2026-05-18T07:00:00Z", 5));

        let bank = "BankAccount";
        self.send(
            "2026-04-01T09:12:04Z",
            "ada",
            bank,
            &ada,
            "Open",
            json!({"accountHolderId": "Ada Lovelace", "currency": "EUR"}),
        );
        self.send(
            "2026-04-02T10:40:11Z",
            "grace",
            bank,
            &grace,
            "Open",
            json!({"accountHolderId": "Grace Hopper", "currency": "EUR", "initialDeposit": 50_000}),
        );
        self.send("2026-04-28T06:00:00Z", "payroll", bank, &ada, "Deposit", json!({"amount": 320_000, "transactionReference": "salary-2026-04", "description": "Salary April"}));
        self.send(
            "2026-05-01T07:30:00Z",
            "ada",
            bank,
            &ada,
            "Withdraw",
            json!({"amount": 115_000, "transactionReference": "rent-2026-05", "description": "Rent May"}),
        );
        self.send(
            "2026-05-04T18:21:37Z",
            "ada",
            bank,
            &ada,
            "Withdraw",
            json!({"amount": 6_480, "transactionReference": "card-7731", "description": "Groceries"}),
        );
        self.send(
            "2026-05-09T12:05:00Z",
            "ada",
            bank,
            &ada,
            "InitiateTransfer",
            json!({"transferId": "concert-tickets", "destinationAccountId": grace, "amount": 18_900}),
        );
        self.send("2026-05-09T12:05:01Z", "transfer-saga", bank, &grace, "ReceiveTransfer", json!({"transferId": "concert-tickets", "sourceAccountId": ada, "amount": 18_900, "currency": "EUR"}));
        self.send(
            "2026-05-09T12:05:02Z",
            "transfer-saga",
            bank,
            &ada,
            "CompleteTransfer",
            json!({"transferId": "concert-tickets"}),
        );
        self.send(
            "2026-05-28T06:00:00Z",
            "payroll",
            bank,
            &ada,
            "Deposit",
            json!({"amount": 320_000, "transactionReference": "salary-2026-05", "description": "Salary May"}),
        );
        self.send(
            "2026-06-01T07:30:00Z",
            "ada",
            bank,
            &ada,
            "Withdraw",
            json!({"amount": 115_000, "transactionReference": "rent-2026-06", "description": "Rent June"}),
        );

        self.send(
            "2026-05-20T17:30:12Z",
            "shop",
            "Customer",
            &customer,
            "Register",
            json!({"email": "alan@example.com", "name": "Alan Turing"}),
        );
        self.send(
            "2026-05-22T08:15:40Z",
            "alan",
            "Customer",
            &customer,
            "UpdateEmail",
            json!({"newEmail": "alan@bletchley.example"}),
        );

        self.send(
            "2026-05-20T18:02:09Z",
            "alan",
            "Order",
            &order,
            "Create",
            json!({"customerId": customer, "items": [
                {"productId": "fountain-pen", "quantity": 1, "price": 4_990},
                {"productId": "ink-bottle", "quantity": 2, "price": 1_250},
            ]}),
        );
        self.send(
            "2026-05-20T18:04:51Z",
            "alan",
            "Order",
            &order,
            "AddItem",
            json!({"productId": "notebook", "quantity": 3, "price": 799}),
        );
        self.send("2026-05-20T18:05:30Z", "alan", "Order", &order, "Confirm", json!({}));

        self.send(
            "2026-05-18T07:10:00Z",
            "grace",
            "BlogPost",
            &post,
            "Create",
            json!({"title": "Why I keep every event"}),
        );
        self.send("2026-05-18T09:45:00Z", "grace", "BlogPost", &post, "Publish", json!({}));
        self.send(
            "2026-05-19T06:20:00Z",
            "grace",
            "BlogPost",
            &post,
            "ChangeTitle",
            json!({"title": "Why we keep every event"}),
        );
    }

    fn send(&mut self, at: &str, actor: &str, aggregate: &str, id: &str, name: &str, fields: Value) {
        self.commands += 1;
        let by =
            Sender { actor: actor.to_owned(), now: time(at), random: self.commands, ..Sender::default() };
        let sent = Command::new(name, fields).and_then(|command| {
            domains::find(aggregate)
                .map(|domain| run(&mut self.store, domain, id, command, &by, Options::default()))
                .transpose()
        });
        // The browser test reads every number of this story: a refused command would show there.
        debug_assert!(sent.is_ok(), "{aggregate}.{name}: {sent:?}");
    }
}

fn time(iso: &str) -> Millis {
    parse_iso(iso).unwrap_or_default()
}

/// An id like those that are made at random, and the same at each visit.
fn id(iso: &str, seed: u128) -> String {
    Ulid::from_parts(time(iso), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c) & ((1 << 80) - 1)).to_string()
}
