//! Launchers: who carries out the runs that are left to do.

mod isolated;
mod local;
mod slurm;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use plugin::Kind;
use store::{Process, RunState, StoreError};

pub use isolated::Isolated;
pub use local::Local;
pub(crate) use local::run_thread;
pub use slurm::Slurm;

/// Plugins of the `launcher` section.
pub enum LauncherKind {}

impl Kind for LauncherKind {
    const SECTION: &'static str = "launcher";
    type Context<'a> = ();
    type Output = Box<dyn Launcher>;
}

/// Carries out runs, in this process or in others.
pub trait Launcher: Send + Sync {
    /// Where the runs are carried out, which decides what is built and checked before anything starts.
    fn place(&self) -> Place {
        Place::Here
    }

    /// Whether it can hand over runs from this machine; asked before anything is written.
    ///
    /// # Errors
    /// What is lacking.
    fn check(&self) -> Result<(), LaunchError> {
        Ok(())
    }

    /// Has every group of `work` carried out once, at most `work.jobs` at a time, and returns when all have ended or
    /// a stop was asked for. Neighbours share more than distant ones (an arm's seeds share its agent), so they should
    /// run together.
    ///
    /// # Errors
    /// When the runs could not be handed over. A run that fails is no error: that stands in its folder.
    fn launch(&self, work: &Work<'_>) -> Result<(), LaunchError>;

    /// What would be handed over, for `sweep --plan`; nothing is written.
    ///
    /// # Errors
    /// As for [`launch`](Self::launch).
    fn plan(&self, _work: &Work<'_>) -> Result<Option<String>, LaunchError> {
        Ok(None)
    }
}

/// Where a launcher has runs carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this process: agents and devices are built here, and a group is a run, or several that go on side by side.
    Here,
    /// In other processes of this machine: agents and devices are built here too, to check them, and given up again. A
    /// group is an arm's runs.
    ThisMachine,
    /// On other machines, which may have devices that this one lacks: they are checked there. A group is an arm's runs.
    OtherMachines,
}

/// Runs to carry out.
pub struct Work<'a> {
    /// What is carried out together.
    pub groups: &'a [Group],
    /// Groups at the same time.
    pub jobs: NonZeroUsize,
    /// Carries out a group in this process, by its index; for [`Place::Here`] alone.
    pub execute: &'a (dyn Fn(usize) + Sync),
    /// What carries out runs in a process of its own.
    pub worker: &'a Worker,
    /// `runs/<experiment>`, which all machines see. A launcher keeps its own files in folders whose names begin with a dot.
    pub folder: &'a Path,
    /// Mebibytes that a run may take; 0: as many as there are.
    pub memory_limit_mib: u64,
    /// Whether each process shall carry out one run only: where memory is counted, or it could not be known whose it is, and
    /// where a failure shall end the sweep.
    pub one_by_one: bool,
    /// Hears of every process that was started on this machine to carry out runs.
    pub began: &'a (dyn Fn(u32) + Sync),
    /// State of a run as it is stored now. That one has failed is remembered, see `may_start`.
    pub state: &'a (dyn Fn(&str) -> Result<RunState, StoreError> + Sync),
    /// The process that works or last worked on a run; `None` where nobody ever did.
    pub process: &'a (dyn Fn(&str) -> Result<Option<Process>, StoreError> + Sync),
    /// Has a run that nobody works on end as failed, with a reason.
    pub fail: &'a (dyn Fn(&str, &str) -> Result<(), StoreError> + Sync),
    /// Whether a stop was asked for.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
    /// Whether further groups may be begun: false after a stop, and after a failure that shall end the sweep.
    pub may_start: &'a (dyn Fn() -> bool + Sync),
    /// Tells a line to whoever watches.
    pub say: &'a (dyn Fn(&str) + Sync),
}

/// Runs of one arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name of the arm.
    pub arm: String,
    /// The runs, each as `<run-id>` or, for later attempts, `<run-id>.2`.
    pub runs: Vec<String>,
}

/// The command that carries out runs of a sweep in a process of its own. It claims them as any sweep does, and writes
/// neither summary nor report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worker {
    /// The program.
    pub program: PathBuf,
    /// Its arguments but for the runs.
    pub args: Vec<String>,
    /// Where it starts.
    pub dir: PathBuf,
    /// Variables that it needs where it does not inherit our own, by name.
    pub env: Vec<(String, String)>,
}

impl Worker {
    /// Argument by which it ends, saving points, when its standard input does.
    pub const ATTACHED: &'static str = "--attached";
    /// Argument before the mebibytes that it may take, [`Plan::memory_mib`](crate::Plan::memory_mib).
    pub const MEMORY: &'static str = "--memory-mib";

    /// All arguments for these runs.
    pub fn args_for(&self, runs: &[String]) -> Vec<String> {
        let named = ["--runs".to_owned(), runs.join(",")];
        self.args.iter().cloned().chain(named).collect()
    }

    /// The command for these runs. Exit codes: 0 all completed, 1 some did not, 2 the input is wrong.
    pub fn command(&self, runs: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.args_for(runs)).current_dir(&self.dir);
        command
    }
}

/// Why runs could not be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchError(pub String);

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LaunchError {}

impl From<StoreError> for LaunchError {
    fn from(error: StoreError) -> Self {
        LaunchError(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use plugin::Plugin;

    use super::*;

    #[test]
    fn every_launcher_keeps_the_contract_on_settings() {
        for plugin in [&Local as &dyn Plugin<LauncherKind>, &Isolated, &Slurm] {
            plugin::contract::settings(plugin, &serde_json::json!({}), |p| plugin.build(p, ()).map(drop));
        }
    }
}
