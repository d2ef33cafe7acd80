//! Slips of the pen in every command: refused, with what was meant, and nothing written.

use crate::folder::{EXPERIMENT, Folder};

/// With runs of `experiments/small.toml`, a data set, a model and decisions.
fn workspace() -> Folder {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.write("flaglab.toml", "");
    for dir in ["experiments", "models/tiny", "datasets"] {
        std::fs::create_dir_all(folder.path(dir)).unwrap();
    }
    std::fs::rename(folder.path("small.toml"), folder.path("experiments/small.toml")).unwrap();
    folder.write("models/tiny/config.json", "{}");
    folder.write("decisions.csv", "date,action\n");
    folder.run(&["dataset", "synth", "--out", "datasets/made"]).ok();
    folder.run(&["sweep", "experiments/small.toml"]).ok();
    folder
}

/// Arguments, and what the message has to say.
const TYPOS: &[(&[&str], &str)] = &[
    // Commands, options and their values.
    (&["swep"], "'sweep'"),
    (&["dataset", "imprt"], "'import'"),
    (&["model", "inspct"], "'inspect'"),
    (&["sweep", SMALL, "--pln"], "'--plan'"),
    (&["gc", "--ye"], "'--yes'"),
    (&["sweep", SMALL, "--format", "jsn"], "'json'"),
    (&["report", SMALL, "--format", "markdwn"], "'markdown'"),
    (&["paper", "--format", "markdwn"], "'markdown'"),
    (&["export", SMALL, "--to", "tensorbord"], "'tensorboard'"),
    (&["completions", "bsh"], "'bash'"),
    (&["sweep", SMALL, "--jobs", "0"], "expected a whole number above 0"),
    (&["sweep", SMALL, "--launcher", "isolted"], "did you mean \"isolated\"?"),
    // Files and folders.
    (&["sweep", "experiments/smal.toml"], "(did you mean experiments/small.toml?)"),
    (&["sweep", "experiment/small.toml"], "(did you mean experiments/small.toml?)"),
    (&["sweep", "small.toml"], "(did you mean experiments/small.toml?)"),
    (&["sweep", "small"], "(did you mean experiments/small.toml?)"),
    (&["sweep", "experiments"], "expected an experiment file, found a folder"),
    (&["retry", "experiments/smal.toml"], "(did you mean experiments/small.toml?)"),
    (&["status", "experiments/smal.toml"], "(did you mean experiments/small.toml?)"),
    (&["report", "experiments/smal.toml"], "(did you mean experiments/small.toml?)"),
    (&["export", "experiments/smal.toml", "--to", "csv"], "(did you mean experiments/small.toml?)"),
    (&["gc", "experiments/smal.toml"], "(did you mean experiments/small.toml?)"),
    (&["metrics", "decision.csv", "--periods-per-year", "252"], "(did you mean decisions.csv?)"),
    (&["dataset", "check", "datasets/mad"], "(did you mean datasets/made/metadata.json?)"),
    (&["dataset", "list", "dataset"], "(did you mean datasets?)"),
    (&["dataset", "fetch", "investorbench"], "did you mean \"investor-bench\"?"),
    (&["model", "inspect", "models/tny"], "(did you mean models/tiny?)"),
    (&["model", "inspect", "tiny"], "(did you mean models/tiny?)"),
    // Keys, plugins and arms.
    (&["sweep", SMALL, "--set", "agnt.learning_rate=1"], "did you mean \"agent\"?"),
    (&["sweep", SMALL, "--set", "agent.kind=test-agnt"], "did you mean \"test-agent\"?"),
    (&["sweep", SMALL, "--set", "launcher.knd=local"], "did you mean \"kind\"?"),
    (&["sweep", SMALL, "--set", "sweep.axes.\"agent.learning_rat\"=[1]"], "did you mean \"learning_rate\"?"),
    (&["sweep", SMALL, "--set", "baselines=[\"buy-and-hld\"]"], "did you mean \"buy-and-hold\"?"),
    (&["sweep", SMALL, "--set", "data.path=price.csv"], "prices.csv?)"),
    (&["plugins", "agnt"], "did you mean \"agent\"?"),
    (&["report", SMALL, "--fail-unless", "sharp(base) > 0"], "did you mean \"sharpe\"?"),
    (&["report", SMALL, "--fail-unless", "sharpe.men(base) > 0"], "did you mean \"mean\"?"),
    (&["report", SMALL, "--fail-unless", "sharpe(flt) > 0"], "did you mean \"flat\"?"),
    (&["dataset", "synth", "--out", "x", "--set", "signal_acuracy=1"], "did you mean \"signal_accuracy\"?"),
    (
        &["model", "logits", "--checkpoint", "models/tiny", "--text", "a", "--backend", "hst"],
        "did you mean \"host\"?",
    ),
    (
        &["model", "logits", "--checkpoint", "models/tiny", "--text", "a", "--dtype", "flot32"],
        "did you mean \"float32\"?",
    ),
    (&["model", "inspect", "models/tiny", "--lora-targets", "gat"], "did you mean \"gate\"?"),
];

