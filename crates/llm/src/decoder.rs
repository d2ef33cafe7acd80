//! One decoder layer: RMSNorm, rotary embedding, grouped-query attention, gated MLP.
//!
//! Activations are 2-D, `[rows, width]`, because matrix products on them are faster than on 3-D ones; batch and
//! sequence reappear only inside attention. The same functions run with and without autodiff: a tensor that is no leaf
//! is a constant. `plain` computes with burn's operations on any backend, `fused` with those of `kernels` on Flex.

mod fused;
mod plain;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};

use crate::LlmConfig;
use crate::kernels::{self, Angles, Packed, Rows};
use crate::lora::Dropout;

/// `x W + b` for one or several weights side by side, plus low-rank adapters.
pub(crate) struct Product {
    /// Either one weight per part, or one for all parts: `[d_in, sum of widths]`.
    pub weights: Vec<Weight>,
    /// None, or as many as there are weights: `[1, width]`, or `[1, sum of widths]`.
    pub biases: Vec<Tensor<2>>,
    /// Width of each part.
    pub widths: Vec<usize>,
    /// Adapter of each part.
    pub adapters: Vec<Option<Adapter>>,
}

/// A weight, `[d_in, d_out]`.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few per layer")]
pub(crate) enum Weight {
    /// Of any kind.
    Tensor(Tensor<2>),
    /// Frozen, for the fused operations alone.
    Packed(Arc<Packed>),
}

impl Weight {
    /// The tensor of a weight that is not packed.
    fn tensor(&self) -> &Tensor<2> {
        match self {
            Self::Tensor(tensor) => tensor,
            Self::Packed(_) => unreachable!("packed weights are for the fused operations"),
        }
    }
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

/// Keys and values that are kept for the sequences that go on from there.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one per layer beside kilobytes of keys and values")]
pub(crate) enum Past {
    /// For burn's operations.
    Plain(KeyValues),
    /// For the fused ones.
    Fused(kernels::Past),
}

impl Past {
    fn plain(&self) -> &KeyValues {
        match self {
            Self::Plain(tensors) => tensors,
            Self::Fused(_) => unreachable!("kept for the fused operations"),
        }
    }

    fn fused(&self) -> &kernels::Past {
        match self {
            Self::Fused(past) => past,
            Self::Plain(_) => unreachable!("kept for burn's operations"),
        }
    }

    /// Tensors that hold it, as memory is counted.
    pub const TENSORS: usize = 2;

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Plain(KeyValues { keys, .. }) => 2 * keys.shape().num_elements() * keys.dtype().size(),
            Self::Fused(past) => past.bytes(),
        }
    }

    /// Its numbers, to be written somewhere; none when they cannot be read back from their device.
    pub fn to_data(&self) -> Option<Vec<TensorData>> {
        match self {
            Self::Plain(KeyValues { keys, values }) => {
                Some(vec![keys.try_to_data().ok()?, values.try_to_data().ok()?])
            }
            Self::Fused(past) => {
                let shape = [past.n_heads(), 2, past.positions(), past.width()];
                Some(vec![TensorData::new(past.to_host(), shape)])
            }
        }
    }

    /// The inverse of [`Past::to_data`]; none for anything else.
    pub fn from_data(data: Vec<TensorData>, device: &Device) -> Option<Self> {
        if let [fused] = data.as_slice() {
            let &[n_heads, 2, _, width] = fused.shape().as_slice() else { return None };
            return Some(Self::Fused(kernels::Past::from_host(fused.as_slice().ok()?, n_heads, width)));
        }
        let [keys, values] = <[TensorData; 2]>::try_from(data).ok()?;
        if keys.shape().len() != 4 || keys.shape() != values.shape() {
            return None;
        }
        // With the type named, numbers stay as they are; without it they would be converted to the device's own.
        let dtype = keys.dtype();
        let [keys, values] = [keys, values].map(|data| Tensor::from_data(data, (device, dtype)));
        Some(Self::Plain(KeyValues { keys, values }))
    }
}

/// Where the rows of a batch stand: positions, and which keys they may see.
pub(crate) struct Geometry {
    /// Sequences.
    pub batch: usize,
    /// Rows of the longest.
    pub seq: usize,
    means: Means,
}

