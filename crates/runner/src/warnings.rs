//! Signs that a training went wrong although it ended.

use store::{Warning, WarningKind};
use trading_env::{Action, PolicyEntropy, PromptCounts, SplitName, TimingRecord, UpdateRecord};

/// Mean `approx_kl` of an update, in nats, above which it counts as an explosion: clipping at 0.2 keeps updates around
/// 0.01, and common early stops are at 0.01 to 0.05.
const KL_EXPLOSION: f64 = 0.5;

/// Share of the uniform policy's entropy from which on a trained policy counts as unmoved.
const NEARLY_UNIFORM: f64 = 0.98;

/// Prompts that a cache must have lost before it is said to thrash: fewer cost seconds.
const LEAST_LOST: u64 = 64;

/// Collects what updates show.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Environment steps after the last update; `None` without updates.
    trained_steps: Option<u64>,
    /// First update that exploded, and its row.
    first: Option<UpdateRecord>,
    /// Largest `approx_kl` among those that exploded, and how many there were.
    largest: f64,
    n_exploded: usize,
    /// Row of the last stretch: its counts are of all before it.
    speed: TimingRecord,
}

impl Watch {
    /// Takes the row of an update.
    pub fn update(&mut self, row: &UpdateRecord) {
        self.trained_steps = Some(row.global_step);
        if row.approx_kl > KL_EXPLOSION {
            self.first.get_or_insert_with(|| row.clone());
            self.largest = self.largest.max(row.approx_kl);
            self.n_exploded += 1;
        }
    }

    /// Takes the row of a stretch.
    pub fn timing(&mut self, row: &TimingRecord) {
        self.speed = row.clone();
    }

    /// Whether the prefix cache had evicted more of what the training asked for than it held.
    pub fn thrashing(&self) -> Option<Warning> {
        let TimingRecord { cache_hits, cache_spilled, cache_recomputed, .. } = self.speed;
        let lost = cache_spilled + cache_recomputed;
        if lost < LEAST_LOST || lost <= cache_hits {
            return None;
        }
        let text = format!(
            "{cache_hits} prompts were found in memory, {cache_spilled} were read back from disk and {cache_recomputed} \
             computed again; raise agent.prefix_cache_mib, run fewer arms at once, or leave the account out \
             (agent.prompt.account = false)"
        );
        Some(Warning { kind: WarningKind::CacheThrashing, step: self.trained_steps.unwrap_or(0), text })
    }

    /// Whether prompts, of training or evaluation, lost something for want of room.
    pub fn shortened(&self, prompts: PromptCounts) -> Option<Warning> {
        let PromptCounts { encoded, shortened } = prompts;
        let text = format!(
            "{shortened} of {encoded} prompts lost their oldest news or prices; agent.prompt.max_tokens and the model's \
             longest sequence bound them"
        );
        let step = self.trained_steps.unwrap_or(0);
        (shortened > 0).then_some(Warning { kind: WarningKind::ShortenedPrompts, step, text })
    }

    /// What the updates showed.
    pub fn explosion(&self) -> Option<Warning> {
        let first = self.first.as_ref()?;
        let text = format!(
            "approx_kl {:.3} in update {}; above {KL_EXPLOSION} in {} update{}, at most {:.3}",
            first.approx_kl,
            first.update,
            self.n_exploded,
            if self.n_exploded == 1 { "" } else { "s" },
            self.largest
        );
        Some(Warning { kind: WarningKind::KlExplosion, step: first.global_step, text })
    }

    /// Whether the policy after training is about as uniform as it was before.
    pub fn unmoved(&self, entropy: PolicyEntropy) -> Option<Warning> {
        let step = self.trained_steps?;
        let PolicyEntropy { policy, uniform } = entropy;
        let share = policy / uniform;
        // Where one action alone is legal everywhere, nothing can be said.
        (uniform > 0.0 && share >= NEARLY_UNIFORM).then(|| Warning {
            kind: WarningKind::Unmoved,
            step,
            text: format!(
                "entropy {policy:.4} in the last update is {:.1}% of the {uniform:.4} of a uniform policy over the legal \
                 actions; from {:.0}% on it has hardly moved",
                100.0 * share,
                100.0 * NEARLY_UNIFORM
            ),
        })
    }

    /// Whether a trained policy decides the same all over a split. Its first decision may differ: where buying is legal
    /// only without a position, Buy & Hold is one `buy`, then `hold`.
    pub fn constant(&self, split: SplitName, actions: &[Action]) -> Option<Warning> {
        let step = self.trained_steps?;
        let [first, second, rest @ ..] = actions else { return None };
        if rest.is_empty() || rest.iter().any(|action| action != second) {
            return None;
        }
        let word = second.word();
        let what = match first == second {
            true => format!("`{word}` at every bar"),
            false => format!("`{word}` at every bar after one `{}`", first.word()),
        };
        let text = format!("{what} of the {} split", split.word());
        Some(Warning { kind: WarningKind::ConstantAction, step, text })
    }
}

