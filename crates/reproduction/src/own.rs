//! The rows of our own runs: FLAG-Trader as specified, trained and tested here.

use std::collections::BTreeMap;

use report::{ReportInput, ReportRun};
use serde::Serialize;
use serde_json::Value;
use stats::{Interval, Seed, SeedScores};
use store::RunState;
use trading_env::Role;

use crate::published::Metric;

/// Rules that our decisions are scored under by their words, with the fee in basis points and the heading.
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
    /// The median run: that of the median SR, the lower one of two, as the paper reports one trajectory; its seed and CR,
    /// SR, AV and MDD.
    pub median: Option<(u64, [Option<f64>; 4])>,
    /// Mean SR over seeds, where a run that never trades has 0.
    pub mean_sr: Option<f64>,
    /// Its 95% bootstrap interval; `None` below three seeds and where all are equal.
    pub interval: Option<Interval>,
    /// Mean CR over seeds, %.
    pub mean_cr: Option<f64>,
    /// Runs that never traded, whose SR is undefined.
    pub idle: usize,
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

/// What a reader of scores under several rules must know.
pub(crate) const WORDS: &str = "CR, SR, AV and MDD are those of the median run by SR, as the paper reports one; beside it means \
    over seeds, where a run that never trades has an SR of 0. Decisions are carried out by their words: hold is flat under investor-bench and keeps the \
    position elsewhere, so that buy-and-hold, which says hold after its first day, is flat there.";

impl Own {
    /// From what is stored of an asset's experiment.
    pub fn of(asset: &str, input: &ReportInput, report: Option<String>) -> Self {
        let arms = || input.plan.arms.iter().enumerate();
        let row = |(index, arm): (usize, &report::PlannedArm)| {
            let runs: Vec<&ReportRun> = input.runs.iter().filter(|run| run.arm == index).collect();
            let is_only = arms().filter(|(_, arm)| arm.role == Role::Arm).count() == 1;
            OwnRow {
                // The only arm has no axis to be named by.
                name: if is_only && arm.role == Role::Arm {
                    "FLAG-Trader".to_owned()
                } else {
                    arm.name.clone()
                },
                is_subject: arm.role == Role::Arm,
                completed: runs.iter().filter(|run| run.state == RunState::Completed).count(),
                planned: runs.len(),
                scores: RULES.iter().map(|(rules, cost, label)| scores(&runs, rules, *cost, label)).collect(),
            }
        };
        let subject =
            arms().find(|(_, arm)| arm.role == Role::Arm).and_then(|(_, arm)| Subject::of(&arm.spec));
        let shown = arms().filter(|(_, arm)| arm.role != Role::Control).map(row);
        // One that never trades has nothing to compare.
        let trades = |row: &OwnRow| row.is_subject || row.scores.iter().any(|s| s.idle < row.completed);
        Self { asset: asset.to_owned(), subject, report, rows: shown.filter(trades).collect() }
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
        let score = |cells: &[Option<f64>; 4]| cells[metric as usize].unwrap_or(0.0);
        SeedScores::new(by_seed.iter().map(|(seed, cells)| (Seed(*seed), Some(score(cells)))))
    };
    let ratio = of(Metric::Sr);
    let middle = ratio.len().saturating_sub(1) / 2;
    OwnScores {
        rules: label,
        median: ratio.iter().nth(middle).map(|(Seed(seed), _)| (seed, by_seed[&seed])),
        mean_sr: ratio.mean(),
        // Equal runs differ by rounding only.
        interval: ratio.interval(0.95).filter(|i| i.high - i.low > 1e-9),
        mean_cr: of(Metric::Cr).mean(),
        idle: by_seed.values().filter(|cells| cells[Metric::Sr as usize].is_none()).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(seed: u64, sr: Option<f64>) -> ReportRun {
        let scores = json!({ "paper": { "cr": seed, "sr": sr, "av": 20.0, "mdd": 5.0 } });
        let manifest = json!({
            "run_id": "0", "experiment": "x", "arm": "base", "arm_key": "0", "role": "arm", "axes": {}, "seed": seed,
            "versions": { "flaglab": "0", "burn": null, "contract": 2 }, "git_commit": null, "backend": "flex",
            "adapter": "", "machine": { "cpu": "", "cores": 1, "os": "" },
            "data": { "symbol": "MSFT", "fingerprint": "0", "bars": 2, "source": "csv" },
            "content": {}, "command": [], "state": "completed", "attempt": 1, "process": { "host": "", "pid": 1 },
            "started": "2026-01-01T00:00:00Z", "metrics": {},
            "rescored": [{ "rules": "paper", "cost_bps": 0.0, "scores": scores }],
        });
        ReportRun {
            arm: 0,
            seed,
            run_id: seed.to_string(),
            state: RunState::Completed,
            manifest: Some(serde_json::from_value(manifest).unwrap()),
            curve: None,
            updates: Vec::new(),
        }
    }

    fn of(ratios: &[Option<f64>]) -> OwnScores {
        let runs: Vec<ReportRun> = (0..).zip(ratios).map(|(seed, sr)| run(seed, *sr)).collect();
        scores(&runs.iter().collect::<Vec<_>>(), "paper", 0.0, "paper")
    }

    #[test]
    fn the_median_run_is_a_run() {
        let odd = of(&[Some(0.3), Some(-1.0), Some(0.1), Some(2.0), Some(0.2)]);
        assert_eq!(odd.median, Some((4, [Some(4.0), Some(0.2), Some(20.0), Some(5.0)])));
        assert!((odd.mean_sr.unwrap() - 0.32).abs() < 1e-12);
        assert_eq!((odd.mean_cr, odd.idle), (Some(2.0), 0));
        let interval = odd.interval.unwrap();
        assert!(interval.low < 0.32 && 0.32 < interval.high);
        // Of an even number the lower middle one: a mean of two trajectories is none.
        assert_eq!(of(&[Some(1.0), Some(2.0)]).median.unwrap().0, 0);
        // One that never traded earned nothing: it counts as 0, and is told.
        let idle = of(&[None, Some(2.0), Some(-1.0), Some(3.0), None]);
        assert_eq!((idle.median.unwrap().0, idle.idle), (4, 2));
        assert!((idle.mean_sr.unwrap() - 0.8).abs() < 1e-12);
        assert_eq!(of(&[None, None, None]).interval, None);
        assert_eq!(of(&[]).median, None);
    }

    #[test]
    fn no_model_is_taken_for_another() {
        let spec = |model: &str, steps: u64| {
            let spec = json!({ "agent": { "model": { "path": model }, "total_timesteps": steps } });
            Subject::of(spec.as_object().unwrap()).unwrap().label()
        };
        assert_eq!(spec(PAPERS_MODEL, 13_860), "SmolLM2-135M-Instruct, 13860 steps as in the paper");
        assert_eq!(
            spec("models/tiny-llama", 4_000),
            "models/tiny-llama instead of SmolLM2-135M-Instruct, 4000 steps instead of 13860"
        );
    }
}
