//! Arms as the report judges them where an experiment has windows or tasks: windows joined in time to one record, and
//! all tasks together as one account.
//!
//! Both are arms with runs like any other, a run per seed, so that tables, intervals, tests and verdicts are those of
//! every report. Nothing of them is stored: they are made of the windows' and tasks' own runs.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use market_data::Periods;
use score::{Scorecard, ScoredStep};
use serde_json::{Map, Value, json};
use stats::{normal_cdf, normal_quantile};
use store::{EqualTurnover, Manifest, Metrics, RunState};
use trading_env::Role;

use crate::groups::groups;
use crate::plan::{Made, Place};
use crate::selection::{SELECTED, select};
use crate::{Curve, PlanInfo, PlannedArm, PlannedTask, ReportInput, ReportRun, settings};

/// An experiment with its windows joined and its tasks put together.
#[derive(Debug, Clone)]
pub(crate) struct Pooled<'a> {
    /// Arms of all tasks together first, then those of each task.
    pub input: Cow<'a, ReportInput>,
    /// By arm: what it is made of, as places in the plan as it was run; its own where it is made of nothing else.
    places: Vec<Vec<usize>>,
    /// By arm of all tasks together, which are the first: its arm of each task, as a place in `input`.
    pub together: Vec<Vec<usize>>,
}

impl<'a> Pooled<'a> {
    /// Whether anything was joined or put together.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self.input, Cow::Owned(_))
    }

    /// Whether an arm stands for all tasks together.
    pub(crate) fn is_together(&self, arm: usize) -> bool {
        arm < self.together.len()
    }

    /// Arms that what is said of the whole experiment is about: those of all tasks together, where there are several.
    pub(crate) fn head(&self) -> &[PlannedArm] {
        let arms = &self.input.plan.arms;
        if self.together.is_empty() { arms } else { &arms[..self.together.len()] }
    }

    /// The windows of an arm, as places in the plan as it was run; empty for an arm without.
    pub(crate) fn windows(&self, arm: usize) -> &[usize] {
        let has_windows = self.input.plan.arms[arm].place.made.is_some();
        if has_windows { &self.places[arm] } else { &[] }
    }

    /// By arm: its place in the plan as it was run, where it is made of nothing else.
    pub(crate) fn run_places(&self) -> Vec<Option<usize>> {
        let one = |arm: usize| match self.places[arm].as_slice() {
            [place] if self.windows(arm).is_empty() => Some(*place),
            _ => None,
        };
        (0..self.places.len()).map(one).collect()
    }

    /// The input itself where it has neither windows nor several tasks.
    pub(crate) fn of(input: &'a ReportInput) -> Self {
        let has_windows = input.plan.arms.iter().any(|arm| arm.place.window.is_some());
        let n_tasks = tasks(input).len();
        if !has_windows && n_tasks < 2 {
            let places = (0..input.plan.arms.len()).map(|place| vec![place]).collect();
            return Self { input: Cow::Borrowed(input), places, together: Vec::new() };
        }
        let joined = Joined::of(input);
        let (together, members) = if n_tasks < 2 { Default::default() } else { joined.together(input) };
        let n = together.arms.len();
        let shift = |run: ReportRun| ReportRun { arm: run.arm + n, ..run };
        let places = together.arms.iter().map(|_| Vec::new()).chain(joined.places).collect();
        let arms = together.arms.into_iter().chain(joined.parts.arms).collect();
        let runs = together.runs.into_iter().chain(joined.parts.runs.into_iter().map(shift)).collect();
        let together =
            members.into_iter().map(|arms| arms.into_iter().map(|arm| arm + n).collect()).collect();
        let pooled = ReportInput {
            plan: PlanInfo { arms, runs: Vec::new(), ..input.plan.clone() },
            runs,
            trials: input.trials,
            markets: input.markets.clone(),
            backends: input.backends.clone(),
        };
        Self { input: Cow::Owned(pooled), places, together }
    }
}

/// Arms with their runs.
#[derive(Debug, Default)]
struct Parts {
    arms: Vec<PlannedArm>,
    runs: Vec<ReportRun>,
}

/// Every arm with its windows joined.
struct Joined {
    parts: Parts,
    /// By arm: its place in the plan as it was run, several where it has windows.
    places: Vec<Vec<usize>>,
    chosen: Chosen,
}

