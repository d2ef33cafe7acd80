use super::*;

use plugin::Files;
use tempfile::TempDir;

use crate::locate;
use crate::loopback::{ID, Loopback};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

fn weights() -> Vec<u8> {
    (0..100_000u32).map(|i| (i % 251) as u8).collect()
}

/// A repository with one file of weights.
fn serve() -> Loopback {
    Loopback::serve(
        OLD,
        &[
            ("README.md", b"about"),
            ("config.json", b"{\"model_type\": \"llama\"}"),
            ("tokenizer.json", b"{\"model\": 1}"),
            ("tokenizer_config.json", b"{}"),
            ("generation_config.json", b"{}"),
            ("model.safetensors", &weights()),
            ("pytorch_model.bin", b"pickle"),
        ],
    )
}

fn id() -> RepoId {
    ID.parse().unwrap()
}

fn cache() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn hub(server: &Loopback, cache: &TempDir) -> Hub {
    // No token but one that a test gives.
    Hub::new(&cache.path().join("hub"), &server.endpoint, None).unwrap()
}

fn fetch(server: &Loopback, cache: &TempDir) -> Result<Fetched, HubError> {
    hub(server, cache).fetch(&id(), "main")
}

fn repository(cache: &TempDir) -> PathBuf {
    cache.path().join("hub/models--org--tiny")
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Where a download of the weights grows.
fn part(cache: &TempDir) -> PathBuf {
    repository(cache).join("blobs").join(sha256(&weights())).with_extension("part")
}

/// Requests for content of a file since the last look, as the bytes asked for.
fn ranges(server: &Loopback, file: &str) -> Vec<String> {
    let requests = std::mem::take(&mut server.content().requests);
    let of_file = requests.iter().filter(|r| r.starts_with("/cdn/") || r.starts_with("/cache/"));
    let ranges =
        of_file.filter_map(|r| r.split_once(&format!("/{file} ")).map(|(_, range)| range.to_owned()));
    ranges.filter(|range| range != "0-0").collect()
}

#[test]
fn a_model_arrives_in_the_layout_of_the_cache_and_is_found_there() {
    let (server, cache) = (serve(), cache());
    let fetched = fetch(&server, &cache).unwrap();
    assert_eq!(fetched.commit, OLD);
    assert_eq!(fetched.folder, repository(&cache).join("snapshots").join(OLD));
    assert_eq!(
        fetched.files,
        ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
    );
    assert_eq!(std::fs::read(fetched.folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(std::fs::read_to_string(repository(&cache).join("refs/main")).unwrap(), OLD);
    assert_eq!(std::fs::read_dir(&fetched.folder).unwrap().count(), 4, "nothing else was downloaded");

    let files = Files { hub: Some(cache.path().join("hub")), ..Files::default() };
    assert_eq!(locate(Path::new(ID), None, &files).unwrap().folder, fetched.folder);
    assert_eq!(locate(Path::new(ID), Some(OLD), &files).unwrap().folder, fetched.folder);
}

#[test]
fn what_is_there_is_checked_and_not_downloaded_again() {
    let (server, cache) = (serve(), cache());
    let first = fetch(&server, &cache).unwrap();
    assert_eq!(ranges(&server, "model.safetensors"), ["0-"]);
    assert_eq!(fetch(&server, &cache).unwrap(), first);
    assert_eq!(ranges(&server, "model.safetensors"), [""; 0]);

    // A file that went bad on disk is fetched again.
    let weights_file = first.folder.join("model.safetensors");
    std::fs::write(&weights_file, "gone bad").unwrap();
    fetch(&server, &cache).unwrap();
    assert_eq!(ranges(&server, "model.safetensors"), ["0-"]);
    assert_eq!(std::fs::read(&weights_file).unwrap(), weights());
}

#[test]
fn a_download_that_broke_off_is_resumed() {
    let (server, cache) = (serve(), cache());
    server.content().cut = Some(("model.safetensors".to_owned(), 60_000));
    let error = fetch(&server, &cache).unwrap_err();
    assert!(matches!(error, HubError::Connection { .. }), "{error:?}");
    assert!(error.to_string().contains("model.safetensors") && !error.is_input(), "{error}");
    assert_eq!(std::fs::read(part(&cache)).unwrap(), weights()[..60_000]);

    ranges(&server, "");
    let fetched = fetch(&server, &cache).unwrap();
    assert_eq!(ranges(&server, "model.safetensors"), ["60000-"]);
    assert_eq!(std::fs::read(fetched.folder.join("model.safetensors")).unwrap(), weights());
    assert!(!part(&cache).exists());
}

/// Killed between the last byte and the file's final name.
#[test]
fn a_download_that_only_lacked_its_name_is_made_again() {
    let (server, cache) = (serve(), cache());
    std::fs::create_dir_all(part(&cache).parent().unwrap()).unwrap();
    std::fs::write(part(&cache), weights()).unwrap();
    let fetched = fetch(&server, &cache).unwrap();
    assert_eq!(std::fs::read(fetched.folder.join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_file_that_is_not_what_the_hub_says_does_not_stay() {
    for file in ["model.safetensors", "tokenizer.json"] {
        let (server, cache) = (serve(), cache());
        server.content().corrupt = Some(file.to_owned());
        let error = fetch(&server, &cache).unwrap_err();
        assert!(matches!(error, HubError::Corrupt { .. }) && error.is_input(), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("org/tiny: {file}: expected ")), "{text}");
        assert!(text.contains("found"), "{text}");
        let snapshot = repository(&cache).join("snapshots").join(OLD);
        assert!(!snapshot.join(file).exists());
        assert!(std::fs::symlink_metadata(snapshot.join(file)).is_err(), "no link to nothing");
        assert!(!repository(&cache).join("refs/main").exists(), "an incomplete snapshot has no name");

        server.content().corrupt = None;
        fetch(&server, &cache).unwrap();
    }
}

/// A partial file with wrong bytes completes to a wrong whole.
#[test]
fn a_resumed_download_is_checked_as_a_whole() {
    let (server, cache) = (serve(), cache());
    std::fs::create_dir_all(part(&cache).parent().unwrap()).unwrap();
    std::fs::write(part(&cache), [7; 500]).unwrap();
    let error = fetch(&server, &cache).unwrap_err().to_string();
    assert!(error.contains("model.safetensors: expected sha256"), "{error}");
    fetch(&server, &cache).unwrap();
}

#[test]
fn shards_are_those_of_the_index() {
    let index = br#"{"weight_map": {"a": "model-00002-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"}}"#;
    let repository = |index: &[u8]| {
        Loopback::serve(
            OLD,
            &[
                ("config.json", b"{}"),
                ("tokenizer.json", b"{}"),
                ("model.safetensors.index.json", index),
                ("model-00001-of-00002.safetensors", b"one"),
                ("model-00002-of-00002.safetensors", b"two"),
                ("other.safetensors", b"three"),
            ],
        )
    };
    let fetched = fetch(&repository(index), &cache()).unwrap();
    assert_eq!(
        fetched.files[2..],
        [
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors"
        ]
    );
    for (index, found) in [
        ("no json", "weight_map"),
        (r#"{"weight_map": {"a": "../../x.safetensors"}}"#, "a: expected a .safetensors file"),
        (r#"{"weight_map": {"a": "missing.safetensors"}}"#, "missing.safetensors"),
        (r#"{"weight_map": {"a": "config.json"}}"#, "config.json"),
        (r#"{"weight_map": {"a": 1}}"#, "found 1"),
    ] {
        let error = fetch(&repository(index.as_bytes()), &cache()).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(found), "{error}");
    }
}

#[test]
fn pickle_is_never_fetched() {
    let server = Loopback::serve(
        OLD,
        &[("config.json", b"{}"), ("tokenizer.json", b"{}"), ("pytorch_model.bin", b"pickle")],
    );
    let cache = cache();
    let error = fetch(&server, &cache).unwrap_err();
    assert!(error.is_input(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("model.safetensors") && text.contains("pytorch_model.bin"), "{text}");
    assert!(!repository(&cache).exists());
}

#[test]
fn what_is_missing_is_named() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let server = serve();
        let mut content = server.content();
        let files = content.commits.get_mut(OLD).unwrap();
        files.remove(name);
        files.remove("pytorch_model.bin");
        drop(content);
        let error = fetch(&server, &cache()).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(&format!("there is no {name}")), "{error}");
    }
    let server = serve();
    let cache = cache();
    let hub = hub(&server, &cache);
    let other = hub.fetch(&"org/other".parse().unwrap(), "main").unwrap_err();
    assert!(matches!(other, HubError::NotFound { .. }) && other.to_string().contains("org/other"), "{other}");
    let revision = hub.fetch(&id(), "v9").unwrap_err().to_string();
    assert!(revision.contains("org/tiny") && revision.contains("\"v9\""), "{revision}");
}

#[test]
fn a_token_is_sent_and_asked_for() {
    let (server, cache) = (serve(), cache());
    server.content().token = Some("secret".to_owned());
    let with = |token: Option<&str>| {
        Hub::new(&cache.path().join("hub"), &server.endpoint, token.map(str::to_owned))
            .unwrap()
            .fetch(&id(), "main")
    };
    let without = with(None).unwrap_err().to_string();
    assert!(without.contains("401") && without.contains("HF_TOKEN"), "{without}");
    let wrong = with(Some("wrong")).unwrap_err().to_string();
    assert!(wrong.contains("401") && !wrong.contains("wrong") && !wrong.contains("HF_TOKEN"), "{wrong}");
    with(Some("secret")).unwrap();
    // `huggingface-cli login` leaves it in a file.
    std::fs::write(cache.path().join("token"), "secret\n").unwrap();
    with(None).unwrap();
}

#[test]
fn a_newer_commit_stands_beside_the_old_and_shares_what_is_equal() {
    let (server, cache) = (serve(), cache());
    let old = fetch(&server, &cache).unwrap();
    server.commit(
        NEW,
        &[
            ("config.json", b"{\"model_type\": \"qwen2\"}"),
            ("tokenizer.json", b"{\"model\": 1}"),
            ("model.safetensors", &weights()),
        ],
    );
    ranges(&server, "");
    let new = fetch(&server, &cache).unwrap();
    assert_eq!(new.commit, NEW);
    assert_eq!(ranges(&server, "model.safetensors"), [""; 0]);
    assert_eq!(std::fs::read(new.folder.join("model.safetensors")).unwrap(), weights());
    assert!(std::fs::read_to_string(old.folder.join("config.json")).unwrap().contains("llama"));
    assert!(std::fs::read_to_string(new.folder.join("config.json")).unwrap().contains("qwen2"));
    let again = hub(&server, &cache).fetch(&id(), OLD).unwrap();
    assert_eq!(again.folder, old.folder);
    assert_eq!(std::fs::read_to_string(repository(&cache).join("refs/main")).unwrap(), NEW);
}

#[test]
fn no_server_is_a_problem_of_the_connection() {
    let cache = cache();
    // Port 9 is `discard`, which nobody serves.
    let hub = Hub::new(cache.path(), "http://127.0.0.1:9/", None).unwrap();
    let error = hub.fetch(&id(), "main").unwrap_err();
    assert!(matches!(error, HubError::Connection { .. }), "{error:?}");
    assert!(error.to_string().starts_with("http://127.0.0.1:9: "), "{error}");
}
