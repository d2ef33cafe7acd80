//! Gates for continuous integration: comparisons of scores that have to hold.

mod expression;

use std::fmt;

use plugin::did_you_mean;
use serde::Serialize;
use stats::SeedScores;

use crate::ReportInput;
use crate::arm_scores::{METRICS, Statistic, completed, known_metrics, seed_scores};
use crate::numbers::significant;
use crate::pooled::Pooled;
use crate::selection::{SELECTED, selected_arms};
pub use expression::{Gate, GateError};
use expression::{Side, Term};

/// What a gate came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The gate as it was written.
    pub gate: String,
    /// Whether it holds. Without a value on both sides it does not.
    pub holds: bool,
    /// Value of the left side; `null` where undefined.
    pub left: Option<f64>,
    /// Value of the right side.
    pub right: Option<f64>,
    /// Why a value is undefined, and on how many runs a value rests where some did not complete.
    pub notes: Vec<String>,
    #[serde(skip)]
    sign: &'static str,
}

impl Gate {
    /// Arms, metrics and statistics that the experiment does not have, each with what it has.
    pub fn unknown(&self, input: &ReportInput) -> Vec<String> {
        let pooled = Pooled::of(input);
        let inputs = [&*pooled.input, input];
        self.terms()
            .flat_map(|term| unknown(term, inputs))
            .map(|what| format!("`{}`: {what}", self.text))
            .collect()
    }

    /// Compares the scores. An undefined value, a score that is undefined for a completed seed among them, is a gate
    /// that does not hold: the seeds that are left would tell of a better arm.
    pub fn judge(&self, input: &ReportInput) -> Verdict {
        let pooled = Pooled::of(input);
        let inputs = [&*pooled.input, input];
        let mut notes = Vec::new();
        let mut value = |side: &Side| match side {
            Side::Number(number) => Some(*number),
            Side::Term(term) => {
                let measured = measure(term, inputs);
                notes.extend(selected(term, inputs));
                notes.extend(unfinished(term, inputs));
                measured.map_err(|reason| notes.push(format!("{term} is undefined: {reason}"))).ok()
            }
        };
        let (left, right) = (value(&self.left), value(&self.right));
        notes.dedup();
        let holds = left.zip(right).is_some_and(|(left, right)| self.comparison.holds(left, right));
        Verdict { gate: self.text.clone(), holds, left, right, notes, sign: self.comparison.sign() }
    }