/// What is selected on validation data in each group of the plan as it was run.
#[derive(Debug, Default)]
struct Chosen {
    /// By place of an arm: the place of the arm that its group selects, and whether that is final.
    of: HashMap<usize, (usize, bool)>,
}

impl Chosen {
    fn of(input: &ReportInput) -> Self {
        let mut of = HashMap::new();
        for group in groups(input) {
            let Some(selection) = select(&group) else { continue };
            let Some(arm) = selection.arm() else { continue };
            of.extend(group.arms.iter().map(|place| (*place, (arm, selection.is_final()))));
        }
        Self { of }
    }

    /// An arm per set of windows that select one each, with the places of these.
    fn of_windows(
        &self,
        input: &ReportInput,
        joined: &[PlannedArm],
        places: &[Vec<usize>],
    ) -> Vec<(PlannedArm, Vec<usize>)> {
        let mut made: Vec<(PlannedArm, Vec<usize>)> = Vec::new();
        for (arm, windows) in joined.iter().zip(places) {
            let is_window = arm.role == Role::Arm && arm.place.made.is_some();
            let chosen: Option<Vec<(usize, bool)>> =
                windows.iter().map(|w| self.of.get(w).copied()).collect();
            let Some(chosen) = chosen.filter(|_| is_window) else { continue };
            let places: Vec<usize> = chosen.iter().map(|(place, _)| *place).collect();
            // All arms of the same windows lead to the same choices.
            if made.iter().any(|(_, known)| *known == places) {
                continue;
            }
            let names = chosen.iter().map(|(place, _)| input.plan.arms[*place].name.clone());
            let name = |variant: &str| match &arm.place.task {
                Some(task) => format!("{variant},task={}", task.name),
                None => variant.to_owned(),
            };
            // Every group may have an arm of that name, as long as none of the plan has it.
            let is_taken = joined.iter().any(|other| other.name == name(SELECTED));
            let variant = if is_taken { SELECTED_BESIDE } else { SELECTED };
            let task = arm.place.task.as_ref();
            let place = Place {
                task: task.map(|task| PlannedTask { name: task.name.clone(), variant: variant.to_owned() }),
                window: None,
                made: Some(Made {
                    choices: names.collect(),
                    is_final: chosen.iter().all(|(_, is_final)| *is_final),
                    periods_per_year: None,
                }),
            };
            let axes = Map::new();
            made.push((PlannedArm { name: name(variant), axes, place, ..arm.clone() }, places));
        }
        made
    }
}

/// Name of what is selected where the plan has an arm called [`SELECTED`].
const SELECTED_BESIDE: &str = "selected on validation";

/// The experiment as the report judges it: windows joined in time, and several tasks together before each by itself.
pub fn pooled(input: &ReportInput) -> Cow<'_, ReportInput> {
    Pooled::of(input).input
}

/// Names of the tasks in plan order.
pub(crate) fn tasks(input: &ReportInput) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for task in input.plan.arms.iter().filter_map(|arm| arm.place.task.as_ref()) {
        if !names.contains(&task.name.as_str()) {
            names.push(&task.name);
        }
    }
    names
}

