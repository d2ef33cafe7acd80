//! The arithmetic of one decoder layer: RMSNorm, rotary embedding, grouped-query attention, gated MLP.
//!
//! Activations are 2-D, `[batch * seq, width]`, because matrix products on them are faster than on 3-D ones; batch and
//! sequence reappear only inside attention. The same functions run with and without autodiff: a tensor that is no leaf
//! is a constant.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use burn::tensor::activation::softmax;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

use crate::LlmConfig;
use crate::lora::Dropout;

/// Added to the score of a key that a query must not see: large enough to vanish after softmax, small enough that a
/// row in which everything is hidden (a padding query) stays finite, in f16 too.
const HIDDEN: f32 = -6e4;

/// `x W + b` for one or several weights side by side, plus low-rank adapters.
pub(crate) struct Product {
    /// Either one weight per part, or one for all parts: `[d_in, sum of widths]`.
    pub weights: Vec<Tensor<2>>,
    /// None, or as many as there are weights: `[1, width]`, or `[1, sum of widths]`.
    pub biases: Vec<Tensor<2>>,
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
    /// Applied to `x` in training passes.
    pub dropout: Option<Arc<Dropout>>,
}

impl Product {
    /// All parts for `x: [rows, d_in]`, each `[rows, width]`.
    fn all(&self, x: &Tensor<2>) -> Vec<Tensor<2>> {
        self.parts(x, 0..self.widths.len())
    }

    /// The parts in `range`.
    fn parts(&self, x: &Tensor<2>, range: Range<usize>) -> Vec<Tensor<2>> {
        let mut outputs = if self.weights.len() == self.widths.len() {
            range.clone().map(|i| self.add_bias(x.clone().matmul(self.weights[i].clone()), i)).collect()
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
        let mut y = x.clone().matmul(columns(&self.weights[0]));
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

/// Cosines and signed sines of positions, `[positions, head_dim]` each, for as many as were asked for so far.
#[derive(Debug)]
pub(crate) struct RotaryTable {
    frequencies: Vec<f32>,
    device: Device,
    dtype: FloatDType,
    known: RwLock<(Tensor<2>, Tensor<2>)>,
}

/// Positions of a new table: a checkpoint's longest sequence can be a hundred times longer than any prompt.
const FIRST_POSITIONS: usize = 2048;

impl RotaryTable {
    /// The table of a model.
    pub fn new(config: &LlmConfig, device: &Device, dtype: FloatDType) -> Self {
        let frequencies = config.rope.frequencies(config.head_dim);
        let n = config.max_position_embeddings.min(FIRST_POSITIONS);
        let known = RwLock::new(rotations(&frequencies, n, device, dtype));
        Self { frequencies, device: device.clone(), dtype, known }
    }

    /// Cosines and sines of at least `n` positions.
    fn up_to(&self, n: usize) -> (Tensor<2>, Tensor<2>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.0.dims()[0] >= n {
            return known;
        }
        let grown = rotations(&self.frequencies, n.next_power_of_two(), &self.device, self.dtype);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = grown.clone();
        grown
    }

    /// Rotation of the positions `start..start + seq`, the same for every row.
    pub fn range(&self, start: usize, seq: usize) -> Rotation {
        let (cos, sin) = self.up_to(start + seq);
        let cut = |t: Tensor<2>| {
            let width = t.dims()[1];
            t.narrow(0, start, seq).reshape([1, seq, 1, width])
        };
        Rotation { cos: cut(cos), sin: cut(sin) }
    }

    /// Rotation of given positions below `seq`, row-major over `[batch, seq]`.
    fn at(&self, positions: Vec<i32>, batch: usize, seq: usize, device: &Device) -> Rotation {
        let (cos, sin) = self.up_to(seq);
        let index = Tensor::<1, Int>::from_data(TensorData::new(positions, [batch * seq]), device);
        let pick = |t: Tensor<2>| {
            let width = t.dims()[1];
            t.select(0, index.clone()).reshape([batch, seq, 1, width])
        };
        Rotation { cos: pick(cos), sin: pick(sin) }
    }
}

/// Cosines and signed sines of the positions `0..n`. The angle is a product in f32, as `transformers` computes it:
/// its rounding reaches 1e-4 radians at position 2,000, and the logits are to agree.
fn rotations(frequencies: &[f32], n: usize, device: &Device, dtype: FloatDType) -> (Tensor<2>, Tensor<2>) {
    let half = frequencies.len();
    let width = 2 * half;
    let mut cos = vec![0.0f32; n * width];
    let mut sin = vec![0.0f32; n * width];
    for position in 0..n {
        for (i, frequency) in frequencies.iter().enumerate() {
            let (s, c) = f64::from(position as f32 * frequency).sin_cos();
            let at = position * width + i;
            (cos[at], cos[at + half]) = (c as f32, c as f32);
            (sin[at], sin[at + half]) = (-s as f32, s as f32);
        }
    }
    let tensor = |values| Tensor::<2>::from_data(TensorData::new(values, [n, width]), device).cast(dtype);
    (tensor(cos), tensor(sin))
}

impl Geometry {
    /// One row of `seq` positions that follow `past` others, each seeing everything up to itself.
    pub fn row(table: &RotaryTable, past: usize, seq: usize, device: &Device) -> Self {
        let keys = past + seq;
        let mut mask = vec![0.0f32; seq * keys];
        for (query, row) in mask.chunks_mut(keys).enumerate() {
            row[past + query + 1..].fill(HIDDEN);
        }
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [1, 1, seq, keys]), device).cast(table.dtype);
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
        let mask =
            Tensor::<4>::from_data(TensorData::new(mask, [batch, 1, seq, seq]), device).cast(table.dtype);
        Self { batch, seq, rotation: table.at(positions, batch, seq, device), mask }
    }
}
