//! Environment steps on one core.

use std::hint::black_box;

use bench::Case;
use criterion::{BatchSize, Criterion, Throughput};
use rand::RngExt;
use trading_env::Action;

/// Steps of every environment in one measured call; several episodes, so that resets are part of it.
const STEPS: usize = 256;

/// Observe, step, and reset at the end of an episode, for each of 8 environments. At least 2 million steps per second
/// are asked of `log-return`: a baseline or a control like `ppo-mlp` is bound by this loop, and a slower one usually
/// means an allocation or a dynamic lookup per step.
pub fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("env_step");
    let mut stream = trading_env::rng(0, "bench-actions");
    let actions: Vec<Action> = (0..STEPS).map(|_| Action::ALL[stream.random_range(0..3)]).collect();
    for (rules, reward) in [
        ("investor-bench", "log-return"),
        ("investor-bench", "sharpe-delta"),
        ("investor-bench", "differential-sharpe"),
        ("paper", "log-return"),
        ("realistic", "log-return"),
    ] {
        let case = Case::new(&[&format!("rules={rules}"), &format!("reward={reward}")]);
        let arena = case.arena();
        let n_envs = arena.config().num_envs;
        group.throughput(Throughput::Elements((STEPS * n_envs) as u64));
        group.bench_function(format!("{rules}/{reward}/envs={n_envs}"), |b| {
            b.iter_batched_ref(
                || arena.training(0),
                |envs| {
                    let mut total = 0.0;
                    for action in &actions {
                        for i in 0..n_envs {
                            black_box(envs.observe(i));
                            total += bench::trade(envs, i, *action);
                        }
                    }
                    total
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}
