//! What one axis of the sweep does to the scores.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use stats::{Moments, Seed, SeedScores};
use trading_env::Role;

use crate::arm_scores::{completed, seed_scores};
use crate::estimate::{Cell, Point};
use crate::groups::Group;
use crate::metric::{Metric, SCORES, Unit};
use crate::{PlannedArm, PlannedAxis, settings};

/// Scores against the values of one axis.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Effect {
    pub axis: String,
    /// One sentence: what is compared with what.
    pub note: String,
    pub rows: Vec<EffectRow>,
    /// Whether rows say how far they are from the base.
    pub has_base: bool,
    pub chart: EffectChart,
}

/// One value of the axis.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EffectRow {
    pub value: String,
    pub is_base: bool,
    /// Sharpe ratio.
    pub score: Cell,
    /// Sharpe ratio minus that of the base, seed by seed; absent for the base and without a base.
    pub difference: Option<Cell>,
    pub seeds: usize,
}

/// What the chart draws.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EffectChart {
    pub axis: String,
    pub labels: Vec<String>,
    pub base: Option<usize>,
    pub metrics: Vec<EffectMetric>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct EffectMetric {
    pub label: &'static str,
    pub unit: Unit,
    pub points: Vec<Point>,
    /// Name and value of the reference line.
    pub reference: Option<(String, f64)>,
}

/// The effects of all axes that vary within the group. Of arms drawn at random none is like another but for one axis, and
/// what they tell of it is told of their validation scores.
pub(crate) fn effects(group: &Group<'_>) -> Vec<Effect> {
    if group.input.plan.mode.as_deref() == Some("random") {
        return Vec::new();
    }
    group.input.plan.axes.iter().filter_map(|axis| effect(group, axis)).collect()
}

fn effect(group: &Group<'_>, axis: &PlannedAxis) -> Option<Effect> {
    let base = group.base();
    let alone = group.input.plan.mode.as_deref() == Some("one-at-a-time");
    // One at a time: only arms that are like the base on every other axis. Otherwise all, averaged per seed.
    let comparable =
        |i: &usize| !alone || base.is_none_or(|b| agree_elsewhere(group.arm(*i), group.arm(b), &axis.key));
    let values = axis_values(group, axis, comparable);
    if values.len() < 2 {
        return None;
    }
    let base_at = base.and_then(|b| values.iter().position(|(_, arms)| arms.contains(&b)));
    // The base stands for its value only where it is that value's single arm.
    let base_at = base_at.filter(|i| values[*i].1.len() == 1);
    let is_pooled = values.iter().any(|(_, arms)| arms.len() > 1);
    let labels: Vec<String> = values.iter().map(|(v, _)| settings::text(v)).collect();

    let sharpe = &SCORES[0];
    let base_scores = base_at.map(|i| pooled(group, &values[i].1, sharpe));
    let rows = values.iter().enumerate().map(|(i, (_, arms))| {
        let scores = pooled(group, arms, sharpe);
        let against = base_scores.as_ref().filter(|_| base_at != Some(i));
        EffectRow {
            value: labels[i].clone(),
            is_base: base_at == Some(i),
            score: Cell::new(sharpe.label, sharpe.unit, &scores),
            difference: against
                .map(|base| Cell::new("Difference from base", sharpe.unit, &scores.differences(base))),
            seeds: scores.len() + scores.missing(),
        }
    });
    let rows = rows.collect();
    let metrics = SCORES.iter().map(|metric| EffectMetric {
        label: metric.label,
        unit: metric.unit,
        points: values.iter().map(|(_, arms)| Point::new(&pooled(group, arms, metric))).collect(),
        reference: reference(group, metric),
    });
    let note = match (is_pooled, base_at.is_some()) {
        (true, _) => "Each point averages, seed by seed, over all arms with that value; seeds that one of them lacks are left out.".to_owned(),
        (false, true) => "All other settings are those of the base.".to_owned(),
        (false, false) => "One arm per value.".to_owned(),
    };
    let chart = EffectChart {
        axis: axis.key.clone(),
        labels: labels.clone(),
        base: base_at,
        metrics: metrics.collect(),
    };
    Some(Effect { axis: axis.key.clone(), note, rows, has_base: base_at.is_some(), chart })
}

/// The values of an axis among the group's arms that are wanted, each with the arms that have it.
pub(crate) fn axis_values(
    group: &Group<'_>,
    axis: &PlannedAxis,
    is_wanted: impl Fn(&usize) -> bool,
) -> Vec<(Value, Vec<usize>)> {
    let mut values: Vec<(Value, Vec<usize>)> = Vec::new();
    for arm in group.of_role(Role::Arm).filter(is_wanted) {
        let Some(value) = group.arm(arm).axes.get(&axis.key) else { continue };
        match values.iter_mut().find(|(v, _)| v == value) {
            Some((_, arms)) => arms.push(arm),
            None => values.push((value.clone(), vec![arm])),
        }
    }
    sort_values(&mut values, axis);
    values
}

fn agree_elsewhere(arm: &PlannedArm, base: &PlannedArm, axis: &str) -> bool {
    arm.axes.iter().filter(|(key, _)| *key != axis).all(|(key, value)| base.axes.get(key) == Some(value))
}

/// Numbers ascend; anything else keeps the file's order, with values that only the base has first.
fn sort_values(values: &mut [(Value, Vec<usize>)], axis: &PlannedAxis) {
    if values.iter().all(|(v, _)| v.is_number()) {
        values.sort_by(|(a, _), (b, _)| a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)));
    } else {
        values.sort_by_key(|(v, _)| axis.values.iter().position(|known| known == v).map_or(0, |i| i + 1));
    }
}

/// Score per seed, averaged over arms: the seed is what replicates, not the arm. Undefined for a seed whose score one of
/// the arms lacks: what is left would average over other arms from one seed and value to the next.
pub(crate) fn pooled(group: &Group<'_>, arms: &[usize], metric: &Metric) -> SeedScores {
    let mut values: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
    for run in arms.iter().flat_map(|arm| completed(group.input, *arm)) {
        values.entry(run.seed).or_default().push(run.test_metric(metric.key));
    }
    let mean = |scores: Vec<Option<f64>>| {
        let defined: Vec<f64> = scores.into_iter().flatten().collect();
        Moments::of(&defined).filter(|_| defined.len() == arms.len()).map(|m| m.mean)
    };
    SeedScores::new(values.into_iter().map(|(seed, scores)| (Seed(seed), mean(scores))))
}

/// Buy & Hold, or the first baseline that has the score.
pub(crate) fn reference(group: &Group<'_>, metric: &Metric) -> Option<(String, f64)> {
    let value = |arm: usize| {
        let mean = seed_scores(group.input, arm, metric.key).mean();
        mean.map(|v| (group.arm(arm).name.clone(), v))
    };
    let hold = group.baseline("buy-and-hold").and_then(value);
    hold.or_else(|| group.of_role(Role::Baseline).find_map(value))
}
