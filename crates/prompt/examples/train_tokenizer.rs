//! Trains the byte-level BPE tokenizer of a small model on rendered prompts of a data set.
//!
//! `cargo run -p prompt --example train_tokenizer -- DATASET_DIR LAST_DATE VOCAB_SIZE OUT.json`
//!
//! Only bars up to `LAST_DATE`, the end of the training split, are read: wordings that first appear in validation or
//! test stay unknown words, spelt from pieces. The account parts come from random decisions under several rules and
//! rewards, so that numbers of every kind are seen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use market_data::{BarSeries, Segment, dataset};
use plugin::BuildError;
use prompt::{Encoder, PromptConfig, PromptParts, Style, Tokenizer, train_bpe};
use rand::RngExt;
use trading_env::{
    Arena, DifferentialSharpe, DifferentialSharpeParams, EnvConfig, InvestorBench, LogReturn,
    LogReturnParams, Paper, RewardFn, Rules, SharpeDelta, SharpeDeltaParams, SplitName, rng,
};

type Failure = Box<dyn std::error::Error>;
type Setting = (Arc<dyn Rules>, Arc<dyn RewardFn>);

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [data, last, vocab_size, out] = &args[..] else {
        return Err("expected DATASET_DIR LAST_DATE VOCAB_SIZE OUT.json".into());
    };
    let last: NaiveDate = last.parse()?;
    let vocab_size: usize = vocab_size.parse()?;
    let series = dataset::load(Path::new(data))?;
    let mut prompts = Vec::new();
    for (i, (rules, reward)) in settings()?.into_iter().enumerate() {
        prompts.extend(walk(&series, last, rules, reward, i as u64)?);
    }
    let texts = prompts.iter().flat_map(|p| [&p.shared, &p.own]);
    let json = train_bpe(texts, vocab_size)?;
    std::fs::write(PathBuf::from(out), format!("{json}\n"))?;
    report(&json, &prompts)
}

/// Rules and rewards whose numbers the tokenizer shall know.
fn settings() -> Result<Vec<Setting>, BuildError> {
    Ok(vec![
        (Arc::new(InvestorBench), Arc::new(LogReturn::new(LogReturnParams::default())?)),
        (Arc::new(InvestorBench), Arc::new(LogReturn::new(LogReturnParams { scale: 100.0 })?)),
        (Arc::new(Paper), Arc::new(SharpeDelta::new(SharpeDeltaParams::default())?)),
        (Arc::new(Paper), Arc::new(DifferentialSharpe::new(DifferentialSharpeParams::default())?)),
    ])
}

/// Prompts of one pass over the bars up to `last` with random decisions.
fn walk(
    series: &BarSeries,
    last: NaiveDate,
    rules: Arc<dyn Rules>,
    reward: Arc<dyn RewardFn>,
    seed: u64,
) -> Result<Vec<PromptParts>, Failure> {
    let config = PromptConfig::default();
    let segment = Segment::whole(series.clone());
    let arena = Arena::new(segment, SplitName::Train, rules, reward, EnvConfig::default())?;
    let mut env = arena.evaluation();
    let mut random = rng(seed, "tokenizer");
    let mut prompts = Vec::new();
    loop {
        let observation = env.observe(0);
        if observation.history.date() > last {
            return Ok(prompts);
        }
        prompts.push(config.render(&observation));
        let legal: Vec<_> = observation.mask.legal().collect();
        let action = legal[random.random_range(0..legal.len())];
        let step = env.step(0, action);
        if step.terminated || step.truncated {
            return Ok(prompts);
        }
    }
}

/// Prints how long prompts are under the new tokenizer.
fn report(json: &str, prompts: &[PromptParts]) -> Result<(), Failure> {
    let tokenizer = Tokenizer::from_bytes(json.as_bytes())?;
    let mut lengths = [Vec::new(), Vec::new()];
    for p in prompts {
        lengths[0].push(tokenizer.encode_first(&p.shared)?.len());
        lengths[1].push(tokenizer.encode_more(&p.own)?.len());
    }
    println!("{} tokens, {} prompts", tokenizer.vocab_size(), prompts.len());
    for (name, lengths) in ["shared", "own"].iter().zip(lengths) {
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        println!("{name}: mean {mean:.1}, longest {} tokens", lengths.iter().max().copied().unwrap_or(0));
    }
    let encoder = Encoder::new(PromptConfig { style: Style::Compact, ..PromptConfig::default() }, tokenizer);
    let pieces: Result<Vec<_>, _> = encoder
        .tokenizer()
        .encode_first(&prompts[prompts.len() / 2].shared)?
        .iter()
        .chain(&encoder.tokenizer().encode_more(&prompts[prompts.len() / 2].own)?)
        .map(|id| encoder.tokenizer().decode(&[*id]))
        .collect();
    println!("{:?}", pieces?);
    Ok(())
}
