//! The lines of the equity and drawdown charts.

use chrono::NaiveDate;
use serde::Serialize;
use trading_env::Role;

use crate::Curve;
use crate::arms::{Look, look};
use crate::band::Band;
use crate::figure::{at, kept_places};
use crate::groups::Group;
use crate::numbers::rounded;

/// Lines shown at first when a group has more arms than the eye can follow; the others are one click away.
const SHOWN_ARMS: usize = 6;

/// Numbers of a line at each place: mean, lowest and highest of growth and of drawdown.
const NUMBERS: usize = 6;

/// Accounts of one group over the test window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Accounts {
    /// Dates of the decisions and the close after the last one, `n + 1`; every k-th of them on long windows with many
    /// arms.
    pub dates: Vec<String>,
    pub lines: Vec<Line>,
}

/// One arm: mean over seeds, and the range from the lowest to the highest seed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub name: String,
    pub look: Look,
    pub shown: bool,
    pub n: usize,
    pub growth: Band,
    pub drawdown: Band,
}

/// The lines of a group; `None` when no run of it has finished.
pub(crate) fn accounts(group: &Group<'_>) -> Option<Accounts> {
    let group = &group.drawn();
    let curves: Vec<(usize, Vec<&Curve>)> = group
        .arms
        .iter()
        .map(|arm| (*arm, group.runs(*arm).filter_map(|r| r.curve.as_ref()).collect()))
        .collect();
    let dates = &curves.iter().find_map(|(_, curves)| curves.first())?.dates;
    let kept = kept_places(dates.len() + 1, curves.iter().filter(|(_, c)| !c.is_empty()).count(), NUMBERS);
    let mut lines = Vec::new();
    for (arm, curves) in &curves {
        // One window per group: a run that was stored over other dates does not belong on this axis.
        let curves: Vec<&Curve> = curves.iter().copied().filter(|c| c.dates == *dates).collect();
        if curves.is_empty() {
            continue;
        }
        let band = |values: &dyn Fn(&Curve) -> Vec<f64>| {
            let series: Vec<_> =
                curves.iter().map(|c| at(&values(c), &kept).into_iter().map(Some).collect()).collect();
            Band::new(&series, |v| rounded(v, 5))
        };
        let (Some(growth), Some(drawdown)) = (band(&|c| c.growth.clone()), band(&Curve::drawdown)) else {
            continue;
        };
        let look = look(group, *arm);
        let arms_before = lines.iter().filter(|l: &&Line| l.look.hue.is_some()).count();
        lines.push(Line {
            name: group.arm(*arm).name.clone(),
            look,
            shown: shown_at_first(group.arm(*arm).role, arms_before),
            n: curves.len(),
            growth,
            drawdown,
        });
    }
    Some(Accounts { dates: at(&labels(dates), &kept), lines })
}

/// The close after the last decision, whose date a run does not hold.
pub(crate) const NEXT_CLOSE: &str = "next close";

/// Where an account stands: at each decision's date and after the last one, `n + 1`.
pub(crate) fn labels(dates: &[NaiveDate]) -> Vec<String> {
    dates.iter().map(NaiveDate::to_string).chain([NEXT_CLOSE.to_owned()]).collect()
}

/// Whether a line is drawn before anybody has asked for it; `arms_before`: lines of arms that come before it.
pub(crate) fn shown_at_first(role: Role, arms_before: usize) -> bool {
    match role {
        Role::Arm => arms_before < SHOWN_ARMS,
        Role::Baseline => true,
        Role::Control => false,
    }
}
