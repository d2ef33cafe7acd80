//! Matrix products for the shapes of a transformer, with the instructions of [`avx512`](super::avx512) or
//! [`avx2`](super::avx2).
//!
//! Both factors are copied into panels first, `[k, ROWS]` of the left and `[k, 32]` of the right one, which the inner
//! loop reads in order; tiles of results stay in registers (the layout of Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication", 2008). Factors that several products share are copied once, and several
//! products that are added up write their result once per block of `k`.
//!
//! A result is a sum over `k` in rising order, in blocks whose length depends on `k` alone: it is the same number
//! whatever rows and columns stand beside it, whoever computes it, and with whichever of the instructions.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::{Order, PARALLEL, Panel, Term, View, WIDTH as COLUMNS};

/// Columns of half a panel, a cache line.
pub(super) const LANES: usize = 16;
/// Longest block of `k`: a panel of the right factor is 80 KiB then.
const DEPTH: usize = 640;
/// Rows of the left factor, about, and panels of the right one in a task.
const TASK: [usize; 2] = [72, 8];
/// Tasks of a product of few rows, at least.
const FEW_TASKS: usize = 8;
/// Neighbouring panels that are copied together.
const GROUP: usize = 8;
/// Numbers of the right factor that are copied at once.
const COPIED: usize = 8 << 20;
/// Rows up to which the right factor is read where it stands.
const FEW_ROWS: usize = 28;
/// Numbers of a right factor that are copied for a few rows, too.
const SMALL: usize = 1 << 16;
/// Steps of `k` between a prefetch and its use.
pub(super) const AHEAD: usize = 16;

/// The instructions that compute.
pub(super) trait Instructions {
    /// Rows of a tile.
    const ROWS: usize;

    /// `out[at + k * distance + i] = source[(first + i) * strides[0] + k * strides[1]]` for every piece, `i < n` and
    /// `k < depth`, and 0 for `n <= i < width`.
    ///
    /// # Safety
    /// These addresses must be valid, and the machine must have the instructions.
    unsafe fn copy(
        out: *mut f32,
        distance: usize,
        source: *const f32,
        strides: [usize; 2],
        pieces: &[Piece],
        depth: usize,
    );

    /// The first `rows` rows of a tile, up to [`Instructions::ROWS`].
    ///
    /// # Safety
    /// The factors and the start must be valid for reads and the target for writes of the tile's columns, and the
    /// machine must have the instructions.
    unsafe fn tile(tile: &Tile, rows: usize);
}

/// Whether a term is for these kernels: copying a large right factor does not pay for a few rows, and one whose
/// columns lie apart cannot be read where it stands.
pub(super) fn suits(term: &Term<'_>) -> bool {
    let suits =
        |b: &View<'_>| b.order != Order::Strided || b.column_stride == 1 || b.rows * b.columns < SMALL;
    term.a.rows > FEW_ROWS || term.bs.iter().all(suits)
}

/// Whether a right factor of the term is read where it stands.
fn in_place(term: &Term<'_>, b: &View<'_>) -> bool {
    match b.order {
        Order::Panels => true,
        Order::RowPanels => false,
        Order::Strided => term.a.rows <= FEW_ROWS && b.column_stride == 1,
    }
}

/// Numbers that begin at a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

thread_local! {
    /// Panels of both factors, kept from product to product.
    static PANELS: RefCell<[Vec<Line>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// See [`super::release_panels`].
pub(super) fn release_panels() {
    drop(PANELS.take());
}

/// A pointer that tasks share.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: tasks write to parts that do not overlap and read what was written before they began.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The address `n` numbers further on.
    fn at(self, n: usize) -> *mut f32 {
        self.0.wrapping_add(n)
    }
}

/// A block of `k` of one term.
struct Block<'a> {
    term: &'a Term<'a>,
    first: usize,
    depth: usize,
    /// Sum of the depths before.
    before: usize,
}

