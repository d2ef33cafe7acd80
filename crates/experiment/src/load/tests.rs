use serde_json::json;

use crate::fixture::{BASE, Folder, errors_of, load_text, over_base, sections};
use crate::options_markdown;

#[test]
fn a_file_without_a_sweep_is_one_arm_with_all_defaults() {
    let experiment = Folder::new(&[("solo.toml", BASE)]).load("solo.toml", &[], &[]).unwrap();
    assert_eq!(experiment.name, "solo");
    assert_eq!(experiment.seeds, [0]);
    assert_eq!(experiment.launcher, json!({ "kind": "local" }));
    let [arm] = experiment.arms.as_slice() else { panic!("one arm") };
    assert_eq!(arm.name, "base");
    let run = arm.run(3);
    assert_eq!(run.kind("backend"), "flex");
    assert_eq!(run.section("split")["test"], json!(["2019-01-01", "2020-12-31"]));
    assert_eq!(run.section("agent")["lora"], json!({ "rank": 0, "alpha": 16.0 }));
    assert_eq!(run.params("reward"), json!({}));
    let names: Vec<_> = run.sections.keys().collect();
    assert_eq!(names, ["backend", "data", "split", "rules", "reward", "env", "agent"]);
}

#[test]
fn a_misspelt_key_an_unknown_reward_and_a_negative_learning_rate_are_reported_together() {
    let text = "reward = \"sharpe-dleta\"\n[agent]\nlearning_rate = -0.001\nn_trainable_layer = 2\n";
    assert_eq!(
        errors_of(text),
        "x.toml:2: reward.kind: expected one of log-return, sharpe-delta, cvar (did you mean \"sharpe-delta\"?), \
         found \"sharpe-dleta\"\n\
         x.toml:4: agent.learning_rate: expected a number > 0, found -0.001\n\
         x.toml:5: agent.n_trainable_layer: unknown key; did you mean \"n_trainable_layers\"?"
    );
}

#[test]
fn every_kind_of_mistake_names_what_is_accepted() {
    for (text, expected) in [
        ("sead = 3", "x.toml:2: sead: unknown key; did you mean \"seeds\"?"),
        ("seeds = 0", "x.toml:2: seeds: expected a whole number >= 1 and <= 100000, found 0"),
        ("seeds = [1, 2, 1]", "x.toml:2: seeds[2]: expected each seed once, found 1"),
        (
            "seeds = \"3\"",
            "x.toml:2: seeds: expected a whole number >= 1 and <= 100000 or a list that is not empty, each a whole number >= 0, found \"3\"",
        ),
        ("[run]\njobs = 1.5", "x.toml:3: run.jobs: expected a whole number >= 0 and <= 4096, found 1.5"),
        (
            "[env]\nmax_episode_steps = 3.0",
            "x.toml:3: env.max_episode_steps: expected a whole number >= 1, found 3.0",
        ),
        (
            "[agent]\nlora.rank = 65",
            "x.toml:3: agent.lora.rank: expected a whole number >= 0 and <= 64, found 65",
        ),
        ("[agent]\nlora = 3", "x.toml:3: agent.lora: expected a table, found 3"),
        (
            "[agent]\nlearning_rate = nan",
            "x.toml:3: agent.learning_rate: expected a finite number, found nan",
        ),
        (
            "[split]\ntrain = [\"2011-02-30\", \"2018-12-31\"]",
            "x.toml:3: split.train[0]: expected a date (YYYY-MM-DD), found \"2011-02-30\"",
        ),
        (
            "[agent]\nminibatch_size = 48",
            "x.toml:3: agent.minibatch_size: expected a divisor of num_steps (64), found 48",
        ),
        ("reward = 3", "x.toml:2: reward: expected a reward by name, or a table with its kind, found 3"),
        (
            "launcher = \"slrum\"",
            "x.toml:2: launcher.kind: expected one of local, slurm (did you mean \"slurm\"?), found \"slrum\"",
        ),
        (
            "[launcher.slurm]\ncpus = 0",
            "x.toml:3: launcher.slurm.cpus: expected a whole number >= 1, found 0",
        ),
        ("launcher.slrum.cpus = 1", "x.toml:2: launcher.slrum: unknown key; did you mean \"slurm\"?"),
        ("launcher.cpus = 1", "x.toml:2: launcher.cpus: unknown key; did you mean \"slurm.cpus\"?"),
        ("launcher.slurm = \"gpu\"", "x.toml:2: launcher.slurm: expected a table, found \"gpu\""),
        ("launcher.local.jobs = 3", "x.toml:2: launcher.local.jobs: unknown key; no keys are known here"),
        (
            "baselines = [\"flat\", \"buy-and-hld\"]",
            "x.toml:2: baselines[1]: expected one of ppo-llm, momentum, buy-and-hold, flat, reader (did you mean \"buy-and-hold\"?), found \"buy-and-hld\"",
        ),
        (
            "baselines = [{ kind = \"momentum\", window = 0 }]",
            "x.toml:2: baselines[0].window: expected a whole number >= 1, found 0",
        ),
    ] {
        assert_eq!(errors_of(text), expected);
    }
}

