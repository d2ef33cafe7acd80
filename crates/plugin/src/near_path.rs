//! Near-miss names of files and folders.

use std::path::{Component, Path, PathBuf};

use crate::nearest;

/// ` (did you mean PATH?)` behind a path that is not there, see [`nearest_path`].
pub fn did_you_mean_path(path: &Path, counts: impl Fn(&Path) -> bool) -> String {
    path_hint(nearest_path(path, counts).as_deref())
}

/// ` (did you mean PATH?)` where there is a path `near`.
pub fn path_hint(near: Option<&Path>) -> String {
    near.map(|near| format!(" (did you mean {}?)", near.display())).unwrap_or_default()
}

/// The [`nearest_path`] of `path` below `root`, else of `path` below the folder `usual` of `root`, in which what a bare name
/// stands for lies as a rule.
pub fn nearest_path_or_usual(
    root: &Path,
    path: &Path,
    usual: &str,
    counts: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let places = [root.join(path), root.join(usual).join(path)];
    places.iter().find_map(|place| nearest_path(place, &counts))
}

/// What is there under the name that is closest to `path`, part by part; `counts` tells what may stand at its end. Names
/// with the same ending, or where `path` has none, are compared without it.
pub fn nearest_path(path: &Path, counts: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let next = found.join(part);
        let is_last = parts.peek().is_none();
        let is_meant = |path: &Path| if is_last { counts(path) } else { path.is_dir() };
        found = match part {
            Component::Normal(name) if !is_meant(&next) => nearest_in(&found, Path::new(name), is_meant)?,
            _ => next,
        };
    }
    Some(found)
}

fn nearest_in(dir: &Path, name: &Path, is_meant: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut names: Vec<PathBuf> = std::fs::read_dir(listed)
        .ok()?
        .flatten()
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|name| is_meant(&dir.join(name)))
        .collect();
    names.sort();
    let bare = |of: &Path| {
        let is_alike = name.extension().is_none_or(|ending| of.extension() == Some(ending));
        let text = if is_alike { of.file_stem() } else { of.file_name() };
        text.unwrap_or_default().to_string_lossy().into_owned()
    };
    let bare_names: Vec<String> = names.iter().map(|name| bare(name)).collect();
    let near = nearest(&bare(name), bare_names.iter().map(String::as_str))?;
    let at = bare_names.iter().position(|name| name == near)?;
    Some(dir.join(&names[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_mended_part_by_part() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for folder in ["experiments", "datasets/acme"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["experiments/acme.toml", "experiments/base.toml", "experiments/acme.lock", "acme.csv"] {
            std::fs::write(root.join(file), "").unwrap();
        }
        let is_toml = |path: &Path| path.is_file() && path.extension().is_some_and(|ending| ending == "toml");
        let near = |path: &str| {
            nearest_path(&root.join(path), is_toml).map(|p| p.strip_prefix(root).unwrap().to_owned())
        };
        for path in
            ["experiments/acne.toml", "experiment/acme.toml", "experimens/acmee", "experiments/acme.tml"]
        {
            assert_eq!(near(path), Some("experiments/acme.toml".into()), "{path}");
        }
        for path in ["experiments/xyz.toml", "nowhere/acme.toml", "acme.toml"] {
            assert_eq!(near(path), None, "{path}");
        }
        assert_eq!(nearest_path(&root.join("datasets/acm"), Path::is_dir), Some(root.join("datasets/acme")));
        let told = did_you_mean_path(&root.join("acm.csv"), Path::is_file);
        assert_eq!(told, format!(" (did you mean {}?)", root.join("acme.csv").display()));
        let or_usual = |path: &str| nearest_path_or_usual(root, Path::new(path), "experiments", is_toml);
        for path in ["acmee.toml", "acme", "experimens/acmee.toml"] {
            assert_eq!(or_usual(path), Some(root.join("experiments/acme.toml")), "{path}");
        }
        assert_eq!(or_usual("xyz.toml"), None);
        assert_eq!(path_hint(None), "");
    }
}
