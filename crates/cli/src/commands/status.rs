//! `status`: how far an experiment is, beside whoever works on it.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use runner::{Plan, PlannedRun, Registry};
use serde_json::{Value, json};
use store::{Live, RunState};

use crate::commands::sweep::{self, Loaded};
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::progress::duration;
use crate::screen;

/// Arguments of `status`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Experiment file.
    file: PathBuf,
    /// Override of one key, as in `sweep`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Looks again every two seconds until nothing is running, planned or interrupted any more, or until Ctrl-C. Off a
    /// terminal it prints only what is new.
    #[arg(long)]
    watch: bool,
    /// How to print the result; with --watch JSON comes in one line each time.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// States in the order of the columns.
const STATES: [&str; 6] = ["completed", "running", "failed", "interrupted", "planned", "skipped"];
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// `status`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let Loaded { experiment, files, lock, store, .. } = Loaded::of(registry, &args.file, &args.set)?;
    let (mut plan, _) = sweep::plan(registry, &experiment, &files, lock, store)?;
    if !args.watch {
        let status = Status::of(&plan);
        match args.format {
            Format::Json => output::print_json(&status.json()),
            Format::Text => output::print(&status.text()),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let stop = sweep::Stop::on_signals();
    let draws = args.format == Format::Text && std::io::stdout().is_terminal();
    let mut told = None;
    loop {
        let status = Status::of(&plan);
        let is_new = told.as_ref() != Some(&status.key());
        match args.format {
            Format::Text if draws => {
                let _ = write!(std::io::stdout().lock(), "{CLEAR}");
                output::print(&status.text());
            }
            Format::Text if is_new => output::print(&(status.text() + "\n ")),
            Format::Json if is_new => output::print_line(&status.json()),
            Format::Text | Format::Json => {}
        }
        if status.is_over() || !stop.sleeps(LOOK) {
            return Ok(ExitCode::SUCCESS);
        }
        told = Some(status.key());
        plan.refresh()?;
    }
}

/// What is told of an experiment at one moment.
struct Status<'a> {
    plan: &'a Plan<'a>,
    /// Runs, each id once: arms that resolve to the same settings have the same runs.
    counts: Counts,
    /// By arm of the plan.
    arms: Vec<Counts>,
    running: Vec<Running<'a>>,
    /// How many failed or were skipped for the same reason.
    reasons: BTreeMap<(&'static str, &'a str), usize>,
    left: Option<Duration>,
}

/// Runs by state, in the order of [`STATES`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts([usize; 6]);

impl Counts {
    fn add(&mut self, state: &RunState) {
        let place = STATES.iter().position(|word| *word == state.word());
        self.0[place.expect("invariant: every state has a column")] += 1;
    }

    fn of(&self, word: &str) -> usize {
        STATES.iter().zip(self.0).find(|(state, _)| **state == word).map_or(0, |(_, n)| n)
    }

    fn total(&self) -> usize {
        self.0.iter().sum()
    }

    fn json(&self) -> Value {
        STATES.iter().zip(self.0).map(|(word, n)| ((*word).to_owned(), json!(n))).collect()
    }
}

/// A run that somebody works on.
struct Running<'a> {
    run: &'a PlannedRun,
    arm: &'a str,
    host: &'a str,
    pid: u32,
    /// What it last told; `None` before its first sign of life.
    live: Option<Live>,
    sign: Option<Duration>,
}

impl Running<'_> {
    /// Steps per second since its process took it up.
    fn rate(&self) -> Option<f64> {
        let live = self.live.as_ref()?;
        (live.steps_here > 0 && live.seconds > 0.0).then(|| live.steps_here as f64 / live.seconds)
    }

    fn left(&self) -> Option<Duration> {
        let live = self.live.as_ref()?;
        let steps = live.total?.saturating_sub(live.steps);
        Duration::try_from_secs_f64(steps as f64 / self.rate()?).ok()
    }

    /// The whole of it, judged by its rate.
    fn whole(&self) -> Option<Duration> {
        let total = self.live.as_ref()?.total?;
        Duration::try_from_secs_f64(total as f64 / self.rate()?).ok()
    }
}

impl<'a> Status<'a> {
    fn of(plan: &'a Plan<'a>) -> Self {
        let mut arms = vec![Counts::default(); plan.arms.len()];
        let mut counts = Counts::default();
        let (mut running, mut reasons) = (Vec::new(), BTreeMap::new());
        let mut seen = std::collections::HashSet::new();
        let mut distinct: Vec<&PlannedRun> = Vec::new();
        for run in &plan.runs {
            arms[run.arm].add(&run.state);
            if !seen.insert(run.id.as_str()) {
                continue;
            }
            distinct.push(run);
            counts.add(&run.state);
            match &run.state {
                RunState::Running { host, pid } => {
                    let dir = plan.store.dir().join(store::attempt_name(&run.id, run.attempt));
                    running.push(Running {
                        run,
                        arm: &plan.arm_of(run).name,
                        host,
                        pid: *pid,
                        live: plan.store.live(&dir),
                        sign: plan.store.sign_age(&dir),
                    });
                }
                RunState::Failed { reason, .. } | RunState::Skipped { reason } => {
                    *reasons.entry((run.state.word(), reason.as_str())).or_default() += 1;
                }
                _ => {}
            }
        }
        let left = left(&distinct, &running, plan.arms.len());
        Self { plan, counts, arms, running, reasons, left }
    }

    fn is_over(&self) -> bool {
        ["running", "planned", "interrupted"].iter().all(|word| self.counts.of(word) == 0)
    }

