use burn::tensor::{Device, TensorData};

use super::*;

/// The same layers as plain loops in f64.
fn by_loops(
    params: &ParamSet,
    group: &str,
    n_layers: usize,
    active_last: bool,
    f: Scalar,
    mut x: Vec<f64>,
) -> Vec<f64> {
    for i in 0..n_layers {
        let weight = params.get(&format!("{group}.{i}.weight")).unwrap();
        let bias = params.get(&format!("{group}.{i}.bias")).unwrap().values();
        let w = weight.values();
        let (d_out, d_in) = (weight.shape()[0], weight.shape()[1]);
        assert_eq!(d_in, x.len());
        x = (0..d_out)
            .map(|o| f64::from(bias[o]) + (0..d_in).map(|j| f64::from(w[o * d_in + j]) * x[j]).sum::<f64>())
            .map(|y| if active_last || i + 1 < n_layers { f(y) } else { y })
            .collect();
    }
    x
}

type Scalar = fn(f64) -> f64;

/// Both activations with their definition in f64.
const ACTIVATIONS: [(Activation, Scalar); 2] =
    [(Activation::Tanh, f64::tanh), (Activation::Relu, |x| x.max(0.0))];

/// A body and a head on it.
fn network(activation: Activation) -> (ParamSet, [Mlp; 2]) {
    let mut params = ParamSet::new(&Device::flex());
    let body = Mlp::body(&mut params, "body", 3, &[5, 4], 7);
    let head = Mlp::head(&mut params, "policy_head", [4, 2], &[6], POLICY_GAIN, 7);
    // A row that no unit passes on would leave the next layer at 0, the corner of ReLU.
    params.set("policy_head.0.bias", vec![0.1, -0.1, 0.2, 0.1, -0.2, 0.1]);
    (params, [body, head].map(|mlp| mlp.with_activation(activation)))
}

const ROWS: [[f32; 3]; 2] = [[0.5, -1.0, 2.0], [0.0, 0.3, -0.7]];

fn place(rows: [[f32; 3]; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(rows.concat(), [2, 3]), &Device::flex())
}

#[test]
fn forward_equals_plain_loops() {
    for (activation, f) in ACTIVATIONS {
        let (params, [body, head]) = network(activation);
        let x = place(ROWS);
        let frozen = head.forward_frozen(&params, body.forward_frozen(&params, x.clone()));
        assert!(!frozen.is_autodiff());
        let y = head.forward(&params, body.forward(&params, x)).inner().try_into_vec_as::<f32>().unwrap();
        assert_eq!(y, frozen.try_into_vec_as::<f32>().unwrap());
        for (r, row) in ROWS.iter().enumerate() {
            let hidden = by_loops(&params, "body", 2, true, f, row.iter().map(|v| f64::from(*v)).collect());
            let out = by_loops(&params, "policy_head", 2, false, f, hidden);
            for (o, expected) in out.iter().enumerate() {
                assert!((f64::from(y[2 * r + o]) - expected).abs() < 1e-6);
            }
        }
    }
}

/// The gradient of every parameter against the slope of the plain loops in f64, which has no noise of its own.
#[test]
fn the_gradient_is_the_slope() {
    /// Weights of the four outputs in the sum that is differentiated.
    const OF: [f64; 4] = [1.0, -2.0, 0.5, 3.0];
    /// Too small to carry a number across the corner of ReLU.
    const H: f32 = 1e-5;
    for (activation, f) in ACTIVATIONS {
        let (mut params, [body, head]) = network(activation);
        let y = head.forward(&params, body.forward(&params, place(ROWS)));
        let of = Tensor::from_data(TensorData::new(OF.map(|d| d as f32).to_vec(), [2, 2]), &Device::flex());
        let grads = params.gradients(&mut (y * of).sum().backward());
        let sum = |params: &ParamSet| {
            let row = |row: &[f32; 3]| {
                let hidden =
                    by_loops(params, "body", 2, true, f, row.iter().map(|v| f64::from(*v)).collect());
                by_loops(params, "policy_head", 2, false, f, hidden)
            };
            ROWS.iter().flat_map(row).zip(OF).map(|(y, of)| y * of).sum::<f64>()
        };
        let names: Vec<String> = params.iter().map(|p| p.name().to_owned()).collect();
        for (i, name) in names.iter().enumerate() {
            let before = params.get(name).unwrap().values();
            // As on disk.
            let grad = grads.get(i).unwrap();
            let grad = if name.ends_with("weight") { grad.transpose() } else { grad };
            let grad = grad.try_into_vec_as::<f32>().unwrap();
            for (k, expected) in grad.iter().enumerate() {
                let mut at = |step: f32| {
                    let mut values = before.clone();
                    values[k] += step;
                    let moved = f64::from(values[k]);
                    params.set(name, values);
                    (moved, sum(&params))
                };
                let ((high, above), (low, below)) = (at(H), at(-H));
                let slope = (above - below) / (high - low);
                assert!(
                    (slope - f64::from(*expected)).abs() < 1e-4,
                    "{activation:?} {name}: {slope} {expected}"
                );
            }
            params.set(name, before);
        }
    }
}

#[test]
fn the_last_layer_has_its_own_gain() {
    let mut params = ParamSet::new(&Device::flex());
    Mlp::head(&mut params, "policy_head", [8, 3], &[], POLICY_GAIN, 1);
    let norm: f32 = params.get("policy_head.0.weight").unwrap().values()[..8].iter().map(|v| v * v).sum();
    assert!((f64::from(norm.sqrt()) - POLICY_GAIN).abs() < 1e-7);
}
