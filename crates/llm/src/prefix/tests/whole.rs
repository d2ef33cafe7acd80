//! Prompts that nothing continues.

use super::*;

/// A prompt of 13 tokens after a beginning of 9.
fn rest(seed: u64) -> Vec<u32> {
    ids(100 + seed, 13)
}

fn beginning(body: &Body) -> SharedPart {
    body.encode_beginning(&ids(1, 9)).unwrap()
}

/// The bytes of all that a body with layers to train or heads alone reads of a sequence.
fn bytes(body: &Body, sequence: &EncodedSequence) -> Vec<u8> {
    body.forward_frozen(std::slice::from_ref(sequence)).to_data().as_bytes().to_vec()
}

/// Hidden states of the rest, by a fresh encoding.
fn fresh(body: &Body, rest: &[u32]) -> (Vec<u8>, Vec<u8>) {
    let sequence = body.encode_own(&body.encode_shared(&ids(1, 9)).unwrap(), rest).unwrap();
    (sequence.own_hidden().unwrap().to_data().as_bytes().to_vec(), bytes(body, &sequence))
}

/// Whatever order arms come in, whatever is expected and held: the bytes are those of a fresh encoding.
#[test]
fn a_whole_prompt_has_the_bytes_of_its_two_parts() {
    for dtype in [FloatDType::F32, FloatDType::F16] {
        let backbone = Backbone::random(&tiny_config(true), 3, &Device::flex()).cast(dtype).unwrap();
        let backbone = Arc::new(backbone);
        let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
        for (order, expected) in
            [(vec![3, 1, 2, 0], vec![0, 1, 2, 3]), (vec![0, 1, 2, 3], vec![]), (vec![3, 1, 3, 2], vec![2])]
        {
            for cache in [in_memory(1 << 20), in_memory(0), with_file(3000, 1000)] {
                let expected = boundaries(expected.clone());
                for boundary in &order {
                    let body = &bodies[*boundary];
                    let beginning = beginning(body);
                    for seed in [1, 2, 3, 1] {
                        let (sequence, _) = cache.whole(body, &beginning, &rest(seed), &expected).unwrap();
                        let hidden = sequence.own_hidden().unwrap().to_data().as_bytes().to_vec();
                        assert_eq!((hidden, bytes(body, &sequence)), fresh(body, &rest(seed)), "{order:?}");
                        assert_eq!(sequence.n_tokens(), 9 + 13);
                    }
                }
            }
        }
    }
}

/// Where all boundaries are expected, the first who asks reads a prompt for everybody.
#[test]
fn one_pass_serves_all_boundaries_that_are_expected() {
    let backbone = backbone();
    let bodies: Vec<Body> = (0..=3).map(|boundary| body_of(&backbone, 3 - boundary)).collect();
    for order in [[0, 1, 3, 2], [3, 2, 1, 0], [2, 3, 0, 1]] {
        let (cache, expected) = (in_memory(1 << 20), boundaries(0..=3));
        for boundary in order {
            let body: &Body = &bodies[boundary];
            let beginning = beginning(body);
            (0..5).for_each(|seed| drop(cache.whole(body, &beginning, &rest(seed), &expected).unwrap()));
        }
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.tokens), (5, 5 * 13), "{order:?}");
        assert_eq!((stats.hits, stats.extended, stats.entries), (15, 0, 5));
    }
}

/// No keys and values, and of a model whose heads alone are trained one row.
#[test]
fn of_a_prompt_only_what_is_expected_is_kept() {
    let backbone = backbone();
    let bytes_of = |boundary: usize, expected: &Boundaries| {
        let (cache, body) = (in_memory(1 << 20), body_of(&backbone, 3 - boundary));
        cache.whole(&body, &beginning(&body), &rest(1), expected).unwrap();
        let key = Ask::whole(&body, &beginning(&body), &rest(1), expected).key();
        let state = cache.state();
        let part = &state.held.peek(&key).unwrap().part;
        assert!(part.past().is_empty());
        part.bytes() - 4 * 13
    };
    // Twelve numbers in a row.
    assert_eq!(bytes_of(3, &boundaries([])), 4 * 12);
    assert_eq!(bytes_of(2, &boundaries([])), 4 * 12 * 13);
    assert_eq!(bytes_of(3, &boundaries([2])), 4 * 12 * 13 + 4 * 12);
}

/// The rest alone tells nothing of what stands before it, and a shared part of the same tokens is another thing.
#[test]
fn other_beginnings_are_other_prompts() {
    let body = body(1);
    let (cache, none) = (in_memory(1 << 20), Boundaries::default());
    let others = [body.encode_beginning(&ids(2, 9)).unwrap(), body.encode_beginning(&ids(1, 8)).unwrap()];
    cache.shared(&body, &[ids(1, 9), rest(1)].concat()).unwrap();
    cache.shared(&body, &rest(1)).unwrap();
    for beginning in others.iter().chain([&beginning(&body)]) {
        let (sequence, lookup) = cache.whole(&body, beginning, &rest(1), &none).unwrap();
        assert_eq!(lookup, Lookup::Miss);
        let alone = body.encode_own(beginning, &rest(1)).unwrap();
        assert_eq!(bytes(&body, &sequence), bytes(&body, &alone));
    }
}

/// What memory has no room for comes back from disk as it was.
#[test]
fn evicted_prompts_are_read_back() {
    let body = body(1);
    let beginning = beginning(&body);
    let (cache, none) = (with_file(1500, 1000), Boundaries::default());
    let ask = |seed| {
        let (sequence, lookup) = cache.whole(&body, &beginning, &rest(seed), &none).unwrap();
        assert_eq!(bytes(&body, &sequence), fresh(&body, &rest(seed)).1);
        lookup
    };
    assert_eq!([1, 2, 3].map(ask), [Lookup::Miss; 3]);
    assert_eq!(ask(1), Lookup::Spilled);
    assert_eq!(ask(1), Lookup::Hit);
}

#[test]
fn a_trained_embedding_reads_every_prompt_itself() {
    let spec = TrainSpec { trainable: vec!["embedding".to_owned()], ..TrainSpec::default() };
    let body = Body::new(backbone(), spec, 1).unwrap();
    let cache = in_memory(1 << 20);
    let (sequence, lookup) = cache.whole(&body, &beginning(&body), &rest(1), &Boundaries::default()).unwrap();
    assert_eq!((sequence.n_tokens(), lookup), (9 + 13, Lookup::Bypassed));
    assert_eq!(cache.stats(), CacheStats::default());
}

/// A prompt longer than the model's longest sequence, and tokens that it does not know.
#[test]
fn wrong_prompts_are_refused() {
    let body = body(1);
    let (cache, none) = (in_memory(1 << 20), Boundaries::default());
    let most = body.backbone().config().max_position_embeddings;
    for rest in [ids(1, most - 8), vec![99_999], Vec::new()] {
        assert!(cache.whole(&body, &beginning(&body), &rest, &none).is_err());
    }
    assert!(cache.state().flights.is_empty());
}
