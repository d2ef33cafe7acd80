//! What every agent promises.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use market_data::{BarSeries, Segment};
use plugin::Plugin;
use plugin::contract::{settings, who};
use serde_json::{Value, json};

use super::{another_future, market};
use crate::{
    Action, Agent, AgentContext, AgentError, AgentKind, Arena, Decision, EnvConfig, InvestorBench, Learner,
    LogReturn, LogReturnParams, Observation, RULES, Rules, RunLog, SplitName, StepRecord, TimingRecord,
    Training, UpdateRecord,
};

/// Seed of the learners.
const SEED: u64 = 11;

/// Bars before the first decision.
pub(super) const LOOK_BACK: usize = 3;

/// Checks an agent plugin with the settings `given` on markets of `n_bars` bars: its settings as
/// [`plugin::contract::settings`] does, [`check_agent`] and [`check_no_future`] under every built-in rule set, and
/// [`check_training`].
///
/// # Panics
/// When a promise is broken.
pub fn agent(plugin: &dyn Plugin<AgentKind>, given: &Value, context: AgentContext<'_>, n_bars: usize) {
    let params = settings(plugin, given, |p| plugin.build(p, context).map(drop));
    let who = who(plugin);
    let content = || plugin.content(&params, context.files).map_err(|e| e.to_string());
    assert_eq!(content(), content(), "{who}: the content is the same each time");
    let agent = plugin.build(&params, context).expect("invariant: the defaults build");
    let series = market(1, n_bars);
    // Counted from the first decision.
    let t = n_bars / 2;
    let other = another_future(&series, LOOK_BACK + t);
    for plugin in RULES {
        let rules: Arc<dyn Rules> =
            plugin.build(&json!({}), ()).expect("invariant: rules build from nothing").into();
        let arena = |series: &BarSeries| arena(series.clone(), SplitName::Test, rules.clone());
        check_agent(&*agent, &arena(&series), SEED);
        check_no_future(&*agent, &arena(&series), &arena(&other), t, SEED);
    }
    let free: Arc<dyn Rules> = Arc::new(InvestorBench);
    let training = arena(market(2, n_bars), SplitName::Train, free.clone());
    let test = [series, other].map(|series| arena(series, SplitName::Test, free.clone()));
    check_training(&*agent, &training, [&test[0], &test[1]], t, SEED);
}

/// Two environments of short episodes, with a look-back.
pub(super) fn arena(series: BarSeries, split: SplitName, rules: Arc<dyn Rules>) -> Arena {
    let config = EnvConfig { num_envs: 2, max_episode_steps: 20, memory: 3, ..EnvConfig::default() };
    let reward = LogReturn::new(LogReturnParams::default()).expect("invariant: the defaults are in range");
    let segment = Segment { series: Arc::new(series), first: LOOK_BACK };
    Arena::new(segment, split, rules, Arc::new(reward), config)
        .expect("invariant: a market has two bars after its look-back")
}

/// An observation by value: what must be equal where two walks agree.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    action: Action,
    equity: f64,
    reward: f64,
}

/// Walks one evaluation episode of `arena` for at most `max_steps` steps.
fn walk(learner: &mut dyn Learner, arena: &Arena, max_steps: usize) -> Vec<Seen> {
    let mut envs = arena.evaluation();
    let mut seen = Vec::new();
    while seen.len() < max_steps && !envs.ended(0) {
        let action = decide_one(learner, &envs.observe(0));
        let reward = envs.step(0, action).reward;
        seen.push(Seen { action, equity: envs.record(0).equity, reward });
    }
    seen
}

fn decide_one(learner: &mut dyn Learner, observation: &Observation<'_>) -> Action {
    let decisions = learner.decide(std::slice::from_ref(observation)).expect("contract: decides");
    assert_eq!(decisions.len(), 1, "contract: one decision per observation");
    let action = decisions[0].action;
    assert!(observation.mask.allows(action), "contract: {} is illegal under the mask", action.word());
    action
}

