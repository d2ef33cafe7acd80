//! Plugins of the end-to-end tests: a backend without tensors, backends that are missing, and agents that learn
//! nothing much or fail in every way that a sweep has to live through.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use market_data::Bar;
use plugin::{BuildError, Content, Files, Plugin, schema_of};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use runner::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trading_env::{
    Account, Action, ActionMask, Agent, AgentContext, AgentError, AgentKind, BackendKind, Compute, Decision,
    Fill, FreezeReceipt, Learner, Observation, Rules, RulesKind, StepRecord, TensorDigest, TimingRecord,
    Training, UpdateRecord, rng,
};

/// The built-in plugins without burn, and those of this crate.
pub fn registry() -> Registry {
    let mut registry = Registry::default()
        .launcher(&runner::Local)
        .launcher(&runner::Isolated)
        .launcher(&runner::Slurm)
        .backend(&Host)
        .backend(&Absent)
        .backend(&Gated);
    for source in market_data::SOURCES {
        registry = registry.source(*source);
    }
    for rules in trading_env::RULES {
        registry = registry.rules(*rules);
    }
    registry = registry.rules(&HalfRules);
    for reward in trading_env::REWARDS {
        registry = registry.reward(*reward);
    }
    for agent in baselines::AGENTS {
        registry = registry.agent(*agent);
    }
    registry.agent(&TestAgent)
}

/// No device.
struct Host;

impl Compute for Host {
    fn describe(&self) -> String {
        "no device".to_owned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Plugin<BackendKind> for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn summary(&self) -> &'static str {
        "No tensors at all."
    }

    fn schema(&self) -> Value {
        schema_of::<NoParams>()
    }

    fn build(&self, _params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        Ok(Box::new(Host))
    }
}

/// A device that this machine does not have.
struct Absent;

impl Plugin<BackendKind> for Absent {
    fn name(&self) -> &'static str {
        "absent"
    }

    fn summary(&self) -> &'static str {
        "A device that no machine has."
    }

    fn schema(&self) -> Value {
        schema_of::<NoParams>()
    }

    fn build(&self, _params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        Err(BuildError::Unavailable("no such device on this machine".to_owned()))
    }
}

/// A device behind a cargo feature.
struct Gated;

impl Plugin<BackendKind> for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn summary(&self) -> &'static str {
        "A device behind a cargo feature."
    }

    fn schema(&self) -> Value {
        schema_of::<NoParams>()
    }

    fn build(&self, _params: &Value, _context: ()) -> Result<Box<dyn Compute>, BuildError> {
        Err(BuildError::MissingFeature { feature: "gate" })
    }
}

/// No parameters.
#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct NoParams {}

/// Rules of nobody's book: a buy spends half of the cash at the next close, a sell sells half of the shares.
struct HalfRules;

impl Rules for HalfRules {
    fn name(&self) -> &'static str {
        "half"
    }

    fn mask(&self, account: &Account) -> ActionMask {
        ActionMask([account.shares > 0.0, true, account.cash > 0.0])
    }

    fn advance(&self, account: &mut Account, action: Action, _now: &Bar, next: &Bar) -> Fill {
        let spent = match action {
            Action::Buy => account.cash / 2.0,
            Action::Sell => -account.shares * next.close / 2.0,
            Action::Hold => 0.0,
        };
        account.cash -= spent;
        account.shares += spent / next.close;
        account.price = next.close;
        Fill { traded: spent.abs(), cost: 0.0 }
    }
}

impl Plugin<RulesKind> for HalfRules {
    fn name(&self) -> &'static str {
        "half"
    }

    fn summary(&self) -> &'static str {
        "Half of what there is, each time."
    }

    fn schema(&self) -> Value {
        schema_of::<NoParams>()
    }

    fn build(&self, _params: &Value, _context: ()) -> Result<Box<dyn Rules>, BuildError> {
        Ok(Box::new(HalfRules))
    }
}

/// Text of an experiment with an arm for each of `values` of a key, on a synthetic market of 250 bars: many small runs.
pub fn many_runs(seeds: usize, agent: &str, key: &str, values: &[String]) -> String {
    format!(
        "seeds = {seeds}\n\
         backend = \"host\"\n\
         rules = \"investor-bench\"\n\
         reward = \"log-return\"\n\
         agent = \"{agent}\"\n\
         [data]\n\
         kind = \"synthetic-news\"\n\
         generator = {{ bars = 250, start = \"2020-01-01\", news_per_day = 1 }}\n\
         [split]\n\
         train = [\"2020-01-01\", \"2020-08-31\"]\n\
         test = [\"2020-09-01\", \"2020-12-10\"]\n\
         [sweep]\n\
         mode = \"grid\"\n\
         [sweep.axes]\n\
         \"{key}\" = [{}]\n",
        values.join(", ")
    )
}

