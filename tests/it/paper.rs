//! `paper --quick`: without data, with made-up ones, and with the real ones where they are.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::folder::{Folder, date};

const ASSETS: [&str; 5] = ["msft", "jnj", "uvv", "hon", "btc"];

/// InvestorBench's JSON of daily prices that rise and fall by a formula, over all windows.
fn made_up() -> String {
    let price = |i: u64| 100.0 + 10.0 * (i as f64 * 0.7).sin() + 0.01 * i as f64;
    let days: serde_json::Map<String, Value> =
        (0..1_460).map(|i| (date(18_262 + i), json!({ "prices": price(i), "news": [] }))).collect();
    Value::Object(days).to_string()
}

fn with_data(text: &str) -> Folder {
    let folder = Folder::empty();
    std::fs::create_dir_all(folder.path("data/investor-bench")).unwrap();
    for asset in ASSETS {
        folder.write(&format!("data/investor-bench/{asset}.json"), text);
    }
    folder
}

/// The real data, copied where experiments look for them.
fn with_real_data() -> Option<Folder> {
    let data = std::env::var_os("FLAGLAB_DATA").map(|data| PathBuf::from(data).join("investor-bench"));
    let file = |asset: &str| data.as_ref().map(|data| data.join(format!("{asset}.json")));
    if !ASSETS.iter().all(|asset| file(asset).is_some_and(|file| file.is_file())) {
        eprintln!("not checked: FLAGLAB_DATA names no folder with investor-bench");
        return None;
    }
    let folder = with_data("");
    for asset in ASSETS {
        let to = folder.path(&format!("data/investor-bench/{asset}.json"));
        let from = file(asset).unwrap();
        std::fs::remove_file(&to).unwrap();
        std::fs::write(&to, std::fs::read(from).unwrap()).unwrap();
    }
    Some(folder)
}

#[test]
fn without_data_it_says_how_to_get_them_and_passes() {
    let folder = Folder::empty();
    let output = folder.run(&["paper", "--quick"]);
    let text = output.ok();
    assert!(text.contains("No prices of MSFT, JNJ, UVV, HON, BTC on this machine: "), "{text}");
    assert!(text.contains("`it dataset fetch investor-bench`"), "{text}");
    assert!(text.contains("  no data\n") && text.contains("    0  reproduced exactly\n"), "{text}");
    assert_eq!(output.last_line(), "reports/paper/index.html");
    let page = std::fs::read_to_string(folder.path("reports/paper/index.html")).unwrap();
    assert!(
        page.contains("There are no prices on this machine") && page.contains("class=\"verdict v-no-data\"")
    );
    // Training needs them.
    let message = folder.run(&["paper"]).refused();
    assert!(message.contains("experiments/paper: no such folder"), "{message}");
    std::fs::create_dir_all(folder.path("experiments/paper")).unwrap();
    let message = folder.run(&["paper"]).refused();
    assert!(message.contains("No prices of MSFT"), "{message}");
}

