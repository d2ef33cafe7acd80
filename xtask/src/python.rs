//! Pythons against whose packages our numbers are checked: one with transformers, torch and PEFT, a small one with
//! quantstats, rliable and arch; one that drives a browser; and those of tools that read our results.
//!
//! Packages and versions are those of a file, installed once into a folder of `target` and again when that file changes.
//! `FLAGLAB_PYTHON` names an interpreter that has them already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail, ensure};

use crate::workspace;

/// Packages with their versions, and the modules that scripts import.
pub struct Packages {
    requirements: &'static str,
    /// Where they are installed, in the target folder.
    folder: &'static str,
    modules: &'static str,
    named: Named,
}

/// What the interpreter is to these packages that `FLAGLAB_PYTHON` names.
enum Named {
    /// It has them, or is a mistake.
    Has,
    /// It need not have them: it is named for the sake of torch.
    MayHave,
    /// It is not asked.
    Ignored,
}

pub const ORACLES: Packages = Packages {
    requirements: "tests/oracles/requirements.txt",
    folder: "oracles",
    modules: "numpy peft safetensors tokenizers torch transformers",
    named: Named::Has,
};
pub const STATISTICS: Packages = Packages {
    requirements: "crates/stats/tests/fixtures/requirements.txt",
    folder: "statistics",
    modules: "arch empyrical numpy pandas quantstats rliable scipy statsmodels",
    named: Named::MayHave,
};
pub const BROWSER: Packages = Packages {
    requirements: "tests/browser/requirements.txt",
    folder: "browser",
    modules: "playwright",
    named: Named::Ignored,
};
pub const TENSORBOARD: Packages = Packages {
    requirements: "tests/oracles/requirements-tensorboard.txt",
    folder: "tensorboard",
    modules: "numpy tensorboard",
    named: Named::Ignored,
};
pub const QUERIES: Packages = Packages {
    requirements: "tests/oracles/requirements-queries.txt",
    folder: "queries",
    modules: "duckdb polars",
    named: Named::Ignored,
};
/// What `cargo xtask bench --sb3` needs besides.
const SB3_REQUIREMENTS: &str = "benches/requirements-sb3.txt";
const SB3_MODULES: &str = "cloudpickle gymnasium stable_baselines3";
/// Looks only whether modules are there; importing them takes seconds.
const FIND: &str = "import importlib.util, sys; \
    sys.exit(' '.join(m for m in sys.argv[1:] if importlib.util.find_spec(m) is None) or None)";

/// One environment is made at a time: whoever asks for one that is being made waits for it.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A command that runs `script` (a path from the root) in the workspace root, without network.
pub fn script(packages: &Packages, script: &str) -> anyhow::Result<Command> {
    Ok(command(&packages.interpreter()?, script))
}

/// What Stable-Baselines3 needs and the interpreter lacks that `FLAGLAB_PYTHON` names, where it names one.
pub fn without_sb3() -> anyhow::Result<Option<String>> {
    let Some(python) = std::env::var_os("FLAGLAB_PYTHON").map(PathBuf::from) else { return Ok(None) };
    let missing = lacks(&python, SB3_MODULES).context("FLAGLAB_PYTHON")?;
    let problem = format!("FLAGLAB_PYTHON: {} lacks {missing} of {SB3_REQUIREMENTS}", python.display());
    Ok((!missing.is_empty()).then_some(problem))
}

/// The same with Stable-Baselines3 beside the packages of the oracles, installed on first use.
pub fn sb3_script(script: &str) -> anyhow::Result<Command> {
    if let Some(problem) = without_sb3()? {
        bail!(problem);
    }
    let python = ORACLES.interpreter()?;
    if !lacks(&python, SB3_MODULES)?.is_empty() {
        eprintln!("installing {SB3_REQUIREMENTS}");
        pip(&python, SB3_REQUIREMENTS)?;
    }
    Ok(command(&python, script))
}

/// A command that runs a script that needs nothing but Python.
pub fn plain_script(script: &str) -> anyhow::Result<Command> {
    Ok(command(&base()?, script))
}

