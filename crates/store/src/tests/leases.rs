//! Leases of other machines, holders that wake up late, results that a crash left half moved.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant, SystemTime};

use trading_env::UpdateRecord;

use super::sample::{RUN, start, step_row};
use crate::{CompletedInfo, ExperimentStore, Live, Published, RunState, RunWriter, StoreError};

fn claim(store: &ExperimentStore) -> Option<RunWriter> {
    store.claim(RUN, false, &start(RUN, "a", 0), "seed = 0\n").unwrap()
}

/// What a process on another machine has, whose last sign of life is this old.
fn lease_of_another_machine(run: &Path, number: u32, age: Duration) {
    let path = run.join(format!("lease.{number}"));
    let note = format!(r#"{{"lease":{number},"host":"node7","kernel":"another","pid":77,"lasts_s":60}}"#);
    fs::write(&path, note).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn a_run_of_another_machine_is_taken_over_when_it_gives_no_sign_of_life() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let run = store.dir().join(RUN);
    fs::create_dir_all(&run).unwrap();

    lease_of_another_machine(&run, 4, Duration::from_secs(50));
    assert_eq!(store.state(RUN).unwrap(), RunState::Running { host: "node7".to_owned(), pid: 77 });
    assert!(claim(&store).is_none(), "it may still be at work");

    lease_of_another_machine(&run, 4, Duration::from_secs(70));
    assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
    // A later sign than the lease itself.
    fs::write(run.join("live.json"), "{}").unwrap();
    assert!(matches!(store.state(RUN).unwrap(), RunState::Running { .. }));
    assert!(claim(&store).is_none());
    fs::remove_file(run.join("live.json")).unwrap();

    let ours = claim(&store).unwrap();
    assert!(run.join("lease.5").exists() && !run.join("lease.4").exists());
    assert_eq!(ours.complete(CompletedInfo::default()).unwrap(), Published::Yes);
    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
    assert!(!run.join("lease.5").exists(), "what has ended has no lease");
}

#[test]
fn a_holder_that_was_taken_over_publishes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let run = store.dir().join(RUN);
    // Its own lease, then that of another machine which found no sign of life of it.
    for (other, fails) in [(2, false), (4, true)] {
        let mut late = claim(&store).unwrap();
        late.step(step_row(0)).unwrap();
        assert!(!late.lost().is_so());
        lease_of_another_machine(&run, other, Duration::ZERO);
        late.save_point(1, &mut |_| -> Result<(), StoreError> { panic!("it is not its to save") }).unwrap();
        assert!(late.lost().is_so());
        let published = match fails {
            false => late.complete(CompletedInfo::default()).unwrap(),
            true => late.fail("boom", None).unwrap(),
        };
        assert_eq!(published, Published::Elsewhere);
        assert!(!run.join("steps.parquet").exists() && !run.join("lease.end").exists());
        assert_eq!(store.state(RUN).unwrap(), RunState::Running { host: "node7".to_owned(), pid: 77 });
        lease_of_another_machine(&run, other, Duration::from_secs(70));
    }
    assert_eq!(claim(&store).unwrap().complete(CompletedInfo::default()).unwrap(), Published::Yes);
    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
    assert!(store.read_steps(&run, None).unwrap().is_empty(), "no row of those that were taken over");
}

/// Dead between the decision that its result counts and the move of the files to their names.
#[test]
fn a_published_result_is_moved_to_its_names_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let run = store.dir().join(RUN);
    let mut writer = claim(&store).unwrap();
    writer.step(step_row(0)).unwrap();
    fs::write(writer.checkpoint_dir().unwrap().join("policy"), "weights").unwrap();
    let running = fs::read(run.join("manifest.json")).unwrap();
    writer.complete(CompletedInfo::default()).unwrap();
    let moved = ["updates.parquet", "checkpoint", "manifest.json", "timing.parquet", "steps.parquet"];
    let bytes = |name: &str| fs::read(run.join(name)).unwrap();
    let whole = (bytes("steps.parquet"), bytes("manifest.json"));

    for left in 1..=moved.len() {
        // As it was before the last `left` of the moves.
        let result = run.join("result.1.tmp");
        fs::create_dir(&result).unwrap();
        for name in moved.iter().filter(|name| **name == "manifest.json").chain(&moved).take(left) {
            if run.join(name).exists() {
                fs::rename(run.join(name), result.join(name)).unwrap();
            }
        }
        fs::write(run.join("manifest.json"), &running).unwrap();
        assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
        assert!(claim(&store).is_none(), "there is nothing left to compute");
        assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
        assert_eq!((bytes("steps.parquet"), bytes("manifest.json")), whole);
        assert_eq!(bytes("checkpoint/policy"), b"weights");
        assert!(!result.exists());
    }
}

