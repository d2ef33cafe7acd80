//! The synthetic market: regimes, fat tails, and headlines with a planted signal, from a seed.

pub mod headlines;
#[cfg(test)]
mod tests;

use chrono::{Datelike, NaiveDate, Weekday};
use plugin::{BuildError, ParamError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StudentT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{BarSeries, Columns};
use headlines::Mood;

pub use headlines::WAVE_STARTS;

/// Name of the synthetic asset.
pub const SYMBOL: &str = "SYNTH";

const TRADING_DAYS: f64 = 252.0;
const FIRST_PRICE: f64 = 100.0;

/// Parameters of the synthetic market. The defaults make `datasets/synthetic-news`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SynthParams {
    /// Seed of all random streams.
    #[schemars(range(min = 0, max = 9007199254740991u64))]
    pub seed: u64,
    /// Number of bars, one per weekday.
    #[schemars(range(min = 10, max = 100000))]
    pub bars: usize,
    /// Date of the first bar (`YYYY-MM-DD`), moved to Monday from a weekend.
    #[schemars(with = "String")]
    pub start: NaiveDate,
    /// Probability with which a day's signal agrees with the sign of the return that it is about.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub signal_accuracy: f64,
    /// Which return the headlines of bar t are about: ln(close[t+lag] / close[t+lag-1]). 1 is the first return that
    /// a decision at the close of t earns under `investor-bench` and `realistic`, 2 the first under `paper`.
    #[schemars(range(min = 1, max = 20))]
    pub signal_lag: usize,
    /// Mean log return per year, over all regimes.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub drift: f64,
    /// Noise: standard deviation of log returns per year, root mean square over the regimes.
    #[schemars(range(min = 0.001, max = 2.0))]
    pub volatility: f64,
    /// Degrees of freedom of the Student-t returns: the smaller, the fatter the tails.
    #[schemars(range(min = 2.1, max = 1000.0))]
    pub tail_dof: f64,
    /// Largest number of headlines a day; there is at least one.
    #[schemars(range(min = 1, max = 20))]
    pub news_per_day: usize,
    /// Probability with which a headline besides a day's first says nothing about the return.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub neutral_share: f64,
    /// Probability with which a word of a headline is one that appears late, from the day on that there are such
    /// words; 1: every word that has late forms is one that earlier bars never had.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub late_share: f64,
}

impl Default for SynthParams {
    fn default() -> Self {
        Self {
            seed: 1,
            bars: 3130,
            start: NaiveDate::from_ymd_opt(2010, 1, 4).expect("invariant: a date"),
            signal_accuracy: 0.65,
            signal_lag: 1,
            drift: 0.05,
            volatility: 0.2,
            tail_dof: 4.0,
            news_per_day: 3,
            neutral_share: 0.25,
            late_share: headlines::LATE_SHARE,
        }
    }
}

impl SynthParams {
    /// Ranges that the schema states, for callers that did not check it (NaN is in no range). Keys are the fields.
    pub fn check(&self) -> Vec<ParamError> {
        let mut errors = Vec::new();
        let mut require = |ok: bool, key: &str, found: String, expected: &str| {
            if !ok {
                errors.push(ParamError { key: key.to_owned(), found, expected: expected.to_owned() });
            }
        };
        let whole = |n: usize| n.to_string();
        let real = |x: f64| x.to_string();
        require((10..=100_000).contains(&self.bars), "bars", whole(self.bars), "10 to 100000");
        let year = self.start.year();
        require((1..=9000).contains(&year), "start", self.start.to_string(), "a date from year 1 to 9000");
        let accuracy = self.signal_accuracy;
        require((0.0..=1.0).contains(&accuracy), "signal_accuracy", real(accuracy), "0 to 1");
        require((1..=20).contains(&self.signal_lag), "signal_lag", whole(self.signal_lag), "1 to 20");
        require((-1.0..=1.0).contains(&self.drift), "drift", real(self.drift), "-1 to 1");
        require((0.001..=2.0).contains(&self.volatility), "volatility", real(self.volatility), "0.001 to 2");
        require((2.1..=1000.0).contains(&self.tail_dof), "tail_dof", real(self.tail_dof), "2.1 to 1000");
        require((1..=20).contains(&self.news_per_day), "news_per_day", whole(self.news_per_day), "1 to 20");
        let neutral = self.neutral_share;
        require((0.0..=1.0).contains(&neutral), "neutral_share", real(neutral), "0 to 1");
        let late = self.late_share;
        require((0.0..=1.0).contains(&late), "late_share", real(late), "0 to 1");
        errors
    }
}

