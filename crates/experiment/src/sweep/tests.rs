use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{errors_of, load_text};
use crate::{Arm, Experiment, Mode};

fn names(arms: &[Arm]) -> Vec<&str> {
    arms.iter().map(|a| a.name.as_str()).collect()
}

fn arms_of(text: &str) -> Experiment {
    load_text(text).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn one_at_a_time_varies_each_axis_from_the_base_and_runs_no_value_twice() {
    let text = "[sweep.axes]\n\"agent.n_trainable_layers\" = [0, 2, 4]\n\"agent.lora.rank\" = [0, 8]\nreward = [\"log-return\", \"cvar\"]\n";
    let experiment = arms_of(text);
    assert_eq!(experiment.mode, Some(Mode::OneAtATime));
    // The base has 2 layers, rank 0 and log-return.
    assert_eq!(
        names(&experiment.arms),
        ["base", "n_trainable_layers=0", "n_trainable_layers=4", "rank=8", "reward=cvar"]
    );
    let axes = |i: usize| experiment.arms[i].axes.iter().map(|(_, v)| v.clone()).collect::<Vec<_>>();
    assert_eq!(axes(0), [json!(2), json!(0), json!("log-return")]);
    assert_eq!(axes(3), [json!(2), json!(8), json!("log-return")]);
    assert_eq!(axes(4), [json!(2), json!(0), json!("cvar")]);
    let changes = &experiment.arms[1].changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].key.as_str(), &changes[0].base, &changes[0].arm),
        ("agent.n_trainable_layers", &Some(json!(2)), &Some(json!(0)))
    );
    assert!(experiment.arms[0].changes.is_empty());
}

#[test]
fn a_grid_is_the_product_with_the_last_axis_fastest() {
    let text = "[sweep]\nmode = \"grid\"\n[sweep.axes]\n\"env.max_episode_steps\" = [5, 6]\nreward = [\"log-return\", \"cvar\"]\n";
    assert_eq!(
        names(&arms_of(text).arms),
        [
            "max_episode_steps=5,reward=log-return",
            "max_episode_steps=5,reward=cvar",
            "max_episode_steps=6,reward=log-return",
            "max_episode_steps=6,reward=cvar"
        ]
    );
}

#[test]
fn axes_keep_the_order_of_the_file_and_may_be_written_as_nested_keys() {
    let text = "[sweep.axes]\nreward = [\"cvar\"]\nagent.n_trainable_layers = [1]\nagent.ent_coef = [0, 1]\n";
    let experiment = arms_of(text);
    let keys: Vec<_> = experiment.axes.iter().map(|a| a.key.as_str()).collect();
    assert_eq!(keys, ["reward", "agent.n_trainable_layers", "agent.ent_coef"]);
    // The file says 0 and 1, the parameter is a number.
    assert_eq!(experiment.axes[2].values, [json!(0.0), json!(1.0)]);
    assert_eq!(experiment.arms[3].axis("agent.ent_coef"), Some(&json!(0.0)));
}

#[test]
fn zip_takes_values_together_and_needs_equal_lengths() {
    let zip = |values: &str| {
        format!(
            "[sweep]\nmode = \"zip\"\n[sweep.axes]\n\"agent.num_steps\" = [32, 64]\n\"agent.minibatch_size\" = {values}\n"
        )
    };
    let experiment = arms_of(&zip("[16, 64]"));
    assert_eq!(names(&experiment.arms), ["num_steps=32,minibatch_size=16", "num_steps=64,minibatch_size=64"]);
    assert_eq!(
        errors_of(&zip("[16]")),
        "x.toml:6: sweep.axes.\"agent.minibatch_size\": expected 2 values, as many as \"agent.num_steps\" has: \
         mode `zip` takes them together, found 1 values"
    );
}

#[test]
fn list_arms_are_tables_of_overrides() {
    let text = "[sweep]\nmode = \"list\"\n[[sweep.list]]\n[[sweep.list]]\nname = \"small heads\"\n\"agent.lora.rank\" = 4\nreward = { kind = \"cvar\", alpha = 0.1 }\n[[sweep.list]]\nagent = \"momentum\"\n";
    let experiment = arms_of(text);
    assert_eq!(names(&experiment.arms), ["base", "small-heads", "agent=momentum"]);
    assert_eq!(experiment.arms[1].spec["reward"], json!({ "kind": "cvar", "alpha": 0.1 }));
    assert_eq!(experiment.arms[1].spec["agent"]["lora"]["rank"], 4);
    assert_eq!(experiment.arms[2].spec["agent"], json!({ "kind": "momentum", "window": 20 }));
    assert_eq!(
        errors_of("[sweep]\nmode = \"list\"\n[[sweep.list]]\n\"agent.lora.rank\" = 99\n"),
        "x.toml:5: sweep.list[0].\"agent.lora.rank\": expected a whole number >= 0 and <= 64, found 99"
    );
}

