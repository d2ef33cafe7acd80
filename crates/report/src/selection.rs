//! Which arm of a group is selected: by the validation part, and by nothing else.
//!
//! [`select`] decides and reads no score of the test part; what the page, the tables and the texts say of it, the test
//! scores of what was selected among them, is told in [`shown`].

mod shown;

use experiment::SelectionMetric;
use stats::SeedScores;
use store::RunState;
use trading_env::Role;

use crate::ReportInput;
use crate::arm_scores::{completed, per_seed};
use crate::groups::{Group, groups};
use crate::numbers::count;
pub(crate) use shown::{Outcome, SELECTED_MARK, SelectionPage, headline, selection_page};
pub use shown::{Selections, selections};

/// What is selected, in gates and, where windows or tasks select one each, as the name of what these come to.
pub(crate) const SELECTED: &str = "selected";

/// An arm that may be selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranked {
    /// Index into the plan's arms.
    pub arm: usize,
    /// Scores of the validation part, one of every planned seed.
    pub scores: SeedScores,
}

/// Why an arm may not be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// Runs of it are not done.
    Unfinished { completed: usize, planned: usize },
    /// Runs of it failed or were skipped: the seeds that are left would tell of a better arm.
    Incomplete { completed: usize, planned: usize },
    /// A seed has no score: as above.
    Undefined { missing: usize, seeds: usize },
}

/// A selection among the arms of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    pub by: SelectionMetric,
    /// The arms with a score of every planned seed by their mean, the best first; of equals the first of the plan.
    pub ranked: Vec<Ranked>,
    /// The other arms, in plan order.
    pub left_out: Vec<(usize, LeftOut)>,
}

impl Selection {
    /// The selected arm, where any arm may be selected.
    pub(crate) fn arm(&self) -> Option<usize> {
        self.ranked.first().map(|ranked| ranked.arm)
    }

    /// Whether no run is left that could change it.
    pub(crate) fn is_final(&self) -> bool {
        !self.left_out.iter().any(|(_, reason)| matches!(reason, LeftOut::Unfinished { .. }))
    }
}

impl LeftOut {
    fn words(self) -> String {
        let of = |n: usize, all: usize| format!("{} of {}", count(n), count(all));
        match self {
            LeftOut::Unfinished { completed, planned } => {
                format!("{} runs completed so far", of(completed, planned))
            }
            LeftOut::Incomplete { completed, planned } => {
                format!("{} runs completed", of(completed, planned))
            }
            LeftOut::Undefined { missing, seeds } => {
                format!("no validation score for {} seeds", of(missing, seeds))
            }
        }
    }
}

/// The selection among the arms of `group`; `None` where the experiment asks for none. Baselines and controls are not
/// selected. Of windows that were joined, and of tasks that were put together, it is what their own selections come to: a
/// validation score over all windows would know the test parts of the first ones.
pub(crate) fn select(group: &Group<'_>) -> Option<Selection> {
    let by = group.input.plan.select?;
    let mut selection = Selection { by, ranked: Vec::new(), left_out: Vec::new() };
    if is_made(group) {
        let chosen = group.of_role(Role::Arm).find(|arm| !group.arm(*arm).choices().is_empty());
        selection.ranked.extend(chosen.map(|arm| Ranked { arm, scores: SeedScores::new([]) }));
        return Some(selection);
    }
    for arm in group.of_role(Role::Arm) {
        let scores = per_seed(group.input, arm, |run| run.valid_metric(by.word()));
        match left_out(group, arm, &scores) {
            Some(reason) => selection.left_out.push((arm, reason)),
            None => selection.ranked.push(Ranked { arm, scores }),
        }
    }
    let mean = |ranked: &Ranked| {
        let mean = ranked.scores.mean().unwrap_or(f64::NAN);
        if by.is_lower_better() { mean } else { -mean }
    };
    selection.ranked.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
    Some(selection)
}

/// Whether the arms of a group were made of windows or tasks.
pub(crate) fn is_made(group: &Group<'_>) -> bool {
    group.arms.iter().any(|arm| group.arm(*arm).place.made.is_some())
}

/// The selected arm of every test window that has one, in plan order.
pub(crate) fn selected_arms(input: &ReportInput) -> Vec<usize> {
    groups(input).iter().filter_map(|group| select(group)?.arm()).collect()
}

fn left_out(group: &Group<'_>, arm: usize, scores: &SeedScores) -> Option<LeftOut> {
    let (completed, planned) = (completed(group.input, arm).count(), group.runs(arm).count());
    let is_ended = |state: &RunState| {
        matches!(state, RunState::Completed | RunState::Failed { .. } | RunState::Skipped { .. })
    };
    match () {
        () if !group.runs(arm).all(|run| is_ended(&run.state)) => {
            Some(LeftOut::Unfinished { completed, planned })
        }
        () if completed < planned || planned == 0 => Some(LeftOut::Incomplete { completed, planned }),
        () if scores.missing() > 0 => {
            Some(LeftOut::Undefined { missing: scores.missing(), seeds: scores.missing() + scores.len() })
        }
        () => None,
    }
}
