//! From axes to arms: expands the sweep, resolves and checks every arm, drops what the rules exclude.

pub(crate) mod random;
mod tasks;

use std::collections::{HashMap, HashSet};

use plugin::{ParamError, toml_text, unknown_key, unknown_name};
use serde_json::{Map, Value};

use crate::error::{ConfigError, Problem};
use crate::experiment::{Arm, Axis, Change, Role};
use crate::file_keys::{Baseline, FileKeys, Mode, Sweep};
use crate::layer::with_kind;
use crate::merge::{Merged, drop_foreign, drop_replaced};
use crate::names::{Taken, safe, short_keys, value_label};
use crate::selection::missing_validation;
use crate::{AGENT, CONTEXT, Sections, canonical_json, keys, resolve, run_spec};
use tasks::{Task, named};

/// More points than this are a mistake, and would take long to check.
const MOST_POINTS: usize = 20_000;

/// What a sweep makes of the merged settings.
pub(crate) struct Plan {
    pub base: Map<String, Value>,
    pub arms: Vec<Arm>,
    pub baselines: Vec<Arm>,
    pub controls: Vec<Arm>,
    pub axes: Vec<Axis>,
    pub tasks: Vec<String>,
}

/// One override of one point.
#[derive(Clone)]
struct Override {
    key: String,
    path: Vec<String>,
    value: Value,
    /// Where in the file it stands.
    origin: Vec<String>,
}

impl Override {
    /// Whether the file has its distribution instead of the value.
    fn is_drawn(&self) -> bool {
        matches!(self.origin.as_slice(), [_, axes, _] if axes == "axes")
    }
}

impl Sweep {
    /// Whether `include` and `exclude` keep an arm.
    fn keeps(&self, spec: &Map<String, Value>) -> bool {
        let any = |rules: &[Map<String, Value>]| {
            let holds = |rule: &Map<String, Value>| {
                rule.iter().all(|(key, wanted)| {
                    keys::get(spec, &keys::parts(key)).is_some_and(|actual| matches(actual, wanted))
                })
            };
            rules.iter().any(holds)
        };
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// One point of the sweep before it is resolved.
#[derive(Clone)]
struct Point {
    name: String,
    overrides: Vec<Override>,
    /// The task that it is carried out on, whose overrides are among its own.
    task: Option<String>,
}

impl Point {
    fn new(name: &str, overrides: Vec<Override>) -> Self {
        Self { name: name.to_owned(), overrides, task: None }
    }
}

/// A resolved point.
#[derive(Clone)]
struct Candidate {
    point: Point,
    spec: Map<String, Value>,
    errors: Vec<ParamError>,
}

/// Expands and checks everything. The plan is usable only when there are no errors.
pub(crate) fn plan(merged: &Merged, sections: &Sections, file: &FileKeys) -> (Plan, Vec<ConfigError>) {
    let sweep = file.sweep.as_ref();
    let planner = Planner { merged, sections };
    let (base, base_errors) = resolve::run_sections(&merged.table, sections);
    let mut errors = Vec::new();
    let axes = sweep.map(|s| planner.axes(s)).unwrap_or_default();
    let tasks = planner.tasks(&file.tasks, &axes, &mut errors);
    let candidates = match sweep {
        Some(sweep) => planner.candidates(sweep, &axes, &tasks, &mut errors),
        None => vec![planner.resolve(Point::new("base", Vec::new()))],
    };
    let mut candidates = planner.on_tasks(candidates, &tasks);
    if let Some(sweep) = sweep {
        planner.filter(sweep, &mut candidates, &mut errors);
        planner.check_validation(sweep, &candidates, &mut errors);
    }
    planner.report(&base_errors, &candidates, &mut errors);
    let mut taken = Taken::default();
    let has_candidates = !candidates.is_empty();
    let arms = planner.arms(&base, &axes, candidates, &mut taken);
    if has_candidates && errors.is_empty() {
        planner.check_distinct(&tasks, &arms, &mut errors);
    }
    let baselines = planner.baselines(&base, &axes, &arms, &file.baselines, &mut taken, &mut errors);
    let controls = planner.controls(&base, &axes, &arms, &file.controls, &mut taken, &mut errors);
    let axes = axes.into_iter().map(|a| planner.as_resolved(a)).collect();
    let tasks = tasks.into_iter().map(|task| task.name).collect();
    (Plan { base, arms, baselines, controls, axes, tasks }, errors)
}

struct Planner<'a> {
    merged: &'a Merged,
    sections: &'a Sections,
}

impl Planner<'_> {
    fn axes(&self, sweep: &Sweep) -> Vec<Axis> {
        let values = |v: &Value| match v {
            Value::Array(values) => values.clone(),
            distribution => vec![distribution.clone()],
        };
        sweep.axes.iter().map(|(key, v)| Axis { key: key.clone(), values: values(v) }).collect()
    }