#[test]
fn lists_and_axes_do_not_mix() {
    assert_eq!(
        errors_of("[[sweep.list]]\nreward = \"cvar\"\n"),
        "x.toml:2: sweep.list: needs sweep.mode = \"list\", found \"one-at-a-time\""
    );
    assert_eq!(
        errors_of("[sweep]\nmode = \"list\"\n"),
        "x.toml:2: sweep.list: expected at least one table, found nothing"
    );
    let text = errors_of("[sweep]\nmode = \"gird\"\n[sweep.axes]\nreward = [\"cvra\"]\n");
    assert_eq!(
        text,
        "x.toml:3: sweep.mode: expected one of one-at-a-time, grid, zip, list, random (did you mean \"grid\"?), found \"gird\""
    );
}

#[test]
fn a_table_as_axis_value_is_merged_into_its_section() {
    let text = "reward = { kind = \"cvar\", alpha = 0.2 }\n[sweep.axes]\nreward = [{ alpha = 0.1 }, { kind = \"cvar\", alpha = 0.3 }, \"log-return\"]\nagent = [{ lora = { rank = 8 } }]\n";
    let experiment = arms_of(text);
    assert_eq!(
        names(&experiment.arms),
        ["base", "reward=alpha=0.1", "reward=cvar", "reward=log-return", "agent=lora=rank=8"]
    );
    assert_eq!(experiment.arms[1].spec["reward"], json!({ "kind": "cvar", "alpha": 0.1 }));
    assert_eq!(experiment.arms[3].spec["reward"], json!({ "kind": "log-return" }));
    assert_eq!(experiment.arms[4].spec["agent"]["lora"], json!({ "rank": 8, "alpha": 16.0 }));
}

#[test]
fn a_point_equal_to_the_base_lends_it_its_axis_value() {
    let text = "reward = { kind = \"cvar\", alpha = 0.2 }\n[sweep.axes]\nreward = [{ kind = \"cvar\", alpha = 0.2 }, { kind = \"cvar\", alpha = 0.3 }]\n";
    let experiment = arms_of(text);
    assert_eq!(names(&experiment.arms), ["base", "reward=cvar+alpha=0.3"]);
    assert_eq!(experiment.arms[0].axis("reward"), Some(&experiment.axes[0].values[0]));
}

#[test]
fn include_and_exclude_match_values_lists_and_kinds() {
    let grid = "[sweep]\nmode = \"grid\"\n[sweep.axes]\nreward = [\"log-return\", \"cvar\"]\n\"agent.lora.rank\" = [0, 4, 8]\n";
    let with = |rules: &str| names(&arms_of(&format!("{grid}{rules}")).arms).join(" ");
    assert_eq!(
        with("[[sweep.exclude]]\nreward = \"cvar\"\n\"agent.lora.rank\" = [4, 8]\n"),
        "reward=log-return,rank=0 reward=log-return,rank=4 reward=log-return,rank=8 reward=cvar,rank=0"
    );
    assert_eq!(
        with(
            "[[sweep.include]]\nreward = \"cvar\"\n[[sweep.include]]\n\"agent.lora.rank\" = 8\n[[sweep.exclude]]\nagent = { lora = { rank = 0 } }\n"
        ),
        "reward=log-return,rank=8 reward=cvar,rank=4 reward=cvar,rank=8"
    );
    assert_eq!(
        errors_of(&format!("{grid}[[sweep.exclude]]\n\"agent.lora.rnk\" = 4\n")),
        "x.toml:8: sweep.exclude[0].\"agent.lora.rnk\": unknown key; did you mean \"agent.lora.rank\"?"
    );
    assert_eq!(
        errors_of(&format!("{grid}[[sweep.include]]\n\"agent.lora.rank\" = 5\n")),
        "x.toml:2: sweep: the include and exclude rules leave no arm"
    );
}

