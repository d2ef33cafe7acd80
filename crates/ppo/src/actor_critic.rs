//! What PPO needs of a network: observations in, three logits and a value out.

use burn::tensor::Tensor;
use llm::{ParamSet, Phase};
use serde_json::Value;
use trading_env::AgentError;

use crate::environments::Environments;

/// A policy and a value function over shared or separate parameters.
pub trait ActorCritic {
    /// Where it acts.
    type Envs: Environments;

    /// An observation in the form that [`forward`](ActorCritic::forward) takes, free of trained parameters, so that
    /// one encoding serves the rollout and every epoch over it.
    type Encoded: Clone + Send;

    /// Encodes each observation; the result for one does not depend on the others beside it.
    fn encode(&mut self, observations: &[Seen<'_, Self>]) -> Result<Vec<Self::Encoded>, AgentError>;

    /// Logits and values of a batch, differentiable by [`params`](ActorCritic::params).
    fn forward(&self, batch: &[&Self::Encoded]) -> Output;

    /// The numbers of [`forward`](ActorCritic::forward) without a graph.
    fn forward_frozen(&self, batch: &[&Self::Encoded]) -> Output;

    /// Everything that [`forward`](ActorCritic::forward) depends on and training may change. Cloning a set shares its
    /// tensors, and PPO exchanges whole sets to ask what earlier parameters would have said.
    fn params(&self) -> &ParamSet;

    /// The same, to change it.
    fn params_mut(&mut self) -> &mut ParamSet;

    /// How many samples of a minibatch go through the network at once, at least the `least` that were asked for: more where
    /// they take little memory, because a few at a time take longer. Depends on the samples alone, not on the machine.
    fn micro_batch_size(&self, _minibatch: &[&Self::Encoded], least: usize) -> usize {
        least
    }

    /// What the training loop is about to do. Networks of several runs may wait here for each other: that changes when
    /// something is computed, never what.
    fn enter(&mut self, _phase: Phase) {}

    /// What the policy and value were before training for observations that were encoded since; `initial` are the
    /// parameters of that time, which come back as they were.
    fn before_training(
        &mut self,
        initial: &mut ParamSet,
        encoded: &[&Self::Encoded],
        chunk: usize,
    ) -> Result<Vec<HostOutput>, AgentError>
    where
        Self: Sized,
    {
        with_parameters(self, initial, encoded, chunk)
    }

    /// What the network holds besides its parameters and must come back for a training to go on: streams, counts.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Takes what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// When it is the state of another kind of network.
    fn restore(&mut self, _state: &Value) -> Result<(), String> {
        Ok(())
    }

    /// Counters for the timing rows; they influence nothing.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// What an [`ActorCritic`] sees.
pub type Seen<'a, A> = <<A as ActorCritic>::Envs as Environments>::Observation<'a>;

/// What a network says about a batch.
#[derive(Debug, Clone)]
pub struct Output {
    /// `[batch, 3]`, in the order of [`trading_env::Action::ALL`], not masked.
    pub logits: Tensor<2>,
    /// `[batch, 1]`, in units of discounted reward.
    pub values: Tensor<2>,
}

/// Totals since the start of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens encoded, through all frozen layers or some; cached ones not counted.
    pub tokens: u64,
    /// Shared parts of prompts found in the prefix cache's memory.
    pub cache_hits: u64,
    /// Those found in what it has on disk.
    pub cache_spilled: u64,
    /// Those continued from a shallower boundary.
    pub cache_extended: u64,
    /// Those computed from their tokens.
    pub cache_misses: u64,
    /// Those of them that had been computed before and were evicted.
    pub cache_recomputed: u64,
    /// Resident memory of the process now, bytes.
    pub rss_bytes: u64,
}

/// One row of an [`Output`] on the host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostOutput {
    /// Logits of sell, hold and buy.
    pub logits: [f32; 3],
    /// Value.
    pub value: f32,
}

impl Output {
    /// All rows, without the graph, in one transfer.
    pub fn to_host(&self) -> Vec<HostOutput> {
        let both = Tensor::cat(vec![self.logits.clone().inner(), self.values.clone().inner()], 1);
        let numbers = both.try_into_vec_as::<f32>().expect("invariant: networks compute in f32");
        let row = |r: &[f32]| HostOutput { logits: [r[0], r[1], r[2]], value: r[3] };
        numbers.chunks_exact(4).map(row).collect()
    }
}

/// Outputs of any number of observations on the host, `chunk` at a time through the network.
pub fn evaluate<A: ActorCritic>(actor_critic: &A, encoded: &[&A::Encoded], chunk: usize) -> Vec<HostOutput> {
    encoded.chunks(chunk.max(1)).flat_map(|batch| actor_critic.forward_frozen(batch).to_host()).collect()
}

/// [`evaluate`] with other parameters in place of the network's own.
pub fn with_parameters<A: ActorCritic>(
    actor_critic: &mut A,
    params: &mut ParamSet,
    encoded: &[&A::Encoded],
    chunk: usize,
) -> Result<Vec<HostOutput>, AgentError> {
    std::mem::swap(actor_critic.params_mut(), params);
    let outputs = evaluate(actor_critic, encoded, chunk);
    std::mem::swap(actor_critic.params_mut(), params);
    Ok(outputs)
}
