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
/// Imports everything, which takes seconds.
const IMPORT: &str = "import numpy, peft, safetensors, tokenizers, torch, transformers";
/// Looks only whether everything is there.
const FIND: &str = "import importlib.util, sys; \
    packages = 'numpy peft safetensors tokenizers torch transformers'.split(); \
    sys.exit(' '.join(p for p in packages if importlib.util.find_spec(p) is None) or None)";

/// A command that runs `script` (a path from the root) in the workspace root, without network.
pub fn script(script: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(interpreter()?);
    command.arg(script).current_dir(workspace::root());
    // What the oracles load is in folders; a name that is none must fail rather than be looked up.
    command.envs([
        ("HF_HUB_OFFLINE", "1"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PYTHONWARNINGS", "ignore"),
    ]);
    Ok(command)
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
        let output = Command::new(&path).args(["-c", FIND]).output();
        let output = output.with_context(|| format!("FLAGLAB_PYTHON: cannot start {}", path.display()))?;
        let missing = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "FLAGLAB_PYTHON: {} lacks {}", path.display(), missing.trim());
        return Ok(path);
    }
    let folder = workspace::target()?.join("oracles");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = fs::read_to_string(workspace::root().join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    install(&folder, &python)?;
    fs::write(&installed, wanted)?;
    Ok(python)
}

/// Several GB, most of them libraries that torch's wheel for Linux is linked against, although nothing uses them here.
fn install(folder: &Path, python: &Path) -> anyhow::Result<()> {
    eprintln!("installing {REQUIREMENTS} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let base = ["python3", "python"].into_iter().find(|p| Command::new(p).arg("--version").output().is_ok());
    let base = base.context("no Python is installed (Debian: python3, python3-venv)")?;
    finish(
        Command::new(base).args(["-m", "venv"]).arg(folder),
        "cannot make an environment (Debian: python3-venv)",
    )?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
    // The file lists every package, so that nothing is resolved; pip would also ask for what only a GPU needs.
    finish(Command::new(python).args(pip).arg(workspace::root().join(REQUIREMENTS)), "pip failed")?;
    finish(Command::new(python).args(["-c", IMPORT]), "the installed packages cannot be imported")
}

/// Runs a command with its output on stderr.
fn finish(command: &mut Command, problem: &str) -> anyhow::Result<()> {
    let status = command.stdout(std::io::stderr()).status().with_context(|| problem.to_owned())?;
    ensure!(status.success(), "{problem}: {status}");
    Ok(())
}
