//! Environments: what an agent observes and what a step gives.

use std::sync::Arc;

use market_data::{Bar, History, Segment};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::window::Window;
use crate::{Account, Action, ActionMask, Fill, RewardFn, Rules, SplitName, StepRecord, Transition, rng};

/// The `[env]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvConfig {
    /// Environments stepped as a batch during training (the paper: 1).
    #[schemars(range(min = 1, max = 65536))]
    pub num_envs: usize,
    /// Longest training episode in steps; reaching it is truncation (the paper: 65).
    #[schemars(range(min = 1))]
    pub max_episode_steps: usize,
    /// Whether training episodes begin at a random bar of the training split that leaves room for
    /// `max_episode_steps` (the first bar where there is no such room), or always at its first.
    pub random_start: bool,
    /// Account at the start of an episode, in currency.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub initial_cash: f64,
    /// Entries of recent rewards, account values and actions that an observation holds (the paper: 10).
    #[schemars(range(min = 0, max = 1000))]
    pub memory: usize,
}

impl Default for EnvConfig {
    fn default() -> Self {
        Self { num_envs: 1, max_episode_steps: 65, random_start: true, initial_cash: 100_000.0, memory: 10 }
    }
}

impl EnvConfig {
    fn check(&self) -> Result<(), String> {
        if self.num_envs == 0 {
            return Err("env.num_envs: expected 1 or more, found 0".to_owned());
        }
        if self.max_episode_steps == 0 {
            return Err("env.max_episode_steps: expected 1 or more, found 0".to_owned());
        }
        let cash = self.initial_cash;
        if !(cash.is_finite() && cash > 0.0) {
            return Err(format!("env.initial_cash: expected a finite number above 0, found {cash}"));
        }
        Ok(())
    }
}

/// What an agent may know at the close of a bar.
#[derive(Clone, Copy)]
pub struct Observation<'a> {
    /// Bars and news up to now.
    pub history: History<'a>,
    /// The account, marked at the last close.
    pub account: &'a Account,
    /// Legal actions.
    pub mask: ActionMask,
    /// Rewards of the last `memory` steps of this episode, oldest first.
    pub rewards: &'a [f64],
    /// Equity after each of those steps, oldest first.
    pub equities: &'a [f64],
    /// Actions of those steps, oldest first.
    pub actions: &'a [Action],
}

/// Result of one environment's step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Reward.
    pub reward: f64,
    /// Ruin: equity is gone. Bootstrap from 0.
    pub terminated: bool,
    /// Time limit or end of the data. Bootstrap from the value of the observation that stands now.
    pub truncated: bool,
}

/// A segment under rules and a reward: makes environments.
#[derive(Clone)]
pub struct Arena {
    segment: Segment,
    split: SplitName,
    rules: Arc<dyn Rules>,
    reward: Arc<dyn RewardFn>,
    config: EnvConfig,
    /// Bars of the segment itself, without its look-back: what a step reads.
    bars: Arc<[Bar]>,
}

impl Arena {
    /// # Errors
    /// When the segment has fewer than two bars or a setting is out of its range.
    pub fn new(
        segment: Segment,
        split: SplitName,
        rules: Arc<dyn Rules>,
        reward: Arc<dyn RewardFn>,
        config: EnvConfig,
    ) -> Result<Self, String> {
        let bars: Arc<[Bar]> = (segment.first..segment.series.len()).map(|i| segment.series.bar(i)).collect();
        if bars.len() < 2 {
            return Err(format!(
                "the {} split has {} bars, an episode needs 2 or more",
                split.word(),
                bars.len()
            ));
        }
        config.check()?;
        Ok(Self { segment, split, rules, reward, config, bars })
    }

    /// Other rules, reward and settings on the same segment, whose bars both share.
    ///
    /// # Errors
    /// When a setting is out of its range.
    pub fn under(
        &self,
        rules: Arc<dyn Rules>,
        reward: Arc<dyn RewardFn>,
        config: EnvConfig,
    ) -> Result<Self, String> {
        config.check()?;
        Ok(Self { rules, reward, config, ..self.clone() })
    }

    /// The same rules, reward and settings on another segment of the same split.
    ///
    /// # Errors
    /// When the segment has fewer than two bars.
    pub fn on(&self, segment: Segment) -> Result<Self, String> {
        Self::new(segment, self.split, self.rules.clone(), self.reward.clone(), self.config.clone())
    }

    /// `config.num_envs` training environments, each at the start of an episode; `seed` drives the random starts.
    pub fn training(&self, seed: u64) -> EnvBatch {
        let starts = |i| self.config.random_start.then(|| rng(seed, &format!("env-{i}-start")));
        let envs = (0..self.config.num_envs).map(|i| Env::new(self, starts(i))).collect();
        EnvBatch::begin(self.clone(), envs, self.config.max_episode_steps)
    }

