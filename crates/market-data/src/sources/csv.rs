//! `csv`: bars from a CSV file with named columns.

use std::path::PathBuf;

use plugin::{BuildError, Files, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all_or, locate, need_periods, need_text};
use crate::formats::csv::{ColumnNames, CsvFormat, Order, parse};
use crate::input::{read_text, symbol_of};
use crate::prices::must_exist;
use crate::{BarSeries, DataSource, SourceKind};

/// Bars from a CSV file.
pub struct CsvFile;

/// Parameters of `csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvParams {
    /// The file, with a header line; a relative path starts from the workspace or from the folder `FLAGLAB_DATA`.
    #[schemars(extend("x-unhashed" = true))]
    pub path: String,
    /// Name of the asset; empty: the file's name in capitals.
    #[serde(default)]
    pub symbol: String,
    /// Names of the columns.
    #[serde(default)]
    pub columns: ColumnNames,
    /// `strftime` format of the dates, such as `%d/%m/%Y`; empty: ISO (`YYYY-MM-DD`).
    #[serde(default)]
    pub date_format: String,
    /// Order of the rows: `auto`, `ascending` or `descending`.
    #[serde(default = "auto")]
    pub order: Order,
    /// Periods per year; absent: what follows from the dates.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub periods_per_year: Option<f64>,
}

fn auto() -> Order {
    Order::Auto
}

struct Source {
    path: PathBuf,
    params: CsvParams,
}

impl DataSource for Source {
    fn load(&self) -> Result<BarSeries, BuildError> {
        let (path, params) = (&self.path, &self.params);
        must_exist(path, "a CSV file (`data.path`)")?;
        let format =
            CsvFormat { columns: &params.columns, date_format: &params.date_format, order: params.order };
        let symbol = if params.symbol.is_empty() { symbol_of(path) } else { params.symbol.clone() };
        parse(path, &read_text(path)?, &format)?.into_series(path, &symbol, params.periods_per_year)
    }
}

impl Plugin<SourceKind> for CsvFile {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn summary(&self) -> &'static str {
        "Bars, and news where there are any, from a CSV file with named columns."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<CsvParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let columns = params.get("columns").unwrap_or(&Value::Null);
        let needed = ["date", "close"].into_iter().filter_map(|key| {
            let error = need_text(columns, key, "the name of a column")?;
            Some(ParamError { key: format!("columns.{key}"), ..error })
        });
        let format = params.get("date_format").and_then(Value::as_str).unwrap_or_default();
        let bad_format = chrono::format::StrftimeItems::new(format)
            .any(|item| item == chrono::format::Item::Error)
            .then(|| ParamError {
                key: "date_format".to_owned(),
                found: format!("{format:?}"),
                expected: "a strftime format such as \"%d/%m/%Y\"".to_owned(),
            });
        let path = need_text(params, "path", "the path of a CSV file");
        all_or(path.into_iter().chain(needed).chain(bad_format).chain(need_periods(params)))
    }

    fn build(&self, params: &Value, files: &Files) -> Result<Box<dyn DataSource>, BuildError> {
        let params: CsvParams = plugin::params(params)?;
        Ok(Box::new(Source { path: locate(&params.path, files), params }))
    }
}
