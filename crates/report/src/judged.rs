//! The verdicts of a group and the numbers behind them.

use serde::Serialize;
use stats::{AgainstBenchmark, Aggregate, Bootstrap, Runs, SeedScores};
use trading_env::Role;

use crate::arm_scores::{completed, seed_scores};
use crate::arms::{Look, look};
use crate::estimate::{Cell, LEVEL, RESAMPLES};
use crate::evidence;
use crate::groups::Group;
use crate::metric::{SCORES, Unit};
use crate::numbers;
use crate::record::Records;
use crate::search::{POWER_AT, Search};
use crate::selection::select;
use crate::verdict::{Beside, Facts, Verdict, p_value, probability};
use crate::warnings::mark_of_arm;

/// Confidence of the minimum track record.
const CONFIDENCE: f64 = 0.95;

/// Verdicts and what they rest on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Judged {
    pub verdicts: Vec<ArmVerdict>,
    /// What this window can show and what the search has cost.
    pub window: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArmVerdict {
    pub look: Look,
    pub warned: Option<String>,
    /// Selected on validation data.
    pub is_selected: bool,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Column {
    pub label: &'static str,
    pub about: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub name: String,
    pub look: Look,
    pub cells: Vec<Cell>,
}

const COLUMNS: [Column; 10] = [
    Column {
        label: "IQM of Sharpe",
        about: "interquartile mean over seeds, with its 95% stratified-bootstrap interval",
    },
    Column {
        label: "Minus Buy & Hold",
        about: "Sharpe ratio less that of Buy & Hold, mean over seeds with its 95% interval",
    },
    Column {
        label: "P(improvement)",
        about: "probability that a seed's Sharpe ratio is above Buy & Hold's, with its 95% interval",
    },
    Column {
        label: "Corrected p",
        about: "that the Sharpe ratio is above Buy & Hold's by luck of the days: Romano-Wolf over the arms, times trials over arms",
    },
    Column {
        label: "PSR",
        about: "probabilistic Sharpe ratio of the mean over seeds: probability that the true ratio is above 0",
    },
    Column {
        label: "DSR",
        about: "deflated Sharpe ratio: the same against what the best of all trials reaches by luck",
    },
    Column { label: "Days needed", about: "minimum track record: days for a PSR of 0.95 at this ratio" },
    Column { label: "Alpha", about: "per year, against Buy & Hold" },
    Column { label: "Beta", about: "against Buy & Hold" },
    Column {
        label: "Information ratio",
        about: "mean over standard deviation of the returns less those of Buy & Hold, annualised",
    },
];

/// The verdicts on all arms of a group.
pub(crate) fn judged(group: &Group<'_>, records: Option<&Records>, trials: usize) -> Judged {
    let search = records.map(|records| Search::of(group, records, trials));
    let hold = group.baseline("buy-and-hold").and_then(|arm| sharpe(group, arm).mean());
    let subject = group.of_role(Role::Arm).next();
    let selected = select(group).and_then(|selection| selection.arm());
    let verdict = |arm: usize| {
        let own = sharpe(group, arm);
        let beside = hold.map(|hold| Beside {
            difference: less(&own, hold),
            tests: search.as_ref().and_then(|s| s.tests.get(&arm)).copied().unwrap_or_default(),
            shifts: evidence::shifts_beaten(group.runs(arm)),
        });
        let facts = Facts {
            name: group.arm(arm).name.clone(),
            completed: completed(group.input, arm).count(),
            sharpe: own,
            beside,
            controls: if subject == Some(arm) { evidence::controls(group) } else { Vec::new() },
            deflated: search.as_ref().and_then(|s| Some(s.deflated.get(&arm)?.probability)),
            trials: search.as_ref().map_or(trials, |s| s.trials),
        };
        ArmVerdict {
            look: look(group, arm),
            warned: mark_of_arm(group.input, arm),
            is_selected: selected == Some(arm),
            verdict: Verdict::new(&facts),
        }
    };
    let rows = records.zip(search.as_ref()).map(|(records, search)| {
        let arms = group.of_role(Role::Arm).filter(|arm| !sharpe(group, *arm).is_empty());
        arms.map(|arm| row(group, arm, records, search, hold)).collect()
    });
    Judged {
        verdicts: group.of_role(Role::Arm).map(verdict).collect(),
        window: records.zip(search.as_ref()).map(|(r, s)| window(group, r, s)).unwrap_or_default(),
        columns: COLUMNS.to_vec(),
        rows: rows.unwrap_or_default(),
    }
}

fn sharpe(group: &Group<'_>, arm: usize) -> SeedScores {
    seed_scores(group.input, arm, SCORES[0].key)
}

/// Less a number that no seed changes; seeds without a score stay without.
pub(crate) fn less(scores: &SeedScores, value: f64) -> SeedScores {
    SeedScores::new(scores.iter().map(|(seed, score)| (seed, Some(score - value))))
}

fn row(group: &Group<'_>, arm: usize, records: &Records, search: &Search, hold: Option<f64>) -> Row {
    let own = sharpe(group, arm);
    let runs = Runs::new([own.clone()]);
    let bootstrap = Bootstrap { resamples: RESAMPLES, ..Bootstrap::default() };
    let iqm = runs.aggregate(Aggregate::Iqm);
    let improvement = hold.and_then(|hold| runs.improvement_over_fixed(&[hold], LEVEL, &bootstrap));
    let record = records.arm(arm);
    let market = record.zip(records.hold()).and_then(|(own, hold)| {
        AgainstBenchmark::new(&own.returns, &hold.returns, records.periods_per_year).ok()
    });
    let ratio = search.sharpe.get(&arm);
    let labels = COLUMNS.map(|c| c.label);
    let plain = |k: usize, unit: Unit, v: Option<f64>| Cell::plain(labels[k], unit.write(v), v);
    let above = search.tests.get(&arm).and_then(|t| t.above);
    let bare = |p: f64| p_value(p).replace("p = ", "").replace("p ", "");
    let days = ratio.and_then(|s| s.minimum_track_record(0.0, CONFIDENCE));
    Row {
        name: group.arm(arm).name.clone(),
        look: look(group, arm),
        cells: vec![
            Cell::of(labels[0], Unit::Ratio, iqm, runs.interval(Aggregate::Iqm, LEVEL, &bootstrap)),
            hold.map_or_else(
                || plain(1, Unit::Ratio, None),
                |h| Cell::new(labels[1], Unit::Ratio, &less(&own, h)),
            ),
            Cell::of(labels[2], Unit::Probability, improvement.map(|i| i.point), improvement),
            Cell::plain(labels[3], above.map_or_else(|| numbers::UNDEFINED.to_owned(), bare), above),
            plain(4, Unit::Probability, ratio.and_then(|s| s.probabilistic(0.0))),
            plain(5, Unit::Probability, search.deflated.get(&arm).map(|d| d.probability)),
            Cell::plain(
                labels[6],
                days.map_or_else(|| numbers::UNDEFINED.to_owned(), |d| numbers::count(d.ceil() as usize)),
                days,
            ),
            plain(7, Unit::Fraction, market.as_ref().and_then(|m| m.alpha)),
            plain(8, Unit::Ratio, market.as_ref().and_then(|m| m.beta)),
            plain(9, Unit::Ratio, market.as_ref().and_then(|m| m.information_ratio)),
        ],
    }
}

/// What the window can show, what luck reaches, and whether choosing the best arm means anything.
fn window(group: &Group<'_>, records: &Records, search: &Search) -> Vec<String> {
    let mut sentences = Vec::new();
    let power: Option<Vec<f64>> = search.power.iter().copied().collect();
    if let Some(power) = power {
        let told: Vec<String> = POWER_AT
            .iter()
            .zip(power)
            .map(|(ratio, p)| {
                format!("{} with probability {}", numbers::fixed(Some(*ratio), 1), probability(p))
            })
            .collect();
        sentences.push(format!(
            "Power: one uncorrected test at 5% over these {} days finds a true Sharpe ratio (against 0, not Buy & Hold) of {}.",
            numbers::count(search.n_days),
            told.join(", ")
        ));
    }
    if let Some(luck) = search.luck.filter(|_| search.trials > 1) {
        sentences.push(format!(
            "Trials: the best of {} without skill would show a Sharpe ratio of {} on average, its seeds as a portfolio.",
            numbers::count(search.trials),
            numbers::fixed(Some(luck), 2)
        ));
    }
    if let Some(spa) = &search.spa {
        sentences.push(format!(
            "Best arm against Buy & Hold: Hansen's SPA {}, White's Reality Check {}.",
            p_value(spa.consistent),
            p_value(spa.reality_check)
        ));
    }
    if let Some(pbo) = &search.pbo {
        // An arm of which nothing has completed takes no part.
        let n = records.subjects(group).count();
        sentences.push(format!(
            "Overfitting: of the {} arms with completed runs the one that is best in one half of the days is at or below the middle in the other half with probability {} (PBO).",
            numbers::count(n),
            probability(pbo.probability)
        ));
    }
    sentences
}