    /// At most `n` environments, each at the start of an episode: their bars are evenly spaced over those at which an
    /// episode can begin, from the first to the last, and nothing is drawn.
    pub fn starts(&self, n: usize) -> EnvBatch {
        // A decision needs a next bar.
        let possible = self.bars.len() - 1;
        let n = n.clamp(1, possible);
        let mut batch = EnvBatch::begin(self.clone(), Vec::new(), self.config.max_episode_steps);
        for i in 0..n {
            let mut env = Env::new(self, None);
            env.begin(self, i * (possible - 1) / (n - 1).max(1));
            batch.envs.push(env);
        }
        batch
    }

    /// One environment over the whole segment, from its first bar to its last, without a step limit: one step less
    /// than the segment has bars.
    pub fn evaluation(&self) -> EnvBatch {
        EnvBatch::begin(self.clone(), vec![Env::new(self, None)], usize::MAX)
    }

    /// Settings.
    pub fn config(&self) -> &EnvConfig {
        &self.config
    }

    /// Split that the segment belongs to.
    pub fn split(&self) -> SplitName {
        self.split
    }

    /// Bars and look-back.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Trading rules.
    pub fn rules(&self) -> &dyn Rules {
        &*self.rules
    }
}

/// Environments stepped side by side. After a step that ends an episode, `observe(i)` still shows its final
/// observation until `reset(i)`.
pub struct EnvBatch {
    arena: Arena,
    envs: Vec<Env>,
    max_episode_steps: usize,
    /// Episodes begun so far by all environments, from which the next one takes its number.
    episodes: u32,
}

/// What brings environments back to where they were: where their episodes began and what was done since. Everything else
/// follows from the arena.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvBatchState {
    episodes: u32,
    envs: Vec<EnvState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EnvState {
    /// Words that the stream of starts has given.
    starts: Option<u64>,
    first_bar: usize,
    episode: u32,
    actions: Vec<Action>,
}

/// One environment of a batch.
struct Env {
    /// Where episodes start; without it at the first bar.
    starts: Option<ChaCha8Rng>,
    /// Bar at which this episode began, and the actions since.
    first_bar: usize,
    taken: Vec<Action>,
    reward: Box<dyn RewardFn>,
    account: Account,
    /// Bar of the segment at whose close the account stands.
    bar: usize,
    episode: u32,
    /// Steps taken in this episode.
    steps: usize,
    ended: bool,
    last: Option<LastStep>,
    rewards: Window<f64>,
    equities: Window<f64>,
    actions: Window<Action>,
}

/// What the last step did.
#[derive(Clone, Copy)]
struct LastStep {
    action: Action,
    before: f64,
    fill: Fill,
    reward: f64,
}

impl Env {
    fn new(arena: &Arena, starts: Option<ChaCha8Rng>) -> Self {
        let memory = arena.config.memory;
        Self {
            starts,
            first_bar: 0,
            // As many as an episode can have: a step allocates nothing.
            taken: Vec::with_capacity(arena.bars.len() - 1),
            reward: arena.reward.fresh(),
            account: Account::new(arena.config.initial_cash, arena.bars[0].close),
            bar: 0,
            episode: 0,
            steps: 0,
            ended: false,
            last: None,
            rewards: Window::new(memory),
            equities: Window::new(memory),
            actions: Window::new(memory),
        }
    }
}

impl EnvBatch {
    fn begin(arena: Arena, envs: Vec<Env>, max_episode_steps: usize) -> Self {
        let mut batch = Self { arena, envs, max_episode_steps, episodes: 0 };
        for i in 0..batch.len() {
            batch.reset(i);
        }
        batch
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.envs.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.envs.is_empty()
    }

