//! One score of every arm on every data set, where there are several.

use serde::Serialize;
use serde_json::Value;
use trading_env::Role;

use crate::arm_scores::seed_scores;
use crate::estimate::Cell;
use crate::groups::{Group, SECTIONS};
use crate::metric::SCORES;
use crate::{PlannedArm, settings};

/// Sharpe ratios: a row per arm, a column per group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Overview {
    /// Trading rules, where all groups have the same; else the groups' headings name them.
    pub rules: Option<String>,
    pub rows: Vec<OverviewRow>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct OverviewRow {
    pub name: String,
    pub is_baseline: bool,
    /// One per group; absent where the group does not have the arm.
    pub cells: Vec<Option<Cell>>,
}

/// What makes a row: role, whether it stands for what was selected, shuffling, and what an arm has in common with its
/// counterparts on other data.
type Key<'a> = (Role, bool, Option<Value>, Vec<(&'a String, &'a Value)>);

/// The overview; `None` for a single group.
pub(crate) fn overview(groups: &[Group<'_>]) -> Option<Overview> {
    if groups.len() < 2 {
        return None;
    }
    let mut keys: Vec<Key<'_>> = Vec::new();
    let mut rows: Vec<OverviewRow> = Vec::new();
    for role in [Role::Arm, Role::Baseline, Role::Control] {
        for (g, group) in groups.iter().enumerate() {
            for index in group.of_role(role) {
                let arm = group.arm(index);
                let is_selected = !arm.choices().is_empty();
                let key = (role, is_selected, settings::at(&arm.spec, "split.shuffle"), shared_settings(arm));
                let row = keys.iter().position(|k| *k == key).unwrap_or_else(|| {
                    keys.push(key);
                    let (name, is_baseline) = (name(arm), role != Role::Arm);
                    rows.push(OverviewRow { name, is_baseline, cells: vec![None; groups.len()] });
                    rows.len() - 1
                });
                let scores = seed_scores(group.input, index, SCORES[0].key);
                rows[row].cells[g] = Some(Cell::new(SCORES[0].label, SCORES[0].unit, &scores));
            }
        }
    }
    let rules = groups[0].rules();
    let same = groups.iter().all(|g| g.rules() == rules);
    Some(Overview { rules: same.then_some(rules), rows })
}

/// What an arm has in common with its counterparts on other data.
fn shared_settings(arm: &PlannedArm) -> Vec<(&String, &Value)> {
    arm.spec.iter().filter(|(section, _)| !SECTIONS.contains(&section.as_str())).collect()
}

/// What sets the arm apart besides its data: its other axes, or the agent's kind.
fn name(arm: &PlannedArm) -> String {
    let of_group = |key: &str| SECTIONS.contains(&key.split('.').next().unwrap_or(key));
    let axis = |(key, value): (&String, &Value)| {
        format!("{} = {}", key.rsplit('.').next().unwrap_or(key), settings::text(value))
    };
    let axes: Vec<String> = arm.axes.iter().filter(|(key, _)| !of_group(key)).map(axis).collect();
    match arm.role {
        Role::Arm if !arm.choices().is_empty() => "selected".to_owned(),
        Role::Arm if !axes.is_empty() => axes.join(", "),
        // With several data sets the name goes on with what tells them apart.
        Role::Control => arm.name.split(',').next().unwrap_or(&arm.name).to_owned(),
        // Nothing but its data: an arm's own name would name one data set in a row of all.
        Role::Arm | Role::Baseline => {
            settings::at(&arm.spec, "agent").map_or_else(|| arm.name.clone(), |v| settings::text(&v))
        }
    }
}
