//! What an interrupted run goes on from, whatever became of its files.

use std::fs;
use std::path::{Path, PathBuf};

use super::sample::{RUN, start, step_row};
use crate::{CompletedInfo, ExperimentStore, RunWriter, StoreError, WarningKind};

fn claim(store: &ExperimentStore) -> RunWriter {
    store.claim(RUN, false, &start(RUN, "a", 0), "seed = 0\n").unwrap().unwrap()
}

/// Three steps per update, and a point after each of `points`.
fn train(run: &mut RunWriter, updates: std::ops::Range<u32>, points: &[u32]) {
    for update in updates {
        for t in 0..3 {
            run.step(step_row(3 * update + t)).unwrap();
        }
        if points.contains(&(update + 1)) {
            let save = |dir: &Path| {
                fs::write(dir.join("params"), format!("after {}", update + 1)).map_err(StoreError::io(dir))
            };
            run.save_point::<StoreError>(update + 1, &mut { save }).unwrap();
        }
    }
}

/// What the next process finds: updates done, what the learner saved, and rows.
fn found(store: &ExperimentStore) -> (Option<(u32, String)>, usize, RunWriter) {
    let mut run = claim(store);
    let mut rows = 0;
    let point = run.take_up(|r| rows += r.steps.len()).unwrap();
    let saved = point.map(|p| (p.updates, fs::read_to_string(p.state.join("params")).unwrap()));
    (saved, rows, run)
}

fn resume(store: &ExperimentStore) -> PathBuf {
    store.dir().join(RUN).join("resume")
}

fn interrupted(points: &[u32]) -> (tempfile::TempDir, ExperimentStore) {
    let root = tempfile::tempdir().unwrap();
    let store = ExperimentStore::open(root.path(), "demo");
    let mut run = claim(&store);
    assert_eq!(run.take_up(|_| ()).unwrap(), None);
    train(&mut run, 0..5, points);
    drop(run);
    (root, store)
}

#[test]
fn a_run_goes_on_from_its_last_point_and_ends_with_the_same_bytes() {
    let (_root, store) = interrupted(&[2, 4]);
    let (point, rows, mut run) = found(&store);
    assert_eq!((point, rows), (Some((4, "after 4".to_owned())), 12));
    train(&mut run, 4..6, &[6]);
    // Killed again, before anything new: the rows of the first process are still there.
    drop(run);
    let (point, rows, mut run) = found(&store);
    assert_eq!((point, rows), (Some((6, "after 6".to_owned())), 18));
    train(&mut run, 6..8, &[]);
    run.complete(CompletedInfo::default()).unwrap();
    assert!(!resume(&store).exists(), "a run that has ended has nothing to go on from");

    let (root, other) = interrupted(&[]);
    let (point, rows, mut run) = found(&other);
    assert_eq!((point, rows), (None, 0));
    train(&mut run, 0..8, &[]);
    run.complete(CompletedInfo::default()).unwrap();
    let steps = |store: &ExperimentStore| fs::read(store.dir().join(RUN).join("steps.parquet")).unwrap();
    assert_eq!(steps(&store), steps(&other));
    drop(root);
}

/// Begun on one CPU, on to another and back: neither gives these bytes alone, and the manifest says so.
#[test]
fn a_run_that_several_types_of_machine_computed_warns_of_it() {
    let claim_on = |store: &ExperimentStore, cpu: &str| {
        let mut start = start(RUN, "a", 0);
        cpu.clone_into(&mut start.machine.cpu);
        store.claim(RUN, false, &start, "seed = 0\n").unwrap().unwrap()
    };
    let warnings = |store: &ExperimentStore| store.manifests().unwrap().remove(0).warnings;
    let run_on = |cpus: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let store = ExperimentStore::open(root.path(), "demo");
        for (i, cpu) in (0..).zip(cpus) {
            let mut run = claim_on(&store, cpu);
            run.take_up(|_| ()).unwrap();
            train(&mut run, 2 * i..2 * (i + 1), &[2 * (i + 1)]);
            if usize::try_from(i).unwrap() + 1 == cpus.len() {
                run.complete(CompletedInfo::default()).unwrap();
            }
        }
        warnings(&store)
    };
    assert_eq!(run_on(&["X", "X", "X"]), []);
    let mixed = run_on(&["X", "Y", "Y", "X"]);
    assert_eq!((mixed.len(), mixed[0].kind, mixed[0].step), (1, WarningKind::MixedMachines, 6));
    assert_eq!(mixed[0].text, "X, CPU computed it, from step 6 on Y, CPU, from step 18 on X, CPU");
}

#[test]
fn a_damaged_point_counts_for_nothing() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 6] = [
        ("a file is cut", |dir| fs::write(dir.join("state.2/params"), "aft").unwrap()),
        ("a file is gone", |dir| fs::remove_file(dir.join("state.2/params")).unwrap()),
        ("the index is cut", |dir| fs::write(dir.join("state.2/index.json"), "{\"upd").unwrap()),
        ("the index is gone", |dir| fs::remove_file(dir.join("state.2/index.json")).unwrap()),
        ("rows are gone", |dir| fs::remove_dir_all(dir.join("rows.2")).unwrap()),
        ("rows are cut", |dir| fs::write(dir.join("rows.2/steps.parquet"), "PAR1").unwrap()),
    ];
    for (what, damage) in damages {
        let (_root, store) = interrupted(&[2, 4]);
        damage(&resume(&store));
        let (point, rows, mut run) = found(&store);
        assert_eq!((point, rows), (Some((2, "after 2".to_owned())), 6), "{what}");
        // The next point takes no name that is there.
        train(&mut run, 2..3, &[3]);
        drop(run);
        assert_eq!(found(&store).0, Some((3, "after 3".to_owned())), "{what}");
    }
    // Without any whole one the run begins again.
    let (_root, store) = interrupted(&[2, 4]);
    for state in ["state.1", "state.2"] {
        fs::remove_file(resume(&store).join(state).join("params")).unwrap();
    }
    let (point, rows, _run) = found(&store);
    assert_eq!((point, rows), (None, 0));
}

#[test]
fn what_a_crash_leaves_half_written_is_ignored() {
    let (_root, store) = interrupted(&[2]);
    fs::create_dir_all(resume(&store).join("state.2.tmp")).unwrap();
    fs::create_dir_all(resume(&store).join("rows.2")).unwrap();
    let (point, _, mut run) = found(&store);
    assert_eq!(point, Some((2, "after 2".to_owned())));
    train(&mut run, 2..4, &[4]);
    drop(run);
    assert_eq!(found(&store).0, Some((4, "after 4".to_owned())));
}

#[test]
fn two_points_are_kept_and_one_that_fails_loses_no_rows() {
    let (_root, store) = interrupted(&[1, 2, 3]);
    let names = |prefix: &str| {
        let names =
            fs::read_dir(resume(&store)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(prefix)).count()
    };
    assert_eq!((names("state."), names("rows.")), (2, 3));

    let (_, _, mut run) = found(&store);
    train(&mut run, 3..4, &[]);
    let broken = run.save_point(4, &mut |dir: &Path| {
        Err(StoreError::Invalid { path: dir.to_owned(), problem: "no room".to_owned() })
    });
    assert!(broken.is_err());
    train(&mut run, 4..5, &[5]);
    drop(run);
    let (point, rows, _run) = found(&store);
    assert_eq!((point, rows), (Some((5, "after 5".to_owned())), 15));
}
