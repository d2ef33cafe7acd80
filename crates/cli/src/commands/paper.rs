//! `paper`: the published tables of FLAG-Trader, a verdict per cell, and our own rows beside them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use market_data::BarSeries;
use plugin::Files;
use reproduction::{ASSETS, Asset, Audit, Own, PAPERS_MODEL, PAPERS_TIMESTEPS, Shown, Window};
use runner::{Registry, Selection};
use serde_json::json;

use super::sweep::{Common, Swept, check, sweep};
use crate::arguments::count;
use crate::failure::Failure;
use crate::output;
use crate::paths::{Paths, shown};

/// Environment steps of a training of a small model unless told otherwise: 75 rollouts, minutes for all assets.
const TIMESTEPS: u64 = 3_000;
/// Those of the paper's model, of which a CPU takes a few in a second: 10 rollouts.
const TIMESTEPS_OF_PAPERS_MODEL: u64 = 400;
/// One rollout of `experiments/paper/base.toml`; without one nothing is trained.
const ROLLOUT: u64 = 40;
/// What `dataset fetch` brings.
const DATA: &str = "investor-bench";

/// Arguments of `paper`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Audit the published cells only; train nothing. Exit 1 when a verdict or a recomputed number has changed.
    #[arg(long, conflicts_with_all = ["full", "timesteps", "ablations", "jobs", "model"])]
    quick: bool,
    /// Train the 13,860 environment steps of the paper.
    #[arg(long, conflicts_with = "timesteps")]
    full: bool,
    /// Environment steps of a training, at least 40; default 3,000, and 400 for SmolLM2-135M-Instruct.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(ROLLOUT..))]
    timesteps: Option<u64>,
    /// Run experiments/paper/ablations.toml as well.
    #[arg(long)]
    ablations: bool,
    /// Runs at the same time; default one per core.
    #[arg(long, value_name = "N", value_parser = count)]
    jobs: Option<NonZeroUsize>,
    /// Model to train: a folder or OWNER/NAME of a hub repository; default SmolLM2-135M-Instruct where `model fetch` has
    /// brought it, else the shipped small model.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// What to print; the page is rendered whatever it is.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Counts, findings and our rows.
    Text,
    /// The tables with a verdict per cell.
    Markdown,
    /// One line per published cell.
    Csv,
    /// Everything.
    Json,
}