/// A generated market.
#[derive(Debug, Clone)]
pub struct Synthetic {
    /// Bars and headlines: all that an agent may see.
    pub series: BarSeries,
    /// Per bar, what its headlines say about the return that they are about: 1 up, -1 down. Right with probability
    /// `signal_accuracy`. For the `oracle` agent and for tests.
    pub signal: Vec<i8>,
}

/// A market regime: log drift per year added to the market's, and factor on its volatility.
struct Regime {
    weight: f64,
    drift: f64,
    volatility: f64,
}

/// Bull, bear, calm. The weighted drifts sum to 0 and the weighted squared volatilities to 1.006.
const REGIMES: [Regime; 3] = [
    Regime { weight: 0.5, drift: 0.16, volatility: 0.8 },
    Regime { weight: 0.2, drift: -0.40, volatility: 1.7 },
    Regime { weight: 0.3, drift: 0.0, volatility: 0.6 },
];

/// Per bar, the probability that the regime is drawn anew by weight: spells last 100 bars or more on average, and
/// the weights are the chain's stationary distribution.
const REGIME_CHANGE: f64 = 0.01;

/// Generates a market. The same parameters give the same market.
///
/// # Errors
/// For parameters out of range, and when the price falls below a cent.
pub fn generate(params: &SynthParams) -> Result<Synthetic, BuildError> {
    if let Some(error) = params.check().into_iter().next() {
        return Err(BuildError::Invalid(format!("synthetic market: {error}")));
    }
    let dates = weekdays(params.start, params.bars);
    // Closes run on beyond the last bar, so that the last headlines too are about a return.
    let Path { closes, volatilities } = walk(params, params.bars + params.signal_lag);
    if let Some(bar) = closes.iter().position(|c| *c < 0.01) {
        return Err(BuildError::Invalid(format!(
            "synthetic market: the price falls below 0.01 at bar {bar}; expected a smaller `volatility`, fewer \
             `bars` or another `seed`"
        )));
    }
    let signal = signals(params, &closes);
    let mut columns = Columns::of_closes(dates, closes[..params.bars].to_vec());
    candles(params.seed, &volatilities, &mut columns);
    columns.news = headlines(params, &signal);
    let series = BarSeries::from_columns(SYMBOL, Some(TRADING_DAYS), columns)
        .map_err(|e| BuildError::Invalid(format!("synthetic market: {e}")))?;
    Ok(Synthetic { series, signal })
}

fn weekdays(start: NaiveDate, n: usize) -> Vec<NaiveDate> {
    let weekend = |d: &NaiveDate| matches!(d.weekday(), Weekday::Sat | Weekday::Sun);
    start.iter_days().filter(|d| !weekend(d)).take(n).collect()
}

/// Closes in cents and the daily volatility of every bar.
struct Path {
    closes: Vec<f64>,
    volatilities: Vec<f64>,
}

