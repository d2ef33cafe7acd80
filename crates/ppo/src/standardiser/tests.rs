use burn::tensor::{Device, TensorData};

use super::*;

fn place(rows: &[Vec<f32>]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(rows.concat(), [rows.len(), rows[0].len()]), &Device::flex())
}

fn host(x: Tensor<2>) -> Vec<f32> {
    x.try_into_vec_as::<f32>().unwrap()
}

/// By hand: columns of mean 3, 50 and 7; deviations 2, 10 and 0, of which the median is 2 and the floor 0.2.
#[test]
fn columns_come_to_mean_0_and_deviation_1_and_flat_ones_to_the_floor() {
    let rows = [vec![1.0, 60.0, 7.0], vec![5.0, 40.0, 7.0]];
    let mut params = ParamSet::new(&Device::flex());
    let standardiser = Standardiser::insert(&mut params, "head_input", 3);
    assert_eq!(
        host(standardiser.apply(&params, place(&rows))),
        rows.concat(),
        "nothing changes before a fit"
    );
    standardiser.fit(&mut params, &rows);
    assert_eq!(params.get("head_input.mean").unwrap().values(), [3.0, 50.0, 7.0]);
    assert_eq!(params.get("head_input.scale").unwrap().values(), [2.0, 10.0, 0.2]);
    assert_eq!(host(standardiser.apply(&params, place(&rows))), [-1.0, 1.0, 0.0, 1.0, -1.0, 0.0]);
    // What did not vary over the sample moves by 5 and no more where it varies by 1 later.
    let later = place(&[vec![3.0, 50.0, 8.0]]);
    assert!((host(standardiser.apply(&params, later))[2] - 5.0).abs() < 1e-6);
}

#[test]
fn inputs_that_never_vary_are_only_centred() {
    let rows = [vec![4.0, -2.0], vec![4.0, -2.0]];
    let mut params = ParamSet::new(&Device::flex());
    let standardiser = Standardiser::insert(&mut params, "x", 2);
    standardiser.fit(&mut params, &rows);
    assert_eq!(host(standardiser.apply(&params, place(&[vec![5.0, -2.0]]))), [1.0, 0.0]);
}

/// Nothing trains mean and scale, gradients go through to the input, and a file brings both back.
#[test]
fn is_frozen_differentiable_and_saved_with_the_parameters() {
    let rows = [vec![1.0, -1.0], vec![3.0, 3.0]];
    let mut params = ParamSet::new(&Device::flex());
    let standardiser = Standardiser::insert(&mut params, "x", 2);
    standardiser.fit(&mut params, &rows);
    assert_eq!(params.n_trainable(), 0);
    let x = place(&[vec![0.0, 0.0]]).autodiff().require_grad();
    let mut gradients = standardiser.apply(&params, x.clone()).sum().backward();
    assert_eq!(host(x.grad_remove(&mut gradients).unwrap()), [1.0, 0.5]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.safetensors");
    params.save(&file).unwrap();
    let mut loaded = ParamSet::new(&Device::flex());
    let again = Standardiser::insert(&mut loaded, "x", 2);
    loaded.load(&file).unwrap();
    assert_eq!(host(again.apply(&loaded, place(&rows))), host(standardiser.apply(&params, place(&rows))));
}
