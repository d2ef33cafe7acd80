use std::sync::Barrier;
use std::thread;

use burn::tensor::Device;

use super::*;
use crate::TrainSpec;
use crate::params::to_host;
use crate::testing::{ids, tiny_config};

fn body(n_trainable_layers: usize) -> Body {
    let backbone = Arc::new(Backbone::random(&tiny_config(true), 3, &Device::flex()));
    body_on(&backbone, n_trainable_layers)
}

fn body_on(backbone: &Arc<Backbone>, n_trainable_layers: usize) -> Body {
    let spec = TrainSpec { n_trainable_layers, ..TrainSpec::default() };
    Body::new(backbone.clone(), spec, 0).unwrap()
}

/// Two sequences that differ from run to run and from step to step.
fn sequences(body: &Body, run: usize, step: usize) -> Sequences {
    let one = |i: usize| {
        let shared = body.encode_shared(&ids((step + i) as u64, 7 + step + i)).unwrap();
        (Arc::new(shared), ids((100 * run + step) as u64, 3 + (run + 2 * i) % 5))
    };
    vec![one(0), one(1)]
}

fn numbers(body: &Body, encoded: &[EncodedSequence]) -> Vec<f32> {
    to_host(body.forward_frozen(encoded))
}

#[test]
fn together_and_alone_give_the_same_bytes() {
    for n_trainable_layers in [0, 1, 2] {
        let body = body(n_trainable_layers);
        let alone: Vec<Vec<Vec<f32>>> = (0..4)
            .map(|run| {
                let of = |step| {
                    let sequences = sequences(&body, run, step);
                    numbers(&body, &read(&body, &sequences).unwrap())
                };
                (0..6).map(of).collect()
            })
            .collect();
        let batcher = Arc::new(Batcher::default());
        thread::scope(|scope| {
            for (run, alone) in alone.iter().enumerate() {
                let (batcher, body) = (&batcher, &body);
                scope.spawn(move || {
                    let mut lane = batcher.lane();
                    // Runs differ in length: those that are done are not waited for.
                    for (step, alone) in alone.iter().enumerate().take(6 - run) {
                        if step % 3 == 0 {
                            lane.enter(Phase::Update, body);
                            lane.enter(Phase::Rollout, body);
                        }
                        let sequences = sequences(body, run, step);
                        let encoded = lane.encode(body, sequences).unwrap();
                        assert!(numbers(body, &encoded) == *alone, "run {run}, step {step}");
                    }
                });
            }
        });
    }
}

#[test]
fn runs_in_a_rollout_are_read_in_one_batch() {
    let body = body(1);
    if !body.rows_are_independent() {
        println!("skipped: parts are read one by one on this machine");
        return;
    }
    let batcher = Arc::new(Batcher::default());
    let mut lanes: Vec<Lane> = (0..3).map(|_| batcher.lane()).collect();
    for lane in &mut lanes {
        lane.enter(Phase::Rollout, &body);
    }
    // Another run in its update, and one with another boundary, are waited for by nobody.
    let other = body_on(body.backbone(), 2);
    let (mut updating, mut elsewhere) = (batcher.lane(), batcher.lane());
    updating.enter(Phase::Update, &body);
    elsewhere.enter(Phase::Rollout, &other);
    let last = lanes.pop().unwrap();
    thread::scope(|scope| {
        for (run, lane) in lanes.iter().enumerate() {
            let body = &body;
            scope.spawn(move || lane.encode(body, sequences(body, run, 0)).unwrap());
        }
        // Both wait: the third has not asked yet.
        while batcher.state().asking.len() < 2 {
            thread::yield_now();
        }
        assert!(batcher.state().done.is_empty());
        last.encode(&body, sequences(&body, 2, 0)).unwrap();
    });
    let state = batcher.state();
    assert!(state.asking.is_empty() && state.done.is_empty());
}

#[test]
fn one_run_updates_at_a_time() {
    let body = body(1);
    let batcher = Arc::new(Batcher::default());
    let inside = Mutex::new(0);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut lane = batcher.lane();
                start.wait();
                for _ in 0..20 {
                    lane.enter(Phase::Update, &body);
                    *inside.lock().unwrap() += 1;
                    assert_eq!(*inside.lock().unwrap(), 1);
                    *inside.lock().unwrap() -= 1;
                    lane.enter(Phase::Rollout, &body);
                }
            });
        }
    });
    assert!(!batcher.state().updating && batcher.state().collecting.is_empty());
}

#[test]
fn a_mistake_stays_with_the_run_that_made_it() {
    let body = body(1);
    let batcher = Arc::new(Batcher::default());
    let (mut good, mut bad) = (batcher.lane(), batcher.lane());
    good.enter(Phase::Rollout, &body);
    bad.enter(Phase::Rollout, &body);
    thread::scope(|scope| {
        let fine = scope.spawn(|| good.encode(&body, sequences(&body, 0, 0)));
        let mut wrong = sequences(&body, 1, 0);
        wrong[1].1[0] = u32::MAX;
        let error = bad.encode(&body, wrong).expect_err("an unknown token");
        assert!(error.to_string().contains("found 4294967295"), "{error}");
        drop(bad);
        assert_eq!(fine.join().unwrap().unwrap().len(), 2);
    });
}

#[test]
fn rows_do_not_depend_on_the_rows_beside_them() {
    let config = LlmConfig { hidden_size: 96, intermediate_size: 200, head_dim: 24, ..tiny_config(true) };
    let backbone = Arc::new(Backbone::random(&config, 3, &Device::flex()));
    let body = body_on(&backbone, 1);
    if !body.rows_are_independent() {
        println!("skipped: does not hold on this machine");
        return;
    }
    let all: Sequences = (0..9)
        .map(|i| {
            let shared = body.encode_shared(&ids(i as u64, 5 + 2 * i)).unwrap();
            (Arc::new(shared), ids(i as u64, 1 + 7 * i % 40))
        })
        .collect();
    let together = read(&body, &all).unwrap();
    let together = numbers(&body, &together);
    let d = together.len() / all.len();
    for (i, sequence) in all.into_iter().enumerate() {
        let alone = vec![sequence];
        let encoded = read(&body, &alone).unwrap();
        assert!(numbers(&body, &encoded) == together[i * d..][..d], "sequence {i}");
    }
}
