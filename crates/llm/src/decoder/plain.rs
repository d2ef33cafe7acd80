//! A layer with burn's operations, on any backend.

use std::ops::Range;

use burn::tensor::activation::softmax;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

use super::{Adapter, Geometry, KeyValues, Layer, Past, Product};
use crate::LlmConfig;
use crate::kernels::Angles;

/// Added to the score of a key that a query must not see: large enough to vanish after softmax, small enough that a
/// row in which everything is hidden (a padding query) stays finite, in f16 too.
const HIDDEN: f32 = -6e4;

/// Positions of the rows of a batch.
pub(super) struct Positions {
    /// `[1 or batch, seq, 1, head_dim]`.
    rotation: Rotation,
    /// Added to scores: `[1 or batch, 1, seq, keys]`.
    mask: Tensor<4>,
}

/// Cosines and signed sines of positions.
#[derive(Clone)]
pub(crate) struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

/// Cosines and signed sines of the positions from 0 on, `[positions, head_dim]` each.
#[derive(Debug, Clone)]
pub(super) struct Rotations {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

impl Product {
    /// All parts for `x: [rows, d_in]`, each `[rows, width]`.
    fn all(&self, x: &Tensor<2>) -> Vec<Tensor<2>> {
        self.parts(x, 0..self.widths.len())
    }

    /// The parts in `range`.
    fn parts(&self, x: &Tensor<2>, range: Range<usize>) -> Vec<Tensor<2>> {
        let mut outputs = if self.weights.len() == self.widths.len() {
            range
                .clone()
                .map(|i| self.add_bias(x.clone().matmul(self.weights[i].tensor().clone()), i))
                .collect()
        } else {
            self.fused(x, range.clone())
        };
        for (y, adapter) in outputs.iter_mut().zip(&self.adapters[range]) {
            if let Some(Adapter { a, b, scale, dropout }) = adapter {
                let x = dropout.as_ref().map_or_else(|| x.clone(), |dropout| dropout.apply(x.clone()));
                let low = x.matmul(a.clone()).mul_scalar(*scale).matmul(b.clone());
                *y = y.clone().add(low);
            }
        }
        outputs
    }

    fn add_bias(&self, y: Tensor<2>, i: usize) -> Tensor<2> {
        match self.biases.get(i) {
            Some(bias) => y.add(bias.clone()),
            None => y,
        }
    }

    fn fused(&self, x: &Tensor<2>, range: Range<usize>) -> Vec<Tensor<2>> {
        let start: usize = self.widths[..range.start].iter().sum();
        let widths = &self.widths[range];
        let total: usize = widths.iter().sum();
        let columns = |t: &Tensor<2>| {
            if total == t.dims()[1] { t.clone() } else { t.clone().narrow(1, start, total) }
        };
        let mut y = x.clone().matmul(columns(self.weights[0].tensor()));
        if let Some(bias) = self.biases.first() {
            y = y.add(columns(bias));
        }
        let mut at = 0;
        let mut cut = |width: &usize| {
            at += width;
            y.clone().narrow(1, at - width, *width)
        };
        widths.iter().map(&mut cut).collect()
    }
}

impl KeyValues {
    fn positions(&self) -> usize {
        self.keys.dims()[1]
    }

    /// The same after as many positions that nobody sees as there are less than `positions`.
    fn padded_to(&self, positions: usize) -> Self {
        let [batch, own, heads, width] = self.keys.dims();
        if own == positions {
            return self.clone();
        }
        let shape = [batch, positions - own, heads, width];
        let zeros = Tensor::zeros(shape, (&self.keys.device(), self.keys.dtype()));
        Self { keys: zeros.clone(), values: zeros }.then(self.clone())
    }

