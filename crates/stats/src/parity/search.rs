//! Searches beside arch, statsmodels and implementations from the papers.

use serde::Deserialize;

use super::Table;
use super::draws::Draws;
use crate::spa::{ResampledMeans, Tested};
use crate::{Bootstrap, Panel, Pbo, RomanoWolf, SharpeRatio, Spa, holm};

#[derive(Deserialize)]
pub(super) struct Case {
    name: String,
    /// By arm.
    returns: Vec<Vec<f64>>,
    benchmark: Vec<f64>,
    block: f64,
    resamples: usize,
    key: u64,
    omegas: Vec<f64>,
    statistic: f64,
    /// Lower, consistent, upper.
    spa: [f64; 3],
    reality_check: f64,
    spa_own: [f64; 3],
    own: usize,
    single: Vec<f64>,
    adjusted: Vec<f64>,
    sizes: Vec<f64>,
    /// Arms that are rejected at each size.
    steps: Vec<Vec<usize>>,
    p: Vec<f64>,
    holm: Vec<f64>,
    pbo: Overfitting,
    deflated: Deflated,
}

#[derive(Deserialize)]
struct Overfitting {
    n_blocks: usize,
    probability: f64,
    probability_of_loss: f64,
    mean_logit: f64,
}

#[derive(Deserialize)]
struct Deflated {
    best: usize,
    n_trials: usize,
    expected_maximum: f64,
    probability: f64,
}

impl Case {
    pub(super) fn compare(&self, table: &mut Table) {
        let panel = Panel::new(&self.returns).unwrap();
        self.drawn(&panel, table);
        self.own(&panel, table);
        self.selection(&panel, table);
        let found: Vec<f64> =
            holm(&self.p.iter().map(|p| Some(*p)).collect::<Vec<_>>()).into_iter().flatten().collect();
        table.all(&self.name, "Holm", "statsmodels multipletests", &found, &self.holm);
    }

    /// Tests on the same draws.
    fn drawn(&self, panel: &Panel, table: &mut Table) {
        let name = &self.name;
        let excess = panel.excess_over(&self.benchmark).unwrap();
        let tested = Tested::new(&excess, self.block).unwrap();
        table.all(name, "SPA: long-run deviation", "arch", &tested.omegas, &self.omegas);
        let mut draws = Draws::new(self.key);
        let mut resample = || {
            let mut counts = vec![0; excess.n_periods()];
            draws.periods(excess.n_periods(), self.block).into_iter().for_each(|t| counts[t] += 1);
            tested.means_of(&excess, &counts)
        };
        let rows = (0..self.resamples).flat_map(|_| resample()).collect();
        let means = ResampledMeans { n_arms: excess.n_arms(), rows };
        let found = tested.spa(&means).unwrap();
        let arch = "arch, same draws";
        table.same(name, "SPA: statistic", "arch", Some(found.statistic), Some(self.statistic));
        table.all(
            name,
            "SPA: three p-values",
            arch,
            &[found.lower, found.consistent, found.upper],
            &self.spa,
        );
        table.all(name, "Reality Check: p-value", arch, &[found.reality_check], &[self.reality_check]);
        let found = RomanoWolf::of(&tested, &means, excess.n_arms());
        let p = |p: &[Option<f64>]| -> Vec<f64> { p.iter().flatten().copied().collect() };
        let paper = "the paper in numpy, same draws";
        table.all(name, "Romano-Wolf: single p-values", paper, &p(&found.single), &self.single);
        table.all(name, "Romano-Wolf: adjusted p-values", paper, &p(&found.adjusted), &self.adjusted);
        for (size, expected) in self.sizes.iter().zip(&self.steps) {
            let adjusted = found.adjusted.iter().enumerate();
            let rejected: Vec<usize> =
                adjusted.filter(|(_, p)| p.is_some_and(|p| p <= *size)).map(|(arm, _)| arm).collect();
            let differing = rejected.iter().filter(|arm| !expected.contains(arm)).count()
                + expected.iter().filter(|arm| !rejected.contains(arm)).count();
            table.add(name, "Romano-Wolf: rejected arms", "arch, step by step", differing as f64, 0.0);
        }
    }

    /// Tests with both sides' own draws: shares of so many resamples, four standard errors.
    fn own(&self, panel: &Panel, table: &mut Table) {
        let excess = panel.excess_over(&self.benchmark).unwrap();
        let found = Spa::new(&excess, self.block, &Bootstrap::default()).unwrap().unwrap();
        for (p, expected) in [found.lower, found.consistent, found.upper].into_iter().zip(self.spa_own) {
            let error = (0.25 * (1.0 / self.own as f64 + 1e-4)).sqrt();
            table.add(&self.name, "SPA, own draws", "arch, difference", (p - expected).abs(), 4.0 * error);
        }
    }

    fn selection(&self, panel: &Panel, table: &mut Table) {
        let name = &self.name;
        let found = Pbo::new(panel, self.pbo.n_blocks).unwrap();
        let paper = "the paper in numpy";
        table.same(name, "PBO", paper, Some(found.probability), Some(self.pbo.probability));
        let loss = Some(found.probability_of_loss);
        table.same(name, "PBO: probability of loss", paper, loss, Some(self.pbo.probability_of_loss));
        let logit = found.logits.iter().sum::<f64>() / found.logits.len() as f64;
        table.same(name, "PBO: mean logit", paper, Some(logit), Some(self.pbo.mean_logit));

        let ratios: Vec<SharpeRatio> =
            (0..panel.n_arms()).map(|arm| SharpeRatio::new(&panel.arm(arm)).unwrap()).collect();
        let Deflated { best, n_trials, .. } = self.deflated;
        let found = ratios[best].deflated(&ratios, n_trials).unwrap();
        let paper = "the paper, with scipy";
        let expected = Some(self.deflated.expected_maximum);
        table.same(name, "expected maximum Sharpe", paper, Some(found.expected_maximum), expected);
        let expected = Some(self.deflated.probability);
        table.same(name, "deflated Sharpe", paper, Some(found.probability), expected);
    }
}
