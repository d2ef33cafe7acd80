//! What no list of decisions can exceed on given prices.
//!
//! Day `i` contributes `x_i = a_i r_i` with the price's log return `r_i` and a position `a_i` of a set: `{0, 1}` (long or
//! flat, the paper's own accounts) or `{-1, 0, 1}` (InvestorBench's scoring). Bounds are dual: a number for every
//! multiplier, each of them valid, of which the tightest is taken. Nothing rests on a search having found the best.

use serde::Serialize;

/// Positions that are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// `{0, 1}`: long or flat.
    LongFlat,
    /// `{-1, 0, 1}`: long, flat or short.
    LongFlatShort,
}

impl Positions {
    /// Both.
    pub const ALL: [Positions; 2] = [Positions::LongFlat, Positions::LongFlatShort];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Positions::LongFlat => "long or flat",
            Positions::LongFlatShort => "long, flat or short",
        }
    }

    /// The day's choices other than 0.
    fn signs(self) -> &'static [f64] {
        match self {
            Positions::LongFlat => &[1.0],
            Positions::LongFlatShort => &[1.0, -1.0],
        }
    }
}

/// Bounds of one window, as fractions (log returns).
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    log_returns: &'a [f64],
    positions: Positions,
}

/// Decisions that come close to a bound, and their value.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Positions, one per day.
    pub positions: Vec<i8>,
    /// What they reach.
    pub value: f64,
}

impl<'a> Bounds<'a> {
    /// Bounds for `positions` on days with these log returns, at least two.
    pub fn new(log_returns: &'a [f64], positions: Positions) -> Self {
        Self { log_returns, positions }
    }

    fn n(&self) -> f64 {
        self.log_returns.len() as f64
    }

    /// Largest sum of `x`: all gains, with shorts all losses as well. Reached by those decisions.
    pub fn cumulative_return(&self) -> f64 {
        let best = |r: &f64| self.positions.signs().iter().map(|a| a * r).fold(0.0, f64::max);
        self.log_returns.iter().map(best).sum()
    }

    /// Smallest sum of `x`, a loss.
    pub fn least_cumulative_return(&self) -> f64 {
        let worst = |r: &f64| self.positions.signs().iter().map(|a| a * r).fold(0.0, f64::min);
        self.log_returns.iter().map(worst).sum()
    }

    /// Deepest fall of `prod(1 + x)`: every day that can lose does. Reached by those decisions. Infinite where a day can
    /// lose more than everything.
    pub fn max_drawdown(&self) -> f64 {
        let worst = |r: &f64| self.positions.signs().iter().map(|a| a * r).fold(0.0, f64::min);
        let left: Vec<f64> = self.log_returns.iter().map(|r| 1.0 + worst(r)).collect();
        if left.iter().any(|left| *left < 0.0) {
            return f64::INFINITY;
        }
        1.0 - left.iter().product::<f64>()
    }

    /// An upper bound of the sample standard deviation of `x`.
    ///
    /// `(n - 1) sd^2 = sum(x^2) - s^2 / n` with `s = sum(x)`, and `-s^2 <= c^2 - 2 c s` for every `c`, so it is at most
    /// `c^2 / n + sum_i max_a (a^2 r_i^2 - 2 c a r_i / n)`, which is convex in `c`. With shorts `c = 0` is best, and the
    /// bound `sqrt(sum(r^2) / (n - 1))`.
    pub fn deviation(&self) -> f64 {
        let n = self.n();
        let most = |c: f64| {
            let day = |r: &f64| {
                let choices = self.positions.signs().iter().map(|a| r * r - 2.0 * c * a * r / n);
                choices.fold(0.0, f64::max)
            };
            c * c / n + self.log_returns.iter().map(day).sum::<f64>()
        };
        let span: f64 = self.log_returns.iter().map(|r| r.abs()).sum();
        let c = minimum(most, -span, span);
        (most(c).min(most(0.0)) / (n - 1.0)).sqrt()
    }

