//! Which pages there are and what their files are called.

use trading_env::Role;

use crate::groups::MOST_DRAWN;
use crate::{ReportInput, ReportRun};

/// Runs that one page lists at most; beyond that arms have pages of their own.
const MOST_RUNS: usize = 200;

/// The pages of a report besides the first.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// Whether arms have pages of their own.
    pub is_large: bool,
    /// Width of the number in an arm's file name.
    width: usize,
    /// By arm: the arm of the plan as it was run whose page it has; absent where they are the same.
    places: Option<Vec<Option<usize>>>,
}

impl Links {
    pub(crate) fn of(input: &ReportInput) -> Self {
        let arms = input.plan.arms.iter().filter(|a| a.role == Role::Arm).count();
        let is_large = input.runs.len() > MOST_RUNS || arms > MOST_DRAWN;
        Self { is_large, width: input.plan.arms.len().to_string().len(), places: None }
    }

    /// The same for arms that stand for those in `places`.
    pub(crate) fn at(&self, places: Vec<Option<usize>>) -> Self {
        Self { places: Some(places), ..self.clone() }
    }

    /// Name of an arm's page below `arms/`: its place in the plan, because its name may hold anything.
    pub(crate) fn arm_page(&self, arm: usize) -> Option<String> {
        let place = match &self.places {
            Some(places) => (*places.get(arm)?)?,
            None => arm,
        };
        self.is_large.then(|| format!("{:0width$}.html", place + 1, width = self.width))
    }
}

/// Name of a run's page below `runs/`; runs that were never started have none.
pub(crate) fn run_page(run: &ReportRun) -> Option<String> {
    run.manifest.as_ref().map(|_| format!("{}.html", run.run_id))
}
