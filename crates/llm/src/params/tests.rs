use super::*;

use proptest::prelude::*;

fn device() -> Device {
    Device::flex()
}

/// `loss = sum((x w + b)^2) / 2` with x = [[1, 2]], w (disk [1, 2]) = [[3, 4]], b = [5]: y = 3 + 8 + 5 = 16.
fn linear_set() -> ParamSet {
    let mut params = ParamSet::new(&device());
    params.insert(NewParam::linear("w", "head", [1, 2], vec![3.0, 4.0]));
    params.insert(NewParam::vector("b", "bias", vec![5.0]));
    params.insert(NewParam::vector("frozen", "frozen", vec![7.0]).frozen());
    params
}

fn backward(params: &ParamSet, x: [f32; 2]) -> GradSet {
    let x = Tensor::<2>::from_floats([x], &device());
    let y = x.matmul(params.tensor("w")).add(params.tensor("b")).add(params.tensor("frozen").mul_scalar(0.0));
    let mut gradients = y.square().sum().mul_scalar(0.5).backward();
    params.gradients(&mut gradients)
}

#[test]
fn gradients_of_a_linear_layer_by_hand() {
    let params = linear_set();
    let grads = backward(&params, [1.0, 2.0]);
    // dL/dy = 16, dL/dw = 16 x = [16, 32], dL/db = 16.
    assert_eq!(to_host(grads.get(0).unwrap()), [16.0, 32.0]);
    assert_eq!(to_host(grads.get(1).unwrap()), [16.0]);
    assert!(grads.get(2).is_none(), "a frozen parameter has no gradient");
    // sqrt(256 + 1024 + 256) = sqrt(1536)
    assert!((grads.global_norm() - 1536.0f64.sqrt()).abs() < 1e-6);
    let norms = grads.group_norms(&params);
    assert_eq!(norms.iter().map(|(g, _)| g.as_str()).collect::<Vec<_>>(), ["head", "bias"]);
    assert!((norms[0].1 - 1280.0f64.sqrt()).abs() < 1e-6);
    assert!((norms[1].1 - 16.0).abs() < 1e-6);
}

#[test]
fn frozen_parameters_are_outside_of_autodiff() {
    let params = linear_set();
    assert!(params.tensor("w").is_require_grad());
    assert!(!params.tensor("frozen").is_autodiff());
    assert_eq!(params.n_trainable(), 3);
}

#[test]
fn clipping_is_global_not_per_tensor() {
    let params = linear_set();
    let mut grads = backward(&params, [1.0, 2.0]);
    let before = grads.clip_global_norm(0.5);
    assert!((before - 1536.0f64.sqrt()).abs() < 1e-6);
    assert!((grads.global_norm() - 0.5).abs() < 1e-6);
    // One factor for all: 0.5 / sqrt(1536) = 0.012758; per tensor `b` alone would have become 0.5.
    assert!((to_host(grads.get(1).unwrap())[0] - 16.0 * 0.012_757_759).abs() < 1e-6);

    let mut small = backward(&params, [0.0, 0.0]);
    // y = 5, so only b has a gradient, 5 < 10: untouched.
    assert_eq!(small.clip_global_norm(10.0), 5.0);
    assert_eq!(to_host(small.get(1).unwrap()), [5.0]);
}

#[test]
fn a_gradient_that_is_not_finite_is_reported_and_left() {
    let params = linear_set();
    let mut grads = backward(&params, [f32::INFINITY, 0.0]);
    assert!(!grads.clip_global_norm(0.5).is_finite());
}

#[test]
fn accumulation_is_the_gradient_of_the_sum() {
    let params = linear_set();
    let mut grads = GradSet::default();
    grads.accumulate(backward(&params, [1.0, 2.0]));
    grads.accumulate(backward(&params, [0.0, 1.0]));
    // Second: y = 4 + 5 = 9, dw = [0, 9], db = 9.
    assert_eq!(to_host(grads.get(0).unwrap()), [16.0, 41.0]);
    assert_eq!(to_host(grads.get(1).unwrap()), [25.0]);
    grads.scale(0.5);
    assert_eq!(to_host(grads.get(1).unwrap()), [12.5]);
}

