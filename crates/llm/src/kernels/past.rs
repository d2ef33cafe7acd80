//! Keys and values of positions that were read before, as attention reads them.

use std::sync::Arc;

use super::matrix::{Packed, View};

/// Keys (rotated) and values of some positions, head by head: made once, read by every sequence that goes on from there.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// Of each key head: keys `[width, positions]`, values `[positions, width]`.
    heads: Arc<Vec<[Factor; 2]>>,
    positions: usize,
    width: usize,
}

/// A right factor in the order in which this machine's kernels read it.
#[derive(Debug)]
enum Factor {
    Packed(Packed),
    Rows { values: Vec<f32>, shape: [usize; 2] },
}

impl Factor {
    /// From the transpose, `[columns, rows]`.
    fn from_transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Self {
        if Packed::is_supported() {
            return Self::Packed(Packed::from_transposed(values, [rows, columns]));
        }
        let mut out = Vec::with_capacity(values.len());
        for row in 0..rows {
            out.extend(values.iter().skip(row).step_by(rows.max(1)));
        }
        Self::Rows { values: out, shape: [rows, columns] }
    }

    fn from_rows(values: Vec<f32>, shape: [usize; 2]) -> Self {
        match Packed::is_supported() {
            true => Self::Packed(Packed::from_rows(&values, shape)),
            false => Self::Rows { values, shape },
        }
    }

    fn view(&self) -> View<'_> {
        match self {
            Self::Packed(packed) => packed.view(),
            Self::Rows { values, shape } => View::new(values, *shape, shape[1]),
        }
    }

    fn to_rows(&self) -> Vec<f32> {
        match self {
            Self::Packed(packed) => packed.to_rows(),
            Self::Rows { values, .. } => values.clone(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.bytes(),
            Self::Rows { values, .. } => size_of_val(values.as_slice()),
        }
    }
}

impl Past {
    /// From `[positions, n_heads * width]` each.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn new(keys: &[f32], values: &[f32], n_heads: usize, width: usize) -> Self {
        assert_eq!(keys.len(), values.len(), "keys and values of the same positions");
        let stride = n_heads * width;
        let positions = keys.len() / stride;
        let of_head = |rows: &[f32], head: usize| -> Vec<f32> {
            rows.chunks_exact(stride).flat_map(|row| &row[head * width..][..width]).copied().collect()
        };
        let head = |head| {
            [
                Factor::from_transposed(&of_head(keys, head), [width, positions]),
                Factor::from_rows(of_head(values, head), [positions, width]),
            ]
        };
        Self { heads: Arc::new((0..n_heads).map(head).collect()), positions, width }
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Keys of a head, `[width, positions]`, and values, `[positions, width]`.
    pub(super) fn head(&self, head: usize) -> [View<'_>; 2] {
        self.heads[head].each_ref().map(Factor::view)
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.heads.iter().flatten().map(Factor::bytes).sum()
    }

    /// All numbers: the heads in turn, keys before values, each row-major.
    pub fn to_host(&self) -> Vec<f32> {
        self.heads.iter().flatten().flat_map(Factor::to_rows).collect()
    }

    /// From what [`Past::to_host`] gave.
    ///
    /// # Panics
    /// When the number of numbers is another.
    pub fn from_host(host: &[f32], n_heads: usize, width: usize) -> Self {
        let positions = host.len() / (2 * n_heads * width);
        assert_eq!(host.len(), 2 * n_heads * width * positions, "keys and values of whole positions");
        let mut parts = host.chunks_exact((positions * width).max(1)).map(<[f32]>::to_vec);
        let mut next = |shape| Factor::from_rows(parts.next().unwrap_or_default(), shape);
        let heads = (0..n_heads).map(|_| [next([width, positions]), next([positions, width])]).collect();
        Self { heads: Arc::new(heads), positions, width }
    }

    /// Width of a head.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of heads.
    pub fn n_heads(&self) -> usize {
        self.heads.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_to_the_host_and_back() {
        let numbers: Vec<f32> = (0..5 * 2 * 3).map(|i| i as f32).collect();
        let keys: Vec<f32> = numbers.iter().map(|x| -x).collect();
        let past = Past::new(&keys, &numbers, 2, 3);
        assert_eq!((past.positions(), past.n_heads(), past.width()), (5, 2, 3));
        let host = past.to_host();
        // Keys of the first head, position by position in a row; then its values.
        assert_eq!(host[..5], [0.0, -6.0, -12.0, -18.0, -24.0]);
        assert_eq!(host[15..21], [0.0, 1.0, 2.0, 6.0, 7.0, 8.0]);
        let again = Past::from_host(&host, 2, 3);
        assert_eq!(again.to_host(), host);
        assert_eq!(again.positions(), 5);
        assert!(past.bytes() >= size_of_val(host.as_slice()));
    }
}
