//! The same arms on several backends: where their runs part, how far apart they end, and whether it matters beside what
//! another seed changes.

mod pairs;
#[cfg(test)]
mod tests;

use std::f64::consts::SQRT_2;

use serde::Serialize;
use serde_json::{Value, json};
use stats::{SeedScores, quantile};
use store::RunState;

use crate::arm_scores::{completed, per_seed, seed_scores};
use crate::estimate::{Cell, LEVEL};
use crate::judged::Column;
use crate::metric::{SCORES, Unit};
use crate::numbers::{self, count};
use crate::provenance::device;
use crate::text::{COLUMNS, Part, TextTable};
use crate::{ReportInput, ReportRun};
use pairs::{Alike, alike, backend};
pub use pairs::{BackendPair, BackendRecords, Distance};

/// Rows of single seeds that the page lists at most.
const MOST_SEEDS: usize = 200;

/// The section.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Backends {
    /// What each backend computed on.
    pub devices: Vec<(String, Vec<String>)>,
    /// Backends without a run, and why.
    pub skipped: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Single seeds; empty where there are too many.
    pub seeds: Vec<SeedRow>,
}

/// One arm on two backends.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub arm: String,
    /// `wgpu against flex`.
    pub backends: String,
    /// A few words, and how they are coloured.
    pub words: &'static str,
    pub grade: &'static str,
    pub sentence: String,
    pub cells: Vec<StepCell>,
}

/// A cell whose second line is no interval.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepCell {
    #[serde(flatten)]
    pub cell: Cell,
    /// The second line: words before a number, the number, words after it; and what it is called in CSV.
    pub beside: Option<(&'static str, String, &'static str, &'static str)>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct SeedRow {
    pub arm: String,
    pub backends: String,
    pub seed: u64,
    pub cells: Vec<String>,
}

const FIRST: Column = Column {
    label: "First difference",
    about: "first training step at which log-probability, value, reward or action differs in any bit: median over seeds",
};
const ACTION: Column = Column {
    label: "First other action",
    about: "first training step at which another action is taken: median over seeds, where none counts as after the end",
};
const LOG_PROB: Column = Column {
    label: "Log-prob. apart",
    about: "largest difference of the actions' log-probabilities up to the first other action: largest over seeds",
};
const UPDATES: Column = Column {
    label: "Equal updates",
    about: "updates before the first that differs in any bit: median over seeds",
};
const APART: Column = Column {
    label: "Parameters apart",
    about: "distance of the trained parameters over their size: median over seeds; below it, as a share of the distance of two seeds on the reference backend",
};
const DIFFERENCE: Column = Column {
    label: "Sharpe difference",
    about: "other backend less the reference, seed by seed: mean with the 95% bootstrap interval over seeds",
};
const CHANGE: Column = Column {
    label: "Change",
    about: "size of these differences, the root of their mean square; below it, as a share of what another seed changes, which is the root of 2 times the seed noise",
};
const NOISE: Column = Column {
    label: "Seed noise",
    about: "standard deviation of the Sharpe ratio over these seeds on the reference backend",
};
const SPEED: Column = Column {
    label: "Steps/s",
    about: "environment steps per second of training: median over updates, then over seeds; below it, on the reference backend. Runs side by side share the machine",
};
const SEEDS: Column = Column { label: "Seeds", about: "completed on both backends" };

/// What a few words say of an arm on two backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// No seed has completed on both.
    Nothing,
    /// Steps, updates and parameters are the same in every bit.
    Equal,
    /// They part, and no Sharpe ratio changes.
    SameScores,
    /// No Sharpe ratio on both, or fewer seeds than an interval needs.
    Anecdote,
    /// The interval of the difference covers zero.
    NotShown,
    /// It does not.
    Shown,
}

impl Finding {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "no result",
            Self::Equal => "equal in every bit",
            Self::SameScores => "same scores",
            Self::Anecdote => "anecdote",
            Self::NotShown => "no difference shown",
            Self::Shown => "difference shown",
        }
    }

    /// Class of the page's style.
    fn grade(self) -> &'static str {
        match self {
            Self::Anecdote => "anecdote",
            Self::Shown => "worse",
            Self::Nothing | Self::Equal | Self::SameScores | Self::NotShown => "none",
        }
    }
}

