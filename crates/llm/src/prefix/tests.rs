mod threads;
mod whole;

use super::*;

use burn::tensor::{Device, FloatDType};
use proptest::prelude::*;

use crate::kernels::Packed;
use crate::testing::{ids, tiny_config};
use crate::{LlmConfig, TrainSpec};

fn boundaries(expected: impl IntoIterator<Item = usize>) -> Boundaries {
    Boundaries(Mutex::new(expected.into_iter().collect()))
}

/// A model of three layers.
fn backbone() -> Arc<Backbone> {
    Arc::new(Backbone::random(&tiny_config(true), 3, &Device::flex()))
}

/// A body with the boundary `3 - n_trainable_layers`.
fn body_of(backbone: &Arc<Backbone>, n_trainable_layers: usize) -> Body {
    Body::new(backbone.clone(), TrainSpec { n_trainable_layers, ..TrainSpec::default() }, 1).unwrap()
}

fn body(n_trainable_layers: usize) -> Body {
    body_of(&backbone(), n_trainable_layers)
}

/// Three layers as wide as those of the shipped model.
fn shipped_shape() -> LlmConfig {
    LlmConfig {
        hidden_size: 128,
        intermediate_size: 384,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 32,
        ..tiny_config(true)
    }
}

/// A cache without a file.
fn in_memory(limit: usize) -> PrefixCache {
    PrefixCache::new(CacheLimits { memory: limit, spill: 0 })
}

/// A cache that writes out all that it evicts, in blocks of 256 bytes: the rule would keep so small a model's off disk.
fn with_file(memory: usize, blocks: u64) -> PrefixCache {
    let spill = Spill::with(256 * blocks, 256, None);
    let own = OwnParts::new(memory / OWN_SHARE);
    PrefixCache { limit: memory, spill, is_worth_reading: |_, _| true, own, state: Mutex::default() }
}

/// All that `body` reads of `part`, as bytes.
fn read_by(body: &Body, part: &SharedPart) -> Vec<u8> {
    assert!(body.is_covered_by(part));
    part.only_for(body).to_bytes().unwrap()
}

fn fresh(body: &Body, ids: &[u32]) -> Vec<u8> {
    body.encode_shared(ids).unwrap().to_bytes().unwrap()
}

#[test]
fn equal_content_is_found_across_bodies() {
    let cache = in_memory(1 << 20);
    let (a, lookup) = cache.shared(&body(1), &ids(1, 8)).unwrap();
    assert_eq!(lookup, Lookup::Miss);
    // Another body, even another copy of the backbone, with the same boundary.
    let (b, lookup) = cache.shared(&body(1), &ids(1, 8)).unwrap();
    assert!(lookup == Lookup::Hit && Arc::ptr_eq(&a, &b));
    let (_, lookup) = cache.shared(&body(1), &ids(1, 7)).unwrap();
    assert_eq!(lookup, Lookup::Miss);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.tokens, stats.entries), (1, 2, 8 + 7, 2));
}

