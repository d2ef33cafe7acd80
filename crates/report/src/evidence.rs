//! What controls, and the agent that knows the planted signal, say about the subject of a group.
//!
//! The subject is the group's first arm: what controls are made of. A gain is a log return of the test window above
//! that of Buy & Hold, and a share a gain as a part of the oracle's. Timing is a log return above what Buy & Hold earns
//! at the same average position: an agent that trades at random has a negative gain in a rising market, and no timing
//! in any. Agreement is the share of days on which a run decides as the oracle does. Policies of equal turnover are a control that needs no runs of its own, see `store::EqualTurnover`.

use serde::Serialize;
use stats::{Interval, SeedScores};
use store::{EqualTurnover, RunState};
use trading_env::Role;

use crate::arm_scores::per_seed;
use crate::estimate::{Cell, LEVEL};
use crate::groups::Group;
use crate::metric::Unit;
use crate::verdict::Control;
use crate::{Curve, ReportRun, numbers, settings};

/// The subject, its controls and the oracle.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Evidence {
    pub columns: Vec<&'static str>,
    pub rows: Vec<EvidenceRow>,
    /// What the numbers support.
    pub sentences: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct EvidenceRow {
    pub name: String,
    /// Settings in which a control differs from the subject.
    pub changes: String,
    /// One per column.
    pub cells: Vec<Option<Cell>>,
    pub seeds: usize,
}

/// `None` where there is neither a control nor an oracle, no Buy & Hold to compare with, or no finished run of the
/// subject.
pub(crate) fn evidence(group: &Group<'_>) -> Option<Evidence> {
    let subject = group.of_role(Role::Arm).next()?;
    let controls: Vec<usize> = group.of_role(Role::Control).collect();
    let oracle = group.baseline("oracle");
    let with_shifts = group.runs(subject).any(|run| shifts(run).is_some());
    if controls.is_empty() && oracle.is_none() && !with_shifts {
        return None;
    }
    let hold = hold(group)?;
    let gain = |run: &ReportRun| Some(log_return(run)? - hold);
    let timing = |run: &ReportRun| timing(run, hold);
    let of_subject = per_seed(group.input, subject, timing);
    if of_subject.len() + of_subject.missing() == 0 {
        return None;
    }
    let best = oracle.and_then(|arm| per_seed(group.input, arm, gain).mean()).filter(|gain| *gain > 0.0);
    let share = |run: &ReportRun| Some(gain(run)? / best?);
    let known = oracle.and_then(|arm| group.runs(arm).find_map(|run| run.curve.as_ref()));
    let agreement = |run: &ReportRun| agreement(run.curve.as_ref()?, known?);

    let has_lost = !controls.is_empty() || with_shifts;
    let cell = |label, scores: &SeedScores| Some(Cell::new(label, Unit::Fraction, scores));
    let row = |arm: usize| {
        let own = per_seed(group.input, arm, timing);
        let is_control = group.arm(arm).role == Role::Control;
        let mut cells = vec![cell(GAIN, &per_seed(group.input, arm, gain))];
        cells.extend(best.map(|_| cell(SHARE, &per_seed(group.input, arm, share))));
        cells.extend(known.map(|_| cell(AGREEMENT, &per_seed(group.input, arm, agreement))));
        cells.push(cell(TIMING, &own));
        if has_lost {
            cells.push(if is_control { cell(LOST, &of_subject.differences(&own)) } else { None });
        }
        EvidenceRow {
            name: group.arm(arm).name.clone(),
            changes: if is_control { changes(group, subject, arm) } else { String::new() },
            cells,
            seeds: own.len() + own.missing(),
        }
    };
    let mut columns = vec![GAIN];
    columns.extend(best.map(|_| SHARE));
    columns.extend(known.map(|_| AGREEMENT));
    columns.push(TIMING);
    columns.extend(has_lost.then_some(LOST));

    let name = |arm: usize| group.arm(arm).name.as_str();
    let mut sentences = vec![of_timing(name(subject), &of_subject)];
    sentences.extend(best.and_then(|_| of_share(&per_seed(group.input, subject, share))));
    sentences.extend(known.and_then(|_| of_agreement(&per_seed(group.input, subject, agreement))));
    for &control in &controls {
        let own = per_seed(group.input, control, timing);
        sentences.push(of_control(name(control), &of_subject, &own));
    }
    sentences.retain(|s| !s.is_empty());
    let mut rows: Vec<EvidenceRow> =
        std::iter::once(subject).chain(controls.iter().copied()).map(row).collect();
    if with_shifts {
        let shifted = |run: &ReportRun| Some(shifts(run)?.mean_log_return - hold);
        let lost = |run: &ReportRun| Some(log_return(run)? - shifts(run)?.mean_log_return);
        let left = |run: &ReportRun| Some(timing(run)? - lost(run)?);
        let of = |number: &dyn Fn(&ReportRun) -> Option<f64>| per_seed(group.input, subject, number);
        let mut cells = vec![cell(GAIN, &of(&shifted))];
        cells.extend(best.map(|best| cell(SHARE, &of(&|run| Some(shifted(run)? / best)))));
        cells.extend(known.map(|_| None));
        cells.extend([cell(TIMING, &of(&left)), cell(LOST, &of(&lost))]);
        rows.push(EvidenceRow {
            name: "equal turnover".to_owned(),
            changes: "its own actions at other times".to_owned(),
            cells,
            seeds: of(&lost).len(),
        });
        sentences.extend(of_shifts(name(subject), group, subject));
    }
    rows.extend(oracle.map(row));
    Some(Evidence { columns, rows, sentences })
}

