//! Causal attention with grouped queries and rotary positions, forward and backward.
//!
//! Works on blocks of queries, as FlashAttention does (arXiv 2205.14135): scores of a block live in the cache and are
//! computed again in the backward pass, so no `[seq, seq]` matrix or mask is ever stored. The keys of a block end at
//! its last query. Query heads that share a key head are stacked in one product.

use std::ops::Range;

use rayon::prelude::*;

use super::matrix::{View, multiply};
use super::past::Past;
use super::rows::{build, build_parts};
use super::simd::{dot, exp_shifted, max, wide};

/// Queries of a block.
const BLOCK: usize = 64;
/// Queries of a task that goes on from earlier positions, at most.
const PIECE: usize = 32;
/// Multiplications from which on heads are shared among rayon's threads.
const PARALLEL: usize = 64 * 64 * 64;

/// Numbers and width of heads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Query heads.
    pub queries: usize,
    /// Key and value heads; query head `h` reads key head `h / (queries / keys)`.
    pub keys: usize,
    /// Width of a head.
    pub width: usize,
}

impl Heads {
    fn group(self) -> usize {
        self.queries / self.keys
    }
}

/// Columns of a matrix: row `i` starts at `i * stride + first`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    /// All rows.
    pub data: &'a [f32],
    /// Numbers from row to row.
    pub stride: usize,
    /// First column.
    pub first: usize,
}

impl<'a> Columns<'a> {
    fn at(&self, row: usize, column: usize, width: usize) -> &'a [f32] {
        &self.data[row * self.stride + self.first + column..][..width]
    }
}

/// One sequence: rows of keys and values of its own, and those of earlier positions, either kept from another pass or
/// among the rows of this one.
#[derive(Debug, Clone)]
pub(super) struct Sequence<'a> {
    /// Its rows among all rows.
    pub rows: Range<usize>,
    /// Rows of padding directly before, up to the sequence before.
    pub padding: usize,
    /// Keys (rotated) and values of earlier positions.
    pub past: Option<&'a Past>,
    /// Earlier positions that are the first of all rows; none where there is a past.
    pub before: usize,
    /// Its row among those of the last positions; none for what only stands before others.
    pub last: Option<usize>,
}

impl Sequence<'_> {
    /// Number of earlier positions.
    fn past(&self) -> usize {
        self.past.map_or(0, Past::positions)
    }

    /// Number of positions whose keys are among the rows of this pass.
    fn seen(&self) -> usize {
        self.before + self.rows.len()
    }

    /// Row of a position whose keys are among the rows of this pass.
    fn row(&self, position: usize) -> usize {
        if position < self.before { position } else { self.rows.start + position - self.before }
    }
}

/// What attention reads.
#[derive(Debug, Clone)]
pub(super) struct Inputs<'a> {
    /// Heads.
    pub heads: Heads,
    /// Queries before rotation: one row per position, or one per sequence when `last` is set.
    pub queries: Columns<'a>,
    /// Keys before rotation, a row per position.
    pub keys: Columns<'a>,
    /// Values, a row per position.
    pub values: Columns<'a>,
    /// The sequences.
    pub sequences: Vec<Sequence<'a>>,
    /// Whether only the last position of each sequence asks.
    pub last: bool,
    /// Cosines and sines of all positions from 0, each `[positions, width / 2]`.
    pub angles: [&'a [f32]; 2],
}

/// Result of the forward pass.
#[derive(Debug)]
pub(super) struct Mixed {
    /// Values mixed by attention: `[query rows, queries * width]`.
    pub values: Vec<f32>,
    /// Keys after rotation: `[rows, keys * width]`.
    pub keys: Vec<f32>,
    /// Logarithm of the sum of exponentials of the scores: `[query rows, queries]`.
    pub log_sums: Vec<f32>,
}

/// What the backward pass reads of [`Mixed`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub values: &'a [f32],
    pub keys: &'a [f32],
    pub log_sums: &'a [f32],
}

/// A sequence with one key head, or some of its queries: the unit of work of one thread.
struct Task<'a> {
    inputs: &'a Inputs<'a>,
    sequence: &'a Sequence<'a>,
    /// Key head.
    head: usize,
    /// Positions that ask, among those whose keys are among the rows of this pass.
    asking: Range<usize>,
    /// Rotated keys of all rows.
    rotated: &'a [f32],
}

