//! Matrix products on slices: with AVX-512 or AVX2 by our own kernels, else through the `gemm` crate.
//!
//! Flex's own `matmul` allocates a zeroed result for every product. Here a product can be written beside another one,
//! added to what is there, or read and write blocks of larger matrices, which saves passes over memory.

#![expect(
    unsafe_code,
    reason = "kernels write to parts of one matrix from several threads; every view is checked against its slice"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod packed;
#[cfg(target_arch = "x86_64")]
mod tiles;

use gemm::Parallelism;

pub(crate) use packed::Packed;

/// Multiplications from which on a product is split over rayon's pool. The split does not change any sum's order.
const PARALLEL: usize = 192 * 192 * 192;

/// A matrix in a slice, read with any positive strides, or a [`Packed`] one.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    order: Order,
}

/// Where the numbers of a view stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By strides.
    Strided,
    /// In panels of [`WIDTH`] columns, `[panel, rows, WIDTH]`.
    Panels,
    /// The transpose of that: in panels of rows.
    RowPanels,
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
        Self { data, rows, columns, row_stride, column_stride, order: Order::Strided }
    }

    /// The transpose of the same memory.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            order: match self.order {
                Order::Strided => Order::Strided,
                Order::Panels => Order::RowPanels,
                Order::RowPanels => Order::Panels,
            },
            ..self
        }
    }

    /// Columns `start..start + n`.
    pub fn columns(self, start: usize, n: usize) -> Self {
        assert!(start + n <= self.columns, "columns of a matrix");
        assert!(self.order == Order::Strided, "a packed matrix is read as a whole");
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
    let target = target.as_mut_ptr();
    let panels: Vec<Panel> = panels(target, add.then_some(target.cast_const()), stride, &[b]).collect();
    // SAFETY: the target has room for all rows, as was just checked, and is initialised.
    unsafe { compute(&[Term { a, bs: &[b], scale: 1.0 }], &panels) };
}

/// What products are added to.
#[derive(Debug)]
pub(super) enum Start<'a> {
    /// Nothing.
    Zero,
    /// A matrix, which takes the result.
    Own(Vec<f32>),
    /// A matrix that stays as it is.
    Other(&'a [f32]),
}

/// `start + [a b_0 | a b_1 | ...]`: products with several matrices beside each other, in one matrix.
///
/// # Panics
/// When the start has another size.
pub(super) fn beside(a: View<'_>, bs: &[View<'_>], start: Start<'_>) -> Vec<f32> {
    let width: usize = bs.iter().map(|b| b.columns).sum();
    let len = a.rows * width;
    let found = match &start {
        Start::Zero => len,
        Start::Own(start) => start.len(),
        Start::Other(start) => start.len(),
    };
    assert_eq!(found, len, "a product's start");
    let (mut out, start) = match start {
        Start::Zero => (Vec::with_capacity(len), None),
        Start::Own(out) => {
            let start = out.as_ptr();
            (out, Some(start))
        }
        Start::Other(start) => (Vec::with_capacity(len), Some(start.as_ptr())),
    };
    let panels: Vec<Panel> = panels(out.as_mut_ptr(), start, width, bs).collect();
    // SAFETY: rows of `width` numbers have room for the columns of all factors, and there are `a.rows` of them; a
    // start is as large. The panels cover all columns of all rows, so every number has been written.
    unsafe {
        compute(&[Term { a, bs, scale: 1.0 }], &panels);
        out.set_len(len);
    }
    out
}

/// `a b_0`, `a b_1`, ... each in a new matrix.
pub(super) fn apart(a: View<'_>, bs: &[View<'_>]) -> Vec<Vec<f32>> {
    let mut outs: Vec<Vec<f32>> = bs.iter().map(|b| Vec::with_capacity(a.rows * b.columns)).collect();
    let of_one = |(i, (out, b)): (usize, (&mut Vec<f32>, &View<'_>))| {
        let panels = panels(out.as_mut_ptr(), None, b.columns, std::slice::from_ref(b));
        panels.map(move |panel| Panel { source: i, ..panel }).collect::<Vec<_>>()
    };
    let panels: Vec<Panel> = outs.iter_mut().zip(bs).enumerate().flat_map(of_one).collect();
    // SAFETY: each result has room for its columns of all rows, and its panels cover them.
    unsafe {
        compute(&[Term { a, bs, scale: 1.0 }], &panels);
        outs.iter_mut().zip(bs).for_each(|(out, b)| out.set_len(a.rows * b.columns));
    }
    outs
}

/// `sum_i scale_i a_i b_i` in a new matrix.
///
/// # Panics
/// When there is no term or the terms differ in shape.
pub(super) fn sum(terms: &[(View<'_>, View<'_>, f32)]) -> Vec<f32> {
    let [rows, columns] = terms.first().map(|(a, b, _)| [a.rows, b.columns]).expect("a sum has a term");
    assert!(terms.iter().all(|(a, b, _)| [a.rows, b.columns] == [rows, columns]), "shapes of a sum");
    let mut out = Vec::with_capacity(rows * columns);
    let panels: Vec<Panel> = panels(out.as_mut_ptr(), None, columns, &[terms[0].1]).collect();
    let terms: Vec<Term<'_>> = terms
        .iter()
        .map(|(a, b, scale)| Term { a: *a, bs: std::slice::from_ref(b), scale: *scale })
        .collect();
    // SAFETY: there is room for `rows * columns` numbers, and the panels cover them.
    unsafe {
        compute(&terms, &panels);
        out.set_len(rows * columns);
    }
    out
}

/// One term of a sum of products: `scale * a` times each of `bs`.
struct Term<'a> {
    a: View<'a>,
    bs: &'a [View<'a>],
    scale: f32,
}

