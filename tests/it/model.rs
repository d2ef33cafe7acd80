//! Models of a hub: fetched from a server on loopback, named by experiments, pinned by a lock.

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};
use crate::loopback::{ID, Loopback};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

fn files(config: &[u8]) -> [(&str, &[u8]); 4] {
    [
        ("README.md", b"about"),
        ("config.json", config),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", b"weights"),
    ]
}

/// An experiment that names the hub's model, and the hub.
fn folder() -> (Folder, Loopback) {
    let server = Loopback::serve(OLD, &files(b"{\"old\": 1}"));
    let text =
        EXPERIMENT.replace("kind = \"test-agent\"", &format!("kind = \"test-agent\"\nmodel = \"{ID}\""));
    let mut folder = Folder::with_experiment(&text);
    folder.set("HF_ENDPOINT", &server.endpoint);
    (folder, server)
}

fn fetch(folder: &Folder) -> Value {
    folder.run(&["model", "fetch", ID, "--format", "json"]).json()
}

#[test]
fn fetch_prints_the_folder_and_the_commit() {
    let (folder, _server) = folder();
    let text = folder.run(&["model", "fetch", ID]);
    let snapshot = folder.path(&format!("hf/hub/models--org--tiny/snapshots/{OLD}"));
    assert_eq!(text.ok(), format!("{}\ncommit {OLD}\n", snapshot.display()));
    let json = fetch(&folder);
    assert_eq!(json["folder"], snapshot.to_str().unwrap());
    assert_eq!((json["commit"].as_str(), json["id"].as_str()), (Some(OLD), Some(ID)));
    assert_eq!(std::fs::read(snapshot.join("model.safetensors")).unwrap(), b"weights");
}

#[test]
fn a_sweep_downloads_nothing_and_names_the_command_that_does() {
    let (folder, server) = folder();
    let before = folder.names();
    for args in [&["sweep", "small.toml"][..], &["sweep", "small.toml", "--plan"]] {
        let message = folder.run(args).refused();
        assert!(message.contains("agent.model: "), "{message}");
        assert!(message.contains("`it model fetch org/tiny`"), "{message}");
    }
    assert_eq!(folder.names(), before);
    assert!(server.content().requests.is_empty());
}

#[test]
fn the_first_sweep_pins_the_commit_and_later_ones_keep_it() {
    let (folder, server) = folder();
    fetch(&folder);
    folder.run(&["sweep", "small.toml", "--plan"]).ok();
    assert!(!folder.path("small.lock").exists(), "a plan writes nothing");
    folder.run(&["sweep", "small.toml"]).ok();
    let lock = std::fs::read_to_string(folder.path("small.lock")).unwrap();
    assert!(lock.contains(ID) && lock.contains(OLD) && lock.contains("\"config.json\" = "), "{lock}");
    let runs = folder.manifests("small");
    let of_agent = |runs: &std::collections::BTreeMap<String, Value>| {
        runs.values().filter(|m| m["models"].is_object()).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_agent(&runs).len(), 4);
    assert!(of_agent(&runs).iter().all(|m| m["models"][ID] == OLD));
    let report = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(report.contains(&format!("{ID}: commit {OLD}")));

    // The repository moves on, and so does the cache: the experiment does not.
    server.commit(NEW, &files(b"{\"new\": 1}"));
    assert_eq!(fetch(&folder)["commit"], NEW);
    let again = folder.run(&["sweep", "small.toml"]);
    assert!(again.ok().contains("nothing left to do"), "{}", again.stdout);
    assert_eq!(std::fs::read_to_string(folder.path("small.lock")).unwrap(), lock);
    // A stored policy is read with the model that it was trained on, the lock or not.
    let run = runs.iter().find(|(_, m)| m["models"].is_object()).unwrap().0;
    let run = format!("runs/small/{run}");
    let window = ["--from", "2020-05-01", "--to", "2020-06-30"];
    let args =
        [&["evaluate", "--policy", &run, "--data", "prices.csv", "--rules", "paper"], &window[..]].concat();
    folder.run(&args).ok();

    // Without its lock it takes up the newer commit: other runs.
    std::fs::remove_file(folder.path("small.lock")).unwrap();
    folder.run(&["sweep", "small.toml"]).ok();
    let after = folder.manifests("small");
    assert_eq!(of_agent(&after).iter().filter(|m| m["models"][ID] == NEW).count(), 4);
    assert!(std::fs::read_to_string(folder.path("small.lock")).unwrap().contains(NEW));
}

#[test]
fn a_pinned_commit_that_is_not_there_is_refused_with_its_command() {
    let (folder, _server) = folder();
    fetch(&folder);
    folder.run(&["sweep", "small.toml"]).ok();
    let snapshots = folder.path("hf/hub/models--org--tiny/snapshots");
    std::fs::remove_dir_all(snapshots.join(OLD)).unwrap();
    let message = folder.run(&["sweep", "small.toml", "--fresh"]).refused();
    assert!(message.contains(&format!("model fetch {ID} --revision {OLD}")), "{message}");
    folder.run(&["model", "fetch", ID, "--revision", OLD]).ok();
    folder.run(&["sweep", "small.toml"]).ok();

    // Nor is a file that is another than the locked one.
    std::fs::write(snapshots.join(OLD).join("config.json"), "{}").unwrap();
    let message = folder.run(&["sweep", "small.toml"]).refused();
    assert!(message.contains("small.lock: org/tiny: config.json: expected sha256"), "{message}");
}

#[test]
fn a_folder_of_that_name_wins() {
    let (folder, _server) = folder();
    std::fs::create_dir_all(folder.path(ID)).unwrap();
    folder.write(&format!("{ID}/config.json"), "{}");
    folder.run(&["sweep", "small.toml"]).ok();
    assert!(!folder.path("small.lock").exists());
    assert!(folder.manifests("small").values().all(|m| m["models"].is_null()));
}

#[test]
fn what_cannot_be_fetched_is_refused() {
    let (mut folder, server) = folder();
    let refused =
        |folder: &Folder, args: &[&str]| folder.run(&[&["model", "fetch"], args].concat()).refused();
    assert!(refused(&folder, &["gpt2"]).contains("OWNER/NAME"));
    assert!(refused(&folder, &[ID, "--revision", "../x"]).contains("expected a branch"));
    assert!(refused(&folder, &["org/other"]).contains("org/other"));
    assert!(refused(&folder, &[ID, "--revision", "v2"]).contains("\"v2\""));
    server.content().corrupt = Some("model.safetensors".to_owned());
    assert!(refused(&folder, &[ID]).contains("model.safetensors: expected sha256"));
    server.content().corrupt = None;
    server.content().token = Some("secret".to_owned());
    assert!(refused(&folder, &[ID]).contains("HF_TOKEN"));
    folder.set("HF_TOKEN", "secret");
    fetch(&folder);
    server.commit(NEW, &[("config.json", b"{}"), ("tokenizer.json", b"{}"), ("pytorch_model.bin", b"x")]);
    assert!(refused(&folder, &[ID]).contains("pytorch_model.bin"));
}

#[test]
fn no_connection_is_exit_1() {
    let (mut folder, _server) = folder();
    folder.set("HF_ENDPOINT", "http://127.0.0.1:9");
    let output = folder.run(&["model", "fetch", ID]);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("http://127.0.0.1:9"), "{}", output.stderr);
}
