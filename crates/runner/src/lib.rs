//! From an experiment to finished runs: plan, check every run, execute, resume.
//!
//! ```text
//! Experiment --Plan::new--> Plan --prepare--> Ready --execute--> Outcome
//!             data, splits,       devices and        training,
//!             identities, states  agents built       scores, states
//! ```
//!
//! Nothing is written before [`Ready::execute`], so wrong input leaves no trace. A run that panics, diverges or meets
//! numbers that are not finite is recorded as failed with its reason while the others go on. Results depend neither
//! on the number of workers nor on the order of the runs. This crate names no concrete plugin.

mod evaluate;
mod execute;
mod launcher;
mod memory;
mod panics;
mod plan;
mod policy;
mod prepare;
mod progress;
mod provenance;
mod registry;
mod rows;
mod slots;
mod turnover;
mod warnings;
mod windows;

pub use evaluate::{Evaluation, evaluate};
pub use execute::{Ended, ExecuteError, ExecuteOptions, Outcome, RunEnd};
pub use launcher::{Group, Isolated, LaunchError, Launcher, LauncherKind, Local, Place, Slurm, Work, Worker};
pub use plan::{CONTRACT, Plan, PlanError, PlannedArm, PlannedRun};
pub use policy::{PolicyError, evaluate_policy};
pub use prepare::{Ready, Selection};
pub use progress::{Event, Progress};
pub use registry::Registry;
pub use windows::unfold;
