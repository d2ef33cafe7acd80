use super::*;

fn manifests() -> BTreeMap<String, String> {
    let of = |name: &str, manifest: &str| (name.to_owned(), manifest.to_owned());
    BTreeMap::from([
        of("store", "[package]\nname = \"store\"\n\n[dependencies]\nserde.workspace = true\n"),
        of(
            "runner",
            "[dependencies]\nserde = \"1\"\n# Ours.\nstore.workspace = true\n\n[target.'cfg(unix)'.dependencies]\nthreads.workspace = true\n\n\
             [dev-dependencies]\nscore.workspace = true\n",
        ),
        of("score", "[dependencies]\n"),
        of("threads", ""),
    ])
}

#[test]
fn rows_of_crates_name_the_dependencies_of_their_manifests() {
    let table = "\
| crate | is | uses |
|---|---|---|
| `store` | folders | |
| `runner` | plan with `score`'s words | `store`, `threads` |
| `score` | numbers | |
| `threads` | threads | |
| `tests` | others | |
";
    assert_eq!(wrong_uses(table, &manifests()), Vec::<String>::new());
    let of = |from: &str, to: &str| wrong_uses(&table.replace(from, to), &manifests());
    let uses = "ARCHITECTURE.md:4: its manifest says that `runner` uses `store`, `threads`";
    assert_eq!(of("`store`, `threads`", "`store`"), [uses]);
    assert_eq!(of("`store`, `threads`", "`threads`, `store`, `score`"), [uses]);
    assert_eq!(of("| `score` | numbers | |\n", ""), ["ARCHITECTURE.md: no row for crates/score"]);
}

#[test]
fn paths_start_from_the_root_the_crates_or_an_earlier_path_of_the_row() {
    let there = [
        "docs/a.md",
        "crates/x/src/run.rs",
        "crates/x/src/run/part.rs",
        "crates/x/src/other.rs",
        "crates/x/src",
    ];
    let of = |row: &str| missing_paths(row, |path| there.iter().any(|t| Path::new(t) == path));
    let row = "| `docs/a.md`? | `x/src/run.rs` (`run`), `part.rs`, `other.rs`, `run/part.rs` and `x/src/`; `a.b`, `--flag a/b` |";
    assert_eq!(of(row), (6, vec![]));
    let nowhere = |path: &str| (1, vec![format!("ARCHITECTURE.md:1: {path}: no such file")]);
    assert_eq!(of("| `part.rs` |"), nowhere("part.rs"));
    assert_eq!(of("| `x/src/rum.rs` |"), nowhere("x/src/rum.rs"));
    assert_eq!(of("`x/src/rum.rs`").0, 0);
}
