use super::*;

use burn::tensor::Device;

use crate::TrainSpec;
use crate::testing::{ids, tiny_config};

fn body(n_trainable_layers: usize) -> Body {
    let backbone = Arc::new(Backbone::random(&tiny_config(true), 3, &Device::flex()));
    Body::new(backbone, TrainSpec { n_trainable_layers, ..TrainSpec::default() }, 1).unwrap()
}

#[test]
fn equal_content_is_found_across_bodies() {
    let cache = PrefixCache::new(1 << 20);
    let (a, found) = cache.shared(&body(1), &ids(1, 8)).unwrap();
    assert!(!found);
    // Another body, even another copy of the backbone, with the same boundary.
    let (b, found) = cache.shared(&body(1), &ids(1, 8)).unwrap();
    assert!(found && Arc::ptr_eq(&a, &b));
    // Another boundary is another part.
    let (_, found) = cache.shared(&body(2), &ids(1, 8)).unwrap();
    assert!(!found);
    let (_, found) = cache.shared(&body(1), &ids(1, 7)).unwrap();
    assert!(!found);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.tokens, stats.entries), (1, 3, 8 + 8 + 7, 3));
}

#[test]
fn the_least_recently_used_goes_first() {
    let body = body(1);
    let size = body.encode_shared(&ids(0, 6)).unwrap().bytes();
    let cache = PrefixCache::new(2 * size);
    let is_hit = |seed: u64| cache.shared(&body, &ids(seed, 6)).unwrap().1;
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
        assert!(!cache.shared(&body, &ids(1, 6)).unwrap().1);
    }
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.entries, stats.bytes), (2, 0, 0));
}

#[test]
fn many_threads_get_equal_parts() {
    let body = body(2);
    let cache = PrefixCache::new(1 << 20);
    let own = |shared: &SharedPart| {
        let own = body.encode_own(shared, &[1, 2, 3]).unwrap();
        let row = [(Arc::new(shared.clone()), own)];
        body.forward_frozen(&row).try_into_vec_as::<f32>().unwrap()
    };
    let results: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let work = |_| {
            let (part, _) = cache.shared(&body, &ids(1, 10)).unwrap();
            own(&part)
        };
        let handles: Vec<_> = (0..4).map(|i| scope.spawn(move || work(i))).collect();
        handles.into_iter().map(|h| h.join().unwrap()).collect()
    });
    let expected = own(&body.encode_shared(&ids(1, 10)).unwrap());
    assert!(results.iter().all(|r| *r == expected));
    let stats = cache.stats();
    assert_eq!(stats.hits + stats.misses, 4);
    assert_eq!(stats.entries, 1);
}

#[test]
fn errors_are_passed_on() {
    assert!(PrefixCache::new(1 << 20).shared(&body(1), &[99]).is_err());
}