#[test]
fn what_the_rules_drop_is_not_checked() {
    let text = "[sweep]\nmode = \"grid\"\n[sweep.axes]\nagent = [\"ppo-llm\", \"momentum\"]\n\"agent.lora.rank\" = [0, 4]\n";
    assert_eq!(
        errors_of(text),
        "x.toml:6: sweep.axes.\"agent.lora.rank\": in arm agent=momentum,rank=0, agent.lora: unknown key; known: window\n\
         x.toml:6: sweep.axes.\"agent.lora.rank\": in arm agent=momentum,rank=4, agent.lora: unknown key; known: window"
    );
    let rules = "[[sweep.exclude]]\nagent = \"momentum\"\n\"agent.lora.rank\" = 4\n[[sweep.exclude]]\nagent = \"momentum\"\n";
    assert_eq!(
        names(&arms_of(&format!("{text}{rules}")).arms),
        ["agent=ppo-llm,rank=0", "agent=ppo-llm,rank=4"]
    );
}

#[test]
fn a_bad_axis_is_named_with_its_value() {
    for (axes, expected) in [
        (
            "\"agent.ent_coef\" = [0.1, \"low\", -1]",
            "x.toml:3: sweep.axes.\"agent.ent_coef\": expected a number >= 0, found \"low\"\n\
             x.toml:3: sweep.axes.\"agent.ent_coef\": expected a number >= 0, found -1",
        ),
        (
            "\"agent.ent_coeff\" = [0.1, 0.2]",
            "x.toml:3: sweep.axes.\"agent.ent_coeff\": unknown key; did you mean \"ent_coef\"?",
        ),
        ("rewrad = [\"cvar\"]", "x.toml:3: sweep.axes.rewrad: unknown key; did you mean \"reward\"?"),
        ("launcher = [\"slurm\"]", "x.toml:3: sweep.axes.launcher: cannot be swept: it is not part of a run"),
        (
            "\"agent.lora.rank\" = []",
            "x.toml:3: sweep.axes.\"agent.lora.rank\": expected a list that is not empty, found []",
        ),
        (
            "\"agent.lora.rank\" = 4",
            "x.toml:3: sweep.axes.\"agent.lora.rank\": expected a list that is not empty or a table, found 4",
        ),
        (
            "reward = [{ kind = \"cvar\", alpha = 2 }]",
            "x.toml:3: sweep.axes.reward: in arm reward=cvar, reward.alpha: expected a number > 0 and < 1, found 2",
        ),
        (
            "reward = [\"cvra\"]",
            "x.toml:3: sweep.axes.reward: expected one of log-return, sharpe-delta, cvar (did you mean \"cvar\"?), found \"cvra\"",
        ),
        (
            "\"agent.num_steps\" = [64, 65]",
            "x.toml:3: sweep.axes.\"agent.num_steps\": in arm num_steps=65, agent.minibatch_size: expected a divisor of num_steps (65), found 32",
        ),
    ] {
        assert_eq!(errors_of(&format!("[sweep.axes]\n{axes}\n")), expected);
    }
}

#[test]
fn a_mistake_of_the_base_is_reported_once_whatever_the_sweep() {
    let text = "[agent]\nlearning_rate = 0\n[sweep.axes]\n\"agent.ent_coef\" = [0.1, 0.2, \"low\"]\n";
    assert_eq!(
        errors_of(text),
        "x.toml:3: agent.learning_rate: expected a number > 0, found 0\n\
         x.toml:5: sweep.axes.\"agent.ent_coef\": expected a number >= 0, found \"low\""
    );
}

#[test]
fn a_grid_may_set_what_the_base_lacks() {
    let folder = crate::fixture::over_base("");
    let base = crate::fixture::BASE.replace("symbol = \"A\"\n", "");
    std::fs::write(folder.path("base.toml"), base).unwrap();
    let axes = |mode: &str| {
        format!(
            "extends = \"base.toml\"\n[sweep]\nmode = \"{mode}\"\n[sweep.axes]\n\"data.symbol\" = [\"MSFT\", \"BTC\"]\n"
        )
    };
    std::fs::write(folder.path("x.toml"), axes("grid")).unwrap();
    let experiment = folder.load("x.toml", &[], &[]).unwrap();
    assert_eq!(names(&experiment.arms), ["symbol=MSFT", "symbol=BTC"]);
    std::fs::write(folder.path("x.toml"), axes("one-at-a-time")).unwrap();
    assert_eq!(
        folder.errors("x.toml", &[], &[]),
        "base.toml:4: data.symbol: expected a string, found nothing"
    );
}

