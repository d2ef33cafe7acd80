//! Loops that compile for the widest vectors of the processor that runs them, whatever the build was made for.

/// Runs `work` compiled for this processor: AVX-512 or AVX2 with fused multiply-add where they are there. Functions
/// that `work` calls take part when they are `#[inline(always)]`.
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    macerator::AutoArch::new().dispatch(work)
}

/// Running sums of a reduction: float addition has a fixed order, so a vector's worth of them is named here.
const LANES: usize = 16;

/// `e^x` with a relative error below 2e-7; 0 below -87.3 (where the result would be subnormal), infinity above 88.7,
/// NaN for NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let y = if x > 88.7 { 88.7 } else { x };
    let y = if y < -87.3 { -87.3 } else { y };
    let shifted = y.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, y));
    // Minimax polynomial of degree 5 for (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2 (Cephes, `expf`).
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r) + 1.0;
    // 2^n is added to the exponent; n is in the low bits of `shifted`.
    let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    let scaled = if x > 88.7 { f32::INFINITY } else { scaled };
    if x < -87.3 { 0.0 } else { scaled }
}

/// `sum x[i] * y[i]`.
#[inline(always)]
pub(super) fn dot(x: &[f32], y: &[f32]) -> f32 {
    fold(x, y, |sum, x, y| x.mul_add(y, sum))
}

/// Sum over pairs with `LANES` running sums, which are added from left to right.
#[inline(always)]
pub(super) fn fold(x: &[f32], y: &[f32], step: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (x, y) in x.iter().zip(y) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum = step(*sum, *x, *y);
        }
    }
    let rest = x_rest.iter().zip(y_rest).fold(0.0, |sum, (x, y)| step(sum, *x, *y));
    sums.iter().sum::<f32>() + rest
}

/// The largest number, -infinity for none; NaN does not count.
#[inline(always)]
pub(super) fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (most, value) in most.iter_mut().zip(chunk) {
            *most = larger(*most, *value);
        }
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, larger);
    rest.iter().copied().fold(most, larger)
}

/// `x[i] = e^(x[i] - shift)`; returns the sum.
#[inline(always)]
pub(super) fn exp_shifted(x: &mut [f32], shift: f32) -> f32 {
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    let mut sums = [0.0f32; LANES];
    for chunk in chunks {
        for (value, sum) in chunk.iter_mut().zip(&mut sums) {
            *value = exp(*value - shift);
            *sum += *value;
        }
    }
    let mut sum = 0.0;
    for value in rest {
        *value = exp(*value - shift);
        sum += *value;
    }
    sums.iter().sum::<f32>() + sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_exact_one() {
        let mut worst = 0.0f64;
        for i in (-870_000..=885_000).step_by(7) {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
        }
        assert!(worst < 2e-7, "{worst}");
        assert_eq!((exp(0.0), exp(-90.0), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert_eq!((exp(89.0), exp(f32::INFINITY)), (f32::INFINITY, f32::INFINITY));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_of_every_length() {
        for n in 0..70 {
            let x: Vec<f32> = (0..n).map(|i| ((i * 5) % 7) as f32 - 3.0).collect();
            let exact: f32 = x.iter().map(|v| v * v).sum();
            assert_eq!(dot(&x, &x), exact);
            assert_eq!(max(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let mut shifted = x.clone();
            let sum = wide(
                #[inline(always)]
                || exp_shifted(&mut shifted, 1.0),
            );
            assert!((sum - shifted.iter().sum::<f32>()).abs() <= 1e-4 * sum);
            assert!(shifted.iter().zip(&x).all(|(e, x)| (e - (x - 1.0).exp()).abs() < 1e-6 * e.abs() + 1e-7));
        }
    }
}
