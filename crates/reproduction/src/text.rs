//! The audit and our rows for the terminal, as Markdown and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::audit::{AssetAudit, Audit, RowAudit, is_always_long_mixed};
use crate::expected::{Change, key, some};
use crate::luck::{Correlation, Differs};
use crate::own::{Own, OwnRow, OwnScores, WORDS};
use crate::published::{Group, Metric};
use crate::verdict::Verdict;

/// Everything that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The audit.
    pub audit: &'a Audit,
    /// Cells of which it says something else than it did.
    pub changes: &'a [Change],
    /// Our rows by asset; empty where nothing was trained.
    pub own: &'a [Own],
    /// What a reader must know of the data: files that are missing or not those of the pinned revision.
    pub notes: &'a [String],
    /// Choices that the paper leaves open, as our experiments make them.
    pub choices: &'a [String],
}

/// How many published rows differ from Buy & Hold, as far as their numbers tell.
pub(crate) struct Differences {
    pub compared: usize,
    pub yes: usize,
    pub no: usize,
    pub open: usize,
}

pub(crate) fn differences(audit: &Audit) -> Differences {
    let all: Vec<Differs> =
        audit.rows().filter_map(|row| Some(row.luck.as_ref()?.above_hold.as_ref()?.differs())).collect();
    let count = |what| all.iter().filter(|d| **d == what).count();
    Differences {
        compared: all.len(),
        yes: count(Differs::Yes),
        no: count(Differs::No),
        open: count(Differs::Open),
    }
}

/// Stock cells of Buy & Hold that are reproduced exactly, and how many there are prices for.
pub(crate) fn stock_holds(audit: &Audit) -> (usize, usize) {
    let stocks = audit.assets.iter().filter(|a| a.dates.is_some() && a.asset.symbol != "BTC");
    let cells: Vec<_> = stocks.flat_map(|a| &a.rows[0].cells).collect();
    (cells.iter().filter(|cell| cell.verdict == Verdict::Exact).count(), cells.len())
}

/// Rows whose decisions were found, with the sentence.
pub(crate) fn found_rows(audit: &Audit) -> impl Iterator<Item = (&RowAudit, String)> {
    audit.rows().filter_map(|row| {
        let (found, words) = row.found.as_ref()?;
        let equal = row
            .cells
            .iter()
            .filter(|cell| matches!(cell.verdict, Verdict::Exact | Verdict::Convention | Verdict::LastDigit));
        let all = format!("{} of 4 cells: {words}, {}", equal.count(), found.convention);
        Some((row, all))
    })
}

fn cells_of(audit: &Audit, verdict: Verdict) -> impl Iterator<Item = String> {
    audit.cells().filter(move |(_, cell)| cell.verdict == verdict).map(|(row, cell)| {
        let (asset, label, name) = (&row.row.asset, row.row.label(), cell.metric.name());
        format!("{asset} {label}, {name} {:.3}: {}", cell.published, cell.reason)
    })
}

/// For the terminal: the tables, our rows, and last what they come to.
pub fn terminal(shown: &Shown<'_>) -> String {
    let audit = shown.audit;
    let mut text =
        String::from("FLAG-Trader's published tables: printed, verdict, what simple decisions give\n");
    for asset in &audit.assets {
        text.push('\n');
        text += &published_table(asset);
        if let Some(own) = shown.own.iter().find(|own| own.asset == asset.asset.symbol) {
            text.push('\n');
            text += &own_table(own);
        }
    }
    if !shown.own.is_empty() {
        let _ = writeln!(text, "{WORDS}");
    }
    let _ = writeln!(text, "\n360 cells");
    for verdict in Verdict::ALL {
        let _ = writeln!(text, "{:>5}  {}", audit.count(verdict), verdict.phrase());
    }
    let (equal, of) = stock_holds(audit);
    if of > 0 {
        let _ = writeln!(text, "Buy & Hold of the stocks: {equal} of {of} cells equal");
    }
    let found =
        found_rows(audit).map(|(row, sentence)| format!("{} {}, {sentence}", row.row.asset, row.row.label()));
    list(&mut text, "rows that simple decisions give", found);
    list(&mut text, Verdict::Impossible.phrase(), cells_of(audit, Verdict::Impossible));
    let long_flat = audit.rows().filter(|row| row.row.group == Group::FlagTrader).filter_map(|row| {
        let possible = row.is_feasible(crate::bounds::Positions::LongFlat, 252)?;
        let range = row.range(crate::bounds::Positions::LongFlat, 252);
        let range = range.map_or_else(|| "none".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}"));
        let (asset, av) = (&row.row.asset, row.row.cells.av);
        (!possible).then(|| format!("{asset}: AV {av:.3}, long-or-flat decisions with its CR have {range}"))
    });
    list(&mut text, "FLAG-Trader rows that long-or-flat trading cannot give at 252 days a year", long_flat);
    list(&mut text, Verdict::Inconsistent.phrase(), cells_of(audit, Verdict::Inconsistent));
    let d = differences(audit);
    let _ = writeln!(
        text,
        "Sharpe ratios beside Buy & Hold's, {} rows: {} differ, {} do not whatever the decisions were, {} depend on them",
        d.compared, d.yes, d.no, d.open
    );
    list(&mut text, "data", shown.notes.iter().cloned());
    if !shown.changes.is_empty() {
        let _ = writeln!(text, "changed cells ({}):", shown.changes.len());
        for change in some(shown.changes) {
            let _ = writeln!(text, "  {change}");
        }
    }
    text
}

