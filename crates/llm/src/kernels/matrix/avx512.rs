//! Matrix products with AVX-512, for the shapes of a transformer.
//!
//! Both factors are copied into panels first, `[k, 14]` of the left and `[k, 32]` of the right one, which the inner
//! loop reads in order; tiles of 14 x 32 results stay in registers (the layout of Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication", 2008). Factors that several products share are copied once, and several
//! products that are added up write their result once per block of `k`.
//!
//! A result is a sum over `k` in rising order, in blocks whose length depends on `k` alone: it is the same number
//! whatever rows and columns stand beside it and whoever computes it.

use std::arch::x86_64::{
    __m512, __mmask16, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_fmadd_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};
use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::{Order, PARALLEL, Panel, Term, View, WIDTH as COLUMNS};

/// Rows of a tile: with two registers each, 28 of the 32 registers.
const ROWS: usize = 14;
/// Numbers in a register.
const LANES: usize = 16;
/// Longest block of `k`: a panel of the right factor is 80 KiB then.
const DEPTH: usize = 640;
/// Panels of the left factor, and of the right one, in a task.
const TASK: [usize; 2] = [5, 8];
/// Tasks of a product of few rows, at least.
const FEW_TASKS: usize = 8;
/// Neighbouring panels that are copied together.
const GROUP: usize = 8;
/// Numbers of the right factor that are copied at once.
const COPIED: usize = 8 << 20;
/// Rows up to which the right factor is read where it stands.
const FEW_ROWS: usize = 2 * ROWS;
/// Numbers of a right factor that are copied for a few rows, too.
const SMALL: usize = 1 << 16;
/// Steps of `k` between a prefetch and its use.
const AHEAD: usize = 16;

/// Whether this machine can.
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
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
/// As there, and [`is_available`] must be true.
pub(super) unsafe fn compute(terms: &[Term<'_>], panels: &[Panel]) {
    let blocks = blocks(terms);
    let rows = terms[0].a.rows;
    let depth: usize = blocks.iter().map(|b| b.depth).sum();
    let copies = terms.iter().any(|term| term.bs.iter().any(|b| !in_place(term, b)));
    // Waiting for others, this thread may begin a product of another task: it finds no panels and makes its own.
    let mut kept = PANELS.take();
    for panels in panels.chunks((COPIED / COLUMNS / depth.max(1)).max(1)) {
        let n_left = rows.div_ceil(ROWS);
        let n_right = if copies { panels.len() } else { 0 };
        let [left, right] = [n_left * ROWS, n_right * COLUMNS].map(|width| width * depth);
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
                    // SAFETY: the places of these panels are their own, and the caller vouches for AVX-512.
                    unsafe { copy_columns(right.at(start), block, &panels[group.clone()]) };
                }
            } else {
                let first = (i - groups.len()) * GROUP;
                let start = (block.before * n_left + first * block.depth) * ROWS;
                // SAFETY: as above.
                unsafe { copy_rows(left.at(start), block, first..n_left.min(first + GROUP)) };
            }
        });
        // Few rows make small tasks, or the last one would keep the others waiting.
        let width = TASK[1].min(panels.len().div_ceil(FEW_TASKS)).max(1);
        let n_tasks = match n_left.div_ceil(TASK[0]) {
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
                        let at = i * ROWS * panel.stride;
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
                            a: left.at((block.before * n_left + i * block.depth) * ROWS),
                            b,
                            next,
                            target,
                            start: match number {
                                0 => panel.start.map(|start| start.wrapping_add(at)),
                                _ => Some(target.cast_const()),
                            },
                            stride: panel.stride,
                            scale: block.term.scale,
                            masks: [mask(panel.columns), mask(panel.columns.saturating_sub(LANES))],
                        };
                        // SAFETY: both panels have been filled or lie within a view, and the caller vouches for the
                        // target, of which this task alone writes these rows and columns.
                        unsafe { tile.compute(ROWS.min(rows - i * ROWS)) };
                    }
                }
            }
        });
    }
    PANELS.set(kept);
}

