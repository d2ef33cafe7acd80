//! Fused operations on Flex, burn's CPU backend, with gradients written by hand.
//!
//! A decoder layer is mostly matrix products, which Flex computes as fast as others do. What it loses is around them:
//! a pass over memory and an allocation per element-wise operation, an `exp` that is not vectorised, masks and
//! transposes of attention. Here a layer is eight operations. They compute what `decoder::plain` computes, in another
//! order of summation; tests compare both, and both with finite differences.
//!
//! The work is cut into pieces whose number does not depend on rayon's threads, and every sum has a fixed order, so
//! that bytes do not depend on who computes what.

mod attention;
mod gate;
mod graph;
mod linear;
mod matrix;
mod norm;
mod past;
mod rows;
mod simd;

use std::ops::Range;
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Device, Tensor};

use attention::{Columns, Heads, Inputs, Kept, Sequence};
pub(crate) use graph::on_flex;
use graph::{Operand, record, tensor, values};

use crate::LlmConfig;
use linear::Passed;
pub(crate) use linear::{Linear, Residual, Update};
pub(crate) use matrix::{Packed, release_panels};
pub(crate) use past::Past;

/// Whether tensors of this device and type can go through the operations of this module.
pub(crate) fn support(device: &Device, dtype: DType) -> bool {
    dtype == DType::F32 && on_flex(device)
}

/// `x / sqrt(mean(x^2) + eps) * w` along rows of `x: [rows, d]`, with `w: [1, d]`; and `x` as what a later product of
/// the same layer is added to.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, eps: f64) -> (Tensor<2>, Residual) {
    let shape = x.dims();
    let (x, weight) = (Operand::contiguous(x), Operand::contiguous(weight));
    let [y, scales] = norm::forward(values(&x.tensor), values(&weight.tensor), eps as f32);
    let (kept_x, kept_weight) = (x.tensor.clone(), weight.tensor.clone());
    let passed = x.is_tracked().then(Passed::default);
    let residual = Residual::OfNorm { values: kept_x.clone(), passed: passed.clone() };
    let normed = record(vec![x, weight], tensor(y, &shape), move |dy, wanted| {
        let more = passed.as_ref().and_then(Passed::take);
        let (x, weight, dy) = (values(&kept_x), values(&kept_weight), values(dy));
        let more = more.as_ref().map(values);
        vec![
            wanted[0].then(|| tensor(norm::backward(x, weight, &scales, dy, more), &shape)),
            wanted[1].then(|| tensor(norm::weight_gradient(x, &scales, dy, shape[1]), &[1, shape[1]])),
        ]
    });
    (normed, residual)
}

/// `silu(gate) * up` for `[rows, 2 n]` that holds gates, then ups: `[rows, n]`.
pub(crate) fn gate(gate_up: Tensor<2>) -> Tensor<2> {
    let [rows, width] = gate_up.dims();
    let n = width / 2;
    let gate_up = Operand::contiguous(gate_up);
    let y = gate::forward(values(&gate_up.tensor), n);
    let kept = gate_up.tensor.clone();
    record(vec![gate_up], tensor(y, &[rows, n]), move |dy, _| {
        vec![Some(tensor(gate::backward(values(&kept), values(dy), n), &[rows, width]))]
    })
}

/// Multiplications of a pass from which on it is carried out by one of rayon's threads.
const LARGE: usize = 1 << 24;

/// Carries out a pass of about `work` multiplications. A large one is a chain of operations that rayon's threads share:
/// begun by one of them, each goes on without waking threads and waiting for them, which took a tenth of the time.
pub(crate) fn on_pool<R: Send>(work: usize, pass: impl FnOnce() -> R + Send) -> R {
    if work < LARGE { pass() } else { rayon::scope(|_| pass()) }
}

/// Cosines and sines of the positions from 0 on, each `[positions, head_dim / 2]`.
#[derive(Debug)]
pub(crate) struct Angles {
    /// Cosines.
    pub cos: Vec<f32>,
    /// Sines.
    pub sin: Vec<f32>,
}

/// Where the rows of a batch stand.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// The first rows, when they stand before every sequence: positions that all of them have in common.
    pub common: usize,
    /// The rows of each sequence; rows between them are padding.
    pub sequences: Vec<Range<usize>>,
    /// Of at least as many positions as any sequence has with what stands before it.
    pub angles: Arc<Angles>,
}

/// What attention reads: queries, keys and values beside each other, `[rows, q + 2 kv]`, or, when only the last
/// position of each sequence asks, queries `[sequences, q]` apart from keys and values `[rows, 2 kv]`.
#[expect(clippy::large_enum_variant, reason = "one per call, not kept")]
pub(crate) enum Projected {
    /// All positions ask.
    Together(Tensor<2>),
    /// The last positions ask.
    Apart(Tensor<2>, Tensor<2>),
}

/// Keys (rotated) and values of all rows without a graph, each `[rows, kv]`.
pub(crate) struct KeyRows {
    pub keys: Tensor<2>,
    /// A view of what was projected.
    pub values: Tensor<2>,
}

