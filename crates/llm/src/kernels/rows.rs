//! Loops over rows, shared among rayon's threads in blocks whose size does not depend on the number of threads.

use rayon::prelude::*;

/// Numbers of a block: its rows fit the second-level cache.
const BLOCK: usize = 16 * 1024;

/// Rows of `width` numbers in a block.
fn block_rows(width: usize) -> usize {
    (BLOCK / width.max(1)).max(1)
}

/// Calls `work(first row, rows of a, rows of b)` for blocks of rows of two matrices of the given widths, which have
/// equally many rows. Small matrices stay on the calling thread.
pub(super) fn for_blocks(
    a: &mut [f32],
    a_width: usize,
    b: &mut [f32],
    b_width: usize,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    let rows = block_rows(a_width.max(b_width));
    let (a_block, b_block) = (rows * a_width, rows * b_width);
    if a.len() <= 2 * a_block {
        for (i, (a, b)) in a.chunks_mut(a_block).zip(b.chunks_mut(b_block)).enumerate() {
            work(i * rows, a, b);
        }
    } else {
        let blocks = a.par_chunks_mut(a_block).zip(b.par_chunks_mut(b_block));
        blocks.enumerate().for_each(|(i, (a, b))| work(i * rows, a, b));
    }
}

/// Calls `work(first row, rows)` for blocks of rows of one matrix, see [`for_blocks`].
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
