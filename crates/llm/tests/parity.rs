//! Logits against those of transformers and PEFT, which `fixtures/make.py` computed: checkpoints in `fixtures/parity`
//! (float32, eager attention, no cache), one per feature, and adapters that PEFT saved, in `fixtures/peft`.
//! `cargo xtask ci` prints the tables, `cargo xtask ci --full` makes the fixtures again and compares.

// Helpers are part of the tests: what goes wrong in them is the failure of the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use llm::{Backbone, Body, EncodedSequence, LoraAdapter, TrainSpec};
use serde::Deserialize;

/// Largest difference that counts as equal, relative to the largest logit.
const TOLERANCE: f64 = 1e-4;
/// Sequences up to this length take every way that there is.
const SHORT: usize = 64;

/// `expected.json` of a case.
#[derive(Deserialize)]
struct Expected {
    /// Type that the weights are stored in.
    weights: String,
    ids: Vec<u32>,
    /// Logits after the first n ids, by n.
    logits: BTreeMap<usize, Vec<f32>>,
}

struct Case {
    name: String,
    expected: Expected,
    backbone: Arc<Backbone>,
}

/// The worst differences of a case, each relative to the largest logit.
struct Row {
    /// Each sequence in one pass over all its tokens.
    alone: f64,
    /// Each sequence as a shared part, whose keys and values are kept, and an own part.
    cached: f64,
    /// All sequences in one padded batch.
    batched: f64,
}

fn case(folder: &Path) -> Case {
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let backbone = Backbone::load(folder, &Device::flex()).unwrap_or_else(|e| panic!("{name}: {e}"));
    Case { name, expected: serde_json::from_str(&text).unwrap(), backbone: Arc::new(backbone) }
}

/// Largest difference relative to the largest expected logit; infinite when a value is not a number.
fn relative(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "logits");
    let largest = expected.iter().fold(0f64, |m, e| m.max(f64::from(e.abs())));
    let difference = |(f, e): (&f32, &f32)| match (f64::from(*f) - f64::from(*e)).abs() / largest {
        d if d.is_nan() => f64::INFINITY,
        d => d,
    };
    found.iter().zip(expected).map(difference).fold(0.0, f64::max)
}

/// Frozen altogether, one trained layer, all layers trained, and the embedding with them: one for every way of a
/// sequence through a [`Body`].
fn specs(n_layers: usize) -> Vec<TrainSpec> {
    let top = |n| TrainSpec { n_trainable_layers: n, ..TrainSpec::default() };
    let groups = ["embedding".to_owned(), format!("layers.0-{}", n_layers - 1)];
    vec![top(0), top(1), top(n_layers), TrainSpec { trainable: groups.to_vec(), ..TrainSpec::default() }]
}

fn encode(body: &Body, ids: &[u32], split: usize) -> EncodedSequence {
    let shared = body.encode_shared(&ids[..split]).unwrap();
    body.encode_own(&shared, &ids[split..]).unwrap()
}

/// Logits row by row.
fn logits(body: &Body, hidden: Tensor<2>) -> Vec<Vec<f32>> {
    let vocab = body.backbone().config().vocab_size;
    let logits = body.backbone().lm_head(hidden.inner()).try_into_vec_as::<f32>().unwrap();
    logits.chunks(vocab).map(<[f32]>::to_vec).collect()
}

