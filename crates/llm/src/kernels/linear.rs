//! Products of one input with several weights beside each other, with biases, adapters and a residual connection, as
//! one operation.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::graph::{Operand, record, tensor, values, view};
use super::matrix::{Packed, Start, View, apart, beside, multiply, sum};
use super::rows::{for_each_block, sum_rows};
use super::simd::wide;
use crate::decoder::Weight;

/// Low-rank update of some columns of a result: `+= scale * (x A) B`.
pub(crate) struct Update {
    /// First column.
    pub first: usize,
    /// What stands for `x` here, after dropout.
    pub input: Option<Tensor<2>>,
    /// `[d_in, rank]`.
    pub a: Tensor<2>,
    /// `[rank, columns]`.
    pub b: Tensor<2>,
    /// Factor.
    pub scale: f32,
}

/// `residual + [x W_0 | x W_1 | ...] + bias`, with updates.
pub(crate) struct Linear {
    /// `[d_in, columns]` each; their columns follow each other.
    pub weights: Vec<Weight>,
    /// `(first column, [1, columns])`.
    pub biases: Vec<(usize, Tensor<2>)>,
    /// Adapters.
    pub updates: Vec<Update>,
    /// `[rows, all columns]`.
    pub residual: Option<Residual>,
}

/// What products are added to.
pub(crate) enum Residual {
    /// Any tensor.
    Tensor(Tensor<2>),
    /// The input of a norm from whose output the products are derived.
    OfNorm {
        /// Its values.
        values: FlexTensor,
        /// The way of the gradient, when it is wanted.
        passed: Option<Passed>,
    },
}

/// A gradient on its way from a product to the norm that its residual is the input of, past burn's graph: the norm,
/// whose backward pass comes later, adds it where it writes its own, in place of another pass over memory.
#[derive(Clone, Default)]
pub(crate) struct Passed(Arc<Mutex<Option<FlexTensor>>>);

impl Passed {
    fn put(&self, gradient: FlexTensor) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradient);
    }

    /// What was put, once.
    pub fn take(&self) -> Option<FlexTensor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the backward pass needs of an adapter.
struct Kept {
    first: usize,
    input: Option<FlexTensor>,
    a: FlexTensor,
    b: FlexTensor,
    scale: f32,
    /// `scale * x A`.
    low: Vec<f32>,
}

impl Linear {
    /// The result for `x: [rows, d_in]`.
    pub fn apply(self, x: Tensor<2>) -> Tensor<2> {
        let x = Operand::contiguous(x);
        let (weights, tensors): (Vec<Factor>, Vec<Option<Operand>>) =
            self.weights.into_iter().map(factor).unzip();
        let biases: Vec<(usize, Operand)> =
            self.biases.into_iter().map(|(first, b)| (first, Operand::contiguous(b))).collect();
        let (residual, passed) = match self.residual {
            None => (None, None),
            Some(Residual::Tensor(residual)) => (Some(Operand::contiguous(residual)), None),
            Some(Residual::OfNorm { values, passed }) => (Some(Operand::untracked(values)), passed),
        };

        let x_view = view(&x.tensor);
        let weight_views: Vec<View<'_>> = weights.iter().map(Factor::view).collect();
        let rows = x_view.n_rows();
        let width: usize = weight_views.iter().map(View::n_columns).sum();
        let start = start(rows, width, &biases, residual.as_ref());
        let mut out = beside(x_view, &weight_views, start);

        let mut kept = Vec::with_capacity(self.updates.len());
        let mut factors = Vec::with_capacity(2 * self.updates.len());
        for Update { first, input, a, b, scale } in self.updates {
            let (input, a, b) = (input.map(Operand::contiguous), Operand::new(a), Operand::new(b));
            let low = sum(&[(input.as_ref().map_or(x_view, |i| view(&i.tensor)), view(&a.tensor), scale)]);
            let rank = view(&a.tensor).n_columns();
            multiply(&mut out[first..], width, View::new(&low, [rows, rank], rank), view(&b.tensor), true);
            let tensor = |operand: &Operand| operand.tensor.clone();
            kept.push(Kept {
                first,
                input: input.as_ref().map(tensor),
                a: tensor(&a),
                b: tensor(&b),
                scale,
                low,
            });
            factors.extend(input.into_iter().chain([a, b]));
        }

        let backward = Backward {
            x: x.tensor.clone(),
            weights,
            biases: biases.iter().map(|(first, b)| (*first, values(&b.tensor).len())).collect(),
            has_residual: residual.is_some(),
            passed,
            updates: kept,
        };
        let mut operands = vec![x];
        operands.extend(tensors.into_iter().flatten());
        operands.extend(biases.into_iter().map(|(_, b)| b));
        operands.extend(residual);
        operands.extend(factors);
        record(operands, tensor(out, &[rows, width]), move |dy, wanted| backward.gradients(dy, wanted))
    }
}

/// What the products are added to.
fn start<'a>(
    rows: usize,
    width: usize,
    biases: &[(usize, Operand)],
    residual: Option<&'a Operand>,
) -> Start<'a> {
    let residual = residual.map(|residual| values(&residual.tensor));
    let mut out = match residual {
        Some(residual) if biases.is_empty() => return Start::Other(residual),
        None if biases.is_empty() => return Start::Zero,
        Some(residual) => residual.to_vec(),
        None => vec![0.0; rows * width],
    };
    for (first, bias) in biases {
        let bias = values(&bias.tensor);
        for_each_block(&mut out, width, |_, block| {
            for row in block.chunks_exact_mut(width) {
                for (y, b) in row[*first..].iter_mut().zip(bias) {
                    *y += b;
                }
            }
        });
    }
    Start::Own(out)
}

