//! A store as a sweep leaves it: random walks instead of agents, scored like real runs.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use experiment::SelectionMetric;
use market_data::Periods;
use report::{
    Curve, Market, MarketDay, Place, PlanInfo, PlannedArm, PlannedAxis, PlannedRun, ReportInput, ReportRun,
};
use serde_json::{Map, Value, json};
use stats::TearSheet;
use store::{
    CompletedInfo, DataInfo, EqualTurnover, ExperimentStore, Machine, Manifest, ManifestStart, Metrics,
    Process, Rescored, RunState, StateWord, Versions, Warning, WarningKind,
};
use trading_env::{
    Action, FreezeReceipt, GroupNorm, PromptCounts, Role, SplitName, StepRecord, TensorDigest, UpdateRecord,
};

/// What a search draws from a distribution.
const RATE: &str = "agent.learning_rate";

/// What the demo's experiment looks like.
pub struct Demo {
    pub name: &'static str,
    pub title: &'static str,
    /// One data set or several, which then are an axis.
    pub symbols: Vec<&'static str>,
    pub seeds: u64,
    /// Decisions on the test window.
    pub days: usize,
    /// Updates of a learned arm; one that fails does so at update 17.
    pub updates: u32,
    pub mode: &'static str,
    /// Whether some runs fail, are skipped, were never started, or complete with warnings.
    pub troubled: bool,
    /// Whether the first arm has controls.
    pub controls: bool,
    /// Whether decisions are scored under other rules, as versions before did not.
    pub rescored: bool,
}

/// A sweep of the learning rate with many arms and four baselines.
pub fn many(arms: usize, seeds: u64, days: usize, updates: u32) -> (Demo, PlanInfo) {
    let demo = Demo {
        name: "many",
        title: "Many arms",
        symbols: vec!["SYN"],
        seeds,
        days,
        updates,
        mode: "one-at-a-time",
        troubled: false,
        controls: false,
        rescored: true,
    };
    let mut plan = demo.plan();
    let key = "agent.learning_rate";
    let rates: Vec<Value> = (1..=arms).map(|k| json!(k as f64 * 1e-5)).collect();
    let baselines = plan.arms.split_off(plan.arms.iter().filter(|a| a.role == Role::Arm).count());
    let arm = |rate: &Value| {
        let mut spec = base("SYN");
        set(&mut spec, key, rate);
        let axes = Map::from_iter([(key.to_owned(), rate.clone())]);
        PlannedArm {
            name: format!("learning_rate={rate}"),
            role: Role::Arm,
            axes,
            spec: object(spec),
            place: Place::default(),
        }
    };
    plan.arms = rates.iter().map(arm).chain(baselines).collect();
    plan.axes = vec![PlannedAxis { key: key.to_owned(), values: rates }];
    let runs = plan.arms.iter().flat_map(|arm| (0..seeds).map(|seed| (arm.name.clone(), seed))).enumerate();
    plan.runs = runs.map(|(i, (arm, seed))| PlannedRun { arm, seed, run_id: format!("{i:016x}") }).collect();
    (demo, plan)
}

/// Splitmix64 as standard normal numbers, near enough: the sum of twelve uniform ones.
pub struct Noise(pub u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn base(symbol: &str) -> Value {
    json!({
        "backend": {"kind": "flex"},
        "data": {"kind": "synthetic-news", "path": "datasets/synthetic-news", "symbol": symbol},
        "split": {"train": ["2011-01-03", "2017-12-29"], "valid": ["2018-01-02", "2018-12-31"], "test": ["2019-01-02", "2020-12-31"], "warmup": 10},
        "rules": {"kind": "investor-bench"},
        "reward": {"kind": "log-return"},
        "env": {"num_envs": 8, "max_episode_steps": 65, "random_start": true, "initial_cash": 100000.0, "memory": 10},
        "agent": {
            "kind": "ppo-llm", "n_trainable_layers": 2, "learning_rate": 0.0005, "num_steps": 40, "gamma": 0.95, "gae_lambda": 0.98,
            "total_timesteps": 13860, "target_kl": null, "lora": {"rank": 0, "alpha": 16.0, "targets": ["q", "v"]},
            "model": {"layers": 4, "hidden": 128}, "prompt": {"news": true},
        },
    })
}

fn set(spec: &mut Value, key: &str, value: &Value) {
    if key == "reward" {
        spec["reward"] = json!({"kind": value});
        return;
    }
    let slot = key.split('.').fold(spec, |at, part| &mut at[part]);
    *slot = value.clone();
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("expected an object, found {other}"),
    }
}

