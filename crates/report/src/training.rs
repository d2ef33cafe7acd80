//! How training went: the diagnostics of the updates, over environment steps.

use std::collections::BTreeMap;

use serde::Serialize;
use trading_env::{Role, UpdateRecord};

use crate::ReportRun;
use crate::arms::{Look, look};
use crate::band::Band;
use crate::charts::shown_at_first;
use crate::groups::Group;
use crate::metric::Unit;
use crate::numbers;

/// Points of a line at most: a small chart has few more columns of pixels, and each point costs bytes.
pub(crate) const MOST_POINTS: u32 = 120;
const LEAST_POINTS: u32 = 30;
/// Numbers of all lines and diagnostics at most.
const MOST_NUMBERS: usize = 80_000;
/// Digits of a point: the steps of rounding stay invisible where a curve moves by a hundredth of its level.
const DIGITS: usize = 5;

/// One column of the updates.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Diagnostic {
    pub label: &'static str,
    /// What it is, with its unit.
    pub about: &'static str,
    /// What its curve looks like in a sound run.
    pub sound: &'static str,
    pub unit: Unit,
    #[serde(skip)]
    value: fn(&UpdateRecord) -> Option<f64>,
}

const DIAGNOSTICS: [Diagnostic; 13] = [
    Diagnostic {
        label: "Episode return",
        about: "sum of rewards per training episode",
        sound: "Rises, then levels off. It is of training days: a rise that the test scores do not share is \
                memorised.",
        unit: Unit::Number,
        value: |row| row.episode_return,
    },
    Diagnostic {
        label: "Policy loss",
        about: "clipped surrogate",
        sound: "Near 0 without a trend. Its level says little, but jumps that grow do.",
        unit: Unit::Number,
        value: |row| Some(row.policy_loss),
    },
    Diagnostic {
        label: "Value loss",
        about: "squared error of the value estimates, reward²",
        sound: "Falls while the critic learns the scale of the returns, then stays at the level of their noise.",
        unit: Unit::Number,
        value: |row| Some(row.value_loss),
    },
    Diagnostic {
        label: "Entropy",
        about: "of the policy, nats",
        sound: "Starts near ln 3 = 1.10, where three actions are equally likely, or lower where rules forbid \
                one; then falls slowly. A drop to 0 ends exploration.",
        unit: Unit::Number,
        value: |row| Some(row.entropy),
    },
    Diagnostic {
        label: "Approximate KL",
        about: "of the policy from the one that collected the samples, nats",
        sound: "Around 0.01 with clipping at 0.2. Spikes are updates that threw the policy far; 0 throughout \
                means that it hardly moves.",
        unit: Unit::Number,
        value: |row| Some(row.approx_kl),
    },
    Diagnostic {
        label: "Clip fraction",
        about: "samples whose probability ratio left the clip range",
        sound: "A few percent, up to about a fifth. Far above, most samples no longer teach anything: the steps \
                are too large.",
        unit: Unit::Fraction,
        value: |row| Some(row.clipfrac),
    },
    Diagnostic {
        label: "Explained variance",
        about: "of the returns by the value estimates, at most 1",
        sound: "Rises from about 0. Where rewards are mostly noise it stays low in a sound run too; far below 0 \
                the critic does harm.",
        unit: Unit::Number,
        value: |row| row.explained_variance,
    },
    Diagnostic {
        label: "Gradient norm",
        about: "of all trained parameters, before clipping",
        sound: "Stays within one order of magnitude. Growth without end precedes divergence; 0 means that \
                nothing is trained.",
        unit: Unit::Number,
        value: |row| Some(row.grad_norm),
    },
    Diagnostic {
        label: "Learning rate",
        about: "of the optimiser",
        sound: "What the schedule says: level, or a straight line to 0 where it is annealed.",
        unit: Unit::Number,
        value: |row| Some(row.learning_rate),
    },
    Diagnostic {
        label: "Share of sell",
        about: "among the actions taken while sampling",
        sound: "Drifts as preferences form. One of the three shares near 100% for good is a constant policy.",
        unit: Unit::Fraction,
        value: |row| Some(row.share_sell),
    },
    Diagnostic {
        label: "Share of hold",
        about: "among the actions taken while sampling",
        sound: "High where rules allow little else, for example after all cash is spent; else like the others.",
        unit: Unit::Fraction,
        value: |row| Some(row.share_hold),
    },
    Diagnostic {
        label: "Share of buy",
        about: "among the actions taken while sampling",
        sound: "In a rising market it may well grow: compare such an arm with Buy & Hold before praising it.",
        unit: Unit::Fraction,
        value: |row| Some(row.share_buy),
    },
    Diagnostic {
        label: "KL to the initial policy",
        about: "what kl_coef penalises, nats",
        sound: "Grows slowly and levels off where the penalty holds it.",
        unit: Unit::Number,
        value: |row| row.kl,
    },
];

/// The diagnostics of one group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Training {
    /// Those of which any run has a value.
    pub diagnostics: Vec<Diagnostic>,
    pub lines: Vec<TrainingLine>,
    /// Updates in a point, in the line with the most.
    pub updates_per_point: u32,
    /// End of the axis: environment steps of the longest line.
    pub last_step: u64,
}

/// One arm or control: mean over seeds, and the range from the lowest to the highest seed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrainingLine {
    pub name: String,
    pub look: Look,
    pub shown: bool,
    /// Runs with updates.
    pub n: usize,
    /// Environment steps at each point: mean over its updates.
    pub steps: Vec<u64>,
    /// One per diagnostic; absent where the arm has no value.
    pub bands: Vec<Option<Band>>,
}