#[test]
fn baselines_run_once_per_context_with_the_base_reward() {
    let text = "baselines = [\"flat\", { kind = \"momentum\", window = 5 }]\n[sweep]\nmode = \"grid\"\n[sweep.axes]\n\"data.symbol\" = [\"MSFT\", \"BTC\"]\nreward = [\"cvar\", \"sharpe-delta\"]\n\"agent.lora.rank\" = [0, 4]\n";
    let experiment = arms_of(text);
    assert_eq!(experiment.arms.len(), 8);
    assert_eq!(
        names(&experiment.baselines),
        ["flat,symbol=MSFT", "momentum,symbol=MSFT", "flat,symbol=BTC", "momentum,symbol=BTC"]
    );
    let second = &experiment.baselines[1];
    assert_eq!(second.spec["agent"], json!({ "kind": "momentum", "window": 5 }));
    assert_eq!(second.spec["data"]["symbol"], "MSFT");
    assert_eq!(second.spec["reward"], json!({ "kind": "log-return" }));
    assert_eq!(second.axis("data.symbol"), Some(&json!("MSFT")));
    assert_eq!(second.axis("agent.lora.rank"), None);
    let plain = arms_of("baselines = [\"flat\", \"momentum\", { kind = \"momentum\", window = 5 }]\n");
    assert_eq!(names(&plain.baselines), ["flat", "momentum", "momentum+window=5"]);
}

/// What an agent of another kind has in common with the experiment's own it takes from there, unless the entry says it.
#[test]
fn a_baseline_shares_the_settings_that_it_has_in_common_with_the_agent() {
    let text = "baselines = [\"reader\", { kind = \"reader\", lora = { rank = 2 } }, \"momentum\"]\nagent.lora.rank = 8\nagent.lora.alpha = 3.0\n";
    let baselines = arms_of(text).baselines;
    let lora = |i: usize| {
        [&baselines[i].spec["agent"]["lora"]["rank"], &baselines[i].spec["agent"]["lora"]["alpha"]]
    };
    assert_eq!(lora(0), [&json!(8), &json!(3.0)]);
    assert_eq!(lora(1), [&json!(2), &json!(3.0)]);
    assert_eq!(baselines[0].spec["agent"]["batch"], 0);
    assert_eq!(baselines[2].spec["agent"], json!({ "kind": "momentum", "window": 20 }));
    // One of the agent's own kind is a variant that says all it wants: the others are defaults.
    let text = "baselines = [\"momentum\"]\nagent = { kind = \"momentum\", window = 9 }\n";
    assert_eq!(arms_of(text).baselines[0].spec["agent"]["window"], 20);
}

#[test]
fn a_control_is_the_first_arm_of_each_context_with_one_thing_changed() {
    let text = "controls = [\"untrained\", \"momentum\", \"no-lookback\"]\nsplit.warmup = 7\n[sweep.axes]\n\"agent.lora.rank\" = [0, 4]\n";
    let experiment = arms_of(text);
    assert_eq!(names(&experiment.controls), ["untrained", "momentum", "no-lookback"]);
    let changed =
        |i: usize| -> Vec<&str> { experiment.controls[i].changes.iter().map(|c| c.key.as_str()).collect() };
    assert_eq!(changed(0), ["agent.n_trainable_layers"]);
    assert_eq!(changed(2), ["split.warmup"]);
    assert_eq!(experiment.controls[1].spec["agent"], json!({"kind": "momentum", "window": 20}));
    assert!(experiment.controls.iter().all(|c| c.role == crate::Role::Control));
    assert_eq!(experiment.all().count(), 5);

    // One per data set; a control that changes nothing is the arm itself.
    let text =
        "controls = [\"untrained\", \"no-lookback\"]\n[sweep.axes]\n\"data.symbol\" = [\"MSFT\", \"BTC\"]\n";
    let experiment = arms_of(&text.replace("[sweep.axes]", "[sweep]\nmode = \"grid\"\n[sweep.axes]"));
    assert_eq!(names(&experiment.controls), ["untrained,symbol=MSFT", "untrained,symbol=BTC"]);
    assert_eq!(experiment.controls[1].spec["data"]["symbol"], "BTC");
}

