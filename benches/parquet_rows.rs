//! A run's `steps.parquet`: written and read back.

use std::collections::BTreeMap;
use std::hint::black_box;

use bench::Case;
use criterion::{BatchSize, Criterion, Throughput};
use store::{
    CompletedInfo, DataInfo, ExperimentStore, Machine, ManifestStart, RunWriter, StoredRun, Versions,
};
use trading_env::{Action, Role, StepRecord};

const RUN: &str = "00112233445566aa";

/// Rows per second, from the first row of a run to its manifest (`write`), and back (`read`). The smaller size is
/// about that of a run of the ablation, where files and renames weigh; the larger shows the rate of encoding and zstd.
/// A regression lengthens every run's end, and a report reads the steps of all runs.
pub fn bench(c: &mut Criterion) {
    let case = Case::new(&[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut group = c.benchmark_group("steps_parquet");
    group.sample_size(20);
    for n in [4_096, 65_536] {
        let rows = rows(&case, n);
        let mut next = 0;
        // Each call gets an experiment of its own: looking for earlier attempts lists a folder.
        let mut fresh = || {
            next += 1;
            let store = ExperimentStore::open(folder.path(), &format!("rows-{n}-{next}"));
            let claimed = store.claim(RUN, false, &start(), "seed = 0\n").expect("a writable folder");
            (store, claimed.expect("nobody else works on a fresh run"), rows.clone())
        };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("write/rows={n}"), |b| {
            b.iter_batched(&mut fresh, |(_, writer, rows)| write(writer, rows), BatchSize::PerIteration);
        });

        let (store, writer, rows) = fresh();
        write(writer, rows);
        let StoredRun { dir, .. } = store.runs().expect("a readable store").remove(0);
        group.bench_function(format!("read/rows={n}"), |b| {
            b.iter(|| black_box(store.read_steps(&dir, None).expect("rows that were just written")));
        });
    }
    group.finish();
}

fn write(mut writer: RunWriter, rows: Vec<StepRecord>) {
    for row in rows {
        writer.step(row).expect("a writable folder");
    }
    writer.complete(CompletedInfo::default()).expect("a writable folder");
}

/// Rows as a training writes them: prices, accounts and rewards of real steps compress as theirs do.
fn rows(case: &Case, n: usize) -> Vec<StepRecord> {
    let arena = case.arena();
    let mut envs = arena.training(0);
    let row = |k: usize| {
        let (t, i) = (k / envs.len(), k % envs.len());
        let step = envs.step(i, Action::ALL[(t * 7 + i) % 3]);
        let noise = (k as f32).sin();
        let row = StepRecord { log_prob: Some(noise - 1.1), value: Some(0.1 * noise), ..envs.record(i) };
        if step.terminated || step.truncated {
            envs.reset(i);
        }
        row
    };
    (0..n).map(row).collect()
}

pub(crate) fn start() -> ManifestStart {
    ManifestStart {
        run_id: RUN.to_owned(),
        experiment: "bench".to_owned(),
        arm: "base".to_owned(),
        arm_key: "base".to_owned(),
        role: Role::Arm,
        axes: serde_json::Map::new(),
        seed: 0,
        versions: Versions { flaglab: env!("CARGO_PKG_VERSION").to_owned(), burn: None, contract: 1 },
        git_commit: None,
        backend: bench::DEVICE.to_owned(),
        adapter: "CPU".to_owned(),
        device: None,
        machine: Machine { cpu: "CPU".to_owned(), cores: 1, os: "any".to_owned() },
        data: DataInfo {
            symbol: "SYNTH".to_owned(),
            fingerprint: "none".to_owned(),
            bars: 2,
            source: "synthetic-news".to_owned(),
        },
        content: BTreeMap::new(),
        models: BTreeMap::new(),
        imported: None,
        command: Vec::new(),
    }
}
