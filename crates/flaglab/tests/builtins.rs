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

/// Every plugin has a name of lower-case words, one sentence, documented parameters, and accepts its own defaults.
#[test]
fn every_plugin_is_documented_and_accepts_its_defaults() {
    for (kind, plugins) in flaglab::builtins().kinds() {
        assert!(!plugins.is_empty(), "{kind}: no plugin");
        for plugin in plugins {
            let name = plugin.name;
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{kind} {name}"
            );
            assert!(plugin.summary.ends_with('.'), "{kind} {name}: the summary is no sentence");
            let properties = plugin.schema["properties"].as_object().cloned().unwrap_or_default();
            for (key, property) in &properties {
                let described = property["description"].as_str().is_some_and(|d| !d.is_empty());
                assert!(described, "{kind} {name}: {key} has no description");
            }
            let required =
                plugin.schema.get("required").and_then(|r| r.as_array()).is_some_and(|r| !r.is_empty());
            if !required {
                let mut defaults = serde_json::Map::new();
                plugin::fill_defaults(&plugin.schema, &mut defaults);
                let defaults = serde_json::Value::Object(defaults);
                assert!(plugin::check_value(&plugin.schema, &defaults).is_empty(), "{kind} {name}");
                assert!(
                    (plugin.check)(&defaults).is_ok(),
                    "{kind} {name}: its own defaults are not accepted"
                );
            }
        }
    }
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
    for page in ["README.md", "docs/experiments.md"] {
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
    assert!(blocks >= 6, "{blocks} blocks");
}
