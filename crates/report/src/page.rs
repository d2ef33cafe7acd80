//! The page's data: rounded, labelled, and in the order in which the template writes it.

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use store::RunState;
use trading_env::Role;

use crate::across::{Across, across};
use crate::arms::{Table, table};
use crate::assumptions::{Assumption, assumptions, rules_note};
use crate::backends::{Backends, backends};
use crate::band::Band;
use crate::charts::{Accounts, accounts};
use crate::effects::{Effect, EffectChart, effects};
use crate::evidence::{Evidence, evidence};
use crate::figure::Figure;
use crate::forest::{Forest, forests};
use crate::groups::{Group, groups, headings};
use crate::heat::{HeatMap, heat_maps};
use crate::judged::{Judged, judged};
use crate::links::{Links, run_page};
use crate::metric::{PAPER, SCORES};
use crate::over_time::{Months, distribution, months, rolling};
use crate::overview::{Overview, overview};
use crate::pooled::{Pooled, tasks};
use crate::profile::profile;
use crate::provenance::{Command, Fact, commands, provenance};
use crate::receipts::{ReceiptRow, receipts};
use crate::record::Records;
use crate::rescored::{Rules, costs, rules};
use crate::selection::{self, SelectionPage, selection_page};
use crate::settings::{self, Difference, differences};
use crate::training::{Diagnostic, Training, TrainingLine, training};
use crate::verdict::{Grade, headline};
use crate::warnings::{WarningRow, mark_of_run, notice, warnings};
use crate::windows::{Windows, windows};
use crate::{ReportInput, numbers};

/// What the template shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Page {
    pub experiment: String,
    pub title: String,
    /// The whole page in one sentence.
    pub headline: String,
    /// One line of counts below the title.
    pub summary: Vec<String>,
    pub problems: Vec<Problem>,
    /// How many runs have warnings, and of what.
    pub warned: Option<(String, String)>,
    pub warnings: Vec<WarningRow>,
    /// Words about runs that are neither completed nor failed nor skipped.
    pub unfinished: Option<String>,
    pub trials: String,
    pub mode: Option<String>,
    pub axes: Vec<AxisRow>,
    /// The base in a few lines.
    pub base_facts: Vec<BaseFact>,
    /// All data sets beside each other, where there are several.
    pub overview: Option<Overview>,
    /// All tasks, where there are several.
    pub across: Option<Across>,
    pub groups: Vec<GroupPage>,
    /// Where arms have several backends.
    pub backends: Option<Backends>,
    /// One per group that has updates.
    pub training: Vec<TrainingPage>,
    /// Whether any run was ever started.
    pub started: bool,
    pub differences: Vec<ArmDifferences>,
    /// What each task sets.
    pub tasks: Vec<ArmDifferences>,
    /// Sections with their keys and values.
    pub settings: Vec<(String, Vec<(String, String)>)>,
    pub provenance: Vec<Fact>,
    pub commands: Vec<Command>,
    pub receipts: Vec<ReceiptRow>,
    /// Empty where the arms' own pages list them.
    pub runs: Vec<RunRow>,
    /// Whether any run tells how many prompts it has shortened.
    pub has_prompts: bool,
    /// Whether arms have pages of their own, which show what this page leaves out.
    pub is_large: bool,
}

/// A run that failed or was skipped.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    pub state: &'static str,
    pub arm: String,
    pub seed: u64,
    pub run_id: String,
    pub reason: String,
    /// Where it failed, unless the reason says so.
    pub step: Option<String>,
    /// Its own page.
    pub link: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct AxisRow {
    pub key: String,
    pub base: Option<String>,
    pub values: Vec<String>,
}

/// One line about the base.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BaseFact {
    pub label: &'static str,
    pub value: String,
    /// End of a span of days.
    pub until: Option<String>,
}

