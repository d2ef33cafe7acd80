//! Runs on disk.

use std::path::Path;

use experiment::RunSpec;
use plugin::Files;
use runner::Registry;
use store::{ExperimentStore, Manifest, StateWord};

use crate::failure::Failure;
use crate::paths::Paths;

/// What makes a folder that of a run.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Settings of a completed run, and what their paths lead to: the same commits of models as in the run.
pub(crate) fn stored_spec(registry: &Registry, run_dir: &Path) -> Result<(RunSpec, Files), Failure> {
    let wrong = |problem: String| Failure::wrong(format!("{}: {problem}", run_dir.display()));
    let manifest = std::fs::read_to_string(run_dir.join(MANIFEST));
    let manifest = manifest.map_err(|e| {
        let near = plugin::did_you_mean_path(run_dir, |dir| dir.join(MANIFEST).is_file());
        wrong(format!("expected the folder of a run, {e} ({MANIFEST}){near}"))
    })?;
    let manifest: Manifest =
        serde_json::from_str(&manifest).map_err(|e| wrong(format!("manifest.json: {e}")))?;
    if manifest.state != StateWord::Completed {
        return Err(wrong(
            format!("expected a completed run, found one that is {:?}", manifest.state).to_lowercase(),
        ));
    }
    let text = ExperimentStore::open(run_dir, "").read_spec(run_dir)?;
    let source = run_dir.join("spec.toml").display().to_string();
    let spec = RunSpec::from_toml(&text, &source, &registry.sections())?;
    Ok((spec, Files { pins: manifest.start.models, ..Paths::of_run(run_dir).files() }))
}
