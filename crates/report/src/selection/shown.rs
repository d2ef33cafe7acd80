//! A selection in tables and words, and what the test part says of it afterwards.

use experiment::SelectionMetric;
use serde::Serialize;
use serde_json::{Value, json};
use stats::{Moments, SeedScores, rank_correlation};
use trading_env::Role;

use super::{Selection, is_made, select};
use crate::arm_scores::seed_scores;
use crate::arms::{Look, look};
use crate::effects::axis_values;
use crate::estimate::{Cell, LEVEL};
use crate::groups::{Group, groups, headings};
use crate::links::Links;
use crate::metric::{Metric, Unit};
use crate::numbers::{count, fixed, plural};
use crate::pooled::Pooled;
use crate::text::{Part, TextTable, statistics};
use crate::verdict::Grade;
use crate::{PlannedAxis, ReportInput, settings};

/// Pairs that a rank correlation is told of at least.
const LEAST_PAIRS: usize = 3;

/// Sentences that say what was selected and what it comes to, before those that say how far to trust it.
const LEAD: usize = 2;

/// A selection beside the test scores.
pub(crate) struct Outcome<'a> {
    group: &'a Group<'a>,
    selection: Selection,
    metric: &'static Metric,
    /// Of the test part, as the ranked arms stand.
    tests: Vec<SeedScores>,
}

/// What the template shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SelectionPage {
    /// Name of the selected arm.
    pub arm: Option<String>,
    /// Whether it is what windows or tasks have selected, each by itself.
    pub is_made: bool,
    /// Arms that it was selected from.
    pub n: usize,
    pub is_final: bool,
    /// What was selected and what it comes to.
    pub lead: Vec<String>,
    /// How far to trust it.
    pub notes: Vec<String>,
    /// Heading of the scores.
    pub label: &'static str,
    /// Axes: the key, and as much of it as tells it from the others.
    pub axes: Vec<(String, String)>,
    pub rows: Vec<Row>,
    /// Arms that may not be selected, and why.
    pub left_out: Vec<(String, String)>,
    /// What the validation score has to do with each setting.
    pub settings: Vec<Setting>,
    pub settings_note: String,
}

/// One arm.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub rank: usize,
    pub name: String,
    pub look: Look,
    pub link: Option<String>,
    pub is_base: bool,
    /// Validation, test, and the test less the validation, seed by seed.
    pub cells: [Cell; 3],
    /// One per axis, as a number where it is one.
    pub values: Vec<(String, Option<f64>)>,
}

/// One axis.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Setting {
    pub key: String,
    pub words: String,
}

impl<'a> Outcome<'a> {
    /// `None` where the experiment selects no arm, and where its windows or tasks have a selection each.
    pub(crate) fn of(group: &'a Group<'a>) -> Option<Self> {
        let selection = select(group).filter(|_| !is_made(group))?;
        let test = |arm: usize| seed_scores(group.input, arm, selection.by.word());
        let tests = selection.ranked.iter().map(|ranked| test(ranked.arm)).collect();
        Some(Self { group, metric: Metric::of_selection(selection.by), selection, tests })
    }

