//! Low-rank adapters in the folder layout of PEFT: `adapter_config.json` beside `adapter_model.safetensors`.
//!
//! PEFT loads what is written here, and what PEFT wrote loads here, as long as it is plain LoRA on the seven
//! projections: what would compute something else (DoRA, rank patterns, trained biases) is an error.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::checkpoint::{HostTensor, metadata, read_file, write_file_with};
use crate::config::Keys;
use crate::lora::factor_names;
use crate::names::Projection;
use crate::{LlmConfig, LlmError, LoraSpec};

/// Settings of an adapter.
pub const CONFIG: &str = "adapter_config.json";
/// Tensors of an adapter.
pub const TENSORS: &str = "adapter_model.safetensors";
/// PEFT's name of the wrapped model, before every tensor's name.
const WRAPPER: &str = "base_model.model.";
/// Key of the safetensors header under which we keep the digest of the base model.
const BASE_DIGEST: &str = "base_digest";

/// Trained low-rank adapters, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraAdapter {
    /// Rank of every factor.
    pub rank: usize,
    /// Numerator of the scale.
    pub alpha: f64,
    /// Scale by `alpha / sqrt(rank)` in place of `alpha / rank`.
    pub rank_stabilised: bool,
    /// Probability with which training dropped a number of an adapter's input; nothing is dropped otherwise.
    pub dropout: f64,
    /// Factors by layer and projection.
    pub factors: BTreeMap<(usize, Projection), Factors>,
    /// Digest of the model that it was trained on, where it is known.
    pub base_digest: Option<String>,
}

/// The two factors of one projection, in on-disk layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// `[rank, d_in]`.
    pub a: Vec<f32>,
    /// `[d_out, rank]`.
    pub b: Vec<f32>,
}

impl LoraAdapter {
    /// The spec that has the same factors.
    pub fn spec(&self) -> LoraSpec {
        LoraSpec {
            rank: self.rank,
            alpha: self.alpha,
            rank_stabilised: self.rank_stabilised,
            // A loaded adapter computes what it has learned: nothing is dropped.
            dropout: 0.0,
            targets: self.targets().into_iter().collect(),
            layers: self.layers().into_iter().map(|layer| layer.to_string()).collect(),
        }
    }

    fn targets(&self) -> BTreeSet<Projection> {
        self.factors.keys().map(|(_, projection)| *projection).collect()
    }

    fn layers(&self) -> BTreeSet<usize> {
        self.factors.keys().map(|(layer, _)| *layer).collect()
    }

    /// Writes the folder's two files. `base` is what `base_model_name_or_path` shall say: a hub id or a folder.
    pub fn write(&self, dir: &Path, config: &LlmConfig, base: &str) -> Result<(), LlmError> {
        let mut tensors = Vec::with_capacity(2 * self.factors.len());
        for ((layer, projection), Factors { a, b }) in &self.factors {
            let [d_out, d_in] = projection.shape(config);
            let [name_a, name_b] = factor_names(*projection, *layer).map(|name| format!("{WRAPPER}{name}"));
            tensors.push((name_a, HostTensor::new(vec![self.rank, d_in], a.clone())));
            tensors.push((name_b, HostTensor::new(vec![d_out, self.rank], b.clone())));
        }
        let digest = self.base_digest.iter().map(|d| (BASE_DIGEST, d.as_str()));
        write_file_with(&dir.join(TENSORS), tensors, digest)?;
        let path = dir.join(CONFIG);
        std::fs::write(&path, format!("{:#}\n", self.config_json(base))).map_err(|e| LlmError::io(&path, e))
    }