    fn error(&self, path: &[&str], problem: Problem) -> ConfigError {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        self.merged.error(&path, problem)
    }

    fn resolve(&self, point: Point) -> Candidate {
        let mut written = self.merged.table.clone();
        self.apply(&mut written, &point.overrides);
        let (spec, errors) = resolve::run_sections(&written, self.sections);
        Candidate { point, spec, errors }
    }

    /// The points of the sweep in plan order, resolved.
    fn candidates(
        &self,
        sweep: &Sweep,
        axes: &[Axis],
        tasks: &[Task],
        errors: &mut Vec<ConfigError>,
    ) -> Vec<Candidate> {
        let known = self.known_axes(sweep, axes, errors);
        match sweep.mode {
            Mode::Random => self.samples(sweep, &known, tasks, errors),
            _ => self.points(sweep, &known, errors).into_iter().map(|p| self.resolve(p)).collect(),
        }
    }

    /// The axes without those that are wrong whatever their values. Keys of the section that its mode has no use for are
    /// errors, too.
    fn known_axes<'a>(
        &self,
        sweep: &Sweep,
        axes: &'a [Axis],
        errors: &mut Vec<ConfigError>,
    ) -> Vec<&'a Axis> {
        let mut fail = |path: &[&str], problem| errors.push(self.error(path, problem));
        match (sweep.mode, axes.is_empty(), sweep.list.is_empty()) {
            (Mode::List, false, _) => {
                fail(&["sweep", "axes"], Problem::text("mode `list` takes its arms from sweep.list"));
            }
            (Mode::List, _, true) => {
                fail(&["sweep", "list"], Problem::value("nothing", "at least one table"));
            }
            (mode, _, false) if mode != Mode::List => {
                fail(
                    &["sweep", "list"],
                    Problem::text(format!("needs sweep.mode = \"list\", found {:?}", mode.word())),
                );
            }
            _ => {}
        }
        let is_random = sweep.mode == Mode::Random;
        let of_random =
            || Problem::text(format!("needs sweep.mode = \"random\", found {:?}", sweep.mode.word()));
        for (key, is_given) in [("n_samples", sweep.n_samples.is_some()), ("seed", sweep.seed.is_some())] {
            if is_given && !is_random {
                fail(&["sweep", key], of_random());
            }
        }
        let mut known: Vec<&Axis> = Vec::new();
        for axis in axes {
            match self.key_problem(&axis.key) {
                Some(problem) => fail(&["sweep", "axes", &axis.key], problem),
                None if !is_random && sweep.axes.get(&axis.key).is_some_and(Value::is_object) => {
                    fail(&["sweep", "axes", &axis.key], of_random());
                }
                None => known.push(axis),
            }
        }
        known
    }

    /// The points of the modes that list their values.
    fn points(&self, sweep: &Sweep, known: &[&Axis], errors: &mut Vec<ConfigError>) -> Vec<Point> {
        let mut fail = |path: &[&str], problem| errors.push(self.error(path, problem));
        let size = match sweep.mode {
            Mode::Grid => known.iter().map(|a| a.values.len()).fold(1, usize::saturating_mul),
            _ => known.iter().map(|a| a.values.len()).fold(1, usize::saturating_add),
        };
        if size > MOST_POINTS {
            fail(&["sweep"], Problem::value(format!("{size}"), format!("at most {MOST_POINTS} arms")));
            return Vec::new();
        }
        let keys: Vec<String> = known.iter().map(|a| a.key.clone()).collect();
        let short = short_keys(&keys);
        let at = |axis: usize, value: usize| {
            let key = &known[axis].key;
            Override {
                key: key.clone(),
                path: keys::parts(key),
                value: known[axis].values[value].clone(),
                origin: vec!["sweep".to_owned(), "axes".to_owned(), key.clone(), value.to_string()],
            }
        };
        let label = |axis: usize, value: usize| {
            let values = &known[axis].values;
            format!("{}={}", short[axis], value_label(&values[value], values))
        };
        let point = |indices: &[usize]| {
            let name = match indices {
                [] => "base".to_owned(),
                _ => indices.iter().enumerate().map(|(a, v)| label(a, *v)).collect::<Vec<_>>().join(","),
            };
            Point::new(&name, indices.iter().enumerate().map(|(a, v)| at(a, *v)).collect())
        };
        match sweep.mode {
            Mode::OneAtATime => {
                let mut points = vec![point(&[])];
                for (a, axis) in known.iter().enumerate() {
                    let single = |v| Point::new(&label(a, v), vec![at(a, v)]);
                    points.extend((0..axis.values.len()).map(single));
                }
                points
            }
            Mode::Grid => {
                let mut indices: Vec<Vec<usize>> = vec![Vec::new()];
                for axis in known {
                    let longer = |head: &Vec<usize>| {
                        let head = head.clone();
                        (0..axis.values.len()).map(move |v| head.iter().copied().chain([v]).collect())
                    };
                    indices = indices.iter().flat_map(longer).collect();
                }
                indices.iter().map(|i| point(i)).collect()
            }
            Mode::Zip => {
                let n = known.first().map_or(0, |a| a.values.len());
                for axis in known.iter().filter(|a| a.values.len() != n) {
                    let (found, expected) = (axis.values.len(), known[0].key.as_str());
                    let problem = Problem::value(
                        format!("{found} values"),
                        format!("{n} values, as many as {expected:?} has: mode `zip` takes them together"),
                    );
                    fail(&["sweep", "axes", &axis.key], problem);
                }
                if known.is_empty() {
                    return vec![point(&[])];
                }
                let n = known.iter().map(|a| a.values.len()).min().unwrap_or(0);
                (0..n).map(|v| point(&vec![v; known.len()])).collect()
            }
            Mode::List => self.list_points(sweep, errors),
            Mode::Random => Vec::new(),
        }
    }

    fn list_points(&self, sweep: &Sweep, errors: &mut Vec<ConfigError>) -> Vec<Point> {
        let mut all_keys: Vec<String> = Vec::new();
        for key in sweep.list.iter().flat_map(Map::keys).filter(|k| *k != "name") {
            if !all_keys.contains(key) {
                all_keys.push(key.clone());
            }
        }
        let short: HashMap<String, String> = all_keys.iter().cloned().zip(short_keys(&all_keys)).collect();
        let mut points = Vec::new();
        for (i, table) in sweep.list.iter().enumerate() {
            let origin =
                |key: &str| vec!["sweep".to_owned(), "list".to_owned(), i.to_string(), key.to_owned()];
            let (mut overrides, mut labels) = (Vec::new(), Vec::new());
            for (key, value) in table.iter().filter(|(k, _)| *k != "name") {
                if let Some(problem) = self.key_problem(key) {
                    errors.push(self.merged.error(&origin(key), problem));
                    continue;
                }
                let siblings: Vec<Value> = sweep.list.iter().filter_map(|t| t.get(key).cloned()).collect();
                labels.push(format!("{}={}", short[key], value_label(value, &siblings)));
                let path = keys::parts(key);
                overrides.push(Override {
                    key: key.clone(),
                    path,
                    value: value.clone(),
                    origin: origin(key),
                });
            }
            let name = match table.get("name") {
                Some(Value::String(name)) => name.clone(),
                Some(other) => {
                    let problem = Problem::value(toml_text(other), "a string");
                    errors.push(self.merged.error(&origin("name"), problem));
                    continue;
                }
                None if labels.is_empty() => "base".to_owned(),
                None => labels.join(","),
            };
            points.push(Point::new(&name, overrides));
        }
        points
    }

    /// Why a key cannot be swept, if the file alone shows it. Keys of plugins are checked with each arm.
    fn key_problem(&self, key: &str) -> Option<Problem> {
        let first = keys::parts(key).into_iter().next()?;
        match self.sections.get(&first) {
            Some(section) if section.in_run() => None,
            Some(_) => Some(Problem::text("cannot be swept: it is not part of a run")),
            None => {
                let names = self.sections.iter().filter(|s| s.in_run()).map(|s| s.name.as_str());
                Some(Problem::Value(unknown_key("", &first, names)))
            }
        }
    }

    /// Puts overrides on top of written settings: whole sections first, then kinds, then single keys.
    fn apply(&self, written: &mut Map<String, Value>, overrides: &[Override]) {
        let mut order: Vec<&Override> = overrides.iter().collect();
        order.sort_by_key(|o| match o.path.as_slice() {
            [_] => 0,
            [_, kind] if kind == "kind" => 1,
            _ => 2,
        });
        for o in order {
            let Some(section) = self.sections.get(&o.path[0]) else { continue };
            let whole = o.path.len() == 1;
            let value = match &o.value {
                kind @ Value::String(_) if whole && section.is_plugin() => with_kind(kind.clone()),
                value => value.clone(),
            };
            let new_kind = match o.path.as_slice() {
                [_] => value.get("kind").and_then(Value::as_str),
                [_, kind] if kind == "kind" => value.as_str(),
                _ => None,
            };
            if let (Some(new), Some(Value::Object(lower))) = (new_kind, written.get_mut(&section.name)) {
                let old = lower.get("kind").and_then(Value::as_str).or(section.default_kind.as_deref());
                if let Some(old) = old.filter(|old| *old != new).map(str::to_owned) {
                    drop_foreign(section, &old, new, lower);
                }
            }
            if let Some(Value::Object(lower)) =
                written.get_mut(&section.name).filter(|_| !section.is_plugin())
            {
                let one = |key: &String| Map::from_iter([(key.clone(), value.clone())]);
                let upper = o.path.get(1).map(one).or_else(|| value.as_object().cloned());
                drop_replaced(section, &upper.unwrap_or_default(), lower);
            }
            keys::put(written, &o.path, value);
        }
    }

    /// Applies `include` and `exclude`.
    fn filter(&self, sweep: &Sweep, candidates: &mut Vec<Candidate>, errors: &mut Vec<ConfigError>) {
        for (word, rules) in [("include", &sweep.include), ("exclude", &sweep.exclude)] {
            for (i, rule) in rules.iter().enumerate() {
                for key in rule.keys() {
                    let path = keys::parts(key);
                    if !candidates.iter().any(|c| keys::get(&c.spec, &path).is_some())
                        && !candidates.is_empty()
                    {
                        let at = ["sweep", word, &i.to_string(), key].map(str::to_owned);
                        let axes = sweep.axes.keys().map(String::as_str);
                        errors.push(self.merged.error(&at, Problem::Value(unknown_key("", key, axes))));
                    }
                }
            }
        }
        let before = candidates.len();
        candidates.retain(|c| sweep.keeps(&c.spec));
        if candidates.is_empty() && before > 0 {
            let problem = Problem::text("the include and exclude rules leave no arm");
            errors.push(self.merged.error(&["sweep".to_owned()], problem));
        }
    }

    /// An arm is selected on validation data: every arm needs them.
    fn check_validation(&self, sweep: &Sweep, candidates: &[Candidate], errors: &mut Vec<ConfigError>) {
        if sweep.selection().is_none() {
            return;
        }
        if let Some(path) = candidates.iter().find_map(|c| missing_validation(&c.spec)) {
            let reason = match sweep.select {
                Some(metric) => format!("sweep.select = {:?}", metric.word()),
                None => format!("sweep.mode = {:?}", sweep.mode.word()),
            };
            let expected = format!("first and last date of the part on which {reason} selects an arm");
            errors.push(self.merged.error(&path, Problem::value("nothing", expected)));
        }
    }

    /// Reports each problem once: at the base where it is the base's, else at the axis value that brings it.
    fn report(&self, base_errors: &[ParamError], candidates: &[Candidate], errors: &mut Vec<ConfigError>) {
        let is_base_arm = candidates.iter().any(|c| c.point.overrides.is_empty());
        for error in base_errors {
            // A base that is no arm may leave out what every arm sets.
            let missing = error.is_missing();
            let of_arm = candidates.is_empty() || candidates.iter().any(|c| c.errors.contains(error));
            if !missing || is_base_arm || of_arm {
                errors.push(self.merged.error(&keys::parts(&error.key), Problem::Value(error.clone())));
            }
        }
        let mut drawn: HashSet<String> = HashSet::new();
        for candidate in candidates {
            for error in candidate.errors.iter().filter(|e| !base_errors.contains(e)) {
                let path = keys::parts(&error.key);
                let overrides = &candidate.point.overrides;
                let related = |o: &&Override| path.starts_with(&o.path) || o.path.starts_with(&path);
                let of_section = |o: &&Override| o.path[0] == path[0];
                let closest = overrides.iter().filter(related).max_by_key(|o| o.path.len());
                let source = closest.or(overrides.iter().find(of_section));
                // Draws of one distribution are wrong alike.
                if source.is_some_and(|o| o.is_drawn() && !drawn.insert(o.key.clone())) {
                    continue;
                }
                let found = match source {
                    Some(o) if error.is_unknown_key() && error.key == o.key => {
                        // The axis itself is wrong, whatever its value.
                        let axis = if o.origin[1] == "axes" { &o.origin[..3] } else { &o.origin[..] };
                        self.merged.error(axis, Problem::Value(error.clone()))
                    }
                    Some(o) => {
                        let mut found = self.merged.error(
                            &o.origin,
                            Problem::Axis {
                                value: toml_text(&o.value),
                                error: ParamError {
                                    key: if error.key == o.key { String::new() } else { error.key.clone() },
                                    ..error.clone()
                                },
                                arm: candidate.point.name.clone(),
                            },
                        );
                        if o.origin[1] == "axes" {
                            found.key = keys::dotted(&o.origin[..3]);
                        }
                        found
                    }
                    None => {
                        let problem = Problem::text(format!("arm {:?}: {error}", candidate.point.name));
                        self.merged.error(&["sweep".to_owned()], problem)
                    }
                };
                if !errors.iter().any(|known| known.same(&found)) {
                    errors.push(found);
                }
            }
        }
    }

    /// Arms in plan order; a point whose spec another one already has gives that one its axis values.
    fn arms(
        &self,
        base: &Map<String, Value>,
        axes: &[Axis],
        candidates: Vec<Candidate>,
        taken: &mut Taken,
    ) -> Vec<Arm> {
        let mut arms: Vec<(Arm, Vec<Override>)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut variants: HashMap<Option<String>, Taken> = HashMap::new();
        for Candidate { point, spec, .. } in candidates {
            let text = canonical_json(&Value::Object(spec.clone()));
            match known.get(&text) {
                Some(index) => arms[*index].1.extend(point.overrides),
                None => {
                    known.insert(text, arms.len());
                    let variant = variants.entry(point.task.clone()).or_default().claim(&point.name);
                    let name = taken.claim(&named(&variant, point.task.as_deref()));
                    let arm = Arm { variant, task: point.task, ..self.arm(name, Role::Arm, base, spec) };
                    arms.push((arm, point.overrides));
                }
            }
        }
        for (arm, overrides) in &mut arms {
            arm.axes = axis_values(axes, &arm.spec, overrides);
        }
        arms.into_iter().map(|(arm, _)| arm).collect()
    }

    fn arm(&self, name: String, role: Role, base: &Map<String, Value>, spec: Map<String, Value>) -> Arm {
        let mut changes = Vec::new();
        for section in spec.keys() {
            difference(section, base.get(section), spec.get(section), &mut changes);
        }
        let hashed = run_spec::hashed(&spec, self.sections);
        let variant = name.clone();
        Arm { name, role, axes: Vec::new(), changes, spec, task: None, window: None, variant, hashed }
    }

    /// A baseline or control beside the arm `of`, on its task.
    fn beside_arm(
        &self,
        variant: &str,
        of: &Arm,
        role: Role,
        base: &Map<String, Value>,
        spec: Map<String, Value>,
        taken: &mut Taken,
    ) -> Arm {
        let name = taken.claim(&named(variant, of.task.as_deref()));
        let variant = if of.task.is_some() { safe(variant) } else { name.clone() };
        Arm { task: of.task.clone(), variant, ..self.arm(name, role, base, spec) }
    }

    fn baselines(
        &self,
        base: &Map<String, Value>,
        axes: &[Axis],
        arms: &[Arm],
        entries: &[Baseline],
        taken: &mut Taken,
        errors: &mut Vec<ConfigError>,
    ) -> Vec<Arm> {
        let Some(section) = self.sections.get(AGENT) else { return Vec::new() };
        let tables: Vec<Value> = entries
            .iter()
            .map(|entry| match entry {
                Baseline::Kind(kind) => with_kind(Value::from(kind.as_str())),
                Baseline::Table(table) => Value::Object(table.clone()),
            })
            .collect();
        let mut agents = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let resolved = resolve::section(section, Some(table));
            let place = vec!["baselines".to_owned(), i.to_string()];
            if resolved.errors.is_empty() {
                agents.push((value_label(table, &tables), self.beside(base, table, resolved.value)));
                continue;
            }
            for error in resolved.errors {
                let mut at = place.clone();
                if matches!(entries[i], Baseline::Table(_)) {
                    at.extend(keys::parts(&error.key));
                }
                errors.push(self.merged.error(&at, Problem::Value(error)));
            }
        }
        let contexts = contexts(arms);
        let mut out: Vec<Arm> = Vec::new();
        let several = contexts.len() > 1;
        for of in contexts {
            for (label, agent) in &agents {
                let mut spec = base.clone();
                for name in CONTEXT {
                    if let Some(shared) = of.spec.get(name) {
                        spec.insert(name.to_owned(), shared.clone());
                    }
                }
                spec.insert(AGENT.to_owned(), agent.clone());
                // The same run twice would be one run with two roles.
                if arms.iter().chain(&out).any(|a| same(&a.spec, &spec)) {
                    continue;
                }
                let variant =
                    format!("{label}{}", if several { context_label(axes, of) } else { String::new() });
                let mut arm = self.beside_arm(&variant, of, Role::Baseline, base, spec, taken);
                arm.axes = axes
                    .iter()
                    .filter(|a| CONTEXT.contains(&keys::parts(&a.key)[0].as_str()))
                    .filter_map(|a| Some((a.key.clone(), of.axis(&a.key)?.clone())))
                    .collect();
                let rest: Vec<Axis> = axes.iter().filter(|a| arm.axis(&a.key).is_none()).cloned().collect();
                arm.axes.extend(axis_values(&rest, &arm.spec, &[]).into_iter().filter(|(k, _)| k != AGENT));
                arm.axes.sort_by_key(|(k, _)| axes.iter().position(|a| a.key == *k));
                out.push(arm);
            }
        }
        out
    }

    /// A baseline's agent with what it has in common with the base's, where that is of another kind. `alone` is it
    /// without, which it stays where the base's settings are out of its range.
    fn beside(&self, base: &Map<String, Value>, table: &Value, alone: Value) -> Value {
        let kind = |agent: &Value| agent.get("kind").cloned();
        if base.get(AGENT).and_then(kind) == kind(&alone) {
            return alone;
        }
        let (path, value) = (vec![AGENT.to_owned()], table.clone());
        let mut written = base.clone();
        self.apply(&mut written, &[Override { key: AGENT.to_owned(), path, value, origin: Vec::new() }]);
        let (mut spec, problems) = resolve::run_sections(&written, self.sections);
        spec.remove(AGENT).filter(|_| problems.is_empty()).unwrap_or(alone)
    }

    /// The first arm of each context under each control. A control that changes nothing there (a random twin of random
    /// weights) would be the arm itself and is left out.
    fn controls(
        &self,
        base: &Map<String, Value>,
        axes: &[Axis],
        arms: &[Arm],
        names: &[String],
        taken: &mut Taken,
        errors: &mut Vec<ConfigError>,
    ) -> Vec<Arm> {
        let known = self.sections.controls();
        let contexts = contexts(arms);
        let several = contexts.len() > 1;
        let mut out: Vec<Arm> = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let at = ["controls".to_owned(), i.to_string()];
            let Some(control) = known.iter().find(|c| c.name == *name) else {
                let error = unknown_name("controls", name, known.iter().map(|c| c.name.as_str()));
                errors.push(self.merged.error(&at, Problem::Value(error)));
                continue;
            };
            let overrides: Vec<Override> = (control.settings.iter())
                .map(|(key, value)| Override {
                    key: key.clone(),
                    path: keys::parts(key),
                    value: value.clone(),
                    origin: at.to_vec(),
                })
                .collect();
            for of in &contexts {
                let mut written = of.spec.clone();
                self.apply(&mut written, &overrides);
                let (spec, problems) = resolve::run_sections(&written, self.sections);
                if let Some(error) = problems.into_iter().next() {
                    // What is wrong with the arm itself is told already.
                    if resolve::run_sections(&of.spec, self.sections).1.contains(&error) {
                        continue;
                    }
                    let text = format!("{name:?} does not fit arm {:?}: {error}", of.name);
                    errors.push(self.merged.error(&at, Problem::text(text)));
                    break;
                }
                if arms.iter().chain(&out).any(|a| same(&a.spec, &spec)) {
                    continue;
                }
                let variant =
                    format!("{name}{}", if several { context_label(axes, of) } else { String::new() });
                let mut arm = self.beside_arm(&variant, of, Role::Control, base, spec, taken);
                arm.axes = axis_values(axes, &arm.spec, &[]);
                out.push(arm);
            }
        }
        out
    }

    /// The axis with single values as a resolved run has them (`1.0` where the file says `1` for a number), so that
    /// they compare equal to those of arms.
    fn as_resolved(&self, mut axis: Axis) -> Axis {
        let path = keys::parts(&axis.key);
        let Some(section) = self.sections.get(&path[0]).filter(|_| path.len() > 1) else { return axis };
        for value in &mut axis.values {
            let mut written = self.merged.table.clone();
            keys::put(&mut written, &path, value.clone());
            let resolved = resolve::section(section, written.get(&section.name)).value;
            let found = path[1..].iter().try_fold(&resolved, |v, part| v.get(part));
            if let Some(found) = found.filter(|f| !f.is_object()) {
                *value = found.clone();
            }
        }
        axis
    }
}

