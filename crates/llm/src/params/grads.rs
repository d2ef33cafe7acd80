//! Gradients of a parameter set: accumulation over micro-batches, global norm, clipping.

use burn::tensor::Tensor;

use super::{ParamSet, to_host};

/// Gradients in the order of the parameters; `None` for frozen ones and those the loss did not touch.
#[derive(Debug, Clone, Default)]
pub struct GradSet {
    grads: Vec<Option<Tensor<2>>>,
}

impl GradSet {
    pub(super) fn new(grads: Vec<Option<Tensor<2>>>) -> Self {
        Self { grads }
    }

    /// Gradient of parameter `i` in memory layout, if it has one.
    pub fn get(&self, i: usize) -> Option<Tensor<2>> {
        self.grads.get(i).cloned().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.grads.len()
    }

    /// Adds the gradients of another micro-batch. An empty set takes the other's.
    ///
    /// # Panics
    /// When the two belong to different parameter sets.
    pub fn accumulate(&mut self, other: GradSet) {
        if self.grads.is_empty() {
            *self = other;
            return;
        }
        assert_eq!(self.grads.len(), other.grads.len(), "gradients of different parameter sets");
        for (mine, theirs) in self.grads.iter_mut().zip(other.grads) {
            *mine = match (mine.take(), theirs) {
                (Some(a), Some(b)) => Some(a.add(b)),
                (a, b) => a.or(b),
            };
        }
    }

    /// Multiplies every gradient by `factor`.
    pub fn scale(&mut self, factor: f64) {
        for grad in &mut self.grads {
            *grad = grad.take().map(|g| g.mul_scalar(factor as f32));
        }
    }

    /// Sum of squares per parameter, 0 without a gradient. Rows are summed on the device in f32 and added on the
    /// host in f64 in their order, so that the result does not depend on threads.
    fn sums_of_squares(&self) -> Vec<f64> {
        let rows: Vec<usize> = self.grads.iter().map(|g| g.as_ref().map_or(0, |g| g.dims()[0])).collect();
        let sums: Vec<Tensor<2>> =
            self.grads.iter().flatten().map(|g| g.clone().square().sum_dim(1)).collect();
        if sums.is_empty() {
            return vec![0.0; self.grads.len()];
        }
        let mut values = to_host(Tensor::cat(sums, 0)).into_iter();
        rows.iter().map(|n| values.by_ref().take(*n).map(f64::from).sum()).collect()
    }

    /// Euclidean norm over all gradients together. Not finite when any gradient is not.
    pub fn global_norm(&self) -> f64 {
        self.sums_of_squares().iter().sum::<f64>().sqrt()
    }

    /// `(group, norm)` of every group that has a trainable parameter, in the order of the parameters.
    pub fn group_norms(&self, params: &ParamSet) -> Vec<(String, f64)> {
        let mut groups: Vec<(String, f64)> = Vec::new();
        for (p, sum) in params.iter().zip(self.sums_of_squares()).filter(|(p, _)| p.trainable()) {
            match groups.iter_mut().find(|(group, _)| group == p.group()) {
                Some((_, total)) => *total += sum,
                None => groups.push((p.group().to_owned(), sum)),
            }
        }
        groups.into_iter().map(|(group, sum)| (group, sum.sqrt())).collect()
    }

    /// Scales all gradients by `max_norm / (norm + 1e-6)` when their global norm is above `max_norm` (PyTorch's
    /// `clip_grad_norm_`; burn's own clipping looks at one tensor at a time, which is another algorithm). Returns the
    /// norm before. Gradients that are not finite are left as they are for the caller to report.
    pub fn clip_global_norm(&mut self, max_norm: f64) -> f64 {
        let norm = self.global_norm();
        if norm.is_finite() && norm > max_norm {
            self.scale(max_norm / (norm + 1e-6));
        }
        norm
    }
}