    fn config_json(&self, base: &str) -> Value {
        let (targets, layers) = (self.targets(), self.layers());
        // Where not every layer adapts the same projections, PEFT needs their full names.
        let regular = self.factors.len() == targets.len() * layers.len();
        let modules: Vec<String> = if regular {
            targets.iter().map(|p| p.module_name().to_owned()).collect()
        } else {
            self.factors.keys().map(|(layer, p)| p.name(*layer)).collect()
        };
        let whole = self.alpha.fract() == 0.0;
        json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": if whole { json!(self.alpha as u64) } else { json!(self.alpha) },
            "use_rslora": self.rank_stabilised,
            "lora_dropout": self.dropout,
            "target_modules": modules,
            "layers_to_transform": if regular { json!(layers) } else { Value::Null },
            "bias": "none",
            "fan_in_fan_out": false,
            "init_lora_weights": true,
            "inference_mode": true,
        })
    }

    /// Reads a folder for a model of this shape and, where both are known, of this digest.
    pub fn read(dir: &Path, config: &LlmConfig, base_digest: &str) -> Result<Self, LlmError> {
        let path = dir.join(CONFIG);
        let text = std::fs::read_to_string(&path).map_err(|e| LlmError::io(&path, e))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| LlmError::Malformed { path: path.clone(), problem: e.to_string() })?;
        let keys = Keys { value: &value, path: &path };
        plain_lora(&keys)?;
        let tensors = dir.join(TENSORS);
        if !tensors.is_file() && dir.join("adapter_model.bin").is_file() {
            let problem = "expected adapter_model.safetensors, found adapter_model.bin only, a pickle, which can run \
                           code and is never loaded";
            return Err(LlmError::Malformed { path: dir.to_owned(), problem: problem.to_owned() });
        }
        let known = metadata(&tensors)?.remove(BASE_DIGEST);
        if let Some(trained_on) = known.as_deref().filter(|d| *d != base_digest) {
            let problem = format!("trained on a base model with digest {trained_on}, found {base_digest}");
            return Err(LlmError::Malformed { path: tensors, problem });
        }
        let rank = keys.size("r", 8)?;
        let mut adapter = Self {
            rank,
            alpha: keys.positive("lora_alpha", 8.0)?,
            rank_stabilised: keys.flag("use_rslora", false)?,
            dropout: dropout(&keys)?,
            factors: BTreeMap::new(),
            base_digest: known,
        };
        adapter.read_factors(&tensors, config)?;
        adapter.check_targets(&keys, tensors)?;
        Ok(adapter)
    }

    fn read_factors(&mut self, path: &Path, config: &LlmConfig) -> Result<(), LlmError> {
        let mut tensors = read_file(path)?;
        let mut stored: Vec<String> = tensors.keys().cloned().collect();
        stored.sort();
        for layer in 0..config.num_hidden_layers {
            for projection in Projection::ALL {
                let [d_out, d_in] = projection.shape(config);
                let shapes = [[self.rank, d_in], [d_out, self.rank]];
                let names = factor_names(projection, layer);
                let found = names.clone().map(|name| stored.iter().find(|s| is_stored_as(s, &name)).cloned());
                if found.iter().all(Option::is_none) {
                    continue;
                }
                let mut values = Vec::with_capacity(2);
                for ((found, name), shape) in found.into_iter().zip(&names).zip(shapes) {
                    let tensor = found.and_then(|f| tensors.remove(&f));
                    let tensor = tensor.ok_or_else(|| LlmError::tensor(path, name, "missing"))?;
                    if tensor.shape != shape {
                        let problem = format!("expected shape {shape:?}, found {:?}", tensor.shape);
                        return Err(LlmError::tensor(path, name, problem));
                    }
                    if !tensor.values.iter().all(|v| v.is_finite()) {
                        return Err(LlmError::tensor(path, name, "holds a value that is not finite"));
                    }
                    values.push(tensor.values);
                }
                let [a, b] = <[_; 2]>::try_from(values).expect("invariant: two factors were read");
                self.factors.insert((layer, projection), Factors { a, b });
            }
        }
        match tensors.keys().min() {
            Some(unknown) => {
                let problem = "expected LoRA factors of q, k, v, o, gate, up or down of this model's layers";
                Err(LlmError::tensor(path, unknown, problem))
            }
            None => Ok(()),
        }
    }

    /// A list of module names promises a factor for each of them.
    fn check_targets(&self, keys: &Keys<'_>, tensors: PathBuf) -> Result<(), LlmError> {
        if self.factors.is_empty() {
            let problem = "expected LoRA factors, found none".to_owned();
            return Err(LlmError::Malformed { path: tensors, problem });
        }
        let Some(Value::Array(targets)) = keys.get("target_modules") else { return Ok(()) };
        for target in targets {
            let named = |(layer, projection): &(usize, Projection)| {
                let (full, target) = (projection.name(*layer), target.as_str().unwrap_or_default());
                full == target || full.ends_with(&format!(".{target}"))
            };
            if !self.factors.keys().any(named) {
                let expected = "names of modules that the file has factors for";
                return Err(keys.error("target_modules", target, expected));
            }
        }
        Ok(())
    }
}

/// Whether a tensor of PEFT's is the factor `name`. A headless base lacks the outer `model.`.
fn is_stored_as(stored: &str, name: &str) -> bool {
    let inner = stored.strip_prefix(WRAPPER).unwrap_or(stored);
    inner == name || name.strip_prefix("model.") == Some(inner)
}

fn dropout(keys: &Keys<'_>) -> Result<f64, LlmError> {
    let Some(found) = keys.get("lora_dropout") else { return Ok(0.0) };
    let dropout = found.as_f64().filter(|d| (0.0..1.0).contains(d));
    dropout.ok_or_else(|| keys.error("lora_dropout", found, "a number >= 0 and < 1"))
}

/// Refuses settings under which PEFT computes something else than `x W + s (x A) B`.
fn plain_lora(keys: &Keys<'_>) -> Result<(), LlmError> {
    if keys.get("peft_type").and_then(Value::as_str) != Some("LORA") {
        return Err(keys.error("peft_type", keys.get("peft_type").unwrap_or(&Value::Null), "\"LORA\""));
    }
    keys.fixed("bias", [json!("none")])?;
    for flag in ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"] {
        keys.fixed(flag, [json!(false)])?;
    }
    let empty = ["rank_pattern", "alpha_pattern", "modules_to_save", "layer_replication"];
    for key in
        empty.into_iter().chain(["trainable_token_indices", "target_parameters", "alora_invocation_tokens"])
    {
        keys.fixed(key, [json!({}), json!([])])?;
    }
    Ok(())
}
