//! `cargo xtask ci`: every check of the project, with a header and a time each.
//!
//! Checks that compile go one after the other, since cargo admits one build at a time. The others go beside them, also one
//! after the other, each in a process of its own whose output is printed when it has ended. Python packages are fetched
//! while cargo compiles.

mod architecture;
mod browser;
mod lanes;
mod links;
mod noise;
mod outside;
mod slurm;
mod smollm2;
mod tables;
#[cfg(test)]
mod tests;
mod tutorial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::near::did_you_mean;
use crate::python::{self, Packages};
use crate::{bench, flaglab, workspace};

/// The pretrained model of the repository.
const SHIPPED: &str = "models/tiny-llama";

/// What a check came to.
enum Outcome {
    Passed,
    Skipped(String),
}

struct Check {
    /// By which `--with` and `--only` ask for it.
    name: &'static str,
    title: &'static str,
    run: fn() -> anyhow::Result<Outcome>,
    lane: Lane,
    /// Of Python, fetched before.
    needs: &'static [&'static Packages],
    /// Checks whose results it looks at, where they are asked for too.
    after: &'static [&'static str],
}

/// Beside what a check may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// It compiles, so that others would wait for it.
    Cargo,
    /// It starts what has been compiled.
    Beside,
}

const fn check(name: &'static str, title: &'static str, run: fn() -> anyhow::Result<Outcome>) -> Check {
    Check { name, title, run, lane: Lane::Cargo, needs: &[], after: &[] }
}

impl Check {
    const fn beside(self) -> Self {
        Self { lane: Lane::Beside, ..self }
    }

    const fn with(self, needs: &'static [&'static Packages]) -> Self {
        Self { needs, ..self }
    }

    const fn after(self, after: &'static [&'static str]) -> Self {
        Self { after, ..self }
    }
}

const CHECKS: &[Check] = &[
    check("formatting", "formatting", formatting),
    check("lints", "lints", lints),
    check("documentation", "documentation", documentation),
    check("links", "links of the Markdown pages", links::check),
    check("architecture", "tables of ARCHITECTURE.md", architecture::check),
    check("tests", "tests", tests),
    check("logits", "logits against the committed ones of transformers", logits),
    check("update", "PPO's update against the committed one of PyTorch", update),
    check("statistics", "statistics against the committed ones of Python packages", statistics),
    check("paper", "audit of the published tables", paper).beside(),
    check("ablation", "sweep of experiments/ablation.toml", ablation).beside(),
    check("investor-bench", "sweep of experiments/investor-bench.toml", investor_bench).beside(),
];

/// Checks that need more of a machine than Rust: `--full` runs all of them.
const FULL: &[Check] = &[
    check("parity", "parity with transformers", parity).beside().with(&[&python::ORACLES]),
    check("statistics-python", "statistics made again by Python packages", statistics_again)
        .with(&[&python::STATISTICS]),
    check("paper-python", "audit of the published tables made again in Python", paper_again)
        .beside()
        .with(&[&python::STATISTICS]),
    check("paper-trained", "the paper's experiments with fewer steps", paper_trained).beside(),
    check("peft", "adapters to PEFT and from PEFT", adapters).beside().with(&[&python::ORACLES]),
    check("smollm2", "SmolLM2 from a GGUF: import, logits, a sweep", smollm2::check).beside(),
    check("browser", "reports in a headless browser", browser::check)
        .beside()
        .with(&[&python::BROWSER])
        .after(&["ablation", "investor-bench"]),
    check("tensorboard", "exported runs in TensorBoard", tables::tensorboard)
        .beside()
        .with(&[&python::TENSORBOARD]),
    check("queries", "queries of docs/queries.md", tables::queries).beside().with(&[&python::QUERIES]),
    check("outside", "plugins from outside of the repository", outside::check),
    check("tutorial", "docs/tutorial.md with the installed program alone", tutorial::check),
    check("kill", "a sweep killed at 20 random moments", kill),
    check("slurm", "a sweep through Slurm, interrupted and killed", slurm::check).beside(),
    check("noise", "sweeps on markets in which there is nothing to find", noise::check).beside(),
    check("classic", "PPO on tasks with known optima", classic),
    check("cuda", "types of the cuda backend", cuda),
    check("wgpu", "sweeps on wgpu with a software adapter, one of them beside the CPU", wgpu),
    check("bench-smoke", "every bench command once, as small as it can be", bench_smoke)
        .with(&[&python::ORACLES, &python::STATISTICS]),
];

/// Runs the checks that are asked for; exit 1 when one failed.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    if let [flag, name] = args
        && flag == lanes::PART
    {
        return lanes::part(named(name)?[0]);
    }
    lanes::run(&selected(args)?)
}

