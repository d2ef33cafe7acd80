//! `metrics`: tear-sheet numbers of a return series.

use std::path::PathBuf;
use std::process::ExitCode;

use stats::TearSheet;

use crate::arguments::positive;
use crate::failure::Failure;
use crate::output;

/// Arguments of `metrics`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// CSV with the columns `date` (ISO, increasing) and `return` (simple returns, fractions).
    file: PathBuf,
    /// Periods per year: 252, 365, 12, ...
    #[arg(long, value_name = "N", value_parser = positive, allow_hyphen_values = true)]
    periods_per_year: f64,
}

/// `metrics`.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let returns = score::read_returns_csv(&args.file)?;
    let sheet = TearSheet::new(&returns.returns, args.periods_per_year)
        .map_err(|e| Failure::wrong(format!("{}: {e}", args.file.display())))?;
    output::print_json(&sheet);
    Ok(ExitCode::SUCCESS)
}
