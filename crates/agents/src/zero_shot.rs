//! `zero-shot-llm`: a language model that decides by the words of its own head, without any training.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::tensor::activation::log_softmax;
use llm::{Body, EncodedSequence, SharedPart, TrainSpec};
use plugin::{BuildError, Content, Files, ParamError, Plugin};
use ppo::{ActionAtTest, Decider, TrainDtype};
use prompt::PromptConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation, PromptCounts};

use crate::backend::BurnDevice;
use crate::cache::CacheParams;
use crate::model::{Model, ModelParams};
use crate::ppo_mlp::parse;
use crate::reader::Reader;

const KIND: &str = "zero-shot-llm";

/// Parameters of `zero-shot-llm`, under the names that `ppo-llm` has for the same things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ZeroShotParams {
    /// The language model.
    pub model: ModelParams,
    /// What the model reads at each bar. The answer's beginning, `{"Action": "`, is its end.
    pub prompt: PromptConfig,
    /// How the scores of the words become a decision.
    pub action_at_test: ActionAtTest,
    /// Divides the words' log-probabilities when `action_at_test` is `sample`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub temperature: f64,
    /// Number format in which the language model computes, where the backend can.
    pub train_dtype: TrainDtype,
    /// Room for what was read.
    #[serde(flatten)]
    pub cache: CacheParams,
}

impl Default for ZeroShotParams {
    fn default() -> Self {
        Self {
            model: ModelParams::default(),
            prompt: PromptConfig::default(),
            action_at_test: ActionAtTest::Argmax,
            temperature: 1.0,
            train_dtype: TrainDtype::default(),
            cache: CacheParams::default(),
        }
    }
}

/// Plugin of `zero-shot-llm`.
pub struct ZeroShotPlugin;

impl Plugin<AgentKind> for ZeroShotPlugin {
    fn name(&self) -> &'static str {
        KIND
    }

    fn summary(&self) -> &'static str {
        "A language model without training: the legal action whose word (Sell, Hold, Buy) is most probable after the \
         prompt."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<ZeroShotParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let parsed: ZeroShotParams = parse(params)?;
        let errors = parsed.model.check();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn content(&self, params: &Value, files: &Files) -> Result<Content, BuildError> {
        let params: ZeroShotParams = plugin::params(params)?;
        params.model.content(files, params.prompt.chat_template)
    }

    fn build(&self, params: &Value, context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        let params: ZeroShotParams = plugin::params(params)?;
        let device = BurnDevice::of(context.compute, KIND)?.device().clone();
        let model = Model::open(&params.model, &device, params.train_dtype, context)?;
        let limits = params.cache.limits(KIND, context)?;
        let reader = Reader::new(&params.prompt, &model, limits, context.shared)?;
        reader.expect(model.config().num_hidden_layers);
        let invalid = |e: prompt::PromptError| BuildError::Invalid(format!("agent.prompt: {e}"));
        let words = params.prompt.answers().map(|word| reader.encoder().tokenizer().encode_more(word));
        let [sell, hold, buy] = words;
        let words = Words::new([sell.map_err(invalid)?, hold.map_err(invalid)?, buy.map_err(invalid)?]);
        Ok(Box::new(ZeroShot { params, model, reader, words: Arc::new(words), device }))
    }
}

/// The three words as tokens, with the beginnings after which a probability is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    /// Tokens of sell, hold and buy.
    tokens: [Vec<u32>; 3],
    /// Every proper beginning of a word once, the empty one first.
    beginnings: Vec<Vec<u32>>,
}

impl Words {
    fn new(tokens: [Vec<u32>; 3]) -> Self {
        let mut beginnings: Vec<Vec<u32>> = Vec::new();
        for word in &tokens {
            for n in 0..word.len() {
                if !beginnings.iter().any(|b| b == &word[..n]) {
                    beginnings.push(word[..n].to_vec());
                }
            }
        }
        Self { tokens, beginnings }
    }

