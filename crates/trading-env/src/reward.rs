//! Rewards.

use plugin::Kind;

/// Plugins of the `reward` section.
pub enum RewardKind {}

impl Kind for RewardKind {
    const SECTION: &'static str = "reward";
    type Context<'a> = ();
    type Output = Box<dyn RewardFn>;
}

/// Equity before and after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// Equity at the close at which the decision was taken, > 0.
    pub before: f64,
    /// Equity at the next close.
    pub after: f64,
}

/// A reward; one instance per environment, made by `fresh`.
pub trait RewardFn: Send + Sync {
    /// Another instance with the same parameters, at the start of an episode.
    fn fresh(&self) -> Box<dyn RewardFn>;
    /// Forgets the episode.
    fn reset(&mut self);
    /// Reward of one step.
    fn step(&mut self, transition: Transition) -> f64;
}
