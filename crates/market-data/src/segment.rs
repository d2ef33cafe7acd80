//! [`Segment`]: one part of a split.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::BarSeries;

/// One part of a split: its bars and the look-back before them, and nothing after its end.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Bars up to the segment's last one; bars before `first` are look-back only.
    pub series: Arc<BarSeries>,
    /// Index of the first bar at which a decision may be taken.
    pub first: usize,
}

impl Segment {
    /// A whole series as one segment without look-back.
    pub fn whole(series: BarSeries) -> Self {
        Self { series: Arc::new(series), first: 0 }
    }

    /// Bars of the segment itself, `N`; decisions are possible at all but the last.
    pub fn n_bars(&self) -> usize {
        self.series.len() - self.first
    }

    /// Date of the first bar at which a decision may be taken.
    pub fn first_date(&self) -> NaiveDate {
        self.series.date(self.first)
    }

    /// Date of the last bar.
    pub fn last_date(&self) -> NaiveDate {
        self.series.date(self.series.len() - 1)
    }

    /// Dates of the segment's own bars, look-back left out.
    pub fn dates(&self) -> &[NaiveDate] {
        &self.series.dates()[self.first..]
    }
}
