//! The Sharpe ratio that the best of many trials reaches by luck, and what is left of one beyond it.

use std::f64::consts::E;

use statrs::distribution::{ContinuousCDF, Normal};

use crate::error::finite;
use crate::{Moments, SharpeRatio};

/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// Sharpe ratio of a selected trial beside the best one that luck finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeflatedSharpe {
    /// Trials that were counted.
    pub n_trials: usize,
    /// Expected maximum of the ratio per period over that many trials without skill, `SR_0`.
    pub expected_maximum: f64,
    /// Deflated Sharpe ratio: the probability that the true ratio is above `expected_maximum`.
    pub probability: f64,
}

/// Expected maximum of `n_trials` independent normal Sharpe ratios around 0 with standard deviation `sd`, in the unit of
/// `sd`: `sd ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e)))` with Euler's constant `g` (Bailey and Lopez de Prado
/// 2014). 0 for a single trial, which is no maximum of others; absent without a trial.
pub fn expected_maximum_sharpe(sd: f64, n_trials: usize) -> Option<f64> {
    match n_trials {
        0 => None,
        1 => Some(0.0),
        n => {
            let n = n as f64;
            let quantile = |tail: f64| Normal::standard().inverse_cdf(1.0 - tail);
            finite(sd * ((1.0 - GAMMA) * quantile(1.0 / n) + GAMMA * quantile(1.0 / (n * E))))
        }
    }
}

impl SharpeRatio {
    /// Deflated Sharpe ratio (Bailey and Lopez de Prado 2014): [`probabilistic`](Self::probabilistic) against
    /// the [`expected_maximum_sharpe`] of `n_trials`, whose spread is the sample standard deviation of the ratios `trials`
    /// per period.
    ///
    /// `trials` are those whose ratio is known, this one among them. `n_trials` counts every trial that was ever
    /// started, so it is never below their number; more trials deflate more. `None` with fewer than two known ratios,
    /// unless there was one trial only.
    pub fn deflated(&self, trials: &[Self], n_trials: usize) -> Option<DeflatedSharpe> {
        let n_trials = n_trials.max(trials.len()).max(1);
        let ratios: Vec<f64> = trials.iter().map(Self::per_period).collect();
        let sd = if n_trials == 1 { 0.0 } else { Moments::of(&ratios)?.sd? };
        let expected_maximum = expected_maximum_sharpe(sd, n_trials)?;
        Some(DeflatedSharpe {
            n_trials,
            expected_maximum,
            probability: self.probabilistic(expected_maximum)?,
        })
    }
}

#[cfg(test)]
mod tests;
