//! What the report has to know of the plan besides the stored runs.

use experiment::SelectionMetric;
use serde_json::{Map, Value};
use trading_env::Role;

/// The plan of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanInfo {
    /// Name of the experiment, also of the report's folder.
    pub experiment: String,
    /// Title of the experiment file.
    pub title: Option<String>,
    /// How the axes make arms: `one-at-a-time`, `grid`, `zip`, `list`, `random`; absent without a sweep.
    pub mode: Option<String>,
    /// By what an arm is selected on the validation part; absent where none is.
    pub select: Option<SelectionMetric>,
    /// Resolved sections of the base.
    pub base: Map<String, Value>,
    /// Axes in the file's order.
    pub axes: Vec<PlannedAxis>,
    /// Arms in plan order, then baselines, then controls.
    pub arms: Vec<PlannedArm>,
    /// Runs in plan order.
    pub runs: Vec<PlannedRun>,
    /// The command that made the report, as one would type it.
    pub command: String,
}

/// One axis of the sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedAxis {
    /// Dotted key, for example `agent.lora.rank`, or a section.
    pub key: String,
    /// Its values as the file gives them, or its one distribution as a table.
    pub values: Vec<Value>,
}

/// One arm, baseline or control.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedArm {
    /// Name.
    pub name: String,
    /// Subject, baseline or control.
    pub role: Role,
    /// Value of each axis that the arm has.
    pub axes: Map<String, Value>,
    /// Resolved sections.
    pub spec: Map<String, Value>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRun {
    /// Name of its arm, baseline or control.
    pub arm: String,
    /// Seed.
    pub seed: u64,
    /// Run id.
    pub run_id: String,
}

impl PlanInfo {
    /// The plan of a loaded experiment, whose run ids only the runner knows.
    pub fn new(experiment: &experiment::Experiment, runs: Vec<PlannedRun>, command: &str) -> Self {
        let arm = |arm: &experiment::Arm| PlannedArm {
            name: arm.name.clone(),
            role: match arm.role {
                experiment::Role::Arm => Role::Arm,
                experiment::Role::Baseline => Role::Baseline,
                experiment::Role::Control => Role::Control,
            },
            axes: arm.axes.iter().cloned().collect(),
            spec: arm.spec.clone(),
        };
        Self {
            experiment: experiment.name.clone(),
            title: experiment.title.clone(),
            mode: experiment.mode.map(|m| m.word().to_owned()),
            select: experiment.select,
            base: experiment.base.clone(),
            axes: experiment
                .axes
                .iter()
                .map(|a| PlannedAxis { key: a.key.clone(), values: a.values.clone() })
                .collect(),
            arms: experiment.all().map(arm).collect(),
            runs,
            command: command.to_owned(),
        }
    }
}