impl Demo {
    /// The plan; run ids number the runs.
    pub fn plan(&self) -> PlanInfo {
        let mut axes: Vec<(&str, Vec<Value>)> = vec![
            ("agent.n_trainable_layers", vec![json!(0), json!(1), json!(2), json!(4)]),
            ("agent.lora.rank", vec![json!(0), json!(4), json!(8)]),
            ("reward", vec![json!("log-return"), json!("sharpe-delta"), json!("differential-sharpe")]),
        ];
        let mut base_values = [json!(2), json!(0), json!("log-return")];
        if self.selects() {
            axes[0] = (RATE, vec![json!({ "log_uniform": [1e-5, 1e-2] })]);
            base_values[0] = json!(5e-4);
        }
        let mut arms = Vec::new();
        let mut add = |name: String, role, values: Vec<(&str, Value)>, agent: Option<&str>| {
            let symbol = values.iter().find(|(k, _)| *k == "data.symbol").map(|(_, v)| v.clone());
            let mut spec = base(symbol.as_ref().and_then(Value::as_str).unwrap_or(self.symbols[0]));
            values.iter().for_each(|(key, value)| set(&mut spec, key, value));
            if let Some(kind) = agent {
                spec["agent"] = json!({"kind": kind});
            }
            let axes = values.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            arms.push(PlannedArm { name, role, axes, spec: object(spec), place: Place::default() });
        };
        let several = self.symbols.len() > 1;
        for symbol in &self.symbols {
            let on = |mut values: Vec<(&'static str, Value)>| {
                if several {
                    values.push(("data.symbol", json!(symbol)));
                }
                values
            };
            let prefix = if several { format!("symbol={symbol},") } else { String::new() };
            let base_arm: Vec<_> = axes.iter().map(|(k, _)| *k).zip(base_values.iter().cloned()).collect();
            if self.mode == "grid" && !several {
                for layers in &axes[0].1 {
                    for rank in &axes[1].1 {
                        let values = vec![(axes[0].0, layers.clone()), (axes[1].0, rank.clone())];
                        add(format!("n_trainable_layers={layers},rank={rank}"), Role::Arm, values, None);
                    }
                }
            } else if several {
                for layers in [0, 2] {
                    let values = vec![("agent.n_trainable_layers", json!(layers))];
                    add(format!("{prefix}n_trainable_layers={layers}"), Role::Arm, on(values), None);
                }
            } else if self.selects() {
                add("base".to_owned(), Role::Arm, base_arm.clone(), None);
                let mut noise = Noise(11);
                for sample in 1..=11 {
                    let mut of =
                        |values: &[Value]| values[(noise.uniform() * values.len() as f64) as usize].clone();
                    let (rank, reward) = (of(&axes[1].1), of(&axes[2].1));
                    let rate = json!((1e-5 * 1e3f64.powf(noise.uniform()) * 1e8).round() / 1e8);
                    let values = vec![(RATE, rate), (axes[1].0, rank), (axes[2].0, reward)];
                    add(format!("sample-{sample}"), Role::Arm, values, None);
                }
            } else {
                add("base".to_owned(), Role::Arm, base_arm.clone(), None);
                for (i, (key, values)) in axes.iter().enumerate() {
                    for value in values.iter().filter(|v| **v != base_values[i]) {
                        let mut point = base_arm.clone();
                        point[i].1 = value.clone();
                        let short = key.rsplit('.').next().unwrap_or(key);
                        let text = value.as_str().map_or(value.to_string(), str::to_owned);
                        add(format!("{short}={text}"), Role::Arm, point, None);
                    }
                }
            }
            for kind in ["buy-and-hold", "flat", "random", "momentum"] {
                let name = if several { format!("{kind} ({symbol})") } else { kind.to_owned() };
                add(name, Role::Baseline, on(Vec::new()), Some(kind));
            }
        }
        if self.controls {
            let control = |name: &str, key: &str, value: &str| {
                let mut spec = base(self.symbols[0]);
                set(&mut spec, key, &json!(value));
                PlannedArm {
                    name: name.to_owned(),
                    role: Role::Control,
                    axes: Map::new(),
                    spec: object(spec),
                    place: Place::default(),
                }
            };
            arms.push(control("shuffled-news", "split.shuffle", "news"));
            arms.push(control("shuffled-returns", "split.shuffle", "returns"));
            arms.push(control("random-weights", "agent.model.weights", "random"));
        }
        if self.mode == "grid" && !several {
            axes.truncate(2);
        }
        if several {
            axes.truncate(1);
            axes[0].1 = vec![json!(0), json!(2)];
            axes.push(("data.symbol", self.symbols.iter().map(|s| json!(s)).collect()));
        }
        let mut runs = Vec::new();
        for arm in &arms {
            let seeds =
                if arm.role != Role::Baseline || arm.name.starts_with("random") { self.seeds } else { 1 };
            for seed in 0..seeds {
                let run_id = format!("{:016x}", 0xab5e_0000_0000_0000_u64 + 37 * runs.len() as u64);
                runs.push(PlannedRun { arm: arm.name.clone(), seed, run_id });
            }
        }
        PlanInfo {
            experiment: self.name.to_owned(),
            title: Some(self.title.to_owned()),
            mode: Some(self.mode.to_owned()),
            select: self.selects().then(SelectionMetric::default),
            base: object(base(self.symbols[0])),
            axes: axes.into_iter().map(|(key, values)| PlannedAxis { key: key.to_owned(), values }).collect(),
            arms,
            runs,
            command: format!("cargo xtask sweep experiments/{}.toml", self.name),
        }
    }

