//! Matrices that many products have as their right factor, in the order in which the kernels read them.

#![expect(unsafe_code, reason = "lines of floats are read as floats")]

use super::{Order, View, WIDTH};

/// A matrix `[rows, columns]` in panels of [`WIDTH`] columns, `[panel, rows, WIDTH]`, with zeros for columns that are not
/// there. A product reads it in order, where it would have copied another matrix into such panels first.
#[derive(Debug)]
pub(crate) struct Packed {
    lines: Vec<Line>,
    rows: usize,
    columns: usize,
}

/// Rows that are filled together.
const BLOCK: usize = 64;

/// Numbers of a panel's row, at the beginning of a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; WIDTH]);

impl Packed {
    /// Whether this machine has kernels that read it.
    pub fn is_supported() -> bool {
        super::has_kernels()
    }

    /// From the transpose in row-major order, `[columns, rows]`: a linear layer's weight on disk.
    ///
    /// # Panics
    /// When the number of values is another.
    pub fn from_transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(values.len(), rows * columns, "values of a matrix");
        let mut lines = Vec::with_capacity(columns.div_ceil(WIDTH) * rows);
        for panel in values.chunks(WIDTH * rows.max(1)) {
            let first = lines.len();
            lines.resize(first + rows, Line([0.0; WIDTH]));
            // Few rows at a time, which stay in the first-level cache.
            for (block, lines) in lines[first..].chunks_mut(BLOCK).enumerate() {
                for (column, values) in panel.chunks_exact(rows.max(1)).enumerate() {
                    for (line, value) in lines.iter_mut().zip(&values[block * BLOCK..]) {
                        line.0[column] = *value;
                    }
                }
            }
        }
        Self { lines, rows, columns }
    }

    /// From row-major order.
    ///
    /// # Panics
    /// When the number of values is another.
    pub fn from_rows(values: &[f32], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(values.len(), rows * columns, "values of a matrix");
        let mut lines = vec![Line([0.0; WIDTH]); columns.div_ceil(WIDTH) * rows];
        for (row, values) in values.chunks_exact(columns.max(1)).enumerate() {
            for (panel, values) in values.chunks(WIDTH).enumerate() {
                lines[panel * rows + row].0[..values.len()].copy_from_slice(values);
            }
        }
        Self { lines, rows, columns }
    }

    /// Row-major order.
    pub fn to_rows(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.rows * self.columns);
        for row in 0..self.rows {
            for panel in 0..self.columns.div_ceil(WIDTH) {
                let n = WIDTH.min(self.columns - panel * WIDTH);
                values.extend(&self.lines[panel * self.rows + row].0[..n]);
            }
        }
        values
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
    }

    /// The transpose in row-major order, `[columns, rows]`.
    pub fn to_transposed(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.rows * self.columns);
        for column in 0..self.columns {
            let panel = &self.lines[column / WIDTH * self.rows..][..self.rows];
            values.extend(panel.iter().map(|line| line.0[column % WIDTH]));
        }
        values
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns
    }

    /// To be multiplied with.
    pub(in super::super) fn view(&self) -> View<'_> {
        // SAFETY: a line is `WIDTH` floats and nothing else.
        let data = unsafe {
            std::slice::from_raw_parts(self.lines.as_ptr().cast::<f32>(), self.lines.len() * WIDTH)
        };
        View {
            data,
            rows: self.rows,
            columns: self.columns,
            row_stride: WIDTH,
            column_stride: 1,
            order: Order::Panels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_number_in_any_order() {
        for [rows, columns] in [[1, 1], [3, 31], [5, 32], [4, 33], [2, 70], [0, 4], [64, 40], [150, 3]] {
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let packed = Packed::from_rows(&values, [rows, columns]);
            assert_eq!(packed.to_rows(), values);
            let transposed = packed.to_transposed();
            for (i, value) in transposed.iter().enumerate() {
                assert_eq!(*value, values[i % rows * columns + i / rows]);
            }
            let again = Packed::from_transposed(&transposed, [rows, columns]);
            assert_eq!(again.to_rows(), values);
            assert_eq!([again.n_rows(), again.n_columns()], [rows, columns]);
            assert_eq!(again.bytes(), rows * columns.div_ceil(WIDTH) * WIDTH * 4);
        }
    }
}
