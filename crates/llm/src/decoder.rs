//! The arithmetic of one decoder layer: RMSNorm, rotary embedding, grouped-query attention, gated MLP.
//!
//! Activations are 2-D, `[batch * seq, width]`, because matrix products on them are faster than on 3-D ones; batch and
//! sequence reappear only inside attention. The same functions run with and without autodiff: a tensor that is no leaf
//! is a constant.

use std::ops::Range;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::LlmConfig;

/// Added to the score of a key that a query must not see: large enough to vanish after softmax, small enough that a
/// row in which everything is hidden (a padding query) stays finite.
const HIDDEN: f32 = -1e9;

/// `x W` for one or several weights side by side, plus low-rank adapters.
pub(crate) struct Product {
    /// Either one weight per part, or one for all parts: `[d_in, sum of widths]`.
    pub weights: Vec<Tensor<2>>,
    /// Width of each part.
    pub widths: Vec<usize>,
    /// Adapter of each part.
    pub adapters: Vec<Option<Adapter>>,
}

/// Low-rank update of one projection: `scale * (x A) B`.
pub(crate) struct Adapter {
    /// `[d_in, rank]`.
    pub a: Tensor<2>,
    /// `[rank, d_out]`.
    pub b: Tensor<2>,
    /// `alpha / rank`.
    pub scale: f32,
}

impl Product {
    /// All parts for `x: [rows, d_in]`, each `[rows, width]`.
    fn all(&self, x: &Tensor<2>) -> Vec<Tensor<2>> {
        self.parts(x, 0..self.widths.len())
    }

    /// The parts in `range`.
    fn parts(&self, x: &Tensor<2>, range: Range<usize>) -> Vec<Tensor<2>> {
        let mut outputs = if self.weights.len() == self.widths.len() {
            self.weights[range.clone()].iter().map(|w| x.clone().matmul(w.clone())).collect()
        } else {
            self.fused(x, range.clone())
        };
        for (y, adapter) in outputs.iter_mut().zip(&self.adapters[range]) {
            if let Some(Adapter { a, b, scale }) = adapter {
                let low = x.clone().matmul(a.clone()).mul_scalar(*scale).matmul(b.clone());
                *y = y.clone().add(low);
            }
        }
        outputs
    }

    fn fused(&self, x: &Tensor<2>, range: Range<usize>) -> Vec<Tensor<2>> {
        let start: usize = self.widths[..range.start].iter().sum();
        let widths = &self.widths[range];
        let total: usize = widths.iter().sum();
        let weight = self.weights[0].clone();
        let weight = if total == weight.dims()[1] { weight } else { weight.narrow(1, start, total) };
        let y = x.clone().matmul(weight);
        let mut at = 0;
        let mut cut = |width: &usize| {
            at += width;
            y.clone().narrow(1, at - width, *width)
        };
        widths.iter().map(&mut cut).collect()
    }
}

/// Weights of one layer as a forward pass uses them.
pub(crate) struct Layer {
    /// `[1, d]`.
    pub input_norm: Tensor<2>,
    /// Queries, keys, values.
    pub qkv: Product,
    /// Attention output.
    pub o: Product,
    /// `[1, d]`.
    pub post_norm: Tensor<2>,
    /// Gate and up.
    pub gate_up: Product,
    /// Down.
    pub down: Product,
}

/// Keys (rotated) and values of some positions, each `[batch, positions, kv_heads, head_dim]`.
#[derive(Debug, Clone)]
pub(crate) struct KeyValues {
    pub keys: Tensor<4>,
    pub values: Tensor<4>,
}

impl KeyValues {
    /// Appends later positions.
    fn then(self, later: Self) -> Self {
        Self {
            keys: Tensor::cat(vec![self.keys, later.keys], 1),
            values: Tensor::cat(vec![self.values, later.values], 1),
        }
    }
}

/// Where the rows of a batch stand: rotations of their positions and which keys they may see.
pub(crate) struct Geometry {
    pub batch: usize,
    pub seq: usize,
    /// `[1 or batch, seq, 1, head_dim]`.
    pub rotation: Rotation,
    /// Added to scores: `[1 or batch, 1, seq, keys]`.
    pub mask: Tensor<4>,
}

