//! The inner loops of [`tiles`](super::tiles) with AVX2 and fused multiply-add.

use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _MM_HINT_T1, _MM_TRANSPOSE4_PS, _mm_castps_si128, _mm_loadl_epi64, _mm_loadu_ps,
    _mm_movehl_ps, _mm_prefetch, _mm_storel_epi64, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps,
    _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_storeu_ps,
};

use super::tiles::{AHEAD, Instructions, LANES, Piece, Tile};

/// Rows of a tile: with two registers each, 12 of the 16 registers.
const ROWS: usize = 6;
/// Numbers in a register.
const WIDTH: usize = 8;

/// AVX2 with fused multiply-add.
pub(super) struct Avx2;

impl Avx2 {
    /// Whether this machine has it.
    pub fn is_available() -> bool {
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
    }
}

impl Instructions for Avx2 {
    const ROWS: usize = ROWS;

    unsafe fn copy(
        out: *mut f32,
        distance: usize,
        source: *const f32,
        strides: [usize; 2],
        pieces: &[Piece],
        depth: usize,
    ) {
        // SAFETY: the caller's.
        unsafe { copy(out, distance, source, strides, pieces, depth) }
    }

    /// In halves of 16 columns.
    unsafe fn tile(tile: &Tile, rows: usize) {
        for first in (0..tile.columns).step_by(LANES) {
            let columns = (tile.columns - first).min(LANES);
            // SAFETY: the caller's.
            unsafe {
                match (columns.div_ceil(WIDTH), columns.is_multiple_of(WIDTH)) {
                    (1, true) => of_width::<1, false>(tile, first, rows),
                    (1, false) => of_width::<1, true>(tile, first, rows),
                    (_, true) => of_width::<2, false>(tile, first, rows),
                    (_, false) => of_width::<2, true>(tile, first, rows),
                }
            }
        }
    }
}

/// See [`Instructions::copy`].
///
/// # Safety
/// As there.
#[target_feature(enable = "avx2")]
unsafe fn copy(
    out: *mut f32,
    distance: usize,
    source: *const f32,
    strides: [usize; 2],
    pieces: &[Piece],
    depth: usize,
) {
    let [stride, step] = strides;
    // SAFETY: the caller's; whole squares are read and written where all their numbers are there.
    unsafe {
        if stride == 1 {
            // Piece by piece within a row, because rows may lie on different pages.
            for k in 0..depth {
                for Piece { at, first, n, width } in pieces {
                    let (out, source) = (out.add(at + k * distance), source.wrapping_add(first + k * step));
                    if *n == LANES {
                        _mm256_storeu_ps(out, _mm256_loadu_ps(source));
                        _mm256_storeu_ps(out.add(WIDTH), _mm256_loadu_ps(source.add(WIDTH)));
                    } else if *n == ROWS && *width == ROWS {
                        _mm_storeu_ps(out, _mm_loadu_ps(source));
                        _mm_storel_epi64(out.add(4).cast(), _mm_loadl_epi64(source.add(4).cast()));
                    } else {
                        for i in 0..*width {
                            *out.add(i) = if i < *n { *source.add(i) } else { 0.0 };
                        }
                    }
                }
            }
            return;
        }
        for Piece { at, first, n, width } in pieces {
            for lane in (0..*width).step_by(4) {
                let out = out.add(at + lane);
                let source = source.wrapping_add((first + lane) * stride);
                let (n, width) = (n.saturating_sub(lane), (width - lane).min(4));
                let squares = if step == 1 { depth / 4 * 4 } else { 0 };
                let done = match (width, n) {
                    (4, 4..) => {
                        for k in (0..squares).step_by(4) {
                            fours(out.add(k * distance), distance, source.add(k), stride);
                        }
                        squares
                    }
                    (2, 2..) => {
                        for k in (0..squares).step_by(4) {
                            pairs(out.add(k * distance), distance, source.add(k), stride);
                        }
                        squares
                    }
                    _ => 0,
                };
                for k in done..depth {
                    for i in 0..width {
                        let value = if i < n { *source.add(i * stride + k * step) } else { 0.0 };
                        *out.add(k * distance + i) = value;
                    }
                }
            }
        }
    }
}

/// The transpose of a square of 4 x 4.
///
/// # Safety
/// Four numbers at each of four addresses must be valid for reads and writes.
#[target_feature(enable = "avx2")]
unsafe fn fours(out: *mut f32, distance: usize, source: *const f32, stride: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut a = _mm_loadu_ps(source);
        let mut b = _mm_loadu_ps(source.add(stride));
        let mut c = _mm_loadu_ps(source.add(2 * stride));
        let mut d = _mm_loadu_ps(source.add(3 * stride));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        _mm_storeu_ps(out, a);
        _mm_storeu_ps(out.add(distance), b);
        _mm_storeu_ps(out.add(2 * distance), c);
        _mm_storeu_ps(out.add(3 * distance), d);
    }
}

