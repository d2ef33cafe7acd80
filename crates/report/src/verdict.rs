//! The sentence about an arm: what its runs support. The rules stand in `docs/report.md`.

use serde::Serialize;
use stats::SeedScores;

use crate::estimate::LEVEL;
use crate::numbers;
use crate::search::{SIZE, Tests};

/// What may be said of an arm beside Buy & Hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Grade {
    /// Intervals, corrected tests and controls agree that it is better.
    Better,
    /// Intervals and corrected tests agree that it is worse.
    Worse,
    /// Neither is shown.
    Open,
    /// Fewer than 3 seeds.
    Anecdote,
    /// No completed Buy & Hold has a Sharpe ratio to compare with.
    Alone,
    /// No completed run with a Sharpe ratio.
    Absent,
}

impl Grade {
    /// The claim in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Grade::Better => "better than Buy & Hold",
            Grade::Worse => "worse than Buy & Hold",
            Grade::Open => "no difference shown",
            Grade::Anecdote => "anecdote",
            Grade::Alone => "nothing to compare with",
            Grade::Absent => "no result",
        }
    }
}

/// Everything that a verdict depends on.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub name: String,
    /// Completed runs.
    pub completed: usize,
    /// Sharpe ratio, seed by seed.
    pub sharpe: SeedScores,
    pub beside: Option<Beside>,
    /// Controls of the arm; empty for arms that have none of their own.
    pub controls: Vec<Control>,
    /// Deflated Sharpe probability.
    pub deflated: Option<f64>,
    /// Trials that were ever started.
    pub trials: usize,
}

/// The arm beside Buy & Hold.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    /// Sharpe ratio less that of Buy & Hold, seed by seed.
    pub difference: SeedScores,
    pub tests: Tests,
    /// Seeds that earn more than 97.5% of the policies of equal turnover, of those that have such policies.
    pub shifts: Option<(usize, usize)>,
}

/// The arm beside one of its controls.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub name: String,
    /// Whether it takes away everything that there could be to find: an arm that is no better has found nothing.
    pub is_null: bool,
    /// Timing that is lost with what the control takes away, seed by seed.
    pub lost: SeedScores,
}

impl Control {
    /// Whether it is not shown to do worse than the arm; `None` with too few seeds to say.
    fn is_not_worse(&self) -> Option<bool> {
        Some(self.lost.interval(LEVEL)?.low <= 0.0)
    }
}

/// The verdict on one arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub name: String,
    pub grade: Grade,
    pub words: &'static str,
    /// Without the name.
    pub sentence: String,
}

impl Verdict {
    pub(crate) fn new(facts: &Facts) -> Self {
        let grade = grade(facts);
        Self { name: facts.name.clone(), grade, words: grade.words(), sentence: sentence(facts, grade) }
    }
}

fn is_small(p: Option<f64>) -> bool {
    p.is_some_and(|p| p < SIZE)
}

/// Half of the seeds at least, where 1 in 40 would without timing.
fn beats_shifts(shifts: (usize, usize)) -> bool {
    2 * shifts.0 >= shifts.1
}

fn grade(facts: &Facts) -> Grade {
    if facts.sharpe.is_empty() {
        return Grade::Absent;
    }
    if facts.sharpe.len() < SeedScores::LEAST_FOR_INTERVAL {
        return Grade::Anecdote;
    }
    let Some(beside) = &facts.beside else { return Grade::Alone };
    let Some(interval) = beside.difference.interval(LEVEL) else { return Grade::Alone };
    let nothing_found = facts.controls.iter().any(|c| c.is_null && c.is_not_worse() == Some(true));
    let has_timing =
        is_small(beside.tests.timing) && beside.shifts.is_none_or(beats_shifts) && !nothing_found;
    if interval.low > 0.0 && is_small(beside.tests.above) && has_timing {
        Grade::Better
    } else if interval.high < 0.0 && is_small(beside.tests.below) {
        Grade::Worse
    } else {
        Grade::Open
    }
}

fn sentence(facts: &Facts, grade: Grade) -> String {
    if grade == Grade::Absent {
        return match facts.completed {
            0 => "no run has completed.".to_owned(),
            n => format!("no Sharpe ratio, its returns never vary ({}).", seeds(n)),
        };
    }
    let mut parts = vec![of_score(facts)];
    if grade == Grade::Anecdote {
        parts.push("an anecdote, too few for an interval or a comparison".to_owned());
        return format!("{}.", parts.join("; "));
    }
    match &facts.beside {
        Some(beside) => parts.extend(of_beside(beside)),
        None => parts.push("no completed Buy & Hold with a Sharpe ratio to compare it with".to_owned()),
    }
    parts.extend(facts.deflated.map(|p| {
        format!(
            "after {} the deflated Sharpe probability of its seeds as a portfolio is {}",
            numbers::plural(facts.trials, "trial"),
            probability(p)
        )
    }));
    parts.extend(of_controls(&facts.controls));
    format!("{}.", parts.join("; "))
}

fn seeds(n: usize) -> String {
    numbers::plural(n, "seed")
}

