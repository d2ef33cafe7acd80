//! Forest plots: every arm's mean with its interval under one another, beside the baselines.

use serde::Serialize;
use trading_env::Role;

use crate::arm_scores::seed_scores;
use crate::arms::{Look, look};
use crate::effects::reference;
use crate::estimate::Point;
use crate::groups::Group;
use crate::metric::{Metric, SCORES, Unit};
use crate::rescored::role;

/// Rows at most: beyond that the eye reads the table.
const MOST_ROWS: usize = 60;

/// A forest plot of one score.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Forest {
    pub key: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub rows: Vec<ForestRow>,
    /// Rows that are left out.
    pub left_out: usize,
    /// Name and value of the reference line.
    pub reference: Option<(String, f64)>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ForestRow {
    pub name: String,
    pub role: &'static str,
    pub look: Look,
    #[serde(flatten)]
    pub point: Point,
}

/// Sharpe ratio and cumulative return.
pub(crate) fn forests(group: &Group<'_>) -> Vec<Forest> {
    let kinds = [("forest-sharpe", &SCORES[0]), ("forest-return", &SCORES[1])];
    kinds.into_iter().filter_map(|(key, metric)| forest(group, key, metric)).collect()
}

fn forest(group: &Group<'_>, key: &'static str, metric: &Metric) -> Option<Forest> {
    let row = |arm: usize| {
        let row = ForestRow {
            name: group.arm(arm).name.clone(),
            role: role(group.arm(arm).role),
            look: look(group, arm),
            point: Point::new(&seed_scores(group.input, arm, metric.key)),
        };
        row.point.mean.is_some().then_some(row)
    };
    let roles = [Role::Arm, Role::Control, Role::Baseline];
    // Baselines stay: without them the others have no measure.
    let [arms, controls, baselines] =
        roles.map(|role| group.of_role(role).filter_map(row).collect::<Vec<ForestRow>>());
    let others: Vec<ForestRow> = arms.into_iter().chain(controls).collect();
    let room = MOST_ROWS.saturating_sub(baselines.len());
    let left_out = others.len().saturating_sub(room);
    let rows: Vec<ForestRow> = others.into_iter().take(room).chain(baselines).collect();
    let reference = reference(group, metric);
    (!rows.is_empty()).then_some(Forest {
        key,
        title: metric.label,
        unit: metric.unit,
        rows,
        left_out,
        reference,
    })
}
