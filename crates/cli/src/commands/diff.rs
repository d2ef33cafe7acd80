//! `diff`: what two runs differ in, and how their scores moved.

use std::collections::BTreeMap;
use std::process::ExitCode;

use runner::Registry;
use serde_json::{Value, json};
use store::Manifest;

use crate::facts::{Difference, Facts, differing, word};
use crate::failure::Failure;
use crate::output::{self, Format};

/// Arguments of `diff`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a run, or its id (its beginning will do) below the workspace's runs.
    a: String,
    /// Another one.
    b: String,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Scores that are shown, in this order; all are in the JSON.
const SCORES: [&str; 7] =
    ["sharpe", "cumulative_return", "annual_volatility", "max_drawdown", "paper.cr", "paper.sr", "turnover"];

/// `diff`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let [a, b] = [&args.a, &args.b].map(|text| Facts::named(registry, text));
    let (a, b) = (a?, b?);
    let inputs = a.differing_inputs(&b);
    // Settings that are no input: where the data lie, not what they are.
    let is_input = |(name, ..): &Difference| a.inputs.contains_key(name) || b.inputs.contains_key(name);
    let others: Vec<Difference> =
        differing(&a.settings, &b.settings).into_iter().filter(|d| !is_input(d)).collect();
    let around = differing(&surroundings(&a.manifest), &surroundings(&b.manifest));
    let [scores_a, scores_b] = [&a, &b].map(|facts| scores(&facts.manifest));
    match args.format {
        Format::Json => {
            let list = |all: &[Difference]| {
                let one = |(name, a, b): &Difference| json!({ "name": name, "a": a, "b": b });
                all.iter().map(one).collect::<Vec<_>>()
            };
            let moved: Vec<Value> = scores_a
                .iter()
                .filter_map(|(name, x)| {
                    let y = scores_b.get(name)?;
                    let change = x.as_f64().zip(y.as_f64()).map(|(x, y)| y - x);
                    Some(json!({ "name": name, "a": x, "b": y, "change": change }))
                })
                .collect();
            output::print_json(&json!({
                "a": a.manifest.start.run_id,
                "b": b.manifest.start.run_id,
                "inputs": list(&inputs),
                "settings": list(&others),
                "surroundings": list(&around),
                "scores": moved,
            }));
        }
        Format::Text => {
            let mut text = format!("a: {}\nb: {}\n", a.name(), b.name());
            let mut part = |title: &str, all: &[Difference]| {
                text += &format!("{title}{}\n", if all.is_empty() { ": none" } else { "" });
                for (name, a, b) in all {
                    text += &format!("  {name}: {} -> {}\n", word(a), word(b));
                }
            };
            part("inputs of the id that differ", &inputs);
            part("other settings", &others);
            part("surroundings", &around);
            text += "test scores\n";
            for name in SCORES {
                let [x, y] = [&scores_a, &scores_b].map(|scores| scores.get(name).and_then(Value::as_f64));
                let number = |v: Option<f64>| v.map_or_else(|| "none".to_owned(), |v| format!("{v:.4}"));
                let change = x.zip(y).map(|(x, y)| format!(" ({:+.4})", y - x)).unwrap_or_default();
                text += &format!("  {name}: {} -> {}{change}\n", number(x), number(y));
            }
            output::print(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run was computed by and on, which its id does not say.
fn surroundings(manifest: &Manifest) -> BTreeMap<String, Value> {
    let start = &manifest.start;
    let facts = [
        ("experiment", json!(start.experiment)),
        ("arm", json!(start.arm)),
        ("flaglab", json!(start.versions.flaglab)),
        ("burn", json!(start.versions.burn)),
        ("git_commit", json!(start.git_commit)),
        ("adapter", json!(start.adapter)),
        ("cpu", json!(start.machine.cpu)),
        ("cores", json!(start.machine.cores)),
        ("os", json!(start.machine.os)),
        ("state", json!(manifest.state)),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Scores of the test split by dotted name.
fn scores(manifest: &Manifest) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, value) in manifest.metrics.test.iter().filter_map(Value::as_object).flatten() {
        match value.as_object() {
            Some(inner) => {
                all.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone())));
            }
            None => drop(all.insert(name.clone(), value.clone())),
        }
    }
    all
}
