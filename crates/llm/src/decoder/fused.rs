//! A layer with the operations of [`crate::kernels`].

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};

use super::{Adapter, KeyValues, Layer, Past, Product, Weight};
use crate::LlmConfig;
use crate::kernels::{
    self, KeyRows, Linear, Projected, Residual, Rows, Update, attend, gate, key_rows, rms_norm,
};

pub(super) fn key_values(layer: &Layer, config: &LlmConfig, x: Tensor<2>, rows: &Rows) -> KeyValues {
    let (normed, _) = rms_norm(x, layer.input_norm.clone(), config.rms_norm_eps);
    by_heads(config, key_rows(config, join(&layer.qkv, normed, 1..3, None), rows))
}

pub(super) fn forward(
    layer: &Layer,
    config: &LlmConfig,
    x: Tensor<2>,
    rows: &Rows,
    past: Option<&[Past]>,
) -> (Tensor<2>, KeyValues) {
    let (normed, x) = rms_norm(x, layer.input_norm.clone(), config.rms_norm_eps);
    let qkv = join(&layer.qkv, normed, 0..3, None);
    let (mixed, own) = attend(config, Projected::Together(qkv), rows, kept(past));
    (rest(layer, config, x, mixed), by_heads(config, own))
}

pub(super) fn forward_last(
    layer: &Layer,
    config: &LlmConfig,
    x: Tensor<2>,
    rows: &Rows,
    past: Option<&[Past]>,
) -> Tensor<2> {
    let (normed, _) = rms_norm(x.clone(), layer.input_norm.clone(), config.rms_norm_eps);
    let keys_values = join(&layer.qkv, normed.clone(), 1..3, None);
    let queries = join(&layer.qkv, last_rows(normed, rows), 0..1, None);
    let (mixed, _) = attend(config, Projected::Apart(queries, keys_values), rows, kept(past));
    rest(layer, config, Residual::Tensor(last_rows(x, rows)), mixed)
}

/// Output projection and MLP with their residual connections.
fn rest(layer: &Layer, config: &LlmConfig, x: Residual, mixed: Tensor<2>) -> Tensor<2> {
    let x = join(&layer.o, mixed, 0..1, Some(x));
    let (normed, x) = rms_norm(x, layer.post_norm.clone(), config.rms_norm_eps);
    let gate_up = join(&layer.gate_up, normed, 0..2, None);
    join(&layer.down, gate(gate_up), 0..1, Some(x))
}

/// `[1, rows, kv_heads, head_dim]` of each.
fn by_heads(config: &LlmConfig, KeyRows { keys, values }: KeyRows) -> KeyValues {
    let heads = [1, keys.dims()[0], config.num_key_value_heads, config.head_dim];
    KeyValues { keys: keys.reshape(heads), values: values.reshape(heads) }
}

fn kept(past: Option<&[Past]>) -> Vec<kernels::Past> {
    past.unwrap_or_default().iter().map(|past| past.fused().clone()).collect()
}

/// The last row of each sequence: `[rows, width]` to `[sequences, width]`.
fn last_rows(x: Tensor<2>, rows: &Rows) -> Tensor<2> {
    let last: Vec<i32> = rows.sequences.iter().map(|rows| rows.end as i32 - 1).collect();
    let n = last.len();
    let device = x.device().without_autodiff();
    x.select(0, Tensor::<1, Int>::from_data(TensorData::new(last, [n]), &device))
}

/// The parts in `range` beside each other, added to `residual`.
fn join(product: &Product, x: Tensor<2>, range: Range<usize>, residual: Option<Residual>) -> Tensor<2> {
    let Product { weights, biases, widths, adapters } = product;
    let total = |range: Range<usize>| widths[range].iter().sum::<usize>();
    let separate = weights.len() == widths.len();
    let (weights, biases) = if separate {
        let biases = biases.iter().enumerate().filter(|(i, _)| range.contains(i));
        let biases = biases.map(|(i, bias)| (total(range.start..i), bias.clone())).collect();
        (weights[range.clone()].to_vec(), biases)
    } else {
        let columns = |t: &Tensor<2>| t.clone().narrow(1, total(0..range.start), total(range.clone()));
        (
            vec![Weight::Tensor(columns(weights[0].tensor()))],
            biases.iter().map(|bias| (0, columns(bias))).collect(),
        )
    };
    let update = |i: usize| {
        let Adapter { a, b, scale, dropout } = adapters[i].as_ref()?;
        let input = dropout.as_ref().map(|dropout| dropout.apply(x.clone()));
        let first = total(range.start..i);
        Some(Update { first, input, a: a.clone(), b: b.clone(), scale: *scale })
    };
    let updates = range.clone().filter_map(update).collect();
    Linear { weights, biases, updates, residual }.apply(x)
}
