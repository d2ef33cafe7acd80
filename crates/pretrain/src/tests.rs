//! From recipe to folder, and what the shipped model knows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use llm::{Backbone, LlmConfig};
use market_data::Segment;
use market_data::synth::{SynthParams, generate};
use prompt::{Encoder, PromptConfig, Tokenizer};
use trading_env::{Action, Arena, EnvConfig, InvestorBench, LogReturn, LogReturnParams, SplitName};

use super::*;
use crate::packing::Sequences;

/// A recipe of a few seconds.
fn small() -> Recipe {
    Recipe {
        steps: 6,
        layers: 1,
        width: 64,
        vocab: 600,
        batch: 2,
        sequence: 64,
        warmup: 2,
        ..Recipe::default()
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_recipe_makes_the_same_folder_again_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("a/model"), dir.path().join("b/model"));
    let mut steps = Vec::new();
    let outcome = run(&small(), &one, &mut |progress| steps.push(progress.step)).unwrap();
    assert_eq!(steps, [6]);
    assert_eq!(run(&small(), &two, &mut |_| ()).unwrap(), outcome);
    let names: Vec<_> = files(&one).into_iter().map(|(name, _)| name).collect();
    let expected =
        ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(names, expected);
    assert!(files(&one) == files(&two), "equal recipes give equal bytes");
    assert_eq!(outcome.vocab, 600);
    assert_eq!(outcome.tokens, 6 * 2 * 64);
    assert!(outcome.held_out_loss < outcome.random_loss, "{outcome:?}");

    let error = run(&small(), &one, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("model: exists already, expected a new path"), "{error}");
    assert!(files(&one) == files(&two));
    let other = run(&Recipe { seed: 1, ..small() }, &dir.path().join("c"), &mut |_| ()).unwrap();
    assert_ne!(other.held_out_loss, outcome.held_out_loss);
    // No hidden folder is left.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_failed_run_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let wild = Recipe { learning_rate: 1e30, ..small() };
    let error = run(&wild, &dir.path().join("model"), &mut |_| ()).unwrap_err().to_string();
    assert!(error.starts_with("training diverged at step "), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn options_out_of_range_are_named() {
    let error = |recipe: Recipe| recipe.check().unwrap_err().to_string();
    assert_eq!(error(Recipe { width: 100, ..small() }), "width: expected a multiple of 64, found 100");
    assert_eq!(error(Recipe { vocab: 10, ..small() }), "vocab: expected 300 to 100000, found 10");
    assert_eq!(error(Recipe { warmup: 7, ..small() }), "warmup: expected 0 to 6, found 7");
    assert_eq!(
        error(Recipe { learning_rate: f64::NAN, ..small() }),
        "learning-rate: expected a finite number above 0, found NaN"
    );
    let dir = tempfile::tempdir().unwrap();
    let error = run(&Recipe { layers: 0, ..small() }, &dir.path().join("m"), &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "layers: expected 1 to 64, found 0");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_learning_rate_warms_up_and_falls() {
    let recipe = Recipe { steps: 110, warmup: 10, learning_rate: 2.0, ..small() };
    let at = |step| recipe.learning_rate_at(step);
    assert_eq!((at(0), at(4), at(9), at(10)), (0.2, 1.0, 2.0, 2.0));
    // Half of the way: the mean of the largest and a tenth of it.
    assert!((at(60) - 1.1).abs() < 1e-12);
    assert!((10..109).all(|step| at(step + 1) < at(step)));
    assert!(at(109) > 0.2);
}

#[test]
fn the_command_names_what_differs_from_the_default() {
    assert_eq!(Recipe::default().command("flaglab", "models/x"), "flaglab model pretrain --out models/x");
    let recipe = Recipe { seed: 7, learning_rate: 0.001, ..Recipe::default() };
    assert_eq!(
        recipe.command("cargo xtask", "m"),
        "cargo xtask model pretrain --out m --seed 7 --learning-rate 0.001"
    );
}

#[test]
fn sequences_begin_with_documents_that_end_of_text_separates() {
    let tokenizer = shipped_tokenizer();
    let text = |ids: &[u32]| tokenizer.decode(ids).unwrap();
    let documents: Vec<String> = Corpus::new(5, "packing").take(60).collect();
    let mut sequences = Sequences::new(Corpus::new(5, "packing"), &tokenizer, 150);
    let mut seen = Vec::new();
    for ids in sequences.batch(10).unwrap().rows {
        assert_eq!(ids.len(), 150);
        let pieces: Vec<_> = ids.split(|id| *id == 0).map(text).collect();
        let (last, whole) = pieces.split_last().unwrap();
        assert!(whole.iter().all(|piece| documents.contains(piece)));
        assert!(documents.iter().any(|d| d.starts_with(last.as_str())));
        assert!(documents.iter().any(|d| d.starts_with(&pieces[0])), "{}", pieces[0]);
        seen.extend(whole.to_vec());
    }
    // No document that fits is lost: those seen are the first of the corpus, in order.
    let fits = |d: &&String| tokenizer.encode_first(d).unwrap().len() < 150;
    let expected: Vec<&String> = documents.iter().filter(fits).take(seen.len()).collect();
    assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny-llama")
}

fn shipped_tokenizer() -> Tokenizer {
    Tokenizer::from_file(&shipped().join("tokenizer.json")).unwrap()
}

/// The shipped model and its random-weight twin.
fn shipped_models() -> [Arc<Backbone>; 2] {
    let device = Device::flex();
    let model = Backbone::load(&shipped(), &device).unwrap();
    let twin = Backbone::random(&LlmConfig::read(&shipped()).unwrap(), 0, &device);
    [model, twin].map(Arc::new)
}

#[test]
fn the_shipped_model_is_what_its_recipe_says() {
    let bytes: usize = files(&shipped()).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 6_000_000, "{bytes} bytes");
    let recipe = Recipe::default();
    let config = LlmConfig::read(&shipped()).unwrap();
    assert_eq!((config.hidden_size, config.num_hidden_layers), (recipe.width, recipe.layers));
    assert_eq!(config.vocab_size, recipe.vocab);
    assert_eq!(shipped_tokenizer().vocab_size(), recipe.vocab);
    let card = std::fs::read_to_string(shipped().join("README.md")).unwrap();
    assert!(card.contains(&recipe.command("cargo xtask", "models/tiny-llama")), "{card}");
    // The tokenizer is that of the recipe's text.
    let made =
        prompt::train_bpe(Corpus::new(recipe.seed, "tokenizer").take(run::TOKENIZER_DOCUMENTS), recipe.vocab);
    let stored = std::fs::read_to_string(shipped().join("tokenizer.json")).unwrap();
    assert!(stored.trim_end() == made.unwrap(), "tokenizer.json is not made by the recipe");
}

/// Headlines worded as in the RL data sets' last years: the model finishes `Shares` with `rose` after good ones and
/// with `fell` after bad ones; its twin guesses.
#[test]
fn the_shipped_model_knows_what_late_headlines_mean() {
    let tokenizer = shipped_tokenizer();
    let [model, twin] = shipped_models();
    // Other headlines than those of the model card.
    let [model, twin] =
        [model, twin].map(|m| preference(|ids| m.logits(ids), &tokenizer, 300, 99).unwrap().accuracy);
    assert!(model > 0.9, "the model is right in {model} of the cases");
    assert!((0.35..0.65).contains(&twin), "the twin is right in {twin} of the cases");
}

/// The last state of every prompt of a policy that reads the bars `bars` of the synthetic market, with what the news
/// of that bar say.
fn prompt_states(
    model: &Backbone,
    tokenizer: &Tokenizer,
    bars: std::ops::Range<usize>,
) -> Vec<(Vec<f64>, bool)> {
    let market = generate(&SynthParams::default()).unwrap();
    let segment = Segment::whole(market.series.slice(bars.clone()).unwrap());
    let reward = LogReturn::new(LogReturnParams { scale: 100.0 }).unwrap();
    let env = EnvConfig { memory: 3, ..EnvConfig::default() };
    let arena =
        Arena::new(segment, SplitName::Train, Arc::new(InvestorBench), Arc::new(reward), env).unwrap();
    let encoder = Encoder::new(PromptConfig::default(), tokenizer.clone());
    let mut envs = arena.evaluation();
    let mut states = Vec::new();
    for t in bars.start..bars.end - 1 {
        let parts = encoder.encode(&envs.observe(0)).unwrap();
        let ids = [parts.shared, parts.own].concat();
        let last = model.hidden(&ids).unwrap().narrow(0, ids.len() - 1, 1);
        let state = last.try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from).collect();
        states.push((state, market.signal[t] > 0));
        envs.step(0, Action::ALL[t % 3]);
    }
    states
}

/// Share of `test` that a logistic regression on `train` gets right: full-batch gradient descent on standardised
/// states, with a little weight decay.
fn linear_probe(train: &[(Vec<f64>, bool)], test: &[(Vec<f64>, bool)]) -> f64 {
    let d = train[0].0.len();
    let n = train.len() as f64;
    let mean: Vec<f64> = (0..d).map(|i| train.iter().map(|(x, _)| x[i]).sum::<f64>() / n).collect();
    let std = |i: usize| (train.iter().map(|(x, _)| (x[i] - mean[i]).powi(2)).sum::<f64>() / n).sqrt();
    let std: Vec<f64> = (0..d).map(|i| std(i).max(1e-6)).collect();
    let scaled = |x: &[f64]| -> Vec<f64> { (0..d).map(|i| (x[i] - mean[i]) / std[i]).collect() };
    let rows: Vec<(Vec<f64>, f64)> =
        train.iter().map(|(x, up)| (scaled(x), f64::from(u8::from(*up)))).collect();
    let (mut w, mut b) = (vec![0.0; d], 0.0);
    let score = |w: &[f64], b: f64, x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b;
    for _ in 0..400 {
        let mut step = vec![0.0; d];
        let mut step_b = 0.0;
        for (x, y) in &rows {
            let error = 1.0 / (1.0 + (-score(&w, b, x)).exp()) - y;
            step.iter_mut().zip(x).for_each(|(s, x)| *s += error * x / n);
            step_b += error / n;
        }
        w.iter_mut().zip(&step).for_each(|(w, s)| *w -= 0.3 * (s + 0.01 * *w));
        b -= 0.3 * step_b;
    }
    let right = test.iter().filter(|(x, up)| (score(&w, b, &scaled(x)) > 0.0) == *up).count();
    right as f64 / test.len() as f64
}

/// What a policy's head could read off without training the model: fitted to prompts of training years, read on
/// prompts of the test years, in whose headlines every late wording may appear.
#[test]
fn a_linear_reader_of_prompts_gains_from_pretraining() {
    let tokenizer = shipped_tokenizer();
    // Bars of 2012 and 2013, and from the beginning of the last wave of wordings on.
    let (train, test) = (520..920, 2740..3040);
    let [model, twin] = shipped_models().map(|model| {
        let [train, test] = [train.clone(), test.clone()].map(|bars| prompt_states(&model, &tokenizer, bars));
        linear_probe(&train, &test)
    });
    println!("linear probe: model {model:.3}, twin {twin:.3}");
    assert!(model > 0.85, "the model's states say it in {model} of the cases");
    assert!(model > twin + 0.1, "model {model}, twin {twin}");
}