    /// Appends later positions.
    fn then(self, later: Self) -> Self {
        Self {
            keys: Tensor::cat(vec![self.keys, later.keys], 1),
            values: Tensor::cat(vec![self.values, later.values], 1),
        }
    }
}

/// Keys and values of `x: [batch * seq, d]`.
pub(super) fn key_values(
    layer: &Layer,
    config: &LlmConfig,
    x: Tensor<2>,
    at: &Geometry,
    positions: &Positions,
) -> KeyValues {
    let normed = rms_norm(x, layer.input_norm.clone(), config.rms_norm_eps);
    let parts = layer.qkv.parts(&normed, 1..3);
    let [keys, values] = <[_; 2]>::try_from(parts).expect("invariant: two parts were asked for");
    rotate_keys(config, keys, values, at, positions)
}

fn rotate_keys(
    config: &LlmConfig,
    keys: Tensor<2>,
    values: Tensor<2>,
    at: &Geometry,
    positions: &Positions,
) -> KeyValues {
    let heads = [at.batch, at.seq, config.num_key_value_heads, config.head_dim];
    KeyValues { keys: positions.rotation.apply(keys.reshape(heads)), values: values.reshape(heads) }
}

/// The layer for `x: [batch * seq, d]`, with keys and values of earlier positions before its own. Returns the
/// hidden states, `[batch * seq, d]`, and the keys and values of its own positions.
pub(super) fn forward(
    layer: &Layer,
    config: &LlmConfig,
    x: Tensor<2>,
    at: &Geometry,
    positions: &Positions,
    past: Option<&[Past]>,
) -> (Tensor<2>, KeyValues) {
    let normed = rms_norm(x.clone(), layer.input_norm.clone(), config.rms_norm_eps);
    let parts = layer.qkv.all(&normed);
    let [q, k, v] = <[_; 3]>::try_from(parts).expect("invariant: three parts were asked for");
    let own = rotate_keys(config, k, v, at, positions);
    let q = q.reshape([at.batch, at.seq, config.num_attention_heads, config.head_dim]);
    let seen = after(past, own.clone());
    let mixed = attend(positions.rotation.apply(q), seen, positions.mask.clone());
    (rest(layer, config, x, &mixed), own)
}

/// The layer for the last position of each row alone: `[batch, d]`. Keys and values still come from all.
pub(super) fn forward_last(
    layer: &Layer,
    config: &LlmConfig,
    x: Tensor<2>,
    at: &Geometry,
    positions: &Positions,
    past: Option<&[Past]>,
) -> Tensor<2> {
    let normed = rms_norm(x.clone(), layer.input_norm.clone(), config.rms_norm_eps);
    let parts = layer.qkv.parts(&normed, 1..3);
    let [k, v] = <[_; 2]>::try_from(parts).expect("invariant: two parts were asked for");
    let own = rotate_keys(config, k, v, at, positions);
    let q = layer.qkv.parts(&last_rows(normed, at), 0..1).remove(0);
    let q = q.reshape([at.batch, 1, config.num_attention_heads, config.head_dim]);
    let seen = after(past, own);
    let mask = positions.mask.clone().narrow(2, at.seq - 1, 1);
    let mixed = attend(positions.rotation.last(at.seq).apply(q), seen, mask);
    rest(layer, config, last_rows(x, at), &mixed)
}

/// Own keys and values after those of the past.
fn after(past: Option<&[Past]>, own: KeyValues) -> KeyValues {
    match past {
        Some([past]) => past.plain().clone().then(own),
        Some(several) => {
            let longest = several.iter().map(|past| past.plain().positions()).max().unwrap_or(0);
            let padded: Vec<KeyValues> = several.iter().map(|past| past.plain().padded_to(longest)).collect();
            let (keys, values) = padded.into_iter().map(|past| (past.keys, past.values)).unzip();
            KeyValues { keys: Tensor::cat(keys, 0), values: Tensor::cat(values, 0) }.then(own)
        }
        None => own,
    }
}

/// The last of `seq` positions of each row: `[batch * seq, width]` to `[batch, width]`.
fn last_rows(x: Tensor<2>, at: &Geometry) -> Tensor<2> {
    let width = x.dims()[1];
    x.reshape([at.batch, at.seq, width]).narrow(1, at.seq - 1, 1).reshape([at.batch, width])
}

/// Output projection and MLP with their residual connections.
fn rest(layer: &Layer, config: &LlmConfig, x: Tensor<2>, mixed: &Tensor<2>) -> Tensor<2> {
    let x = x.add(layer.o.all(mixed).remove(0));
    let normed = rms_norm(x.clone(), layer.post_norm.clone(), config.rms_norm_eps);
    let parts = layer.gate_up.all(&normed);
    let [gate, up] = <[_; 2]>::try_from(parts).expect("invariant: two parts were asked for");
    x.add(layer.down.all(&silu(gate).mul(up)).remove(0))
}

/// `x / sqrt(mean(x^2) + eps) * w` along rows of `x: [rows, d]`, with `w: [1, d]`.
pub(super) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, eps: f64) -> Tensor<2> {
    let dtype = weight.dtype();
    let x = in_f32(x);
    let rms = x.clone().square().mean_dim(1).add_scalar(eps as f32).sqrt();
    from_f32(x.div(rms), dtype).mul(weight)
}

