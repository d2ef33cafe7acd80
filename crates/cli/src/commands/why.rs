//! `why`: which input made a run new.

use std::process::ExitCode;

use runner::Registry;
use serde_json::json;

use crate::facts::{Difference, Facts, others, word};
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::paths::shown;

/// Arguments of `why`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a run, or its id (its beginning will do) below the workspace's runs.
    run: String,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `why`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let facts = Facts::named(registry, &args.run)?;
    let attempts = facts.store().attempts(&facts.manifest.start.run_id)?;
    let others = others(registry, &facts)?;
    // The nearest is the one with the fewest differing inputs; of several one of the same seed, then the one that was there
    // first.
    let by_distance = |other: &&Facts| {
        let distance = facts.differing_inputs(other).len();
        let is_other_seed = other.manifest.start.seed != facts.manifest.start.seed;
        (distance, is_other_seed, other.manifest.started.clone(), other.manifest.start.run_id.clone())
    };
    let nearest = others.iter().min_by_key(by_distance);
    let differences = nearest.map(|nearest| nearest.differing_inputs(&facts)).unwrap_or_default();
    match args.format {
        Format::Json => {
            let change = |(name, was, is): &Difference| json!({ "input": name, "there": was, "here": is });
            output::print_json(&json!({
                "run": facts.manifest.start.run_id,
                "arm": facts.manifest.start.arm,
                "seed": facts.manifest.start.seed,
                "folder": shown(&facts.dir),
                "attempts": attempts.len(),
                "nearest": nearest.map(|n| n.manifest.start.run_id.clone()),
                "differences": differences.iter().map(change).collect::<Vec<_>>(),
                "inputs": facts.inputs,
            }));
        }
        Format::Text => {
            let mut text = format!("{}, in {}\n", facts.name(), shown(&facts.dir));
            match nearest {
                None => text += "it is the only run of its experiment: nothing stored could stand for it\n",
                Some(nearest) => {
                    text += &format!(
                        "nearest of {} other runs: {}; new because of\n",
                        others.len(),
                        nearest.name()
                    );
                    for (name, there, here) in &differences {
                        text += &format!("  {name}: {} here, {} there\n", word(here), word(there));
                    }
                }
            }
            let later = attempts.len().saturating_sub(1);
            if later > 0 {
                text += &format!(
                    "{later} more of its attempts: the same inputs, asked for again by --fresh or retry\n"
                );
            }
            let n = facts.inputs.len();
            text += &format!(
                "a sweep whose run has all of its {n} inputs (--format json lists them) takes this one\n"
            );
            output::print(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}
