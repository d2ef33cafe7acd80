//! Speed of the units of work that a sweep is made of; see `README.md`.

mod bootstrap;
mod env_steps;
mod experiment_plan;
mod llm_passes;
mod orchestration;
mod parquet_rows;
mod ppo_updates;
mod prompt_tokens;
mod smol_layer;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// Long enough for a median that repeats to a few percent on an idle machine; the whole takes some minutes.
fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = env_steps::bench, prompt_tokens::bench, llm_passes::bench, smol_layer::bench, ppo_updates::bench,
        parquet_rows::bench, experiment_plan::bench, orchestration::bench, bootstrap::bench
}
criterion_main!(benches);