/// When something happens first, over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct First {
    earliest: Option<usize>,
    /// Absent where it happens in fewer than half of the seeds.
    median: Option<f64>,
    /// Seeds in which it does not happen.
    never: usize,
    n: usize,
}

impl First {
    fn of(steps: impl Iterator<Item = Option<usize>>) -> Self {
        let all: Vec<Option<usize>> = steps.collect();
        let mut at: Vec<usize> = all.iter().flatten().copied().collect();
        at.sort_unstable();
        let n = all.len();
        let nth = |i: usize| at.get(i).map(|step| *step as f64);
        let median = if n == 0 { None } else { nth((n - 1) / 2).zip(nth(n / 2)).map(|(a, b)| (a + b) / 2.0) };
        Self { earliest: at.first().copied(), median, never: n - at.len(), n }
    }

    fn median(&self) -> String {
        self.median.map_or_else(|| "none".to_owned(), step)
    }

    fn cell(&self, label: &'static str) -> StepCell {
        let text = if self.n == 0 { numbers::UNDEFINED.to_owned() } else { self.median() };
        let mut cell = Cell::plain(label, text, self.median);
        cell.missing = (self.never > 0 && self.never < self.n)
            .then(|| format!("never in {} of {}", count(self.never), count(self.n)));
        let earliest = self.earliest.filter(|e| Some(*e as f64) != self.median);
        StepCell { cell, beside: earliest.map(|step| ("earliest ", count(step), "", "earliest")) }
    }

    fn json(&self) -> Value {
        json!({ "earliest": self.earliest, "median": self.median, "never": self.never })
    }
}

/// A step between two is half of one more.
fn step(at: f64) -> String {
    numbers::fixed(Some(at), usize::from(at.fract() != 0.0))
}

/// One arm on the reference backend and another one, over the seeds that have completed on both.
pub(crate) struct Compared {
    arm: String,
    /// Reference, other.
    backends: [String; 2],
    pairs: usize,
    /// Pairs that are the same in every bit.
    equal: usize,
    has_parameters: bool,
    steps: usize,
    first_difference: First,
    first_action: First,
    /// Largest over pairs.
    log_prob: Option<f64>,
    equal_updates: Option<f64>,
    updates: usize,
    apart: Option<f64>,
    seeds_apart: Option<f64>,
    /// Sharpe ratio, other less reference.
    difference: SeedScores,
    noise: Option<f64>,
    /// Reference, other.
    speeds: [Option<f64>; 2],
}

impl Compared {
    fn of(input: &ReportInput, alike: &Alike, other: usize) -> Self {
        let reference = alike.reference(&input.runs);
        let plan = &input.plan;
        let is_ours =
            |p: &&BackendPair| [p.reference, p.other].map(|i| input.runs[i].arm) == [reference, other];
        let pairs: Vec<&BackendPair> = input.backends.pairs.iter().filter(is_ours).collect();
        let speeds = [0, 1].map(|side| {
            let runs = pairs.iter().map(|p| [p.reference, p.other][side]);
            median(runs.filter_map(|run| input.backends.speeds.get(&run).copied()))
        });
        let between = input.backends.seeds.iter().filter(|(runs, _)| input.runs[runs[0]].arm == reference);
        let seeds: Vec<u64> = pairs.iter().map(|p| input.runs[p.other].seed).collect();
        let of_pairs = |run: &ReportRun| run.test_metric("sharpe").filter(|_| seeds.contains(&run.seed));
        Self {
            arm: name(&plan.arms[reference].name, backend(&plan.arms[reference])),
            backends: [reference, other].map(|arm| backend(&plan.arms[arm]).to_owned()),
            pairs: pairs.len(),
            equal: pairs.iter().filter(|p| p.is_equal()).count(),
            has_parameters: pairs.iter().any(|p| p.parameters.is_some()),
            steps: pairs.iter().map(|p| p.steps).max().unwrap_or(0),
            first_difference: First::of(pairs.iter().map(|p| p.first_difference)),
            first_action: First::of(pairs.iter().map(|p| p.first_action)),
            log_prob: pairs.iter().filter_map(|p| p.log_prob).reduce(f64::max),
            equal_updates: median(pairs.iter().map(|p| p.equal_updates as f64)),
            updates: pairs.iter().map(|p| p.updates).max().unwrap_or(0),
            apart: median(pairs.iter().filter_map(|p| p.parameters).map(|d| d.relative)),
            seeds_apart: median(between.map(|(_, distance)| *distance)).filter(|d| *d > 0.0),
            difference: seed_scores(input, other, "sharpe")
                .differences(&seed_scores(input, reference, "sharpe")),
            noise: per_seed(input, reference, of_pairs).sd(),
            speeds,
        }
    }

