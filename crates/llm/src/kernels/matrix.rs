//! Matrix products on slices, through the `gemm` crate.
//!
//! Flex's own `matmul` allocates a zeroed result for every product. Here a product can be written beside another one,
//! added to what is there, or read and write blocks of larger matrices, which saves passes over memory.

#![expect(
    unsafe_code,
    reason = "the entry point of `gemm` takes pointers; every view is checked against its slice"
)]

use gemm::Parallelism;

/// Multiplications from which on a product is split over rayon's pool. The split does not change any sum's order.
const PARALLEL: usize = 192 * 192 * 192;

/// A matrix in a slice, read with any positive strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// `[rows, columns]` in row-major order, `stride` numbers from row to row.
    pub fn new(data: &'a [f32], [rows, columns]: [usize; 2], stride: usize) -> Self {
        Self::strided(data, [rows, columns], [stride, 1])
    }

    /// `[rows, columns]` with the given distances between rows and between columns.
    ///
    /// # Panics
    /// When the slice does not reach to the last element.
    pub fn strided(
        data: &'a [f32],
        [rows, columns]: [usize; 2],
        [row_stride, column_stride]: [usize; 2],
    ) -> Self {
        if rows > 0 && columns > 0 {
            let last = (rows - 1) * row_stride + (columns - 1) * column_stride;
            assert!(last < data.len(), "a matrix {rows}x{columns} reaches beyond its {} numbers", data.len());
        }
        Self { data, rows, columns, row_stride, column_stride }
    }

    /// The transpose of the same memory.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Columns `start..start + n`.
    pub fn columns(self, start: usize, n: usize) -> Self {
        assert!(start + n <= self.columns, "columns of a matrix");
        let data = self.data.get(start * self.column_stride..).unwrap_or_default();
        Self { data, columns: n, ..self }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns
    }
}

/// `target = a b`, or `target += a b`, into `target: [a.rows, b.columns]`, whose rows are `stride` numbers apart.
pub(super) fn multiply(target: &mut [f32], stride: usize, a: View<'_>, b: View<'_>, add: bool) {
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    assert!(b.columns <= stride && (a.rows - 1) * stride + b.columns <= target.len(), "a product's target");
    // SAFETY: the target has room for all rows, as was just checked, and is initialised.
    unsafe { write(target.as_mut_ptr(), stride, a, b, add, 1.0) };
}

/// `[a b_0 | a b_1 | ...]`: products with several matrices beside each other in one new matrix, added to `start` when
/// there is one.
pub(super) fn beside(a: View<'_>, bs: &[View<'_>], start: Option<Vec<f32>>) -> Vec<f32> {
    let width: usize = bs.iter().map(|b| b.columns).sum();
    let len = a.rows * width;
    let add = start.is_some();
    let mut out = start.unwrap_or_else(|| Vec::with_capacity(len));
    assert!(out.capacity() >= len && (!add || out.len() == len), "a product's start");
    let mut at = 0;
    for b in bs {
        // SAFETY: rows of `width` numbers have room for the columns `at..at + b.columns`, and there are `a.rows` of
        // them. What is there is read only when it was given and is thus initialised.
        unsafe { write(out.as_mut_ptr().add(at), width, a, *b, add, 1.0) };
        at += b.columns;
    }
    // SAFETY: the blocks cover all columns of all rows, so every number has been written.
    unsafe { out.set_len(len) };
    out
}

/// `sum_i scale_i a_i b_i` in a new matrix.
///
/// # Panics
/// When there is no term or the terms differ in shape.
pub(super) fn sum(terms: &[(View<'_>, View<'_>, f32)]) -> Vec<f32> {
    let [rows, columns] = terms.first().map(|(a, b, _)| [a.rows, b.columns]).expect("a sum has a term");
    assert!(terms.iter().all(|(a, b, _)| [a.rows, b.columns] == [rows, columns]), "shapes of a sum");
    let mut out = Vec::with_capacity(rows * columns);
    for (i, (a, b, scale)) in terms.iter().enumerate() {
        // SAFETY: there is room for `rows * columns` numbers; the first term writes them, the others add to them.
        unsafe { write(out.as_mut_ptr(), columns, *a, *b, i > 0, *scale) };
    }
    // SAFETY: the first term has written every number.
    unsafe { out.set_len(rows * columns) };
    out
}

/// `target = scale a b`, or `target += scale a b`.
///
/// # Safety
/// `target` must be valid for writes of `b.columns` numbers at every multiple of `stride` below `a.rows * stride`, and
/// initialised there when `add` is set; nobody else may use it meanwhile.
unsafe fn write(target: *mut f32, stride: usize, a: View<'_>, b: View<'_>, add: bool, scale: f32) {
    assert_eq!(a.columns, b.rows, "inner widths of a product");
    let (m, n, k) = (a.rows, b.columns, a.columns);
    let work = m.saturating_mul(n).saturating_mul(k);
    let parallelism = if work < PARALLEL { Parallelism::None } else { Parallelism::Rayon(0) };
    let strides = |view: &View<'_>| [view.column_stride as isize, view.row_stride as isize];
    let ([a_cs, a_rs], [b_cs, b_rs]) = (strides(&a), strides(&b));
    let (a, b) = (a.data.as_ptr(), b.data.as_ptr());
    // SAFETY: views reach no further than their slices (checked when they were made), and the caller vouches for the
    // target.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target,
            1,
            stride as isize,
            add,
            a,
            a_cs,
            a_rs,
            b,
            b_cs,
            b_rs,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(a: &View<'_>, b: &View<'_>) -> Vec<f32> {
        let at = |v: &View<'_>, r: usize, c: usize| v.data[r * v.row_stride + c * v.column_stride];
        let one = |r, c| (0..a.columns).map(|i| at(a, r, i) * at(b, i, c)).sum();
        (0..a.rows).flat_map(|r| (0..b.columns).map(move |c| (r, c))).map(|(r, c)| one(r, c)).collect()
    }

    /// Small whole numbers, so that every order of summation gives the same bytes.
    fn whole(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
    }

    #[test]
    fn products_of_blocks_and_transposes() {
        let (x, y) = (whole(5 * 9, 1), whole(6 * 9, 2));
        let a = View::new(&x, [5, 6], 9).columns(1, 4);
        let b = View::new(&y, [6, 4], 9).transposed().columns(2, 3);
        let expected = naive(&a, &b);
        assert_eq!(beside(a, &[b], None), expected);
        let both = beside(a, &[b, b], Some(vec![1.0; 5 * 6]));
        for (row, expected) in both.chunks(6).zip(expected.chunks(3)) {
            let more: Vec<f32> = expected.iter().chain(expected).map(|v| v + 1.0).collect();
            assert_eq!(row, more);
        }
        let mut wide = [2.0; 5 * 7];
        multiply(&mut wide[1..], 7, a, b, true);
        assert_eq!(wide[7 * 4 + 1], 2.0 + expected[3 * 4]);
        assert_eq!((wide[0], wide[4], wide[7]), (2.0, 2.0, 2.0));
        let doubled: Vec<f32> = expected.iter().map(|v| 1.5 * v).collect();
        assert_eq!(sum(&[(a, b, 2.0), (a, b, -0.5)]), doubled);
    }

    #[test]
    #[should_panic(expected = "reaches beyond")]
    fn a_view_ends_where_its_slice_does() {
        View::new(&[0.0; 11], [3, 4], 4);
    }
}
