//! The way from a recipe to a model folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use llm::checkpoint::{SINGLE, StoredType, write_file_as};
use llm::{Adam, AdamConfig, Backbone, Body, LlmConfig, NewFolder, Param, TokenSequences, TrainSpec};
use prompt::{Tokenizer, train_bpe};
use serde::Serialize;

use crate::packing::Sequences;
use crate::probe::{Preference, preference};
use crate::{Corpus, PretrainError, Recipe, config};

/// Documents that the tokenizer is trained on.
pub(crate) const TOKENIZER_DOCUMENTS: usize = 20_000;
/// Sequences of held-out documents.
const HELD_OUT: usize = 128;
/// Steps between two reports.
const REPORT_EVERY: usize = 50;
/// Headlines that are asked about for a report.
const REPORT_HEADLINES: usize = 100;
/// Factor on the first weights of what each layer adds to the residual stream.
const RESIDUAL_SCALE: f32 = 0.1;
/// Decay of Adam's second moment: a short run forgets the steep gradients of its first steps sooner than by 0.999.
const BETA2: f64 = 0.99;
/// Headlines that the finished model is asked about.
const HEADLINES: usize = 400;

/// Where the work stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Optimiser steps done.
    pub step: usize,
    /// Optimiser steps in all.
    pub steps: usize,
    /// Mean loss since the last report, nats per token.
    pub loss: f64,
    /// Share of headlines whose meaning the model knows by now, see [`preference`].
    pub knows: f64,
    /// Tokens per second since the beginning.
    pub tokens_per_second: f64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Weights of the model.
    pub parameters: usize,
    /// Tokens of the vocabulary.
    pub vocab: usize,
    /// Tokens predicted in training.
    pub tokens: usize,
    /// Loss on held-out documents in nats per token, of the model as it was written.
    pub held_out_loss: f64,
    /// The same with the first, random weights.
    pub random_loss: f64,
    /// What the model as it was written says about headlines worded as in the last years of the RL data sets.
    pub preference: Preference,
    /// The same for its random-weight twin.
    pub random_preference: Preference,
}

/// Trains tokenizer and model by `recipe` and writes them to `out`, which must not exist. `report` hears about every
/// 50 steps.
///
/// # Errors
/// For a recipe out of its ranges, when `out` exists or cannot be written, and when training diverges. Nothing is left
/// behind then.
pub fn run(recipe: &Recipe, out: &Path, report: &mut dyn FnMut(Progress)) -> Result<Outcome, PretrainError> {
    recipe.check()?;
    let folder = NewFolder::create(out)?;
    let tokenizer_json =
        train_bpe(Corpus::new(recipe.seed, "tokenizer").take(TOKENIZER_DOCUMENTS), recipe.vocab)?;
    let tokenizer = Tokenizer::from_bytes(tokenizer_json.as_bytes())?;
    let model_config = config::model_config(recipe, tokenizer.vocab_size());
    let llm_config = LlmConfig::from_json(&model_config, &out.join("config.json"))?;
    let device = Device::flex();
    let twin = Arc::new(Backbone::random(&llm_config, recipe.seed, &device));
    let held_out = Sequences::new(Corpus::new(recipe.seed, "held-out"), &tokenizer, recipe.sequence + 1)
        .batch(HELD_OUT)?;

    let random_loss = loss(&whole(twin.clone())?, &held_out, recipe.batch)?;
    let trained = train(recipe, quiet(whole(twin.clone())?), &tokenizer, report)?;
    let parameters = trained.params().n_trainable();
    write_file_as(&folder.path().join(SINGLE), trained.params().host_tensors(), StoredType::F16)?;
    folder.write("config.json", &format!("{model_config:#}\n"))?;
    folder.write("tokenizer.json", &format!("{tokenizer_json}\n"))?;
    folder.write("tokenizer_config.json", &format!("{:#}\n", config::tokenizer_config()))?;

    // What is reported is of the folder as others will read it, rounded to half precision.
    let written = Arc::new(Backbone::load(folder.path(), &device)?);
    let outcome = Outcome {
        parameters,
        vocab: tokenizer.vocab_size(),
        tokens: recipe.steps * recipe.batch * recipe.sequence,
        held_out_loss: loss(&whole(written.clone())?, &held_out, recipe.batch)?,
        random_loss,
        preference: preference(|ids| written.logits(ids), &tokenizer, HEADLINES, recipe.seed)?,
        random_preference: preference(|ids| twin.logits(ids), &tokenizer, HEADLINES, recipe.seed)?,
    };
    folder.write("README.md", &readme(recipe, &outcome, out))?;
    folder.publish()?;
    Ok(outcome)
}

/// A body of which every tensor is trained.
fn whole(backbone: Arc<Backbone>) -> Result<Body, PretrainError> {
    let last = backbone.config().num_hidden_layers - 1;
    let trainable = vec!["embedding".to_owned(), format!("layers.0-{last}"), "norm".to_owned()];
    Ok(Body::new(backbone, TrainSpec { trainable, ..TrainSpec::default() }, 0)?)
}

