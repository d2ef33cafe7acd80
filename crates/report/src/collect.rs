//! From the store to [`ReportInput`].

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use rayon::prelude::*;
use serde_json::Value;
use store::{ExperimentStore, Manifest, Metrics, RunState, StoredRun};
use trading_env::{Action, SplitName, StepRecord, UpdateRecord};

use crate::backends::BackendRecords;
use crate::{Market, PlanInfo, PlannedRun, ReportError};

/// Everything a report is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportInput {
    /// The plan.
    pub plan: PlanInfo,
    /// One entry per planned run, in plan order.
    pub runs: Vec<ReportRun>,
    /// Distinct specs without their seed that were ever started in this experiment, baselines not counted.
    pub trials: usize,
    /// Prices and news of the test windows, for the runs' own pages. May be empty: [`collect`] does not know them.
    pub markets: Vec<Market>,
    /// Runs that differ in the backend only, compared step by step. Empty where no arm has two backends.
    pub backends: BackendRecords,
}

/// One run of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRun {
    /// Index of its arm in [`PlanInfo::arms`].
    pub arm: usize,
    /// Seed.
    pub seed: u64,
    /// Run id.
    pub run_id: String,
    /// State of the attempt that the report shows.
    pub state: RunState,
    /// Its manifest; absent for a run that was never started.
    pub manifest: Option<Manifest>,
    /// Its account on the test split, for completed runs.
    pub curve: Option<Curve>,
    /// Its updates, for completed runs and for failed ones as far as they got; empty for agents without any.
    pub updates: Vec<UpdateRecord>,
}

/// An account over the test window.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Dates of the decisions, `n`.
    pub dates: Vec<NaiveDate>,
    /// Equity before the first decision and after each step as a multiple of the first, `n + 1`: the k-th stands at
    /// the k-th date, the last one at the close after the last decision.
    pub growth: Vec<f64>,
    /// Mean position over the steps, as a share of equity.
    pub exposure: f64,
    /// The decisions, `n`.
    pub actions: Vec<Action>,
    /// Position after each fill as a share of equity, `n`.
    pub positions: Vec<f64>,
    /// Close at which each step is marked, `n`: that of the date after the decision's.
    pub prices: Vec<f64>,
}

impl Curve {
    /// The curve of an account that began with `initial`; `None` without steps.
    pub fn new(initial: f64, steps: &[StepRecord]) -> Option<Self> {
        let usable = initial.is_finite() && initial > 0.0 && !steps.is_empty();
        usable.then(|| Self {
            dates: steps.iter().map(|s| s.date).collect(),
            growth: std::iter::once(1.0).chain(steps.iter().map(|s| s.equity / initial)).collect(),
            exposure: steps.iter().map(|s| s.position).sum::<f64>() / steps.len() as f64,
            actions: steps.iter().map(|s| s.action).collect(),
            positions: steps.iter().map(|s| s.position).collect(),
            prices: steps.iter().map(|s| s.price).collect(),
        })
    }

    /// Simple returns, `n`; 0 once everything is lost.
    pub fn returns(&self) -> Vec<f64> {
        let of = |pair: &[f64]| if pair[0] > 0.0 { pair[1] / pair[0] - 1.0 } else { 0.0 };
        self.growth.windows(2).map(of).collect()
    }

    /// Fall from the highest value so far, as a fraction <= 0, `n + 1`.
    pub fn drawdown(&self) -> Vec<f64> {
        stats::drawdowns(&self.growth).into_iter().map(|fall| -fall).collect()
    }
}

impl ReportRun {
    /// A score of the test split by its dotted name; `None` where undefined or not there.
    pub fn test_metric(&self, name: &str) -> Option<f64> {
        self.metric(|metrics| metrics.test.as_ref(), name)
    }

    /// A score of the validation part by its dotted name; `None` where undefined or not there.
    pub fn valid_metric(&self, name: &str) -> Option<f64> {
        self.metric(|metrics| metrics.valid.as_ref(), name)
    }

