//! The page: the tables with a verdict per cell, what it rests on, and our rows.

use std::path::{Path, PathBuf};

use report::{ReportError, fixed, publish_page};
use serde::Serialize;

use crate::asset::Window;
use crate::audit::{AssetAudit, BoundRow, Evidence, RowAudit};
use crate::bounds::Positions;
use crate::convention::DAYS;
use crate::expected::{key, some};
use crate::luck::{AboveHold, CRITICAL, Correlation, Differs};
use crate::own::{Own, OwnRow, OwnScores, WORDS};
use crate::published::{Group, Metric};
use crate::text::{Shown, differences, found_rows, stock_holds};
use crate::verdict::Verdict;

const TEMPLATE: &str = include_str!("../templates/paper.html");

/// Writes the page to `path`, which needs no other file, and returns it.
///
/// # Errors
/// When the file cannot be written.
pub fn render(shown: &Shown<'_>, path: &Path) -> Result<PathBuf, ReportError> {
    publish_page(path.to_owned(), TEMPLATE, &page(shown))
}

#[derive(Serialize)]
struct Page {
    title: &'static str,
    has_data: bool,
    headline: String,
    summary: Vec<String>,
    verdicts: Vec<VerdictLine>,
    assets: Vec<AssetPage>,
    found: Vec<(String, String)>,
    differences: Vec<String>,
    notes: Vec<String>,
    changes: Vec<String>,
    words: &'static str,
    choices: Vec<String>,
}

