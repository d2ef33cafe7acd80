//! A small market and observations of it, and texts that are kept in files.

use std::path::Path;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns};
use trading_env::{Account, Action, ActionMask, Observation};

/// Twelve bars whose closes rise from 100 by 1 and fall back every third day; two news items a day from day 2 on.
pub(crate) fn columns() -> Columns {
    let start = NaiveDate::from_ymd_opt(2020, 1, 6).unwrap();
    let dates = (0..12).map(|i| start + Days::new(i)).collect();
    let closes = (0..12).map(|i| 100.0 + f64::from(i) - if i % 3 == 2 { 2.5 } else { 0.0 }).collect();
    let mut columns = Columns::of_closes(dates, closes);
    for (i, news) in columns.news.iter_mut().enumerate().skip(2) {
        *news = vec![format!("Acme raises target {i}"), format!("Acme opens office {i}")];
    }
    columns
}

pub(crate) fn series(columns: Columns) -> BarSeries {
    BarSeries::from_columns("ACME", None, columns).unwrap()
}

/// What stands besides the market in an observation.
pub(crate) struct Own {
    pub account: Account,
    pub rewards: Vec<f64>,
    pub equities: Vec<f64>,
    pub actions: Vec<Action>,
}

impl Own {
    pub fn fresh() -> Self {
        Self { account: Account::new(1000.0, 100.0), rewards: vec![], equities: vec![], actions: vec![] }
    }

    /// Bought at 100.5 and holding for two steps.
    pub fn holding() -> Self {
        let mut account = Account::new(1000.0, 102.5);
        account.cash = 0.25;
        account.shares = 9.948_51;
        Self {
            account,
            rewards: vec![0.0, 0.0123456, -0.002],
            equities: vec![1000.0, 1012.3456789, 1019.97],
            actions: vec![Action::Buy, Action::Hold, Action::Hold],
        }
    }

    pub fn observe<'a>(&'a self, series: &'a BarSeries, t: usize) -> Observation<'a> {
        Observation {
            history: series.until(t),
            account: &self.account,
            mask: ActionMask::ALL,
            rewards: &self.rewards,
            equities: &self.equities,
            actions: &self.actions,
        }
    }
}

/// Compares with the file `name` of this package, which ends with one more line end; `UPDATE_SNAPSHOTS=1` writes it instead.
pub(crate) fn same_as_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|v| v == "1") {
        std::fs::write(&path, format!("{text}\n")).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let kept = kept.strip_suffix('\n').unwrap_or(&kept);
    assert!(
        kept == text,
        "{} differs (UPDATE_SNAPSHOTS=1 rewrites it):\n{}",
        path.display(),
        difference(kept, text)
    );
}

/// Lines of both texts side by side: `-` kept, `+` found, two spaces where they agree.
fn difference(kept: &str, found: &str) -> String {
    let (mut kept, mut found) = (kept.split('\n'), found.split('\n'));
    let mut out = String::new();
    loop {
        match (kept.next(), found.next()) {
            (None, None) => return out,
            (Some(a), Some(b)) if a == b => out += &format!("  {a}\n"),
            (a, b) => {
                out.extend(a.map(|a| format!("- {a:?}\n")));
                out.extend(b.map(|b| format!("+ {b:?}\n")));
            }
        }
    }
}

#[test]
fn differences_are_shown_line_by_line() {
    assert_eq!(difference("a\nb", "a\nc \nd"), "  a\n- \"b\"\n+ \"c \"\n+ \"d\"\n");
}