/// One group's section.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GroupPage {
    /// Anchor.
    pub id: String,
    pub heading: String,
    pub symbol: String,
    pub rules: String,
    pub rules_note: &'static str,
    pub window: Option<(String, String)>,
    pub decisions: Option<String>,
    /// How its records were made, where several tasks stand together in it.
    pub about: Option<String>,
    /// Window by window, where it walks forward.
    pub windows: Option<Windows>,
    /// Where an arm is selected on validation data.
    pub selection: Option<SelectionPage>,
    pub judged: Judged,
    pub table: Table,
    pub forests: Vec<ForestPlot>,
    /// The InvestorBench formulas, where runs carry them.
    pub paper: Option<Table>,
    pub evidence: Option<Evidence>,
    pub has_accounts: bool,
    pub hidden_lines: usize,
    pub legend: Vec<LegendItem>,
    /// Charts below the accounts, whose lines go by the same legend.
    pub figures: Vec<Plot>,
    pub months: Option<Months>,
    /// The same decisions under all rules.
    pub rules_table: Option<Rules>,
    pub heat_maps: Vec<HeatMap>,
    pub effects: Vec<Effect>,
    /// Name of the baseline at the reference line of the effect charts.
    pub reference: Option<String>,
    pub assumptions: Vec<Assumption>,
    /// Arms that only their own pages draw.
    pub undrawn: usize,
}

/// The words around a chart of lines.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plot {
    pub key: &'static str,
    pub title: &'static str,
    pub about: String,
}

/// The words around a forest plot.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ForestPlot {
    pub title: &'static str,
    pub reference: Option<String>,
    pub left_out: usize,
    pub rows: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct LegendItem {
    pub name: String,
    pub look: crate::arms::Look,
    pub shown: bool,
}

