//! `paper` with its trainings, on made-up prices and with a few steps.

// What goes wrong in a helper is the failure of the test.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value, json};

/// The repository's experiments and model in a folder of their own, with made-up prices of MSFT.
fn folder() -> tempfile::TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = tempfile::tempdir().unwrap();
    let paper = dir.path().join("experiments/paper");
    std::fs::create_dir_all(&paper).unwrap();
    std::fs::copy(root.join("experiments/base.toml"), dir.path().join("experiments/base.toml")).unwrap();
    for entry in std::fs::read_dir(root.join("experiments/paper")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), paper.join(entry.file_name())).unwrap();
    }
    std::fs::write(dir.path().join("flaglab.toml"), "").unwrap();
    std::os::unix::fs::symlink(
        std::fs::canonicalize(root.join("models")).unwrap(),
        dir.path().join("models"),
    )
    .unwrap();
    let mut days = Map::new();
    let mut date: chrono::NaiveDate = "2020-03-12".parse().unwrap();
    for i in 0..420u32 {
        let price = 100.0 + 8.0 * (f64::from(i) * 0.7).sin() + 0.05 * f64::from(i);
        days.insert(date.to_string(), json!({ "prices": price, "news": ["shares rise"] }));
        date = date.succ_opt().unwrap();
    }
    let data = dir.path().join("data/investor-bench");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("msft.json"), Value::Object(days).to_string()).unwrap();
    dir
}

fn paper(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flaglab"));
    command.arg("paper").args(args).current_dir(dir).env("HF_HOME", dir.join("hf"));
    for key in ["FLAGLAB_DATA", "FLAGLAB_RUNS", "FLAGLAB_REPORTS"] {
        command.env_remove(key);
    }
    command.output().unwrap()
}

#[test]
fn our_rows_stand_beside_the_published_ones() {
    let dir = folder();
    let output = paper(dir.path(), &["--timesteps", "40", "--format", "json"]);
    // Made-up prices: the published cells are not what they were.
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let own = &all["own"];
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!(own[0]["asset"], "MSFT");
    let subject = &own[0]["subject"];
    assert_eq!((&subject["model"], &subject["is_papers"]), (&"models/tiny-llama".into(), &false.into()));
    assert_eq!((&subject["timesteps"], &subject["papers_timesteps"]), (&40.into(), &13_860.into()));
    let row = &own[0]["rows"][0];
    assert_eq!(
        (&row["name"], &row["completed"], &row["planned"]),
        (&"FLAG-Trader".into(), &5.into(), &5.into())
    );
    let rules: Vec<&str> =
        row["scores"].as_array().unwrap().iter().map(|s| s["rules"].as_str().unwrap()).collect();
    assert_eq!(rules, ["paper", "investor-bench", "realistic, 10 bp"]);
    let hold = own[0]["rows"].as_array().unwrap().iter().find(|row| row["name"] == "buy-and-hold").unwrap();
    // Its order fills at the next price, and the log returns from there on sum to CR.
    let (cr, prices) = (hold["scores"][0]["median"]["cr"].as_f64().unwrap(), |i: u32| {
        100.0 + 8.0 * (f64::from(i) * 0.7).sin() + 0.05 * f64::from(i)
    });
    // 2020-10-02 and 2021-05-05 are days 204 and 419.
    let expected = 100.0 * (prices(419) / prices(204)).ln();
    assert!((cr - expected).abs() < 1e-9, "{cr} {expected}");

    let page = std::fs::read_to_string(dir.path().join("reports/paper/index.html")).unwrap();
    assert!(page.contains("models/tiny-llama instead of SmolLM2-135M-Instruct, 40 steps instead of 13860"));
    assert!(page.contains("href=\"../paper-msft/index.html\""));
    assert!(dir.path().join("reports/paper-msft/index.html").is_file());

    // Again: nothing is trained.
    let again = paper(dir.path(), &["--timesteps", "40"]);
    let text = String::from_utf8(again.stdout).unwrap();
    assert!(text.contains("paper-msft: nothing left to do: 30 of 30 runs completed"), "{text}");
    assert!(text.contains("No prices of JNJ, UVV, HON, BTC in data: "), "{text}");
}
