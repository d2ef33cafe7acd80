//! `ppo-mlp`: PPO on numbers alone, the control for what the language model adds.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use llm::ParamSet;
use plugin::{BuildError, ParamError, Plugin, toml_text};
use ppo::{
    Activation, ActorCritic, Mlp, Output, POLICY_GAIN, POLICY_HEAD, PpoConfig, TrainDtype, Usage, VALUE_GAIN,
    VALUE_HEAD,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use trading_env::{Agent, AgentContext, AgentError, AgentKind, EnvBatch, Learner, Observation};

use crate::backend::BurnDevice;
use crate::learner::{Network, PpoLearner, resident_bytes};
use crate::receipt::TensorState;

/// Parameters of `ppo-mlp`: those of PPO and the shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PpoMlpParams {
    /// Settings of PPO.
    #[serde(flatten)]
    pub ppo: PpoConfig,
    /// Log returns that the network sees, the newest first; 0 where the data begin later.
    #[schemars(range(min = 1, max = 10_000))]
    pub window: usize,
    /// Factor on the log returns, which brings daily ones to about 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub return_scale: f64,
    /// Widths of the layers below the heads; empty: the heads read the numbers themselves.
    #[schemars(inner(range(min = 1, max = 65536)))]
    pub widths: Vec<usize>,
    /// Function after each of these layers and after each hidden layer of the heads.
    pub activation: Activation,
}

impl Default for PpoMlpParams {
    fn default() -> Self {
        Self {
            ppo: PpoConfig::default(),
            window: 20,
            return_scale: 100.0,
            widths: vec![64, 64],
            activation: Activation::default(),
        }
    }
}

/// Plugin of `ppo-mlp`.
pub struct PpoMlpPlugin;

impl Plugin<AgentKind> for PpoMlpPlugin {
    fn name(&self) -> &'static str {
        MlpNet::KIND
    }

    fn summary(&self) -> &'static str {
        "PPO with a small network on recent returns and the position: what learning earns without any language."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<PpoMlpParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let parsed: PpoMlpParams = parse(params)?;
        let mut errors = check_ppo(&parsed.ppo).err().unwrap_or_default();
        if parsed.ppo.train_dtype != TrainDtype::Float32 {
            errors.push(ParamError {
                key: "train_dtype".to_owned(),
                found: toml_text(&params["train_dtype"]),
                expected: "\"float32\": this agent has no language model".to_owned(),
            });
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn build(&self, params: &Value, context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        let params: PpoMlpParams = plugin::params(params)?;
        let device = BurnDevice::of(context.compute, MlpNet::KIND)?.device().clone();
        Ok(Box::new(PpoMlp { params, device }))
    }
}

/// Reads parameters for a check; the schema has been checked before, so an error here is one of types.
pub(crate) fn parse<P: serde::de::DeserializeOwned>(params: &Value) -> Result<P, Vec<ParamError>> {
    plugin::params(params).map_err(|e| {
        vec![ParamError {
            key: String::new(),
            found: e.to_string(),
            expected: "parameters of the schema".to_owned(),
        }]
    })
}

/// Relations between PPO's settings.
pub(crate) fn check_ppo(config: &PpoConfig) -> Result<(), Vec<ParamError>> {
    let problems = config.check();
    let error = |(key, found, expected)| ParamError { key, found, expected };
    if problems.is_empty() { Ok(()) } else { Err(problems.into_iter().map(error).collect()) }
}

/// One arm.
struct PpoMlp {
    params: PpoMlpParams,
    device: Device,
}

impl PpoMlp {
    fn fresh(&self, seed: u64) -> PpoLearner<MlpNet> {
        PpoLearner::new(MlpNet::new(&self.params, &self.device, seed), self.params.ppo.clone(), seed)
    }
}

impl Agent for PpoMlp {
    fn learner(&self, seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(self.fresh(seed)))
    }

    fn load(&self, seed: u64, dir: &Path) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(self.fresh(seed).load(dir)?))
    }
}

/// A body of fully connected layers with two heads.
struct MlpNet {
    params: ParamSet,
    body: Mlp,
    policy: Mlp,
    value: Mlp,
    window: usize,
    return_scale: f64,
}

impl MlpNet {
    fn new(params: &PpoMlpParams, device: &Device, seed: u64) -> Self {
        let PpoMlpParams { ppo, window, return_scale, widths, activation } = params;
        let mut set = ParamSet::new(device);
        let n_features = window + 1;
        let top = widths.last().copied().unwrap_or(n_features);
        let body = Mlp::body(&mut set, "body", n_features, widths, seed).with_activation(*activation);
        let policy = Mlp::head(&mut set, POLICY_HEAD, [top, 3], &ppo.policy_head, POLICY_GAIN, seed);
        let value = Mlp::head(&mut set, VALUE_HEAD, [top, 1], &ppo.value_head, VALUE_GAIN, seed);
        let [policy, value] = [policy, value].map(|head| head.with_activation(*activation));
        Self { params: set, body, policy, value, window: *window, return_scale: *return_scale }
    }

    /// `window` log returns, the newest first, and the position as a share of equity.
    fn features(&self, observation: &Observation<'_>) -> Arc<[f32]> {
        let closes = observation.history.closes(self.window + 1);
        let returns = closes.windows(2).rev().map(|w| (self.return_scale * (w[1] / w[0]).ln()) as f32);
        let padded = returns.chain(std::iter::repeat(0.0)).take(self.window);
        padded.chain([observation.account.exposure() as f32]).collect()
    }

    fn place(&self, batch: &[&Arc<[f32]>]) -> Tensor<2> {
        let numbers: Vec<f32> = batch.iter().flat_map(|row| row.iter().copied()).collect();
        Tensor::from_data(TensorData::new(numbers, [batch.len(), self.window + 1]), self.params.device())
    }
}

impl ActorCritic for MlpNet {
    type Envs = EnvBatch;
    type Encoded = Arc<[f32]>;

    fn encode(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Arc<[f32]>>, AgentError> {
        Ok(observations.iter().map(|o| self.features(o)).collect())
    }

    fn forward(&self, batch: &[&Arc<[f32]>]) -> Output {
        let hidden = self.body.forward(&self.params, self.place(batch));
        Output {
            logits: self.policy.forward(&self.params, hidden.clone()),
            values: self.value.forward(&self.params, hidden),
        }
    }

    fn forward_frozen(&self, batch: &[&Arc<[f32]>]) -> Output {
        let hidden = self.body.forward_frozen(&self.params, self.place(batch));
        Output {
            logits: self.policy.forward_frozen(&self.params, hidden.clone()),
            values: self.value.forward_frozen(&self.params, hidden),
        }
    }

    fn params(&self) -> &ParamSet {
        &self.params
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        &mut self.params
    }

    fn usage(&self) -> Usage {
        Usage { rss_bytes: resident_bytes(), ..Usage::default() }
    }
}

impl Network for MlpNet {
    const KIND: &'static str = "ppo-mlp";

    fn tensors(&self) -> Vec<TensorState> {
        let with_digest = self.params.iter().zip(self.params.digests());
        with_digest
            .map(|(p, (name, digest))| TensorState { name, group: Some(p.group().to_owned()), digest })
            .collect()
    }

    fn base(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