#[test]
fn a_control_that_is_unknown_or_does_not_fit_is_an_error() {
    let unknown = errors_of("controls = [\"untrainde\"]\n");
    assert!(unknown.contains("controls[0]") && unknown.contains("did you mean \"untrained\"?"), "{unknown}");
    let unfit = errors_of("controls = [\"untrained\"]\nagent = \"flat\"\n");
    assert!(
        unfit.contains("\"untrained\" does not fit arm \"base\"") && unfit.contains("n_trainable_layers"),
        "{unfit}"
    );
}

#[test]
fn baselines_of_a_list_are_named_by_its_arms() {
    let text = "baselines = [\"flat\"]\n[sweep]\nmode = \"list\"\n[[sweep.list]]\nname = \"A\"\n[[sweep.list]]\nname = \"B\"\n\"data.symbol\" = \"B\"\nsplit = { warmup = 3 }\n";
    assert_eq!(names(&arms_of(text).baselines), ["flat,A", "flat,B"]);
}

#[test]
fn a_baseline_that_is_an_arm_stands_among_the_arms_only() {
    let text = "baselines = [\"flat\", \"momentum\"]\n[sweep.axes]\nagent = [\"momentum\"]\n";
    let experiment = arms_of(text);
    assert_eq!(names(&experiment.arms), ["base", "agent=momentum"]);
    assert_eq!(names(&experiment.baselines), ["flat"]);
}

#[test]
fn a_product_beyond_reason_is_refused() {
    let axis = |key: &str| format!("\"{key}\" = {:?}\n", (1..=60).collect::<Vec<_>>());
    let keys = ["agent.ent_coef", "agent.n_trainable_layers", "env.max_episode_steps"];
    let axes: String = keys.iter().map(|k| axis(k)).collect();
    let text = format!("[sweep]\nmode = \"grid\"\n[sweep.axes]\n{axes}");
    assert_eq!(errors_of(&text), "x.toml:2: sweep: expected at most 20000 arms, found 216000");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Distinct values on every axis: a grid has as many arms as the product of the axes' lengths, one-at-a-time
    /// one more than their sum less the values that the base has already.
    #[test]
    fn plan_sizes(layers in 1usize..5, ranks in 1usize..5, steps in 1usize..4, rewards in 1usize..3) {
        let list = |n: usize, first: usize| format!("{:?}", (first..first + n).collect::<Vec<_>>());
        let axes = format!(
            "\"agent.n_trainable_layers\" = {}\n\"agent.lora.rank\" = {}\n\"env.max_episode_steps\" = {}\nreward = {:?}\n",
            list(layers, 0), list(ranks, 0), list(steps, 10), &["log-return", "cvar"][..rewards],
        );
        let grid = arms_of(&format!("[sweep]\nmode = \"grid\"\n[sweep.axes]\n{axes}"));
        prop_assert_eq!(grid.arms.len(), layers * ranks * steps * rewards);
        let single = arms_of(&format!("[sweep.axes]\n{axes}"));
        // The base has 2 layers, rank 0, 65 steps and log-return.
        let of_base = usize::from(layers > 2) + 1 + 1;
        prop_assert_eq!(single.arms.len(), 1 + layers + ranks + steps + rewards - of_base);
        for arms in [&grid.arms, &single.arms] {
            let specs: std::collections::HashSet<String> =
                arms.iter().map(|a| crate::canonical_json(&Value::Object(a.spec.clone()))).collect();
            let names: std::collections::HashSet<&str> = arms.iter().map(|a| a.name.as_str()).collect();
            prop_assert_eq!(specs.len(), arms.len());
            prop_assert_eq!(names.len(), arms.len());
        }
    }
}

const TASKS: &str = "[[tasks]]\nname = \"A\"\n\"data.symbol\" = \"AA\"\n[[tasks]]\nname = \"B\"\n\"data.symbol\" = \"BB\"\nsplit = { train = [\"2020-01-01\", \"2020-02-01\"], test = [\"2020-03-01\", \"2020-04-01\"] }\n";

