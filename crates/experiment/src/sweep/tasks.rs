//! Tasks: data that every arm is carried out on.

use plugin::{ParamError, toml_text, unknown_name};
use serde_json::Value;

use super::{Candidate, Override, Planner, Point};
use crate::error::{ConfigError, Problem};
use crate::experiment::{Arm, Axis};
use crate::names::safe;
use crate::{CONTEXT, keys};

/// A task and what it sets.
pub(super) struct Task {
    pub name: String,
    overrides: Vec<Override>,
}

impl Planner<'_> {
    /// The tasks of the file. What is wrong is reported and left out.
    pub(super) fn tasks(
        &self,
        tables: &[serde_json::Map<String, Value>],
        axes: &[Axis],
        errors: &mut Vec<ConfigError>,
    ) -> Vec<Task> {
        let mut tasks: Vec<Task> = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let at = |key: &str| ["tasks", &i.to_string(), key].map(str::to_owned);
            let mut fail = |key: &str, problem| errors.push(self.merged.error(&at(key), problem));
            let mut overrides = Vec::new();
            for (key, value) in table.iter().filter(|(key, _)| *key != "name") {
                let path = keys::parts(key);
                if !CONTEXT.contains(&path[0].as_str()) {
                    let ParamError { expected, .. } = unknown_name("", &path[0], CONTEXT);
                    fail(
                        key,
                        Problem::value(toml_text(&Value::from(key.as_str())), format!("a key of {expected}")),
                    );
                } else if let Some(axis) = axes.iter().find(|axis| overlap(&keys::parts(&axis.key), &path)) {
                    fail(
                        key,
                        Problem::text(format!(
                            "{:?} is an axis of the sweep: one would hide the other's values",
                            axis.key
                        )),
                    );
                } else {
                    let (key, value, origin) = (key.clone(), value.clone(), at(key).to_vec());
                    overrides.push(Override { key, path, value, origin });
                }
            }
            match table.get("name") {
                Some(Value::String(name)) if !name.trim().is_empty() => {
                    let name = safe(name);
                    if tasks.iter().any(|task| task.name.eq_ignore_ascii_case(&name)) {
                        fail("name", Problem::value(format!("{name:?}"), "each name once"));
                    }
                    tasks.push(Task { name, overrides });
                }
                Some(other) => fail("name", Problem::value(toml_text(other), "a name such as \"MSFT\"")),
                None => fail("name", Problem::value("nothing", "a name such as \"MSFT\"")),
            }
        }
        tasks
    }

    /// A task that resolves to the same as an earlier one would be carried out as that one.
    pub(super) fn check_distinct(&self, tasks: &[Task], arms: &[Arm], errors: &mut Vec<ConfigError>) {
        for (i, task) in tasks.iter().enumerate() {
            if !arms.iter().any(|arm| arm.task.as_ref() == Some(&task.name)) {
                let at = ["tasks".to_owned(), i.to_string()];
                let text = format!("task {:?} sets the same as a task before it", task.name);
                errors.push(self.merged.error(&at, Problem::text(text)));
            }
        }
    }

    /// Every candidate on every task, one task after the other; the candidates themselves where there is none.
    pub(super) fn on_tasks(&self, candidates: Vec<Candidate>, tasks: &[Task]) -> Vec<Candidate> {
        if tasks.is_empty() {
            return candidates;
        }
        let on = |task: &Task, candidate: &Candidate| {
            let point = &candidate.point;
            let overrides = point.overrides.iter().chain(&task.overrides).cloned().collect();
            self.resolve(Point { overrides, task: Some(task.name.clone()), ..point.clone() })
        };
        tasks.iter().flat_map(|task| candidates.iter().map(|candidate| on(task, candidate))).collect()
    }
}

/// Whether one key is the other, or a table above it.
fn overlap(a: &[String], b: &[String]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// The name of an arm on a task.
pub(super) fn named(variant: &str, task: Option<&str>) -> String {
    task.map_or_else(|| variant.to_owned(), |task| format!("{variant},task={task}"))
}
