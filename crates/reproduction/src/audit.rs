//! A verdict on every published cell, with what it rests on.

mod judge;
mod scale;
mod windows;

use market_data::BarSeries;

use self::judge::Judge;
pub use self::scale::{Evidence, Ranks, Scale};
use self::scale::{rank, scale};
use self::windows::{Caps, Windows};
use crate::asset::{ASSETS, Asset, Window};
use crate::bounds::{Best, Bounds, Positions};
use crate::consistency::Consistency;
use crate::convention::DAYS;
use crate::luck::{Correlation, Luck, Record, correlation};
use crate::published::{Group, Metric, PublishedRow, rows_of};
use crate::sequence::{HALF, Match, Sequence, UNIT, best_match, equal};
use crate::verdict::Verdict;

/// One published number.
#[derive(Debug, Clone, PartialEq)]
pub struct CellAudit {
    /// Which of the row.
    pub metric: Metric,
    /// As printed.
    pub published: f64,
    /// What is said of it.
    pub verdict: Verdict,
    /// What the decisions that give CR and AV give, where there are simple ones.
    pub recomputed: Option<f64>,
    /// The largest value that any decisions can have: of CR, AV and MDD, where there are prices.
    pub bound: Option<f64>,
    /// Why, in one sentence.
    pub reason: String,
}

/// Whether decisions of a kind can have a row's CR and AV together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feasible {
    /// Positions that are allowed.
    pub positions: Positions,
    /// Days per year of the volatility.
    pub volatility_days: u32,
    /// Lowest and highest AV, in %, that the row's CR leaves; `None` where no decisions reach the CR.
    pub range: Option<(f64, f64)>,
    /// Whether the printed AV lies in that of a window, give or take its rounding.
    pub possible: bool,
    /// The first window in whose range it lies.
    pub window: Option<Window>,
}

/// One published row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowAudit {
    /// As printed.
    pub row: &'static PublishedRow,
    /// CR, SR, AV and MDD.
    pub cells: [CellAudit; 4],
    /// Simple decisions and the convention that give CR and AV, with the decisions in words.
    pub found: Option<(Match, String)>,
    /// Whether SR follows from CR and AV.
    pub consistency: Consistency,
    /// What CR leaves to AV, by positions and days of the year; empty without prices.
    pub feasible: Vec<Feasible>,
    /// The window that the row is taken to be of.
    pub window: Window,
    /// Its prices, where they are not there to be counted.
    n_without: usize,
    /// Days per year of its AV.
    pub scale: Scale,
    /// Sharpe ratio on one scale, its error, and what is left of the difference to Buy & Hold.
    pub luck: Option<Luck>,
    /// Its place.
    pub ranks: Ranks,
}

/// Bounds of a window under a number of days per year, in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundRow {
    /// Which prices.
    pub window: Window,
    /// Their number.
    pub n_prices: usize,
    /// Positions that are allowed.
    pub positions: Positions,
    /// Largest CR; reached by the decisions that take every gain.
    pub cr: f64,
    /// Proven bound of AV at 252 and at 365 days a year.
    pub av: [f64; 2],
    /// The highest AV found, at 252 and at 365 days a year.
    pub av_found: [f64; 2],
    /// Decisions that have it, one per day.
    pub most_volatile: Vec<i8>,
    /// Deepest MDD; reached.
    pub mdd: f64,
}

/// One asset.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetAudit {
    /// The asset.
    pub asset: Asset,
    /// First and last date of the longer window's prices; `None` without prices.
    pub dates: Option<(chrono::NaiveDate, chrono::NaiveDate)>,
    /// What no decisions exceed.
    pub bounds: Vec<BoundRow>,
    /// In the order of the table.
    pub rows: Vec<RowAudit>,
}

/// The audit of all 360 cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// In the order of the tables.
    pub assets: Vec<AssetAudit>,
}

