//! Own parts that were read lately.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Tensor;

use super::Key;
use super::lru::Lru;
use crate::LlmError;
use crate::batcher::{self, Lane, Sequences};
use crate::body::{Body, EncodedSequence};

/// Own parts by content: backbone, boundary and tokens of both parts. Policies that have acted alike stand before the
/// same prompts: at the beginning of every episode, and to the end of an evaluation where seeds and arms agree.
///
/// Kept only where the bytes of a part do not depend on those that are read with it, so that what is found is what
/// would have been computed.
pub(super) struct OwnParts {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Lru<(Tensor<2>, usize)>,
    bytes: usize,
}

impl OwnParts {
    /// An empty cache of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// [`batcher::encode_own`], where it has not been done already.
    pub fn encode(
        &self,
        lane: Option<&Lane>,
        body: &Body,
        sequences: Sequences,
    ) -> Result<Vec<EncodedSequence>, LlmError> {
        if self.limit == 0 || body.plan().embedding || !body.rows_are_independent() {
            return batcher::encode_own(lane, body, sequences);
        }
        let keys: Vec<Key> = sequences.iter().map(|(shared, own)| key(body, shared.ids(), own)).collect();
        let found: Vec<Option<Tensor<2>>> = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            keys.iter().map(|key| state.held.get(key).map(|(hidden, _)| hidden.clone())).collect()
        };
        let unread = found.iter().zip(&sequences).filter(|(found, _)| found.is_none());
        let unread: Sequences = unread.map(|(_, sequence)| sequence.clone()).collect();
        let read = if unread.is_empty() { Vec::new() } else { batcher::encode_own(lane, body, unread)? };
        let mut read = read.into_iter();
        let mut encoded = Vec::with_capacity(keys.len());
        for ((key, found), (shared, own)) in keys.into_iter().zip(found).zip(&sequences) {
            encoded.push(match found {
                Some(hidden) => body.with_own(shared, own, hidden),
                None => {
                    let sequence = read.next().expect("invariant: what was not found has been read");
                    self.keep(key, &sequence);
                    sequence
                }
            });
        }
        Ok(encoded)
    }

    fn keep(&self, key: Key, sequence: &EncodedSequence) {
        let Some(hidden) = sequence.own_hidden() else { return };
        // A part is a few rows of what was read together, which would all be kept with it.
        let (dtype, device) = (hidden.dtype(), hidden.device());
        let Ok(data) = hidden.try_to_data() else { return };
        let bytes = data.num_elements() * dtype.size();
        if bytes > self.limit {
            return;
        }
        let hidden = Tensor::from_data(data, (&device, dtype));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.bytes + bytes > self.limit {
            let (_, (_, old)) = state.held.pop().expect("invariant: bytes are held by entries");
            state.bytes -= old;
        }
        state.bytes += bytes;
        if let Some((_, old)) = state.held.insert(key, (hidden, bytes)) {
            state.bytes -= old;
        }
    }
}

fn key(body: &Body, shared: &[u32], own: &[u32]) -> Key {
    // No token has this number.
    let end = [u32::MAX];
    let boundary = [u32::try_from(body.boundary()).expect("invariant: models have fewer layers than that")];
    Key::new(body.backbone(), &[shared, &end, own, &end, &boundary].concat())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::Device;

    use super::*;
    use crate::testing::{ids, tiny_config};
    use crate::{Backbone, TrainSpec};

    fn bodies() -> Vec<Body> {
        let backbone = Arc::new(Backbone::random(&tiny_config(true), 3, &Device::flex()));
        let body = |n| TrainSpec { n_trainable_layers: n, ..TrainSpec::default() };
        (0..=2).map(|n| Body::new(backbone.clone(), body(n), 1).unwrap()).collect()
    }

    /// The bytes of own parts.
    fn bytes(encoded: &[EncodedSequence]) -> Vec<Vec<u8>> {
        encoded.iter().map(|e| e.own_hidden().unwrap().to_data().as_bytes().to_vec()).collect()
    }

    /// With room for all, for some and for none: what comes back is what each would have been alone.
    #[test]
    fn what_is_found_is_what_would_have_been_computed() {
        let bodies = bodies();
        // Of 12 numbers in each of up to 6 rows.
        for limit in [1 << 20, 12 * 4 * 15, 12 * 4 * 3, 0] {
            let cache = OwnParts::new(limit);
            for round in 0..3 {
                for body in &bodies {
                    let sequences: Sequences = [(1, 4), (2, 6), (1, 5), (1, 4)]
                        .into_iter()
                        .map(|(seed, n)| {
                            (Arc::new(body.encode_shared(&ids(seed, 9)).unwrap()), ids(seed + round % 2, n))
                        })
                        .collect();
                    let found = cache.encode(None, body, sequences.clone()).unwrap();
                    let alone: Vec<EncodedSequence> =
                        sequences.iter().map(|(shared, own)| body.encode_own(shared, own).unwrap()).collect();
                    assert_eq!(bytes(&found), bytes(&alone), "round {round}, {limit} bytes");
                    assert_eq!(found.len(), 4);
                    assert!(found.iter().zip(&sequences).all(|(e, (_, own))| e.n_tokens() == 9 + own.len()));
                    let state = cache.state.lock().unwrap();
                    assert!(state.bytes <= limit, "{} of {limit} bytes", state.bytes);
                }
            }
        }
    }

    /// A part is looked up by its boundary too, and by where the own part begins.
    #[test]
    fn other_boundaries_and_other_cuts_are_other_parts() {
        let bodies = bodies();
        let tokens = ids(1, 12);
        let keys = [
            key(&bodies[0], &tokens[..8], &tokens[8..]),
            key(&bodies[1], &tokens[..8], &tokens[8..]),
            key(&bodies[0], &tokens[..7], &tokens[7..]),
        ];
        assert!(keys[0] != keys[1] && keys[0] != keys[2]);
    }

    #[test]
    fn a_part_that_was_read_is_not_read_again() {
        let bodies = bodies();
        let body = &bodies[1];
        if !body.rows_are_independent() {
            println!("skipped: nothing is kept where the bytes of a part depend on the parts beside it");
            return;
        }
        let cache = OwnParts::new(1 << 20);
        let shared = Arc::new(body.encode_shared(&ids(1, 9)).unwrap());
        let sequences: Sequences = vec![(shared, ids(2, 4))];
        cache.encode(None, body, sequences.clone()).unwrap();
        // What was kept comes back, not what would be computed.
        let marked = Tensor::<2>::ones([4, 12], &Device::flex());
        let at = key(body, &ids(1, 9), &ids(2, 4));
        cache.state.lock().unwrap().held.insert(at, (marked.clone(), 0));
        let found = cache.encode(None, body, sequences).unwrap();
        assert_eq!(found[0].own_hidden().unwrap().to_data(), marked.to_data());
    }
}
