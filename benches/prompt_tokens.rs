//! Observations to text, and to tokens.

use std::hint::black_box;

use bench::Case;
use criterion::{Criterion, Throughput};
use prompt::{PromptConfig, Style};

/// Different observations in one measured call, so that no bar or account is special.
const PROMPTS: usize = 64;

/// Rendering counts prompts, encoding (rendering and tokenising) counts tokens. Every environment step of `ppo-llm`
/// encodes one prompt, cached model states or not: a regression here is a floor under the speed of all rollouts.
pub fn bench(c: &mut Criterion) {
    let case = Case::new(&[&format!("env.num_envs={PROMPTS}")]);
    let envs = bench::traded(&case.arena(), 12);
    let observations = envs.observations();
    let mut group = c.benchmark_group("prompt");
    group.sample_size(20);
    for (word, style) in [("compact", Style::Compact), ("full", Style::Full)] {
        // Room for the longer style, so that neither is cut.
        let config = PromptConfig { style, max_tokens: None, ..case.llm().prompt };
        let encoder = case.encoder(config.clone());
        let length = |encoded: prompt::Encoded| encoded.shared.len() + encoded.own.len();
        let encode = |o| encoder.encode(o).expect("the shipped data can be encoded");
        let tokens: usize = observations.iter().map(|o| length(encode(o))).sum();

        group.throughput(Throughput::Elements(PROMPTS as u64));
        group.bench_function(format!("render/{word}"), |b| {
            b.iter(|| {
                for o in &observations {
                    black_box(config.render(o));
                }
            });
        });
        group.throughput(Throughput::Elements(tokens as u64));
        group.bench_function(format!("encode/{word}/tokens={}", tokens / PROMPTS), |b| {
            b.iter(|| {
                for o in &observations {
                    black_box(encode(o));
                }
            });
        });
    }
    group.finish();
}
