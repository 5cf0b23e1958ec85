//! Every order of a few writers.

use super::{Ended, World, Writer};
use crate::store::Store;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Debug, mem, rc::Rc};

/// What [`explore`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How many orders there are in which the writers' requests can reach the store; `u128::MAX` where there
    /// are more.
    pub interleavings: u128,
    /// How many different states of the world they lead through.
    pub states: usize,
    /// How often a state was met that was known from another order.
    pub merged: usize,
    /// The ends that they lead to.
    pub outcomes: Vec<Outcome>,
    /// Whether every order was tried to its end; not where there were more states than allowed, or where
    /// one never ends.
    pub complete: bool,
    /// Whether an order was found that never ends: it leads back to a state that it came through.
    pub endless: bool,
}

/// One way in which it can end.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How each writer's tasks ended, in [words](Ended::word).
    pub words: Vec<Vec<String>>,
    /// What does not hold.
    pub violations: Vec<String>,
    /// How many orders end like this; `u128::MAX` where there are more.
    pub interleavings: u128,
    /// The writers in the shortest order that does.
    pub shortest: Vec<usize>,
}

/// By its words and violations: how many orders lead there from a state, and the shortest of them.
type Ends = BTreeMap<(Vec<Vec<String>>, Vec<String>), (u128, Vec<usize>)>;

/// How far an [`Exploration`] has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// How many different states were seen.
    pub states: usize,
    /// How often one was met again.
    pub merged: usize,
    /// About how much of all that there is was tried: from 0 to 1.
    pub share: f64,
}

/// A state on the way that is being tried, and what is known of its ends so far.
struct Open<S> {
    world: World<S>,
    digest: [u8; 32],
    /// The writers that were not let go first yet, the last one next.
    left: Vec<usize>,
    /// How many there were.
    branches: usize,
    /// The one that went first on the way that is being tried.
    via: usize,
    ends: Ends,
}

/// The check of an end: what does not hold there.
type Check<'a, S> = &'a dyn Fn(&World<S>) -> Vec<String>;

/// Every order of a few writers, on its way: it goes on as far as it is told to, and can be asked meanwhile.
///
/// ```
/// use rewound_core::{domain::Command, sim::{Exploration, Task, World, Writer}, store::MemoryStore};
/// use serde_json::json;
/// let command = |name: &str, fields| Task::new("BankAccount", "a", Command::new(name, fields).unwrap());
/// let open = command("Open", json!({"accountHolderId": "a", "currency": "EUR"}));
/// let deposit = || command("Deposit", json!({"amount": 1, "transactionReference": "r"}));
/// let writers = ["ann", "bob"].map(|name| Writer::new(name, 1, [deposit()]));
/// let mut exploration = Exploration::new(World::new(MemoryStore::new(), [open], writers), 1_000);
/// while exploration.advance(5, &|_| vec![]) {
///     assert!(exploration.progress().share < 1.0);
/// }
/// let report = exploration.report();
/// assert!(report.complete);
/// assert_eq!(report.outcomes[0].words, [["committed"], ["committed"], ["committed"]]);
/// ```
pub struct Exploration<S> {
    /// None while a state is open: whoever meets it then goes in a circle.
    seen: BTreeMap<[u8; 32], Option<Rc<Ends>>>,
    /// The way is kept here and not on the program's stack, which long ones would overflow.
    way: Vec<Open<S>>,
    next: Option<World<S>>,
    /// The ends of what was tried last.
    ends: Rc<Ends>,
    max_states: usize,
    merged: usize,
    /// Whether nothing was left out so far.
    whole: bool,
    endless: bool,
}

impl<S> Debug for Exploration<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exploration").field("states", &self.seen.len()).finish_non_exhaustive()
    }
}

impl<S: Store + Clone + Debug> Exploration<S> {
    /// Everything that can come of a world, none of which was tried yet. Equal states are tried once, which changes no
    /// count; at the most `max_states` different ones are.
    pub fn new(world: World<S>, max_states: usize) -> Self {
        Self {
            seen: BTreeMap::new(),
            way: Vec::new(),
            next: Some(world),
            ends: Rc::default(),
            max_states,
            merged: 0,
            whole: true,
            endless: false,
        }
    }

    /// Tries so many steps more. `check` names what does not hold at an end. Gives whether there is more to try.
    pub fn advance(&mut self, steps: usize, check: Check<'_, S>) -> bool {
        (0..steps).all(|_| self.advance_once(check))
    }

