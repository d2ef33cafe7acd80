//! Sections and files for the tests: the shapes of real ones, few parameters.

use std::path::PathBuf;
use std::sync::Arc;

use plugin::{ParamError, PluginInfo, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ConfigErrors, Control, Experiment, Identity, Section, Sections, load};

/// Parameters of the learned agent.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Ppo {
    /// Step size of Adam.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    learning_rate: f64,
    /// Weight of the entropy.
    #[schemars(range(min = 0.0))]
    ent_coef: f64,
    /// Layers trained in full, from the top.
    n_trainable_layers: usize,
    /// Steps per rollout.
    #[schemars(range(min = 1))]
    num_steps: usize,
    /// Samples per minibatch.
    #[schemars(range(min = 1))]
    minibatch_size: usize,
    /// Low-rank adapters.
    lora: Lora,
    /// Folder of weights.
    #[schemars(extend("x-unhashed" = true))]
    checkpoint: Option<String>,
}

/// Low-rank adapters.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Lora {
    /// Rank; 0 is off.
    #[schemars(range(max = 64))]
    rank: usize,
    /// Scale.
    alpha: f64,
}

impl Default for Ppo {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            ent_coef: 0.01,
            n_trainable_layers: 2,
            num_steps: 64,
            minibatch_size: 32,
            lora: Lora::default(),
            checkpoint: None,
        }
    }
}

impl Default for Lora {
    fn default() -> Self {
        Self { rank: 0, alpha: 16.0 }
    }
}

/// Parameters of an agent that has keys in common with the learned one.
#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct Reader {
    /// Low-rank adapters.
    lora: Lora,
    /// Prompts read at once.
    batch: usize,
}

/// Parameters of an agent with a look-back.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Momentum {
    /// Bars looked back.
    #[schemars(range(min = 1))]
    window: usize,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { window: 20 }
    }
}

/// Nothing.
#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct Nothing {}

/// Parameters of a data source.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Csv {
    /// File.
    path: String,
    /// Asset.
    symbol: String,
    /// Column of the closing price.
    #[serde(default = "close")]
    close: String,
}

fn close() -> String {
    "close".to_owned()
}

/// Parameters of a reward.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Cvar {
    /// Tail share.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    alpha: f64,
}

impl Default for Cvar {
    fn default() -> Self {
        Self { alpha: 0.05 }
    }
}

/// Parameters of a launcher.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Queue {
    /// Name of a queue.
    partition: Option<String>,
    /// Cores of a task.
    #[schemars(range(min = 1))]
    cpus: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { partition: None, cpus: 1 }
    }
}

/// A day.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(extend("format" = "date"))]
struct Day(String);

/// Dates.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Split {
    /// First and last day of training.
    train: [Day; 2],
    /// First and last day of validation.
    #[serde(default)]
    valid: Option<[Day; 2]>,
    /// First and last day of the test.
    test: [Day; 2],
    /// Look-back bars.
    #[serde(default)]
    warmup: usize,
}

/// Episodes.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Env {
    /// Steps per episode.
    #[schemars(range(min = 1))]
    max_episode_steps: usize,
}

impl Default for Env {
    fn default() -> Self {
        Self { max_episode_steps: 65 }
    }
}

fn info<P: JsonSchema>(name: &'static str) -> PluginInfo {
    PluginInfo { name, summary: "A plugin.", schema: schema_of::<P>(), check: Arc::new(|_| Ok(())) }
}

fn ppo_check(params: &Value) -> Result<(), Vec<ParamError>> {
    let (steps, batch) = (params["num_steps"].as_u64().unwrap(), params["minibatch_size"].as_u64().unwrap());
    if steps % batch == 0 {
        return Ok(());
    }
    let expected = format!("a divisor of num_steps ({steps})");
    Err(vec![ParamError { key: "minibatch_size".to_owned(), found: batch.to_string(), expected }])
}

pub fn sections() -> Sections {
    let ppo = PluginInfo { check: Arc::new(ppo_check), ..info::<Ppo>("ppo-llm") };
    let agents = vec![
        ppo,
        info::<Momentum>("momentum"),
        info::<Nothing>("buy-and-hold"),
        info::<Nothing>("flat"),
        info::<Reader>("reader"),
    ];
    let rewards = vec![info::<Nothing>("log-return"), info::<Nothing>("sharpe-delta"), info::<Cvar>("cvar")];
    let nothing = |names: &[&'static str]| names.iter().map(|n| info::<Nothing>(n)).collect::<Vec<_>>();
    Sections::new(vec![
        Section::plugin("backend", "Device.", nothing(&["flex", "wgpu"]), Identity::Params).or_kind("flex"),
        Section::tables(
            "launcher",
            "Where runs go.",
            vec![info::<Nothing>("local"), info::<Queue>("slurm")],
            Identity::None,
        )
        .or_kind("local"),
        Section::plugin("data", "Bars.", vec![info::<Csv>("csv")], Identity::ContentOnly),
        Section::fixed("split", "Dates.", schema_of::<Split>(), Identity::Params),
        Section::plugin("rules", "Rules.", nothing(&["paper", "investor-bench"]), Identity::Params),
        Section::plugin("reward", "Reward.", rewards, Identity::Params),
        Section::fixed("env", "Episodes.", schema_of::<Env>(), Identity::Params),
        Section::plugin("agent", "Agent.", agents, Identity::Params),
    ])
    .with_controls(vec![
        control("no-lookback", "split.warmup", Value::from(0)),
        control("momentum", "agent", Value::from("momentum")),
        control("untrained", "agent.n_trainable_layers", Value::from(0)),
    ])
}

fn control(name: &str, key: &str, value: Value) -> Control {
    Control { name: name.to_owned(), doc: "A cause.".to_owned(), settings: vec![(key.to_owned(), value)] }
}

/// A complete experiment without a sweep.
pub const BASE: &str = r#"
rules = "paper"
reward = "log-return"
[data]
kind = "csv"
path = "a.csv"
symbol = "A"
[split]
train = ["2011-01-01", "2018-12-31"]
test = [2019-01-01, 2020-12-31]
[agent]
kind = "ppo-llm"
"#;

/// Files in a temporary folder.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn load(&self, name: &str, set: &[&str], env: &[(&str, &str)]) -> Result<Experiment, ConfigErrors> {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        load(&self.path(name), &set, &env, &sections())
    }

    /// The text of the errors, without the folder's name.
    pub fn errors(&self, name: &str, set: &[&str], env: &[(&str, &str)]) -> String {
        let errors = self.load(name, set, env).expect_err("the experiment should be refused");
        errors.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// `BASE` with `more` on top.
pub fn load_text(more: &str) -> Result<Experiment, ConfigErrors> {
    over_base(more).load("x.toml", &[], &[])
}

/// A folder with `base.toml` and an `x.toml` that extends it.
pub fn over_base(more: &str) -> Folder {
    Folder::new(&[("base.toml", BASE), ("x.toml", &format!("extends = \"base.toml\"\n{more}"))])
}

/// Errors of `BASE` with `more` on top; lines count from `more`'s first, which is line 2.
pub fn errors_of(more: &str) -> String {
    over_base(more).errors("x.toml", &[], &[])
}
