//! The table of arms, baselines and controls of one group.

use serde::Serialize;
use stats::SeedScores;
use trading_env::Role;

use crate::ReportInput;
use crate::arm_scores::{completed, seed_scores};
use crate::estimate::Cell;
use crate::groups::Group;
use crate::links::Links;
use crate::metric::Metric;
use crate::selection::select;
use crate::warnings::mark_of_arm;

/// Colours and dashes of the charts' lines: six hues that the colour-blind can tell apart, then dashes.
const HUES: usize = 6;
const DASHES: usize = 4;

/// How an arm is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Look {
    /// Arms: 0 to 5. Baselines and controls are grey and have none.
    pub hue: Option<usize>,
    /// 0 solid, then dashes.
    pub dash: usize,
}

impl Look {
    /// The look of the n-th of several lines.
    pub(crate) fn nth(n: usize) -> Self {
        Self { hue: Some(n % HUES), dash: n / HUES % DASHES }
    }
}

/// How arm `index` of a group is drawn.
pub(crate) fn look(group: &Group<'_>, index: usize) -> Look {
    let role = group.arm(index).role;
    let place = group.of_role(role).position(|i| i == index).unwrap_or(0);
    match role {
        Role::Arm => Look::nth(place),
        Role::Baseline | Role::Control => Look { hue: None, dash: place % DASHES },
    }
}

/// A table: one row per arm, baseline or control, one cell per metric.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Table {
    pub columns: Vec<Column>,
    pub arms: Vec<Row>,
    pub baselines: Vec<Row>,
    pub controls: Vec<Row>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Column {
    pub label: &'static str,
    pub about: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub name: String,
    /// The arm's own page.
    pub link: Option<String>,
    pub look: Look,
    pub is_base: bool,
    /// Selected on validation data.
    pub is_selected: bool,
    pub cells: Vec<Cell>,
    pub completed: usize,
    pub planned: usize,
    /// Completed, but by fewer seeds than an interval needs.
    pub is_anecdote: bool,
    /// What its runs warn of.
    pub warned: Option<String>,
}

/// One cell per metric of an arm.
pub(crate) fn score_cells(input: &ReportInput, arm: usize, metrics: &[Metric]) -> Vec<Cell> {
    metrics.iter().map(|m| Cell::new(m.label, m.unit, &seed_scores(input, arm, m.key))).collect()
}

/// The table of the given metrics.
pub(crate) fn table(group: &Group<'_>, metrics: &[Metric], links: &Links) -> Table {
    let base = group.base();
    let selected = select(group).and_then(|selection| selection.arm());
    let row = |index: usize| {
        let (n, planned) = (completed(group.input, index).count(), group.runs(index).count());
        Row {
            name: group.arm(index).name.clone(),
            link: links.arm_page(index).map(|page| format!("arms/{page}")),
            look: look(group, index),
            is_base: base == Some(index),
            is_selected: selected == Some(index),
            cells: score_cells(group.input, index, metrics),
            completed: n,
            planned,
            is_anecdote: n > 0
                && n < SeedScores::LEAST_FOR_INTERVAL
                && group.arm(index).role != Role::Baseline,
            warned: mark_of_arm(group.input, index),
        }
    };
    Table {
        columns: metrics.iter().map(|m| Column { label: m.label, about: m.about }).collect(),
        arms: group.of_role(Role::Arm).map(row).collect(),
        baselines: group.of_role(Role::Baseline).map(row).collect(),
        controls: group.of_role(Role::Control).map(row).collect(),
    }
}
