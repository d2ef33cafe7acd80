//! What comes back from the files, and their bytes.

use std::fs;

use arrow::datatypes::Schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::json;
use trading_env::{
    DeviceInfo, FreezeReceipt, GroupNorm, PromptCounts, SplitName, StepRecord, TensorDigest, TimingRecord,
    UpdateRecord,
};

use super::sample::{RUN, start, step_row, steps, timings, updates};
use crate::parquet_file::TableWriter;
use crate::table::Table;
use crate::{
    CompletedInfo, EqualTurnover, ExperimentStore, ManifestStart, Metrics, Rescored, RunState, StateWord,
    Warning, WarningKind,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_come_back_as_they_went(
        steps in prop::collection::vec(steps(), 0..60),
        updates in prop::collection::vec(updates(), 0..20),
        timings in prop::collection::vec(timings(), 0..20),
    ) {
        let root = tempfile::tempdir().unwrap();
        let store = ExperimentStore::open(root.path(), "demo");
        let mut run = store.claim(RUN, false, &start(RUN, "a", 0), "").unwrap().unwrap();
        let dir = run.dir().to_owned();
        steps.iter().for_each(|r| run.step(r.clone()).unwrap());
        updates.iter().for_each(|r| run.update(r.clone()).unwrap());
        timings.iter().for_each(|r| run.timing(r.clone()).unwrap());
        run.complete(CompletedInfo::default()).unwrap();

        let test: Vec<_> = steps.iter().filter(|r| r.split == SplitName::Test).cloned().collect();
        prop_assert_eq!(store.read_steps(&dir, None).unwrap(), steps);
        prop_assert_eq!(store.read_steps(&dir, Some(SplitName::Test)).unwrap(), test);
        prop_assert_eq!(store.read_updates(&dir).unwrap(), updates);
        prop_assert_eq!(store.read_timing(&dir).unwrap(), timings);
    }
}

#[test]
fn a_manifest_comes_back_as_it_went() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let start = start(RUN, "a", u64::MAX);
    let run = store.claim(RUN, false, &start, "kind = 1\n").unwrap().unwrap();
    let dir = run.dir().to_owned();
    let outcome = CompletedInfo {
        metrics: Metrics {
            train: None,
            valid: None,
            test: Some(json!({"n": 3, "sharpe": null, "sortino": 0.1 + 0.2, "paper": {"cr": 15.34}})),
        },
        receipt: Some(FreezeReceipt {
            tensors: vec![TensorDigest {
                name: "layers.0".to_owned(),
                trained: false,
                before: "x".to_owned(),
                after: "x".to_owned(),
            }],
            groups: vec![GroupNorm { group: "policy_head".to_owned(), mean_grad_norm: 0.1 }],
        }),
        prompts: Some(PromptCounts { encoded: 9, shortened: 2 }),
        warnings: vec![Warning {
            kind: WarningKind::ConstantAction,
            step: 40,
            text: "`hold` at every bar of the test split".to_owned(),
        }],
        rescored: vec![Rescored {
            rules: "realistic".to_owned(),
            cost_bps: 5.0,
            scores: json!({"sharpe": 0.5}),
        }],
        equal_turnover: Some(EqualTurnover {
            policies: 200,
            mean_log_return: 0.1 + 0.2,
            low: -0.1,
            high: 0.4,
            at_least: 7,
        }),
    };
    run.complete(outcome.clone()).unwrap();

    let manifest = store.manifests().unwrap().remove(0);
    assert_eq!(manifest.start, start);
    assert_eq!(manifest.state, StateWord::Completed);
    assert_eq!(manifest.metrics, outcome.metrics);
    assert_eq!(manifest.receipt, outcome.receipt);
    assert_eq!(manifest.prompts, outcome.prompts);
    assert_eq!(manifest.warnings, outcome.warnings);
    assert_eq!(manifest.rescored, outcome.rescored);
    assert_eq!(manifest.equal_turnover, outcome.equal_turnover);
    assert!(manifest.finished.unwrap() >= manifest.started);
    assert_eq!(store.read_spec(&dir).unwrap(), "kind = 1\n");
}

/// What is known of a device comes back; manifests of earlier versions have no word of it.
#[test]
fn a_device_comes_back_and_may_be_absent() {
    let device = DeviceInfo {
        adapter: Some("a card".to_owned()),
        driver: None,
        api: Some("vulkan".to_owned()),
        memory_bytes: Some(85_520_809_984),
    };
    for device in [Some(device), None] {
        let root = tempfile::tempdir().unwrap();
        let store = ExperimentStore::open(root.path(), "demo");
        let start = ManifestStart { device: device.clone(), ..start(RUN, "a", 0) };
        let run = store.claim(RUN, false, &start, "").unwrap().unwrap();
        let text = fs::read_to_string(run.dir().join("manifest.json")).unwrap();
        assert_eq!(text.contains("\"device\""), device.is_some());
        assert!(!text.contains("\"driver\""), "unknown: no key");
        assert_eq!(store.manifests().unwrap()[0].start.device, device);
    }
}

