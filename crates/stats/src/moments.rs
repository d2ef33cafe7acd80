//! Mean, sample standard deviation and central moments, in two passes.

/// Moments of a sample of `n` numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Count.
    pub n: usize,
    /// `sum(x) / n`.
    pub mean: f64,
    /// Sample standard deviation `sqrt(sum((x - mean)^2) / (n - 1))`; absent for `n = 1`, exactly 0 without spread.
    pub sd: Option<f64>,
    /// `m_3 / m_2^1.5` with `m_k = sum((x - mean)^k) / n` (population); absent without spread.
    pub skew: Option<f64>,
    /// `m_4 / m_2^2 - 3` (population, excess); absent without spread.
    pub kurtosis: Option<f64>,
}

impl Moments {
    /// Moments of `sample`; `None` when it is empty.
    ///
    /// A sample with `max == min` has that mean and no spread, although its float sum would be off by about 1e-19.
    pub fn of(sample: &[f64]) -> Option<Self> {
        let n = sample.len();
        let first = *sample.first()?;
        if sample.iter().all(|x| *x == first) {
            let sd = (n > 1).then_some(0.0);
            return Some(Self { n, mean: first, sd, skew: None, kurtosis: None });
        }
        let mean = sample.iter().sum::<f64>() / n as f64;
        let central = |k: i32| sample.iter().map(|x| (x - mean).powi(k)).sum::<f64>();
        let squares = central(2);
        let m2 = squares / n as f64;
        let ratio =
            |numerator: f64, denominator: f64| Some(numerator / denominator).filter(|q| q.is_finite());
        Some(Self {
            n,
            mean,
            sd: Some((squares / (n - 1) as f64).sqrt()),
            skew: ratio(central(3) / n as f64, m2.powf(1.5)),
            kurtosis: ratio(central(4) / n as f64, m2 * m2).map(|q| q - 3.0),
        })
    }

    /// The standard deviation where there is spread.
    pub fn spread(&self) -> Option<f64> {
        self.sd.filter(|sd| *sd > 0.0)
    }
}
