//! The table over all runs.

use std::fs::File;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::sample::start;
use crate::{CompletedInfo, ExperimentStore, Metrics, Rescored, SummaryRow};

fn stored(rows: &[SummaryRow]) -> RecordBatch {
    let root = tempfile::tempdir().unwrap();
    let path =
        ExperimentStore::open(root.path(), "demo").write_summary(rows.iter().cloned().map(Ok)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().next().unwrap().unwrap()
}

fn row(run_id: &str, axes: Value, test: Option<Value>) -> SummaryRow {
    row_with(run_id, axes, test, Vec::new())
}

fn row_with(run_id: &str, axes: Value, test: Option<Value>, rescored: Vec<Rescored>) -> SummaryRow {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let mut start = start(run_id, "a", 7);
    let Value::Object(axes) = axes else { panic!("axes are an object") };
    start.axes = axes;
    let run = store.claim(run_id, false, &start, "").unwrap().unwrap();
    match test {
        Some(test) => {
            let metrics = Metrics { train: None, valid: None, test: Some(test) };
            run.complete(CompletedInfo { metrics, rescored, ..CompletedInfo::default() }).unwrap();
        }
        None => {
            run.fail("boom", None).unwrap();
        }
    }
    let run = store.runs().unwrap().remove(0);
    SummaryRow::new(&run.manifest, &run.state)
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
}

fn words(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    batch.column_by_name(name).unwrap().as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
}

#[test]
fn metrics_axes_and_states_become_columns() {
    let score = json!({"n": 146, "sharpe": 1.5, "sortino": null, "paper": {"cr": 15.34}, "rules": "paper"});
    let batch = stored(&[
        row("aa", json!({"agent.lora.rank": 0, "reward": "log-return"}), Some(score)),
        row("bb", json!({"agent.lora.rank": 8, "reward": {"kind": "pnl"}}), None),
    ]);
    let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(
        names.join(" "),
        "run_id attempt arm role symbol axis.agent.lora.rank axis.reward seed state reason \
         test.n test.sharpe test.sortino test.paper.cr"
    );
    assert_eq!(numbers(&batch, "axis.agent.lora.rank"), [Some(0.0), Some(8.0)]);
    assert_eq!(
        words(&batch, "axis.reward"),
        [Some("log-return".to_owned()), Some("{\"kind\":\"pnl\"}".to_owned())]
    );
    assert_eq!(words(&batch, "state"), [Some("completed".to_owned()), Some("failed".to_owned())]);
    assert_eq!(words(&batch, "reason"), [None, Some("boom".to_owned())]);
    assert_eq!(numbers(&batch, "test.sharpe"), [Some(1.5), None], "absent is null and not 0");
    assert_eq!(numbers(&batch, "test.sortino"), [None, None]);
    assert_eq!(numbers(&batch, "test.paper.cr"), [Some(15.34), None]);
}

#[test]
fn scores_under_other_rules_are_columns_with_rules_and_cost() {
    let rescored =
        [("paper", 0.0, json!(0.5)), ("realistic", 5.0, json!(null)), ("realistic", 7.5, json!(-1))];
    let rescored = rescored.map(|(rules, cost_bps, sharpe)| Rescored {
        rules: rules.to_owned(),
        cost_bps,
        scores: json!({"sharpe": sharpe, "paper": {"cr": 1.0}}),
    });
    let batch = stored(&[
        row("aa", json!({}), Some(json!({"sharpe": 2.0}))),
        row_with("bb", json!({}), Some(json!({"sharpe": 3.0})), rescored.to_vec()),
    ]);
    assert_eq!(numbers(&batch, "test.sharpe"), [Some(2.0), Some(3.0)]);
    assert_eq!(numbers(&batch, "rescored.paper.0bps.sharpe"), [None, Some(0.5)], "an older run has none");
    assert_eq!(numbers(&batch, "rescored.paper.0bps.paper.cr"), [None, Some(1.0)]);
    assert_eq!(numbers(&batch, "rescored.realistic.5bps.sharpe"), [None, None]);
    assert_eq!(numbers(&batch, "rescored.realistic.7.5bps.sharpe"), [None, Some(-1.0)]);
}

#[test]
fn an_axis_of_mixed_values_is_text() {
    let batch = stored(&[
        row("aa", json!({"x": 1, "b": true}), None),
        row("bb", json!({"x": "one", "b": false}), None),
    ]);
    assert_eq!(words(&batch, "axis.x"), [Some("1".to_owned()), Some("one".to_owned())]);
    assert_eq!(batch.column_by_name("axis.b").unwrap().data_type(), &DataType::Boolean);
}

#[test]
fn no_runs_make_an_empty_table() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let path = store.write_summary([]).unwrap();
    let again = std::fs::read(&path).unwrap();
    store.write_summary([]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), again);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}