impl Inputs<'_> {
    /// Positions of a sequence that ask, among those whose keys are among the rows of this pass.
    fn asking(&self, sequence: &Sequence<'_>) -> Range<usize> {
        let n = sequence.seen();
        if self.last { n - usize::from(sequence.last.is_some())..n } else { sequence.before..n }
    }

    /// The asking positions of each task of one head. Depends on the sequence alone: with earlier positions, whose
    /// keys stand ready for every task, they are cut into pieces.
    fn pieces(&self, sequence: &Sequence<'_>) -> Vec<Range<usize>> {
        let Range { start, end } = self.asking(sequence);
        let n = match sequence.past {
            Some(_) => (end - start).div_ceil(PIECE).max(1),
            None => 1,
        };
        (0..n).map(|i| start + i * (end - start) / n..start + (i + 1) * (end - start) / n).collect()
    }

    /// Rotated keys of all rows.
    pub fn rotated_keys(&self) -> Vec<f32> {
        let Heads { keys, width, .. } = self.heads;
        let rows = self.sequences.last().map_or(0, |s| s.rows.end);
        let mut positions = Vec::with_capacity(rows);
        for sequence in &self.sequences {
            let first = sequence.past() + sequence.before;
            positions.extend(std::iter::repeat_n(0, sequence.padding));
            positions.extend(first..first + sequence.rows.len());
        }
        build(rows, keys * width, |first, block| {
            wide(
                #[inline(always)]
                || {
                    for (i, out) in block.chunks_exact_mut(keys * width).enumerate() {
                        let row = self.keys.at(first + i, 0, keys * width);
                        let angles = self.angles(positions[first + i]);
                        for (x, out) in row.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                            rotate(x, angles, 1.0, out);
                        }
                    }
                },
            );
        })
    }

    fn angles(&self, position: usize) -> [&[f32]; 2] {
        let half = self.heads.width / 2;
        self.angles.map(|table| &table[position * half..][..half])
    }

    /// Results of all heads of all sequences in this order, those of a head's tasks one after the other.
    fn each<const N: usize>(
        &self,
        rotated: &[f32],
        work: impl Fn(&Task<'_>) -> [Vec<f32>; N] + Sync,
    ) -> Vec<[Vec<f32>; N]> {
        let Heads { keys, queries, width } = self.heads;
        let mut tasks = Vec::with_capacity(self.sequences.len() * keys);
        for sequence in &self.sequences {
            let pieces = self.pieces(sequence);
            for head in 0..keys {
                let task = |asking: &Range<usize>| Task {
                    inputs: self,
                    sequence,
                    head,
                    asking: asking.clone(),
                    rotated,
                };
                tasks.extend(pieces.iter().map(task));
            }
        }
        let cost = |s: &Sequence<'_>| self.asking(s).len() * (s.past() + s.seen()) * queries * width;
        let mut results: Vec<[Vec<f32>; N]> = if self.sequences.iter().map(cost).sum::<usize>() < PARALLEL {
            tasks.iter().map(&work).collect()
        } else {
            tasks.par_iter().map(&work).collect()
        };
        if results.len() == self.sequences.len() * keys {
            return results;
        }
        let mut joined: Vec<[Vec<f32>; N]> = Vec::with_capacity(self.sequences.len() * keys);
        for (task, result) in tasks.iter().zip(results.drain(..)) {
            if task.asking.start == self.asking(task.sequence).start {
                joined.push(result);
            } else {
                let whole = joined.last_mut().expect("invariant: the first piece came before");
                whole.iter_mut().zip(result).for_each(|(whole, piece)| whole.extend(piece));
            }
        }
        joined
    }

    fn rows_of(&self, sequence: &Sequence<'_>, asking: bool) -> usize {
        if asking && self.last {
            usize::from(sequence.last.is_some())
        } else {
            sequence.padding + sequence.rows.len()
        }
    }

    /// A matrix of results of tasks, whose columns are those of each kind in turn, head by head. A kind is the width of
    /// a head and its index among a task's results, each `[rows of its sequence, width]`, where more rows than the
    /// sequence has begin with those before it. The rows are those that ask when `asking` is set; those of padding are
    /// zeros.
    fn gathered<const N: usize>(
        &self,
        asking: bool,
        kinds: &[(usize, usize)],
        parts: &[[Vec<f32>; N]],
    ) -> Vec<f32> {
        let keys = self.heads.keys;
        let stride: usize = kinds.iter().map(|(width, _)| keys * width).sum();
        let lengths: Vec<usize> = self.sequences.iter().map(|s| self.rows_of(s, asking) * stride).collect();
        build_parts(&lengths, |i, out| {
            let padding = if asking && self.last { 0 } else { self.sequences[i].padding };
            out.zeros(padding * stride);
            let rows = lengths[i] / stride.max(1) - padding;
            for row in 0..rows {
                for (width, kind) in kinds {
                    for part in &parts[i * keys..][..keys] {
                        let before = part[*kind].len() / width - rows;
                        out.copy(&part[*kind][(before + row) * width..][..*width]);
                    }
                }
            }
        })
    }

    /// Adds what sequences have found for the rows before them to what those rows have found themselves, in order.
    fn add_before<const N: usize>(&self, kinds: &[usize], parts: &mut [[Vec<f32>; N]]) {
        let Heads { keys, width, .. } = self.heads;
        for (i, sequence) in self.sequences.iter().enumerate().filter(|(_, sequence)| sequence.before > 0) {
            let (first, others) = parts.split_at_mut(i * keys);
            for (sum, part) in first[..keys].iter_mut().zip(&others[..keys]) {
                for kind in kinds {
                    let part = &part[*kind][..sequence.before * width];
                    sum[*kind].iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
            }
        }
    }
}

impl Task<'_> {
    fn past(&self) -> usize {
        self.sequence.past()
    }

    /// Blocks of its asking positions.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let Range { start, end } = self.asking.clone();
        (start..end).step_by(BLOCK).map(move |at| at..(at + BLOCK).min(end))
    }

    /// Row of the queries and of the result for a position.
    fn query_row(&self, position: usize) -> usize {
        match self.sequence.last {
            Some(last) if self.inputs.last => last,
            _ => self.sequence.row(position),
        }
    }

    /// Keys and values of this pass up to the last position that asks, each `[positions, width]`.
    fn keys_and_values(&self) -> [Vec<f32>; 2] {
        let Heads { keys, width, .. } = self.inputs.heads;
        let stride = keys * width;
        let n = self.asking.end * width;
        let mut both = [Vec::with_capacity(n), Vec::with_capacity(n)];
        for row in (0..self.asking.end).map(|position| self.sequence.row(position)) {
            both[0].extend_from_slice(&self.rotated[row * stride + self.head * width..][..width]);
            both[1].extend_from_slice(self.inputs.values.at(row, self.head * width, width));
        }
        both
    }

    /// Rotated and scaled queries of a block: `[queries * group, width]`, position by position.
    fn queries(&self, block: Range<usize>) -> Vec<f32> {
        let heads = self.inputs.heads;
        let (width, group) = (heads.width, heads.group());
        let scale = (width as f32).sqrt().recip();
        let mut out = vec![0.0; block.len() * group * width];
        wide(
            #[inline(always)]
            || {
                for (position, out) in block.zip(out.chunks_exact_mut(group * width)) {
                    let angles = self.inputs.angles(self.past() + position);
                    let row = self.query_row(position);
                    let x = self.inputs.queries.at(row, self.head * group * width, group * width);
                    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                        rotate(x, angles, scale, out);
                    }
                }
            },
        );
        out
    }

    /// What the queries of a block have in `data: [query rows, queries * width]`: `[queries * group, width]`.
    fn gather(&self, data: &[f32], width: usize, block: &Range<usize>) -> Vec<f32> {
        let heads = self.inputs.heads;
        let n = heads.group() * width;
        let mut out = Vec::with_capacity(block.len() * n);
        for position in block.clone() {
            let start = self.query_row(position) * heads.queries * width + self.head * n;
            out.extend_from_slice(&data[start..start + n]);
        }
        out
    }

    /// `([asked, group * width], [asked, group])`: mixed values, and logarithms of sums.
    fn forward(&self) -> [Vec<f32>; 2] {
        let heads = self.inputs.heads;
        let (width, group) = (heads.width, heads.group());
        let [keys, values] = self.keys_and_values();
        let (past, own) = (self.past(), keys.len() / width);
        let keys = transpose(&keys, width);
        let earlier = self.sequence.past.map(|past| past.head(self.head));
        let n = self.asking.len();
        let (mut out, mut log_sums) = (vec![0.0; n * group * width], vec![0.0; n * group]);
        let mut scores = vec![0.0; BLOCK.min(n) * group * (past + own)];
        for block in self.blocks() {
            let seen = past + block.end;
            let rows = block.len() * group;
            let first = block.start - self.asking.start;
            let out = &mut out[first * group * width..][..rows * width];
            let log_sums = &mut log_sums[first * group..][..rows];
            let scores = &mut scores[..rows * seen];
            let queries = self.queries(block.clone());
            let queries = View::new(&queries, [rows, width], width);
            let mut sums = vec![0.0; rows];
            if let Some([keys, _]) = earlier {
                multiply(scores, seen, queries, keys, false);
            }
            let keys = View::new(&keys, [width, block.end], own);
            multiply(&mut scores[past..], seen, queries, keys, false);
            wide(
                #[inline(always)]
                || {
                    let rows = scores.chunks_exact_mut(seen).zip(&mut *log_sums).zip(&mut sums);
                    for (i, ((row, log_sum), sum)) in rows.enumerate() {
                        let (visible, hidden) = row.split_at_mut(past + block.start + i / group + 1);
                        let most = max(visible);
                        *sum = exp_shifted(visible, most);
                        *log_sum = most + sum.ln();
                        hidden.fill(0.0);
                    }
                },
            );
            let weights = View::new(scores, [rows, seen], seen);
            let own_values = View::new(&values, [block.end, width], width);
            multiply(out, width, weights.columns(past, block.end), own_values, false);
            if let Some([_, values]) = earlier {
                multiply(out, width, weights.columns(0, past), values, true);
            }
            wide(
                #[inline(always)]
                || {
                    for (out, sum) in out.chunks_exact_mut(width).zip(&sums) {
                        let scale = sum.recip();
                        out.iter_mut().for_each(|v| *v *= scale);
                    }
                },
            );
        }
        [out, log_sums]
    }

    /// Gradients with respect to queries (`[asked, group * width]`), keys and values (`[positions, width]`), rotation
    /// undone. For sequences without earlier positions.
    fn backward(&self, mixed: Kept<'_>, d_mixed: &[f32]) -> [Vec<f32>; 3] {
        assert!(self.sequence.past.is_none(), "gradients are for whole sequences");
        let heads = self.inputs.heads;
        let (width, group) = (heads.width, heads.group());
        let [keys, values] = self.keys_and_values();
        let positions = keys.len() / width;
        let (keys_t, values_t) = (transpose(&keys, width), transpose(&values, width));
        let n = self.asking.len();
        let mut d_queries = vec![0.0; n * group * width];
        let (mut d_keys, mut d_values) = (vec![0.0; keys.len()], vec![0.0; keys.len()]);
        let mut weights = vec![0.0; BLOCK.min(n) * group * positions];
        let mut d_weights = weights.clone();
        for block in self.blocks() {
            let seen = block.end;
            let rows = block.len() * group;
            let queries = self.queries(block.clone());
            let (y, dy) = (self.gather(mixed.values, width, &block), self.gather(d_mixed, width, &block));
            let log_sums = self.gather(mixed.log_sums, 1, &block);
            let (weights, d_weights) = (&mut weights[..rows * seen], &mut d_weights[..rows * seen]);
            let q = View::new(&queries, [rows, width], width);
            let dy_view = View::new(&dy, [rows, width], width);
            multiply(weights, seen, q, View::new(&keys_t, [width, seen], positions), false);
            multiply(d_weights, seen, dy_view, View::new(&values_t, [width, seen], positions), false);
            wide(
                #[inline(always)]
                || {
                    let rows = weights.chunks_exact_mut(seen).zip(d_weights.chunks_exact_mut(seen));
                    let ys = y.chunks_exact(width).zip(dy.chunks_exact(width)).zip(&log_sums);
                    for (i, ((weights, d_weights), ((y, dy), log_sum))) in rows.zip(ys).enumerate() {
                        let n = block.start + i / group + 1;
                        exp_shifted(&mut weights[..n], *log_sum);
                        let mean = dot(y, dy);
                        for (d, w) in d_weights[..n].iter_mut().zip(&weights[..n]) {
                            *d = w * (*d - mean);
                        }
                        weights[n..].fill(0.0);
                        d_weights[n..].fill(0.0);
                    }
                },
            );
            let weights = View::new(weights, [rows, seen], seen).transposed();
            let d_scores = View::new(d_weights, [rows, seen], seen);
            multiply(&mut d_values, width, weights, dy_view, true);
            multiply(&mut d_keys, width, d_scores.transposed(), q, true);
            let first = (block.start - self.asking.start) * group * width;
            let d_queries = &mut d_queries[first..][..rows * width];
            multiply(d_queries, width, d_scores, View::new(&keys, [seen, width], width), false);
        }
        let scale = (width as f32).sqrt().recip();
        wide(
            #[inline(always)]
            || {
                for (position, row) in self.asking.clone().zip(d_queries.chunks_exact_mut(group * width)) {
                    let angles = self.inputs.angles(position);
                    row.chunks_exact_mut(width).for_each(|head| rotate_back(head, angles, scale));
                }
                for (position, row) in d_keys.chunks_exact_mut(width).enumerate() {
                    rotate_back(row, self.inputs.angles(position), 1.0);
                }
            },
        );
        [d_queries, d_keys, d_values]
    }
}

