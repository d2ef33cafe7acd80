//! States, claims, crashes and locks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Barrier;

use trading_env::Role;

use super::sample::{RUN, start, step_row};
use crate::{CompletedInfo, ExperimentStore, Metrics, RunState, RunWriter, StateWord};

fn claim(store: &ExperimentStore, fresh: bool) -> Option<RunWriter> {
    store.claim(RUN, fresh, &start(RUN, "a", 0), "seed = 0\n").unwrap()
}

/// Path and content of every file below `dir`.
fn snapshot(dir: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn a_run_is_planned_running_and_completed() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    assert_eq!(store.state(RUN).unwrap(), RunState::Planned);
    assert!(store.manifests().unwrap().is_empty() && store.trials().unwrap().is_empty());

    let run = claim(&store, false).unwrap();
    let RunState::Running { pid, host } = store.state(RUN).unwrap() else { panic!("is running") };
    assert_eq!(pid, std::process::id());
    assert!(!host.is_empty());
    assert_eq!(store.manifests().unwrap()[0].state, StateWord::Running);

    run.complete(CompletedInfo::default()).unwrap();
    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
    for name in
        ["spec.toml", "manifest.json", "steps.parquet", "updates.parquet", "timing.parquet", "log.txt"]
    {
        assert!(store.dir().join(RUN).join(name).is_file(), "{name}");
    }
    assert!(claim(&store, false).is_none(), "finished work is not taken up");
}

#[test]
fn two_openings_of_a_folder_cannot_hold_the_same_run() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (ExperimentStore::open(root.path(), "demo"), ExperimentStore::open(root.path(), "demo"));
    let held = claim(&one, false).unwrap();
    assert!(claim(&two, false).is_none());
    assert!(claim(&two, true).is_none(), "a fresh attempt does not start beside a running one");
    drop(held);
    assert_eq!(two.state(RUN).unwrap(), RunState::Interrupted);
    assert!(claim(&two, false).is_some());
}

#[test]
fn of_many_claims_at_once_one_succeeds() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let barrier = Barrier::new(8);
    let held: Vec<_> = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    claim(&store, false)
                })
            })
            .collect();
        claims.into_iter().filter_map(|c| c.join().unwrap()).collect()
    });
    assert_eq!(held.len(), 1);
}

/// A crash leaves a manifest that says running, temporary files, and possibly files already renamed.
#[test]
fn an_interrupted_run_is_taken_up_in_its_own_folder() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let mut run = claim(&store, false).unwrap();
    let dir = run.dir().to_owned();
    fs::write(run.checkpoint_dir().unwrap().join("half"), "of a checkpoint").unwrap();
    // What a killed process leaves: its temporary files, and its lock freed.
    fs::write(dir.join("steps.parquet.abc.tmp"), "half a row").unwrap();
    fs::write(dir.join("manifest.json.abc.tmp"), "{").unwrap();
    fs::create_dir(dir.join("checkpoint")).unwrap();
    fs::write(dir.join("checkpoint/old"), "renamed before the manifest").unwrap();
    drop(run);
    assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
    assert_eq!(store.runs().unwrap()[0].state, RunState::Interrupted);

    let mut run = claim(&store, false).unwrap();
    assert_eq!(run.dir(), dir);
    run.step(step_row(0)).unwrap();
    let checkpoint = run.checkpoint_dir().unwrap();
    assert!(fs::read_dir(&checkpoint).unwrap().next().is_none(), "a checkpoint begins empty");
    assert_eq!(run.checkpoint_dir().unwrap(), checkpoint);
    fs::write(checkpoint.join("whole"), "checkpoint").unwrap();
    run.complete(CompletedInfo::default()).unwrap();

    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
    assert_eq!(store.read_steps(&dir, None).unwrap(), [step_row(0)]);
    assert_eq!(fs::read_to_string(dir.join("checkpoint/whole")).unwrap(), "checkpoint");
    assert!(!dir.join("checkpoint/old").exists());
    let leftovers = snapshot(&dir);
    let has = |text: &str| leftovers.values().any(|v| v == text.as_bytes());
    assert!(has("half of a checkpoint") || has("of a checkpoint"));
    assert!(has("renamed before the manifest") && has("half a row"), "nothing is deleted");
}

