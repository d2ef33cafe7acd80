//! `parquet`: bars from a Parquet file or a canonical data set.

use std::path::PathBuf;

use plugin::{BuildError, Files, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all_or, locate, need_periods, need_text};
use crate::formats::csv::ColumnNames;
use crate::input::symbol_of;
use crate::prices::must_exist;
use crate::{BarSeries, DataSource, SourceKind, dataset, formats};

/// Bars from a Parquet file.
pub struct ParquetFile;

/// Parameters of `parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParquetParams {
    /// The file, or the folder of a canonical data set; a relative path starts from the workspace or from the
    /// folder `FLAGLAB_DATA`.
    #[schemars(extend("x-unhashed" = true))]
    pub path: String,
    /// Name of the asset; empty: the data set's, or the file's name in capitals.
    #[serde(default)]
    pub symbol: String,
    /// Names of the file's columns; a canonical data set has the default ones.
    #[serde(default)]
    pub columns: ColumnNames,
    /// Periods per year; absent: the data set's, or what follows from the dates.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub periods_per_year: Option<f64>,
}

struct Source {
    path: PathBuf,
    params: ParquetParams,
}

impl DataSource for Source {
    fn load(&self) -> Result<BarSeries, BuildError> {
        let (path, params) = (&self.path, &self.params);
        must_exist(path, "a Parquet file or the folder of a data set (`data.path`)")?;
        if path.is_dir() {
            let series = dataset::load(path)?;
            let symbol = if params.symbol.is_empty() { series.symbol() } else { &params.symbol };
            return series.renamed(symbol, params.periods_per_year);
        }
        let symbol = if params.symbol.is_empty() { symbol_of(path) } else { params.symbol.clone() };
        formats::parquet::read(path, &symbol, params.periods_per_year, &params.columns)
    }
}

impl Plugin<SourceKind> for ParquetFile {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn summary(&self) -> &'static str {
        "Bars, and news where there are any, from a Parquet file or the folder of a canonical data set."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<ParquetParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let path = need_text(params, "path", "the path of a Parquet file or of a data set");
        all_or(path.into_iter().chain(need_periods(params)))
    }

    fn build(&self, params: &Value, files: &Files) -> Result<Box<dyn DataSource>, BuildError> {
        let params: ParquetParams = plugin::params(params)?;
        Ok(Box::new(Source { path: locate(&params.path, files), params }))
    }
}
