//! Small series and price paths for the tests of this crate.

use chrono::{Days, NaiveDate};
use market_data::{Bar, BarSeries, Columns, Segment};
use proptest::prelude::*;

use crate::{Action, InvestorBench, Paper, Realistic, RealisticParams, Rules};

pub(crate) fn date(day: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + Days::new(day as u64)
}

pub(crate) fn bar(open: Option<f64>, close: f64) -> Bar {
    Bar { date: date(0), open, close }
}

/// A segment of consecutive days without look-back.
pub(crate) fn segment(opens: &[Option<f64>], closes: &[f64]) -> Segment {
    let mut columns = Columns::of_closes((0..closes.len()).map(date).collect(), closes.to_vec());
    columns.open = opens.to_vec();
    Segment::whole(BarSeries::from_columns("TEST", None, columns).unwrap())
}

pub(crate) fn segment_of_closes(closes: &[f64]) -> Segment {
    segment(&vec![None; closes.len()], closes)
}

pub(crate) fn realistic(fee_bps: f64, slippage_bps: f64, whole_shares: bool) -> Realistic {
    Realistic::new(RealisticParams { fee_bps, slippage_bps, whole_shares }).unwrap()
}

/// Each rule set once, the realistic one with costs.
pub(crate) fn all_rules() -> Vec<Box<dyn Rules>> {
    vec![
        Box::new(Paper),
        Box::new(InvestorBench),
        Box::new(realistic(10.0, 5.0, false)),
        Box::new(realistic(10.0, 5.0, true)),
    ]
}

pub(crate) fn actions(len: usize) -> impl Strategy<Value = Vec<Action>> {
    prop::collection::vec(prop::sample::select(&Action::ALL[..]), len)
}

/// `(open, close)` of bars; about half of the opens are missing.
pub(crate) fn bars(len: usize) -> impl Strategy<Value = Vec<(Option<f64>, f64)>> {
    prop::collection::vec((prop::option::of(1.0..500.0), 1.0..500.0), len)
}