    /// Name of the selected arm.
    pub(crate) fn arm(&self) -> Option<&'a str> {
        self.selection.arm().map(|arm| self.name(arm))
    }

    fn name(&self, arm: usize) -> &'a str {
        &self.group.arm(arm).name
    }

    /// Mean of the test less the mean of the validation score; absent where the arm has no score on the test part.
    fn change(&self, rank: usize) -> Option<f64> {
        Some(self.tests.get(rank)?.mean()? - self.selection.ranked.get(rank)?.scores.mean()?)
    }

    /// How the arms that were not selected change on average, and how many they are.
    fn others(&self) -> Option<(f64, usize)> {
        let changes: Vec<f64> = (1..self.tests.len()).filter_map(|rank| self.change(rank)).collect();
        Some((Moments::of(&changes)?.mean, changes.len()))
    }

    /// By how much the validation score of the selected arm overstates it: how much more it loses than the others.
    fn optimism(&self) -> Option<f64> {
        let lost = self.others()?.0 - self.change(0)?;
        Some(if self.selection.by.is_lower_better() { -lost } else { lost })
    }

    /// Of validation and test scores over arms, and of how many.
    fn correlation(&self) -> Option<(f64, usize)> {
        let both = self.selection.ranked.iter().zip(&self.tests);
        let both = both.filter_map(|(ranked, test)| Some((ranked.scores.mean()?, test.mean()?)));
        let (valid, test): (Vec<f64>, Vec<f64>) = both.unzip();
        let found = rank_correlation(&valid, &test).filter(|_| valid.len() >= LEAST_PAIRS)?;
        Some((found, valid.len()))
    }

    /// First and last day of the validation part as planned.
    fn window(&self) -> Option<(String, String)> {
        settings::dates(&self.group.arm(self.group.arms[0]).spec, "split.valid")
    }

    /// `1.20 [0.80, 1.61]`.
    fn told(&self, scores: &SeedScores) -> String {
        told(self.metric, scores)
    }

    /// With its sign.
    fn signed(&self, change: f64) -> String {
        let text = self.metric.unit.write(Some(change));
        if change > 0.0 { format!("+{text}") } else { text }
    }

    fn best(&self) -> &'static str {
        best(self.selection.by)
    }

    /// The metric in a sentence: ratios are named after people.
    fn label(&self) -> String {
        label(self.metric)
    }

    /// What was selected, what it comes to on the test part, and how far to trust it.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let label = self.label();
        let n = self.selection.ranked.len();
        let mut sentences = Vec::new();
        match self.selection.ranked.first() {
            None => sentences.push(format!(
                "No arm is selected: none has completed every seed with a {label} on the validation part."
            )),
            Some(first) => {
                let window = self.window().map(|(from, to)| format!(", {from} to {to},")).unwrap_or_default();
                let so_far = if self.selection.is_final() { "" } else { " so far" };
                sentences.push(format!(
                    "Selected{so_far}: {}. Its {label} on the validation part{window} is {} over {}, the {} of {}.",
                    self.name(first.arm),
                    self.told(&first.scores),
                    plural(first.scores.len(), "seed"),
                    self.best(),
                    plural(n, "arm")
                ));
                sentences.push(format!(
                    "Result: on the test part, which has no say in the selection, its {label} is {}.",
                    if self.tests[0].is_empty() { "undefined".to_owned() } else { self.told(&self.tests[0]) }
                ));
                sentences.extend(self.of_followers());
                sentences.extend(self.of_base());
                sentences.extend(self.of_change());
                sentences.extend(self.of_correlation());
                sentences.push(format!(
                    "The verdicts are corrected for {}, not for the selected arm alone.",
                    match self.group.input.trials {
                        1 => "the one trial that was ever started".to_owned(),
                        trials => format!("all {} trials that were ever started", count(trials)),
                    }
                ));
            }
        }
        let left_out = self.selection.left_out.len();
        if left_out > 0 {
            let takes = if left_out == 1 { "takes" } else { "take" };
            let later = if self.selection.is_final() { "" } else { ", some of which may still do" };
            sentences.push(format!(
                "{} {takes} no part for want of a validation score of every seed{later}.",
                plural(left_out, "arm")
            ));
        }
        sentences
    }

    /// Arms that might as well have been selected.
    fn of_followers(&self) -> Option<String> {
        let [first, others @ ..] = self.selection.ranked.as_slice() else { return None };
        let second = others.first()?;
        let tie = (first.scores.mean() == second.scores.mean()).then(|| {
            format!(
                "{} has the same score: of equals the first of the plan is selected.",
                self.name(second.arm)
            )
        });
        let intervals = others.iter().map(|other| first.scores.differences(&other.scores).interval(LEVEL));
        let open = intervals
            .collect::<Option<Vec<_>>>()
            .map(|intervals| intervals.iter().filter(|interval| interval.covers(0.0)).count());
        let open = open.map(|n| {
            let so = if n > 0 { ": with other seeds one of them could have been selected" } else { "" };
            let all = plural(others.len(), "other arm");
            format!(
                "Over seeds the 95% interval of the difference covers zero for {} of {all}{so}.",
                count(n)
            )
        });
        let told: Vec<String> = tie.into_iter().chain(open).collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    fn of_base(&self) -> Option<String> {
        let base = self.group.base()?;
        let rank = self.selection.ranked.iter().position(|ranked| ranked.arm == base)?;
        Some(match rank {
            0 => "That is the base: no other arm is better on the validation part.".to_owned(),
            _ => format!(
                "The base comes to {} there, place {} of {}.",
                self.told(&self.selection.ranked[rank].scores),
                count(rank + 1),
                count(self.selection.ranked.len())
            ),
        })
    }

    fn of_change(&self) -> Option<String> {
        let (change, (others, n), optimism) = (self.change(0)?, self.others()?, self.optimism()?);
        let others_are = if n == 1 {
            "that of the other arm".to_owned()
        } else {
            format!("that of the other {} arms", count(n))
        };
        let average = if n == 1 { "" } else { " on average" };
        let judged = if optimism > 0.0 {
            format!(
                "The difference, {}, estimates by how much its validation score overstates it: the {} of several scores owes a part of itself to luck.",
                self.metric.unit.write(Some(optimism)),
                self.best()
            )
        } else {
            "The selected arm loses no more than the others do.".to_owned()
        };
        Some(format!(
            "From validation to test its {} changes by {}, {others_are} by {}{average}. {judged}",
            self.label(),
            self.signed(change),
            self.signed(others)
        ))
    }

    fn of_correlation(&self) -> Option<String> {
        let (found, n) = self.correlation()?;
        let noise = noise(n);
        let judged = match () {
            () if found > 2.0 * noise => {
                "Arms that do better on validation tend to do better on the test part."
            }
            () if found < -2.0 * noise => {
                "Arms that do better on validation tend to do worse on the test part."
            }
            () => "It is not shown that an arm that does better on validation does better on the test part.",
        };
        Some(format!(
            "Rank correlation (Spearman) of validation and test scores over {} arms: {}, where no relation gives 0 with a standard deviation of {}. {judged}",
            count(n),
            fixed(Some(found), 2),
            fixed(Some(noise), 2)
        ))
    }

    /// What the validation score has to do with one axis; `None` where it does not vary.
    fn setting(&self, axis: &PlannedAxis) -> Option<Setting> {
        let ranked = &self.selection.ranked;
        let is_ranked = |arm: &usize| ranked.iter().any(|r| r.arm == *arm);
        let values = axis_values(self.group, axis, is_ranked);
        if values.len() < 2 {
            return None;
        }
        let mean = |arm: usize| ranked.iter().find(|r| r.arm == arm)?.scores.mean();
        let words = if values.iter().all(|(value, _)| value.is_number()) {
            let pairs = values.iter().flat_map(|(value, arms)| {
                arms.iter().filter_map(move |arm| Some((value.as_f64()?, mean(*arm)?)))
            });
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.unzip();
            let found = rank_correlation(&x, &y).filter(|_| x.len() >= LEAST_PAIRS)?;
            format!("rank correlation {}", fixed(Some(found), 2))
        } else {
            let told = values.iter().filter_map(|(value, arms)| {
                let means: Vec<f64> = arms.iter().filter_map(|arm| mean(*arm)).collect();
                let mean = self.metric.unit.write(Some(Moments::of(&means)?.mean));
                Some(format!("{} {mean} ({})", settings::text(value), plural(means.len(), "arm")))
            });
            told.collect::<Vec<_>>().join(", ")
        };
        Some(Setting { key: axis.key.clone(), words })
    }

    /// The table for papers and pull requests; `caption` begins its caption.
    pub(crate) fn text_table(&self, caption: &str) -> TextTable {
        let row = |(rank, test): (usize, &SeedScores)| {
            let ranked = &self.selection.ranked[rank];
            let mark = if rank == 0 { SELECTED_MARK } else { "" };
            vec![
                format!("{}{mark}", self.name(ranked.arm)),
                self.told(&ranked.scores),
                self.told(test),
                self.change(rank).map_or_else(|| fixed(None, 2), |change| self.signed(change)),
            ]
        };
        TextTable {
            caption: format!("{caption}, selection. {}", self.sentences().join(" ")),
            heads: ["Arm", "Validation", "Test", "Change"].map(str::to_owned).to_vec(),
            words: 1,
            parts: vec![Part { title: None, rows: self.tests.iter().enumerate().map(row).collect() }],
        }
    }

    fn json(&self) -> Value {
        let arm = |(rank, test): (usize, &SeedScores)| {
            let ranked = &self.selection.ranked[rank];
            json!({
                "name": self.name(ranked.arm),
                "rank": rank + 1,
                "validation": statistics(&ranked.scores),
                "test": statistics(test),
            })
        };
        let left_out = self.selection.left_out.iter();
        let left_out: Vec<Value> = left_out
            .map(|(arm, reason)| json!({ "name": self.name(*arm), "reason": reason.words() }))
            .collect();
        json!({
            "symbol": self.group.symbol(),
            "rules": self.group.rules(),
            "by": self.selection.by.word(),
            "validation_window": self.window(),
            "test_window": self.group.window(),
            "arm": self.arm(),
            "is_final": self.selection.is_final(),
            "change": self.change(0),
            "change_of_others": self.others().map(|(mean, _)| mean),
            "optimism": self.optimism(),
            "rank_correlation": self.correlation().map(|(found, _)| found),
            "arms": self.tests.iter().enumerate().map(arm).collect::<Vec<_>>(),
            "left_out": left_out,
        })
    }
}

