//! From an experiment file to its arms.

use std::path::Path;

use crate::{ConfigErrors, Experiment, Sections};

/// Loads an experiment: the file's `extends` chain, then the overrides of `env` named `FLAGLAB_SET__a__b`, then
/// `set` (`a.b=value`, later ones win), checked against `sections` together with every arm of the sweep.
///
/// `env` is the process environment, or any part of it: other variables are ignored.
///
/// # Errors
/// All problems together.
pub fn load(
    _path: &Path,
    _set: &[String],
    _env: &[(String, String)],
    _sections: &Sections,
) -> Result<Experiment, ConfigErrors> {
    todo!()
}
