//! Every suite fails for plugins that break one promise each.

use std::any::Any;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use market_data::Bar;
use plugin::contract::told;
use plugin::{BuildError, Files, Kind, Plugin, SharedPool, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Account, Action, ActionMask, Agent, AgentContext, AgentError, AgentKind, BackendKind, Compute, Decision,
    Fill, Learner, LogReturn, LogReturnParams, Observation, Paper, RewardFn, RewardKind, Rules, RulesKind,
    SplitName, Training, Transition,
};

/// One setting that does nothing.
#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct Params {
    /// Factor.
    #[schemars(range(min = 0.0, max = 1.0))]
    factor: f64,
}

/// A plugin that makes what the test says.
struct Makes<K: Kind>(fn(Params) -> K::Output);

impl<K: Kind> Plugin<K> for Makes<K> {
    fn name(&self) -> &'static str {
        "broken"
    }
    fn summary(&self) -> &'static str {
        "Made for a test."
    }
    fn schema(&self) -> Value {
        schema_of::<Params>()
    }
    fn build(&self, params: &Value, _context: K::Context<'_>) -> Result<K::Output, BuildError> {
        plugin::params(params).map(self.0)
    }
}

fn log_return() -> LogReturn {
    LogReturn::new(LogReturnParams::default()).unwrap()
}

/// A reward whose step is a function, with a memory that `reset` and `fresh` may forget to clear.
#[derive(Clone)]
struct Reward {
    step: fn(&mut f64, Transition) -> f64,
    memory: f64,
    resets: bool,
    refreshes: bool,
}

impl RewardFn for Reward {
    fn fresh(&self) -> Box<dyn RewardFn> {
        let memory = if self.refreshes { 0.0 } else { self.memory };
        Box::new(Reward { memory, ..self.clone() })
    }
    fn reset(&mut self) {
        if self.resets {
            self.memory = 0.0;
        }
    }
    fn step(&mut self, transition: Transition) -> f64 {
        (self.step)(&mut self.memory, transition)
    }
}

/// Adds up the growth.
fn total(memory: &mut f64, transition: Transition) -> f64 {
    *memory += transition.log_return();
    *memory
}

const TOTAL: Reward = Reward { step: total, memory: 0.0, resets: true, refreshes: true };

fn reward_told(make: fn(Params) -> Box<dyn RewardFn>) -> String {
    told(|| super::reward(&Makes::<RewardKind>(make), &json!({}))).expect("the suite passes a broken reward")
}

#[test]
fn rewards_that_break_a_promise_are_told() {
    super::reward(&Makes::<RewardKind>(|_| Box::new(TOTAL)), &json!({}));
    super::reward(&Makes::<RewardKind>(|_| Box::new(log_return())), &json!({}));

    let text = reward_told(|_| Box::new(Reward { step: |_, t| (t.after / t.before).ln(), ..TOTAL }));
    assert!(text.contains("a reward is finite"), "{text}");
    let text = reward_told(|p| {
        // Sound with the default, 0, and not at the upper bound.
        if p.factor == 1.0 { Box::new(Reward { step: |_, _| f64::NAN, ..TOTAL }) } else { Box::new(TOTAL) }
    });
    assert!(text.contains("{\"factor\":1.0}: a reward is finite"), "{text}");
    let text = reward_told(|_| Box::new(Reward { resets: false, ..TOTAL }));
    assert!(text.contains("a reset forgets"), "{text}");
    let text = reward_told(|_| Box::new(Reward { refreshes: false, ..TOTAL }));
    assert!(text.contains("a fresh instance"), "{text}");
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let text = reward_told(|_| {
        let step = |_: &mut f64, _| f64::from(CALLS.fetch_add(1, Ordering::Relaxed));
        Box::new(Reward { step, ..TOTAL })
    });
    assert!(text.contains("the same steps give the same rewards"), "{text}");
}

/// A reward that leaves what it remembers where its siblings find it, cleared at the start of an episode.
#[derive(Clone)]
struct Sharing(Arc<Mutex<f64>>);

impl RewardFn for Sharing {
    fn fresh(&self) -> Box<dyn RewardFn> {
        *self.0.lock().unwrap() = 0.0;
        Box::new(self.clone())
    }
    fn reset(&mut self) {
        *self.0.lock().unwrap() = 0.0;
    }
    fn step(&mut self, transition: Transition) -> f64 {
        total(&mut self.0.lock().unwrap(), transition)
    }
}

