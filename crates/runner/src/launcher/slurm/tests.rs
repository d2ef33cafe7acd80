//! Against stand-ins for Slurm's commands (`fake/`); `cargo xtask ci --only slurm` has the real ones.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use store::RunState;

use super::*;
use crate::launcher::{Group, Worker};

/// A cluster and an experiment's folder.
struct Stage {
    folder: tempfile::TempDir,
    settings: Settings,
    groups: Vec<Group>,
    /// What was told.
    said: Mutex<Vec<String>>,
    stopped: AtomicBool,
    may_start: AtomicBool,
}

impl Stage {
    /// Three runs of two arms; all tasks leave the queue at the `looks`-th look.
    fn new(looks: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for program in ["sbatch", "squeue", "scontrol", "scancel"] {
            let fake = format!("{}/src/launcher/slurm/fake/{program}", env!("CARGO_MANIFEST_DIR"));
            std::os::unix::fs::symlink(fake, bin.join(program)).unwrap();
        }
        let group = |arm: &str, runs: &[&str]| Group {
            arm: arm.to_owned(),
            runs: runs.iter().map(|run| (*run).to_owned()).collect(),
        };
        let stage = Self {
            folder,
            settings: Settings::default(),
            groups: vec![group("a", &["a0", "a1"]), group("b", &["b0"])],
            said: Mutex::default(),
            stopped: AtomicBool::new(false),
            may_start: AtomicBool::new(true),
        };
        for (file, text) in [("id", "10"), ("queue", ""), ("config", ""), ("jobs", "")] {
            stage.put(file, text);
        }
        stage.put("looks", &looks.to_string());
        stage
    }