/// The way to compute, with what it needs to know of positions.
#[expect(clippy::large_enum_variant, reason = "one per forward pass, not kept")]
enum Means {
    Plain(plain::Positions),
    Fused(Rows),
}

impl Layer {
    /// Keys and values of `x: [rows, d]`.
    pub fn key_values(&self, config: &LlmConfig, x: Tensor<2>, at: &Geometry) -> KeyValues {
        match &at.means {
            Means::Plain(positions) => plain::key_values(self, config, x, at, positions),
            Means::Fused(rows) => fused::key_values(self, config, x, rows),
        }
    }

    /// The layer for `x: [rows, d]`, with keys and values of earlier positions before its own, one for each sequence.
    /// Returns the hidden states, `[rows, d]`, and the keys and values of its own positions.
    pub fn forward(
        &self,
        config: &LlmConfig,
        x: Tensor<2>,
        at: &Geometry,
        past: Option<&[Past]>,
    ) -> (Tensor<2>, KeyValues) {
        match &at.means {
            Means::Plain(positions) => plain::forward(self, config, x, at, positions, past),
            Means::Fused(rows) => fused::forward(self, config, x, rows, past),
        }
    }

    /// The layer for the last position of each sequence alone: `[batch, d]`. Keys and values still come from all.
    pub fn forward_last(
        &self,
        config: &LlmConfig,
        x: Tensor<2>,
        at: &Geometry,
        past: Option<&[Past]>,
    ) -> Tensor<2> {
        match &at.means {
            Means::Plain(positions) => plain::forward_last(self, config, x, at, positions, past),
            Means::Fused(rows) => fused::forward_last(self, config, x, rows, past),
        }
    }
}

/// `x / sqrt(mean(x^2) + eps) * w` along rows of `x: [rows, d]`, with `w: [1, d]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, eps: f64) -> Tensor<2> {
    if kernels::support(&x.device(), x.dtype()) {
        kernels::rms_norm(x, weight, eps).0
    } else {
        plain::rms_norm(x, weight, eps)
    }
}

/// Rotary angles of positions, for as many as were asked for so far.
#[derive(Debug)]
pub(crate) struct RotaryTable {
    frequencies: Vec<f32>,
    device: Device,
    dtype: FloatDType,
    known: RwLock<Known>,
}

/// Angles where they are read.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one per model")]
enum Known {
    Plain(plain::Rotations),
    Fused(Arc<Angles>),
}

/// Positions of a new table: a checkpoint's longest sequence can be a hundred times longer than any prompt.
const FIRST_POSITIONS: usize = 2048;

impl RotaryTable {
    /// The table of a model, for the fused operations where they can run.
    pub fn new(config: &LlmConfig, device: &Device, dtype: FloatDType) -> Self {
        Self::with(config, device, dtype, kernels::support(device, DType::from(dtype)))
    }

    fn with(config: &LlmConfig, device: &Device, dtype: FloatDType, fused: bool) -> Self {
        let frequencies = config.rope.frequencies(config.head_dim);
        let n = config.max_position_embeddings.min(FIRST_POSITIONS);
        let angles = angles(&frequencies, n);
        let known = match fused {
            true => Known::Fused(Arc::new(angles)),
            false => Known::Plain(plain::Rotations::new(&angles, device, dtype, frequencies.len())),
        };
        Self { frequencies, device: device.clone(), dtype, known: RwLock::new(known) }
    }

    /// Whether passes with it are those of the fused operations.
    pub fn is_fused(&self) -> bool {
        matches!(*self.known.read().unwrap_or_else(PoisonError::into_inner), Known::Fused(_))
    }

