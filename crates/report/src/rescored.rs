//! The same decisions under other rules, and what costs do to them.

use serde::Serialize;
use serde_json::Value;
use stats::{Seed, SeedScores};
use store::{Rescored, RunState};
use trading_env::Role;

use crate::ReportRun;
use crate::arms::{Look, look};
use crate::band::Band;
use crate::charts::shown_at_first;
use crate::estimate::{Cell, LEVEL};
use crate::figure::{Axis, Figure, FigureLine, Places};
use crate::groups::Group;
use crate::metric::{SCORES, Unit};
use crate::numbers::rounded;

/// Rules and costs of the table, with their headings.
const COLUMNS: [(&str, f64, &str); 4] = [
    ("paper", 0.0, "paper"),
    ("investor-bench", 0.0, "investor-bench"),
    ("realistic", 0.0, "realistic"),
    ("realistic", 10.0, "realistic, 10 bp"),
];

/// Sharpe ratios of an arm's decisions under all rules.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rules {
    pub columns: Vec<&'static str>,
    pub rows: Vec<RulesRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct RulesRow {
    pub name: String,
    pub look: Look,
    pub role: &'static str,
    /// One per column; a dash for runs of versions that did not score again.
    pub cells: Vec<Cell>,
    /// Highest less lowest mean over the rules without cost.
    pub spread: Cell,
}

/// `None` when no run of the group carries scores under other rules.
pub(crate) fn rules(group: &Group<'_>) -> Option<Rules> {
    if !group.arms.iter().any(|arm| group.runs(*arm).any(|run| !rescored(run).is_empty())) {
        return None;
    }
    let row = |&arm: &usize| {
        let of = |(rules, cost, _): &(&str, f64, &str)| scores(group, arm, rules, *cost);
        let all: Vec<SeedScores> = COLUMNS.iter().map(of).collect();
        let free: Vec<f64> = all[..3].iter().filter_map(SeedScores::mean).collect();
        let spread = (free.len() > 1).then(|| {
            free.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                - free.iter().copied().fold(f64::INFINITY, f64::min)
        });
        let unit = SCORES[0].unit;
        RulesRow {
            name: group.arm(arm).name.clone(),
            look: look(group, arm),
            role: role(group.arm(arm).role),
            cells: COLUMNS.iter().zip(&all).map(|((.., label), s)| Cell::new(label, unit, s)).collect(),
            spread: Cell::plain("Difference", unit.write(spread), spread),
        }
    };
    let has_runs = |arm: &&usize| group.runs(**arm).any(|r| r.state == RunState::Completed);
    Some(Rules {
        columns: COLUMNS.iter().map(|(.., label)| *label).collect(),
        rows: group.arms.iter().filter(has_runs).map(row).collect(),
    })
}

pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Arm => "arm",
        Role::Baseline => "baseline",
        Role::Control => "control",
    }
}

/// Sharpe ratio against the costs of a trade.
pub(crate) fn costs(group: &Group<'_>) -> Option<Figure> {
    let mut axis: Vec<f64> = group
        .arms
        .iter()
        .flat_map(|arm| group.runs(*arm))
        .flat_map(rescored)
        .filter(|r| r.rules == "realistic")
        .map(|r| r.cost_bps)
        .collect();
    axis.sort_unstable_by(f64::total_cmp);
    axis.dedup();
    if axis.len() < 2 {
        return None;
    }
    let mut arms = 0;
    let mut lines = Vec::new();
    for &arm in &group.arms {
        let at: Vec<SeedScores> = axis.iter().map(|cost| scores(group, arm, "realistic", *cost)).collect();
        if at.iter().all(SeedScores::is_empty) {
            continue;
        }
        let three = |v: f64| rounded(v, 3);
        let intervals: Vec<_> = at.iter().map(|s| s.interval(LEVEL)).collect();
        let has_spread = intervals.iter().flatten().any(|i| i.low < i.high);
        let ends = |end: fn(&stats::Interval) -> f64| {
            has_spread.then(|| intervals.iter().map(|i| i.as_ref().map(|i| three(end(i)))).collect())
        };
        let look = look(group, arm);
        lines.push(FigureLine {
            name: group.arm(arm).name.clone(),
            shown: shown_at_first(group.arm(arm).role, arms),
            look,
            n: at.iter().map(SeedScores::len).max().unwrap_or(0),
            band: Band {
                mean: at.iter().map(|s| s.mean().map(three)).collect(),
                low: ends(|i| i.low),
                high: ends(|i| i.high),
            },
        });
        arms += usize::from(look.hue.is_some());
    }
    Some(Figure {
        key: "cost-sensitivity",
        title: "Cost sensitivity",
        about: "Sharpe ratio of the same decisions under the rules realistic, against the cost of a trade in basis points of the traded value. Lines are means over seeds, bands their 95% bootstrap intervals.".to_owned(),
        x: Axis { label: "basis points", unit: Unit::Number, places: Places::Numbers(axis) },
        unit: Unit::Ratio,
        steps: false,
        lines,
    })
}

/// A run's test scores under other rules, in words: rules, cost, and one number per score.
pub(crate) fn of_run(run: &ReportRun) -> Vec<(String, Vec<String>)> {
    let row = |r: &Rescored| {
        let name = match r.cost_bps {
            c if c > 0.0 => format!("{}, {c} bp", r.rules),
            _ => r.rules.clone(),
        };
        (name, SCORES.iter().map(|m| m.unit.write(r.scores.get(m.key).and_then(Value::as_f64))).collect())
    };
    rescored(run).iter().map(row).collect()
}

fn rescored(run: &ReportRun) -> &[Rescored] {
    let manifest = run.manifest.as_ref().filter(|_| run.state == RunState::Completed);
    manifest.map_or(&[], |m| m.rescored.as_slice())
}

fn scores(group: &Group<'_>, arm: usize, rules: &str, cost: f64) -> SeedScores {
    let one = |run: &ReportRun| {
        let found = rescored(run).iter().find(|r| r.rules == rules && r.cost_bps == cost)?;
        Some((Seed(run.seed), found.scores.get(SCORES[0].key).and_then(Value::as_f64)))
    };
    SeedScores::new(group.runs(arm).filter_map(one))
}