/// Attention of all sequences.
pub(super) fn forward(inputs: &Inputs<'_>) -> Mixed {
    let (group, width) = (inputs.heads.group(), inputs.heads.width);
    let keys = inputs.rotated_keys();
    let parts = inputs.each(&keys, |task| task.forward());
    let values = inputs.gathered(true, &[(group * width, 0)], &parts);
    let log_sums = inputs.gathered(true, &[(group, 1)], &parts);
    Mixed { values, keys, log_sums }
}

/// Gradients of queries, keys and values beside each other, `[rows, (queries + 2 keys) * width]`, or with `last` that
/// of the queries, `[sequences, queries * width]`, and that of keys and values, `[rows, 2 keys * width]`.
pub(super) fn backward(inputs: &Inputs<'_>, kept: Kept<'_>, d_mixed: &[f32]) -> Vec<Vec<f32>> {
    let mut parts = inputs.each(kept.keys, |task| task.backward(kept, d_mixed));
    inputs.add_before(&[1, 2], &mut parts);
    let width = inputs.heads.width;
    let [queries, keys, values] = [(inputs.heads.group() * width, 0), (width, 1), (width, 2)];
    if inputs.last {
        vec![inputs.gathered(true, &[queries], &parts), inputs.gathered(false, &[keys, values], &parts)]
    } else {
        vec![inputs.gathered(false, &[queries, keys, values], &parts)]
    }
}

