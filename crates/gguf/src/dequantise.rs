//! Values of ggml's tensor types as f32.

#[cfg(test)]
mod tests;

use half::{bf16, f16};

/// Values in a block of the K types.
const K: usize = 256;

/// How a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(non_camel_case_types, reason = "ggml's names")]
pub enum TensorType {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    BF16,
    /// 32 values of 4 bits and a scale.
    Q4_0,
    /// 32 values of 4 bits, a scale and a minimum.
    Q4_1,
    /// 32 values of 5 bits and a scale.
    Q5_0,
    /// 32 values of 5 bits, a scale and a minimum.
    Q5_1,
    /// 32 values of 8 bits and a scale.
    Q8_0,
    /// 256 values of 2 bits, scales and minima of 4 bits per 16.
    Q2_K,
    /// 256 values of 3 bits, scales of 6 bits per 16.
    Q3_K,
    /// 256 values of 4 bits, scales and minima of 6 bits per 32.
    Q4_K,
    /// 256 values of 5 bits, scales and minima of 6 bits per 32.
    Q5_K,
    /// 256 values of 6 bits, scales of 8 bits per 16.
    Q6_K,
    /// 256 values of 8 bits and a scale in single precision.
    Q8_K,
}

impl TensorType {
    /// All that can be read.
    pub const ALL: [Self; 14] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::Q8_K,
    ];

    /// The type with this number in ggml.
    pub(crate) fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Its number in ggml (`enum ggml_type`).
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2_K => 10,
            Self::Q3_K => 11,
            Self::Q4_K => 12,
            Self::Q5_K => 13,
            Self::Q6_K => 14,
            Self::Q8_K => 15,
            Self::BF16 => 30,
        }
    }

    /// Its name in ggml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2_K => "Q2_K",
            Self::Q3_K => "Q3_K",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
            Self::Q8_K => "Q8_K",
        }
    }

    /// Values and bytes of a block.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2_K => (K, 84),
            Self::Q3_K => (K, 110),
            Self::Q4_K => (K, 144),
            Self::Q5_K => (K, 176),
            Self::Q6_K => (K, 210),
            Self::Q8_K => (K, 292),
        }
    }

    /// Whether values were rounded to a grid.
    pub(crate) fn is_quantised(self) -> bool {
        self.block().0 > 1
    }

    /// Values of whole blocks.
    ///
    /// # Panics
    /// When `bytes` and `values` are not those of the same number of blocks.
    pub(crate) fn dequantise(self, bytes: &[u8], values: &mut [f32]) {
        let (n, size) = self.block();
        assert!(bytes.len().is_multiple_of(size) && bytes.len() / size * n == values.len(), "whole blocks");
        let block: fn(&[u8], &mut [f32]) = match self {
            Self::F32 => |b, v| v[0] = single(b, 0),
            Self::F16 => |b, v| v[0] = scale(b, 0),
            Self::BF16 => |b, v| v[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32(),
            Self::Q4_0 => q4_0,
            Self::Q4_1 => q4_1,
            Self::Q5_0 => q5_0,
            Self::Q5_1 => q5_1,
            Self::Q8_0 => q8_0,
            Self::Q2_K => q2_k,
            Self::Q3_K => q3_k,
            Self::Q4_K => q4_k,
            Self::Q5_K => q5_k,
            Self::Q6_K => q6_k,
            Self::Q8_K => q8_k,
        };
        for (bytes, values) in bytes.chunks_exact(size).zip(values.chunks_exact_mut(n)) {
            block(bytes, values);
        }
    }
}

/// A number in half precision.
fn scale(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// A number in single precision.
fn single(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// 32 numbers of 4 bits: the lower halves of all bytes come first.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|q| q & 15).chain(bytes.iter().map(|q| q >> 4))
}

fn q4_0(block: &[u8], values: &mut [f32]) {
    let d = scale(block, 0);
    for (v, q) in values.iter_mut().zip(nibbles(&block[2..])) {
        *v = d * (f32::from(q) - 8.0);
    }
}

fn q4_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    for (v, q) in values.iter_mut().zip(nibbles(&block[4..])) {
        *v = d * f32::from(q) + m;
    }
}

/// 32 numbers of 5 bits: the fifth bits of all stand in the first four bytes.
fn five_bits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    nibbles(&bytes[4..]).enumerate().map(move |(i, q)| q | ((high >> i & 1) as u8) << 4)
}

fn q5_0(block: &[u8], values: &mut [f32]) {
    let d = scale(block, 0);
    for (v, q) in values.iter_mut().zip(five_bits(&block[2..])) {
        *v = d * (f32::from(q) - 16.0);
    }
}