impl Case {
    fn run(&self) -> Row {
        let Expected { ids, logits: expected, .. } = &self.expected;
        let mut row = Row { alone: 0.0, cached: 0.0, batched: 0.0 };
        for (n, expected) in expected {
            let found = self.backbone.logits(&ids[..*n]).unwrap();
            row.alone = row.alone.max(relative(&found, expected));
        }
        for spec in specs(self.backbone.config().num_hidden_layers) {
            // Sequences of one token have no second part; long ones take the way that has a part of everything.
            let longest = if spec.n_trainable_layers == 1 { usize::MAX } else { SHORT };
            let split: Vec<_> = expected.range(2..=longest).collect();
            let body = Body::new(self.backbone.clone(), spec, 0).unwrap();
            for (n, expected) in &split {
                let cuts = if **n <= SHORT { vec![1, **n / 2, **n - 1] } else { vec![**n / 2] };
                for cut in cuts {
                    let part = encode(&body, &ids[..**n], cut);
                    let found = logits(&body, body.forward(&[part]));
                    row.cached = row.cached.max(relative(&found[0], expected));
                }
            }
            let batch: Vec<_> =
                split.iter().map(|(n, _)| encode(&body, &ids[..**n], n.div_ceil(2))).collect();
            for (found, (_, expected)) in logits(&body, body.forward_frozen(&batch)).iter().zip(&split) {
                row.batched = row.batched.max(relative(found, expected));
            }
        }
        row
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The cases of a kind, by name.
fn folders(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixtures().join(kind)).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    folders.sort();
    folders
}

#[test]
fn logits_are_those_of_transformers() {
    let mut table = format!(
        "parity with transformers: worst difference relative to the largest logit\n\
         {:32} {:9} {:>12} {:>9} {:>9} {:>9}\n",
        "case", "weights", "tokens", "alone", "cached", "batched"
    );
    let mut architectures: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for folder in folders("parity") {
        let case = case(&folder);
        let Row { alone, cached, batched } = case.run();
        let lengths: Vec<_> = case.expected.logits.keys().collect();
        let tokens = format!("{} to {}", lengths[0], lengths[lengths.len() - 1]);
        let Case { name, expected, .. } = &case;
        let weights = &expected.weights;
        table += &format!("{name:32} {weights:9} {tokens:>12} {alone:9.1e} {cached:9.1e} {batched:9.1e}\n");
        let worst = [alone, cached, batched].into_iter().fold(0.0, f64::max);
        let architecture = name.split('-').next().unwrap().to_owned();
        let (cases, of_all) = architectures.entry(architecture).or_default();
        *cases += 1;
        *of_all = of_all.max(worst);
        if worst > TOLERANCE {
            wrong.push(format!("{name}: {worst:.1e}"));
        }
    }
    for (architecture, (cases, worst)) in &architectures {
        table += &format!("{architecture}: {cases} cases, worst difference {worst:.1e}\n");
    }
    println!("\n{table}");
    assert!(wrong.is_empty(), "more than {TOLERANCE:.0e} from transformers: {}", wrong.join(", "));
    assert_eq!(architectures.keys().collect::<Vec<_>>(), ["llama", "qwen2"]);
}

/// `expected.json` of an adapter.
#[derive(Deserialize)]
struct Adapted {
    /// The checkpoint that it is for.
    base: String,
    ids: Vec<u32>,
    /// Logits after the first n ids, by n.
    logits: BTreeMap<usize, Vec<f32>>,
}

#[test]
fn adapters_of_peft_give_the_logits_of_peft() {
    let mut table = "adapters made by PEFT: worst difference relative to the largest logit\n".to_owned();
    let mut wrong = Vec::new();
    let folders = folders("peft");
    for folder in &folders {
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let Adapted { base, ids, logits: expected } = serde_json::from_str(&text).unwrap();
        let backbone =
            Arc::new(Backbone::load(&fixtures().join("parity").join(base), &Device::flex()).unwrap());
        let adapter = LoraAdapter::read(folder, backbone.config(), backbone.digest()).unwrap();
        let body = Body::adapted(backbone, &adapter);
        let mut worst: f64 = 0.0;
        for (n, expected) in &expected {
            worst = worst.max(relative(&body.logits(&ids[..*n]).unwrap(), expected));
        }
        let split: Vec<_> = expected.iter().filter(|(n, _)| **n > 1).collect();
        let batch: Vec<_> = split.iter().map(|(n, _)| encode(&body, &ids[..**n], n.div_ceil(2))).collect();
        for (found, (_, expected)) in logits(&body, body.forward(&batch)).iter().zip(&split) {
            worst = worst.max(relative(found, expected));
        }
        let name = folder.file_name().unwrap().to_string_lossy();
        table += &format!("{name:32} {worst:9.1e}\n");
        if worst > TOLERANCE {
            wrong.push(format!("{name}: {worst:.1e}"));
        }
    }
    println!("\n{table}");
    assert!(wrong.is_empty(), "more than {TOLERANCE:.0e} from PEFT: {}", wrong.join(", "));
    assert!(!folders.is_empty());
}
