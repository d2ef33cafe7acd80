//! An experiment of about a thousand runs: read, expanded, checked, and planned.

use std::hint::black_box;

use bench::{files, root};
use criterion::{Criterion, Throughput};
use runner::Plan;
use store::ExperimentStore;

/// Runs per second of `experiment::load` (layers, sweep, defaults, checks of every arm) and of `Plan::new` (data,
/// identities, states of an empty store). `--plan` and every start of a sweep wait for both, so they have to stay
/// within about a second for the largest sweeps; work per run that could be per arm or per file shows here first.
pub fn bench(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("many.toml");
    let base = std::path::absolute(root().join("experiments/base.toml")).expect("a path");
    // 4 * 4 * 7 * 3 = 336 arms of 3 seeds.
    let text = format!(
        "extends = {base:?}\n\
         seeds = 3\n\
         [sweep]\n\
         mode = \"grid\"\n\
         [sweep.axes]\n\
         \"agent.n_trainable_layers\" = [1, 2, 3, 4]\n\
         \"agent.lora.rank\" = [0, 2, 4, 8]\n\
         \"agent.learning_rate\" = [1e-5, 3e-5, 1e-4, 3e-4, 5e-4, 1e-3, 3e-3]\n\
         reward = [\"log-return\", \"sharpe-delta\", \"differential-sharpe\"]\n"
    );
    std::fs::write(&path, text).expect("a writable folder");

    let registry = flaglab::builtins();
    let sections = registry.sections();
    let load = || experiment::load(&path, &[], &[], &sections).expect("the sweep is valid");
    let experiment = load();
    let files = files();
    let plan = || {
        let store = ExperimentStore::open(folder.path(), "many");
        Plan::new(&registry, &experiment, &files, store)
            .unwrap_or_else(|e| panic!("the plan is valid: {e:?}"))
    };
    let n = plan().runs.len();

    let mut group = c.benchmark_group("experiment");
    group.sample_size(10).throughput(Throughput::Elements(n as u64));
    group.bench_function(format!("load/runs={n}"), |b| b.iter(|| black_box(load())));
    group.bench_function(format!("plan/runs={n}"), |b| b.iter(|| black_box(plan().runs)));
    group.finish();
}