/// The diagnostics of a group; `None` when no run of an arm or control has updates.
pub(crate) fn training(group: &Group<'_>) -> Option<Training> {
    let with_updates = |arm: usize| group.runs(arm).filter(|r| !r.updates.is_empty()).collect::<Vec<_>>();
    let learned = group.arms.iter().filter(|arm| group.arm(**arm).role != Role::Baseline);
    let arms: Vec<(usize, Vec<&ReportRun>)> =
        learned.map(|arm| (*arm, with_updates(*arm))).filter(|(_, runs)| !runs.is_empty()).collect();
    let most = most_points(arms.len());
    let mut lines: Vec<TrainingLine> = Vec::new();
    let mut updates_per_point = 1;
    for (arm, runs) in &arms {
        let size = updates_in_a_point(runs, most);
        updates_per_point = updates_per_point.max(size);
        let look = look(group, *arm);
        let arms_before = lines.iter().filter(|l| l.look.hue.is_some()).count();
        let shown = shown_at_first(group.arm(*arm).role, arms_before);
        lines.push(TrainingLine::new(group.arm(*arm).name.clone(), look, shown, runs, size));
    }
    Training::new(lines, updates_per_point)
}

/// The diagnostics of single runs, a line each; `None` when none has updates.
pub(crate) fn training_of_runs(runs: &[&ReportRun], name: impl Fn(&ReportRun) -> String) -> Option<Training> {
    let runs: Vec<&ReportRun> = runs.iter().copied().filter(|r| !r.updates.is_empty()).collect();
    let size = updates_in_a_point(&runs, most_points(runs.len()));
    let lines = runs
        .iter()
        .enumerate()
        .map(|(i, run)| TrainingLine::new(name(run), Look::nth(i), i < SHOWN_RUNS, &[run], size));
    Training::new(lines.collect(), size)
}

/// Runs whose lines are drawn at first.
const SHOWN_RUNS: usize = 6;

impl TrainingLine {
    fn new(name: String, look: Look, shown: bool, runs: &[&ReportRun], size: u32) -> Self {
        let points = points(runs, size);
        let band = |diagnostic: &Diagnostic| {
            let seed = |run: &&ReportRun| thinned(run, size, &points, diagnostic.value);
            let series: Vec<_> = runs.iter().map(seed).collect();
            Band::new(&series, |v| numbers::significant(v, DIGITS))
        };
        let steps = points.values().copied().collect();
        Self { name, look, shown, n: runs.len(), steps, bands: DIAGNOSTICS.iter().map(band).collect() }
    }
}

impl Training {
    /// Diagnostics of which no line has a value are left out.
    fn new(mut lines: Vec<TrainingLine>, updates_per_point: u32) -> Option<Self> {
        let has_values: Vec<bool> =
            (0..DIAGNOSTICS.len()).map(|d| lines.iter().any(|l| l.bands[d].is_some())).collect();
        for line in &mut lines {
            let mut has_values = has_values.iter();
            line.bands.retain(|_| has_values.next() == Some(&true));
        }
        let kept = DIAGNOSTICS.into_iter().zip(&has_values).filter(|(_, has)| **has);
        let last_step = lines.iter().filter_map(|l| l.steps.last()).copied().max()?;
        Some(Self { diagnostics: kept.map(|(d, _)| d).collect(), lines, updates_per_point, last_step })
    }

    /// How many updates a point stands for, in words.
    pub(crate) fn thinning(&self) -> String {
        match self.updates_per_point {
            1 => "A point is one update.".to_owned(),
            n => format!("Long runs are thinned out: a point is the mean of up to {n} consecutive updates."),
        }
    }
}

/// Points of each of `lines` lines: fewer where there are many, so that the page stays small.
fn most_points(lines: usize) -> u32 {
    let numbers = 3 * DIAGNOSTICS.len() * lines.max(1);
    u32::try_from(MOST_NUMBERS / numbers).unwrap_or(MOST_POINTS).clamp(LEAST_POINTS, MOST_POINTS)
}

/// How many consecutive updates make a point of an arm's line, so that its longest run has few enough.
fn updates_in_a_point(runs: &[&ReportRun], most: u32) -> u32 {
    let last = runs.iter().flat_map(|r| &r.updates).map(|row| row.update).max();
    last.map_or(1, |last| last / most + 1)
}

/// The points of a line and their environment steps: the rounded mean over the updates that any seed has reached.
fn points(runs: &[&ReportRun], size: u32) -> BTreeMap<u32, u64> {
    // Seeds of one arm take equally many steps per update, so that any of them tells where an update stands.
    let updates: BTreeMap<u32, u64> =
        runs.iter().flat_map(|r| &r.updates).map(|row| (row.update, row.global_step)).collect();
    let mut sums: BTreeMap<u32, (u128, u128)> = BTreeMap::new();
    for (update, step) in updates {
        let (sum, n) = sums.entry(update / size).or_default();
        (*sum, *n) = (*sum + u128::from(step), *n + 1);
    }
    let mean = |(sum, n): (u128, u128)| u64::try_from((sum + n / 2) / n).unwrap_or(u64::MAX);
    sums.into_iter().map(|(point, sums)| (point, mean(sums))).collect()
}

/// One seed's values at the points: the mean of the updates there that have one.
fn thinned(
    run: &ReportRun,
    size: u32,
    points: &BTreeMap<u32, u64>,
    value: fn(&UpdateRecord) -> Option<f64>,
) -> Vec<Option<f64>> {
    let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for row in &run.updates {
        if let Some(value) = value(row).filter(|v| v.is_finite()) {
            let (sum, n) = sums.entry(row.update / size).or_default();
            (*sum, *n) = (*sum + value, *n + 1.0);
        }
    }
    points.keys().map(|point| sums.get(point).map(|(sum, n)| sum / n)).collect()
}
