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
    /// The task and the window that it is carried out on.
    pub place: Place,
}

/// What of an arm its counterparts on other tasks and windows do not share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// Where the experiment has tasks.
    pub task: Option<PlannedTask>,
    /// Where its split walks forward.
    pub window: Option<PlannedWindow>,
    /// What the report has made of several arms: windows joined, or tasks put together.
    pub made: Option<Made>,
}

/// An arm that no run of the plan belongs to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Made {
    /// Arms that were selected on validation data, one per window or task, where the made arm is what they come to.
    pub choices: Vec<String>,
    /// Whether no run is left that could change these choices.
    pub is_final: bool,
    /// Periods per year of its record; absent before any run has completed, and where tasks differ in it.
    pub periods_per_year: Option<f64>,
}

/// An arm's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTask {
    /// Name of the task.
    pub name: String,
    /// Name that the arm has on every task.
    pub variant: String,
}

/// An arm's window.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedWindow {
    /// From 1, in the order of time.
    pub number: usize,
    /// Name of the arm of which it is a window.
    pub arm: String,
    /// The split that all windows of that arm come from.
    pub split: Value,
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

impl PlannedArm {
    /// Arms that were selected for it, one per window or task; empty for any other arm.
    pub(crate) fn choices(&self) -> &[String] {
        self.place.made.as_ref().map_or(&[], |made| &made.choices)
    }
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
            place: Place {
                made: None,
                task: arm
                    .task
                    .as_ref()
                    .map(|name| PlannedTask { name: name.clone(), variant: arm.variant.clone() }),
                window: arm.window.as_ref().map(|window| PlannedWindow {
                    number: window.number,
                    arm: window.arm.clone(),
                    split: window.folded.clone(),
                }),
            },
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
