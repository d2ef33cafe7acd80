//! A verdict on every published cell, with what it rests on.

use std::fmt;

use market_data::BarSeries;
use serde::Serialize;

use crate::asset::{ASSETS, Asset, Prices, Window};
use crate::bounds::{Bounds, Positions};
use crate::consistency::Consistency;
use crate::convention::DAYS;
use crate::luck::{Correlation, Luck, Record, correlation};
use crate::published::{Group, Metric, PublishedRow, rows_of};
use crate::sequence::{HALF, Match, Sequence, best_match, equal};

/// What is said of a published number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Equal in all printed decimals, under the asset's reference convention.
    Exact,
    /// The same, but for one unit of the last digit.
    LastDigit,
    /// Equal under another convention.
    Convention,
    /// Possible on these prices; which decisions led to it is not published.
    Consistent,
    /// Contradicts the other numbers of its row.
    Inconsistent,
    /// No decisions lead to it on these prices.
    Impossible,
    /// There are no prices to check it by.
    NoData,
}

impl Verdict {
    /// All, in the order of the legend.
    pub const ALL: [Verdict; 7] = [
        Verdict::Exact,
        Verdict::LastDigit,
        Verdict::Convention,
        Verdict::Consistent,
        Verdict::Inconsistent,
        Verdict::Impossible,
        Verdict::NoData,
    ];