/// Bodies in any order of their boundaries, the last of which needs no hidden states: the bytes are those of a fresh
/// encoding, and what there is at a shallower boundary is used.
#[test]
fn a_deeper_boundary_continues_a_shallower_one() {
    use Lookup::{Extended, Hit, Miss};
    let orders = [
        // Boundaries, and what the cache says of them.
        (vec![0, 1, 2, 3], vec![Miss, Extended, Extended, Extended]),
        (vec![3, 2, 1, 0], vec![Miss, Miss, Miss, Miss]),
        (vec![1, 3, 2, 3, 1], vec![Miss, Extended, Extended, Hit, Hit]),
        (vec![2, 3, 2, 1], vec![Miss, Extended, Hit, Miss]),
        (vec![3, 3, 1, 2, 0, 2], vec![Miss, Hit, Miss, Extended, Miss, Hit]),
    ];
    // f16 goes through burn's own operations, f32 through the fused ones.
    for (dtype, width) in [(FloatDType::F32, 4), (FloatDType::F16, 2)] {
        let backbone =
            Arc::new(Backbone::random(&tiny_config(true), 3, &Device::flex()).cast(dtype).unwrap());
        let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
        for (order, expected) in &orders {
            let cache = in_memory(1 << 20);
            let tokens = ids(1, 11);
            let mut found = Vec::new();
            for boundary in order {
                let body: &Body = &bodies[*boundary];
                assert_eq!(body.boundary(), *boundary);
                let (part, lookup) = cache.shared(body, &tokens).unwrap();
                found.push(lookup);
                assert_eq!(read_by(body, &part), fresh(body, &tokens), "{order:?} at {boundary}");
            }
            assert_eq!(found, *expected, "{order:?}");
            let stats = cache.stats();
            // Tensors are counted once, however many boundaries they serve.
            let deepest = order.iter().max().unwrap();
            let n_hidden = (0..3).filter(|boundary| order.contains(boundary)).count();
            // Two heads of 4 numbers; the fused operations keep panels of 32.
            let packed = dtype == FloatDType::F32 && Packed::is_supported();
            let layer = if packed { 2 * (4 * 32 + 11 * 32) } else { 11 * 2 * 8 };
            let numbers = deepest * layer + 11 * n_hidden * 12;
            let (part, _) = cache.shared(&bodies[*deepest], &tokens).unwrap();
            assert_eq!(part.bytes(), width * numbers + 4 * 11);
            assert_eq!((stats.entries, stats.bytes), (1, footprint(&part)));
        }
    }
}

/// In any order, where it is known who will ask.
#[test]
fn a_shallower_boundary_that_is_expected_is_there() {
    use Lookup::{Extended, Hit, Miss};
    let backbone = backbone();
    let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
    let tokens = ids(1, 11);
    for (expected, order, lookups) in [
        (vec![1, 2, 3], vec![3, 2, 1], vec![Miss, Hit, Hit]),
        (vec![0, 2], vec![2, 0, 3, 1], vec![Miss, Hit, Extended, Extended]),
        (vec![], vec![3, 2, 1], vec![Miss, Miss, Miss]),
    ] {
        let cache = in_memory(1 << 20);
        let expected = boundaries(expected);
        let ask = |boundary: &usize| {
            let body: &Body = &bodies[*boundary];
            let (part, lookup) = cache.shared_among(body, &tokens, &expected).unwrap();
            assert_eq!(read_by(body, &part), fresh(body, &tokens));
            lookup
        };
        assert_eq!(order.iter().map(ask).collect::<Vec<_>>(), lookups, "{order:?}");
    }
}

/// The width of the shipped model and the length of its prompts: products and attention are shared among threads here.
#[test]
fn the_bytes_of_large_parts_are_those_of_a_fresh_encoding() {
    let config = LlmConfig { max_position_embeddings: 512, ..shipped_shape() };
    let backbone = Arc::new(Backbone::random(&config, 3, &Device::flex()));
    let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
    // For one part with all boundaries.
    let start = bodies[1].encode_shared(&ids(1, 250)).unwrap();
    let memory = footprint(&bodies[3].extend_shared(start, &[2]));
    let cache = PrefixCache::new(CacheLimits { memory, spill: 1 << 24 });
    for boundary in [1, 2, 3, 1] {
        for seed in 0..2 {
            let (part, _) = cache.shared(&bodies[boundary], &ids(seed, 250)).unwrap();
            assert_eq!(read_by(&bodies[boundary], &part), fresh(&bodies[boundary], &ids(seed, 250)));
        }
    }
    let stats = cache.stats();
    assert!(stats.extended > 0 && stats.spilled > 0, "{stats:?}");
}

