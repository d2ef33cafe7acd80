//! How a command ends when it cannot do what was asked.

use std::path::Path;
use std::process::ExitCode;

use plugin::{did_you_mean, did_you_mean_path};
use runner::{ExecuteError, PlanError};

use crate::screen;

/// Variable with the program that can build features.
pub(crate) const REBUILD: &str = "FLAGLAB_REBUILD";

/// Why a command ends without its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input was wrong (exit 2): all problems.
    Wrong(Vec<String>),
    /// Features that this binary was built without (exit 2).
    MissingFeatures(Vec<&'static str>),
    /// The work broke off (exit 1): disk full, folder not writable.
    Broken(String),
}

impl Failure {
    /// One problem of the input.
    pub fn wrong(problem: impl Into<String>) -> Self {
        Failure::Wrong(vec![problem.into()])
    }

    /// Its first line, for where others follow.
    pub fn first_line(&self) -> String {
        let text = match self {
            Failure::Wrong(problems) => problems.first().cloned().unwrap_or_default(),
            Failure::MissingFeatures(features) => {
                format!("it needs the cargo features {}", features.join(", "))
            }
            Failure::Broken(problem) => problem.clone(),
        };
        text.lines().next().unwrap_or_default().to_owned()
    }

    /// A name that is none of the known ones, with the nearest: `what` is what was named, such as `--rules: unknown rules`.
    pub fn unknown(what: &str, name: &str, known: &[&str]) -> Self {
        let near = did_you_mean(name, known.iter().copied());
        Failure::wrong(format!("{what} \"{name}\"; known: {}{near}", known.join(", ")))
    }

    /// Prints to stderr, at most one screen; hands over to a build with the missing features where there is one.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::Wrong(mut problems) => {
                if let Some(first) = problems.first_mut() {
                    first.insert_str(0, "error: ");
                }
                eprintln!("{}", screen::fit(&problems));
                ExitCode::from(2)
            }
            Failure::Broken(problem) => {
                eprintln!("{}", screen::fit(&[format!("error: {problem}")]));
                ExitCode::from(1)
            }
            Failure::MissingFeatures(features) => rebuild(&features),
        }
    }
}

impl From<ExecuteError> for Failure {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Store(error) => Failure::Broken(error.to_string()),
            ExecuteError::Launch(error) => Failure::Broken(error.to_string()),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Problems(problems) => Failure::Wrong(problems),
            PlanError::MissingFeatures(features) => Failure::MissingFeatures(features),
            PlanError::Store(error) => Failure::Broken(error.to_string()),
        }
    }
}

impl From<experiment::ConfigErrors> for Failure {
    fn from(errors: experiment::ConfigErrors) -> Self {
        Failure::Wrong(errors.iter().map(ToString::to_string).collect())
    }
}

impl From<hub::HubError> for Failure {
    fn from(error: hub::HubError) -> Self {
        if error.is_input() { Failure::wrong(error.to_string()) } else { Failure::Broken(error.to_string()) }
    }
}

impl From<plugin::BuildError> for Failure {
    fn from(error: plugin::BuildError) -> Self {
        match error {
            plugin::BuildError::MissingFeature { feature } => Failure::MissingFeatures(vec![feature]),
            error => Failure::wrong(error.to_string()),
        }
    }
}

impl From<score::ScoreError> for Failure {
    fn from(error: score::ScoreError) -> Self {
        let near = match &error {
            score::ScoreError::Read { path, .. } if !path.exists() => did_you_mean_path(path, Path::is_file),
            _ => String::new(),
        };
        Failure::wrong(format!("{error}{near}"))
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Failure::Broken(error.to_string())
    }
}

/// Becomes the program named by `FLAGLAB_REBUILD` (`cargo xtask`), which builds the features and starts the same
/// command again; without one says what to build.
fn rebuild(features: &[&str]) -> ExitCode {
    let list = features.join(",");
    let Some(program) = std::env::var_os(REBUILD) else {
        let names = features.join(", ");
        return Failure::wrong(format!(
            "this binary was built without the cargo features {names}; install one that has them, with \
             `cargo install --path crates/flaglab --features {list}` in flaglab's repository (`cargo xtask` there \
             builds them when they are needed), or name them among the features of the dependency `flaglab` where \
             that is built into a program of your own"
        ))
        .report();
    };
    let mut command = std::process::Command::new(&program);
    command.arg("--with-features").arg(list).args(std::env::args_os().skip(1));
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => return ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(error) => error,
    };
    Failure::wrong(format!("cannot start {}: {error}", program.to_string_lossy())).report()
}
