//! The states that a shell saw last, so that a warm command needs one request. Only a commit proves one of them:
//! see [`Options::cached`](crate::run::Options::cached).

use crate::domain::Snapshot;

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
    /// With the names of their aggregates, the last used one last. They are few, and looked through.
    states: Vec<(String, Snapshot)>,
}

impl Cache {
    /// An empty one for so many states; none is kept where it is 0.
    pub fn new(most: usize) -> Self {
        Self { most, states: Vec::new() }
    }

    /// The last known state of an aggregate.
    pub fn get(&mut self, aggregate: &str, id: &str) -> Option<Snapshot> {
        let used = self.take(aggregate, id)?;
        self.states.push((aggregate.to_owned(), used.clone()));
        Some(used)
    }

    /// Keeps a state, unless a newer one of its aggregate is there.
    pub fn put(&mut self, aggregate: &str, state: Snapshot) {
        let known = self.take(aggregate, &state.meta.id);
        let newest = known.filter(|known| known.meta.version > state.meta.version).unwrap_or(state);
        self.states.push((aggregate.to_owned(), newest));
        if self.states.len() > self.most {
            self.states.remove(0);
        }
    }

    /// Forgets a state.
    pub fn forget(&mut self, aggregate: &str, id: &str) {
        self.take(aggregate, id);
    }

    fn take(&mut self, aggregate: &str, id: &str) -> Option<Snapshot> {
        let is_it = |(name, state): &(String, Snapshot)| *state.meta.id == *id && name == aggregate;
        let index = self.states.iter().rposition(is_it)?;
        Some(self.states.remove(index).1)
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
        assert_eq!(cache.states.len(), 2);
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
