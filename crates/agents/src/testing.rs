//! Markets, arenas and a log for the tests of this crate.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns, Segment};
use plugin::{BuildError, Catalog, Files, Plugin, SharedPool};
use rand::RngExt;
use serde_json::Value;
use trading_env::{
    Agent, AgentContext, AgentKind, Arena, Decision, EnvConfig, InvestorBench, Learner, LogReturn,
    LogReturnParams, Paper, Rules, RunLog, SplitName, StepRecord, TimingRecord, UpdateRecord, contract,
};

use crate::{AGENTS, FlexPlugin};

/// Moves of 1 %, each of which reverses the one before with probability 0.9; a headline names the last direction.
pub fn reverting_market(seed: u64, n_bars: usize) -> BarSeries {
    let mut rng = trading_env::rng(seed, "market");
    let mut close = vec![100.0f64];
    let mut up = true;
    let mut news = vec![Vec::new()];
    for i in 1..n_bars {
        up = if rng.random_bool(0.9) { !up } else { up };
        close.push(close[i - 1] * (if up { 0.01f64 } else { -0.01 }).exp());
        news.push(vec![
            if up { "Shares gain on strong demand" } else { "Shares slip on weak demand" }.to_owned(),
        ]);
    }
    let first = NaiveDate::from_ymd_opt(2001, 1, 1).unwrap();
    let date = (0..n_bars).map(|i| first + Days::new(i as u64)).collect();
    let columns = Columns { news, ..Columns::of_closes(date, close) };
    BarSeries::from_columns("TEST", Some(252.0), columns).unwrap()
}

pub fn env() -> EnvConfig {
    EnvConfig { num_envs: 2, max_episode_steps: 50, memory: 3, ..EnvConfig::default() }
}

pub fn arena(series: BarSeries, split: SplitName) -> Arena {
    arena_under(Arc::new(InvestorBench), series, split)
}

/// Under rules that mask.
pub fn masking_arena(series: BarSeries, split: SplitName) -> Arena {
    arena_under(Arc::new(Paper), series, split)
}

fn arena_under(rules: Arc<dyn Rules>, series: BarSeries, split: SplitName) -> Arena {
    let reward = LogReturn::new(LogReturnParams::default()).unwrap();
    Arena::new(Segment::whole(series), split, rules, Arc::new(reward), env()).unwrap()
}

/// Parameters of `name` with the defaults filled in; panics when the schema or the check refuses them.
pub fn resolved(name: &str, given: Value) -> Value {
    let plugin = agent_plugin(name);
    let params = resolved_unchecked(name, given);
    assert_eq!(plugin::check_value(&plugin.schema(), &params), []);
    plugin.check(&params).unwrap();
    params
}

/// Parameters of `name` with the defaults filled in, right or wrong.
pub fn resolved_unchecked(name: &str, given: Value) -> Value {
    let Value::Object(mut map) = given else { panic!("a table of parameters") };
    plugin::fill_defaults(&agent_plugin(name).schema(), &mut map);
    Value::Object(map)
}

/// Checks the promises of all agents on markets of `n_bars` bars.
pub fn check_promises(name: &str, given: &Value, n_bars: usize) {
    with_context(&SharedPool::default(), |context| {
        contract::agent(agent_plugin(name), given, context, n_bars);
    });
}

/// Decisions of one evaluation episode.
pub fn decisions(learner: &mut dyn Learner, arena: &Arena) -> Vec<Decision> {
    learner.reset();
    let mut envs = arena.evaluation();
    let mut made = Vec::new();
    while !envs.ended(0) {
        let decision = learner.decide(&envs.observations()).unwrap()[0];
        envs.step(0, decision.action);
        made.push(decision);
    }
    made
}

pub fn agent_plugin(name: &str) -> &'static dyn Plugin<AgentKind> {
    Catalog::new(AGENTS).get(name).unwrap()
}

/// Builds an agent on Flex, sharing through `shared`.
pub fn try_agent(name: &str, given: Value, shared: &SharedPool) -> Result<Box<dyn Agent>, BuildError> {
    with_context(shared, |context| agent_plugin(name).build(&resolved(name, given), context))
}

/// On Flex, with paths from this crate's folder.
pub fn with_context<T>(shared: &SharedPool, use_it: impl FnOnce(AgentContext<'_>) -> T) -> T {
    let files = Files { root: PathBuf::from(env!("CARGO_MANIFEST_DIR")), ..Files::default() };
    let compute = FlexPlugin.build(&serde_json::json!({}), ()).unwrap();
    use_it(AgentContext { files: &files, compute: &*compute, shared })
}

pub fn agent(name: &str, given: Value) -> Box<dyn Agent> {
    try_agent(name, given, &SharedPool::default()).unwrap()
}

/// Sum of rewards of one evaluation episode.
pub fn score(learner: &mut dyn Learner, arena: &Arena) -> f64 {
    learner.reset();
    let mut envs = arena.evaluation();
    let mut total = 0.0;
    while !envs.ended(0) {
        let action = learner.decide(&envs.observations()).unwrap()[0].action;
        total += envs.step(0, action).reward;
    }
    total
}

/// Log return of selling after each rise and buying after each fall.
pub fn reversal_score(closes: &[f64]) -> f64 {
    let moves: Vec<f64> = closes.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
    moves.windows(2).map(|m| -m[0].signum() * m[1]).sum()
}

/// Keeps every row.
#[derive(Default)]
pub struct MemoryLog {
    pub steps: Vec<StepRecord>,
    pub updates: Vec<UpdateRecord>,
    pub timings: Vec<TimingRecord>,
    pub notes: Vec<String>,
}

impl RunLog for MemoryLog {
    fn step(&mut self, row: StepRecord) {
        self.steps.push(row);
    }
    fn update(&mut self, row: UpdateRecord) {
        self.updates.push(row);
    }
    fn timing(&mut self, row: TimingRecord) {
        self.timings.push(row);
    }
    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }
    fn progress(&mut self, _done: u64, _total: u64) -> bool {
        true
    }
}
