//! What holds for all built-in plugins together.

use std::path::Path;
use std::process::Command;

/// `docs/options.md` is what `flaglab options` prints; `cargo xtask options --write` brings it up to date.
#[test]
fn the_reference_of_options_is_current() {
    let printed = Command::new(env!("CARGO_BIN_EXE_flaglab")).arg("options").output().unwrap();
    assert!(printed.status.success());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/options.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        written.trim_end() == printed.trim_end(),
        "docs/options.md is not current: run `cargo xtask options --write`"
    );
}

/// The suites as an outside crate calls them, on plugins that have passed them in their own crates.
#[test]
fn contract_suites_run_in_one_line_and_say_what_they_lack() {
    let registry = flaglab::builtins();
    flaglab::contract::reward(registry.rewards.get("log-return").unwrap());
    flaglab::contract::rules(registry.rules.get("paper").unwrap());
    flaglab::contract::agent(registry.agents.get("momentum").unwrap());
    flaglab::contract::agent_with(
        registry.agents.get("sma-crossover").unwrap(),
        &serde_json::json!({"short": 2, "long": 5}),
    );
    let synthetic = registry.sources.get("synthetic-news").unwrap();
    flaglab::contract::source_with(synthetic, &serde_json::json!({"generator": {"bars": 60}}));
    let csv = registry.sources.get("csv").unwrap();
    let told = plugin::contract::told(|| flaglab::contract::source(csv)).unwrap();
    assert!(told.contains("path") && told.contains("hand over settings that hold it"), "{told}");
}

/// Every experiment file of the repository is accepted as it stands.
#[test]
fn the_shipped_experiments_are_valid() {
    let sections = flaglab::builtins().sections();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let loaded = experiment::load(&path, &[], &[], &sections);
            assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
            files += 1;
        }
    }
    assert!(files >= 3, "{files} experiment files in {}", folder.display());
}

/// Every TOML block of the pages is an experiment on top of the shipped base.
#[test]
fn the_experiments_of_the_pages_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sections = flaglab::builtins().sections();
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(root.join("experiments/base.toml"), dir.path().join("base.toml")).unwrap();
    let mut blocks = 0;
    for page in ["README.md", "docs/experiments.md", "docs/search.md", "docs/walk-forward.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let extends = if block.contains("extends = ") { "" } else { "extends = \"base.toml\"\n" };
            let path = dir.path().join("page.toml");
            std::fs::write(&path, format!("{extends}{block}")).unwrap();
            let loaded = experiment::load(&path, &[], &[], &sections);
            assert!(loaded.is_ok(), "{page}: {}\n{block}", loaded.unwrap_err());
            blocks += 1;
        }
    }
    assert!(blocks >= 8, "{blocks} blocks");
}