    /// Distance of the parameters as a share of that of two seeds.
    fn of_seeds(&self) -> Option<f64> {
        Some(self.apart? / self.seeds_apart?)
    }

    /// Root mean square of the differences in Sharpe ratio.
    fn change(&self) -> Option<f64> {
        let differences = self.difference.sorted();
        let sum: f64 = differences.iter().map(|d| d * d).sum();
        (!differences.is_empty()).then(|| (sum / differences.len() as f64).sqrt())
    }

    /// What another seed changes: two independent draws differ by the root of 2 times their standard deviation.
    fn another_seed(&self) -> Option<f64> {
        self.noise.filter(|sd| *sd > 0.0).map(|sd| SQRT_2 * sd)
    }

    fn share(&self) -> Option<f64> {
        Some(self.change()? / self.another_seed()?)
    }

    fn finding(&self) -> Finding {
        let interval = self.difference.interval(LEVEL);
        match interval {
            _ if self.pairs == 0 => Finding::Nothing,
            _ if self.equal == self.pairs => Finding::Equal,
            _ if self.change() == Some(0.0) && self.difference.missing() == 0 => Finding::SameScores,
            None => Finding::Anecdote,
            Some(interval) if interval.covers(0.0) => Finding::NotShown,
            Some(_) => Finding::Shown,
        }
    }

    fn versus(&self) -> String {
        format!("{} against {}", self.backends[1], self.backends[0])
    }

    pub(crate) fn sentence(&self) -> String {
        if self.pairs == 0 {
            return format!("No seed has completed on both {} and {}.", self.backends[0], self.backends[1]);
        }
        if self.equal == self.pairs {
            let what = if self.has_parameters {
                "steps, updates and trained parameters"
            } else {
                "steps and updates"
            };
            return format!("Equal in every bit, {what}, in {}.", all_seeds(self.pairs));
        }
        let mut parts = vec![self.parting()];
        parts.extend(self.of_parameters());
        format!("{}. {}", parts.join("; "), self.of_scores())
    }

    /// Where they part.
    fn parting(&self) -> String {
        let First { earliest, median, n, .. } = self.first_difference;
        let mut text = match (earliest, median) {
            (None, _) => {
                "The steps of training are equal in every bit, what is learnt from them is not".to_owned()
            }
            (Some(earliest), Some(median)) if n > 1 && median != earliest as f64 => format!(
                "The backends part at step {} of {} in the median of {}, at the earliest at step {}",
                step(median),
                count(self.steps),
                seeds(n),
                count(earliest)
            ),
            (Some(earliest), Some(_)) => {
                format!("The backends part at step {} of {}", count(earliest), count(self.steps))
            }
            (Some(earliest), None) => format!(
                "Most seeds take the same steps in every bit; the first difference is at step {} of {}",
                count(earliest),
                count(self.steps)
            ),
        };
        let actions = &self.first_action;
        text += &match actions.earliest {
            None => "; no action of training differs".to_owned(),
            Some(earliest) if actions.never == 0 && n == 1 => {
                format!("; the first other action is taken at step {}", count(earliest))
            }
            Some(earliest) => format!(
                "; another action is taken in {} of {}, at the earliest at step {}",
                count(n - actions.never),
                seeds(n),
                count(earliest)
            ),
        };
        if let Some(apart) = self.log_prob.filter(|apart| *apart > 0.0) {
            let until = if actions.earliest.is_none() { "" } else { "until then " };
            text +=
                &format!("; {until}log-probabilities differ by {} at most", numbers::digits(Some(apart), 2));
        }
        text
    }