    /// Short, for a cell.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Exact => "exact",
            Verdict::LastDigit => "last digit",
            Verdict::Convention => "other convention",
            Verdict::Consistent => "consistent",
            Verdict::Inconsistent => "inconsistent",
            Verdict::Impossible => "impossible",
            Verdict::NoData => "no data",
        }
    }

    /// In a sentence's place.
    pub fn phrase(self) -> &'static str {
        match self {
            Verdict::Exact => "reproduced exactly",
            Verdict::LastDigit => "reproduced up to its last digit",
            Verdict::Convention => "reproduced under another convention",
            Verdict::Consistent => "consistent, not reproducible without the decisions",
            Verdict::Inconsistent => "inconsistent",
            Verdict::Impossible => "impossible on these prices",
            Verdict::NoData => "no data",
        }
    }

    /// The rule.
    pub fn rule(self) -> &'static str {
        match self {
            Verdict::Exact => {
                "The number follows, in all three decimals, from decisions that can be named in one sentence (one position, or \
                 one change of it) under the convention that gives the asset's Buy & Hold row. CR and AV of the row both \
                 have to follow from the same decisions."
            }
            Verdict::LastDigit => "The same, but for one unit of the third decimal.",
            Verdict::Convention => {
                "The same under another of the 16 conventions: last day as stated or one day earlier, 252 or 365 days a \
                 year for return and for volatility, prices or returns counted."
            }
            Verdict::Consistent => {
                "Inside what every list of decisions is bound to, and in agreement with its row. Whether anybody took such \
                 decisions cannot be said: they are not published."
            }
            Verdict::Inconsistent => {
                "SR does not follow from CR and AV with any count of days of the windows, even if each is off by one unit of \
                 its last digit; or the rest of the row is that of known decisions, which give another number here."
            }
            Verdict::Impossible => {
                "Beyond a proven bound for every list of positions -1, 0 and 1, under the most generous convention; or, for AV, \
                 outside what the row's CR leaves."
            }
            Verdict::NoData => {
                "INVESTOR-BENCH publishes no prices of the asset, or they are not on this machine."
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One published number.
#[derive(Debug, Clone, PartialEq)]
pub struct CellAudit {
    /// Which of the row.
    pub metric: Metric,
    /// As printed.
    pub published: f64,
    /// What is said of it.
    pub verdict: Verdict,
    /// What the same decisions give today, where they are known.
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

/// By how many days per year a row's AV was computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// 252 or 365.
    pub days: u32,
    /// Whether prices show it; else it is an assumption.
    pub is_shown: bool,
    /// What shows it, or why it is assumed.
    pub reason: String,
}

/// Place of a row among those of its asset, by SR; 1 is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// As printed.
    pub published: usize,
    /// On one scale, where FLAG-Trader's AV has 252 days a year as the paper's equation 15 says.
    pub one_scale: usize,
    /// On one scale, where FLAG-Trader's AV has the 365 days of the LLM rows (where prices do not show otherwise).
    pub one_scale_365: usize,
}

/// One published row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowAudit {
    /// As printed.
    pub row: &'static PublishedRow,
    /// CR, SR, AV and MDD.
    pub cells: [CellAudit; 4],
    /// Decisions and convention that give CR and AV, with the decisions in words.
    pub found: Option<(Match, String)>,
    /// Whether SR follows from CR and AV.
    pub consistency: Consistency,
    /// What CR leaves to AV, by positions and days of the year; empty without prices.
    pub feasible: Vec<Feasible>,
    /// The window that the row is taken to be of.
    pub window: Window,
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

/// Prices of both windows.
struct Windows {
    windows: Vec<(Window, Prices)>,
}

impl Windows {
    fn new(asset: &Asset, series: &BarSeries) -> Option<Self> {
        let windows: Option<Vec<_>> =
            Window::ALL.into_iter().map(|w| Some((w, asset.prices(series, w)?))).collect();
        Some(Self { windows: windows? })
    }

    fn of(&self, window: Window) -> &Prices {
        let found = self.windows.iter().find(|(w, _)| *w == window);
        &found.expect("invariant: there are prices of both windows").1
    }

    fn returns(&self) -> impl Iterator<Item = (Window, &[f64])> {
        self.windows.iter().map(|(w, p)| (*w, &p.log_returns[..]))
    }

    /// The largest of a bound over the windows.
    fn most(&self, bound: impl Fn(&Bounds<'_>) -> f64) -> f64 {
        let of = |(_, r): (Window, &[f64])| bound(&Bounds::new(r, Positions::LongFlatShort));
        self.returns().map(of).fold(0.0, f64::max)
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

/// Bounds over both windows with shorts, as fractions.
#[derive(Clone, Copy)]
struct Caps {
    cr: f64,
    deviation: f64,
    mdd: f64,
}

impl Caps {
    fn of(windows: &Windows) -> Self {
        Self {
            cr: windows.most(|b| b.cumulative_return()),
            deviation: windows.most(|b| b.deviation()),
            mdd: windows.most(|b| b.max_drawdown()),
        }
    }

    fn av(&self, days: u32) -> f64 {
        100.0 * self.deviation * f64::from(days).sqrt()
    }

    /// Whether decisions reach an AV at 365 days a year and none do at 252.
    fn needs_365(&self, av: f64) -> bool {
        av > self.av(252) + HALF && av <= self.av(365) + HALF
    }

    fn bound(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Cr => Some(100.0 * self.cr),
            Metric::Sr => None,
            Metric::Av => Some(self.av(365)),
            Metric::Mdd => Some(100.0 * self.mdd),
        }
    }
}

fn bound_rows(windows: &Windows) -> Vec<BoundRow> {
    let of = |(window, r): (Window, &[f64])| {
        Positions::ALL.map(|positions| {
            let bounds = Bounds::new(r, positions);
            let annual = |sd: f64| DAYS.map(|days| 100.0 * sd * f64::from(days).sqrt());
            BoundRow {
                window,
                n_prices: r.len() + 1,
                positions,
                cr: 100.0 * bounds.cumulative_return(),
                av: annual(bounds.deviation()),
                av_found: annual(bounds.most_volatile().value),
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
            None => Consistency::without_data(&row.cells),
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
        let ranks = Ranks { published: 0, one_scale: 0, one_scale_365: 0 };
        Self { row, cells, found, consistency, feasible, window, scale, luck: None, ranks }
    }

    /// Returns in the row's window.
    fn n(&self, windows: Option<&Windows>) -> usize {
        match windows {
            Some(w) => w.of(self.window).log_returns.len(),
            None => Asset::n_prices_without_data(self.window) - 1,
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
        if let (Some((found, _)), Some(returns)) = (&self.found, returns) {
            // What rounding would make of equal decisions is no difference.
            let x = found.sequence.apply(returns);
            let rho = Correlation::Known(correlation(&x, returns)?);
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

fn scale(
    asset: &Asset,
    row: &PublishedRow,
    found: Option<&Match>,
    caps: Option<Caps>,
    over_252: Option<usize>,
) -> Scale {
    let shown = |days: u32, reason: String| Scale { days, is_shown: true, reason };
    if let Some(found) = found {
        let days = found.convention.volatility_days;
        return shown(days, format!("the row's decisions are known, and its AV has {days} days a year"));
    }
    if caps.is_some_and(|caps| caps.needs_365(row.cells.av)) {
        return shown(365, "no decisions reach the row's AV at 252 days a year".to_owned());
    }
    match (row.group, over_252) {
        (Group::Llm, Some(over)) if over > 0 => shown(
            365,
            format!(
                "{over} of the asset's 13 LLM rows have an AV that decisions reach at 365 days a year and not at 252"
            ),
        ),
        (Group::FlagTrader, _) => Scale {
            days: 252,
            is_shown: false,
            reason: "equation 15 of the paper has 252 days a year; assumed".to_owned(),
        },
        _ => Scale {
            days: asset.reference.volatility_days.max(if row.group == Group::Llm { 365 } else { 0 }),
            is_shown: false,
            reason: "as in the rows of this kind whose days are known; assumed".to_owned(),
        },
    }
}

fn rank(rows: &mut [RowAudit], windows: Option<&Windows>) {
    let ratio = |row: &RowAudit, days: u32| {
        let record = Record::of_row(row.n(windows), row.row.cells.cr, row.row.cells.av, days);
        record.sharpe().map_or(f64::NEG_INFINITY, |(sharpe, _)| sharpe)
    };
    let of_365 = |row: &RowAudit| {
        let is_open = row.row.group == Group::FlagTrader && !row.scale.is_shown;
        if is_open { 365 } else { row.scale.days }
    };
    let by_paper: Vec<f64> = rows.iter().map(|row| row.row.cells.sr).collect();
    let scaled: Vec<f64> = rows.iter().map(|row| ratio(row, row.scale.days)).collect();
    let scaled_365: Vec<f64> = rows.iter().map(|row| ratio(row, of_365(row))).collect();
    let place = |of: &[f64], i: usize| 1 + of.iter().filter(|v| **v > of[i]).count();
    for (i, row) in rows.iter_mut().enumerate() {
        row.ranks = Ranks {
            published: place(&by_paper, i),
            one_scale: place(&scaled, i),
            one_scale_365: place(&scaled_365, i),
        };
    }
}

/// What a cell is judged by.
struct Judge<'a> {
    asset: &'a Asset,
    row: &'a PublishedRow,
    found: Option<&'a (Match, String)>,
    consistency: &'a Consistency,
    feasible: &'a [Feasible],
    caps: Option<Caps>,
}

impl Judge<'_> {
    fn cell(&self, metric: Metric) -> CellAudit {
        let published = self.row.cells.get(metric);
        let bound = self.caps.and_then(|caps| caps.bound(metric));
        let (verdict, reason) = match (self.found, self.caps) {
            (Some((found, words)), _) => self.beside(metric, found, words),
            (None, Some(caps)) => self.within(metric, &caps),
            (None, None) => self.without_prices(metric),
        };
        let recomputed = self.found.map(|(found, _)| found.cells.get(metric));
        CellAudit { metric, published, verdict, recomputed, bound, reason }
    }

    /// A row whose decisions are known.
    fn beside(&self, metric: Metric, found: &Match, words: &str) -> (Verdict, String) {
        let (published, recomputed) = (self.row.cells.get(metric), found.cells.get(metric));
        let is_reference = found.convention == self.asset.reference;
        let name = metric.name();
        let under = format!("{words}, {}", found.convention);
        let verdict = match (equal(published, recomputed), is_reference) {
            (true, true) => Verdict::Exact,
            (true, false) => Verdict::Convention,
            (false, true) if (published - recomputed).abs() <= crate::sequence::UNIT => Verdict::LastDigit,
            (false, _) => Verdict::Inconsistent,
        };
        let reason = match verdict {
            Verdict::Inconsistent => {
                format!(
                    "CR and AV of the row are those of: {under}; these decisions give {name} {recomputed:.3}"
                )
            }
            _ => format!("{under}: {name} {recomputed:.4}"),
        };
        (verdict, reason)
    }

    /// A row of unknown decisions.
    fn within(&self, metric: Metric, caps: &Caps) -> (Verdict, String) {
        let published = self.row.cells.get(metric);
        let beyond = |bound: f64| published.abs() > bound + HALF;
        match metric {
            Metric::Sr => return self.ratio(Verdict::Consistent),
            Metric::Av if beyond(caps.av(365)) => {
                let [a, b] = DAYS.map(|days| caps.av(days));
                let text = format!(
                    "no positions -1, 0 and 1 exceed an AV of {a:.3} at 252 days a year, {b:.3} at 365"
                );
                return (Verdict::Impossible, text);
            }
            Metric::Cr if beyond(100.0 * caps.cr) => {
                let text = format!("no positions -1, 0 and 1 exceed a CR of {:.3}", 100.0 * caps.cr);
                return (Verdict::Impossible, text);
            }
            Metric::Mdd if beyond(100.0 * caps.mdd) => {
                let text = format!("no positions -1, 0 and 1 fall deeper than {:.3}", 100.0 * caps.mdd);
                return (Verdict::Impossible, text);
            }
            Metric::Av if !self.feasible.iter().any(|f| f.possible) => {
                let ranges = self.feasible.iter().filter(|f| f.positions == Positions::LongFlatShort);
                let ranges = ranges.filter_map(|f| {
                    f.range.map(|(low, high)| {
                        format!("{low:.3} to {high:.3} at {} days a year", f.volatility_days)
                    })
                });
                let ranges = ranges.collect::<Vec<_>>().join(", ");
                return (Verdict::Impossible, format!("decisions with the row's CR have an AV of {ranges}"));
            }
            _ => {}
        }
        let reason = match metric {
            Metric::Av if published > caps.av(252) + HALF => format!(
                "below the largest AV at 365 days a year, {:.3}; above that at 252, {:.3}: not computed with 252",
                caps.av(365),
                caps.av(252)
            ),
            Metric::Av => format!("below the largest AV, {:.3} at 252 days a year", caps.av(252)),
            _ => {
                format!("below the largest {}, {:.3}", metric.name(), caps.bound(metric).unwrap_or_default())
            }
        };
        (Verdict::Consistent, reason)
    }

    fn without_prices(&self, metric: Metric) -> (Verdict, String) {
        match metric {
            Metric::Sr => self.ratio(Verdict::NoData),
            _ => (Verdict::NoData, "no prices".to_owned()),
        }
    }

    fn ratio(&self, otherwise: Verdict) -> (Verdict, String) {
        let verdict = if self.consistency.holds() { otherwise } else { Verdict::Inconsistent };
        (verdict, self.consistency.words())
    }
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
