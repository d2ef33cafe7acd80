//! The training loop: rollouts, updates, and the rows that report them.

use std::path::Path;
use std::time::Instant;

use llm::{Adam, AdamConfig, ParamSet, Phase};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use trading_env::{
    AgentError, EnvBatch, GroupNorm, PolicyEntropy, RunLog, StepRecord, TimingRecord, Training, UpdateRecord,
};

use crate::actor_critic::{ActorCritic, Usage, evaluate};
use crate::config::{CheckpointRule, PpoConfig};
use crate::decide::Decider;
use crate::environments::Environments;
use crate::policy::Policy;
use crate::rollout::{Rollout, explained_variance};
use crate::saved::{Saved, other, words};
use crate::update::{Batch, NonFinite, UpdateStats, add_norms, update};

/// What a training leaves besides the parameters.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Optimiser after the last update.
    pub adam: Adam,
    /// Mean gradient norm of every trained group over all updates, before clipping.
    pub group_norms: Vec<GroupNorm>,
    /// Update (from 0) whose parameters were kept.
    pub kept_update: u32,
    /// Entropy of the policy in the last update.
    pub entropy: PolicyEntropy,
}

/// Trains `actor_critic` in environments of `training.arena` and leaves it with the parameters that
/// `checkpoint_rule` names. Everything random comes from streams of `seed`: `action`, `minibatch`, and those of the
/// environments.
pub fn train<A: ActorCritic<Envs = EnvBatch>>(
    actor_critic: &mut A,
    training: Training<'_>,
    config: &PpoConfig,
    seed: u64,
) -> Result<Trained, AgentError> {
    let Training { arena, validation, log } = training;
    let selection = match (config.checkpoint_rule, validation) {
        (CheckpointRule::Last, _) => None,
        (CheckpointRule::BestValidation, Some(arena)) => Some(Selection::new(arena, seed)),
        (CheckpointRule::BestValidation, None) => {
            let text = "agent.checkpoint_rule: \"best-validation\" needs split.valid, which the experiment does not have";
            return Err(AgentError::Other(text.to_owned()));
        }
    };
    let mut looks = Looks { selection, config };
    let mut trained = learn_with(actor_critic, arena.training(seed), config, seed, log, &mut looks)?;
    if let Some((update, params)) = looks.selection.and_then(Selection::into_best) {
        *actor_critic.params_mut() = params;
        trained.kept_update = update;
    }
    Ok(trained)
}

/// An update that is done.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// Counted from 0.
    pub index: u32,
    /// Whether it was the last one.
    pub is_last: bool,
}

/// PPO itself: trains `actor_critic` in any environments for `config.total_timesteps` and leaves it with the last
/// parameters. `after` is called after every update.
///
/// # Errors
/// For fewer steps than one rollout has, for a number that is not finite, and what `after` or the network reports.
pub fn learn<A: ActorCritic>(
    actor_critic: &mut A,
    envs: A::Envs,
    config: &PpoConfig,
    seed: u64,
    log: &mut dyn RunLog,
    after: impl FnMut(&mut A, Update, &mut dyn RunLog) -> Result<(), AgentError>,
) -> Result<Trained, AgentError> {
    learn_with(actor_critic, envs, config, seed, log, &mut Call(after))
}

/// Looks on after every update, and may keep something that a training has to save.
trait After<A> {
    fn after(&mut self, actor_critic: &mut A, update: Update, log: &mut dyn RunLog)
    -> Result<(), AgentError>;

    /// What it keeps; tensors go into `dir`.
    fn save(&self, _dir: &Path) -> Result<Value, AgentError> {
        Ok(Value::Null)
    }

    /// Takes what it has kept.
    fn restore(&mut self, _actor_critic: &A, _dir: &Path, _kept: &Value) -> Result<(), AgentError> {
        Ok(())
    }
}

struct Call<F>(F);

impl<A, F: FnMut(&mut A, Update, &mut dyn RunLog) -> Result<(), AgentError>> After<A> for Call<F> {
    fn after(
        &mut self,
        actor_critic: &mut A,
        update: Update,
        log: &mut dyn RunLog,
    ) -> Result<(), AgentError> {
        (self.0)(actor_critic, update, log)
    }
}