fn blocks<'a>(terms: &'a [Term<'a>]) -> Vec<Block<'a>> {
    let mut before = 0;
    let mut blocks = Vec::with_capacity(terms.len());
    for term in terms {
        let k = term.a.columns;
        // One block even where nothing is summed up, to write zeros.
        let n = k.div_ceil(DEPTH).max(1);
        for i in 0..n {
            let [first, end] = [i * k / n, (i + 1) * k / n];
            blocks.push(Block { term, first, depth: end - first, before });
            before += end - first;
        }
    }
    blocks
}

/// See [`super::compute`].
///
/// # Safety
/// As there, and the machine must have the instructions.
pub(super) unsafe fn compute<I: Instructions>(terms: &[Term<'_>], panels: &[Panel]) {
    let blocks = blocks(terms);
    let rows = terms[0].a.rows;
    let depth: usize = blocks.iter().map(|b| b.depth).sum();
    let copies = terms.iter().any(|term| term.bs.iter().any(|b| !in_place(term, b)));
    // Waiting for others, this thread may begin a product of another task: it finds no panels and makes its own.
    let mut kept = PANELS.take();
    for panels in panels.chunks((COPIED / COLUMNS / depth.max(1)).max(1)) {
        let n_left = rows.div_ceil(I::ROWS);
        let n_right = if copies { panels.len() } else { 0 };
        let [left, right] = [n_left * I::ROWS, n_right * COLUMNS].map(|width| width * depth);
        let [left, right] = [(0, left), (1, right)].map(|(i, n)| {
            let lines = n.div_ceil(LANES);
            if kept[i].len() < lines {
                kept[i].resize(lines, Line([0.0; LANES]));
            }
            Shared(kept[i].as_mut_ptr().cast())
        });
        let parallel = rows * panels.len() * COLUMNS * depth >= PARALLEL;
        let each = |n: usize, work: &(dyn Fn(usize) + Sync)| {
            if parallel {
                (0..n).into_par_iter().for_each(work);
            } else {
                (0..n).for_each(work);
            }
        };
        let groups = groups(panels);
        let n_groups = n_left.div_ceil(GROUP) + groups.len();
        each(blocks.len() * n_groups, &|i| {
            let (block, i) = (&blocks[i / n_groups], i % n_groups);
            if let Some(group) = groups.get(i) {
                if !in_place(block.term, &block.term.bs[panels[group.start].source]) {
                    let start = (block.before * panels.len() + group.start * block.depth) * COLUMNS;
                    // SAFETY: the places of these panels are their own, and the caller vouches for the instructions.
                    unsafe { copy_columns::<I>(right.at(start), block, &panels[group.clone()]) };
                }
            } else {
                let first = (i - groups.len()) * GROUP;
                let start = (block.before * n_left + first * block.depth) * I::ROWS;
                // SAFETY: as above.
                unsafe { copy_rows::<I>(left.at(start), block, first..n_left.min(first + GROUP)) };
            }
        });
        // Few rows make small tasks, or the last one would keep the others waiting.
        let width = TASK[1].min(panels.len().div_ceil(FEW_TASKS)).max(1);
        let n_tasks = match n_left.div_ceil(TASK[0] / I::ROWS) {
            1 => [1, panels.len().div_ceil(width)],
            n => [n, panels.len().div_ceil(TASK[1])],
        };
        each(n_tasks[0] * n_tasks[1], &|i| {
            let part = |i: usize, n: usize, of: usize| i * of / n..(i + 1) * of / n;
            let task_rows = part(i % n_tasks[0], n_tasks[0], n_left);
            let task_panels = part(i / n_tasks[0], n_tasks[1], panels.len());
            // A right factor's panel where the tiles read it.
            let panel_at = |block: &Block<'_>, j: usize| {
                let panel = &panels[j];
                let b = block.term.bs[panel.source];
                if !in_place(block.term, &b) {
                    let at = (block.before * panels.len() + j * block.depth) * COLUMNS;
                    return (right.at(at).cast_const(), COLUMNS);
                }
                let at = match b.order {
                    // A panel's first column is a multiple of its width.
                    Order::Panels => panel.column * b.rows + block.first * COLUMNS,
                    _ => block.first * b.row_stride + panel.column,
                };
                (b.data.as_ptr().wrapping_add(at), b.row_stride)
            };
            for (number, block) in blocks.iter().enumerate() {
                for j in task_panels.clone() {
                    let panel = &panels[j];
                    let b = panel_at(block, j);
                    let next = match blocks.get(number + 1) {
                        _ if j + 1 < task_panels.end => panel_at(block, j + 1),
                        Some(next) => panel_at(next, task_panels.start),
                        // Most often the same thread's next task.
                        None => panel_at(&blocks[0], (j + 1) % panels.len()),
                    };
                    for i in task_rows.clone() {
                        let at = i * I::ROWS * panel.stride;
                        let target = panel.target.wrapping_add(at);
                        // The first two tiles ask for one half of the next panel each.
                        let next = match i - task_rows.start {
                            half @ 0..2 if next.1 == COLUMNS => {
                                next.0.wrapping_add(half * block.depth * LANES)
                            }
                            _ => b.0,
                        };
                        let tile = Tile {
                            depth: block.depth,
                            a: left.at((block.before * n_left + i * block.depth) * I::ROWS),
                            b,
                            next,
                            target,
                            start: match number {
                                0 => panel.start.map(|start| start.wrapping_add(at)),
                                _ => Some(target.cast_const()),
                            },
                            stride: panel.stride,
                            scale: block.term.scale,
                            columns: panel.columns,
                        };
                        // SAFETY: both panels have been filled or lie within a view, and the caller vouches for the
                        // target, of which this task alone writes these rows and columns.
                        unsafe { I::tile(&tile, I::ROWS.min(rows - i * I::ROWS)) };
                    }
                }
            }
        });
    }
    PANELS.set(kept);
}

/// Ranges of panels whose columns follow each other in one factor.
fn groups(panels: &[Panel]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (i, panel) in panels.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.len() < GROUP && panels[group.start].source == panel.source => {
                group.end += 1;
            }
            _ => groups.push(i..i + 1),
        }
    }
    groups
}