    fn put(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join("bin").join(file), text).unwrap();
    }

    fn get(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("bin").join(file)).unwrap_or_default()
    }

    /// A file below `.slurm`.
    fn kept(&self, file: &str) -> PathBuf {
        self.folder.path().join("runs/x/.slurm").join(file)
    }

    fn submission(&self, job: u64) -> Submission {
        let text = std::fs::read_to_string(self.kept(&format!("{job}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn with<T>(&self, act: impl FnOnce(&Array, &Work<'_>) -> T) -> T {
        let queue = Queue { bin: Some(self.folder.path().join("bin")) };
        let array = Array { settings: self.settings.clone(), queue };
        let worker = Worker {
            program: "/bin/flaglab".into(),
            args: vec!["work".into(), "x.toml".into()],
            dir: "/".into(),
            env: Vec::new(),
        };
        // `a0` is done, `b0` was lost.
        let state = |run: &str| {
            Ok(match run {
                "a0" => RunState::Completed,
                "b0" | "b1" => RunState::Interrupted,
                _ => RunState::Failed { reason: "x".into(), step: None },
            })
        };
        act(
            &array,
            &Work {
                groups: &self.groups,
                jobs: NonZeroUsize::MIN,
                execute: &|_| panic!("nothing is executed here"),
                worker: &worker,
                folder: &self.folder.path().join("runs/x"),
                one_by_one: false,
                began: &|_| (),
                memory_limit_mib: 0,
                state: &state,
                process: &|_| Ok(None),
                fail: &|_, _| Ok(()),
                stopped: &|| self.stopped.load(Ordering::Relaxed),
                may_start: &|| self.may_start.load(Ordering::Relaxed),
                say: &|line| self.said.lock().unwrap().push(line.to_owned()),
            },
        )
    }

    fn launch(&self) -> Result<(), LaunchError> {
        self.with(|array, work| array.launch(work))
    }

    /// What was told since the last time, without the folder's name.
    fn said(&self) -> String {
        let said = std::mem::take(&mut *self.said.lock().unwrap()).join("\n");
        said.replace(&self.folder.path().display().to_string(), "")
    }
}

#[test]
fn one_array_is_submitted_followed_and_told_of() {
    let stage = Stage::new(2);
    stage.put(
        "jobs",
        "JobId=11 ArrayJobId=11 ArrayTaskId=2 JobState=TIMEOUT Reason=TimeLimit ExitCode=0:15 NodeList=n3\n",
    );
    std::fs::create_dir_all(stage.kept("1")).unwrap();
    stage.launch().unwrap();
    assert_eq!(
        stage.said(),
        "slurm job 11: 3 tasks for 3 runs, output in /runs/x/.slurm/2\n\
         slurm job 11: 0 tasks running, 3 waiting (Priority); 1 of 3 runs completed\n\
         slurm job 11_2: TIMEOUT (TimeLimit) on n3, exit 0:15; 1 run not finished\n\
         the next sweep takes up what is not finished"
    );
    assert_eq!(std::fs::read_to_string(stage.kept("2/tasks")).unwrap(), "a0\na1\nb0\n");
    let submission = stage.submission(11);
    assert!(submission.is_over && submission.folder == 2);
    assert_eq!(submission.tasks, [["a0"], ["a1"], ["b0"]]);
}

#[test]
fn the_end_of_a_lost_task_s_output_is_told_before_its_run_is_submitted_again() {
    let mut stage = Stage::new(2);
    stage.groups[0].runs[1] = "b1".into();
    stage.stopped.store(true, Ordering::Relaxed);
    stage.launch().unwrap();
    // The third task has ended, the second was taken out.
    let queue = stage.get("queue");
    stage.put("queue", queue.lines().next().unwrap());
    std::fs::write(stage.kept("1/task-2.log"), "begun\n\nCANCELLED\n").unwrap();
    stage.said();
    stage.launch().unwrap();
    assert_eq!(
        stage.said(),
        "slurm job 11_1: taken out of the queue before it began; 1 run not finished\n\
         slurm job 11_2: ended, Slurm does not say how; 1 run not finished; the end of \
         /runs/x/.slurm/1/task-2.log:\n    begun\n    CANCELLED\n\
         slurm job 11 of an earlier submission: followed\n\
         slurm job 12: 2 tasks for 2 runs, output in /runs/x/.slurm/2\n\
         slurm jobs 11, 12 go on without this command; the same command follows them, `scancel 11 12` ends them"
    );
}

#[test]
fn what_is_queued_is_followed_and_not_submitted_again() {
    let mut stage = Stage::new(5);
    stage.stopped.store(true, Ordering::Relaxed);
    stage.launch().unwrap();
    assert!(stage.said().ends_with(
        "slurm job 11 goes on without this command; the same command follows it, `scancel 11` ends it"
    ));
    assert!(!stage.submission(11).is_over);
    // One more seed.
    stage.groups[1].runs.push("b1".into());
    stage.launch().unwrap();
    let said = stage.said();
    assert!(
        said.starts_with(
            "slurm job 11 of an earlier submission: followed\nslurm job 12: 1 task for 1 run, output in \
             /runs/x/.slurm/2\n"
        ),
        "{said}"
    );
    assert!(
        said.ends_with(
            "slurm jobs 11, 12 go on without this command; the same command follows them, `scancel 11 12` ends them"
        ),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(stage.kept("2/tasks")).unwrap(), "b1\n");
    // And nothing more.
    stage.stopped.store(false, Ordering::Relaxed);
    stage.launch().unwrap();
    assert_eq!(stage.get("id").trim(), "12");
    assert!(stage.submission(11).is_over && stage.submission(12).is_over);
}

#[test]
fn tasks_that_have_left_the_queue_are_submitted_again() {
    let stage = Stage::new(1);
    stage.stopped.store(true, Ordering::Relaxed);
    stage.launch().unwrap();
    // Another cluster has a job of that number.
    stage.put("queue", "11|0|RUNNING|None|/elsewhere/script.sh\n");
    stage.launch().unwrap();
    assert!(stage.submission(11).is_over && !stage.submission(12).is_over);
    assert_eq!(stage.submission(12).tasks.len(), 3);
}

#[test]
fn a_large_sweep_is_several_arrays() {
    let mut stage = Stage::new(0);
    stage.settings.runs_per_task = 2;
    stage.settings.max_parallel = Some(4);
    stage.groups[0].runs = (0..9).map(|i| format!("a{i}")).collect();
    stage.put("config", "MaxArraySize            = 2\nMaxDBDMsgs = 7\n");
    let plan = stage.with(|array, work| array.plan(work)).unwrap().unwrap();
    assert!(plan.contains("#SBATCH --array=0-1%4\n"), "{plan}");
    assert!(plan.ends_with("\n# 2 more arrays like this one for the other 3 tasks\n"), "{plan}");
    assert!(!stage.kept("").exists(), "a plan writes nothing");
    stage.launch().unwrap();
    assert_eq!(stage.get("id").trim(), "13");
    assert_eq!(std::fs::read_to_string(stage.kept("3/tasks")).unwrap(), "a8,b0\n");
}

#[test]
fn a_refusal_carries_slurm_s_words() {
    let stage = Stage::new(1);
    stage.put("refuse", "");
    assert_eq!(
        stage.launch().unwrap_err().0,
        "sbatch: invalid partition specified: gqu; Batch job submission failed: Invalid partition name specified"
    );
    let queue = Queue { bin: Some("/nowhere".into()) };
    assert_eq!(
        queue.is_there().unwrap_err().0,
        "sbatch is not on PATH: the launcher slurm submits from a machine that has Slurm's commands"
    );
}

#[test]
fn a_controller_that_is_restarted_is_asked_again() {
    let stage = Stage::new(1);
    stage.put("silent", "");
    stage.launch().unwrap();
    let said = stage.said();
    assert!(said.contains("Unable to contact slurm controller (connect failure); asking again\n"), "{said}");
    assert!(stage.submission(11).is_over);
}

#[test]
fn after_a_failure_that_ends_the_sweep_waiting_tasks_are_taken_out() {
    let stage = Stage::new(2);
    stage.may_start.store(false, Ordering::Relaxed);
    stage.launch().unwrap();
    assert_eq!(stage.get("cancelled"), "--state=PENDING 11\n");
}

#[test]
fn a_record_that_is_broken_is_told() {
    let stage = Stage::new(1);
    std::fs::create_dir_all(stage.kept("")).unwrap();
    std::fs::write(stage.kept("7.json"), "{}").unwrap();
    assert!(stage.launch().unwrap_err().0.contains("7.json: missing field"));
}
