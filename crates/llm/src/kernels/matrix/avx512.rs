//! The inner loops of [`tiles`](super::tiles) with AVX-512.

use std::arch::x86_64::{
    __m512, __mmask16, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_fmadd_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};

use super::tiles::{AHEAD, Instructions, LANES, Piece, Tile};

/// Rows of a tile: with two registers each, 28 of the 32 registers.
const ROWS: usize = 14;

/// AVX-512.
pub(super) struct Avx512;

impl Avx512 {
    /// Whether this machine has it.
    pub fn is_available() -> bool {
        std::arch::is_x86_feature_detected!("avx512f")
    }
}

impl Instructions for Avx512 {
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

    unsafe fn tile(tile: &Tile, rows: usize) {
        // SAFETY: the caller's.
        unsafe { if tile.columns <= LANES { of_width::<1>(tile, rows) } else { of_width::<2>(tile, rows) } }
    }
}

/// The first `n` lanes of a register, or all.
fn mask(n: usize) -> __mmask16 {
    ((1_u32 << n.min(LANES)) - 1) as __mmask16
}

/// See [`Instructions::copy`].
///
/// # Safety
/// As there.
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

/// # Safety
/// As for [`Instructions::tile`].
#[target_feature(enable = "avx512f")]
unsafe fn of_width<const W: usize>(tile: &Tile, rows: usize) {
    // SAFETY: the caller's.
    unsafe {
        match rows {
            1 => of_size::<1, W>(tile),
            2 => of_size::<2, W>(tile),
            3 => of_size::<3, W>(tile),
            4 => of_size::<4, W>(tile),
            5 => of_size::<5, W>(tile),
            6 => of_size::<6, W>(tile),
            7 => of_size::<7, W>(tile),
            8 => of_size::<8, W>(tile),
            9 => of_size::<9, W>(tile),
            10 => of_size::<10, W>(tile),
            11 => of_size::<11, W>(tile),
            12 => of_size::<12, W>(tile),
            13 => of_size::<13, W>(tile),
            _ => of_size::<ROWS, W>(tile),
        }
    }
}

/// `R` rows of `W` registers.
///
/// # Safety
/// As for [`Instructions::tile`].
#[target_feature(enable = "avx512f")]
#[expect(clippy::needless_range_loop, reason = "indices of constant range become names of registers")]
unsafe fn of_size<const R: usize, const W: usize>(tile: &Tile) {
    let Tile { depth, a, b: (b, step), next, target, start, stride, scale, columns } = *tile;
    let masks = [mask(columns), mask(columns.saturating_sub(LANES))];
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