/// Panels `panels` of the left factor, each as `[depth, ROWS]`, with zeros for rows that are not there.
///
/// # Safety
/// `out` must be valid for `depth * ROWS` numbers per panel; the machine must have the instructions.
unsafe fn copy_rows<I: Instructions>(out: *mut f32, block: &Block<'_>, panels: Range<usize>) {
    let a = &block.term.a;
    let first = panels.start * I::ROWS;
    let n = (panels.end * I::ROWS).min(a.rows) - first;
    let source = a.data.as_ptr().wrapping_add(first * a.row_stride + block.first * a.column_stride);
    let pieces: Vec<Piece> = (0..n.div_ceil(I::ROWS))
        .map(|i| Piece {
            at: i * I::ROWS * block.depth,
            first: i * I::ROWS,
            n: I::ROWS.min(n - i * I::ROWS),
            width: I::ROWS,
        })
        .collect();
    // SAFETY: `n` rows from `first` on and `depth` columns are within the view.
    unsafe { I::copy(out, I::ROWS, source, [a.row_stride, a.column_stride], &pieces, block.depth) };
}

/// Neighbouring panels of a right factor, each as `[depth, COLUMNS]`, with zeros for columns that are not there.
///
/// # Safety
/// `out` must be valid for `depth * COLUMNS` numbers per panel; the machine must have the instructions.
unsafe fn copy_columns<I: Instructions>(out: *mut f32, block: &Block<'_>, panels: &[Panel]) {
    let b = &block.term.bs[panels[0].source];
    if b.order == Order::RowPanels {
        // SAFETY: the caller's.
        unsafe { copy_row_panels::<I>(out, block, b, panels) };
        return;
    }
    let start = panels[0].column;
    let source = b.data.as_ptr().wrapping_add(start * b.column_stride + block.first * b.row_stride);
    let pieces: Vec<Piece> = (panels.iter().enumerate())
        .flat_map(|(i, panel)| [0, LANES].map(|half| (i, half, panel)))
        .map(|(i, half, panel)| Piece {
            at: i * COLUMNS * block.depth + half,
            first: panel.column - start + half,
            n: panel.columns.saturating_sub(half).min(LANES),
            width: LANES,
        })
        .collect();
    // SAFETY: the panels' columns and `depth` rows are within the view.
    unsafe { I::copy(out, COLUMNS, source, [b.column_stride, b.row_stride], &pieces, block.depth) };
}

/// The same from the transpose of a packed matrix, which holds 32 numbers of a column of ours beside each other.
///
/// # Safety
/// As for [`copy_columns`].
unsafe fn copy_row_panels<I: Instructions>(out: *mut f32, block: &Block<'_>, b: &View<'_>, panels: &[Panel]) {
    let mut k = 0;
    while k < block.depth {
        // Up to the end of the half panel of rows.
        let row = block.first + k;
        let n = (LANES - row % LANES).min(block.depth - k);
        for (i, panel) in panels.iter().enumerate() {
            for half in [0, LANES] {
                let columns = panel.columns.saturating_sub(half).min(LANES);
                let at = (row / COLUMNS * b.columns + panel.column + half) * COLUMNS + row % COLUMNS;
                let piece = Piece { at: 0, first: 0, n: columns, width: LANES };
                let source = b.data.as_ptr().wrapping_add(at);
                // SAFETY: the caller's; `n` numbers of each of the columns are within their panel.
                unsafe {
                    let out = out.add((i * block.depth + k) * COLUMNS + half);
                    I::copy(out, COLUMNS, source, [COLUMNS, 1], &[piece], n);
                }
            }
        }
        k += n;
    }
}

/// Up to 16 neighbouring rows or columns of a factor, and where they go.
pub(super) struct Piece {
    /// Place of the first number.
    pub at: usize,
    /// First row or column.
    pub first: usize,
    /// How many there are.
    pub n: usize,
    /// How many to write; those that are not there are 0.
    pub width: usize,
}

/// Some rows of a panel of results.
pub(super) struct Tile {
    pub depth: usize,
    /// `[depth, ROWS]`.
    pub a: *const f32,
    /// `[depth, columns]` with its distance from row to row.
    pub b: (*const f32, usize),
    /// Asked for meanwhile, a cache line per step: what is computed with next.
    pub next: *const f32,
    pub target: *mut f32,
    /// What the results are added to, with the same distance from row to row.
    pub start: Option<*const f32>,
    pub stride: usize,
    pub scale: f32,
    /// Number of columns, up to 32.
    pub columns: usize,
}