fn learn_with<A: ActorCritic>(
    actor_critic: &mut A,
    mut envs: A::Envs,
    config: &PpoConfig,
    seed: u64,
    log: &mut dyn RunLog,
    after: &mut dyn After<A>,
) -> Result<Trained, AgentError> {
    let n_updates = config.n_updates(envs.count());
    if n_updates == 0 {
        let rollout = config.batch_size(envs.count());
        let found = config.total_timesteps;
        return Err(AgentError::Other(format!(
            "agent.total_timesteps: expected at least one rollout, num_steps * num_envs = {rollout}, found {found}"
        )));
    }
    let adam_config =
        AdamConfig { eps: config.adam_eps, weight_decay: config.weight_decay, ..AdamConfig::default() };
    let mut adam = Adam::new(adam_config);
    let mut shuffle = trading_env::rng(seed, "minibatch");
    let mut initial = actor_critic.params().clone();
    let mut group_norms = Vec::new();
    let total = u64::from(n_updates) * config.batch_size(envs.count()) as u64;
    let (mut collector, first) = match log.resume() {
        None => (Collector::new(actor_critic, &envs, seed)?, 0),
        Some(dir) => {
            let (saved, moments) = Saved::read(&dir, actor_critic.params_mut(), adam_config)?;
            adam = moments;
            shuffle.set_word_pos(u128::from(saved.minibatch));
            envs.restore(&saved.envs).map_err(other)?;
            let mut collector = Collector::new(actor_critic, &envs, seed)?;
            collector.go_on(&saved);
            // After the observations of now were encoded, which has been counted already.
            actor_critic.restore(&saved.network).map_err(other)?;
            after.restore(actor_critic, &dir, &saved.after)?;
            group_norms = saved.group_norms;
            (collector, saved.next_update)
        }
    };
    let mut entropy = PolicyEntropy { policy: 0.0, uniform: 0.0 };
    for index in first..n_updates {
        let started = Instant::now();
        let usage = actor_critic.usage();
        actor_critic.enter(Phase::Rollout);
        let rollout = collector.collect(actor_critic, &mut envs, config, index, log, total)?;
        let estimates = rollout.estimate(config.gamma, config.gae_lambda);
        actor_critic.enter(Phase::Update);
        let references = match config.kl_coef {
            0.0 => None,
            _ => Some(initial_policies(actor_critic, &mut initial, &rollout, config)?),
        };
        let rates = config.learning_rates_at(index, n_updates);
        let batch = Batch { rollout: &rollout, estimates: &estimates, initial: references.as_deref() };
        let stats = update(actor_critic, &mut adam, &batch, config, rates, &mut shuffle)
            .map_err(|e| diverged(index, e))?;
        actor_critic.enter(Phase::Other);
        add_norms(&mut group_norms, &stats.group_norms);
        entropy = PolicyEntropy { policy: stats.entropy, uniform: rollout.uniform_entropy() };

        let record = UpdateRecord {
            update: index,
            global_step: collector.global_step,
            learning_rate: rates.layers,
            kl: (config.kl_coef != 0.0).then_some(stats.kl),
            explained_variance: explained_variance(&rollout.values, &estimates.targets),
            episode_return: collector.take_episode_return(),
            ..record_of(&rollout, &stats)
        };
        log.update(record);
        log.timing(timing(index, rollout.len(), started, usage, actor_critic.usage()));
        let is_last = index + 1 == n_updates;
        after.after(actor_critic, Update { index, is_last }, log)?;
        if !is_last {
            // Put together where it is wanted only.
            log.checkpoint(index + 1, &mut |dir| {
                let saved = Saved {
                    next_update: index + 1,
                    minibatch: words(&shuffle),
                    group_norms: group_norms.clone(),
                    envs: envs.state().ok_or_else(|| other("the environments keep no state"))?,
                    network: actor_critic.state(),
                    after: after.save(dir)?,
                    ..collector.saved()
                };
                saved.write(dir, actor_critic.params(), &adam)
            });
            if !log.progress(collector.global_step, total) {
                return Err(AgentError::Interrupted);
            }
        }
    }
    let mean = |(group, sum): (String, f64)| GroupNorm { group, mean_grad_norm: sum / f64::from(n_updates) };
    let group_norms = group_norms.into_iter().map(mean).collect();
    Ok(Trained { adam, group_norms, kept_update: n_updates - 1, entropy })
}

fn diverged(update: u32, NonFinite { what, value }: NonFinite) -> AgentError {
    AgentError::Diverged { update, what, value }
}

/// Steps environments with the policy of the moment; keeps what one rollout hands to the next.
struct Collector<E> {
    /// Encoded observation of each environment.
    current: Vec<E>,
    actions: ChaCha8Rng,
    global_step: u64,
    /// Sum of rewards of each environment's episode so far.
    running_returns: Vec<f64>,
    /// Sums of the episodes that ended since the last look.
    episode_returns: Vec<f64>,
}

