//! Reports in a real browser: the system's Chromium, driven by Playwright, with axe-core for accessibility.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::{Outcome, fresh_folder, succeed};
use crate::{python, workspace};

/// What checks a page.
const SCRIPT: &str = "tests/browser/report.py";
/// Package of npm, with the digest of the file that is read into the page.
const AXE: &str = "axe-core@4.14.1";
const AXE_SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";
/// Exit code of the script when the browser hangs and no page has failed.
const STANDS_STILL: i32 = 3;
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Opens reports of made-up sweeps, and that of the ablation where it was run, in light, dark, 360 px wide and print.
pub fn check() -> anyhow::Result<Outcome> {
    let browser = browser()?;
    let mut script = python::browser_script(SCRIPT)?;
    let axe = axe()?;
    let out = fresh_folder("report")?;
    let demos = out.join("demo");
    let mut demo = workspace::cargo();
    succeed(demo.args(["run", "--quiet", "--package", "report", "--example", "demo", "--"]).arg(&demos))?;
    let demos = ["ablation", "large", "grid", "investor-bench"]
        .map(|name| demos.join("reports").join(name).join("index.html"));
    let swept = workspace::root().join("reports/ablation/index.html");
    let reports = demos.into_iter().chain(Some(swept).filter(|report| report.is_file()));
    script.arg("--browser").arg(browser).arg("--axe").arg(axe).arg("--out").arg(&out);
    let status = script.args(reports).status().context("cannot start Python")?;
    println!("pictures: {}", out.display());
    match status.code() {
        Some(0) => Ok(Outcome::Passed),
        Some(STANDS_STILL) => {
            Ok(Outcome::Skipped("the browser came to a stop before the last page".to_owned()))
        }
        _ => bail!("{SCRIPT}: {status}"),
    }
}

/// Path of the browser: Playwright starts a path, no name.
fn browser() -> anyhow::Result<PathBuf> {
    let folders: Vec<PathBuf> =
        std::env::var_os("PATH").map_or_else(Vec::new, |p| std::env::split_paths(&p).collect());
    let files = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.into_iter().find(|file| file.is_file()).context("no Chromium is installed (Debian: chromium)")
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
