//! Wrong experiments: exit 2, all problems together, nothing written.

use crate::folder::{EXPERIMENT, Folder, prices};

/// The message, after checking that nothing was written.
fn refused(text: &str, args: &[&str]) -> String {
    let folder = Folder::with_experiment(text);
    let before = folder.names();
    let output = folder.run(&[&["sweep", "small.toml"], args].concat());
    let message = output.refused();
    assert_eq!(folder.names(), before, "{message}");
    message
}

#[test]
fn three_errors_are_told_together() {
    let text = EXPERIMENT
        .replace("kind = \"log-return\"", "kind = \"log-retrun\"")
        .replace("kind = \"test-agent\"", "kind = \"test-agent\"\nbehavior = \"learn\"")
        .replace("[0.001, 0.01]", "[0.001, -0.01]");
    let message = refused(&text, &[]);
    for part in
        ["small.toml", "behavior", "behaviour", "log-retrun", "log-return", "agent.learning_rate", "-0.01"]
    {
        assert!(message.contains(part), "{part} is missing from:\n{message}");
    }
}

#[test]
fn wrong_overrides_name_the_key() {
    let message = refused(EXPERIMENT, &["--set", "agent.learning_rate=fast"]);
    assert!(message.contains("agent.learning_rate") && message.contains("fast"), "{message}");
    let message = refused(EXPERIMENT, &["--set", "agent.learning_rat=0.1"]);
    assert!(message.contains("learning_rate"), "{message}");
    let message = refused(EXPERIMENT, &["--set", "nonsense"]);
    assert!(message.contains("nonsense"), "{message}");
}

#[test]
fn wrong_toml_names_the_line() {
    let message = refused(&EXPERIMENT.replace("seeds = 2", "seeds = = 2"), &[]);
    assert!(message.contains("small.toml") && message.contains('3'), "{message}");
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = Folder::empty();
    let output = folder.run(&["sweep", "nowhere.toml"]);
    assert!(output.refused().contains("nowhere.toml"), "{}", output.stderr);
    let message = refused(&EXPERIMENT.replace("prices.csv", "nowhere.csv"), &[]);
    assert!(message.contains("nowhere.csv"), "{message}");
    let message = refused(&format!("extends = \"nobase.toml\"\n{EXPERIMENT}"), &[]);
    assert!(message.contains("nobase.toml"), "{message}");
}

#[test]
fn splits_that_do_not_fit_are_refused() {
    let message = refused(&EXPERIMENT.replace("2020-05-01", "2020-04-15"), &[]);
    assert!(message.contains("split.test"), "{message}");
    let message =
        refused(&EXPERIMENT.replace("\"2020-05-01\", \"2020-06-30\"", "\"2031-05-01\", \"2031-06-30\""), &[]);
    assert!(message.contains("split.test") && message.contains("2031"), "{message}");
    let message = refused(&EXPERIMENT.replace("2020-03-31", "2020-03-32"), &[]);
    assert!(message.contains("2020-03-32"), "{message}");
}

#[test]
fn bad_data_names_file_and_line() {
    for (from, to, line) in [
        ("2020-01-03", "2020-01-02", "4"),
        ("2020-01-04,", "2020-01-04,,", "5"),
        ("2020-01-05,", "2020-01-05,NaN-", "6"),
    ] {
        let folder = Folder::with_experiment(EXPERIMENT);
        folder.write("prices.csv", prices(182).replace(from, to));
        let output = folder.run(&["sweep", "small.toml"]);
        let message = output.refused();
        assert!(message.contains("prices.csv") && message.contains(line), "{message}");
        assert_eq!(folder.names(), ["prices.csv", "small.toml"]);
    }
}

#[test]
fn a_launcher_that_does_not_exist_is_refused() {
    let message = refused(EXPERIMENT, &["--launcher", "slrum"]);
    assert!(message.contains("slrum") && message.contains("local"), "{message}");
}