#[test]
fn the_least_recently_used_goes_first() {
    let body = body(1);
    let size = footprint(&body.encode_shared(&ids(0, 6)).unwrap());
    let cache = in_memory(2 * size);
    let is_hit = |seed: u64| cache.shared(&body, &ids(seed, 6)).unwrap().1 == Lookup::Hit;
    assert!(!is_hit(1));
    assert!(!is_hit(2));
    assert!(is_hit(1), "now 2 is the oldest");
    assert!(!is_hit(3), "takes the place of 2");
    assert_eq!(cache.stats().bytes, 2 * size);
    assert!(is_hit(1));
    assert!(is_hit(3));
    assert_eq!(cache.stats().recomputed, 0);
    assert!(!is_hit(2));
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.misses, stats.recomputed), (2, 4, 1));
}

#[test]
fn without_room_nothing_is_kept() {
    let body = body(1);
    let cache = in_memory(0);
    for _ in 0..2 {
        assert_eq!(cache.shared(&body, &ids(1, 6)).unwrap().1, Lookup::Miss);
    }
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.entries, stats.bytes), (2, 0, 0));
}

/// Nothing of a trained embedding is frozen: there is nothing to keep.
#[test]
fn a_trained_embedding_passes_the_cache_by() {
    let spec = TrainSpec { trainable: vec!["embedding".to_owned()], ..TrainSpec::default() };
    let body = Body::new(backbone(), spec, 1).unwrap();
    let cache = in_memory(1 << 20);
    for _ in 0..2 {
        let (part, lookup) = cache.shared(&body, &ids(1, 6)).unwrap();
        assert_eq!((part.ids(), part.n_tensors(), lookup), (&*ids(1, 6), 0, Lookup::Bypassed));
    }
    assert_eq!(cache.stats(), CacheStats::default());
}

#[test]
fn errors_are_passed_on_and_block_nobody() {
    let cache = in_memory(1 << 20);
    for _ in 0..2 {
        assert!(cache.shared(&body(1), &[99]).is_err());
    }
    assert!(cache.state().flights.is_empty());
}

/// What memory has no room for comes back from disk as it was, whatever its type.
#[test]
fn evicted_parts_are_read_back() {
    for dtype in [FloatDType::F32, FloatDType::F16, FloatDType::BF16] {
        let backbone = Backbone::random(&tiny_config(true), 3, &Device::flex()).cast(dtype).unwrap();
        let backbone = Arc::new(backbone);
        let [shallow, deep] = [2, 1].map(|trained| body_of(&backbone, trained));
        // For one part with both boundaries.
        let room = footprint(&deep.extend_shared(shallow.encode_shared(&ids(1, 30)).unwrap(), &[]));
        let cache = with_file(room, 1000);
        let ask = |body: &Body, seed: u64| {
            let (part, lookup) = cache.shared(body, &ids(seed, 30)).unwrap();
            assert_eq!(read_by(body, &part), fresh(body, &ids(seed, 30)));
            lookup
        };
        assert_eq!(ask(&shallow, 1), Lookup::Miss);
        assert_eq!(ask(&deep, 2), Lookup::Miss);
        assert_eq!(cache.stats().spill_entries, 1);
        assert_eq!(ask(&shallow, 1), Lookup::Spilled);
        assert_eq!(ask(&shallow, 1), Lookup::Hit);
        assert_eq!(ask(&deep, 2), Lookup::Spilled);
        assert_eq!(ask(&deep, 1), Lookup::Extended, "from the boundary on disk");
        assert_eq!(ask(&shallow, 2), Lookup::Miss, "deeper layers have no hidden states for it");
        assert_eq!(ask(&deep, 1), Lookup::Spilled);
        assert_eq!(ask(&shallow, 1), Lookup::Hit);
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.spilled, stats.extended, stats.misses), (2, 3, 1, 3));
        assert_eq!(stats.spill_bytes % 256, 0);
        assert_eq!(cache.spill_failure(), None);
    }
}

