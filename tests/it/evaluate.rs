//! `evaluate`: conventions worked by hand, policies, and bad input.

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};

/// Four weekdays with opens.
const PRICES: &str = "date,open,high,low,close,volume\n\
                      2021-01-04,99,101,98,100,1\n\
                      2021-01-05,105,112,104,110,1\n\
                      2021-01-06,108,109,98,99,1\n\
                      2021-01-07,100,121,99,120,1\n";

const ACTIONS: &str = "date,action\n2021-01-04,buy\n2021-01-05,hold\n2021-01-06,-1\n";

fn folder() -> Folder {
    let folder = Folder::empty();
    folder.write("prices.csv", PRICES);
    folder.write("actions.csv", ACTIONS);
    folder
}

fn args<'a>(rules: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let window = ["--from", "2021-01-03", "--to", "2021-01-09"];
    let fixed = ["evaluate", "--data", "prices.csv", "--actions", "actions.csv", "--rules", rules];
    [&fixed[..], &window[..], more].concat()
}

fn near(value: &Value, expected: f64) {
    let found = value.as_f64().unwrap_or_else(|| panic!("expected {expected}, found {value}"));
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "expected {expected}, found {found}");
}

/// Positions +1, 0, -1 on closes 100, 110, 99, 120.
#[test]
fn investor_bench_by_hand() {
    let m = folder().run(&args("investor-bench", &[])).json();
    let x = [1.1_f64.ln(), 0.0, -(120.0_f64 / 99.0).ln()];
    let sum: f64 = x.iter().sum();
    let sd = (x.iter().map(|x| (x - sum / 3.0).powi(2)).sum::<f64>() / 2.0).sqrt();
    near(&m["n"], 3.0);
    near(&m["cumulative_return"], sum.exp() - 1.0);
    near(&m["final_equity"], 100_000.0 * sum.exp());
    near(&m["paper"]["cr"], 100.0 * sum);
    near(&m["paper"]["av"], 100.0 * sd * 252.0_f64.sqrt());
    // 4 prices, and 252 for the return.
    near(&m["paper"]["sr"], sum / (4.0 / 252.0) / (sd * 252.0_f64.sqrt()));
    // From 1 + ln 1.1 down by ln(120/99), as if simple.
    near(&m["paper"]["mdd"], 100.0 * (120.0_f64 / 99.0).ln());
    near(&m["trades"], 3.0);
}

/// Buy fills at 110, sell at 120: the first step earns nothing.
#[test]
fn paper_by_hand() {
    let m = folder().run(&args("paper", &[])).json();
    // 100000 / 110 shares: 100000, 90000, 120000 * 10 / 11.
    near(&m["final_equity"], 100_000.0 * 120.0 / 110.0);
    near(&m["cumulative_return"], 120.0 / 110.0 - 1.0);
    near(&m["max_drawdown"], 0.1);
    near(&m["win_rate"], 0.5);
    near(&m["trades"], 2.0);
    near(&m["paper"]["cr"], 100.0 * (120.0_f64 / 110.0).ln());
}

/// Whole shares at the next open, 10 bp fee and 10 bp slippage.
#[test]
fn realistic_by_hand() {
    let m = folder()
        .run(&args("realistic", &["--fee-bps", "10", "--slippage-bps", "10", "--whole-shares"]))
        .json();
    // Unit cost 105 * 1.001 * 1.001 = 105.210105: 950 shares, 100000 - 99949.59975 = 50.40025 left.
    // Sold at 100 * 0.999 * 0.999 = 99.8001: 94810.095 + 50.40025.
    near(&m["final_equity"], 94_860.495_25);
    near(&m["trades"], 2.0);
    let free = folder().run(&args("realistic", &["--initial-cash", "1050"])).json();
    // 10 shares at the open 105, sold at the open 100.
    near(&free["final_equity"], 1_000.0);
}

#[test]
fn periods_per_year_can_be_given() {
    let folder = folder();
    let (a, b) = (
        folder.run(&args("paper", &[])).json(),
        folder.run(&args("paper", &["--periods-per-year", "1008"])).json(),
    );
    near(&b["annual_volatility"], 2.0 * a["annual_volatility"].as_f64().unwrap());
    near(&b["paper"]["sr"], a["paper"]["sr"].as_f64().unwrap() / 2.0);
}