#[test]
fn rewards_that_share_their_memory_are_told() {
    let text = reward_told(|_| Box::new(Sharing(Arc::default())));
    assert!(text.contains("instances do not know of each other"), "{text}");
}

/// Rules of the paper with one part replaced.
#[derive(Clone, Copy)]
struct Broken {
    name: &'static str,
    mask: fn(&Account) -> ActionMask,
    advance: fn(&mut Account, Action, &Bar, &Bar) -> Fill,
}

const SOUND: Broken = Broken {
    name: "broken",
    mask: |account| Paper.mask(account),
    advance: |account, action, now, next| Paper.advance(account, action, now, next),
};

impl Rules for Broken {
    fn name(&self) -> &'static str {
        self.name
    }
    fn mask(&self, account: &Account) -> ActionMask {
        (self.mask)(account)
    }
    fn advance(&self, account: &mut Account, action: Action, now: &Bar, next: &Bar) -> Fill {
        (self.advance)(account, action, now, next)
    }
}

fn rules_told(make: fn(Params) -> Box<dyn Rules>) -> String {
    told(|| super::rules(&Makes::<RulesKind>(make), &json!({}))).expect("the suite passes broken rules")
}

#[test]
fn rules_that_break_a_promise_are_told() {
    super::rules(&Makes::<RulesKind>(|_| Box::new(SOUND)), &json!({}));

    let text = rules_told(|_| Box::new(Broken { name: "other", ..SOUND }));
    assert!(text.contains("bear the plugin's name"), "{text}");
    let text = rules_told(|_| Box::new(Broken { mask: |_| ActionMask([true, false, true]), ..SOUND }));
    assert!(text.contains("Hold is legal"), "{text}");
    let text = rules_told(|_| Box::new(Broken { mask: |_| ActionMask([false, true, false]), ..SOUND }));
    assert!(text.contains("is illegal and changes"), "{text}");
    let text = rules_told(|_| {
        let advance = |account: &mut Account, action, now: &Bar, next: &Bar| {
            let fill = Paper.advance(account, action, now, next);
            account.price = now.close;
            fill
        };
        Box::new(Broken { advance, ..SOUND })
    });
    assert!(text.contains("marked at the next close"), "{text}");
    let text = rules_told(|_| {
        let advance = |account: &mut Account, action, now: &Bar, next: &Bar| {
            let fill = Paper.advance(account, action, now, next);
            account.cash *= 1.001;
            fill
        };
        Box::new(Broken { advance, ..SOUND })
    });
    assert!(text.contains("while the price stands still"), "{text}");
    let text = rules_told(|_| {
        let advance = |account: &mut Account, action, now: &Bar, next: &Bar| Fill {
            traded: 0.0,
            ..Paper.advance(account, action, now, next)
        };
        Box::new(Broken { advance, ..SOUND })
    });
    assert!(text.contains("something is traded"), "{text}");
    let text = rules_told(|_| {
        let advance = |account: &mut Account, action, now: &Bar, next: &Bar| Fill {
            cost: -1.0,
            ..Paper.advance(account, action, now, next)
        };
        Box::new(Broken { advance, ..SOUND })
    });
    assert!(text.contains("fills with"), "{text}");
    let text = rules_told(|_| {
        static STEPS: AtomicU32 = AtomicU32::new(0);
        let advance = |account: &mut Account, action, now: &Bar, next: &Bar| {
            account.cash -= 1e-3 * f64::from(STEPS.fetch_add(1, Ordering::Relaxed));
            Paper.advance(account, action, now, next)
        };
        Box::new(Broken { advance, ..SOUND })
    });
    assert!(text.contains("the same steps lead to the same account"), "{text}");
}