#[test]
fn on_other_prices_the_changed_cells_are_named() {
    let folder = with_data(&made_up());
    let output = folder.run(&["paper", "--quick"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    let json = folder.run(&["paper", "--quick", "--format", "json"]);
    assert_eq!(json.code, 1);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    // An SR that agreed with its row still does, whatever the prices; all else is bound by them.
    let changes = json["changes"].as_array().unwrap().len();
    assert!((225..300).contains(&changes), "{changes}");
    let title = format!("changed cells ({changes}):\n");
    let changed = output.stdout.split(&title).nth(1).unwrap_or_default();
    assert!(changed.starts_with("  MSFT Buy & Hold CR: was exact (15.340165), bound "), "{changed}");
    assert!(changed.contains(&format!("  and {} more\n", changes - 12)), "{changed}");
    assert!(
        output.stdout.contains("data/investor-bench/msft.json: not the file of felis33/INVESTOR-BENCH that")
    );
    assert_eq!((&json["verdicts"]["exact"], &json["own"]), (&json!(0), &json!([])));
    assert_eq!(json["page"], "reports/paper/index.html");
    let markdown = folder.run(&["paper", "--quick", "--format", "markdown"]);
    assert!(markdown.stdout.contains("| GPT-4o | "), "{}", markdown.stdout);
    let csv = folder.run(&["paper", "--quick", "--format", "csv"]);
    assert_eq!(csv.stdout.lines().count(), 361);
    assert!(csv.stderr.starts_with("data/investor-bench/msft.json: not the file"), "{}", csv.stderr);
}

#[test]
fn broken_data_are_refused() {
    let folder = with_data("{\"2020-10-01\": {\"prices\": 1}, \"2020-10-02\": {\"prices\": -1}}");
    let message = folder.run(&["paper", "--quick"]).refused();
    assert!(message.contains("msft.json") && message.contains("2020-10-02"), "{message}");
    assert!(!folder.path("reports").exists());
    let refused = folder.run(&["paper", "--quick", "--full"]).refused();
    assert!(refused.contains("--full"), "{refused}");
    let refused = folder.run(&["paper", "--timesteps", "many"]).refused();
    assert!(refused.contains("--timesteps"), "{refused}");
}

#[test]
fn a_window_without_prices_is_refused() {
    let folder = with_data("{\"2019-10-01\": {\"prices\": 1}, \"2019-10-02\": {\"prices\": 2}}");
    let message = folder.run(&["paper", "--quick"]).refused();
    let expected = "data/investor-bench/msft.json: expected at least 4 prices from 2020-10-01 to 2021-05-06";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn options_are_named_where_they_are_wrong() {
    let folder = with_data(&made_up());
    std::fs::create_dir_all(folder.path("experiments/paper")).unwrap();
    let message = folder.run(&["paper", "--model", "nonsense"]).refused();
    assert!(message.starts_with("error: --model: ") && message.contains("no such folder"), "{message}");
    let message = folder.run(&["paper", "--timesteps", "39"]).refused();
    assert!(message.contains("--timesteps") && message.contains("40"), "{message}");
    assert!(!folder.path("runs").exists() && !folder.path("reports").exists());
}

/// With `FLAGLAB_DATA`.
#[test]
fn the_published_tables() {
    let Some(folder) = with_real_data() else { return };
    let output = folder.run(&["paper", "--quick"]);
    let text = output.ok();
    assert!(text.contains("Buy & Hold of the stocks: 16 of 16 cells equal"), "{text}");
    for row in ["MSFT GPT-4, 4 of 4 cells: always long", "HON GPT-4, 4 of 4 cells: always long"] {
        assert!(text.contains(row), "{text}");
    }
    assert!(text.contains(
        "AV 67.758: no positions -1, 0 and 1 exceed an AV of 29.563 at 252 days a year, 35.579 at 365"
    ));
    assert!(!text.contains("not the file of") && !text.contains("changed cells"), "{text}");
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/reproduction/data/cells.csv");
    let committed = std::fs::read_to_string(committed).unwrap();
    assert_eq!(
        folder.run(&["paper", "--quick", "--format", "csv"]).ok(),
        committed,
        "cells.csv is not current"
    );
}

/// With `FLAGLAB_DATA`: a cent on one day, far from both ends of the window.
#[test]
fn one_changed_price_is_found() {
    let Some(folder) = with_real_data() else { return };
    let path = folder.path("data/investor-bench/jnj.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let day = text.find("\"2021-01-15\"").unwrap();
    let start = day + text[day..].find("\"prices\": ").unwrap() + "\"prices\": ".len();
    let end = start + text[start..].find(',').unwrap();
    let price: f64 = text[start..end].parse().unwrap();
    std::fs::write(&path, format!("{}{}{}", &text[..start], price + 0.01, &text[end..])).unwrap();
    let output = folder.run(&["paper", "--quick"]);
    assert_eq!(output.code, 1, "{}", output.stdout);
    let changed = output.stdout.split("changed cells (").nth(1).unwrap();
    assert!(changed.contains("  JNJ Buy & Hold AV: was exact (17.499716)"), "{changed}");
    assert!(!changed.contains("MSFT") && !changed.contains("BTC"), "{changed}");
    assert!(
        output.stdout.contains("data/investor-bench/jnj.json: not the file of felis33/INVESTOR-BENCH that")
    );
}
