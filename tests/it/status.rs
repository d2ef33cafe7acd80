//! `status`: how far a sweep is, beside it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};

fn with_agent(lines: &str) -> Folder {
    let agent = "kind = \"test-agent\"";
    Folder::with_experiment(&EXPERIMENT.replace(agent, &format!("{agent}\n{lines}")))
}

/// A command in the background whose standard output is kept.
fn start(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_it"));
    command.args(args).current_dir(folder.path("."));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn json(folder: &Folder) -> Value {
    folder.run(&["status", "small.toml", "--format", "json"]).json()
}

#[test]
fn states_are_counted_by_arm_and_nothing_is_written() {
    let folder = with_agent("behaviour = \"panic\"\nseeds = [1]");
    let before = folder.names();
    let status = json(&folder);
    assert_eq!((&status["runs"], &status["states"]["planned"]), (&12.into(), &12.into()));
    assert_eq!(status["left_s_estimate"], Value::Null);
    assert_eq!(folder.names(), before);

    assert_eq!(folder.run(&["sweep", "small.toml"]).code, 1);
    let files = folder.files("small", "manifest.json");
    let status = json(&folder);
    assert_eq!((&status["states"]["completed"], &status["states"]["failed"]), (&10.into(), &2.into()));
    let arms = status["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 6);
    let base = arms.iter().find(|arm| arm["arm"] == "base").unwrap();
    assert_eq!((&base["states"]["completed"], &base["states"]["failed"]), (&1.into(), &1.into()));
    let text = folder.run(&["status", "small.toml"]);
    assert!(text.ok().starts_with("small: 12 runs, 10 completed, 2 failed\n"), "{}", text.stdout);
    assert!(text.stdout.contains("2 failed: ") && text.stdout.contains("fell over"), "{}", text.stdout);
    // The same reason is told once.
    assert_eq!(status["reasons"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(folder.files("small", "manifest.json"), files);
    // Overrides make other runs.
    let others = folder.run(&["status", "small.toml", "--set", "seeds=3", "--format", "json"]).json();
    assert_eq!((&others["runs"], &others["states"]["planned"]), (&18.into(), &6.into()));
}

#[test]
fn a_running_sweep_is_seen_from_outside() {
    let folder = with_agent("behaviour = \"slow\"\ntotal_timesteps = 2000");
    let args = ["sweep", "small.toml", "--jobs", "2", "--set", "run.lease_s=3"];
    let mut sweep = start(&folder, &args);
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        let status = json(&folder);
        let running = status["running"].as_array().unwrap();
        if running.len() == 2 && running.iter().all(|run| run["steps_per_s"].is_number()) {
            break status;
        }
        assert!(Instant::now() < deadline, "no sign of life: {status}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let text = folder.run(&["status", "small.toml"]).ok().to_owned();
    let watch = start(&folder, &["status", "small.toml", "--watch"]);
    std::thread::sleep(Duration::from_millis(1000));
    for process in [sweep.id(), watch.id()] {
        assert!(Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap().success());
    }
    let run = &status["running"][0];
    assert_eq!((&run["pid"], &run["total_steps"]), (&sweep.id().into(), &2000.into()));
    assert!(run["steps"].as_u64().unwrap() > 0 && run["left_s"].as_f64().unwrap() > 0.0, "{run}");
    assert!(run["sign_age_s"].as_f64().unwrap() < 60.0, "{run}");
    assert!(status["left_s_estimate"].as_f64().unwrap() > 0.0, "{status}");
    assert!(text.contains("\nrunning ") && text.contains(" ago\n") && text.contains("an estimate"), "{text}");
    let watched = watch.wait_with_output().unwrap();
    assert!(watched.status.success(), "it ends with exit 0 when it is told to");
    assert!(String::from_utf8_lossy(&watched.stdout).starts_with("small: 12 runs, "));
    sweep.wait().unwrap();
    assert_eq!(json(&folder)["states"]["interrupted"], 2);
}

#[test]
fn a_watch_tells_what_is_new_and_ends_with_the_sweep() {
    let folder = with_agent("behaviour = \"slow\"\ntotal_timesteps = 100");
    let watch = start(&folder, &["status", "small.toml", "--watch", "--format", "json"]);
    std::thread::sleep(Duration::from_millis(500));
    folder.run(&["sweep", "small.toml"]).ok();
    let watched = watch.wait_with_output().unwrap();
    assert!(watched.status.success());
    let text = String::from_utf8(watched.stdout).unwrap();
    let looks: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let completed = |look: &Value| look["states"]["completed"].as_u64().unwrap();
    assert_eq!((completed(&looks[0]), completed(looks.last().unwrap())), (0, 12), "{text}");
    // Nothing left to wait for: it looks once.
    let again = folder.run(&["status", "small.toml", "--watch", "--format", "json"]);
    assert_eq!(again.ok().lines().count(), 1);
}

#[test]
fn wrong_input_is_refused() {
    let folder = Folder::with_experiment(EXPERIMENT);
    assert!(folder.run(&["status", "other.toml"]).refused().contains("other.toml"));
    let message = folder.run(&["status", "small.toml", "--set", "agent.behavior=panic"]).refused();
    assert!(message.contains("behaviour"), "{message}");
}