/// Cosines and signed sines of positions.
#[derive(Clone)]
pub(crate) struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Layer {
    /// Keys and values of `x: [batch * seq, d]`.
    pub fn key_values(&self, config: &LlmConfig, x: Tensor<2>, at: &Geometry) -> KeyValues {
        let normed = rms_norm(x, self.input_norm.clone(), config.rms_norm_eps);
        let parts = self.qkv.parts(&normed, 1..3);
        let [keys, values] = <[_; 2]>::try_from(parts).expect("invariant: two parts were asked for");
        self.rotate_keys(config, keys, values, at)
    }

    fn rotate_keys(
        &self,
        config: &LlmConfig,
        keys: Tensor<2>,
        values: Tensor<2>,
        at: &Geometry,
    ) -> KeyValues {
        let heads = [at.batch, at.seq, config.num_key_value_heads, config.head_dim];
        KeyValues { keys: at.rotation.apply(keys.reshape(heads)), values: values.reshape(heads) }
    }

    /// The layer for `x: [batch * seq, d]`, with keys and values of earlier positions before its own. Returns the
    /// hidden states, `[batch * seq, d]`, and the keys and values of its own positions.
    pub fn forward(
        &self,
        config: &LlmConfig,
        x: Tensor<2>,
        at: &Geometry,
        past: Option<KeyValues>,
    ) -> (Tensor<2>, KeyValues) {
        let normed = rms_norm(x.clone(), self.input_norm.clone(), config.rms_norm_eps);
        let parts = self.qkv.all(&normed);
        let [q, k, v] = <[_; 3]>::try_from(parts).expect("invariant: three parts were asked for");
        let own = self.rotate_keys(config, k, v, at);
        let q = q.reshape([at.batch, at.seq, config.num_attention_heads, config.head_dim]);
        let seen = match past {
            Some(past) => past.then(own.clone()),
            None => own.clone(),
        };
        let mixed = attend(at.rotation.apply(q), seen, at.mask.clone());
        (self.rest(config, x, &mixed), own)
    }

    /// The layer for the last position of each row alone: `[batch, d]`. Keys and values still come from all.
    pub fn forward_last(
        &self,
        config: &LlmConfig,
        x: Tensor<2>,
        at: &Geometry,
        past: Option<KeyValues>,
    ) -> Tensor<2> {
        let Geometry { batch, seq, rotation, mask } = at;
        let d = config.hidden_size;
        let last_row = |x: Tensor<2>| x.reshape([*batch, *seq, d]).narrow(1, seq - 1, 1).reshape([*batch, d]);
        let normed = rms_norm(x.clone(), self.input_norm.clone(), config.rms_norm_eps);
        let parts = self.qkv.parts(&normed, 1..3);
        let [k, v] = <[_; 2]>::try_from(parts).expect("invariant: two parts were asked for");
        let own = self.rotate_keys(config, k, v, at);
        let q = self.qkv.parts(&last_row(normed), 0..1).remove(0);
        let q = q.reshape([*batch, 1, config.num_attention_heads, config.head_dim]);
        let seen = match past {
            Some(past) => past.then(own),
            None => own,
        };
        let mask = mask.clone().narrow(2, seq - 1, 1);
        let mixed = attend(rotation.last(*seq).apply(q), seen, mask);
        self.rest(config, last_row(x), &mixed)
    }

    /// Output projection and MLP with their residual connections.
    fn rest(&self, config: &LlmConfig, x: Tensor<2>, mixed: &Tensor<2>) -> Tensor<2> {
        let x = x.add(self.o.all(mixed).remove(0));
        let normed = rms_norm(x.clone(), self.post_norm.clone(), config.rms_norm_eps);
        let parts = self.gate_up.all(&normed);
        let [gate, up] = <[_; 2]>::try_from(parts).expect("invariant: two parts were asked for");
        x.add(self.down.all(&silu(gate).mul(up)).remove(0))
    }
}

/// `x / sqrt(mean(x^2) + eps) * w` along rows of `x: [rows, d]`, with `w: [1, d]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, eps: f64) -> Tensor<2> {
    let rms = x.clone().square().mean_dim(1).add_scalar(eps as f32).sqrt();
    x.div(rms).mul(weight)
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
    let weights = softmax(scores, 3).reshape([batch, kv_heads, heads / kv_heads * seq, positions]);
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

/// Cosines and signed sines of all positions: `[max_position, head_dim]`.
#[derive(Debug)]
pub(crate) struct RotaryTable {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

impl RotaryTable {
    /// Angles `position * theta^(-2 i / head_dim)`, computed in f64.
    pub fn new(config: &LlmConfig, device: &Device) -> Self {
        let (n, width) = (config.max_position_embeddings, config.head_dim);
        let half = width / 2;
        let mut cos = vec![0.0f32; n * width];
        let mut sin = vec![0.0f32; n * width];
        for i in 0..half {
            let frequency = config.rope_theta.powf(-2.0 * i as f64 / width as f64);
            for position in 0..n {
                let (s, c) = (position as f64 * frequency).sin_cos();
                let at = position * width + i;
                (cos[at], cos[at + half]) = (c as f32, c as f32);
                (sin[at], sin[at + half]) = (-s as f32, s as f32);
            }
        }
        let tensor = |values| Tensor::from_data(TensorData::new(values, [n, width]), device);
        Self { cos: tensor(cos), sin: tensor(sin) }
    }

    /// Rotation of the positions `start..start + seq`, the same for every row.
    pub fn range(&self, start: usize, seq: usize) -> Rotation {
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

impl Geometry {
    /// One row of `seq` positions that follow `past` others, each seeing everything up to itself.
    pub fn row(table: &RotaryTable, past: usize, seq: usize, device: &Device) -> Self {
        let keys = past + seq;
        let mut mask = vec![0.0f32; seq * keys];
        for (query, row) in mask.chunks_mut(keys).enumerate() {
            row[past + query + 1..].fill(HIDDEN);
        }
        let mask = Tensor::from_data(TensorData::new(mask, [1, 1, seq, keys]), device);
        Self { batch: 1, seq, rotation: table.range(past, seq), mask }
    }

    /// Rows of the given lengths, padded on the left to the longest, so that the last position of each is the last of
    /// its row. Positions count from the first real token; padding is seen by nobody.
    pub fn padded(table: &RotaryTable, lengths: &[usize], device: &Device) -> Self {
        let batch = lengths.len();
        let seq = lengths.iter().copied().max().unwrap_or(0);
        if lengths.iter().all(|n| *n == seq) {
            return Self { batch, ..Self::row(table, 0, seq, device) };
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
        let mask = Tensor::from_data(TensorData::new(mask, [batch, 1, seq, seq]), device);
        Self { batch, seq, rotation: table.at(positions, batch, seq, device), mask }
    }
}