/// More rows than a batch and than a row group, written one by one and into two folders.
#[test]
fn equal_rows_make_equal_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let path = dir.path().join(name);
        let mut file = TableWriter::begin(path.clone()).unwrap();
        (0..70_000).for_each(|t| file.push(step_row(t)).unwrap());
        file.finish().unwrap();
        fs::read(path).unwrap()
    };
    let first = bytes("a.parquet");
    // Field metadata are hash maps with an order of their own each time: repeat until chance could not hide it.
    for n in 0..4 {
        assert!(bytes(&format!("{n}.parquet")) == first, "the bytes depend on more than the rows");
    }
    assert_ne!(bytes("z.parquet").len(), 0);
}

#[test]
fn every_column_says_what_it_is() {
    let described = |schema: &Schema| {
        for field in schema.fields() {
            assert!(field.metadata().get("description").is_some_and(|d| d.len() > 5), "{field}");
            assert_eq!(field.metadata().contains_key("unit"), field.data_type().is_numeric(), "{field}");
        }
    };
    described(&StepRecord::schema());
    described(&UpdateRecord::schema());
    described(&TimingRecord::schema());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("steps.parquet");
    TableWriter::<StepRecord>::begin(path.clone()).unwrap().finish().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    assert_eq!(reader.schema(), &StepRecord::schema(), "the file carries the same description");
    let names: Vec<_> = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
    let expected = "split episode t date action position price cash equity reward log_prob value";
    assert_eq!(names.join(" "), expected);
    assert_eq!(reader.metadata().file_metadata().created_by(), Some("flaglab"));
}

/// Columns that came later are 0 in older files; the others must be there.
#[test]
fn timing_rows_of_older_files_can_be_read() {
    let row =
        TimingRecord { update: 3, cache_hits: 5, cache_spilled: 7, cache_extended: 9, ..Default::default() };
    let batch = TimingRecord::batch(std::slice::from_ref(&row));
    let without = |names: &[&str]| {
        let kept = |i: &usize| !names.contains(&batch.schema().field(*i).name().as_str());
        batch.project(&(0..batch.num_columns()).filter(kept).collect::<Vec<_>>()).unwrap()
    };
    let older = TimingRecord::rows(&without(&["cache_spilled", "cache_extended"])).unwrap();
    assert_eq!(older, [TimingRecord { cache_spilled: 0, cache_extended: 0, ..row }]);
    let error = TimingRecord::rows(&without(&["cache_hits"])).unwrap_err();
    assert_eq!(error, "column `cache_hits` is missing");
}

#[test]
fn a_file_of_another_shape_is_an_error_that_names_the_column() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let mut file = TableWriter::<TimingRecord>::begin(root.path().join("steps.parquet")).unwrap();
    file.push(TimingRecord::default()).unwrap();
    file.finish().unwrap();
    let error = store.read_steps(root.path(), None).unwrap_err().to_string();
    assert!(error.contains("steps.parquet") && error.contains("column `split` is missing"), "{error}");

    fs::write(root.path().join("updates.parquet"), "not parquet").unwrap();
    assert!(store.read_updates(root.path()).unwrap_err().to_string().contains("updates.parquet"));
}

#[test]
fn a_broken_manifest_is_an_error_with_its_line() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    fs::create_dir_all(store.dir().join(RUN)).unwrap();
    fs::write(store.dir().join(RUN).join("manifest.json"), "{\n\"run_id\": 1").unwrap();
    let error = store.state(RUN).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("line 2"), "{error}");
}

#[test]
fn the_rows_of_a_failed_run_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let mut run = store.claim(RUN, false, &start(RUN, "a", 0), "").unwrap().unwrap();
    let dir = run.dir().to_owned();
    run.step(step_row(0)).unwrap();
    run.fail("diverged at update 3: loss is NaN", Some(3)).unwrap();
    let failed = RunState::Failed { reason: "diverged at update 3: loss is NaN".to_owned(), step: Some(3) };
    assert_eq!(store.state(RUN).unwrap(), failed);
    assert_eq!(store.read_steps(&dir, None).unwrap(), [step_row(0)]);
    let log = fs::read_to_string(dir.join("log.txt")).unwrap();
    assert!(
        log.contains(" started\n") && log.ends_with(" failed: diverged at update 3: loss is NaN\n"),
        "{log}"
    );
}
