//! `investor-bench`: daily prices and news of the INVESTOR-BENCH repository.

use std::path::{Path, PathBuf};

use plugin::{BuildError, Files, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all_or, locate, need_periods, need_text};
use crate::input::read_text;
use crate::{BarSeries, DataSource, SourceKind, formats};

/// Prices and news of InvestorBench.
pub struct InvestorBench;

/// Parameters of `investor-bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvestorBenchParams {
    /// The asset: `msft`, `jnj`, `uvv`, `hon`, `btc` or `eth`, in any case; its file is `<symbol>.json`.
    pub symbol: String,
    /// The folder with the files, or one file; a relative path starts from the workspace or from the folder
    /// `FLAGLAB_DATA`; empty: `investor-bench` below `FLAGLAB_DATA`, or that folder itself.
    #[serde(default)]
    #[schemars(extend("x-unhashed" = true))]
    pub path: String,
    /// Periods per year; absent: what follows from the dates.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub periods_per_year: Option<f64>,
}

struct Source {
    /// Places to look at, in order.
    candidates: Vec<PathBuf>,
    symbol: String,
    periods_per_year: Option<f64>,
}

impl Source {
    fn new(params: &InvestorBenchParams, files: &Files) -> Self {
        let symbol = params.symbol.trim();
        let name = format!("{}.json", symbol.to_lowercase());
        let candidates = if params.path.is_empty() {
            places(symbol, files)
        } else {
            let path = locate(&params.path, files);
            vec![if path.is_dir() { path.join(&name) } else { path }]
        };
        Self { candidates, symbol: symbol.to_uppercase(), periods_per_year: params.periods_per_year }
    }
}

/// Where the file of an asset is looked for below `FLAGLAB_DATA`, in order.
fn places(symbol: &str, files: &Files) -> Vec<PathBuf> {
    let name = format!("{}.json", symbol.to_lowercase());
    let data = files.data.iter();
    data.flat_map(|data| [data.join("investor-bench").join(&name), data.join(&name)]).collect()
}

/// The file of InvestorBench's prices and news of an asset, where it is on this machine.
pub fn investor_bench_file(symbol: &str, files: &Files) -> Option<PathBuf> {
    places(symbol, files).into_iter().find(|path| path.is_file())
}

impl DataSource for Source {
    fn load(&self) -> Result<BarSeries, BuildError> {
        let Some(path) = self.candidates.iter().find(|p| p.is_file()) else {
            let looked = match &self.candidates[..] {
                [] => "FLAGLAB_DATA is not set, and the workspace has no folder data".to_owned(),
                places => {
                    let places: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
                    let near = plugin::did_you_mean_path(&self.candidates[0], Path::is_file);
                    format!("no file {}{near}", places.join(" or "))
                }
            };
            return Err(BuildError::Invalid(format!(
                "investor-bench: prices and news of {} not found ({looked}). `{} dataset fetch \
                 investor-bench` downloads them from https://github.com/felis33/INVESTOR-BENCH; where they are already, the \
                 environment variable FLAGLAB_DATA or `data.path` names the folder that holds the JSON files",
                self.symbol,
                plugin::program()
            )));
        };
        formats::investor_bench::parse(path, &read_text(path)?, &self.symbol, self.periods_per_year)
    }
}

impl Plugin<SourceKind> for InvestorBench {
    fn name(&self) -> &'static str {
        "investor-bench"
    }

    fn summary(&self) -> &'static str {
        "Daily prices and news of one asset from the JSON files of the INVESTOR-BENCH repository."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<InvestorBenchParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let symbol = need_text(params, "symbol", "an asset such as \"msft\"");
        let separator = params.get("symbol").and_then(Value::as_str).filter(|s| s.contains(['/', '\\']));
        let separator = separator.map(|symbol| ParamError {
            key: "symbol".to_owned(),
            found: format!("{symbol:?}"),
            expected: "an asset such as \"msft\"; a folder or file belongs into `path`".to_owned(),
        });
        all_or(symbol.into_iter().chain(separator).chain(need_periods(params)))
    }

    fn build(&self, params: &Value, files: &Files) -> Result<Box<dyn DataSource>, BuildError> {
        let params: InvestorBenchParams = plugin::params(params)?;
        Ok(Box::new(Source::new(&params, files)))
    }
}
