//! The interval of an arm's mean over its seeds.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use rand::RngExt;
use stats::{Seed, SeedScores};

/// Intervals per second. A report draws one per arm and metric and one per bar of its charts' bands, so that its time
/// grows with this once it has thousands of them.
pub fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("bootstrap_interval");
    group.throughput(Throughput::Elements(1));
    for seeds in [3, 10, 30] {
        let mut stream = trading_env::rng(0, "bench-scores");
        let scores = SeedScores::new((0..seeds).map(|s| (Seed(s), Some(stream.random_range(-1.0..1.0)))));
        group.bench_with_input(
            BenchmarkId::from_parameter(format!("seeds={seeds}")),
            &scores,
            |b, scores| {
                b.iter(|| black_box(scores.interval(0.95)));
            },
        );
    }
    group.finish();
}
