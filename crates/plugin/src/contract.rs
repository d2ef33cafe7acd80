//! The promises that every plugin keeps, whatever its kind, as checks that its crate's tests call. The suites of the
//! kinds begin with [`settings`] and look at what is built after it: `market_data::contract`, `trading_env::contract`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value, json};

use crate::shape::{Node, is_of_type, join};
use crate::{
    BuildError, Kind, ParamError, Plugin, check_value, fill_defaults, is_unhashed, key_docs, toml_text,
};

/// Longest sentence of a listing.
const LONGEST_SUMMARY: usize = 200;

/// A key that no plugin has.
const MISSPELT: &str = "no-such-key";

/// Step inside of a bound that is not itself accepted, as a share of it.
const INSIDE: f64 = 1e-6;

/// Whether `name` is one or more words of lower-case letters and digits, joined by hyphens: `log-return`.
pub fn is_kebab_case(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(word)
}

/// `contract of reward log-return`: of whom a broken promise is told.
pub fn who<K: Kind>(plugin: &dyn Plugin<K>) -> String {
    format!("contract of {} `{}`", K::SECTION, plugin.name())
}

/// Checks name, sentence, schema and settings, and returns `given` with all defaults, which `build` accepts.
///
/// The name is in kebab case; the sentence is one, on one line. Every key has a sentence, every number a bound, and
/// every key a default or stands in `given`. A misspelt key is refused. The defaults pass the schema, [`Plugin::check`]
/// and `build`. A value of a wrong type is an error of `build`; neither that, nor a number beyond its bounds, nor one at
/// them makes `check` panic, and none that the schema refuses makes `build` panic.
///
/// # Panics
/// When a promise is broken.
pub fn settings<K: Kind>(
    plugin: &dyn Plugin<K>,
    given: &Value,
    build: impl Fn(&Value) -> Result<(), BuildError>,
) -> Value {
    let (who, name, summary, schema) = (who(plugin), plugin.name(), plugin.summary(), plugin.schema());
    assert!(is_kebab_case(name), "{who}: a name is in kebab case, such as `log-return`");
    let sentence = summary.ends_with('.') && !summary.contains(". ") && summary.trim() == summary;
    let one_line = !summary.contains('\n') && summary.chars().count() <= LONGEST_SUMMARY;
    assert!(
        sentence && one_line,
        "{who}: the summary is one sentence of at most {LONGEST_SUMMARY} characters that ends with a full stop, \
         found {summary:?}"
    );

    for key in key_docs(&schema) {
        assert!(!key.doc.is_empty(), "{who}: key `{}` has no doc comment", key.key);
    }
    let Value::Object(mut params) = given.clone() else {
        panic!("{who}: settings are a table, found {given}")
    };
    fill_defaults(&schema, &mut params);
    let params = Value::Object(params);
    let leaves = leaves(&schema, &params);
    for Leaf { path, node } in &leaves {
        let number = node.has_type("number") || node.has_type("integer");
        let bounded = BOUNDS.iter().any(|(bound, _)| node.get(bound).is_some());
        assert!(!number || bounded, "{who}: key `{}` is a number without a bound", dotted(path));
    }
    refuse_none(&who, &check_value(&schema, &params), "settings that are handed over and defaults");
    let mut misspelt = params.clone();
    misspelt[MISSPELT] = json!(1);
    assert!(!check_value(&schema, &misspelt).is_empty(), "{who}: a misspelt key is accepted");

    if let Err(problems) = unwound(&who, "check", &params, || plugin.check(&params)) {
        refuse_none(&who, &problems, "its own defaults");
    }
    if let Err(error) = unwound(&who, "build", &params, || build(&params)) {
        panic!("{who}: the defaults do not build: {error}");
    }
    for Leaf { path, node } in &leaves {
        for wrong in [json!("no such value"), json!(true), json!([[]])] {
            let of_type = node.choices().is_none() && node.types().iter().any(|t| is_of_type(&wrong, t));
            let changed = with(&params, path, wrong);
            if of_type || check_value(&schema, &changed).is_empty() {
                continue;
            }
            let _ = unwound(&who, "check", &changed, || plugin.check(&changed));
            let built = unwound(&who, "build", &changed, || build(&changed));
            assert!(built.is_err(), "{who}: builds from a wrong type, {}", shown(&changed, path));
        }
        for beyond in numbers(*node, Side::Beyond) {
            let changed = with(&params, path, beyond);
            let _ = unwound(&who, "check", &changed, || plugin.check(&changed));
            let _ = unwound(&who, "build", &changed, || build(&changed));
        }
    }
    for edge in edges(plugin, &params) {
        let _ = unwound(&who, "check", &edge, || plugin.check(&edge));
    }
    params
}

