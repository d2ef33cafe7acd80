//! From an experiment file to its arms.

use std::path::Path;

use plugin::{check_value, schema_of, unknown_key};
use serde_json::{Map, Value};

use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::file_keys::FileKeys;
use crate::layer::Layer;
use crate::merge::{Chain, Merged, read_chain};
use crate::{Experiment, Sections, keys, resolve, sweep};

/// Loads an experiment: the file's `extends` chain, then the overrides of `env` named `FLAGLAB_SET__a__b`, then
/// `set` (`a.b=value`, later ones win), checked against `sections` together with every arm of the sweep.
///
/// `env` is the process environment, or any part of it: other variables are ignored. Nothing but the TOML files is
/// read: a path that the settings name need not exist.
///
/// # Errors
/// All problems together, each with its source and key.
pub fn load(
    path: &Path,
    set: &[String],
    env: &[(String, String)],
    sections: &Sections,
) -> Result<Experiment, ConfigErrors> {
    let chain = read_chain(path);
    let complete = chain.complete();
    let Chain { mut layers, files, mut errors } = chain;
    let mut env: Vec<_> = env.iter().collect();
    env.sort();
    let from_env = env.into_iter().filter_map(|(name, value)| Layer::from_env(name, value));
    for layer in from_env.chain(set.iter().map(|s| Layer::from_set(s))) {
        match layer {
            Ok(layer) => layers.push(layer),
            Err(error) => errors.push(*error),
        }
    }
    if !complete {
        return Err(ConfigErrors::new(errors));
    }
    let top = path.display().to_string();
    let merged = match Merged::new(layers, sections, &top) {
        Ok(merged) => merged,
        Err(found) => return Err(ConfigErrors::new(errors.into_iter().chain(found).collect())),
    };
    let file_keys = file_keys(&merged, sections, &mut errors);
    let mut launcher = Value::Null;
    for section in sections.iter().filter(|s| !s.in_run()) {
        let resolved = resolve::section(section, merged.table.get(&section.name));
        errors.extend(resolved.errors.into_iter().map(|e| {
            let error = resolve::below(&section.name, e);
            merged.error(&keys::parts(&error.key), Problem::Value(error))
        }));
        if section.name == "launcher" {
            launcher = resolved.value;
        }
    }
    let seeds = file_keys.seeds.list();
    for (i, seed) in seeds.iter().enumerate() {
        if seeds[..i].contains(seed) {
            let at = ["seeds".to_owned(), i.to_string()];
            errors.push(merged.error(&at, Problem::value(seed.to_string(), "each seed once")));
        }
    }
    let (plan, found) = sweep::plan(&merged, sections, &file_keys);
    errors.extend(found);
    if !errors.is_empty() {
        return Err(ConfigErrors::new(without_echoes(errors)));
    }
    Ok(Experiment {
        name: path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(),
        path: path.to_owned(),
        files,
        title: file_keys.title,
        base: plan.base,
        arms: plan.arms,
        baselines: plan.baselines,
        controls: plan.controls,
        seeds,
        launcher,
        run: file_keys.run,
        mode: file_keys.sweep.as_ref().map(|s| s.mode),
        select: file_keys.sweep.and_then(|s| s.selection()),
        tasks: plan.tasks,
        axes: plan.axes,
    })
}

/// The keys of the file itself. What is wrong is reported and left out.
fn file_keys(merged: &Merged, sections: &Sections, errors: &mut Vec<ConfigError>) -> FileKeys {
    let schema = schema_of::<FileKeys>();
    let own = schema.get("properties").and_then(Value::as_object);
    let own: Vec<&str> = own.into_iter().flatten().map(|(k, _)| k.as_str()).collect();
    let mut table = Map::new();
    for (key, value) in &merged.table {
        if key == "extends" {
            let at = [key.clone()];
            errors.push(merged.error(&at, Problem::text("can stand in a file only")));
        } else if own.contains(&key.as_str()) {
            table.insert(key.clone(), value.clone());
        } else if sections.get(key).is_none() {
            let known = own.iter().copied().chain(sections.iter().map(|s| s.name.as_str()));
            errors.push(merged.error(std::slice::from_ref(key), Problem::Value(unknown_key("", key, known))));
        }
    }
    for error in check_value(&schema, &Value::Object(table.clone())) {
        let path = keys::parts(&error.key);
        // Without its mode, a sweep would be checked as another one.
        let broken = if path == ["sweep", "mode"] { &path[..1] } else { &path[..] };
        let end = broken.iter().position(|p| p.bytes().all(|b| b.is_ascii_digit())).unwrap_or(broken.len());
        keys::remove(&mut table, &broken[..end]);
        errors.push(merged.error(&path, Problem::Value(error)));
    }
    serde_json::from_value(Value::Object(table)).unwrap_or_else(|error| {
        errors.push(merged.error(&[], Problem::text(error.to_string())));
        FileKeys::default()
    })
}

/// Leaves out that a key is missing where the same key was found wrong (a number that is not finite).
fn without_echoes(errors: Vec<ConfigError>) -> Vec<ConfigError> {
    let missing = |e: &ConfigError| matches!(&e.problem, Problem::Value(p) if p.is_missing());
    let wrong: Vec<String> = errors.iter().filter(|e| !missing(e)).map(|e| e.key.clone()).collect();
    errors.into_iter().filter(|e| !missing(e) || !wrong.contains(&e.key)).collect()
}

#[cfg(test)]
mod tests;