/// How training went in one group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrainingPage {
    /// Place of the group in the charts' data.
    pub group: usize,
    pub heading: String,
    /// How many updates a point stands for.
    pub thinning: String,
    pub diagnostics: Vec<Diagnostic>,
    pub legend: Vec<LegendItem>,
    pub hidden_lines: usize,
    /// Last values, for those who do not see the charts.
    pub ends: Vec<TrainingEnd>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrainingEnd {
    pub name: String,
    pub look: crate::arms::Look,
    /// Runs with updates.
    pub runs: String,
    /// Environment steps at the last point.
    pub step: String,
    /// One per diagnostic: the last value that there is, mean over seeds.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArmDifferences {
    pub arm: String,
    pub changes: Vec<Difference>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunRow {
    pub arm: String,
    pub seed: u64,
    pub run_id: String,
    pub attempt: Option<u32>,
    pub state: &'static str,
    /// What it warns of.
    pub warned: Option<String>,
    pub scores: Vec<(String, Option<f64>)>,
    /// Its own page.
    pub link: Option<String>,
    /// Prompts that were shortened, of those that were read.
    pub shortened: Option<String>,
}

/// What the charts read, by group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChartData {
    /// Begins the names of CSV files.
    pub experiment: String,
    pub groups: Vec<GroupCharts>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct GroupCharts {
    pub id: String,
    /// Part of the names of CSV files.
    pub heading: String,
    pub accounts: Option<Accounts>,
    pub figures: Vec<Figure>,
    pub forests: Vec<Forest>,
    pub training: Option<Training>,
    pub effects: Vec<EffectChart>,
}

/// The page and its charts.
pub(crate) fn page(input: &ReportInput) -> (Page, ChartData) {
    let plan = &input.plan;
    let pooled = Pooled::of(input);
    let groups = groups(&pooled.input);
    let links = Links::of(input);
    // Pages of arms are those of arms as they were run.
    let of_groups = if pooled.is_made() { links.at(pooled.run_places()) } else { links.clone() };
    let headings = headings(&groups);
    let whole = |i: usize, group: &Group<'_>| {
        let (page, charts) = group_page(i, group, &headings[i], &of_groups);
        let windows = windows(group, &pooled, input, &links);
        (GroupPage { windows, about: about(group, &pooled), ..page }, charts)
    };
    let (pages, mut charts): (Vec<_>, Vec<_>) =
        groups.par_iter().enumerate().map(|(i, g)| whole(i, g)).unzip();
    // Several tasks are judged together first.
    let (together, each): (Vec<_>, Vec<_>) =
        groups.iter().zip(&pages).partition(|(group, _)| pooled.is_together(group.arms[0]));
    let judged: Vec<&GroupPage> =
        if together.is_empty() { each } else { together }.into_iter().map(|(_, page)| page).collect();
    let grades: Vec<Grade> =
        judged.iter().flat_map(|page| &page.judged.verdicts).map(|v| v.verdict.grade).collect();
    let selected = |group: &GroupPage| {
        let verdict = group.judged.verdicts.iter().find(|v| v.is_selected);
        verdict.map(|v| v.verdict.grade)
    };
    let selections: Vec<_> = judged.iter().map(|g| (g.selection.as_ref(), selected(g))).collect();
    let mut training = training_pages(&pages, &charts);
    if !links.is_large {
        training.extend(last_windows(input, &mut charts));
    }
    let page = Page {
        experiment: plan.experiment.clone(),
        title: plan.title.clone().unwrap_or_else(|| plan.experiment.clone()),
        headline: selection::headline(&selections).unwrap_or_else(|| headline(&grades)),
        summary: summary(input, &pooled, &judged),
        problems: problems(input),
        warned: notice(input),
        warnings: warnings(input),
        unfinished: unfinished(input),
        trials: plural(
            input.trials,
            "specification of the subject has",
            "distinct specifications of the subject have",
        ),
        mode: plan.mode.clone(),
        axes: plan
            .axes
            .iter()
            .map(|axis| AxisRow {
                key: axis.key.clone(),
                base: settings::at(&plan.base, &axis.key).map(|v| settings::text(&v)),
                values: axis.values.iter().map(settings::text).collect(),
            })
            .collect(),
        base_facts: base_facts(input),
        overview: overview(&groups),
        across: across(&pooled),
        backends: backends(input),
        training,
        groups: pages,
        started: input.runs.iter().any(|r| r.manifest.is_some()),
        differences: differences_of(&pooled),
        tasks: tasks_of(input),
        settings: plan
            .base
            .iter()
            .map(|(name, section)| (name.clone(), section_rows(name, section)))
            .collect(),
        provenance: provenance(input),
        commands: commands(input),
        receipts: receipts(input),
        runs: if links.is_large {
            Vec::new()
        } else {
            input.runs.iter().map(|run| run_row(input, run, "runs/")).collect()
        },
        is_large: links.is_large,
        has_prompts: input.runs.iter().any(|run| shortened(run).is_some()),
    };
    (page, ChartData { experiment: plan.experiment.clone(), groups: charts })
}

