use burn::tensor::{Device, TensorData};

use super::*;

/// The same layers as plain loops in f64.
fn by_loops(params: &ParamSet, group: &str, n_layers: usize, tanh_last: bool, mut x: Vec<f64>) -> Vec<f64> {
    for i in 0..n_layers {
        let weight = params.get(&format!("{group}.{i}.weight")).unwrap();
        let bias = params.get(&format!("{group}.{i}.bias")).unwrap().values();
        let w = weight.values();
        let (d_out, d_in) = (weight.shape()[0], weight.shape()[1]);
        assert_eq!(d_in, x.len());
        x = (0..d_out)
            .map(|o| f64::from(bias[o]) + (0..d_in).map(|j| f64::from(w[o * d_in + j]) * x[j]).sum::<f64>())
            .map(|y| if tanh_last || i + 1 < n_layers { y.tanh() } else { y })
            .collect();
    }
    x
}

#[test]
fn forward_equals_plain_loops() {
    let device = Device::flex();
    let mut params = ParamSet::new(&device);
    let body = Mlp::body(&mut params, "body", 3, &[5, 4], 7);
    let head = Mlp::head(&mut params, "policy_head", [4, 2], &[6], POLICY_GAIN, 7);
    let rows = [[0.5f32, -1.0, 2.0], [0.0, 0.3, -0.7]];
    let x = Tensor::from_data(TensorData::new(rows.concat(), [2, 3]), &device);
    let frozen = head.forward_frozen(&params, body.forward_frozen(&params, x.clone()));
    assert!(!frozen.is_autodiff());
    let y = head.forward(&params, body.forward(&params, x)).inner().try_into_vec_as::<f32>().unwrap();
    assert_eq!(y, frozen.try_into_vec_as::<f32>().unwrap());
    for (r, row) in rows.iter().enumerate() {
        let hidden = by_loops(&params, "body", 2, true, row.iter().map(|v| f64::from(*v)).collect());
        let out = by_loops(&params, "policy_head", 2, false, hidden);
        for (o, expected) in out.iter().enumerate() {
            assert!((f64::from(y[2 * r + o]) - expected).abs() < 1e-6);
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
