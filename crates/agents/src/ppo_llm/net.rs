//! The network of `ppo-llm`: prompt, frozen prefix, trained layers, two heads on the last token's state.

use std::sync::Arc;

use burn::tensor::Tensor;
use llm::{Body, EncodedSequence, Lane, ParamSet, Phase, SharedPart};
use ppo::{
    ActorCritic, HostOutput, Mlp, Output, POLICY_GAIN, POLICY_HEAD, PpoConfig, Standardiser, Usage,
    VALUE_GAIN, VALUE_HEAD,
};
use serde_json::{Value, json};
use trading_env::{AgentError, Arena, EnvBatch, Observation, PromptCounts};

use crate::learner::Network;
use crate::reader::Reader;
use crate::receipt::TensorState;

/// Parameter group of what the heads' input is standardised by.
pub(super) const HEAD_INPUT: &str = "head_input";

/// A language model's body with a policy and a value head, whose tensors stand in one parameter set.
pub struct LlmPolicy {
    body: Body,
    head_input: Option<Standardiser>,
    policy: Mlp,
    value: Mlp,
}

impl LlmPolicy {
    /// New heads on `body`, drawn from `seed`.
    pub fn new(mut body: Body, config: &PpoConfig, seed: u64) -> Self {
        let d = body.backbone().config().hidden_size;
        let params = body.params_mut();
        let policy = Mlp::head(params, POLICY_HEAD, [d, 3], &config.policy_head, POLICY_GAIN, seed);
        let value = Mlp::head(params, VALUE_HEAD, [d, 1], &config.value_head, VALUE_GAIN, seed);
        Self { body, head_input: None, policy, value }
    }

    /// The same policy whose heads read standardised states, as they are until [`LlmPolicy::standardise`].
    pub fn with_standardiser(mut self) -> Self {
        let d = self.body.backbone().config().hidden_size;
        self.head_input = Some(Standardiser::insert(self.body.params_mut(), HEAD_INPUT, d));
        self
    }

    /// Takes mean and scale of the heads' input from encoded prompts, `chunk` at a time through the network, as its
    /// parameters are now. Does nothing where the heads read raw states.
    pub fn standardise(&mut self, batch: &[&EncodedSequence], chunk: usize) {
        let Some(standardiser) = &self.head_input else { return };
        let d = self.body.backbone().config().hidden_size;
        let mut rows = Vec::with_capacity(batch.len());
        for batch in batch.chunks(chunk.max(1)) {
            let hidden = self.body.forward_frozen(&owned(batch)).try_into_vec_as::<f32>();
            let hidden = hidden.expect("invariant: networks compute in f32");
            rows.extend(hidden.chunks_exact(d).map(<[f32]>::to_vec));
        }
        standardiser.fit(self.body.params_mut(), &rows);
    }

    /// The language model, whose parameter set holds the heads too.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The trained tensors, to be moved.
    pub fn params_mut(&mut self) -> &mut ParamSet {
        self.body.params_mut()
    }

    /// Logits and values of encoded prompts, with the graph of the trained tensors.
    pub fn forward(&self, batch: &[&EncodedSequence]) -> Output {
        let params = self.body.params();
        let hidden = self.seen(params, self.body.forward(&owned(batch)));
        Output {
            logits: self.policy.forward(params, hidden.clone()),
            values: self.value.forward(params, hidden),
        }
    }

    /// The numbers of [`LlmPolicy::forward`] without a graph.
    pub fn forward_frozen(&self, batch: &[&EncodedSequence]) -> Output {
        self.heads(self.body.params(), self.body.forward_frozen(&owned(batch)))
    }

    /// What the policy was before training, when its parameters were `initial`: `shared` parts are those of
    /// [`Body::untrained`], of which a policy without trained layers needs none.
    pub fn before_training(
        &self,
        initial: &ParamSet,
        shared: &[Arc<SharedPart>],
        batch: &[&EncodedSequence],
    ) -> Output {
        self.heads(initial, self.body.forward_untrained(shared, batch))
    }

    /// Samples of a minibatch that go through the network at once: as many as 64 MiB hold in equal pieces, 1 GiB on an
    /// accelerator, which few samples leave idle; and at least `least`.
    pub fn micro_batch_size(&self, minibatch: &[&EncodedSequence], least: usize) -> usize {
        let room = if self.body.is_on_accelerator() { JOINED_ON_ACCELERATOR } else { JOINED };
        let pieces = self.body.graph_bytes(minibatch).div_ceil(room).max(1);
        minibatch.len().div_ceil(pieces).max(least)
    }

    /// What the heads see of last hidden states.
    fn seen(&self, params: &ParamSet, hidden: Tensor<2>) -> Tensor<2> {
        match &self.head_input {
            Some(standardiser) => standardiser.apply(params, hidden),
            None => hidden,
        }
    }

    fn heads(&self, params: &ParamSet, hidden: Tensor<2>) -> Output {
        let hidden = self.seen(params, hidden);
        Output {
            logits: self.policy.forward_frozen(params, hidden.clone()),
            values: self.value.forward_frozen(params, hidden),
        }
    }
}

/// Bars of the training part from which the heads' input is standardised, at most.
const STANDARDISED_BY: usize = 256;