    fn metric(&self, part: impl Fn(&Metrics) -> Option<&Value>, name: &str) -> Option<f64> {
        let completed = self.state == RunState::Completed;
        let mut value = part(&self.manifest.as_ref().filter(|_| completed)?.metrics)?;
        for part in name.split('.') {
            value = value.get(part)?;
        }
        value.as_f64()
    }
}

impl ReportInput {
    /// The market that a run traded on its test window, where it is known. A control that traded it in another order
    /// read other news than stand at a date.
    pub(crate) fn market_of(&self, run: &ReportRun) -> Option<usize> {
        let shuffle = self.plan.arms[run.arm].spec.get("split").and_then(|split| split.get("shuffle"));
        if shuffle.is_some_and(|shuffle| !shuffle.is_null()) {
            return None;
        }
        let fingerprint = &run.manifest.as_ref()?.start.data.fingerprint;
        let dates = &run.curve.as_ref()?.dates;
        let (first, last) = (*dates.first()?, *dates.last()?);
        // The day on which the last decision is marked may be the first of the next window.
        let is_its = |m: &Market| m.day(first).is_some() && m.days.last().is_some_and(|day| day.date > last);
        let own = self.markets.iter().position(|m| m.fingerprint == *fingerprint && is_its(m));
        // A record that was joined ends in another window's market.
        own.or_else(|| {
            self.markets.iter().position(|m| m.fingerprint == *fingerprint && m.day(first).is_some())
        })
    }
}

/// Reads what the store has of the planned runs.
pub fn collect(store: &ExperimentStore, plan: &PlanInfo) -> Result<ReportInput, ReportError> {
    let stored: HashMap<String, StoredRun> =
        store.runs()?.into_iter().map(|r| (r.manifest.start.run_id.clone(), r)).collect();
    let arm_index: HashMap<&str, usize> =
        plan.arms.iter().enumerate().map(|(i, a)| (a.name.as_str(), i)).collect();
    let planned = plan.runs.iter().filter_map(|planned| {
        let arm = *arm_index.get(planned.arm.as_str())?;
        // Arms whose windows have the same dates have the same runs.
        Some((arm, planned, stored.get(&planned.run_id)))
    });
    let planned: Vec<_> = planned.collect();
    let read = |(arm, planned, found): (usize, &PlannedRun, Option<&StoredRun>)| -> Result<_, ReportError> {
        let mut run = ReportRun {
            arm,
            seed: planned.seed,
            run_id: planned.run_id.clone(),
            state: RunState::Planned,
            manifest: None,
            curve: None,
            updates: Vec::new(),
        };
        let mut dir = None;
        if let Some(found) = found {
            if found.state == RunState::Completed {
                let initial = plan.arms[arm].spec.get("env").and_then(|e| e.get("initial_cash"));
                let steps = store.read_steps(&found.dir, Some(SplitName::Test))?;
                run.curve = initial.and_then(Value::as_f64).and_then(|cash| Curve::new(cash, &steps));
            }
            if matches!(found.state, RunState::Completed | RunState::Failed { .. }) {
                run.updates = store.read_updates(&found.dir)?;
            }
            run.state = found.state.clone();
            run.manifest = Some(found.manifest.clone());
            dir = Some(found.dir.clone());
        }
        Ok((run, dir))
    };
    let read: Vec<(ReportRun, Option<PathBuf>)> =
        planned.into_par_iter().map(read).collect::<Result<_, _>>()?;
    let (runs, dirs): (Vec<ReportRun>, Vec<Option<PathBuf>>) = read.into_iter().unzip();
    let backends = BackendRecords::read(store, plan, &runs, &dirs)?;
    let trials = store.trials()?.iter().filter(|t| t.role == trading_env::Role::Arm).count();
    Ok(ReportInput { plan: plan.clone(), runs, trials, markets: Vec::new(), backends })
}