impl Audit {
    /// Of the published tables, with the price series that `series` has of an asset.
    pub fn new(series: impl Fn(&Asset) -> Option<BarSeries>) -> Self {
        Self { assets: ASSETS.iter().map(|asset| AssetAudit::new(asset, series(asset).as_ref())).collect() }
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &RowAudit> {
        self.assets.iter().flat_map(|asset| &asset.rows)
    }

    /// Every cell with its row.
    pub fn cells(&self) -> impl Iterator<Item = (&RowAudit, &CellAudit)> {
        self.rows().flat_map(|row| row.cells.iter().map(move |cell| (row, cell)))
    }

    /// How many cells have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cells().filter(|(_, cell)| cell.verdict == verdict).count()
    }
}

impl AssetAudit {
    fn new(asset: &Asset, series: Option<&BarSeries>) -> Self {
        let windows = series.and_then(|series| Windows::new(asset, series));
        let rows: Vec<&'static PublishedRow> = rows_of(asset.symbol).collect();
        let caps = windows.as_ref().map(Caps::of);
        let over_252 = caps.as_ref().map(|caps| {
            rows.iter().filter(|row| row.group == Group::Llm && caps.needs_365(row.cells.av)).count()
        });
        let mut rows: Vec<RowAudit> =
            rows.into_iter().map(|row| RowAudit::new(asset, row, windows.as_ref(), caps, over_252)).collect();
        let hold = rows[0].clone();
        for row in &mut rows {
            row.luck = row.luck_beside(&hold, windows.as_ref());
        }
        rank(&mut rows, windows.as_ref());
        let dates = windows.as_ref().and_then(|w| {
            let dates = &w.of(Window::Stated).dates;
            Some((*dates.first()?, *dates.last()?))
        });
        Self { asset: *asset, dates, bounds: windows.as_ref().map(bound_rows).unwrap_or_default(), rows }
    }
}

fn bound_rows(windows: &Windows) -> Vec<BoundRow> {
    let of = |(window, r): (Window, &[f64])| {
        Positions::ALL.map(|positions| {
            let bounds = Bounds::new(r, positions);
            let annual = |sd: f64| DAYS.map(|days| 100.0 * sd * f64::from(days).sqrt());
            let Best { positions: most_volatile, value } = bounds.most_volatile();
            BoundRow {
                window,
                n_prices: r.len() + 1,
                positions,
                cr: 100.0 * bounds.cumulative_return(),
                av: annual(bounds.deviation()),
                av_found: annual(value),
                most_volatile,
                mdd: 100.0 * bounds.max_drawdown(),
            }
        })
    };
    windows.returns().flat_map(of).collect()
}

impl RowAudit {
    fn new(
        asset: &Asset,
        row: &'static PublishedRow,
        windows: Option<&Windows>,
        caps: Option<Caps>,
        over_252: Option<usize>,
    ) -> Self {
        let consistency = match windows {
            Some(w) => Consistency::of(&row.cells, |window| w.of(window).dates.len()),
            None => Consistency::of(&row.cells, |window| asset.n_prices_without_data(window)),
        };
        let found = windows.and_then(|w| {
            let found = best_match(&row.cells, w.returns(), &asset.reference)?;
            Some((found, found.sequence.words(&w.of(found.convention.window).dates)))
        });
        let feasible = windows.map(|w| feasible(row, w)).unwrap_or_default();
        let judge =
            Judge { asset, row, found: found.as_ref(), consistency: &consistency, feasible: &feasible, caps };
        let cells = Metric::ALL.map(|metric| judge.cell(metric));
        // The window that SR's count is of; where it fits none, one in which decisions can have CR and AV.
        let window = match (&found, consistency.fits.first()) {
            (Some((found, _)), _) => found.convention.window,
            (None, Some(fit)) => fit.window,
            (None, None) => feasible.iter().find_map(|f| f.window).unwrap_or(Window::Stated),
        };
        let found_match = found.as_ref().map(|(found, _)| found);
        let scale = scale(asset, row, found_match, caps, over_252);
        let ranks = Ranks { published: 0, one_scale: None, one_scale_365: None };
        let n_without = asset.n_prices_without_data(window);
        Self { row, cells, found, consistency, feasible, window, n_without, scale, luck: None, ranks }
    }

