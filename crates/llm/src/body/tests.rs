use super::*;

use std::sync::Arc;

use burn::tensor::TensorData;

use crate::params::to_host;
use crate::testing::{distance, ids, tiny_config};
use crate::{Adam, AdamConfig, GradSet, LoraSpec, init};

fn backbone() -> Arc<Backbone> {
    Arc::new(Backbone::random(&tiny_config(true), 3, &Device::flex()))
}

fn spec(n: usize, trainable: &[&str], rank: usize, layers: &[&str]) -> TrainSpec {
    let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    let lora = LoraSpec { rank, layers: own(layers), ..LoraSpec::default() };
    TrainSpec { n_trainable_layers: n, trainable: own(trainable), lora }
}

/// One of every kind of spec.
fn specs() -> Vec<TrainSpec> {
    vec![
        spec(0, &[], 0, &[]),
        spec(1, &[], 0, &[]),
        spec(2, &[], 0, &[]),
        spec(3, &[], 0, &[]),
        spec(1, &[], 2, &[]),
        spec(3, &[], 2, &[]),
        spec(1, &[], 2, &["0"]),
        spec(0, &["embedding", "layers.1", "norm"], 0, &[]),
        spec(0, &["norm"], 0, &[]),
    ]
}

/// A body whose trained tensors have moved away from the backbone's.
fn moved(backbone: &Arc<Backbone>, spec: TrainSpec) -> Body {
    let mut body = Body::new(backbone.clone(), spec, 5).unwrap();
    let noise = |p: &crate::Param| {
        let n = p.shape().iter().product();
        p.values().iter().zip(init::normal(9, p.name(), n, 0.1)).map(|(v, e)| v + e).collect::<Vec<f32>>()
    };
    let values: Vec<_> = body.params().iter().map(noise).collect();
    let mut other = ParamSet::new(backbone.device());
    for (p, values) in body.params().iter().zip(values) {
        other.insert(NewParam {
            name: p.name().to_owned(),
            group: p.group().to_owned(),
            shape: p.shape().to_vec(),
            values,
            transposed: p.plain().dims()[0] != p.shape()[0],
            trainable: true,
        });
    }
    let snapshot = other.snapshot();
    body.params_mut().restore(&snapshot);
    body
}

fn encode(body: &Body, shared: &[u32], own: &[u32]) -> EncodedSequence {
    body.encode_own(&body.encode_shared(shared).unwrap(), own).unwrap()
}

/// Three rows of different lengths: `(shared ids, own ids)`.
fn rows() -> Vec<(Vec<u32>, Vec<u32>)> {
    vec![(ids(1, 9), ids(2, 4)), (ids(3, 5), ids(4, 1)), (ids(5, 14), ids(6, 6))]
}

fn batch(body: &Body) -> Vec<EncodedSequence> {
    rows().iter().map(|(shared, own)| encode(body, shared, own)).collect()
}

#[test]
fn cached_and_padded_equals_plain() {
    let backbone = backbone();
    for spec in specs() {
        let body = moved(&backbone, spec);
        let found = to_host(body.forward(&batch(&body)));
        let d = backbone.config().hidden_size;
        for (row, (shared, own)) in rows().iter().enumerate() {
            let all: Vec<u32> = shared.iter().chain(own).copied().collect();
            let plain = to_host(body.hidden(&all).unwrap());
            let error = distance(&found[row * d..(row + 1) * d], &plain[(all.len() - 1) * d..]);
            assert!(error < 1e-4, "{:?} row {row}: {error}", body.spec());
        }
    }
}

#[test]
fn an_untrained_body_is_its_backbone() {
    let backbone = backbone();
    let ids = ids(1, 10);
    let expected = to_host(backbone.hidden(&ids).unwrap());
    for spec in specs() {
        let body = Body::new(backbone.clone(), spec, 5).unwrap();
        assert!(distance(&to_host(body.hidden(&ids).unwrap()), &expected) < 1e-5, "{:?}", body.spec());
    }
}

#[test]
fn a_row_does_not_see_its_companions() {
    let backbone = backbone();
    for spec in specs() {
        let body = moved(&backbone, spec);
        let rows = batch(&body);
        let together = to_host(body.forward(&rows));
        let alone: Vec<f32> =
            rows.iter().flat_map(|row| to_host(body.forward(std::slice::from_ref(row)))).collect();
        assert!(distance(&together, &alone) < 1e-5, "{:?}", body.spec());
    }
}