    /// Whether an arm is selected on validation data.
    fn selects(&self) -> bool {
        self.mode == "random"
    }

    /// Runs the plan into `runs_root`.
    pub fn run(&self, runs_root: &Path, plan: &PlanInfo) -> ExperimentStore {
        let store = ExperimentStore::open(runs_root, self.name);
        for (i, run) in plan.runs.iter().enumerate() {
            let place = plan.arms.iter().position(|a| a.name == run.arm).expect("the plan has the arm");
            let arm = &plan.arms[place];
            if self.troubled && i + 1 == plan.runs.len() {
                continue;
            }
            let start = self.start(arm, run);
            let mut writer = store.claim(&run.run_id, false, &start, "").expect("claims").expect("is free");
            let fails = self.troubled && place == 3 && run.seed == 1;
            for row in self.updates(arm, place, run.seed).into_iter().filter(|u| !fails || u.update < 17) {
                writer.update(row).expect("writes");
            }
            if fails {
                writer.fail("diverged at update 17: policy_loss is NaN", Some(17)).expect("writes");
                continue;
            }
            if self.troubled && place == 5 && run.seed >= 2 {
                writer
                    .skip("no adapter for backend `wgpu`: <script>alert(\"reason\")</script>")
                    .expect("writes");
                continue;
            }
            let steps = self.steps(arm, place, run.seed);
            for step in &steps {
                writer.step(step.clone()).expect("writes");
            }
            let info = self.completed(arm, place, run.seed, &steps);
            writer.complete(info).expect("writes");
        }
        store
    }

    /// What a completed run hands over.
    pub fn completed(
        &self,
        arm: &PlannedArm,
        place: usize,
        seed: u64,
        steps: &[StepRecord],
    ) -> CompletedInfo {
        let reads = arm.spec["agent"]["kind"] == "ppo-llm";
        CompletedInfo {
            metrics: Metrics {
                valid: self.selects().then(|| scores(&self.steps(arm, place, seed + 500))),
                test: Some(scores(steps)),
                ..Metrics::default()
            },
            rescored: if self.rescored { rescored(steps) } else { Vec::new() },
            receipt: (arm.role == Role::Arm).then(|| receipt(seed)),
            prompts: reads.then(|| PromptCounts { encoded: 1_000 + seed, shortened: 12 * place as u64 }),
            warnings: if self.troubled { warnings(place, seed) } else { Vec::new() },
            equal_turnover: (arm.role != Role::Baseline).then(|| EqualTurnover {
                policies: 200,
                mean_log_return: 0.01 * place as f64,
                low: -0.2,
                high: 0.25,
                at_least: 2 + 2 * seed as usize,
            }),
        }
    }

