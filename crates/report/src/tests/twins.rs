//! Runs of the same arms on several backends, as a sweep leaves them.

use std::path::Path;

use chrono::NaiveDate;
use report::{PlanInfo, PlannedRun};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use store::ExperimentStore;
use trading_env::{Action, SplitName, StepRecord, TimingRecord, UpdateRecord};

use super::demo::Demo;

/// What a run leaves of its training, and its score.
#[derive(Debug, Clone)]
pub struct Left {
    pub steps: Vec<StepRecord>,
    pub updates: Vec<UpdateRecord>,
    pub speeds: Vec<f64>,
    pub parameters: Vec<f32>,
    pub sharpe: Option<f64>,
}

/// A step of training.
pub fn step(t: u32) -> StepRecord {
    StepRecord {
        split: SplitName::Train,
        episode: 0,
        t,
        date: NaiveDate::from_ymd_opt(2010, 1, 4).expect("a day"),
        action: Action::Hold,
        position: 0.0,
        price: 100.0,
        cash: 1.0,
        equity: 1.0,
        reward: 0.0,
        log_prob: Some(-1.25),
        value: Some(0.5),
    }
}

/// Ten steps in two updates; the parameters 3 and 4 + seed.
pub fn left(seed: u64) -> Left {
    let update = |update| UpdateRecord { update, grad_norm: 0.1, ..UpdateRecord::default() };
    Left {
        steps: (0..10).map(step).collect(),
        updates: (0..2).map(update).collect(),
        speeds: vec![10.0, 90.0, 30.0],
        parameters: vec![3.0, 4.0 + seed as f32],
        sharpe: Some(1.0 + seed as f64),
    }
}

/// An arm on each of the backends for each of the ranks, and the baselines.
pub fn plan(backends: &[&str], ranks: &[u32], seeds: u64) -> (Demo, PlanInfo) {
    let demo = Demo {
        name: "backends",
        title: "The same arms on every backend",
        symbols: vec!["SYN"],
        seeds,
        days: 60,
        updates: 0,
        mode: "one-at-a-time",
        troubled: false,
        controls: false,
        rescored: false,
    };
    let mut plan = demo.plan();
    let base = plan.arms[0].clone();
    plan.arms.retain(|arm| arm.role == trading_env::Role::Baseline);
    let mut arms = Vec::new();
    for kind in backends {
        for rank in ranks {
            let mut arm = base.clone();
            arm.name = format!("backend={kind},rank={rank}");
            arm.axes.clear();
            arm.axes.insert("backend".to_owned(), json!(kind));
            arm.spec["backend"] = json!({ "kind": kind });
            arm.spec["agent"]["lora"]["rank"] = json!(rank);
            arms.push(arm);
        }
    }
    plan.arms.splice(..0, arms);
    plan.axes.clear();
    plan.runs.clear();
    for arm in &plan.arms {
        for seed in 0..seeds {
            let run_id = format!("{:016x}", plan.runs.len());
            plan.runs.push(PlannedRun { arm: arm.name.clone(), seed, run_id });
        }
    }
    (demo, plan)
}

fn parameters(values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![values.len()], &bytes).expect("as many bytes as numbers");
    safetensors::serialize([("head", view)], None).expect("serialises")
}

/// Runs the plan. `trained`: what the run of a backend, rank and seed leaves; `Err` is a reason to skip it.
pub fn run(
    root: &Path,
    demo: &Demo,
    plan: &PlanInfo,
    trained: impl Fn(&str, u64, u64) -> Result<Left, &'static str>,
) -> ExperimentStore {
    let store = ExperimentStore::open(root, demo.name);
    for planned in &plan.runs {
        let place = plan.arms.iter().position(|arm| arm.name == planned.arm).expect("the plan has the arm");
        let arm = &plan.arms[place];
        let kind = arm.spec["backend"]["kind"].as_str().unwrap_or_default();
        let mut start = demo.start(arm, planned);
        (start.backend, start.adapter) = (kind.to_owned(), format!("{kind} on a made-up device"));
        let rank = arm.spec["agent"]["lora"]["rank"].as_u64();
        let left = match rank.map(|rank| trained(kind, rank, planned.seed)).transpose() {
            Ok(left) => left,
            Err(reason) => {
                store.skip(&planned.run_id, false, &start, "", reason).expect("writes");
                continue;
            }
        };
        let mut writer = store.claim(&planned.run_id, false, &start, "").expect("claims").expect("is free");
        let test = demo.steps(arm, place, planned.seed);
        let mut info = demo.completed(arm, place, planned.seed, &test);
        if let Some(left) = left {
            left.steps.into_iter().for_each(|row| writer.step(row).expect("writes"));
            left.updates.into_iter().for_each(|row| writer.update(row).expect("writes"));
            for steps_per_s in left.speeds {
                writer.timing(TimingRecord { steps_per_s, ..TimingRecord::default() }).expect("writes");
            }
            let dir = writer.checkpoint_dir().expect("makes a folder");
            std::fs::write(dir.join("policy.safetensors"), parameters(&left.parameters)).expect("writes");
            if let Some(test) = info.metrics.test.as_mut().and_then(Value::as_object_mut) {
                test.insert("sharpe".to_owned(), json!(left.sharpe));
            }
        }
        test.into_iter().for_each(|row| writer.step(row).expect("writes"));
        writer.complete(info).expect("writes");
    }
    store
}