/// Same seed, same actions; a reset forgets the episode before it; every action is legal; one decision per
/// observation, also for several at once, none of which depends on the others.
///
/// # Panics
/// When a promise is broken.
pub fn check_agent(agent: &dyn Agent, arena: &Arena, seed: u64) {
    let learner = || agent.learner(seed).expect("contract: makes a learner");
    let mut first = learner();
    first.reset();
    let whole = walk(&mut *first, arena, usize::MAX);
    assert_eq!(whole.len() + 1, arena.segment().n_bars(), "contract: an evaluation takes all steps");

    let mut second = learner();
    second.reset();
    assert_eq!(walk(&mut *second, arena, usize::MAX), whole, "contract: same seed, same actions");

    first.reset();
    assert_eq!(walk(&mut *first, arena, usize::MAX), whole, "contract: a reset forgets the whole episode");
    let mut third = learner();
    third.reset();
    walk(&mut *third, arena, whole.len().div_ceil(2));
    third.reset();
    assert_eq!(walk(&mut *third, arena, usize::MAX), whole, "contract: a reset forgets half an episode");

    let mut side_by_side = [arena.evaluation(), arena.evaluation()];
    first.reset();
    for seen in &whole[..whole.len().min(arena.config().max_episode_steps)] {
        let observations = side_by_side.each_ref().map(|envs| envs.observe(0));
        let decisions = first.decide(&observations).expect("contract: decides for a batch");
        let actions = decisions.iter().map(|d| d.action);
        assert!(actions.eq([seen.action; 2]), "contract: a decision does not depend on the places beside it");
        for envs in &mut side_by_side {
            envs.step(0, seen.action);
        }
    }

    let mut batch = arena.training(seed);
    let mut learner = learner();
    learner.reset();
    for _ in 0..whole.len().min(arena.config().max_episode_steps) {
        let observations = batch.observations();
        let decisions = learner.decide(&observations).expect("contract: decides for a batch");
        assert_eq!(decisions.len(), observations.len(), "contract: one decision per observation");
        for (observation, decision) in observations.iter().zip(&decisions) {
            let word = decision.action.word();
            assert!(observation.mask.allows(decision.action), "contract: {word} is illegal under the mask");
        }
        for (i, decision) in decisions.iter().enumerate() {
            batch.step(i, decision.action);
            if batch.ended(i) {
                batch.reset(i);
            }
        }
    }
}

/// Decisions depend on nothing later than their bar: two arenas whose bars agree up to bar `t` of the segment get
/// equal decisions at bars `0..=t`, and equal equity and rewards for the steps that end there.
///
/// # Panics
/// When they differ.
pub fn check_no_future(agent: &dyn Agent, arena: &Arena, other: &Arena, t: usize, seed: u64) {
    let walk_of = |arena: &Arena| {
        let mut learner = agent.learner(seed).expect("contract: makes a learner");
        learner.reset();
        walk(&mut *learner, arena, t + 1)
    };
    let (one, two) = (walk_of(arena), walk_of(other));
    assert_eq!(one[..t.min(one.len())], two[..t.min(two.len())], "contract: steps up to bar {t} agree");
    let last = |seen: &[Seen]| seen.get(t).map(|s| s.action);
    if one.len() > t && two.len() > t {
        assert_eq!(last(&one), last(&two), "contract: the decision at bar {t} knows no later bar");
    }
}

/// What a training logs, and what it is told.
#[derive(Default)]
struct Log {
    steps: Vec<StepRecord>,
    /// `done` and `total` of the last progress.
    progress: Option<(u64, u64)>,
    /// Stop at the first progress.
    stop: bool,
    /// Where the first state that is offered goes, and whether one went there.
    keep: Option<PathBuf>,
    kept: bool,
    /// State to go on from.
    from: Option<PathBuf>,
}