#[test]
fn a_folder_without_manifest_is_taken_up() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    fs::create_dir_all(store.dir().join(RUN)).unwrap();
    assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
    assert!(store.runs().unwrap().is_empty());
    claim(&store, false).unwrap().complete(CompletedInfo::default()).unwrap();
    assert_eq!(store.attempts(RUN).unwrap().len(), 1);
}

#[test]
fn a_skipped_run_is_taken_up_and_a_failed_one_is_not() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    claim(&store, false).unwrap().skip("no CUDA device").unwrap();
    assert_eq!(store.state(RUN).unwrap(), RunState::Skipped { reason: "no CUDA device".to_owned() });
    assert!(!store.dir().join(RUN).join("steps.parquet").exists());

    let run = claim(&store, false).unwrap();
    assert!(matches!(store.state(RUN).unwrap(), RunState::Running { .. }));
    run.fail("boom", None).unwrap();
    assert!(claim(&store, false).is_none());
    let retried = claim(&store, true).unwrap();
    assert_eq!(retried.dir(), store.dir().join(format!("{RUN}.2")));
}

#[test]
fn fresh_attempts_leave_the_old_ones_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let mut run = claim(&store, false).unwrap();
    fs::write(run.checkpoint_dir().unwrap().join("head"), "1").unwrap();
    let metrics = Metrics { test: Some(serde_json::json!({"sharpe": 1.0})), ..Metrics::default() };
    run.complete(CompletedInfo { metrics, ..CompletedInfo::default() }).unwrap();
    let first = snapshot(&store.dir().join(RUN));

    let second = claim(&store, true).unwrap();
    assert!(matches!(store.state(RUN).unwrap(), RunState::Running { .. }));
    second.fail("boom", None).unwrap();
    assert_eq!(store.attempts(RUN).unwrap().iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2]);
    // The state is the latest attempt's; reports read the latest completed one.
    assert_eq!(store.state(RUN).unwrap().word(), "failed");
    let shown = store.runs().unwrap().remove(0);
    assert_eq!((shown.manifest.attempt, shown.state), (1, RunState::Completed));

    for _ in 3..=11 {
        claim(&store, true).unwrap().complete(CompletedInfo::default()).unwrap();
    }
    assert_eq!(store.runs().unwrap()[0].manifest.attempt, 11, "attempts are numbers, not words");
    assert_eq!(snapshot(&store.dir().join(RUN)), first, "no byte of the first attempt changed");
}

/// Two processes that want the same new attempt, one after the other: the second finds it done.
#[test]
fn an_attempt_that_somebody_else_has_done_is_not_done_again_as_the_next() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let (one, two) = (store.list().unwrap(), store.list().unwrap());
    let claim = |listing: &crate::Listing, attempt| {
        listing.claim(RUN, attempt, &start(RUN, "a", 0), "seed = 0\n").unwrap()
    };
    claim(&one, 1).unwrap().fail("boom", None).unwrap();
    assert!(claim(&two, 1).is_none());
    claim(&one, 2).unwrap().complete(CompletedInfo::default()).unwrap();
    assert!(claim(&two, 2).is_none() && claim(&two, 1).is_none());
    assert_eq!(store.attempts(RUN).unwrap().len(), 2);
    drop(claim(&one, 3).unwrap());
    assert!(claim(&two, 3).is_some(), "one that was left is gone on with");
}

#[test]
fn trials_count_everything_ever_started_once() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let begin =
        |id: &str, arm: &str, seed| store.claim(id, false, &start(id, arm, seed), "").unwrap().unwrap();
    begin("a0", "a", 0).complete(CompletedInfo::default()).unwrap();
    begin("a1", "a", 1).complete(CompletedInfo::default()).unwrap();
    begin("b0", "b", 0).fail("boom", None).unwrap();
    drop(begin("c0", "c", 0));
    let arms =
        |store: &ExperimentStore| store.trials().unwrap().into_iter().map(|t| t.arm).collect::<Vec<_>>();
    assert_eq!(arms(&store), ["a", "b", "c"]);
    assert!(store.trials().unwrap().iter().all(|t| t.role == Role::Arm));

    // Removing a run folder by hand does not lower the count, and a line cut short by a crash does not lose a run.
    fs::remove_dir_all(store.dir().join("b0")).unwrap();
    assert_eq!(arms(&store), ["a", "b", "c"]);
    let ledger = store.dir().join("ledger.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    // Cut within a letter of more than one byte.
    fs::write(&ledger, [&text.as_bytes()[..text.len() - 20], b"\xc3"].concat()).unwrap();
    assert_eq!(arms(&store), ["a", "b", "c"]);
    // Nor does it swallow the line that comes next.
    begin("d0", "d", 0).fail("boom", None).unwrap();
    fs::remove_dir_all(store.dir().join("d0")).unwrap();
    assert_eq!(arms(&store), ["a", "b", "d", "c"]);
}

