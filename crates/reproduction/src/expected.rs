//! Whether a verdict or a number of the audit has changed.

use std::fmt;

use crate::audit::{Audit, CellAudit};
use crate::published::{Metric, PublishedRow};
use crate::verdict::Verdict;

/// What the audit said of every cell when the data were those of the pinned revision.
const EXPECTED: &str = include_str!("../data/cells.csv");

const HEADER: &str = "asset,model,metric,published,verdict,recomputed,bound";

/// A cell of which the audit says something else than it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which cell: asset, model, metric.
    pub cell: String,
    /// What was said: verdict, recomputed value, bound.
    pub was: String,
    /// What is said now.
    pub is: String,
    /// What differs.
    pub part: Part,
}

/// What of a cell has changed; a changed price moves the bounds of all rows of its asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The verdict.
    Verdict,
    /// The value that the decisions of the row give.
    Recomputed,
    /// The bound alone.
    Bound,
}

/// The most important ones, and how many more there are.
pub(crate) fn some(changes: &[Change]) -> impl Iterator<Item = String> {
    const SHOWN: usize = 12;
    let more = changes.len().saturating_sub(SHOWN);
    let rest = (more > 0).then(|| format!("and {more} more"));
    changes.iter().take(SHOWN).map(ToString::to_string).chain(rest)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: was {}, is {}", self.cell, self.was, self.is)
    }
}

/// Every cell as a line of CSV: what [`changes`] compares with, in the order of the tables.
pub fn csv(audit: &Audit) -> String {
    let mut text = format!("{HEADER}\n");
    for (row, cell) in audit.cells() {
        let [recomputed, bound] = [cell.recomputed, cell.bound].map(written);
        let name = name(row.row, cell.metric);
        text += &format!("{name},{:.3},{},{recomputed},{bound}\n", cell.published, key(cell.verdict));
    }
    text
}

/// Asset, model and metric, as in the CSV: no name has a comma or a quote.
fn name(row: &PublishedRow, metric: Metric) -> String {
    format!("{},{},{}", row.asset, row.model, metric.name())
}

/// The verdict as in JSON.
pub(crate) fn key(verdict: Verdict) -> String {
    let value = serde_json::to_value(verdict).expect("invariant: a verdict is a word");
    value.as_str().unwrap_or_default().to_owned()
}

/// Six decimals: far above what another machine's logarithm changes, far below a cent in one price.
fn written(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| format!("{v:.6}"))
}

/// The cells that are not as expected: changed verdicts first, then changed values of decisions that give a row, then
/// changed bounds. Of an asset whose prices are not on this machine, printed numbers and SR alone can be looked at.
pub fn changes(audit: &Audit) -> Vec<Change> {
    let cells = audit.assets.iter().flat_map(|asset| {
        let lacks_prices = asset.asset.has_data && asset.dates.is_none();
        asset.rows.iter().flat_map(move |row| row.cells.iter().map(move |cell| (lacks_prices, row.row, cell)))
    });
    let mut changes: Vec<Change> =
        cells.filter_map(|(lacks_prices, row, cell)| change(row, cell, lacks_prices)).collect();
    changes.sort_by_key(|change| change.part);
    changes
}

fn change(row: &PublishedRow, cell: &CellAudit, lacks_prices: bool) -> Option<Change> {
    let name = name(row, cell.metric);
    let line = EXPECTED.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(','));
    let fields: Vec<&str> = line.unwrap_or_default().split(',').collect();
    let cell_name = name.replace(',', " ");
    let [published, verdict, recomputed, bound] = fields[..] else {
        let was = "unknown".to_owned();
        return Some(Change { cell: cell_name, was, is: said(cell), part: Part::Verdict });
    };
    let printed = format!("{:.3}", cell.published);
    if published != printed {
        let (was, is) = (format!("printed {published}"), format!("printed {printed}"));
        return Some(Change { cell: cell_name, was, is, part: Part::Verdict });
    }
    let now = key(cell.verdict);
    if lacks_prices {
        // Whether SR follows from its row needs no prices.
        let contradicts = key(Verdict::Inconsistent);
        let is_same = cell.metric != Metric::Sr || (verdict == contradicts) == (now == contradicts);
        let change = Change { cell: cell_name, was: verdict.to_owned(), is: now, part: Part::Verdict };
        return (!is_same).then_some(change);
    }
    let near = |expected: &str, found: Option<f64>| match (expected.parse::<f64>().ok(), found) {
        (Some(expected), Some(found)) => (expected - found).abs() < 2e-6,
        (expected, found) => expected.is_none() && found.is_none(),
    };
    let parts = [
        (Part::Verdict, verdict == now),
        (Part::Recomputed, near(recomputed, cell.recomputed)),
        (Part::Bound, near(bound, cell.bound)),
    ];
    let (part, _) = parts.into_iter().find(|(_, same)| !same)?;
    Some(Change { cell: cell_name, was: words(verdict, recomputed, bound), is: said(cell), part })
}

fn said(cell: &CellAudit) -> String {
    let [recomputed, bound] = [cell.recomputed, cell.bound].map(written);
    words(&key(cell.verdict), &recomputed, &bound)
}

fn words(verdict: &str, recomputed: &str, bound: &str) -> String {
    let mut text = verdict.to_owned();
    if !recomputed.is_empty() {
        text += &format!(" ({recomputed})");
    }
    if !bound.is_empty() {
        text += &format!(", bound {bound}");
    }
    text
}