/// Prompts that begin with the same task: those of one bar, of another, and one that has nothing but the task to share.
fn branching(body: &Body) -> Vec<EncodedSequence> {
    let task = ids(1, 11);
    let rest = [(ids(2, 3), ids(3, 4)), (ids(2, 3), ids(4, 9)), (ids(5, 6), ids(6, 1)), (vec![], ids(7, 5))];
    rest.iter().map(|(market, own)| encode(body, &[&task, market.as_slice()].concat(), own)).collect()
}

#[test]
fn what_sequences_begin_with_together_is_computed_once_and_changes_nothing() {
    let backbone = backbone();
    for mut spec in specs() {
        // Its inputs are drawn anew in every training pass, so there nothing is computed once.
        spec.lora.dropout = 0.0;
        let body = moved(&backbone, spec);
        let rows = branching(&body);
        assert_eq!(body.common(rows.iter(), true), 11);
        let alone = rows.iter().map(std::slice::from_ref);
        let frozen = to_host(body.forward_frozen(&rows));
        let expected: Vec<f32> = alone.clone().flat_map(|row| to_host(body.forward_frozen(row))).collect();
        assert!(distance(&frozen, &expected) < 2e-6, "{:?}", body.spec());
        if body.rows_are_independent() {
            assert_eq!(frozen, expected, "{:?}", body.spec());
        }
        if body.params().is_empty() {
            continue;
        }
        let gradients = |rows: &[EncodedSequence], weights: Tensor<2>| {
            let grads = body.params().gradients(&mut body.forward(rows).mul(weights).sum().backward());
            let n = body.params().len();
            (0..n).map(|i| to_host(grads.get(i).unwrap())).collect::<Vec<_>>()
        };
        let weights = weights_of_loss(&body, rows.len());
        let together = gradients(&rows, weights.clone());
        let mut sums: Vec<Vec<f32>> = together.iter().map(|g| vec![0.0; g.len()]).collect();
        for (i, row) in alone.enumerate() {
            for (sum, part) in sums.iter_mut().zip(gradients(row, weights.clone().narrow(0, i, 1))) {
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        }
        for ((together, sum), p) in together.iter().zip(&sums).zip(body.params().iter()) {
            let size = sum.iter().fold(0.0f32, |most, g| most.max(g.abs()));
            assert!(size > 0.0 && distance(together, sum) < 1e-4 * size.max(1.0), "{}: {size}", p.name());
        }
    }
}

#[test]
fn rollout_and_update_see_the_same_values() {
    let backbone = backbone();
    for spec in specs() {
        let body = moved(&backbone, spec);
        let rows = batch(&body);
        let frozen = body.forward_frozen(&rows);
        assert!(!frozen.is_autodiff());
        // Not bytes: under autodiff softmax is several operations in place of one.
        let error = distance(&to_host(frozen), &to_host(body.forward(&rows)));
        assert!(error < 2e-6, "{:?}: {error}", body.spec());
    }
}

#[test]
fn sequences_encoded_together_are_those_encoded_alone() {
    // f32 goes through the fused operations, f16 through burn's own ones, with padding.
    let half = Backbone::random(&tiny_config(true), 3, &Device::flex()).cast(FloatDType::F16).unwrap();
    for (backbone, bound) in [(backbone(), 1e-5), (Arc::new(half), 2e-2)] {
        for spec in specs() {
            let body = moved(&backbone, spec);
            let rows = rows();
            let shared: Vec<_> = rows.iter().map(|(shared, _)| body.encode_shared(shared).unwrap()).collect();
            let sequences: Vec<_> =
                shared.iter().zip(&rows).map(|(s, (_, own))| (s, own.as_slice())).collect();
            let together = body.encode_all(&sequences).unwrap();
            assert_eq!(together.len(), rows.len());
            for (part, (shared, ids)) in together.into_iter().zip(sequences) {
                let alone = body.encode_own(shared, ids).unwrap();
                assert_eq!(part.own_ids, alone.own_ids);
                match (part.own_hidden, alone.own_hidden) {
                    (Some(part), Some(alone)) => {
                        assert_eq!(part.dims(), alone.dims());
                        let error = distance(&to_host(part), &to_host(alone));
                        assert!(error < bound, "{:?}: {error}", body.spec());
                    }
                    (part, alone) => assert!(part.is_none() && alone.is_none() && body.plan().embedding),
                }
            }
            assert!(body.encode_all(&[]).unwrap().is_empty());
        }
    }
}

#[test]
fn encoding_again_gives_the_same_bytes() {
    let body = moved(&backbone(), spec(1, &[], 0, &[]));
    let (shared, own) = (ids(1, 9), ids(2, 4));
    let parts = [(); 2].map(|()| body.encode_shared(&shared).unwrap());
    let [a, b] = parts.each_ref().map(|part| body.encode_own(part, &own).unwrap());
    assert_eq!(to_host(a.shared_hidden.unwrap()), to_host(b.shared_hidden.unwrap()));
    assert_eq!(to_host(a.own_hidden.unwrap()), to_host(b.own_hidden.unwrap()));
    assert_eq!(parts[0].to_bytes().unwrap(), parts[1].to_bytes().unwrap());
    // 2 layers below the boundary, keys and values of 2 heads of 4 numbers, and 12 of the hidden state, for 9 tokens; in
    // panels of 32 where kernels read such.
    let head = if Packed::is_supported() { 4 * 32 + 9 * 32 } else { 2 * 9 * 4 };
    assert_eq!(parts[0].bytes(), 4 * (2 * 2 * head + 9 * (12 + 1)));
}

#[test]
fn the_untrained_model_is_that_of_before() {
    let backbone = backbone();
    let (shared, owns) = (ids(1, 9), [ids(2, 4), ids(3, 7)]);
    for spec in specs().into_iter().filter(|spec| !spec.trainable.contains(&"embedding".to_owned())) {
        for body in [Body::new(backbone.clone(), spec.clone(), 5).unwrap(), moved(&backbone, spec.clone())] {
            let part = body.encode_shared(&shared).unwrap();
            let encoded = owns.each_ref().map(|own| body.encode_own(&part, own).unwrap());
            let deep = [(); 2].map(|()| Arc::new(body.untrained().encode_shared(&shared).unwrap()));
            let found = to_host(body.forward_untrained(&deep, &encoded.each_ref()));
            for (own, found) in owns.iter().zip(found.chunks(12)) {
                let whole = [shared.as_slice(), own].concat();
                let expected = to_host(backbone.hidden(&whole).unwrap().narrow(0, whole.len() - 1, 1));
                assert!(distance(&expected, found) < 1e-5, "{spec:?}");
            }
        }
    }
}

/// `sum(hidden * c)` with fixed random `c`, so that no gradient is zero by symmetry.
fn weights_of_loss(body: &Body, n: usize) -> Tensor<2> {
    let d = body.backbone().config().hidden_size;
    Tensor::from_data(TensorData::new(init::normal(1, "loss", n * d, 1.0), [n, d]), body.device())
}

fn gradients(body: &Body) -> GradSet {
    let rows = batch(body);
    let loss = body.forward(&rows).mul(weights_of_loss(body, rows.len())).sum();
    body.params().gradients(&mut loss.backward())
}

#[test]
fn gradients_agree_with_finite_differences() {
    let backbone = backbone();
    for spec in specs().into_iter().filter(|s| *s != spec(0, &[], 0, &[])) {
        let body = moved(&backbone, spec);
        let grads = gradients(&body);
        let loss = |body: &Body| -> f64 {
            let rows = batch(body);
            let hidden = to_host(body.forward_frozen(&rows));
            let weights = to_host(weights_of_loss(body, rows.len()));
            hidden.iter().zip(weights).map(|(h, c)| f64::from(*h) * f64::from(c)).sum()
        };
        let snapshot = body.params().snapshot();
        for (i, p) in body.params().iter().enumerate() {
            // Derivative along one random direction of unit length per tensor.
            let [rows, columns] = p.plain().dims();
            let n = rows * columns;
            let mut direction = init::normal(2, p.name(), n, 1.0);
            let length = direction.iter().map(|v| v * v).sum::<f32>().sqrt();
            direction.iter_mut().for_each(|v| *v /= length);
            let gradient = to_host(grads.get(i).unwrap_or_else(|| panic!("{} has no gradient", p.name())));
            let analytic: f64 =
                gradient.iter().zip(&direction).map(|(g, v)| f64::from(*g) * f64::from(*v)).sum();
            let step = 2e-3f64;
            let shifted = |sign: f64| {
                let mut other = body.clone();
                let moved = Tensor::<2>::from_data(
                    TensorData::new(direction.clone(), [rows, columns]),
                    body.device(),
                );
                other.params_mut().shift(i, moved.mul_scalar((sign * step) as f32));
                loss(&other)
            };
            let numeric = (shifted(1.0) - shifted(-1.0)) / (2.0 * step);
            let tolerance = 2e-2 * analytic.abs() + 5e-3;
            assert!(
                (analytic - numeric).abs() < tolerance,
                "{}: analytic {analytic}, numeric {numeric}",
                p.name()
            );
        }
        assert_eq!(body.params().snapshot(), snapshot);
    }
}

#[test]
fn everything_trained_moves_and_nothing_else_does() {
    let backbone = backbone();
    for spec in specs() {
        let mut body = Body::new(backbone.clone(), spec, 5).unwrap();
        let before = body.digests();
        let mut adam = Adam::new(AdamConfig::default());
        // Two steps: the first leaves A of an adapter alone, because B is still 0.
        for _ in 0..2 {
            if body.params().is_empty() {
                break;
            }
            let grads = gradients(&body);
            adam.step(body.params_mut(), &grads, |_| 1e-2);
        }
        for (before, after) in before.iter().zip(body.digests()) {
            assert_eq!(before.name, after.name);
            let moved = before.digest != after.digest;
            assert_eq!(moved, after.trained, "{:?}: {}", body.spec(), after.name);
        }
        assert_eq!(body.digests().iter().filter(|d| d.trained).count(), body.params().len());
        assert_eq!(backbone.digests_now(), backbone.digests());
    }
}

#[test]
fn adapters_of_a_smaller_rank_are_the_first_of_a_larger() {
    let backbone = backbone();
    let a = |rank| {
        let body = Body::new(backbone.clone(), spec(1, &[], rank, &[]), 5).unwrap();
        let name = "model.layers.2.self_attn.q_proj.lora_A.weight";
        body.params().get(name).unwrap().values()
    };
    // On disk A is [rank, d_in].
    assert_eq!(a(4), a(8)[..4 * 12]);
    let values = a(64);
    let std = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
    assert!((std - 12f32.sqrt().recip()).abs() < 0.02, "{std}");
}

#[test]
fn dropout_is_drawn_per_training_pass_and_keeps_the_mean() {
    let backbone = backbone();
    let body = |dropout| {
        let mut spec = spec(1, &[], 4, &[]);
        spec.lora.dropout = dropout;
        moved(&backbone, spec)
    };
    let (plain, dropped) = (body(0.0), body(0.5));
    let rows = batch(&plain);
    let exact = to_host(plain.forward(&rows));
    // Without a graph nothing is dropped.
    assert_eq!(to_host(dropped.forward_frozen(&rows)), to_host(plain.forward_frozen(&rows)));
    let passes: Vec<Vec<f32>> = (0..400).map(|_| to_host(dropped.forward(&rows))).collect();
    assert!(distance(&passes[0], &exact) > 1e-3 && distance(&passes[0], &passes[1]) > 1e-3);
    // The same passes again are the same.
    assert_eq!(to_host(body(0.5).forward(&rows)), passes[0]);
    let mean: Vec<f32> = (0..exact.len()).map(|i| passes.iter().map(|p| p[i]).sum::<f32>() / 400.0).collect();
    let typical = passes.iter().map(|p| distance(p, &exact)).sum::<f32>() / 400.0;
    // Not 0 in the limit: layers are not linear.
    assert!(distance(&mean, &exact) < typical / 2.0, "{} of {typical}", distance(&mean, &exact));
}

#[test]
fn a_policy_may_add_its_heads() {
    let mut body = Body::new(backbone(), spec(1, &[], 0, &[]), 5).unwrap();
    let n = body.params().len();
    body.params_mut().insert(NewParam::linear("policy_head.weight", "policy_head", [3, 12], vec![0.1; 36]));
    let rows = batch(&body);
    let logits = body.forward(&rows).matmul(body.params().tensor("policy_head.weight"));
    let grads = body.params().gradients(&mut logits.square().sum().backward());
    let groups: Vec<_> = grads.group_norms(body.params()).into_iter().map(|(group, _)| group).collect();
    assert_eq!(groups, ["layers.2", "norm", "policy_head"]);
    assert_eq!(body.digests().iter().filter(|d| d.trained).count(), n, "heads are not the model's");
}

#[test]
fn parts_travel_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Backbone>();
    shareable::<Body>();
    shareable::<SharedPart>();
    shareable::<EncodedSequence>();
    shareable::<crate::PrefixCache>();
}

#[test]
fn tokens_are_checked_in_both_parts() {
    let body = Body::new(backbone(), spec(1, &[], 0, &[]), 5).unwrap();
    assert!(body.encode_shared(&[]).is_err());
    assert!(body.encode_shared(&[99]).is_err());
    let shared = body.encode_shared(&[1; 60]).unwrap();
    assert!(body.encode_own(&shared, &[1; 4]).is_ok());
    let text = body.encode_own(&shared, &[1; 5]).unwrap_err().to_string();
    assert_eq!(text, "token ids: expected at most 64, found 65");
}
