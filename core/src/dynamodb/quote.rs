//! What a command would cost before it is sent: the calls that it makes, byte for byte, their capacity units, and money.

use super::{
    Call, Layout, cost,
    exchange::{Exchange, Next},
};
use crate::{
    domain::{Command, Domain, Sender, Snapshot},
    error::{Error, Issue, Result},
    event::Event,
    run::{CommandRun, Options, Step},
    store::{Answer, Commit, Cost, Loaded, Page, Reply, Request},
};
use std::sync::Arc;

/// Millionths of a US dollar for a write unit and for a read unit, times a million: what a million commands of one unit
/// cost on demand, in `us-east-1`, in a table of the standard class. From
/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>, as of November 2024: $0.625 and $0.125 a million. Storage,
/// backups and streams come on top.
pub const MILLION_WRITES: u64 = 625_000;
/// The same for reads. See [`MILLION_WRITES`].
pub const MILLION_READS: u64 = 125_000;

/// What a million such commands cost, in millionths of a US dollar.
///
/// ```
/// use rewound_core::{dynamodb::quote::per_million, store::Cost};
/// // A deposit: five write units are $3.125 a million.
/// assert_eq!(per_million(&Cost { requests: 1, rcu: 0.0, wcu: 5.0 }), 3_125_000);
/// ```
pub fn per_million(cost: &Cost) -> u64 {
    // Units come in halves at the least.
    let halves = |units: f64| (units * 2.0) as u64;
    (halves(cost.wcu) * MILLION_WRITES + halves(cost.rcu) * MILLION_READS) / 2
}

/// What a command would take.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quote {
    /// The calls where nothing is remembered, in their order; the last one writes.
    pub calls: Vec<Call>,
    /// What these cost.
    pub cold: Cost,
    /// What the command costs where the state is remembered from the command before: the write alone.
    pub warm: Cost,
    /// What it costs with `@coderbyheart/aws-dynamodb-es-cqrs` 1.3.0, which remembers nothing, reads the row of an
    /// aggregate that exists (a `GetItem`, eventually consistent as that is by itself, half a unit for each started
    /// 4 KB), and writes one transaction for each event, with the row and the event in it.
    pub peer: Cost,
}

/// What a command would take on an aggregate with these events, version 1 first. A command that records nothing costs
/// its reads.
///
/// ```
/// use rewound_core::{domain::{Command, Sender}, domains, dynamodb::quote::quote, run::Options};
/// let domain = domains::find("BlogPost").unwrap();
/// let create = Command::new("Create", serde_json::json!({ "title": "Hello" })).unwrap();
/// let by = Sender { actor: "ada".into(), now: 1_800_000_000_000, ..Sender::default() };
/// let quote = quote(domain, "post-1", &[], create, by, Options::default()).unwrap();
/// assert_eq!(quote.calls.len(), 1);
/// assert_eq!((quote.cold.requests, quote.cold.wcu), (1, 5.0));
/// ```
///
/// # Errors
/// As the command ends: a rule that refuses it, a wrong version, a state that no item can hold.
pub fn quote(
    domain: &'static dyn Domain,
    id: &str,
    events: &[Event],
    command: Command,
    by: Sender,
    options: Options,
) -> Result<Quote> {
    let (now, random) = (by.now, by.random);
    let mut layout = Layout::prefixed("rewound");
    layout.trust(domain.name(), domain.fingerprint());
    let layout = Arc::new(layout);
    let row = domain.start(id).apply_all(events)?.snapshot();

    let mut quote = Quote::default();
    let mut run = CommandRun::new(domain, id, command, by, options);
    let mut reply = None;
    loop {
        match run.next(reply.take(), now, random) {
            Step::Ask(request) => {
                if let (_, Next::Send(call)) = Exchange::new(&layout, request.clone()) {
                    quote.calls.push(call);
                }
                let (answer, cost) = match &request {
                    Request::Commit(commit) => {
                        quote.warm = of(cost::of_commit(commit))?;
                        quote.peer = of_peer(commit, row.as_ref())?;
                        (Answer::Committed, quote.warm)
                    }
                    Request::Load { .. } => {
                        // What is not there is looked for all the same.
                        let nothing = Cost { requests: 1, rcu: 1.0, wcu: 0.0 };
                        let cost = row.as_ref().map_or(Ok(nothing), |row| of(cost::of_load(row)))?;
                        let version = events.len() as u64;
                        (Answer::Loaded(Loaded { version, snapshot: row.clone() }), cost)
                    }
                    Request::Events { after, .. } => {
                        let items = events.get(*after as usize..).unwrap_or_default().to_vec();
                        let cost = of(cost::of_events(&items))?;
                        (Answer::Events(Page { items, next: None }), cost)
                    }
                    _ => (Answer::Record(None), Cost { requests: 1, rcu: 1.0, wcu: 0.0 }),
                };
                quote.cold += cost;
                reply = Some(Reply { result: Ok(answer), cost });
            }
            Step::Wait(_) => {}
            Step::Done(done) => return done.map(|_| quote),
        }
    }
}