#[test]
fn the_tables_of_launchers_stay_whichever_is_chosen() {
    let folder = over_base("launcher.slurm.partition = \"gpu\"");
    let launcher = |set: &[&str]| folder.load("x.toml", set, &[]).unwrap().launcher;
    assert_eq!(launcher(&[]), json!({ "kind": "local", "slurm": { "partition": "gpu", "cpus": 1 } }));
    let slurm = json!({ "kind": "slurm", "slurm": { "partition": "gpu", "cpus": 1 } });
    assert_eq!(launcher(&["launcher.kind=slurm"]), slurm);
    assert_eq!(launcher(&["launcher=slurm"]), slurm);
    assert_eq!(launcher(&["launcher=slurm", "launcher.kind=local", "launcher.kind=slurm"]), slurm);
    let no_table = load_text("launcher = \"slurm\"").unwrap().launcher;
    assert_eq!(no_table, json!({ "kind": "slurm", "slurm": { "partition": null, "cpus": 1 } }));
}

#[test]
fn a_missing_section_and_a_missing_key_are_errors() {
    let folder = Folder::new(&[("x.toml", "[data]\nkind = \"csv\"\nsymbol = \"A\"\n")]);
    assert_eq!(
        folder.errors("x.toml", &[], &[]),
        "x.toml:1: data.path: expected a string, found nothing\n\
         x.toml: split.train: expected a list of 2 values, each a date (YYYY-MM-DD), found nothing\n\
         x.toml: split.test: expected a list of 2 values, each a date (YYYY-MM-DD), found nothing\n\
         x.toml: rules.kind: expected one of paper, investor-bench, found nothing\n\
         x.toml: reward.kind: expected one of log-return, sharpe-delta, cvar, found nothing\n\
         x.toml: agent.kind: expected one of ppo-llm, momentum, buy-and-hold, flat, reader, found nothing"
    );
}

#[test]
fn bad_toml_names_file_and_line() {
    let text = errors_of("[agent]\nlearning_rate = = 3\n");
    assert!(text.starts_with("x.toml:3: "), "{text}");
    let twice = errors_of("seeds = 1\nseeds = 2\n");
    assert!(twice.starts_with("x.toml:3: ") && twice.contains("duplicate key"), "{twice}");
    let folder = Folder::new(&[]);
    std::fs::write(folder.path("x.toml"), b"title = \"a\"\n# \xff\n").unwrap();
    assert_eq!(folder.errors("x.toml", &[], &[]), "x.toml:2: expected UTF-8 text, found other bytes");
    assert!(folder.errors("none.toml", &[], &[]).starts_with("none.toml: cannot be read: "));
}

