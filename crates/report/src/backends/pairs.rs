//! Two runs that differ in the backend only, read side by side: steps, updates and trained parameters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use stats::quantile;
use store::{ExperimentStore, RunState, StoreError};
use trading_env::{Role, SplitName, StepRecord, UpdateRecord};

use crate::{PlanInfo, PlannedArm, ReportError, ReportRun};

/// Trained tensors, as agents save them. What stands beside them (the optimiser's moments) is not compared.
const POLICY: &str = "policy.safetensors";

/// How far apart the runs of an experiment are that differ in the backend only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BackendRecords {
    /// A pair per arm, seed and backend besides the reference.
    pub pairs: Vec<BackendPair>,
    /// What parameters are measured by: runs of successive seeds of one arm on the reference backend (indices into
    /// [`ReportInput::runs`](crate::ReportInput::runs)), and the relative distance between them.
    pub seeds: Vec<([usize; 2], f64)>,
    /// Environment steps per second by run: the median over its updates.
    pub speeds: BTreeMap<usize, f64>,
}

/// Two completed runs of one seed that differ in the backend only. Steps are those of training, in the order in which
/// they were taken, and count from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendPair {
    /// The run on the reference backend, as an index into [`ReportInput::runs`](crate::ReportInput::runs).
    pub reference: usize,
    /// The run on the other one.
    pub other: usize,
    /// Steps of the longer run.
    pub steps: usize,
    /// First step at which the log-probability, the value estimate, the reward or the action differs in any bit.
    pub first_difference: Option<usize>,
    /// First step at which another action is taken.
    pub first_action: Option<usize>,
    /// Largest difference of log-probabilities before the first other action; absent without a common one.
    pub log_prob: Option<f64>,
    /// Updates before the first that differs in any bit.
    pub equal_updates: usize,
    /// Updates of the longer run.
    pub updates: usize,
    /// Between the trained parameters; absent for agents that leave none.
    pub parameters: Option<Distance>,
}

impl BackendPair {
    /// Whether steps, updates and trained parameters are the same in every bit.
    pub fn is_equal(&self) -> bool {
        self.first_difference.is_none()
            && self.equal_updates == self.updates
            && self.parameters.is_none_or(|p| p.is_equal)
    }
}

/// How far apart the trained parameters of two runs are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// `||a - b|| / ||a||` over all numbers of the tensors that both have.
    pub relative: f64,
    /// Whether both hold the same tensors with the same bits.
    pub is_equal: bool,
}

/// Arms that are equal in everything but the backend, in plan order.
pub(crate) struct Alike {
    /// One per backend.
    pub arms: Vec<usize>,
}

impl Alike {
    /// The arm that the others are compared with: the first with a completed run, else the first.
    pub(crate) fn reference(&self, runs: &[ReportRun]) -> usize {
        let completed = |arm: &&usize| runs.iter().any(|r| r.arm == **arm && r.state == RunState::Completed);
        self.arms.iter().find(completed).copied().unwrap_or(self.arms[0])
    }
}

/// Kind of an arm's backend.
pub(crate) fn backend(arm: &PlannedArm) -> &str {
    arm.spec.get("backend").and_then(|b| b.get("kind")).and_then(Value::as_str).unwrap_or_default()
}

/// All arms of which there are twins on another backend.
pub(crate) fn alike(plan: &PlanInfo) -> Vec<Alike> {
    let subjects = || plan.arms.iter().enumerate().filter(|(_, arm)| arm.role == Role::Arm);
    let mut kinds = subjects().map(|(_, arm)| backend(arm));
    let first = kinds.next();
    if kinds.all(|kind| Some(kind) == first) {
        return Vec::new();
    }
    let mut found: Vec<Alike> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (index, arm) in subjects() {
        let rest: BTreeMap<&String, &Value> = arm.spec.iter().filter(|(key, _)| *key != "backend").collect();
        let key = serde_json::to_string(&rest).unwrap_or_default();
        let place = *places.entry(key).or_insert(found.len());
        match found.get_mut(place) {
            None => found.push(Alike { arms: vec![index] }),
            Some(alike) if alike.arms.iter().all(|i| backend(&plan.arms[*i]) != backend(arm)) => {
                alike.arms.push(index);
            }
            Some(_) => {}
        }
    }
    found.retain(|alike| alike.arms.len() > 1);
    found
}

impl BackendRecords {
    /// Reads what there is to compare, one pair of runs after the other. `dirs`: the folder of each run.
    pub(crate) fn read(
        store: &ExperimentStore,
        plan: &PlanInfo,
        runs: &[ReportRun],
        dirs: &[Option<PathBuf>],
    ) -> Result<Self, ReportError> {
        let mut records = Self::default();
        for alike in alike(plan) {
            let completed = |arm: usize| -> BTreeMap<u64, (usize, &Path)> {
                let of_arm = runs.iter().enumerate().zip(dirs);
                let of_arm = of_arm.filter(|((_, r), _)| r.arm == arm && r.state == RunState::Completed);
                of_arm.filter_map(|((i, run), dir)| Some((run.seed, (i, dir.as_deref()?)))).collect()
            };
            let reference = alike.reference(runs);
            let here = completed(reference);
            let mut compared: Vec<(usize, &Path)> = Vec::new();
            for arm in alike.arms.iter().filter(|arm| **arm != reference) {
                for (seed, (other, there)) in completed(*arm) {
                    let Some((index, dir)) = here.get(&seed).copied() else { continue };
                    let pair = BackendPair { reference: index, other, ..pair(store, dir, there)? };
                    records.pairs.push(pair);
                    records.speeds.extend(speed(store, there)?.map(|speed| (other, speed)));
                    compared.push((index, dir));
                }
            }
            compared.sort_unstable();
            compared.dedup();
            for (index, dir) in &compared {
                records.speeds.extend(speed(store, dir)?.map(|speed| (*index, speed)));
            }
            for two in compared.windows(2) {
                let between = parameters(store, two[0].1, two[1].1)?;
                records.seeds.extend(between.map(|d| ([two[0].0, two[1].0], d.relative)));
            }
        }
        Ok(records)
    }
}

