//! `ppo-llm`: a language model, frozen below and trained above, that acts through a policy head.

mod net;
#[cfg(test)]
pub(crate) mod testing;
mod trained;

pub use trained::{HEADS, TrainedLlm};

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use llm::{Batcher, Body, LlmError, LoraSpec, TrainSpec};
use plugin::{BuildError, Content, Files, ParamError, Plugin, toml_text};
use ppo::PpoConfig;
use prompt::PromptConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Agent, AgentContext, AgentError, AgentKind, Learner};

use crate::backend::BurnDevice;
use crate::cache::CacheParams;
use crate::learner::{Network, PpoLearner};
use crate::model::{Model, ModelParams};
use crate::ppo_mlp::{check_ppo, parse};
use crate::reader::Reader;
use net::LlmNet;
pub use net::LlmPolicy;

/// Parameters of `ppo-llm`: those of PPO, the model, what is trained of it, and the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PpoLlmParams {
    /// Settings of PPO.
    #[serde(flatten)]
    pub ppo: PpoConfig,
    /// The language model.
    pub model: ModelParams,
    /// Layers trained from the top, together with the final norm; 0 trains the heads only. With `lora.rank` above 0
    /// they get adapters, and their own weights and the norm stay frozen.
    #[schemars(range(min = 0, max = 10_000))]
    pub n_trainable_layers: usize,
    /// Groups trained in place of `n_trainable_layers`: `embedding`, `layers.3`, `layers.26-29`, `norm`.
    pub trainable: Vec<String>,
    /// Low-rank adapters in place of full training.
    pub lora: LoraSpec,
    /// What the heads read of the last hidden state.
    pub head_input: HeadInput,
    /// What the model reads at each bar.
    pub prompt: PromptConfig,
    /// Room for what was read.
    #[serde(flatten)]
    pub cache: CacheParams,
}

/// What the policy head and the value head read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeadInput {
    /// The last hidden state less its mean, divided by its standard deviation, dimension by dimension. Both are taken
    /// before training from prompts of the training part alone (256 bars, evenly spaced, the account as at the start
    /// of an episode) and then stay. Hidden states of language models lie around a mean that is many times longer
    /// than what tells them apart, most of it in a few dimensions.
    #[default]
    Standardised,
    /// The last hidden state as the final norm leaves it.
    Raw,
}

impl Default for PpoLlmParams {
    fn default() -> Self {
        let TrainSpec { n_trainable_layers, trainable, lora } = TrainSpec::default();
        Self {
            ppo: PpoConfig::default(),
            model: ModelParams::default(),
            n_trainable_layers,
            trainable,
            lora,
            head_input: HeadInput::default(),
            prompt: PromptConfig::default(),
            cache: CacheParams::default(),
        }
    }
}

impl PpoLlmParams {
    /// What is trained of the model.
    pub fn train_spec(&self) -> TrainSpec {
        TrainSpec {
            n_trainable_layers: self.n_trainable_layers,
            trainable: self.trainable.clone(),
            lora: self.lora.clone(),
        }
    }
}

/// Plugin of `ppo-llm`.
pub struct PpoLlmPlugin;

impl Plugin<AgentKind> for PpoLlmPlugin {
    fn name(&self) -> &'static str {
        LlmNet::KIND
    }

    fn summary(&self) -> &'static str {
        "PPO on a language model that reads prices, news and the account: lower layers frozen, upper ones and two heads \
         trained."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<PpoLlmParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let parsed: PpoLlmParams = parse(params)?;
        let mut errors = check_ppo(&parsed.ppo).err().unwrap_or_default();
        if let Err(error) = parsed.train_spec().check() {
            errors.push(spec_error(params, &error));
        }
        errors.extend(parsed.model.check());
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn content(&self, params: &Value, files: &Files) -> Result<Content, BuildError> {
        let params: PpoLlmParams = plugin::params(params)?;
        params.model.content(files, params.prompt.chat_template)
    }

    fn build(&self, params: &Value, context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(PpoLlm::build(plugin::params(params)?, context)?))
    }
}

impl PpoLlm {
    fn build(params: PpoLlmParams, context: AgentContext<'_>) -> Result<Self, BuildError> {
        let device = BurnDevice::of(context.compute, LlmNet::KIND)?.device().clone();
        let model = Model::open(&params.model, &device, params.ppo.train_dtype, context)?;
        let invalid = |e: LlmError| BuildError::Invalid(format!("agent.{e}"));
        let plan = params.train_spec().plan(model.config()).map_err(invalid)?;
        let limits = params.cache.limits(LlmNet::KIND, context)?;
        let reader = Reader::new(&params.prompt, &model, limits, context.shared)?;
        if !plan.embedding {
            reader.expect(plan.boundary());
            if params.ppo.kl_coef > 0.0 {
                // The policy before training is read through all layers.
                reader.expect(model.config().num_hidden_layers);
            }
        }
        let batcher = match Batcher::pays(model.config()) {
            true => {
                Some(context.shared.get_or_try_init("batcher", || Ok::<_, BuildError>(Batcher::default()))?)
            }
            false => None,
        };
        Ok(Self { params, model, reader, batcher, device })
    }
}

/// An error of the training spec as one of parameters.
fn spec_error(params: &Value, error: &LlmError) -> ParamError {
    let LlmError::Spec { key, problem } = error else {
        return ParamError {
            key: String::new(),
            found: error.to_string(),
            expected: "a valid training spec".to_owned(),
        };
    };
    let found = params.pointer(&format!("/{}", key.replace('.', "/"))).map_or_else(String::new, toml_text);
    let (_, expected) = problem.split_once("expected ").unwrap_or(("", problem));
    let expected = expected.rsplit_once(", found ").map_or(expected, |(expected, _)| expected);
    ParamError { key: (*key).to_owned(), found, expected: expected.to_owned() }
}

/// One arm.
struct PpoLlm {
    params: PpoLlmParams,
    model: Model,
    reader: Reader,
    /// Where its runs meet, when they read weights together.
    batcher: Option<Arc<Batcher>>,
    device: Device,
}

/// Runs that read together.
const SIDE_BY_SIDE: usize = 8;

impl PpoLlm {
    fn fresh(&self, seed: u64) -> Result<PpoLearner<LlmNet>, AgentError> {
        let backbone = self.model.backbone(seed, &self.device)?;
        let body = Body::new(backbone, self.params.train_spec(), seed)
            .map_err(|e| AgentError::Other(e.to_string()))?;
        let lane = self.batcher.as_ref().map(Batcher::lane);
        let policy = LlmPolicy::new(body, &self.params.ppo, seed);
        let policy = match self.params.head_input {
            HeadInput::Standardised => policy.with_standardiser(),
            HeadInput::Raw => policy,
        };
        let net = LlmNet::new(policy, self.reader.clone(), lane);
        Ok(PpoLearner::new(net, self.params.ppo.clone(), seed))
    }
}

impl Agent for PpoLlm {
    fn side_by_side(&self) -> usize {
        if self.batcher.is_some() { SIDE_BY_SIDE } else { 1 }
    }

    fn learner(&self, seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(self.fresh(seed)?))
    }

    fn load(&self, seed: u64, dir: &Path) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(self.fresh(seed)?.load(dir)?))
    }
}

#[cfg(test)]
mod tests;