impl Joined {
    fn of(input: &ReportInput) -> Self {
        let runs: HashMap<(usize, u64), &ReportRun> =
            input.runs.iter().map(|run| ((run.arm, run.seed), run)).collect();
        let mut of_name: HashMap<&str, usize> = HashMap::new();
        let mut parts = Parts::default();
        let mut places: Vec<Vec<usize>> = Vec::new();
        for (place, arm) in input.plan.arms.iter().enumerate() {
            let Some(window) = &arm.place.window else {
                parts.arms.push(arm.clone());
                places.push(vec![place]);
                continue;
            };
            match of_name.get(window.arm.as_str()) {
                Some(joined) => places[*joined].push(place),
                None => {
                    of_name.insert(&window.arm, parts.arms.len());
                    let task = Place { window: None, made: Some(Made::default()), ..arm.place.clone() };
                    parts.arms.push(PlannedArm { name: window.arm.clone(), place: task, ..arm.clone() });
                    places.push(vec![place]);
                }
            }
        }
        let chosen = Chosen::of(input);
        for (arm, windows) in chosen.of_windows(input, &parts.arms, &places) {
            parts.arms.push(arm);
            places.push(windows);
        }
        for (index, windows) in places.iter().enumerate() {
            let (first, last) = (&windows[0], &windows[windows.len() - 1]);
            if input.plan.arms[*first].place.window.is_none() {
                let own = input.runs.iter().filter(|run| run.arm == *first);
                parts.runs.extend(own.map(|run| ReportRun { arm: index, ..run.clone() }));
                continue;
            }
            let dates = |place: &usize| settings::at(&input.plan.arms[*place].spec, "split.test");
            let end = |dates: Option<Value>, end: usize| dates.and_then(|d| d.get(end).cloned());
            let test = json!([end(dates(first), 0), end(dates(last), 1)]);
            let arm = &mut parts.arms[index];
            let folded = input.plan.arms[*first].place.window.as_ref().map(|w| w.split.clone());
            let mut split = folded.and_then(|s| s.as_object().cloned()).unwrap_or_default();
            split.insert("test".to_owned(), test);
            arm.spec.insert("split".to_owned(), Value::Object(split));
            let seeds = input.runs.iter().filter(|run| run.arm == *first).map(|run| run.seed);
            for seed in seeds {
                let of_seed: Vec<&ReportRun> =
                    windows.iter().filter_map(|w| runs.get(&(*w, seed)).copied()).collect();
                let joined = in_time(input, &parts.arms[index], &of_seed);
                parts.runs.extend(joined.map(|run| ReportRun { arm: index, ..run }));
            }
            let own = parts.runs.iter().rev().take_while(|run| run.arm == index);
            let periods = own.filter_map(|run| periods_of(input, run)).next();
            if let Some(made) = &mut parts.arms[index].place.made {
                made.periods_per_year = periods;
            }
        }
        Self { parts, places, chosen }
    }

    /// Arms that all tasks have, on all of them together, and of each the arms of the tasks.
    fn together(&self, input: &ReportInput) -> (Parts, Vec<Vec<usize>>) {
        let tasks = tasks(input);
        let mut fixed: Vec<(Role, &str, Vec<usize>)> = Vec::new();
        for (index, arm) in self.parts.arms.iter().enumerate().filter(|(_, arm)| arm.choices().is_empty()) {
            let Some(task) = &arm.place.task else { continue };
            let key = (arm.role, task.variant.as_str());
            match fixed.iter_mut().find(|(role, variant, _)| (*role, *variant) == key) {
                Some((_, _, arms)) => arms.push(index),
                None => fixed.push((key.0, key.1, vec![index])),
            }
        }
        let is_taken = fixed.iter().any(|(_, variant, _)| *variant == SELECTED);
        let name = if is_taken { SELECTED_BESIDE } else { SELECTED };
        let selected = self.selected(&tasks).into_iter().map(|arms| (Role::Arm, name, arms, true));
        let fixed = fixed.into_iter().filter(|(_, _, arms)| arms.len() == tasks.len());
        let all = fixed.map(|(role, variant, arms)| (role, variant, arms, false)).chain(selected);
        let runs: HashMap<(usize, u64), &ReportRun> =
            self.parts.runs.iter().map(|run| ((run.arm, run.seed), run)).collect();
        let mut together = Parts::default();
        let mut members = Vec::new();
        for (role, variant, arms, is_selected) in all {
            let mut made = if is_selected { self.choices(&arms) } else { Made::default() };
            // Where the tasks agree; else the days of all of them tell.
            let periods: Vec<Option<f64>> = arms.iter().map(|arm| self.periods_of_arm(input, *arm)).collect();
            made.periods_per_year = periods[0].filter(|_| periods.iter().all(|p| *p == periods[0]));
            let index = together.arms.len();
            let first = &self.parts.arms[arms[0]];
            let symbol = format!("all {} tasks", tasks.len());
            let mut spec = first.spec.clone();
            spec.insert("data".to_owned(), json!({ "kind": "tasks", "symbol": symbol, "tasks": tasks }));
            spec.insert("split".to_owned(), self.span(&arms, first));
            let one = |section: &str| {
                arms.iter().all(|a| self.parts.arms[*a].spec.get(section) == first.spec.get(section))
            };
            if !one("rules") {
                spec.insert("rules".to_owned(), json!({ "kind": "those of each task" }));
            }
            let is_of_task = |key: &str| ["data", "split"].contains(&key.split('.').next().unwrap_or(key));
            let axes = first.axes.iter().filter(|(key, _)| !is_of_task(key));
            let arm = PlannedArm {
                name: variant.to_owned(),
                role,
                axes: if made.choices.is_empty() {
                    axes.map(|(k, v)| (k.clone(), v.clone())).collect()
                } else {
                    Map::new()
                },
                spec,
                place: Place { made: Some(made), ..Place::default() },
            };
            let periods = arm.place.made.as_ref().and_then(|made| made.periods_per_year);
            for run in self.parts.runs.iter().filter(|run| run.arm == arms[0]) {
                let of_seed: Vec<&ReportRun> =
                    arms.iter().filter_map(|a| runs.get(&(*a, run.seed)).copied()).collect();
                let complete = of_seed.len() == arms.len();
                let joined = side_by_side(&arm, &symbol, periods, &of_seed).filter(|_| complete);
                together.runs.extend(joined.map(|run| ReportRun { arm: index, ..run }));
            }
            together.arms.push(arm);
            members.push(arms);
        }
        (together, members)
    }

