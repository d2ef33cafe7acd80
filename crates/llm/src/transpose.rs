//! Between weights as files hold them, `[d_out, d_in]`, and as products read them, `[d_in, d_out]`.

use rayon::prelude::*;

/// Columns of a weight that are read at a time: a cache line.
const BLOCK: usize = 16;

/// Row-major `[rows, columns]` to row-major `[columns, rows]`.
pub(crate) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    debug_assert_eq!(values.len(), rows * columns);
    beside(&[values], columns)
}

/// The transposes of several row-major matrices of equal width `columns` beside each other: `[columns, all rows]`.
pub(crate) fn beside(parts: &[&[f32]], columns: usize) -> Vec<f32> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![0.0; total];
    if total == 0 {
        return out;
    }
    let width = total / columns;
    out.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, out)| {
        let mut at = 0;
        for part in parts {
            for row in part.chunks_exact(columns) {
                let row = &row[block * BLOCK..];
                for (slot, value) in out[at..].iter_mut().step_by(width).zip(row) {
                    *slot = *value;
                }
                at += 1;
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_beside_each_other() {
        let part =
            |rows: usize, from: usize| -> Vec<f32> { (from..from + rows * 37).map(|i| i as f32).collect() };
        let (a, b) = (part(3, 0), part(50, 1000));
        let found = beside(&[&a, &b], 37);
        for column in 0..37 {
            let of_a = a.iter().skip(column).step_by(37);
            let expected: Vec<f32> = of_a.chain(b.iter().skip(column).step_by(37)).copied().collect();
            assert_eq!(found[column * 53..(column + 1) * 53], expected);
        }
        assert_eq!(transpose(&transpose(&b, 50, 37), 37, 50), b);
        assert!(transpose(&[], 0, 4).is_empty() && transpose(&[], 4, 0).is_empty());
    }
}
