//! Scores of arms over their seeds, by the names that they have in `summary.parquet` (there after `test.`).

use std::collections::BTreeSet;

use serde_json::Value;
use stats::{Aggregate, Runs, Seed, SeedScores};
use store::RunState;

use crate::estimate::LEVEL;
use crate::{ReportInput, ReportRun};

/// Scores of the test split that every completed run has, in the order of `evaluate`.
pub(crate) const METRICS: [&str; 21] = [
    "n",
    "cumulative_return",
    "annual_return",
    "annual_volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "skew",
    "kurtosis",
    "var_95",
    "cvar_95",
    "win_rate",
    "psr",
    "paper.cr",
    "paper.sr",
    "paper.av",
    "paper.mdd",
    "trades",
    "turnover",
    "final_equity",
];

/// What scores over seeds come to as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statistic {
    Mean,
    Median,
    /// Interquartile mean.
    Iqm,
    /// Lower end of the 95% bootstrap interval of the mean.
    Low,
    /// Its upper end.
    High,
    Min,
    Max,
}

impl Statistic {
    pub(crate) const ALL: [Self; 7] =
        [Self::Mean, Self::Median, Self::Iqm, Self::Low, Self::High, Self::Min, Self::Max];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Iqm => "iqm",
            Self::Low => "low",
            Self::High => "high",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }

    /// Absent without scores; the ends of the interval also for fewer than 3 seeds.
    pub(crate) fn of(self, scores: &SeedScores) -> Option<f64> {
        match self {
            Self::Mean => scores.mean(),
            Self::Median => scores.median(),
            Self::Iqm => Runs::new([scores.clone()]).aggregate(Aggregate::Iqm),
            Self::Low => scores.interval(LEVEL).map(|i| i.low),
            Self::High => scores.interval(LEVEL).map(|i| i.high),
            Self::Min => scores.sorted().first().copied(),
            Self::Max => scores.sorted().last().copied(),
        }
    }
}

/// The completed runs of an arm, in plan order.
pub(crate) fn completed(input: &ReportInput, arm: usize) -> impl Iterator<Item = &ReportRun> {
    input.runs.iter().filter(move |run| run.arm == arm && run.state == RunState::Completed)
}

/// A number of each completed run of an arm, by seed.
pub(crate) fn per_seed(
    input: &ReportInput,
    arm: usize,
    number: impl Fn(&ReportRun) -> Option<f64>,
) -> SeedScores {
    SeedScores::new(completed(input, arm).map(|run| (Seed(run.seed), number(run))))
}

/// A score over the completed seeds of an arm.
pub(crate) fn seed_scores(input: &ReportInput, arm: usize, metric: &str) -> SeedScores {
    per_seed(input, arm, |run| score(run, metric))
}

/// A score of one run; `None` where undefined or not there.
pub(crate) fn score(run: &ReportRun, metric: &str) -> Option<f64> {
    let Some(name) = metric.strip_prefix(RESCORED) else { return run.test_metric(metric) };
    run.manifest.as_ref()?.rescored.iter().find_map(|other| {
        let mut value = &other.scores;
        for part in name.strip_prefix(&under(other))?.split('.') {
            value = value.get(part)?;
        }
        value.as_f64()
    })
}

const RESCORED: &str = "rescored.";

/// `realistic.5bps.`
fn under(other: &store::Rescored) -> String {
    format!("{}.{}bps.", other.rules, other.cost_bps)
}

/// Every name that a score has: [`METRICS`], and what the completed runs carry besides.
pub(crate) fn known_metrics(input: &ReportInput) -> Vec<String> {
    let mut more = BTreeSet::new();
    for manifest in input.runs.iter().filter_map(|run| run.manifest.as_ref()) {
        if let Some(scores) = &manifest.metrics.test {
            names(String::new(), scores, &mut more);
        }
        for other in &manifest.rescored {
            names(format!("{RESCORED}{}", under(other)), &other.scores, &mut more);
        }
    }
    let known = METRICS.iter().map(|name| (*name).to_owned());
    known.chain(more.into_iter().filter(|name| !METRICS.contains(&name.as_str()))).collect()
}

/// Dotted names of the numbers in nested objects; words are no scores.
fn names(prefix: String, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let dot = if prefix.is_empty() || prefix.ends_with('.') { "" } else { "." };
            fields.iter().for_each(|(key, value)| names(format!("{prefix}{dot}{key}"), value, found));
        }
        Value::Number(_) | Value::Null => drop(found.insert(prefix)),
        Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
    }
}