    /// Periods per year of an arm's data, as far as its runs tell.
    fn periods_of_arm(&self, input: &ReportInput, arm: usize) -> Option<f64> {
        match &self.parts.arms[arm].place.made {
            Some(made) => made.periods_per_year,
            None => {
                self.parts.runs.iter().filter(|run| run.arm == arm).find_map(|run| periods_of(input, run))
            }
        }
    }

    /// The arms that the tasks select, for each rules under which every task selects exactly one.
    fn selected(&self, tasks: &[&str]) -> Vec<Vec<usize>> {
        let is_selected = |index: &usize| {
            let place = self.places[*index][0];
            match &self.parts.arms[*index].place.made {
                Some(made) => !made.choices.is_empty(),
                None => self.chosen.of.get(&place).is_some_and(|(chosen, _)| *chosen == place),
            }
        };
        let rules = |index: usize| self.parts.arms[index].spec.get("rules");
        let task = |index: usize| self.parts.arms[index].place.task.as_ref().map(|task| task.name.as_str());
        let all: Vec<usize> = (0..self.parts.arms.len()).filter(is_selected).collect();
        let mut found: Vec<Vec<usize>> = Vec::new();
        for (i, first) in all.iter().enumerate() {
            if all[..i].iter().any(|earlier| rules(*earlier) == rules(*first)) {
                continue;
            }
            let of_task = |name: &&str| {
                let own = |index: &&usize| task(**index) == Some(*name) && rules(**index) == rules(*first);
                let mut own = all.iter().filter(own);
                own.next().copied().filter(|_| own.next().is_none())
            };
            found.extend(tasks.iter().map(of_task).collect::<Option<Vec<usize>>>());
        }
        found
    }

    /// What the tasks have selected.
    fn choices(&self, arms: &[usize]) -> Made {
        let one = |index: &usize| {
            let arm = &self.parts.arms[*index];
            match arm.choices() {
                [] => arm.name.clone(),
                choices => choices.join(", "),
            }
        };
        let is_final = |index: &usize| match &self.parts.arms[*index].place.made {
            Some(made) => made.is_final,
            None => self.chosen.of.get(&self.places[*index][0]).is_some_and(|(_, is_final)| *is_final),
        };
        Made {
            choices: arms.iter().map(one).collect(),
            is_final: arms.iter().all(is_final),
            periods_per_year: None,
        }
    }

    /// The split of several tasks: what they share, and from the first test day to the last.
    fn span(&self, arms: &[usize], first: &PlannedArm) -> Value {
        let ends = arms.iter().filter_map(|arm| {
            let dates = settings::at(&self.parts.arms[*arm].spec, "split.test")?;
            Some((dates.get(0)?.as_str()?.to_owned(), dates.get(1)?.as_str()?.to_owned()))
        });
        let ends: Vec<(String, String)> = ends.collect();
        let test = [ends.iter().map(|e| &e.0).min(), ends.iter().map(|e| &e.1).max()];
        let shuffle = settings::at(&first.spec, "split.shuffle").unwrap_or_default();
        // What else the tasks' splits say keeps arms apart that are not tested on the same days.
        let of_tasks = arms.iter().map(|arm| {
            let mut split = self.parts.arms[*arm].spec.get("split").cloned().unwrap_or_default();
            split.as_object_mut().map(|keys| keys.shift_remove("shuffle"));
            split
        });
        json!({ "test": test, "shuffle": shuffle, "of_tasks": of_tasks.collect::<Vec<Value>>() })
    }
}