/// Policies with the turnover of a completed run and without its timing.
fn shifts(run: &ReportRun) -> Option<EqualTurnover> {
    run.manifest.as_ref().filter(|_| run.state == RunState::Completed)?.equal_turnover
}

const GAIN: &str = "Above Buy & Hold";
const SHARE: &str = "Of the oracle's";
const AGREEMENT: &str = "Decides as the oracle";
const TIMING: &str = "Timing";
const LOST: &str = "Timing lost";

/// The settings of a control as text: a changed kind stands for all that comes with it.
fn changes(group: &Group<'_>, subject: usize, control: usize) -> String {
    let all = settings::differences(&group.arm(subject).spec, &group.arm(control).spec);
    let section = |key: &str| key.split('.').next().unwrap_or(key).to_owned();
    let kinds: Vec<String> =
        all.iter().filter(|d| d.key.ends_with(".kind")).map(|d| section(&d.key)).collect();
    let told = all.iter().filter(|d| d.key.ends_with(".kind") || !kinds.contains(&section(&d.key)));
    let text = |d: &settings::Difference| format!("{} = {}", d.key, d.arm.as_deref().unwrap_or("none"));
    told.map(text).collect::<Vec<_>>().join(", ")
}

/// `ln(1 + cumulative return)`.
fn log_return(run: &ReportRun) -> Option<f64> {
    run.test_metric("cumulative_return").map(f64::ln_1p).filter(|v| v.is_finite())
}

/// Log return of Buy & Hold.
fn hold(group: &Group<'_>) -> Option<f64> {
    per_seed(group.input, group.baseline("buy-and-hold")?, log_return).mean()
}

/// Log return above what Buy & Hold, with log return `hold`, earns at the same average position.
fn timing(run: &ReportRun, hold: f64) -> Option<f64> {
    Some(log_return(run)? - run.curve.as_ref()?.exposure * hold)
}

/// Share of the days on which two records have the same decision; `None` where they are not of the same days.
fn agreement(one: &Curve, other: &Curve) -> Option<f64> {
    let equal = one.actions.iter().zip(&other.actions).filter(|(a, b)| a == b).count();
    (one.dates == other.dates && !one.dates.is_empty()).then(|| equal as f64 / one.dates.len() as f64)
}

/// `12.3% (95% interval 4.5% to 20.1%, 5 seeds)`.
fn told(scores: &SeedScores) -> Option<String> {
    let percent = |value| numbers::percent(Some(value), 1);
    let mean = percent(scores.mean()?);
    let seeds = numbers::plural(scores.len(), "seed");
    Some(match scores.interval(LEVEL) {
        Some(Interval { low, high, .. }) => {
            format!("{mean} (95% interval {} to {}, {seeds})", percent(low), percent(high))
        }
        None => format!("{mean} ({seeds})"),
    })
}