/// No device.
struct Deviceless(&'static str);

impl Compute for Deviceless {
    fn describe(&self) -> String {
        self.0.to_owned()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn backends_that_break_a_promise_are_told() {
    super::backend(&Makes::<BackendKind>(|_| Box::new(Deviceless("none"))), &json!({}));
    let silent = Makes::<BackendKind>(|_| Box::new(Deviceless("")));
    let text = told(|| super::backend(&silent, &json!({}))).unwrap();
    assert!(text.contains("described in one line"), "{text}");
}

/// An agent whose every part a test can replace by a broken one. It buys after a rise and, trained, after a fall.
#[derive(Clone, Copy)]
struct Trader {
    decide: fn(&mut Memory, usize, &Observation<'_>) -> Action,
    train: fn(&mut Memory, Training<'_>) -> Result<(), AgentError>,
    saves: bool,
    resets: bool,
}

/// What a learner has learned and what it remembers of an episode.
#[derive(Clone, Copy, Default)]
struct Memory {
    contrary: bool,
    steps: u32,
    /// Evaluations begun since training.
    walks: u32,
}

struct Trades(Trader, Memory);

fn follow(memory: &mut Memory, _place: usize, observation: &Observation<'_>) -> Action {
    memory.steps += 1;
    let up = matches!(observation.history.closes(2), [a, b] if b > a);
    let wish = if up == memory.contrary { Action::Sell } else { Action::Buy };
    if observation.mask.allows(wish) { wish } else { Action::Hold }
}

/// Four steps at random of nothing, with a state that can be kept after two.
fn learn(memory: &mut Memory, training: Training<'_>) -> Result<(), AgentError> {
    let Training { arena, log, .. } = training;
    let from = log.resume().map(|dir| std::fs::read_to_string(dir.join("steps")).unwrap());
    let from = from.map_or(0, |text| text.parse().unwrap());
    let mut envs = arena.training(1);
    for step in from..4 {
        if !log.progress(step, 4) {
            return Err(AgentError::Interrupted);
        }
        envs.step(0, Action::Hold);
        log.step(envs.record(0));
        log.checkpoint(step as u32, &mut |dir| {
            std::fs::write(dir.join("steps"), step.to_string()).unwrap();
            Ok(())
        });
    }
    memory.contrary = true;
    Ok(())
}

const TRADER: Trader = Trader { decide: follow, train: learn, saves: true, resets: true };

impl Agent for Trader {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(Trades(*self, Memory::default())))
    }
    fn load(&self, _seed: u64, dir: &Path) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(Trades(*self, Memory { contrary: dir.join("contrary").exists(), ..Memory::default() })))
    }
}

impl Learner for Trades {
    fn train(&mut self, training: Training<'_>) -> Result<(), AgentError> {
        (self.0.train)(&mut self.1, training)
    }
    fn reset(&mut self) {
        if self.0.resets {
            self.1.steps = 0;
        }
    }
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        let places = observations.iter().enumerate();
        Ok(places.map(|(i, o)| (self.0.decide)(&mut self.1, i, o).into()).collect())
    }
    fn save(&self, dir: &Path) -> Result<bool, AgentError> {
        if self.1.contrary && self.0.saves {
            std::fs::write(dir.join("contrary"), "").unwrap();
        }
        Ok(self.0.saves)
    }
}

fn run(make: fn(Params) -> Box<dyn Agent>) {
    let files = Files::default();
    let context = AgentContext {
        files: &files,
        compute: &Deviceless("none"),
        shared: &SharedPool::default(),
        cache_bytes: 0,
    };
    super::agent(&Makes::<AgentKind>(make), &json!({}), context, 30);
}

fn agent_told(make: fn(Params) -> Box<dyn Agent>) -> String {
    told(|| run(make)).expect("the suite passes a broken agent")
}

fn legal_or_hold(wish: Action, observation: &Observation<'_>) -> Action {
    if observation.mask.allows(wish) { wish } else { Action::Hold }
}

