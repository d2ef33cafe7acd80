//! Performance profiles: the share of an arm's seeds above each Sharpe ratio.

use stats::{Bootstrap, Runs, SeedScores};
use trading_env::Role;

use crate::arm_scores::seed_scores;
use crate::arms::look;
use crate::band::Band;
use crate::charts::shown_at_first;
use crate::estimate::LEVEL;
use crate::figure::{Axis, Figure, FigureLine, Places};
use crate::groups::Group;
use crate::metric::{SCORES, Unit};
use crate::numbers::rounded;

/// Thresholds along the axis.
const THRESHOLDS: usize = 61;
/// A band at every threshold: fewer than an interval of one number has.
const RESAMPLES: usize = 1_000;

/// `None` when no seed has a Sharpe ratio, or all have the same.
pub(crate) fn profile(group: &Group<'_>) -> Option<Figure> {
    let metric = &SCORES[0];
    let scores: Vec<(usize, SeedScores)> = group
        .arms
        .iter()
        .map(|&arm| (arm, seed_scores(group.input, arm, metric.key)))
        .filter(|(_, scores)| !scores.is_empty())
        .collect();
    let ends =
        scores.iter().flat_map(|(_, s)| [s.sorted().first().copied(), s.sorted().last().copied()]).flatten();
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low >= high {
        return None;
    }
    let room = (high - low) * 0.04;
    let step = (high - low + 2.0 * room) / (THRESHOLDS - 1) as f64;
    let thresholds: Vec<f64> = (0..THRESHOLDS).map(|i| rounded(low - room + step * i as f64, 4)).collect();
    let bootstrap = Bootstrap { resamples: RESAMPLES, ..Bootstrap::default() };
    let mut arms = 0;
    let mut lines = Vec::new();
    for (arm, scores) in scores {
        let n = scores.len();
        let Some(profile) = Runs::new([scores]).profile(&thresholds, LEVEL, &bootstrap) else { continue };
        let look = look(group, arm);
        let ends = |end: fn(&stats::Interval) -> f64| {
            let bands = profile.bands.as_ref().filter(|_| group.arm(arm).role != Role::Baseline)?;
            Some(bands.iter().map(|i| Some(rounded(end(i), 3))).collect())
        };
        lines.push(FigureLine {
            name: group.arm(arm).name.clone(),
            shown: shown_at_first(group.arm(arm).role, arms),
            look,
            n,
            band: Band {
                mean: profile.shares.iter().map(|s| Some(rounded(*s, 3))).collect(),
                low: ends(|i| i.low),
                high: ends(|i| i.high),
            },
        });
        arms += usize::from(look.hue.is_some());
    }
    Some(Figure {
        key: "performance-profile",
        title: "Performance profile",
        about: "share of seeds whose Sharpe ratio is above the value below; bands are pointwise 95% bootstrap intervals over seeds. A line further right is better.".to_owned(),
        x: Axis { label: "Sharpe ratio", unit: Unit::Ratio, places: Places::Numbers(thresholds) },
        unit: Unit::Fraction,
        steps: true,
        lines,
    })
}
