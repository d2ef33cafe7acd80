//! A cache of shared parts and of whole prompts, used by all runs of a process.

mod ask;
mod flight;
mod lru;
mod own;
mod spill;
#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::{DType, Tensor};

use self::ask::Ask;
use self::flight::Flight;
use self::lru::Lru;
use self::own::OwnParts;
use self::spill::Spill;
use crate::batcher::{Lane, Sequences};
use crate::body::{Body, EncodedSequence, SharedPart};
use crate::{Backbone, LlmError, kernels};

/// Shared parts by content: backbone and tokens. Bounded by bytes; the least recently used go first, to a temporary
/// file where reading them back takes less time than computing them again, by assumed speeds.
///
/// One entry serves bodies with any boundary: it holds keys and values of the layers up to the deepest one asked for,
/// and hidden states at each. A body with a deeper boundary continues from the deepest hidden states below its own; one
/// with a shallower boundary finds its own if it is among the [`Boundaries`] that were expected.
///
/// Of prompts that nothing continues, because no account follows, it holds no keys and values: only the hidden states at
/// the boundaries that are expected, which one pass leaves ([`PrefixCache::whole`]).
///
/// What the cache returns has the same bytes as a fresh [`Body::encode_shared`] or [`Body::encode_own`], so hits,
/// evictions and other runs change nothing but time. The lock is not held while a part is computed, written or read. A
/// run that asks for a part that another one is computing waits for it; runs that ask for different tokens do not wait
/// for each other.
pub struct PrefixCache {
    limit: usize,
    spill: Spill,
    /// Whether an evicted part goes to disk: [`is_worth_reading`].
    is_worth_reading: fn(&Backbone, &SharedPart) -> bool,
    own: OwnParts,
    state: Mutex<State>,
}

/// Share of the memory that own parts may take besides, which are small: one in so many bytes.
const OWN_SHARE: usize = 8;

/// Boundaries at which the same prompts of one model are asked for. Whoever reads them for a deeper one keeps the hidden
/// states there, so that the order in which arms come does not matter.
#[derive(Debug, Default)]
pub struct Boundaries(Mutex<BTreeSet<usize>>);

impl Boundaries {
    /// Says that somebody will ask at this boundary.
    pub fn expect(&self, boundary: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(boundary);
    }

    /// Those that were said, from the lowest on.
    fn get(&self) -> Vec<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// What a [`PrefixCache`] may hold, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// In memory, not counting parts that are just being computed or written to disk; 0 keeps nothing at all.
    pub memory: usize,
    /// On disk; 0 is none.
    pub spill: u64,
}

#[derive(Default)]
struct State {
    held: Lru<Held>,
    /// Evicted parts on their way to disk.
    leaving: HashMap<Key, Arc<SharedPart>>,
    /// Parts that somebody is computing or reading back.
    flights: HashMap<Key, Arc<Flight>>,
    /// All that was ever computed from its tokens, to tell what was lost since.
    computed: HashSet<Key>,
    stats: CacheStats,
}

/// A part in memory.
struct Held {
    part: Arc<SharedPart>,
    /// See [`footprint`].
    bytes: usize,
    is_worth_reading: bool,
    /// Whether it was read back as it is: if the file holds it still, it need not be written again.
    is_on_disk: bool,
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
    /// Parts found on disk.
    pub spilled: u64,
    /// Parts continued from a shallower boundary, in memory or on disk.
    pub extended: u64,
    /// Parts computed from their tokens.
    pub misses: u64,
    /// Those of them that had been computed before and were evicted.
    pub recomputed: u64,
    /// Tokens of the parts computed from their tokens.
    pub tokens: u64,
    /// Parts held in memory.
    pub entries: usize,
    /// Bytes that they hold.
    pub bytes: usize,
    /// Parts held on disk.
    pub spill_entries: usize,
    /// Bytes of disk space that they take.
    pub spill_bytes: u64,
}

