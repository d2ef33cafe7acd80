//! `json-lines`: bars and news from a file with one JSON object per line.

use std::path::PathBuf;

use flaglab::chrono::NaiveDate;
use flaglab::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Plugin of the data source `json-lines`.
pub struct JsonLines;

/// Parameters of `json-lines`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct JsonLinesParams {
    /// The file; a relative path starts from the workspace. Its content identifies a run, not its path.
    #[schemars(extend("x-unhashed" = true))]
    path: PathBuf,
    /// Name of the asset.
    #[schemars(length(min = 1))]
    symbol: String,
    /// Periods per year; absent: what follows from the dates.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    periods_per_year: Option<f64>,
}

impl Default for JsonLinesParams {
    fn default() -> Self {
        Self {
            path: "prices.jsonl".into(),
            symbol: "REVERTING".to_owned(),
            periods_per_year: None,
        }
    }
}

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    date: NaiveDate,
    open: Option<f64>,
    close: f64,
    #[serde(default)]
    news: Vec<String>,
}

/// The file, found where the settings say.
struct File {
    path: PathBuf,
    params: JsonLinesParams,
}

impl File {
    /// `FILE: problem`.
    fn wrong(&self, problem: impl std::fmt::Display) -> BuildError {
        BuildError::Invalid(format!("{}: {problem}", self.path.display()))
    }
}

impl DataSource for File {
    fn load(&self) -> Result<BarSeries, BuildError> {
        let text = std::fs::read_to_string(&self.path);
        let text = text.map_err(|e| self.wrong(format!("cannot be read: {e} (`data.path`)")))?;
        let (mut bars, mut numbers) = (Columns::default(), Vec::new());
        for (number, line) in (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let line: Line = flaglab::serde_json::from_str(line)
                .map_err(|e| self.wrong(format!("line {number}: {e}")))?;
            numbers.push(number);
            bars.date.push(line.date);
            bars.open.push(line.open);
            bars.close.push(line.close);
            bars.news.push(line.news);
        }
        let n = bars.date.len();
        bars.high = vec![None; n];
        bars.low = vec![None; n];
        bars.volume = vec![None; n];
        let JsonLinesParams {
            symbol,
            periods_per_year,
            ..
        } = &self.params;
        BarSeries::from_columns(symbol, *periods_per_year, bars).map_err(|e| match e.bar() {
            Some(bar) => self.wrong(format!("line {}: {e}", numbers[bar])),
            None => self.wrong(e),
        })
    }
}

impl Plugin<SourceKind> for JsonLines {
    fn name(&self) -> &'static str {
        "json-lines"
    }

    fn summary(&self) -> &'static str {
        "Bars and news from a file with one JSON object per line."
    }

    fn schema(&self) -> Value {
        schema_of::<JsonLinesParams>()
    }

    fn build(&self, given: &Value, files: &Files) -> Result<Box<dyn DataSource>, BuildError> {
        let params: JsonLinesParams = params(given)?;
        Ok(Box::new(File {
            path: files.resolve(&params.path),
            params,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        contract::source(&JsonLines);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let path = std::env::temp_dir().join(format!("wrong-{}.jsonl", std::process::id()));
        let good = r#"{"date": "2024-01-01", "close": 1.0}"#;
        for (bad, told) in [
            (
                r#"{"date": "2024-01-02", "close": -1}"#,
                "line 3: 2024-01-02: `close` is -1",
            ),
            (
                r#"{"date": "2024-01-02", "clos": 1}"#,
                "line 3: unknown field `clos`",
            ),
            (
                r#"{"date": "2024-01-01", "close": 1}"#,
                "line 3: date 2024-01-01 twice",
            ),
        ] {
            std::fs::write(&path, format!("{good}\n\n{bad}\n")).unwrap();
            let source = JsonLines
                .build(&json!({ "path": path }), &Files::default())
                .unwrap();
            let error = source.load().unwrap_err().to_string();
            assert!(error.contains(told), "{told}: {error}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