impl RunLog for Log {
    fn step(&mut self, row: StepRecord) {
        assert_eq!(row.split, SplitName::Train, "contract: training logs steps of the training split");
        assert!(row.reward.is_finite(), "contract: a reward is finite, found {}", row.reward);
        self.steps.push(row);
    }
    fn update(&mut self, _: UpdateRecord) {}
    fn timing(&mut self, _: TimingRecord) {}
    fn note(&mut self, _: &str) {}
    fn progress(&mut self, done: u64, total: u64) -> bool {
        let (before, whole) = self.progress.unwrap_or((0, total));
        assert!(
            before <= done && done <= total && total == whole,
            "contract: progress grows up to one total, found {done} of {total} after {before} of {whole}"
        );
        self.progress = Some((done, total));
        !self.stop
    }
    fn resume(&self) -> Option<PathBuf> {
        self.from.clone()
    }
    fn checkpoint(&mut self, _done: u32, save: &mut dyn FnMut(&Path) -> Result<(), AgentError>) {
        if let Some(dir) = self.keep.take() {
            save(&dir).expect("contract: a state is saved into an empty folder");
            self.kept = true;
        }
    }
}

/// Decisions of one evaluation episode.
fn decisions(learner: &mut dyn Learner, arena: &Arena) -> Vec<Decision> {
    learner.reset();
    let mut envs = arena.evaluation();
    let mut made = Vec::new();
    while !envs.ended(0) {
        let decision = learner.decide(&envs.observations()).expect("contract: decides after training")[0];
        envs.step(0, decision.action);
        made.push(decision);
    }
    made
}

/// The same seed trains to the same steps and decisions; a trained learner knows no bar later than its own either (the
/// arenas `test` agree up to bar `t`); what it saves decides as it did, without a save a fresh one does; one that asks
/// whether to go on stops when it is told to; one that offers its state ends from there as if it had not stopped.
///
/// # Panics
/// When a promise is broken.
pub fn check_training(agent: &dyn Agent, training: &Arena, test: [&Arena; 2], t: usize, seed: u64) {
    let train = |mut log: Log| {
        let mut learner = agent.learner(seed).expect("contract: makes a learner");
        let outcome = learner.train(Training { arena: training, validation: None, log: &mut log });
        (learner, log, outcome)
    };
    let folder = || tempfile::tempdir().expect("invariant: there is a place for temporary files");

    let state = folder();
    let (mut learner, log, outcome) = train(Log { keep: Some(state.path().to_owned()), ..Log::default() });
    outcome.expect("contract: trains");
    let made = decisions(&mut *learner, test[0]);
    assert_eq!(decisions(&mut *learner, test[0]), made, "contract: an evaluation changes no policy");
    let other = decisions(&mut *learner, test[1]);
    let known = (t + 1).min(made.len()).min(other.len());
    assert_eq!(made[..known], other[..known], "contract: a trained learner knows no bar after {t}");

    let saved = folder();
    learner.save(saved.path()).expect("contract: saves into an empty folder");
    let mut loaded = agent.load(seed, saved.path()).expect("contract: loads what was saved");
    assert_eq!(decisions(&mut *loaded, test[0]), made, "contract: what is loaded decides as what was saved");

    let (mut again, second, outcome) = train(Log::default());
    outcome.expect("contract: trains twice");
    assert_eq!(second.steps, log.steps, "contract: same seed, same steps of training");
    assert_eq!(decisions(&mut *again, test[0]), made, "contract: same seed, same decisions after training");

    if log.progress.is_some() {
        let (_, _, outcome) = train(Log { stop: true, ..Log::default() });
        assert_eq!(outcome, Err(AgentError::Interrupted), "contract: stops when progress says so");
    }
    if log.kept {
        let (mut resumed, _, outcome) = train(Log { from: Some(state.path().to_owned()), ..Log::default() });
        outcome.expect("contract: goes on from a saved state");
        let word = "contract: from a saved state it ends as if it had not stopped";
        assert_eq!(decisions(&mut *resumed, test[0]), made, "{word}");
    }
}