fn published_table(asset: &AssetAudit) -> String {
    let head = std::iter::once(asset.asset.symbol.to_owned()).chain(Metric::ALL.map(|m| m.name().to_owned()));
    let mut lines: Vec<Vec<String>> = vec![head.collect()];
    for row in &asset.rows {
        let cell = |metric: Metric| {
            let cell = row.cell(metric);
            let recomputed = cell.recomputed.map(|v| format!(" {v:.4}")).unwrap_or_default();
            format!("{:.3} {}{recomputed}", cell.published, cell.verdict)
        };
        lines.push(std::iter::once(row.row.label()).chain(Metric::ALL.map(cell)).collect());
    }
    aligned(&lines, |_| false)
}

/// Lines of cells in columns; those of `is_number` to the right.
fn aligned(lines: &[Vec<String>], is_number: impl Fn(usize) -> bool) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| lines.iter().filter_map(|line| line.get(i)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|i| width(i).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cell = |(i, cell): (usize, &String)| {
            let width = widths[i];
            if is_number(i) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        };
        let cells: Vec<String> = line.iter().enumerate().map(cell).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn list(text: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        let _ = writeln!(text, "{title} ({}):", items.len());
        for item in items {
            let _ = writeln!(text, "  {item}");
        }
    }
}

pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"))
}

fn own_rows(own: &Own) -> impl Iterator<Item = (&OwnRow, &OwnScores)> {
    own.rows.iter().flat_map(|row| row.scores.iter().map(move |scores| (row, scores)))
}

const OWN_HEADS: [&str; 9] =
    ["ours", "rules", "runs", "CR", "SR", "AV", "MDD", "mean CR", "mean SR over seeds, 95% interval"];

fn own_cells((row, scores): (&OwnRow, &OwnScores)) -> Vec<String> {
    let median = scores.median.map_or([None; 4], |(_, cells)| cells);
    let [cr, sr, av, mdd] = median.map(number);
    let runs = format!("{} of {}", row.completed, row.planned);
    let interval = scores.interval.map(|i| format!(" [{:.2}, {:.2}]", i.low, i.high)).unwrap_or_default();
    let idle = if scores.idle > 0 { format!(", {} without a trade", scores.idle) } else { String::new() };
    let mean = format!("{}{interval}{idle}", number(scores.mean_sr));
    vec![row.name.clone(), scores.rules.to_owned(), runs, cr, sr, av, mdd, number(scores.mean_cr), mean]
}

fn own_table(own: &Own) -> String {
    let mut lines: Vec<Vec<String>> = vec![OWN_HEADS.map(str::to_owned).into()];
    lines.extend(own_rows(own).map(own_cells));
    let subject = own.subject.as_ref().map(|s| format!(", {}", s.label())).unwrap_or_default();
    format!("{}, our runs{subject}\n{}", own.asset, aligned(&lines, |i| (3..8).contains(&i)))
}

