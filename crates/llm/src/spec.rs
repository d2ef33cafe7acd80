//! Which tensors of a model are trained, and how: in full or through low-rank adapters.

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::Projection;
use crate::{LlmConfig, LlmError};

/// What a policy trains of its language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSpec {
    /// Layers trained from the top, together with the final norm; 0 trains the heads only. With `lora.rank` above 0
    /// they get adapters, and their own weights and the norm stay frozen.
    #[schemars(range(min = 0))]
    pub n_trainable_layers: usize,
    /// Groups trained in place of `n_trainable_layers`: `embedding`, `layers.3`, `layers.26-29`, `norm`.
    pub trainable: Vec<String>,
    /// Low-rank adapters.
    pub lora: LoraSpec,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self { n_trainable_layers: 2, trainable: Vec::new(), lora: LoraSpec::default() }
    }
}

/// Low-rank adapters (Hu et al. 2021) on the activation side, `x W + s (x A) B`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoraSpec {
    /// Rank; 0 is off. Above 0 the trained layers get adapters and their own weights stay frozen.
    #[schemars(range(min = 0, max = 1024))]
    pub rank: usize,
    /// Numerator of the scale `s = alpha / rank`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub alpha: f64,
    /// Scale by `alpha / sqrt(rank)` instead (rank-stabilised, Kalajdzievski 2023).
    pub rank_stabilised: bool,
    /// Probability that an adapter's input is dropped in a training pass. Above 0 the first ratio of a PPO update is
    /// no longer 1.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Projections that get adapters.
    #[schemars(length(min = 1))]
    pub targets: Vec<Projection>,
    /// Layers that get adapters, for example `["0-3", "7"]`; empty: those that would be trained in full.
    pub layers: Vec<String>,
}

impl Default for LoraSpec {
    fn default() -> Self {
        Self {
            rank: 0,
            alpha: 8.0,
            rank_stabilised: false,
            dropout: 0.0,
            targets: Projection::ALL.to_vec(),
            layers: Vec::new(),
        }
    }
}

impl LoraSpec {
    /// The factor `s` of `x W + s (x A) B`.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }
}

/// A [`TrainSpec`] applied to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainPlan {
    /// Whether the embedding is trained.
    pub embedding: bool,
    /// Whether the final norm is trained.
    pub norm: bool,
    /// Per layer: whether all of it is trained in full.
    pub full: Vec<bool>,
    /// Per layer: projections with adapters, without repetition, in forward order.
    pub adapted: Vec<Vec<Projection>>,
}

impl TrainPlan {
    /// Nothing of a model of `layers` layers is trained.
    pub(crate) fn frozen(layers: usize) -> Self {
        Self { embedding: false, norm: false, full: vec![false; layers], adapted: vec![Vec::new(); layers] }
    }

    /// Index of the first layer that something trained stands in or before; the number of layers when nothing below
    /// the final norm is trained. Hidden states below it depend on tokens alone.
    pub fn boundary(&self) -> usize {
        if self.embedding {
            return 0;
        }
        let trained = |i: &usize| self.full[*i] || !self.adapted[*i].is_empty();
        (0..self.full.len()).find(trained).unwrap_or(self.full.len())
    }
}

/// What one entry of `trainable` names.
enum Group {
    Embedding,
    Norm,
    Layers(usize, usize),
}

impl TrainSpec {
    /// Checks what can be checked without knowing the model.
    pub fn check(&self) -> Result<(), LlmError> {
        for name in &self.trainable {
            parse_group(name)?;
        }
        for range in &self.lora.layers {
            parse_range("lora.layers", range)?;
        }
        if self.lora.rank > 0 {
            if self.lora.targets.is_empty() {
                let problem = "expected at least one of q, k, v, o, gate, up, down, found none".to_owned();
                return Err(LlmError::Spec { key: "lora.targets", problem });
            }
            if self.lora.alpha <= 0.0 || !self.lora.alpha.is_finite() {
                let problem = format!("expected a number > 0, found {}", self.lora.alpha);
                return Err(LlmError::Spec { key: "lora.alpha", problem });
            }
            if !(0.0..1.0).contains(&self.lora.dropout) {
                let problem = format!("expected 0 <= dropout < 1, found {}", self.lora.dropout);
                return Err(LlmError::Spec { key: "lora.dropout", problem });
            }
            let names_layers = self.trainable.iter().any(|g| matches!(parse_group(g), Ok(Group::Layers(..))));
            let from_top = self.trainable.is_empty() && self.n_trainable_layers > 0;
            if self.lora.layers.is_empty() && !names_layers && !from_top {
                let problem = format!(
                    "found {}, but no layer to adapt: expected n_trainable_layers > 0, a `layers` group in \
                     trainable, or lora.layers",
                    self.lora.rank
                );
                return Err(LlmError::Spec { key: "lora.rank", problem });
            }
        } else if !self.lora.layers.is_empty() {
            let problem =
                format!("found {:?} with lora.rank 0; expected none, or a rank > 0", self.lora.layers);
            return Err(LlmError::Spec { key: "lora.layers", problem });
        }
        Ok(())
    }

