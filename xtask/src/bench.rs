//! `cargo xtask bench`: criterion benches, with `--peer` the same work beside PyTorch and the Python packages of
//! statistics, with `--sb3` a training beside Stable-Baselines3, with `--growth` time and memory against what grows, with
//! `--orchestration` what sweeps of thousands of runs cost besides their training, with `--against` this tree compared with
//! an earlier commit. `--smoke` makes each of these so small that only its way is tested.

mod against;
mod growth;
mod orchestration;
mod ppo;
mod statistics;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use crate::near::{did_you_mean, nearest};
use crate::{flaglab, python, workspace};

/// Turns of each program: one of ours, one of theirs, and so on. A change of the machine's load meets both, and a ratio
/// is the median of those of neighbouring turns.
const TURNS: usize = 9;
const RESULTS: &str = "benches/RESULTS.md";
const SB3_RESULTS: &str = "benches/RESULTS-SB3.md";
const SB3: &str = "benches/sb3.py";

/// One measurement of both programs.
struct Case {
    /// Arguments of both.
    args: Vec<String>,
    /// Said of every row.
    title: &'static str,
}

/// Values by name, one per turn.
type Values = BTreeMap<String, Vec<f64>>;

/// How much is measured, and where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// As the committed pages say.
    Full,
    /// Seconds, to see that every program still starts and prints what is read; written below `target`.
    Smoke,
}