    /// Decisions with a standard deviation near [`deviation`](Self::deviation): from always in the market one day after the
    /// other is changed, the one that helps most, as long as that helps.
    pub fn most_volatile(&self) -> Best {
        let n = self.n();
        let r = self.log_returns;
        // With shorts, large days first and each on the side that keeps the sum small.
        let mut order: Vec<usize> = (0..r.len()).collect();
        order.sort_by(|a, b| r[*b].abs().total_cmp(&r[*a].abs()).then(a.cmp(b)));
        let mut positions = vec![0i8; r.len()];
        let mut sum = 0.0;
        for i in order.iter().copied() {
            let choice = self.positions.signs().iter().copied();
            let best = choice.min_by(|a, b| (sum + a * r[i]).abs().total_cmp(&(sum + b * r[i]).abs()));
            let best = best.expect("invariant: there is a choice other than flat");
            positions[i] = best as i8;
            sum += best * r[i];
        }
        let mut squares: f64 = r.iter().map(|r| r * r).sum();
        let spread = |squares: f64, sum: f64| squares - sum * sum / n;
        let choices: &[i8] = match self.positions {
            Positions::LongFlat => &[0, 1],
            Positions::LongFlatShort => &[-1, 0, 1],
        };
        loop {
            let mut best = (spread(squares, sum) * (1.0 + 1e-12), None);
            for i in 0..r.len() {
                for choice in choices.iter().copied().filter(|c| *c != positions[i]) {
                    let (old, new) = (f64::from(positions[i]), f64::from(choice));
                    let to = (squares + (new * new - old * old) * r[i] * r[i], sum + (new - old) * r[i]);
                    let value = spread(to.0, to.1);
                    if value > best.0 {
                        best = (value, Some((i, choice, to)));
                    }
                }
            }
            let Some((i, choice, to)) = best.1 else { break };
            positions[i] = choice;
            (squares, sum) = to;
        }
        let x: Vec<f64> = positions.iter().zip(r).map(|(a, r)| f64::from(*a) * r).collect();
        let value = stats::Moments::of(&x).and_then(|m| m.sd).unwrap_or(0.0);
        Best { positions, value }
    }

    /// Between which standard deviations every list of decisions lies whose log returns sum to `cr`, give or take
    /// `tolerance`. `None`: no decisions sum to it.
    ///
    /// For every `m`, `sum(x^2) <= m s + sum_i max_a (a^2 r_i^2 - m a r_i)` and `>= m s + sum_i min_a (...)`, both
    /// piecewise linear in `m` with corners where a day's choice is indifferent, at `+-r_i` and 0: the tightest lies on one.
    pub fn deviation_given(&self, cr: f64, tolerance: f64) -> Option<(f64, f64)> {
        if cr > self.cumulative_return() + tolerance || cr < self.least_cumulative_return() - tolerance {
            return None;
        }
        let n = self.n();
        let day = |m: f64, r: f64| self.positions.signs().iter().map(move |a| r * r - m * a * r);
        let most = |m: f64| {
            let days = self.log_returns.iter().map(|r| day(m, *r).fold(0.0, f64::max)).sum::<f64>();
            m * cr + m.abs() * tolerance + days
        };
        let least = |m: f64| {
            let days = self.log_returns.iter().map(|r| day(m, *r).fold(0.0, f64::min)).sum::<f64>();
            m * cr - m.abs() * tolerance + days
        };
        let corners = || self.log_returns.iter().flat_map(|r| [*r, -*r]).chain([0.0]);
        let most = corners().map(most).fold(f64::INFINITY, f64::min);
        let least = corners().map(least).fold(0.0, f64::max);
        let [near, far] = [(cr.abs() - tolerance).max(0.0), cr.abs() + tolerance];
        let deviation = |squares: f64, sum: f64| ((squares - sum * sum / n).max(0.0) / (n - 1.0)).sqrt();
        Some((deviation(least, far), deviation(most, near)))
    }

    /// The least that `sum((1 - a_i) r_i^2)` can be where `sum((1 - a_i) r_i)` is `gap`, give or take `tolerance`: what days
    /// out of the market, or against it, must differ from Buy & Hold by. The same dual as in
    /// [`deviation_given`](Self::deviation_given).
    pub(crate) fn least_difference(&self, gap: f64, tolerance: f64) -> f64 {
        let weight: f64 = if self.positions == Positions::LongFlat { 1.0 } else { 2.0 };
        let least = |m: f64| {
            let days = self.log_returns.iter().map(|r| weight * (r * r - m * r).min(0.0)).sum::<f64>();
            m * gap - m.abs() * tolerance + days
        };
        self.log_returns.iter().copied().chain([0.0]).map(least).fold(0.0, f64::max)
    }
}

/// Where a convex function is smallest between `low` and `high`, by golden section.
fn minimum(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    for _ in 0..100 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if f(a) <= f(b) { high = b } else { low = a }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests;