/// For pull requests and papers.
pub fn markdown(shown: &Shown<'_>) -> String {
    let line = |cells: &[String]| {
        format!("| {} |\n", cells.iter().map(|c| c.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
    };
    let mut text =
        String::from("FLAG-Trader's published tables (arXiv 2502.11433v3), each cell with its verdict.\n\n");
    text += "| Verdict | Cells |\n| :-- | --: |\n";
    for verdict in Verdict::ALL {
        text += &line(&[verdict.phrase().to_owned(), shown.audit.count(verdict).to_string()]);
    }
    for asset in &shown.audit.assets {
        let _ = write!(
            text,
            "\n{}\n\n| Model | CR % | SR | AV % | MDD % |\n| :-- | --: | --: | --: | --: |\n",
            asset.asset.symbol
        );
        for row in &asset.rows {
            let cell = |metric: Metric| {
                let cell = row.cell(metric);
                let recomputed = cell.recomputed.map(|v| format!(" ({v:.4})")).unwrap_or_default();
                format!("{:.3}{recomputed} {}", cell.published, cell.verdict)
            };
            let cells: Vec<String> = std::iter::once(row.row.label()).chain(Metric::ALL.map(cell)).collect();
            text += &line(&cells);
        }
        if let Some(own) = shown.own.iter().find(|own| own.asset == asset.asset.symbol) {
            let subject = own.subject.as_ref().map(|s| format!(" ({})", s.label())).unwrap_or_default();
            let _ = write!(text, "\n{}, our runs{subject}\n\n", own.asset);
            text += &line(&OWN_HEADS.map(str::to_owned));
            text += "| :-- | :-- | --: | --: | --: | --: | --: | --: | :-- |\n";
            own_rows(own).for_each(|row| text += &line(&own_cells(row)));
        }
    }
    if !shown.own.is_empty() {
        let _ = write!(text, "\n{WORDS}\n");
    }
    for note in shown.notes {
        let _ = write!(text, "\n{note}\n");
    }
    if !shown.changes.is_empty() {
        text += "\nChanged cells:\n\n";
        for change in some(shown.changes) {
            let _ = writeln!(text, "- {change}");
        }
    }
    text
}

/// For programs.
pub fn json(shown: &Shown<'_>) -> Value {
    let audit = shown.audit;
    let verdicts: serde_json::Map<String, Value> =
        Verdict::ALL.iter().map(|v| (key(*v), json!(audit.count(*v)))).collect();
    let cells = audit.cells().map(|(row, cell)| {
        json!({
            "asset": row.row.asset,
            "model": row.row.model,
            "metric": cell.metric.name(),
            "published": cell.published,
            "verdict": cell.verdict,
            "recomputed": cell.recomputed,
            "bound": cell.bound,
            "reason": cell.reason,
        })
    });
    let bounds = audit.assets.iter().flat_map(|a| {
        a.bounds.iter().map(move |b| {
            json!({
                "asset": a.asset.symbol,
                "window": b.window,
                "n_prices": b.n_prices,
                "positions": b.positions,
                "cr": b.cr,
                "av_252": b.av[0],
                "av_365": b.av[1],
                "av_found_252": b.av_found[0],
                "av_found_365": b.av_found[1],
                "mdd": b.mdd,
                "most_volatile": b.most_volatile,
            })
        })
    });
    let (equal, of) = stock_holds(audit);
    json!({
        "verdicts": verdicts,
        "buy_and_hold_of_stocks": { "equal": equal, "cells": of },
        "always_long_mixed": audit.rows().filter(|row| is_always_long_mixed(row))
            .map(|row| json!({ "asset": row.row.asset, "model": row.row.model })).collect::<Vec<_>>(),
        "cells": cells.collect::<Vec<_>>(),
        "rows": audit.rows().map(row_json).collect::<Vec<_>>(),
        "bounds": bounds.collect::<Vec<_>>(),
        "own": shown.own.iter().map(own_json).collect::<Vec<_>>(),
        "notes": shown.notes,
        "changes": shown.changes.iter().map(|c| json!({ "cell": c.cell, "was": c.was, "is": c.is })).collect::<Vec<_>>(),
    })
}

fn row_json(row: &RowAudit) -> Value {
    let found = row.found.as_ref().map(|(found, words)| {
        let c = found.cells;
        let cells = json!({ "cr": c.cr, "sr": c.sr, "av": c.av, "mdd": c.mdd });
        json!({ "decisions": words, "convention": found.convention, "cells": cells })
    });
    let luck = row.luck.as_ref().map(|luck| {
        let above = luck.above_hold;
        json!({
            "sharpe": luck.sharpe,
            "error": luck.error,
            "above_hold": above.map(|a| a.difference),
            "correlation": above.map(|a| a.correlation.value()),
            "correlation_is_given": above.map(|a| matches!(a.correlation, Correlation::Given(_))),
            "z": above.and_then(|a| a.z),
            "needed_correlation": above.and_then(|a| a.needed),
        })
    });
    let feasible = row.feasible.iter().map(|f| {
        json!({
            "positions": f.positions,
            "volatility_days": f.volatility_days,
            "low": f.range.map(|r| r.0),
            "high": f.range.map(|r| r.1),
            "possible": f.possible,
            "window": f.window,
        })
    });
    json!({
        "asset": row.row.asset,
        "model": row.row.model,
        "found": found,
        "consistency": row.consistency,
        "window": row.window,
        "scale": { "days": row.scale.days, "evidence": row.scale.evidence, "reason": row.scale.reason },
        "luck": luck,
        "ranks": {
            "published": row.ranks.published,
            "one_scale": row.ranks.one_scale,
            "one_scale_365": row.ranks.one_scale_365,
        },
        "feasible": feasible.collect::<Vec<_>>(),
    })
}

fn own_json(own: &Own) -> Value {
    let four =
        |cells: &[Option<f64>; 4]| json!({ "cr": cells[0], "sr": cells[1], "av": cells[2], "mdd": cells[3] });
    let scores = |scores: &OwnScores| {
        json!({
            "rules": scores.rules,
            "median_seed": scores.median.map(|(seed, _)| seed),
            "median": scores.median.map(|(_, cells)| four(&cells)),
            "mean_cr": scores.mean_cr,
            "mean_sr": scores.mean_sr,
            "idle": scores.idle,
            "mean_sr_interval": scores.interval.map(|i| [i.low, i.high]),
        })
    };
    let rows = own.rows.iter().map(|row| {
        json!({
            "name": row.name,
            "is_subject": row.is_subject,
            "completed": row.completed,
            "planned": row.planned,
            "scores": row.scores.iter().map(scores).collect::<Vec<_>>(),
        })
    });
    json!({ "asset": own.asset, "subject": own.subject, "rows": rows.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(audit: &Audit) -> Shown<'_> {
        Shown { audit, changes: &[], own: &[], notes: &[], choices: &[] }
    }

    #[test]
    fn without_prices() {
        let audit = Audit::new(|_| None);
        let text = terminal(&nothing(&audit));
        let n = audit.count(Verdict::NoData);
        assert!(text.contains(&format!("{n:>5}  no data\n")), "{text}");
        assert!(
            !text.contains("Buy & Hold of the stocks") && !text.contains("impossible on these prices ("),
            "{text}"
        );
        let json = json(&nothing(&audit));
        assert_eq!(
            (json["cells"].as_array().unwrap().len(), json["rows"].as_array().unwrap().len()),
            (360, 90)
        );
        assert_eq!(json["verdicts"]["no-data"], n);
    }

    #[test]
    fn markdown_has_a_row_per_published_row() {
        let audit = Audit::new(|_| None);
        let changes = [Change {
            cell: "MSFT GPT-4 CR".to_owned(),
            was: "a".to_owned(),
            is: "b".to_owned(),
            part: crate::expected::Part::Verdict,
        }];
        let text = markdown(&Shown { changes: &changes, ..nothing(&audit) });
        assert_eq!(text.lines().filter(|line| line.matches(" no data |").count() >= 3).count(), 90);
        assert!(text.ends_with("- MSFT GPT-4 CR: was a, is b\n"), "{text}");
    }

    #[test]
    fn our_rows_beside_them() {
        let scores = |rules, sr: f64| OwnScores {
            rules,
            median: Some((3, [Some(1.0), Some(sr), Some(20.0), None])),
            mean_sr: Some(0.2),
            mean_cr: Some(1.5),
            idle: 1,
            interval: Some(stats::Interval { low: -0.1, point: 0.2, high: 0.5 }),
        };
        let row = OwnRow {
            name: "FLAG-Trader".to_owned(),
            is_subject: true,
            completed: 5,
            planned: 5,
            scores: vec![scores("paper", 0.25), scores("realistic, 10 bp", -1.0)],
        };
        let own = Own { asset: "MSFT".to_owned(), subject: None, report: None, rows: vec![row] };
        let table = own_table(&own);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "MSFT, our runs");
        let start = "FLAG-Trader  paper             5 of 5  1.000   0.250  20.000    -    1.500  ";
        assert_eq!(lines[2], format!("{start}0.200 [-0.10, 0.50], 1 without a trade"));
        assert_eq!(own_json(&own)["rows"][0]["scores"][1]["median"]["sr"], -1.0);
    }
}
