//! Sweeps through stand-ins for Slurm's commands; `cargo xtask ci --only slurm` has the real ones.

#![cfg(unix)]

use crate::folder::{EXPERIMENT, Folder};

fn on_cluster() -> Folder {
    let mut folder = Folder::with_experiment(EXPERIMENT);
    let fake = concat!(env!("CARGO_MANIFEST_DIR"), "/slurm/fake");
    folder.set("PATH", &format!("{fake}:{}", std::env::var("PATH").unwrap()));
    folder
}

const SWEEP: [&str; 4] = ["sweep", "small.toml", "--launcher", "slurm"];

#[test]
fn a_cluster_computes_the_bytes_of_this_machine() {
    let (cluster, alone) = (on_cluster(), on_cluster());
    let output = cluster.run(&SWEEP);
    let said = output.stderr.clone();
    assert!(output.ok().contains("12 of 12 runs completed"), "{said}");
    assert!(said.contains("12 tasks for 12 runs"), "{said}");
    alone.run(&["sweep", "small.toml"]).ok();
    for file in ["steps.parquet", "updates.parquet"] {
        assert_eq!(cluster.files("small", file), alone.files("small", file), "{file}");
    }
    assert!(cluster.run(&SWEEP).ok().contains("nothing left to do"));
}

#[test]
fn a_lost_task_is_told_and_taken_up_by_the_next_sweep() {
    let mut folder = on_cluster();
    folder.set("DROP", "3");
    let output = folder.run(&[&SWEEP[..], &["--set", "launcher.slurm.runs_per_task=2"]].concat());
    assert_eq!(output.code, 1);
    assert!(
        output
            .stderr
            .contains("slurm job 47111_3: taken out of the queue before it began; 2 runs not finished"),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("2 not finished"), "{}", output.stdout);
    folder.set("DROP", "");
    let output = folder.run(&SWEEP);
    assert!(output.stderr.contains("slurm job 47112: 2 tasks for 2 runs"), "{}", output.stderr);
    output.ok();
}

#[test]
fn a_failed_run_is_a_failed_run_on_a_cluster_too() {
    let agent = "kind = \"test-agent\"";
    let folder = on_cluster();
    folder.write("small.toml", EXPERIMENT.replace(agent, &format!("{agent}\nbehaviour = \"panic\"")));
    let output = folder.run(&SWEEP);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("failed: "), "{}", output.stdout);
    assert!(!output.stderr.contains("not finished"), "{}", output.stderr);
}

#[test]
fn the_plan_is_the_script_and_needs_no_slurm() {
    let folder = Folder::with_experiment(&format!("{EXPERIMENT}\n[launcher.slurm]\npartition = \"gpu\"\n"));
    let output = folder.run(&[&SWEEP[..], &["--plan"]].concat());
    let plan = output.ok();
    for line in ["#SBATCH --array=0-11\n", "#SBATCH --partition=gpu\n", " work ", "--runs \"$runs\"\n"] {
        assert!(plan.contains(line), "{plan}");
    }
    assert_eq!(folder.names(), ["prices.csv", "small.toml"]);
}

#[test]
fn without_slurm_nothing_is_written() {
    let mut folder = Folder::with_experiment(EXPERIMENT);
    folder.set("PATH", "/nowhere");
    let message = folder.run(&SWEEP).refused();
    assert!(message.contains("small.toml: launcher: sbatch is not on PATH"), "{message}");
    assert_eq!(folder.names(), ["prices.csv", "small.toml"]);
}
