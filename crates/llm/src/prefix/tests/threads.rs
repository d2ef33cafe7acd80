//! Requests at the same time.

use super::*;

use std::sync::Barrier;

/// Threads that ask for the same parts at once compute each of them once.
#[test]
fn threads_compute_each_part_once() {
    let backbone = backbone();
    let bodies: Vec<Body> = (1..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
    let expected: Vec<Vec<Vec<u8>>> =
        (0..5).map(|seed| bodies.iter().map(|body| fresh(body, &ids(seed, 20))).collect()).collect();
    let cache = in_memory(1 << 20);
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        let work = |thread: usize| {
            start.wait();
            for i in 0..5 {
                let seed = (i + thread / 4) % 5;
                let (part, _) = cache.shared(&bodies[1], &ids(seed as u64, 20)).unwrap();
                assert_eq!(read_by(&bodies[1], &part), expected[seed][1]);
            }
        };
        (0..8).for_each(|thread| drop(scope.spawn(move || work(thread))));
    });
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.hits, stats.extended, stats.entries), (5, 35, 0, 5));
    // The same at several boundaries, with next to no room, beside a file.
    let cache = with_file(8000, 40);
    std::thread::scope(|scope| {
        let work = |thread: usize| {
            start.wait();
            for i in 0..40 {
                let (seed, boundary) = ((i * 3 + thread) % 5, (i + thread) % 3);
                let (part, _) = cache.shared(&bodies[boundary], &ids(seed as u64, 20)).unwrap();
                assert_eq!(read_by(&bodies[boundary], &part), expected[seed][boundary]);
                let stats = cache.stats();
                assert!(stats.bytes <= 8000 && stats.spill_bytes <= 256 * 40, "{stats:?}");
            }
        };
        (0..8).for_each(|thread| drop(scope.spawn(move || work(thread))));
    });
    let CacheStats { hits, spilled, extended, misses, .. } = cache.stats();
    assert_eq!(hits + spilled + extended + misses, 8 * 40);
    assert_eq!(cache.spill_failure(), None);
}

/// The marker of a part that a test computes itself.
fn lead<'a>(cache: &'a PrefixCache, body: &Body, ids: &[u32]) -> Lead<'a> {
    let (key, none) = (Key::new(body.backbone(), ids), Boundaries::default());
    let step = cache.state().step(&key, &Ask::shared(body, ids, &none));
    let Step::Lead(flight, None) = step else { panic!("nobody computes it yet") };
    Lead { cache, key, flight }
}

/// What another thread gets that asks while `lead` lasts, which ends with `end`.
fn waiting<'a>(
    cache: &'a PrefixCache,
    body: &Body,
    ids: &[u32],
    end: impl FnOnce(Lead<'a>),
) -> (Arc<SharedPart>, Lookup) {
    let lead = lead(cache, body, ids);
    let flight = lead.flight.clone();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| cache.shared(body, ids).unwrap());
        // One is ours, one the lead's, one the cache's; the fourth is that of the thread that waits.
        while Arc::strong_count(&flight) < 4 {
            std::thread::yield_now();
        }
        // Others do not wait.
        cache.shared(body, &[7, 7]).unwrap();
        end(lead);
        other.join().unwrap()
    })
}

#[test]
fn who_asks_for_what_is_being_computed_waits_for_it() {
    let body = body(1);
    let cache = in_memory(1 << 20);
    let made = std::sync::OnceLock::new();
    let (part, lookup) = waiting(&cache, &body, &ids(1, 9), |lead| {
        let (held, _) =
            cache.make(&Ask::shared(&body, &ids(1, 9), &Boundaries::default()), lead.key, None).unwrap();
        made.get_or_init(|| held.part.clone());
        lead.land(held);
    });
    assert!(lookup == Lookup::Hit && Arc::ptr_eq(&part, made.get().unwrap()));
    // Also when memory has no room for it.
    let cache = in_memory(0);
    let (_, lookup) = waiting(&cache, &body, &ids(1, 9), |lead| {
        let (held, _) =
            cache.make(&Ask::shared(&body, &ids(1, 9), &Boundaries::default()), lead.key, None).unwrap();
        assert!(lead.land(held).is_empty());
    });
    assert_eq!(lookup, Lookup::Hit);
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn who_waits_for_a_failure_computes_itself() {
    let body = body(1);
    let cache = in_memory(1 << 20);
    let (_, lookup) = waiting(&cache, &body, &ids(1, 9), drop);
    assert_eq!(lookup, Lookup::Miss);
    let (_, lookup) = waiting(&cache, &body, &ids(2, 9), |lead| {
        let panicking = std::panic::AssertUnwindSafe(|| {
            let _lead = lead;
            std::panic::resume_unwind(Box::new("while it computes"));
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
    });
    assert_eq!(lookup, Lookup::Miss);
    assert!(cache.state().flights.is_empty());
}

/// The thread that is waited for may need the pool.
#[test]
fn nobody_waits_inside_rayons_pool() {
    let body = body(1);
    let cache = in_memory(1 << 20);
    let lead = lead(&cache, &body, &ids(1, 9));
    let (_, lookup) = rayon::scope(|_| cache.shared(&body, &ids(1, 9)).unwrap());
    assert_eq!(lookup, Lookup::Miss);
    drop(lead);
    assert_eq!(cache.shared(&body, &ids(1, 9)).unwrap().1, Lookup::Hit);
}
