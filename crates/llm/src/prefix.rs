//! A cache of shared parts, used by all runs of a process.

mod flight;
mod lru;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::Tensor;

use self::flight::Flight;
use self::lru::Lru;
use crate::body::{Body, SharedPart};
use crate::{Backbone, LlmError};

/// Shared parts by content: backbone and tokens. Bounded by bytes; the least recently used go first.
///
/// One entry serves bodies with any boundary: it holds keys and values of the layers up to the deepest one asked for,
/// and hidden states at each. A body with a deeper boundary continues from the deepest hidden states below its own.
///
/// What the cache returns has the same bytes as a fresh [`Body::encode_shared`], so hits, evictions and other runs
/// change nothing but time. The lock is not held while a part is computed. A run that asks for a part that another
/// one is computing waits for it; runs that ask for different tokens do not wait for each other.
pub struct PrefixCache {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Lru<Held>,
    /// Parts that somebody is computing.
    flights: HashMap<Key, Arc<Flight>>,
    stats: CacheStats,
}

/// A part in memory.
struct Held {
    part: Arc<SharedPart>,
    /// See [`footprint`].
    bytes: usize,
}

/// BLAKE3 of the backbone's digest, type and device, and of the tokens: equal content on two devices is two sets of
/// tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

/// Counters of a [`PrefixCache`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Parts found in memory, or with a run that was just computing them.
    pub hits: u64,
    /// Parts continued from a shallower boundary.
    pub extended: u64,
    /// Parts computed from their tokens.
    pub misses: u64,
    /// Tokens of the parts computed from their tokens.
    pub tokens: u64,
    /// Parts held in memory.
    pub entries: usize,
    /// Bytes that they hold.
    pub bytes: usize,
}

/// Where a shared part came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// From memory, or from a run that was just computing it.
    Hit,
    /// Continued from a shallower boundary.
    Extended,
    /// Computed from its tokens.
    Miss,
    /// Not looked up: where the embedding is trained, no layer reads a part before the update does.
    Bypassed,
}

/// What a look into memory says.
enum Step {
    /// The part is there.
    Found(Arc<SharedPart>),
    /// Somebody computes it.
    Wait(Arc<Flight>),
    /// It is to be computed under this marker, from what there is of it.
    Lead(Arc<Flight>, Option<Arc<SharedPart>>),
}

impl PrefixCache {
    /// A cache of at most `limit` bytes; 0 keeps nothing.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state consistent: every change below is complete before anything can fail.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counters since the start.
    pub fn stats(&self) -> CacheStats {
        let state = self.state();
        CacheStats { entries: state.held.len(), ..state.stats }
    }

    /// The shared part of `ids` with all that `body` reads of it, and where it came from.
    ///
    /// May wait for another thread that computes the same part. That thread needs rayon's pool for its products, so
    /// nobody waits inside that pool: there a part is computed once more.
    pub fn shared(&self, body: &Body, ids: &[u32]) -> Result<(Arc<SharedPart>, Lookup), LlmError> {
        if body.plan().embedding {
            return Ok((Arc::new(body.encode_shared(ids)?), Lookup::Bypassed));
        }
        let key = Key::new(body.backbone(), ids);
        let mut seen: Option<Arc<SharedPart>> = None;
        loop {
            let step = self.state().step(&key, body);
            match step {
                Step::Found(part) => return Ok((part, Lookup::Hit)),
                Step::Wait(_) if rayon::current_thread_index().is_some() => {
                    let (part, lookup) = self.make(body, ids, seen)?;
                    self.state().keep(key, &part, self.limit);
                    return Ok((part, lookup));
                }
                Step::Wait(flight) => {
                    // One that failed leaves nothing: the next turn of the loop leads or waits for who does.
                    seen = flight.wait().or(seen);
                    if let Some(part) = seen.as_ref().filter(|part| body.is_covered_by(part)) {
                        self.state().stats.hits += 1;
                        return Ok((part.clone(), Lookup::Hit));
                    }
                }
                Step::Lead(flight, start) => {
                    let lead = Lead { cache: self, key, flight };
                    let (part, lookup) = self.make(body, ids, start.or(seen))?;
                    lead.land(&part);
                    return Ok((part, lookup));
                }
            }
        }
    }

