//! All pages of a report of 1,000 runs: 196 arms and 4 baselines with 5 seeds, 252 days, 20 updates.
//!
//! Prints the largest resident memory of the process too, the input's 1,000 runs included.

// The tests use more of it than we do.
#[allow(dead_code)]
#[path = "../src/tests/demo.rs"]
mod demo;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// As in the program.
#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn bench(c: &mut Criterion) {
    let (demo, plan) = demo::many(196, 5, 252, 20);
    let input = demo.input(&plan);
    let out = tempfile::tempdir().expect("a folder");
    let mut group = c.benchmark_group("report");
    group.bench_function("pages/runs=1000", |b| {
        b.iter(|| black_box(report::render(&input, out.path()).expect("renders")));
    });
    group.finish();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(20)).without_plots();
    targets = bench
}
criterion_main!(benches);
