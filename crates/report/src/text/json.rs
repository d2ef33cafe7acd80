//! What an experiment came to, for programs.

use serde_json::{Map, Value, json};
use stats::SeedScores;

use crate::arm_scores::{Statistic, completed, seed_scores};
use crate::estimate::LEVEL;
use crate::groups::{Group, groups};
use crate::judged::judged;
use crate::pooled::Pooled;
use crate::record::Records;
use crate::selection::{Selections, select, selections};
use crate::{ReportInput, across, backends, windows};

/// Scores that the summary has of every arm, in the units of `evaluate`.
const SCORES: [&str; 5] =
    ["sharpe", "cumulative_return", "annual_return", "annual_volatility", "max_drawdown"];
/// The InvestorBench block.
const PAPER: [&str; 4] = ["cr", "sr", "av", "mdd"];
/// Scores under other rules.
const RESCORED: [&str; 3] = ["sharpe", "cumulative_return", "max_drawdown"];

/// One object per arm, baseline and control: its scores over the completed seeds as mean, median, interquartile mean,
/// 95% bootstrap interval of the mean (`low`, `high`), `min` and `max`, with `null` where undefined, and `undefined`,
/// the number of seeds whose score is. An arm has its `claim` and its `verdict` as on the page; where arms are selected on
/// validation data it says whether it `is_selected`, and `selection` has an object per test window. `trials` counts the
/// distinct specifications that were ever started. Of a walk-forward the scores are those of all windows joined in time,
/// `windows` those of each; of several tasks the arms of all together come first, and `across_tasks` aggregates over tasks
/// and seeds. `backends`, where arms have several: steps count from 1.
pub fn summary(input: &ReportInput) -> Value {
    let mut arms: Vec<(usize, Value)> = Vec::new();
    let pooled = Pooled::of(input);
    let Selections { windows: selections, .. } = selections(input);
    for group in groups(&pooled.input) {
        let selected = select(&group).and_then(|selection| selection.arm());
        let verdicts = judged(&group, Records::of(&group).as_ref(), input.trials).verdicts;
        for index in &group.arms {
            let mut value = arm(&group, *index);
            let verdict = verdicts.iter().map(|v| &v.verdict).find(|v| v.name == group.arm(*index).name);
            let places = pooled.windows(*index);
            if !places.is_empty() {
                value["windows"] = windows::json(places, input, statistics);
            }
            value["claim"] = json!(verdict.map(|v| v.words));
            value["verdict"] = json!(verdict.map(|v| &v.sentence));
            if !selections.is_empty() {
                value["is_selected"] = json!(selected == Some(*index));
            }
            arms.push((*index, value));
        }
    }
    arms.sort_by_key(|(index, _)| *index);
    let mut summary = json!({
        "experiment": input.plan.experiment,
        "title": input.plan.title,
        "trials": input.trials,
        "arms": arms.into_iter().map(|(_, arm)| arm).collect::<Vec<_>>(),
    });
    if let Some(across) = across::json(&pooled) {
        summary["across_tasks"] = across;
    }
    if !selections.is_empty() {
        summary["selection"] = Value::Array(selections);
    }
    if !input.backends.pairs.is_empty() {
        summary["backends"] = backends::json(input);
    }
    summary
}

fn arm(group: &Group<'_>, index: usize) -> Value {
    let (input, arm) = (group.input, group.arm(index));
    let scores = |metric: &str| statistics(&seed_scores(input, index, metric));
    let paper = PAPER.iter().map(|name| ((*name).to_owned(), scores(&format!("paper.{name}"))));
    let mut value = json!({
        "name": arm.name,
        "role": arm.role,
        "axes": arm.axes,
        "task": arm.place.task.as_ref().map(|task| &task.name),
        "symbol": group.symbol(),
        "rules": group.rules(),
        "window": group.window(),
        "seeds": completed(input, index).map(|run| run.seed).collect::<Vec<_>>(),
        "planned_seeds": group.runs(index).count(),
    });
    for metric in SCORES {
        value[metric] = scores(metric);
    }
    value["paper"] = Value::Object(paper.collect());
    value["rescored"] = rescored(input, index);
    value
}

/// Under every rules and cost that a completed run of the arm was scored under.
fn rescored(input: &ReportInput, index: usize) -> Value {
    let mut settings: Vec<(&str, f64)> = Vec::new();
    for manifest in completed(input, index).filter_map(|run| run.manifest.as_ref()) {
        for other in &manifest.rescored {
            let setting = (other.rules.as_str(), other.cost_bps);
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
    }
    let under = |(rules, cost_bps): (&str, f64)| {
        let mut value = json!({ "rules": rules, "cost_bps": cost_bps });
        for metric in RESCORED {
            let name = format!("rescored.{rules}.{cost_bps}bps.{metric}");
            value[metric] = statistics(&seed_scores(input, index, &name));
        }
        value
    };
    settings.into_iter().map(under).collect()
}

pub(crate) fn statistics(scores: &SeedScores) -> Value {
    // One bootstrap for both ends.
    let interval = scores.interval(LEVEL);
    let value = |statistic| match statistic {
        Statistic::Low => interval.map(|i| i.low),
        Statistic::High => interval.map(|i| i.high),
        other => other.of(scores),
    };
    let mut values: Map<String, Value> =
        Statistic::ALL.into_iter().map(|s| (s.word().to_owned(), json!(value(s)))).collect();
    values.insert("undefined".to_owned(), scores.missing().into());
    Value::Object(values)
}