#[test]
fn the_highest_layer_wins_and_is_the_one_that_errors_name() {
    let folder = over_base("[agent]\nlora.rank = 2\nent_coef = 0.5\n");
    let rank = |set: &[&str], env: &[(&str, &str)]| {
        folder.load("x.toml", set, env).unwrap().base["agent"]["lora"]["rank"].clone()
    };
    let env = [("FLAGLAB_SET__agent__lora__rank", "3"), ("FLAGLAB_DATA", "/data"), ("HOME", "x")];
    assert_eq!(rank(&[], &[]), 2);
    assert_eq!(rank(&[], &env), 3);
    assert_eq!(rank(&["agent.lora.rank=4"], &env), 4);
    assert_eq!(rank(&["agent.lora.rank=4", "agent.lora.rank = 5"], &env), 5);
    assert_eq!(
        folder.errors(
            "x.toml",
            &["agent.ent_coef=low", "agent.lora.alfa=1"],
            &[("FLAGLAB_SET__agent__lora__rank", "-1")]
        ),
        "--set: agent.ent_coef: expected a number >= 0, found \"low\"\n\
         FLAGLAB_SET__agent__lora__rank: agent.lora.rank: expected a whole number >= 0 and <= 64, found -1\n\
         --set: agent.lora.alfa: unknown key; did you mean \"alpha\"?"
    );
}

#[test]
fn overrides_that_cannot_be_read_are_errors() {
    let folder = over_base("");
    for (set, expected) in [
        (
            "agent.lora.rank",
            "--set: expected key=value, for example agent.lora.rank=4, found agent.lora.rank",
        ),
        ("=4", "--set: expected a dotted key, for example agent.lora.rank, found no key"),
        ("agent.ent_coef=nan", "--set: agent.ent_coef: expected a finite number, found nan"),
        ("extends=a.toml", "--set: extends: can stand in a file only"),
        ("sede=3", "--set: sede: unknown key; did you mean \"seeds\"?"),
    ] {
        assert_eq!(folder.errors("x.toml", &[set], &[]), expected);
    }
    let text = folder.errors("x.toml", &["seeds=[1,"], &[]);
    assert!(text.starts_with("--set: seeds: [1, is no TOML value: "), "{text}");
    let env = folder.errors("x.toml", &[], &[("FLAGLAB_SET__agent____rank", "1")]);
    assert_eq!(
        env,
        "FLAGLAB_SET__agent____rank: expected FLAGLAB_SET__section__key, found FLAGLAB_SET__agent____rank"
    );
}

#[test]
fn set_takes_toml_values_and_bare_words() {
    let folder = over_base("");
    let set =
        ["reward=sharpe-delta", "seeds=[3, 5]", "title=two words", "sweep.axes.\"agent.lora.rank\"=[0, 4]"];
    let experiment = folder.load("x.toml", &set, &[]).unwrap();
    assert_eq!(experiment.base["reward"], json!({ "kind": "sharpe-delta" }));
    assert_eq!(experiment.seeds, [3, 5]);
    assert_eq!(experiment.title.as_deref(), Some("two words"));
    assert_eq!(experiment.axes[0].values, [json!(0), json!(4)]);
}

#[test]
fn extends_is_relative_to_its_file_and_chains() {
    let folder = Folder::new(&[
        ("deep/base.toml", BASE),
        (
            "deep/mid.toml",
            "extends = \"base.toml\"\ntitle = \"mid\"\n[agent]\nent_coef = 0.2\nlora.alpha = 8",
        ),
        ("x.toml", "extends = \"deep/mid.toml\"\n[agent.lora]\nrank = 4\n"),
    ]);
    let experiment = folder.load("x.toml", &[], &[]).unwrap();
    assert_eq!(experiment.title.as_deref(), Some("mid"));
    assert_eq!(experiment.base["agent"]["ent_coef"], 0.2);
    assert_eq!(experiment.base["agent"]["lora"], json!({ "rank": 4, "alpha": 8.0 }));
    assert_eq!(experiment.files, ["deep/base.toml", "deep/mid.toml", "x.toml"].map(|f| folder.path(f)));
}

#[test]
fn a_mistake_below_is_reported_at_the_file_that_makes_it() {
    let folder = over_base("[env]\nmax_episode_steps = 5\n");
    std::fs::write(folder.path("base.toml"), format!("{BASE}ent_coeff = 1\n")).unwrap();
    assert_eq!(
        folder.errors("x.toml", &[], &[]),
        "base.toml:13: agent.ent_coeff: unknown key; did you mean \"ent_coef\"?"
    );
}