/// `x` in f32, for sums that a narrower type would lose.
fn in_f32<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.dtype() == DType::F32 { x } else { x.cast(FloatDType::F32) }
}

/// `x` back in the type that its layer computes in.
fn from_f32<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if dtype == DType::F32 { x } else { x.cast(FloatDType::from(dtype)) }
}

/// `x * sigmoid(x)`, written with `exp`, which Flex computes faster than `silu` and `tanh`. The clamp keeps
/// `exp(-x)` finite, without which the backward pass would multiply 0 by infinity.
fn silu(x: Tensor<2>) -> Tensor<2> {
    let sigmoid = x.clone().clamp_min(-80.0).neg().exp().add_scalar(1.0).recip();
    x.mul(sigmoid)
}

/// Scaled dot-product attention with grouped queries.
///
/// # Shapes
/// - `q`: `[batch, seq, heads, head_dim]`; keys and values `[batch, positions, kv_heads, head_dim]`
/// - `mask`: `[1 or batch, 1, seq, positions]`, added to the scores
/// - returns `[batch * seq, heads * head_dim]`
///
/// Query head `h` reads key head `h / (heads / kv_heads)`. The queries of a group are stacked along the sequence, so
/// that keys and values are not repeated.
fn attend(q: Tensor<4>, seen: KeyValues, mask: Tensor<4>) -> Tensor<2> {
    let [batch, seq, heads, head_dim] = q.dims();
    let [_, positions, kv_heads, _] = seen.keys.dims();
    let stacked = [batch, kv_heads, heads / kv_heads * seq, head_dim];
    let q = q.mul_scalar((head_dim as f32).sqrt().recip()).swap_dims(1, 2).reshape(stacked);
    let scores = q.matmul(seen.keys.permute([0, 2, 3, 1]));
    let scores = scores.reshape([batch, heads, seq, positions]).add(mask);
    let dtype = scores.dtype();
    let weights = from_f32(softmax(in_f32(scores), 3), dtype).reshape([
        batch,
        kv_heads,
        heads / kv_heads * seq,
        positions,
    ]);
    let mixed = weights.matmul(seen.values.swap_dims(1, 2));
    mixed.reshape([batch, heads, seq, head_dim]).swap_dims(1, 2).reshape([batch * seq, heads * head_dim])
}

impl Rotation {
    /// Rotates pairs `(x[i], x[i + head_dim / 2])` of `x: [batch, seq, heads, head_dim]` by the angles of their
    /// positions: `x cos + swap(x) sin`, where `swap` exchanges the halves and the first half's sine is negative.
    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let swapped = Tensor::cat(vec![x.clone().narrow(3, half, half), x.clone().narrow(3, 0, half)], 3);
        x.mul(self.cos.clone()).add(swapped.mul(self.sin.clone()))
    }

    /// Rotation of the last of `seq` positions.
    fn last(&self, seq: usize) -> Self {
        let last = |t: &Tensor<4>| t.clone().narrow(1, seq - 1, 1);
        Self { cos: last(&self.cos), sin: last(&self.sin) }
    }
}

