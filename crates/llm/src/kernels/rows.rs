//! Loops over rows, shared among rayon's threads in blocks whose size does not depend on the number of threads.

#![expect(unsafe_code, reason = "results are built in memory that no thread has zeroed before")]

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Numbers of a block: its rows fit the second-level cache.
const BLOCK: usize = 16 * 1024;

/// Rows of `width` numbers in a block.
fn block_rows(width: usize) -> usize {
    (BLOCK / width.max(1)).max(1)
}

/// Makes two matrices of `rows` rows with `work(first row, rows of the one, rows of the other)` for blocks of rows,
/// which are zeros before. Small matrices stay on the calling thread.
pub(super) fn build_both(
    rows: usize,
    [a_width, b_width]: [usize; 2],
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> [Vec<f32>; 2] {
    let (mut a, mut b) = (Vec::with_capacity(rows * a_width), Vec::with_capacity(rows * b_width));
    let (a_parts, b_parts) = (spare(&mut a, rows * a_width), spare(&mut b, rows * b_width));
    let step = block_rows(a_width.max(b_width));
    let (a_block, b_block) = (step * a_width, step * b_width);
    let work = |i: usize, a, b| work(i * step, zeros(a), zeros(b));
    if rows <= 2 * step {
        let blocks = a_parts.chunks_mut(a_block).zip(b_parts.chunks_mut(b_block));
        blocks.enumerate().for_each(|(i, (a, b))| work(i, a, b));
    } else {
        let blocks = a_parts.par_chunks_mut(a_block).zip(b_parts.par_chunks_mut(b_block));
        blocks.enumerate().for_each(|(i, (a, b))| work(i, a, b));
    }
    // SAFETY: both have this capacity, and their blocks, as many of the one as of the other, were all zeroed.
    unsafe {
        a.set_len(rows * a_width);
        b.set_len(rows * b_width);
    }
    [a, b]
}

/// Makes a matrix with `work(first row, rows)` for blocks of rows, which are zeros before: each is zeroed where it is
/// needed, by the thread that fills it, not all of them by one thread beforehand.
pub(super) fn build(rows: usize, width: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows * width);
    let step = block_rows(width);
    let parts = spare(&mut out, rows * width);
    if rows <= 2 * step {
        parts.chunks_mut(step * width).enumerate().for_each(|(i, block)| work(i * step, zeros(block)));
    } else {
        let blocks = parts.par_chunks_mut(step * width).enumerate();
        blocks.for_each(|(i, block)| work(i * step, zeros(block)));
    }
    // SAFETY: there is this capacity, and every block was zeroed.
    unsafe { out.set_len(rows * width) };
    out
}

/// Makes matrices below each other, one of every length in `lengths`: `write` fills the whole of a part.
///
/// # Panics
/// When `write` leaves something out.
pub(super) fn build_parts(lengths: &[usize], write: impl Fn(usize, &mut Cursor<'_>) + Sync) -> Vec<f32> {
    let len = lengths.iter().sum();
    let mut out = Vec::with_capacity(len);
    let mut left = spare(&mut out, len);
    let mut parts = Vec::with_capacity(lengths.len());
    for n in lengths {
        let (part, rest) = left.split_at_mut(*n);
        parts.push(Cursor { left: part });
        left = rest;
    }
    parts.into_par_iter().enumerate().for_each(|(i, mut part)| {
        write(i, &mut part);
        assert!(part.left.is_empty(), "a part is written to its end");
    });
    // SAFETY: there is this capacity, and every part was written to its end.
    unsafe { out.set_len(len) };
    out
}

/// Memory that is written from its beginning on.
pub(super) struct Cursor<'a> {
    left: &'a mut [MaybeUninit<f32>],
}

impl Cursor<'_> {
    /// Writes these numbers.
    pub fn copy(&mut self, values: &[f32]) {
        self.next(values.len()).write_copy_of_slice(values);
    }

    /// Writes `n` zeros.
    pub fn zeros(&mut self, n: usize) {
        zeros(self.next(n));
    }

    fn next(&mut self, n: usize) -> &mut [MaybeUninit<f32>] {
        let (next, left) = std::mem::take(&mut self.left).split_at_mut(n);
        self.left = left;
        next
    }
}

/// The first `n` numbers that a vector without any has room for.
fn spare(out: &mut Vec<f32>, n: usize) -> &mut [MaybeUninit<f32>] {
    &mut out.spare_capacity_mut()[..n]
}

fn zeros(block: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    for slot in block.iter_mut() {
        slot.write(0.0);
    }
    // SAFETY: every one was written.
    unsafe { block.assume_init_mut() }
}

/// Calls `work(first row, rows)` for blocks of rows of a matrix. A small one stays on the calling thread.
pub(super) fn for_each_block(out: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = block_rows(width);
    if out.len() <= 2 * rows * width {
        for (i, block) in out.chunks_mut(rows * width).enumerate() {
            work(i * rows, block);
        }
    } else {
        out.par_chunks_mut(rows * width).enumerate().for_each(|(i, block)| work(i * rows, block));
    }
}

/// Sums over rows: `partial(rows, sums)` adds the rows in its range to `sums`, blocks are added in their order.
pub(super) fn sum_rows(
    rows: usize,
    width: usize,
    partial: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
) -> Vec<f32> {
    let step = block_rows(width);
    let blocks: Vec<Vec<f32>> = (0..rows.div_ceil(step))
        .into_par_iter()
        .map(|i| {
            let mut sums = vec![0.0; width];
            partial(i * step..((i + 1) * step).min(rows), &mut sums);
            sums
        })
        .collect();
    let mut total = vec![0.0; width];
    for block in blocks {
        for (total, part) in total.iter_mut().zip(block) {
            *total += part;
        }
    }
    total
}