/// Without the places of the runs, which only the caller knows.
fn pair(store: &ExperimentStore, reference: &Path, other: &Path) -> Result<BackendPair, ReportError> {
    let steps = [reference, other].map(|dir| store.read_steps(dir, Some(SplitName::Train)));
    let [a, b] = steps;
    let (a, b) = (a?, b?);
    let updates = [reference, other].map(|dir| store.read_updates(dir));
    let [before, after] = updates;
    let (before, after) = (before?, after?);
    let first_action = first(&a, &b, |a, b| a.action == b.action);
    Ok(BackendPair {
        reference: 0,
        other: 0,
        steps: a.len().max(b.len()),
        first_difference: first(&a, &b, same_numbers),
        first_action,
        log_prob: log_prob(&a, &b, first_action),
        equal_updates: before.iter().zip(&after).take_while(|(a, b)| same_update(a, b)).count(),
        updates: before.len().max(after.len()),
        parameters: parameters(store, reference, other)?,
    })
}

/// The first step (from 1) that is not the same; where one run ends before the other, the first that only one has.
fn first(a: &[StepRecord], b: &[StepRecord], is_same: fn(&StepRecord, &StepRecord) -> bool) -> Option<usize> {
    let differs = a.iter().zip(b).position(|(a, b)| !is_same(a, b));
    differs.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len()))).map(|i| i + 1)
}

/// Probabilities of different actions say nothing of each other, and after the first the runs see different things.
fn log_prob(a: &[StepRecord], b: &[StepRecord], first_action: Option<usize>) -> Option<f64> {
    let common = a.iter().zip(b).take(first_action.map_or(usize::MAX, |step| step - 1));
    let apart = common.filter_map(|(a, b)| Some((f64::from(a.log_prob?) - f64::from(b.log_prob?)).abs()));
    apart.reduce(f64::max)
}

fn same_numbers(a: &StepRecord, b: &StepRecord) -> bool {
    let bits = |row: &StepRecord| {
        (row.action, row.reward.to_bits(), row.log_prob.map(f32::to_bits), row.value.map(f32::to_bits))
    };
    bits(a) == bits(b)
}

/// Rust writes as many digits as tell a number from every other, and the sign of a zero.
fn same_update(a: &UpdateRecord, b: &UpdateRecord) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn parameters(store: &ExperimentStore, a: &Path, b: &Path) -> Result<Option<Distance>, ReportError> {
    let (Some(left), Some(right)) = (store.read_checkpoint(a, POLICY)?, store.read_checkpoint(b, POLICY)?)
    else {
        return Ok(None);
    };
    let tensors = |bytes, dir: &Path| {
        SafeTensors::deserialize(bytes).map_err(|e| {
            let path = dir.join("checkpoint").join(POLICY);
            ReportError::Store(StoreError::Invalid { path, problem: e.to_string() })
        })
    };
    Ok(distance(&tensors(&left, a)?, &tensors(&right, b)?))
}

/// `None` where no tensor of single precision stands in both.
fn distance(a: &SafeTensors<'_>, b: &SafeTensors<'_>) -> Option<Distance> {
    let mut names = a.names();
    names.sort_unstable();
    let (mut apart, mut size, mut n) = (0.0, 0.0, 0);
    let mut is_equal = names.len() == b.names().len();
    for name in names {
        let (Ok(left), Ok(right)) = (a.tensor(name), b.tensor(name)) else {
            is_equal = false;
            continue;
        };
        is_equal &= left == right;
        if left.dtype() != Dtype::F32 || right.dtype() != Dtype::F32 || left.shape() != right.shape() {
            continue;
        }
        n += left.data().len();
        for (left, right) in numbers(left.data()).zip(numbers(right.data())) {
            apart += (left - right).powi(2);
            size += left.powi(2);
        }
    }
    let relative = if apart == 0.0 { 0.0 } else { (apart / size).sqrt() };
    (n > 0).then_some(Distance { relative, is_equal })
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
}

/// Environment steps per second, median over the updates; absent for a run without any.
fn speed(store: &ExperimentStore, dir: &Path) -> Result<Option<f64>, ReportError> {
    let mut speeds: Vec<f64> = store.read_timing(dir)?.iter().map(|row| row.steps_per_s).collect();
    speeds.sort_by(f64::total_cmp);
    Ok((!speeds.is_empty()).then(|| quantile(&speeds, 0.5)))
}
