//! Inputs of a network at mean 0 and standard deviation 1, by numbers taken before training.
//!
//! Observation normalisation is part of most PPO implementations (Engstrom et al. 2020; Andrychowicz et al. 2021),
//! with running statistics. Here they are taken once and then stay, so that one observation gives one input through
//! the whole training and the first ratio of an update is 1.

use burn::tensor::Tensor;
use llm::{NewParam, ParamSet};

/// `x -> (x - mean) / scale`, column by column; its vectors live in a [`ParamSet`] as `<group>.mean` and
/// `<group>.scale`, frozen, so that they are saved and loaded with the network.
#[derive(Debug, Clone)]
pub struct Standardiser {
    mean: String,
    scale: String,
}

/// Least scale of a column, as a share of the median one: what hardly varies over the sample must not be blown up
/// where it does vary later.
const FLOOR: f64 = 0.1;

impl Standardiser {
    /// Inserts the vectors of a standardiser that changes nothing, for inputs of `width` numbers.
    pub fn insert(params: &mut ParamSet, group: &str, width: usize) -> Self {
        let [mean, scale] = ["mean", "scale"].map(|name| format!("{group}.{name}"));
        params.insert(NewParam::vector(&mean, group, vec![0.0; width]).frozen());
        params.insert(NewParam::vector(&scale, group, vec![1.0; width]).frozen());
        Self { mean, scale }
    }

    /// Sets mean and scale to those of `rows`, each as wide as the inputs: the mean and the (population) standard
    /// deviation of every column, in double precision, the latter at least a tenth of the median one. Where no column
    /// varies, scales are 1.
    ///
    /// # Panics
    /// When `rows` is empty or a row has another width than the inputs.
    pub fn fit(&self, params: &mut ParamSet, rows: &[Vec<f32>]) {
        let n = rows.len() as f64;
        let column = |j: usize| rows.iter().map(move |row| f64::from(row[j]));
        let mean: Vec<f64> = (0..rows[0].len()).map(|j| column(j).sum::<f64>() / n).collect();
        let deviation =
            |(j, mean): (usize, &f64)| (column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let deviations: Vec<f64> = mean.iter().enumerate().map(deviation).collect();
        let mut sorted = deviations.clone();
        sorted.sort_by(f64::total_cmp);
        let floor = FLOOR * sorted[sorted.len() / 2];
        let floor = if floor > 0.0 { floor } else { 1.0 };
        params.set(&self.mean, mean.iter().map(|x| *x as f32).collect());
        params.set(&self.scale, deviations.iter().map(|x| x.max(floor) as f32).collect());
    }

    /// `[batch, width]` to the same shape; a graph of `x` goes through.
    ///
    /// # Panics
    /// When `params` is not a set that the vectors were inserted into.
    pub fn apply(&self, params: &ParamSet, x: Tensor<2>) -> Tensor<2> {
        (x - params.tensor(&self.mean)) / params.tensor(&self.scale)
    }
}

#[cfg(test)]
mod tests;