/// What a [`TestAgent`] does in training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Behaviour {
    /// Trades at random and logs it.
    #[default]
    Learn,
    /// Panics.
    Panic,
    /// Reports divergence.
    Diverge,
    /// Logs a loss that is not a number and goes on.
    NanLoss,
    /// Decides what the rules forbid.
    Illegal,
    /// Claims a value estimate that is not a number when it is evaluated.
    NanValue,
    /// Hands in a receipt of a frozen tensor that moved.
    Moved,
    /// Asks for company, and trains only once another run of its kind trains too.
    Together,
    /// Ends its process without a word.
    Abort,
    /// Takes 300 MiB of memory and keeps them for a while.
    Hog,
    /// Takes five milliseconds per step.
    Slow,
    /// Begins once the folder has a file `released`.
    Held,
    /// Fails unless it has failed before in this folder.
    Once,
}

/// Where runs that train together meet.
static MEETING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

fn meet() -> Result<(), AgentError> {
    let (count, changed) = &MEETING;
    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
    *count += 1;
    changed.notify_all();
    let waited = changed.wait_timeout_while(count, Duration::from_secs(20), |count| *count < 2);
    match *waited.unwrap_or_else(PoisonError::into_inner).0 {
        0 | 1 => Err(AgentError::Other("nobody came".to_owned())),
        _ => Ok(()),
    }
}

/// Settings of a [`TestAgent`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct TestParams {
    /// What it does.
    behaviour: Behaviour,
    /// Seeds that behave so; the others learn. Empty: all.
    seeds: Vec<u64>,
    /// Environment steps of training.
    #[schemars(range(min = 1, max = 100000))]
    total_timesteps: u64,
    /// Step size of nothing at all.
    #[schemars(range(min = 0.0))]
    learning_rate: f64,
    /// Model that it looks at without reading it; empty: none.
    #[schemars(extend("x-unhashed" = true))]
    model: PathBuf,
}

impl Default for TestParams {
    fn default() -> Self {
        Self {
            behaviour: Behaviour::Learn,
            seeds: Vec::new(),
            total_timesteps: 40,
            learning_rate: 1e-3,
            model: PathBuf::new(),
        }
    }
}

/// An agent whose behaviour the experiment file chooses.
struct TestAgent;

impl Plugin<AgentKind> for TestAgent {
    fn name(&self) -> &'static str {
        "test-agent"
    }

    fn summary(&self) -> &'static str {
        "Trades at random, or fails as it is told."
    }

    fn schema(&self) -> Value {
        schema_of::<TestParams>()
    }

    fn content(&self, params: &Value, files: &Files) -> Result<Content, BuildError> {
        let model = plugin::params::<TestParams>(params)?.model;
        if model.as_os_str().is_empty() {
            return Ok(Content::default());
        }
        let invalid = |e: &dyn std::fmt::Display| BuildError::Invalid(format!("agent.model: {e}"));
        let found = hub::locate(&model, None, files).map_err(|e| invalid(&e))?;
        let bytes = std::fs::read(found.folder.join("config.json")).map_err(|e| invalid(&e))?;
        let digest = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        Ok(Content { files: vec![("config.json".to_owned(), digest)], pin: found.pin, imported: None })
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        plugin::params::<TestParams>(params).map(|p| Box::new(p) as Box<dyn Agent>)
    }
}

impl Agent for TestParams {
    fn side_by_side(&self) -> usize {
        if self.behaviour == Behaviour::Together { 4 } else { 1 }
    }

    fn learner(&self, seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        let hit = self.seeds.is_empty() || self.seeds.contains(&seed);
        let behaviour = if hit { self.behaviour } else { Behaviour::Learn };
        Ok(Box::new(TestLearner { params: self, behaviour, seed, bias: 0, evaluation: Vec::new() }))
    }

    fn load(&self, seed: u64, dir: &Path) -> Result<Box<dyn Learner + '_>, AgentError> {
        let path = dir.join("bias.txt");
        let text = std::fs::read_to_string(&path)
            .map_err(|e| AgentError::Other(format!("{}: {e}", path.display())))?;
        let bias =
            text.trim().parse().map_err(|_| AgentError::Other(format!("{}: no number", path.display())))?;
        let evaluation = Vec::new();
        Ok(Box::new(TestLearner { params: self, behaviour: Behaviour::Learn, seed, bias, evaluation }))
    }
}