    fn advance_once(&mut self, check: Check<'_, S>) -> bool {
        if let Some(world) = self.next.take() {
            // The text of a state tells all of it, so equal texts are equal states.
            let digest: [u8; 32] = Sha256::digest(format!("{world:?}").as_bytes()).into();
            let left: Vec<usize> = world.waiting().collect();
            match self.seen.get(&digest) {
                Some(Some(known)) => {
                    self.merged += 1;
                    self.ends = known.clone();
                }
                Some(None) => {
                    (self.whole, self.endless) = (false, true);
                    self.ends = Rc::default();
                }
                None if self.seen.len() >= self.max_states => {
                    self.whole = false;
                    self.ends = Rc::default();
                }
                None if left.is_empty() => {
                    let words = |writer: &Writer| writer.ended.iter().map(Ended::word).collect();
                    let end = (world.writers.iter().map(words).collect(), check(&world));
                    self.ends = Rc::new(Ends::from([(end, (1, Vec::new()))]));
                    self.seen.insert(digest, Some(self.ends.clone()));
                }
                None => {
                    self.seen.insert(digest, None);
                    let branches = left.len();
                    let left = left.into_iter().rev().collect();
                    self.way.push(Open { world, digest, left, branches, via: 0, ends: Ends::new() });
                }
            }
        }
        let Some(open) = self.way.last_mut() else { return false };
        let ends = mem::take(&mut self.ends);
        merge(&mut open.ends, open.via, &ends);
        if let Some(writer) = open.left.pop() {
            open.via = writer;
            let mut world = open.world.clone();
            world.step(writer);
            self.next = Some(world);
        } else if let Some(done) = self.way.pop() {
            self.ends = Rc::new(done.ends);
            self.seen.insert(done.digest, Some(self.ends.clone()));
        }
        !(self.way.is_empty() && self.next.is_none())
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let (mut share, mut weight) = (0.0, 1.0);
        for (depth, open) in self.way.iter().enumerate() {
            // A branch that is being tried is no longer among those that are left, and not done.
            let is_last = depth + 1 == self.way.len();
            let going = usize::from(!is_last || self.next.is_some());
            let tried = (open.branches - open.left.len()).saturating_sub(going);
            weight /= open.branches.max(1) as f64;
            share += weight * tried as f64;
        }
        let is_over = self.way.is_empty() && self.next.is_none();
        Progress {
            states: self.seen.len(),
            merged: self.merged,
            share: if is_over { 1.0 } else { share.min(0.999) },
        }
    }

    /// What was found so far.
    pub fn report(&self) -> Report {
        let is_over = self.way.is_empty() && self.next.is_none();
        // What the open states have found counts as well, each by the way that leads to it.
        let mut found = (*self.ends).clone();
        for open in self.way.iter().rev() {
            let mut ends = open.ends.clone();
            merge(&mut ends, open.via, &found);
            found = ends;
        }
        let outcomes = found.into_iter().map(|((words, violations), (interleavings, shortest))| Outcome {
            words,
            violations,
            interleavings,
            shortest,
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        let counts = outcomes.iter().map(|outcome| outcome.interleavings);
        Report {
            interleavings: counts.fold(0, u128::saturating_add),
            states: self.seen.len(),
            merged: self.merged,
            outcomes,
            complete: self.whole && is_over,
            endless: self.endless,
        }
    }
}

/// Adds the ends of a branch to those of the state that it leaves.
fn merge(into: &mut Ends, via: usize, ends: &Ends) {
    for (end, (count, order)) in ends {
        let known = into.entry(end.clone()).or_default();
        if known.0 == 0 || order.len() + 1 < known.1.len() {
            known.1 = [via].into_iter().chain(order.iter().copied()).collect();
        }
        known.0 = known.0.saturating_add(*count);
    }
}

/// Tries every order in which the writers' requests can reach the store. Equal states are tried once,
/// which changes no count; at the most `max_states` different ones are. `check` names what does not hold
/// at an end.
pub fn explore<S: Store + Clone + Debug>(
    world: &World<S>,
    max_states: usize,
    check: &impl Fn(&World<S>) -> Vec<String>,
) -> Report {
    let mut exploration = Exploration::new(world.clone(), max_states);
    while exploration.advance(usize::MAX, check) {}
    exploration.report()
}
