//! Experiment files: TOML layers, overrides and sweep axes in, checked and hashed [`RunSpec`]s out.
//!
//! [`load`] merges the layers (`extends` chain, then `FLAGLAB_SET__…`, then `--set`), expands the sweep, fills
//! defaults and checks every arm; all problems come back together as [`ConfigErrors`]. This crate knows no
//! plugin's parameters: what a file may say is given by [`Sections`], which the runner's registry builds. It reads
//! no file besides the experiment's TOML layers and its [`Lock`], never the process environment or a clock, and prints nothing.

mod canonical;
mod error;
mod experiment;
mod file_keys;
#[cfg(test)]
mod fixture;
mod keys;
mod layer;
mod load;
mod lock;
mod merge;
mod names;
mod reference;
mod resolve;
mod run_spec;
mod sections;
mod selection;
mod sweep;

pub use canonical::canonical_json;
pub use error::{ConfigError, ConfigErrors, Problem};
pub use experiment::{Arm, Axis, Change, Experiment, Role, Window};
pub use file_keys::{Mode, OnFailure, RunOptions};
pub use load::load;
pub use lock::{Lock, LockedModel};
pub use reference::options_markdown;
pub use run_spec::RunSpec;
pub use sections::{AGENT, CONTEXT, Control, Identity, Section, SectionKind, Sections};
pub use selection::SelectionMetric;