/// What the same takes with the peer library.
fn of_peer(commit: &Commit, before: Option<&Snapshot>) -> Result<Cost> {
    let mut all = Cost::default();
    if let Some(before) = before {
        let read = of(cost::of_load(before))?;
        all += Cost { rcu: read.rcu / 2.0, ..read };
    }
    for event in &commit.events {
        let one = Commit { events: vec![event.clone()], records: Vec::new(), ..commit.clone() };
        all += of(cost::of_commit(&one))?;
    }
    Ok(all)
}

fn of(cost: std::result::Result<Cost, Issue>) -> Result<Cost> {
    cost.map_err(|issue| Error::Store {
        message: format!("DynamoDB does not hold this: {issue}"),
        retryable: false,
        uncertain: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::decide, domains};
    use serde_json::json;

    fn by(actor: &str, now: u64) -> Sender {
        Sender { actor: actor.into(), now, random: 7, ..Sender::default() }
    }

    fn command(name: &str, fields: serde_json::Value) -> Command {
        Command::new(name, fields).unwrap()
    }

    fn opened() -> Vec<Event> {
        let domain = domains::find("BankAccount").unwrap();
        let open = command("Open", json!({ "accountHolderId": "ada", "currency": "EUR" }));
        decide(domain, domain.start("a").as_ref(), &open, &by("ada", 1_000)).unwrap()
    }

    fn deposit(options: Options) -> Quote {
        let deposit = command("Deposit", json!({ "amount": 100, "transactionReference": "r" }));
        let domain = domains::find("BankAccount").unwrap();
        quote(domain, "a", &opened(), deposit, by("ada", 2_000), options).unwrap()
    }

    #[test]
    fn a_command_on_what_is_there_reads_and_writes_and_only_writes_when_warm() {
        let quote = deposit(Options::default());
        let actions: Vec<_> = quote.calls.iter().map(|call| call.target.as_str()).collect();
        assert_eq!(actions, ["DynamoDB_20120810.GetItem", "DynamoDB_20120810.TransactWriteItems"]);
        assert_eq!(quote.cold, Cost { requests: 2, rcu: 1.0, wcu: 5.0 });
        assert_eq!(quote.warm, Cost { requests: 1, rcu: 0.0, wcu: 5.0 });
        assert_eq!(quote.peer, Cost { requests: 2, rcu: 0.5, wcu: 5.0 });
    }

    #[test]
    fn a_key_costs_a_record() {
        let options = Options { idempotency_key: Some("k".into()), ..Options::default() };
        let quote = deposit(options);
        assert_eq!(quote.warm.wcu, 7.0);
        assert_eq!(quote.peer.wcu, 5.0, "which the peer does not have");
        assert!(quote.calls[1].body.contains("idem#ada#k"));
    }

    #[test]
    fn what_is_refused_has_no_price() {
        let domain = domains::find("BankAccount").unwrap();
        let withdraw = command("Withdraw", json!({ "amount": 100, "transactionReference": "r" }));
        let refused = quote(domain, "a", &opened(), withdraw, by("ada", 2_000), Options::default());
        assert!(matches!(refused, Err(Error::Rejected(_))), "{refused:?}");
    }

    #[test]
    fn a_million_of_them_costs_what_the_price_list_says() {
        let price = |rcu, wcu| per_million(&Cost { requests: 1, rcu, wcu });
        assert_eq!((price(0.0, 1.0), price(1.0, 0.0), price(0.5, 5.0)), (625_000, 125_000, 3_187_500));
    }
}