/// A part that was read back and not changed is on disk already.
#[test]
fn what_is_on_disk_is_not_written_again() {
    let body = body(1);
    let cache = with_file(footprint(&body.encode_shared(&ids(1, 20)).unwrap()), 1000);
    let ask = |seed: u64| cache.shared(&body, &ids(seed, 20)).unwrap().1;
    assert_eq!([ask(1), ask(2), ask(1)], [Lookup::Miss, Lookup::Miss, Lookup::Spilled]);
    // From here on a write fails.
    let named = tempfile::NamedTempFile::new().unwrap();
    cache.spill.replace_file(std::fs::File::open(named.path()).unwrap());
    assert_eq!(ask(3), Lookup::Miss);
    assert_eq!(cache.spill_failure(), None, "1 is not written");
    assert_eq!(ask(4), Lookup::Miss);
    assert!(cache.spill_failure().is_some(), "3 is written");
}

#[test]
fn a_failing_file_loses_parts_and_nothing_else() {
    let body = body(1);
    let room = footprint(&body.encode_shared(&ids(1, 20)).unwrap());
    let missing = tempfile::tempdir().unwrap().path().join("no/such/folder");
    let no_folder = PrefixCache { spill: Spill::with(1 << 20, 256, Some(missing)), ..with_file(room, 0) };
    let emptied = with_file(room, 1000);
    emptied.shared(&body, &ids(1, 20)).unwrap();
    emptied.shared(&body, &ids(2, 20)).unwrap();
    assert_eq!(emptied.stats().spill_entries, 1);
    emptied.spill.replace_file(tempfile::tempfile().unwrap());
    for cache in [no_folder, emptied] {
        for seed in [1, 2, 1, 3, 1] {
            let (part, lookup) = cache.shared(&body, &ids(seed, 20)).unwrap();
            assert!(matches!(lookup, Lookup::Miss | Lookup::Recomputed | Lookup::Hit), "{lookup:?}");
            assert_eq!(read_by(&body, &part), fresh(&body, &ids(seed, 20)));
        }
        assert!(cache.spill_failure().is_some_and(|failure| !failure.is_empty()));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.spill_entries, stats.spill_bytes), (1, 0, 0));
    }
}

/// Requests in any order, at any boundary, with next to no room anywhere.
fn requests() -> impl Strategy<Value = Vec<(usize, u64, usize)>> {
    prop::collection::vec((0usize..=3, 0u64..4, prop::sample::select(vec![1usize, 7, 19])), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_bytes_depend_on_what_is_cached(
        requests in requests(), expected in prop::collection::vec(0usize..=3, 0..3), memory in 0usize..12_000,
        blocks in prop::sample::select(vec![0u64, 3, 12, 40]),
    ) {
        let backbone = backbone();
        let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
        let cache = with_file(memory, blocks);
        let expected = boundaries(expected);
        for (boundary, seed, length) in &requests {
            let (body, ids) = (&bodies[*boundary], ids(*seed, *length));
            let (part, _) = cache.shared_among(body, &ids, &expected).unwrap();
            prop_assert_eq!(read_by(body, &part), fresh(body, &ids));
            let stats = cache.stats();
            prop_assert!(stats.bytes <= memory && stats.spill_bytes <= 256 * blocks, "{:?}", stats);
        }
        let CacheStats { hits, spilled, extended, misses, .. } = cache.stats();
        prop_assert_eq!(hits + spilled + extended + misses, requests.len() as u64);
        prop_assert_eq!(cache.spill_failure(), None);
        let state = cache.state();
        prop_assert!(state.flights.is_empty() && state.leaving.is_empty());
    }
}

#[test]
fn small_layers_are_computed_again_and_large_ones_read() {
    let worth = |config: &LlmConfig, n_trainable_layers: usize| {
        let backbone = Arc::new(Backbone::random(config, 3, &Device::flex()));
        let body = body_of(&backbone, n_trainable_layers);
        is_worth_reading(&backbone, &body.encode_shared(&ids(1, 9)).unwrap())
    };
    // Per token and layer: 2592 operations are 52 ns, 64 bytes are 128 ns.
    assert!(!worth(&tiny_config(true), 1));
    // The shipped model's: 393,216 operations are 7.9 us, 512 bytes are 1 us.
    let shipped = shipped_shape();
    assert!(worth(&shipped, 1) && worth(&shipped, 0));
    // Below the first layer there is only a table to look up in.
    assert!(!worth(&shipped, 3));
}
