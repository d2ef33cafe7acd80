//! `new`: names, folders and the files of a crate; `cargo xtask ci --only outside` compiles them.

use std::path::Path;

use crate::folder::Folder;

/// A folder with a checkout of flaglab as far as `new` looks at one.
fn beside_a_checkout() -> Folder {
    let folder = Folder::empty();
    std::fs::create_dir_all(folder.path("flaglab/crates/flaglab")).unwrap();
    folder.write("flaglab/Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
    folder.write("flaglab/Cargo.lock", "version = 4\n");
    folder.write("flaglab/crates/flaglab/Cargo.toml", "[package]\nname = \"flaglab\"\n");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_crate_is_written_for_each_kind() {
    for (kind, more) in [("reward", vec![]), ("agent", vec![]), ("source", vec!["prices.jsonl"])] {
        let folder = beside_a_checkout();
        let output = folder.run(&["new", kind, "my-own", "--flaglab", "flaglab"]);
        assert_eq!(output.ok(), "my-own\n");
        assert!(output.stderr.contains("cargo test"), "{}", output.stderr);
        let mut wanted =
            vec![".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "experiment.toml", "flaglab.toml"];
        wanted.extend(more);
        wanted.push("src");
        wanted.sort_unstable();
        assert_eq!(names(&folder.path("my-own")), wanted);
        let mut sources = vec![format!("{kind}.rs"), "main.rs".to_owned()];
        sources.sort();
        assert_eq!(names(&folder.path("my-own/src")), sources);
        assert_eq!(folder.names(), ["flaglab", "my-own"]);
        let read = |name: &str| std::fs::read_to_string(folder.path(name)).unwrap();
        assert!(read("my-own/Cargo.toml").contains("path = \"../flaglab/crates/flaglab\""));
        assert_eq!(read("my-own/Cargo.lock"), read("flaglab/Cargo.lock"));
        assert!(read(&format!("my-own/src/{kind}.rs")).contains("flaglab::prelude"));
    }
}

#[test]
fn the_current_folder_s_checkout_is_the_default_and_out_names_the_place() {
    let folder = beside_a_checkout();
    let output = folder.run(&["new", "reward", "my-own", "--out", "flaglab/examples/mine"]);
    let told = output.refused();
    assert!(told.contains("--flaglab: expected the folder of a checkout of flaglab"), "{told}");
    assert_eq!(folder.names(), ["flaglab"]);

    folder.write("Cargo.toml", "[workspace]\n");
    std::fs::create_dir_all(folder.path("crates")).unwrap();
    std::fs::rename(folder.path("flaglab/crates/flaglab"), folder.path("crates/flaglab")).unwrap();
    folder.run(&["new", "reward", "my-own", "--out", "examples/mine"]).ok();
    let manifest = std::fs::read_to_string(folder.path("examples/mine/Cargo.toml")).unwrap();
    assert!(manifest.contains("path = \"../../crates/flaglab\""), "{manifest}");
    assert!(manifest.contains("name = \"flaglab-my-own\""), "{manifest}");

    // An empty folder is as good as none.
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.run(&["new", "agent", "my-own", "--out", "empty"]).ok();
    assert!(folder.path("empty/src/agent.rs").is_file());

    // Nor is a workspace of experiments below the checkout in the way.
    folder.write("examples/mine/flaglab.toml", "");
    folder.run_in("examples/mine", &["new", "reward", "other"]).ok();
    let manifest = std::fs::read_to_string(folder.path("examples/mine/other/Cargo.toml")).unwrap();
    assert!(manifest.contains("path = \"../../../crates/flaglab\""), "{manifest}");

    let told = folder.run(&["new", "agent", "my-own", "--out", "crates/mine"]).refused();
    assert!(told.contains("members of flaglab's workspace"), "{told}");
    assert_eq!(names(&folder.path("crates")), ["flaglab"]);
}

#[test]
fn nothing_is_overwritten() {
    let folder = beside_a_checkout();
    std::fs::create_dir(folder.path("my-own")).unwrap();
    folder.write("my-own/notes.txt", "mine");
    folder.write("file", "mine");
    for (out, wanted) in [
        ("my-own", "is there and not empty"),
        ("file", "found the file file"),
        ("file/my-own", "found the file file"),
    ] {
        let told = folder.run(&["new", "reward", "my-own", "--flaglab", "flaglab", "--out", out]).refused();
        assert!(told.contains(&format!("{out}: ")) && told.contains("--out"), "{told}");
        assert!(told.contains(wanted), "{told}");
    }
    let output = folder.run(&["new", "reward", "my-own", "--flaglab", "flaglab", "--out", &"x".repeat(300)]);
    assert_eq!((output.code, output.stderr.contains("cannot be read")), (2, true), "{}", output.stderr);
    assert_eq!(names(&folder.path("my-own")), ["notes.txt"]);
    assert_eq!(folder.names(), ["file", "flaglab", "my-own"]);
}

#[test]
fn names_are_checked() {
    let folder = beside_a_checkout();
    for (kind, name, told) in [
        ("reward", "MyReward", "did you mean `my-reward`?"),
        ("reward", "my_reward", "did you mean `my-reward`?"),
        ("reward", "2nd", "letters and digits"),
        ("reward", "../x", "joined by hyphens"),
        ("reward", "log-return", "`log-return` is built in"),
        ("agent", "momentum", "`momentum` is built in"),
        ("source", "csv", "`csv` is built in"),
        ("reward", "self", "the type `Self`"),
    ] {
        let output = folder.run(&["new", kind, name, "--flaglab", "flaglab"]);
        let found = output.refused();
        assert!(found.contains("NAME: ") && found.contains(told), "{name}: {found}");
    }
    let found = folder.run(&["new", "rewrad", "my-own"]).refused();
    assert!(found.contains("rewrad") && found.contains("reward"), "{found}");
    assert_eq!(folder.names(), ["flaglab"]);

    let output = folder.run(&["new", "reward", "log-returns", "--flaglab", "flaglab"]);
    output.ok();
    assert!(output.stderr.contains("`log-return`"), "{}", output.stderr);
}

#[test]
fn all_problems_are_told_together() {
    let folder = beside_a_checkout();
    let told = folder.run(&["new", "reward", "Mine", "--flaglab", "elsewhere"]).refused();
    assert!(told.contains("NAME: ") && told.contains("elsewhere"), "{told}");
    assert_eq!(folder.names(), ["flaglab"]);
}
