//! The states that a shell saw last, so that a warm command needs one request. Only a commit proves one of them:
//! see [`Options::cached`](crate::run::Options::cached).

use crate::domain::Snapshot;
use std::collections::BTreeMap;

/// As many states as it was made for; the one that was not used for the longest time goes first.
///
/// ```
/// use rewound_core::{aggregate::Meta, cache::Cache, domain::Snapshot};
/// let state = |version| Snapshot {
///     meta: Meta { id: "a".into(), version, actor: "ada".into(), updated_at: None },
///     state: Default::default(),
///     fingerprint: 0,
/// };
/// let mut cache = Cache::new(2);
/// cache.put("Order", state(1));
/// assert_eq!(cache.get("Order", "a").unwrap().meta.version, 1);
/// assert_eq!(cache.get("BlogPost", "a"), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cache {
    most: usize,
    /// Goes up with each use.
    clock: u64,
    states: BTreeMap<(String, String), (u64, Snapshot)>,
    /// Whose use was when.
    uses: BTreeMap<u64, (String, String)>,
}

impl Cache {
    /// An empty one for so many states; none is kept where it is 0.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// The last known state of an aggregate.
    pub fn get(&mut self, aggregate: &str, id: &str) -> Option<Snapshot> {
        let key = (aggregate.to_owned(), id.to_owned());
        let (used, state) = self.states.get_mut(&key)?;
        self.uses.remove(used);
        self.clock += 1;
        *used = self.clock;
        self.uses.insert(self.clock, key);
        Some(state.clone())
    }

    /// Keeps a state, unless a newer one of its aggregate is there.
    pub fn put(&mut self, aggregate: &str, state: Snapshot) {
        let key = (aggregate.to_owned(), state.meta.id.to_string());
        let newer = |(_, known): &(u64, Snapshot)| known.meta.version > state.meta.version;
        if self.most == 0 || self.states.get(&key).is_some_and(newer) {
            return;
        }
        self.clock += 1;
        self.uses.insert(self.clock, key.clone());
        if let Some((used, _)) = self.states.insert(key, (self.clock, state)) {
            self.uses.remove(&used);
        }
        if self.states.len() > self.most
            && let Some((_, oldest)) = self.uses.pop_first()
        {
            self.states.remove(&oldest);
        }
    }

    /// Forgets a state.
    pub fn forget(&mut self, aggregate: &str, id: &str) {
        if let Some((used, _)) = self.states.remove(&(aggregate.to_owned(), id.to_owned())) {
            self.uses.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Meta;

    fn state(id: &str, version: u64) -> Snapshot {
        let meta = Meta { id: id.into(), version, actor: "ada".into(), updated_at: None };
        Snapshot { meta, state: Default::default(), fingerprint: 0 }
    }

    fn known(cache: &mut Cache) -> Vec<Option<u64>> {
        ["a", "b", "c"].map(|id| cache.clone().get("Order", id).map(|state| state.meta.version)).to_vec()
    }

    #[test]
    fn the_one_that_was_not_used_for_the_longest_time_goes_first() {
        let mut cache = Cache::new(2);
        cache.put("Order", state("a", 1));
        cache.put("Order", state("b", 1));
        cache.get("Order", "a");
        cache.put("Order", state("c", 1));
        assert_eq!(known(&mut cache), [Some(1), None, Some(1)]);
        cache.forget("Order", "a");
        cache.put("Order", state("b", 1));
        assert_eq!(known(&mut cache), [None, Some(1), Some(1)]);
        assert_eq!((cache.states.len(), cache.uses.len()), (2, 2));
    }

    #[test]
    fn an_older_state_does_not_replace_a_newer_one() {
        let mut cache = Cache::new(2);
        cache.put("Order", state("a", 3));
        cache.put("Order", state("a", 2));
        assert_eq!(known(&mut cache)[0], Some(3));
        cache.put("Order", state("a", 4));
        assert_eq!(known(&mut cache)[0], Some(4));
        let mut off = Cache::new(0);
        off.put("Order", state("a", 1));
        assert_eq!(off.get("Order", "a"), None);
    }
}
