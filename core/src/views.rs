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
    projection::Projection,
    schema::Described,
    time::to_iso,
    value::Object,
};
use serde_json::{Value, json};

/// Every read model.
pub const ALL: [Projection; 4] = [ACCOUNT_BALANCES, ORDERS, CUSTOMERS, BLOG_POSTS];

/// Whose account holds how much: `{accountHolderId, balance, currency, status}`, the balance in cents.
pub const ACCOUNT_BALANCES: Projection =
    Projection { name: "account-balances", aggregate: "BankAccount", apply: account_balances };

/// Orders with their totals: `{customerId, items, totalAmount, status, placedAt}`, the total in cents.
pub const ORDERS: Projection = Projection { name: "orders", aggregate: "Order", apply: orders };

/// Customers by status and e-mail: `{email, name, status}`.
pub const CUSTOMERS: Projection = Projection { name: "customers", aggregate: "Customer", apply: customers };

/// Posts: `{title, authorId, publishedAt?}`.
pub const BLOG_POSTS: Projection =
    Projection { name: "blog-posts", aggregate: "BlogPost", apply: blog_posts };

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
        BlogPostEvent::BlogPostCreated { title } => new(json!({ "title": title, "authorId": event.actor() })),
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
