//! Tables whose cells are coloured by their value: readable as tables, seen as heat maps.

use serde::Serialize;
use stats::SeedScores;

use crate::effects::{axis_values, pooled};
use crate::groups::Group;
use crate::metric::{SCORES, Unit};
use crate::settings;

/// Colours on either side of the middle.
const LEVELS: f64 = 4.0;
/// Heat maps of a group at most.
const MOST_MAPS: usize = 3;

/// A table of coloured cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HeatTable {
    /// What the rows are.
    pub corner: String,
    pub columns: Vec<String>,
    pub rows: Vec<(String, Vec<HeatCell>)>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HeatCell {
    pub text: String,
    /// From `n4` (far below the middle) over `z` to `p4` (far above).
    pub level: String,
    /// For sorting and CSV; absent where undefined.
    pub value: Option<f64>,
    /// `low to high`.
    pub interval: Option<String>,
    /// How many seeds have no value, where some have.
    pub missing: Option<String>,
}

/// How values become colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    middle: f64,
    reach: f64,
}

impl Scale {
    /// Symmetric around `middle`, as far as the values go.
    pub(crate) fn around(middle: f64, values: impl Iterator<Item = f64>) -> Self {
        let reach = values.filter(|v| v.is_finite()).map(|v| (v - middle).abs()).fold(0.0, f64::max);
        Self { middle, reach }
    }

    fn level(&self, value: f64) -> String {
        let share = if self.reach > 0.0 { (value - self.middle) / self.reach } else { 0.0 };
        match (share * LEVELS).round().clamp(-LEVELS, LEVELS) as i32 {
            0 => "z".to_owned(),
            n if n < 0 => format!("n{}", -n),
            n => format!("p{n}"),
        }
    }
}

impl HeatCell {
    pub(crate) fn new(unit: Unit, value: Option<f64>, scale: &Scale) -> Self {
        let value = value.filter(|v| v.is_finite());
        Self {
            text: unit.write(value),
            level: value.map_or_else(|| "none".to_owned(), |v| scale.level(v)),
            value: value.map(|v| crate::numbers::significant(v, 6)),
            interval: None,
            missing: None,
        }
    }
}

/// Two axes of a grid against each other.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HeatMap {
    pub rows_axis: String,
    pub columns_axis: String,
    /// Whether a cell averages over arms that differ in further axes.
    pub is_pooled: bool,
    /// Name and score of what the colours are around.
    pub middle: Option<(String, String)>,
    pub table: HeatTable,
}

/// Sharpe ratios over every two axes that vary together within the group: a grid has such pairs, a sweep of one at a
/// time has none.
pub(crate) fn heat_maps(group: &Group<'_>) -> Vec<HeatMap> {
    if group.input.plan.mode.as_deref() != Some("grid") {
        return Vec::new();
    }
    let axes = &group.input.plan.axes;
    let pairs = (0..axes.len()).flat_map(|i| (i + 1..axes.len()).map(move |k| (i, k)));
    pairs.filter_map(|(i, k)| heat_map(group, i, k)).take(MOST_MAPS).collect()
}

fn heat_map(group: &Group<'_>, rows: usize, columns: usize) -> Option<HeatMap> {
    let (rows_axis, columns_axis) = (&group.input.plan.axes[rows], &group.input.plan.axes[columns]);
    let (rows, columns) =
        (axis_values(group, rows_axis, |_| true), axis_values(group, columns_axis, |_| true));
    if rows.len() < 2 || columns.len() < 2 {
        return None;
    }
    let metric = &SCORES[0];
    let mut is_pooled = false;
    let mut scores: Vec<Vec<SeedScores>> = Vec::new();
    for (_, in_row) in &rows {
        let cell = |(_, in_column): &(_, Vec<usize>)| {
            let arms: Vec<usize> = in_row.iter().copied().filter(|arm| in_column.contains(arm)).collect();
            is_pooled |= arms.len() > 1;
            pooled(group, &arms, metric)
        };
        scores.push(columns.iter().map(cell).collect());
    }
    let reference = crate::effects::reference(group, metric);
    let means = || scores.iter().flatten().filter_map(SeedScores::mean);
    let scale = Scale::around(reference.as_ref().map_or(0.0, |(_, v)| *v), means());
    let cell = |scores: &SeedScores| {
        let estimate = crate::estimate::Cell::new(metric.label, metric.unit, scores);
        let cell = HeatCell::new(metric.unit, scores.mean(), &scale);
        HeatCell { interval: estimate.interval, missing: estimate.missing, ..cell }
    };
    let name = |(value, _): &(serde_json::Value, Vec<usize>)| settings::text(value);
    let table = HeatTable {
        corner: rows_axis.key.clone(),
        columns: columns.iter().map(name).collect(),
        rows: rows
            .iter()
            .zip(&scores)
            .map(|(row, scores)| (name(row), scores.iter().map(cell).collect()))
            .collect(),
    };
    Some(HeatMap {
        rows_axis: rows_axis.key.clone(),
        columns_axis: columns_axis.key.clone(),
        is_pooled,
        middle: reference.map(|(name, v)| (name, metric.unit.write(Some(v)))),
        table,
    })
}
