//! `summary.parquet`: one row per run, with its axes, state and all metrics.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value};
use trading_env::Role;

use crate::parquet_file::write_batch;
use crate::table::field;
use crate::{Manifest, RunState, StoreError};

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryRow {
    /// Run.
    pub run_id: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Arm.
    pub arm: String,
    /// Subject or baseline.
    pub role: Role,
    /// Name of the asset.
    pub symbol: String,
    /// Axis values by axis key.
    pub axes: Map<String, Value>,
    /// Seed.
    pub seed: u64,
    /// `planned`, `running`, `interrupted`, `completed`, `failed` or `skipped`.
    pub state: String,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// Metrics by column name: `test.sharpe`, `test.paper.cr`; those of the test decisions under other rules with the
    /// rules and the cost in basis points: `rescored.realistic.10bps.sharpe`.
    pub metrics: Vec<(String, Option<f64>)>,
}

impl SummaryRow {
    /// The row of a stored run.
    pub fn new(manifest: &Manifest, state: &RunState) -> Self {
        let start = &manifest.start;
        let splits = [
            ("train", &manifest.metrics.train),
            ("valid", &manifest.metrics.valid),
            ("test", &manifest.metrics.test),
        ];
        let mut metrics = Vec::new();
        for (split, scores) in splits {
            if let Some(scores) = scores {
                flatten(split, scores, &mut metrics);
            }
        }
        for other in &manifest.rescored {
            let prefix = format!("rescored.{}.{}bps", other.rules, other.cost_bps);
            flatten(&prefix, &other.scores, &mut metrics);
        }
        Self {
            run_id: start.run_id.clone(),
            attempt: manifest.attempt,
            arm: start.arm.clone(),
            role: start.role,
            symbol: start.data.symbol.clone(),
            axes: start.axes.clone(),
            seed: start.seed,
            state: state.word().to_owned(),
            reason: manifest.reason.clone(),
            metrics,
        }
    }
}

/// Numbers and nulls of nested objects as dotted columns; words (names of rules, notes) are no metrics.
fn flatten(prefix: &str, value: &Value, out: &mut Vec<(String, Option<f64>)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(k, v)| flatten(&format!("{prefix}.{k}"), v, out)),
        Value::Number(n) => out.push((prefix.to_owned(), n.as_f64())),
        Value::Null => out.push((prefix.to_owned(), None)),
        Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
    }
}

pub(crate) fn write(path: &Path, rows: &[SummaryRow]) -> Result<(), StoreError> {
    write_batch(path, &batch(rows))
}

fn batch(rows: &[SummaryRow]) -> RecordBatch {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    let mut add = |field: Field, column: ArrayRef| {
        fields.push(field);
        columns.push(column);
    };
    let words = |f: fn(&SummaryRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(f).collect::<StringArray>())
    };
    let word_field = |name, nullable, text| field(name, DataType::Utf8, nullable, "", text);
    add(word_field("run_id", false, "hash of the resolved run"), words(|r| Some(&r.run_id)));
    add(
        field("attempt", DataType::UInt32, false, "1", "attempt, from 1"),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.attempt))),
    );
    add(word_field("arm", false, "name of the arm"), words(|r| Some(&r.arm)));
    add(
        word_field("role", false, "arm or baseline"),
        words(|r| {
            Some(match r.role {
                Role::Arm => "arm",
                Role::Baseline => "baseline",
                Role::Control => "control",
            })
        }),
    );
    add(word_field("symbol", false, "name of the asset"), words(|r| Some(&r.symbol)));
    for key in ordered(rows.iter().flat_map(|r| r.axes.keys())) {
        let values: Vec<Option<&Value>> = rows.iter().map(|r| r.axes.get(key)).collect();
        let (data_type, column) = axis_column(&values);
        add(field(&format!("axis.{key}"), data_type, true, "", "value of a swept setting"), column);
    }
    add(
        field("seed", DataType::UInt64, false, "1", "seed of the run"),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.seed))),
    );
    add(
        word_field("state", false, "completed, failed, skipped, interrupted, running or planned"),
        words(|r| Some(&r.state)),
    );
    add(word_field("reason", true, "why it failed or was skipped"), words(|r| r.reason.as_deref()));
    for (name, values) in metric_columns(rows) {
        let description = match name.starts_with("rescored.") {
            true => "score of the test decisions under other rules; null where undefined",
            false => "score of a split; null where undefined",
        };
        add(field(name, DataType::Float64, true, "", description), Arc::new(Float64Array::from(values)));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .expect("invariant: columns follow the schema")
}

/// The metrics of all rows by name, in order of first appearance; null where a row has none of that name.
fn metric_columns(rows: &[SummaryRow]) -> Vec<(&str, Vec<Option<f64>>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut columns: Vec<(&str, Vec<Option<f64>>)> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        for (name, value) in &row.metrics {
            let place = *places.entry(name).or_insert_with(|| {
                columns.push((name, vec![None; rows.len()]));
                columns.len() - 1
            });
            columns[place].1[i] = *value;
        }
    }
    columns
}

/// Numbers stay numbers where every value is one; anything mixed becomes text as it would stand in JSON, words bare.
fn axis_column(values: &[Option<&Value>]) -> (DataType, ArrayRef) {
    let present = || values.iter().flatten().filter(|v| !v.is_null());
    if present().all(|v| v.is_number()) && present().next().is_some() {
        let column: Float64Array = values.iter().map(|v| v.and_then(Value::as_f64)).collect();
        return (DataType::Float64, Arc::new(column));
    }
    if present().all(|v| v.is_boolean()) && present().next().is_some() {
        let column: BooleanArray = values.iter().map(|v| v.and_then(Value::as_bool)).collect();
        return (DataType::Boolean, Arc::new(column));
    }
    let text = |v: &Value| match v {
        Value::Null => None,
        Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    };
    let column: StringArray = values.iter().map(|v| v.and_then(text)).collect();
    (DataType::Utf8, Arc::new(column))
}

/// Distinct names in order of first appearance.
fn ordered<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|n| seen.insert(n.as_str())).collect()
}
