//! Rotary frequencies and how long-context checkpoints scale them.

use std::f64::consts::TAU;

use serde::Serialize;
use serde_json::{Value, json};

use super::Keys;
use crate::LlmError;

/// Rotary position embedding (Su et al. 2021).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// What is done to them.
    pub scaling: RopeScaling,
}

/// How frequencies are changed for longer contexts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "rope_type", rename_all = "lowercase")]
pub enum RopeScaling {
    /// Not at all.
    Default,
    /// All divided by a factor.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Llama 3.1: long wavelengths divided by a factor, short ones kept, those between interpolated.
    Llama3 {
        /// The divisor of the longest.
        factor: f64,
        /// `original` over the wavelength above which frequencies are divided.
        low_freq_factor: f64,
        /// `original` over the wavelength below which they are kept.
        high_freq_factor: f64,
        /// Context of the first training, in tokens.
        original_max_position_embeddings: f64,
    },
}

const KNOWN: &str = "\"default\", \"linear\", \"llama3\" or \"dynamic\"";

impl Rope {
    /// Reads `rope_theta` with `rope_scaling`, or the newer `rope_parameters` that holds both. Where both are there,
    /// `transformers` takes the former.
    pub(crate) fn read(
        keys: &Keys<'_>,
        default_theta: f64,
        max_position_embeddings: usize,
    ) -> Result<Self, LlmError> {
        let outer = keys.positive("rope_theta", default_theta)?;
        let stated = |key: &&str| keys.get(key).is_some_and(|v| *v != json!({}));
        let Some(key) = ["rope_scaling", "rope_parameters"].into_iter().find(stated) else {
            return Ok(Self { theta: outer, scaling: RopeScaling::Default });
        };
        let found = keys.get(key).unwrap_or(&Value::Null);
        if !found.is_object() {
            return Err(keys.error(key, found, "null or an object with rope_type"));
        }
        let inner = Keys { value: found, path: keys.path };
        let kind = inner.get("rope_type").or_else(|| inner.get("type"));
        let scaling = match kind.map(|k| k.as_str().unwrap_or_default()) {
            // Dynamic scaling begins beyond max_position_embeddings, where no sequence here may go.
            None | Some("default" | "dynamic") => RopeScaling::Default,
            Some("linear") => RopeScaling::Linear { factor: inner.required("factor")? },
            Some("llama3") => Self::read_llama3(&inner, max_position_embeddings)?,
            Some(_) => {
                let kind = kind.unwrap_or(&Value::Null);
                return Err(keys.error(&format!("{key}.rope_type"), kind, KNOWN));
            }
        };
        inner.fixed("partial_rotary_factor", [json!(1), json!(1.0)])?;
        Ok(Self { theta: inner.positive("rope_theta", outer)?, scaling })
    }

    fn read_llama3(keys: &Keys<'_>, max_position_embeddings: usize) -> Result<RopeScaling, LlmError> {
        let low_freq_factor = keys.required("low_freq_factor")?;
        let high_freq_factor = keys.required("high_freq_factor")?;
        if high_freq_factor <= low_freq_factor {
            let expected = format!("more than low_freq_factor ({low_freq_factor})");
            return Err(keys.error("high_freq_factor", &high_freq_factor, expected));
        }
        Ok(RopeScaling::Llama3 {
            factor: keys.required("factor")?,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings: keys
                .positive("original_max_position_embeddings", max_position_embeddings as f64)?,
        })
    }

    /// `rope_scaling` of a `config.json`.
    pub(crate) fn scaling_json(&self) -> Value {
        match self.scaling {
            RopeScaling::Default => Value::Null,
            RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings: original,
            } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original as u64,
            }),
        }
    }

    /// Radians per position of each pair of a head of width `head_dim`. Powers and reciprocals are f32, as in
    /// `transformers`: their rounding, times thousands of positions, is the largest difference that logits could have.
    pub(crate) fn frequencies(&self, head_dim: usize) -> Vec<f32> {
        let plain = |i: usize| (self.theta as f32).powf((2 * i) as f32 / head_dim as f32).recip();
        (0..head_dim / 2).map(|i| self.scaling.apply(f64::from(plain(i))) as f32).collect()
    }
}

impl RopeScaling {
    fn apply(self, frequency: f64) -> f64 {
        match self {
            Self::Default => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                // Turns of this frequency within the original context.
                let turns = original_max_position_embeddings * frequency / TAU;
                let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                kept * frequency + (1.0 - kept) * frequency / factor
            }
        }
    }
}
