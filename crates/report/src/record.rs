//! The track record of an arm on the test window: its seeds side by side, day by day.

use chrono::{Datelike, NaiveDate, Weekday};
use stats::Moments;
use trading_env::Role;

use crate::groups::Group;
use crate::{Curve, ReportRun};

/// Days of a year with trading on weekends, and without.
const DAYS: [f64; 2] = [365.0, 252.0];

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
    fn new(arm: usize, curves: &[&Curve]) -> Option<Self> {
        let n_days = curves.first()?.dates.len();
        let returns: Vec<Vec<f64>> = curves.iter().map(|c| c.returns()).collect();
        let scaled: Vec<Vec<f64>> = returns.iter().filter_map(|r| scaled(r)).collect();
        Some(Self {
            arm,
            per_risk: (!scaled.is_empty()).then(|| mean_by_day(&scaled, n_days)),
            returns: mean_by_day(&returns, n_days),
            exposure: curves.iter().map(|c| c.exposure).sum::<f64>() / curves.len() as f64,
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
        let record = |arm: &usize| {
            let curves: Vec<&Curve> = curves_over(group, *arm, &dates).map(|(_, curve)| curve).collect();
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

/// What the data say, else 365 where they have weekends and 252 where they have none.
fn periods_per_year(group: &Group<'_>, dates: &[NaiveDate]) -> f64 {
    let known = group.arms.iter().flat_map(|arm| group.runs(*arm)).find_map(|run| group.input.market_of(run));
    let weekends = dates.iter().any(|d| matches!(d.weekday(), Weekday::Sat | Weekday::Sun));
    known.map_or(DAYS[usize::from(!weekends)], |market| group.input.markets[market].periods_per_year)
}
