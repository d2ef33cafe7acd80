//! Tests of canonical data sets, the shipped ones included.

use std::path::{Path, PathBuf};

use super::{ImportOptions, check, import, list, load, metadata, signal, synth};
use crate::synth::{SynthParams, generate};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets").join(name)
}

fn small() -> SynthParams {
    SynthParams { bars: 40, ..SynthParams::default() }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_shipped_data_sets_are_what_their_parameters_generate() {
    for (name, lag) in [("synthetic-news", 1), ("synthetic-news-lag2", 2)] {
        let dir = shipped(name);
        assert_eq!(check(&dir).unwrap().problems, Vec::<String>::new());
        let params = metadata(&dir).unwrap().generator.unwrap();
        assert_eq!(params, SynthParams { signal_lag: lag, ..SynthParams::default() });
        assert_eq!(load(&dir).unwrap().fingerprint(), generate(&params).unwrap().series.fingerprint());
        let size: u64 = names(&dir).iter().map(|f| dir.join(f).metadata().unwrap().len()).sum();
        assert!(size < 500_000, "{size} bytes");
    }
}

#[test]
fn the_shipped_signal_is_right_with_probability_0_65() {
    for (name, lag) in [("synthetic-news", 1), ("synthetic-news-lag2", 2)] {
        let series = load(&shipped(name)).unwrap();
        let signal = signal(&shipped(name)).unwrap();
        assert!(signal.iter().map(|(date, _)| date).eq(series.dates()));
        let c = series.closes();
        let known: Vec<_> = (0..c.len() - lag).filter(|t| c[t + lag] != c[t + lag - 1]).collect();
        let right = known.iter().filter(|t| (c[*t + lag] > c[*t + lag - 1]) == (signal[**t].1 > 0)).count();
        let share = right as f64 / known.len() as f64;
        // Three standard errors of a share of 0.65.
        let margin = 3.0 * (0.65 * 0.35 / known.len() as f64).sqrt();
        assert!((share - 0.65).abs() < margin, "{name}: {share}");
    }
}

#[test]
fn synth_writes_a_sound_data_set_and_overwrites_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("deep/market");
    let written = synth(&small(), &dir).unwrap();
    assert_eq!((written.name.as_str(), written.bars), ("market", 40));
    assert_eq!(metadata(&dir).unwrap(), written);
    assert_eq!(check(&dir).unwrap().problems, Vec::<String>::new());
    assert_eq!(names(&dir), ["bars.parquet", "metadata.json", "signal.parquet"]);
    assert_eq!(load(&dir).unwrap().fingerprint(), written.sha256);
    let error = synth(&SynthParams { seed: 5, ..small() }, &dir).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(metadata(&dir).unwrap(), written);
    // No temporary folder stays.
    assert_eq!(names(dir.parent().unwrap()), ["market"]);
}

#[test]
fn import_takes_csv_json_and_parquet() {
    let root = tempfile::tempdir().unwrap();
    let csv = root.path().join("abc.csv");
    std::fs::write(&csv, "date,close,news\n2024-01-03,3,late\n2024-01-02,2,\n").unwrap();
    let json = root.path().join("abc.json");
    let text = r#"{"2024-01-02": {"prices": 2}, "2024-01-03": {"prices": 3, "news": ["late"]}}"#;
    std::fs::write(&json, text).unwrap();
    let options = ImportOptions {
        source: "a test".into(),
        licence: "none".into(),
        price_meaning: "unadjusted".into(),
        ..ImportOptions::default()
    };
    let a = import(&csv, &options, &root.path().join("a")).unwrap();
    let b = import(&json, &options, &root.path().join("b")).unwrap();
    let c = import(
        &root.path().join("a/bars.parquet"),
        &ImportOptions { symbol: "ABC".into(), ..options },
        &root.path().join("c"),
    )
    .unwrap();
    assert_eq!((a.symbol.as_str(), a.bars, a.news), ("ABC", 2, 1));
    assert_eq!(a.sha256, b.sha256);
    assert_eq!(a.sha256, c.sha256);
    assert_eq!(check(&root.path().join("b")).unwrap().problems, Vec::<String>::new());
    assert_eq!(load(&root.path().join("c")).unwrap().closes(), [2.0, 3.0]);
    let listed = list(root.path()).unwrap();
    let listed: Vec<String> = listed.into_iter().map(|l| l.metadata.unwrap().name).collect();
    assert_eq!(listed, ["a", "b", "c"]);
}

#[test]
fn a_bad_file_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let csv = root.path().join("abc.csv");
    std::fs::write(&csv, "date,close\n2024-01-02,2\n2024-01-03,x\n").unwrap();
    let error = import(&csv, &ImportOptions::default(), &root.path().join("out")).unwrap_err().to_string();
    assert!(error.contains("abc.csv: line 3: column `close`"), "{error}");
    assert_eq!(names(root.path()), ["abc.csv"]);
}

#[test]
fn check_and_load_see_what_was_changed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("m");
    let stated = synth(&small(), &dir).unwrap();
    let path = dir.join("metadata.json");
    let text = std::fs::read_to_string(&path).unwrap();

    std::fs::write(&path, text.replace("\"bars\": 40,\n  \"news\"", "\"bars\": 41,\n  \"news\"")).unwrap();
    assert_eq!(check(&dir).unwrap().problems, ["`bars`: metadata.json says 41, found 40"]);

    std::fs::write(&path, text.replace(&stated.sha256, "0000")).unwrap();
    assert_eq!(check(&dir).unwrap().problems.len(), 1);
    assert!(load(&dir).unwrap_err().to_string().contains("expected 0000 as in metadata.json"));

    std::fs::write(&path, text.replace("\"seed\": 1", "\"seed\": 2")).unwrap();
    assert_eq!(check(&dir).unwrap().problems.len(), 2);

    std::fs::write(&path, text.replace("MIT OR Apache-2.0", " ")).unwrap();
    assert!(check(&dir).unwrap().problems[0].starts_with("`licence`:"));

    std::fs::write(&path, text.replace("\"licence\"", "\"license\"")).unwrap();
    let error = load(&dir).unwrap_err().to_string();
    assert!(error.contains("metadata.json: line 5: unknown field `license`"), "{error}");

    std::fs::remove_file(&path).unwrap();
    assert!(load(&dir).unwrap_err().to_string().contains("metadata.json: not found"));
}
