//! Small tasks with known optima, and a plain network over vectors: what any PPO should learn.

use std::marker::PhantomData;

use burn::tensor::{Device, Tensor, TensorData};
use llm::ParamSet;
use ppo::{
    ActorCritic, Environments, Mlp, Output, POLICY_GAIN, Policy, PpoConfig, VALUE_GAIN, evaluate, learn,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use trading_env::{Action, ActionMask, AgentError, NoLog, Step};

/// One environment of a task; `Default` is not a state of it, `begin` makes one.
pub trait Task: Default + Send {
    /// Width of an observation.
    const WIDTH: usize;
    /// Legal actions.
    const ACTIONS: ActionMask;
    /// Steps after which an episode is truncated.
    const LIMIT: usize;

    /// Starts an episode.
    fn begin(&mut self, rng: &mut ChaCha8Rng);

    /// What a policy sees, [`Task::WIDTH`] numbers.
    fn observation(&self) -> Vec<f32>;

    /// Reward, and whether the episode has come to its end.
    fn act(&mut self, action: Action) -> (f64, bool);
}

/// Three contexts; the action of the same number earns 1. Optimum: 1.
#[derive(Default)]
pub struct Bandit {
    context: usize,
}

impl Task for Bandit {
    const WIDTH: usize = 3;
    const ACTIONS: ActionMask = ActionMask::ALL;
    const LIMIT: usize = 1;

    fn begin(&mut self, rng: &mut ChaCha8Rng) {
        self.context = rng.random_range(0..3);
    }

    fn observation(&self) -> Vec<f32> {
        (0..3).map(|i| f32::from(u8::from(i == self.context))).collect()
    }

    fn act(&mut self, action: Action) -> (f64, bool) {
        (f64::from(u8::from(action.index() == self.context)), true)
    }
}

/// Four states in a row. Buy goes one on, and from the last one ends the episode with 3; everything else earns 0.01 and
/// leads back to the first. Taking what is offered at once earns 0.2 in an episode, the optimum is 3.
#[derive(Default)]
pub struct Chain {
    state: usize,
}

impl Task for Chain {
    const WIDTH: usize = 4;
    const ACTIONS: ActionMask = ActionMask::ALL;
    const LIMIT: usize = 20;

    fn begin(&mut self, _: &mut ChaCha8Rng) {
        self.state = 0;
    }

    fn observation(&self) -> Vec<f32> {
        (0..4).map(|i| f32::from(u8::from(i == self.state))).collect()
    }

    fn act(&mut self, action: Action) -> (f64, bool) {
        match (action, self.state) {
            (Action::Buy, 3) => (3.0, true),
            (Action::Buy, _) => {
                self.state += 1;
                (0.0, false)
            }
            _ => {
                self.state = 0;
                (0.01, false)
            }
        }
    }
}

/// CartPole-v1: the equations of Barto, Sutton and Anderson (1983) with the constants of Gymnasium's classic control;
/// sell pushes left, buy pushes right. Optimum: 500.
#[derive(Default)]
pub struct CartPole {
    x: f64,
    x_dot: f64,
    theta: f64,
    theta_dot: f64,
}

impl Task for CartPole {
    const WIDTH: usize = 4;
    const ACTIONS: ActionMask = ActionMask([true, false, true]);
    const LIMIT: usize = 500;

    fn begin(&mut self, rng: &mut ChaCha8Rng) {
        let mut number = || rng.random_range(-0.05..0.05);
        *self = Self { x: number(), x_dot: number(), theta: number(), theta_dot: number() };
    }

    fn observation(&self) -> Vec<f32> {
        [self.x, self.x_dot, self.theta, self.theta_dot].map(|v| v as f32).to_vec()
    }

    fn act(&mut self, action: Action) -> (f64, bool) {
        const GRAVITY: f64 = 9.8;
        const POLE: f64 = 0.1;
        const TOTAL: f64 = 1.0 + POLE;
        const HALF_LENGTH: f64 = 0.5;
        const TAU: f64 = 0.02;
        let force = if action == Action::Buy { 10.0 } else { -10.0 };
        let (sin, cos) = self.theta.sin_cos();
        let pushed = (force + POLE * HALF_LENGTH * self.theta_dot.powi(2) * sin) / TOTAL;
        let turning =
            (GRAVITY * sin - cos * pushed) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cos.powi(2) / TOTAL));
        let moving = pushed - POLE * HALF_LENGTH * turning * cos / TOTAL;
        self.x += TAU * self.x_dot;
        self.x_dot += TAU * moving;
        self.theta += TAU * self.theta_dot;
        self.theta_dot += TAU * turning;
        (1.0, self.x.abs() > 2.4 || self.theta.abs() > 12f64.to_radians())
    }
}

/// Environments of a task.
pub struct Batch<T> {
    tasks: Vec<T>,
    rngs: Vec<ChaCha8Rng>,
    steps: Vec<usize>,
    ended: Vec<bool>,
}

