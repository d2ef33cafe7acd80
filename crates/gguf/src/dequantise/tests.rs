use std::collections::BTreeMap;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

#[test]
fn values_are_those_of_gguf_py_to_the_bit() {
    let fixture = include_str!("../../fixtures/quants.json");
    let fixture: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(fixture).unwrap();
    for kind in TensorType::ALL.into_iter().filter(|kind| *kind != TensorType::Q8_K) {
        let case = &fixture[kind.as_str()];
        let expected: Vec<f32> =
            bytes(&case["values"]).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let mut found = vec![0.0; expected.len()];
        kind.dequantise(&bytes(&case["bytes"]), &mut found);
        let differs = found.iter().zip(&expected).position(|(f, e)| f.to_bits() != e.to_bits());
        assert_eq!(differs.map(|i| (i, found[i], expected[i])), None, "{}", kind.as_str());
        assert!(expected.iter().any(|v| *v != expected[0]), "{}", kind.as_str());
    }
    assert_eq!(fixture.len() + 1, TensorType::ALL.len());
}

#[test]
fn q8_k_is_a_scale_times_bytes() {
    let mut block = 0.5f32.to_le_bytes().to_vec();
    block.extend((0..256).map(|i| i as u8));
    // Sums of 16 values each, for products alone.
    block.extend([0xff; 32]);
    let mut values = [0.0; 256];
    TensorType::Q8_K.dequantise(&block, &mut values);
    assert_eq!((values[0], values[1], values[127], values[128], values[255]), (0.0, 0.5, 63.5, -64.0, -0.5));
}

#[test]
fn numbers_and_sizes_are_those_of_ggml() {
    for kind in TensorType::ALL {
        assert_eq!(TensorType::of(kind.number()), Some(kind));
    }
    // IQ2_XXS and what is not assigned.
    assert_eq!([16, 31, 1000].map(TensorType::of), [None; 3]);
}
