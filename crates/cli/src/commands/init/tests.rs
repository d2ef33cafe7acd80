use std::collections::BTreeSet;

use super::*;

/// Files at or below a folder of the repository.
fn files(root: &Path, path: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root.join(path)).unwrap() {
        let entry = entry.unwrap();
        let path = path.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => files(root, &path, into),
            false => drop(into.insert(path.to_str().unwrap().replace('\\', "/"))),
        }
    }
}

/// A file that is added to these folders is shipped too.
#[test]
fn everything_of_the_shipped_folders_is_in_the_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut there = BTreeSet::new();
    for folder in ["datasets", "experiments", "models/tiny-llama"] {
        files(&root, Path::new(folder), &mut there);
    }
    // A lock belongs to whoever swept, and the page about the data sets leads to others.
    there.retain(|path| !path.ends_with(".lock") && path != "datasets/README.md");
    there.insert(MARKER.to_owned());
    let shipped: BTreeSet<String> = SHIPPED.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(shipped, there);
    assert_eq!(SHIPPED.last().unwrap().0, MARKER);
}
