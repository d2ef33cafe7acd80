//! Processes that share a folder of runs, arms in processes of their own, and what failures may cost.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};

fn with_agent(lines: &str) -> Folder {
    let agent = "kind = \"test-agent\"";
    Folder::with_experiment(&EXPERIMENT.replace(agent, &format!("{agent}\n{lines}")))
}

/// A sweep in the background whose standard output is kept.
fn start(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_it"));
    command.args(["sweep", "small.toml"]).args(args).current_dir(folder.path("."));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn states(folder: &Folder, state: &str) -> Vec<String> {
    let manifests = folder.manifests("small");
    manifests.iter().filter(|(_, m)| m["state"] == state).map(|(name, _)| name.clone()).collect()
}

/// Lines of all attempts' logs that end like this.
fn log_lines(folder: &Folder, end: &str) -> usize {
    let logs = folder.files("small", "log.txt");
    logs.values().map(|log| String::from_utf8_lossy(log).lines().filter(|l| l.ends_with(end)).count()).sum()
}

#[test]
fn two_sweeps_on_one_folder_share_the_runs_and_publish_each_once() {
    let folder = with_agent("behaviour = \"slow\"\ntotal_timesteps = 100");
    let alone = with_agent("behaviour = \"slow\"\ntotal_timesteps = 100");
    alone.run(&["sweep", "small.toml"]).ok();

    let sweeps = [(); 2].map(|()| start(&folder, &["--jobs", "2", "--format", "json"]));
    let outputs = sweeps.map(|sweep| sweep.wait_with_output().unwrap());
    let mut executed = 0;
    for output in &outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let swept: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&swept["completed"], &swept["runs"]),
            (&12.into(), &12.into()),
            "neither ends before all have"
        );
        executed += swept["executed"].as_u64().unwrap();
    }
    assert_eq!(executed, 12, "each run is carried out by one of them");
    assert_eq!((log_lines(&folder, " started"), log_lines(&folder, " completed")), (12, 12));
    let ledger = std::fs::read_to_string(folder.path("runs/small/ledger.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), 12);
    for file in ["steps.parquet", "updates.parquet"] {
        assert!(folder.files("small", file) == alone.files("small", file), "{file}");
    }
}

#[test]
fn what_a_killed_sweep_leaves_is_done_by_one_that_waits() {
    let folder = with_agent("behaviour = \"held\"\nseeds = [0]");
    let mut first = start(&folder, &["--jobs", "2"]);
    wait_until("two runs are begun", || {
        folder.path("runs/small").is_dir() && states(&folder, "running").len() == 2
    });
    // Everything else is done beside it, and then it is waited for.
    let second = start(&folder, &["--jobs", "2"]);
    wait_until("the other runs are done", || states(&folder, "completed").len() == 10);
    first.kill().unwrap();
    first.wait().unwrap();
    folder.write("released", "");
    let second = second.wait_with_output().unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(states(&folder, "completed").len(), 12);
    assert_eq!(log_lines(&folder, " completed"), 12);
}

#[test]
fn an_arm_that_aborts_takes_no_other_with_it() {
    let folder = with_agent("behaviour = \"abort\"\nseeds = [1]\nlearning_rate = 0.01");
    let axes = "\"agent.learning_rate\" = [0.001, 0.01]";
    let text = std::fs::read_to_string(folder.path("small.toml")).unwrap();
    folder.write("small.toml", text.replace(axes, "\"agent.total_timesteps\" = [40, 41]"));
    let output = folder.run(&["sweep", "small.toml", "--isolate"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stdout.contains("10 of 12 runs completed, 2 failed"), "{}", output.stdout);
    assert!(output.stdout.contains("its process was ended by signal 6 (SIGABRT)"), "{}", output.stdout);
    // It stays so, and says so, until a retry.
    let again = folder.run(&["sweep", "small.toml", "--isolate"]);
    assert!(again.stdout.contains("nothing left to do: 10 of 12"), "{}", again.stdout);
}

/// A new attempt that dies is the one that failed, and no further one.
#[test]
fn a_retry_that_aborts_is_one_attempt() {
    let folder = with_agent("behaviour = \"abort\"\nseeds = [1]");
    assert_eq!(folder.run(&["sweep", "small.toml", "--isolate"]).code, 1);
    assert_eq!(states(&folder, "failed").len(), 2);
    assert_eq!(folder.run(&["retry", "small.toml", "--isolate"]).code, 1);
    assert_eq!((states(&folder, "failed").len(), folder.manifests("small").len()), (4, 14));
    let tried = folder.run(&["sweep", "small.toml", "--isolate", "--set", "run.max_retries=3"]);
    assert_eq!(tried.code, 1);
    assert_eq!((states(&folder, "failed").len(), folder.manifests("small").len()), (8, 18));
}

/// However their sweep ends, and be it without a word: its processes save where they are and end too.
#[test]
fn processes_do_not_outlive_their_sweep() {
    let folder = with_agent("behaviour = \"slow\"\nseeds = [0]\ntotal_timesteps = 20000");
    let mut sweep = start(&folder, &["--jobs", "1", "--isolate"]);
    wait_until("a run is begun", || {
        folder.path("runs/small").is_dir() && states(&folder, "running").len() == 1
    });
    let manifests = folder.manifests("small");
    let pid = manifests.values().next().unwrap()["process"]["pid"].as_u64().unwrap();
    assert_ne!(pid, u64::from(sweep.id()));
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    let is_there = || Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap().status.success();
    wait_until("its process ends", || !is_there());
    assert_eq!(log_lines(&folder, " interrupted"), 1);
}

#[test]
fn arms_in_processes_of_their_own_give_the_same_bytes() {
    let (one, many) = (Folder::with_experiment(EXPERIMENT), Folder::with_experiment(EXPERIMENT));
    one.run(&["sweep", "small.toml"]).ok();
    let output = many.run(&["sweep", "small.toml", "--isolate", "--jobs", "3"]);
    assert!(output.ok().contains("12 of 12 runs completed"), "{}", output.stdout);
    for file in ["steps.parquet", "updates.parquet", "spec.toml"] {
        assert!(one.files("small", file) == many.files("small", file), "{file}");
    }
    assert!(many.run(&["sweep", "small.toml", "--isolate"]).ok().contains("nothing left to do"));
}

/// Only where the system tells what a process takes.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_takes_too_much_memory_fails_alone() {
    let folder = with_agent("behaviour = \"hog\"\nseeds = [1]");
    let output = folder.run(&["sweep", "small.toml", "--set", "run.memory_limit_mib=200"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stdout.contains("10 of 12 runs completed, 2 failed"), "{}", output.stdout);
    assert!(output.stdout.contains("more than run.memory_limit_mib = 200"), "{}", output.stdout);
}

#[test]
fn a_run_that_takes_too_long_fails_alone() {
    let folder = with_agent("behaviour = \"slow\"\nseeds = [1]\ntotal_timesteps = 100000");
    let text = std::fs::read_to_string(folder.path("small.toml")).unwrap();
    folder.write(
        "small.toml",
        text.replace("[0.001, 0.01]", "[0.001]")
            .replace("total_timesteps = 100000", "total_timesteps = 2000"),
    );
    let output = folder.run(&["sweep", "small.toml", "--set", "run.time_limit_s=2"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stdout.contains("9 of 10 runs completed, 1 failed"), "{}", output.stdout);
    assert!(output.stdout.contains("took longer than run.time_limit_s = 2, at step "), "{}", output.stdout);
}

#[test]
fn a_failed_run_is_tried_as_often_as_the_file_says() {
    let folder = with_agent("behaviour = \"once\"\nseeds = [1]");
    let output = folder.run(&["sweep", "small.toml", "--set", "run.max_retries=1"]);
    assert!(output.ok().contains("12 of 12 runs completed"), "{}", output.stdout);
    let (failed, completed) = (states(&folder, "failed"), states(&folder, "completed"));
    assert_eq!((failed.len(), completed.len()), (2, 12));
    assert!(failed.iter().all(|name| completed.contains(&format!("{name}.2"))), "{failed:?} {completed:?}");

    // With retries left it does not end the sweep.
    let folder = with_agent("behaviour = \"once\"\nseeds = [1]");
    let set = ["--set", "run.max_retries=1", "--set", "run.on_failure=stop"];
    folder.run(&[&["sweep", "small.toml"], &set[..]].concat()).ok();

    // What fails for good is tried that often and no more, now and later.
    let folder = with_agent("behaviour = \"panic\"\nseeds = [1]");
    for _ in 0..2 {
        let output = folder.run(&["sweep", "small.toml", "--set", "run.max_retries=2"]);
        assert_eq!(output.code, 1);
        assert_eq!(states(&folder, "failed").len(), 6);
    }
}

#[test]
fn a_failure_can_end_a_sweep() {
    for launcher in ["local", "isolated"] {
        let folder = with_agent("behaviour = \"panic\"");
        let set = ["--set", "run.on_failure=stop", "--jobs", "1", "--launcher", launcher];
        let output = folder.run(&[&["sweep", "small.toml"], &set[..]].concat());
        assert_eq!(output.code, 1);
        assert!(output.stdout.contains("1 failed, 11 not finished"), "{launcher}: {}", output.stdout);
        assert_eq!(folder.manifests("small").len(), 1);
    }
}