fn of_timing(name: &str, timing: &SeedScores) -> String {
    let Some(text) = told(timing) else { return String::new() };
    let verdict = match timing.interval(LEVEL) {
        None => "fewer than 3 seeds allow no conclusion",
        Some(i) if i.low > 0.0 => "the interval is above 0",
        Some(i) if i.high < 0.0 => "the interval is below 0",
        Some(_) => "the interval holds 0, no timing is shown",
    };
    format!("“{name}” earns {text} in log return by timing: {verdict}.")
}

fn of_share(shares: &SeedScores) -> Option<String> {
    let text = told(shares)?;
    Some(format!("Above Buy & Hold it earns {text} of what the oracle does, which knows the planted signal."))
}

fn of_agreement(agreements: &SeedScores) -> Option<String> {
    Some(format!("It decides as the oracle does on {} of the days.", told(agreements)?))
}

/// How many seeds earn more than 97.5 % of their policies of equal turnover, and how many have such policies: the
/// permutation test of every seed, of which 1 in 40 does so without timing.
pub(crate) fn shifts_beaten<'a>(runs: impl Iterator<Item = &'a ReportRun>) -> Option<(usize, usize)> {
    let all: Vec<EqualTurnover> = runs.filter_map(shifts).collect();
    let above = all.iter().filter(|s| 40 * (s.at_least + 1) <= s.policies + 1).count();
    (!all.is_empty()).then_some((above, all.len()))
}

fn of_shifts(name: &str, group: &Group<'_>, arm: usize) -> Option<String> {
    let policies = group.runs(arm).filter_map(shifts).map(|s| s.policies).max()?;
    let (above, of) = shifts_beaten(group.runs(arm))?;
    Some(format!(
        "Against policies of equal turnover, its own actions shifted to {policies} other times, “{name}” earns more than \
         97.5% of them with {above} of {of} seed{}; without timing 1 seed in 40 would.",
        if of == 1 { "" } else { "s" }
    ))
}

/// The controls of a group's subject beside it.
pub(crate) fn controls(group: &Group<'_>) -> Vec<Control> {
    let Some((subject, hold)) = group.of_role(Role::Arm).next().zip(hold(group)) else { return Vec::new() };
    let of = |arm: usize| per_seed(group.input, arm, |run| timing(run, hold));
    let own = of(subject);
    let control = |arm: usize| Control {
        name: group.arm(arm).name.clone(),
        is_null: settings::at(&group.arm(arm).spec, "split.shuffle") == Some("returns".into()),
        lost: own.differences(&of(arm)),
    };
    group.of_role(Role::Control).map(control).collect()
}

/// `subject` and `timing`: the timing of the arm and of its control.
pub(crate) fn of_control(name: &str, subject: &SeedScores, timing: &SeedScores) -> String {
    let lost = subject.differences(timing);
    let (Some(own), Some(less)) = (told(timing), told(&lost)) else { return String::new() };
    let has_timing = subject.interval(LEVEL).is_some_and(|i| i.low > 0.0);
    let verdict = match (timing.interval(LEVEL), lost.interval(LEVEL)) {
        // Where the arm has no timing, nothing of it can be lost.
        (Some(_), Some(lost)) if lost.low > 0.0 && !has_timing => {
            "the control does worse, but the arm itself shows no timing"
        }
        (Some(own), Some(lost)) if lost.low > 0.0 && own.low > 0.0 => {
            "a part of the timing needs what the control takes away, a part does not"
        }
        (Some(_), Some(lost)) if lost.low > 0.0 => "the timing needs what the control takes away",
        (Some(_), Some(lost)) if lost.high < 0.0 => {
            "without what the control takes away the timing is better"
        }
        (Some(_), Some(_)) => "it is not shown that what the control takes away matters",
        _ => "fewer than 3 seeds allow no conclusion",
    };
    format!("Under the control “{name}” timing earns {own}, less by {less}: {verdict}.")
}