fn walk(params: &SynthParams, n: usize) -> Path {
    let mut regimes = stream(params.seed, "regime");
    let mut returns = stream(params.seed, "return");
    let tail = StudentT::new(params.tail_dof).expect("invariant: degrees of freedom were checked");
    // A Student-t variable with k degrees of freedom has variance k / (k - 2).
    let unit = ((params.tail_dof - 2.0) / params.tail_dof).sqrt();
    let mut regime = draw_regime(&mut regimes);
    let mut log_price = FIRST_PRICE.ln();
    let mut path = Path { closes: Vec::with_capacity(n), volatilities: Vec::with_capacity(n) };
    for _ in 0..n {
        if regimes.random_bool(REGIME_CHANGE) {
            regime = draw_regime(&mut regimes);
        }
        let volatility = params.volatility * regime.volatility / TRADING_DAYS.sqrt();
        log_price +=
            (params.drift + regime.drift) / TRADING_DAYS + volatility * unit * tail.sample(&mut returns);
        path.closes.push(cents(log_price.exp()));
        path.volatilities.push(volatility);
    }
    path
}

fn draw_regime(rng: &mut ChaCha8Rng) -> &'static Regime {
    let mut at: f64 = rng.random();
    for regime in &REGIMES {
        at -= regime.weight;
        if at < 0.0 {
            return regime;
        }
    }
    &REGIMES[0]
}

/// Sign of the return that each bar's headlines are about, turned round with probability `1 - signal_accuracy`.
fn signals(params: &SynthParams, closes: &[f64]) -> Vec<i8> {
    let mut rng = stream(params.seed, "signal");
    (0..params.bars)
        .map(|t| {
            let change = closes[t + params.signal_lag] - closes[t + params.signal_lag - 1];
            let coin = if rng.random_bool(0.5) { 1 } else { -1 };
            let truth = if change > 0.0 {
                1
            } else if change < 0.0 {
                -1
            } else {
                coin
            };
            if rng.random_bool(params.signal_accuracy) { truth } else { -truth }
        })
        .collect()
}

/// Opens close to the previous close, highs and lows around both, volumes that grow with the bar's range.
fn candles(seed: u64, volatilities: &[f64], columns: &mut Columns) {
    let mut gaps = stream(seed, "gap");
    let mut ranges = stream(seed, "range");
    let mut volumes = stream(seed, "volume");
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let mut previous = FIRST_PRICE;
    for (bar, (&close, &volatility)) in columns.close.iter().zip(volatilities).enumerate() {
        let open = cents(previous * (0.15 * volatility * normal(&mut gaps)).exp()).max(0.01);
        let up = (0.4 * volatility * normal(&mut ranges).abs()).exp();
        let down = (-0.4 * volatility * normal(&mut ranges).abs()).exp();
        let high = cents(open.max(close) * up).max(open.max(close));
        let low = cents(open.min(close) * down).clamp(0.01, open.min(close));
        let volume = 1e6 * (0.3 * normal(&mut volumes) + 10.0 * (high / low).ln()).exp();
        columns.open[bar] = Some(open);
        columns.high[bar] = Some(high);
        columns.low[bar] = Some(low);
        columns.volume[bar] = Some(volume.round());
        previous = close;
    }
}

fn headlines(params: &SynthParams, signal: &[i8]) -> Vec<Vec<String>> {
    let mut counts = stream(params.seed, "news-count");
    let mut words = stream(params.seed, "wording");
    (0..params.bars)
        .map(|t| {
            let mood = if signal[t] > 0 { Mood::Good } else { Mood::Bad };
            let wave = headlines::wave(t, params.bars);
            let count = counts.random_range(0..params.news_per_day as u64) as usize + 1;
            // One headline carries the signal for certain, at a random place.
            let telling = counts.random_range(0..count as u64) as usize;
            (0..count)
                .map(|i| {
                    let neutral = counts.random_bool(params.neutral_share);
                    let mood = if neutral && i != telling { Mood::Neutral } else { mood };
                    headlines::headline(mood, wave, params.late_share, &mut words)
                })
                .collect()
        })
        .collect()
}

/// Prices have two decimals, so that the last bit of a mathematical function does not reach the data.
fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

/// The random stream of one purpose.
fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let digest = Sha256::digest(format!("synthetic-news:{seed}:{purpose}"));
    ChaCha8Rng::from_seed(digest.into())
}
