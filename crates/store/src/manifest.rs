//! `manifest.json`: what a run is, where it came from, how it ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::DateTime;
use plugin::Imported;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _, Serialize};
use serde_json::{Map, Value};
use trading_env::{DeviceInfo, FreezeReceipt, PromptCounts, Role};

/// What is known when a run starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestStart {
    /// Hash of the resolved run, 16 hex digits.
    pub run_id: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the arm, as tables show it.
    pub arm: String,
    /// Hash of the resolved spec without its seed: runs of one arm share it, and a trial is a distinct one.
    pub arm_key: String,
    /// Subject or baseline.
    pub role: Role,
    /// Values of the sweep's axes for this arm, by axis key (`agent.lora.rank`), in the sweep's order.
    pub axes: Map<String, Value>,
    /// Seed.
    pub seed: u64,
    /// Versions of what computed it.
    pub versions: Versions,
    /// Commit of the working tree, `-dirty` appended when it had changes; absent outside of a repository.
    pub git_commit: Option<String>,
    /// Backend, as in the experiment file.
    pub backend: String,
    /// Adapter and driver that the backend found.
    pub adapter: String,
    /// The device part by part; absent where nothing is known of it, as in manifests of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceInfo>,
    /// The machine.
    pub machine: Machine,
    /// The data.
    pub data: DataInfo,
    /// sha256 (hex) of every further file that entered the run's identity, such as a base checkpoint, by name.
    pub content: BTreeMap<String, String>,
    /// Commit of each model repository that was read, by the name that the settings give it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub models: BTreeMap<String, String>,
    /// The file that the model's folder was imported from, where it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub imported: Option<Imported>,
    /// The command that started it, program first.
    pub command: Vec<String>,
}

/// Versions of what computed a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// flaglab.
    pub flaglab: String,
    /// burn; absent in a binary without it.
    pub burn: Option<String>,
    /// Run contract: changes whenever equal settings may give other results.
    pub contract: u32,
}

/// The machine a run was computed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name of the CPU.
    pub cpu: String,
    /// Logical cores.
    pub cores: usize,
    /// Operating system and architecture, for example `linux x86_64`.
    pub os: String,
}

/// The data a run was computed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataInfo {
    /// Name of the asset.
    pub symbol: String,
    /// Content digest, see `BarSeries::fingerprint`.
    pub fingerprint: String,
    /// Number of bars.
    pub bars: usize,
    /// Kind of source, for example `investor-bench`.
    pub source: String,
}

/// The process that works on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Name of the host; `unknown` where the system does not tell.
    pub host: String,
    /// Process id there.
    pub pid: u32,
}

impl Process {
    /// This one.
    pub(crate) fn this() -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let named =
            kernel.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
        let host = named.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
        Self { host: host.unwrap_or_else(|| "unknown".to_owned()), pid: std::process::id() }
    }
}

/// State as the manifest says it. `running` without a lease in force means interrupted, see [`crate::RunState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    /// Started and not finished.
    Running,
    /// Finished with metrics.
    Completed,
    /// Stopped with a reason.
    Failed,
    /// Not run: the machine lacks something that it needs.
    Skipped,
}

/// Scores of one run per split; each is the JSON object of `flaglab evaluate`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Training split.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train: Option<Value>,
    /// Validation split.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid: Option<Value>,
    /// Test split.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<Value>,
}

/// What may be wrong with a run that completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// The trained policy decides the same at every bar of a split after the first one: it looks at nothing.
    ConstantAction,
    /// An update moved the policy far away from the one that had collected its samples.
    KlExplosion,
    /// It was taken up on another type of machine than it was begun on: neither gives its bytes alone.
    MixedMachines,
}

/// Something that a reader of a completed run must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is.
    pub kind: WarningKind,
    /// Environment steps of training that had been done by then.
    pub step: u64,
    /// In words, with the numbers.
    pub text: String,
}

/// What policies with about the turnover of a run's own, but without its timing, earn on the test split: its actions,
/// shifted in time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EqualTurnover {
    /// Shifts carried out.
    pub policies: usize,
    /// Mean of their log returns.
    pub mean_log_return: f64,
    /// 2.5 percent of them earned at most this.
    pub low: f64,
    /// 2.5 percent of them earned at least this.
    pub high: f64,
    /// How many earned at least what the run did.
    pub at_least: usize,
}