#[test]
fn every_arm_baseline_and_control_is_carried_out_on_every_task() {
    let text = format!(
        "baselines = [\"momentum\"]\ncontrols = [\"untrained\"]\n{TASKS}[sweep.axes]\n\"agent.lora.rank\" = [4]\n"
    );
    let experiment = arms_of(&text);
    assert_eq!(experiment.tasks, ["A", "B"]);
    assert_eq!(names(&experiment.arms), ["base,task=A", "rank=4,task=A", "base,task=B", "rank=4,task=B"]);
    assert_eq!(names(&experiment.baselines), ["momentum,task=A", "momentum,task=B"]);
    assert_eq!(names(&experiment.controls), ["untrained,task=A", "untrained,task=B"]);
    let of = |arm: &Arm| (arm.variant.clone(), arm.task.clone().unwrap());
    let all: Vec<_> = experiment.all().map(of).collect();
    assert_eq!(all[1], ("rank=4".to_owned(), "A".to_owned()));
    assert_eq!(all[5], ("momentum".to_owned(), "B".to_owned()));
    assert_eq!(experiment.arms[0].spec["data"]["symbol"], json!("AA"));
    assert_eq!(experiment.arms[3].spec["data"]["symbol"], json!("BB"));
    assert_eq!(experiment.arms[3].spec["split"]["test"], json!(["2020-03-01", "2020-04-01"]));
    assert_ne!(experiment.arms[0].spec["split"], experiment.arms[2].spec["split"]);
}

#[test]
fn tasks_name_data_and_leave_the_axes_alone() {
    let text = "[[tasks]]\n\"agent.lora.rank\" = 4\n[[tasks]]\nname = \"a\"\n\"env.max_episode_steps\" = 7\n[[tasks]]\nname = \"A\"\n\
                [sweep.axes]\n\"env.max_episode_steps\" = [5, 6]\n";
    let errors = errors_of(text);
    for expected in [
        "tasks[0].\"agent.lora.rank\": expected a key of one of data, split, rules, env, found \"agent.lora.rank\"",
        "tasks[0].name: expected a name such as \"MSFT\", found nothing",
        "tasks[1].\"env.max_episode_steps\": \"env.max_episode_steps\" is an axis of the sweep: one would hide the other's values",
        "tasks[2].name: expected each name once, found \"A\"",
    ] {
        assert!(errors.contains(expected), "{expected}\n{errors}");
    }
}

#[test]
fn windows_of_an_arm_are_arms_with_the_identity_of_their_dates() {
    let split = |day: &str| json!({"train": ["2020-01-01", "2020-02-01"], "test": ["2020-03-01", day]});
    let experiment = arms_of("[sweep.axes]\n\"agent.lora.rank\" = [4]\n");
    let folded = experiment.arms[0].clone();
    let text = "[split]\ntrain = [\"2020-01-01\", \"2020-02-01\"]\ntest = [\"2020-03-01\", \"2020-04-02\"]\n";
    let dated = arms_of(text).arms[0].run_id(3, 1, &[]);
    let sections = crate::fixture::sections();
    let windows = |arm: &Arm| -> Result<_, String> {
        Ok((arm.variant == "base").then(|| {
            let full = |day| {
                let mut value = arm.spec["split"].clone();
                value.as_object_mut().unwrap().extend(split(day).as_object().unwrap().clone());
                value
            };
            vec![full("2020-04-01"), full("2020-04-02")]
        }))
    };
    let unfolded = experiment.unfold("split", &sections, windows).unwrap();
    assert_eq!(names(&unfolded.arms), ["base,window=1", "base,window=2", "rank=4"]);
    let arms = &unfolded.arms;
    assert_eq!(arms[1].run_id(3, 1, &[]), dated);
    assert_ne!(arms[0].run_id(3, 1, &[]), dated);
    // Two windows are one trial: that of the arm before it was unfolded.
    assert_eq!(arms[0].trial_key(1, &[]), arms[1].trial_key(1, &[]));
    assert_eq!(arms[0].trial_key(1, &[]), folded.trial_key(1, &[]));
    assert_eq!(arms[0].window.as_ref().unwrap().folded, folded.spec["split"]);
    assert_eq!((arms[1].variant.as_str(), arms[1].window.as_ref().unwrap().number), ("base", 2));
}

#[test]
fn what_is_wrong_with_an_arm_is_not_told_again_of_its_control() {
    let errors = errors_of("controls = [\"no-lookback\"]\nreward = \"log-retrun\"\n");
    assert_eq!(errors.matches("log-retrun").count(), 1, "{errors}");
}