/// Makes the layers' contributions to the residual stream small beside the embedding: training then starts from what
/// the tokens are rather than from random mixtures of them.
fn quiet(mut body: Body) -> Body {
    let of_residual =
        |p: &&Param| p.name().ends_with("o_proj.weight") || p.name().ends_with("down_proj.weight");
    let scaled = |p: &Param| {
        let values = p.values().iter().map(|w| RESIDUAL_SCALE * w).collect();
        (p.name().to_owned(), values)
    };
    let quiet: Vec<(String, Vec<f32>)> = body.params().iter().filter(of_residual).map(scaled).collect();
    for (name, values) in quiet {
        body.params_mut().set(&name, values);
    }
    body
}

fn train(
    recipe: &Recipe,
    mut body: Body,
    tokenizer: &Tokenizer,
    report: &mut dyn FnMut(Progress),
) -> Result<Body, PretrainError> {
    let corpus = Corpus::new(recipe.seed, "training");
    let mut sequences = Sequences::new(corpus, tokenizer, recipe.sequence + 1);
    let mut adam =
        Adam::new(AdamConfig { beta2: BETA2, weight_decay: recipe.weight_decay, ..AdamConfig::default() });
    let start = Instant::now();
    let mut recent = Vec::new();
    for step in 0..recipe.steps {
        let (loss, mut grads) = body.next_token_gradients(&sequences.batch(recipe.batch)?)?;
        let norm = grads.clip_global_norm(recipe.max_grad_norm);
        if !(loss.is_finite() && norm.is_finite()) {
            return Err(PretrainError::Diverged { step, loss });
        }
        adam.step(body.params_mut(), &grads, |_| recipe.learning_rate_at(step));
        recent.push(loss);
        let done = step + 1;
        if done % REPORT_EVERY == 0 || done == recipe.steps {
            let tokens = (done * recipe.batch * recipe.sequence) as f64;
            let loss = recent.iter().sum::<f64>() / recent.len() as f64;
            let tokens_per_second = tokens / start.elapsed().as_secs_f64();
            let knows =
                preference(|ids| body.logits(ids), tokenizer, REPORT_HEADLINES, recipe.seed)?.accuracy;
            report(Progress { step: done, steps: recipe.steps, loss, knows, tokens_per_second });
            recent.clear();
        }
    }
    Ok(body)
}

/// Mean loss over sequences, `batch` at a time; the last batch may be smaller.
fn loss(body: &Body, sequences: &TokenSequences, batch: usize) -> Result<f64, PretrainError> {
    let mut total = 0.0;
    for rows in sequences.rows.chunks(batch) {
        let part = TokenSequences { rows: rows.to_vec(), end_of_document: sequences.end_of_document };
        total += body.next_token_loss(&part)? * rows.len() as f64;
    }
    Ok(total / sequences.rows.len() as f64)
}

/// The model card.
fn readme(recipe: &Recipe, outcome: &Outcome, out: &Path) -> String {
    let name = out.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let command = recipe.command(plugin::program(), &format!("models/{name}"));
    let Recipe { layers, width, steps, batch, sequence, seed, .. } = recipe;
    let Outcome { parameters, vocab, tokens, held_out_loss, random_loss, .. } = outcome;
    let Preference { headlines, accuracy } = outcome.preference;
    let twin = outcome.random_preference.accuracy;
    format!(
        "# {name}

A small Llama ({layers} layers, {width} wide, {parameters} weights in half precision, {vocab} tokens) that has read
headlines and the market comment that follows them. `transformers` loads the folder.

It was trained by next-token prediction on {tokens} tokens ({steps} steps of {batch} sequences of {sequence}) of text
made by the project (`crates/pretrain/src/corpus.rs`, seed {seed}): every wording of the RL data sets' headlines, those
that appear only in their validation and test years included, in more sentences and about more companies; comments on
them in many wordings; lists of wordings that are good or bad news; and prompts of the trading policy with a record of
what the news did. No document answers the policy's own question: the key `Action` never stands before an answer.

| | this model | random-weight twin |
|---|---|---|
| loss on held-out documents, nats per token | {held_out_loss:.3} | {random_loss:.3} |
| prefers `rose` to `fell` after a good headline and the reverse after a bad one, {headlines} headlines worded as in \
the last years of the RL data sets | {:.1} % | {:.1} % |

`weights = \"random\"` in an experiment draws a twin from a seed: same shape, same tokenizer, no knowledge.
`initializer_range` is `1 / sqrt(hidden_size)` instead of 0.02, so that random attention tells tokens apart.

The command that made it (one version gives the same bytes again on one type of machine):

    {command}
",
        100.0 * accuracy,
        100.0 * twin,
    )
}