    /// The plan as if every run had completed, without a store.
    pub fn input(&self, plan: &PlanInfo) -> ReportInput {
        let run = |planned: &PlannedRun| {
            let place = plan.arms.iter().position(|a| a.name == planned.arm).expect("the plan has the arm");
            let arm = &plan.arms[place];
            let steps = self.steps(arm, place, planned.seed);
            let info = self.completed(arm, place, planned.seed, &steps);
            let manifest = Manifest {
                start: self.start(arm, planned),
                attempt: 1,
                state: StateWord::Completed,
                reason: None,
                step: None,
                process: Process { host: "host".to_owned(), pid: 1 },
                started: "2026-01-02T03:04:05Z".to_owned(),
                finished: Some("2026-01-02T03:14:05Z".to_owned()),
                metrics: info.metrics,
                rescored: info.rescored,
                receipt: info.receipt,
                prompts: info.prompts,
                warnings: info.warnings,
                equal_turnover: info.equal_turnover,
            };
            ReportRun {
                arm: place,
                seed: planned.seed,
                run_id: planned.run_id.clone(),
                state: RunState::Completed,
                manifest: Some(manifest),
                curve: Curve::new(100_000.0, &steps),
                updates: self.updates(arm, place, planned.seed),
            }
        };
        let trials = plan.arms.iter().filter(|a| a.role == Role::Arm).count();
        let runs = plan.runs.iter().map(run).collect();
        ReportInput {
            plan: plan.clone(),
            runs,
            trials,
            markets: self.markets(),
            backends: Default::default(),
        }
    }

    /// Prices and news of every symbol's test window; one headline is hostile.
    pub fn markets(&self) -> Vec<Market> {
        self.symbols.iter().map(|symbol| self.market(symbol)).collect()
    }

    fn market(&self, symbol: &str) -> Market {
        let mut noise = Noise(symbol.bytes().map(u64::from).sum());
        let mut close = 100.0;
        let mut date = NaiveDate::from_ymd_opt(2019, 1, 2).expect("a day");
        let mut days = Vec::new();
        for t in 0..=self.days {
            let news = match t % 5 {
                0 => vec![format!("{symbol} shares rise on day {t}"), HOSTILE.to_owned()],
                2 => vec![format!("Analysts say \"hold\" & wait, {symbol} on day {t}"); 8],
                _ => Vec::new(),
            };
            days.push(MarketDay { date, close, news });
            close *= log_return(t, &mut noise).exp();
            date = next_day(date);
        }
        let dates: Vec<NaiveDate> = days.iter().map(|day: &MarketDay| day.date).collect();
        Market { fingerprint: fingerprint(symbol), periods: Periods::of(&dates), days }
    }

    pub fn start(&self, arm: &PlannedArm, run: &PlannedRun) -> ManifestStart {
        let symbol = arm.spec["data"]["symbol"].as_str().unwrap_or("SYN").to_owned();
        ManifestStart {
            run_id: run.run_id.clone(),
            experiment: self.name.to_owned(),
            arm: arm.name.clone(),
            arm_key: format!("key of {}", arm.name),
            role: arm.role,
            axes: arm.axes.clone(),
            seed: run.seed,
            versions: Versions { flaglab: "0.1.0".to_owned(), burn: Some("0.22.1".to_owned()), contract: 1 },
            git_commit: Some("e4232478f1c0a9d2b7".to_owned()),
            backend: "flex".to_owned(),
            adapter: "CPU, AVX-512".to_owned(),
            device: None,
            machine: Machine { cpu: "Example CPU 9000".to_owned(), cores: 2, os: "linux x86_64".to_owned() },
            data: DataInfo {
                fingerprint: fingerprint(&symbol),
                symbol,
                bars: 2517,
                source: "synthetic-news".to_owned(),
            },
            content: BTreeMap::new(),
            models: BTreeMap::new(),
            imported: None,
            command: vec![
                "flaglab".to_owned(),
                "sweep".to_owned(),
                format!("experiments/{}.toml", self.name),
            ],
        }
    }

