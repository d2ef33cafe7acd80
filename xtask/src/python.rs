//! A Python with transformers, torch and PEFT, against which the language model is checked.
//!
//! Packages and versions are those of `tests/oracles/requirements.txt`, installed once into `target/oracles` and again
//! when that file changes. `FLAGLAB_PYTHON` names an interpreter that has them already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::workspace;

const REQUIREMENTS: &str = "tests/oracles/requirements.txt";
/// What `cargo xtask bench --sb3` needs besides.
const SB3_REQUIREMENTS: &str = "benches/requirements-sb3.txt";
const SB3_FIND: &str = "import importlib.util, sys; \
    packages = 'cloudpickle gymnasium stable_baselines3'.split(); \
    sys.exit(' '.join(p for p in packages if importlib.util.find_spec(p) is None) or None)";
/// Imports everything, which takes seconds.
const IMPORT: &str = "import numpy, peft, safetensors, tokenizers, torch, transformers";
/// Looks only whether everything is there.
const FIND: &str = "import importlib.util, sys; \
    packages = 'numpy peft safetensors tokenizers torch transformers'.split(); \
    sys.exit(' '.join(p for p in packages if importlib.util.find_spec(p) is None) or None)";

/// A command that runs `script` (a path from the root) in the workspace root, without network.
pub fn script(script: &str) -> anyhow::Result<Command> {
    Ok(command(&interpreter()?, script))
}

/// The same with Stable-Baselines3, which is installed on first use.
pub fn sb3_script(script: &str) -> anyhow::Result<Command> {
    let python = interpreter()?;
    if !lacks(&python, SB3_FIND)?.is_empty() {
        ensure!(
            std::env::var_os("FLAGLAB_PYTHON").is_none(),
            "FLAGLAB_PYTHON: {} lacks what {SB3_REQUIREMENTS} lists",
            python.display()
        );
        eprintln!("installing {SB3_REQUIREMENTS}");
        pip(&python, SB3_REQUIREMENTS)?;
    }
    Ok(command(&python, script))
}

fn command(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(script).current_dir(workspace::root());
    // What the oracles load is in folders; a name that is none must fail rather than be looked up.
    command.envs([
        ("HF_HUB_OFFLINE", "1"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PYTHONWARNINGS", "ignore"),
    ]);
    command
}

/// `cargo xtask oracle SCRIPT ARGUMENTS`.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let Some((path, args)) = args.split_first() else {
        bail!("cargo xtask oracle takes a script, found none")
    };
    let status = script(path)?.args(args).status().context("cannot start Python")?;
    Ok(workspace::exit_code(status.code()))
}

/// Path of an interpreter that has all packages.
pub fn interpreter() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("FLAGLAB_PYTHON") {
        let path = PathBuf::from(path);
        let missing = lacks(&path, FIND).context("FLAGLAB_PYTHON")?;
        ensure!(missing.is_empty(), "FLAGLAB_PYTHON: {} lacks {missing}", path.display());
        return Ok(path);
    }
    environment("oracles", REQUIREMENTS)
}

/// Path of an interpreter with the packages of a requirements file, installed into `target/<name>` once and again when
/// that file changes.
pub fn environment(name: &str, requirements: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::target()?.join(name);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = fs::read_to_string(workspace::root().join(requirements)).context(requirements.to_owned())?;
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    install(&folder, &python, requirements)?;
    if requirements == REQUIREMENTS {
        finish(Command::new(&python).args(["-c", IMPORT]), "the installed packages cannot be imported")?;
    }
    fs::write(&installed, wanted)?;
    Ok(python)
}

/// The packages that `find` looks for in vain.
fn lacks(python: &Path, find: &str) -> anyhow::Result<String> {
    let output = Command::new(python).args(["-c", find]).output();
    let output = output.with_context(|| format!("cannot start {}", python.display()))?;
    let missing = String::from_utf8_lossy(&output.stderr);
    Ok(if output.status.success() { String::new() } else { missing.trim().to_owned() })
}

/// For the oracles several GB, most of them libraries that torch's wheel for Linux is linked against, although nothing
/// uses them here.
fn install(folder: &Path, python: &Path, requirements: &str) -> anyhow::Result<()> {
    eprintln!("installing {requirements} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let base = ["python3", "python"].into_iter().find(|p| Command::new(p).arg("--version").output().is_ok());
    let base = base.context("no Python is installed (Debian: python3, python3-venv)")?;
    finish(
        Command::new(base).args(["-m", "venv"]).arg(folder),
        "cannot make an environment (Debian: python3-venv)",
    )?;
    pip(python, requirements)
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
