//! Arms over all tasks: aggregates over tasks and seeds, as Agarwal et al. (2021) do it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use stats::{Aggregate, Bootstrap, Runs, SeedScores};
use trading_env::Role;

use crate::arm_scores::seed_scores;
use crate::estimate::{Cell, LEVEL, RESAMPLES};
use crate::groups::{agent_kind, groups};
use crate::judged::less;
use crate::metric::{SCORES, Unit};
use crate::numbers;
use crate::pooled::{Pooled, tasks};

/// A row per arm that all tasks have.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Across {
    pub tasks: Vec<String>,
    pub columns: Vec<(&'static str, &'static str)>,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub name: String,
    pub is_baseline: bool,
    pub cells: Vec<Cell>,
}

const COLUMNS: [(&str, &str); 5] = [
    ("Mean of Sharpe", "over tasks, of each task's mean over seeds"),
    ("IQM of Sharpe", "mean of the middle half of all tasks' seeds"),
    ("Minus Buy & Hold", "mean over tasks of the Sharpe ratio less that of Buy & Hold on the same task"),
    (
        "P(improvement)",
        "mean over tasks of the probability that a seed's Sharpe ratio is above Buy & Hold's there",
    ),
    ("Tasks above", "tasks on which the mean over seeds is above Buy & Hold's"),
];

/// `None` with fewer than two tasks.
pub(crate) fn across(pooled: &Pooled<'_>) -> Option<Across> {
    let input = &*pooled.input;
    let names: Vec<String> = tasks(input).into_iter().map(str::to_owned).collect();
    if names.len() < 2 || pooled.together.is_empty() {
        return None;
    }
    let scores = |arm: usize| -> Vec<SeedScores> {
        pooled.together[arm].iter().map(|place| seed_scores(input, *place, SCORES[0].key)).collect()
    };
    let is_hold = |arm: usize| agent_kind(&input.plan.arms[arm]) == Some("buy-and-hold");
    let groups = groups(input);
    let hold_of = |arm: usize| -> Option<Vec<f64>> {
        let hold = groups.iter().find(|group| group.arms.contains(&arm))?.baseline("buy-and-hold")?;
        scores(hold).iter().map(SeedScores::mean).collect()
    };
    let row = |arm: usize| {
        let hold = if is_hold(arm) { None } else { hold_of(arm) };
        Row {
            name: input.plan.arms[arm].name.clone(),
            is_baseline: input.plan.arms[arm].role != Role::Arm,
            cells: cells(&scores(arm), hold.as_deref()),
        }
    };
    Some(Across {
        tasks: names,
        columns: COLUMNS.to_vec(),
        rows: (0..pooled.together.len()).map(row).collect(),
    })
}

fn cells(tasks: &[SeedScores], hold: Option<&[f64]>) -> Vec<Cell> {
    let bootstrap = Bootstrap { resamples: RESAMPLES, ..Bootstrap::default() };
    let runs = Runs::new(tasks.iter().cloned());
    let label = |k: usize| COLUMNS[k].0;
    let of = |k: usize, runs: &Runs, aggregate: Aggregate| {
        Cell::of(
            label(k),
            Unit::Ratio,
            runs.aggregate(aggregate),
            runs.interval(aggregate, LEVEL, &bootstrap),
        )
    };
    let mut cells = vec![of(0, &runs, Aggregate::Mean), of(1, &runs, Aggregate::Iqm)];
    let Some(hold) = hold else { return cells };
    let difference = Runs::new(tasks.iter().zip(hold).map(|(scores, hold)| less(scores, *hold)));
    cells.push(of(2, &difference, Aggregate::Mean));
    let improvement = runs.improvement_over_fixed(hold, LEVEL, &bootstrap);
    cells.push(Cell::of(label(3), Unit::Probability, improvement.map(|i| i.point), improvement));
    let above =
        tasks.iter().zip(hold).filter(|(own, hold)| own.mean().is_some_and(|mean| mean > **hold)).count();
    let text = format!("{} of {}", numbers::count(above), numbers::count(tasks.len()));
    cells.push(Cell::plain(label(4), text, Some(above as f64)));
    cells
}

/// The aggregates for programs.
pub(crate) fn json(pooled: &Pooled<'_>) -> Option<Value> {
    let across = across(pooled)?;
    let cell = |cell: &Cell| {
        let value = json!({ "text": cell.mean, "value": cell.value, "interval": cell.interval });
        (cell.label.to_owned(), value)
    };
    let row = |row: &Row| {
        let cells: Map<String, Value> = row.cells.iter().map(cell).collect();
        json!({ "name": row.name, "scores": cells })
    };
    Some(json!({ "tasks": across.tasks, "arms": across.rows.iter().map(row).collect::<Vec<_>>() }))
}