    /// Curves as of a training that goes well, except that the fifth arm's seed 1 explodes in update 9.
    fn updates(&self, arm: &PlannedArm, place: usize, seed: u64) -> Vec<UpdateRecord> {
        let agent = &arm.spec["agent"];
        if agent["kind"] != "ppo-llm" {
            return Vec::new();
        }
        let env = &arm.spec["env"];
        let number = |value: &Value| value.as_u64().expect("the base says how many");
        let (steps, envs) = (number(&agent["num_steps"]), number(&env["num_envs"]));
        let episode = number(&env["max_episode_steps"]);
        let rate = agent["learning_rate"].as_f64().expect("the base has a rate");
        let mut noise = Noise(77_000 + 1000 * place as u64 + seed);
        let row = |update: u32| {
            let done = f64::from(update) / f64::from(self.updates);
            let mut around = |mean: f64, spread: f64| mean + spread * noise.normal();
            let learnt = 1.0 - (-(3.0 + 0.3 * place as f64) * done).exp();
            let exploded = self.troubled && place == 4 && seed == 1 && update == 9;
            let share_sell = (0.33 - 0.15 * learnt + around(0.0, 0.02)).clamp(0.0, 1.0);
            let share_buy = (0.33 + 0.3 * learnt + around(0.0, 0.03)).clamp(0.0, 1.0 - share_sell);
            // The environments begin their episodes together.
            let first = u64::from(update) * steps;
            let ended = (first + steps) / episode > first / episode;
            UpdateRecord {
                update,
                global_step: (u64::from(update) + 1) * steps * envs,
                learning_rate: rate * (1.0 - done),
                policy_loss: around(-0.004, 0.003),
                value_loss: (0.4 * (1.0 - learnt) + 0.12 + around(0.0, 0.03)).abs(),
                entropy: (1.0986 - 0.25 * learnt * (1.0 + 0.05 * place as f64) + around(-0.01, 0.006))
                    .min(1.0986),
                kl: (agent["lora"]["rank"] != 0).then(|| 0.08 * learnt + around(0.01, 0.001).abs()),
                approx_kl: if exploded { 0.913 } else { around(0.009, 0.002).abs() },
                clipfrac: if exploded { 0.74 } else { around(0.06, 0.02).clamp(0.0, 1.0) },
                explained_variance: (update > 0).then(|| 0.35 * learnt + around(0.0, 0.05)),
                grad_norm: around(0.8, 0.15).abs() * if exploded { 6.0 } else { 1.0 },
                first_ratio_error: 1e-7,
                episode_return: ended.then(|| 0.9 * learnt + 0.1 * place as f64 * done + around(0.0, 0.35)),
                share_sell,
                share_hold: 1.0 - share_sell - share_buy,
                share_buy,
            }
        };
        (0..self.updates).map(row).collect()
    }

    /// The market is one walk per symbol; an arm is long, flat or short by a skill that depends on its place.
    pub fn steps(&self, arm: &PlannedArm, place: usize, seed: u64) -> Vec<StepRecord> {
        let symbol = arm.spec["data"]["symbol"].as_str().unwrap_or("SYN");
        let mut market = Noise(symbol.bytes().map(u64::from).sum());
        let mut choice = Noise(1000 * place as u64 + seed + 7);
        let kind = arm.spec["agent"]["kind"].as_str().unwrap_or("");
        let skill = 0.05 + 0.02 * (place % 5) as f64;
        let (mut price, mut equity, mut date) =
            (100.0, 100_000.0, NaiveDate::from_ymd_opt(2019, 1, 2).expect("a day"));
        let mut previous = 0.0;
        (0..self.days)
            .map(|t| {
                let log_return = log_return(t, &mut market);
                let drawn = choice.normal();
                let action = match kind {
                    "buy-and-hold" => Action::Buy,
                    "flat" => Action::Hold,
                    "momentum" if previous > 0.0 => Action::Buy,
                    "momentum" => Action::Sell,
                    "random" => Action::ALL[(drawn.abs() * 10.0) as usize % 3],
                    _ if drawn + skill * log_return / 0.011 + 0.3 > 0.0 => Action::Buy,
                    _ if drawn > -1.2 => Action::Hold,
                    _ => Action::Sell,
                };
                previous = log_return;
                let position = f64::from(action.sign());
                let reward = position * log_return;
                price *= log_return.exp();
                equity *= reward.exp();
                let row = StepRecord {
                    split: SplitName::Test,
                    episode: 0,
                    t: t as u32,
                    date,
                    action,
                    position,
                    price,
                    cash: if position == 0.0 { equity } else { 0.0 },
                    equity,
                    reward,
                    log_prob: None,
                    value: None,
                };
                date = next_day(date);
                row
            })
            .collect()
    }
}

/// A headline that would be a script if anybody took it for HTML.
pub const HOSTILE: &str = "</script><script>alert('news')</script> <img src=x onerror=alert(1)>";

fn fingerprint(symbol: &str) -> String {
    format!("{:064x}", symbol.bytes().fold(1u128, |n, b| n.wrapping_mul(257).wrapping_add(b.into())))
}

