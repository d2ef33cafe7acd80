//! `report`: renders from what is stored.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use market_data::Segment;
use report::{
    ComparedExperiment, Gate, Market, MarketDay, PlanInfo, PlannedRun, ReportInput, TableFormat, Verdict,
};
use runner::{Plan, PlannedArm, Registry};
use serde_json::{Value, json};

use crate::commands::sweep::Loaded;
use crate::failure::Failure;
use crate::output;
use crate::paths::{Paths, shown};

/// Arguments of `report`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Experiment files. Of several, the arms stand side by side on one page.
    #[arg(required_unless_present = "index", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Lists all experiments that have stored runs, on one page.
    #[arg(long, conflicts_with_all = ["files", "set", "fail_unless"])]
    index: bool,
    /// Override of one key, as in `sweep`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What to print: the page's path, or the main table for papers, pull requests or programs. The page is rendered
    /// whatever it is.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// A comparison of scores that has to hold, or the exit code is 1: "sharpe.iqm(arm) > sharpe(buy-and-hold)". May be
    /// given again. Scores are named as in summary.parquet, without `test.`; after a dot follows mean (without one), median,
    /// iqm, low, high (ends of the mean's 95% interval), min or max over seeds; names of arms with spaces or brackets stand
    /// in quotes; > >= < <= compare with another score or a number.
    #[arg(long, value_name = "GATE", allow_hyphen_values = true)]
    fail_unless: Vec<String>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The path of the page.
    Text,
    /// The main table for GitHub.
    Markdown,
    /// The main table for papers, with booktabs.
    Latex,
    /// Scores of every arm.
    Json,
}

impl Format {
    fn table(self) -> Option<TableFormat> {
        match self {
            Format::Markdown => Some(TableFormat::Markdown),
            Format::Latex => Some(TableFormat::Latex),
            Format::Text | Format::Json => None,
        }
    }
}

/// `report`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    match args.files.as_slice() {
        [] => index(args.format),
        [file] => one(registry, args, file),
        files => compare(registry, args, files),
    }
}

