//! How the screen is set: which race, from which start, with which writers. All of it stands in the address.

use super::{FEWEST, MOST};
use crate::{page::Lab, route::Route};
use rewound_core::{
    domain::Command,
    domains,
    sim::{Loss, Role, Scenario},
    value::Object,
};
use serde_json::{Value, json};

/// A race that tells something.
pub(super) struct Example {
    /// Its name in the address.
    pub(super) name: &'static str,
    /// What it is called.
    pub(super) title: &'static str,
    /// What there is to see, in a sentence or two.
    pub(super) about: &'static str,
    aggregate: &'static str,
    start: fn() -> Vec<Command>,
    roles: fn() -> Vec<Role>,
    is_locking: bool,
}

/// Every example, the first one first.
pub(super) static EXAMPLES: [Example; 7] = [
    Example {
        name: "overdraft",
        title: "Two withdrawals, money for one",
        about: "Ada and Bob both read a balance of 100.00 and both want 60.00. Only one commit can be the next \
                version. The other meets a conflict, decides again on the winner's row, and is refused by the rule.",
        aggregate: "BankAccount",
        start: account,
        roles: || vec![Role::new("Ada", withdraw(6_000)), Role::new("Bob", withdraw(6_000))],
        is_locking: true,
    },
    Example {
        name: "both-fit",
        title: "Both fit, after a retry",
        about: "A withdrawal and a deposit want the same version. The loser decides again on the winner's row and \
                commits: nobody has to know that there was a race.",
        aggregate: "BankAccount",
        start: account,
        roles: || vec![Role::new("Ada", withdraw(6_000)), Role::new("Bob", deposit(2_500))],
        is_locking: true,
    },
    Example {
        name: "pinned",
        title: "A pinned expected version",
        about: "Bob insists on the version that he saw. When Ada has changed the order, his confirmation is not \
                decided again behind his back: he is told that it is another order now.",
        aggregate: "Order",
        start: order,
        roles: || {
            let confirm = Role::new("Bob", command("Confirm", json!({})));
            vec![Role::new("Ada", add("pen", 250)), Role { expected_version: Some(1), ..confirm }]
        },
        is_locking: true,
    },
    Example {
        name: "confirm",
        title: "Confirm, or one item more",
        about: "Who comes first decides what the order is. If the confirmation wins, the item is refused; if the \
                item wins, it is confirmed with it.",
        aggregate: "Order",
        start: order,
        roles: || vec![Role::new("Ada", add("pen", 250)), Role::new("Bob", command("Confirm", json!({})))],
        is_locking: true,
    },
    Example {
        name: "lost-answer",
        title: "An answer lost after the commit",
        about: "Ada's deposit is written, and she never hears of it. She sends it again. Bob does the same with an \
                idempotency key: his takes effect once.",
        aggregate: "BankAccount",
        start: account,
        roles: || {
            let role = |name: &str| Role { loss: Loss::Sender, ..Role::new(name, deposit(2_500)) };
            vec![role("Ada"), Role { idempotency_key: Some("bob-42".to_owned()), ..role("Bob") }]
        },
        is_locking: true,
    },
    Example {
        name: "lost-update",
        title: "A store without optimistic locking",
        about: "The same two withdrawals, and a store that takes whatever comes. Both are told that it is done, and \
                the row forgets one of them: the lost update.",
        aggregate: "BankAccount",
        start: account,
        roles: || vec![Role::new("Ada", withdraw(6_000)), Role::new("Bob", withdraw(6_000))],
        is_locking: false,
    },
    Example {
        name: "four",
        title: "Four writers, one retry each",
        about: "Four at once, and each decides again only once. Somebody may win nothing and give up: contention. \
                Explore all says how often.",
        aggregate: "BankAccount",
        start: account,
        roles: || {
            let once = |name: &str, command| Role { retries: 1, ..Role::new(name, command) };
            vec![
                once("Ada", withdraw(6_000)),
                once("Bob", withdraw(6_000)),
                once("Cyd", deposit(1_000)),
                once("Dan", deposit(500)),
            ]
        },
        is_locking: true,
    },
];

fn command(name: &str, fields: Value) -> Command {
    let fields = if let Value::Object(fields) = fields { fields } else { Object::new() };
    Command { name: name.to_owned(), fields }
}

fn withdraw(amount: i64) -> Command {
    command("Withdraw", json!({ "amount": amount, "transactionReference": "cash" }))
}

fn deposit(amount: i64) -> Command {
    command("Deposit", json!({ "amount": amount, "transactionReference": "invoice" }))
}

fn add(product: &str, price: i64) -> Command {
    command("AddItem", json!({ "productId": product, "quantity": 2, "price": price }))
}

/// An account of 100.00.
fn account() -> Vec<Command> {
    let open = json!({ "accountHolderId": "Ada and Bob", "currency": "EUR", "initialDeposit": 10_000 });
    vec![command("Open", open)]
}

/// An order of one item.
fn order() -> Vec<Command> {
    let items = json!([{ "productId": "notebook", "quantity": 1, "price": 1_200 }]);
    vec![command("Create", json!({ "customerId": "ada", "items": items }))]
}

/// When the examples' streams began: 2027-01-15, an hour before the race.
const BEFORE: u64 = rewound_core::sim::START - 3_600_000;

/// Names for those who come.
const NAMES: [&str; 6] = ["Ada", "Bob", "Cyd", "Dan", "Eve", "Fay"];

/// A name that none of the writers has.
pub(super) fn free_name(roles: &[Role]) -> Option<&'static str> {
    NAMES.into_iter().find(|name| roles.iter().all(|role| role.name != *name))
}

