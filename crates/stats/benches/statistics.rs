//! What a report computes of a sweep of 100 arms with 20 seeds and 252 days, 10,000 resamples each.
//!
//! A sweep of a thousand runs ends with this: `together` is what a report waits for.

#[path = "../examples/statistics/work.rs"]
mod work;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use work::Sweep;

fn bench(c: &mut Criterion) {
    let sweep = Sweep::new();
    let (scores, panel) = (sweep.scores(), sweep.panel());
    let mut group = c.benchmark_group("statistics/arms=100/seeds=20/days=252");
    group.bench_function("tear_sheets", |b| b.iter(|| black_box(sweep.tear_sheets())));
    group.bench_function("intervals", |b| b.iter(|| black_box(work::intervals(&scores))));
    group.bench_function("improvement", |b| b.iter(|| black_box(work::improvements(&scores))));
    group.bench_function("spa", |b| b.iter(|| black_box(work::spa(&panel, &sweep.benchmark))));
    group.bench_function("deflated_sharpe", |b| b.iter(|| black_box(work::deflated(&panel))));
    group.bench_function("pbo", |b| b.iter(|| black_box(work::overfitting(&panel))));
    group.bench_function("together", |b| {
        b.iter(|| {
            black_box(work::intervals(&scores));
            black_box(work::improvements(&scores));
            black_box(work::spa(&panel, &sweep.benchmark));
            black_box(work::deflated(&panel));
            black_box(work::overfitting(&panel))
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1));
    targets = bench
}
criterion_main!(benches);