    /// What has to change to be told again: states and steps, not ages and rates.
    fn key(&self) -> (Vec<Counts>, Vec<(String, Option<u64>)>) {
        let steps = |r: &Running<'_>| (r.run.id.clone(), r.live.as_ref().map(|live| live.steps));
        (self.arms.clone(), self.running.iter().map(steps).collect())
    }

    fn json(&self) -> Value {
        let arms = self.plan.arms.iter().zip(&self.arms).map(|(arm, counts)| {
            json!({ "arm": arm.name, "role": arm.role, "runs": counts.total(), "states": counts.json() })
        });
        let running = self.running.iter().map(|r| {
            let live = r.live.as_ref();
            json!({
                "run_id": r.run.id,
                "attempt": r.run.attempt,
                "arm": r.arm,
                "seed": r.run.seed,
                "host": r.host,
                "pid": r.pid,
                "steps": live.map(|live| live.steps),
                "total_steps": live.and_then(|live| live.total),
                "updates": live.map(|live| live.updates),
                "steps_per_s": r.rate(),
                "left_s": r.left().map(|d| d.as_secs_f64()),
                "episode_return": live.and_then(|live| live.episode_return),
                "entropy": live.and_then(|live| live.entropy),
                "sign_age_s": r.sign.map(|d| d.as_secs_f64()),
            })
        });
        let reasons = self
            .reasons
            .iter()
            .map(|((state, reason), n)| json!({ "state": state, "reason": reason, "runs": n }));
        json!({
            "experiment": self.plan.experiment.name,
            "runs": self.counts.total(),
            "states": self.counts.json(),
            "arms": arms.collect::<Vec<_>>(),
            "running": running.collect::<Vec<_>>(),
            "reasons": reasons.collect::<Vec<_>>(),
            "left_s_estimate": self.left.map(|d| d.as_secs_f64()),
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{}: {} runs", self.plan.experiment.name, self.counts.total());
        for (word, n) in STATES.iter().zip(self.counts.0).filter(|(_, n)| *n > 0) {
            text += &format!(", {n} {word}");
        }
        text += "\n\n";
        let mut rows = vec![row("arm", STATES)];
        let arms = self.plan.arms.iter().zip(&self.arms);
        rows.extend(arms.map(|(arm, counts)| row(&arm.name, counts.0)));
        text += &output::table(&rows, 1);
        if !self.running.is_empty() {
            let heads =
                ["seed", "host", "pid", "steps", "of", "steps/s", "left", "return", "entropy", "last sign"];
            let mut rows = vec![row("running", heads)];
            rows.extend(self.running.iter().map(running_row));
            text += &format!("\n{}", output::table(&rows, 1));
        }
        if !self.reasons.is_empty() {
            let lines = self.reasons.iter().map(|((state, reason), n)| format!("{n} {state}: {reason}"));
            text += &format!("\n{}\n", screen::fit(&lines.collect::<Vec<_>>()));
        }
        if let Some(left) = self.left {
            text += &format!(
                "\nabout {} left: an estimate from the runs that completed, {} at a time\n",
                duration(left),
                self.running.len()
            );
        }
        text
    }
}

/// Time until all runs have ended, if as many as now go on at a time and the runs of an arm take as long as those of it
/// that completed, or as all that did. Only where some run: others tell nothing of when they will.
fn left(runs: &[&PlannedRun], running: &[Running<'_>], arms: usize) -> Option<Duration> {
    if running.is_empty() {
        return None;
    }
    let mut by_arm = vec![Mean::default(); arms];
    let mut all = Mean::default();
    let told = running.iter().filter_map(|r| Some((r.run.arm, r.whole()?)));
    for (arm, took) in runs.iter().filter_map(|run| Some((run.arm, run.took?))).chain(told) {
        by_arm[arm].add(took);
        all.add(took);
    }
    let of = |arm: usize| by_arm[arm].mean().or(all.mean());
    let ongoing: Vec<f64> = running
        .iter()
        .map(|r| r.left().map(|left| left.as_secs_f64()).or_else(|| of(r.run.arm)))
        .collect::<Option<_>>()?;
    let waiting = runs.iter().filter(|r| matches!(r.state, RunState::Planned | RunState::Interrupted));
    let work = waiting.map(|run| of(run.arm)).sum::<Option<f64>>()? + ongoing.iter().sum::<f64>();
    let longest = ongoing.iter().copied().fold(0.0, f64::max);
    Duration::try_from_secs_f64((work / running.len() as f64).max(longest)).ok()
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    n: usize,
}

impl Mean {
    fn add(&mut self, took: Duration) {
        self.sum += took.as_secs_f64();
        self.n += 1;
    }

    fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

fn running_row(r: &Running<'_>) -> Vec<String> {
    let number = |value: Option<f64>, digits: usize| value.map(|x| format!("{x:.digits$}"));
    let live = r.live.as_ref();
    let cells = [
        Some(r.arm.to_owned()),
        Some(r.run.seed.to_string()),
        Some(r.host.to_owned()),
        Some(r.pid.to_string()),
        live.map(|live| live.steps.to_string()),
        live.and_then(|live| Some(live.total?.to_string())),
        number(r.rate(), 1),
        r.left().map(duration),
        number(live.and_then(|live| live.episode_return), 4),
        number(live.and_then(|live| live.entropy), 3),
        r.sign.map(|age| format!("{} ago", duration(age))),
    ];
    cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect()
}

fn row(first: &str, rest: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(rest.into_iter().map(|cell| cell.to_string())).collect()
}
