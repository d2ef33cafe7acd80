//! Initial values of layers, drawn on the host from streams named by parameter.

use rand_distr::{Distribution, StandardNormal};

/// A matrix `[rows, columns]`, row-major, whose rows (or columns, where there are fewer) are orthogonal with norm
/// `gain` (Saxe et al. 2014; what CleanRL gives its layers). The stream is `init/<name>` of `seed`, so a parameter's
/// values do not depend on which others exist.
pub fn orthogonal(seed: u64, name: &str, [rows, columns]: [usize; 2], gain: f64) -> Vec<f32> {
    let mut rng = trading_env::rng(seed, &format!("init/{name}"));
    let (n, width) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(n);
    while basis.len() < n {
        let mut vector: Vec<f64> = (0..width).map(|_| StandardNormal.sample(&mut rng)).collect();
        // Gram-Schmidt twice: once leaves rounding errors of the size of the angle lost.
        for _ in 0..2 {
            for other in &basis {
                let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
        basis.push(vector);
    }
    let at = |r: usize, c: usize| if rows <= columns { basis[r][c] } else { basis[c][r] };
    (0..rows * columns).map(|i| (gain * at(i / columns, i % columns)) as f32).collect()
}

#[cfg(test)]
mod tests;
