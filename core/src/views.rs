//! The read models that Rewound ships: one for each domain, a row for each aggregate.

use crate::{
    aggregate::decode,
    domains::{
        bank_account::{BankAccount, BankAccountEvent},
        blog_post::{BlogPost, BlogPostEvent},
        customer::{Customer, CustomerEvent},
        order::{Order, OrderEvent},
    },
    event::Event,
    number::Cents,
    projection::{Index, Projection},
    schema::Described,
    time::to_iso,
    value::Object,
};
use serde_json::{Value, json};

/// Every read model.
pub static ALL: [Projection; 4] = [ACCOUNT_BALANCES, ORDERS, CUSTOMERS, BLOG_POSTS];

/// Whose account holds how much: `{accountHolderId, balance, currency, status, openedAt}`, the balance in cents. In the
/// order of their ids, or those of one holder, the oldest first.
pub const ACCOUNT_BALANCES: Projection = Projection {
    name: "account-balances",
    aggregate: "BankAccount",
    apply: account_balances,
    fields: &[
        ("accountHolderId", "string"),
        ("balance", "integer"),
        ("currency", "string"),
        ("status", "string"),
        ("openedAt", "string"),
    ],
    indexes: &[Index { by: Some("accountHolderId"), order: "openedAt", descending: false }],
};

/// Orders with their totals: `{customerId, items, totalAmount, status, placedAt}`, the total in cents. The newest first:
/// all of them, or those of one customer.
pub const ORDERS: Projection = Projection {
    name: "orders",
    aggregate: "Order",
    apply: orders,
    fields: &[
        ("customerId", "string"),
        ("items", "integer"),
        ("totalAmount", "integer"),
        ("status", "string"),
        ("placedAt", "string"),
    ],
    indexes: &[
        Index { by: None, order: "placedAt", descending: true },
        Index { by: Some("customerId"), order: "placedAt", descending: true },
    ],
};

/// Customers: `{email, name, status}`, in the order of their e-mail addresses: all of them, or those of one status.
pub const CUSTOMERS: Projection = Projection {
    name: "customers",
    aggregate: "Customer",
    apply: customers,
    fields: &[("email", "string"), ("name", "string"), ("status", "string")],
    indexes: &[
        Index { by: None, order: "email", descending: false },
        Index { by: Some("status"), order: "email", descending: false },
    ],
};

/// Posts: `{title, authorId, createdAt, publishedAt?}`, the newest first: what is published, or all that one author wrote.
pub const BLOG_POSTS: Projection = Projection {
    name: "blog-posts",
    aggregate: "BlogPost",
    apply: blog_posts,
    fields: &[
        ("title", "string"),
        ("authorId", "string"),
        ("createdAt", "string"),
        ("publishedAt", "string"),
    ],
    indexes: &[
        Index { by: None, order: "publishedAt", descending: true },
        Index { by: Some("authorId"), order: "createdAt", descending: true },
    ],
};

/// The read model of that name.
///
/// ```
/// assert_eq!(rewound_core::views::find("customers").unwrap().aggregate, "Customer");
/// ```
pub fn find(name: &str) -> Option<&'static Projection> {
    ALL.iter().find(|view| view.name == name)
}

type Row = Option<Object>;

fn account_balances(row: Row, event: &Event) -> Result<Row, String> {
    use BankAccountEvent::*;
    let balance = |row: &Row| Cents::from_json(row.as_ref()?.get("balance")?).ok();
    let before = balance(&row);
    let changed = match &decode::<BankAccount>(event).map_err(|error| error.to_string())?.event {
        AccountOpened { account_holder_id, initial_deposit, currency } => {
            return new(json!({
                "accountHolderId": account_holder_id,
                "balance": initial_deposit,
                "currency": currency,
                "status": "Active",
                "openedAt": to_iso(event.time()),
            }));
        }
        MoneyDeposited { amount, .. } | TransferReceived { amount, .. } | TransferReversed { amount, .. } => {
            before.and_then(|before| before.plus(*amount))
        }
        MoneyWithdrawn { amount, .. } | TransferInitiated { amount, .. } => {
            before.and_then(|before| before.minus(*amount))
        }
        AccountClosed { .. } => return with(row, [("status", json!("Closed"))]),
        TransferCompleted { .. } => return with(row, []),
    };
    let changed = changed.ok_or("the account has no balance that the event could change")?;
    with(row, [("balance", json!(changed))])
}

fn orders(row: Row, event: &Event) -> Result<Row, String> {
    let number = |name: &str| row.as_ref().and_then(|row| row.get(name)).and_then(Value::as_i64).unwrap_or(0);
    match &decode::<Order>(event).map_err(|error| error.to_string())?.event {
        OrderEvent::OrderCreated { customer_id, items } => {
            let total = items
                .iter()
                .try_fold(Cents::default(), |sum, item| sum.plus(item.price.times(item.quantity)?));
            new(json!({
                "customerId": customer_id,
                "items": items.len(),
                "totalAmount": total.ok_or("the total is no safe integer")?,
                "status": "pending",
                "placedAt": to_iso(event.time()),
            }))
        }
        OrderEvent::OrderItemAdded { quantity, price, .. } => {
            let before = Cents::new(number("totalAmount")).unwrap_or_default();
            let total = price.times(*quantity).and_then(|more| before.plus(more));
            let total = total.ok_or("the total is no safe integer")?;
            let items = number("items") + 1;
            with(row, [("items", json!(items)), ("totalAmount", json!(total))])
        }
        OrderEvent::OrderConfirmed {} => with(row, [("status", json!("confirmed"))]),
    }
}

fn customers(row: Row, event: &Event) -> Result<Row, String> {
    match &decode::<Customer>(event).map_err(|error| error.to_string())?.event {
        CustomerEvent::CustomerRegistered { email, name } => {
            new(json!({ "email": email, "name": name, "status": "ACTIVE" }))
        }
        CustomerEvent::CustomerEmailUpdated { new_email, .. } => with(row, [("email", json!(new_email))]),
        CustomerEvent::CustomerSuspended { .. } => with(row, [("status", json!("SUSPENDED"))]),
        CustomerEvent::CustomerReactivated {} => with(row, [("status", json!("ACTIVE"))]),
    }
}

fn blog_posts(row: Row, event: &Event) -> Result<Row, String> {
    match &decode::<BlogPost>(event).map_err(|error| error.to_string())?.event {
        BlogPostEvent::BlogPostCreated { title } => new(json!({
            "title": title, "authorId": event.actor(), "createdAt": to_iso(event.time()),
        })),
        BlogPostEvent::BlogPostPublished {} => with(row, [("publishedAt", json!(to_iso(event.time())))]),
        BlogPostEvent::BlogPostTitleChanged { title } => with(row, [("title", json!(title))]),
    }
}

fn new(row: Value) -> Result<Row, String> {
    Ok(row.as_object().cloned())
}

fn with<const N: usize>(row: Row, fields: [(&str, Value); N]) -> Result<Row, String> {
    let mut row = row.ok_or("there is no row that the event could change")?;
    row.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Ok(Some(row))
}