fn one(registry: &Registry, args: &Args, file: &Path) -> Result<ExitCode, Failure> {
    let gates = gates(&args.fail_unless)?;
    let stored = stored(registry, file, &args.set)?;
    let unknown: Vec<String> = gates.iter().flat_map(|gate| gate.unknown(&stored.input)).collect();
    if !unknown.is_empty() {
        return Err(Failure::Wrong(unknown.iter().map(|what| format!("--fail-unless {what}")).collect()));
    }
    let page = stored.render()?;
    let verdicts: Vec<Verdict> = gates.iter().map(|gate| gate.judge(&stored.input)).collect();
    let table = args.format.table().map(|format| report::tables(&stored.input, format));
    print(args.format, table, &page, || {
        let mut summary = report::summary(&stored.input);
        summary["gates"] = json!(verdicts);
        summary
    });
    verdicts.iter().for_each(|verdict| eprintln!("{verdict}"));
    let holds = verdicts.iter().all(|verdict| verdict.holds);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn gates(texts: &[String]) -> Result<Vec<Gate>, Failure> {
    let parsed: Vec<Result<Gate, _>> = texts.iter().map(|text| text.parse()).collect();
    let problems: Vec<String> =
        parsed.iter().filter_map(|gate| Some(format!("--fail-unless {}", gate.as_ref().err()?))).collect();
    match problems.is_empty() {
        true => Ok(parsed.into_iter().flatten().collect()),
        false => Err(Failure::Wrong(problems)),
    }
}

/// Renders every experiment, so that the links lead somewhere, and the page that compares them.
fn compare(registry: &Registry, args: &Args, files: &[PathBuf]) -> Result<ExitCode, Failure> {
    if !args.fail_unless.is_empty() {
        return Err(Failure::wrong(format!(
            "--fail-unless: expected one experiment file, whose arms it compares, found {}",
            files.len()
        )));
    }
    let mut all: Vec<Stored> = Vec::new();
    for file in files {
        let stored = stored(registry, file, &args.set)?;
        if let Some(other) = all.iter().find(|other| other.name() == stored.name()) {
            let (name, [one, two]) = (stored.name(), [other, &stored].map(|s| s.file.display()));
            let problem =
                format!("{one} and {two}: both experiments are called \"{name}\", expected different names");
            return Err(Failure::wrong(problem));
        }
        all.push(stored);
    }
    for stored in &all {
        stored.render()?;
    }
    let reports = &all[0].paths.reports;
    let experiments: Vec<ComparedExperiment<'_>> = all
        .iter()
        .map(|stored| ComparedExperiment {
            input: &stored.input,
            report: (stored.paths.reports == *reports).then(|| format!("../{}/index.html", stored.name())),
        })
        .collect();
    let page = report::compare(&experiments, reports).map_err(|e| Failure::Broken(e.to_string()))?;
    let inputs: Vec<ReportInput> = all.into_iter().map(|stored| stored.input).collect();
    let table = args.format.table().map(|format| report::compared_tables(&inputs, format));
    print(args.format, table, &page, || report::compared_summary(&inputs));
    Ok(ExitCode::SUCCESS)
}

/// All experiments of the workspace, or of the current folder outside of one.
fn index(format: Format) -> Result<ExitCode, Failure> {
    let paths = Paths::of(&std::env::current_dir().unwrap_or_default());
    let broken = |e: report::ReportError| Failure::Broken(e.to_string());
    let entries = report::experiments(&paths.runs, &paths.reports).map_err(broken)?;
    let page = report::index(&entries, &paths.reports).map_err(broken)?;
    let table = format.table().map(|format| report::index_table(&entries, format));
    print(format, table, &page, || json!({ "experiments": entries }));
    Ok(ExitCode::SUCCESS)
}

/// The result on stdout; where that is not the page's path, the path on stderr.
fn print(format: Format, table: Option<String>, page: &Path, summary: impl FnOnce() -> Value) {
    let page = shown(page);
    match (format, table) {
        (_, Some(table)) => output::print(&table),
        (Format::Json, None) => {
            let mut summary = summary();
            summary["report"] = json!(page);
            output::print_json(&summary);
        }
        (_, None) => return output::print(&page),
    }
    eprintln!("{page}");
}

/// An experiment with what is stored of it.
struct Stored {
    file: PathBuf,
    paths: Paths,
    input: ReportInput,
}

impl Stored {
    fn name(&self) -> &str {
        &self.input.plan.experiment
    }

    fn render(&self) -> Result<PathBuf, Failure> {
        report::render(&self.input, &self.paths.reports).map_err(|e| Failure::Broken(e.to_string()))
    }
}

fn stored(registry: &Registry, file: &Path, set: &[String]) -> Result<Stored, Failure> {
    let Loaded { experiment, paths, files, lock, store } = Loaded::of(registry, file, set)?;
    if !store.dir().is_dir() {
        let folder = shown(store.dir());
        return Err(Failure::wrong(format!("{folder}: no run is stored there; `sweep` the file first")));
    }
    let (plan, _) = super::sweep::plan(registry, &experiment, &files, lock, store)?;
    let input = collect(&plan, &paths, set)?;
    Ok(Stored { file: file.to_owned(), paths, input })
}

/// Reads what is stored of a plan.
fn collect(plan: &Plan<'_>, paths: &Paths, set: &[String]) -> Result<ReportInput, Failure> {
    let runs = plan.runs.iter().map(|run| PlannedRun {
        arm: plan.arm_of(run).name.clone(),
        seed: run.seed,
        run_id: run.id.clone(),
    });
    let file = std::path::absolute(&plan.experiment.path).unwrap_or_else(|_| plan.experiment.path.clone());
    let file = file.strip_prefix(&paths.root).unwrap_or(&file);
    let mut command = format!("{} sweep {}", plugin::program(), file.display());
    for set in set {
        command += &format!(" --set {set}");
    }
    let info = PlanInfo::new(plan.experiment, runs.collect(), &command);
    let input = report::collect(&plan.store, &info).map_err(|e| Failure::Broken(e.to_string()))?;
    Ok(ReportInput { markets: markets(plan), ..input })
}

/// Prices and news of the plan's test windows, each once.
fn markets(plan: &Plan<'_>) -> Vec<Market> {
    let mut seen = HashSet::new();
    let new = plan.arms.iter().filter(|arm| {
        let test = &arm.splits.test;
        seen.insert((arm.data.fingerprint.as_str(), test.first_date(), test.last_date()))
    });
    let market = |arm: &PlannedArm| {
        let Segment { series, first } = &arm.splits.test;
        let day = |bar: usize| MarketDay {
            date: series.date(bar),
            close: series.closes()[bar],
            news: series.news(bar).map(str::to_owned).collect(),
        };
        Market {
            fingerprint: arm.data.fingerprint.clone(),
            periods: arm.periods.clone(),
            days: (*first..series.len()).map(day).collect(),
        }
    };
    new.map(market).collect()
}

/// Renders the report of what is stored of a plan; returns its path and what it shows.
pub(crate) fn render(
    plan: &Plan<'_>,
    paths: &Paths,
    set: &[String],
) -> Result<(PathBuf, ReportInput), Failure> {
    let input = collect(plan, paths, set)?;
    let path = report::render(&input, &paths.reports).map_err(|e| Failure::Broken(e.to_string()))?;
    Ok((path, input))
}