impl Size {
    fn pick<T>(self, full: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Smoke => smoke,
        }
    }

    /// Where `page`, a path from the root, is written: a smoke run leaves the committed one as it is.
    fn page(self, page: &str) -> anyhow::Result<PathBuf> {
        let path = match self {
            Self::Full => workspace::root().join(page),
            Self::Smoke => workspace::target()?.join("bench/smoke").join(page),
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(path)
    }

    /// Scratch below `target`, not shared between sizes.
    fn folder(self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = workspace::target()?.join(self.pick("bench", "bench/smoke/scratch")).join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Runs the criterion benches with `args`, or a comparison.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let (args, size) = match args {
        [args @ .., last] if last == "--smoke" => (args, Size::Smoke),
        args => (args, Size::Full),
    };
    match args {
        [flag, sections @ ..] if flag == "--peer" => peer(sections, size),
        [flag] if flag == "--sb3" => sb3(size),
        [flag] if flag == "--growth" => growth::run(size),
        [flag] if flag == "--orchestration" => orchestration::run(size),
        [flag, args @ ..] if flag == "--against" => against::run(args, size),
        [] if size == Size::Smoke => criterion(&["--".to_owned(), "--test".to_owned()]),
        [flag, ..] if FLAGS.iter().any(|known| is_slip(flag, known)) => {
            bail!("unknown option `{flag}`{}", did_you_mean(flag, FLAGS))
        }
        args => {
            ensure!(size == Size::Full, "--smoke stands alone or after {}", FLAGS[..5].join(", "));
            criterion(args)
        }
    }
}

fn criterion(args: &[String]) -> anyhow::Result<ExitCode> {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--profile", "dev", "--package", "bench", "--package", "stats"]).args(args);
    Ok(workspace::exit_code(cargo.status()?.code()))
}

/// Every command of this module once, with as little work as it can have. What a Python lacks is left out with the reason.
pub fn smoke() -> anyhow::Result<()> {
    let commands: [&[&str]; 6] =
        [&[], &["--peer"], &["--sb3"], &["--growth"], &["--orchestration"], &["--against", "HEAD"]];
    for command in commands {
        let words: Vec<String> = command.iter().chain(&["--smoke"]).map(|word| (*word).to_owned()).collect();
        if command.first() == Some(&"--sb3")
            && let Some(reason) = python::without_sb3()?
        {
            println!("\n-- bench --sb3 is left out: {reason}");
            continue;
        }
        println!("\n-- bench {}", words.join(" "));
        let code = run(&words)?;
        ensure!(code == ExitCode::SUCCESS, "bench {} failed", words.join(" "));
    }
    Ok(())
}

/// What asks for something else than criterion's benches, whose options cargo knows.
pub const FLAGS: [&str; 6] = ["--peer", "--sb3", "--growth", "--orchestration", "--against", "--smoke"];

fn is_slip(flag: &str, of: &'static str) -> bool {
    let bare = |flag: &'static str| flag.trim_start_matches('-');
    flag.strip_prefix("--").is_some_and(|flag| flag != bare(of) && nearest(flag, [bare(of)]).is_some())
}

/// The parts of the comparison, in the order of the page.
const SECTIONS: [(&str, &str); 4] = [
    ("layer", "One layer, and loading"),
    ("ppo", "PPO on a language model"),
    ("sweep", "A whole sweep"),
    ("stats", "Statistics of a sweep"),
];

/// What stands before `--turns N` at the end of `args`, and its number.
fn with_turns(args: &[String]) -> anyhow::Result<(&[String], Option<usize>)> {
    let [before @ .., flag, turns] = args else { return Ok((args, None)) };
    if flag != "--turns" {
        return Ok((args, None));
    }
    let turns: usize = turns.parse().context("--turns")?;
    ensure!(turns > 0, "--turns: expected at least 1, found 0");
    Ok((before, Some(turns)))
}

/// Keeps what a part has measured so far, as it is to stand on the page.
type Keep<'a> = &'a dyn Fn(&str) -> anyhow::Result<()>;

/// Said above a table that lacks rows, so that an interrupted measurement cannot pass for a whole one.
fn progress(done: usize, of: usize) -> String {
    if done < of { format!("**Unfinished: {done} of {of} workloads measured.**\n\n") } else { String::new() }
}

/// Runs the named parts, or all, and replaces them on the page; `--turns N` for less or more of PPO than three.
fn peer(args: &[String], size: Size) -> anyhow::Result<ExitCode> {
    let names = SECTIONS.map(|(name, _)| name);
    let (sections, turns) = with_turns(args)?;
    let turns = turns.unwrap_or(size.pick(ppo::TURNS, 1));
    if let Some(unknown) = sections.iter().find(|section| !names.contains(&section.as_str())) {
        bail!("expected {}, found `{unknown}`{}", names.join(", "), did_you_mean(unknown, names));
    }
    let path = size.page(RESULTS)?;
    for (name, title) in SECTIONS {
        if !sections.is_empty() && !sections.iter().any(|section| section == name) {
            continue;
        }
        let keep = |body: &str| -> anyhow::Result<()> {
            let before = fs::read_to_string(&path).unwrap_or_default();
            fs::write(&path, with_section(&before, title, body)).with_context(|| path.display().to_string())
        };
        let body = match name {
            "layer" => layer(size, &keep)?,
            "ppo" => ppo::trainings(turns, size, &keep)?,
            "stats" => statistics::section(size)?,
            _ => ppo::sweep(size, &keep)?,
        };
        keep(&body)?;
        print!("## {title}\n\n{body}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The page with one section replaced or added, in their order.
fn with_section(page: &str, title: &str, body: &str) -> String {
    let mut text = "# Beside PyTorch\n\n\
         Written by `cargo xtask bench --peer`: both programs in turn, medians; a ratio is the median over neighbouring\n\
         turns, beside its range, and above 1 in our favour. SmolLM2-135M's shape has random weights; f32, PyTorch eager\n\
         with its own attention kernel (`sdpa`), on the CPU; statistics are beside other packages. Each part says when and\n\
         where it was measured: `cargo xtask bench --peer ppo` measures one part again.\n"
        .to_owned();
    for (_, other) in SECTIONS {
        let old = page.split("\n## ").skip(1).find_map(|part| part.strip_prefix(other)?.strip_prefix("\n\n"));
        let body = if other == title { Some(body) } else { old };
        if let Some(body) = body {
            text.push_str(&format!("\n## {other}\n\n{}\n", body.trim_end()));
        }
    }
    text
}

/// A script of PyTorch's side with as many threads as the machine has.
fn theirs(script: &str) -> anyhow::Result<Command> {
    let mut command = python::script(&python::ORACLES, script)?;
    command.env("FLAGLAB_THREADS", std::thread::available_parallelism()?.get().to_string());
    Ok(command)
}

fn layer(size: Size, keep: Keep) -> anyhow::Result<String> {
    let (turns, layers) = (size.pick(TURNS, 1), size.pick("30", "1"));
    let ours = flaglab::example("peer")?;
    let theirs = || theirs("benches/peer.py");
    let versions = output(theirs()?.arg("versions"))?;
    let mut cases = vec![Case { args: vec!["layer".to_owned()], title: "one layer, 4 x 256 tokens" }];
    for (dtype, title) in
        [("float32", "load 135M from an f32 file"), ("bfloat16", "load 135M from a bf16 file")]
    {
        let folder = size.folder(dtype)?;
        if !folder.join("model.safetensors").is_file() {
            eprintln!("writing {}", folder.display());
            output(theirs()?.arg("make").arg(&folder).args([dtype, layers]))?;
        }
        cases.push(Case { args: vec!["load".to_owned(), folder.display().to_string()], title });
    }
    let (mut table, mut body) = (String::new(), String::new());
    for (i, case) in cases.iter().enumerate() {
        let (our_values, their_values) = in_turn(
            case.title,
            turns,
            || output(Command::new(&ours).args(&case.args)),
            || output(theirs()?.args(&case.args)),
        )?;
        rows(&mut table, case.title, &our_values, &their_values)?;
        body = progress(i + 1, cases.len()) + &layer_section(turns, &table, &versions)?;
        keep(&body)?;
    }
    Ok(body)
}

fn layer_section(turns: usize, table: &str, versions: &str) -> anyhow::Result<String> {
    Ok(format!(
        "{turns} turns. `load/memory` is the peak of the process's resident memory, PyTorch itself included; the weights are\n\
         513 MiB in f32.\n\n\
         | what | measure | flaglab | PyTorch | ratio | range |\n|---|---|---|---|---|---|\n{table}\n\
         {}\n",
        machine(versions)?
    ))
}

fn sb3(size: Size) -> anyhow::Result<ExitCode> {
    let turns = size.pick(TURNS, 1);
    let ours = flaglab::example("peer")?;
    let threads = std::thread::available_parallelism()?.get();
    let closes = size.folder("sb3")?.join("closes.txt");
    output(Command::new(&ours).arg("closes").arg(&closes))?;
    let versions = output(python::sb3_script(SB3)?.arg("versions"))?;
    let train = |n: usize| -> anyhow::Result<String> {
        let mut command = python::sb3_script(SB3)?;
        // Before PyTorch is imported too: a pool that is there already waits in loops that take our time.
        command.env("FLAGLAB_THREADS", n.to_string()).env("OMP_NUM_THREADS", n.to_string());
        output(command.arg("train").arg(&closes))
    };
    // More threads make small matrices slower, most of all beside other programs: theirs is the faster choice.
    let mut trials = Vec::new();
    for n in if threads == 1 { vec![1] } else { vec![1, threads] } {
        let mut values = Values::new();
        collect(&mut values, &train(n)?)?;
        let rates = values.iter().filter(|(name, _)| name.ends_with("per_s"));
        let rate = rates.flat_map(|(_, rates)| rates).copied().next().context("sb3.py prints no rate")?;
        eprintln!("Stable-Baselines3 with {n} PyTorch threads: {rate:.0} steps/s");
        trials.push((rate, n));
    }
    let best = trials.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    let (_, best) = best.context("invariant: one thread is always tried")?;
    let (our_values, their_values) =
        in_turn("ppo-mlp", turns, || output(Command::new(&ours).arg("train")), || train(best))?;
    let mut table = String::new();
    rows(&mut table, "PPO, 8 environments", &our_values, &their_values)?;
    let trials: Vec<String> = trials.iter().map(|(rate, n)| format!("{rate:.0} steps/s with {n}")).collect();
    let text = format!(
        "# Beside Stable-Baselines3\n\n\
         Written by `cargo xtask bench --sb3`: both programs in turn, {turns} times each, medians; the ratio is the\n\
         median over neighbouring turns, beside its range, and above 1 in our favour. Steps of all environments together,\n\
         per second, from the first rollout to the last update; and processor time of all threads, which other programs\n\
         on the machine lengthen less. Same closes, rules (`investor-bench`, all actions legal),\n\
         reward, observations, network (policy and value apart, two ReLU layers of 64 each), 128 steps per rollout,\n\
         4 epochs in minibatches of 256, f32 on the CPU. Stable-Baselines3 computes with {best} PyTorch thread(s), the\n\
         faster choice of a trial before the turns: {}.\n\n\
         | what | measure | flaglab | Stable-Baselines3 | ratio | range |\n|---|---|---|---|---|---|\n{table}\n\
         {}\n",
        trials.join(", "),
        machine(&versions)?
    );
    fs::write(size.page(SB3_RESULTS)?, &text)?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// What both programs print, ours first in each of the turns.
fn in_turn(
    title: &str,
    turns: usize,
    ours: impl Fn() -> anyhow::Result<String>,
    theirs: impl Fn() -> anyhow::Result<String>,
) -> anyhow::Result<(Values, Values)> {
    let (mut our_values, mut their_values) = (Values::new(), Values::new());
    for turn in 1..=turns {
        eprintln!("{title}: turn {turn} of {turns}");
        collect(&mut our_values, &ours()?)?;
        collect(&mut their_values, &theirs()?)?;
    }
    Ok((our_values, their_values))
}

/// A program of the package of end-to-end tests, in the profile that sweeps run in.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let target = workspace::target()?;
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--package", "it", "--bin", name, "--target-dir"]).arg(&target);
    ensure!(cargo.status()?.success(), "{name} does not build");
    Ok(target.join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| program.clone())?;
    let messages = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {}\n{messages}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Takes lines of `name value`.
fn collect(values: &mut Values, text: &str) -> anyhow::Result<()> {
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else {
            bail!("expected `name value`, found `{line}`")
        };
        let value: f64 = value.parse().with_context(|| format!("`{line}`"))?;
        values.entry(name.to_owned()).or_default().push(value);
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A row per name that both programs print.
fn rows(table: &mut String, title: &str, ours: &Values, theirs: &Values) -> anyhow::Result<()> {
    for (name, ours) in ours {
        let theirs = theirs.get(name).with_context(|| format!("the other program prints no `{name}`"))?;
        let is_rate = name.ends_with("per_s");
        let ratio = |(ours, theirs): (&f64, &f64)| if is_rate { ours / theirs } else { theirs / ours };
        let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let spread = format!("{:.2} to {:.2}", ratios[0], ratios[ratios.len() - 1]);
        let (ours, theirs, ratio) = (median(ours), median(theirs), median(&ratios));
        let unit = if name.contains("memory") {
            |value: f64| format!("{:.0} MiB", value / 1024.0 / 1024.0)
        } else if is_rate {
            |value: f64| format!("{value:.0}/s")
        } else {
            |value: f64| format!("{:.1} ms", 1e3 * value)
        };
        writeln!(
            table,
            "| {title} | `{name}` | {} | {} | {ratio:.2} | {spread} |",
            unit(ours),
            unit(theirs)
        )?;
    }
    Ok(())
}

/// Where and with what the numbers were taken.
fn machine(versions: &str) -> anyhow::Result<String> {
    let threads = std::thread::available_parallelism()?.get();
    let rustc =
        output(Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version"))?;
    let date = output(Command::new("date").arg("+%Y-%m-%d"))?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    Ok(format!(
        "{} with {threads} threads, load average {load} at the end; {}, {}; {}.",
        processor(),
        versions.trim(),
        rustc.trim(),
        date.trim(),
    ))
}

/// The processor's name, where the system tells.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