/// The first arm of each distinct data, split, rules and env.
fn contexts(arms: &[Arm]) -> Vec<&Arm> {
    let mut known: Vec<(String, &Arm)> = Vec::new();
    for arm in arms {
        let shared = CONTEXT.map(|name| arm.spec.get(name).cloned().unwrap_or_default());
        let text = canonical_json(&Value::from_iter(shared));
        if !known.iter().any(|(k, _)| *k == text) {
            known.push((text, arm));
        }
    }
    known.into_iter().map(|(_, arm)| arm).collect()
}

/// Value of each axis in a resolved arm.
fn axis_values(axes: &[Axis], spec: &Map<String, Value>, overrides: &[Override]) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for axis in axes {
        let Some(found) = keys::get(spec, &keys::parts(&axis.key)) else { continue };
        // A table is shown as the file writes it: its kind, or what it sets.
        let written = overrides.iter().find(|o| o.key == axis.key).map(|o| &o.value);
        let value = if found.is_object() { written.or(found.get("kind")).unwrap_or(found) } else { found };
        values.push((axis.key.clone(), value.clone()));
    }
    values
}

/// What tells the context of `arm` from others on the same task, for the name of a baseline: `,symbol=MSFT`; without
/// tasks and axes, the arm's own name.
fn context_label(axes: &[Axis], arm: &Arm) -> String {
    let of_context = |key: &str| CONTEXT.contains(&keys::parts(key)[0].as_str());
    if axes.is_empty() {
        return format!(",{}", arm.variant);
    }
    let facts: Vec<(String, Value)> = arm.axes.iter().filter(|(k, _)| of_context(k)).cloned().collect();
    let names: Vec<String> = facts.iter().map(|(k, _)| k.clone()).collect();
    let siblings =
        |key: &str| axes.iter().find(|a| a.key == key).map(|a| a.values.as_slice()).unwrap_or_default();
    let labels = short_keys(&names).into_iter().zip(&facts);
    labels.map(|(short, (key, value))| format!(",{short}={}", value_label(value, siblings(key)))).collect()
}

fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    canonical_json(&Value::Object(a.clone())) == canonical_json(&Value::Object(b.clone()))
}

/// Whether a resolved value is what a rule asks for: one of a list, all keys of a table, a plugin by name, or equal.
fn matches(actual: &Value, wanted: &Value) -> bool {
    let equal = |a: &Value, b: &Value| canonical_json(a) == canonical_json(b);
    match (actual, wanted) {
        (Value::Array(_), _) if equal(actual, wanted) => true,
        (_, Value::Array(options)) => options.iter().any(|option| matches(actual, option)),
        (Value::Object(map), Value::Object(rule)) => {
            rule.iter().all(|(k, w)| map.get(k).is_some_and(|a| matches(a, w)))
        }
        (Value::Object(map), Value::String(kind)) => map.get("kind").is_some_and(|k| k == kind.as_str()),
        (Value::Null, Value::String(none)) => none == "none",
        _ => equal(actual, wanted),
    }
}

/// The keys in which two values differ, tables compared key by key.
fn difference(key: &str, base: Option<&Value>, arm: Option<&Value>, out: &mut Vec<Change>) {
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (base, arm) {
        for name in b.keys().chain(a.keys().filter(|k| !b.contains_key(*k))) {
            difference(&format!("{key}.{name}"), a.get(name), b.get(name), out);
        }
    } else if base.map(canonical_json) != arm.map(canonical_json) {
        out.push(Change { key: key.to_owned(), base: base.cloned(), arm: arm.cloned() });
    }
}

#[cfg(test)]
mod tests;
