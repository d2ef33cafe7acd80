//! A run's recorded steps score like the same decisions replayed.

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns, Segment};
use proptest::prelude::*;
use serde_json::json;
use trading_env::{Action, Arena, EnvConfig, REWARDS, RULES, Rules, SplitName};

use super::{Scorecard, ScoredStep};
use crate::{Decisions, EvaluateOptions, ScoreError, evaluate};

proptest! {
    #[test]
    fn a_run_and_the_replay_of_its_decisions_agree(
        closes in prop::collection::vec(1.0..500.0, 3..30),
        wishes in prop::collection::vec(prop::sample::select(&Action::ALL[..]), 30),
        look_back in 0usize..2,
    ) {
        let start = NaiveDate::from_ymd_opt(2020, 1, 6).unwrap();
        let dates: Vec<_> = (0..closes.len()).map(|i| start + Days::new(i as u64)).collect();
        let series = BarSeries::from_columns("TEST", None, Columns::of_closes(dates.clone(), closes)).unwrap();
        for plugin in RULES {
            let rules: Arc<dyn Rules> = plugin.build(&json!({}), ()).unwrap().into();
            let reward = REWARDS[0].build(&json!({}), ()).unwrap().into();
            let segment = Segment { series: Arc::new(series.clone()), first: look_back };
            let arena = Arena::new(segment, SplitName::Test, rules.clone(), reward, EnvConfig::default()).unwrap();
            let mut envs = arena.evaluation();
            let (mut steps, mut taken) = (Vec::new(), Vec::new());
            for wish in &wishes[..dates.len() - look_back - 1] {
                let action = if envs.observe(0).mask.allows(*wish) { *wish } else { Action::Hold };
                envs.step(0, action);
                taken.push((envs.record(0).date, action));
                steps.push(ScoredStep::last(&envs, 0));
            }
            let run = Scorecard::from_steps(100_000.0, &steps, series.periods_per_year()).unwrap();
            let decisions: Decisions = taken.into_iter().collect();
            let (from, to) = (dates[look_back], dates[dates.len() - 1]);
            let replay = evaluate(&series, from, to, &decisions, &*rules, &EvaluateOptions::default()).unwrap();
            prop_assert_eq!(run, replay);
        }
    }
}

#[test]
fn no_steps_are_no_score() {
    assert_eq!(Scorecard::from_steps(1.0, &[], 252.0), Err(ScoreError::Stats(stats::StatsError::Empty)));
}