/// A right factor.
enum Factor {
    Tensor(FlexTensor),
    Packed(Arc<Packed>),
}

impl Factor {
    fn view(&self) -> View<'_> {
        match self {
            Self::Tensor(tensor) => view(tensor),
            Self::Packed(packed) => packed.view(),
        }
    }
}

/// A weight as a factor, and as an operand if it is a tensor.
fn factor(weight: Weight) -> (Factor, Option<Operand>) {
    match weight {
        Weight::Tensor(tensor) => {
            let operand = Operand::new(tensor);
            (Factor::Tensor(operand.tensor.clone()), Some(operand))
        }
        Weight::Packed(packed) => (Factor::Packed(packed), None),
    }
}

struct Backward {
    x: FlexTensor,
    weights: Vec<Factor>,
    /// First column and number of columns.
    biases: Vec<(usize, usize)>,
    has_residual: bool,
    passed: Option<Passed>,
    updates: Vec<Kept>,
}

impl Backward {
    /// Gradients of input, weights, biases, residual, and of every update's input (when it has its own) and factors.
    fn gradients(&self, dy: &FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy_view = view(dy);
        let x = view(&self.x);
        let mut wanted = wanted.iter().copied();
        let mut next = || wanted.next().unwrap_or(false);
        let x_wanted = next();
        let weights: Vec<View<'_>> = self.weights.iter().map(Factor::view).collect();
        let mut parts = Vec::with_capacity(weights.len());
        let mut first = 0;
        for weight in &weights {
            parts.push(dy_view.columns(first, weight.n_columns()));
            first += weight.n_columns();
        }
        // Gradients of `x A`, with the scale.
        let lows: Vec<Vec<f32>> = self.updates.iter().map(|u| u.low_gradient(dy_view)).collect();

        let mut found = vec![x_wanted.then(|| self.input_gradient(&parts, &weights, &lows))];
        // Packed weights are no operands.
        let tensors = parts.iter().zip(&self.weights).filter(|(_, w)| matches!(w, Factor::Tensor(_)));
        let parts_of_tensors: Vec<View<'_>> = tensors.map(|(part, _)| *part).collect();
        let wanted_weights: Vec<bool> = parts_of_tensors.iter().map(|_| next()).collect();
        found.extend(weight_gradients(x, &parts_of_tensors, &wanted_weights));
        for (first, n) in &self.biases {
            found.push(next().then(|| tensor(column_sums(dy, *first, *n), &[1, *n])));
        }
        if let Some(passed) = &self.passed {
            passed.put(dy.clone());
        }
        if self.has_residual {
            found.push(next().then(|| dy.clone()));
        }
        for (update, low) in self.updates.iter().zip(&lows) {
            let rank = view(&update.a).n_columns();
            let rows = x.n_rows();
            let d_low = View::new(low, [rows, rank], rank);
            let input = update.input.as_ref().map(view);
            if input.is_some() {
                found.push(next().then(|| product(d_low, view(&update.a).transposed())));
            }
            found.push(next().then(|| product(input.unwrap_or(x).transposed(), d_low)));
            let low = View::new(&update.low, [rows, rank], rank);
            let dy = dy_view.columns(update.first, view(&update.b).n_columns());
            found.push(next().then(|| product(low.transposed(), dy)));
        }
        found
    }

    fn input_gradient(&self, parts: &[View<'_>], weights: &[View<'_>], lows: &[Vec<f32>]) -> FlexTensor {
        let of_weights = parts.iter().zip(weights).map(|(dy, w)| (*dy, w.transposed(), 1.0));
        let of_updates = self.updates.iter().zip(lows).filter(|(update, _)| update.input.is_none());
        let of_updates = of_updates.map(|(update, low)| {
            let a = view(&update.a);
            let rank = a.n_columns();
            (View::new(low, [low.len() / rank, rank], rank), a.transposed(), 1.0)
        });
        let terms: Vec<_> = of_weights.chain(of_updates).collect();
        let x = view(&self.x);
        tensor(sum(&terms), &[x.n_rows(), x.n_columns()])
    }
}

impl Kept {
    /// `scale * dy B^T`.
    fn low_gradient(&self, dy: View<'_>) -> Vec<f32> {
        let b = view(&self.b);
        sum(&[(dy.columns(self.first, b.n_columns()), b.transposed(), self.scale)])
    }
}

/// `x^T dy` for each wanted part of `dy`.
fn weight_gradients(x: View<'_>, parts: &[View<'_>], wanted: &[bool]) -> Vec<Option<FlexTensor>> {
    let chosen: Vec<View<'_>> =
        parts.iter().zip(wanted).filter(|(_, w)| **w).map(|(part, _)| *part).collect();
    let mut found = if chosen.is_empty() { Vec::new() } else { apart(x.transposed(), &chosen) }.into_iter();
    let each = parts.iter().zip(wanted);
    each.map(|(part, wanted)| {
        let gradient = if *wanted { found.next() } else { None };
        gradient.map(|values| tensor(values, &[x.n_columns(), part.n_columns()]))
    })
    .collect()
}

fn product(a: View<'_>, b: View<'_>) -> FlexTensor {
    tensor(sum(&[(a, b, 1.0)]), &[a.n_rows(), b.n_columns()])
}

fn column_sums(dy: &FlexTensor, first: usize, n: usize) -> Vec<f32> {
    let [rows, width] = [view(dy).n_rows(), view(dy).n_columns()];
    let dy = values(dy);
    sum_rows(rows, n, |rows, sums| {
        wide(
            #[inline(always)]
            || {
                for row in rows {
                    for (sum, dy) in sums.iter_mut().zip(&dy[row * width + first..]) {
                        *sum += dy;
                    }
                }
            },
        );
    })
}