const SMALL: &str = "experiments/small.toml";

#[test]
fn what_was_meant_is_told() {
    let folder = workspace();
    let before = folder.names();
    for (args, meant) in TYPOS {
        let message = folder.run(args).refused();
        assert!(message.contains(meant), "{args:?}: {meant} is missing from:\n{message}");
    }
    let import = [
        "dataset",
        "import",
        "prices.csv",
        "--out",
        "x",
        "--source",
        "a",
        "--licence",
        "b",
        "--price-meaning",
        "c",
    ];
    for (more, meant) in [
        (["--column", "clos=x"], "did you mean \"close\"?"),
        (["--column", "close=clse"], "did you mean \"close\"?"),
        (["--order", "ascendin"], "did you mean \"ascending\"?"),
    ] {
        let message = folder.run(&[&import[..], &more].concat()).refused();
        assert!(message.contains(meant), "{more:?}: {meant} is missing from:\n{message}");
    }
    let window = ["--from", "2020-05-01", "--to", "2020-06-30"];
    for (more, meant) in [
        (
            ["--data", "prices.csv", "--actions", "decisions.csv", "--rules", "realistc"],
            "did you mean \"realistic\"?",
        ),
        (
            ["--data", "price.csv", "--actions", "decisions.csv", "--rules", "paper"],
            "(did you mean prices.csv?)",
        ),
        (
            ["--data", "prices.csv", "--actions", "decision.csv", "--rules", "paper"],
            "(did you mean decisions.csv?)",
        ),
    ] {
        let message = folder.run(&[&["evaluate"], &window[..], &more].concat()).refused();
        assert!(message.contains(meant), "{more:?}: {meant} is missing from:\n{message}");
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn a_run_that_is_not_there_is_told_by_its_neighbour() {
    let folder = workspace();
    let id = folder.manifests("small").into_keys().next().unwrap();
    // Another last digit.
    let last = if id.ends_with('0') { '1' } else { '0' };
    let other = id[..id.len() - 1].to_owned() + &last.to_string();
    let told = |args: &[&str], meant: &str| {
        let message = folder.run(args).refused();
        assert!(message.contains(&format!("did you mean {meant}?")), "{args:?}: {message}");
    };
    let quoted = format!("{id:?}");
    told(&["why", &other], &quoted);
    told(&["diff", &id, &other], &quoted);
    let dir = format!("runs/small/{id}");
    told(&["why", &format!("runs/smal/{id}")], &dir);
    let policy = format!("runs/small/{other}");
    let window = ["--data", "prices.csv", "--from", "2020-05-01", "--to", "2020-06-30", "--rules", "paper"];
    told(&[&["evaluate", "--policy", &policy], &window[..]].concat(), &dir);
    told(&["model", "export", &policy, "out"], &dir);
    let message = folder.run(&["why", "base"]).refused();
    assert!(message.contains("`it sweep FILE --plan` lists those of an experiment"), "{message}");
}

#[test]
fn a_variable_that_nothing_reads_is_refused_where_it_is_a_slip() {
    for (name, meant) in [
        ("FLAGLAB_DATAA", "did you mean FLAGLAB_DATA?"),
        ("FLAGLAB_REPORT", "did you mean FLAGLAB_REPORTS?"),
        ("FLAGLAB_SET_agent__learning_rate", "expected FLAGLAB_SET__section__key"),
        ("FLAGLAB_SET__agnt__learning_rate", "did you mean \"agent\"?"),
    ] {
        let mut folder = Folder::with_experiment(EXPERIMENT);
        folder.set(name, "0.5");
        let message = folder.run(&["sweep", "small.toml", "--plan"]).refused();
        assert!(message.contains(name) && message.contains(meant), "{message}");
    }
    let mut folder = Folder::with_experiment(EXPERIMENT);
    folder.set("FLAGLAB_COLOUR", "blue");
    folder.run(&["sweep", "small.toml", "--plan"]).ok();
}
