//! The network of `ppo-llm`: prompt, frozen prefix, trained layers, two heads on the last token's state.

use burn::tensor::Tensor;
use llm::{Body, EncodedSequence, ParamSet};
use ppo::{ActorCritic, Mlp, Output, POLICY_GAIN, PpoConfig, Usage, VALUE_GAIN};
use trading_env::{AgentError, EnvBatch, Observation, PromptCounts};

use crate::learner::Network;
use crate::reader::Reader;
use crate::receipt::TensorState;

/// A language model's body with two heads, whose tensors stand in one parameter set.
pub(super) struct LlmNet {
    body: Body,
    policy: Mlp,
    value: Mlp,
    reader: Reader,
}

impl LlmNet {
    pub(super) fn new(mut body: Body, config: &PpoConfig, reader: Reader, seed: u64) -> Self {
        let d = body.backbone().config().hidden_size;
        let params = body.params_mut();
        let policy = Mlp::head(params, "policy_head", [d, 3], &config.policy_head, POLICY_GAIN, seed);
        let value = Mlp::head(params, "value_head", [d, 1], &config.value_head, VALUE_GAIN, seed);
        Self { body, policy, value, reader }
    }

    /// The language model, whose parameter set holds the heads too.
    pub(super) fn into_body(self) -> Body {
        self.body
    }

    fn batch(batch: &[&EncodedSequence]) -> Vec<EncodedSequence> {
        batch.iter().map(|sequence| (*sequence).clone()).collect()
    }
}

impl ActorCritic for LlmNet {
    type Envs = EnvBatch;
    type Encoded = EncodedSequence;

    fn encode(&mut self, observations: &[Observation<'_>]) -> Result<Vec<EncodedSequence>, AgentError> {
        let prompts: Vec<_> =
            observations.iter().map(|o| self.reader.shared(&self.body, o)).collect::<Result<_, _>>()?;
        let sequences: Vec<_> = prompts.iter().map(|(shared, own)| (&**shared, own.as_slice())).collect();
        self.body.encode_all(&sequences).map_err(|e| AgentError::Other(e.to_string()))
    }

    fn forward(&self, batch: &[&EncodedSequence]) -> Output {
        let hidden: Tensor<2> = self.body.forward(&Self::batch(batch));
        let params = self.body.params();
        Output {
            logits: self.policy.forward(params, hidden.clone()),
            values: self.value.forward(params, hidden),
        }
    }

    fn forward_frozen(&self, batch: &[&EncodedSequence]) -> Output {
        let hidden: Tensor<2> = self.body.forward_frozen(&Self::batch(batch));
        let params = self.body.params();
        Output {
            logits: self.policy.forward_frozen(params, hidden.clone()),
            values: self.value.forward_frozen(params, hidden),
        }
    }

    fn params(&self) -> &ParamSet {
        self.body.params()
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        self.body.params_mut()
    }

    fn usage(&self) -> Usage {
        self.reader.usage()
    }
}

impl Network for LlmNet {
    const KIND: &'static str = "ppo-llm";

    fn tensors(&self) -> Vec<TensorState> {
        let params = self.body.params();
        let group = |name: &str| params.get(name).map(|p| p.group().to_owned());
        let of_model = self.body.digests();
        let mut tensors: Vec<TensorState> = of_model
            .into_iter()
            .map(|t| TensorState {
                group: if t.trained { group(&t.name) } else { None },
                name: t.name,
                digest: t.digest,
            })
            .collect();
        for (name, digest) in params.digests() {
            if !tensors.iter().any(|t| t.name == name) {
                tensors.push(TensorState { group: group(&name), name, digest });
            }
        }
        tensors
    }

    fn base(&self) -> Option<String> {
        Some(self.body.backbone().digest().to_owned())
    }

    fn prompts(&self) -> Option<PromptCounts> {
        Some(self.reader.prompts())
    }

    fn note(&self) -> Option<String> {
        self.reader.note()
    }
}
