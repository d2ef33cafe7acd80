//! The rows of our own runs: FLAG-Trader as specified, trained and tested here.

use std::collections::BTreeMap;

use report::{ReportInput, ReportRun};
use serde::Serialize;
use serde_json::Value;
use stats::{Interval, Seed, SeedScores};
use store::RunState;
use trading_env::Role;

use crate::published::Metric;

/// Rules that our decisions are scored under, with the fee in basis points and the heading.
pub const RULES: [(&str, f64, &str); 3] = [
    ("paper", 0.0, "paper"),
    ("investor-bench", 0.0, "investor-bench"),
    ("realistic", 10.0, "realistic, 10 bp"),
];

/// What was trained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Subject {
    /// The model that its settings name.
    pub model: String,
    /// Whether it is the paper's model, SmolLM2-135M-Instruct.
    pub is_papers: bool,
    /// Environment steps of a training.
    pub timesteps: u64,
    /// Steps that the paper trains.
    pub papers_timesteps: u64,
}

/// The paper's model, by its repository.
pub const PAPERS_MODEL: &str = "HuggingFaceTB/SmolLM2-135M-Instruct";
/// The paper's `total_timesteps`.
pub const PAPERS_TIMESTEPS: u64 = 13_860;

impl Subject {
    fn of(spec: &serde_json::Map<String, Value>) -> Option<Self> {
        let agent = spec.get("agent")?;
        let model = agent.get("model")?.get("path")?.as_str()?.to_owned();
        Some(Self {
            is_papers: model == PAPERS_MODEL,
            model,
            timesteps: agent.get("total_timesteps")?.as_u64()?,
            papers_timesteps: PAPERS_TIMESTEPS,
        })
    }

    /// What a table has to say beside the numbers.
    pub fn label(&self) -> String {
        let model = match self.is_papers {
            true => "SmolLM2-135M-Instruct".to_owned(),
            false => format!("{} instead of SmolLM2-135M-Instruct", self.model),
        };
        let steps = match self.timesteps == self.papers_timesteps {
            true => format!("{} steps as in the paper", self.timesteps),
            false => format!("{} steps instead of {}", self.timesteps, self.papers_timesteps),
        };
        format!("{model}, {steps}")
    }
}

/// An arm or baseline under one set of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnScores {
    /// Heading of the rules.
    pub rules: &'static str,
    /// The median run: that of the median SR, the lower one of two, as the paper reports one trajectory.
    pub median: Option<(u64, [Option<f64>; 4])>,
    /// Mean over seeds of CR, SR, AV and MDD.
    pub mean: [Option<f64>; 4],
    /// 95% bootstrap interval of the mean SR over seeds; `None` below three seeds and where all are equal.
    pub interval: Option<Interval>,
}

/// A row of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnRow {
    /// As the experiment names it.
    pub name: String,
    /// Whether it was trained; else a baseline.
    pub is_subject: bool,
    /// Runs that completed.
    pub completed: usize,
    /// Runs that were planned.
    pub planned: usize,
    /// One per entry of [`RULES`].
    pub scores: Vec<OwnScores>,
}

/// Our rows of one asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// The asset.
    pub asset: String,
    /// What was trained; `None` where nothing was.
    pub subject: Option<Subject>,
    /// Path of the experiment's own report from the page, where there is one.
    pub report: Option<String>,
    /// The subject first, then the baselines.
    pub rows: Vec<OwnRow>,
}

impl Own {
    /// From what is stored of an asset's experiment.
    pub fn of(asset: &str, input: &ReportInput, report: Option<String>) -> Self {
        let arms = || input.plan.arms.iter().enumerate();
        let row = |(index, arm): (usize, &report::PlannedArm)| {
            let runs: Vec<&ReportRun> = input.runs.iter().filter(|run| run.arm == index).collect();
            OwnRow {
                name: arm.name.clone(),
                is_subject: arm.role == Role::Arm,
                completed: runs.iter().filter(|run| run.state == RunState::Completed).count(),
                planned: runs.len(),
                scores: RULES.iter().map(|(rules, cost, label)| scores(&runs, rules, *cost, label)).collect(),
            }
        };
        let subject = arms().find(|(_, arm)| arm.role == Role::Arm).and_then(|(_, arm)| Subject::of(&arm.spec));
        let shown = arms().filter(|(_, arm)| arm.role != Role::Control).map(row);
        Self { asset: asset.to_owned(), subject, report, rows: shown.collect() }
    }
}

/// The four numbers of a run under rules; `None` where they are undefined, for example without a trade.
fn of_run(run: &ReportRun, rules: &str, cost_bps: f64) -> Option<[Option<f64>; 4]> {
    let manifest = run.manifest.as_ref().filter(|_| run.state == RunState::Completed)?;
    let found = manifest.rescored.iter().find(|r| r.rules == rules && r.cost_bps == cost_bps)?;
    let paper = found.scores.get("paper")?;
    Some(["cr", "sr", "av", "mdd"].map(|key| paper.get(key).and_then(Value::as_f64)))
}

fn scores(runs: &[&ReportRun], rules: &str, cost_bps: f64, label: &'static str) -> OwnScores {
    let by_seed: BTreeMap<u64, [Option<f64>; 4]> =
        runs.iter().filter_map(|run| Some((run.seed, of_run(run, rules, cost_bps)?))).collect();
    let of = |metric: Metric| {
        SeedScores::new(by_seed.iter().map(|(seed, cells)| (Seed(*seed), cells[metric as usize])))
    };
    let ratio = of(Metric::Sr);
    // A run that never trades has no SR; without any the median run is the one of the median CR.
    let ranked = if ratio.is_empty() { of(Metric::Cr) } else { ratio.clone() };
    let middle = ranked.len().saturating_sub(1) / 2;
    let median = ranked.iter().nth(middle).map(|(Seed(seed), _)| (seed, by_seed[&seed]));
    let interval = ratio.interval(0.95).filter(|i| i.low < i.high);
    OwnScores { rules: label, median, mean: Metric::ALL.map(|metric| of(metric).mean()), interval }
}
