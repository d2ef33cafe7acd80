//! A loaded experiment: what [`load`](crate::load) returns.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::run_spec::{self, Hashed, identity};
use crate::{Mode, RunOptions, RunSpec, Sections, SelectionMetric};

/// An experiment file with its layers merged, its sweep expanded and every arm checked.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Stem of the file's name: `ablation` for `experiments/ablation.toml`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// All files that were read, the lowest layer (the end of the `extends` chain) first.
    pub files: Vec<PathBuf>,
    /// `title`, if the file has one.
    pub title: Option<String>,
    /// Resolved sections of the base: what arms differ from. In modes other than `one-at-a-time` and `random` it need not be an
    /// arm itself, and a required key that every arm sets may be absent.
    pub base: Map<String, Value>,
    /// Arms in plan order.
    pub arms: Vec<Arm>,
    /// Baselines in plan order.
    pub baselines: Vec<Arm>,
    /// Controls in plan order.
    pub controls: Vec<Arm>,
    /// Seeds, distinct, in the order given.
    pub seeds: Vec<u64>,
    /// The resolved `launcher` section; null where [`Sections`](crate::Sections) has none.
    pub launcher: Value,
    /// How to run.
    pub run: RunOptions,
    /// Names of the tasks that every arm is carried out on, in file order; empty where the experiment names none.
    pub tasks: Vec<String>,
    /// Sweep axes in file order; empty in `list` mode.
    pub axes: Vec<Axis>,
    /// How the axes make arms; `None` without a `[sweep]` section.
    pub mode: Option<Mode>,
    /// By what an arm is selected on the validation part; `None` where none is.
    pub select: Option<SelectionMetric>,
}

impl Experiment {
    /// All arms, then all baselines, then all controls.
    pub fn all(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().chain(&self.baselines).chain(&self.controls)
    }

    /// Puts the windows of an arm in its place: an arm per value that `windows` has for the `section` of that arm; arms
    /// for which it has none stay.
    ///
    /// # Errors
    /// The first of `windows`.
    pub fn unfold<E>(
        mut self,
        section: &str,
        sections: &Sections,
        mut windows: impl FnMut(&Arm) -> Result<Option<Vec<Value>>, E>,
    ) -> Result<Self, E> {
        for arms in [&mut self.arms, &mut self.baselines, &mut self.controls] {
            let mut unfolded = Vec::with_capacity(arms.len());
            for arm in arms.drain(..) {
                match windows(&arm)? {
                    None => unfolded.push(arm),
                    Some(values) => unfolded.extend(
                        values.into_iter().zip(1..).map(|(value, k)| arm.window(k, section, value, sections)),
                    ),
                }
            }
            *arms = unfolded;
        }
        Ok(self)
    }

    /// The arm, baseline or control of that name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.all().find(|a| a.name == name)
    }
}

/// One sweep axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Dotted key, for example `agent.lora.rank`, or a section, for example `reward`.
    pub key: String,
    /// Its values as the file gives them (shorthand strings and tables kept); in mode `random` also its one distribution,
    /// as a table.
    pub values: Vec<Value>,
}

/// What an arm is in its experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A subject of the sweep.
    Arm,
    /// Something it is compared with.
    Baseline,
    /// A subject with one cause taken away.
    Control,
}

/// One resolved key that differs from the base.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Dotted key, for example `agent.lora.rank`.
    pub key: String,
    /// Value in the base; `None` where the base has no such key.
    pub base: Option<Value>,
    /// Value in the arm; `None` where the arm has no such key.
    pub arm: Option<Value>,
}

/// One resolved setting of everything but the seed.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Readable and stable, for example `base` or `n_trainable_layers=2`; unique in its experiment, and
    /// made of characters that every file system takes.
    pub name: String,
    /// Subject, baseline or control.
    pub role: Role,
    /// Value of each axis in this arm, in axis order. A whole-section axis gives the axis value as written (or the
    /// section's `kind`). An axis over a key that this arm does not have (a baseline's agent) is absent.
    pub axes: Vec<(String, Value)>,
    /// Resolved keys that differ from [`Experiment::base`].
    pub changes: Vec<Change>,
    /// Resolved sections that are part of a run, defaults filled, in section order.
    pub spec: Map<String, Value>,
    /// The task that it is carried out on; absent where the experiment names none.
    pub task: Option<String>,
    /// The window that it is carried out on, where [`Experiment::unfold`] has made several arms of one.
    pub window: Option<Window>,
    /// Its name without task and window: arms that differ in these only share it.
    pub variant: String,
    pub(crate) hashed: Hashed,
}

/// One of the windows that an arm was unfolded into.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// From 1, in the order of time.
    pub number: usize,
    /// Name of the arm before it was unfolded.
    pub arm: String,
    /// The section before it was unfolded, which all windows of the arm share.
    pub folded: Value,
    /// What made the arm's identity before.
    hashed: Hashed,
}

impl Arm {
    /// The run of this arm with `seed`.
    pub fn run(&self, seed: u64) -> RunSpec {
        RunSpec { sections: self.spec.clone(), seed, hashed: self.hashed.clone() }
    }

    /// [`RunSpec::run_id`] of this arm's run with `seed`.
    pub fn run_id(&self, seed: u64, contract: u32, digests: &[(String, String)]) -> String {
        identity(&self.hashed, contract, digests, Some(seed))
    }

    /// [`RunSpec::arm_key`] of what is tried with this arm: windows of one are one trial.
    pub fn trial_key(&self, contract: u32, digests: &[(String, String)]) -> String {
        let hashed = self.window.as_ref().map_or(&self.hashed, |window| &window.hashed);
        identity(hashed, contract, digests, None)
    }

    /// The arm with `value` as its `section`, as window `number`.
    fn window(&self, number: usize, section: &str, value: Value, sections: &Sections) -> Arm {
        let mut spec = self.spec.clone();
        let folded = spec.insert(section.to_owned(), value).unwrap_or_default();
        Arm {
            name: format!("{},window={number}", self.name),
            hashed: run_spec::hashed(&spec, sections),
            spec,
            window: Some(Window { number, arm: self.name.clone(), folded, hashed: self.hashed.clone() }),
            ..self.clone()
        }
    }

    /// Value of one axis in this arm.
    pub fn axis(&self, key: &str) -> Option<&Value> {
        self.axes.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }
}
