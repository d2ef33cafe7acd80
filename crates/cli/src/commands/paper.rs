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

use super::sweep::{Common, Swept, sweep};
use crate::failure::Failure;
use crate::output;
use crate::paths::{Paths, shown};

/// Environment steps of a training unless `--full` asks for the paper's: 75 rollouts.
const TIMESTEPS: u64 = 3_000;
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
    /// Environment steps of a training.
    #[arg(long, value_name = "N", default_value_t = TIMESTEPS)]
    timesteps: u64,
    /// Run experiments/paper/ablations.toml as well.
    #[arg(long)]
    ablations: bool,
    /// Runs at the same time; default one per core.
    #[arg(long, value_name = "N")]
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
    let shown_all = Shown { audit: &audit, changes: &changes, own: &trained.own, notes: &data.notes };
    let page = paths.reports.join("paper").join("index.html");
    let page = reproduction::render(&shown_all, &page).map_err(|e| Failure::Broken(e.to_string()))?;
    let page = shown(&page);
    match args.format {
        Format::Text => {
            output::print(&(reproduction::terminal(&shown_all) + &trained.words + &page));
        }
        Format::Markdown => output::print(&reproduction::markdown(&shown_all)),
        Format::Csv => output::print(&reproduction::csv(&audit)),
        Format::Json => {
            let mut all = reproduction::json(&shown_all);
            all["page"] = json!(page);
            output::print_json(&all);
        }
    }
    if args.format != Format::Text {
        data.notes.iter().for_each(|note| eprintln!("{note}"));
        if !changes.is_empty() {
            eprintln!("{} cells changed, the first: {}", changes.len(), changes[0]);
        }
        eprintln!("{page}");
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
                        let (from, to) = (asset.from, asset.to);
                        notes.push(format!("{}: fewer than 3 prices from {from} to {to}", shown(&path)));
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
                    "No prices of {} on this machine: `cargo xtask dataset fetch {DATA}` downloads them (MIT licence).",
                    missing.join(", ")
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
            "{}: not the file of {} at {} (sha256 {}, expected {})",
            shown(path),
            set.repository,
            &set.revision[..7],
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
    let experiment = |name: &str| Common {
        file: current_relative(&folder.join(format!("{name}.toml"))),
        set: set.clone(),
        jobs: args.jobs,
        launcher: None,
        format: output::Format::Text,
    };
    let mut trained = Trained::default();
    for (asset, _) in &data.series {
        if let Some(swept) = trained.carry_out(registry, &experiment(&paper_experiment(asset)))? {
            let report = Some(format!("../{}/index.html", swept.name));
            trained.own.push(Own::of(asset.symbol, &swept.input, report));
        }
    }
    if args.ablations {
        trained.carry_out(registry, &experiment("ablations"))?;
    }
    Ok(trained)
}

/// Name of an asset's experiment.
fn paper_experiment(asset: &Asset) -> String {
    format!("paper-{}", asset.symbol.to_lowercase())
}

impl Trained {
    /// Sweeps an experiment; nothing once a signal has asked to stop.
    fn carry_out(&mut self, registry: &Registry, args: &Common) -> Result<Option<Swept>, Failure> {
        if self.is_stopped {
            return Ok(None);
        }
        let Some(swept) = sweep(registry, args, Selection::Unfinished, false)? else { return Ok(None) };
        self.is_stopped = swept.is_stopped;
        self.lacks_runs |= swept.lacks_runs();
        self.words += &format!("{}: {}  {}\n", swept.name, swept.words(), shown(&swept.report));
        Ok(Some(swept))
    }
}

/// As one would type it.
fn current_relative(path: &Path) -> PathBuf {
    PathBuf::from(shown(path))
}

/// Overrides: how long, and which model.
fn settings(args: &Args, files: &Files) -> Result<Vec<String>, Failure> {
    let timesteps = if args.full { PAPERS_TIMESTEPS } else { args.timesteps };
    let mut set = vec![format!("agent.total_timesteps={timesteps}")];
    let has_papers = || hub::locate(Path::new(PAPERS_MODEL), None, files).is_ok();
    let model = match &args.model {
        Some(model) => Some(model.clone()),
        None => has_papers().then(|| PAPERS_MODEL.to_owned()),
    };
    if let Some(model) = model {
        // An instruct model reads the paper's wording in its own chat format.
        if model == PAPERS_MODEL {
            set.push("agent.prompt.chat_template=true".to_owned());
            set.push("agent.prompt.style=full".to_owned());
        }
        set.push(format!("agent.model.path={model}"));
    }
    Ok(set)
}
