use super::*;

use plugin::Pins;
use tempfile::TempDir;

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

/// A cache with two snapshots of `org/tiny`; `main` is at the newer one.
fn cache() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("hub/models--org--tiny");
    for commit in [OLD, NEW] {
        let snapshot = repo.join("snapshots").join(commit);
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::write(snapshot.join("config.json"), "{}").unwrap();
    }
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(repo.join("refs/main"), NEW).unwrap();
    dir
}

fn files(cache: &TempDir) -> Files {
    let root = cache.path().join("work");
    Files { root, hub: Some(cache.path().join("hub")), ..Files::default() }
}

fn pin(name: &str, commit: &str) -> Pin {
    Pin { name: name.to_owned(), commit: commit.to_owned() }
}

fn pinned(cache: &TempDir, name: &str, commit: &str) -> Files {
    Files { pins: Pins::from([(name.to_owned(), commit.to_owned())]), ..files(cache) }
}

#[test]
fn a_folder_wins_over_a_repository_of_that_name() {
    let cache = cache();
    let files = files(&cache);
    let id = Path::new("org/tiny");
    let snapshot = locate(id, None, &files).unwrap();
    assert_eq!(snapshot.pin, Some(pin("org/tiny", NEW)));
    assert!(snapshot.folder.join("config.json").is_file());

    std::fs::create_dir_all(files.root.join(id)).unwrap();
    assert_eq!(locate(id, None, &files).unwrap(), Located { folder: files.root.join(id), pin: None });
    let error = locate(id, Some("main"), &files).unwrap_err();
    assert!(error.contains("org/tiny is a folder") && error.contains("\"main\""), "{error}");
}

#[test]
fn a_pin_decides_and_a_later_fetch_does_not() {
    let cache = cache();
    let commit =
        |revision, files: &Files| locate(Path::new("org/tiny"), revision, files).unwrap().pin.unwrap();
    assert_eq!(commit(None, &pinned(&cache, "org/tiny", OLD)), pin("org/tiny", OLD));
    assert_eq!(commit(None, &pinned(&cache, "org/other", OLD)), pin("org/tiny", NEW));
    // A revision is another name, with a pin of its own.
    assert_eq!(commit(Some("main"), &pinned(&cache, "org/tiny", OLD)), pin("org/tiny@main", NEW));
    assert_eq!(commit(Some("main"), &pinned(&cache, "org/tiny@main", OLD)), pin("org/tiny@main", OLD));
    assert_eq!(commit(Some(OLD), &files(&cache)).commit, OLD);
}

#[test]
fn what_is_missing_is_named_with_the_command_that_fetches_it() {
    let cache = cache();
    let error = |path: &str, revision, files: &Files| locate(Path::new(path), revision, files).unwrap_err();
    let gone = "3333333333333333333333333333333333333333";
    for (path, revision, files, command) in [
        ("org/huge", None, files(&cache), "model fetch org/huge".to_owned()),
        ("org/tiny", Some("v2"), files(&cache), "model fetch org/tiny --revision v2".to_owned()),
        ("org/tiny", None, Files::default(), "model fetch org/tiny".to_owned()),
        (
            "org/tiny",
            None,
            pinned(&cache, "org/tiny", gone),
            format!("model fetch org/tiny --revision {gone}"),
        ),
    ] {
        let error = error(path, revision, &files);
        assert!(error.contains(&format!("`{} {command}`", plugin::program())), "{error}");
    }
    let error = error("no/such/folder", None, &files(&cache));
    assert!(error.contains("work/no/such/folder: no such folder") && !error.contains("fetch"), "{error}");
}

#[test]
fn a_gguf_is_answered_with_the_command_that_imports_it() {
    let cache = cache();
    let files = files(&cache);
    std::fs::create_dir_all(&files.root).unwrap();
    std::fs::write(files.root.join("there.gguf"), "GGUF").unwrap();
    for name in ["there.gguf", "org/missing.gguf", "models/X.Q4_1.GGUF"] {
        let error = locate(Path::new(name), None, &files).unwrap_err();
        let command = format!("`{} model import {name} --out DIR`", plugin::program());
        assert!(error.contains(&command) && error.contains("a folder or OWNER/NAME"), "{error}");
    }
    // A folder may have any name.
    std::fs::create_dir(files.root.join("folder.gguf")).unwrap();
    assert!(locate(Path::new("folder.gguf"), None, &files).is_ok());
}
