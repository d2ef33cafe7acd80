//! A small network and a market for the tests of this crate.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use chrono::{Days, NaiveDate};
use llm::ParamSet;
use market_data::{BarSeries, Columns, Segment};
use trading_env::{
    AgentError, Arena, EnvBatch, EnvConfig, InvestorBench, LogReturn, LogReturnParams, Observation, Rules,
    RunLog, SplitName, StepRecord, TimingRecord, UpdateRecord,
};

use crate::actor_critic::{ActorCritic, Output};
use crate::mlp::{Mlp, POLICY_GAIN, VALUE_GAIN};

/// Sees the last log return in percent, and its size less 2.
pub struct TestNet {
    pub params: ParamSet,
    body: Mlp,
    policy: Mlp,
    value: Mlp,
}

impl TestNet {
    pub fn new(seed: u64) -> Self {
        let mut params = ParamSet::new(&Device::flex());
        let body = Mlp::body(&mut params, "body", 2, &[32], seed);
        let policy = Mlp::head(&mut params, "policy_head", [32, 3], &[], POLICY_GAIN, seed);
        let value = Mlp::head(&mut params, "value_head", [32, 1], &[], VALUE_GAIN, seed);
        Self { params, body, policy, value }
    }

    fn place(&self, batch: &[&[f32; 2]]) -> Tensor<2> {
        let rows: Vec<f32> = batch.iter().flat_map(|row| **row).collect();
        Tensor::from_data(TensorData::new(rows, [batch.len(), 2]), self.params.device())
    }
}

impl ActorCritic for TestNet {
    type Envs = EnvBatch;
    type Encoded = [f32; 2];

    fn encode(&mut self, observations: &[Observation<'_>]) -> Result<Vec<[f32; 2]>, AgentError> {
        let features = |o: &Observation<'_>| match o.history.closes(2) {
            [a, b] => {
                let percent = (100.0 * (b / a).ln()) as f32;
                [percent, percent.abs() - 2.0]
            }
            _ => [0.0; 2],
        };
        Ok(observations.iter().map(features).collect())
    }

    fn forward(&self, batch: &[&[f32; 2]]) -> Output {
        let hidden = self.body.forward(&self.params, self.place(batch));
        Output {
            logits: self.policy.forward(&self.params, hidden.clone()),
            values: self.value.forward(&self.params, hidden),
        }
    }

    fn forward_frozen(&self, batch: &[&[f32; 2]]) -> Output {
        let Output { logits, values } = self.forward(batch);
        Output { logits: logits.inner(), values: values.inner() }
    }

    fn params(&self) -> &ParamSet {
        &self.params
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        &mut self.params
    }
}

/// Prices whose every move announces the direction of the next: a move of 3 % is followed by a rise, one of 1 % by
/// a fall; directions are drawn from `seed`.
pub fn announced_market(seed: u64, n_bars: usize) -> BarSeries {
    use rand::RngExt;
    let mut rng = trading_env::rng(seed, "market");
    let ups: Vec<bool> = (0..=n_bars).map(|_| rng.random()).collect();
    let mut close = vec![100.0];
    for i in 1..n_bars {
        let size = if ups[i + 1] { 0.03f64 } else { 0.01 };
        let sign = if ups[i] { 1.0 } else { -1.0 };
        close.push(close[i - 1] * (sign * size).exp());
    }
    let first = NaiveDate::from_ymd_opt(2001, 1, 1).unwrap();
    let date = (0..n_bars).map(|i| first + Days::new(i as u64)).collect();
    BarSeries::from_columns("TEST", Some(252.0), Columns::of_closes(date, close)).unwrap()
}

pub fn arena(series: BarSeries, split: SplitName, env: EnvConfig) -> Arena {
    arena_under(Arc::new(InvestorBench), series, split, env)
}

pub fn arena_under(rules: Arc<dyn Rules>, series: BarSeries, split: SplitName, env: EnvConfig) -> Arena {
    let reward = LogReturn::new(LogReturnParams::default()).unwrap();
    Arena::new(Segment::whole(series), split, rules, Arc::new(reward), env).unwrap()
}

/// Keeps every row.
#[derive(Default)]
pub struct MemoryLog {
    pub steps: Vec<StepRecord>,
    pub updates: Vec<UpdateRecord>,
    pub timings: Vec<TimingRecord>,
    pub notes: Vec<String>,
    /// Ask to stop once this many steps are done.
    pub stop_at: Option<u64>,
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
    fn progress(&mut self, done: u64, total: u64) -> bool {
        assert!(done <= total);
        self.stop_at.is_none_or(|stop| done < stop)
    }
}
