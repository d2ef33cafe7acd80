//! A sweep of 10,000 runs planned, and looked at when all are done.

use std::cell::OnceCell;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput};
use experiment::Experiment;
use plugin::Files;
use runner::{Plan, Registry};
use store::{CompletedInfo, ExperimentStore, Metrics, RunState};

/// Arms of 10 seeds.
const ARMS: usize = 1_000;
const SEEDS: usize = 10;

/// Runs per second of three looks at a sweep of an agent that does nothing: planned from its file (`plan`), the same where
/// all runs are done, which every sweep begins with (`decide`), and their states again, which `status --watch` and a
/// waiting sweep do every two seconds (`refresh`). Each has to stay below a second, or people wait for a sweep that has
/// nothing to do; work per run that could be per arm, and whatever is read of a manifest besides its state, shows here. The
/// whole of a sweep, in processes of its own, is `cargo xtask bench --orchestration`.
pub fn bench(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("many.toml");
    let cash: Vec<String> = (0..ARMS).map(|i| (100_000 + i).to_string()).collect();
    let text = it::many_runs(SEEDS, "flat", "env.initial_cash", &cash);
    fs::write(&path, text).expect("a writable folder");
    let registry = it::registry();
    let sections = registry.sections();
    let files = Files { root: folder.path().to_owned(), ..Files::default() };
    let load = || experiment::load(&path, &[], &[], &sections).expect("the sweep is valid");
    // Made when a bench asks for it: the others need none of it.
    let done = OnceCell::new();
    let done = || done.get_or_init(|| finish(&registry, &load(), &files, folder.path()));
    let n = ARMS * SEEDS;

    let mut group = c.benchmark_group("orchestration");
    group.sample_size(10).throughput(Throughput::Elements(n as u64));
    group.bench_function(format!("plan/runs={n}"), |b| {
        b.iter(|| {
            let (experiment, store) = (load(), ExperimentStore::open(folder.path(), "none"));
            black_box(plan(&registry, &experiment, &files, store).runs)
        });
    });
    group.bench_function(format!("decide/runs={n}"), |b| {
        let store = done();
        b.iter(|| {
            let experiment = load();
            let plan = plan(&registry, &experiment, &files, store.clone());
            assert!(plan.runs.iter().all(|run| run.state == RunState::Completed));
        });
    });
    group.bench_function(format!("refresh/runs={n}"), |b| {
        let experiment = load();
        let mut plan = plan(&registry, &experiment, &files, done().clone());
        b.iter(|| plan.refresh().expect("a readable folder"));
    });
    group.finish();
}

fn plan<'a>(
    registry: &'a Registry,
    experiment: &'a Experiment,
    files: &'a Files,
    store: ExperimentStore,
) -> Plan<'a> {
    Plan::new(registry, experiment, files, store).unwrap_or_else(|e| panic!("the plan is valid: {e:?}"))
}

/// A folder in which all runs are done: manifests as long as those of real runs, under the ids of the plan.
fn finish(registry: &Registry, experiment: &Experiment, files: &Files, root: &Path) -> ExperimentStore {
    let store = ExperimentStore::open(root, "done");
    let plan = plan(registry, experiment, files, store.clone());
    let first = store.claim(&plan.runs[0].id, false, &crate::parquet_rows::start(), "seed = 0\n");
    let writer = first.expect("a writable folder").expect("nobody else works on a fresh run");
    let path = writer.dir().join("manifest.json");
    let score = serde_json::json!({ "sharpe": 0.5, "paper": { "cr": 1.5, "sr": 0.25 }, "n_days": 100 });
    let scores = serde_json::json!({ "a": vec![score; 20] });
    let metrics = Metrics { train: Some(scores.clone()), valid: None, test: Some(scores) };
    writer.complete(CompletedInfo { metrics, ..CompletedInfo::default() }).expect("a writable folder");
    let text = fs::read(path).expect("a manifest");
    for run in &plan.runs[1..] {
        let dir = store.dir().join(&run.id);
        fs::create_dir(&dir).and_then(|()| fs::write(dir.join("manifest.json"), &text)).expect("a manifest");
    }
    store
}