/// What writers may want of an aggregate of that kind, for a start that no example has.
fn rivals(aggregate: &str) -> Vec<Role> {
    let commands = match aggregate {
        "Order" => [add("pen", 250), command("Confirm", json!({}))],
        "Customer" => {
            let email = |address: &str| command("UpdateEmail", json!({ "newEmail": address }));
            [email("ada@example.com"), command("Suspend", json!({ "reason": "unpaid" }))]
        }
        "BlogPost" => {
            [command("Publish", json!({})), command("ChangeTitle", json!({ "title": "Another title" }))]
        }
        _ => [withdraw(6_000), deposit(2_500)],
    };
    let [first, second] = commands;
    vec![Role::new("Ada", first), Role::new("Bob", second)]
}

/// Names anew who has the name of one before: the effects of a command are known by its sender's name.
fn tell_apart(roles: &mut [Role]) {
    for index in 1..roles.len() {
        let is_taken = |name: &str, roles: &[Role]| roles.iter().take(index).any(|role| role.name == name);
        let name = roles.get(index).filter(|role| is_taken(&role.name, roles)).and_then(|_| free_name(roles));
        if let (Some(name), Some(role)) = (name, roles.get_mut(index)) {
            role.name = name.to_owned();
        }
    }
}

/// The stream that a race starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) aggregate: &'static str,
    pub(super) id: String,
}

/// How the screen is set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setup {
    /// Which of the examples.
    pub(super) example: usize,
    /// A stream of the page to start from; that of the example where there is none.
    pub(super) start: Option<Start>,
    pub(super) roles: Vec<Role>,
    pub(super) is_locking: bool,
}

impl Setup {
    pub(super) fn example(index: usize) -> Self {
        let index = index.min(EXAMPLES.len() - 1);
        let example = EXAMPLES.get(index);
        let roles = example.map_or_else(Vec::new, |example| (example.roles)());
        let is_locking = example.is_none_or(|example| example.is_locking);
        Self { example: index, start: None, roles, is_locking }
    }

    pub(super) fn of(&self) -> &'static Example {
        EXAMPLES.get(self.example).unwrap_or(&EXAMPLES[0])
    }

    /// The kind of aggregate that is raced for.
    pub(super) fn aggregate(&self) -> &'static str {
        self.start.as_ref().map_or(self.of().aggregate, |start| start.aggregate)
    }

    /// The same from another start, with writers that fit it.
    pub(super) fn starting(&self, start: Option<Start>) -> Self {
        let before = self.aggregate();
        let mut next = Self { start, ..self.clone() };
        if next.aggregate() != before {
            let fits = next.start.is_none();
            next.roles = if fits { (next.of().roles)() } else { rivals(next.aggregate()) };
        }
        next
    }

    /// The race.
    pub(super) fn scenario(&self, lab: Lab) -> Scenario {
        let example = self.of();
        let aggregate = self.aggregate();
        let (id, start) = match &self.start {
            Some(Start { id, .. }) => (id.clone(), lab.timeline(aggregate, id).events().to_vec()),
            None => {
                let id = if aggregate == "Order" { "order-1" } else { "account-1" };
                let events = Scenario::history(aggregate, id, "counter", (example.start)(), BEFORE);
                (id.to_owned(), events.unwrap_or_default())
            }
        };
        Scenario {
            title: example.title.to_owned(),
            aggregate,
            id,
            start,
            roles: self.roles.clone(),
            is_locking: self.is_locking,
        }
    }

    /// The place that is set like this, with an order of steps.
    pub(super) fn route(&self, order: &[usize]) -> Route {
        let plain = Self::example(self.example);
        let mut route = Route::new("conflicts", []).with("example", self.of().name);
        if let Some(Start { aggregate, id }) = &self.start {
            route = route.with("start", &format!("{aggregate}/{id}"));
        }
        if self.roles != plain.roles {
            let roles = self.roles.iter().map(Role::to_json).collect::<Value>();
            route = route.with("writers", &roles.to_string());
        }
        if self.is_locking != plain.is_locking {
            route = route.with("locking", if self.is_locking { "yes" } else { "no" });
        }
        route.with("order", &order.iter().map(usize::to_string).collect::<String>())
    }

    /// What a place says, and the order of steps, if it says one. What it says wrongly is as in the example.
    pub(super) fn of_route(route: &Route) -> (Self, Option<Vec<usize>>) {
        let named = route.setting("example");
        let index = EXAMPLES.iter().position(|example| Some(example.name) == named);
        let mut setup = Self::example(index.unwrap_or(0));
        let start = route.setting("start").and_then(|start| start.split_once('/'));
        let start = start.and_then(|(aggregate, id)| {
            Some(Start { aggregate: domains::find(aggregate)?.name(), id: id.to_owned() })
        });
        setup = setup.starting(start);
        let roles = route.setting("writers").and_then(|roles| serde_json::from_str::<Value>(roles).ok());
        let roles = roles.as_ref().and_then(Value::as_array);
        let roles = roles.map(|roles| roles.iter().filter_map(|role| Role::from_json(role).ok()).collect());
        if let Some(mut roles) = roles.filter(|roles: &Vec<Role>| (FEWEST..=MOST).contains(&roles.len())) {
            tell_apart(&mut roles);
            setup.roles = roles;
        }
        match route.setting("locking") {
            Some("yes") => setup.is_locking = true,
            Some("no") => setup.is_locking = false,
            _ => {}
        }
        let order = route.setting("order");
        let digits = |order: &str| {
            order
                .chars()
                .filter_map(|digit| digit.to_digit(10))
                .map(|digit| digit as usize)
                .take(200)
                .collect()
        };
        (setup, order.map(digits))
    }
}