    fn of_parameters(&self) -> Option<String> {
        let apart = self.apart?;
        if apart == 0.0 {
            return Some("most trained parameters end equal".to_owned());
        }
        Some(match self.of_seeds() {
            Some(share) => format!(
                "the trained parameters end {} as far apart as those of two seeds",
                numbers::percent_digits(share)
            ),
            None => format!(
                "the trained parameters end apart by {} of their size",
                numbers::percent_digits(apart)
            ),
        })
    }

    fn of_scores(&self) -> String {
        let (finding, n) = (self.finding(), self.difference.len());
        let two = |value: f64| numbers::fixed(Some(value), 2);
        let Some(change) = self.change() else {
            return "No seed has a Sharpe ratio on both.".to_owned();
        };
        let missing = match self.difference.missing() {
            0 => String::new(),
            n => {
                format!(" {} has none on one of both.", if n == 1 { "One seed".to_owned() } else { seeds(n) })
            }
        };
        if change == 0.0 {
            return format!("No test Sharpe ratio changes.{missing}");
        }
        let beside = match self.another_seed().zip(self.share()) {
            Some((other, share)) => {
                format!(", {} of what another seed changes ({})", numbers::digits(Some(share), 2), two(other))
            }
            None => String::new(),
        };
        let mean = self.difference.mean().map(two).unwrap_or_default();
        let interval = self.difference.interval(LEVEL).map(|i| format!("{} to {}", two(i.low), two(i.high)));
        let verdict = match (finding, interval) {
            (Finding::Shown, Some(interval)) => format!(
                "the mean difference of {mean} has an interval of {interval}, which excludes zero: a difference is shown"
            ),
            (_, Some(interval)) => format!(
                "the mean difference of {mean} has an interval of {interval}, which covers zero: no difference is shown"
            ),
            (_, None) => format!("with {} that is an anecdote", seeds(n)),
        };
        format!("A seed's test Sharpe ratio changes by {}{beside}; {verdict}.{missing}", two(change))
    }

    fn cells(&self) -> Vec<StepCell> {
        let alone = |cell| StepCell { cell, beside: None };
        let plain = |column: Column, unit: Unit, value: Option<f64>| {
            alone(Cell::plain(column.label, unit.write(value), value))
        };
        let share = self
            .of_seeds()
            .map(|share| ("", numbers::percent_digits(share), " of two seeds", "over two seeds"));
        let updates = self.equal_updates.map(step).unwrap_or_else(|| numbers::UNDEFINED.to_owned());
        vec![
            self.first_difference.cell(FIRST.label),
            self.first_action.cell(ACTION.label),
            plain(LOG_PROB, Unit::Number, self.log_prob),
            StepCell {
                cell: Cell::plain(UPDATES.label, updates, self.equal_updates),
                beside: (self.pairs > 0).then(|| ("of ", count(self.updates), "", "of")),
            },
            StepCell {
                cell: Cell::plain(APART.label, Unit::Number.write(self.apart), self.apart),
                beside: share,
            },
            alone(Cell::new(DIFFERENCE.label, SCORES[0].unit, &self.difference)),
            StepCell {
                beside: self
                    .share()
                    .map(|share| ("", Unit::Ratio.write(Some(share)), " of a seed's", "over a seed's")),
                ..plain(CHANGE, Unit::Ratio, self.change())
            },
            plain(NOISE, Unit::Ratio, self.noise),
            StepCell {
                beside: self.speeds[0].map(|v| ("reference ", Unit::Number.write(Some(v)), "", "reference")),
                ..plain(SPEED, Unit::Number, self.speeds[1])
            },
            alone(Cell::plain(SEEDS.label, count(self.pairs), Some(self.pairs as f64))),
        ]
    }

    fn json(&self) -> Value {
        let interval = self.difference.interval(LEVEL);
        json!({
            "arm": self.arm,
            "reference": self.backends[0],
            "other": self.backends[1],
            "seeds": self.pairs,
            "equal_seeds": self.equal,
            "steps": self.steps,
            "first_difference": self.first_difference.json(),
            "first_action": self.first_action.json(),
            "log_prob_difference": self.log_prob,
            "equal_updates": self.equal_updates,
            "updates": self.updates,
            "parameter_distance": self.apart,
            "parameter_distance_of_seeds": self.seeds_apart,
            "sharpe_difference": {
                "mean": self.difference.mean(),
                "low": interval.map(|i| i.low),
                "high": interval.map(|i| i.high),
                "root_mean_square": self.change(),
                "undefined": self.difference.missing(),
            },
            "sharpe_noise": self.noise,
            "change_over_noise": self.share(),
            "steps_per_s": { "reference": self.speeds[0], "other": self.speeds[1] },
            "finding": self.finding().words(),
            "sentence": self.sentence(),
        })
    }
}