/// The checks that the arguments ask for.
fn selected(args: &[String]) -> anyhow::Result<Vec<&'static Check>> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => Ok(CHECKS.iter().collect()),
        ["--full"] => Ok(CHECKS.iter().chain(FULL).collect()),
        ["--with", names] => Ok(CHECKS.iter().chain(named(names)?).collect()),
        ["--only", names] => named(names),
        _ => bail!(
            "cargo xtask ci takes --full, --with NAME,NAME or --only NAME,NAME; found `{}`{}",
            args.join(" "),
            args.first().map(|first| did_you_mean(first, ["--full", "--with", "--only"])).unwrap_or_default()
        ),
    }
}

fn named(names: &str) -> anyhow::Result<Vec<&'static Check>> {
    let all = || CHECKS.iter().chain(FULL);
    let known: Vec<&str> = all().map(|check| check.name).collect();
    let find = |name: &str| {
        let found = all().find(|check| check.name == name);
        let near = || did_you_mean(name, known.iter().copied());
        found.with_context(|| format!("expected some of {}; found `{name}`{}", known.join(", "), near()))
    };
    names.split(',').map(find).collect()
}

/// The command with its options, for the completion of a shell.
pub fn words() -> String {
    let names: Vec<&str> = CHECKS.iter().chain(FULL).map(|check| check.name).collect();
    let names = names.join(",");
    format!("ci --full --with={names} --only={names}")
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

/// What is built here is what the checks beside start.
fn tests() -> anyhow::Result<Outcome> {
    cargo(&["test", "--workspace", "--no-run"], &[])?;
    flaglab::build(&[])?;
    lanes::is_built();
    cargo(&["test", "--workspace"], &[])
}

fn bench_smoke() -> anyhow::Result<Outcome> {
    bench::smoke()?;
    Ok(Outcome::Passed)
}

/// Prints the table of cases, which the tests keep to themselves.
fn logits() -> anyhow::Result<Outcome> {
    cargo(&["test", "--quiet", "--workspace", "--test", "parity", "--", "--nocapture"], &[])
}

/// Prints the differences, which the tests keep to themselves.
fn update() -> anyhow::Result<Outcome> {
    let test = "three_updates_are_those_of_pytorch";
    cargo(&["test", "--quiet", "--workspace", "--lib", test, "--", "--nocapture"], &[])
}

/// Prints the table of metrics, which the tests keep to themselves.
fn statistics() -> anyhow::Result<Outcome> {
    statistics_test("parity::agrees_with_the_python_packages", &[])
}

fn statistics_test(test: &str, env: &[(&str, &str)]) -> anyhow::Result<Outcome> {
    cargo(&["test", "--quiet", "--workspace", "--lib", test, "--", "--exact", "--nocapture"], env)
}

/// The committed fixture made again, and one of real series where there are any.
fn statistics_again() -> anyhow::Result<Outcome> {
    let script = "crates/stats/tests/fixtures/make.py";
    succeed(python::script(&python::STATISTICS, script)?.arg("--check"))?;
    let Some(data) = real_data() else {
        println!("{NO_DATA}: generated series only");
        return Ok(Outcome::Passed);
    };
    let file = fresh_folder("statistics")?.join("real.json");
    succeed(python::script(&python::STATISTICS, script)?.arg("--real").arg(data).arg(&file))?;
    let file = file.to_str().context("the target folder's name is not UTF-8")?;
    statistics_test("parity::agrees_on_real_series", &[("FLAGLAB_STATISTICS", file)])
}

/// A bandit, a chain and CartPole-v1, five seeds each.
fn classic() -> anyhow::Result<Outcome> {
    succeed(&mut Command::new(flaglab::example("classic")?))
}

/// The committed fixtures made again, then published shapes and the shipped model in both implementations.
fn parity() -> anyhow::Result<Outcome> {
    succeed(python::script(&python::ORACLES, "crates/llm/fixtures/make.py")?.arg("--check"))?;
    succeed(python::script(&python::ORACLES, "crates/ppo/fixtures/make.py")?.arg("--check"))?;
    let mut logits = python::script(&python::ORACLES, "tests/oracles/logits.py")?;
    logits.arg("--flaglab").arg(flaglab::build(&[])?).arg("--shapes");
    succeed(logits.arg(SHIPPED))
}

/// A run's adapter read by PEFT, its model read by transformers, and adapters of PEFT read here.
fn adapters() -> anyhow::Result<Outcome> {
    let scratch = fresh_folder("peft")?;
    let env = [("FLAGLAB_RUNS", scratch.join("runs")), ("FLAGLAB_REPORTS", scratch.join("reports"))];
    let env: Vec<_> = env.iter().map(|(k, v)| (*k, v.as_path())).collect();
    sweep("tests/experiments/lora.toml", &[], &env)?;
    let runs = fs::read_dir(scratch.join("runs/lora"))?;
    let mut runs = runs.filter_map(|entry| Some(entry.ok()?.path()));
    let run = runs.find(|path| path.join("manifest.json").is_file()).context("the sweep left no run")?;
    let binary = flaglab::build(&[])?;
    for format in ["peft", "full"] {
        let mut export = Command::new(&binary);
        export.args(["model", "export"]).arg(&run).arg(scratch.join(format)).args(["--format", format]);
        succeed(export.current_dir(workspace::root()))?;
    }
    let mut roundtrip = python::script(&python::ORACLES, "tests/oracles/peft_roundtrip.py")?;
    roundtrip.arg("--flaglab").arg(binary).args(["--base", SHIPPED]);
    roundtrip.arg("--adapter").arg(scratch.join("peft")).arg("--merged").arg(scratch.join("full"));
    succeed(&mut roundtrip)
}

fn sweep(file: &str, features: &[&str], env: &[(&str, &Path)]) -> anyhow::Result<PathBuf> {
    sweep_with(file, &[], features, env)
}

/// `set`: overrides, as `--set` takes them.
fn sweep_with(file: &str, set: &[&str], features: &[&str], env: &[(&str, &Path)]) -> anyhow::Result<PathBuf> {
    let binary = flaglab::build(features)?;
    let output = flaglab::command(&binary)
        .args(["sweep", file])
        .args(set.iter().flat_map(|set| ["--set", set]))
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

const NO_DATA: &str = "there are no real data, neither in FLAGLAB_DATA nor in data/";

/// The folder of real data: where the binary looks for them.
fn real_data() -> Option<PathBuf> {
    let named = std::env::var_os("FLAGLAB_DATA").map(|data| workspace::root().join(data));
    let data = named.unwrap_or_else(|| workspace::root().join("data"));
    data.join("investor-bench").is_dir().then_some(data)
}

/// Without data the cells say so, and the check passes: nothing that was looked at has changed.
fn paper() -> anyhow::Result<Outcome> {
    let mut paper = Command::new(flaglab::build(&[])?);
    succeed(paper.args(["paper", "--quick"]).current_dir(workspace::root()))
}

/// On made-up prices, and on real ones where there are any.
fn paper_again() -> anyhow::Result<Outcome> {
    let mut audit = python::script(&python::STATISTICS, "tests/oracles/audit.py")?;
    audit.arg("--flaglab").arg(flaglab::build(&[])?);
    if let Some(data) = real_data() {
        audit.arg("--data").arg(data);
    }
    succeed(&mut audit)
}

/// Prints how often runs went on, which the test keeps to itself.
fn kill() -> anyhow::Result<Outcome> {
    let test = ["test", "--quiet", "--workspace", "--test", "resume", "--", "--nocapture"];
    cargo(&test, &[("FLAGLAB_KILLS", "20")])
}

/// Five seeds on each of five assets.
fn paper_trained() -> anyhow::Result<Outcome> {
    if real_data().is_none() {
        return Ok(Outcome::Skipped(NO_DATA.into()));
    }
    let mut paper = Command::new(flaglab::build(&[])?);
    succeed(paper.arg("paper").current_dir(workspace::root()))
}

fn investor_bench() -> anyhow::Result<Outcome> {
    if real_data().is_none() {
        return Ok(Outcome::Skipped(NO_DATA.into()));
    }
    sweep("experiments/investor-bench.toml", &[], &[]).map(|_| Outcome::Passed)
}

/// The build script of the CUDA backend downloads a compiler bundle unless it documents only.
fn cuda() -> anyhow::Result<Outcome> {
    cargo(&["check", "--package", "flaglab", "--features", "cuda"], &[("DOCS_RS", "1")])
}

/// `experiments/backends.toml` in two minutes on a software adapter.
const FEW_STEPS: [&str; 7] = [
    "seeds=2",
    "agent.total_timesteps=24",
    "agent.num_steps=4",
    "agent.minibatch_size=8",
    "env.num_envs=2",
    "split.train=[\"2010-01-04\", \"2010-06-30\"]",
    "split.test=[\"2010-08-01\", \"2010-08-31\"]",
];

/// Sweeps of a few steps on whatever adapter Vulkan offers; `mesa-vulkan-drivers` brings a software one. The second has
/// the same arms on the CPU, and its table is printed.
fn wgpu() -> anyhow::Result<Outcome> {
    let drivers =
        ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].iter().flat_map(fs::read_dir).flatten().count();
    ensure!(drivers > 0, "no Vulkan driver is installed (Debian: mesa-vulkan-drivers)");
    let scratch = fresh_folder("wgpu")?;
    let env = [("FLAGLAB_RUNS", scratch.join("runs")), ("FLAGLAB_REPORTS", scratch.join("reports"))];
    let env: Vec<_> = env.iter().map(|(k, v)| (*k, v.as_path())).collect();
    sweep("tests/experiments/wgpu.toml", &["wgpu"], &env)?;
    let backends = "experiments/backends.toml";
    sweep_with(backends, &FEW_STEPS, &["wgpu"], &env)?;
    let mut report = Command::new(flaglab::build(&["wgpu"])?);
    report.args(["report", backends, "--format", "markdown"]);
    report.args(FEW_STEPS.iter().flat_map(|set| ["--set", set]));
    succeed(report.envs(env).current_dir(workspace::root()))
}

fn fresh_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::target()?.join("ci").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
