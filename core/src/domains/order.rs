//! An order: items while it is pending, then confirmed. The total is derived, never stored in an event.

use super::prelude::*;
use crate::{
    number::{Cents, Price, Quantity},
    text::Label,
};

/// What an order can be asked to do.
#[derive(Debug, Described)]
#[described(rename_all_fields = "camelCase", closed)]
pub enum OrderCommand {
    /// Place a new order.
    Create {
        /// Who orders.
        customer_id: Label,
        /// What is ordered: one item at least.
        #[described(min_items = 1)]
        items: Vec<Item>,
    },
    /// Order one thing more.
    AddItem {
        /// What is ordered.
        product_id: Label,
        /// How many.
        quantity: Quantity,
        /// The price of one.
        price: Price,
    },
    /// Accept the order as it is: nothing is added any more.
    Confirm {},
}

/// What can have happened to an order.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all_fields = "camelCase")]
pub enum OrderEvent {
    /// The order was placed.
    #[described(command = "Create")]
    OrderCreated {
        /// Who orders.
        customer_id: Label,
        /// What is ordered.
        items: Vec<Item>,
    },
    /// One thing more was ordered.
    #[described(command = "AddItem")]
    OrderItemAdded {
        /// What is ordered.
        product_id: Label,
        /// How many.
        quantity: Quantity,
        /// The price of one.
        price: Price,
    },
    /// The order was accepted.
    #[described(command = "Confirm")]
    OrderConfirmed {},
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all = "camelCase")]
pub struct Item {
    /// What is ordered.
    pub product_id: Label,
    /// How many.
    pub quantity: Quantity,
    /// The price of one.
    pub price: Price,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all = "camelCase")]
pub struct Purchase {
    /// Who orders.
    pub customer_id: Label,
    /// What is ordered.
    pub items: Vec<Item>,
    /// The sum of every item's price times its quantity.
    pub total_amount: Cents,
    /// Whether it was accepted.
    pub status: OrderStatus,
}

/// Whether an order was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Described)]
#[described(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Items can still be added.
    Pending,
    /// It is as it is.
    Confirmed,
}

/// The aggregate `Order`.
#[derive(Debug, Clone)]
pub struct Order;

impl Aggregate for Order {
    const NAME: &'static str = "Order";
    const FINGERPRINT: u64 = fingerprint(&[
        include_bytes!("order.rs"),
        include_bytes!("../number.rs"),
        include_bytes!("../text.rs"),
    ]);
    type Command = OrderCommand;
    type Event = OrderEvent;
    type State = Purchase;

    fn decide(
        order: Option<&Purchase>,
        command: OrderCommand,
        _: Context<'_>,
    ) -> Result<Vec<OrderEvent>, Rejection> {
        use OrderCommand::*;
        use OrderEvent::*;
        let too_much =
            || Rejection::new("total-out-of-range", "The total would not be a safe integer of cents.");
        let not_pending = || Rejection::new("not-pending", "The order was confirmed: it changes no more.");
        let event = match (order, command) {
            (None, Create { items, .. }) if items.is_empty() => {
                return Err(Rejection::new("no-items", "An order has one item at least."));
            }
            (None, Create { customer_id, items }) => {
                total(Cents::default(), &items).ok_or_else(too_much)?;
                OrderCreated { customer_id, items }
            }
            (Some(_), Create { .. }) => return Err(Rejection::already_exists()),
            (None, _) => return Err(Rejection::not_found()),
            (Some(order), _) if order.status == OrderStatus::Confirmed => return Err(not_pending()),
            (Some(order), AddItem { product_id, quantity, price }) => {
                let item = Item { product_id, quantity, price };
                total(order.total_amount, [&item]).ok_or_else(too_much)?;
                let Item { product_id, quantity, price } = item;
                OrderItemAdded { product_id, quantity, price }
            }
            (Some(_), Confirm {}) => OrderConfirmed {},
        };
        Ok(vec![event])
    }

    #[inline]
    fn evolve(order: Option<Purchase>, event: &OrderEvent, _: Context<'_>) -> Result<Purchase, Problem> {
        use OrderEvent::*;
        let out_of_range = Problem::OutOfRange { field: "totalAmount" };
        Ok(match (order, event) {
            (None, OrderCreated { customer_id, items }) => Purchase {
                customer_id: customer_id.clone(),
                items: items.clone(),
                total_amount: total(Cents::default(), items).ok_or(out_of_range)?,
                status: OrderStatus::Pending,
            },
            (Some(_), OrderCreated { .. }) => return Err(Problem::AlreadyCreated),
            (None, _) => return Err(Problem::NotCreated),
            (Some(mut order), OrderItemAdded { product_id, quantity, price }) => {
                let item = Item { product_id: product_id.clone(), quantity: *quantity, price: *price };
                let total_amount = total(order.total_amount, [&item]).ok_or(out_of_range)?;
                order.items.push(item);
                Purchase { total_amount, ..order }
            }
            (Some(order), OrderConfirmed {}) => Purchase { status: OrderStatus::Confirmed, ..order },
        })
    }
}

/// The sum with these items' prices times quantities, or `None` where it is no safe integer.
fn total<'a>(sum: Cents, items: impl IntoIterator<Item = &'a Item>) -> Option<Cents> {
    items.into_iter().try_fold(sum, |sum, item| sum.plus(item.price.times(item.quantity)?))
}
