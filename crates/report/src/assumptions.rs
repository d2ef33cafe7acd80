//! Under which assumptions the numbers of a group hold.

use market_data::Periods;
use serde::Serialize;
use serde_json::Value;
use trading_env::Role;

use crate::groups::{Group, agent_kind};
use crate::record::Records;
use crate::{PlannedArm, numbers, settings};

/// One assumption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Assumption {
    pub label: &'static str,
    pub text: String,
}

/// What the group assumes, in the order in which a reader doubts it.
pub(crate) fn assumptions(group: &Group<'_>, records: Option<&Records>, trials: usize) -> Vec<Assumption> {
    let arm = group.arm(group.arms[0]);
    let rules = group.rules();
    let mut all = Vec::new();
    let mut add = |label, text: Option<String>| all.extend(text.map(|text| Assumption { label, text }));
    add("Rules", Some(format!("{rules}. {}", rules_note(&rules)).trim_end().to_owned()));
    add("Fills", fills(&rules).map(str::to_owned));
    add("Costs", Some(costs(arm, &rules)));
    add(
        "Cash",
        number(arm, "env.initial_cash").map(|cash| {
            format!("{} at the start, no interest; risk-free rate 0", numbers::digits(Some(cash), 6))
        }),
    );
    for (label, key) in [("Training", "split.train"), ("Validation", "split.valid"), ("Test", "split.test")] {
        add(label, span(arm, key));
    }
    add(
        "Look-back",
        number(arm, "split.warmup")
            .filter(|n| *n > 0.0)
            .map(|n| format!("{n} bars before each part, seen but not traded")),
    );
    add("Periods per year", records.map(|r| periods(group, r)));
    add("Knowledge of the model", knowledge(group));
    add(
        "Trials",
        Some(format!("{} distinct specifications ever started, failed ones counted", numbers::count(trials))),
    );
    add("Seeds", Some("what is trained again; days are never counted as seeds".to_owned()));
    all
}

/// What the known rules mean; a plugin's own rules go by their name alone.
pub(crate) fn rules_note(rules: &str) -> &'static str {
    match rules {
        "investor-bench" => {
            "Sell is short, hold is flat, buy is long; scored from close to close without costs."
        }
        "paper" => {
            "Buy spends all cash, sell liquidates, hold keeps; filled at the next price without costs."
        }
        "realistic" => {
            "Long only, filled at the next open with the fees and slippage of the settings; hold keeps."
        }
        _ => "",
    }
}

fn fills(rules: &str) -> Option<&'static str> {
    match rules {
        "investor-bench" => Some("at the close of the decision, without moving the price"),
        "paper" => Some("at the next close, without moving the price"),
        "realistic" => Some(
            "at the next open, at the next close where the data have no open; without moving the price beyond slippage",
        ),
        _ => None,
    }
}

fn costs(arm: &PlannedArm, rules: &str) -> String {
    let of = |key| number(arm, key).unwrap_or(0.0);
    let (fee, slippage) = (of("rules.fee_bps"), of("rules.slippage_bps"));
    match (fee + slippage > 0.0, rules) {
        (true, _) => format!("fee {fee} and slippage {slippage} basis points of every trade"),
        (false, "realistic") => "none: fee and slippage are set to 0".to_owned(),
        (false, "paper" | "investor-bench") => "none: these rules know no costs".to_owned(),
        (false, _) => "none that this page knows of".to_owned(),
    }
}

fn number(arm: &PlannedArm, key: &str) -> Option<f64> {
    settings::at(&arm.spec, key).as_ref().and_then(Value::as_f64)
}

fn span(arm: &PlannedArm, key: &str) -> Option<String> {
    match settings::at(&arm.spec, key)? {
        Value::Array(ends) if ends.len() == 2 => {
            Some(format!("{} to {}", settings::text(&ends[0]), settings::text(&ends[1])))
        }
        _ => None,
    }
}

fn periods(group: &Group<'_>, records: &Records) -> String {
    let runs = group.arms.iter().flat_map(|arm| group.runs(*arm));
    let market = runs.into_iter().find_map(|run| group.input.market_of(run));
    let n = records.periods_per_year;
    match market.map(|market| &group.input.markets[market].periods).filter(|known| known.per_year == n) {
        Some(known) => known.to_string(),
        None => Periods::given(n, &records.dates).to_string(),
    }
}

/// What the language model may have read of the test window before.
fn knowledge(group: &Group<'_>) -> Option<String> {
    let arms: Vec<&PlannedArm> = group
        .of_role(Role::Arm)
        .map(|i| group.arm(i))
        .filter(|arm| arm.spec.get("agent").is_some())
        .collect();
    if arms.is_empty() {
        return None;
    }
    let models: Vec<&PlannedArm> =
        arms.into_iter().filter(|arm| settings::at(&arm.spec, "agent.model").is_some()).collect();
    let Some(first) = models.first() else { return Some("no language model reads the data".to_owned()) };
    let is_random =
        |arm: &&PlannedArm| settings::at(&arm.spec, "agent.model.weights") == Some("random".into());
    if models.iter().all(is_random) {
        return Some("none: its weights are random".to_owned());
    }
    let source = settings::at(&first.spec, "data").map(|v| settings::text(&v)).unwrap_or_default();
    if source.starts_with("synthetic") {
        return Some("none of this window: the data are synthetic".to_owned());
    }
    let name = settings::at(&first.spec, "agent.model.path").map(|v| settings::text(&v));
    let name = name.or_else(|| agent_kind(first).map(str::to_owned)).unwrap_or_default();
    let until = |arm: &&PlannedArm| {
        let day = settings::at(&arm.spec, "agent.model.knowledge_until")?;
        Some(day.as_str()?.to_owned()).filter(|_| !is_random(arm))
    };
    // ISO dates are in the order of time.
    let until: Option<Vec<String>> = models.iter().filter(|arm| !is_random(arm)).map(until).collect();
    if let Some((day, (from, _))) = until.and_then(|days| days.into_iter().max()).zip(group.window()) {
        return Some(match day < from {
            true => {
                format!("text up to {day}, as the experiment says: before the test window begins on {from}")
            }
            false => format!(
                "text up to {day}, as the experiment says: the test window begins on {from}, so what the model has read could tell it the outcome, and no test here would show that"
            ),
        });
    }
    let window = group.window().map(|(from, _)| format!(" of {from} and later")).unwrap_or_default();
    Some(format!(
        "cut-off of {name} unknown: what it has read{window} could tell it the outcome, and no test here would show that"
    ))
}
