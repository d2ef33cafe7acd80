//! By how many days per year a row's AV was computed, and the order of the rows on one scale.

use serde::Serialize;

use super::RowAudit;
use super::windows::{Caps, Windows};
use crate::asset::Asset;
use crate::luck::Record;
use crate::published::{Group, PublishedRow};
use crate::sequence::Match;

/// What a row's days per year rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The row's own numbers.
    Row,
    /// Other rows of its kind on the same asset.
    Others,
    /// Nothing on these prices.
    Assumed,
}

/// By how many days per year a row's AV was computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// 252 or 365.
    pub days: u32,
    /// What says so.
    pub evidence: Evidence,
    /// In words.
    pub reason: String,
}

/// Place of a row among those of its asset, by SR; 1 is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// As printed.
    pub published: usize,
    /// On one scale, where FLAG-Trader's AV has 252 days a year as the paper's equation 15 says.
    /// `None` for a row whose CR or AV is impossible.
    pub one_scale: Option<usize>,
    /// On one scale, where FLAG-Trader's AV has the 365 days of the LLM rows (where prices do not show otherwise).
    pub one_scale_365: Option<usize>,
}

pub(super) fn scale(
    asset: &Asset,
    row: &PublishedRow,
    found: Option<&Match>,
    caps: Option<Caps>,
    over_252: Option<usize>,
) -> Scale {
    let of = |days: u32, evidence: Evidence, reason: String| Scale { days, evidence, reason };
    if let Some(found) = found {
        let days = found.convention.volatility_days;
        return of(days, Evidence::Row, format!("simple decisions give the row with {days} days a year"));
    }
    if caps.is_some_and(|caps| caps.needs_365(row.cells.av)) {
        return of(365, Evidence::Row, "no decisions reach the row's AV at 252 days a year".to_owned());
    }
    match (row.group, over_252) {
        (Group::Llm, Some(over)) if over > 0 => {
            let reason = format!(
                "{over} of the asset's 13 LLM rows have an AV that decisions reach at 365 days a year and not at 252"
            );
            of(365, Evidence::Others, reason)
        }
        (Group::Llm, _) => of(365, Evidence::Assumed, "as the LLM rows of other assets".to_owned()),
        (Group::FlagTrader, _) => {
            of(252, Evidence::Assumed, "equation 15 of the paper has 252 days a year".to_owned())
        }
        (Group::BuyAndHold, _) => {
            let days = asset.reference.volatility_days;
            of(days, Evidence::Assumed, "as the asset's LLM rows".to_owned())
        }
    }
}

pub(super) fn rank(rows: &mut [RowAudit], windows: Option<&Windows>) {
    let ratio = |row: &RowAudit, days: u32| {
        // An impossible number has no place.
        row.luck.as_ref()?;
        let record = Record::of_row(row.n(windows), row.row.cells.cr, row.row.cells.av, days);
        record.sharpe().map(|(sharpe, _)| sharpe)
    };
    let if_365 = |row: &RowAudit| {
        let is_open = row.row.group == Group::FlagTrader && row.scale.evidence == Evidence::Assumed;
        if is_open { 365 } else { row.scale.days }
    };
    let by_paper: Vec<Option<f64>> = rows.iter().map(|row| Some(row.row.cells.sr)).collect();
    let scaled: Vec<Option<f64>> = rows.iter().map(|row| ratio(row, row.scale.days)).collect();
    let scaled_365: Vec<Option<f64>> = rows.iter().map(|row| ratio(row, if_365(row))).collect();
    let place = |of: &[Option<f64>], i: usize| {
        let own = of[i]?;
        Some(1 + of.iter().flatten().filter(|value| **value > own).count())
    };
    for (i, row) in rows.iter_mut().enumerate() {
        row.ranks = Ranks {
            published: place(&by_paper, i).unwrap_or_default(),
            one_scale: place(&scaled, i),
            one_scale_365: place(&scaled_365, i),
        };
    }
}