impl<E: Clone> Collector<E> {
    fn new<A: ActorCritic<Encoded = E>>(
        actor_critic: &mut A,
        envs: &A::Envs,
        seed: u64,
    ) -> Result<Self, AgentError> {
        Ok(Self {
            current: actor_critic.encode(&envs.observations())?,
            actions: trading_env::rng(seed, "action"),
            global_step: 0,
            running_returns: vec![0.0; envs.count()],
            episode_returns: Vec::new(),
        })
    }

    /// Takes what [`saved`](Self::saved) gave.
    fn go_on(&mut self, saved: &Saved) {
        self.actions.set_word_pos(u128::from(saved.action));
        self.global_step = saved.global_step;
        self.running_returns.clone_from(&saved.running_returns);
        self.episode_returns.clone_from(&saved.episode_returns);
    }

    /// Its part of what is saved.
    fn saved(&self) -> Saved {
        Saved {
            next_update: 0,
            global_step: self.global_step,
            minibatch: 0,
            action: words(&self.actions),
            running_returns: self.running_returns.clone(),
            episode_returns: self.episode_returns.clone(),
            group_norms: Vec::new(),
            envs: Value::Null,
            network: Value::Null,
            after: Value::Null,
        }
    }

    /// `config.num_steps` steps of every environment.
    fn collect<A: ActorCritic<Encoded = E>>(
        &mut self,
        actor_critic: &mut A,
        envs: &mut A::Envs,
        config: &PpoConfig,
        update: u32,
        log: &mut dyn RunLog,
        total: u64,
    ) -> Result<Rollout<E>, AgentError> {
        let chunk = config.minibatch_size;
        let n_envs = envs.count();
        let mut rollout = Rollout::new(n_envs);
        // Observations after which nothing follows in this rollout, with the sample they belong to.
        let mut finals: Vec<(usize, E)> = Vec::new();
        for _ in 0..config.num_steps {
            let outputs = evaluate(actor_critic, &self.current.iter().collect::<Vec<_>>(), chunk);
            for (i, output) in outputs.iter().enumerate() {
                let policy = Policy::new(output.logits, envs.mask(i));
                if !policy.is_finite() || !output.value.is_finite() {
                    let mut numbers = output.logits.iter().chain([&output.value]).map(|n| f64::from(*n));
                    let value = numbers.find(|n| !n.is_finite()).unwrap_or(f64::NAN);
                    return Err(AgentError::Diverged { update, what: "network output".to_owned(), value });
                }
                let action = policy.sample(self.actions.random());
                let step = envs.step(i, action);
                if let Some(record) = envs.record(i) {
                    let log_prob = Some(policy.log_prob(action) as f32);
                    log.step(StepRecord { log_prob, value: Some(output.value), ..record });
                }

                rollout.encoded.push(self.current[i].clone());
                rollout.policies.push(policy);
                rollout.actions.push(action);
                rollout.values.push(f64::from(output.value));
                rollout.rewards.push(step.reward);
                rollout.terminated.push(step.terminated);
                rollout.truncated.push(step.truncated);
                self.running_returns[i] += step.reward;
                if step.truncated {
                    let seen = actor_critic.encode(&[envs.observe(i)])?;
                    finals.extend(seen.into_iter().map(|e| (rollout.len() - 1, e)));
                }
                if envs.ended(i) {
                    self.episode_returns.push(std::mem::take(&mut self.running_returns[i]));
                    envs.reset(i);
                }
            }
            self.current = actor_critic.encode(&envs.observations())?;
            self.global_step += n_envs as u64;
            if !log.progress(self.global_step, total) && !log.waits_for_checkpoint() {
                return Err(AgentError::Interrupted);
            }
        }
        let last_row = rollout.len() - n_envs;
        for i in 0..n_envs {
            if !rollout.terminated[last_row + i] && !rollout.truncated[last_row + i] {
                finals.push((last_row + i, self.current[i].clone()));
            }
        }
        let values = evaluate(actor_critic, &finals.iter().map(|(_, e)| e).collect::<Vec<_>>(), chunk);
        rollout.final_values = vec![0.0; rollout.len()];
        for ((i, _), output) in finals.iter().zip(values) {
            rollout.final_values[*i] = f64::from(output.value);
        }
        Ok(rollout)
    }

    /// Mean over the episodes that ended since the last call.
    fn take_episode_return(&mut self) -> Option<f64> {
        let ended = std::mem::take(&mut self.episode_returns);
        (!ended.is_empty()).then(|| ended.iter().sum::<f64>() / ended.len() as f64)
    }
}

