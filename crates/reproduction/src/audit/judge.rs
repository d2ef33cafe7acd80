//! The verdict on a cell.

use super::windows::Caps;
use super::{CellAudit, Feasible};
use crate::asset::Asset;
use crate::bounds::Positions;
use crate::consistency::Consistency;
use crate::convention::DAYS;
use crate::published::{Metric, PublishedRow};
use crate::sequence::{HALF, Match, UNIT, equal};
use crate::verdict::Verdict;

/// What a cell is judged by.
pub(super) struct Judge<'a> {
    pub asset: &'a Asset,
    pub row: &'a PublishedRow,
    pub found: Option<&'a (Match, String)>,
    pub consistency: &'a Consistency,
    pub feasible: &'a [Feasible],
    pub caps: Option<Caps>,
}

impl Judge<'_> {
    pub(super) fn cell(&self, metric: Metric) -> CellAudit {
        let published = self.row.cells.get(metric);
        let bound = self.caps.and_then(|caps| caps.bound(metric));
        let (verdict, reason) = match (self.found, self.caps) {
            (Some((found, words)), Some(caps)) => self.beside(metric, found, words, &caps),
            (_, Some(caps)) => self.within(metric, &caps),
            (_, None) => self.without_prices(metric),
        };
        let recomputed = self.found.map(|(found, _)| found.cells.get(metric));
        CellAudit { metric, published, verdict, recomputed, bound, reason }
    }

    /// A row whose CR and AV simple decisions give.
    fn beside(&self, metric: Metric, found: &Match, words: &str, caps: &Caps) -> (Verdict, String) {
        let (published, recomputed) = (self.row.cells.get(metric), found.cells.get(metric));
        let under = format!("{words}, {}", found.convention);
        let name = metric.name();
        let verdict = match (equal(published, recomputed), found.convention == self.asset.reference) {
            (true, true) => Verdict::Exact,
            (true, false) => Verdict::Convention,
            (false, true) if (published - recomputed).abs() <= UNIT => Verdict::LastDigit,
            (false, _) => {
                // Other decisions may have the same CR and AV: days against the market whose returns cancel out.
                let (verdict, reason) = self.within(metric, caps);
                let other =
                    format!("not that of the decisions that give CR and AV, {under}: {name} {recomputed:.3}");
                return (verdict, format!("{reason}; {other}"));
            }
        };
        (verdict, format!("{under}: {name} {recomputed:.4}"))
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
                let ranges = ranges.collect::<Vec<_>>();
                let text = match ranges.is_empty() {
                    true => "no decisions have the row's CR".to_owned(),
                    false => format!("decisions with the row's CR have an AV of {}", ranges.join(", ")),
                };
                return (Verdict::Impossible, text);
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