#[cfg(test)]
mod tests {
    use trading_env::Action::{Buy, Hold, Sell};

    use super::*;

    fn trained() -> Watch {
        let mut watch = Watch::default();
        for (update, approx_kl) in [0.01, 0.6, 0.7, 0.02].into_iter().enumerate() {
            let update = update as u32;
            let global_step = 100 * (u64::from(update) + 1);
            watch.update(&UpdateRecord { update, global_step, approx_kl, ..UpdateRecord::default() });
        }
        watch
    }

    #[test]
    fn explosions_are_told_from_the_first_on() {
        let warning = trained().explosion().unwrap();
        assert_eq!((warning.kind, warning.step), (WarningKind::KlExplosion, 200));
        assert_eq!(warning.text, "approx_kl 0.600 in update 1; above 0.5 in 2 updates, at most 0.700");
        assert_eq!(Watch::default().explosion(), None);
    }

    #[test]
    fn a_cache_that_has_lost_more_than_it_held_is_warned_of() {
        let warning = |cache_hits, cache_spilled, cache_recomputed| {
            let mut watch = trained();
            // Counts are of all updates so far: the last row says it.
            watch.timing(&TimingRecord { cache_spilled: 999, ..TimingRecord::default() });
            let row = TimingRecord { cache_hits, cache_spilled, cache_recomputed, ..TimingRecord::default() };
            watch.timing(&row);
            watch.thrashing()
        };
        let warned = warning(99, 60, 40).unwrap();
        assert_eq!((warned.kind, warned.step), (WarningKind::CacheThrashing, 400));
        let begin =
            "99 prompts were found in memory, 60 were read back from disk and 40 computed again; raise ";
        assert!(warned.text.starts_with(begin), "{}", warned.text);
        assert_eq!(warning(100, 60, 40), None);
        assert_eq!(warning(0, 40, 23), None, "a short run");
        assert_eq!(Watch::default().thrashing(), None);
    }

    #[test]
    fn shortened_prompts_are_warned_of() {
        let shortened = |shortened| trained().shortened(PromptCounts { encoded: 618, shortened });
        let warning = shortened(402).unwrap();
        assert_eq!((warning.kind, warning.step), (WarningKind::ShortenedPrompts, 400));
        let begin = "402 of 618 prompts lost their oldest news or prices; ";
        assert!(warning.text.starts_with(begin), "{}", warning.text);
        assert_eq!(shortened(0), None);
        let untrained = Watch::default().shortened(PromptCounts { encoded: 1, shortened: 1 });
        assert_eq!(untrained.unwrap().step, 0, "a baseline reads prompts too");
    }

    #[test]
    fn a_nearly_uniform_policy_has_hardly_moved() {
        let watch = trained();
        let unmoved = |policy, uniform| watch.unmoved(PolicyEntropy { policy, uniform });
        let three = 3.0_f64.ln();
        let warning = unmoved(0.981 * three, three).unwrap();
        assert_eq!((warning.kind, warning.step), (WarningKind::Unmoved, 400));
        assert_eq!(
            warning.text,
            "entropy 1.0777 in the last update is 98.1% of the 1.0986 of a uniform policy over the legal actions; from \
             98% on it has hardly moved"
        );
        assert_eq!(unmoved(0.979 * three, three), None);
        let two = 2.0_f64.ln();
        assert!(unmoved(0.99 * two, two).is_some(), "with two legal actions the bound is lower");
        assert_eq!(unmoved(0.0, 0.0), None, "one legal action");
        let uniform = PolicyEntropy { policy: three, uniform: three };
        assert_eq!(Watch::default().unmoved(uniform), None, "nothing was trained");
    }

    #[test]
    fn a_constant_action_is_told_of_trained_policies() {
        let watch = trained();
        let text = |actions: &[Action]| watch.constant(SplitName::Test, actions).map(|w| w.text);
        assert_eq!(text(&[Hold; 3]).unwrap(), "`hold` at every bar of the test split");
        let expected = "`hold` at every bar after one `buy` of the test split";
        assert_eq!(text(&[Buy, Hold, Hold]).unwrap(), expected);
        assert_eq!(text(&[Buy, Hold, Sell]), None);
        assert_eq!(text(&[Buy, Buy]), None, "two bars say nothing");
        assert_eq!(watch.constant(SplitName::Test, &[Buy; 9]).unwrap().step, 400);
        assert_eq!(Watch::default().constant(SplitName::Test, &[Buy; 9]), None, "nothing was trained");
    }
}
