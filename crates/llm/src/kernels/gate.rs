//! The gate of the MLP, `silu(gate) * up`, forward and backward. Rows hold the gate, then the up part.

use super::rows::build;
use super::simd::{exp, wide};

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `[rows, 2 n]` to `[rows, n]`.
pub(super) fn forward(gate_up: &[f32], n: usize) -> Vec<f32> {
    build(gate_up.len() / (2 * n), n, |first, y| {
        let gate_up = &gate_up[first * 2 * n..];
        wide(
            #[inline(always)]
            || {
                for (y, row) in y.chunks_exact_mut(n).zip(gate_up.chunks_exact(2 * n)) {
                    let (gate, up) = row.split_at(n);
                    for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
                        *y = g * sigmoid(*g) * u;
                    }
                }
            },
        );
    })
}

/// Gradient of `[rows, 2 n]` from that of `[rows, n]`: with `s = sigmoid(g)`, `dg = dy u s (1 + g (1 - s))` and
/// `du = dy g s`.
pub(super) fn backward(gate_up: &[f32], dy: &[f32], n: usize) -> Vec<f32> {
    build(gate_up.len() / (2 * n), 2 * n, |first, out| {
        let (gate_up, dy) = (&gate_up[first * 2 * n..], &dy[first * n..]);
        wide(
            #[inline(always)]
            || {
                let rows = out.chunks_exact_mut(2 * n).zip(gate_up.chunks_exact(2 * n));
                for ((out, row), dy) in rows.zip(dy.chunks_exact(n)) {
                    let ((gate, up), (d_gate, d_up)) = (row.split_at(n), out.split_at_mut(n));
                    let parts = d_gate.iter_mut().zip(d_up).zip(gate.iter().zip(up)).zip(dy);
                    for (((dg, du), (g, u)), dy) in parts {
                        let s = sigmoid(*g);
                        *dg = dy * u * s * g.mul_add(1.0 - s, 1.0);
                        *du = dy * g * s;
                    }
                }
            },
        );
    })
}