/// `1.20 [0.80, 1.61]`.
fn told(metric: &Metric, scores: &SeedScores) -> String {
    let write = |value: f64| metric.unit.write(Some(value));
    let interval = scores.interval(LEVEL).filter(|i| i.low < i.high);
    let interval = interval.map(|i| format!(" [{}, {}]", write(i.low), write(i.high)));
    metric.unit.write(scores.mean()) + &interval.unwrap_or_default()
}

fn best(by: SelectionMetric) -> &'static str {
    if by.is_lower_better() { "lowest" } else { "highest" }
}

/// The metric in a sentence: ratios are named after people.
fn label(metric: &Metric) -> String {
    match metric.unit {
        Unit::Ratio => metric.label.to_owned(),
        _ => metric.label.to_lowercase(),
    }
}

/// What stands behind the name of the selected arm in tables as text.
pub(crate) const SELECTED_MARK: &str = " (selected)";

/// Standard deviation of a rank correlation of `n` pairs without any relation.
fn noise(n: usize) -> f64 {
    1.0 / (n as f64 - 1.0).sqrt()
}

/// The key of each axis and its last part, where no other axis ends alike.
fn short(axes: &[PlannedAxis]) -> Vec<(String, String)> {
    fn last(axis: &PlannedAxis) -> &str {
        axis.key.rsplit('.').next().unwrap_or(&axis.key)
    }
    let is_alone = |axis: &PlannedAxis| axes.iter().filter(|other| last(other) == last(axis)).count() == 1;
    let name = |axis: &PlannedAxis| if is_alone(axis) { last(axis).to_owned() } else { axis.key.clone() };
    axes.iter().map(|axis| (axis.key.clone(), name(axis))).collect()
}