    /// Applies the spec to a model of this shape.
    pub fn plan(&self, config: &LlmConfig) -> Result<TrainPlan, LlmError> {
        self.check()?;
        let n = config.num_hidden_layers;
        let mut plan = TrainPlan::frozen(n);
        if self.trainable.is_empty() {
            if self.n_trainable_layers > n {
                let problem =
                    format!("expected 0 to {n}, the model's layers, found {}", self.n_trainable_layers);
                return Err(LlmError::Spec { key: "n_trainable_layers", problem });
            }
            // Where adapters take the layers' place, the norm stays frozen: PEFT's layout holds no norm.
            let in_full = self.lora.rank == 0 || !self.lora.layers.is_empty();
            plan.norm = self.n_trainable_layers > 0 && in_full;
            plan.full[n - self.n_trainable_layers..].fill(true);
        }
        for name in &self.trainable {
            match parse_group(name)? {
                Group::Embedding => plan.embedding = true,
                Group::Norm => plan.norm = true,
                Group::Layers(first, last) => {
                    within("trainable", name, last, n)?;
                    plan.full[first..=last].fill(true);
                }
            }
        }
        if self.lora.rank > 0 {
            self.adapt(&mut plan, n)?;
        }
        Ok(plan)
    }

    fn adapt(&self, plan: &mut TrainPlan, n: usize) -> Result<(), LlmError> {
        let targets: Vec<_> = Projection::ALL.into_iter().filter(|p| self.lora.targets.contains(p)).collect();
        if self.lora.layers.is_empty() {
            for (full, adapted) in plan.full.iter_mut().zip(&mut plan.adapted) {
                if std::mem::take(full) {
                    adapted.clone_from(&targets);
                }
            }
            return Ok(());
        }
        for range in &self.lora.layers {
            let (first, last) = parse_range("lora.layers", range)?;
            within("lora.layers", range, last, n)?;
            for layer in first..=last {
                if plan.full[layer] {
                    let problem = format!(
                        "`{}` would be both adapted and trained in full; expected layers that are frozen otherwise",
                        targets[0].weight(layer)
                    );
                    return Err(LlmError::Spec { key: "lora.layers", problem });
                }
                plan.adapted[layer].clone_from(&targets);
            }
        }
        Ok(())
    }
}

fn within(key: &'static str, text: &str, last: usize, n: usize) -> Result<(), LlmError> {
    if last < n {
        return Ok(());
    }
    Err(LlmError::Spec { key, problem: format!("expected layers 0 to {}, found \"{text}\"", n - 1) })
}

fn parse_group(name: &str) -> Result<Group, LlmError> {
    match name {
        "embedding" => Ok(Group::Embedding),
        "norm" => Ok(Group::Norm),
        "lm_head" => Err(LlmError::Spec {
            key: "trainable",
            problem:
                "found \"lm_head\", which the policy's heads do not read, so that nothing would train it; \
                      expected embedding, layers.N, layers.N-M or norm"
                    .to_owned(),
        }),
        _ => match name.strip_prefix("layers.") {
            Some(range) => parse_range("trainable", range).map(|(first, last)| Group::Layers(first, last)),
            None => Err(LlmError::Spec {
                key: "trainable",
                problem: format!("expected embedding, layers.N, layers.N-M or norm, found \"{name}\""),
            }),
        },
    }
}

/// `N` or `N-M`, both ends included.
fn parse_range(key: &'static str, text: &str) -> Result<(usize, usize), LlmError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(LlmError::Spec { key, problem: format!("expected N or N-M with N <= M, found \"{text}\"") }),
    }
}