/// `out = scale R x` for the rotation `R` of pairs `(x[i], x[i + width / 2])`.
#[inline(always)]
fn rotate(x: &[f32], [cos, sin]: [&[f32]; 2], scale: f32, out: &mut [f32]) {
    let (a, b) = x.split_at(cos.len());
    let (out_a, out_b) = out.split_at_mut(cos.len());
    for ((((a, b), c), s), (out_a, out_b)) in
        a.iter().zip(b).zip(cos).zip(sin).zip(out_a.iter_mut().zip(out_b))
    {
        let (c, s) = (c * scale, s * scale);
        (*out_a, *out_b) = (a * c - b * s, b * c + a * s);
    }
}

/// `x = scale R^T x`.
#[inline(always)]
fn rotate_back(x: &mut [f32], [cos, sin]: [&[f32]; 2], scale: f32) {
    let (a, b) = x.split_at_mut(cos.len());
    for (((a, b), c), s) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        let (c, s) = (c * scale, s * scale);
        (*a, *b) = (*a * c + *b * s, *b * c - *a * s);
    }
}

/// `[rows, width]` to `[width, rows]`.
fn transpose(x: &[f32], width: usize) -> Vec<f32> {
    let rows = x.len() / width;
    let mut out = vec![0.0; x.len()];
    for (first, rows_x) in x.chunks(16 * width).enumerate() {
        for (column, out) in out.chunks_exact_mut(rows).enumerate() {
            for (slot, row) in out[first * 16..].iter_mut().zip(rows_x.chunks_exact(width)) {
                *slot = row[column];
            }
        }
    }
    out
}
