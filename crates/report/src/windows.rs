//! What the windows of a walk-forward came to, one by one.

use serde::Serialize;
use serde_json::{Value, json};
use trading_env::Role;

use crate::arm_scores::seed_scores;
use crate::arms::{Look, look};
use crate::estimate::Cell;
use crate::groups::{Group, agent_kind, planned_window};
use crate::links::Links;
use crate::metric::SCORES;
use crate::pooled::Pooled;
use crate::{ReportInput, numbers, settings};

/// The Sharpe ratio of every arm in every window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Windows {
    pub heads: Vec<Head>,
    pub rows: Vec<Row>,
    /// What the windows are, in one sentence.
    pub about: String,
}

/// One window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Head {
    pub number: usize,
    /// First and last day of the training part.
    pub train: Option<(String, String)>,
    /// First and last day of the test part.
    pub test: Option<(String, String)>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub name: String,
    pub look: Look,
    pub role: Role,
    /// One per window, with the page of the arm in that window where arms have pages.
    pub cells: Vec<(Cell, Option<String>)>,
    /// In how many of the windows in which both have a ratio its mean over seeds is above Buy & Hold's: `5 of 8`.
    pub above: Option<String>,
}

/// The windows of a group's arms; `None` where they have none. `ran`: the input as it was run.
pub(crate) fn windows(
    group: &Group<'_>,
    pooled: &Pooled<'_>,
    ran: &ReportInput,
    links: &Links,
) -> Option<Windows> {
    let places = |arm: usize| pooled.windows(arm);
    let first = *group.arms.iter().find(|arm| !places(**arm).is_empty())?;
    let head = |place: &usize| {
        let arm = &ran.plan.arms[*place];
        let number = arm.place.window.as_ref().map_or(0, |window| window.number);
        Head { number, train: settings::dates(&arm.spec, "split.train"), test: planned_window(arm) }
    };
    let score = SCORES[0];
    let means = |arm: usize| -> Vec<Option<f64>> {
        places(arm).iter().map(|place| seed_scores(ran, *place, score.key).mean()).collect()
    };
    let hold = group.baseline("buy-and-hold").map(means);
    let row = |arm: usize| {
        let cell = |place: &usize| {
            let cell = Cell::new(score.label, score.unit, &seed_scores(ran, *place, score.key));
            (cell, links.arm_page(*place).map(|page| format!("arms/{page}")))
        };
        let is_hold = agent_kind(group.arm(arm)) == Some("buy-and-hold");
        Row {
            name: group.arm(arm).name.clone(),
            look: look(group, arm),
            role: group.arm(arm).role,
            cells: places(arm).iter().map(cell).collect(),
            above: hold.as_ref().filter(|_| !is_hold).map(|hold| above(&means(arm), hold)),
        }
    };
    let roles = [Role::Arm, Role::Baseline, Role::Control];
    let arms = roles.into_iter().flat_map(|role| group.of_role(role));
    Some(Windows {
        heads: places(first).iter().map(head).collect(),
        rows: arms.filter(|arm| !places(*arm).is_empty()).map(row).collect(),
        about: about(group, first, places(first).len()),
    })
}

/// `3 of 8`: where both are there, how often the first is higher.
fn above(own: &[Option<f64>], hold: &[Option<f64>]) -> String {
    let pairs: Vec<(f64, f64)> = own.iter().zip(hold).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
    let above = pairs.iter().filter(|(a, b)| a > b).count();
    format!("{} of {}", numbers::count(above), numbers::count(pairs.len()))
}

fn about(group: &Group<'_>, arm: usize, n: usize) -> String {
    let spec = &group.arm(arm).spec;
    let walk = |key: &str| settings::at(spec, &format!("split.walk_forward.{key}")).filter(|v| !v.is_null());
    let text = |key: &str| walk(key).map(|value| settings::text(&value));
    let (train, test) = (text("train").unwrap_or_default(), text("test").unwrap_or_default());
    let grows = walk("expanding") == Some(Value::Bool(true));
    let of = if grows { format!("all data before, at least {train}") } else { format!("the {train} before") };
    let valid = text("valid").map(|valid| format!(", the {valid} between for selection")).unwrap_or_default();
    let bars = |key: &str, value: Option<Value>| {
        let n = value.and_then(|v| v.as_u64()).filter(|n| *n > 0)?;
        Some(format!("{key} {}", numbers::plural(usize::try_from(n).ok()?, "bar")))
    };
    let gaps = [bars("purge", settings::at(spec, "split.purge")), bars("embargo", walk("embargo"))];
    let gaps: Vec<String> = gaps.into_iter().flatten().collect();
    let gaps = if gaps.is_empty() { String::new() } else { format!("; {}", gaps.join(", ")) };
    format!(
        "Walk-forward over {n} windows: each tests {test} with a policy trained on {of}{valid}{gaps}. The scores above are \
         of all windows joined in time, in each of which the account begins flat.",
        n = numbers::count(n)
    )
}

/// The windows of an arm for programs.
pub(crate) fn json(
    places: &[usize],
    ran: &ReportInput,
    statistics: impl Fn(&stats::SeedScores) -> Value,
) -> Value {
    let window = |place: &usize| {
        let arm = &ran.plan.arms[*place];
        json!({
            "number": arm.place.window.as_ref().map(|w| w.number),
            "arm": arm.name,
            "train": settings::dates(&arm.spec, "split.train"),
            "test": settings::dates(&arm.spec, "split.test"),
            "sharpe": statistics(&seed_scores(ran, *place, "sharpe")),
            "cumulative_return": statistics(&seed_scores(ran, *place, "cumulative_return")),
        })
    };
    places.iter().map(window).collect()
}