/// `paper`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let current = std::env::current_dir().unwrap_or_default();
    let paths = Paths::of(&current);
    let files = paths.files();
    let data = Data::read(&files)?;
    let audit = Audit::new(|asset| data.series(asset).cloned());
    let changes = reproduction::changes(&audit);
    let trained = if args.quick { Trained::default() } else { train(registry, args, &paths, &files, &data)? };
    let notes: Vec<String> = data.notes.iter().chain(&trained.notes).cloned().collect();
    let all = Shown {
        audit: &audit,
        changes: &changes,
        own: &trained.own,
        notes: &notes,
        choices: &trained.choices,
    };
    let page = reproduction::render(&all, &paths.reports.join("paper").join("index.html"));
    // What was computed is told even where the page cannot be written.
    let path = page.as_ref().map(|page| shown(page)).unwrap_or_default();
    match args.format {
        Format::Text => output::print(&(reproduction::terminal(&all) + &trained.words + &path)),
        Format::Markdown => output::print(&reproduction::markdown(&all)),
        Format::Csv => output::print(&reproduction::csv(&audit)),
        Format::Json => {
            let mut all = reproduction::json(&all);
            all["page"] = json!(path);
            output::print_json(&all);
        }
    }
    page.map_err(|e| Failure::Broken(e.to_string()))?;
    if args.format != Format::Text {
        notes.iter().for_each(|note| eprintln!("{note}"));
        if !changes.is_empty() {
            eprintln!("{} cells changed, the first: {}", changes.len(), changes[0]);
        }
        eprintln!("{path}");
    }
    Ok(if changes.is_empty() && !trained.lacks_runs { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Prices of the tables' assets, as far as they are on this machine.
struct Data {
    series: Vec<(Asset, BarSeries)>,
    notes: Vec<String>,
}

impl Data {
    /// # Errors
    /// When a file that is there is no such data.
    fn read(files: &Files) -> Result<Self, Failure> {
        let (mut series, mut missing, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for asset in ASSETS.iter().filter(|asset| asset.has_data) {
            match market_data::investor_bench_file(asset.symbol, files) {
                Some(path) => {
                    let prices = market_data::load_prices(&path)?;
                    notes.extend(other_revision(&path));
                    if asset.prices(&prices, Window::DayEarlier).is_none() {
                        let (path, from, to) = (shown(&path), asset.from, asset.to);
                        let problem = format!("{path}: expected at least 4 prices from {from} to {to}");
                        return Err(Failure::wrong(problem));
                    }
                    series.push((*asset, prices));
                }
                None => missing.push(asset.symbol),
            }
        }
        if !missing.is_empty() {
            notes.insert(
                0,
                format!(
                    "No prices of {}{}: `{} dataset fetch {DATA}` downloads them (MIT licence).",
                    missing.join(", "),
                    files
                        .data
                        .as_ref()
                        .map_or_else(|| " on this machine".to_owned(), |data| format!(" in {}", shown(data))),
                    plugin::program(),
                ),
            );
        }
        Ok(Self { series, notes })
    }

    fn series(&self, asset: &Asset) -> Option<&BarSeries> {
        self.series.iter().find(|(known, _)| known == asset).map(|(_, series)| series)
    }
}

/// That a file is not the one of the pinned revision.
fn other_revision(path: &Path) -> Option<String> {
    let set = hub::dataset(DATA)?;
    let name = path.file_name()?.to_str()?;
    let file = set.files.iter().find(|file| file.name() == name)?;
    let found = hub::sha256_of(path).ok()?;
    (found != file.sha256).then(|| {
        format!(
            "{}: not the file of {} that `dataset fetch` brings (sha256 {}, expected {})",
            shown(path),
            set.repository,
            &found[..12],
            &file.sha256[..12]
        )
    })
}

/// Our own rows.
#[derive(Default)]
struct Trained {
    own: Vec<Own>,
    /// What the sweeps came to.
    words: String,
    lacks_runs: bool,
    is_stopped: bool,
    notes: Vec<String>,
    /// What the paper leaves open, as `base.toml` has it.
    choices: Vec<String>,
}

fn train(
    registry: &Registry,
    args: &Args,
    paths: &Paths,
    files: &Files,
    data: &Data,
) -> Result<Trained, Failure> {
    let folder = paths.root.join("experiments/paper");
    if !folder.is_dir() {
        let folder = shown(&folder);
        return Err(Failure::wrong(format!(
            "{folder}: no such folder; expected the experiments of the repository (`--quick` needs none)"
        )));
    }
    if data.series.is_empty() {
        return Err(Failure::Wrong(data.notes.clone()));
    }
    let set = settings(args, files)?;
    let common = |name: &str| Common {
        file: PathBuf::from(shown(&folder.join(format!("{name}.toml")))),
        set: set.clone(),
        jobs: args.jobs,
        launcher: None,
        isolate: false,
        format: output::Format::Text,
    };
    let experiments: Vec<(&Asset, Common)> =
        data.series.iter().map(|(asset, _)| (asset, common(&paper_experiment(asset)))).collect();
    let ablations = args.ablations.then(|| common("ablations"));
    // What is wrong with any of them is said before the first is trained.
    for experiment in experiments.iter().map(|(_, experiment)| experiment).chain(&ablations) {
        check(registry, experiment)?;
    }
    let base = std::fs::read_to_string(folder.join("base.toml")).unwrap_or_default();
    let mut trained = Trained { choices: choices(&base), ..Trained::default() };
    for (asset, experiment) in &experiments {
        match trained.carry_out(registry, experiment)? {
            Some(swept) => {
                let report = Some(format!("../{}/index.html", swept.name));
                trained.own.push(Own::of(asset.symbol, &swept.input, report));
            }
            None => trained.notes.push(format!("{}: stopped before its runs", asset.symbol)),
        }
    }
    if let Some(ablations) = &ablations {
        trained.carry_out(registry, ablations)?;
    }
    Ok(trained)
}

/// Lines of an experiment that are marked as open, without what is said of them: `scale = 1.0`.
fn choices(base: &str) -> Vec<String> {
    let open = base.lines().filter_map(|line| line.split_once('#')).filter(|(_, what)| what.contains("open"));
    let settings = open.map(|(setting, _)| setting.split_whitespace().collect::<Vec<_>>().join(" "));
    settings.filter(|setting| setting.contains('=')).collect()
}

/// Name of an asset's experiment.
fn paper_experiment(asset: &Asset) -> String {
    format!("paper-{}", asset.symbol.to_lowercase())
}

impl Trained {
    /// Sweeps an experiment; nothing once a signal has asked to stop.
    fn carry_out(&mut self, registry: &Registry, args: &Common) -> Result<Option<Swept>, Failure> {
        if self.is_stopped {
            self.lacks_runs = true;
            return Ok(None);
        }
        let Some(swept) = sweep(registry, args, &Selection::Unfinished, false)? else { return Ok(None) };
        self.is_stopped = swept.is_stopped;
        self.lacks_runs |= swept.lacks_runs();
        self.words += &format!("{}: {}  {}\n", swept.name, swept.words(), shown(&swept.report));
        Ok(Some(swept))
    }
}

/// Overrides: how long, and which model.
fn settings(args: &Args, files: &Files) -> Result<Vec<String>, Failure> {
    let located = |model: &str| hub::locate(Path::new(model), None, files);
    if let Some(model) = &args.model {
        located(model).map_err(|problem| Failure::wrong(format!("--model: {problem}")))?;
    }
    let has_papers = || located(PAPERS_MODEL).is_ok();
    let model = args.model.clone().or_else(|| has_papers().then(|| PAPERS_MODEL.to_owned()));
    let is_papers = model.as_deref() == Some(PAPERS_MODEL);
    let usual = if is_papers { TIMESTEPS_OF_PAPERS_MODEL } else { TIMESTEPS };
    let timesteps = if args.full { PAPERS_TIMESTEPS } else { args.timesteps.unwrap_or(usual) };
    let mut set = vec![format!("agent.total_timesteps={timesteps}")];
    if is_papers {
        eprintln!("training {PAPERS_MODEL}, hours on a CPU; --model models/tiny-llama takes minutes");
        // An instruct model reads the paper's wording in its own chat format.
        set.push("agent.prompt.chat_template=true".to_owned());
        set.push("agent.prompt.style=full".to_owned());
    }
    set.extend(model.map(|model| format!("agent.model.path={model}")));
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::choices;

    #[test]
    fn open_choices_are_those_that_say_so() {
        let base = "# every choice open\nseeds = 5   # open: how many\n[data]\nlearning_rate = 5e-4\ngamma = 0.95 # Table 3\n\
            policy_head = [64]               # open: widths\n";
        assert_eq!(choices(base), ["seeds = 5", "policy_head = [64]"]);
    }
}
