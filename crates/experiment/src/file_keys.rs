//! The keys of an experiment file that belong to no section of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::selection::SelectionMetric;

/// Keys of the file itself.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileKeys {
    /// File that this one differs from, relative to this file; it may itself extend another. Not hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub extends: Option<String>,
    /// Title of the report. Not hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub title: Option<String>,
    /// Seeds of every arm: a count n for the seeds 0 to n-1, or a list. The list itself is not hashed.
    pub seeds: Seeds,
    /// Agents that the arms are compared with: kinds, or tables of a kind with its parameters. Each runs once per distinct data, split, rules and env among the arms, with every seed; reward and backend are the base's.
    pub baselines: Vec<Baseline>,
    /// Controls by name: the first arm of each distinct data, split, rules and env once more, with every seed, and with one possible cause taken away.
    pub controls: Vec<String>,
    /// Data that every arm, baseline and control is carried out on, each by itself and together in the report: tables of a `name` and of dotted keys of data, split, rules and env with their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Map<String, Value>>,
    /// How to run. Not hashed.
    pub run: RunOptions,
    /// Which arms to run; without it there is one arm, the base.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Sweep")]
    pub sweep: Option<Sweep>,
}

/// Seeds: a count or a list.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Seeds {
    /// This many, from 0.
    Count(#[schemars(range(min = 1, max = 100000))] u64),
    /// These.
    List(#[schemars(length(min = 1))] Vec<u64>),
}

impl Default for Seeds {
    fn default() -> Self {
        Seeds::Count(1)
    }
}

impl Seeds {
    pub(crate) fn list(&self) -> Vec<u64> {
        match self {
            Seeds::Count(n) => (0..*n).collect(),
            Seeds::List(list) => list.clone(),
        }
    }
}

/// A baseline agent: its kind, or a table with its kind and parameters. What it does not say it takes from the
/// experiment's own agent, where that is of another kind with the same keys (the model and the prompt of an agent that
/// reads); the rest are defaults.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Baseline {
    /// Kind of an agent.
    Kind(String),
    /// `kind` and parameters of an agent.
    Table(Map<String, Value>),
}

/// The `[run]` section: how to run. Nothing in it changes a result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunOptions {
    /// Runs at the same time, where up to eight of an arm that read a large model together count as one; 0 is one per core.
    #[schemars(range(max = 4096))]
    pub jobs: usize,
    /// Updates between two points from which an interrupted training goes on; 0: it begins again.
    pub checkpoint_every: u32,
    /// What a failed run does to those that have not begun.
    pub on_failure: OnFailure,
    /// Times that a failed run is begun again, as a new attempt, before it counts as failed.
    #[schemars(range(max = 100))]
    pub max_retries: u32,
    /// Seconds that a run may take since it was begun or taken up, after which it fails; 0: as many as it needs.
    pub time_limit_s: u64,
    /// Mebibytes of memory that a run may take, after which it fails; 0: as many as there are. Runs are then processes, as with `launcher = "isolated"`.
    pub memory_limit_mib: u64,
    /// Seconds without a sign of life after which a run of another machine is taken over.
    #[schemars(range(min = 2, max = 86400))]
    pub lease_s: u32,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            jobs: 0,
            checkpoint_every: 10,
            on_failure: OnFailure::Continue,
            max_retries: 0,
            time_limit_s: 0,
            memory_limit_mib: 0,
            lease_s: 60,
        }
    }
}

/// What a failed run does to those that have not begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Nothing.
    #[default]
    Continue,
    /// They are not begun; those in progress go on to their end.
    Stop,
}

/// How sweep axes make arms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The base, then each axis varied from it while the others keep the base's value: the usual ablation.
    #[default]
    OneAtATime,
    /// Every combination of the axes' values; the last axis varies fastest.
    Grid,
    /// The first values of all axes together, then the second ones, and so on.
    Zip,
    /// One arm per table of `sweep.list`.
    List,
    /// The base, then `sweep.n_samples` arms whose values are drawn from the axes; one of them all is selected on validation data.
    Random,
}

impl Mode {
    /// The word in experiment files.
    pub fn word(self) -> &'static str {
        match self {
            Mode::OneAtATime => "one-at-a-time",
            Mode::Grid => "grid",
            Mode::Zip => "zip",
            Mode::List => "list",
            Mode::Random => "random",
        }
    }
}

/// The `[sweep]` section. Not hashed.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sweep {
    /// How the axes make arms.
    pub mode: Mode,
    /// Values per quoted dotted key (`"agent.lora.rank" = [0, 4]`) or section (`reward = ["log-return"]`). A value may be a table, which is merged into what its key names. Mode `random` draws from a list, each value equally likely, or from a distribution between two bounds: `{ uniform = [0.0, 0.05] }`, `{ log_uniform = [1e-5, 1e-2] }`, and of whole numbers, both bounds included, `{ int_uniform = [8, 64] }`, `{ int_log_uniform = [1, 512] }`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(extend("additionalProperties" = { "anyOf": [
        { "type": "array", "minItems": 1 },
        { "type": "object", "additionalProperties": true },
    ] }))]
    pub axes: Map<String, Value>,
    /// Arms that mode `random` draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize", range(min = 1, max = 20000))]
    pub n_samples: Option<usize>,
    /// Seed of these draws, and of nothing in a run; 0 without it. Of the same seed, more samples begin with the same ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub seed: Option<u64>,
    /// Score of the validation part by which the report selects an arm, averaged over seeds; in mode `random` the Sharpe ratio without it. Other modes select no arm without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SelectionMetric")]
    pub select: Option<SelectionMetric>,
    /// Arms of mode `list`: tables of dotted keys and values, each with an optional `name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Map<String, Value>>,
    /// Keep only the arms that match one of these tables: every key of the table has the given value, or one of the given list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Map<String, Value>>,
    /// Drop the arms that match one of these tables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Map<String, Value>>,
}

impl Sweep {
    /// By what an arm is selected, if one is.
    pub(crate) fn selection(&self) -> Option<SelectionMetric> {
        self.select.or((self.mode == Mode::Random).then(SelectionMetric::default))
    }
}
