//! Rollouts and updates of the learned agents, as a run does them.

use std::time::{Duration, Instant};

use bench::{Case, DEVICE};
use criterion::{Criterion, SamplingMode, Throughput};
use plugin::SharedPool;
use trading_env::{RunLog, StepRecord, TimingRecord, Training, UpdateRecord};

/// Samples per second of one rollout and of one update at the settings of the shipped experiments, taken from the
/// training loop itself: a run of `n` updates is started through the agent's plugin and its log tells the two apart.
///
/// `ppo-llm` runs with a warm prefix cache, the state that all seeds but the first are in. An update that gets slower
/// while `llm/.../forward_backward` does not points to loss, clipping, Adam, or the reference policy of the KL term;
/// a rollout that does so points to prompts or to the own part.
pub fn bench(c: &mut Criterion) {
    for kind in ["ppo-llm", "ppo-mlp"] {
        let case = Case::new(&[&format!("agent.kind={kind}")]);
        let arena = case.arena();
        let params = case.spec.params("agent");
        let rollout = params["num_steps"].as_u64().expect("a number") * arena.config().num_envs as u64;
        let minibatch = &params["minibatch_size"];
        let shared = SharedPool::default();
        // What runs share lives as long as somebody holds it: backbone, tokenizer, prefix cache.
        let _holder = case.agent(rollout, &shared);
        let run = |updates: u64| {
            let agent = case.agent(updates * rollout, &shared);
            let mut learner = agent.learner(0).expect("a fresh learner");
            let mut log = Stopwatch::default();
            learner.train(Training { arena: &arena, validation: None, log: &mut log }).expect("a training");
            log
        };
        // Prompts of later updates are still new to the cache without this.
        if kind == "ppo-llm" && !quick() {
            run(WARM_UPDATES);
        }

        let mut group = c.benchmark_group("ppo");
        group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Elements(rollout));
        let id = |part: &str| format!("{part}/{kind}/{DEVICE}/samples={rollout}");
        group.bench_function(id("rollout"), |b| b.iter_custom(|n| run(n).rollout));
        group.bench_function(format!("{}/minibatch={minibatch}", id("update")), |b| {
            b.iter_custom(|n| run(n).update);
        });
        group.finish();
    }
}

/// Updates of the run that fills the prefix cache.
const WARM_UPDATES: u64 = 4;

/// Whether the benches are only tried (`cargo test --benches`), not measured.
fn quick() -> bool {
    !std::env::args().any(|a| a == "--bench")
}

/// A log that keeps no row and measures the two halves of an iteration: every step of the environments ends with
/// `progress`, every update with `update`.
struct Stopwatch {
    mark: Instant,
    rollout: Duration,
    update: Duration,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { mark: Instant::now(), rollout: Duration::ZERO, update: Duration::ZERO }
    }
}

impl Stopwatch {
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.mark, now)
    }
}

impl RunLog for Stopwatch {
    fn step(&mut self, _row: StepRecord) {}

    fn update(&mut self, _row: UpdateRecord) {
        let time = self.lap();
        self.update += time;
    }

    fn timing(&mut self, _row: TimingRecord) {}

    /// The digests of all tensors, which a run takes once before it trains, end with a note.
    fn note(&mut self, _line: &str) {
        self.lap();
    }

    fn progress(&mut self, _done: u64, _total: u64) -> bool {
        let time = self.lap();
        self.rollout += time;
        true
    }
}
