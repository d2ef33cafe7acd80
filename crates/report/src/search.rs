//! What the records of all arms say together: tests over days, corrected for every arm and for every trial.

use std::collections::BTreeMap;

use stats::{
    BlockLength, Bootstrap, DeflatedSharpe, Panel, Pbo, RomanoWolf, SharpeRatio, Spa, power_of_window,
};

use crate::groups::Group;
use crate::record::{Record, Records};

/// Sharpe ratios for which the power of the window is told.
pub(crate) const POWER_AT: [f64; 3] = [0.5, 1.0, 2.0];
/// Size of every test on the page.
pub(crate) const SIZE: f64 = 0.05;
/// Blocks of the cross-validation: 924 splits.
const PBO_BLOCKS: usize = 12;
/// Fewest days of a test over days.
const LEAST_DAYS: usize = 20;
/// Resamples, more where the panel is small: a small p-value needs many, a large panel time for each.
const RESAMPLES: [usize; 2] = [2_000, 10_000];
const MOST_ADDITIONS: usize = 100_000_000;

/// Corrected p-values of one arm, each one-sided.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tests {
    /// That its Sharpe ratio is above Buy & Hold's.
    pub above: Option<f64>,
    /// That it is below.
    pub below: Option<f64>,
    /// That it earns more than Buy & Hold at the same average position.
    pub timing: Option<f64>,
}

/// What one window and one search support.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub n_days: usize,
    /// Trials ever started, at least the arms that are shown.
    pub trials: usize,
    /// One per [`POWER_AT`].
    pub power: [Option<f64>; 3],
    /// By arm.
    pub tests: BTreeMap<usize, Tests>,
    pub sharpe: BTreeMap<usize, SharpeRatio>,
    pub deflated: BTreeMap<usize, DeflatedSharpe>,
    /// Annual Sharpe ratio that the best of as many trials reaches by luck.
    pub luck: Option<f64>,
    pub spa: Option<Spa>,
    pub pbo: Option<Pbo>,
}

impl Search {
    /// `trials`: those of the whole experiment, its other windows included.
    pub(crate) fn of(group: &Group<'_>, records: &Records, trials: usize) -> Self {
        let (n_days, periods) = (records.dates.len(), records.periods_per_year);
        let subjects: Vec<&Record> = records.subjects(group).collect();
        // What was selected is made of the others: tested like them, and no trial of its own.
        let is_trial = |r: &&Record| group.arm(r.arm).choices().is_empty();
        let tried: Vec<&Record> = subjects.iter().copied().filter(is_trial).collect();
        let trials = trials.max(tried.len());
        let sharpe: BTreeMap<usize, SharpeRatio> =
            subjects.iter().filter_map(|r| Some((r.arm, SharpeRatio::new(&r.returns)?))).collect();
        let all: Vec<SharpeRatio> = tried.iter().filter_map(|r| sharpe.get(&r.arm)).copied().collect();
        let deflated: BTreeMap<usize, DeflatedSharpe> =
            sharpe.iter().filter_map(|(arm, s)| Some((*arm, s.deflated(&all, trials)?))).collect();
        let luck = deflated.values().next().map(|d| d.expected_maximum * periods.sqrt());
        let mut search = Self {
            n_days,
            trials,
            power: POWER_AT.map(|ratio| power_of_window(ratio, n_days, periods, SIZE)),
            tests: BTreeMap::new(),
            sharpe,
            deflated,
            luck,
            spa: None,
            pbo: None,
        };
        if n_days >= LEAST_DAYS {
            if let Some(hold) = records.hold() {
                search.test(&subjects, subjects.len() - tried.len(), hold);
            }
            let returns: Vec<&[f64]> = tried.iter().map(|r| r.returns.as_slice()).collect();
            search.pbo = Panel::new(&returns).ok().and_then(|panel| Pbo::new(&panel, PBO_BLOCKS).ok());
        }
        search
    }

    /// `n_made`: how many of the subjects are made of others.
    fn test(&mut self, subjects: &[&Record], n_made: usize, hold: &Record) {
        let Some(hold_per_risk) = &hold.per_risk else { return };
        // An arm whose returns never vary has no Sharpe ratio, and no test of one.
        let tested: Vec<&&Record> = subjects.iter().filter(|r| r.per_risk.is_some()).collect();
        let per_risk: Vec<&[f64]> = tested.iter().filter_map(|r| r.per_risk.as_deref()).collect();
        let difference = |sign: f64| -> Vec<Vec<f64>> {
            let of = |own: &&[f64]| own.iter().zip(hold_per_risk).map(|(r, h)| sign * (r - h)).collect();
            per_risk.iter().map(of).collect()
        };
        let timing: Vec<Vec<f64>> = tested
            .iter()
            .map(|r| r.returns.iter().zip(&hold.returns).map(|(own, h)| own - r.exposure * h).collect())
            .collect();
        // Arms that are no longer shown were tried too: each block of as many arms as are tested is one more table.
        let tables = self.trials as f64 / tested.len().saturating_sub(n_made).max(1) as f64;
        let corrected = |series: &[Vec<f64>]| {
            let p = step_down(series).unwrap_or_default();
            p.into_iter().map(|p| p.map(|p| (p * tables).min(1.0))).collect::<Vec<_>>()
        };
        let (up, down) = (difference(1.0), difference(-1.0));
        let (above, below, timing) = (corrected(&up), corrected(&down), corrected(&timing));
        for (i, record) in tested.iter().enumerate() {
            let at = |p: &[Option<f64>]| p.get(i).copied().flatten();
            let tests = Tests { above: at(&above), below: at(&below), timing: at(&timing) };
            self.tests.insert(record.arm, tests);
        }
        self.spa = Panel::new(&up)
            .ok()
            .and_then(|panel| Spa::new(&panel, block(&up), &bootstrap(&up)).ok().flatten());
    }
}

fn step_down(series: &[Vec<f64>]) -> Option<Vec<Option<f64>>> {
    let panel = Panel::new(series).ok()?;
    Some(RomanoWolf::new(&panel, block(series), &bootstrap(series)).ok()?.adjusted)
}

/// The longest that any series asks for.
fn block(series: &[Vec<f64>]) -> f64 {
    let lengths = series.iter().filter_map(|s| BlockLength::of(s)).map(|b| b.stationary);
    lengths.fold(1.0, f64::max)
}

fn bootstrap(series: &[Vec<f64>]) -> Bootstrap {
    let size: usize = series.iter().map(Vec::len).sum();
    let [least, most] = RESAMPLES;
    Bootstrap { resamples: (MOST_ADDITIONS / size.max(1)).clamp(least, most), ..Bootstrap::default() }
}