/// The arms that more than one backend has, each backend beside the reference; none where no run of them has completed.
pub(crate) fn compared(input: &ReportInput) -> Vec<Compared> {
    let alike = alike(&input.plan);
    let has_run = |arm: &usize| completed(input, *arm).next().is_some();
    if !alike.iter().flat_map(|alike| &alike.arms).any(has_run) {
        return Vec::new();
    }
    let of = |alike: &Alike| -> Vec<Compared> {
        let reference = alike.reference(&input.runs);
        let others = alike.arms.iter().filter(|arm| **arm != reference);
        others.map(|other| Compared::of(input, alike, *other)).collect()
    };
    alike.iter().flat_map(of).collect()
}

/// The section; absent where there is nothing to compare.
pub(crate) fn backends(input: &ReportInput) -> Option<Backends> {
    let compared = compared(input);
    if compared.is_empty() {
        return None;
    }
    let row = |c: &Compared| Row {
        arm: c.arm.clone(),
        backends: c.versus(),
        words: c.finding().words(),
        grade: c.finding().grade(),
        sentence: c.sentence(),
        cells: c.cells(),
    };
    Some(Backends {
        devices: devices(input),
        skipped: skipped(input),
        columns: vec![FIRST, ACTION, LOG_PROB, UPDATES, APART, DIFFERENCE, CHANGE, NOISE, SPEED, SEEDS],
        rows: compared.iter().map(row).collect(),
        seeds: if input.backends.pairs.len() > MOST_SEEDS { Vec::new() } else { seed_rows(input) },
    })
}

/// Headings of the rows of single seeds are those of the template.
fn seed_rows(input: &ReportInput) -> Vec<SeedRow> {
    let at = |step: Option<usize>| step.map_or_else(|| "none".to_owned(), count);
    let row = |pair: &BackendPair| {
        let runs = [pair.reference, pair.other];
        let arms = runs.map(|run| &input.plan.arms[input.runs[run].arm]);
        let scores = runs.map(|run| input.runs[run].test_metric("sharpe"));
        let speeds = runs.map(|run| input.backends.speeds.get(&run).copied());
        let two = |value| SCORES[0].unit.write(value);
        SeedRow {
            arm: name(&arms[0].name, backend(arms[0])),
            backends: format!("{} against {}", backend(arms[1]), backend(arms[0])),
            seed: input.runs[pair.other].seed,
            cells: vec![
                at(pair.first_difference),
                at(pair.first_action),
                Unit::Number.write(pair.log_prob),
                format!("{} of {}", count(pair.equal_updates), count(pair.updates)),
                Unit::Number.write(pair.parameters.map(|p| p.relative)),
                two(scores[1]),
                two(scores[0]),
                two(scores[1].zip(scores[0]).map(|(other, reference)| other - reference)),
                Unit::Number.write(speeds[1]),
                Unit::Number.write(speeds[0]),
            ],
        }
    };
    input.backends.pairs.iter().map(row).collect()
}

/// The runs of arms that more than one backend has.
fn runs_alike(input: &ReportInput) -> impl Iterator<Item = (&str, &ReportRun)> {
    let arms: Vec<usize> = alike(&input.plan).into_iter().flat_map(|alike| alike.arms).collect();
    let ours = input.runs.iter().filter(move |run| arms.contains(&run.arm));
    ours.map(|run| (backend(&input.plan.arms[run.arm]), run))
}

fn devices(input: &ReportInput) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (kind, run) in runs_alike(input).filter(|(_, run)| run.state == RunState::Completed) {
        let Some(manifest) = &run.manifest else { continue };
        let words = device(&manifest.start);
        match found.iter_mut().find(|(known, _)| known == kind) {
            Some((_, devices)) if devices.contains(&words) => {}
            Some((_, devices)) => devices.push(words),
            None => found.push((kind.to_owned(), vec![words])),
        }
    }
    found
}