    /// Computes a part from what there is of it.
    fn make(
        &self,
        body: &Body,
        ids: &[u32],
        start: Option<Arc<SharedPart>>,
    ) -> Result<(Arc<SharedPart>, Lookup), LlmError> {
        let (part, lookup) = match start {
            Some(part) => {
                let found = if body.start_in(&part).is_some() { Lookup::Extended } else { Lookup::Miss };
                (body.extend_shared(Arc::unwrap_or_clone(part)), found)
            }
            None => (body.encode_shared(ids)?, Lookup::Miss),
        };
        self.state().count(lookup, ids.len());
        Ok((Arc::new(part), lookup))
    }
}

/// The thread that computes a part. However it ends, nobody is left waiting.
struct Lead<'a> {
    cache: &'a PrefixCache,
    key: Key,
    flight: Arc<Flight>,
}

impl Lead<'_> {
    /// Hands the part to the cache and to those who wait. It comes as the marker goes, so that nobody finds neither.
    fn land(self, part: &Arc<SharedPart>) {
        let mut state = self.cache.state();
        state.keep(self.key, part, self.cache.limit);
        state.unmark(&self.key, &self.flight);
        drop(state);
        self.flight.end(Some(part.clone()));
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.cache.state().unmark(&self.key, &self.flight);
        self.flight.end(None);
    }
}

impl State {
    fn step(&mut self, key: &Key, body: &Body) -> Step {
        let held = self.held.get(key).map(|held| held.part.clone());
        match held {
            Some(part) if body.is_covered_by(&part) => {
                self.stats.hits += 1;
                Step::Found(part)
            }
            part => match self.flights.entry(*key) {
                Entry::Occupied(flight) => Step::Wait(flight.get().clone()),
                Entry::Vacant(slot) => Step::Lead(slot.insert(Arc::default()).clone(), part),
            },
        }
    }

    /// Takes a marker away, if it is still this one.
    fn unmark(&mut self, key: &Key, flight: &Arc<Flight>) {
        if self.flights.get(key).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            self.flights.remove(key);
        }
    }

    fn count(&mut self, lookup: Lookup, tokens: usize) {
        match lookup {
            Lookup::Hit => self.stats.hits += 1,
            Lookup::Extended => self.stats.extended += 1,
            Lookup::Miss => {
                self.stats.misses += 1;
                self.stats.tokens += tokens as u64;
            }
            Lookup::Bypassed => {}
        }
    }

    /// Takes a part in, in place of what there is of it, if it has room at all.
    fn keep(&mut self, key: Key, part: &Arc<SharedPart>, limit: usize) {
        let bytes = footprint(part);
        if bytes > limit {
            return;
        }
        if let Some(old) = self.held.remove(&key) {
            self.stats.bytes -= old.bytes;
        }
        while self.stats.bytes + bytes > limit {
            let (_, old) = self.held.pop().expect("invariant: bytes are held by entries");
            self.stats.bytes -= old.bytes;
        }
        self.held.insert(key, Held { part: part.clone(), bytes });
        self.stats.bytes += bytes;
    }
}

/// Memory of an entry, in bytes: tensors, tokens, and what stands around them.
fn footprint(part: &SharedPart) -> usize {
    let key = 2 * size_of::<Key>() + 2 * size_of::<u64>();
    key + size_of::<Held>()
        + size_of::<SharedPart>()
        + part.n_tensors() * size_of::<Tensor<4>>()
        + part.bytes()
}

impl Key {
    fn new(backbone: &Backbone, ids: &[u32]) -> Self {
        let mut hash = blake3::Hasher::new();
        // A NUL ends the text, which has none, so that no other text and tokens give the same bytes.
        let text = format!("{}@{:?}@{:?}\0", backbone.digest(), backbone.dtype(), backbone.device());
        hash.update(text.as_bytes());
        hash.update(&ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>());
        Self(hash.finalize().into())
    }
}
