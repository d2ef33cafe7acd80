//! Tests of the source plugins; those on real data run only where `FLAGLAB_DATA` names its folder.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use plugin::{Files, Plugin};
use serde_json::{Value, json};

use super::{CsvFile, InvestorBench, ParquetFile, SOURCES, SyntheticNews};
use crate::contract::source;
use crate::{BarSeries, SourceKind, load_prices};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(data: Option<&Path>) -> Files {
    Files { root: workspace(), data: data.map(Path::to_owned), ..Files::default() }
}

/// Checks and builds with absent keys left to serde's defaults, and loads.
fn load(plugin: &dyn Plugin<SourceKind>, params: &Value, files: &Files) -> Result<BarSeries, String> {
    plugin.check(params).map_err(|errors| errors[0].to_string())?;
    plugin.build(params, files).and_then(|source| source.load()).map_err(|e| e.to_string())
}

#[test]
fn paths_are_unhashed() {
    for source in SOURCES {
        if let Some(path) = source.schema()["properties"].get("path") {
            assert_eq!(path["x-unhashed"], json!(true), "{}", source.name());
        }
    }
}

#[test]
fn every_source_keeps_the_contract() {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("investor-bench")).unwrap();
    let prices = r#"{"2024-01-01": {"prices": 1}, "2024-01-02": {"prices": 2}}"#;
    std::fs::write(data.path().join("investor-bench/abc.json"), prices).unwrap();
    std::fs::write(data.path().join("x.csv"), "date,close\n2024-01-01,1\n2024-01-02,2\n").unwrap();
    for plugin in SOURCES {
        let given = match plugin.name() {
            "synthetic-news" => json!({"generator": {"bars": 60}}),
            "investor-bench" => json!({"symbol": "abc"}),
            "csv" => json!({"path": "x.csv"}),
            "parquet" => json!({"path": "datasets/synthetic-news"}),
            _ => json!({}),
        };
        source(*plugin, &given, &files(Some(data.path())));
    }
}

#[test]
fn the_defaults_of_synthetic_news_are_those_of_its_folder() {
    let mut params = serde_json::Map::new();
    plugin::fill_defaults(&SyntheticNews.schema(), &mut params);
    assert_eq!(params["generator"]["signal_accuracy"], json!(0.65));
    assert_eq!(params["generator"]["start"], json!("2010-01-04"));
}

#[test]
fn synthetic_news_is_the_same_from_its_folder_and_from_memory() {
    let memory = load(&SyntheticNews, &json!({}), &files(None)).unwrap();
    let folder = load(&SyntheticNews, &json!({"path": "datasets/synthetic-news"}), &files(None)).unwrap();
    assert_eq!(memory.fingerprint(), folder.fingerprint());
    let lag2 = json!({"path": "datasets/synthetic-news-lag2", "generator": {"signal_lag": 2}});
    load(&SyntheticNews, &lag2, &files(None)).unwrap();
    let other = json!({"path": "datasets/synthetic-news-lag2"});
    let error = load(&SyntheticNews, &other, &files(None)).unwrap_err();
    assert!(
        error.contains("was generated with `signal_lag` = 2, but `data.generator.signal_lag` is 1"),
        "{error}"
    );
    let error = load(&SyntheticNews, &json!({"generator": {"tail_dof": 1.0}}), &files(None)).unwrap_err();
    assert_eq!(error, "generator.tail_dof: expected 2.1 to 1000, found 1");
    let error = load(&SyntheticNews, &json!({"generator": {"start": "soon"}}), &files(None)).unwrap_err();
    assert!(error.starts_with("generator.start: expected a date"), "{error}");
}

#[test]
fn periods_per_year_can_be_stated() {
    let params = json!({"generator": {"bars": 20}, "periods_per_year": 260.0});
    assert_eq!(load(&SyntheticNews, &params, &files(None)).unwrap().periods_per_year(), 260.0);
    let params = json!({"path": "datasets/synthetic-news", "periods_per_year": 260.0, "symbol": "S"});
    let s = load(&ParquetFile, &params, &files(None)).unwrap();
    assert_eq!((s.periods_per_year(), s.symbol()), (260.0, "S"));
    let params = json!({"path": "x", "periods_per_year": 0.0});
    assert_eq!(
        load(&ParquetFile, &params, &files(None)).unwrap_err(),
        "periods_per_year: expected a number > 0, found 0"
    );
}

#[test]
fn relative_paths_start_from_the_workspace_and_then_from_the_data() {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("sub")).unwrap();
    std::fs::write(data.path().join("sub/x.csv"), "date,close\n2024-01-01,1\n2024-01-02,2\n").unwrap();
    let params = json!({"path": "sub/x.csv"});
    let s = load(&CsvFile, &params, &files(Some(data.path()))).unwrap();
    assert_eq!((s.symbol(), s.closes()), ("X", &[1.0, 2.0][..]));
    let error = load(&CsvFile, &params, &files(None)).unwrap_err();
    assert!(error.ends_with("sub/x.csv: not found, expected a CSV file (`data.path`)"), "{error}");
}