fn log_return(t: usize, market: &mut Noise) -> f64 {
    let crash = if (t / 40) % 7 == 5 { -0.004 } else { 0.0009 };
    crash + 0.011 * market.normal()
}

fn next_day(date: NaiveDate) -> NaiveDate {
    date + Days::new(if date.weekday() == Weekday::Fri { 3 } else { 1 })
}

/// The same words under all rules: `hold` is flat under one set and keeps the position elsewhere.
fn rescored(steps: &[StepRecord]) -> Vec<Rescored> {
    let moves: Vec<f64> = std::iter::once(100.0)
        .chain(steps.iter().map(|s| s.price))
        .collect::<Vec<f64>>()
        .windows(2)
        .map(|p| p[1] / p[0] - 1.0)
        .collect();
    let score = |rules: &str, cost_bps: f64, keeps: bool| {
        let mut held = 0.0;
        let returns: Vec<f64> = steps
            .iter()
            .zip(&moves)
            .map(|(step, change)| {
                let before = held;
                held = match (step.action, keeps) {
                    (Action::Buy, _) => 1.0,
                    (Action::Sell, true) | (Action::Hold, false) => 0.0,
                    (Action::Sell, false) => -1.0,
                    (Action::Hold, true) => held,
                };
                held * change - (held - before).abs() * cost_bps / 10_000.0
            })
            .collect();
        let sheet = TearSheet::new(&returns, 252.0).expect("there are returns");
        let scores = serde_json::to_value(sheet).expect("a tear sheet is JSON");
        Rescored { rules: rules.to_owned(), cost_bps, scores }
    };
    let costs = [0.0, 5.0, 10.0, 15.0, 20.0].map(|cost| score("realistic", cost, true));
    [score("paper", 0.0, true), score("investor-bench", 0.0, false)].into_iter().chain(costs).collect()
}

/// The scores of an account's steps, with the InvestorBench block.
pub fn scores(steps: &[StepRecord]) -> Value {
    let returns: Vec<f64> = steps.iter().map(|s| s.reward.exp() - 1.0).collect();
    let sheet = TearSheet::new(&returns, 252.0).expect("there are returns");
    let mut scores = serde_json::to_value(sheet).expect("a tear sheet is JSON");
    let sum: f64 = steps.iter().map(|s| s.reward).sum();
    let volatility = sheet.annual_volatility.unwrap_or(0.0);
    let years = (steps.len() + 1) as f64 / 252.0;
    let ratio = (volatility > 0.0).then(|| sum / years / volatility);
    scores["paper"] = json!({"cr": 100.0 * sum, "sr": ratio, "av": 100.0 * volatility, "mdd": sheet.max_drawdown.map(|d| 100.0 * d)});
    scores
}

/// The second arm's policy is constant for every seed, on the test split and for seed 0 on the other one too; the fifth
/// arm explodes with seed 1.
fn warnings(place: usize, seed: u64) -> Vec<Warning> {
    let constant = |split: &str| Warning {
        kind: WarningKind::ConstantAction,
        step: 13_860 + seed,
        text: format!("`hold` at every bar after one `buy` of the {split} split"),
    };
    match (place, seed) {
        (1, 0) => vec![constant("valid"), constant("test")],
        (1, _) => vec![constant("test")],
        (4, 1) => vec![Warning {
            kind: WarningKind::KlExplosion,
            step: 3_200,
            text: "approx_kl 0.913 in update 9; above 0.5 in 1 update, at most 0.913".to_owned(),
        }],
        _ => Vec::new(),
    }
}

/// Two frozen tensors that stayed and three trained ones, of which one stood still in the run with seed 1.
fn receipt(seed: u64) -> FreezeReceipt {
    let tensor = |name: &str, trained: bool, moved: bool| TensorDigest {
        name: name.to_owned(),
        trained,
        before: "a0".to_owned(),
        after: if moved { "b1" } else { "a0" }.to_owned(),
    };
    FreezeReceipt {
        tensors: vec![
            tensor("model.embed_tokens.weight", false, false),
            tensor("model.layers.0.mlp.up_proj.weight", false, false),
            tensor("model.layers.1.mlp.up_proj.weight", true, seed != 1),
            tensor("model.norm.weight", true, true),
            tensor("policy_head.weight", true, true),
        ],
        groups: vec![GroupNorm { group: "layers.1".to_owned(), mean_grad_norm: 0.1 * (seed + 1) as f64 }],
    }
}
