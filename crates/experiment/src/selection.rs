//! By which score of the validation part an arm is selected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::keys;

/// The part of the data on which arms are selected: that of a split, or that of each of its windows.
const VALIDATION: [&str; 2] = ["split", "valid"];
const OF_WINDOWS: [&str; 3] = ["split", "walk_forward", "valid"];

/// Score of the validation part by which an arm is selected, averaged over seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMetric {
    /// Highest Sharpe ratio.
    #[default]
    Sharpe,
    /// Highest Sortino ratio.
    Sortino,
    /// Highest Calmar ratio.
    Calmar,
    /// Highest return over the whole part.
    CumulativeReturn,
    /// Highest return per year.
    AnnualReturn,
    /// Lowest maximum drawdown.
    MaxDrawdown,
}

impl SelectionMetric {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 6] = [
        Self::Sharpe,
        Self::Sortino,
        Self::Calmar,
        Self::CumulativeReturn,
        Self::AnnualReturn,
        Self::MaxDrawdown,
    ];

    /// The word in experiment files, which is the score's name in manifests.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sharpe => "sharpe",
            Self::Sortino => "sortino",
            Self::Calmar => "calmar",
            Self::CumulativeReturn => "cumulative_return",
            Self::AnnualReturn => "annual_return",
            Self::MaxDrawdown => "max_drawdown",
        }
    }

    /// Whether the lowest score is the best.
    pub fn is_lower_better(self) -> bool {
        self == Self::MaxDrawdown
    }
}

/// Key of the validation part where the resolved `spec` has none.
pub(crate) fn missing_validation(spec: &Map<String, Value>) -> Option<Vec<String>> {
    let is_set = |path: &[String]| keys::get(spec, path).is_some_and(|value| !value.is_null());
    let windows = OF_WINDOWS.map(str::to_owned).to_vec();
    let path = if is_set(&windows[..2]) { windows } else { VALIDATION.map(str::to_owned).to_vec() };
    (!is_set(&path)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::SelectionMetric;

    #[test]
    fn words_are_those_of_the_file() {
        for metric in SelectionMetric::ALL {
            let read: SelectionMetric = serde_json::from_value(metric.word().into()).unwrap();
            assert_eq!(read, metric);
        }
    }
}
