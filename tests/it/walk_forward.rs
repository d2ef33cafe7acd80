//! Windows that step through the data, and tasks: how they are planned, stored and pooled.

use serde_json::{Value, json};

use crate::folder::{EXPERIMENT, Folder, closes, prices};

/// The small sweep in four windows: two months of training, one of test.
fn windows() -> String {
    let [head, tail] = split_around("[split]", "[rules]");
    let split = "[split]\nwalk_forward = { train = \"2m\", test = \"1m\" }\n\n";
    format!("{head}{split}{tail}").replace("kind = \"paper\"", "kind = \"investor-bench\"")
}

/// What of the small sweep stands before and after.
fn split_around(from: &str, to: &str) -> [&'static str; 2] {
    let (head, rest) = EXPERIMENT.split_once(from).unwrap();
    [head, &rest[rest.find(to).unwrap()..]]
}

fn summary(folder: &Folder) -> Value {
    folder.run(&["report", "small.toml", "--format", "json"]).json()
}

fn arm<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let arms = summary["arms"].as_array().unwrap();
    arms.iter().find(|arm| arm["name"] == name).unwrap_or_else(|| panic!("no {name} in {summary}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn windows_are_runs_by_themselves_and_one_record_together() {
    let folder = Folder::with_experiment(&windows());
    let plan = folder.run(&["sweep", "small.toml", "--plan"]);
    assert!(plan.ok().contains("learning_rate=0.01,window=4"), "{}", plan.stdout);
    folder.run(&["sweep", "small.toml"]).ok();
    let summary = summary(&folder);
    // Windows of an arm are one trial, as its seeds are.
    assert_eq!(summary["trials"], json!(2));
    assert_eq!(summary["arms"].as_array().unwrap().len(), 6);
    let hold = arm(&summary, "buy-and-hold");
    let windows = hold["windows"].as_array().unwrap();
    let spans: Vec<String> = windows.iter().map(|w| format!("{}", w["test"])).collect();
    assert_eq!(
        spans,
        [
            r#"["2020-03-01","2020-04-01"]"#,
            r#"["2020-04-01","2020-05-01"]"#,
            r#"["2020-05-01","2020-06-01"]"#,
            r#"["2020-06-01","2020-06-30"]"#,
        ]
    );
    assert_eq!(windows[1]["train"], json!(["2020-02-01", "2020-03-31"]));
    // From the first decision to the last mark, nothing is left out and nothing is counted twice.
    let closes = closes(&prices(182));
    let whole = closes[181] / closes[60] - 1.0;
    assert!((number(&hold["cumulative_return"]["mean"]) - whole).abs() < 1e-9, "{hold}");
    let subject = arm(&summary, "base");
    let product: f64 = subject["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| 1.0 + number(&w["cumulative_return"]["mean"]))
        .product();
    // The mean over seeds of a product is the product of means only where seeds agree: seed by seed.
    let manifests = folder.manifests("small");
    let of_seed = |seed: u64| -> f64 {
        let of =
            |m: &&Value| m["seed"] == json!(seed) && m["arm"].as_str().unwrap().starts_with("base,window=");
        let runs: Vec<&Value> = manifests.values().filter(of).collect();
        assert_eq!(runs.len(), 4);
        runs.iter().map(|m| 1.0 + number(&m["metrics"]["test"]["cumulative_return"])).product()
    };
    let wanted = (of_seed(0) + of_seed(1)) / 2.0 - 1.0;
    assert!((number(&subject["cumulative_return"]["mean"]) - wanted).abs() < 1e-9, "{wanted} {product}");
    assert_eq!(subject["seeds"], json!([0, 1]));
    assert_eq!(subject["window"], json!(["2020-03-01", "2020-06-30"]));
    let page = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(page.contains("Window by window") && page.contains("Walk-forward over 4 windows"));
    // Gates know what was joined, and each window by its own name.
    for (gate, code) in [
        ("n(buy-and-hold) >= 121", 0),
        ("n(buy-and-hold) >= 122", 1),
        ("n(buy-and-hold,window=2) <= 30", 0),
        ("n(buy-and-holt) > 1", 2),
    ] {
        let output = folder.run(&["report", "small.toml", "--fail-unless", gate]);
        assert_eq!(output.code, code, "{gate}: {}{}", output.stdout, output.stderr);
    }
}

#[test]
fn a_window_is_the_run_of_its_dates() {
    let folder = Folder::with_experiment(&windows());
    folder.run(&["sweep", "small.toml"]).ok();
    let manifests = folder.manifests("small");
    let [head, tail] = split_around("[split]", "[rules]");
    let split =
        "[split]\ntrain = [\"2020-02-01\", \"2020-03-31\"]\ntest = [\"2020-04-01\", \"2020-05-01\"]\n\n";
    folder.write(
        "small.toml",
        format!("{head}{split}{tail}").replace("kind = \"paper\"", "kind = \"investor-bench\""),
    );
    let plan = folder.run(&["sweep", "small.toml", "--plan", "--format", "json"]).json();
    let runs = plan["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 12);
    for run in runs {
        let stored = &manifests[run["run_id"].as_str().unwrap()];
        assert_eq!(stored["arm"], format!("{},window=2", run["arm"].as_str().unwrap()));
        assert_eq!(run["state"], json!("completed"));
    }
}

#[test]
fn a_window_that_is_missing_keeps_its_arm_from_being_judged() {
    let folder = Folder::with_experiment(&windows());
    let failing = r#"
[[sweep.list]]
name = "sound"
[[sweep.list]]
name = "breaks"
"agent.behaviour" = "panic"
"#;
    let text = windows();
    let (head, _) = text.split_once("[sweep]").unwrap();
    folder.write("small.toml", format!("{head}[sweep]\nmode = \"list\"\n{failing}"));
    assert_eq!(folder.run(&["sweep", "small.toml"]).code, 1);
    let summary = summary(&folder);
    assert_eq!(arm(&summary, "sound")["seeds"], json!([0, 1]));
    assert_eq!(
        (&arm(&summary, "breaks")["seeds"], &arm(&summary, "breaks")["planned_seeds"]),
        (&json!([]), &json!(2))
    );
    assert!(arm(&summary, "breaks")["sharpe"]["mean"].is_null());
}

#[test]
fn tasks_stand_each_by_itself_and_all_together() {
    let text = format!(
        "{EXPERIMENT}\n[[tasks]]\nname = \"one\"\n[[tasks]]\nname = \"other\"\n\"data.path\" = \"others.csv\"\n"
    )
    .replace("kind = \"paper\"", "kind = \"investor-bench\"");
    let folder = Folder::with_experiment(&text);
    // The other asset falls where the first rises, at half of its pace, and has its last month only in part.
    let first = closes(&prices(182));
    let mut other = "date,close\n".to_owned();
    for (line, close) in prices(182).lines().skip(1).zip(&first).take(170) {
        let date = line.split(',').next().unwrap();
        other += &format!("{date},{}\n", 10_000.0 / (50.0 + close / 2.0));
    }
    folder.write("others.csv", &other);
    folder.run(&["sweep", "small.toml"]).ok();
    let summary = summary(&folder);
    let names: Vec<&str> =
        summary["arms"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 18, "{names:?}");
    assert_eq!(names[..2], ["base", "learning_rate=0.01"]);
    assert!(names.contains(&"base,task=one") && names.contains(&"buy-and-hold,task=other"));
    assert_eq!(summary["across_tasks"]["tasks"], json!(["one", "other"]));
    let scores = &summary["across_tasks"]["arms"][0]["scores"];
    let mean = (number(&arm(&summary, "base,task=one")["sharpe"]["mean"])
        + number(&arm(&summary, "base,task=other")["sharpe"]["mean"]))
        / 2.0;
    assert!((number(&scores["Mean of Sharpe"]["value"]) - mean).abs() < 1e-4, "{scores} {mean}");
    // Buy & Hold of both in equal parts, set back every day: day by day the mean of the two returns, and that of one
    // where the other has ended.
    let second = closes(&other);
    let at = |closes: &[f64], t: usize| closes.get(t + 1).map(|next| next / closes[t] - 1.0);
    let mut equity = 1.0;
    for t in 121..181 {
        let returns: Vec<f64> = [at(&first, t), at(&second, t)].into_iter().flatten().collect();
        equity *= 1.0 + returns.iter().sum::<f64>() / returns.len() as f64;
    }
    let hold = arm(&summary, "buy-and-hold");
    assert!((number(&hold["cumulative_return"]["mean"]) - (equity - 1.0)).abs() < 1e-9, "{hold} {equity}");
    assert_eq!(hold["symbol"], json!("all 2 tasks"));
    let page = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(page.contains("Tasks and what each sets") && page.contains("others.csv"));
    let tables = folder.run(&["report", "small.toml", "--format", "markdown"]);
    assert_eq!(tables.ok().matches("| Arm | Sharpe |").count(), 3, "{}", tables.stdout);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let folder = Folder::with_experiment(&windows().replace("train = \"2m\"", "train = \"2y\""));
    let text = folder.run(&["sweep", "small.toml"]).refused();
    assert!(text.contains("split.walk_forward: expected spans that fit the data"), "{text}");
    folder.write(
        "small.toml",
        EXPERIMENT.replace("[split]", "[split]\nwalk_forward = { train = \"2m\", test = \"1 month\" }"),
    );
    let text = folder.run(&["sweep", "small.toml"]).refused();
    assert!(
        text.contains("small.toml:13: split.train: expected \"none\" beside split.walk_forward"),
        "{text}"
    );
    assert!(text.contains("split.walk_forward.test: expected a span such as"), "{text}");
    folder.write("small.toml", windows().replace("test = \"1m\"", "test = \"1m\", stepp = \"1m\""));
    let text = folder.run(&["sweep", "small.toml"]).refused();
    assert!(text.contains("walk_forward.stepp: unknown key; did you mean \"step\"?"), "{text}");
    folder.write("small.toml", EXPERIMENT.replace("train = [\"2020-01-01\", \"2020-03-31\"]\n", ""));
    let text = folder.run(&["sweep", "small.toml"]).refused();
    assert!(
        text.contains("split.train: expected first and last date, or split.walk_forward, found nothing"),
        "{text}"
    );
    assert!(!folder.path("runs").exists());
}

/// What a file, an axis or a task says of the split takes the place of what stands below it.
#[test]
fn windows_and_dates_replace_each_other_layer_by_layer() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let plan = |folder: &Folder| folder.run(&["sweep", "top.toml", "--plan"]).ok().to_owned();
    let walk = "[split]\nwalk_forward = { train = \"2m\", test = \"1m\" }\n";
    folder.write("walk.toml", format!("extends = \"small.toml\"\n{walk}"));
    folder.write("top.toml", "extends = \"walk.toml\"\n");
    assert!(plan(&folder).contains("base,window=4"));
    let dates =
        "split = { train = [\"2020-01-01\", \"2020-02-01\"], test = [\"2020-03-01\", \"2020-04-01\"] }\n";
    folder.write("top.toml", format!("extends = \"walk.toml\"\n{dates}"));
    assert!(!plan(&folder).contains("window"));
    let task = format!(
        "extends = \"small.toml\"\n[[tasks]]\nname = \"dates\"\n[[tasks]]\nname = \"walks\"\n{}",
        "split = { walk_forward = { train = \"2m\", test = \"1m\" } }\n"
    );
    folder.write("top.toml", task);
    let both = plan(&folder);
    assert!(both.contains("base,task=walks,window=4") && both.contains("base,task=dates "), "{both}");
}

/// Which look-back? Asked anew in every window of both tasks, on the validation part before its test part.
#[test]
fn every_window_selects_by_its_own_validation_part() {
    let split = "walk_forward = { train = \"1m\", valid = \"1m\", test = \"1m\" }";
    let [head, _] = split_around("[sweep]", "mode");
    let [start, rest] = [head.split_once("[split]").unwrap().0, &head[head.find("[rules]").unwrap()..]];
    let text = format!(
        "{start}[split]\n{split}\n\n{rest}[sweep]\nmode = \"random\"\nn_samples = 4\nseed = 3\n[sweep.axes]\n\
         \"agent.window\" = {{ int_uniform = [1, 12] }}\n[[tasks]]\nname = \"one\"\n[[tasks]]\nname = \"later\"\n\
         \"split.walk_forward.from\" = \"2020-04-01\"\n\"env.max_episode_steps\" = 15\n"
    );
    // The steps keep equal windows of the two from being the same runs, which have one name.
    let text = text.replace("test-agent", "momentum").replace(", \"momentum\"]", "]");
    let folder = Folder::with_experiment(&text.replace("kind = \"paper\"", "kind = \"investor-bench\""));
    folder.run(&["sweep", "small.toml"]).ok();
    let summary = summary(&folder);
    let manifests = folder.manifests("small");
    // The best validation score of a window, seed by seed the same: this agent draws nothing.
    let best = |task: &str, window: usize| {
        let of = |m: &&Value| {
            m["role"] == "arm"
                && m["arm"].as_str().unwrap().ends_with(&format!(",task={task},window={window}"))
        };
        let score = |m: &&Value| number(&m["metrics"]["valid"]["sharpe"]);
        let found = manifests.values().filter(of).filter(|m| m["seed"] == json!(0));
        found.max_by(|a, b| score(a).total_cmp(&score(b))).unwrap()
    };
    for (task, windows) in [("one", 4), ("later", 3)] {
        let selected = arm(&summary, &format!("selected,task={task}"));
        let chosen: Vec<&Value> = (1..=windows).map(|window| best(task, window)).collect();
        let wanted: f64 =
            chosen.iter().map(|m| 1.0 + number(&m["metrics"]["test"]["cumulative_return"])).product();
        let found = number(&selected["cumulative_return"]["mean"]);
        assert!((found - (wanted - 1.0)).abs() < 1e-9, "{task}: {found} {wanted}");
        assert_eq!(selected["is_selected"], json!(true));
        for (window, chosen) in selected["windows"].as_array().unwrap().iter().zip(&chosen) {
            // Of equals the first of the plan, which may have another name.
            let score = |arm: &Value| {
                number(&manifests.values().find(|m| m["arm"] == *arm).unwrap()["metrics"]["valid"]["sharpe"])
            };
            assert_eq!(score(&window["arm"]), score(&chosen["arm"]));
        }
    }
    let together = &summary["selection"][0];
    assert_eq!((&together["arm"], &together["symbol"]), (&json!("selected"), &json!("all 2 tasks")));
    assert_eq!(together["is_final"], json!(true));
    assert_eq!(together["choices"].as_array().unwrap().len(), 2);
    let gate = folder.run(&["report", "small.toml", "--fail-unless", "n(selected) > 100"]);
    assert_eq!(gate.code, 0, "{}{}", gate.stdout, gate.stderr);
    let page = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(
        page.contains("Of 5 arms one is selected on validation data in each window and task")
            && page.contains("to choose among these would need test data")
    );
}

/// Windows of different splits that have the same dates are the same runs, and stand in both arms.
#[test]
fn arms_may_share_windows() {
    let axes = "[sweep.axes]\n\"split.walk_forward.expanding\" = [false, true]\n";
    let text = windows();
    let (head, _) = text.split_once("[sweep.axes]").unwrap();
    let folder = Folder::with_experiment(&format!("{head}{axes}"));
    folder.run(&["sweep", "small.toml"]).ok();
    let summary = summary(&folder);
    for arm in summary["arms"].as_array().unwrap() {
        assert_eq!(arm["seeds"], json!([0, 1]), "{arm}");
        assert_eq!(arm["windows"].as_array().unwrap().len(), 4);
    }
    // The first windows: the same days before them.
    let rows = folder.run(&["sweep", "small.toml", "--plan", "--format", "json"]).json();
    let id = |name: &str| {
        let runs = rows["runs"].as_array().unwrap();
        let run = runs.iter().find(|run| run["arm"] == name && run["seed"] == json!(0)).unwrap();
        run["run_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(id("base,window=1"), id("expanding=true,window=1"));
    assert_ne!(id("base,window=2"), id("expanding=true,window=2"));
    let page = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(!page.contains("Not finished"));
}

/// Under each rules another arm may be selected, so that a gate has to say which it means.
#[test]
fn every_group_of_windows_has_its_own_selection() {
    let text = windows()
        .replace("test = \"1m\"", "test = \"1m\", valid = \"1m\"")
        .replace("train = \"2m\"", "train = \"1m\"");
    let (head, _) = text.split_once("[sweep]").unwrap();
    let sweep = "[sweep]\nmode = \"grid\"\nselect = \"cumulative_return\"\n[sweep.axes]\n\
                 \"agent.window\" = [2, 5]\nrules = [\"investor-bench\", \"paper\", \"realistic\"]\n";
    let text = format!("{head}{sweep}").replace("test-agent", "momentum").replace(", \"momentum\"]", "]");
    let folder = Folder::with_experiment(&text);
    folder.run(&["sweep", "small.toml"]).ok();
    let summary = summary(&folder);
    let selected = |key: &str| -> Vec<String> {
        let arms = summary["arms"].as_array().unwrap().iter().filter(|arm| arm["name"] == "selected");
        arms.map(|arm| arm[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(selected("rules"), ["investor-bench", "paper", "realistic"]);
    let selections = summary["selection"].as_array().unwrap();
    assert_eq!(selections.len(), 3);
    assert!(
        selections
            .iter()
            .all(|s| s["is_final"] == json!(true) && s["choices"].as_array().unwrap().len() == 4)
    );
    let gate = folder.run(&["report", "small.toml", "--fail-unless", "sharpe(selected) > -1000"]);
    assert_eq!(gate.code, 1, "{}", gate.stdout);
    assert!(
        format!("{}{}", gate.stdout, gate.stderr).contains("each of 3 test windows has its own"),
        "{}",
        gate.stdout
    );
}

#[test]
fn tasks_are_apart_whatever_they_differ_in_and_have_the_periods_of_their_data() {
    let tasks = "[[tasks]]\nname = \"small\"\n\"env.initial_cash\" = 1000.0\n[[tasks]]\nname = \"large\"\n\"env.initial_cash\" = 1000000.0\n";
    let (head, _) = EXPERIMENT.split_once("[sweep]").unwrap();
    let sweep = "[[sweep.list]]\nname = \"a\"\nrules = \"paper\"\n[[sweep.list]]\nname = \"b\"\nrules = \"investor-bench\"\n";
    let folder = Folder::with_experiment(&format!("{head}[sweep]\nmode = \"list\"\n{sweep}{tasks}"));
    folder.run(&["sweep", "small.toml"]).ok();
    let daily = summary(&folder);
    // Two rules, each on both tasks and together; Buy & Hold in every one of them.
    let holds: Vec<&Value> = daily["arms"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|arm| arm["name"].as_str().unwrap().starts_with("buy-and-hold"))
        .collect();
    let names: Vec<&str> = holds.iter().map(|arm| arm["name"].as_str().unwrap()).collect();
    assert_eq!(holds.len(), 6, "{names:?}");
    let tables = folder.run(&["report", "small.toml", "--format", "markdown"]);
    assert_eq!(tables.ok().matches("| Arm | Sharpe |").count(), 6, "{}", tables.stdout);
    assert!(tables.stdout.contains("small: PRICES"), "{}", tables.stdout);
    let across = daily["across_tasks"]["arms"].as_array().unwrap();
    assert!(
        across
            .iter()
            .filter(|row| row["name"] == "a")
            .all(|row| !row["scores"]["Minus Buy & Hold"]["value"].is_null())
    );
    let weekly = Folder::with_experiment(&format!("{head}[sweep]\nmode = \"list\"\n{sweep}{tasks}"));
    weekly.run(&["sweep", "small.toml", "--set", "data.periods_per_year=52"]).ok();
    let output =
        weekly.run(&["report", "small.toml", "--set", "data.periods_per_year=52", "--format", "json"]).json();
    let ratio = number(&arm(&output, "a")["sharpe"]["mean"]) / number(&arm(&daily, "a")["sharpe"]["mean"]);
    assert!((ratio - (52.0_f64 / 365.0).sqrt()).abs() < 1e-9, "{ratio}");
}

#[test]
fn tasks_that_hide_each_other_or_an_axis_are_refused() {
    let tasks = |a: &str, b: &str| {
        format!("{EXPERIMENT}\n[[tasks]]\nname = \"one\"\n{a}\n[[tasks]]\nname = \"two\"\n{b}\n")
    };
    let folder = Folder::with_experiment(&tasks("", ""));
    let text = folder.run(&["sweep", "small.toml"]).refused();
    assert!(text.contains("task \"two\" sets the same as a task before it"), "{text}");
    let axis = "data = { kind = \"csv\", path = \"prices.csv\" }";
    folder.write(
        "small.toml",
        tasks(axis, "").replace("[sweep.axes]", "[sweep.axes]\n\"data.path\" = [\"other.csv\"]"),
    );
    let text = folder.run(&["sweep", "small.toml"]).refused();
    assert!(
        text.contains("\"data.path\" is an axis of the sweep: one would hide the other's values"),
        "{text}"
    );
}