/// One run of the runs of an arm's windows, in the order of time: the account goes on from window to window, its policy
/// changes. Completed when all are.
fn in_time(input: &ReportInput, arm: &PlannedArm, windows: &[&ReportRun]) -> Option<ReportRun> {
    let run = unfinished(windows)?;
    let curves: Option<Vec<&Curve>> = windows.iter().map(|run| run.curve.as_ref()).collect();
    let manifests: Option<Vec<&Manifest>> = windows.iter().map(|run| run.manifest.as_ref()).collect();
    let (Some(curves), Some(manifests), RunState::Completed) = (curves, manifests, &run.state) else {
        return Some(run);
    };
    let mut growth = vec![1.0];
    for curve in &curves {
        let start = growth.last().copied().unwrap_or(1.0);
        growth.extend(curve.growth[1..].iter().map(|g| start * g));
    }
    let n: usize = curves.iter().map(|c| c.dates.len()).sum();
    let curve = Curve {
        dates: curves.iter().flat_map(|c| c.dates.iter().copied()).collect(),
        growth,
        exposure: curves.iter().map(|c| c.exposure * c.dates.len() as f64).sum::<f64>() / n as f64,
        actions: curves.iter().flat_map(|c| c.actions.iter().copied()).collect(),
        positions: curves.iter().flat_map(|c| c.positions.iter().copied()).collect(),
        prices: curves.iter().flat_map(|c| c.prices.iter().copied()).collect(),
    };
    let known = market(input, &manifests[0].start.data.fingerprint);
    let periods = known.unwrap_or_else(|| Periods::of(&curve.dates).per_year);
    let turnover = weighted(windows, &curves, "turnover");
    let test = scored(arm, &curve, periods, trades(windows), turnover);
    let equal_turnover = manifests.iter().map(|m| m.equal_turnover).collect::<Option<Vec<_>>>();
    let manifest = Manifest {
        equal_turnover: equal_turnover.and_then(|all| joint(&all, &curve)),
        ..without_scores(manifests[0], test)
    };
    Some(ReportRun { manifest: Some(manifest), curve: Some(curve), ..run })
}

/// One run of the runs of several tasks: an account of equal parts, set back to equal parts every day, on each day in
/// those tasks that trade then. Completed when all are.
fn side_by_side(
    arm: &PlannedArm,
    symbol: &str,
    periods: Option<f64>,
    tasks: &[&ReportRun],
) -> Option<ReportRun> {
    let run = unfinished(tasks)?;
    let curves: Option<Vec<&Curve>> = tasks.iter().map(|run| run.curve.as_ref()).collect();
    let first = tasks[0].manifest.as_ref();
    let (Some(curves), Some(first), RunState::Completed) = (curves, first, &run.state) else {
        return Some(run);
    };
    #[derive(Default)]
    struct Day {
        returns: f64,
        positions: f64,
        n: f64,
    }
    let mut days: BTreeMap<NaiveDate, Day> = BTreeMap::new();
    for curve in &curves {
        for ((date, r), position) in curve.dates.iter().zip(curve.returns()).zip(&curve.positions) {
            let day = days.entry(*date).or_default();
            day.returns += r;
            day.positions += position;
            day.n += 1.0;
        }
    }
    let mut growth = vec![1.0];
    for day in days.values() {
        let last = growth.last().copied().unwrap_or(1.0);
        growth.push(last * (1.0 + day.returns / day.n));
    }
    let positions: Vec<f64> = days.values().map(|day| day.positions / day.n).collect();
    let curve = Curve {
        growth,
        exposure: positions.iter().sum::<f64>() / positions.len() as f64,
        positions,
        dates: days.into_keys().collect(),
        actions: Vec::new(),
        prices: Vec::new(),
    };
    let turnover = weighted(tasks, &curves, "turnover");
    let periods = periods.unwrap_or_else(|| Periods::of(&curve.dates).per_year);
    let test = scored(arm, &curve, periods, trades(tasks), turnover);
    let mut manifest = without_scores(first, test);
    manifest.start.data.symbol = symbol.to_owned();
    let fingerprint = |run: &&ReportRun| run.manifest.as_ref().map(|m| m.start.data.fingerprint.clone());
    manifest.start.data.fingerprint = tasks.iter().filter_map(fingerprint).collect::<Vec<_>>().join("+");
    Some(ReportRun { manifest: Some(manifest), curve: Some(curve), ..run })
}