/// The first `n` lanes of a register, or all.
fn mask(n: usize) -> __mmask16 {
    ((1_u32 << n.min(LANES)) - 1) as __mmask16
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
/// `out` must be valid for `depth * ROWS` numbers per panel; AVX-512 must be available.
#[target_feature(enable = "avx512f")]
unsafe fn copy_rows(out: *mut f32, block: &Block<'_>, panels: Range<usize>) {
    let a = &block.term.a;
    let first = panels.start * ROWS;
    let n = (panels.end * ROWS).min(a.rows) - first;
    let source = a.data.as_ptr().wrapping_add(first * a.row_stride + block.first * a.column_stride);
    let pieces: Vec<Piece> = (0..n.div_ceil(ROWS))
        .map(|i| Piece {
            at: i * ROWS * block.depth,
            first: i * ROWS,
            n: ROWS.min(n - i * ROWS),
            width: ROWS,
        })
        .collect();
    // SAFETY: `n` rows from `first` on and `depth` columns are within the view.
    unsafe { copy(out, ROWS, source, [a.row_stride, a.column_stride], &pieces, block.depth) };
}

/// Neighbouring panels of a right factor, each as `[depth, COLUMNS]`, with zeros for columns that are not there.
///
/// # Safety
/// `out` must be valid for `depth * COLUMNS` numbers per panel; AVX-512 must be available.
#[target_feature(enable = "avx512f")]
unsafe fn copy_columns(out: *mut f32, block: &Block<'_>, panels: &[Panel]) {
    let b = &block.term.bs[panels[0].source];
    if b.order == Order::RowPanels {
        // SAFETY: the caller's.
        unsafe { copy_row_panels(out, block, b, panels) };
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
    unsafe { copy(out, COLUMNS, source, [b.column_stride, b.row_stride], &pieces, block.depth) };
}

/// The same from the transpose of a packed matrix, which holds 32 numbers of a column of ours beside each other.
///
/// # Safety
/// As for [`copy_columns`].
#[target_feature(enable = "avx512f")]
unsafe fn copy_row_panels(out: *mut f32, block: &Block<'_>, b: &View<'_>, panels: &[Panel]) {
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
                    copy(out, COLUMNS, source, [COLUMNS, 1], &[piece], n);
                }
            }
        }
        k += n;
    }
}

/// Up to 16 neighbouring rows or columns of a factor, and where they go.
struct Piece {
    /// Place of the first number.
    at: usize,
    /// First row or column.
    first: usize,
    /// How many there are.
    n: usize,
    /// How many to write; those that are not there are 0.
    width: usize,
}

/// `out[at + k * distance + i] = source[(first + i) * strides[0] + k * strides[1]]` for every piece, `i < n` and
/// `k < depth`, and 0 for `n <= i < width`.
///
/// # Safety
/// These addresses must be valid; AVX-512 must be available.
#[target_feature(enable = "avx512f")]
unsafe fn copy(
    out: *mut f32,
    distance: usize,
    source: *const f32,
    strides: [usize; 2],
    pieces: &[Piece],
    depth: usize,
) {
    let [stride, step] = strides;
    // SAFETY: masked lanes are not touched, so that only the promised addresses are.
    unsafe {
        if stride == 1 {
            // Piece by piece within a row, because rows may lie on different pages.
            for k in 0..depth {
                for Piece { at, first, n, width } in pieces {
                    let row = _mm512_maskz_loadu_ps(mask(*n), source.wrapping_add(first + k * step));
                    _mm512_mask_storeu_ps(out.add(at + k * distance), mask(*width), row);
                }
            }
            return;
        }
        for Piece { at, first, n, width } in pieces {
            let source = source.wrapping_add(first * stride);
            if step == 1 {
                for k in (0..depth).step_by(LANES) {
                    let there = mask(depth - k);
                    let mut square = [_mm512_setzero_ps(); LANES];
                    for (i, row) in square.iter_mut().enumerate().take(*n) {
                        *row = _mm512_maskz_loadu_ps(there, source.wrapping_add(i * stride + k));
                    }
                    for (i, row) in transposed(square).iter().enumerate().take(depth - k) {
                        _mm512_mask_storeu_ps(out.add(at + (k + i) * distance), mask(*width), *row);
                    }
                }
            } else {
                for k in 0..depth {
                    for i in 0..*width {
                        let value = if i < *n { *source.add(i * stride + k * step) } else { 0.0 };
                        *out.add(at + k * distance + i) = value;
                    }
                }
            }
        }
    }
}

