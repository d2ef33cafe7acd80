//! The promises that every agent keeps, as checks that its crate's tests call.

use crate::{Action, Agent, Arena, Learner, Observation};

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