fn group_page(index: usize, group: &Group<'_>, heading: &str, links: &Links) -> (GroupPage, GroupCharts) {
    let accounts = accounts(group);
    let effects = effects(group);
    let records = Records::of(group);
    let has_paper = group.arms.iter().any(|a| group.runs(*a).any(|r| r.test_metric("paper.cr").is_some()));
    let legend: Vec<LegendItem> = accounts
        .iter()
        .flat_map(|a| &a.lines)
        .map(|l| LegendItem { name: l.name.clone(), look: l.look, shown: l.shown })
        .collect();
    let rules_name = group.rules();
    let drawn = group.drawn();
    let over_time = records.iter().flat_map(|r| [rolling(&drawn, r), distribution(&drawn, r)]).flatten();
    let figures: Vec<Figure> = over_time.chain(profile(&drawn)).chain(costs(&drawn)).collect();
    let forests = forests(group);
    let page = GroupPage {
        id: format!("group-{}", index + 1),
        heading: heading.to_owned(),
        symbol: group.symbol(),
        rules_note: rules_note(&rules_name),
        rules: rules_name,
        window: group.window(),
        decisions: records.as_ref().map(|r| numbers::count(r.dates.len())),
        about: None,
        windows: None,
        selection: selection_page(group, links),
        judged: judged(group, records.as_ref(), group.input.trials),
        table: table(group, &SCORES, links),
        forests: forests.iter().map(forest_plot).collect(),
        paper: has_paper.then(|| table(group, &PAPER, links)),
        evidence: evidence(group),
        has_accounts: accounts.is_some(),
        hidden_lines: legend.iter().filter(|l| !l.shown).count(),
        legend,
        figures: figures
            .iter()
            .map(|f| Plot { key: f.key, title: f.title, about: f.about.clone() })
            .collect(),
        months: records.as_ref().and_then(|r| months(&drawn, r)),
        rules_table: rules(group),
        heat_maps: heat_maps(group),
        reference: effects
            .first()
            .and_then(|e| e.chart.metrics[0].reference.as_ref())
            .map(|(name, _)| name.clone()),
        effects,
        assumptions: assumptions(group, records.as_ref(), group.input.trials),
        undrawn: group.arms.len() - drawn.arms.len(),
    };
    let charts = GroupCharts {
        id: page.id.clone(),
        heading: page.heading.clone(),
        accounts,
        figures,
        forests,
        training: if links.is_large { None } else { training(group) },
        effects: page.effects.iter().map(|e| e.chart.clone()).collect(),
    };
    (page, charts)
}

fn forest_plot(forest: &Forest) -> ForestPlot {
    ForestPlot {
        title: forest.title,
        reference: forest.reference.as_ref().map(|(name, _)| name.clone()),
        left_out: forest.left_out,
        rows: forest.rows.len(),
    }
}

fn training_pages(pages: &[GroupPage], charts: &[GroupCharts]) -> Vec<TrainingPage> {
    let page = |(group, (page, charts)): (usize, (&GroupPage, &GroupCharts))| {
        Some(training_page(group, &page.heading, charts.training.as_ref()?))
    };
    pages.iter().zip(charts).enumerate().filter_map(page).collect()
}

fn training_page(group: usize, heading: &str, training: &Training) -> TrainingPage {
    let legend: Vec<LegendItem> = training
        .lines
        .iter()
        .map(|l| LegendItem { name: l.name.clone(), look: l.look, shown: l.shown })
        .collect();
    TrainingPage {
        group,
        heading: heading.to_owned(),
        thinning: training.thinning(),
        diagnostics: training.diagnostics.clone(),
        hidden_lines: legend.iter().filter(|l| !l.shown).count(),
        legend,
        ends: training.lines.iter().map(|line| training_end(line, &training.diagnostics)).collect(),
    }
}

/// How training went in the last window of each walk-forward; what was joined has no updates of its own, and the runs of
/// the other windows have pages. Adds the curves to `charts`.
fn last_windows(input: &ReportInput, charts: &mut Vec<GroupCharts>) -> Vec<TrainingPage> {
    let number = |arm: &crate::PlannedArm| arm.place.window.as_ref().map(|window| window.number);
    let mut pages = Vec::new();
    for group in groups(input) {
        let first = group.arm(group.arms[0]);
        let Some(window) = first.place.window.as_ref() else { continue };
        let last = input
            .plan
            .arms
            .iter()
            .filter(|arm| arm.place.window.as_ref().is_some_and(|w| w.arm == window.arm));
        let Some(training) =
            training(&group).filter(|_| last.filter_map(number).max() == Some(window.number))
        else {
            continue;
        };
        let heading = format!("{}, window {}", group.symbol(), window.number);
        pages.push(training_page(charts.len(), &heading, &training));
        charts.push(GroupCharts {
            id: format!("training-{}", charts.len() + 1),
            heading,
            accounts: None,
            figures: Vec::new(),
            forests: Vec::new(),
            training: Some(training),
            effects: Vec::new(),
        });
    }
    pages
}

