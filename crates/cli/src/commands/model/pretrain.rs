//! `model pretrain`: trains a small language model and its tokenizer on text of the project.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pretrain::{Outcome, Progress, Recipe};
use serde_json::json;

use crate::arguments::{not_negative, positive};
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::paths::shown;

/// Arguments of `model pretrain`; the defaults make `models/tiny-llama`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// New folder of the model, in Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seed of the text and of the first weights.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().seed)]
    seed: u64,
    /// Optimiser steps.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().steps)]
    steps: usize,
    /// Decoder layers.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().layers)]
    layers: usize,
    /// Width of the model, a multiple of 64.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().width)]
    width: usize,
    /// Most tokens of the vocabulary.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().vocab)]
    vocab: usize,
    /// Sequences per step.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().batch)]
    batch: usize,
    /// Tokens per sequence.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().sequence)]
    sequence: usize,
    /// Largest learning rate, reached after the warm-up; a cosine brings it down to a tenth.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().learning_rate, value_parser = positive)]
    learning_rate: f64,
    /// Steps of the warm-up.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().warmup)]
    warmup: usize,
    /// Decoupled weight decay.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().weight_decay, value_parser = not_negative)]
    weight_decay: f64,
    /// Largest global norm of a gradient.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().max_grad_norm, value_parser = positive)]
    max_grad_norm: f64,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `model pretrain`.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let outcome = pretrain::run(&args.recipe(), &args.out, &mut |progress| {
        let Progress { step, steps, loss, knows, tokens_per_second } = progress;
        eprintln!(
            "step {step} of {steps}: loss {loss:.3}, right about {:.0} % of headlines, {tokens_per_second:.0} tokens/s",
            100.0 * knows
        );
    });
    print(&args.out, &outcome.map_err(|e| Failure::wrong(e.to_string()))?, args.format);
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn recipe(&self) -> Recipe {
        Recipe {
            seed: self.seed,
            steps: self.steps,
            layers: self.layers,
            width: self.width,
            vocab: self.vocab,
            batch: self.batch,
            sequence: self.sequence,
            learning_rate: self.learning_rate,
            warmup: self.warmup,
            weight_decay: self.weight_decay,
            max_grad_norm: self.max_grad_norm,
        }
    }
}

fn print(out: &Path, outcome: &Outcome, format: Format) {
    match format {
        Format::Json => output::print_json(&json!({ "path": shown(out), "outcome": outcome })),
        Format::Text => output::print(&format!(
            "{}: held-out loss {:.4} nats per token (random weights: {:.4}); right about {:.1} % of {} headlines \
             worded as in the last years of the data sets (random weights: {:.1} %)",
            shown(out),
            outcome.held_out_loss,
            outcome.random_loss,
            100.0 * outcome.preference.accuracy,
            outcome.preference.headlines,
            100.0 * outcome.random_preference.accuracy,
        )),
    }
}