/// Fetches the wheel of one package, whose version is pinned, into a folder. Where the system's Python has no pip, that of
/// an environment does it.
pub fn download(requirement: &str, folder: &Path) -> anyhow::Result<()> {
    let mut python = base()?;
    let pip = Command::new(&python).args(["-m", "pip", "--version"]).output();
    if !pip.is_ok_and(|output| output.status.success()) {
        let environment = folder.join("python");
        make_environment(&python, &environment)?;
        python = interpreter_of(&environment);
    }
    let pip = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ];
    finish(Command::new(python).args(pip).arg("--dest").arg(folder).arg(requirement), "pip download failed")
}

fn command(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(script).current_dir(workspace::root());
    // What the oracles load is in folders; a name that is none must fail rather than be looked up.
    command.envs([
        ("HF_HUB_OFFLINE", "1"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PYTHONWARNINGS", "ignore"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]);
    command
}

/// `cargo xtask oracle SCRIPT ARGUMENTS`.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let Some((path, args)) = args.split_first() else {
        bail!("cargo xtask oracle takes a script, found none")
    };
    let status = script(&ORACLES, path)?.args(args).status().context("cannot start Python")?;
    Ok(workspace::exit_code(status.code()))
}

impl Packages {
    /// Path of an interpreter that has them, installed first where there is none.
    pub fn interpreter(&self) -> anyhow::Result<PathBuf> {
        let named = std::env::var_os("FLAGLAB_PYTHON").map(PathBuf::from);
        let Some(path) = named.filter(|_| !matches!(self.named, Named::Ignored)) else {
            return self.installed();
        };
        match (lacks(&path, self.modules), &self.named) {
            (Ok(missing), _) if missing.is_empty() => Ok(path),
            (Ok(missing), Named::Has) => bail!("FLAGLAB_PYTHON: {} lacks {missing}", path.display()),
            (Err(error), Named::Has) => Err(error.context("FLAGLAB_PYTHON")),
            _ => self.installed(),
        }
    }

    /// The interpreter of an environment in the target folder, which is made or renewed first where it has to be.
    fn installed(&self) -> anyhow::Result<PathBuf> {
        let _guard = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = workspace::target()?.join(self.folder);
        let python = interpreter_of(&folder);
        let file = self.requirements;
        let wanted = fs::read_to_string(workspace::root().join(file)).context(file)?;
        let installed = folder.join("installed.txt");
        if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
            return Ok(python);
        }
        install(self, &folder, &python)?;
        fs::write(&installed, wanted)?;
        Ok(python)
    }
}

/// Those of `modules` that are not there.
fn lacks(python: &Path, modules: &str) -> anyhow::Result<String> {
    let output = Command::new(python).args(["-c", FIND]).args(modules.split(' ')).output();
    let output = output.with_context(|| format!("cannot start {}", python.display()))?;
    let missing = String::from_utf8_lossy(&output.stderr);
    Ok(if output.status.success() { String::new() } else { missing.trim().to_owned() })
}

/// With torch several GB, most of them libraries that its wheel for Linux is linked against, although nothing uses them
/// here.
fn install(packages: &Packages, folder: &Path, python: &Path) -> anyhow::Result<()> {
    eprintln!("installing {} into {}", packages.requirements, folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    make_environment(&base()?, folder)?;
    pip(python, packages.requirements)?;
    let import = format!("import {}", packages.modules.replace(' ', ", "));
    finish(Command::new(python).args(["-c", &import]), "the installed packages cannot be imported")
}

/// The system's Python.
fn base() -> anyhow::Result<PathBuf> {
    let found = ["python3", "python"].into_iter().find(|p| Command::new(p).arg("--version").output().is_ok());
    found.map(PathBuf::from).context("no Python is installed (Debian: python3, python3-venv)")
}

fn make_environment(python: &Path, folder: &Path) -> anyhow::Result<()> {
    finish(
        Command::new(python).args(["-m", "venv"]).arg(folder),
        "cannot make an environment (Debian: python3-venv)",
    )
}

/// The interpreter of an environment.
fn interpreter_of(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

fn pip(python: &Path, requirements: &str) -> anyhow::Result<()> {
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
    // The file lists every package, so that nothing is resolved; pip would also ask for what only a GPU needs.
    finish(Command::new(python).args(pip).arg(workspace::root().join(requirements)), "pip failed")
}

/// Runs a command with its output on stderr.
fn finish(command: &mut Command, problem: &str) -> anyhow::Result<()> {
    let status = command.stdout(std::io::stderr()).status().with_context(|| problem.to_owned())?;
    ensure!(status.success(), "{problem}: {status}");
    Ok(())
}