fn q5_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    for (v, q) in values.iter_mut().zip(five_bits(&block[4..])) {
        *v = d * f32::from(q) + m;
    }
}

fn q8_0(block: &[u8], values: &mut [f32]) {
    let d = scale(block, 0);
    for (v, q) in values.iter_mut().zip(&block[2..]) {
        *v = d * f32::from(q.cast_signed());
    }
}

fn q8_k(block: &[u8], values: &mut [f32]) {
    let d = single(block, 0);
    for (v, q) in values.iter_mut().zip(&block[4..]) {
        *v = d * f32::from(q.cast_signed());
    }
}

/// Where value `i` of a K block stands among the lowest two bits of all: its byte and the shift in it. Values that are 32
/// apart share a byte.
fn two_bits(i: usize) -> (usize, usize) {
    (i / 128 * 32 + i % 32, i % 128 / 32 * 2)
}

fn q2_k(block: &[u8], values: &mut [f32]) {
    let (scales, rest) = block.split_at(16);
    let (quants, rest) = rest.split_at(64);
    let (d, least) = (scale(rest, 0), scale(rest, 2));
    for (i, v) in values.iter_mut().enumerate() {
        let (at, shift) = two_bits(i);
        let s = scales[i / 16];
        *v = d * f32::from(s & 15) * f32::from(quants[at] >> shift & 3) - least * f32::from(s >> 4);
    }
}

fn q3_k(block: &[u8], values: &mut [f32]) {
    let (high, rest) = block.split_at(32);
    let (low, rest) = rest.split_at(64);
    let (packed_scales, rest) = rest.split_at(12);
    let d = scale(rest, 0);
    // 16 scales of 6 bits: four in the halves of the first eight bytes, two in the quarters of the last four.
    let scales: [f32; 16] = std::array::from_fn(|j| {
        let lower = packed_scales[j % 8] >> (4 * (j / 8)) & 15;
        let upper = packed_scales[8 + j % 4] >> (2 * (j / 4)) & 3;
        f32::from(lower | upper << 4) - 32.0
    });
    for (i, v) in values.iter_mut().enumerate() {
        let (at, shift) = two_bits(i);
        // The third bit, of which 0 stands for -4.
        let third = high[i % 32] >> (i / 32) & 1;
        let q = f32::from(low[at] >> shift & 3) - if third == 1 { 0.0 } else { 4.0 };
        *v = d * scales[i / 16] * q;
    }
}

/// Scale and minimum of 6 bits each of sub-block `j` of 8, as Q4_K and Q5_K pack them into 12 bytes.
fn scale_and_minimum(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, minimum) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        let both = packed[j + 4];
        (both & 15 | packed[j - 4] >> 6 << 4, both >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

fn q4_k(block: &[u8], values: &mut [f32]) {
    let (d, least) = (scale(block, 0), scale(block, 2));
    let (scales, quants) = block[4..].split_at(12);
    for (j, values) in values.chunks_exact_mut(32).enumerate() {
        let (scale, minimum) = scale_and_minimum(scales, j);
        let (scale, minimum) = (d * scale, least * minimum);
        let quants = &quants[j / 2 * 32..][..32];
        for (v, q) in values.iter_mut().zip(quants) {
            *v = scale * f32::from(q >> (4 * (j % 2)) & 15) - minimum;
        }
    }
}

fn q5_k(block: &[u8], values: &mut [f32]) {
    let (d, least) = (scale(block, 0), scale(block, 2));
    let (scales, rest) = block[4..].split_at(12);
    let (high, quants) = rest.split_at(32);
    for (j, values) in values.chunks_exact_mut(32).enumerate() {
        let (scale, minimum) = scale_and_minimum(scales, j);
        let (scale, minimum) = (d * scale, least * minimum);
        let quants = &quants[j / 2 * 32..][..32];
        for ((v, q), high) in values.iter_mut().zip(quants).zip(high) {
            let q = q >> (4 * (j % 2)) & 15 | (high >> j & 1) << 4;
            *v = scale * f32::from(q) - minimum;
        }
    }
}

fn q6_k(block: &[u8], values: &mut [f32]) {
    let (low, rest) = block.split_at(128);
    let (high, rest) = rest.split_at(64);
    let (scales, rest) = rest.split_at(16);
    let d = scale(rest, 0);
    for (i, v) in values.iter_mut().enumerate() {
        let (half, within) = (i / 128, i % 128);
        let lower = low[64 * half + within % 64] >> (4 * (within / 64)) & 15;
        let upper = high[32 * half + within % 32] >> (2 * (within / 32)) & 3;
        let q = f32::from(lower | upper << 4) - 32.0;
        *v = d * f32::from(scales[i / 16].cast_signed()) * q;
    }
}
