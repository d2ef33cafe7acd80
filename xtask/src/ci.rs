//! `cargo xtask ci`: every check of the project, one after the other, with a header and a time each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use crate::{flaglab, workspace};

/// What a check came to.
enum Outcome {
    Passed,
    Skipped(String),
}

type Check = fn() -> anyhow::Result<Outcome>;

const CHECKS: &[(&str, Check)] = &[
    ("formatting", formatting),
    ("lints", lints),
    ("documentation", documentation),
    ("tests", tests),
    ("sweep of experiments/ablation.toml", ablation),
    ("sweep of experiments/investor-bench.toml", investor_bench),
];

const FULL: &[(&str, Check)] = &[
    ("report in a headless browser", browser),
    ("types of the cuda backend", cuda),
    ("sweep on wgpu with a software adapter", wgpu),
];

/// Runs all checks; exit 1 when one failed.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let full = match args {
        [] => false,
        [flag] if flag == "--full" => true,
        _ => bail!("cargo xtask ci takes --full only, found `{}`", args.join(" ")),
    };
    let (mut passed, mut skipped, mut failed) = (0, 0, 0);
    for (name, check) in CHECKS.iter().chain(if full { FULL } else { &[] }) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = check();
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("== {name}: passed in {seconds:.1} s");
            }
            Ok(Outcome::Skipped(reason)) => {
                skipped += 1;
                println!("== {name}: skipped, {reason}");
            }
            Err(error) => {
                failed += 1;
                println!("== {name}: FAILED in {seconds:.1} s: {error:#}");
            }
        }
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Outcome> {
    succeed(workspace::cargo().args(args).envs(env.iter().copied()))
}

fn succeed(command: &mut Command) -> anyhow::Result<Outcome> {
    let status = command.status().with_context(|| format!("{}", command.get_program().to_string_lossy()))?;
    ensure!(status.success(), "{status}");
    Ok(Outcome::Passed)
}

fn formatting() -> anyhow::Result<Outcome> {
    cargo(&["fmt", "--all", "--check"], &[])
}

fn lints() -> anyhow::Result<Outcome> {
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
}

fn documentation() -> anyhow::Result<Outcome> {
    cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
}

fn tests() -> anyhow::Result<Outcome> {
    cargo(&["test", "--workspace"], &[])
}

fn sweep(file: &str, features: &[&str], env: &[(&str, &Path)]) -> anyhow::Result<PathBuf> {
    let binary = flaglab::build(features)?;
    let output = Command::new(binary)
        .args(["sweep", file])
        .envs(env.iter().copied())
        .current_dir(workspace::root())
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    print!("{stdout}");
    ensure!(output.status.success(), "{}", output.status);
    let report = stdout.lines().next_back().context("the sweep printed nothing")?;
    let report = workspace::root().join(report.trim());
    ensure!(report.is_file(), "{}: the report is not there", report.display());
    Ok(report)
}

fn ablation() -> anyhow::Result<Outcome> {
    sweep("experiments/ablation.toml", &[], &[]).map(|_| Outcome::Passed)
}

fn investor_bench() -> anyhow::Result<Outcome> {
    if std::env::var_os("FLAGLAB_DATA").is_none() {
        return Ok(Outcome::Skipped("FLAGLAB_DATA names no folder of real data".into()));
    }
    sweep("experiments/investor-bench.toml", &[], &[]).map(|_| Outcome::Passed)
}

/// The build script of the CUDA backend downloads a compiler bundle unless it documents only.
fn cuda() -> anyhow::Result<Outcome> {
    cargo(&["check", "--package", "flaglab", "--features", "cuda"], &[("DOCS_RS", "1")])
}

/// A sweep of a few steps on whatever adapter Vulkan offers; `mesa-vulkan-drivers` brings a software one.
fn wgpu() -> anyhow::Result<Outcome> {
    let drivers =
        ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].iter().flat_map(fs::read_dir).flatten().count();
    ensure!(drivers > 0, "no Vulkan driver is installed (Debian: mesa-vulkan-drivers)");
    let scratch = fresh_folder("wgpu")?;
    let env = [("FLAGLAB_RUNS", scratch.join("runs")), ("FLAGLAB_REPORTS", scratch.join("reports"))];
    let env: Vec<_> = env.iter().map(|(k, v)| (*k, v.as_path())).collect();
    sweep("tests/experiments/wgpu.toml", &["wgpu"], &env).map(|_| Outcome::Passed)
}

/// Opens the ablation's report at the width of a desktop and of a phone; a console error or an empty picture fails.
fn browser() -> anyhow::Result<Outcome> {
    let report = workspace::root().join("reports/ablation/index.html");
    ensure!(report.is_file(), "{}: run the sweep first", report.display());
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let found = browsers.iter().find(|b| Command::new(b).arg("--version").output().is_ok());
    let browser = found.context("no Chromium is installed (Debian: chromium)")?;
    let scratch = fresh_folder("report")?;
    for (name, size) in [("desktop", "1280,4000"), ("phone", "390,6000")] {
        let picture = scratch.join(format!("{name}.png"));
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000"])
            .arg(format!("--window-size={size}"))
            .arg(format!("--user-data-dir={}", scratch.join("profile").display()))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", report.display()))
            .output()?;
        let log = String::from_utf8_lossy(&output.stderr);
        let console: Vec<&str> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
        ensure!(console.is_empty(), "{name}: the page wrote to the console: {}", console.join(" | "));
        let bytes = fs::metadata(&picture).with_context(|| format!("{name}: no picture"))?.len();
        ensure!(bytes > 20_000, "{name}: the picture has {bytes} bytes only");
        println!("{}", picture.display());
    }
    Ok(Outcome::Passed)
}

fn fresh_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::target()?.join("ci").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
