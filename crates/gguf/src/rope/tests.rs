use super::*;

/// What llama.cpp's converter writes (`generate_extra_tensors` of `LlamaModel`), in f32 as there.
fn factors(frequencies: &[f64], parameters: Llama3) -> Vec<f64> {
    let Llama3 { factor, low, high, original } = parameters;
    let (low_length, high_length) = (original / low, original / high);
    let one = |frequency: &f64| {
        let length = (TAU / frequency) as f32;
        let value = if f64::from(length) < high_length {
            1.0
        } else if f64::from(length) > low_length {
            factor as f32
        } else {
            let smooth = (original as f32 / length - low as f32) / (high - low) as f32;
            1.0 / ((1.0 - smooth) / factor as f32 + smooth)
        };
        value.to_string().parse().unwrap()
    };
    frequencies.iter().map(one).collect()
}

fn frequencies(theta: f64, head_dim: usize) -> Vec<f64> {
    (0..head_dim / 2).map(|i| theta.powf(-((2 * i) as f64) / head_dim as f64)).collect()
}

#[test]
fn recovers_the_parameters_of_published_models() {
    let usual = |factor| Llama3 { factor, low: 1.0, high: 4.0, original: 8192.0 };
    // Llama 3.2 1B, Llama 3.2 3B, Llama 3.1 8B.
    for (parameters, head_dim) in [(usual(32.0), 64), (usual(32.0), 128), (usual(8.0), 128)] {
        let frequencies = frequencies(500_000.0, head_dim);
        let factors = factors(&frequencies, parameters);
        assert_eq!(Llama3::recover(&factors, &frequencies), Some(parameters));
    }
}

#[test]
fn recovers_parameters_that_nobody_has_published() {
    for (factor, high, original) in [(4.0, 8.0, 4096.0), (16.0, 2.5, 2048.0), (10.0, 6.0, 1000.0)] {
        let parameters = Llama3 { factor, low: 1.0, high, original };
        let frequencies = frequencies(10_000.0, 128);
        let factors = factors(&frequencies, parameters);
        assert_eq!(Llama3::recover(&factors, &frequencies), Some(parameters));
    }
    // Any multiple is the same scaling.
    let parameters = Llama3 { factor: 8.0, low: 2.0, high: 8.0, original: 8192.0 };
    let frequencies = frequencies(500_000.0, 128);
    let found = Llama3::recover(&factors(&frequencies, parameters), &frequencies);
    assert_eq!(found, Some(Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 4096.0 }));
}

#[test]
fn recovers_nothing_from_other_factors() {
    let frequencies = frequencies(500_000.0, 64);
    let right = factors(&frequencies, Llama3 { factor: 32.0, low: 1.0, high: 4.0, original: 8192.0 });
    let recover = |factors: &[f64]| Llama3::recover(factors, &frequencies);
    assert!(recover(&right).is_some());
    for change in [1.001, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        for at in [0, 16, 18, 31] {
            let mut other = right.clone();
            other[at] *= change;
            assert_eq!(recover(&other), None, "{change} at {at}");
        }
    }
    // Those of other methods rise with the pair (longrope, yarn).
    let rising: Vec<f64> = (0..32).map(|i| 1.0 + f64::from(i)).collect();
    assert_eq!(recover(&rising), None);
}
