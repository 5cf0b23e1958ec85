//! What is kept in an order: one kind of map and one sort, for whatever they hold.
//!
//! The standard library's are some kilobytes of WebAssembly for each type that they are used with. Here the types are
//! behind places and numbers, which share one of each.

use crate::event::Text;
use std::{collections::BTreeMap, mem, ops::Bound};

/// Values under texts, in the order of the texts as well as in that in which they came.
#[derive(Debug, Clone)]
pub(crate) struct Map<V> {
    places: BTreeMap<Text, usize>,
    values: Vec<V>,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), values: Vec::new() }
    }
}

impl<V> Map<V> {
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.values.get(*self.places.get(key)?)
    }

    /// The value under a text, which is made where there is none: there always is one.
    pub(crate) fn entry(&mut self, key: &str, new: impl FnOnce() -> V) -> Option<&mut V> {
        let place = place(&mut self.places, key);
        if place == self.values.len() {
            self.values.push(new());
        }
        self.values.get_mut(place)
    }

    /// The values in the order in which they came.
    pub(crate) fn values(&self) -> &[V] {
        &self.values
    }

    /// As [`values`](Self::values).
    pub(crate) fn values_mut(&mut self) -> &mut [V] {
        &mut self.values
    }

    /// All in the order of the texts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Text, &V)> {
        self.behind(None)
    }

    /// Those behind a text, in the order of the texts.
    pub(crate) fn behind(&self, key: Option<&str>) -> impl Iterator<Item = (&Text, &V)> {
        let start = key.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.places.range::<str, _>((start, Bound::Unbounded));
        rest.filter_map(|(key, place)| Some((key, self.values.get(*place)?)))
    }
}

impl Map<()> {
    /// The one copy of a text.
    pub(crate) fn share(&mut self, text: &str) -> Text {
        match self.places.get_key_value(text) {
            Some((shared, _)) => shared.clone(),
            None => {
                let shared: Text = text.into();
                self.places.insert(shared.clone(), 0);
                shared
            }
        }
    }
}

/// The place of a text, the next one where it has none.
fn place(places: &mut BTreeMap<Text, usize>, key: &str) -> usize {
    if let Some(place) = places.get(key) {
        return *place;
    }
    let next = places.len();
    places.insert(key.into(), next);
    next
}

/// Sorts by a number; equals stay in their order.
pub(crate) fn sort_by_key<T>(items: &mut Vec<T>, key: impl Fn(&T) -> u64) {
    if items.is_sorted_by_key(&key) {
        return;
    }
    let places = places(items.iter().map(key).zip(0..).collect());
    let mut slots: Vec<Option<T>> = mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|(_, place)| slots.get_mut(place)?.take()));
}

fn places(mut keys: Vec<(u64, usize)>) -> Vec<(u64, usize)> {
    keys.sort_unstable();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_both_orders() {
        let mut map = Map::default();
        for key in ["b", "c", "a", "c"] {
            *map.entry(key, || 0).unwrap() += 1;
        }
        assert_eq!(map.values(), [1, 2, 1]);
        let behind = |key| map.behind(key).map(|(key, value)| (&**key, *value)).collect::<Vec<_>>();
        assert_eq!(behind(None), [("a", 1), ("b", 1), ("c", 2)]);
        assert_eq!(behind(Some("a")), [("b", 1), ("c", 2)]);
        assert_eq!((map.get("c"), map.get("d")), (Some(&2), None));
    }

    #[test]
    fn equals_stay_in_their_order() {
        let mut items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')];
        sort_by_key(&mut items, |(key, _)| *key);
        assert_eq!(items, [(1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
    }
}
