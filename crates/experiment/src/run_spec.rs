//! One resolved run and its identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin::unhashed_keys;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::layer::Layer;
use crate::{Identity, Sections, canonical_json, resolve};

/// The part of resolved sections that the identity of a run is made of, as canonical JSON: the seeds of an arm share
/// it, and it takes a fraction of the memory of the values.
pub(crate) type Hashed = Arc<str>;

/// One run: resolved sections and a seed.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// Resolved sections (`backend`, `data`, …, `agent`), every key present. A plugin section holds its `kind` beside
    /// the parameters.
    pub sections: Map<String, Value>,
    /// Seed of everything random in the run.
    pub seed: u64,
    pub(crate) hashed: Hashed,
}

impl RunSpec {
    /// A section, `kind` included; null when there is none of that name.
    pub fn section(&self, name: &str) -> &Value {
        self.sections.get(name).unwrap_or(&Value::Null)
    }

    /// The plugin that a section selects; empty for a section without a `kind`.
    pub fn kind(&self, name: &str) -> &str {
        self.section(name).get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// A section without its `kind`: the parameters as its plugin takes them.
    pub fn params(&self, name: &str) -> Value {
        params_of(self.section(name))
    }

    /// `seed` and the sections as TOML; [`RunSpec::from_toml`] reads it back. Keys without a value are `"none"`.
    pub fn to_toml(&self) -> String {
        let mut document = toml::Table::new();
        let seed = i64::try_from(self.seed).map(toml::Value::Integer);
        // TOML integers end at 2^63 - 1; a larger seed is kept as its digits.
        document
            .insert("seed".to_owned(), seed.unwrap_or_else(|_| toml::Value::String(self.seed.to_string())));
        for (name, section) in &self.sections {
            document.insert(name.clone(), to_toml_value(section));
        }
        toml::to_string(&document).expect("invariant: tables with string keys can be written as TOML")
    }

    /// Reads what [`RunSpec::to_toml`] wrote, checks it and fills keys that were added since. `source` names the
    /// text in errors.
    pub fn from_toml(text: &str, source: &str, sections: &Sections) -> Result<Self, ConfigErrors> {
        let (layer, mut errors) = Layer::parse(text, source);
        let Some(layer) = layer else { return Err(ConfigErrors::new(errors)) };
        let at = |path: &[&str], problem| ConfigError {
            source: source.to_owned(),
            line: layer.line(path),
            key: path.join("."),
            problem,
        };
        let seed = match layer.table.get("seed") {
            Some(Value::Number(n)) => n.as_u64(),
            Some(Value::String(s)) => s.parse().ok(),
            _ => None,
        };
        if seed.is_none() {
            errors.push(at(&["seed"], Problem::text("expected a whole number >= 0")));
        }
        let mut spec = Map::new();
        for section in sections.iter().filter(|s| s.in_run()) {
            let resolved = resolve::section(section, layer.table.get(&section.name));
            errors.extend(resolved.errors.into_iter().map(|e| {
                let path: Vec<&str> =
                    std::iter::once(section.name.as_str()).chain(e.key.split('.')).collect();
                at(&path, Problem::Value(e.clone()))
            }));
            spec.insert(section.name.clone(), resolved.value);
        }
        for key in layer.table.keys().filter(|k| *k != "seed" && !spec.contains_key(*k)) {
            errors.push(at(&[key], Problem::text("unknown section")));
        }
        match seed {
            Some(seed) if errors.is_empty() => {
                let hashed = hashed(&spec, sections);
                Ok(Self { sections: spec, seed, hashed })
            }
            _ => Err(ConfigErrors::new(errors)),
        }
    }

    /// What of the settings enters the identity, key by key; the seed, contents and contract enter it besides.
    pub fn hashed_settings(&self) -> BTreeMap<String, Value> {
        let hashed: Value = serde_json::from_str(&self.hashed).expect("invariant: canonical JSON is JSON");
        flattened(&hashed)
    }

    /// All settings, key by key.
    pub fn settings(&self) -> BTreeMap<String, Value> {
        flattened(&Value::Object(self.sections.clone()))
    }

    /// Identity of the run within its experiment: the first 16 hex digits of the sha256 of the canonical JSON of
    /// `{contract, digests, sections, seed}`, where `digests` are content digests as `(name, sha256)`, in any order,
    /// and `sections` follow [`Identity`].
    pub fn run_id(&self, contract: u32, digests: &[(String, String)]) -> String {
        identity(&self.hashed, contract, digests, Some(self.seed))
    }

    /// Identity of the trial: [`RunSpec::run_id`] without the seed.
    pub fn arm_key(&self, contract: u32, digests: &[(String, String)]) -> String {
        identity(&self.hashed, contract, digests, None)
    }
}

/// Identity of what `hashed` describes with these digests, and with a seed of a run.
pub(crate) fn identity(
    hashed: &Hashed,
    contract: u32,
    digests: &[(String, String)],
    seed: Option<u64>,
) -> String {
    let mut digests: Vec<_> = digests.to_vec();
    digests.sort();
    // Canonical JSON of {contract, digests, sections, seed} in the order of its keys, with the sections as they stand.
    let contract = canonical_json(&contract.into());
    let digests = canonical_json(&json!(digests));
    let seed = seed.map(|seed| format!(",\"seed\":{}", canonical_json(&seed.into()))).unwrap_or_default();
    let facts = format!("{{\"contract\":{contract},\"digests\":{digests},\"sections\":{hashed}{seed}}}");
    let digest = Sha256::digest(facts.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The part of resolved sections that enters the identity of a run.
pub(crate) fn hashed(spec: &Map<String, Value>, sections: &Sections) -> Hashed {
    let mut kept = Map::new();
    for section in sections.iter().filter(|s| s.identity == Identity::Params) {
        let Some(Value::Object(value)) = spec.get(&section.name) else { continue };
        let mut value = value.clone();
        for key in section.schema_of(&value).map(unhashed_keys).unwrap_or_default() {
            remove(&mut value, &key);
        }
        kept.insert(section.name.clone(), Value::Object(value));
    }
    canonical_json(&Value::Object(kept)).into()
}

/// A section value without its `kind`.
pub(crate) fn params_of(section: &Value) -> Value {
    let mut params = section.clone();
    if let Value::Object(map) = &mut params {
        map.shift_remove("kind");
    }
    params
}

/// Values by dotted key; what is no table is a value.
fn flattened(value: &Value) -> BTreeMap<String, Value> {
    fn add(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    add(&key, value, into);
                }
            }
            value => drop(into.insert(prefix.to_owned(), value.clone())),
        }
    }
    let mut all = BTreeMap::new();
    add("", value, &mut all);
    all
}

fn remove(value: &mut Map<String, Value>, key: &str) {
    match key.split_once('.') {
        None => {
            value.shift_remove(key);
        }
        Some((first, rest)) => {
            if let Some(Value::Object(inner)) = value.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

fn to_toml_value(value: &Value) -> toml::Value {
    match value {
        Value::Null => toml::Value::String("none".to_owned()),
        Value::Bool(b) => toml::Value::Boolean(*b),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => toml::Value::Integer(i),
            (_, f) => toml::Value::Float(f.expect("invariant: a JSON number has a floating value")),
        },
        Value::String(s) => toml::Value::String(s.clone()),
        Value::Array(items) => toml::Value::Array(items.iter().map(to_toml_value).collect()),
        Value::Object(map) => {
            toml::Value::Table(map.iter().map(|(k, v)| (k.clone(), to_toml_value(v))).collect())
        }
    }
}

#[cfg(test)]
mod tests;