impl Term<'_> {
    fn is_packed(&self) -> bool {
        self.bs.iter().any(|b| b.order != Order::Strided)
    }
}

/// A few columns of a result.
#[derive(Debug, Clone, Copy)]
struct Panel {
    /// First number of the first row.
    target: *mut f32,
    /// The same place in what the result is added to, which may be the target itself.
    start: Option<*const f32>,
    /// Distance from row to row.
    stride: usize,
    /// Index of the right factor whose columns make them, in every term.
    source: usize,
    /// First column there.
    column: usize,
    /// Number of columns, up to [`WIDTH`].
    columns: usize,
}

// SAFETY: panels of one product do not overlap.
unsafe impl Send for Panel {}
// SAFETY: as above.
unsafe impl Sync for Panel {}

/// Most columns of a panel.
const WIDTH: usize = 32;

/// The panels of factors whose results stand beside each other from `target` on.
fn panels(
    target: *mut f32,
    origin: Option<*const f32>,
    stride: usize,
    bs: &[View<'_>],
) -> impl Iterator<Item = Panel> {
    let mut first = 0;
    bs.iter().enumerate().flat_map(move |(source, b)| {
        let start = first;
        first += b.columns;
        let n = b.columns;
        (0..n).step_by(WIDTH).map(move |column| Panel {
            target: target.wrapping_add(start + column),
            start: origin.map(|origin| origin.wrapping_add(start + column)),
            stride,
            source,
            column,
            columns: WIDTH.min(n - column),
        })
    })
}

/// Whether this machine has what our own kernels need.
fn has_kernels() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx512::Avx512::is_available() || avx2::Avx2::is_available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Writes `start + sum_t scale_t a_t b_t` to the panels' columns. All terms have as many rows, as many
/// right factors and factors as wide as the first has.
///
/// # Safety
/// The panels' targets must be valid for writes of their columns in every row and their starts for reads; targets must
/// not overlap, and nobody else may use them meanwhile.
unsafe fn compute(terms: &[Term<'_>], panels: &[Panel]) {
    let first = &terms[0];
    for term in terms {
        assert_eq!(term.a.rows, first.a.rows, "rows of a sum");
        assert_eq!(term.bs.len(), first.bs.len(), "factors of a sum");
        for (b, like) in term.bs.iter().zip(first.bs) {
            assert_eq!(term.a.columns, b.rows, "inner widths of a product");
            assert_eq!(b.columns, like.columns, "columns of a sum");
        }
    }
    // Packed factors are for our own kernels alone, so what is added to them is theirs too.
    #[cfg(target_arch = "x86_64")]
    if terms.iter().any(Term::is_packed) || terms.iter().all(tiles::suits) {
        // SAFETY: the caller's.
        unsafe {
            if avx512::Avx512::is_available() {
                return tiles::compute::<avx512::Avx512>(terms, panels);
            }
            if avx2::Avx2::is_available() {
                return tiles::compute::<avx2::Avx2>(terms, panels);
            }
        }
    }
    let strided = |view: &View<'_>| view.order == Order::Strided;
    let plain = terms.iter().all(|term| strided(&term.a) && term.bs.iter().all(strided));
    assert!(plain, "only our own kernels read packed matrices");
    for panel in panels {
        if let Some(start) = panel.start.filter(|start| *start != panel.target.cast_const()) {
            for row in 0..first.a.rows {
                let at = row * panel.stride;
                // SAFETY: the caller's; a start that is not the target lies elsewhere.
                unsafe { start.add(at).copy_to_nonoverlapping(panel.target.add(at), panel.columns) };
            }
        }
    }
    for (i, term) in terms.iter().enumerate() {
        for (source, b) in term.bs.iter().enumerate() {
            // The panels of a factor stand beside each other, the first one first.
            if let Some(panel) = panels.iter().find(|panel| panel.source == source) {
                // SAFETY: the caller's.
                unsafe { by_library(panel, term.a, *b, panel.start.is_some() || i > 0, term.scale) };
            }
        }
    }
}

/// Gives back the memory that products of this thread keep for the next ones.
pub(crate) fn release_panels() {
    #[cfg(target_arch = "x86_64")]
    tiles::release_panels();
}

/// One whole product through the `gemm` crate, to a target that begins where `start` does.
///
/// # Safety
/// As for [`compute`].
unsafe fn by_library(start: &Panel, a: View<'_>, b: View<'_>, add: bool, scale: f32) {
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
            start.target,
            1,
            start.stride as isize,
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
        assert_eq!(beside(a, &[b], Start::Zero), expected);
        let both = beside(a, &[b, b], Start::Own(vec![1.0; 5 * 6]));
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

    /// Every shape around the sizes of tiles, panels and blocks, with both factors as they are and transposed.
    #[test]
    fn sums_of_products_of_any_shape() {
        for (i, [m, k, n]) in [
            [1, 1, 1],
            [1, 7, 40],
            [3, 0, 5],
            [13, 16, 31],
            [14, 17, 32],
            [15, 33, 33],
            [28, 640, 16],
            [29, 641, 17],
            [29, 300, 300],
            [43, 1281, 65],
            [200, 70, 300],
            [300, 5, 3],
            [2, 300, 300],
        ]
        .into_iter()
        .enumerate()
        {
            let (x, y, z) = (whole(m * k, i), whole(k * n, i + 1), whole(k * n, i + 2));
            let plain = |data, [r, c]: [usize; 2]| View::new(data, [r, c], c);
            for [left, right] in [[false, false], [false, true], [true, false], [true, true]] {
                let a = if left { plain(&x, [k, m]).transposed() } else { plain(&x, [m, k]) };
                let of = |y| if right { plain(y, [n, k]).transposed() } else { plain(y, [k, n]) };
                let (b, c) = (of(&y), of(&z));
                let (by_b, by_c) = (naive(&a, &b), naive(&a, &c));
                let expected: Vec<f32> = by_b.iter().zip(&by_c).map(|(b, c)| b * 2.0 - c).collect();
                let at = format!("{m}x{k}x{n}, transposed {left} {right}");
                assert!(sum(&[(a, b, 2.0), (a, c, -1.0)]) == expected, "sum {at}");
                assert!(apart(a, &[b, c]) == [by_b.clone(), by_c], "apart {at}");
                let start = vec![3.0; m * n];
                let added: Vec<f32> = by_b.iter().map(|b| b + 3.0).collect();
                assert!(beside(a, &[b], Start::Other(&start)) == added, "beside {at}");
                assert!(beside(a, &[b], Start::Own(start)) == added, "beside {at}");
            }
        }
    }

    /// The gradient of an input of a frozen weight with an adapter, whose factor is too large to be copied for a few rows
    /// alone.
    #[test]
    fn a_packed_factor_and_a_large_transpose_in_one_sum() {
        if !has_kernels() {
            println!("skipped: without our own kernels nothing is packed");
            return;
        }
        let (rows, columns, rank, d_in) = (8, 40, 16, 4864);
        let (dy, low) = (whole(rows * columns, 1), whole(rows * rank, 2));
        let (w, a) = (whole(d_in * columns, 3), whole(d_in * rank, 4));
        let packed = Packed::from_rows(&w, [d_in, columns]);
        let (dy, low) = (View::new(&dy, [rows, columns], columns), View::new(&low, [rows, rank], rank));
        let a = View::new(&a, [d_in, rank], rank).transposed();
        let w = View::new(&w, [d_in, columns], columns).transposed();
        let expected: Vec<f32> = naive(&dy, &w).iter().zip(naive(&low, &a)).map(|(w, a)| w + a).collect();
        assert!(sum(&[(dy, packed.view().transposed(), 1.0), (low, a, 1.0)]) == expected);
    }

    /// What stands beside a row does not change its bytes.
    #[test]
    fn a_row_does_not_depend_on_others() {
        if !has_kernels() {
            println!("skipped: holds for our own kernels, whose instructions this machine does not have");
            return;
        }
        let random = |n: usize, name| crate::init::normal(1, name, n, 1.0);
        let (m, k, n) = (250, 1300, 200);
        let (x, y) = (random(m * k, "x"), random(k * n, "y"));
        let b = View::new(&y, [k, n], n);
        let all = beside(View::new(&x, [m, k], k), &[b], Start::Zero);
        for rows in [0..1, 5..25, 14..100, 249..250] {
            let part = beside(View::new(&x[rows.start * k..], [rows.len(), k], k), &[b], Start::Zero);
            assert!(part == all[rows.start * n..rows.end * n], "rows {rows:?}");
        }
        let columns = beside(View::new(&x, [m, k], k), &[b.columns(33, 50)], Start::Zero);
        let expected = all.chunks(n).flat_map(|row| row[33..83].to_vec()).collect::<Vec<_>>();
        assert!(columns == expected, "columns");
    }

    #[test]
    #[should_panic(expected = "reaches beyond")]
    fn a_view_ends_where_its_slice_does() {
        View::new(&[0.0; 11], [3, 4], 4);
    }
}
