//! The published rows.

use std::sync::LazyLock;

use serde::Deserialize;

/// The four numbers of a row, in the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Cumulative return, %.
    Cr,
    /// Sharpe ratio.
    Sr,
    /// Annual volatility, %.
    Av,
    /// Maximum drawdown, %.
    Mdd,
}

impl Metric {
    /// All, in the order of the tables.
    pub const ALL: [Metric; 4] = [Metric::Cr, Metric::Sr, Metric::Av, Metric::Mdd];

    /// `CR`, `SR`, `AV` or `MDD`.
    pub fn name(self) -> &'static str {
        ["CR", "SR", "AV", "MDD"][self as usize]
    }
}

/// CR, SR, AV and MDD of a row; percent, SR a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cells {
    /// Cumulative return: the sum of log returns, %.
    pub cr: f64,
    /// Sharpe ratio.
    pub sr: f64,
    /// Annual volatility, %.
    pub av: f64,
    /// Maximum drawdown, %.
    pub mdd: f64,
}

impl Cells {
    /// One of them.
    pub fn get(&self, metric: Metric) -> f64 {
        [self.cr, self.sr, self.av, self.mdd][metric as usize]
    }
}

/// Whose row it is. Rows of one group were computed alike, as far as the numbers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Buy & Hold.
    BuyAndHold,
    /// A prompted LLM of the InvestorBench agent.
    Llm,
    /// FLAG-Trader.
    FlagTrader,
}

/// One row of the published tables.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedRow {
    /// `MSFT`, `JNJ`, `UVV`, `HON`, `TSLA` or `BTC`.
    pub asset: String,
    /// As the table names it.
    pub model: String,
    /// What the table files it under, for example `open-source`.
    pub kind: String,
    /// Whose it is.
    pub group: Group,
    /// As printed, three decimals.
    pub cells: Cells,
}

impl PublishedRow {
    /// The model, with the method where the model alone would not tell.
    pub fn label(&self) -> String {
        match self.group {
            Group::FlagTrader => format!("FLAG-Trader ({})", self.model),
            _ => self.model.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    asset: String,
    model: String,
    group: String,
    cr: f64,
    sr: f64,
    av: f64,
    mdd: f64,
}

static ROWS: LazyLock<Vec<PublishedRow>> = LazyLock::new(|| {
    let text = include_str!("../data/published.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let row = |line: Result<Line, csv::Error>| {
        let line = line.expect("invariant: the committed table is sound");
        let group = match line.group.as_str() {
            "buy & hold" => Group::BuyAndHold,
            "FLAG-Trader" => Group::FlagTrader,
            _ => Group::Llm,
        };
        let cells = Cells { cr: line.cr, sr: line.sr, av: line.av, mdd: line.mdd };
        PublishedRow { asset: line.asset, model: line.model, kind: line.group, group, cells }
    };
    reader.deserialize().map(row).collect()
});

/// The 90 rows of Tables 1 and 2 of FLAG-Trader (arXiv 2502.11433v3), in their order.
pub fn published() -> &'static [PublishedRow] {
    &ROWS
}

/// The published rows of an asset.
pub fn rows_of(asset: &str) -> impl Iterator<Item = &'static PublishedRow> {
    published().iter().filter(move |row| row.asset == asset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ASSETS;

    #[test]
    fn the_tables_have_fifteen_rows_for_each_of_six_assets() {
        assert_eq!(published().len(), 90);
        for asset in &ASSETS {
            let rows: Vec<_> = rows_of(asset.symbol).collect();
            assert_eq!(rows.len(), 15, "{}", asset.symbol);
            assert_eq!((rows[0].group, rows[14].group), (Group::BuyAndHold, Group::FlagTrader));
            assert!(rows[1..14].iter().all(|row| row.group == Group::Llm));
        }
    }

    #[test]
    fn a_row_as_it_is_printed() {
        let row = rows_of("UVV").last().unwrap();
        assert_eq!(row.label(), "FLAG-Trader (SmolLM2-135M-Instruct)");
        assert_eq!(row.cells, Cells { cr: 46.799, sr: 1.463, av: 67.758, mdd: 35.039 });
        assert_eq!(Metric::ALL.map(|m| row.cells.get(m)), [46.799, 1.463, 67.758, 35.039]);
    }
}
