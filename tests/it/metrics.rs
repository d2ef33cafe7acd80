//! `metrics`: conventions worked by hand, and bad input.

use serde_json::Value;

use crate::folder::Folder;

fn metrics(csv: &str, periods: &str) -> Value {
    let folder = Folder::empty();
    folder.write("returns.csv", csv);
    folder.run(&["metrics", "returns.csv", "--periods-per-year", periods]).json()
}

fn near(value: &Value, expected: f64) {
    let found = value.as_f64().unwrap_or_else(|| panic!("expected {expected}, found {value}"));
    assert!(
        (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        "expected {expected}, found {found}"
    );
}

#[test]
fn four_returns_by_hand() {
    // r = 0.1, -0.1, 0.2, 0; sum 0.2, mean 0.05.
    let m = metrics("date,return\n2021-01-04,0.1\n2021-01-05,-0.1\n2021-01-06,0.2\n2021-01-07,0\n", "4");
    near(&m["n"], 4.0);
    // 1.1 * 0.9 * 1.2 * 1 = 1.188.
    near(&m["cumulative_return"], 0.188);
    // P / n = 1.
    near(&m["annual_return"], 0.188);
    // Deviations 0.05, -0.15, 0.15, -0.05: squares sum to 0.05; sd = sqrt(0.05 / 3), times sqrt(4).
    let sd = (0.05_f64 / 3.0).sqrt();
    near(&m["annual_volatility"], 2.0 * sd);
    near(&m["sharpe"], 0.05 / sd * 2.0);
    // Downside: 0.01 over all 4 returns, root 0.05.
    near(&m["sortino"], 2.0);
    // From 1.1 to 0.99.
    near(&m["max_drawdown"], 0.1);
    near(&m["calmar"], 1.88);
    // Deviations are symmetric.
    near(&m["skew"], 0.0);
    // m2 = 0.0125, m4 = (2 * 0.05^4 + 2 * 0.15^4) / 4 = 0.00025625; 0.00025625 / 0.00015625 - 3.
    near(&m["kurtosis"], 0.000_256_25 / 0.000_156_25 - 3.0);
    // Sorted -0.1, 0, ...: position 0.15 gives -0.085.
    near(&m["var_95"], 0.085);
    near(&m["cvar_95"], 0.1);
    // 2 gains of 3 returns that are not 0.
    near(&m["win_rate"], 2.0 / 3.0);
    // SR = 0.05 / sd = 0.38730, g3 = 0, g4 = 1.64: 0.38730 * sqrt(3) / sqrt(1 + 0.16 * 0.15) = 0.66291; Phi of it.
    let psr = m["psr"].as_f64().unwrap();
    assert!((psr - 0.746_31).abs() < 1e-4, "{psr}");
    let fields = [
        "n",
        "cumulative_return",
        "annual_return",
        "annual_volatility",
        "sharpe",
        "sortino",
        "calmar",
        "max_drawdown",
        "skew",
        "kurtosis",
        "var_95",
        "cvar_95",
        "win_rate",
        "psr",
    ];
    assert_eq!(m.as_object().unwrap().keys().collect::<std::collections::BTreeSet<_>>().len(), fields.len());
    assert!(fields.iter().all(|f| m.get(f).is_some()));
}

#[test]
fn undefined_is_null() {
    let one = metrics("date,return\r\n2021-01-04,1.2e-05", "252");
    for field in ["annual_volatility", "sharpe", "sortino", "calmar", "skew", "kurtosis", "psr"] {
        assert!(one[field].is_null(), "{field}: {}", one[field]);
    }
    let constant = metrics("date,return\n2021-01-04,0.01\n2021-01-05,0.01\n2021-01-06,0.01\n", "252");
    near(&constant["annual_volatility"], 0.0);
    for field in ["sharpe", "sortino", "calmar", "skew", "kurtosis", "psr"] {
        assert!(constant[field].is_null(), "{field}: {}", constant[field]);
    }
}

#[test]
fn bad_files_are_refused_with_their_line() {
    let rows: [(&[u8], &str); 12] = [
        (b"date,return\n2021-01-04,0.1\n2021-01-04,0.2\n", "3"),
        (b"date,return\n2021-01-05,0.1\n2021-01-04,0.2\n", "3"),
        (b"date,return\n2021-01-04,0.1\n2021-01-05,NaN\n", "3"),
        (b"date,return\n2021-01-04,inf\n", "2"),
        (b"date,return\n2021-01-04,\n", "2"),
        (b"date,return\n2021-01-04,1.2%\n", "2"),
        (b"date,return\n2021-01-04,\"0,012\"\n", "2"),
        (b"date,return\n2021-01-04,0.1\n2021-01-05\n", "3"),
        (b"date,return\n2021-01-04,0.1,7\n", "2"),
        (b"date,return\n2021-01-04,\xff\n", "2"),
        (b"date,value\n2021-01-04,0.1\n", "1"),
        (b"date,return\n04/01/2021,0.1\n", "2"),
    ];
    for (bytes, line) in rows {
        let folder = Folder::empty();
        folder.write("returns.csv", bytes);
        let output = folder.run(&["metrics", "returns.csv", "--periods-per-year", "252"]);
        let message = output.refused();
        assert!(message.contains("returns.csv") && message.contains(line), "{message}");
    }
    for empty in ["", "date,return\n"] {
        let folder = Folder::empty();
        folder.write("returns.csv", empty);
        let output = folder.run(&["metrics", "returns.csv", "--periods-per-year", "252"]);
        assert!(output.refused().contains("returns.csv"), "{}", output.stderr);
    }
    let output = Folder::empty().run(&["metrics", "nowhere.csv", "--periods-per-year", "252"]);
    assert!(output.refused().contains("nowhere.csv"));
}

#[test]
fn periods_per_year_is_required_and_positive() {
    let folder = Folder::empty();
    folder.write("returns.csv", "date,return\n2021-01-04,0.1\n");
    let bad: [&[&str]; 5] = [&[], &["0"], &["-252"], &["nan"], &["inf"]];
    for value in bad {
        let option = if value.is_empty() { vec![] } else { vec![format!("--periods-per-year={}", value[0])] };
        let mut args = vec!["metrics", "returns.csv"];
        args.extend(option.iter().map(String::as_str));
        let output = folder.run(&args);
        assert!(output.refused().contains("--periods-per-year"), "{}", output.stderr);
    }
}