/// A run in the state of the first of `parts` that has not completed, without scores.
fn unfinished(parts: &[&ReportRun]) -> Option<ReportRun> {
    let first = parts.first()?;
    let state = parts.iter().map(|run| &run.state).find(|state| **state != RunState::Completed);
    Some(ReportRun {
        arm: first.arm,
        seed: first.seed,
        run_id: first.run_id.clone(),
        state: state.unwrap_or(&RunState::Completed).clone(),
        manifest: first.manifest.as_ref().map(|m| without_scores(m, None)),
        curve: None,
        updates: Vec::new(),
    })
}

/// What the start of a run says, with these scores of the test and without anything else that it came to.
fn without_scores(manifest: &Manifest, test: Option<Value>) -> Manifest {
    Manifest {
        metrics: Metrics { train: None, valid: None, test },
        rescored: Vec::new(),
        receipt: None,
        prompts: None,
        warnings: Vec::new(),
        equal_turnover: None,
        ..manifest.clone()
    }
}

/// The numbers of `evaluate` for a joint account.
fn scored(
    arm: &PlannedArm,
    curve: &Curve,
    periods: f64,
    trades: usize,
    turnover: Option<f64>,
) -> Option<Value> {
    let initial = settings::at(&arm.spec, "env.initial_cash").and_then(|cash| cash.as_f64()).unwrap_or(1.0);
    let step = |pair: &[f64]| ScoredStep {
        equity: initial * pair[1],
        // 0 once everything is lost.
        log_return: if pair[0] > 0.0 { (pair[1] / pair[0]).ln() } else { 0.0 },
        traded: 0.0,
    };
    let steps: Vec<ScoredStep> = curve.growth.windows(2).map(step).collect();
    let card = Scorecard::from_steps(initial, &steps, periods).ok()?;
    serde_json::to_value(Scorecard { trades, turnover, ..card }).ok()
}

fn trades(parts: &[&ReportRun]) -> usize {
    parts.iter().filter_map(|run| run.test_metric("trades")).sum::<f64>() as usize
}

/// A score per year as the mean over all days.
fn weighted(parts: &[&ReportRun], curves: &[&Curve], metric: &str) -> Option<f64> {
    let of =
        |(run, curve): (&&ReportRun, &&Curve)| Some((run.test_metric(metric)?, curve.dates.len() as f64));
    let all: Vec<(f64, f64)> = parts.iter().zip(curves).map(of).collect::<Option<_>>()?;
    Some(all.iter().map(|(x, n)| x * n).sum::<f64>() / all.iter().map(|(_, n)| n).sum::<f64>())
}

/// Policies of equal turnover over all windows: shifts of one window are drawn apart from those of the others, so their
/// sum is taken as normal, with the mean and the width of each.
fn joint(windows: &[EqualTurnover], curve: &Curve) -> Option<EqualTurnover> {
    let z = normal_quantile(0.975);
    let mean_log_return: f64 = windows.iter().map(|w| w.mean_log_return).sum();
    let sd = windows.iter().map(|w| ((w.high - w.low) / (2.0 * z)).powi(2)).sum::<f64>().sqrt();
    let policies = windows.iter().map(|w| w.policies).min()?;
    let own = curve.growth.last()?.ln();
    let above = match sd > 0.0 {
        true => 1.0 - normal_cdf((own - mean_log_return) / sd),
        false => f64::from(u8::from(own <= mean_log_return)),
    };
    Some(EqualTurnover {
        policies,
        mean_log_return,
        low: mean_log_return - z * sd,
        high: mean_log_return + z * sd,
        at_least: (above * policies as f64).round() as usize,
    })
}

/// Periods per year of the data of that content, where they are known.
fn market(input: &ReportInput, fingerprint: &str) -> Option<f64> {
    input
        .markets
        .iter()
        .find(|market| market.fingerprint == fingerprint)
        .map(|market| market.periods.per_year)
}

/// What the data of a run say, else what its days do; `None` before it has any.
fn periods_of(input: &ReportInput, run: &ReportRun) -> Option<f64> {
    let curve = run.curve.as_ref()?;
    let known = market(input, &run.manifest.as_ref()?.start.data.fingerprint);
    Some(known.unwrap_or_else(|| Periods::of(&curve.dates).per_year))
}
