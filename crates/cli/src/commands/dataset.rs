//! `dataset`: canonical data sets, folders with `bars.parquet` and `metadata.json`; and published ones, as they are.

mod fetch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use market_data::dataset::{self, ImportOptions, Metadata};
use market_data::synth::SynthParams;
use market_data::{ColumnNames, Order};
use plugin::{check_value, did_you_mean, schema_of};
use serde_json::{Value, json};

use crate::arguments::positive;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::paths::{Paths, shown};

/// Arguments of `dataset`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the data sets below a folder.
    List {
        /// The folder; default `datasets` of the workspace.
        root: Option<PathBuf>,
        /// How to print the result.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Check that a data set's content and metadata agree.
    Check {
        /// Folder of the data set.
        dir: PathBuf,
    },
    /// Turn a CSV, InvestorBench JSON or Parquet file into a data set.
    Import(Box<Import>),
    /// Generate a synthetic market whose headlines carry a planted signal.
    Synth(Synth),
    /// Download a published data set, check every byte, and print its folder, licence and revision.
    Fetch(fetch::Args),
}

#[derive(clap::Args)]
struct Import {
    /// The file.
    file: PathBuf,
    /// New folder of the data set; its last part is the data set's name.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the data come from.
    #[arg(long)]
    source: String,
    /// Under which terms they may be used.
    #[arg(long)]
    licence: String,
    /// What a price is: currency, adjusted or not.
    #[arg(long)]
    price_meaning: String,
    /// Name of the asset; default the file's name in capitals.
    #[arg(long, default_value = "")]
    symbol: String,
    /// Periods per year; default: what follows from the dates.
    #[arg(long, value_name = "N", value_parser = positive, allow_hyphen_values = true)]
    periods_per_year: Option<f64>,
    /// Column of the file, for example `close=Adj Close`; known: date, open, high, low, close, volume, news. May be
    /// given again; an empty name means that there is none.
    #[arg(long, value_name = "KEY=NAME")]
    column: Vec<String>,
    /// `strftime` format of a CSV file's dates; default ISO.
    #[arg(long, default_value = "")]
    date_format: String,
    /// Order of a CSV file's rows; default found out from the first and last date.
    #[arg(long, value_parser = order)]
    order: Option<Order>,
}

#[derive(clap::Args)]
struct Synth {
    /// New folder of the data set; its last part is the data set's name.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seed of all random streams.
    #[arg(long)]
    seed: Option<u64>,
    /// Parameter of the generator, for example `signal_accuracy=0.6`. May be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// `dataset`.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::List { root, format } => list(root.as_deref(), *format),
        Command::Check { dir } => check(dir),
        Command::Import(args) => import(args),
        Command::Synth(args) => synth(args),
        Command::Fetch(args) => fetch::run(args),
    }
}

fn list(root: Option<&Path>, format: Format) -> Result<ExitCode, Failure> {
    let current = std::env::current_dir().unwrap_or_default();
    let root = root.map_or_else(|| Paths::of(&current).root.join("datasets"), Path::to_owned);
    let found = dataset::list(&root)?;
    let mut sets = Vec::new();
    for listed in found {
        sets.push((listed.dir, listed.metadata?));
    }
    match format {
        Format::Json => {
            let listed =
                sets.iter().map(|(dir, metadata)| json!({ "path": shown(dir), "metadata": metadata }));
            output::print_json(&listed.collect::<Vec<_>>());
        }
        Format::Text => {
            for (dir, metadata) in &sets {
                output::print(&line(dir, metadata));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(dir: &Path, m: &Metadata) -> String {
    let (first, last) = (m.first_date, m.last_date);
    format!("{}: {} {first} to {last}, {} bars, {} news, {}", shown(dir), m.symbol, m.bars, m.news, m.licence)
}

fn check(dir: &Path) -> Result<ExitCode, Failure> {
    let report = dataset::check(dir)?;
    if !report.problems.is_empty() {
        let at = |problem: &String| format!("{}: {problem}", shown(dir));
        return Err(Failure::Wrong(report.problems.iter().map(at).collect()));
    }
    output::print(&format!("{}\nperiods per year {}\nsound", line(dir, &report.metadata), report.periods));
    Ok(ExitCode::SUCCESS)
}

fn import(args: &Import) -> Result<ExitCode, Failure> {
    let options = ImportOptions {
        symbol: args.symbol.clone(),
        source: args.source.clone(),
        licence: args.licence.clone(),
        price_meaning: args.price_meaning.clone(),
        periods_per_year: args.periods_per_year,
        columns: columns(&args.column)?,
        date_format: args.date_format.clone(),
        order: args.order,
    };
    let metadata = dataset::import(&args.file, &options, &args.out)?;
    let periods = dataset::load(&args.out)?.periods();
    output::print(&format!("{}\nperiods per year {periods}", line(&args.out, &metadata)));
    Ok(ExitCode::SUCCESS)
}

fn columns(named: &[String]) -> Result<ColumnNames, Failure> {
    let mut columns = ColumnNames::default();
    for pair in named {
        let (key, name) = pair.split_once('=').unwrap_or((pair, ""));
        let column = match key {
            "date" => &mut columns.date,
            "open" => &mut columns.open,
            "high" => &mut columns.high,
            "low" => &mut columns.low,
            "close" => &mut columns.close,
            "volume" => &mut columns.volume,
            "news" => &mut columns.news,
            _ => {
                let known = ["date", "open", "high", "low", "close", "volume", "news"];
                let (listed, near) = (known.join(", "), did_you_mean(key, known));
                return Err(Failure::wrong(format!(
                    "--column: expected one of {listed} before `=`, found \"{pair}\"{near}"
                )));
            }
        };
        name.clone_into(column);
    }
    Ok(columns)
}

fn synth(args: &Synth) -> Result<ExitCode, Failure> {
    let mut params =
        serde_json::to_value(SynthParams::default()).expect("invariant: parameters are plain values");
    let mut set: Vec<(String, Value)> =
        args.seed.map(|s| ("seed".to_owned(), json!(s))).into_iter().collect();
    for pair in &args.set {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::wrong(format!("--set: expected KEY=VALUE, found \"{pair}\"")));
        };
        set.push((key.trim().to_owned(), parse_value(value.trim())));
    }
    for (key, value) in set {
        params[key] = value;
    }
    let errors = check_value(&schema_of::<SynthParams>(), &params);
    if !errors.is_empty() {
        return Err(Failure::Wrong(errors.iter().map(|e| format!("--set {e}")).collect()));
    }
    let params: SynthParams = plugin::params(&params)?;
    let metadata = dataset::synth(&params, &args.out)?;
    output::print(&line(&args.out, &metadata));
    Ok(ExitCode::SUCCESS)
}

/// A number where it reads as one, else text.
fn parse_value(text: &str) -> Value {
    let number = serde_json::from_str::<Value>(text).ok().filter(|v| v.is_number());
    number.unwrap_or_else(|| Value::from(text))
}

fn order(text: &str) -> Result<Order, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        let near = did_you_mean(text, ["auto", "ascending", "descending"]);
        format!("expected auto, ascending or descending{near}")
    })
}
