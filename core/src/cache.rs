//! The states that a shell saw last, so that a warm command needs one request. Only a commit proves one of them:
//! see [`Options::cached`](crate::run::Options::cached).

use crate::domain::Snapshot;
use serde_json::Value;

/// As many states as it was made for, and no more than 16 MB of them as they lie in memory; the one that was not used for
/// the longest time goes first. (A Worker has 128 MB for everything, and a row may be a twentieth of that.)
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
    /// With the names of their aggregates and the bytes that they take, about; the last used one last. They are few, and
    /// looked through.
    states: Vec<(String, usize, Snapshot)>,
}

/// The bytes of all states together.
const MOST_BYTES: usize = 16 << 20;

/// About how many bytes a value takes in memory: a field is a key, a value and an entry of an index.
fn bytes(value: &Value) -> usize {
    const VALUE: usize = 80;
    match value {
        Value::Null | Value::Bool(_) => VALUE,
        Value::Number(number) => VALUE + number.as_str().len(),
        Value::String(text) => VALUE + text.len(),
        Value::Array(items) => VALUE + items.iter().map(bytes).sum::<usize>(),
        Value::Object(fields) => {
            VALUE + fields.iter().map(|(name, value)| VALUE + name.len() + bytes(value)).sum::<usize>()
        }
    }
}

impl Cache {
    /// An empty one for so many states; none is kept where it is 0.
    pub fn new(most: usize) -> Self {
        Self { most, states: Vec::new() }
    }

    /// The last known state of an aggregate.
    pub fn get(&mut self, aggregate: &str, id: &str) -> Option<Snapshot> {
        let used = self.take(aggregate, id)?;
        let state = used.2.clone();
        self.states.push(used);
        Some(state)
    }

    /// Keeps a state, unless a newer one of its aggregate is there.
    pub fn put(&mut self, aggregate: &str, state: Snapshot) {
        let known = self.take(aggregate, &state.meta.id);
        let newest = known.filter(|(_, _, known)| known.meta.version > state.meta.version);
        let newest = newest.unwrap_or_else(|| {
            let bytes = state.state.values().map(bytes).sum();
            (aggregate.to_owned(), bytes, state)
        });
        self.states.push(newest);
        let mut all: usize = self.states.iter().map(|(_, bytes, _)| bytes).sum();
        while self.states.len() > self.most || all > MOST_BYTES {
            all -= self.states.remove(0).1;
        }
    }

    /// Forgets a state.
    pub fn forget(&mut self, aggregate: &str, id: &str) {
        self.take(aggregate, id);
    }

    fn take(&mut self, aggregate: &str, id: &str) -> Option<(String, usize, Snapshot)> {
        let is_it = |(name, _, state): &(String, usize, Snapshot)| *state.meta.id == *id && name == aggregate;
        let index = self.states.iter().rposition(is_it)?;
        Some(self.states.remove(index))
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
    fn large_states_take_the_place_of_many() {
        let mut cache = Cache::new(1_000);
        let large = |id: &str, bytes: usize| {
            let mut state = state(id, 1);
            state.state.insert("text".into(), "x".repeat(bytes).into());
            state
        };
        cache.put("Order", state("a", 1));
        cache.put("Order", large("b", MOST_BYTES / 2));
        assert_eq!(known(&mut cache), [Some(1), Some(1), None]);
        cache.put("Order", large("c", MOST_BYTES / 2));
        assert_eq!(known(&mut cache), [None, None, Some(1)]);
        cache.put("Order", large("a", MOST_BYTES));
        assert_eq!((known(&mut cache), cache.states.len()), (vec![None; 3], 0));
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