/// Where a shared part came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// From memory, or from a run that was just computing it.
    Hit,
    /// From disk.
    Spilled,
    /// Continued from a shallower boundary.
    Extended,
    /// Computed from its tokens.
    Miss,
    /// Computed from its tokens once more: it was evicted.
    Recomputed,
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
    /// An empty cache. A file is made when the first part goes to disk, in the system's folder for temporary files, and
    /// goes with the process.
    pub fn new(limits: CacheLimits) -> Self {
        let CacheLimits { memory, spill } = limits;
        Self {
            limit: memory,
            spill: Spill::new(spill),
            is_worth_reading,
            own: OwnParts::new(memory / OWN_SHARE),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state consistent: every change below is complete before anything can fail.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counters since the start.
    pub fn stats(&self) -> CacheStats {
        let on_disk = self.spill.size();
        let state = self.state();
        let entries = state.held.len();
        CacheStats { entries, spill_entries: on_disk.entries, spill_bytes: on_disk.bytes, ..state.stats }
    }

    /// Why the file of evicted parts is not used any more; absent while it can be. Such parts are computed again.
    pub fn spill_failure(&self) -> Option<String> {
        self.spill.failure()
    }

    /// The shared part of `ids` with all that `body` reads of it, and where it came from.
    ///
    /// May wait for another thread that computes the same part. That thread may need rayon's pool for its products, so
    /// nobody waits inside that pool: there a part is computed once more.
    pub fn shared(&self, body: &Body, ids: &[u32]) -> Result<(Arc<SharedPart>, Lookup), LlmError> {
        self.shared_among(body, ids, &Boundaries::default())
    }

    /// [`PrefixCache::shared`] where the same part will be asked for at the `expected` boundaries.
    pub fn shared_among(
        &self,
        body: &Body,
        ids: &[u32],
        expected: &Boundaries,
    ) -> Result<(Arc<SharedPart>, Lookup), LlmError> {
        if body.plan().embedding {
            return Ok((Arc::new(body.encode_shared(ids)?), Lookup::Bypassed));
        }
        self.find(&Ask::shared(body, ids, expected))
    }

    /// The sequence of a prompt that nothing continues, `beginning` and `rest`, as `body` reads it alone; where the rest
    /// came from. Equal to the bytes of [`Body::encode_own`].
    ///
    /// `beginning` is [`Body::encode_beginning`] of a body with this backbone: its hidden states are at this body's
    /// boundary, or nobody reads them. A prompt that nobody has read yet goes through the model once, to the deepest of
    /// the `expected` boundaries. Waits as [`PrefixCache::shared`] does.
    pub fn whole(
        &self,
        body: &Body,
        beginning: &SharedPart,
        rest: &[u32],
        expected: &Boundaries,
    ) -> Result<(EncodedSequence, Lookup), LlmError> {
        if body.plan().embedding {
            return Ok((body.encode_own(beginning, rest)?, Lookup::Bypassed));
        }
        let (part, lookup) = self.find(&Ask::whole(body, beginning, rest, expected))?;
        Ok((body.whole(beginning, &part), lookup))
    }

    /// What is asked for, from memory, from disk, from another thread, or computed.
    fn find(&self, ask: &Ask<'_>) -> Result<(Arc<SharedPart>, Lookup), LlmError> {
        let key = ask.key();
        let mut seen: Option<Arc<SharedPart>> = None;
        loop {
            let step = self.state().step(&key, ask);
            match step {
                Step::Found(part) => return Ok((part, Lookup::Hit)),
                Step::Wait(_) if !threads::may_wait() => {
                    let (held, lookup) = self.make(ask, key, seen)?;
                    let part = held.part.clone();
                    let evicted = self.keep(&mut self.state(), key, held);
                    self.write_out(evicted);
                    return Ok((part, lookup));
                }
                Step::Wait(flight) => {
                    // One that failed leaves nothing: the next turn of the loop leads or waits for who does.
                    seen = flight.wait().or(seen);
                    if let Some(part) = seen.as_ref().filter(|part| ask.is_covered_by(part)) {
                        self.state().stats.hits += 1;
                        return Ok((part.clone(), Lookup::Hit));
                    }
                }
                Step::Lead(flight, start) => {
                    let lead = Lead { cache: self, key, flight };
                    let (held, lookup) = self.make(ask, key, start.or(seen))?;
                    let part = held.part.clone();
                    self.write_out(lead.land(held));
                    return Ok((part, lookup));
                }
            }
        }
    }

    /// [`encode_own`](crate::encode_own) for parts that nobody has read yet; the others are found. Equal to the byte.
    pub fn encode_own(
        &self,
        lane: Option<&Lane>,
        body: &Body,
        sequences: Sequences,
    ) -> Result<Vec<EncodedSequence>, LlmError> {
        self.own.encode(lane, body, sequences)
    }

    /// Computes a part from what there is of it, on disk when there is nothing in memory.
    fn make(
        &self,
        ask: &Ask<'_>,
        key: Key,
        start: Option<Arc<SharedPart>>,
    ) -> Result<(Held, Lookup), LlmError> {
        let start = match start {
            Some(part) => Some(Arc::unwrap_or_clone(part)),
            None => self.read_back(ask, key),
        };
        let start = start.map_or_else(|| ask.unread(), Ok)?;
        let lookup = if ask.is_covered_by(&start) {
            // What memory or another run had was not enough: this comes from disk.
            Lookup::Spilled
        } else if ask.body.start_in(&start).is_some() {
            Lookup::Extended
        } else if start.n_layers() == 0 && self.limit > 0 && !self.state().computed.insert(key) {
            Lookup::Recomputed
        } else {
            // Layers without hidden states to continue from are computed again; deeper ones stay beside.
            Lookup::Miss
        };
        let part = ask.extend(start);
        self.state().count(lookup, ask.ids.len());
        let held = Held {
            bytes: footprint(&part),
            is_worth_reading: (self.is_worth_reading)(ask.body.backbone(), &part),
            is_on_disk: lookup == Lookup::Spilled,
            part: Arc::new(part),
        };
        Ok((held, lookup))
    }

    fn read_back(&self, ask: &Ask<'_>, key: Key) -> Option<SharedPart> {
        SharedPart::from_bytes(ask.ids, &self.spill.get(key)?, ask.body.backbone().device())
    }

    /// Takes a part in, in place of what there is of it, if it has room at all. Returns evicted parts that are to be
    /// written out.
    fn keep(&self, state: &mut State, key: Key, held: Held) -> Vec<(Key, Arc<SharedPart>)> {
        let mut evicted = Vec::new();
        if held.bytes > self.limit {
            return evicted;
        }
        if let Some(old) = state.held.remove(&key) {
            state.stats.bytes -= old.bytes;
        }
        while state.stats.bytes + held.bytes > self.limit {
            let (key, old) = state.held.pop().expect("invariant: bytes are held by entries");
            state.stats.bytes -= old.bytes;
            let is_written = old.is_on_disk && self.spill.contains(&key);
            if old.is_worth_reading && !is_written && self.spill.takes(old.bytes) {
                state.leaving.insert(key, old.part.clone());
                evicted.push((key, old.part));
            }
        }
        state.stats.bytes += held.bytes;
        state.held.insert(key, held);
        evicted
    }

    fn write_out(&self, evicted: Vec<(Key, Arc<SharedPart>)>) {
        for (key, part) in evicted {
            if let Some(bytes) = part.to_bytes() {
                self.spill.put(key, &bytes);
            }
            self.state().leaving.remove(&key);
        }
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
    /// Returns evicted parts that are to be written out.
    fn land(self, held: Held) -> Vec<(Key, Arc<SharedPart>)> {
        let part = held.part.clone();
        let mut state = self.cache.state();
        let evicted = self.cache.keep(&mut state, self.key, held);
        state.unmark(&self.key, &self.flight);
        drop(state);
        self.flight.end(Some(part));
        evicted
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.cache.state().unmark(&self.key, &self.flight);
        self.flight.end(None);
    }
}

impl State {
    fn step(&mut self, key: &Key, ask: &Ask<'_>) -> Step {
        let held = self.held.get(key).map(|held| &held.part).or_else(|| self.leaving.get(key)).cloned();
        match held {
            Some(part) if ask.is_covered_by(&part) => {
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
            Lookup::Spilled => self.stats.spilled += 1,
            Lookup::Extended => self.stats.extended += 1,
            Lookup::Miss | Lookup::Recomputed => {
                self.stats.misses += 1;
                self.stats.tokens += tokens as u64;
                self.stats.recomputed += u64::from(lookup == Lookup::Recomputed);
            }
            Lookup::Bypassed => {}
        }
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

/// Multiplications and additions per second of one run's products on a CPU, assumed.
const CPU_FLOPS: f64 = 50e9;
/// The same on an accelerator.
const ACCELERATOR_FLOPS: f64 = 10e12;
/// Bytes per second from disk, assumed.
const DISK_SPEED: f64 = 500e6;

/// Whether a part is read back sooner than it is computed: its bytes at [`DISK_SPEED`] against two operations per
/// token and weight of the layers that it holds. Attention is left out, and so are the machine's true speeds: this
/// decides about time, not about results.
fn is_worth_reading(backbone: &Backbone, part: &SharedPart) -> bool {
    let weights = backbone.config().layer_values();
    let operations = 2.0 * (weights * part.n_layers() * part.ids().len()) as f64;
    // Of the backends, the one on the CPU is the one that the fused operations are for.
    let is_cpu = kernels::support(backbone.device(), DType::F32);
    let speed = if is_cpu { CPU_FLOPS } else { ACCELERATOR_FLOPS };
    part.bytes() as f64 / DISK_SPEED < operations / speed
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