/// The decisions of a run's test split under other rules, carried out by their words (buy, sell, hold). The rules
/// differ in what a word does: `hold` is flat under `investor-bench` and keeps the position elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescored {
    /// Name of the rules: `paper`, `investor-bench` or `realistic` (fractional shares, no slippage).
    pub rules: String,
    /// Fee in basis points of the traded value; 0 where the rules know no cost.
    pub cost_bps: f64,
    /// The JSON object of `flaglab evaluate`.
    pub scores: Value,
}

/// What a run hands over when it completes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompletedInfo {
    /// Scores.
    pub metrics: Metrics,
    /// Its test decisions under other rules.
    pub rescored: Vec<Rescored>,
    /// Proof of what was trained; absent for agents without a network.
    pub receipt: Option<FreezeReceipt>,
    /// Prompts that it read; absent for agents that read none.
    pub prompts: Option<PromptCounts>,
    /// What may be wrong with it.
    pub warnings: Vec<Warning>,
    /// Its control for timing; absent for baselines.
    pub equal_turnover: Option<EqualTurnover>,
}

/// The whole of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What was known at the start.
    #[serde(flatten)]
    pub start: ManifestStart,
    /// Attempt, from 1.
    pub attempt: u32,
    /// State.
    pub state: StateWord,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// Update or step at which it failed, where known.
    pub step: Option<u64>,
    /// Who works or worked on it.
    pub process: Process,
    /// Start of the (last) stretch of work, UTC, RFC 3339.
    pub started: String,
    /// End, UTC, RFC 3339; absent while it runs.
    pub finished: Option<String>,
    /// Scores; empty until it completes.
    pub metrics: Metrics,
    /// Its test decisions under other rules, one entry per rules and cost; absent in manifests of earlier versions.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rescored: Vec<Rescored>,
    /// Proof of what was trained.
    pub receipt: Option<FreezeReceipt>,
    /// Prompts that the completed run read, and how many of them were shortened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompts: Option<PromptCounts>,
    /// What may be wrong with the completed run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<Warning>,
    /// The completed run's control for timing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub equal_turnover: Option<EqualTurnover>,
}

/// What of a manifest tells how far the attempt is.
#[derive(Debug)]
pub(crate) struct Brief {
    pub state: StateWord,
    pub reason: Option<String>,
    pub step: Option<u64>,
    started: String,
    finished: Option<String>,
}

impl Brief {
    /// Reads no further than the last of these fields, which scores and receipts come after: in sweeps of thousands of runs
    /// the rest would be most of the work.
    pub fn parse(text: &[u8]) -> serde_json::Result<Self> {
        let mut fields = BriefFields::default();
        let read = serde_json::Deserializer::from_slice(text).deserialize_map(&mut fields);
        let missing = |name: &'static str| serde_json::Error::missing_field(name);
        match fields {
            BriefFields {
                state: Some(state),
                started: Some(started),
                reason: Some(reason),
                step: Some(step),
                finished: Some(finished),
            } => Ok(Self { state, reason, step, started, finished }),
            // Broken before all were there; or whole and without some, as `Option`s may be.
            fields => {
                read?;
                Ok(Self {
                    state: fields.state.ok_or_else(|| missing("state"))?,
                    started: fields.started.ok_or_else(|| missing("started"))?,
                    reason: fields.reason.flatten(),
                    step: fields.step.flatten(),
                    finished: fields.finished.flatten(),
                })
            }
        }
    }

    /// Time of the last stretch of work, where it has an end.
    pub fn took(&self) -> Option<Duration> {
        let time = |text: &str| DateTime::parse_from_rfc3339(text).ok();
        (time(self.finished.as_deref()?)? - time(&self.started)?).to_std().ok()
    }
}

/// Fields of a [`Brief`] as they come.
#[derive(Debug, Default)]
struct BriefFields {
    state: Option<StateWord>,
    reason: Option<Option<String>>,
    step: Option<Option<u64>>,
    started: Option<String>,
    finished: Option<Option<String>>,
}

impl BriefFields {
    fn are_all_there(&self) -> bool {
        self.state.is_some()
            && self.reason.is_some()
            && self.step.is_some()
            && self.started.is_some()
            && self.finished.is_some()
    }
}

impl<'de> Visitor<'de> for &mut BriefFields {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "state" => self.state = Some(map.next_value()?),
                "reason" => self.reason = Some(map.next_value()?),
                "step" => self.step = Some(map.next_value()?),
                "started" => self.started = Some(map.next_value()?),
                "finished" => self.finished = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if self.are_all_there() {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }
}