struct TestLearner<'a> {
    params: &'a TestParams,
    behaviour: Behaviour,
    seed: u64,
    /// What training leaves behind: which of the legal actions it prefers.
    bias: usize,
    /// One stream per place among the observations.
    evaluation: Vec<ChaCha8Rng>,
}

impl TestLearner<'_> {
    /// Whether it is asked for the first time in this folder, which is that of the experiment.
    fn is_first(&self) -> bool {
        let mark = format!("failed-{}-{}", self.seed, self.params.learning_rate);
        std::fs::File::create_new(mark).is_ok()
    }
}

impl Learner for TestLearner<'_> {
    fn train(&mut self, training: Training<'_>) -> Result<(), AgentError> {
        match self.behaviour {
            Behaviour::Abort => std::process::abort(),
            Behaviour::Hog => {
                let taken = vec![1u8; 300 << 20];
                std::thread::sleep(Duration::from_secs(5));
                self.bias = usize::from(taken[self.bias]);
            }
            Behaviour::Once if self.is_first() => {
                return Err(AgentError::Other("for the first time".to_owned()));
            }
            Behaviour::Panic => panic!("seed {} of {} fell over", self.seed, self.params.total_timesteps),
            Behaviour::Diverge => {
                return Err(AgentError::Diverged {
                    update: 7,
                    what: "policy loss".to_owned(),
                    value: f64::INFINITY,
                });
            }
            Behaviour::Together => meet()?,
            Behaviour::Held => {
                while !Path::new("released").exists() {
                    std::thread::sleep(Duration::from_millis(5));
                    if !training.log.progress(0, self.params.total_timesteps) {
                        return Err(AgentError::Interrupted);
                    }
                }
            }
            _ => {}
        }
        let mut rng = rng(self.seed, "train");
        let mut envs = training.arena.training(self.seed);
        for step in 0..self.params.total_timesteps {
            if self.behaviour == Behaviour::Slow {
                std::thread::sleep(Duration::from_millis(5));
            }
            if !training.log.progress(step, self.params.total_timesteps) {
                return Err(AgentError::Interrupted);
            }
            let legal: Vec<Action> = envs.observe(0).mask.legal().collect();
            let choice = rng.random_range(0..legal.len());
            self.bias = self.bias.wrapping_add(choice);
            let end = envs.step(0, legal[choice]);
            training.log.step(StepRecord { log_prob: Some(-(legal.len() as f32).ln()), ..envs.record(0) });
            if end.terminated || end.truncated {
                envs.reset(0);
            }
        }
        let policy_loss = if self.behaviour == Behaviour::NanLoss { f64::NAN } else { 0.5 };
        training.log.update(UpdateRecord {
            policy_loss,
            global_step: self.params.total_timesteps,
            ..Default::default()
        });
        training.log.timing(TimingRecord::default());
        training.log.note("trained");
        Ok(())
    }

    fn reset(&mut self) {
        self.evaluation.clear();
    }

    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        let value = if self.behaviour == Behaviour::NanValue { f32::NAN } else { 0.0 };
        while self.evaluation.len() < observations.len() {
            self.evaluation.push(rng(self.seed, "evaluation"));
        }
        let decide = |(stream, observation): (&mut ChaCha8Rng, &Observation<'_>)| {
            let mut legal: Vec<Action> = observation.mask.legal().collect();
            if self.behaviour == Behaviour::Illegal {
                legal = Action::ALL.into_iter().filter(|a| !observation.mask.allows(*a)).collect();
            }
            let draw: usize = stream.random_range(0..97);
            let action = legal.get((draw + self.bias) % legal.len().max(1)).copied().unwrap_or(Action::Hold);
            Decision { action, log_prob: Some(-1.0), value: Some(value) }
        };
        Ok(self.evaluation.iter_mut().zip(observations).map(decide).collect())
    }

    fn save(&self, dir: &Path) -> Result<bool, AgentError> {
        let path = dir.join("bias.txt");
        std::fs::write(&path, self.bias.to_string())
            .map_err(|e| AgentError::Other(format!("{}: {e}", path.display())))?;
        Ok(true)
    }

    fn receipt(&self) -> Option<FreezeReceipt> {
        let after = if self.behaviour == Behaviour::Moved { "b" } else { "a" };
        let tensor = |name: &str, trained: bool, after: &str| TensorDigest {
            name: name.to_owned(),
            trained,
            before: "a".to_owned(),
            after: after.to_owned(),
        };
        Some(FreezeReceipt {
            tensors: vec![tensor("frozen", false, after), tensor("head", true, "c")],
            groups: vec![],
        })
    }
}