impl Rotations {
    /// The same for every pair's two halves: `cos cos` and `-sin sin`.
    pub fn new(angles: &Angles, device: &Device, dtype: FloatDType, half: usize) -> Self {
        let both = |values: &[f32], sign: f32| {
            let twice =
                |row: &[f32]| row.iter().map(|v| sign * v).chain(row.iter().copied()).collect::<Vec<f32>>();
            let values: Vec<f32> = values.chunks_exact(half).flat_map(twice).collect();
            let shape = [values.len() / (2 * half), 2 * half];
            Tensor::<2>::from_data(TensorData::new(values, shape), device).cast(dtype)
        };
        Self { cos: both(&angles.cos, 1.0), sin: both(&angles.sin, -1.0) }
    }

    /// Number of positions.
    pub fn len(&self) -> usize {
        self.cos.dims()[0]
    }

    /// Rotation of the positions `start..start + seq`, the same for every row.
    fn range(&self, start: usize, seq: usize) -> Rotation {
        let cut = |t: &Tensor<2>| {
            let width = t.dims()[1];
            t.clone().narrow(0, start, seq).reshape([1, seq, 1, width])
        };
        Rotation { cos: cut(&self.cos), sin: cut(&self.sin) }
    }

    /// Rotation of given positions, row-major over `[batch, seq]`.
    fn at(&self, positions: Vec<i32>, batch: usize, seq: usize, device: &Device) -> Rotation {
        let index = Tensor::<1, Int>::from_data(TensorData::new(positions, [batch * seq]), device);
        let pick = |t: &Tensor<2>| {
            let width = t.dims()[1];
            t.clone().select(0, index.clone()).reshape([batch, seq, 1, width])
        };
        Rotation { cos: pick(&self.cos), sin: pick(&self.sin) }
    }
}

impl Positions {
    /// See [`Geometry::row`].
    pub fn row(rotations: &Rotations, past: usize, seq: usize, device: &Device, dtype: FloatDType) -> Self {
        let keys = past + seq;
        let mut mask = vec![0.0f32; seq * keys];
        for (query, row) in mask.chunks_mut(keys).enumerate() {
            row[past + query + 1..].fill(HIDDEN);
        }
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [1, 1, seq, keys]), device).cast(dtype);
        Self { rotation: rotations.range(past, seq), mask }
    }

    /// See [`Geometry::continued`].
    pub fn continued(
        rotations: &Rotations,
        sequences: &[(usize, usize)],
        device: &Device,
        dtype: FloatDType,
    ) -> Self {
        let batch = sequences.len();
        let longest = |of: fn(&(usize, usize)) -> usize| sequences.iter().map(of).max().unwrap_or(0);
        let (past, seq) = (longest(|(past, _)| *past), longest(|(_, own)| *own));
        if sequences.iter().all(|sequence| *sequence == (past, seq)) {
            return Self::row(rotations, past, seq, device, dtype);
        }
        let keys = past + seq;
        let mut mask = vec![HIDDEN; batch * seq * keys];
        let mut positions = vec![0i32; batch * seq];
        for (row, (before, own)) in sequences.iter().enumerate() {
            let pad = seq - own;
            for query in pad..seq {
                let start = (row * seq + query) * keys;
                mask[start + past - before..start + past].fill(0.0);
                mask[start + past + pad..=start + past + query].fill(0.0);
                positions[row * seq + query] = (before + query - pad) as i32;
            }
        }
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [batch, 1, seq, keys]), device).cast(dtype);
        Self { rotation: rotations.at(positions, batch, seq, device), mask }
    }

    /// See [`Geometry::padded`].
    pub fn padded(rotations: &Rotations, lengths: &[usize], device: &Device, dtype: FloatDType) -> Self {
        let batch = lengths.len();
        let seq = lengths.iter().copied().max().unwrap_or(0);
        if lengths.iter().all(|n| *n == seq) {
            return Self::row(rotations, 0, seq, device, dtype);
        }
        let mut mask = vec![HIDDEN; batch * seq * seq];
        let mut positions = vec![0i32; batch * seq];
        for (row, length) in lengths.iter().enumerate() {
            let pad = seq - length;
            for query in pad..seq {
                let start = (row * seq + query) * seq;
                mask[start + pad..=start + query].fill(0.0);
                positions[row * seq + query] = (query - pad) as i32;
            }
        }
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [batch, 1, seq, seq]), device).cast(dtype);
        Self { rotation: rotations.at(positions, batch, seq, device), mask }
    }
}
