//! Runs of arms beside rliable and scipy.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Table;
use super::draws::Draws;
use crate::improvement::Pairing;
use crate::{Aggregate, Bootstrap, Interval, Runs, Seed, SeedScores};

#[derive(Deserialize)]
pub(super) struct Case {
    name: String,
    /// By task, ascending.
    scores: Vec<Vec<f64>>,
    other: Vec<Vec<f64>>,
    level: f64,
    resamples: usize,
    key: u64,
    target: f64,
    aggregates: BTreeMap<String, Expected>,
    thresholds: Vec<f64>,
    profile: Vec<f64>,
    profile_bands: Vec<[f64; 2]>,
    improvement: f64,
    improvement_drawn: [f64; 2],
    improvement_own: [f64; 2],
    t_test: f64,
}

#[derive(Deserialize)]
struct Expected {
    point: f64,
    drawn: [f64; 2],
    own: [f64; 2],
}

fn runs(tasks: &[Vec<f64>]) -> Runs {
    let task = |scores: &Vec<f64>| SeedScores::new((0..).map(Seed).zip(scores.iter().map(|s| Some(*s))));
    Runs::new(tasks.iter().map(task))
}

const SAME: &str = "rliable, same draws";
const OWN: &str = "rliable, share of the width";

impl Case {
    pub(super) fn compare(&self, table: &mut Table) {
        let runs = runs(&self.scores);
        self.aggregates(&runs, table);
        self.profile(&runs, table);
        self.improvement(&runs, table);
        let t_test = runs.tasks()[0].t_test_above(self.target);
        table.same(&self.name, "t test over seeds", "scipy ttest_1samp", t_test, Some(self.t_test));
    }

    /// Values of all resamples, each from how often scores are drawn.
    fn resampled<T>(&self, value: impl Fn(&[u32]) -> T) -> Vec<T> {
        let mut draws = Draws::new(self.key);
        let (seeds, tasks) = (self.scores[0].len(), self.scores.len());
        (0..self.resamples).map(|_| value(&draws.counts(seeds, tasks))).collect()
    }

    fn own(&self, table: &mut Table, metric: &'static str, found: Interval, [low, high]: [f64; 2]) {
        let off = (found.low - low).abs().max((found.high - high).abs()) / (high - low).max(1e-9);
        table.add(&self.name, metric, OWN, off, 0.08);
    }

    fn aggregates(&self, runs: &Runs, table: &mut Table) {
        let name = &self.name;
        let gap = Aggregate::OptimalityGap { target: self.target };
        let all = [
            ("mean", Aggregate::Mean, ["mean", "mean: interval", "mean: interval, own draws"]),
            ("median", Aggregate::Median, ["median", "median: interval", "median: interval, own draws"]),
            ("iqm", Aggregate::Iqm, ["IQM", "IQM: interval", "IQM: interval, own draws"]),
            (
                "optimality_gap",
                gap,
                ["optimality gap", "optimality gap: interval", "optimality gap: interval, own draws"],
            ),
        ];
        for (key, aggregate, [point, drawn, own]) in all {
            let expected = &self.aggregates[key];
            table.same(name, point, "rliable", runs.aggregate(aggregate), Some(expected.point));
            let values = self.resampled(|counts| runs.weighted(aggregate, counts));
            let found = Interval::percentile(expected.point, values, self.level);
            table.all(name, drawn, SAME, &[found.low, found.high], &expected.drawn);
            let found = runs.interval(aggregate, self.level, &Bootstrap::default()).unwrap();
            self.own(table, own, found, expected.own);
        }
    }

    fn profile(&self, runs: &Runs, table: &mut Table) {
        let found = runs.profile(&self.thresholds, self.level, &Bootstrap::default()).unwrap();
        table.all(&self.name, "performance profile", "rliable", &found.shares, &self.profile);
        for (i, threshold) in self.thresholds.iter().enumerate() {
            let above = |score: f64| f64::from(u8::from(score > *threshold));
            let values = self.resampled(|counts| runs.mean_of(counts, above));
            let found = Interval::percentile(self.profile[i], values, self.level);
            table.all(&self.name, "profile: bands", SAME, &[found.low, found.high], &self.profile_bands[i]);
        }
    }

    fn improvement(&self, own: &Runs, table: &mut Table) {
        let name = &self.name;
        let other = runs(&self.other);
        let metric = "probability of improvement";
        table.same(name, metric, "rliable", own.probability_of_improvement(&other), Some(self.improvement));
        let pairing = Pairing::new(own, &other).unwrap();
        let mut draws = Draws::new(self.key);
        let mut resample = || {
            let counts = draws.counts(self.scores[0].len(), self.scores.len());
            let others = draws.counts(self.other[0].len(), self.other.len());
            pairing.probability(&counts, &others)
        };
        let values = (0..self.resamples).map(|_| resample()).collect();
        let found = Interval::percentile(self.improvement, values, self.level);
        let (low, high) = (found.low, found.high);
        table.all(name, "improvement: interval", SAME, &[low, high], &self.improvement_drawn);
        let found = own.improvement_interval(&other, self.level, &Bootstrap::default()).unwrap();
        self.own(table, "improvement: interval, own draws", found, self.improvement_own);
    }
}
