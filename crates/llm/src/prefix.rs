//! A cache of shared parts, used by all runs of a process.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::body::{Body, SharedPart};
use crate::{Backbone, LlmError};

/// Shared parts by content: backbone, boundary and tokens. Bounded by bytes; the least recently used go first.
///
/// What it returns has the same bytes as a fresh [`Body::encode_shared`], so hits and evictions change nothing but
/// time. The lock is not held while a part is computed: two runs may then compute the same part, and the first stays.
pub struct PrefixCache {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Keys by their last use, oldest first.
    order: BTreeMap<u64, Key>,
    clock: u64,
    stats: CacheStats,
}

struct Entry {
    part: Arc<SharedPart>,
    used: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// Digest, type and device of the backbone: equal content on two devices is two sets of tensors.
    backbone: Arc<str>,
    cut: (usize, bool),
    ids: Arc<[u32]>,
}

/// Counters of a [`PrefixCache`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Parts found.
    pub hits: u64,
    /// Parts computed.
    pub misses: u64,
    /// Tokens of the parts computed.
    pub tokens: u64,
    /// Parts held.
    pub entries: usize,
    /// Bytes held.
    pub bytes: usize,
}

impl PrefixCache {
    /// A cache of at most `limit` bytes; 0 keeps nothing.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state consistent: every change below is complete before anything can fail.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counters since the start.
    pub fn stats(&self) -> CacheStats {
        self.state().stats
    }

    /// The shared part of `ids` for `body`, and whether it was found.
    pub fn shared(&self, body: &Body, ids: &[u32]) -> Result<(Arc<SharedPart>, bool), LlmError> {
        let key = Key { backbone: backbone_key(body.backbone()), cut: body.cut(), ids: ids.into() };
        if let Some(part) = self.state().find(&key) {
            return Ok((part, true));
        }
        let part = Arc::new(body.encode_shared(ids)?);
        Ok((self.state().keep(key, part, self.limit), false))
    }
}

fn backbone_key(backbone: &Backbone) -> Arc<str> {
    format!("{}@{:?}@{:?}", backbone.digest(), backbone.dtype(), backbone.device()).into()
}

impl State {
    fn find(&mut self, key: &Key) -> Option<Arc<SharedPart>> {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        let key = self.order.remove(&entry.used).expect("invariant: every entry has its place in the order");
        entry.used = self.clock;
        self.order.insert(self.clock, key);
        self.stats.hits += 1;
        Some(entry.part.clone())
    }

    fn keep(&mut self, key: Key, part: Arc<SharedPart>, limit: usize) -> Arc<SharedPart> {
        self.stats.misses += 1;
        self.stats.tokens += part.ids().len() as u64;
        if let Some(first) = self.entries.get(&key) {
            return first.part.clone();
        }
        let bytes = part.bytes();
        if bytes > limit {
            return part;
        }
        while self.stats.bytes + bytes > limit {
            let (_, oldest) = self.order.pop_first().expect("invariant: bytes are held by entries");
            let entry = self.entries.remove(&oldest).expect("invariant: the order holds entries only");
            self.stats.bytes -= entry.part.bytes();
        }
        self.clock += 1;
        self.order.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { part: part.clone(), used: self.clock });
        self.stats.bytes += bytes;
        self.stats.entries = self.entries.len();
        part
    }
}