#[test]
fn agents_that_break_a_promise_when_they_decide_are_told() {
    run(|_| Box::new(TRADER));

    let text = agent_told(|_| Box::new(Trader { decide: |_, _, _| Action::Buy, ..TRADER }));
    assert!(text.contains("buy is illegal"), "{text}");
    static DRAWS: AtomicU32 = AtomicU32::new(0);
    let text = agent_told(|_| {
        let decide = |_: &mut Memory, _, o: &Observation<'_>| {
            let draw = DRAWS.fetch_add(1, Ordering::Relaxed);
            legal_or_hold(if draw % 7 < 3 { Action::Buy } else { Action::Sell }, o)
        };
        Box::new(Trader { decide, ..TRADER })
    });
    assert!(text.contains("same seed, same actions"), "{text}");
    let text = agent_told(|_| {
        let decide = |memory: &mut Memory, _, o: &Observation<'_>| {
            memory.steps += 1;
            legal_or_hold(if memory.steps % 7 < 3 { Action::Buy } else { Action::Sell }, o)
        };
        Box::new(Trader { decide, resets: false, ..TRADER })
    });
    assert!(text.contains("a reset forgets"), "{text}");
    let text = agent_told(|_| {
        let decide = |_: &mut Memory, place, o: &Observation<'_>| {
            legal_or_hold(if place == 0 { Action::Buy } else { Action::Sell }, o)
        };
        Box::new(Trader { decide, ..TRADER })
    });
    assert!(text.contains("the places beside it"), "{text}");
}

#[test]
fn agents_that_break_a_promise_when_they_train_are_told() {
    let text = agent_told(|_| Box::new(Trader { saves: false, ..TRADER }));
    assert!(text.contains("what is loaded decides as what was saved"), "{text}");
    let text = agent_told(|_| {
        let train = |memory: &mut Memory, training: Training<'_>| {
            training.log.progress(0, 4);
            memory.contrary = true;
            Ok(())
        };
        Box::new(Trader { train, ..TRADER })
    });
    assert!(text.contains("stops when progress says so"), "{text}");
    let text = agent_told(|_| {
        let train = |_: &mut Memory, training: Training<'_>| {
            training.log.progress(3, 4);
            training.log.progress(2, 4);
            Ok(())
        };
        Box::new(Trader { train, ..TRADER })
    });
    assert!(text.contains("progress grows"), "{text}");
    static TRAININGS: AtomicU32 = AtomicU32::new(0);
    let text = agent_told(|_| {
        let train = |memory: &mut Memory, _: Training<'_>| {
            memory.contrary = TRAININGS.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            Ok(())
        };
        Box::new(Trader { train, ..TRADER })
    });
    assert!(text.contains("same seed, same decisions after training"), "{text}");
    let text = agent_told(|_| {
        let train = |memory: &mut Memory, training: Training<'_>| {
            // Gone on from a state it has forgotten what it had learned.
            let resumed = training.log.resume().is_some();
            learn(memory, training)?;
            memory.contrary = !resumed;
            Ok(())
        };
        Box::new(Trader { train, ..TRADER })
    });
    assert!(text.contains("ends as if it had not stopped"), "{text}");
}

/// An agent each of whose learners decides otherwise than the one before, as one does that has seen the later bars.
struct Fickle(AtomicU32);

impl Agent for Fickle {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        let contrary = self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        Ok(Box::new(Trades(TRADER, Memory { contrary, ..Memory::default() })))
    }
}

#[test]
fn decisions_that_differ_before_the_bars_do_are_told() {
    let series = super::market(1, 30);
    let other = super::another_future(&series, 15);
    assert_eq!(series.columns(0..16), other.columns(0..16));
    assert!((16..30).all(|i| series.closes()[i] != other.closes()[i]));
    let arenas = [series, other].map(|s| super::agent::arena(s, SplitName::Test, Arc::new(Paper)));
    super::check_no_future(&TRADER, &arenas[0], &arenas[1], 12, 1);
    let fickle = Fickle(AtomicU32::new(0));
    let text = told(|| super::check_no_future(&fickle, &arenas[0], &arenas[1], 12, 1)).unwrap();
    assert!(text.contains("steps up to bar 12 agree"), "{text}");
}

#[test]
fn trained_learners_that_know_the_future_are_told() {
    let text = agent_told(|_| {
        // A market in which it has traded before is one whose end it knows.
        let decide = |memory: &mut Memory, place: usize, o: &Observation<'_>| {
            let known = memory.contrary && o.history.len() == super::agent::LOOK_BACK + 1;
            memory.walks += u32::from(known && place == 0);
            let wish = if memory.walks == 3 { Action::Buy } else { Action::Sell };
            legal_or_hold(wish, o)
        };
        Box::new(Trader { decide, ..TRADER })
    });
    assert!(text.contains("knows no bar after"), "{text}");
}
