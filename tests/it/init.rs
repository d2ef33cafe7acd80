//! `init`: a workspace that works from everywhere, made as a whole or not at all.

use std::path::Path;

use crate::folder::{EXPERIMENT, Folder};

/// An experiment on the shipped data, by an agent that this program has.
fn experiment() -> String {
    EXPERIMENT
        .replace(
            "kind = \"csv\"\npath = \"prices.csv\"",
            "kind = \"parquet\"\npath = \"datasets/synthetic-news\"",
        )
        .replace("2020-", "2015-")
}

#[test]
fn a_workspace_is_the_root_of_everything_wherever_it_lies() {
    let folder = Folder::empty();
    // Somebody else's Rust project.
    folder.write("Cargo.toml", "[workspace]\n");
    let made = folder.run(&["init", "lab"]);
    assert_eq!(made.ok(), "lab\n");
    assert_eq!(made.stderr, "next: cd lab && it sweep experiments/ablation.toml\n");
    assert_eq!(folder.names(), ["Cargo.toml", "lab"]);
    let readme = std::fs::read_to_string(folder.path("lab/README.md")).unwrap();
    assert!(readme.contains("\nit sweep experiments/ablation.toml "), "{readme}");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in
        ["experiments/ablation.toml", "models/tiny-llama/model.safetensors", "models/tiny-llama/README.md"]
    {
        let [made, there] =
            [folder.path("lab"), shipped.clone()].map(|root| std::fs::read(root.join(file)).unwrap());
        assert!(made == there, "{file}");
    }
    folder.run(&["dataset", "check", "lab/datasets/synthetic-news"]).ok();

    folder.write("lab/experiments/mine.toml", experiment());
    let swept = folder.run(&["sweep", "lab/experiments/mine.toml"]);
    swept.ok();
    assert_eq!(swept.last_line(), "lab/reports/mine/index.html");
    assert_eq!(folder.names(), ["Cargo.toml", "lab"]);
    assert!(folder.path("lab/runs/mine/summary.parquet").is_file());
    // The mark is no experiment.
    let gc = folder.run(&["gc", "lab/experiments/mine.toml", "--format", "json"]).json();
    assert_eq!(gc["garbage"], serde_json::json!([]), "{gc}");
    let page = std::fs::read_to_string(folder.path("lab/reports/mine/index.html")).unwrap();
    assert!(page.contains("it report experiments/mine.toml --format markdown"), "commands name the program");
}

#[test]
fn an_empty_folder_is_filled_where_it_is() {
    let folder = Folder::empty();
    let made = folder.run(&["init", "."]);
    made.ok();
    assert_eq!(made.stderr, "next: it sweep experiments/ablation.toml\n");
    let names = [".gitignore", "README.md", "datasets", "docs", "experiments", "flaglab.toml", "models"];
    assert_eq!(folder.names(), names);
    folder.run(&["dataset", "list"]).ok();
}

#[test]
fn what_is_there_is_left_as_it_is() {
    let folder = Folder::empty();
    folder.write("file", "mine");
    assert!(
        folder.run(&["init", "file"]).refused().contains("expected a new or an empty folder, found a file")
    );
    let message = folder.run(&["init", "."]).refused();
    assert!(message.contains("found 1 files and folders in it, the first file"), "{message}");
    assert_eq!(folder.names(), ["file"]);
    // One that was cut off.
    std::fs::create_dir_all(folder.path("cut/.init.tmp/experiments")).unwrap();
    let message = folder.run(&["init", "cut"]).refused();
    assert!(message.contains(".init.tmp, left by an `init` that was cut off"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path("cut")).unwrap().count(), 1);
}

/// What cannot be finished leaves nothing: the folder is made, but no file in it.
#[test]
fn a_full_disk_leaves_no_half_of_a_workspace() {
    let folder = Folder::empty();
    let program = env!("CARGO_BIN_EXE_it");
    // No file above 64 KiB; without the signal that would end the process.
    let script = format!("trap '' XFSZ; ulimit -f 64; exec {program} init lab");
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path("."))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: lab: cannot be written: "), "{message}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}
