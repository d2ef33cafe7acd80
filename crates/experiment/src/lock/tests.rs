use super::*;

fn model(commit: &str, files: &[(&str, &str)]) -> LockedModel {
    let files = files.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
    LockedModel { commit: commit.to_owned(), files }
}

#[test]
fn a_lock_is_read_back_and_grows() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = dir.path().join("small.toml");
    let mut lock = Lock::of(&experiment).unwrap();
    assert!(!lock.write().unwrap() && !lock.path().exists(), "nothing to lock, nothing written");

    lock.add("org/tiny", &model("c0ffee", &[("config.json", "aa")])).unwrap();
    assert!(lock.write().unwrap());
    assert_eq!(lock.path(), dir.path().join("small.lock"));
    let mut again = Lock::of(&experiment).unwrap();
    assert_eq!(again.commits().collect::<Vec<_>>(), [("org/tiny".to_owned(), "c0ffee".to_owned())]);
    assert_eq!(again, lock);

    // More of the same commit, and another repository.
    again.add("org/tiny", &model("c0ffee", &[("config.json", "aa"), ("model.safetensors", "bb")])).unwrap();
    again.add("org/other@v1", &model("beef", &[])).unwrap();
    again.write().unwrap();
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["small.lock"]);
    let text = std::fs::read_to_string(lock.path()).unwrap();
    for part in ["# Commits", "org/tiny", "c0ffee", "\"model.safetensors\" = \"bb\"", "org/other@v1"] {
        assert!(text.contains(part), "{part} is missing from:\n{text}");
    }

    let mut last = Lock::of(&experiment).unwrap();
    last.add("org/tiny", &model("c0ffee", &[("config.json", "aa")])).unwrap();
    assert!(!last.write().unwrap(), "what is known is not written again");
}

#[test]
fn a_file_that_is_not_the_locked_one_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut lock = Lock::of(&dir.path().join("small.toml")).unwrap();
    lock.add("org/tiny", &model("c0ffee", &[("config.json", "aa")])).unwrap();
    let error = lock.add("org/tiny", &model("c0ffee", &[("config.json", "ab")])).unwrap_err().to_string();
    let (path, message) = error.split_once("small.lock: ").unwrap();
    assert_eq!(Path::new(path), dir.path());
    assert_eq!(message, "org/tiny: config.json: expected sha256 aa, found sha256 ab");
}

#[test]
fn what_is_no_lock_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = dir.path().join("small.toml");
    for text in ["x", "[\"org/tiny\"]\ncommit = 3\n", "[\"org/tiny\"]\ncomit = \"a\"\n"] {
        std::fs::write(dir.path().join("small.lock"), text).unwrap();
        let error = Lock::of(&experiment).unwrap_err().to_string();
        assert!(error.contains("small.lock: "), "{error}");
    }
}
