//! PPO on a language model beside PyTorch: iterations, and a sweep as a whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::{Keep, Size, Values, collect, in_turn, machine, median, output, progress, theirs};
use crate::{flaglab, workspace};

const SCRIPT: &str = "benches/ppo.py";
/// Turns of each case, which takes minutes.
pub const TURNS: usize = 3;
/// Seeds side by side.
const SEEDS: [&str; 2] = ["1", "5"];
/// What makes a sweep of the ablation one of seconds.
const SMALL_SWEEP: [&str; 4] = [
    "seeds=1",
    "agent.total_timesteps=128",
    "split.train=[\"2010-01-04\", \"2010-12-31\"]",
    "split.test=[\"2011-01-14\", \"2011-03-31\"]",
];
/// Arms that PyTorch trains in a smoke run.
const SMOKE_ARMS: usize = 2;

/// A workload of `benches/ppo.rs`, what it is, and the ratios that are aimed at with one seed and with five.
struct Case {
    name: &'static str,
    title: &'static str,
    targets: Option<[f64; 2]>,
}

const CASES: [Case; 9] = [
    Case { name: "smol/0", title: "heads only", targets: Some([15.0, 18.0]) },
    Case { name: "smol/cue", title: "heads only, prompts without the account", targets: None },
    Case { name: "smol/1", title: "1 trainable layer", targets: Some([12.0, 14.0]) },
    Case { name: "smol/2", title: "2 trainable layers", targets: Some([6.0, 7.0]) },
    Case { name: "smol/6", title: "6 trainable layers", targets: Some([2.5, 3.0]) },
    Case { name: "smol/lora", title: "LoRA, rank 8 on the top 6", targets: Some([3.0, 3.5]) },
    Case { name: "smol/kl", title: "2 trainable layers, with KL", targets: None },
    Case { name: "prompt", title: "2 trainable layers, prompts of `flag-trader.toml`", targets: None },
    Case { name: "small", title: "the shipped model, `base.toml`", targets: Some([10.0, 10.0]) },
];

/// PPO iterations of both programs.
pub fn trainings(turns: usize, size: Size, keep: Keep) -> anyhow::Result<String> {
    let ours = flaglab::example("ppo")?;
    let folder = size.folder("ppo")?;
    let versions = output(theirs(SCRIPT)?.arg("versions"))?;
    let (mut table, mut body) = (String::new(), String::new());
    for (done, Case { name, title, targets }) in (1..).zip(&CASES) {
        let file = folder.join(format!("{}.json", name.replace('/', "-")));
        let mut make = Command::new(&ours);
        make.args(["make", name]).arg(&file).args(size.pick(None, Some("tiny")));
        let made = values(&output(&mut make)?)?;
        let (our_values, their_values) = in_turn(
            title,
            turns,
            || output(Command::new(&ours).arg("train").arg(&file).args(SEEDS)),
            || output(theirs(SCRIPT)?.arg("train").arg(&file)),
        )?;
        let ours = |name: &str| our_values.get(name).with_context(|| format!("no `{name}`"));
        let theirs =
            |name: &str| their_values.get(name).with_context(|| format!("ppo.py prints no `{name}`"));
        for (i, seeds) in SEEDS.iter().enumerate() {
            let (rate, their_rate) = (ours(&format!("{seeds}/steps_per_s"))?, theirs("ppo/steps_per_s")?);
            let mut ratios: Vec<f64> =
                rate.iter().zip(their_rate).map(|(ours, theirs)| ours / theirs).collect();
            ratios.sort_by(f64::total_cmp);
            let target = targets.map_or_else(|| "-".to_owned(), |targets| format!("{:.1}", targets[i]));
            let mib = |values: &[f64]| median(values) / 1024.0 / 1024.0;
            writeln!(
                table,
                "| {title} | {seeds} | {:.2} | {:.3} | **{:.1}** | {:.1} to {:.1} | {target} | {:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
                median(rate),
                median(their_rate),
                median(&ratios),
                ratios[0],
                ratios[ratios.len() - 1],
                made["counted"][0],
                median(ours(&format!("{seeds}/tokens_per_s"))?),
                median(theirs("ppo/tokens_per_s")?),
                mib(ours(&format!("{seeds}/memory"))?),
                mib(theirs("ppo/memory")?),
                1e3 * median(ours("first_visit")?),
            )?;
        }
        body = progress(done, CASES.len()) + &trainings_section(turns, &table, &versions)?;
        keep(&body)?;
    }
    Ok(body)
}

