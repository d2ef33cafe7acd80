//! `summary.parquet`: one row per run, with its axes, state and all metrics.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanArray, Float64Array, Float64Builder, StringArray, StringBuilder,
    UInt32Array, UInt64Array,
};
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

pub(crate) fn write(
    path: &Path,
    rows: impl IntoIterator<Item = Result<SummaryRow, StoreError>>,
) -> Result<(), StoreError> {
    let mut columns = Columns::default();
    for row in rows {
        columns.push(row?);
    }
    write_batch(path, &columns.finish())
}

/// The table while rows come: what is kept of a row is its cells.
#[derive(Default)]
struct Columns {
    run_id: StringBuilder,
    attempt: Vec<u32>,
    arm: StringBuilder,
    role: StringBuilder,
    symbol: StringBuilder,
    axes: Named<Vec<Option<Value>>>,
    seed: Vec<u64>,
    state: StringBuilder,
    reason: StringBuilder,
    metrics: Named<Float64Builder>,
}

impl Columns {
    fn push(&mut self, row: SummaryRow) {
        let at = self.seed.len();
        self.run_id.append_value(row.run_id);
        self.attempt.push(row.attempt);
        self.arm.append_value(row.arm);
        self.role.append_value(match row.role {
            Role::Arm => "arm",
            Role::Baseline => "baseline",
            Role::Control => "control",
        });
        self.symbol.append_value(row.symbol);
        row.axes.into_iter().for_each(|(key, value)| self.axes.set(at, key, Some(value)));
        self.seed.push(row.seed);
        self.state.append_value(row.state);
        self.reason.append_option(row.reason);
        row.metrics.into_iter().for_each(|(name, value)| self.metrics.set(at, name, value));
    }

    fn finish(mut self) -> RecordBatch {
        let n = self.seed.len();
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut add = |field: Field, column: ArrayRef| {
            fields.push(field);
            columns.push(column);
        };
        let word_field = |name, nullable, text| field(name, DataType::Utf8, nullable, "", text);
        add(word_field("run_id", false, "hash of the resolved run"), Arc::new(self.run_id.finish()));
        add(
            field("attempt", DataType::UInt32, false, "1", "attempt, from 1"),
            Arc::new(UInt32Array::from(self.attempt)),
        );
        add(word_field("arm", false, "name of the arm"), Arc::new(self.arm.finish()));
        add(word_field("role", false, "arm or baseline"), Arc::new(self.role.finish()));
        add(word_field("symbol", false, "name of the asset"), Arc::new(self.symbol.finish()));
        for (key, values) in self.axes.finish(n) {
            let (data_type, column) = axis_column(&values);
            add(field(&format!("axis.{key}"), data_type, true, "", "value of a swept setting"), column);
        }
        add(
            field("seed", DataType::UInt64, false, "1", "seed of the run"),
            Arc::new(UInt64Array::from(self.seed)),
        );
        add(
            word_field("state", false, "completed, failed, skipped, interrupted, running or planned"),
            Arc::new(self.state.finish()),
        );
        add(word_field("reason", true, "why it failed or was skipped"), Arc::new(self.reason.finish()));
        for (name, mut values) in self.metrics.finish(n) {
            let about = match name.starts_with("rescored.") {
                true => "score of the test decisions under other rules; null where undefined",
                false => "score of a split; null where undefined",
            };
            add(field(&name, DataType::Float64, true, "", about), Arc::new(values.finish()));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .expect("invariant: columns follow the schema")
    }
}

/// Columns in the order in which their names first appear.
struct Named<C> {
    places: HashMap<String, usize>,
    columns: Vec<(String, C)>,
}

impl<C> Default for Named<C> {
    fn default() -> Self {
        Self { places: HashMap::new(), columns: Vec::new() }
    }
}

impl<C: Cells> Named<C> {
    /// Sets a cell of the latest row, `row`; a name that a row has twice keeps its first value.
    fn set(&mut self, row: usize, name: String, value: Option<C::Value>) {
        let place = match self.places.get(&name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.clone(), self.columns.len());
                self.columns.push((name, C::default()));
                self.columns.len() - 1
            }
        };
        let cells = &mut self.columns[place].1;
        if cells.count() <= row {
            cells.fill(row);
            cells.add(value);
        }
    }

    /// The columns, each with `n` cells.
    fn finish(self, n: usize) -> impl Iterator<Item = (String, C)> {
        self.columns.into_iter().map(move |(name, mut cells)| {
            cells.fill(n);
            (name, cells)
        })
    }
}

/// Cells of one column as they come.
trait Cells: Default {
    type Value;
    fn count(&self) -> usize;
    fn add(&mut self, value: Option<Self::Value>);
    /// Nulls up to `n` cells.
    fn fill(&mut self, n: usize);
}

impl Cells for Vec<Option<Value>> {
    type Value = Value;

    fn count(&self) -> usize {
        self.len()
    }

    fn add(&mut self, value: Option<Value>) {
        self.push(value);
    }

    fn fill(&mut self, n: usize) {
        self.resize(n, None);
    }
}

impl Cells for Float64Builder {
    type Value = f64;

    fn count(&self) -> usize {
        self.len()
    }

    fn add(&mut self, value: Option<f64>) {
        self.append_option(value);
    }

    fn fill(&mut self, n: usize) {
        self.append_nulls(n - self.len());
    }
}

/// Numbers stay numbers where every value is one; anything mixed becomes text as it would stand in JSON, words bare.
fn axis_column(values: &[Option<Value>]) -> (DataType, ArrayRef) {
    let present = || values.iter().flatten().filter(|v| !v.is_null());
    if present().all(|v| v.is_number()) && present().next().is_some() {
        let column: Float64Array = values.iter().map(|v| v.as_ref().and_then(Value::as_f64)).collect();
        return (DataType::Float64, Arc::new(column));
    }
    if present().all(|v| v.is_boolean()) && present().next().is_some() {
        let column: BooleanArray = values.iter().map(|v| v.as_ref().and_then(Value::as_bool)).collect();
        return (DataType::Boolean, Arc::new(column));
    }
    let text = |v: &Value| match v {
        Value::Null => None,
        Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    };
    let column: StringArray = values.iter().map(|v| v.as_ref().and_then(text)).collect();
    (DataType::Utf8, Arc::new(column))
}
