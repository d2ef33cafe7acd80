//! A sweep of 100 arms with 20 seeds and 252 days each, and what a report computes of it.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use stats::{
    Aggregate, Bootstrap, DeflatedSharpe, Interval, Panel, Pbo, Runs, Seed, SeedScores, SharpeRatio, Spa,
    TearSheet,
};

pub const ARMS: usize = 100;
pub const BASELINES: usize = 3;
pub const SEEDS: usize = 20;
pub const DAYS: usize = 252;
/// Average block of the stationary bootstrap, in days.
pub const BLOCK: f64 = 5.0;
/// Blocks of CSCV: 12,870 splits.
pub const BLOCKS: usize = 16;
const YEAR: f64 = 252.0;
const LEVEL: f64 = 0.95;

/// Daily returns of every run, the baselines' after the arms', and of the benchmark.
pub struct Sweep {
    /// By arm, then seed.
    pub returns: Vec<Vec<Vec<f64>>>,
    pub benchmark: Vec<f64>,
}

impl Sweep {
    /// A market that all hold in part, and noise.
    pub fn new() -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(252);
        let mut around = |mean: f64, width: f64| mean + stream.random_range(-width..width);
        let benchmark: Vec<f64> = (0..DAYS).map(|_| around(0.0004, 0.018)).collect();
        let mut run = || benchmark.iter().map(|market| 0.5 * market + around(0.0002, 0.012)).collect();
        let returns = (0..ARMS + BASELINES).map(|_| (0..SEEDS).map(|_| run()).collect()).collect();
        Self { returns, benchmark }
    }

    /// Tear sheets of the runs of all arms.
    pub fn tear_sheets(&self) -> Vec<TearSheet> {
        let runs: Vec<&Vec<f64>> = self.returns[..ARMS].iter().flatten().collect();
        runs.par_iter().map(|run| TearSheet::new(run, YEAR).expect("finite returns")).collect()
    }

    /// Annual Sharpe ratios over seeds, arm by arm.
    pub fn scores(&self) -> Vec<Runs> {
        let ratio = |run: &Vec<f64>| SharpeRatio::new(run).map(|ratio| ratio.annual(YEAR));
        let arm = |seeds: &Vec<Vec<f64>>| {
            Runs::new([SeedScores::new((0..).map(Seed).zip(seeds.iter().map(ratio)))])
        };
        self.returns.iter().map(arm).collect()
    }

    /// The arms as portfolios of their seeds.
    pub fn panel(&self) -> Panel {
        let mean = |seeds: &Vec<Vec<f64>>| -> Vec<f64> {
            (0..DAYS).map(|t| seeds.iter().map(|run| run[t]).sum::<f64>() / seeds.len() as f64).collect()
        };
        let arms: Vec<Vec<f64>> = self.returns[..ARMS].iter().map(mean).collect();
        Panel::new(&arms).expect("arms of one shape")
    }
}

/// Mean and IQM of every arm, with intervals.
pub fn intervals(scores: &[Runs]) -> Vec<Vec<Interval>> {
    let of = |runs: &Runs| runs.intervals(&[Aggregate::Mean, Aggregate::Iqm], LEVEL, &Bootstrap::default());
    scores[..ARMS].iter().map(|runs| of(runs).expect("20 seeds")).collect()
}

/// Probability of improvement of every arm over every baseline, with intervals.
pub fn improvements(scores: &[Runs]) -> Vec<Interval> {
    let (arms, baselines) = scores.split_at(ARMS);
    let pairs = arms.iter().flat_map(|arm| baselines.iter().map(move |baseline| (arm, baseline)));
    pairs
        .map(|(arm, base)| arm.improvement_interval(base, LEVEL, &Bootstrap::default()).expect("20 seeds"))
        .collect()
}

/// The tests of superior predictive ability against the benchmark.
pub fn spa(panel: &Panel, benchmark: &[f64]) -> Spa {
    let excess = panel.excess_over(benchmark).expect("as many days");
    Spa::new(&excess, BLOCK, &Bootstrap::default()).expect("valid settings").expect("arms differ")
}

/// The deflated Sharpe ratio of the best arm.
pub fn deflated(panel: &Panel) -> DeflatedSharpe {
    let ratios: Vec<SharpeRatio> =
        (0..panel.n_arms()).filter_map(|arm| SharpeRatio::new(&panel.arm(arm))).collect();
    let best =
        ratios.iter().max_by(|a, b| a.per_period().total_cmp(&b.per_period())).expect("arms have spread");
    best.deflated(&ratios, ratios.len()).expect("arms differ")
}

/// The probability of backtest overfitting.
pub fn overfitting(panel: &Panel) -> Pbo {
    Pbo::new(panel, BLOCKS).expect("valid settings")
}