fn trainings_section(turns: usize, table: &str, versions: &str) -> anyhow::Result<String> {
    Ok(format!(
        "Environment steps per second of all seeds together, PyTorch one seed, rollout and update. SmolLM2-135M's shape:\n\
         prompts of 360 shared and 40 own tokens (without the account 396 and 4), rollouts of 40 steps, one epoch, minibatches of\n\
         32 in micro-batches of 4, the shared parts of all dates read before; `first visit` is what reading one takes. `counted`\n\
         is the ratio if both programs computed equally fast what they compute. Tokens are those of the prompts, read or\n\
         found. Memory is the process's peak, for five seeds after one in the same process. Turns: {turns}.\n\n\
         | what | seeds | flaglab, steps/s | PyTorch | ratio | range | target | counted | flaglab, tokens/s | PyTorch | flaglab, MiB | PyTorch | first visit, ms |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n{table}\n\
         {}\n",
        machine(versions)?
    ))
}

/// `experiments/ablation.toml` as a whole: our sweep on the clock, PyTorch's runs one after the other extrapolated from
/// one training and some forward passes per arm.
pub fn sweep(size: Size, keep: Keep) -> anyhow::Result<String> {
    let set: &[&str] = size.pick(&[], &SMALL_SWEEP);
    let ours = flaglab::example("ppo")?;
    let binary = flaglab::build(&[])?;
    let folder = size.folder("sweep")?;
    let scratch = folder.join("scratch");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    let versions = output(theirs(SCRIPT)?.arg("versions"))?;
    let arms = output(Command::new(&ours).arg("arms").arg(&folder).args(set))?;
    let arms: Vec<&str> = arms.lines().take(size.pick(usize::MAX, SMOKE_ARMS)).collect();
    ensure!(!arms.is_empty(), "the ablation has no arm with a language model");
    eprintln!("the sweep");
    let start = Instant::now();
    output(
        Command::new(&binary)
            .args(["sweep", "experiments/ablation.toml"])
            .args(set.iter().flat_map(|set| ["--set", set]))
            .envs([("FLAGLAB_RUNS", scratch.join("runs")), ("FLAGLAB_REPORTS", scratch.join("reports"))])
            .current_dir(workspace::root()),
    )?;
    let seconds = start.elapsed().as_secs_f64();
    let lookups = values(&output(Command::new(&ours).arg("lookups").arg(scratch.join("runs")))?)?;
    let count = |name: &str| lookups.get(name).map_or(0.0, |values| values[0]);
    let computed = count("computed") + count("extended");
    let looked_up: f64 = lookups.values().flatten().sum();
    let (mut table, mut total, mut total_runs, mut body) = (String::new(), 0.0, 0, String::new());
    for (done, line) in (1..).zip(&arms) {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, runs, updates, forwards] = words[..] else { anyhow::bail!("`{line}`") };
        let (runs, forwards): (u32, f64) = (runs.parse()?, forwards.parse()?);
        eprintln!("{name} in PyTorch");
        let found = values(&output(theirs(SCRIPT)?.arg("train").arg(folder.join(format!("{name}.json"))))?)?;
        let of =
            |key: &str| found.get(key).map(|v| v[0]).with_context(|| format!("ppo.py prints no `{key}`"));
        let (training, forward) = (of("ppo/train_s")?, of("ppo/evaluate_s")?);
        let run = training + forwards * forward;
        total += f64::from(runs) * run;
        total_runs += runs;
        writeln!(
            table,
            "| {name} | {runs} | {updates} | {training:.1} | {forwards} | {:.2} | {run:.1} |",
            1e3 * forward
        )?;
        body = progress(done, arms.len())
            + &format!(
                "`experiments/ablation.toml`: {total_runs} runs of a language model and the baselines, {seconds:.0} s with flaglab from an\n\
         empty folder, report and Parquet files included. The same {total_runs} runs one after the other in PyTorch, without loading,\n\
         data, prompts, environments and files: {total:.0} s, each arm's time measured on one run (training whole, forward\n\
         passes of the evaluation from a sample). **Ratio {:.1}**; aimed at: 10. Shared parts of prompts, in training: {looked_up:.0}\n\
         looked up, {:.2}% found, {computed:.0} computed.\n\n\
         | arm | runs | updates | PyTorch, training, s | forwards of the evaluation | ms each | s per run |\n\
         |---|---|---|---|---|---|---|\n{table}\n\
         {}\n",
                total / seconds,
                100.0 * (1.0 - computed / looked_up),
                machine(&versions)?
            );
        keep(&body)?;
    }
    Ok(body)
}

fn values(text: &str) -> anyhow::Result<Values> {
    let mut values = BTreeMap::new();
    collect(&mut values, text)?;
    Ok(values)
}