/// How the account of all tasks is made.
fn about(group: &Group<'_>, pooled: &Pooled<'_>) -> Option<String> {
    pooled.is_together(group.arms[0]).then(|| {
        "One account with equal parts in every task, set back to equal parts each day; on a day on which some do not trade, \
         in those that do. The luck of days that the tasks share is in its record once."
            .to_owned()
    })
}

/// Each arm and what it changes; what all tasks have in common once.
fn differences_of(pooled: &Pooled<'_>) -> Vec<ArmDifferences> {
    let plan = &pooled.input.plan;
    let shown = pooled.head();
    let is_made =
        |key: &str| pooled.is_made() && ["data", "split"].contains(&key.split('.').next().unwrap_or(key));
    let of = |arm: &crate::PlannedArm| ArmDifferences {
        arm: arm.name.clone(),
        changes: differences(&plan.base, &arm.spec).into_iter().filter(|d| !is_made(&d.key)).collect(),
    };
    shown.iter().filter(|a| a.role == Role::Arm && a.choices().is_empty()).map(of).collect()
}

/// Each task and what it sets.
fn tasks_of(input: &ReportInput) -> Vec<ArmDifferences> {
    let of = |name: &str| {
        let of_task =
            |arm: &&crate::PlannedArm| arm.place.task.as_ref().is_some_and(|task| task.name == name);
        let arm = input.plan.arms.iter().find(of_task)?;
        let mut spec = arm.spec.clone();
        if let Some(window) = &arm.place.window {
            spec.insert("split".to_owned(), window.split.clone());
        }
        let section = |key: &str| key.split('.').next().unwrap_or(key).to_owned();
        let of_context = |d: &Difference| experiment::CONTEXT.contains(&section(&d.key).as_str());
        let changes = differences(&input.plan.base, &spec).into_iter().filter(of_context).collect();
        Some(ArmDifferences { arm: name.to_owned(), changes })
    };
    tasks(input).into_iter().filter_map(of).collect()
}

pub(crate) fn training_end(line: &TrainingLine, diagnostics: &[Diagnostic]) -> TrainingEnd {
    let last = |(diagnostic, band): (&Diagnostic, &Option<Band>)| {
        let mean = band.as_ref().and_then(|b| b.mean.iter().rev().copied().flatten().next());
        diagnostic.unit.write(mean)
    };
    let step = line.steps.last().copied().unwrap_or_default();
    TrainingEnd {
        name: line.name.clone(),
        look: line.look,
        runs: numbers::count(line.n),
        step: numbers::count(usize::try_from(step).unwrap_or(usize::MAX)),
        values: diagnostics.iter().zip(&line.bands).map(last).collect(),
    }
}

fn summary(input: &ReportInput, pooled: &Pooled<'_>, judged: &[&GroupPage]) -> Vec<String> {
    let arms = pooled.head();
    // What was selected stands for arms that are counted.
    let of_role = |role| arms.iter().filter(|a| a.role == role && a.choices().is_empty()).count();
    let completed = input.runs.iter().filter(|r| r.state == RunState::Completed).count();
    let mut seeds: Vec<u64> = input.runs.iter().map(|r| r.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let some = |n: usize, one: &str, many: &str| (n > 0).then(|| plural(n, one, many));
    let counts =
        [plural(of_role(Role::Arm), "arm", "arms"), plural(of_role(Role::Baseline), "baseline", "baselines")];
    let places = [
        some(of_role(Role::Control), "control", "controls"),
        some(tasks(input).len(), "task", "tasks"),
        some(
            (0..pooled.input.plan.arms.len()).map(|arm| pooled.windows(arm).len()).max().unwrap_or(0),
            "window",
            "windows",
        ),
    ];
    let rest = [
        plural(seeds.len(), "seed", "seeds"),
        format!("{} of {} completed", numbers::count(completed), plural(input.runs.len(), "run", "runs")),
    ];
    // With several windows each section names its own.
    let selected = match judged {
        [only] => only.selection.as_ref().filter(|s| !s.is_made).and_then(|selection| selection.arm.as_ref()),
        _ => None,
    };
    let selected = selected.map(|arm| format!("selected on validation: {arm}"));
    counts.into_iter().chain(places.into_iter().flatten()).chain(rest).chain(selected).collect()
}

fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", numbers::count(n), if n == 1 { one } else { many })
}

