//! Values by key, in the order of their last use.

use std::collections::{BTreeMap, HashMap};

use super::Key;

/// A map that knows which of its values was used least recently.
pub(super) struct Lru<V> {
    entries: HashMap<Key, (u64, V)>,
    /// Keys by their last use, oldest first.
    order: BTreeMap<u64, Key>,
    clock: u64,
}

impl<V> Default for Lru<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), clock: 0 }
    }
}

impl<V> Lru<V> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value of a key, which thereby is the last one used.
    pub fn get(&mut self, key: &Key) -> Option<&V> {
        let (used, value) = self.entries.get_mut(key)?;
        self.clock += 1;
        self.order.remove(used);
        self.order.insert(self.clock, *key);
        *used = self.clock;
        Some(value)
    }

    /// The value of a key, without using it.
    #[cfg(test)]
    pub fn peek(&self, key: &Key) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Puts a value in, as the last one used; returns the one that it replaces.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let old = self.remove(&key);
        self.clock += 1;
        self.order.insert(self.clock, key);
        self.entries.insert(key, (self.clock, value));
        old
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &Key) -> Option<V> {
        let (used, value) = self.entries.remove(key)?;
        self.order.remove(&used);
        Some(value)
    }

    /// Takes out the value that was used least recently.
    pub fn pop(&mut self) -> Option<(Key, V)> {
        let (_, key) = self.order.pop_first()?;
        let (_, value) = self.entries.remove(&key)?;
        Some((key, value))
    }
}