    /// Observation of environment `i`.
    pub fn observe(&self, i: usize) -> Observation<'_> {
        let env = &self.envs[i];
        Observation {
            history: self.arena.segment.series.until(self.arena.segment.first + env.bar),
            account: &env.account,
            mask: self.arena.rules.mask(&env.account),
            rewards: env.rewards.as_slice(),
            equities: env.equities.as_slice(),
            actions: env.actions.as_slice(),
        }
    }

    /// Observations of all environments.
    pub fn observations(&self) -> Vec<Observation<'_>> {
        (0..self.len()).map(|i| self.observe(i)).collect()
    }

    /// Steps environment `i`.
    ///
    /// # Panics
    /// When `action` is illegal under the mask or the episode has ended: errors of the caller's program.
    pub fn step(&mut self, i: usize, action: Action) -> Step {
        let Self { arena, envs, max_episode_steps, .. } = self;
        let env = &mut envs[i];
        assert!(!env.ended, "environment {i}: stepped after the end of its episode");
        let mask = arena.rules.mask(&env.account);
        assert!(mask.allows(action), "environment {i}: {} is illegal under the mask", action.word());

        let before = env.account.equity();
        let (now, next) = (&arena.bars[env.bar], &arena.bars[env.bar + 1]);
        let fill = arena.rules.advance(&mut env.account, action, now, next);
        let after = env.account.equity();
        let reward = env.reward.step(Transition { before, after });

        env.bar += 1;
        env.steps += 1;
        env.last = Some(LastStep { action, before, fill, reward });
        env.rewards.push(reward);
        env.equities.push(after);
        env.actions.push(action);
        env.taken.push(action);

        let terminated = !(after.is_finite() && after > 0.0);
        let out_of_time = env.steps >= *max_episode_steps || env.bar + 1 == arena.bars.len();
        env.ended = terminated || out_of_time;
        Step { reward, terminated, truncated: out_of_time && !terminated }
    }

    /// Whether environment `i`'s episode has ended and waits for `reset`.
    pub fn ended(&self, i: usize) -> bool {
        self.envs[i].ended
    }

    /// The row of environment `i`'s last step, without log-probability and value.
    ///
    /// # Panics
    /// When its episode has no step yet.
    pub fn record(&self, i: usize) -> StepRecord {
        let env = &self.envs[i];
        let LastStep { action, reward, .. } = env.last_step();
        StepRecord {
            split: self.arena.split,
            episode: env.episode,
            t: u32::try_from(env.steps - 1).expect("invariant: a series has fewer than 2^32 bars"),
            date: self.arena.bars[env.bar - 1].date,
            action,
            position: env.account.exposure(),
            price: env.account.price,
            cash: env.account.cash,
            equity: env.account.equity(),
            reward,
            log_prob: None,
            value: None,
        }
    }

    /// What environment `i`'s last step traded and paid.
    ///
    /// # Panics
    /// When its episode has no step yet.
    pub fn fill(&self, i: usize) -> Fill {
        self.envs[i].last_step().fill
    }

    /// Log return of environment `i`'s last step as its rules define it, see [`Rules::log_return`].
    ///
    /// # Panics
    /// When its episode has no step yet.
    pub fn log_return(&self, i: usize) -> f64 {
        let env = &self.envs[i];
        let LastStep { action, before, .. } = env.last_step();
        let (now, next) = (&self.arena.bars[env.bar - 1], &self.arena.bars[env.bar]);
        self.arena.rules.log_return(action, now, next, before, env.account.equity())
    }

    /// Begins the next episode of environment `i`.
    pub fn reset(&mut self, i: usize) {
        let Self { arena, envs, max_episode_steps, episodes } = self;
        let env = &mut envs[i];
        let last_start = (arena.bars.len() - 1).saturating_sub(*max_episode_steps);
        let first_bar = env.starts.as_mut().map_or(0, |stream| stream.random_range(0..=last_start));
        env.episode = *episodes;
        *episodes += 1;
        env.begin(arena, first_bar);
    }

    /// What [`restore`](Self::restore) needs.
    pub fn state(&self) -> EnvBatchState {
        let words = |stream: &ChaCha8Rng| {
            u64::try_from(stream.get_word_pos()).expect("invariant: nobody draws 2^64 words")
        };
        let env = |env: &Env| EnvState {
            starts: env.starts.as_ref().map(words),
            first_bar: env.first_bar,
            episode: env.episode,
            actions: env.taken.clone(),
        };
        EnvBatchState { episodes: self.episodes, envs: self.envs.iter().map(env).collect() }
    }

    /// Brings environments of the same arena and seed to where others were when [`state`](Self::state) was asked for:
    /// each repeats the actions of its episode.
    ///
    /// # Errors
    /// When the state is none of such environments; they are then in the middle of it.
    pub fn restore(&mut self, state: &EnvBatchState) -> Result<(), String> {
        if state.envs.len() != self.envs.len() {
            let (expected, found) = (self.envs.len(), state.envs.len());
            return Err(format!("expected the state of {expected} environments, found {found}"));
        }
        for (i, saved) in state.envs.iter().enumerate() {
            let Self { arena, envs, .. } = self;
            let env = &mut envs[i];
            if env.starts.is_some() != saved.starts.is_some() || saved.first_bar >= arena.bars.len() {
                return Err(format!("environment {i}: the state is of another arena"));
            }
            if let (Some(stream), Some(words)) = (&mut env.starts, saved.starts) {
                stream.set_word_pos(u128::from(words));
            }
            env.begin(arena, saved.first_bar);
            env.episode = saved.episode;
            for action in &saved.actions {
                let legal = !self.ended(i) && EnvBatch::observe(self, i).mask.allows(*action);
                if !legal {
                    return Err(format!(
                        "environment {i}: {} is illegal where the state has it",
                        action.word()
                    ));
                }
                self.step(i, *action);
            }
        }
        self.episodes = state.episodes;
        Ok(())
    }
}

impl Env {
    /// An episode from `first_bar` on.
    fn begin(&mut self, arena: &Arena, first_bar: usize) {
        let env = self;
        env.first_bar = first_bar;
        env.taken.clear();
        env.bar = first_bar;
        env.account = Account::new(arena.config.initial_cash, arena.bars[env.bar].close);
        env.reward.reset();
        env.steps = 0;
        env.ended = false;
        env.last = None;
        env.rewards.clear();
        env.equities.clear();
        env.actions.clear();
    }

    fn last_step(&self) -> LastStep {
        self.last.expect("invariant: asked for the last step after a step of this episode")
    }
}

#[cfg(test)]
mod tests;