fn problems(input: &ReportInput) -> Vec<Problem> {
    let problem = |run: &crate::ReportRun| {
        let (reason, step) = match &run.state {
            RunState::Failed { reason, step } => (reason, *step),
            RunState::Skipped { reason } => (reason, None),
            _ => return None,
        };
        Some(Problem {
            state: run.state.word(),
            arm: input.plan.arms[run.arm].name.clone(),
            seed: run.seed,
            run_id: run.run_id.clone(),
            reason: reason.clone(),
            step: step.map(|s| s.to_string()).filter(|s| !reason.contains(s.as_str())),
            link: run_page(run).map(|page| format!("runs/{page}")),
        })
    };
    input.runs.iter().filter_map(problem).collect()
}

fn unfinished(input: &ReportInput) -> Option<String> {
    let words: Vec<String> = ["planned", "running", "interrupted"]
        .into_iter()
        .filter_map(|word| {
            let n = input.runs.iter().filter(|r| r.state.word() == word).count();
            (n > 0).then(|| format!("{} {word}", numbers::count(n)))
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn base_facts(input: &ReportInput) -> Vec<BaseFact> {
    let facts = [
        ("Agent", "agent"),
        ("Data", "data"),
        ("Trading rules", "rules"),
        ("Reward", "reward"),
        ("Backend", "backend"),
        ("Training", "split.train"),
        ("Validation", "split.valid"),
        ("Test", "split.test"),
        ("Windows: train", "split.walk_forward.train"),
        ("Windows: test", "split.walk_forward.test"),
    ];
    let fact = |(label, key)| match settings::at(&input.plan.base, key)? {
        Value::Null => None,
        Value::Array(ends) if ends.len() == 2 => {
            Some(BaseFact { label, value: settings::text(&ends[0]), until: Some(settings::text(&ends[1])) })
        }
        value => Some(BaseFact { label, value: settings::text(&value), until: None }),
    };
    facts.into_iter().filter_map(fact).collect()
}

pub(crate) fn section_rows(name: &str, section: &Value) -> Vec<(String, String)> {
    let one = serde_json::Map::from_iter([(name.to_owned(), section.clone())]);
    settings::flatten(&one).into_iter().map(|(key, value)| (key, settings::text(&value))).collect()
}

/// `folder`: where the runs' pages are from the page that shows the row.
pub(crate) fn run_row(input: &ReportInput, run: &crate::ReportRun, folder: &str) -> RunRow {
    let score = |m: &crate::metric::Metric| {
        let value = run.test_metric(m.key);
        (m.unit.write(value), value.map(|v| numbers::significant(v, 6)))
    };
    RunRow {
        arm: input.plan.arms[run.arm].name.clone(),
        seed: run.seed,
        run_id: run.run_id.clone(),
        attempt: run.manifest.as_ref().map(|m| m.attempt).filter(|a| *a > 1),
        state: run.state.word(),
        warned: mark_of_run(run),
        scores: SCORES.iter().map(score).collect(),
        link: run_page(run).map(|page| format!("{folder}{page}")),
        shortened: shortened(run),
    }
}

fn shortened(run: &crate::ReportRun) -> Option<String> {
    let prompts = run.manifest.as_ref()?.prompts?;
    let count = |n: u64| numbers::count(usize::try_from(n).unwrap_or(usize::MAX));
    Some(format!("{} of {}", count(prompts.shortened), count(prompts.encoded)))
}