    /// `ln p(word | prompt)`, the sum over its tokens, from `ln p(token | prompt, beginning)`.
    fn scores(&self, log_prob: impl Fn(usize, u32) -> f32) -> [f32; 3] {
        self.tokens.each_ref().map(|word| {
            let of_token = |n: usize| {
                let at = self.beginnings.iter().position(|b| b == &word[..n]);
                log_prob(at.expect("invariant: every beginning is listed"), word[n])
            };
            (0..word.len()).map(of_token).sum()
        })
    }
}

/// One arm.
struct ZeroShot {
    params: ZeroShotParams,
    model: Model,
    reader: Reader,
    words: Arc<Words>,
    device: burn::tensor::Device,
}

impl Agent for ZeroShot {
    fn learner(&self, seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        let backbone = self.model.backbone(seed, &self.device)?;
        let nothing = TrainSpec { n_trainable_layers: 0, ..TrainSpec::default() };
        let body = Body::new(backbone, nothing, seed).map_err(|e| AgentError::Other(e.to_string()))?;
        Ok(Box::new(Asked {
            params: &self.params,
            words: self.words.clone(),
            body,
            reader: self.reader.clone(),
            decider: Decider::new(seed),
        }))
    }
}

/// One seed.
struct Asked<'a> {
    params: &'a ZeroShotParams,
    words: Arc<Words>,
    body: Body,
    reader: Reader,
    decider: Decider,
}

impl Asked<'_> {
    /// Prompts of all observations, each with every beginning of a word.
    fn after_accounts(
        &mut self,
        observations: &[Observation<'_>],
    ) -> Result<Vec<EncodedSequence>, AgentError> {
        let mut prompts: Vec<(Arc<SharedPart>, Vec<u32>)> = Vec::new();
        for observation in observations {
            let (shared, own) = self.reader.shared(&self.body, observation)?;
            for beginning in &self.words.beginnings {
                prompts.push((shared.clone(), own.iter().chain(beginning).copied().collect()));
            }
        }
        let sequences: Vec<_> = prompts.iter().map(|(shared, own)| (&**shared, own.as_slice())).collect();
        self.body.encode_all(&sequences).map_err(|e| AgentError::Other(e.to_string()))
    }

    /// The same without accounts: where a word is one token, what a policy without trained layers has read of the bar.
    fn whole(&mut self, observations: &[Observation<'_>]) -> Result<Vec<EncodedSequence>, AgentError> {
        let mut encoded = Vec::with_capacity(observations.len() * self.words.beginnings.len());
        for observation in observations {
            let rest = self.reader.rest(observation)?;
            for beginning in &self.words.beginnings {
                encoded.push(self.reader.whole(&self.body, &[&*rest, beginning].concat())?);
            }
        }
        Ok(encoded)
    }

    /// Log-probabilities of the words after the prompts of all observations.
    fn scores(&mut self, observations: &[Observation<'_>]) -> Result<Vec<[f32; 3]>, AgentError> {
        let encoded = match self.reader.shows_account() {
            true => self.after_accounts(observations)?,
            false => self.whole(observations)?,
        };
        let logits = self.body.backbone().lm_head(self.body.forward_frozen(&encoded));
        let [_, vocabulary] = logits.dims();
        let log_probs = log_softmax(logits, 1).into_data().try_into_vec::<f32>();
        let log_probs = log_probs.map_err(|e| AgentError::Other(format!("{e:?}")))?;
        let per_observation = self.words.beginnings.len() * vocabulary;
        let scores = |of_one: &[f32]| self.words.scores(|row, id| of_one[row * vocabulary + id as usize]);
        Ok(log_probs.chunks_exact(per_observation).map(scores).collect())
    }
}

impl Learner for Asked<'_> {
    fn reset(&mut self) {
        self.decider.reset();
    }

    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        let scores = self.scores(observations)?;
        let rule = (self.params.action_at_test, self.params.temperature);
        let each = observations.iter().zip(scores).enumerate();
        each.map(|(place, (observation, scores))| self.decider.choose(place, scores, observation.mask, rule))
            .collect()
    }

    fn prompts(&self) -> Option<PromptCounts> {
        Some(self.reader.prompts())
    }
}