/// Never a rounded 0 or 1, which would claim certainty.
pub(crate) fn probability(p: f64) -> String {
    match p {
        p if p < 0.005 => "below 0.01".to_owned(),
        p if p > 0.995 => "above 0.99".to_owned(),
        p => numbers::fixed(Some(p), 2),
    }
}

/// A p-value after its sign.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {}", numbers::fixed(Some(p), 3)) }
}

fn of_score(facts: &Facts) -> String {
    let two = |v| numbers::fixed(Some(v), 2);
    let interval = facts.sharpe.interval(LEVEL);
    let interval = interval.map(|i| format!(" [{}, {}]", two(i.low), two(i.high))).unwrap_or_default();
    let missing = match facts.sharpe.missing() {
        0 => String::new(),
        n => format!(" ({} more without a ratio)", numbers::count(n)),
    };
    let mean = numbers::fixed(facts.sharpe.mean(), 2);
    format!("Sharpe {mean}{interval} over {}{missing}", seeds(facts.sharpe.len()))
}

fn of_beside(beside: &Beside) -> Vec<String> {
    let Some(interval) = beside.difference.interval(LEVEL) else { return Vec::new() };
    let above = beside.difference.sorted().iter().filter(|d| **d > 0.0).count();
    let (place, p) = match () {
        () if interval.low > 0.0 => ("is above zero", beside.tests.above),
        () if interval.high < 0.0 => ("is below zero", beside.tests.below),
        () => ("covers zero", None),
    };
    let mut parts = vec![format!(
        "above Buy & Hold in {above} of {}, the interval of the difference {place}",
        seeds(beside.difference.len())
    )];
    if interval.covers(0.0) {
        return parts;
    }
    parts.push(match p {
        Some(p) if p < SIZE => format!("over days, corrected for all trials, {}", p_value(p)),
        Some(p) => format!("over days, corrected for all trials, {} is not enough", p_value(p)),
        None => "too few days to test it over days".to_owned(),
    });
    if interval.low > 0.0 && is_small(p) {
        if !is_small(beside.tests.timing) {
            parts.push("Buy & Hold at the same average position is not shown to earn less".to_owned());
        }
        if let Some((n, of)) = beside.shifts.filter(|s| !beats_shifts(*s)) {
            parts.push(format!(
                "only {n} of {} earn more than 97.5% of policies of equal turnover",
                seeds(of)
            ));
        }
    }
    parts
}

/// A difference that is not shown is no equality: what is said is which controls are shown to do worse and which not.
fn of_controls(controls: &[Control]) -> Option<String> {
    let judged: Vec<(&str, bool)> =
        controls.iter().filter_map(|c| Some((c.name.as_str(), c.is_not_worse()?))).collect();
    let named = |is_not_worse: bool| -> Vec<&str> {
        judged.iter().filter(|(_, open)| *open == is_not_worse).map(|(name, _)| *name).collect()
    };
    let (open, worse) = (named(true), named(false));
    if open.is_empty() && worse.len() == controls.len() && !worse.is_empty() {
        return Some("every control is shown to do worse".to_owned());
    }
    // Some controls have too few seeds to say: those that have enough are named.
    let (names, not) = if open.is_empty() { (worse, "") } else { (open, "not ") };
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("the control {one} is {not}shown to do worse")),
        [first @ .., last] => {
            Some(format!("the controls {} and {last} are {not}shown to do worse", first.join(", ")))
        }
    }
}

/// The page in one sentence.
pub(crate) fn headline(grades: &[Grade]) -> String {
    let count = |grade| grades.iter().filter(|g| **g == grade).count();
    let n = grades.len();
    let arms = |k: usize| match (k, n) {
        (1, 1) => "The arm is".to_owned(),
        (k, n) => format!(
            "{} of {} arms {}",
            numbers::count(k),
            numbers::count(n),
            if k == 1 { "is" } else { "are" }
        ),
    };
    let [better, worse, anecdote, alone, absent] =
        [Grade::Better, Grade::Worse, Grade::Anecdote, Grade::Alone, Grade::Absent].map(count);
    match () {
        () if n == 0 => "The plan has no arm.".to_owned(),
        () if absent == n => {
            "No arm has a Sharpe ratio: no run has completed, or its returns never vary.".to_owned()
        }
        () if better > 0 => format!("{} shown to be better than Buy & Hold.", arms(better)),
        () if anecdote + absent == n => {
            "With fewer than 3 seeds an arm, these results are anecdotes.".to_owned()
        }
        () if alone + anecdote + absent == n => {
            "There is no completed Buy & Hold to compare the arms with.".to_owned()
        }
        () if worse == n => "Every arm is shown to be worse than Buy & Hold.".to_owned(),
        () if worse > 0 => {
            format!("No arm is shown to be better than Buy & Hold; {} worse.", lower(&arms(worse)))
        }
        () => "No arm is shown to be better than Buy & Hold.".to_owned(),
    }
}

fn lower(text: &str) -> String {
    text.strip_prefix("The").map_or_else(|| text.to_owned(), |rest| format!("the{rest}"))
}