/// Bytes of a graph that no machine is short of.
pub(super) const JOINED: usize = 64 << 20;
/// The same of an accelerator.
const JOINED_ON_ACCELERATOR: usize = 1 << 30;

fn owned(batch: &[&EncodedSequence]) -> Vec<EncodedSequence> {
    batch.iter().map(|sequence| (*sequence).clone()).collect()
}

/// A policy that reads prompts.
pub(super) struct LlmNet {
    policy: LlmPolicy,
    /// The same model with nothing trained: the cut of its shared parts is above all layers.
    untrained: Body,
    reader: Reader,
    /// Where it meets other runs; absent where it reads for itself.
    lane: Option<Lane>,
}

impl LlmNet {
    pub(super) fn new(policy: LlmPolicy, reader: Reader, lane: Option<Lane>) -> Self {
        let untrained = policy.body.untrained();
        Self { policy, untrained, reader, lane }
    }

    /// The language model, whose parameter set holds the heads too.
    pub(super) fn into_body(self) -> Body {
        self.policy.body
    }
}

impl ActorCritic for LlmNet {
    type Envs = EnvBatch;
    type Encoded = EncodedSequence;

    fn encode(&mut self, observations: &[Observation<'_>]) -> Result<Vec<EncodedSequence>, AgentError> {
        self.reader.read(self.lane.as_ref(), &self.policy.body, observations)
    }

    fn forward(&self, batch: &[&EncodedSequence]) -> Output {
        self.policy.forward(batch)
    }

    fn forward_frozen(&self, batch: &[&EncodedSequence]) -> Output {
        self.policy.forward_frozen(batch)
    }

    fn micro_batch_size(&self, minibatch: &[&EncodedSequence], least: usize) -> usize {
        self.policy.micro_batch_size(minibatch, least)
    }

    fn params(&self) -> &ParamSet {
        self.policy.body.params()
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        self.policy.params_mut()
    }

    fn enter(&mut self, phase: Phase) {
        if let Some(lane) = &mut self.lane {
            // Whole prompts are read alone: nobody shall wait for this run to ask.
            let asks = phase != Phase::Rollout || self.reader.shows_account();
            let phase = if asks { phase } else { Phase::Other };
            lane.enter(phase, &self.policy.body);
        }
    }

    /// The trained tensors start as the backbone's, so its layers, with what they say of shared parts in the cache,
    /// answer for own tokens alone; of whole prompts the cache has the answer. A trained embedding leaves nothing to be
    /// kept.
    fn before_training(
        &mut self,
        initial: &mut ParamSet,
        encoded: &[&EncodedSequence],
        chunk: usize,
    ) -> Result<Vec<HostOutput>, AgentError> {
        if self.policy.body.plan().embedding {
            return ppo::with_parameters(self, initial, encoded, chunk);
        }
        // Then the sequences are what the backbone says already.
        let is_read = self.policy.body.boundary() == self.untrained.boundary();
        let mut outputs = Vec::with_capacity(encoded.len());
        for batch in encoded.chunks(chunk) {
            let output = if is_read {
                self.policy.before_training(initial, &[], batch)
            } else if self.reader.shows_account() {
                let shared = |s: &&EncodedSequence| self.reader.cached(&self.untrained, s.shared_ids());
                let shared: Vec<_> = batch.iter().map(shared).collect::<Result<_, _>>()?;
                self.policy.before_training(initial, &shared, batch)
            } else {
                let read = |s: &&EncodedSequence| self.reader.whole(&self.untrained, s.own_ids());
                let read: Vec<_> = batch.iter().map(read).collect::<Result<_, _>>()?;
                self.policy.heads(initial, self.untrained.forward_frozen(&read))
            };
            outputs.extend(output.to_host());
        }
        Ok(outputs)
    }

    fn state(&self) -> Value {
        json!({ "prompts": self.reader.prompts(), "dropout": self.policy.body.dropout_drawn() })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let part = |name: &str| state.get(name).cloned().unwrap_or_default();
        self.reader.count_from(serde_json::from_value(part("prompts")).map_err(|e| e.to_string())?);
        if let Some(drawn) = part("dropout").as_u64() {
            self.policy.body.dropout_go_on(drawn);
        }
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.reader.usage()
    }
}

impl Network for LlmNet {
    const KIND: &'static str = "ppo-llm";

    fn prepare(&mut self, arena: &Arena, chunk: usize) -> Result<(), AgentError> {
        if self.policy.head_input.is_none() {
            return Ok(());
        }
        let starts = arena.starts(STANDARDISED_BY);
        let mut encoded = Vec::with_capacity(starts.len());
        for observations in starts.observations().chunks(chunk.max(1)) {
            encoded.extend(self.encode(observations)?);
        }
        self.policy.standardise(&encoded.iter().collect::<Vec<_>>(), chunk);
        Ok(())
    }

    fn tensors(&self) -> Vec<TensorState> {
        let params = self.policy.body.params();
        let group = |name: &str| params.get(name).filter(|p| p.trainable()).map(|p| p.group().to_owned());
        let of_model = self.policy.body.digests();
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
        Some(self.policy.body.backbone().digest().to_owned())
    }

    fn prompts(&self) -> Option<PromptCounts> {
        Some(self.reader.prompts())
    }

    fn note(&self) -> Option<String> {
        self.reader.note()
    }
}
