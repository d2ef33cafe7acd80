//! [`Segment`]: one part of a split.

use std::sync::Arc;

use chrono::NaiveDate;
use rand::Rng;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BarSeries, SeriesError};

/// What a control puts into random order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shuffle {
    /// The days' news: prices stay, and what is said on a day has nothing to do with what follows.
    News,
    /// The days' returns, with the shape and the volume of their bars: news stay, and the past has nothing to do with
    /// the future. First and last close keep their prices.
    Returns,
}

/// One part of a split: its bars and the look-back before them, and nothing after its end.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Bars up to the segment's last one; bars before `first` are look-back only.
    pub series: Arc<BarSeries>,
    /// Index of the first bar at which a decision may be taken.
    pub first: usize,
}

impl Segment {
    /// A whole series as one segment without look-back.
    pub fn whole(series: BarSeries) -> Self {
        Self { series: Arc::new(series), first: 0 }
    }

    /// Bars of the segment itself, `N`; decisions are possible at all but the last.
    pub fn n_bars(&self) -> usize {
        self.series.len() - self.first
    }

    /// Date of the first bar at which a decision may be taken.
    pub fn first_date(&self) -> NaiveDate {
        self.series.date(self.first)
    }

    /// Date of the last bar.
    pub fn last_date(&self) -> NaiveDate {
        self.series.date(self.series.len() - 1)
    }

    /// Dates of the segment's own bars, look-back left out.
    pub fn dates(&self) -> &[NaiveDate] {
        &self.series.dates()[self.first..]
    }

    /// The segment with its own bars' news or returns in the order that `rng` draws; its look-back stays as it is.
    ///
    /// # Errors
    /// When the prices leave the range of numbers on the way.
    pub fn shuffled(&self, shuffle: Shuffle, rng: &mut impl Rng) -> Result<Self, SeriesError> {
        let n = self.series.len();
        let mut columns = self.series.columns(0..n);
        match shuffle {
            Shuffle::News => columns.news[self.first..].shuffle(rng),
            Shuffle::Returns => {
                // Bar `first` has no return within the segment.
                let mut order: Vec<usize> = (self.first + 1..n).collect();
                order.shuffle(rng);
                let from = columns.clone();
                let last = columns.close[n - 1];
                for (bar, source) in (self.first + 1..n).zip(order) {
                    let close = columns.close[bar - 1] * (from.close[source] / from.close[source - 1]);
                    // The product of all returns is the same; only the rounding depends on the order.
                    let close = if bar + 1 == n { last } else { close };
                    let scaled = |price: Option<f64>| price.map(|p| p * (close / from.close[source]));
                    columns.close[bar] = close;
                    columns.open[bar] = scaled(from.open[source]);
                    columns.high[bar] = scaled(from.high[source]);
                    columns.low[bar] = scaled(from.low[source]);
                    columns.volume[bar] = from.volume[source];
                }
            }
        }
        let periods = Some(self.series.periods_per_year());
        let series = BarSeries::from_columns(self.series.symbol(), periods, columns)?;
        Ok(Self { series: Arc::new(series), first: self.first })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::synth::{SynthParams, generate};

    fn segment() -> Segment {
        let series = generate(&SynthParams { bars: 300, ..SynthParams::default() }).unwrap().series;
        Segment { series: Arc::new(series), first: 20 }
    }

    fn sorted(series: &BarSeries, first: usize) -> (Vec<String>, Vec<i64>) {
        let mut news: Vec<String> =
            (first..series.len()).map(|i| series.news(i).collect::<Vec<_>>().join("|")).collect();
        let returns = series.closes()[first..].windows(2).map(|w| (1e9 * (w[1] / w[0]).ln()).round() as i64);
        let mut returns: Vec<i64> = returns.collect();
        news.sort();
        returns.sort_unstable();
        (news, returns)
    }

    #[test]
    fn shuffling_moves_one_thing_and_keeps_the_rest() {
        let plain = segment();
        let rng = || ChaCha8Rng::seed_from_u64(3);
        let news = plain.shuffled(Shuffle::News, &mut rng()).unwrap();
        let returns = plain.shuffled(Shuffle::Returns, &mut rng()).unwrap();
        assert_eq!(news.series.closes(), plain.series.closes());
        assert_ne!(returns.series.closes(), plain.series.closes());
        let texts = |s: &Segment| -> Vec<String> {
            (0..s.series.len()).map(|i| s.series.news(i).collect::<Vec<_>>().join("|")).collect()
        };
        assert_eq!(texts(&returns), texts(&plain));
        assert_ne!(texts(&news), texts(&plain));
        assert_eq!(texts(&news)[..20], texts(&plain)[..20], "the look-back stays");
        let all = sorted(&plain.series, 20);
        assert_eq!(sorted(&news.series, 20), all);
        let (returned_news, moved) = sorted(&returns.series, 20);
        assert_eq!(returned_news, all.0);
        // Up to the last digits, which rounding moves.
        assert!(
            moved.iter().zip(&all.1).all(|(a, b)| (a - b).abs() <= 1),
            "the same returns in another order"
        );
        let ends = |s: &Segment| [s.series.closes()[20], s.series.closes()[299]];
        assert_eq!(ends(&returns), ends(&plain));
        let again = plain.shuffled(Shuffle::Returns, &mut rng()).unwrap();
        assert_eq!(again.series.closes(), returns.series.closes());
    }
}
