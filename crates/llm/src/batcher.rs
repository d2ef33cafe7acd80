//! Own parts of several runs, read in one batch.
//!
//! Runs of one backbone and boundary read every weight for a few rows each. Together they read it once. What a run gets
//! has the bytes that it would have got alone: only where that holds ([`Body::rows_are_independent`]) are parts read
//! together at all.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::body::{Body, EncodedSequence, SharedPart};
use crate::kernels::release_panels;
use crate::{Backbone, LlmConfig, LlmError};

/// Own parts to be read: after which shared part, and which tokens.
pub type Sequences = Vec<(Arc<SharedPart>, Vec<u32>)>;

/// Where runs meet.
#[derive(Default)]
pub struct Batcher {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Runs that are in a rollout, by what their parts depend on: they are about to ask.
    collecting: Vec<(u64, Key)>,
    /// Runs that wait for a batch.
    asking: Vec<Request>,
    done: Vec<(u64, Result<Vec<EncodedSequence>, LlmError>)>,
    /// Whether a run updates its parameters.
    updating: bool,
}

struct Request {
    lane: u64,
    key: Key,
    sequences: Sequences,
}

/// What parts depend on besides their tokens: the backbone's address, which lives as long as its runs, and the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key(usize, (usize, bool));

impl Key {
    fn of(body: &Body) -> Self {
        Self(Arc::as_ptr(body.backbone()).cast::<Backbone>() as usize, body.cut())
    }
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Asks again and again: others wait for it, to be read together.
    Rollout,
    /// Moves its parameters. One run at a time does, with all threads, so that one run's gradients are in memory.
    Update,
    /// Anything else: it may ask, but nobody waits for it.
    Other,
}

/// A run's place at a [`Batcher`].
pub struct Lane {
    batcher: Arc<Batcher>,
    id: u64,
    phase: Phase,
}

/// Bytes of a layer's weights, in f32, from which on runs read them together.
const LARGE_LAYER: usize = 4 << 20;

impl Batcher {
    /// Whether runs of a model gain by meeting: a small one's weights stay in the caches, and its runs are better off with
    /// a core each.
    pub fn pays(config: &LlmConfig) -> bool {
        size_of::<f32>() * config.layer_values() >= LARGE_LAYER
    }

    /// A place for one more run.
    pub fn lane(self: &Arc<Self>) -> Lane {
        let mut state = self.state();
        state.next += 1;
        Lane { batcher: self.clone(), id: state.next, phase: Phase::Other }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// Says what the run is about to do. Waits for its turn to update.
    pub fn enter(&mut self, phase: Phase, body: &Body) {
        self.leave();
        let mut state = self.batcher.state();
        match phase {
            Phase::Rollout => state.collecting.push((self.id, Key::of(body))),
            Phase::Update => {
                while state.updating {
                    state = self.batcher.wait(state);
                }
                state.updating = true;
            }
            Phase::Other => {}
        }
        drop(state);
        self.phase = phase;
    }

    fn leave(&mut self) {
        if self.phase == Phase::Update {
            // Memory for one update at a time: another run's comes next.
            release_panels();
        }
        let mut state = self.batcher.state();
        match self.phase {
            Phase::Rollout => state.collecting.retain(|(lane, _)| *lane != self.id),
            Phase::Update => state.updating = false,
            Phase::Other => return,
        }
        self.phase = Phase::Other;
        drop(state);
        self.batcher.changed.notify_all();
    }

    /// [`Body::encode_all`], together with the other runs that are in a rollout and ask for the same.
    pub fn encode(&self, body: &Body, sequences: Sequences) -> Result<Vec<EncodedSequence>, LlmError> {
        if !body.rows_are_independent() {
            return read(body, &sequences);
        }
        // A mistake in one run's tokens must not reach the others.
        body.check_own(&borrowed(&sequences))?;
        let key = Key::of(body);
        let mut state = self.batcher.state();
        state.asking.push(Request { lane: self.id, key, sequences });
        // Whoever waited for this request looks again.
        self.batcher.changed.notify_all();
        loop {
            if let Some(i) = state.done.iter().position(|(lane, _)| *lane == self.id) {
                return state.done.swap_remove(i).1;
            }
            if state.is_complete(self.id, key) {
                break;
            }
            state = self.batcher.wait(state);
        }
        let requests: Vec<Request> = state.asking.extract_if(.., |request| request.key == key).collect();
        drop(state);
        self.lead(body, requests)
    }

    /// Reads what several runs asked for. Should it panic, the others get an error instead of waiting for ever.
    fn lead(&self, body: &Body, requests: Vec<Request>) -> Result<Vec<EncodedSequence>, LlmError> {
        let all: Sequences = requests.iter().flat_map(|request| request.sequences.iter().cloned()).collect();
        let mut found = catch_unwind(AssertUnwindSafe(|| read(body, &all)));
        let mut own = None;
        let mut state = self.batcher.state();
        for request in requests {
            let n = request.sequences.len();
            let result = match &mut found {
                Ok(Ok(parts)) => Ok(parts.drain(..n).collect()),
                Ok(Err(error)) => Err(LlmError::Tokens(error.to_string())),
                Err(_) => Err(LlmError::Tokens("a batch with other runs failed".to_owned())),
            };
            if request.lane == self.id {
                own = Some(result);
            } else {
                state.done.push((request.lane, result));
            }
        }
        drop(state);
        self.batcher.changed.notify_all();
        match found {
            Err(panic) => resume_unwind(panic),
            Ok(_) => own.expect("invariant: the leader's own request is among them"),
        }
    }
}

impl State {
    /// Whether everybody who is about to ask for the same has asked, and the run itself has not been taken yet.
    fn is_complete(&self, lane: u64, key: Key) -> bool {
        let asks = |lane: u64| self.asking.iter().any(|request| request.lane == lane);
        asks(lane) && self.collecting.iter().all(|(other, of)| *of != key || asks(*other))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.leave();
    }
}

/// [`Body::encode_all`] for a run that meets others, if it has a lane, or for itself.
pub fn encode_own(
    lane: Option<&Lane>,
    body: &Body,
    sequences: Sequences,
) -> Result<Vec<EncodedSequence>, LlmError> {
    match lane {
        Some(lane) => lane.encode(body, sequences),
        None => read(body, &sequences),
    }
}

fn read(body: &Body, sequences: &Sequences) -> Result<Vec<EncodedSequence>, LlmError> {
    body.encode_all(&borrowed(sequences))
}

fn borrowed(sequences: &Sequences) -> Vec<(&SharedPart, &[u32])> {
    sequences.iter().map(|(shared, ids)| (&**shared, ids.as_slice())).collect()
}
