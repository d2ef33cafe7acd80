//! Decisions of a trained policy, and its score on a validation segment.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use trading_env::{ActionMask, AgentError, Arena, Decision, EnvBatch, Observation};

use crate::actor_critic::{ActorCritic, evaluate};
use crate::config::{ActionAtTest, PpoConfig};
use crate::policy::Policy;

/// Turns a policy into decisions outside of training, as `action_at_test` says. Each place among the observations draws
/// from the stream `action-at-test` from its beginning on, so that no decision depends on the places beside it.
#[derive(Debug, Clone)]
pub struct Decider {
    seed: u64,
    /// One per place.
    streams: Vec<ChaCha8Rng>,
}

impl Decider {
    /// Draws for `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, streams: Vec::new() }
    }

    /// Begins the streams again.
    pub fn reset(&mut self) {
        self.streams.clear();
    }

    /// One legal decision per observation. The log-probability is that of the distribution decided by: with
    /// `temperature` for `sample`, without it for `argmax`.
    pub fn decide<A: ActorCritic<Envs = EnvBatch>>(
        &mut self,
        actor_critic: &mut A,
        observations: &[Observation<'_>],
        config: &PpoConfig,
    ) -> Result<Vec<Decision>, AgentError> {
        let encoded = actor_critic.encode(observations)?;
        let outputs = evaluate(actor_critic, &encoded.iter().collect::<Vec<_>>(), config.minibatch_size);
        let mut decisions = Vec::with_capacity(observations.len());
        for (place, (observation, output)) in observations.iter().zip(outputs).enumerate() {
            let rule = (config.action_at_test, config.temperature);
            let decision = self.choose(place, output.logits, observation.mask, rule)?;
            decisions.push(Decision { value: Some(output.value), ..decision });
        }
        Ok(decisions)
    }

    /// The decision at a place by logits under a rule and its temperature, without a value.
    ///
    /// # Errors
    /// When the logits are not finite.
    pub fn choose(
        &mut self,
        place: usize,
        logits: [f32; 3],
        mask: ActionMask,
        (rule, temperature): (ActionAtTest, f64),
    ) -> Result<Decision, AgentError> {
        let temperature = match rule {
            ActionAtTest::Argmax => 1.0,
            ActionAtTest::Sample => temperature,
        };
        let policy = Policy::with_temperature(logits, mask, temperature);
        if !policy.is_finite() {
            return Err(AgentError::Other(format!("the policy's logits are {logits:?}")));
        }
        let action = match rule {
            ActionAtTest::Argmax => policy.argmax(),
            ActionAtTest::Sample => {
                let stream = || trading_env::rng(self.seed, "action-at-test");
                while self.streams.len() <= place {
                    self.streams.push(stream());
                }
                policy.sample(self.streams[place].random())
            }
        };
        Ok(Decision { log_prob: Some(policy.log_prob(action) as f32), ..Decision::from(action) })
    }

    /// Sum of rewards of one episode over the whole of `arena`.
    pub fn score<A: ActorCritic<Envs = EnvBatch>>(
        &mut self,
        actor_critic: &mut A,
        arena: &Arena,
        config: &PpoConfig,
    ) -> Result<f64, AgentError> {
        self.reset();
        let mut envs = arena.evaluation();
        let mut total = 0.0;
        while !envs.ended(0) {
            let decisions = self.decide(actor_critic, &envs.observations(), config)?;
            total += envs.step(0, decisions[0].action).reward;
        }
        Ok(total)
    }
}
