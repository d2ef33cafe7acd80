//! The scores that the report shows.

use experiment::SelectionMetric;
use serde::Serialize;

use crate::numbers;
use crate::verdict::probability;

/// One score of the test split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Dotted name in the manifest's scores.
    pub key: &'static str,
    /// Heading.
    pub label: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// How it is written.
    pub unit: Unit,
}

/// How a score is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// A plain number, two decimals.
    Ratio,
    /// A fraction, written in percent with one decimal.
    Fraction,
    /// Already in percent, three decimals as in the published tables.
    Percent,
    /// A plain number, three decimals as in the published tables.
    PaperRatio,
    /// A probability, two decimals, never a rounded 0 or 1.
    Probability,
    /// A plain number of any size, three significant digits.
    Number,
}

impl Unit {
    /// The number as text; a dash where undefined.
    pub(crate) fn write(self, value: Option<f64>) -> String {
        match self {
            Unit::Ratio => numbers::fixed(value, 2),
            Unit::Fraction => numbers::percent(value, 1),
            Unit::Percent | Unit::PaperRatio => numbers::fixed(value, 3),
            // The words of a sentence are too wide for a column.
            Unit::Probability => value.filter(|p| p.is_finite()).map_or_else(
                || numbers::UNDEFINED.to_owned(),
                |p| probability(p).replace("below ", "< ").replace("above ", "> "),
            ),
            Unit::Number => numbers::digits(value, 3),
        }
    }
}

/// What every arm is compared by.
pub(crate) const SCORES: [Metric; 4] = [
    Metric {
        key: "sharpe",
        label: "Sharpe ratio",
        about: "mean over standard deviation of simple returns, annualised, risk-free rate 0",
        unit: Unit::Ratio,
    },
    Metric {
        key: "cumulative_return",
        label: "Cumulative return",
        about: "compounded over the whole window",
        unit: Unit::Fraction,
    },
    Metric {
        key: "annual_volatility",
        label: "Annual volatility",
        about: "sample standard deviation of simple returns, annualised",
        unit: Unit::Fraction,
    },
    Metric {
        key: "max_drawdown",
        label: "Maximum drawdown",
        about: "largest fall from a peak, the start included",
        unit: Unit::Fraction,
    },
];

/// What an arm may be selected by, besides [`SCORES`].
const OTHER_SELECTIONS: [Metric; 3] = [
    Metric {
        key: "sortino",
        label: "Sortino ratio",
        about: "mean over downside deviation of simple returns, annualised",
        unit: Unit::Ratio,
    },
    Metric {
        key: "calmar",
        label: "Calmar ratio",
        about: "annual return over maximum drawdown",
        unit: Unit::Ratio,
    },
    Metric {
        key: "annual_return",
        label: "Annual return",
        about: "compounded, per year",
        unit: Unit::Fraction,
    },
];

impl Metric {
    /// The score by which an arm is selected.
    pub(crate) fn of_selection(by: SelectionMetric) -> &'static Metric {
        let all = SCORES.iter().chain(&OTHER_SELECTIONS);
        all.into_iter().find(|m| m.key == by.word()).expect("invariant: every selection has its metric")
    }
}

/// The InvestorBench formulas behind the published tables.
pub(crate) const PAPER: [Metric; 4] = [
    Metric { key: "paper.cr", label: "CR %", about: "sum of log returns, in percent", unit: Unit::Percent },
    Metric {
        key: "paper.sr",
        label: "SR",
        about: "annualised CR over AV, 252 prices a year for every asset",
        unit: Unit::PaperRatio,
    },
    Metric {
        key: "paper.av",
        label: "AV %",
        about: "sample standard deviation of log returns, annualised, in percent",
        unit: Unit::Percent,
    },
    Metric {
        key: "paper.mdd",
        label: "MDD %",
        about: "largest fall of the product of 1 + log return, in percent",
        unit: Unit::Percent,
    },
];

#[cfg(test)]
mod tests {
    use experiment::SelectionMetric;

    use super::Metric;
    use crate::arm_scores::METRICS;

    #[test]
    fn every_selection_is_by_a_score_that_runs_have() {
        for by in SelectionMetric::ALL {
            assert!(METRICS.contains(&Metric::of_selection(by).key), "{by:?}");
        }
    }
}