#[test]
fn circles_and_missing_files_are_errors_of_the_file_that_extends() {
    let folder = Folder::new(&[
        ("a.toml", "extends = \"b.toml\""),
        ("b.toml", "title = \"b\"\nextends = \"./a.toml\""),
    ]);
    let text = folder.errors("a.toml", &[], &[]);
    assert!(
        text.starts_with("b.toml:2: extends: files extend each other in a circle: a.toml -> b.toml -> "),
        "{text}"
    );
    let folder = Folder::new(&[("a.toml", "\nextends = \"none.toml\"")]);
    let text = folder.errors("a.toml", &[], &[]);
    assert!(text.starts_with("a.toml:2: extends: none.toml: cannot be read: "), "{text}");
    let folder = Folder::new(&[("a.toml", "extends = 3")]);
    assert_eq!(
        folder.errors("a.toml", &[], &[]),
        "a.toml:1: extends: expected the path of a TOML file, found 3"
    );
}

#[test]
fn a_new_kind_drops_what_only_the_old_one_knows() {
    let lower = "[agent]\nlearning_rate = 0.1\n";
    let folder = over_base(lower);
    let experiment = folder.load("x.toml", &["agent=momentum"], &[]).unwrap();
    assert_eq!(experiment.base["agent"], json!({ "kind": "momentum", "window": 20 }));
    // A key of the same layer, or of one above, is meant for the new kind.
    let text = folder.errors("x.toml", &["agent={kind=\"momentum\", ent_coef=1}"], &[]);
    assert_eq!(text, "--set: agent.ent_coef: unknown key; known: window");
    // A key that neither kind knows is a mistake wherever it stands.
    let folder = over_base("[agent]\nlerning_rate = 0.1\n");
    assert_eq!(
        folder.errors("x.toml", &["agent=momentum"], &[]),
        "x.toml:3: agent.lerning_rate: unknown key; known: window"
    );
}

#[test]
fn none_takes_back_what_a_lower_layer_sets() {
    let folder = over_base("[agent]\ncheckpoint = \"x\"\n");
    let checkpoint =
        |set: &[&str]| folder.load("x.toml", set, &[]).unwrap().base["agent"]["checkpoint"].clone();
    assert_eq!(checkpoint(&[]), "x");
    assert_eq!(checkpoint(&["agent.checkpoint=none"]), serde_json::Value::Null);
}

#[test]
fn many_errors_fit_one_screen() {
    let many: String = (0..60).map(|i| format!("zz_{i} = {i}\n")).collect();
    let text = errors_of(&format!("[agent]\n{many}"));
    let rows: usize = text.lines().map(|l| l.chars().count().div_ceil(100)).sum();
    assert!(rows <= 22, "{rows} rows");
    assert!(text.lines().last().unwrap().starts_with("… and "), "{text}");
}

#[test]
fn the_reference_has_every_section_plugin_and_key() {
    let text = options_markdown(&sections());
    for line in [
        "## `[agent]`",
        "### `agent.kind = \"ppo-llm\"`",
        "| `lora.rank` | a whole number >= 0 and <= 64 | `0` | Rank; 0 is off. |",
        "| `learning_rate` | a number > 0 | `0.0003` | Step size of Adam. |",
        "| `path` | a string | required | File. |",
        "| `checkpoint` | a string or \"none\" | `\"none\"` | Folder of weights. Not hashed. |",
        "| `run.jobs` | a whole number >= 0 and <= 4096 | `0` | Runs at the same time, where up to eight of an arm that read a large model together count as one; 0 is one per core. |",
    ] {
        assert!(text.contains(line), "{line}\n in\n{text}");
    }
    assert!(text.contains("`zip`: The first values of all axes together"), "{text}");
}

#[test]
fn title_seeds_and_run_are_no_settings_of_an_arm() {
    let one = load_text("title = \"a\"\nseeds = 2\n[run]\njobs = 3\n").unwrap();
    let two = load_text("").unwrap();
    assert_eq!(one.run.jobs, 3);
    assert_eq!(one.arms[0].spec, two.arms[0].spec);
}
