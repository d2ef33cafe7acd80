//! The verdicts and their rules.

use std::fmt;

use serde::Serialize;

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
    /// Does not agree with the other numbers of its row.
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
                "The number follows, in all three decimals, from decisions that fit into one sentence (one position, or one \
                 change of it) under the convention that gives the asset's Buy & Hold row. CR and AV of the row both have to \
                 follow from the same decisions, and MDD where they change position."
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
                 its last digit. This takes a row to be one trajectory with a risk-free rate of 0: medians taken metric by \
                 metric would look the same."
            }
            Verdict::Impossible => {
                "Beyond a proven bound for every list of positions -1, 0 and 1 (no leverage) on these prices, under the most \
                 generous convention; or, for AV, outside what the row's CR leaves."
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