impl<T: Task> Batch<T> {
    pub fn new(n: usize, seed: u64, purpose: &str) -> Self {
        let rngs = (0..n).map(|i| trading_env::rng(seed, &format!("{purpose}-{i}"))).collect();
        let mut batch = Self {
            tasks: (0..n).map(|_| T::default()).collect(),
            rngs,
            steps: vec![0; n],
            ended: vec![false; n],
        };
        (0..n).for_each(|i| batch.reset(i));
        batch
    }
}

impl<T: Task> Environments for Batch<T> {
    type Observation<'a>
        = Vec<f32>
    where
        Self: 'a;

    fn count(&self) -> usize {
        self.tasks.len()
    }

    fn observe(&self, i: usize) -> Vec<f32> {
        self.tasks[i].observation()
    }

    fn mask(&self, _: usize) -> ActionMask {
        T::ACTIONS
    }

    fn step(&mut self, i: usize, action: Action) -> Step {
        let (reward, terminated) = self.tasks[i].act(action);
        self.steps[i] += 1;
        let truncated = !terminated && self.steps[i] == T::LIMIT;
        self.ended[i] = terminated || truncated;
        Step { reward, terminated, truncated }
    }

    fn ended(&self, i: usize) -> bool {
        self.ended[i]
    }

    fn reset(&mut self, i: usize) {
        self.tasks[i].begin(&mut self.rngs[i]);
        self.steps[i] = 0;
        self.ended[i] = false;
    }
}

/// Policy and value function apart, two tanh layers of 64 each.
pub struct VectorNet<T> {
    params: ParamSet,
    policy: Mlp,
    value: Mlp,
    task: PhantomData<T>,
}

impl<T: Task> VectorNet<T> {
    pub fn new(seed: u64) -> Self {
        let mut params = ParamSet::new(&Device::flex());
        let policy = Mlp::head(&mut params, "policy", [T::WIDTH, 3], &[64, 64], POLICY_GAIN, seed);
        let value = Mlp::head(&mut params, "value", [T::WIDTH, 1], &[64, 64], VALUE_GAIN, seed);
        Self { params, policy, value, task: PhantomData }
    }

    fn place(&self, batch: &[&Vec<f32>]) -> Tensor<2> {
        let numbers: Vec<f32> = batch.iter().flat_map(|row| row.iter().copied()).collect();
        Tensor::from_data(TensorData::new(numbers, [batch.len(), T::WIDTH]), self.params.device())
    }
}

impl<T: Task> ActorCritic for VectorNet<T> {
    type Envs = Batch<T>;
    type Encoded = Vec<f32>;

    fn encode(&mut self, observations: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, AgentError> {
        Ok(observations.to_vec())
    }

    fn forward(&self, batch: &[&Vec<f32>]) -> Output {
        let x = self.place(batch);
        Output {
            logits: self.policy.forward(&self.params, x.clone()),
            values: self.value.forward(&self.params, x),
        }
    }

    fn forward_frozen(&self, batch: &[&Vec<f32>]) -> Output {
        let x = self.place(batch);
        Output {
            logits: self.policy.forward_frozen(&self.params, x.clone()),
            values: self.value.forward_frozen(&self.params, x),
        }
    }

    fn params(&self) -> &ParamSet {
        &self.params
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        &mut self.params
    }
}

/// Trains in 8 environments, then plays `episodes` episodes with the most probable actions: the mean return.
pub fn mean_return<T: Task>(config: &PpoConfig, seed: u64, episodes: usize) -> f64 {
    let mut net = VectorNet::<T>::new(seed);
    let envs = Batch::new(8, seed, "train");
    learn(&mut net, envs, config, seed, &mut NoLog, |_, _, _| Ok(())).expect("a training without end");
    let mut envs = Batch::<T>::new(episodes, seed, "test");
    let mut total = 0.0;
    loop {
        let running: Vec<usize> = (0..episodes).filter(|i| !envs.ended(*i)).collect();
        if running.is_empty() {
            return total / episodes as f64;
        }
        let seen: Vec<Vec<f32>> = running.iter().map(|i| envs.observe(*i)).collect();
        for (i, output) in running.iter().zip(evaluate(&net, &seen.iter().collect::<Vec<_>>(), 256)) {
            total += envs.step(*i, Policy::new(output.logits, T::ACTIONS).argmax()).reward;
        }
    }
}

/// Settings for the two small tasks.
pub fn small(total_timesteps: u64) -> PpoConfig {
    PpoConfig {
        total_timesteps,
        learning_rate: 2.5e-3,
        num_steps: 32,
        gamma: 0.99,
        gae_lambda: 0.95,
        update_epochs: 4,
        minibatch_size: 64,
        gradient_accumulation_steps: 1,
        ent_coef: 0.02,
        kl_coef: 0.0,
        // Values reach 3: a step of 0.2 at most would keep them behind.
        clip_vloss: false,
        ..PpoConfig::default()
    }
}
