//! Mean and range over seeds along an axis: what a line and its band are drawn from.

use serde::Serialize;

/// Values along an axis; absent ones are gaps. Without a spread (one seed, or seeds that agree) the ends are absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Band {
    pub mean: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<Vec<Option<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<Vec<Option<f64>>>,
}

impl Band {
    /// Mean and range at each place over the series that have a finite value there; a series may end early. `None`
    /// when no series has any.
    pub(crate) fn new(series: &[Vec<Option<f64>>], round: impl Fn(f64) -> f64) -> Option<Self> {
        let places = series.iter().map(Vec::len).max().unwrap_or(0);
        let over = |f: &dyn Fn(&[f64]) -> f64| -> Vec<Option<f64>> {
            let at = |t: usize| {
                let here = series.iter().filter_map(|s| s.get(t).copied().flatten());
                let values: Vec<f64> = here.filter(|v| v.is_finite()).collect();
                (!values.is_empty()).then(|| round(f(&values)))
            };
            (0..places).map(at).collect()
        };
        let mean = over(&|values| values.iter().sum::<f64>() / values.len() as f64);
        let low = over(&|values| values.iter().copied().fold(f64::INFINITY, f64::min));
        let high = over(&|values| values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        let has_spread = low != high;
        let (low, high) = (has_spread.then_some(low), has_spread.then_some(high));
        mean.iter().any(Option::is_some).then_some(Self { mean, low, high })
    }
}