#[test]
fn wrong_parameters_are_named() {
    for (plugin, params, expected) in [
        (&CsvFile as &dyn Plugin<SourceKind>, json!({"path": ""}), "path: expected the path of a CSV file"),
        (
            &CsvFile,
            json!({"path": "a", "columns": {"close": ""}}),
            "columns.close: expected the name of a column",
        ),
        (&CsvFile, json!({"path": "a", "date_format": "%Q"}), "date_format: expected a strftime format"),
        (&ParquetFile, json!({"path": " "}), "path: expected the path of a Parquet file"),
        (&InvestorBench, json!({"symbol": ""}), "symbol: expected an asset such as"),
        (&InvestorBench, json!({"symbol": "../x"}), "symbol: expected an asset such as"),
    ] {
        let error = load(plugin, &params, &files(None)).unwrap_err();
        assert!(error.starts_with(expected), "{expected}: {error}");
    }
}

#[test]
fn missing_investor_bench_data_say_where_they_come_from() {
    let empty = tempfile::tempdir().unwrap();
    let params = json!({"symbol": "msft"});
    for files in [files(None), files(Some(empty.path()))] {
        let error = load(&InvestorBench, &params, &files).unwrap_err();
        assert!(error.contains("https://github.com/felis33/INVESTOR-BENCH"), "{error}");
        assert!(
            error.contains("FLAGLAB_DATA") && error.contains("data.path") && error.contains("MSFT"),
            "{error}"
        );
    }
}

#[test]
fn investor_bench_files_are_found_in_every_documented_place() {
    let text = r#"{"2024-01-01": {"prices": 1}, "2024-01-02": {"prices": 2}}"#;
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("investor-bench")).unwrap();
    std::fs::write(root.path().join("investor-bench/abc.json"), text).unwrap();
    let inner = root.path().join("investor-bench");
    let file = inner.join("abc.json");
    for (params, data) in [
        (json!({"symbol": "ABC"}), Some(root.path())),
        (json!({"symbol": "abc"}), Some(inner.as_path())),
        (json!({"symbol": "abc", "path": inner}), None),
        (json!({"symbol": "abc", "path": file}), None),
        (json!({"symbol": "abc", "path": "investor-bench"}), Some(root.path())),
    ] {
        let s = load(&InvestorBench, &params, &files(data)).unwrap();
        assert_eq!((s.symbol(), s.len()), ("ABC", 2));
    }
}

/// The folder of real data, or a line that says why the test does nothing.
fn real_data() -> Option<PathBuf> {
    let data = std::env::var_os("FLAGLAB_DATA").map(PathBuf::from);
    if data.is_none() {
        println!("skipped: FLAGLAB_DATA is not set to the folder of real data");
    }
    data
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn real_investor_bench_windows_have_the_published_prices() {
    let Some(data) = real_data() else { return };
    let stocks = (day("2020-10-01"), day("2021-05-05"), 149, 252.0);
    let btc = (day("2023-04-05"), day("2023-11-05"), 215, 365.0);
    // Cumulative log return in percent over the window: the Buy & Hold rows of the published tables (BTC's row
    // says 21.821).
    for (symbol, (from, to, n, periods), expected) in [
        ("msft", stocks, 15.340),
        ("jnj", stocks, 13.895),
        ("uvv", stocks, 36.583),
        ("hon", stocks, 33.256),
        ("btc", btc, 21.822),
    ] {
        let s = load(&InvestorBench, &json!({"symbol": symbol}), &files(Some(&data))).unwrap();
        let window = s.between(from, to);
        assert_eq!((window.len(), s.periods_per_year()), (n, periods), "{symbol}");
        let c = &s.closes()[window];
        let cumulative = 100.0 * (c[n - 1] / c[0]).ln();
        assert!((cumulative - expected).abs() < 5.1e-4, "{symbol}: {cumulative}");
        assert!(s.news_count() > 400);
    }
    let s = load(&InvestorBench, &json!({"symbol": "msft"}), &files(Some(&data))).unwrap();
    assert_eq!(s.len(), 291);
    let direct = load_prices(&data.join("investor-bench/msft.json")).unwrap();
    assert_eq!(s.fingerprint(), direct.fingerprint());
}

#[test]
fn real_csv_is_read_with_its_own_column_names() {
    let Some(data) = real_data() else { return };
    let names = json!({
        "date": "Date", "open": "AAPL.Open", "high": "AAPL.High", "low": "AAPL.Low", "close": "AAPL.Close",
        "volume": "AAPL.Volume",
    });
    let params = json!({"path": "ohlcv/aapl.csv", "symbol": "AAPL", "columns": names});
    let s = load(&CsvFile, &params, &files(Some(&data))).unwrap();
    assert_eq!((s.len(), s.periods_per_year()), (506, 252.0));
    assert_eq!((s.date(0), s.open(0), s.closes()[0]), (day("2015-02-17"), Some(127.489998), 127.830002));
    assert_eq!((s.date(505), s.closes()[505]), (day("2017-02-16"), 135.350006));
    let error = load(&CsvFile, &json!({"path": "ohlcv/aapl.csv"}), &files(Some(&data))).unwrap_err();
    assert!(error.contains("line 1: found the columns Date, AAPL.Open"), "{error}");
}