/// The section of a group; `None` where the experiment selects no arm.
pub(crate) fn selection_page(group: &Group<'_>, links: &Links) -> Option<SelectionPage> {
    if is_made(group) {
        return made_page(group);
    }
    let outcome = Outcome::of(group)?;
    let Outcome { selection, metric, tests, .. } = &outcome;
    let base = group.base();
    let axes = short(&group.input.plan.axes);
    let row = |(rank, test): (usize, &SeedScores)| {
        let ranked = &selection.ranked[rank];
        let cell = |label, scores: &SeedScores| Cell::new(label, metric.unit, scores);
        let value = |(key, _): &(String, String)| match group.arm(ranked.arm).axes.get(key) {
            Some(value) => (settings::text(value), value.as_f64()),
            None => (fixed(None, 0), None),
        };
        Row {
            rank: rank + 1,
            name: outcome.name(ranked.arm).to_owned(),
            look: look(group, ranked.arm),
            link: links.arm_page(ranked.arm).map(|page| format!("arms/{page}")),
            is_base: base == Some(ranked.arm),
            cells: [
                cell("Validation", &ranked.scores),
                cell("Test", test),
                cell("Change", &test.differences(&ranked.scores)),
            ],
            values: axes.iter().map(value).collect(),
        }
    };
    let settings: Vec<Setting> =
        group.input.plan.axes.iter().filter_map(|axis| outcome.setting(axis)).collect();
    let n = selection.ranked.len();
    let mut lead = outcome.sentences();
    Some(SelectionPage {
        arm: outcome.arm().map(str::to_owned),
        is_made: false,
        n,
        is_final: selection.is_final(),
        notes: lead.split_off(lead.len().min(LEAD)),
        lead,
        label: metric.label,
        rows: tests.iter().enumerate().map(row).collect(),
        axes: axes.clone(),
        left_out: selection
            .left_out
            .iter()
            .map(|(arm, reason)| (outcome.name(*arm).to_owned(), reason.words()))
            .collect(),
        settings_note: format!(
            "Rank correlations (Spearman) and means are over {} arms that differ in other settings too. Without any relation a rank correlation has a standard deviation of {}, and the largest of several is larger by luck.",
            count(n),
            fixed(Some(noise(n)), 2)
        ),
        settings,
    })
}

/// The section of a group whose windows or tasks have a selection each.
fn made_page(group: &Group<'_>) -> Option<SelectionPage> {
    let selection = select(group)?;
    let metric = Metric::of_selection(selection.by);
    let arm = selection.arm().map(|arm| group.arm(arm));
    let is_selectable = |arm: &usize| group.arm(*arm).choices().is_empty();
    let mut lead = made_sentences(group, &selection);
    let notes = lead.split_off(lead.len().min(LEAD));
    Some(SelectionPage {
        arm: arm.map(|arm| arm.name.clone()),
        is_made: true,
        n: group.of_role(Role::Arm).filter(is_selectable).count(),
        is_final: arm.and_then(|arm| arm.place.made.as_ref()).is_some_and(|made| made.is_final),
        lead,
        notes,
        axes: Vec::new(),
        label: metric.label,
        rows: Vec::new(),
        left_out: Vec::new(),
        settings: Vec::new(),
        settings_note: String::new(),
    })
}

