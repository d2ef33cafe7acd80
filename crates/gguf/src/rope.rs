//! Scaling of rotary positions, and Llama 3's recovered from the factors that a GGUF holds in its place.

#[cfg(test)]
mod tests;

use std::f64::consts::TAU;

use serde_json::{Value as Json, json};

use crate::error::Fault;
use crate::file::Gguf;

/// Divisors of the frequencies, one per pair of a head.
pub(crate) const FACTORS: &str = "rope_freqs.weight";
/// Relative difference that the f32 arithmetic of the converter may have made.
const ROUNDING: f64 = 1e-5;

/// What is done to the rotary frequencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scaling {
    None,
    /// All divided by a factor.
    Linear(f64),
    Llama3(Llama3),
}

/// Llama 3.1's scaling, as `transformers` computes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Llama3 {
    factor: f64,
    low: f64,
    high: f64,
    original: f64,
}

impl Llama3 {
    /// The divisor of a frequency, in radians per position.
    fn divisor(&self, frequency: f64) -> f64 {
        let turns = self.original * frequency / TAU;
        let kept = ((turns - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        1.0 / (kept + (1.0 - kept) / self.factor)
    }

    fn gives(&self, factors: &[f64], frequencies: &[f64]) -> bool {
        if !(self.high > self.low && self.original >= 1.0 && self.original.is_finite()) {
            return false;
        }
        let agrees = |(factor, frequency): (&f64, &f64)| {
            let divisor = self.divisor(*frequency);
            (divisor - factor).abs() <= ROUNDING * divisor
        };
        factors.iter().zip(frequencies).all(agrees)
    }

    /// The parameters that give `factors`. They are the same for any common multiple of `low`, `high` and `original`;
    /// `low` is 1 here, as in every published model.
    fn recover(factors: &[f64], frequencies: &[f64]) -> Option<Self> {
        let factor = factors.last().copied().filter(|factor| *factor > 1.0)?;
        let is_between = |f: f64| f > 1.0 + ROUNDING && f < factor * (1.0 - ROUNDING);
        let kept = |f: f64| (1.0 / f - 1.0 / factor) / (1.0 - 1.0 / factor);
        // Between the two ends, what is kept of a frequency is linear in the frequency.
        let between: Vec<(f64, f64)> = factors
            .iter()
            .zip(frequencies)
            .filter(|(f, _)| is_between(**f))
            .map(|(f, frequency)| (*frequency, kept(*f)))
            .collect();
        // Whole tokens, and factors of few decimals: what anybody would have written into a file.
        let of = |high: f64, original: f64| {
            let high = (high * 1000.0).round() / 1000.0;
            Self { factor, low: 1.0, high, original: original.round() }
        };
        // The line through the first and the last pair says where both ends are.
        let line = |((f1, k1), (f2, k2)): ((f64, f64), (f64, f64))| {
            let slope = (k1 - k2) / (f1 - f2);
            let width = 1.0 / (slope * f1 - k1);
            of(1.0 + width, slope * TAU * width)
        };
        let ends = between.first().zip(between.last()).filter(|_| between.len() > 1);
        let fitted = ends.map(|(first, last)| line((*first, *last)));
        // A single pair says where one end is, when the other is where every published model has it.
        let single = between.first().map(|(frequency, kept)| of(4.0, (3.0 * kept + 1.0) * TAU / frequency));
        let candidates = [Some(of(4.0, 8192.0)), fitted, single];
        candidates.into_iter().flatten().find(|candidate| candidate.gives(factors, frequencies))
    }
}

impl Scaling {
    /// Together with the factors that the file holds, if it does.
    pub fn with_factors(self, file: &Gguf, theta: f64, head_dim: usize) -> Result<Self, Fault> {
        let Some(tensor) = file.tensors.iter().find(|tensor| tensor.name == FACTORS) else { return Ok(self) };
        if tensor.shape != [head_dim / 2] {
            let expected = format!("shape [{}], half the width of a head", head_dim / 2);
            return Err(Fault::tensor(FACTORS, expected, format!("{:?}", tensor.shape)));
        }
        let mut bytes = vec![0; tensor.bytes as usize];
        file.read(tensor, 0, &mut bytes)?;
        let mut values = vec![0f32; tensor.count()];
        tensor.kind.dequantise(&bytes, &mut values);
        // The shortest decimal of an f32 is what was written: 32, 8, 1.
        let factors: Vec<f64> = values.iter().map(|v| v.to_string().parse().unwrap_or(f64::NAN)).collect();
        if factors.iter().all(|factor| *factor == 1.0) {
            return Ok(self);
        }
        let frequency = |i: usize| theta.powf(-((2 * i) as f64) / head_dim as f64);
        let frequencies: Vec<f64> = (0..head_dim / 2).map(frequency).collect();
        match (self, Llama3::recover(&factors, &frequencies)) {
            (Self::None, Some(found)) => Ok(Self::Llama3(found)),
            (Self::None, None) => {
                let first: Vec<String> = values.iter().take(4).map(f32::to_string).collect();
                let found = format!("{}, ... of which none gives them", first.join(", "));
                Err(Fault::tensor(FACTORS, "factors of Llama 3's scaling (rope_type llama3)", found))
            }
            _ => Err(Fault::tensor(FACTORS, "one scaling of rotary positions", "a linear one besides")),
        }
    }

    /// `rope_scaling` of a `config.json`.
    pub fn to_json(self) -> Json {
        match self {
            Self::None => Json::Null,
            Self::Linear(factor) => json!({ "rope_type": "linear", "factor": factor }),
            Self::Llama3(Llama3 { factor, low, high, original }) => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": original as u64,
            }),
        }
    }
}