    fn terms(&self) -> impl Iterator<Item = &Term> {
        [&self.left, &self.right].into_iter().filter_map(|side| match side {
            Side::Term(term) => Some(term),
            Side::Number(_) => None,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "PASS" } else { "FAIL" };
        let [left, right] = self.values();
        write!(f, "{word} {}: {left} {} {right}", self.gate, self.sign)?;
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

impl Verdict {
    /// Both values to 6 significant digits, or to all where these do not tell them apart.
    fn values(&self) -> [String; 2] {
        let both = [self.left, self.right];
        let short = both.map(|value| value.map(|v| significant(v, 6)));
        let shown = if short[0] == short[1] { both } else { short };
        shown.map(|value| value.map_or_else(|| "undefined".to_owned(), |v| v.to_string()))
    }
}

/// What is judged of an experiment, and the experiment as it was run: a window or a task by itself has a name, too.
type Inputs<'a> = [&'a ReportInput; 2];

fn arm_of<'a>(term: &Term, inputs: Inputs<'a>) -> Option<(&'a ReportInput, usize)> {
    // What is selected has that name in every group.
    let named = |input: &ReportInput| {
        let mut named = (0..input.plan.arms.len()).filter(|arm| input.plan.arms[*arm].name == term.arm);
        named.next().filter(|_| named.next().is_none())
    };
    let found = inputs.into_iter().find_map(|input| Some((input, named(input)?)));
    found.or_else(|| match selected_arms(inputs[0]).as_slice() {
        [only] if term.arm == SELECTED => Some((inputs[0], *only)),
        _ => None,
    })
}

/// Whether the term means the selected arm.
fn is_selected(term: &Term, inputs: Inputs<'_>) -> bool {
    let [pooled, _] = inputs;
    let is_word = pooled.plan.select.is_some() && term.arm == SELECTED;
    is_word && !inputs[1].plan.arms.iter().any(|arm| arm.name == SELECTED)
}

/// `selected is sample-7`.
fn selected(term: &Term, inputs: Inputs<'_>) -> Option<String> {
    let (input, arm) = arm_of(term, inputs).filter(|_| is_selected(term, inputs))?;
    let arm = &input.plan.arms[arm];
    let what = if arm.choices().is_empty() { arm.name.clone() } else { arm.choices().join("; ") };
    Some(format!("{SELECTED} is {what}"))
}

fn unknown(term: &Term, inputs: Inputs<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    if arm_of(term, inputs).is_none() && !is_selected(term, inputs) {
        let word = inputs[0].plan.select.map(|_| SELECTED);
        let mut names: Vec<&str> = Vec::new();
        let known = inputs.iter().flat_map(|input| &input.plan.arms).map(|arm| arm.name.as_str());
        for name in known.chain(word) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        problems.push(told("arm", &term.arm, &names, &names.join(", ")));
    }
    let [_, input] = inputs;
    let known = known_metrics(input);
    if !is_known(&term.metric, &known) {
        // `sharpe.iqn` was read as the name of a metric.
        let before = term.metric.rsplit_once('.').filter(|(metric, _)| is_known(metric, &known));
        problems.push(match before {
            Some((_, word)) => {
                let words = Statistic::ALL.map(Statistic::word);
                told("statistic", word, &words, &words.join(", "))
            }
            None => {
                let all: Vec<&str> = known.iter().map(String::as_str).collect();
                let listed = format!("{}, rescored.<rules>.<cost>bps.<one of these>", METRICS.join(", "));
                told("metric", &term.metric, &all, &listed)
            }
        });
    }
    problems
}

/// Scores under other rules are missing from runs of earlier versions: undefined there, not unknown.
fn is_known(metric: &str, known: &[String]) -> bool {
    let is_older = !known.iter().any(|name| name.starts_with("rescored."));
    let rescored =
        || metric.strip_prefix("rescored.")?.split_once("bps.").map(|(_, name)| METRICS.contains(&name));
    known.iter().any(|name| name == metric) || (is_older && rescored() == Some(true))
}

/// The near miss comes first: a long list may be cut off.
fn told(what: &str, name: &str, known: &[&str], listed: &str) -> String {
    let near = did_you_mean(name, known.iter().copied());
    format!("unknown {what} \"{name}\"{near}; known: {listed}")
}

fn measure(term: &Term, inputs: Inputs<'_>) -> Result<f64, String> {
    let arm = arm_of(term, inputs);
    if arm.is_none() && is_selected(term, inputs) {
        let windows = selected_arms(inputs[0]).len();
        return Err(match windows {
            0 => "no arm is selected".to_owned(),
            n => format!("each of {n} test windows has its own"),
        });
    }
    let scores = arm.map(|(input, arm)| seed_scores(input, arm, &term.metric));
    let scores = scores.filter(|s| s.len() + s.missing() > 0).ok_or("no completed run")?;
    let seeds = scores.len() + scores.missing();
    if scores.missing() > 0 {
        return Err(format!("for {} of {seeds} seeds", scores.missing()));
    }
    term.statistic
        .of(&scores)
        .ok_or_else(|| format!("an interval needs {} seeds, found {seeds}", SeedScores::LEAST_FOR_INTERVAL))
}

/// `arm: 4 of 5 runs completed`, where not all have.
fn unfinished(term: &Term, inputs: Inputs<'_>) -> Option<String> {
    let (input, arm) = arm_of(term, inputs)?;
    let (done, planned) =
        (completed(input, arm).count(), input.runs.iter().filter(|run| run.arm == arm).count());
    (done < planned).then(|| format!("{}: {done} of {planned} runs completed", term.arm))
}