    /// Angles of at least `n` positions.
    fn up_to(&self, n: usize) -> Known {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (length, fused) = match &known {
            Known::Plain(rotations) => (rotations.len(), false),
            Known::Fused(angles) => (angles.cos.len() / self.frequencies.len(), true),
        };
        if length >= n {
            return known;
        }
        let angles = angles(&self.frequencies, n.next_power_of_two());
        let grown = match fused {
            true => Known::Fused(Arc::new(angles)),
            false => {
                Known::Plain(plain::Rotations::new(&angles, &self.device, self.dtype, self.frequencies.len()))
            }
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = grown.clone();
        grown
    }
}

/// Angles of the positions `0..n`. The angle is a product in f32, as `transformers` computes it: its rounding reaches
/// 1e-4 radians at position 2,000, and the logits are to agree.
fn angles(frequencies: &[f32], n: usize) -> Angles {
    let angle = |position: usize| {
        frequencies.iter().map(move |frequency| f64::from(position as f32 * frequency).sin_cos())
    };
    let (sin, cos) = (0..n).flat_map(angle).map(|(s, c)| (s as f32, c as f32)).unzip();
    Angles { cos, sin }
}

impl Geometry {
    /// One sequence of `seq` positions that follow `past` others, each seeing everything up to itself.
    pub fn row(table: &RotaryTable, past: usize, seq: usize, device: &Device) -> Self {
        let means = match table.up_to(past + seq) {
            Known::Plain(rotations) => {
                Means::Plain(plain::Positions::row(&rotations, past, seq, device, table.dtype))
            }
            Known::Fused(angles) => Means::Fused(Rows { common: 0, sequences: ranges(&[seq]), angles }),
        };
        Self { batch: 1, seq, means }
    }

    /// Sequences of the given lengths. The fused operations take their rows one after the other. The plain ones need a
    /// rectangle: shorter sequences are padded on the left, so that the last position of each is the last of its row,
    /// positions count from the first real token, and padding is seen by nobody. See [`Geometry::padding`].
    pub fn padded(table: &RotaryTable, lengths: &[usize], device: &Device) -> Self {
        let seq = lengths.iter().copied().max().unwrap_or(0);
        let means = match table.up_to(seq) {
            Known::Plain(rotations) => {
                Means::Plain(plain::Positions::padded(&rotations, lengths, device, table.dtype))
            }
            Known::Fused(angles) => Means::Fused(Rows { common: 0, sequences: ranges(lengths), angles }),
        };
        Self { batch: lengths.len(), seq, means }
    }

    /// Sequences of the given lengths, each after `past` others: `(past, length)`. For the plain operations shorter ones
    /// are padded on the left, as in [`Geometry::padded`].
    pub fn continued(table: &RotaryTable, sequences: &[(usize, usize)], device: &Device) -> Self {
        let end = sequences.iter().map(|(past, length)| past + length).max().unwrap_or(0);
        let lengths: Vec<usize> = sequences.iter().map(|(_, length)| *length).collect();
        let seq = lengths.iter().copied().max().unwrap_or(0);
        let means = match table.up_to(end) {
            Known::Plain(rotations) => {
                Means::Plain(plain::Positions::continued(&rotations, sequences, device, table.dtype))
            }
            Known::Fused(angles) => Means::Fused(Rows { common: 0, sequences: ranges(&lengths), angles }),
        };
        Self { batch: lengths.len(), seq, means }
    }

    /// Sequences of the given lengths, whose first `common` positions are the same and stand once, as the first rows.
    /// None where the operations in use take whole sequences.
    pub fn branching(table: &RotaryTable, common: usize, lengths: &[usize]) -> Option<Self> {
        let seq = lengths.iter().copied().max().unwrap_or(0);
        let Known::Fused(angles) = table.up_to(seq) else { return None };
        let mut end = common;
        let mut next = |length: &usize| {
            end += length - common;
            end + common - length..end
        };
        let sequences = lengths.iter().map(&mut next).collect();
        Some(Self { batch: lengths.len(), seq, means: Means::Fused(Rows { common, sequences, angles }) })
    }

    /// Keys and values of one sequence as later passes of the same kind read them.
    pub fn keep(&self, own: KeyValues) -> Past {
        match &self.means {
            Means::Plain(_) => Past::Plain(own),
            Means::Fused(_) => Past::Fused(kernels::keep(own.keys, own.values)),
        }
    }

    /// Rows of padding before a sequence of that length.
    pub fn padding(&self, length: usize) -> usize {
        match &self.means {
            Means::Plain(_) => self.seq - length,
            Means::Fused(_) => 0,
        }
    }
}

/// The rows of sequences that follow each other.
fn ranges(lengths: &[usize]) -> Vec<Range<usize>> {
    let mut end = 0;
    let mut next = |length: &usize| {
        end += length;
        end - length..end
    };
    lengths.iter().map(&mut next).collect()
}