/// `params` with one number after the other at its bounds, or just inside of those that are not accepted themselves.
pub fn edges<K: Kind>(plugin: &dyn Plugin<K>, params: &Value) -> Vec<Value> {
    let schema = plugin.schema();
    let mut edges = Vec::new();
    for Leaf { path, node } in leaves(&schema, params) {
        edges.extend(numbers(node, Side::Edge).into_iter().map(|number| with(params, &path, number)));
    }
    edges
}

/// Paths of the keys below `params` that are texts and marked as not changing results: places of files.
pub fn places<K: Kind>(plugin: &dyn Plugin<K>, params: &Value) -> Vec<Vec<String>> {
    let schema = plugin.schema();
    let is_place = |leaf: &Leaf<'_>| is_unhashed(leaf.node.schema()) && leaf.node.has_type("string");
    leaves(&schema, params).into_iter().filter(is_place).map(|leaf| leaf.path).collect()
}

/// `params` with another value at `path`.
///
/// # Panics
/// When a part of the path before the last is no table.
pub fn with(params: &Value, path: &[String], value: Value) -> Value {
    let mut changed = params.clone();
    let mut at = &mut changed;
    for key in path {
        at = &mut at[key.as_str()];
    }
    *at = value;
    changed
}

/// A key whose value is no table of keys.
struct Leaf<'a> {
    path: Vec<String>,
    node: Node<'a>,
}

fn leaves<'a>(schema: &'a Value, params: &Value) -> Vec<Leaf<'a>> {
    let mut found = Vec::new();
    if let Value::Object(map) = params {
        collect(Node::root(schema), map, &[], &mut found);
    }
    found
}

fn collect<'a>(node: Node<'a>, map: &Map<String, Value>, above: &[String], found: &mut Vec<Leaf<'a>>) {
    for (key, node) in node.shape(map).properties {
        let path = [above, &[key.to_owned()]].concat();
        match map.get(key) {
            Some(Value::Object(inner)) => collect(node, inner, &path, found),
            _ => found.push(Leaf { path, node }),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// Accepted, as near to the bound as can be.
    Edge,
    /// Not accepted.
    Beyond,
}

/// Keywords of bounds: whether it is a lower one, whether it is itself accepted.
const BOUNDS: [(&str, (bool, bool)); 4] = [
    ("minimum", (true, true)),
    ("exclusiveMinimum", (true, false)),
    ("maximum", (false, true)),
    ("exclusiveMaximum", (false, false)),
];

/// A number at or beyond each bound of `node`.
fn numbers(node: Node<'_>, side: Side) -> Vec<Value> {
    let number = |(keyword, (lower, accepted)): &(&str, (bool, bool))| {
        let bound = node.get(keyword)?;
        let inward = if *lower { 1.0 } else { -1.0 };
        if node.has_type("integer") {
            let steps = match (side, accepted) {
                (Side::Edge, true) | (Side::Beyond, false) => 0,
                (Side::Edge, false) => 1,
                (Side::Beyond, true) => -1,
            };
            return Some(json!(bound.as_i64()?.checked_add(steps * inward as i64)?));
        }
        let bound = bound.as_f64()?;
        let step = INSIDE * bound.abs().max(1.0);
        Some(json!(match (side, accepted) {
            (Side::Edge, true) | (Side::Beyond, false) => bound,
            (Side::Edge, false) => bound + inward * step,
            (Side::Beyond, true) => bound - inward * step,
        }))
    };
    BOUNDS.iter().filter_map(number).collect()
}

fn dotted(path: &[String]) -> String {
    path.iter().fold(String::new(), |prefix, key| join(&prefix, key))
}

/// `window = "x"`.
fn shown(params: &Value, path: &[String]) -> String {
    let value = path.iter().fold(params, |at, key| &at[key.as_str()]);
    format!("{} = {}", dotted(path), toml_text(value))
}

fn refuse_none(who: &str, problems: &[ParamError], what: &str) {
    if let Some(problem) = problems.first() {
        let missing = if problem.is_missing() { "; hand over settings that hold it" } else { "" };
        panic!("{who}: refuses {what}: {problem}{missing}");
    }
}

/// What a suite says of a plugin that breaks its contract; `None` when it passes.
pub fn told(suite: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(suite)).err()?;
    Some(message(&*panic).to_owned())
}

/// What `call` returns; a panic in it is told with the settings that it was called with.
fn unwound<T>(who: &str, what: &str, params: &Value, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        panic!("{who}: `{what}` panics on {params}: {}", message(&*panic));
    })
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests;
