//! The language model: prompt parts up to the freeze boundary, trained layers, gradients.

use std::hint::black_box;
use std::sync::Arc;

use bench::{Case, DEVICE, root};
use burn::tensor::Device;
use criterion::{Criterion, SamplingMode, Throughput};
use llm::{Backbone, Body, EncodedSequence, LlmConfig, SharedPart, TrainSpec};
use prompt::Encoded;

/// Rows of one pass: the environments of a rollout step, and the samples of one micro-batch.
const BATCH: usize = 8;

/// Tokens per second of each pass of `models/tiny-llama`'s shape with random weights, on the prompts of the shipped
/// data. Counted are the tokens of the part that the pass computes.
///
/// `shared` is paid once per bar and boundary and then cached, `own` once per environment step, `forward` once per
/// step and again for the reference policy, `forward_backward` once per sample and epoch. A regression of one of them
/// that the others do not show is one of its own path: keys and values of the past, padding, or the graph.
pub fn bench(c: &mut Criterion) {
    let case = Case::new(&[&format!("env.num_envs={BATCH}")]);
    let params = case.llm();
    let encoder = case.encoder(params.prompt.clone());
    let envs = bench::traded(&case.arena(), 12);
    let prompts: Vec<Encoded> = envs
        .observations()
        .iter()
        .map(|o| encoder.encode(o).expect("the shipped data can be encoded"))
        .collect();
    let n_shared: usize = prompts.iter().map(|p| p.shared.len()).sum();
    let n_own: usize = prompts.iter().map(|p| p.own.len()).sum();

    let config = LlmConfig::read(&root().join("models/tiny-llama")).expect("the shipped model is valid");
    let backbone = Arc::new(Backbone::random(&config, 0, &Device::flex()));
    let n_layers = config.num_hidden_layers;
    let body = |n_trainable_layers: usize| {
        let spec = TrainSpec { n_trainable_layers, ..params.train_spec() };
        Body::new(backbone.clone(), spec, 0).expect("a valid training spec")
    };
    let shared = |body: &Body, p: &Encoded| body.encode_shared(&p.shared).expect("tokens of the model");
    let own =
        |body: &Body, s: &SharedPart, p: &Encoded| body.encode_own(s, &p.own).expect("tokens of the model");

    // On Flex a pass is done when the call returns; the sync keeps the numbers honest on a device that queues.
    let done = || backbone.device().sync().expect("the device works");
    let mut group = c.benchmark_group(format!("llm/{DEVICE}"));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);

    let one = body(1);
    let id = |pass: &str, n: usize| format!("{pass}/batch={BATCH}/tokens={}", n / BATCH);
    group.throughput(Throughput::Elements(n_shared as u64));
    group.bench_function(id(&format!("shared/frozen={}", n_layers - 1), n_shared), |b| {
        b.iter(|| {
            for p in &prompts {
                black_box(shared(&one, p));
            }
            done();
        });
    });
    let cached: Vec<SharedPart> = prompts.iter().map(|p| shared(&one, p)).collect();
    group.throughput(Throughput::Elements(n_own as u64));
    group.bench_function(id(&format!("own/frozen={}", n_layers - 1), n_own), |b| {
        b.iter(|| {
            for (s, p) in cached.iter().zip(&prompts) {
                black_box(own(&one, s, p));
            }
            done();
        });
    });

    group.throughput(Throughput::Elements((n_shared + n_own) as u64));
    for trained in [1, n_layers] {
        let body = body(trained);
        let parts: Vec<EncodedSequence> = prompts.iter().map(|p| own(&body, &shared(&body, p), p)).collect();
        group.bench_function(id(&format!("forward/trained={trained}"), n_shared + n_own), |b| {
            b.iter(|| {
                black_box(body.forward_frozen(&parts));
                done();
            });
        });
        group.bench_function(id(&format!("forward_backward/trained={trained}"), n_shared + n_own), |b| {
            b.iter(|| {
                let mut gradients = body.forward(&parts).square().sum().backward();
                black_box(body.params().gradients(&mut gradients));
                done();
            });
        });
    }
    group.finish();
}