/// The transpose of a square of 16 x 16: pairs, then fours, then eights of rows exchange halves.
#[target_feature(enable = "avx512f")]
fn transposed(x: [__m512; LANES]) -> [__m512; LANES] {
    let mut pairs = x;
    for i in (0..LANES).step_by(2) {
        pairs[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    // `fours[4 q + c]` holds, in each quarter of the register, column `4 * quarter + c` of rows `4 q..4 q + 4`.
    let mut fours = pairs;
    for i in (0..LANES).step_by(4) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| _mm512_castps_pd(pairs[i + j]));
        fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    let mut out = fours;
    for c in 0..4 {
        let [a, b, e, f] = [0, 4, 8, 12].map(|q| fours[q + c]);
        // Quarters 0 and 2 of both, and quarters 1 and 3.
        let even = |x, y| _mm512_shuffle_f32x4::<0b10_00_10_00>(x, y);
        let odd = |x, y| _mm512_shuffle_f32x4::<0b11_01_11_01>(x, y);
        out[c] = even(even(a, b), even(e, f));
        out[4 + c] = even(odd(a, b), odd(e, f));
        out[8 + c] = odd(even(a, b), even(e, f));
        out[12 + c] = odd(odd(a, b), odd(e, f));
    }
    out
}

/// Up to 14 x 32 results.
struct Tile {
    depth: usize,
    /// `[depth, ROWS]`.
    a: *const f32,
    /// `[depth, 32]` with its distance from row to row.
    b: (*const f32, usize),
    /// Asked for meanwhile, a cache line per step: what is computed with next.
    next: *const f32,
    target: *mut f32,
    /// What the results are added to, with the same distance from row to row.
    start: Option<*const f32>,
    stride: usize,
    scale: f32,
    masks: [__mmask16; 2],
}

impl Tile {
    /// The first `rows` rows.
    ///
    /// # Safety
    /// The factors and the start must be valid for reads and the target for writes where the masks are set; AVX-512
    /// must be available.
    #[target_feature(enable = "avx512f")]
    unsafe fn compute(&self, rows: usize) {
        // SAFETY: the caller's.
        unsafe { if self.masks[1] == 0 { self.of_width::<1>(rows) } else { self.of_width::<2>(rows) } }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn of_width<const W: usize>(&self, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            match rows {
                1 => self.of_size::<1, W>(),
                2 => self.of_size::<2, W>(),
                3 => self.of_size::<3, W>(),
                4 => self.of_size::<4, W>(),
                5 => self.of_size::<5, W>(),
                6 => self.of_size::<6, W>(),
                7 => self.of_size::<7, W>(),
                8 => self.of_size::<8, W>(),
                9 => self.of_size::<9, W>(),
                10 => self.of_size::<10, W>(),
                11 => self.of_size::<11, W>(),
                12 => self.of_size::<12, W>(),
                13 => self.of_size::<13, W>(),
                _ => self.of_size::<ROWS, W>(),
            }
        }
    }

    /// `R` rows of `W` registers.
    #[target_feature(enable = "avx512f")]
    #[expect(clippy::needless_range_loop, reason = "indices of constant range become names of registers")]
    unsafe fn of_size<const R: usize, const W: usize>(&self) {
        let Self { depth, a, b: (b, step), next, target, start, stride, scale, masks } = *self;
        let read = start.unwrap_or(target);
        let (mut a, mut b, mut next) = (a, b, next);
        let mut sums = [[_mm512_setzero_ps(); W]; R];
        // SAFETY: the caller's; a prefetch may have any address.
        unsafe {
            for r in 0..R {
                for w in 0..W {
                    _mm_prefetch::<_MM_HINT_T0>(read.wrapping_add(r * stride + w * LANES).cast());
                }
            }
            for _ in 0..depth {
                let mut row = [_mm512_setzero_ps(); W];
                for w in 0..W {
                    _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(AHEAD * step + w * LANES).cast());
                    row[w] = _mm512_maskz_loadu_ps(masks[w], b.wrapping_add(w * LANES));
                }
                _mm_prefetch::<_MM_HINT_T0>(a.wrapping_add(AHEAD * ROWS).cast());
                _mm_prefetch::<_MM_HINT_T1>(next.cast());
                next = next.wrapping_add(LANES);
                for r in 0..R {
                    let factor = _mm512_set1_ps(*a.add(r));
                    for w in 0..W {
                        sums[r][w] = _mm512_fmadd_ps(factor, row[w], sums[r][w]);
                    }
                }
                a = a.wrapping_add(ROWS);
                b = b.wrapping_add(step);
            }
            let scale = _mm512_set1_ps(scale);
            for r in 0..R {
                for w in 0..W {
                    let at = r * stride + w * LANES;
                    let sum = if start.is_some() {
                        let before = _mm512_maskz_loadu_ps(masks[w], read.wrapping_add(at));
                        _mm512_fmadd_ps(scale, sums[r][w], before)
                    } else {
                        _mm512_mul_ps(scale, sums[r][w])
                    };
                    _mm512_mask_storeu_ps(target.wrapping_add(at), masks[w], sum);
                }
            }
        }
    }
}