fn made_sentences(group: &Group<'_>, selection: &Selection) -> Vec<String> {
    let metric = Metric::of_selection(selection.by);
    let (best, label) = (best(selection.by), label(metric));
    let Some(index) = selection.arm() else {
        return vec![format!(
            "No arm is selected for all of them: some window or task has no arm that has completed every seed with a {label} \
             on its validation part, or has a selection for each of several data or rules."
        )];
    };
    let arm = group.arm(index);
    let scores = seed_scores(group.input, index, selection.by.word());
    vec![
        format!(
            "Each by itself selects the arm with the {best} {label} on its own validation part, which ends before its test part \
             begins: {}. What they come to is the arm “{}”.",
            arm.choices().join("; "),
            arm.name
        ),
        format!("Result: on the test parts, which have no say in it, its {label} is {}.", told(metric, &scores)),
        "The other arms stand beside it as if each had been fixed from the beginning; to choose among these would need test \
         data."
            .to_owned(),
    ]
}

/// The page in one sentence, from each window's selection and the verdict on its arm; `None` without selections.
pub(crate) fn headline(windows: &[(Option<&SelectionPage>, Option<Grade>)]) -> Option<String> {
    let selections: Vec<(&SelectionPage, Option<Grade>)> =
        windows.iter().filter_map(|(page, grade)| Some(((*page)?, *grade))).collect();
    match selections.as_slice() {
        [] => None,
        [(page, grade)] => Some(match (&page.arm, grade) {
            (Some(_), Some(grade)) if page.is_made => format!(
                "Of {} one is selected on validation data in each window and task{}; on their test parts together: {}.",
                plural(page.n, "arm"),
                if page.is_final { "" } else { " so far" },
                grade.words()
            ),
            (Some(arm), Some(grade)) => format!(
                "Of {} {arm} is selected on validation data{}; on the test window: {}.",
                plural(page.n, "arm"),
                if page.is_final { "" } else { " so far" },
                grade.words()
            ),
            _ => "No arm is selected: none has completed every seed with a validation score.".to_owned(),
        }),
        several => {
            let better = several.iter().filter(|(_, grade)| *grade == Some(Grade::Better)).count();
            let n = count(several.len());
            Some(match better {
                0 => format!(
                    "On none of {n} test windows is the arm selected on validation data shown to be better than Buy & Hold."
                ),
                better => format!(
                    "On {} of {n} test windows the arm selected on validation data is shown to be better than Buy & Hold.",
                    count(better)
                ),
            })
        }
    }
}

/// What was selected in each test window of an experiment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selections {
    /// Selected arms, by their index in the plan of [`pooled`](crate::pooled).
    pub arms: Vec<usize>,
    /// The selections for programs, an object per window.
    pub windows: Vec<Value>,
    /// The selections in words; each sentence names its window where there are several.
    pub sentences: Vec<String>,
}

/// The selections of an experiment; empty where it asks for none.
pub fn selections(input: &ReportInput) -> Selections {
    let pooled = Pooled::of(input);
    let groups = groups(&pooled.input);
    let mut found = Selections::default();
    for (group, heading) in groups.iter().zip(headings(&groups)) {
        let Some(selection) = select(group) else { continue };
        found.arms.extend(selection.arm());
        let (json, sentences) = match Outcome::of(group) {
            Some(outcome) => (outcome.json(), outcome.sentences()),
            None => (made_json(group, &selection), made_sentences(group, &selection)),
        };
        found.windows.push(json);
        let place = if groups.len() > 1 { format!("{heading}: ") } else { String::new() };
        found.sentences.extend(sentences.into_iter().map(|sentence| format!("{place}{sentence}")));
    }
    found
}

fn made_json(group: &Group<'_>, selection: &Selection) -> Value {
    let arm = selection.arm().map(|arm| group.arm(arm));
    json!({
        "symbol": group.symbol(),
        "rules": group.rules(),
        "by": selection.by.word(),
        "test_window": group.window(),
        "arm": arm.map(|arm| &arm.name),
        "choices": arm.map(|arm| arm.choices()),
        "is_final": arm.and_then(|arm| arm.place.made.as_ref()).is_some_and(|made| made.is_final),
    })
}