/// The result is gone that somebody had published: it is computed again, not waited for for ever.
#[test]
fn a_result_that_was_published_and_is_gone_is_computed_again() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let run = store.dir().join(RUN);
    drop(claim(&store).unwrap());
    fs::copy(run.join("lease.1"), run.join("lease.end")).unwrap();
    assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
    assert_eq!(claim(&store).unwrap().complete(CompletedInfo::default()).unwrap(), Published::Yes);
    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
}

/// A file server may keep the locks of a machine that has vanished.
#[test]
fn a_lock_of_another_machine_does_not_keep_its_lease_alive() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let run = store.dir().join(RUN);
    fs::create_dir_all(&run).unwrap();
    lease_of_another_machine(&run, 1, Duration::from_secs(70));
    let locked = File::open(run.join("lease.1")).unwrap();
    locked.lock().unwrap();
    assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
    assert!(claim(&store).is_some());
}

#[test]
fn of_many_that_take_a_dead_lease_over_one_succeeds() {
    for _ in 0..20 {
        let root = tempfile::tempdir().unwrap();
        let store = ExperimentStore::open(root.path(), "demo");
        let run = store.dir().join(RUN);
        fs::create_dir_all(&run).unwrap();
        lease_of_another_machine(&run, 1, Duration::from_secs(70));
        let barrier = Barrier::new(6);
        let held: Vec<RunWriter> = std::thread::scope(|scope| {
            let claims: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        claim(&store)
                    })
                })
                .collect();
            claims.into_iter().filter_map(|c| c.join().unwrap()).collect()
        });
        assert_eq!(held.len(), 1);
    }
}

#[test]
fn signs_of_life_tell_how_far_a_run_is() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo").with_lease(Duration::from_secs(2));
    let mut writer = claim(&store).unwrap();
    let run = writer.dir().to_owned();
    assert_eq!(store.live(&run), None);
    writer.step(step_row(0)).unwrap();
    let row = UpdateRecord { update: 6, entropy: 0.5, episode_return: Some(0.25), ..UpdateRecord::default() };
    writer.update(row).unwrap();
    writer.progress(56, 800);
    let deadline = Instant::now() + Duration::from_secs(20);
    let live = loop {
        match store.live(&run) {
            Some(live) => break live,
            None if Instant::now() > deadline => panic!("no sign of life"),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(live.seconds > 0.0);
    let expected = Live {
        steps: 56,
        total: Some(800),
        steps_here: 1,
        seconds: live.seconds,
        updates: 7,
        episode_return: Some(0.25),
        entropy: Some(0.5),
    };
    assert_eq!(live, expected);
    drop(writer);
    assert_eq!(store.live(&run), None);
    assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
}

/// A machine that loses its power may leave the name of a file without its bytes.
#[test]
fn a_lease_without_bytes_is_nobodys() {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let run = store.dir().join(RUN);
    fs::create_dir_all(&run).unwrap();
    for bytes in [&b""[..], &[0; 80]] {
        fs::write(run.join("lease.3"), bytes).unwrap();
        assert_eq!(store.state(RUN).unwrap(), RunState::Interrupted);
    }
    assert_eq!(claim(&store).unwrap().complete(CompletedInfo::default()).unwrap(), Published::Yes);
    assert_eq!(store.state(RUN).unwrap(), RunState::Completed);
}
