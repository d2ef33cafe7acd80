//! Arms whose split walks forward: an arm per window.

use std::collections::HashMap;
use std::convert::Infallible;

use experiment::{Arm, Experiment, canonical_json};
use market_data::{SourceKind, SplitSpec};
use plugin::{Files, Kind};
use serde_json::Value;

use crate::plan::{Loaded, Problems, load};
use crate::{PlanError, Registry};

/// The experiment with an arm per window in the place of each arm whose split has `walk_forward`. Which windows there
/// are, the data say; each has dates of its own, and its runs are those of the same dates without `walk_forward`. Data
/// that cannot be loaded are left to [`crate::Plan::new`] to tell of.
///
/// # Errors
/// Spans that do not fit the data, all problems together.
pub fn unfold(registry: &Registry, experiment: Experiment, files: &Files) -> Result<Experiment, PlanError> {
    if !experiment.all().any(walks) {
        return Ok(experiment);
    }
    let mut problems = Problems::of(&experiment);
    let mut data: HashMap<String, Result<Loaded, String>> = HashMap::new();
    let windows = |arm: &Arm| -> Result<Option<Vec<Value>>, Infallible> {
        if !walks(arm) {
            return Ok(None);
        }
        problems.arm(&arm.name);
        let spec = arm.run(0);
        let source = spec.section(SourceKind::SECTION);
        let loaded = data
            .entry(canonical_json(source))
            .or_insert_with(|| load(registry, files, source, &spec.params(SourceKind::SECTION)));
        let Ok(loaded) = loaded else { return Ok(None) };
        let section = spec.section(SplitSpec::SECTION);
        let windows = plugin::params::<SplitSpec>(section).and_then(|split| split.windows(&loaded.series));
        let windows = problems.take(SplitSpec::SECTION, windows).flatten();
        Ok(windows.map(|windows| windows.iter().map(|window| dated(section, window)).collect()))
    };
    let Ok(unfolded) = experiment.unfold(SplitSpec::SECTION, &registry.sections(), windows);
    problems.finish()?;
    Ok(unfolded)
}

fn walks(arm: &Arm) -> bool {
    arm.spec.get(SplitSpec::SECTION).and_then(|split| split.get("walk_forward")).is_some_and(|w| !w.is_null())
}

/// The resolved section with the dates of one window, as it stands in a run.
fn dated(section: &Value, window: &SplitSpec) -> Value {
    let mut value = section.clone();
    if let Some(keys) = value.as_object_mut() {
        keys.shift_remove("walk_forward");
        let dates = [("train", window.train), ("valid", window.valid), ("test", window.test)];
        keys.extend(dates.map(|(part, range)| (part.to_owned(), Value::from(range.map(as_text)))));
    }
    value
}

fn as_text(range: market_data::DateRange) -> Vec<String> {
    range.iter().map(ToString::to_string).collect()
}
