use super::*;

use burn::tensor::Device;

use crate::TrainSpec;
use crate::testing::{ids, tiny_config};

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
    let cache = PrefixCache::new(1 << 20);
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
    let f32s = backbone();
    let f16s = Arc::new(Backbone::random(&tiny_config(false), 3, &Device::flex()));
    // f16 goes through burn's own operations, f32 through the fused ones.
    let f16s = Arc::new(Arc::into_inner(f16s).unwrap().cast(burn::tensor::FloatDType::F16).unwrap());
    for backbone in [f32s, f16s] {
        let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
        for (order, expected) in &orders {
            let cache = PrefixCache::new(1 << 20);
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
            let numbers = 11 * (deepest * 2 * 8 + n_hidden * 12);
            let size = if backbone.dtype() == burn::tensor::FloatDType::F32 { 4 } else { 2 };
            let (part, _) = cache.shared(&bodies[*deepest], &tokens).unwrap();
            assert_eq!(part.bytes(), size * numbers + 4 * 11);
            assert_eq!((stats.entries, stats.bytes), (1, footprint(&part)));
        }
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let body = body(1);
    let size = footprint(&body.encode_shared(&ids(0, 6)).unwrap());
    let cache = PrefixCache::new(2 * size);
    let is_hit = |seed: u64| cache.shared(&body, &ids(seed, 6)).unwrap().1 == Lookup::Hit;
    assert!(!is_hit(1));
    assert!(!is_hit(2));
    assert!(is_hit(1), "now 2 is the oldest");
    assert!(!is_hit(3), "takes the place of 2");
    assert_eq!(cache.stats().bytes, 2 * size);
    assert!(is_hit(1));
    assert!(is_hit(3));
    assert!(!is_hit(2));
    assert_eq!(cache.stats().entries, 2);
}

#[test]
fn without_room_nothing_is_kept() {
    let body = body(1);
    let cache = PrefixCache::new(0);
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
    let cache = PrefixCache::new(1 << 20);
    for _ in 0..2 {
        let (part, lookup) = cache.shared(&body, &ids(1, 6)).unwrap();
        assert_eq!((part.ids(), part.n_tensors(), lookup), (&*ids(1, 6), 0, Lookup::Bypassed));
    }
    assert_eq!(cache.stats(), CacheStats::default());
}

#[test]
fn errors_are_passed_on_and_block_nobody() {
    let cache = PrefixCache::new(1 << 20);
    for _ in 0..2 {
        assert!(cache.shared(&body(1), &[99]).is_err());
    }
    assert!(cache.state().flights.is_empty());
}
