//! The track record of an arm on the test window: its seeds side by side, day by day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use market_data::Periods;
use stats::Moments;
use trading_env::Role;

use crate::groups::Group;
use crate::{Curve, ReportRun, settings};

/// What the completed seeds of an arm, baseline or control did over the group's test window.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub arm: usize,
    /// Mean over seeds of the simple returns, day by day: a portfolio of equal parts.
    pub returns: Vec<f64>,
    /// Mean over seeds of returns divided by their own standard deviation, day by day; its mean times the root of the
    /// periods per year is the mean Sharpe ratio over seeds. Absent when no seed's returns vary.
    pub per_risk: Option<Vec<f64>>,
    /// Mean position over days and seeds, as a share of equity.
    pub exposure: f64,
}

impl Record {
    /// `curves` with the day of each curve that stands at every day of the record, where that is not the same.
    fn new(arm: usize, curves: &[(&Curve, Option<Vec<usize>>)]) -> Option<Self> {
        let n_days = curves.first()?.0.dates.len();
        let returns: Vec<Vec<f64>> = curves
            .iter()
            .map(|(curve, days)| {
                let returns = curve.returns();
                match days {
                    Some(days) => days.iter().map(|t| returns[*t]).collect(),
                    None => returns,
                }
            })
            .collect();
        let scaled: Vec<Vec<f64>> = returns.iter().filter_map(|r| scaled(r)).collect();
        Some(Self {
            arm,
            per_risk: (!scaled.is_empty()).then(|| mean_by_day(&scaled, n_days)),
            returns: mean_by_day(&returns, n_days),
            exposure: curves.iter().map(|(c, _)| c.exposure).sum::<f64>() / curves.len() as f64,
        })
    }
}

fn scaled(returns: &[f64]) -> Option<Vec<f64>> {
    let sd = Moments::of(returns)?.spread()?;
    Some(returns.iter().map(|r| r / sd).collect())
}

fn mean_by_day(series: &[Vec<f64>], n_days: usize) -> Vec<f64> {
    (0..n_days).map(|t| series.iter().map(|s| s[t]).sum::<f64>() / series.len() as f64).collect()
}

/// The records of a group over one window.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    /// Dates of the decisions.
    pub dates: Vec<NaiveDate>,
    pub periods_per_year: f64,
    /// In plan order; arms without a completed run over these dates have none.
    pub all: Vec<Record>,
    /// Buy & Hold's place in `all`.
    pub hold: Option<usize>,
}

impl Records {
    /// `None` before any run of the group has completed.
    pub(crate) fn of(group: &Group<'_>) -> Option<Self> {
        let dates =
            group.arms.iter().find_map(|arm| group.runs(*arm).find_map(|r| r.curve.as_ref()))?.dates.clone();
        let orders = shuffled_days(group, &dates);
        let record = |arm: &usize| {
            let is_shuffled = shuffles_returns(group, *arm);
            let days = |run: &ReportRun| orders.get(&run.seed).filter(|_| is_shuffled).cloned();
            let curves: Vec<_> =
                curves_over(group, *arm, &dates).map(|(run, curve)| (curve, days(run))).collect();
            Record::new(*arm, &curves)
        };
        let all: Vec<Record> = group.arms.iter().filter_map(record).collect();
        let hold = group.baseline("buy-and-hold").and_then(|arm| all.iter().position(|r| r.arm == arm));
        let periods_per_year = periods_per_year(group, &dates);
        Some(Self { dates, periods_per_year, all, hold })
    }

    pub(crate) fn arm(&self, arm: usize) -> Option<&Record> {
        self.all.iter().find(|r| r.arm == arm)
    }

    /// Records of the subjects.
    pub(crate) fn subjects<'a>(&'a self, group: &'a Group<'_>) -> impl Iterator<Item = &'a Record> {
        self.all.iter().filter(|r| group.arm(r.arm).role == Role::Arm)
    }

    pub(crate) fn hold(&self) -> Option<&Record> {
        self.all.get(self.hold?)
    }
}

/// The runs of an arm whose account is over these dates: one window per group.
pub(crate) fn curves_over<'a>(
    group: &'a Group<'_>,
    arm: usize,
    dates: &'a [NaiveDate],
) -> impl Iterator<Item = (&'a ReportRun, &'a Curve)> {
    group
        .runs(arm)
        .filter_map(|run| Some((run, run.curve.as_ref()?)))
        .filter(move |(_, curve)| curve.dates == dates)
}

fn shuffles_returns(group: &Group<'_>, arm: usize) -> bool {
    settings::at(&group.arm(arm).spec, "split.shuffle") == Some("returns".into())
}

/// By seed, the place at which it has each day of the first seed, where every seed has the returns of the window in an order
/// of its own. The luck of the window is the same for all of them: were other days taken for the same day, it would seem
/// to be that of as many windows as there are seeds. What Buy & Hold earns tells which day it is.
fn shuffled_days(group: &Group<'_>, dates: &[NaiveDate]) -> BTreeMap<u64, Vec<usize>> {
    let hold = group.baseline("buy-and-hold").filter(|arm| shuffles_returns(group, *arm));
    let Some(hold) = hold else { return BTreeMap::new() };
    let by_return = |(run, curve): (&ReportRun, &Curve)| {
        let returns = curve.returns();
        let mut days: Vec<usize> = (0..returns.len()).collect();
        days.sort_by(|a, b| returns[*a].total_cmp(&returns[*b]));
        (run.seed, days)
    };
    let orders: BTreeMap<u64, Vec<usize>> = curves_over(group, hold, dates).map(by_return).collect();
    let Some(first) = orders.values().next().cloned() else { return orders };
    let places = |own: Vec<usize>| {
        let mut places = vec![0; own.len()];
        first.iter().zip(own).for_each(|(day, place)| places[*day] = place);
        places
    };
    orders.into_iter().map(|(seed, own)| (seed, places(own))).collect()
}

/// What the data say, else what follows from the days.
fn periods_per_year(group: &Group<'_>, dates: &[NaiveDate]) -> f64 {
    let made = group.arms.iter().find_map(|arm| group.arm(*arm).place.made.as_ref()?.periods_per_year);
    let market = || {
        let runs = group.arms.iter().flat_map(|arm| group.runs(*arm));
        let market = runs.into_iter().find_map(|run| group.input.market_of(run))?;
        Some(group.input.markets[market].periods.per_year)
    };
    made.or_else(market).unwrap_or_else(|| Periods::of(dates).per_year)
}
