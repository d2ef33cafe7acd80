//! Builds `flaglab` with the cargo features that an experiment needs, and becomes it.
//!
//! The default binary starts first. When it finds that an experiment needs a backend that it was built without, it
//! hands back to the program named by `FLAGLAB_REBUILD` (this one) with the missing features; that builds them into a
//! target folder of their own, so that the default build stays valid, and starts the command again.
//! Each side replaces the other's process where the system can, so that signals reach whoever is at work.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};

use crate::workspace;

/// Our own argument by which `flaglab` asks for more features: `--with-features a,b ARGUMENTS`.
pub const WITH_FEATURES: &str = "--with-features";

/// Builds the default binary and becomes it with `args`.
pub fn start(args: &[String]) -> anyhow::Result<ExitCode> {
    let binary = build(&[])?;
    replace_by(command(&binary).args(args).env("FLAGLAB_REBUILD", std::env::current_exe()?))
}

/// Builds with features (first of `args`, comma separated) and becomes that binary with the rest of `args`.
pub fn start_with(args: &[String]) -> anyhow::Result<ExitCode> {
    let (features, args) = args.split_first().context("no features named")?;
    let features: Vec<&str> = features.split(',').collect();
    eprintln!("building flaglab with {}", features.join(", "));
    let binary = build(&features)?;
    replace_by(command(&binary).args(args).env_remove("FLAGLAB_REBUILD"))
}

/// The binary, which tells the user to type `cargo xtask`.
pub fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env("FLAGLAB_PROGRAM", "cargo xtask");
    command
}

/// Set for processes that find everything built: cargo would have them wait while another package is compiled.
pub const IS_BUILT: &str = "XTASK_BUILT";

/// Builds and returns the binary's path. Cargo's messages go to stderr, silent when nothing had to be compiled.
pub fn build(features: &[&str]) -> anyhow::Result<PathBuf> {
    let mut target = workspace::target()?;
    if features.is_empty() && std::env::var_os(IS_BUILT).is_some() {
        return Ok(binary(&target));
    }
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--package", "flaglab"]);
    if !features.is_empty() {
        target = target.join(format!("with-{}", features.join("-")));
        cargo.args(["--features", &features.join(",")]);
    }
    cargo.arg("--target-dir").arg(&target).stdin(Stdio::null()).stderr(Stdio::piped());
    if std::io::stderr().is_terminal() {
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = cargo.spawn().context("cannot start cargo")?;
    let messages = BufReader::new(child.stderr.take().expect("invariant: stderr is piped"));
    for line in messages.lines() {
        let line = line?;
        if !line.contains("Finished") {
            writeln!(std::io::stderr(), "{line}")?;
        }
    }
    if !child.wait()?.success() {
        bail!("flaglab does not build");
    }
    Ok(binary(&target))
}

fn binary(target: &Path) -> PathBuf {
    target.join("debug").join(format!("flaglab{}", std::env::consts::EXE_SUFFIX))
}

/// Builds an example in the profile that sweeps run in, and returns its path.
///
/// Of the workspace: by itself a package has other features of its dependencies, which are then compiled once more.
pub fn example(name: &str) -> anyhow::Result<PathBuf> {
    let target = workspace::target()?;
    if std::env::var_os(IS_BUILT).is_none() {
        let mut cargo = workspace::cargo();
        cargo.args(["build", "--workspace", "--example", name, "--target-dir"]).arg(&target);
        let status = cargo.status().context("cannot start cargo")?;
        ensure!(status.success(), "{name} does not build");
    }
    Ok(target.join("debug/examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// Installs the default binary below `root`, of the same build as [`build`].
pub fn install(root: &Path) -> anyhow::Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args([
        "install",
        "--debug",
        "--locked",
        "--offline",
        "--quiet",
        "--path",
        "crates/flaglab",
        "--root",
    ]);
    let status = cargo.arg(root).arg("--target-dir").arg(workspace::target()?).status()?;
    ensure!(status.success(), "cargo install: {status}");
    Ok(())
}

#[cfg(unix)]
fn replace_by(command: &mut Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))
}

#[cfg(not(unix))]
fn replace_by(command: &mut Command) -> anyhow::Result<ExitCode> {
    Ok(workspace::exit_code(command.status()?.code()))
}