/// Two rows of four as four of two.
///
/// # Safety
/// Four numbers at each of two addresses must be valid for reads, two at each of four for writes.
#[target_feature(enable = "avx2")]
unsafe fn pairs(out: *mut f32, distance: usize, source: *const f32, stride: usize) {
    // SAFETY: the caller's.
    unsafe {
        let (a, b) = (_mm_loadu_ps(source), _mm_loadu_ps(source.add(stride)));
        let (low, high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let rows = [low, _mm_movehl_ps(low, low), high, _mm_movehl_ps(high, high)];
        for (k, row) in rows.into_iter().enumerate() {
            _mm_storel_epi64(out.add(k * distance).cast(), _mm_castps_si128(row));
        }
    }
}

/// The first `n` lanes of a register, or all.
#[target_feature(enable = "avx2")]
fn mask(n: usize) -> __m256i {
    /// As many that are set as there are lanes, then as many that are not.
    const LANES_OF: [i32; 2 * WIDTH] = {
        let mut lanes = [0; 2 * WIDTH];
        let mut i = 0;
        while i < WIDTH {
            lanes[i] = -1;
            i += 1;
        }
        lanes
    };
    // SAFETY: eight numbers from any of the first nine on are within the table.
    unsafe { _mm256_loadu_si256(LANES_OF[WIDTH - n.min(WIDTH)..].as_ptr().cast()) }
}

/// # Safety
/// As for [`Instructions::tile`], for `W` registers of columns from `first` on.
#[target_feature(enable = "avx2,fma")]
unsafe fn of_width<const W: usize, const MASKED: bool>(tile: &Tile, first: usize, rows: usize) {
    // SAFETY: the caller's.
    unsafe {
        match rows {
            1 => of_size::<1, W, MASKED>(tile, first),
            2 => of_size::<2, W, MASKED>(tile, first),
            3 => of_size::<3, W, MASKED>(tile, first),
            4 => of_size::<4, W, MASKED>(tile, first),
            5 => of_size::<5, W, MASKED>(tile, first),
            _ => of_size::<ROWS, W, MASKED>(tile, first),
        }
    }
}

/// `R` rows of `W` registers, whose columns are not all there when `MASKED` is set.
///
/// # Safety
/// As for [`Instructions::tile`].
#[target_feature(enable = "avx2,fma")]
#[expect(clippy::needless_range_loop, reason = "indices of constant range become names of registers")]
unsafe fn of_size<const R: usize, const W: usize, const MASKED: bool>(tile: &Tile, first: usize) {
    let Tile { depth, a, b: (b, step), next, target, start, stride, scale, columns } = *tile;
    let mut masks = [_mm256_setzero_si256(); W];
    for w in 0..W {
        masks[w] = mask((columns - first).saturating_sub(w * WIDTH));
    }
    let target = target.wrapping_add(first);
    let start = start.map(|start| start.wrapping_add(first));
    let read = start.unwrap_or(target);
    let (mut a, mut b, mut next) = (a, b.wrapping_add(first), next);
    // The first half asks for the whole of what comes next.
    let further = if first == 0 { LANES } else { 0 };
    let mut sums = [[_mm256_setzero_ps(); W]; R];
    // SAFETY: the caller's; masked lanes are not touched; a prefetch may have any address.
    unsafe {
        let load = |w: usize, at: *const f32| {
            if MASKED { _mm256_maskload_ps(at, masks[w]) } else { _mm256_loadu_ps(at) }
        };
        for r in 0..R {
            _mm_prefetch::<_MM_HINT_T0>(read.wrapping_add(r * stride).cast());
        }
        // Plain additions of what was computed before: this loop is checked for nothing.
        let ahead = AHEAD.wrapping_mul(step);
        let end = a.wrapping_add(depth.wrapping_mul(ROWS));
        while a < end {
            let mut row = [_mm256_setzero_ps(); W];
            for w in 0..W {
                row[w] = load(w, b.wrapping_add(w * WIDTH));
            }
            _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(ahead).cast());
            _mm_prefetch::<_MM_HINT_T1>(next.cast());
            for r in 0..R {
                let factor = _mm256_set1_ps(*a.wrapping_add(r));
                for w in 0..W {
                    sums[r][w] = _mm256_fmadd_ps(factor, row[w], sums[r][w]);
                }
            }
            next = next.wrapping_add(further);
            a = a.wrapping_add(ROWS);
            b = b.wrapping_add(step);
        }
        let scale = _mm256_set1_ps(scale);
        for r in 0..R {
            for w in 0..W {
                let at = r * stride + w * WIDTH;
                let sum = if start.is_some() {
                    _mm256_fmadd_ps(scale, sums[r][w], load(w, read.wrapping_add(at)))
                } else {
                    _mm256_mul_ps(scale, sums[r][w])
                };
                let target = target.wrapping_add(at);
                if MASKED {
                    _mm256_maskstore_ps(target, masks[w], sum);
                } else {
                    _mm256_storeu_ps(target, sum);
                }
            }
        }
    }
}