#[test]
fn first_adam_step_is_the_learning_rate_times_the_sign() {
    let mut params = linear_set();
    let grads = backward(&params, [1.0, -2.0]);
    // y = 3 - 8 + 5 = 0: no gradient at all; Adam must not divide by zero.
    let mut adam = Adam::new(AdamConfig::default());
    adam.step(&mut params, &grads, |_| 0.1);
    assert_eq!(params.get("w").unwrap().values(), [3.0, 4.0]);

    let mut params = linear_set();
    let grads = backward(&params, [1.0, 2.0]);
    let mut adam = Adam::new(AdamConfig::default());
    adam.step(&mut params, &grads, |_| 0.1);
    for (value, expected) in params.get("w").unwrap().values().into_iter().zip([2.9f32, 3.9]) {
        assert!((value - expected).abs() < 1e-5);
    }
    assert_eq!(params.get("frozen").unwrap().values(), [7.0]);
    assert!(params.tensor("w").is_require_grad(), "still a leaf after the step");
}

/// Plain-loop Adam in f64, PyTorch's formulas.
fn reference_adam(config: AdamConfig, lr: f64, p0: f64, grads: &[f64]) -> f64 {
    let (mut p, mut m, mut v) = (p0, 0.0, 0.0);
    for (t, g) in grads.iter().enumerate() {
        m = config.beta1 * m + (1.0 - config.beta1) * g;
        v = config.beta2 * v + (1.0 - config.beta2) * g * g;
        let t = (t + 1) as i32;
        let m_hat = m / (1.0 - config.beta1.powi(t));
        let v_hat = v / (1.0 - config.beta2.powi(t));
        p -= lr * config.weight_decay * p;
        p -= lr * m_hat / (v_hat.sqrt() + config.eps);
    }
    p
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn adam_agrees_with_a_plain_loop(
        p0 in -2.0..2.0f64,
        grads in prop::collection::vec(-3.0..3.0f64, 1..8),
        lr in 1e-4..0.1f64,
        weight_decay in 0.0..0.1f64,
    ) {
        let config = AdamConfig { eps: 1e-5, weight_decay, ..AdamConfig::default() };
        let mut params = ParamSet::new(&device());
        params.insert(NewParam::vector("p", "p", vec![p0 as f32]));
        let mut adam = Adam::new(config);
        for g in &grads {
            let grad = Tensor::<2>::from_floats([[*g as f32]], &device());
            adam.step(&mut params, &GradSet::new(vec![Some(grad)]), |_| lr);
        }
        let expected = reference_adam(config, lr, p0, &grads);
        let found = f64::from(params.get("p").unwrap().values()[0]);
        prop_assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    fn clipping_never_exceeds_the_limit_and_keeps_the_direction(
        a in prop::collection::vec(-5.0..5.0f32, 1..6),
        b in prop::collection::vec(-5.0..5.0f32, 1..6),
        limit in 0.01..10.0f64,
    ) {
        let row = |v: &[f32]| Tensor::<2>::from_data(TensorData::new(v.to_vec(), [1, v.len()]), &device());
        let mut grads = GradSet::new(vec![Some(row(&a)), None, Some(row(&b))]);
        let norm = a.iter().chain(&b).map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let before = grads.clip_global_norm(limit);
        prop_assert!((before - norm).abs() < 1e-4 * (1.0 + norm));
        prop_assert!(grads.global_norm() <= limit.max(norm.min(limit)) * (1.0 + 1e-5));
        let factor = if norm > limit { limit / norm } else { 1.0 };
        let clipped = to_host(grads.get(2).unwrap());
        for (x, y) in b.iter().zip(clipped) {
            prop_assert!((f64::from(*x) * factor - f64::from(y)).abs() < 1e-4);
        }
    }
}

#[test]
fn optimiser_state_survives_a_save() {
    let dir = tempfile::tempdir().unwrap();
    let config = AdamConfig::default();
    let mut params = linear_set();
    let mut adam = Adam::new(config);
    let grads = backward(&params, [1.0, 2.0]);
    adam.step(&mut params, &grads, |_| 0.1);
    adam.save(&params, &dir.path().join("adam.safetensors")).unwrap();
    params.save(&dir.path().join("params.safetensors")).unwrap();

    let mut other = linear_set();
    other.load(&dir.path().join("params.safetensors")).unwrap();
    let mut restored = Adam::load(config, &other, &dir.path().join("adam.safetensors")).unwrap();
    assert_eq!(restored.steps(), 1);
    for (set, optimiser) in [(&mut params, &mut adam), (&mut other, &mut restored)] {
        let grads = backward(set, [0.5, -1.0]);
        optimiser.step(set, &grads, |_| 0.1);
    }
    assert_eq!(params.snapshot(), other.snapshot());
}

#[test]
fn files_hold_disk_layout_and_memory_its_transpose() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.safetensors");
    let values: Vec<f32> = (0..6).map(|i| i as f32).collect();
    let mut params = ParamSet::new(&device());
    params.insert(NewParam::linear("w", "w", [2, 3], values.clone()));
    params.insert(NewParam::matrix("e", "e", [3, 2], values.clone()));
    assert_eq!(params.tensor("w").dims(), [3, 2]);
    assert_eq!(to_host(params.get("w").unwrap().plain()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(params.tensor("e").dims(), [3, 2]);
    params.save(&path).unwrap();
    let file = read_file(&path).unwrap();
    assert_eq!(file["w"], HostTensor::new(vec![2, 3], values.clone()));
    assert_eq!(file["e"], HostTensor::new(vec![3, 2], values));
    let digests = params.digests();
    assert_eq!(digests[0].1, tensor_digest(&[2, 3], &file["w"].values));
    assert_ne!(digests[0].1, digests[1].1, "the shape is part of a digest");
}

#[test]
fn a_file_of_other_parameters_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.safetensors");
    let mut params = linear_set();
    let before = params.snapshot();
    let tensor = |shape: &[usize]| HostTensor::new(shape.to_vec(), vec![1.0; shape.iter().product()]);
    let good = || vec![("w", tensor(&[1, 2])), ("b", tensor(&[1])), ("frozen", tensor(&[1]))];
    let mut missing = good();
    missing.remove(1);
    let mut unknown = good();
    unknown.push(("extra", tensor(&[1])));
    let mut shape = good();
    shape[0].1 = tensor(&[2, 1]);
    for (tensors, expected) in [
        (missing, "tensor `b`: missing"),
        (unknown, "tensor `extra`: not a parameter of this policy"),
        (shape, "tensor `w`: expected shape [1, 2], found [2, 1]"),
    ] {
        write_file(&path, tensors.into_iter().map(|(n, t)| (n.to_owned(), t)).collect()).unwrap();
        let text = params.load(&path).unwrap_err().to_string();
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(params.snapshot(), before);
    }
    write_file(&path, good().into_iter().map(|(n, t)| (n.to_owned(), t)).collect()).unwrap();
    params.load(&path).unwrap();
    assert_eq!(params.get("w").unwrap().values(), [1.0, 1.0]);
    params.restore(&before);
    assert_eq!(params.snapshot(), before);
}

#[test]
fn digests_see_a_single_bit() {
    let mut params = linear_set();
    let before = params.digests();
    params.insert(NewParam::vector("nan", "nan", vec![f32::NAN]));
    let zero = tensor_digest(&[1], &[0.0]);
    assert_ne!(zero, tensor_digest(&[1], &[-0.0]));
    assert_ne!(zero, tensor_digest(&[1], &[f32::from_bits(1)]));
    assert_eq!(params.digests()[..3], before[..]);
}
