//! RMSNorm on rows, forward and backward.

use super::rows::{build, build_both, sum_rows};
use super::simd::{dot, fold, wide};

/// `y = x / sqrt(mean(x^2) + eps) * w` for rows of `x`, and the reciprocal roots, one per row.
pub(super) fn forward(x: &[f32], weight: &[f32], eps: f32) -> [Vec<f32>; 2] {
    let d = weight.len();
    build_both(x.len() / d, [d, 1], |first, y, scales| {
        let x = &x[first * d..][..y.len()];
        wide(
            #[inline(always)]
            || {
                for ((y, x), scale) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(scales) {
                    *scale = (dot(x, x) / d as f32 + eps).sqrt().recip();
                    for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                        *y = x * *scale * w;
                    }
                }
            },
        );
    })
}

/// Gradient of the input: `s (w dy - x s^2 mean(x w dy))` with a row's scale `s`, added to `more` when it is there.
pub(super) fn backward(
    x: &[f32],
    weight: &[f32],
    scales: &[f32],
    dy: &[f32],
    more: Option<&[f32]>,
) -> Vec<f32> {
    let d = weight.len();
    build(x.len() / d, d, |first, dx| {
        let (x, dy) = (&x[first * d..][..dx.len()], &dy[first * d..][..dx.len()]);
        let scales = &scales[first..];
        let more = more.map(|more| &more[first * d..][..dx.len()]);
        wide(
            #[inline(always)]
            || {
                for (((dx, x), dy), s) in
                    dx.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(dy.chunks_exact(d)).zip(scales)
                {
                    for ((dx, dy), w) in dx.iter_mut().zip(dy).zip(weight) {
                        *dx = dy * w;
                    }
                    let mean = fold(x, dx, |sum, x, g| x.mul_add(g, sum)) / d as f32;
                    let pull = mean * s * s;
                    for (dx, x) in dx.iter_mut().zip(x) {
                        *dx = s * x.mul_add(-pull, *dx);
                    }
                }
                for (dx, more) in dx.iter_mut().zip(more.unwrap_or_default()) {
                    *dx += more;
                }
            },
        );
    })
}

/// Gradient of the weight: `sum over rows of dy x s`.
pub(super) fn weight_gradient(x: &[f32], scales: &[f32], dy: &[f32], d: usize) -> Vec<f32> {
    sum_rows(scales.len(), d, |rows, sums| {
        wide(
            #[inline(always)]
            || {
                for row in rows {
                    let (x, dy, s) = (&x[row * d..][..d], &dy[row * d..][..d], scales[row]);
                    for ((sum, x), dy) in sums.iter_mut().zip(x).zip(dy) {
                        *sum = (x * s).mul_add(*dy, *sum);
                    }
                }
            },
        );
    })
}