#[test]
fn what_cannot_be_started_is_no_trial() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let skip = |fresh| store.skip(RUN, fresh, &start(RUN, "a", 0), "", "no CUDA device").unwrap();
    assert!(skip(false));
    assert_eq!(store.state(RUN).unwrap(), RunState::Skipped { reason: "no CUDA device".to_owned() });
    assert_eq!(store.trials().unwrap(), []);
    // Started elsewhere and abandoned, then skipped here: it was started.
    drop(claim(&store, false).unwrap());
    assert!(skip(false));
    assert_eq!(store.trials().unwrap().len(), 1);
    claim(&store, false).unwrap().complete(CompletedInfo::default()).unwrap();
    assert!(!skip(false), "a completed run is not put aside");
    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
    assert!(skip(true));
    assert_eq!(store.trials().unwrap().len(), 1);
}

#[test]
fn a_spec_that_was_ever_a_subject_is_a_trial_of_the_search() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let begin = |id: &str, role| {
        let start = crate::ManifestStart { role, ..start(id, "a", 0) };
        drop(store.claim(id, false, &start, "").unwrap().unwrap());
    };
    begin("a0", Role::Baseline);
    assert_eq!(store.trials().unwrap()[0].role, Role::Baseline);
    begin("a1", Role::Arm);
    begin("a2", Role::Control);
    let trials = store.trials().unwrap();
    assert_eq!((trials.len(), trials[0].role), (1, Role::Arm));
}

#[test]
fn experiments_are_listed_by_name() {
    let root = tempfile::tempdir().unwrap();
    let names =
        || ExperimentStore::all(root.path()).unwrap().iter().map(ExperimentStore::name).collect::<Vec<_>>();
    assert!(names().is_empty() && ExperimentStore::all(&root.path().join("none")).unwrap().is_empty());
    for name in ["two", "one"] {
        let store = ExperimentStore::open(root.path(), name);
        claim(&store, false).unwrap().complete(CompletedInfo::default()).unwrap();
    }
    fs::create_dir_all(root.path().join("notes/of mine")).unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    assert_eq!(names(), ["one", "two"]);
    // What is left when somebody removes the runs.
    fs::remove_dir_all(root.path().join("one").join(RUN)).unwrap();
    assert_eq!(names(), ["one", "two"]);
}

#[test]
fn names_that_are_no_run_ids_are_refused_or_ignored() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    for id in ["", "../x", "a/b", "ab.2", "XYZ"] {
        let error = store.claim(id, false, &start(id, "a", 0), "").err().expect(id).to_string();
        assert!(error.contains("run id"), "{error}");
    }
    assert!(!store.dir().exists(), "a refused claim creates nothing");
    fs::create_dir_all(store.dir().join("notes")).unwrap();
    fs::create_dir_all(store.dir().join("ab.1")).unwrap();
    fs::write(store.dir().join("ab"), "a file").unwrap();
    assert!(store.runs().unwrap().is_empty());
}

/// Only the fields that tell a state are read; they say the same wherever they stand, and what is broken is an error.
#[test]
fn a_state_needs_no_more_than_its_fields() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    claim(&store, false).unwrap().complete(CompletedInfo::default()).unwrap();
    let attempt = store.attempts(RUN).unwrap().remove(0);
    assert!(attempt.took.is_some_and(|took| took.as_secs() < 60));
    let path = attempt.dir.join("manifest.json");
    let text = |state: &str| format!("{{\"metrics\": {{}}, \"state\": {state}, \"started\": \"\"}}");
    fs::write(&path, text("\"failed\"")).unwrap();
    assert_eq!(store.state(RUN).unwrap(), RunState::Failed { reason: String::new(), step: None });
    for broken in [text("\"gone\""), text("\"failed\"")[..30].to_owned(), "{}".to_owned()] {
        fs::write(&path, broken).unwrap();
        assert!(store.state(RUN).unwrap_err().to_string().contains("manifest.json"));
    }
}
