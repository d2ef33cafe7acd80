//! The columns of the table of runs, which are those of `summary.parquet`.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use store::{ExperimentStore, SummaryRow};
use trading_env::Role;

use crate::{ExportError, Run};

/// Columns before and after those of the axes.
const BEFORE_AXES: [&str; 5] = ["run_id", "attempt", "arm", "role", "symbol"];
const AFTER_AXES: [&str; 3] = ["seed", "state", "reason"];

/// Axes and metrics that any of the runs has, in the order in which they first appear.
#[derive(Default)]
pub(crate) struct Columns {
    pub axes: Vec<String>,
    pub metrics: Vec<String>,
    /// Place of each metric.
    places: HashMap<String, usize>,
}

impl Columns {
    pub fn of(store: &ExperimentStore, runs: &[Run]) -> Result<Self, ExportError> {
        let mut columns = Self::default();
        for run in runs {
            let (_, row) = run.read(store)?;
            for axis in row.axes.keys().filter(|axis| !columns.axes.contains(axis)).collect::<Vec<_>>() {
                columns.axes.push(axis.clone());
            }
            for (name, _) in row.metrics {
                if !columns.places.contains_key(&name) {
                    columns.places.insert(name.clone(), columns.metrics.len());
                    columns.metrics.push(name);
                }
            }
        }
        Ok(columns)
    }

    pub fn names(&self) -> Vec<String> {
        let mut names = BEFORE_AXES.map(str::to_owned).to_vec();
        names.extend(self.axes.iter().map(|axis| format!("axis.{axis}")));
        names.extend(AFTER_AXES.map(str::to_owned));
        names.extend(self.metrics.iter().cloned());
        names
    }

    pub fn cells(&self, row: SummaryRow) -> Vec<Cell> {
        let text = |text: &str| Cell::Text(Some(text.to_owned()));
        let mut cells = vec![
            Cell::Text(Some(row.run_id)),
            Cell::Text(Some(row.attempt.to_string())),
            Cell::Text(Some(row.arm)),
            text(role_word(row.role)),
            Cell::Text(Some(row.symbol)),
        ];
        cells.extend(self.axes.iter().map(|axis| Cell::Text(row.axes.get(axis).and_then(axis_text))));
        cells.extend([text(&row.seed.to_string()), Cell::Text(Some(row.state)), Cell::Text(row.reason)]);
        let mut metrics = vec![None; self.metrics.len()];
        // A name that a row has twice keeps its first value, as in `summary.parquet`.
        for (name, value) in row.metrics.into_iter().rev() {
            if let Some(place) = self.places.get(&name) {
                metrics[*place] = value;
            }
        }
        cells.extend(metrics.into_iter().map(Cell::Number));
        cells
    }
}

/// Nothing is an empty field.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Text(Option<String>),
    Number(Option<f64>),
}

/// As it would stand in JSON, words bare, like mixed columns of `summary.parquet`.
pub(crate) fn axis_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Arm => "arm",
        Role::Baseline => "baseline",
        Role::Control => "control",
    }
}