    /// Returns in the row's window.
    fn n(&self, windows: Option<&Windows>) -> usize {
        match windows {
            Some(w) => w.of(self.window).log_returns.len(),
            None => self.n_without - 1,
        }
    }

    fn record(&self, windows: Option<&Windows>) -> Record {
        Record::of_row(self.n(windows), self.row.cells.cr, self.row.cells.av, self.scale.days)
    }

    fn luck_beside(&self, hold: &RowAudit, windows: Option<&Windows>) -> Option<Luck> {
        let has = |metric: Metric, verdict| self.cells[metric as usize].verdict == verdict;
        if has(Metric::Av, Verdict::Impossible) || has(Metric::Cr, Verdict::Impossible) {
            return None;
        }
        let row = self.record(windows);
        if self.row.group == Group::BuyAndHold {
            return Luck::of(&row, None);
        }
        let returns = windows.map(|w| &w.of(self.window).log_returns[..]);
        let of_hold = returns.map_or_else(|| Some(hold.record(None)), Record::of)?;
        let gives_all = |found: &Match| {
            Metric::ALL.into_iter().all(|m| (found.cells.get(m) - self.row.cells.get(m)).abs() <= UNIT)
        };
        if let (Some((found, _)), Some(returns)) =
            (self.found.as_ref().filter(|(found, _)| gives_all(found)), returns)
        {
            // What rounding would make of equal decisions is no difference.
            let x = found.sequence.apply(returns);
            let rho = Correlation::Given(correlation(&x, returns)?);
            return Luck::of(&Record::of(&x)?, Some((&of_hold, rho)));
        }
        let rho = Correlation::AtMost(row.highest_correlation(&of_hold, returns));
        Luck::of(&row, Some((&of_hold, rho)))
    }

    /// One of its cells.
    pub fn cell(&self, metric: Metric) -> &CellAudit {
        &self.cells[metric as usize]
    }

    /// Lowest and highest AV that the row's CR leaves to these positions.
    pub fn range(&self, positions: Positions, volatility_days: u32) -> Option<(f64, f64)> {
        self.feasible(positions, volatility_days)?.range
    }

    fn feasible(&self, positions: Positions, volatility_days: u32) -> Option<&Feasible> {
        self.feasible.iter().find(|f| f.positions == positions && f.volatility_days == volatility_days)
    }

    /// Whether decisions with these positions can have the row's CR and AV; `None` without prices.
    pub fn is_feasible(&self, positions: Positions, volatility_days: u32) -> Option<bool> {
        self.feasible(positions, volatility_days).map(|f| f.possible)
    }
}

/// Over both windows: the wider range counts.
fn feasible(row: &PublishedRow, windows: &Windows) -> Vec<Feasible> {
    let one = |positions, volatility_days: u32| {
        let year = 100.0 * f64::from(volatility_days).sqrt();
        let ranges = windows.returns().filter_map(|(window, r)| {
            let (low, high) =
                Bounds::new(r, positions).deviation_given(row.cells.cr / 100.0, HALF / 100.0)?;
            Some((window, (year * low, year * high)))
        });
        let ranges: Vec<_> = ranges.collect();
        let holds = |(low, high): (f64, f64)| (low - HALF..=high + HALF).contains(&row.cells.av);
        let window = ranges.iter().find(|(_, range)| holds(*range)).map(|(window, _)| *window);
        let range = ranges.iter().map(|(_, range)| *range).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Feasible { positions, volatility_days, range, possible: window.is_some(), window }
    };
    Positions::ALL.into_iter().flat_map(|p| DAYS.map(|days| one(p, days))).collect()
}

/// Whether always-long under the mixed convention (the stated window, 252 days a year for the return and 365 for the
/// volatility) gives all four cells of a row.
pub fn is_always_long_mixed(row: &RowAudit) -> bool {
    row.found.as_ref().is_some_and(|(found, _)| {
        let c = found.convention;
        found.sequence == Sequence::ALWAYS_LONG
            && (c.window, c.return_days, c.volatility_days) == (Window::Stated, 252, 365)
            && Metric::ALL.into_iter().all(|m| equal(row.row.cells.get(m), found.cells.get(m)))
    })
}

#[cfg(test)]
mod tests;