/// What the parameters before training say at every sample of a rollout.
fn initial_policies<A: ActorCritic>(
    actor_critic: &mut A,
    initial: &mut ParamSet,
    rollout: &Rollout<A::Encoded>,
    config: &PpoConfig,
) -> Result<Vec<Policy>, AgentError> {
    let encoded: Vec<&A::Encoded> = rollout.encoded.iter().collect();
    let outputs = actor_critic.before_training(initial, &encoded, config.minibatch_size)?;
    Ok(outputs.iter().zip(&rollout.policies).map(|(o, p)| Policy::new(o.logits, p.mask())).collect())
}

/// Looks for the parameters with the best validation score.
struct Selection<'a> {
    arena: &'a trading_env::Arena,
    decider: Decider,
    best: Option<(f64, u32, ParamSet)>,
}

impl<'a> Selection<'a> {
    fn new(arena: &'a trading_env::Arena, seed: u64) -> Self {
        Self { arena, decider: Decider::new(seed), best: None }
    }

    fn look<A: ActorCritic<Envs = EnvBatch>>(
        &mut self,
        actor_critic: &mut A,
        config: &PpoConfig,
        update: u32,
        log: &mut dyn RunLog,
    ) -> Result<(), AgentError> {
        let score = self.decider.score(actor_critic, self.arena, config)?;
        log.note(&format!("update {update}: sum of rewards on the validation split {score}"));
        if self.best.as_ref().is_none_or(|(best, ..)| score > *best) {
            self.best = Some((score, update, actor_critic.params().clone()));
        }
        Ok(())
    }

    fn into_best(self) -> Option<(u32, ParamSet)> {
        self.best.map(|(_, update, params)| (update, params))
    }
}

/// Looks at the validation split where the checkpoint rule wants it.
struct Looks<'a> {
    selection: Option<Selection<'a>>,
    config: &'a PpoConfig,
}

/// Parameters of the best look so far.
const BEST: &str = "best.safetensors";

impl<A: ActorCritic<Envs = EnvBatch>> After<A> for Looks<'_> {
    fn after(
        &mut self,
        actor_critic: &mut A,
        Update { index, is_last }: Update,
        log: &mut dyn RunLog,
    ) -> Result<(), AgentError> {
        match &mut self.selection {
            Some(selection) if is_last || (index + 1).is_multiple_of(self.config.validation_every) => {
                selection.look(actor_critic, self.config, index, log)
            }
            _ => Ok(()),
        }
    }

    fn save(&self, dir: &Path) -> Result<Value, AgentError> {
        let best = self.selection.as_ref().and_then(|selection| selection.best.as_ref());
        let Some((score, update, params)) = best else { return Ok(Value::Null) };
        params.save(&dir.join(BEST)).map_err(other)?;
        Ok(json!([score, update]))
    }

    fn restore(&mut self, actor_critic: &A, dir: &Path, kept: &Value) -> Result<(), AgentError> {
        let best: Option<(f64, u32)> = serde_json::from_value(kept.clone()).map_err(other)?;
        if let (Some(selection), Some((score, update))) = (&mut self.selection, best) {
            let mut params = actor_critic.params().clone();
            params.load(&dir.join(BEST)).map_err(other)?;
            selection.best = Some((score, update, params));
        }
        Ok(())
    }
}

fn record_of<E>(rollout: &Rollout<E>, stats: &UpdateStats) -> UpdateRecord {
    let [share_sell, share_hold, share_buy] = rollout.shares();
    UpdateRecord {
        policy_loss: stats.policy_loss,
        value_loss: stats.value_loss,
        entropy: stats.entropy,
        approx_kl: stats.approx_kl,
        clipfrac: stats.clipfrac,
        grad_norm: stats.grad_norm,
        first_ratio_error: stats.first_ratio_error,
        share_sell,
        share_hold,
        share_buy,
        ..UpdateRecord::default()
    }
}

fn timing(update: u32, steps: usize, started: Instant, before: Usage, after: Usage) -> TimingRecord {
    let seconds = started.elapsed().as_secs_f64().max(1e-9);
    TimingRecord {
        update,
        steps_per_s: steps as f64 / seconds,
        tokens_per_s: (after.tokens - before.tokens) as f64 / seconds,
        cache_hits: after.cache_hits,
        cache_misses: after.cache_misses,
        cache_spilled: after.cache_spilled,
        cache_extended: after.cache_extended,
        cache_recomputed: after.cache_recomputed,
        rss_bytes: after.rss_bytes,
    }
}

#[cfg(test)]
mod tests;
