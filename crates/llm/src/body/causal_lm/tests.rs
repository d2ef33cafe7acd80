use std::sync::Arc;

use burn::tensor::Device;

use super::*;
use crate::testing::{ids, oracle_logits, tiny_config};
use crate::{Backbone, Snapshot, TrainSpec};

/// Everything of the tiny model is trained.
fn body() -> Body {
    body_of(&["embedding", "layers.0-2", "norm"], true)
}

fn body_of(trainable: &[&str], tied: bool) -> Body {
    let backbone = Arc::new(Backbone::random(&tiny_config(tied), 3, &Device::flex()));
    let trainable = trainable.iter().map(|group| (*group).to_owned()).collect();
    Body::new(backbone, TrainSpec { trainable, ..TrainSpec::default() }, 0).unwrap()
}

fn of(rows: &[Vec<u32>]) -> TokenSequences {
    TokenSequences { rows: rows.to_vec(), end_of_document: None }
}

fn sequences() -> TokenSequences {
    of(&(0..3).map(|row| ids(row, 9)).collect::<Vec<_>>())
}

/// The definition, by loops in f64 on the plain decoder's logits.
fn oracle(backbone: &Backbone, rows: &[Vec<u32>]) -> f64 {
    let mut losses = Vec::new();
    for ids in rows {
        let logits = oracle_logits(backbone, &ids[..ids.len() - 1]);
        for (row, target) in logits.iter().zip(&ids[1..]) {
            let total: f64 = row.iter().map(|x| x.exp()).sum();
            losses.push(total.ln() - row[*target as usize]);
        }
    }
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn the_loss_is_the_mean_over_all_positions() {
    let body = body();
    let expected = oracle(body.backbone(), &sequences().rows);
    let loss = body.next_token_loss(&sequences()).unwrap();
    assert!((loss - expected).abs() < 1e-5, "{loss} {expected}");
    assert!((body.next_token_gradients(&sequences()).unwrap().0 - expected).abs() < 1e-5);
}

/// Two documents in a sequence are predicted as each of them alone; the token after the end of the first is predicted
/// from the first.
#[test]
fn documents_do_not_see_each_other() {
    let body = body();
    let (first, second) = (vec![4, 9, 1, 7, 0], vec![5, 2, 6, 3]);
    let packed = vec![[first.clone(), second.clone()].concat()];
    let loss = |end_of_document| {
        let sequences = TokenSequences { rows: packed.clone(), end_of_document };
        body.next_token_loss(&sequences).unwrap()
    };
    let first = [first, vec![second[0]]].concat();
    let expected = (5.0 * oracle(body.backbone(), &[first]) + 3.0 * oracle(body.backbone(), &[second])) / 8.0;
    assert!((loss(Some(0)) - expected).abs() < 1e-5);
    assert!((loss(None) - oracle(body.backbone(), &packed)).abs() < 1e-5);
    assert!((loss(None) - expected).abs() > 1e-3);
}

/// Central differences of the loss along single values of every tensor, those of the tied embedding included: rows
/// that are read, rows that are only predicted, and rows of both.
#[test]
fn gradients_are_those_of_the_loss() {
    let mut body = body();
    let (_, grads) = body.next_token_gradients(&sequences()).unwrap();
    let start = body.params().snapshot();
    let n = body.params().len();
    let mut largest = 0.0f64;
    for i in 0..n {
        let grad = grads.get(i).unwrap();
        let [rows, columns] = grad.dims();
        let grad = to_host(grad);
        for at in [0, grad.len() / 2, grad.len() - 1] {
            let mut loss_at = |shift: f32| {
                body.params_mut().restore(&start);
                let mut delta = vec![0.0; rows * columns];
                delta[at] = shift;
                let delta = Tensor::from_data(TensorData::new(delta, [rows, columns]), &Device::flex());
                body.params_mut().shift(i, delta);
                body.next_token_loss(&sequences()).unwrap()
            };
            let step = 1e-2;
            let slope = (loss_at(step) - loss_at(-step)) / (2.0 * f64::from(step));
            let found = f64::from(grad[at]);
            let name = body.params().iter().nth(i).unwrap().name();
            assert!((slope - found).abs() < 2e-4 + 0.02 * found.abs(), "{name} [{at}]: {found} {slope}");
            largest = largest.max(found.abs());
        }
    }
    assert!(largest > 0.01, "the checked gradients are all near 0: {largest}");
}

#[test]
fn a_later_token_changes_no_earlier_prediction() {
    let body = body();
    let mut other = sequences();
    let last = other.rows[0].len() - 1;
    other.rows[0][last - 1] = (other.rows[0][last - 1] + 1) % 23;
    let states = |sequences: &TokenSequences| to_host(body.all_positions(sequences, false));
    let (a, b) = (states(&sequences()), states(&other));
    let d = body.backbone().config().hidden_size;
    assert_eq!(a[..d * (last - 1)], b[..d * (last - 1)]);
    assert_ne!(a[d * (last - 1)..d * last], b[d * (last - 1)..d * last]);
}

#[test]
fn equal_batches_give_equal_bytes() {
    let snapshot = |step: &mut dyn FnMut(&mut Body)| -> Snapshot {
        let mut body = body();
        step(&mut body);
        body.params().snapshot()
    };
    let mut train = |body: &mut Body| {
        let mut adam = crate::Adam::new(crate::AdamConfig::default());
        for _ in 0..3 {
            let (_, grads) = body.next_token_gradients(&sequences()).unwrap();
            adam.step(body.params_mut(), &grads, |_| 1e-2);
        }
    };
    assert_eq!(snapshot(&mut train), snapshot(&mut train));
    assert_ne!(snapshot(&mut train), snapshot(&mut |_| ()));
}

#[test]
fn what_cannot_be_predicted_is_refused() {
    let error = |body: &Body, rows: &[Vec<u32>]| {
        let sequences = &of(rows);
        let error = body.next_token_loss(sequences).unwrap_err().to_string();
        assert_eq!(body.next_token_gradients(sequences).unwrap_err().to_string(), error);
        error
    };
    let all = body();
    assert!(error(&all, &[]).contains("expected sequences of 2 or more"));
    assert!(error(&all, &[vec![1]]).contains("expected sequences of 2 or more"));
    assert!(error(&all, &[vec![1, 2], vec![1, 2, 3]]).contains("equal length, found 2 and 3"));
    assert!(error(&all, &[vec![1, 23]]).contains("expected ids below 23, found 23"));
    assert!(error(&all, &[vec![1; 66]]).contains("expected at most 64, found 65"));
    assert!(error(&body_of(&["norm"], true), &sequences().rows).contains("the group `embedding`"));
    assert!(
        error(&body_of(&["embedding"], false), &sequences().rows).contains("whose head is the embedding")
    );
}