#[test]
fn investor_bench_files_are_read_as_they_are() {
    let folder = folder();
    folder.write(
        "prices.json",
        r#"{"2021-01-04": {"prices": 100}, "2021-01-05": {"prices": 110}, "2021-01-06": {"prices": 99}, "2021-01-07": {"prices": 120}}"#,
    );
    let mut json = args("investor-bench", &[]);
    json[2] = "prices.json";
    assert_eq!(folder.run(&json).json(), folder.run(&args("investor-bench", &[])).json());
    folder.write("prices.json", r#"{"2021-01-04": {"prices": 100}, "2021-01-05": {"prices": -110}}"#);
    let output = folder.run(&json);
    assert!(output.refused().contains("2021-01-05"), "{}", output.stderr);
    folder.write("prices.json", "{\"2021-01-04\": {\"prices\": 100},\n\"2021-01-05\": {\"prices\": }}");
    let output = folder.run(&json);
    assert!(output.refused().contains("line 2") || output.stderr.contains(":2"), "{}", output.stderr);
}

#[test]
fn decisions_must_match_the_dates_with_a_price() {
    let folder = folder();
    folder.write("actions.csv", "date,action\n2021-01-04,buy\n");
    let output = folder.run(&args("paper", &[]));
    let message = output.refused();
    assert!(message.contains('2') && message.contains("2021-01-05"), "{message}");
    folder.write("actions.csv", format!("{ACTIONS}2021-01-08,buy\n"));
    assert!(folder.run(&args("paper", &[])).refused().contains("2021-01-08"));
    // Outside the window they are ignored, and the last date needs none.
    folder.write(
        "actions.csv",
        format!("{}2021-02-01,buy\n", ACTIONS.replace("date,action\n", "date,action\n2020-01-01,sell\n")),
    );
    folder.run(&args("paper", &[])).ok();
}

#[test]
fn bad_rows_are_refused_with_their_line() {
    for (row, line) in
        [("2021-01-05,short", "3"), ("2021-01-04,hold", "3"), ("2021-01-03,hold", "3"), ("2021-01-05", "3")]
    {
        let folder = folder();
        folder.write("actions.csv", format!("date,action\n2021-01-04,buy\n{row}\n"));
        let output = folder.run(&args("paper", &[]));
        let message = output.refused();
        assert!(message.contains("actions.csv") && message.contains(line), "{message}");
    }
    let prices = [
        ("105,112,104,110,1", "105,112,104,0,1", "3"),
        ("105,112,104,110,1", "105,112,104,1e999,1", "3"),
        ("105,112,104,110,1", "105,112,104,\"1,10\",1", "3"),
        ("105,112,104,110,1", "105,112,104,110", "3"),
        ("2021-01-07", "2021-01-06", "5"),
    ];
    for (from, to, line) in prices {
        let folder = folder();
        folder.write("prices.csv", PRICES.replace(from, to));
        let output = folder.run(&args("paper", &[]));
        let message = output.refused();
        assert!(message.contains("prices.csv") && message.contains(line), "{message}");
    }
}

#[test]
fn bad_options_are_refused_by_name() {
    let bad: [(&[&str], &str); 8] = [
        (&["--fee-bps", "-1"], "--fee-bps"),
        (&["--fee-bps", "nan"], "--fee-bps"),
        (&["--slippage-bps", "1e9"], "slippage-bps"),
        (&["--initial-cash", "0"], "--initial-cash"),
        (&["--initial-cash", "inf"], "--initial-cash"),
        (&["--periods-per-year", "0"], "--periods-per-year"),
        (&["--decisions", "out.csv"], "--policy"),
        (&["--policy", "somewhere"], "--policy"),
    ];
    for (options, name) in bad {
        let folder = folder();
        let output = folder.run(&args("realistic", options));
        assert!(output.refused().contains(name), "{options:?}: {}", output.stderr);
        assert_eq!(folder.names(), ["actions.csv", "prices.csv"]);
    }
    let output = folder().run(&args("investor-bnech", &[]));
    assert!(output.refused().contains("did you mean \"investor-bench\"?"), "{}", output.stderr);
    let output = folder().run(&args("paper", &["--fee-bps", "1"]));
    assert!(output.refused().contains("--fee-bps"), "{}", output.stderr);
    let mut wrong_date = args("paper", &[]);
    wrong_date[8] = "2021-13-01";
    let output = folder().run(&wrong_date);
    assert!(output.refused().contains("--from"), "{}", output.stderr);
    let mut empty = args("paper", &[]);
    empty[8] = "2021-01-07";
    let output = folder().run(&empty);
    assert!(output.refused().contains("2021-01-07"), "{}", output.stderr);
}

/// A stored policy decides on data; its decisions, scored as a list, give the same numbers.
#[test]
fn a_stored_policy_is_scored_like_its_decisions() {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    let (id, manifest) = folder.manifests("small").into_iter().find(|(_, m)| m["role"] == "arm").unwrap();
    let run = format!("runs/small/{id}");
    let window = ["--data", "prices.csv", "--from", "2020-05-01", "--to", "2020-06-30", "--rules", "paper"];
    let policy = [&["evaluate", "--policy", &run, "--decisions", "out.csv"][..], &window].concat();
    let policy = folder.run(&policy).json();
    // The same window under the same rules as the run's own test.
    assert_eq!(policy, manifest["metrics"]["test"]);
    let actions = [&["evaluate", "--actions", "out.csv"][..], &window].concat();
    assert_eq!(folder.run(&actions).json(), policy);
    let nowhere = [&["evaluate", "--policy", "runs/small/nowhere"][..], &window].concat();
    assert!(folder.run(&nowhere).refused().contains("nowhere"));
}