/// `wgpu: 10 runs skipped: no adapter on this machine`.
fn skipped(input: &ReportInput) -> Vec<String> {
    let mut found: Vec<(&str, &str, usize)> = Vec::new();
    for (kind, run) in runs_alike(input) {
        let RunState::Skipped { reason } = &run.state else { continue };
        match found.iter_mut().find(|(known, why, _)| *known == kind && *why == reason.as_str()) {
            Some((.., n)) => *n += 1,
            None => found.push((kind, reason, 1)),
        }
    }
    let told = |(kind, reason, n): (&str, &str, usize)| {
        format!(
            "{kind}: {} skipped, {reason}",
            if n == 1 { "1 run".to_owned() } else { format!("{} runs", count(n)) }
        )
    };
    found.into_iter().map(told).collect()
}

/// The section in sentences, a line per arm and backend, then what was skipped.
pub fn backend_sentences(input: &ReportInput) -> Vec<String> {
    let compared = compared(input);
    let skipped = if compared.is_empty() { Vec::new() } else { skipped(input) };
    let told = |c: &Compared| format!("{}, {}: {}", c.arm, c.versus(), c.sentence());
    compared.iter().map(told).chain(skipped).collect()
}

/// The section as a table; absent where there is nothing to compare.
pub(crate) fn text_table(input: &ReportInput) -> Option<TextTable> {
    let compared = compared(input);
    let steps = compared.iter().map(|c| c.steps).max()?;
    let row = |c: &Compared| {
        let first = |first: &First| match (first.n, first.earliest) {
            (0, _) => numbers::UNDEFINED.to_owned(),
            (_, Some(earliest)) if Some(earliest as f64) != first.median => {
                format!("{} (from {})", first.median(), count(earliest))
            }
            _ => first.median(),
        };
        let apart = match c.of_seeds() {
            Some(share) => format!("{} ({})", Unit::Number.write(c.apart), numbers::percent_digits(share)),
            None => Unit::Number.write(c.apart),
        };
        let [reference, other] = c.speeds.map(|speed| Unit::Number.write(speed));
        vec![
            c.arm.clone(),
            c.versus(),
            first(&c.first_difference),
            first(&c.first_action),
            apart,
            COLUMNS[0].cell(&c.difference),
            Unit::Ratio.write(c.noise),
            Unit::Ratio.write(c.share()),
            format!("{other} / {reference}"),
            count(c.pairs),
        ]
    };
    let heads = [
        "Arm",
        "Backends",
        "First difference",
        "First other action",
        "Parameters apart",
        "Sharpe difference",
        "Seed noise",
        "Change / noise",
        "Steps/s",
        "Seeds",
    ];
    let skipped: String = skipped(input).iter().map(|line| format!(" {line}.")).collect();
    let caption = format!(
        "Backends compared over {} training steps. First step (from 1) with any other bit and with another action: \
         median over seeds (earliest). Distance of trained parameters over their size (over the distance of two seeds). \
         Mean difference of Sharpe ratios with its 95% bootstrap interval; standard deviation over seeds; size of \
         the difference over that of another seed.{skipped}",
        count(steps)
    );
    Some(TextTable {
        caption,
        heads: heads.map(str::to_owned).to_vec(),
        words: 2,
        parts: vec![Part { title: None, rows: compared.iter().map(row).collect() }],
    })
}

/// One object per arm and backend.
pub(crate) fn json(input: &ReportInput) -> Value {
    compared(input).iter().map(Compared::json).collect()
}

/// An arm's name without its backend: `rank=4` of `backend=flex,rank=4`.
fn name(arm: &str, backend: &str) -> String {
    let own = format!("backend={backend}");
    let rest: Vec<&str> = arm.split(',').filter(|part| *part != own).collect();
    if rest.is_empty() { "base".to_owned() } else { rest.join(",") }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| quantile(&values, 0.5))
}

fn seeds(n: usize) -> String {
    if n == 1 { "1 seed".to_owned() } else { format!("{} seeds", count(n)) }
}

fn all_seeds(n: usize) -> String {
    if n == 1 { "the one seed".to_owned() } else { format!("all {} seeds", count(n)) }
}
