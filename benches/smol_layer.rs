//! One decoder layer at the size of a real model, and the loading of a real model's checkpoint.

use std::hint::black_box;
use std::sync::Arc;

use bench::{DEVICE, smol, smol_layer};
use burn::tensor::{Device, Tensor, TensorData};
use criterion::{Criterion, SamplingMode, Throughput};
use llm::{Backbone, Body, TrainSpec, init};

/// Sequences and tokens of a pass.
const BATCH: [usize; 2] = [4, 256];

/// Floating-point operations of a layer's matrix products and of causal attention for a batch, forward.
fn operations() -> u64 {
    let config = smol_layer();
    let (d, ff, q, kv) = (config.hidden_size, config.intermediate_size, config.q_width(), config.kv_width());
    let [batch, tokens] = BATCH;
    let products = d * (q + 2 * kv) + q * d + 3 * d * ff;
    (2 * batch * tokens * (products + q * (tokens + 1))) as u64
}

/// Passes of one layer of SmolLM2-135M's shape, in elements that are floating-point operations: an idle machine should
/// show most of what its matrix products reach, and `cargo xtask bench --peer` compares it with PyTorch. Loading is of
/// the whole model from an f32 file in the page cache; it should take a second or two, most of it in copying.
pub fn bench(c: &mut Criterion) {
    let device = Device::flex();
    let config = smol_layer();
    let backbone = Arc::new(Backbone::random(&config, 0, &device));
    let [batch, tokens] = BATCH;
    let shape = [batch * tokens, config.hidden_size];
    let x = init::normal(0, "x", shape[0] * shape[1], 1.0);
    let x = Tensor::<2>::from_data(TensorData::new(x, shape), &device);
    let body = |n_trainable_layers| {
        let spec = TrainSpec { n_trainable_layers, ..TrainSpec::default() };
        Body::new(backbone.clone(), spec, 0).expect("a valid training spec")
    };

    let mut group = c.benchmark_group(format!("smol/{DEVICE}"));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let (frozen, trained) = (body(0), body(1));
    group.throughput(Throughput::Elements(operations()));
    group.bench_function(format!("layer/forward/batch={batch}/tokens={tokens}"), |b| {
        b.iter(|| black_box(frozen.layer_alone(0, x.clone(), batch)));
    });
    group.throughput(Throughput::Elements(3 * operations()));
    group.bench_function(format!("layer/forward_backward/batch={batch}/tokens={tokens}"), |b| {
        b.iter(|| {
            let x = x.clone().autodiff().require_grad();
            let mut gradients = trained.layer_alone(0, x, batch).square().sum().backward();
            black_box(trained.params().gradients(&mut gradients))
        });
    });

    let folder = tempfile::tempdir().expect("a temporary folder");
    Backbone::random(&smol(), 0, &device).save(folder.path()).expect("a writable folder");
    group.throughput(Throughput::Elements(1));
    group.bench_function("load/f32", |b| {
        b.iter(|| black_box(Backbone::load(folder.path(), &device).expect("the checkpoint just written")));
    });
    group.finish();
}