#[derive(Serialize)]
struct VerdictLine {
    key: String,
    word: &'static str,
    phrase: &'static str,
    rule: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct AssetPage {
    symbol: &'static str,
    window: String,
    rows: Vec<RowPage>,
    bounds: Vec<Vec<String>>,
    own: Option<OwnPage>,
}

#[derive(Serialize)]
struct RowPage {
    name: String,
    id: String,
    verdicts: String,
    is_subject: bool,
    cells: Vec<CellPage>,
    facts: Vec<(&'static str, String)>,
    /// Published SR, its rank, SR on one scale, error, both ranks, difference to Buy & Hold, its z and the answer.
    scaled: Vec<Scaled>,
}

#[derive(Serialize)]
struct Scaled {
    label: &'static str,
    text: String,
    value: Option<f64>,
    is_word: bool,
}

#[derive(Serialize)]
struct CellPage {
    metric: &'static str,
    published: String,
    value: f64,
    recomputed: Option<String>,
    key: String,
    word: &'static str,
    reason: String,
}

#[derive(Serialize)]
struct OwnPage {
    subject: Option<String>,
    report: Option<String>,
    rows: Vec<OwnLine>,
}

#[derive(Serialize)]
struct OwnLine {
    name: String,
    is_subject: bool,
    rules: &'static str,
    runs: String,
    cells: Vec<(&'static str, String, Option<f64>)>,
    seed: Option<u64>,
    mean_cr: String,
    mean_cr_value: Option<f64>,
    mean: String,
    mean_value: Option<f64>,
    interval: Option<String>,
    idle: usize,
}

fn page(shown: &Shown<'_>) -> Page {
    let audit = shown.audit;
    let has_data = audit.assets.iter().any(|asset| asset.dates.is_some());
    let verdict = |verdict: &Verdict| VerdictLine {
        key: key(*verdict),
        word: verdict.word(),
        phrase: verdict.phrase(),
        rule: verdict.rule(),
        count: audit.count(*verdict),
    };
    let assets = audit.assets.iter().map(|asset| {
        let own = shown.own.iter().find(|own| own.asset == asset.asset.symbol);
        asset_page(asset, own)
    });
    Page {
        title: "FLAG-Trader, audited",
        has_data,
        headline: headline(shown, has_data),
        summary: summary(shown, has_data),
        verdicts: Verdict::ALL.iter().map(verdict).collect(),
        assets: assets.collect(),
        found: found_rows(audit)
            .map(|(row, words)| (format!("{} {}", row.row.asset, row.row.label()), words))
            .collect(),
        differences: if has_data { difference_words(shown) } else { Vec::new() },
        notes: shown.notes.to_vec(),
        changes: some(shown.changes).collect(),
        words: WORDS,
        choices: shown.choices.to_vec(),
    }
}

fn headline(shown: &Shown<'_>, has_data: bool) -> String {
    if !has_data {
        return "There are no prices on this machine: only the arithmetic of the rows is checked.".to_owned();
    }
    let count = |verdict| shown.audit.count(verdict);
    let reproduced = count(Verdict::Exact) + count(Verdict::LastDigit) + count(Verdict::Convention);
    format!(
        "Of 360 published numbers {reproduced} can be computed again, {} are possible but rest on decisions that are not \
         published, {} do not agree with their row, {} cannot be on these prices, and {} are of an asset without data.",
        count(Verdict::Consistent),
        count(Verdict::Inconsistent),
        count(Verdict::Impossible),
        count(Verdict::NoData),
    )
}

fn summary(shown: &Shown<'_>, has_data: bool) -> Vec<String> {
    let mut lines = vec!["90 rows: Buy & Hold, 13 LLMs and FLAG-Trader on 6 assets".to_owned()];
    if has_data {
        let (equal, of) = stock_holds(shown.audit);
        lines.push(format!("Buy & Hold of the stocks: {equal} of {of} cells equal"));
    }
    if !shown.changes.is_empty() {
        lines.push(format!("{} cells are not what they were", shown.changes.len()));
    }
    lines
}

fn difference_words(shown: &Shown<'_>) -> Vec<String> {
    let d = differences(shown.audit);
    let zero = shown.audit.rows().filter_map(|row| row.luck.as_ref());
    let (of, from_zero) =
        zero.fold((0, 0), |(n, yes), luck| (n + 1, yes + usize::from(luck.differs_from_zero())));
    vec![
        format!(
            "Over 150 trading days the standard error of a yearly Sharpe ratio is about 1.3, over BTC's 215 days 1.1: \
             {from_zero} of {of} published ratios differ from 0 at the level 5% (|z| at least {CRITICAL:.2})."
        ),
        format!(
            "Beside Buy & Hold on the same window, and with the days per year that each row is taken to have, {} of {} ratios do \
             not differ from it whatever the decisions were, {} would differ under some decisions with the row's numbers, and {} \
             do.",
            d.no, d.compared, d.open, d.yes,
        ),
        format!(
            "One in twenty comparisons passes such a test by chance: {:.0} of {}.",
            0.05 * d.compared as f64,
            d.compared
        ),
    ]
}

fn asset_page(asset: &AssetAudit, own: Option<&Own>) -> AssetPage {
    let window = match asset.dates {
        Some((first, last)) => format!("{first} to {last}"),
        None => format!("{} to {}, no prices", asset.asset.from, asset.asset.to),
    };
    AssetPage {
        symbol: asset.asset.symbol,
        window,
        rows: asset.rows.iter().map(row_page).collect(),
        bounds: asset.bounds.iter().map(bound_cells).collect(),
        own: own.map(own_page),
    }
}

fn row_page(row: &RowAudit) -> RowPage {
    let cell = |metric: Metric| {
        let cell = row.cell(metric);
        CellPage {
            metric: metric.name(),
            published: fixed(Some(cell.published), 3),
            value: cell.published,
            recomputed: cell.recomputed.map(|v| fixed(Some(v), 4)),
            key: key(cell.verdict),
            word: cell.verdict.word(),
            reason: cell.reason.clone(),
        }
    };
    let verdicts = Metric::ALL.map(|m| format!("{} {}", m.name(), row.cell(m).verdict)).join(", ");
    let id: String = format!("{}-{}", row.row.asset, row.row.label()).to_lowercase();
    RowPage {
        name: row.row.label(),
        id: id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect(),
        verdicts,
        is_subject: row.row.group == Group::FlagTrader,
        cells: Metric::ALL.map(cell).into(),
        facts: facts(row),
        scaled: scaled(row),
    }
}

fn facts(row: &RowAudit) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    for metric in Metric::ALL {
        let cell = row.cell(metric);
        facts.push((metric.name(), format!("{}: {}", cell.verdict.phrase(), cell.reason)));
    }
    if row.found.is_none() && !row.feasible.is_empty() {
        let text = "no positions with at most one change give CR and AV (with a change, MDD too) under any of 16 conventions";
        facts.push(("Decisions", text.to_owned()));
    }
    facts.push((
        "Window",
        match row.window {
            Window::Stated => "taken to end on the stated last day".to_owned(),
            Window::DayEarlier => "taken to end a day before the stated last one".to_owned(),
        },
    ));
    let evidence = match row.scale.evidence {
        Evidence::Row => "shown",
        Evidence::Others => "taken from other rows",
        Evidence::Assumed => "assumed",
    };
    facts.push(("AV has", format!("{} days a year, {evidence}: {}", row.scale.days, row.scale.reason)));
    for positions in Positions::ALL {
        let range = |days: u32| {
            let text = row.range(positions, days).map_or_else(
                || "not at all".to_owned(),
                |(low, high)| format!("{} to {}", fixed(Some(low), 3), fixed(Some(high), 3)),
            );
            let fits =
                if row.is_feasible(positions, days) == Some(true) { "possible" } else { "not possible" };
            format!("AV {text} at {days} days a year, {fits}")
        };
        if !row.feasible.is_empty() {
            let label = match positions {
                Positions::LongFlat => "Long or flat",
                Positions::LongFlatShort => "With shorts",
            };
            facts.push((label, format!("decisions with this CR have {}", DAYS.map(range).join("; "))));
        }
    }
    if let Some(above) = row.luck.as_ref().and_then(|luck| luck.above_hold) {
        facts.push(("Buy & Hold", above_words(&above)));
    }
    facts
}

fn above_words(above: &AboveHold) -> String {
    let side = if above.difference < 0.0 { "below" } else { "above" };
    let distance = fixed(Some(above.difference.abs()), 3);
    let rho = above.correlation.value();
    let correlation = match (above.correlation, above.z) {
        (Correlation::Given(_), _) => format!("the correlation with it is {rho:.4}"),
        (Correlation::AtMost(_), Some(_)) => {
            format!("decisions with these numbers correlate with it by at most {rho:.4}")
        }
        (Correlation::AtMost(_), None) => "the row's numbers do not bound the correlation with it".to_owned(),
    };
    let needed = match above.needed {
        Some(needed) => format!("a difference at the level 5% would need {needed:.4}"),
        None => "no correlation would make it a difference at the level 5%".to_owned(),
    };
    let z = above.z.map(|z| format!(", {} standard errors", fixed(Some(z.abs()), 2))).unwrap_or_default();
    format!("the Sharpe ratio is {distance} {side} its{z}; {correlation}, {needed}")
}

fn scaled(row: &RowAudit) -> Vec<Scaled> {
    let number = |label, value: Option<f64>, decimals| Scaled {
        label,
        text: fixed(value, decimals),
        value,
        is_word: false,
    };
    let rank = |label, rank: Option<usize>| Scaled {
        label,
        text: rank.map_or_else(|| fixed(None, 0), |rank| rank.to_string()),
        value: rank.map(|rank| rank as f64),
        is_word: false,
    };
    let luck = row.luck.as_ref();
    let above = luck.and_then(|luck| luck.above_hold);
    let answer = match (above.map(|a| a.differs()), row.row.group) {
        (_, Group::BuyAndHold) => "itself",
        (Some(Differs::Yes), _) => "yes",
        (Some(Differs::No), _) => "no",
        (Some(Differs::Open), _) => "depends on the decisions",
        (None, _) => "–",
    };
    vec![
        number("SR", Some(row.row.cells.sr), 3),
        rank("Rank", Some(row.ranks.published)),
        number("SR, one scale", luck.map(|l| l.sharpe), 3),
        number("Error", luck.map(|l| l.error), 2),
        rank("Rank, one scale", row.ranks.one_scale),
        rank("Rank if 365", row.ranks.one_scale_365),
        number("Above hold", above.map(|a| a.difference), 3),
        number("Largest z", above.and_then(|a| a.z), 2),
        Scaled { label: "Differs", text: answer.to_owned(), value: None, is_word: true },
    ]
}

fn bound_cells(bound: &BoundRow) -> Vec<String> {
    let window = format!("{} prices", bound.n_prices);
    let number = |v: f64| fixed(Some(v), 3);
    let mut cells = vec![window, bound.positions.words().to_owned(), number(bound.cr)];
    for i in 0..DAYS.len() {
        cells.push(number(bound.av[i]));
        cells.push(number(bound.av_found[i]));
    }
    cells.push(number(bound.mdd));
    let days = |position: i8| bound.most_volatile.iter().filter(|p| **p == position).count();
    cells.push(format!("{} long, {} flat, {} short", days(1), days(0), days(-1)));
    cells
}

fn own_page(own: &Own) -> OwnPage {
    let line = |row: &OwnRow, scores: &OwnScores| {
        let median = scores.median.map_or([None; 4], |(_, cells)| cells);
        OwnLine {
            name: row.name.clone(),
            is_subject: row.is_subject,
            rules: scores.rules,
            runs: format!("{} of {}", row.completed, row.planned),
            cells: Metric::ALL.iter().zip(median).map(|(m, v)| (m.name(), fixed(v, 3), v)).collect(),
            seed: scores.median.map(|(seed, _)| seed),
            mean_cr: fixed(scores.mean_cr, 3),
            mean_cr_value: scores.mean_cr,
            mean: fixed(scores.mean_sr, 3),
            mean_value: scores.mean_sr,
            idle: scores.idle,
            interval: scores
                .interval
                .map(|i| format!("{} to {}", fixed(Some(i.low), 2), fixed(Some(i.high), 2))),
        }
    };
    OwnPage {
        subject: own.subject.as_ref().map(|s| s.label()),
        report: own.report.clone(),
        rows: own.rows.iter().flat_map(|row| row.scores.iter().map(move |s| line(row, s))).collect(),
    }
}