/// Causal attention with rotary positions and grouped queries: `[query rows, q]`, with keys and values of all rows.
/// `past` holds keys and values of the positions before each sequence, or nothing.
pub(crate) fn attend(
    config: &LlmConfig,
    projected: Projected,
    rows: &Rows,
    past: Vec<Past>,
) -> (Tensor<2>, KeyRows) {
    let last = matches!(projected, Projected::Apart(..));
    let operands = match projected {
        Projected::Together(qkv) => vec![Operand::contiguous(qkv)],
        Projected::Apart(q, kv) => vec![Operand::contiguous(q), Operand::contiguous(kv)],
    };
    let kept = Attention::new(config, operands.iter().map(|o| o.tensor.clone()).collect(), past, rows, last);
    let attention::Mixed { values: mixed, keys, log_sums } = attention::forward(&kept.inputs());
    let mixed = matrix(mixed, config.q_width());
    let keys = matrix(keys, config.kv_width());
    let own = kept.key_rows(keys.clone());
    let (kept_mixed, kept_keys) = (mixed.clone(), keys);
    let mixed = record(operands, mixed, move |dy, _| {
        let results = Kept { values: values(&kept_mixed), keys: values(&kept_keys), log_sums: &log_sums };
        let found = attention::backward(&kept.inputs(), results, values(dy));
        let shapes = kept.tensors.iter().map(|t| t.layout().shape().to_vec());
        found.into_iter().zip(shapes).map(|(values, shape)| Some(tensor(values, &shape))).collect()
    });
    (mixed, own)
}

/// Keys and values alone, from `[rows, 2 kv]` without a graph.
pub(crate) fn key_rows(config: &LlmConfig, projected: Tensor<2>, rows: &Rows) -> KeyRows {
    let projected = Operand::contiguous(projected).tensor;
    let kept = Attention::new(config, vec![projected.clone(), projected], Vec::new(), rows, true);
    let keys = kept.inputs().rotated_keys();
    kept.key_rows(matrix(keys, config.kv_width()))
}

/// Keys (rotated) and values, `[1, positions, kv_heads, head_dim]` each, for attention of later positions.
pub(crate) fn keep(keys: Tensor<4>, own_values: Tensor<4>) -> Past {
    let [_, _, n_heads, width] = keys.dims();
    let (keys, own_values) = (Operand::contiguous(keys), Operand::contiguous(own_values));
    Past::new(values(&keys.tensor), values(&own_values.tensor), n_heads, width)
}

/// Row-major `[rows, width]`.
fn matrix(values: Vec<f32>, width: usize) -> FlexTensor {
    let rows = values.len() / width;
    tensor(values, &[rows, width])
}

/// A tensor without a graph.
fn constant(tensor: FlexTensor) -> Tensor<2> {
    Tensor::from_primitive::<Flex>(tensor)
}

/// Inputs of attention that outlive its forward pass.
struct Attention {
    /// `[rows, q + 2 kv]`, or `[sequences, q]` and `[rows, 2 kv]` when only the last positions ask.
    tensors: Vec<FlexTensor>,
    past: Vec<Past>,
    rows: Rows,
    heads: Heads,
    last: bool,
}

impl Attention {
    fn new(config: &LlmConfig, tensors: Vec<FlexTensor>, past: Vec<Past>, rows: &Rows, last: bool) -> Self {
        let heads = Heads {
            queries: config.num_attention_heads,
            keys: config.num_key_value_heads,
            width: config.head_dim,
        };
        Self { tensors, past, rows: rows.clone(), heads, last }
    }

    fn key_rows(&self, keys: FlexTensor) -> KeyRows {
        let projected = constant(self.tensors[usize::from(self.last)].clone());
        let kv = self.heads.keys * self.heads.width;
        let first = projected.dims()[1] - kv;
        KeyRows { keys: constant(keys), values: projected.narrow(1, first, kv) }
    }

    fn inputs(&self) -> Inputs<'_> {
        let Heads { queries, keys, width } = self.heads;
        let (q, kv) = (queries * width, keys * width);
        let columns = |tensor: usize, stride: usize, first: usize| Columns {
            data: values(&self.tensors[tensor]),
            stride,
            first,
        };
        let [of_q, of_k, of_v] = match self.last {
            false => [0, q, q + kv].map(|first| columns(0, q + 2 * kv, first)),
            true => [columns(0, q, 0), columns(1, 2 * kv, 0), columns(1, 2 * kv, kv)],
        };
        let before = self.rows.common;
        let common = (before > 0).then_some(Sequence {
            rows: 0..before,
            padding: 0,
            past: None,
            before: 0,
            last: None,
        });
        let mut end = before;
        let sequence = |(i, rows): (usize, &Range<usize>)| {
            let padding = rows.start - end;
            end = rows.end;
            Sequence { rows: rows.clone(), padding, past: self.past.get(i), before, last: Some(i) }
        };
        Inputs {
            heads: self.heads,
            queries: of_q,
            keys: of_k,
            values: of_v,
            sequences: common
                .into_iter()
                .chain(self.rows.sequences.iter().enumerate().map(sequence))
                .collect(),
            last: self.last,
            angles: [&self.rows.angles.cos, &self.rows.angles.sin],
        }
    }
}
