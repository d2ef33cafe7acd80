//! Decisions scored under rules that they were not taken under.

use std::path::Path;

use serde_json::Value;
use store::ExperimentStore;
use trading_env::SplitName;

use crate::folder::{EXPERIMENT, Folder, prices};

const RULES: &str = "[rules]\nkind = \"paper\"";

fn rescored<'a>(manifest: &'a Value, rules: &str, cost_bps: f64) -> &'a Value {
    let all = manifest["rescored"].as_array().unwrap();
    let wanted = |r: &&Value| r["rules"] == rules && r["cost_bps"] == cost_bps;
    &all.iter().find(wanted).unwrap()["scores"]
}

/// Arms and baselines; and the settings of the run give the scores of the run, number by number.
#[test]
fn every_run_is_rescored_and_its_own_rules_give_its_own_scores() {
    for (kind, more, cost) in
        [("paper", "", 0.0), ("investor-bench", "", 0.0), ("realistic", "fee_bps = 10.0", 10.0)]
    {
        let folder = Folder::with_experiment(
            &EXPERIMENT.replace(RULES, &format!("[rules]\nkind = \"{kind}\"\n{more}")),
        );
        folder.run(&["sweep", "small.toml"]).ok();
        let manifests = folder.manifests("small");
        assert_eq!(manifests.len(), 12);
        for manifest in manifests.values() {
            let found: Vec<_> = (manifest["rescored"].as_array().unwrap().iter())
                .map(|r| (r["rules"].as_str().unwrap(), r["cost_bps"].as_f64().unwrap()))
                .collect();
            let axis = [0.0, 5.0, 10.0, 15.0, 20.0].map(|bps| ("realistic", bps));
            assert_eq!(found, [&[("paper", 0.0), ("investor-bench", 0.0)][..], &axis].concat());
            assert_eq!(
                *rescored(manifest, kind, cost),
                manifest["metrics"]["test"],
                "{kind} {}",
                manifest["arm"]
            );
        }
        // What trades costs; what does not trade costs nothing.
        let of = |arm: &str| manifests.values().find(|m| m["arm"] == arm).unwrap();
        let equity = |arm: &str, cost| rescored(of(arm), "realistic", cost)["final_equity"].as_f64().unwrap();
        assert!(
            equity("random", 0.0) > equity("random", 5.0) && equity("random", 5.0) > equity("random", 20.0)
        );
        assert_eq!(equity("flat", 20.0), 100_000.0);
    }
}

/// The numbers of a run's decisions are those that `evaluate` prints of them.
#[test]
fn rescored_decisions_are_those_of_evaluate() {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    let (name, manifest) = folder.manifests("small").into_iter().find(|(_, m)| m["arm"] == "random").unwrap();
    let store = ExperimentStore::open(&folder.path("runs"), "small");
    let steps = store.read_steps(&store.dir().join(name), Some(SplitName::Test)).unwrap();
    let lines: String = steps.iter().map(|s| format!("{},{}\n", s.date, s.action.word())).collect();
    folder.write("actions.csv", format!("date,action\n{lines}"));
    let evaluate = |rules: &[&str]| {
        let window = ["--from", "2020-05-01", "--to", "2020-06-30"];
        let input = ["evaluate", "--data", "prices.csv", "--actions", "actions.csv", "--rules"];
        folder.run(&[&input[..], rules, &window].concat()).json()
    };
    assert_eq!(*rescored(&manifest, "paper", 0.0), evaluate(&["paper"]));
    assert_eq!(*rescored(&manifest, "investor-bench", 0.0), evaluate(&["investor-bench"]));
    assert_eq!(*rescored(&manifest, "realistic", 15.0), evaluate(&["realistic", "--fee-bps", "15"]));
}

/// Rules of somebody else's crate: their runs stand beside the built-in rules all the same.
#[test]
fn runs_under_rules_of_a_plugin_are_rescored() {
    let folder = Folder::with_experiment(&EXPERIMENT.replace(RULES, "[rules]\nkind = \"half\""));
    folder.run(&["sweep", "small.toml"]).ok();
    let manifests = folder.manifests("small");
    let hold = manifests.values().find(|m| m["arm"] == "buy-and-hold").unwrap();
    assert_eq!(hold["rescored"].as_array().unwrap().len(), 7);
    // It buys with half of the cash every day, which is the word `buy` every day: long throughout, elsewhere.
    let equity = |scores: &Value| scores["final_equity"].as_f64().unwrap();
    let prices = prices(182);
    let close = |date: &str| -> f64 {
        let line = prices.lines().find(|line| line.starts_with(date)).unwrap();
        line.split(',').nth(4).unwrap().parse().unwrap()
    };
    let [first, second, last] = ["2020-05-01", "2020-05-02", "2020-06-30"].map(close);
    assert!((equity(rescored(hold, "investor-bench", 0.0)) - 100_000.0 * last / first).abs() < 1e-6);
    assert!((equity(rescored(hold, "paper", 0.0)) - 100_000.0 * last / second).abs() < 1e-6);
    assert!((equity(&hold["metrics"]["test"]) - 100_000.0 * last / second).abs() > 1.0);
}

/// A line of the published tables, from the published prices to the manifest; with `FLAGLAB_DATA`.
#[test]
fn always_long_is_the_tables_buy_and_hold() {
    let Some(data) = std::env::var_os("FLAGLAB_DATA") else {
        eprintln!("not checked: FLAGLAB_DATA is not set");
        return;
    };
    if !Path::new(&data).join("investor-bench/msft.json").is_file() {
        eprintln!("not checked: msft.json is not there");
        return;
    }
    let experiment = EXPERIMENT
        .replace("kind = \"csv\"\npath = \"prices.csv\"", "kind = \"investor-bench\"\nsymbol = \"MSFT\"")
        .replace("train = [\"2020-01-01\", \"2020-03-31\"]", "train = [\"2020-07-01\", \"2020-08-31\"]")
        .replace("valid = [\"2020-04-01\", \"2020-04-30\"]", "valid = [\"2020-09-01\", \"2020-09-30\"]")
        .replace("test = [\"2020-05-01\", \"2020-06-30\"]", "test = [\"2020-10-01\", \"2021-05-05\"]")
        .replace(RULES, "[rules]\nkind = \"investor-bench\"");
    let mut folder = Folder::with_experiment(&experiment);
    folder.set("FLAGLAB_DATA", data.to_str().unwrap());
    folder.run(&["sweep", "small.toml"]).ok();
    let manifests = folder.manifests("small");
    let hold = manifests.values().find(|m| m["arm"] == "buy-and-hold").unwrap();
    let paper = &rescored(hold, "investor-bench", 0.0)["paper"];
    let shown = ["cr", "sr", "av", "mdd"].map(|key| format!("{:.3}", paper[key].as_f64().unwrap()));
    assert_eq!(shown, ["15.340", "1.039", "24.980", "9.428"]);
}
