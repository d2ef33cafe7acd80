//! Reports in a real browser: the system's Chromium, driven by Playwright, with axe-core for accessibility.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{Outcome, fresh_folder, succeed};
use crate::{flaglab, python, workspace};

/// What checks a page.
const SCRIPT: &str = "tests/browser/report.py";
/// Package of npm, with the digest of the file that is read into the page.
const AXE: &str = "axe-core@4.14.1";
const AXE_SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";
/// The first needs the least of a system. Any of them may stand still, which the script expects.
const BROWSERS: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
/// Experiments whose reports are opened too where they were swept.
const SWEPT: [&str; 6] = ["ablation", "planted-signal", "search", "investor-bench", "paper", "paper-msft"];

/// Opens reports of made-up sweeps, and those of swept experiments, in light, dark, 360 px wide and print.
pub fn check() -> anyhow::Result<Outcome> {
    let browser = browser()?;
    let mut script = python::script(&python::BROWSER, SCRIPT)?;
    let axe = axe()?;
    let out = fresh_folder("report")?;
    let demos = out.join("demo");
    succeed(Command::new(flaglab::example("demo")?).arg(&demos))?;
    let demos = demos.join("reports");
    let made_up =
        ["ablation", "large", "grid", "search", "investor-bench", "backends", "compare-ablation+grid"];
    let made_up = made_up.map(|name| demos.join(name)).into_iter().chain([demos]);
    let swept = SWEPT.map(|name| workspace::root().join("reports").join(name));
    let swept = swept.into_iter().filter(|folder| folder.join("index.html").is_file());
    let pages = made_up.chain(swept).map(|folder| folder.join("index.html"));
    script.arg("--browser").arg(browser).arg("--axe").arg(axe).arg("--out").arg(&out);
    let outcome = succeed(script.args(pages));
    println!("pictures: {}", out.display());
    outcome
}

/// Path of the browser: Playwright starts a path, no name.
fn browser() -> anyhow::Result<PathBuf> {
    let folders: Vec<PathBuf> =
        std::env::var_os("PATH").map_or_else(Vec::new, |p| std::env::split_paths(&p).collect());
    let files = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files
        .into_iter()
        .find(|file| file.is_file())
        .context("no Chromium is installed (Debian: chromium-headless-shell)")
}

/// `axe.min.js`, fetched once into the target folder.
fn axe() -> anyhow::Result<PathBuf> {
    let folder = workspace::target()?.join("axe");
    let file = folder.join("package/axe.min.js");
    if !is_axe(&file)? {
        eprintln!("fetching {AXE}");
        fs::create_dir_all(&folder)?;
        let pack = Command::new("npm").args(["pack", AXE, "--silent"]).current_dir(&folder).output();
        let pack = pack.context("cannot start npm (Debian: npm)")?;
        ensure!(pack.status.success(), "npm pack {AXE}: {}", String::from_utf8_lossy(&pack.stderr));
        let name = String::from_utf8_lossy(&pack.stdout).trim().to_owned();
        succeed(Command::new("tar").args(["-xzf", &name, "package/axe.min.js"]).current_dir(&folder))?;
        ensure!(is_axe(&file)?, "{AXE}: axe.min.js has another digest than the one that is known");
    }
    Ok(file)
}

fn is_axe(file: &Path) -> anyhow::Result<bool> {
    if !file.is_file() {
        return Ok(false);
    }
    let output = Command::new("sha256sum").arg(file).output().context("sha256sum")?;
    Ok(String::from_utf8_lossy(&output.stdout).starts_with(AXE_SHA256))
}
