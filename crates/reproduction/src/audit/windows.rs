//! Prices of an asset's windows, and what no decisions exceed on them.

use market_data::BarSeries;

use crate::asset::{Asset, Prices, Window};
use crate::bounds::{Bounds, Positions};
use crate::published::Metric;
use crate::sequence::HALF;

/// Prices of both windows.
pub(super) struct Windows {
    windows: Vec<(Window, Prices)>,
}

impl Windows {
    pub(super) fn new(asset: &Asset, series: &BarSeries) -> Option<Self> {
        let windows: Option<Vec<_>> =
            Window::ALL.into_iter().map(|w| Some((w, asset.prices(series, w)?))).collect();
        Some(Self { windows: windows? })
    }

    pub(super) fn of(&self, window: Window) -> &Prices {
        let found = self.windows.iter().find(|(w, _)| *w == window);
        &found.expect("invariant: there are prices of both windows").1
    }

    pub(super) fn returns(&self) -> impl Iterator<Item = (Window, &[f64])> {
        self.windows.iter().map(|(w, p)| (*w, &p.log_returns[..]))
    }

    /// The largest of a bound over the windows.
    pub(super) fn most(&self, bound: impl Fn(&Bounds<'_>) -> f64) -> f64 {
        let of = |(_, r): (Window, &[f64])| bound(&Bounds::new(r, Positions::LongFlatShort));
        self.returns().map(of).fold(0.0, f64::max)
    }
}

/// Bounds over both windows with shorts, as fractions.
#[derive(Clone, Copy)]
pub(super) struct Caps {
    pub(super) cr: f64,
    deviation: f64,
    pub(super) mdd: f64,
}

impl Caps {
    pub(super) fn of(windows: &Windows) -> Self {
        Self {
            cr: windows.most(|b| b.cumulative_return()),
            deviation: windows.most(|b| b.deviation()),
            mdd: windows.most(|b| b.max_drawdown()),
        }
    }

    pub(super) fn av(&self, days: u32) -> f64 {
        100.0 * self.deviation * f64::from(days).sqrt()
    }

    /// Whether decisions reach an AV at 365 days a year and none do at 252.
    pub(super) fn needs_365(&self, av: f64) -> bool {
        av > self.av(252) + HALF && av <= self.av(365) + HALF
    }

    pub(super) fn bound(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Cr => Some(100.0 * self.cr),
            Metric::Sr => None,
            Metric::Av => Some(self.av(365)),
            Metric::Mdd => Some(100.0 * self.mdd),
        }
    }
}
