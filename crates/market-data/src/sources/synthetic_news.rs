//! `synthetic-news`: the synthetic market with a planted signal in its headlines.

use std::path::PathBuf;

use plugin::{BuildError, Files, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{all_or, locate, need_periods};
use crate::input::invalid;
use crate::synth::{self, SynthParams};
use crate::{BarSeries, DataSource, SourceKind, dataset};

/// The synthetic market.
pub struct SyntheticNews;

/// Parameters of `synthetic-news`.
///
/// `generator` always describes the data. With a `path` they are read from that folder, and it is an error when its
/// metadata state another generator; without one they are generated in memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticNewsParams {
    /// Folder that `dataset synth` wrote, such as `datasets/synthetic-news`; empty: generate in memory.
    #[schemars(extend("x-unhashed" = true))]
    pub path: String,
    /// Parameters of the market; the defaults are those of `datasets/synthetic-news`.
    pub generator: SynthParams,
    /// Periods per year; absent: 252.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub periods_per_year: Option<f64>,
}

struct Source {
    /// Folder, where one was named.
    dir: Option<PathBuf>,
    params: SyntheticNewsParams,
}

impl DataSource for Source {
    fn load(&self) -> Result<BarSeries, BuildError> {
        let params = &self.params;
        let series = match &self.dir {
            Some(dir) => {
                let stated = dataset::metadata(dir)?.generator;
                let stated = stated.ok_or_else(|| {
                    invalid(dir, "found a data set that was not generated, expected one of `dataset synth`")
                })?;
                if let Some((key, folder, experiment)) = difference(&stated, &params.generator) {
                    return Err(invalid(
                        dir,
                        format_args!(
                            "was generated with `{key}` = {folder}, but `data.generator.{key}` is {experiment}; \
                             expected the same, or `data.path = \"\"` to generate in memory"
                        ),
                    ));
                }
                dataset::load(dir)?
            }
            None => synth::generate(&params.generator)?.series,
        };
        series.renamed(series.symbol(), params.periods_per_year)
    }
}

/// The first parameter in which two generators differ, and its two values.
fn difference(a: &SynthParams, b: &SynthParams) -> Option<(String, Value, Value)> {
    let json = |p| serde_json::to_value(p).expect("invariant: parameters have only JSON types");
    let (a, b) = (json(a), json(b));
    let keys = a.as_object()?.keys();
    keys.filter(|key| a[*key] != b[*key]).map(|key| (key.clone(), a[key].clone(), b[key].clone())).next()
}

impl Plugin<SourceKind> for SyntheticNews {
    fn name(&self) -> &'static str {
        "synthetic-news"
    }

    fn summary(&self) -> &'static str {
        "A generated market with regimes and fat tails whose headlines carry a planted signal about a later return."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<SyntheticNewsParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        let start = params.pointer("/generator/start").and_then(Value::as_str);
        let bad_start = start.filter(|s| crate::input::date(s, "").is_none()).map(|s| ParamError {
            key: "generator.start".to_owned(),
            found: format!("{s:?}"),
            expected: "a date such as \"2010-01-04\"".to_owned(),
        });
        let generator = params.get("generator").map(|g| serde_json::from_value::<SynthParams>(g.clone()));
        let out_of_range = match generator {
            Some(Ok(generator)) => generator.check(),
            // Wrong types are the schema's to report.
            Some(Err(_)) | None => Vec::new(),
        };
        let out_of_range =
            out_of_range.into_iter().map(|e| ParamError { key: format!("generator.{}", e.key), ..e });
        all_or(bad_start.into_iter().chain(out_of_range).chain(need_periods(params)))
    }

    fn build(&self, params: &Value, files: &Files) -> Result<Box<dyn DataSource>, BuildError> {
        let params: SyntheticNewsParams = plugin::params(params)?;
        let dir = (!params.path.is_empty()).then(|| locate(&params.path, files));
        Ok(Box::new(Source { dir, params }))
    }
}
