//! The lines of the equity and drawdown charts.

use serde::Serialize;
use trading_env::Role;

use crate::Curve;
use crate::arms::{Look, look};
use crate::groups::Group;
use crate::numbers::rounded;

/// Lines shown at first when a group has more arms than the eye can follow; the others are one click away.
const SHOWN_ARMS: usize = 6;

/// Accounts of one group over the test window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Accounts {
    /// `n + 1` labels: dates of the decisions and the close after the last one.
    pub dates: Vec<String>,
    pub lines: Vec<Line>,
}

/// One arm: mean over seeds, and the range from the lowest to the highest seed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub name: String,
    pub look: Look,
    pub shown: bool,
    pub n: usize,
    pub growth: Band,
    pub drawdown: Band,
}

/// Values over time, each as long as the dates. Without a spread (one seed, or seeds that agree) the ends are absent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Band {
    pub mean: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<Vec<f64>>,
}

/// The lines of a group; `None` when no run of it has finished.
pub(crate) fn accounts(group: &Group<'_>) -> Option<Accounts> {
    let curves: Vec<(usize, Vec<&Curve>)> = group
        .arms
        .iter()
        .map(|arm| (*arm, group.runs(*arm).filter_map(|r| r.curve.as_ref()).collect()))
        .collect();
    let dates = &curves.iter().find_map(|(_, curves)| curves.first())?.dates;
    let mut lines = Vec::new();
    for (arm, curves) in &curves {
        // One window per group: a run that was stored over other dates does not belong on this axis.
        let curves: Vec<&Curve> = curves.iter().copied().filter(|c| c.dates == *dates).collect();
        if curves.is_empty() {
            continue;
        }
        let growth: Vec<_> = curves.iter().map(|c| c.growth.clone()).collect();
        let drawdown: Vec<_> = curves.iter().map(|c| c.drawdown()).collect();
        let look = look(group, *arm);
        let role = group.arm(*arm).role;
        let arms_before = lines.iter().filter(|l: &&Line| l.look.hue.is_some()).count();
        lines.push(Line {
            name: group.arm(*arm).name.clone(),
            look,
            shown: match role {
                Role::Arm => arms_before < SHOWN_ARMS,
                Role::Baseline => true,
                Role::Control => false,
            },
            n: curves.len(),
            growth: Band::new(&growth),
            drawdown: Band::new(&drawdown),
        });
    }
    let mut labels: Vec<String> = dates.iter().map(|d| d.to_string()).collect();
    labels.push("next close".to_owned());
    Some(Accounts { dates: labels, lines })
}

impl Band {
    /// Mean and range over series of equal length.
    fn new(series: &[Vec<f64>]) -> Self {
        let over = |f: &dyn Fn(&mut dyn Iterator<Item = f64>) -> f64| -> Vec<f64> {
            (0..series[0].len()).map(|t| rounded(f(&mut series.iter().map(|s| s[t])), 5)).collect()
        };
        let n = series.len() as f64;
        let mean = over(&|values| values.sum::<f64>() / n);
        let low = over(&|values| values.fold(f64::INFINITY, f64::min));
        let high = over(&|values| values.fold(f64::NEG_INFINITY, f64::max));
        let has_spread = low != high;
        Self { mean, low: has_spread.then_some(low), high: has_spread.then_some(high) }
    }
}
