//! Layers on top of each other: which file, option or variable says what.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value as Tagged};
use figment::{Figment, Metadata, Profile, Provider};
use plugin::{drop_foreign_keys, nearest_path_or_usual, path_hint};
use serde_json::{Map, Value};

use crate::error::{ConfigError, Problem};
use crate::layer::Layer;
use crate::sections::Section;
use crate::{Sections, keys};

/// All layers merged, with the source of each key.
pub(crate) struct Merged {
    /// The merged settings; keys in the order of the layers.
    pub table: Map<String, Value>,
    layers: Vec<Layer>,
    tagged: Tagged,
    figment: Figment,
    /// Source of keys that no layer has.
    top: String,
}

impl Merged {
    /// Merges `layers`, the lowest first. `top` names the experiment's own file.
    ///
    /// Tables merge, anything else replaces. Where a layer changes a section's `kind`, keys of lower layers that the
    /// old kind knows and the new one does not are dropped; where it sets a key that stands instead of others
    /// (`x-instead-of` in the schema), or one of those, the lower layers' other choice is. A distribution on an axis
    /// replaces one of another name.
    pub fn new(mut layers: Vec<Layer>, sections: &Sections, top: &str) -> Result<Self, Vec<ConfigError>> {
        for layer in &mut layers {
            layer.normalise(sections);
        }
        for section in sections.iter().filter(|s| s.is_plugin()) {
            change_kinds(&mut layers, section);
        }
        for section in sections.iter().filter(|s| !s.is_plugin()) {
            for i in 1..layers.len() {
                let (lower, upper) = layers.split_at_mut(i);
                let Some(Value::Object(upper)) = upper[0].table.get(&section.name) else { continue };
                for layer in lower {
                    if let Some(Value::Object(lower)) = layer.table.get_mut(&section.name) {
                        drop_replaced(section, upper, lower);
                    }
                }
            }
        }
        replace_distributions(&mut layers);
        let mut figment = Figment::new();
        for (index, layer) in layers.iter().enumerate() {
            figment = figment.merge(Tier { index, layer });
        }
        let tagged: Tagged = figment.find_value("").map_err(|error| {
            let (source, key) = (top.to_owned(), error.path.join("."));
            vec![ConfigError { source, line: None, key, problem: Problem::text(error.kind.to_string()) }]
        })?;
        let hints: Vec<Value> = layers.iter().map(|l| Value::Object(l.table.clone())).collect();
        let table = match untagged(&tagged, &hints.iter().collect::<Vec<_>>()) {
            Value::Object(table) => table,
            _ => Map::new(),
        };
        Ok(Self { table, layers, tagged, figment, top: top.to_owned() })
    }

    /// The source that says what stands at `path`, and the line. A missing key is its table's business.
    pub fn locate(&self, path: &[String]) -> (String, Option<usize>) {
        let mut at = &self.tagged;
        for part in path {
            let below = match at {
                Tagged::Dict(_, dict) => dict.get(part),
                Tagged::Array(_, items) => part.parse().ok().and_then(|i: usize| items.get(i)),
                _ => None,
            };
            match below {
                Some(value) => at = value,
                None => break,
            }
        }
        let index = self
            .figment
            .get_metadata(at.tag())
            .and_then(|m| m.source.as_ref()?.custom()?.parse::<usize>().ok());
        let has_any = path.first().is_some_and(|p| self.table.contains_key(p));
        match index.and_then(|i| self.layers.get(i)).filter(|_| has_any) {
            Some(layer) => (layer.source.clone(), layer.line(path)),
            None => (self.top.clone(), None),
        }
    }

    /// An error at `path`.
    pub fn error(&self, path: &[String], problem: Problem) -> ConfigError {
        let (source, line) = self.locate(path);
        ConfigError { source, line, key: keys::dotted(path), problem }
    }
}

/// One layer as figment takes it; its number is the metadata by which the source of a value is found again.
struct Tier<'a> {
    index: usize,
    layer: &'a Layer,
}

impl Provider for Tier<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::from(self.layer.source.clone(), figment::Source::Custom(self.index.to_string()))
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        let dict = match Tagged::serialize(&self.layer.table)? {
            Tagged::Dict(_, dict) => dict,
            _ => Dict::new(),
        };
        Ok(Profile::Default.collect(dict))
    }
}

/// The plain value, its keys in the order in which `hints` (the layers' values at the same place) name them: figment
/// keeps none, and the order of axes is the order of the plan.
fn untagged(value: &Tagged, hints: &[&Value]) -> Value {
    match value {
        Tagged::Dict(_, dict) => {
            let mut out = Map::new();
            let named = hints.iter().filter_map(|h| h.as_object()).flat_map(Map::keys);
            for key in named.chain(dict.keys()) {
                if let (false, Some(item)) = (out.contains_key(key), dict.get(key)) {
                    let below: Vec<&Value> = hints.iter().filter_map(|h| h.get(key)).collect();
                    out.insert(key.clone(), untagged(item, &below));
                }
            }
            Value::Object(out)
        }
        Tagged::Array(_, items) => {
            let last = hints.iter().rev().find_map(|h| h.as_array());
            let below = |i: usize| last.and_then(|l| l.get(i)).into_iter().collect::<Vec<_>>();
            Value::Array(items.iter().enumerate().map(|(i, item)| untagged(item, &below(i))).collect())
        }
        other => other.deserialize().unwrap_or_default(),
    }
}

fn change_kinds(layers: &mut [Layer], section: &Section) {
    let mut kind = section.default_kind.clone();
    for i in 0..layers.len() {
        let named = layers[i].table.get(&section.name).and_then(|s| s.get("kind")).and_then(Value::as_str);
        let Some(new) = named.map(str::to_owned) else { continue };
        if let Some(old) = kind.filter(|old| *old != new) {
            for layer in &mut layers[..i] {
                if let Some(Value::Object(lower)) = layer.table.get_mut(&section.name) {
                    drop_foreign(section, &old, &new, lower);
                }
            }
        }
        kind = Some(new);
    }
}

/// Drops from `lower` what stands instead of a key of `upper`, or what a key of `upper` stands instead of. A key that is
/// set to `"none"` replaces nothing.
pub(crate) fn drop_replaced(section: &Section, upper: &Map<String, Value>, lower: &mut Map<String, Value>) {
    let properties = section.schema_for(None).and_then(|schema| schema.get("properties")?.as_object());
    let is_set = |key: &str| upper.get(key).is_some_and(|value| *value != "none");
    for (key, property) in properties.into_iter().flatten() {
        let others = property.get("x-instead-of").and_then(Value::as_array);
        let others: Vec<&str> = others.into_iter().flatten().filter_map(Value::as_str).collect();
        if others.iter().any(|other| is_set(other)) {
            lower.shift_remove(key);
        }
        if is_set(key) {
            others.iter().for_each(|other| drop(lower.shift_remove(*other)));
        }
    }
}

/// Puts each axis' last distribution in the place of lower ones: merged tables would name both.
fn replace_distributions(layers: &mut [Layer]) {
    for i in 1..layers.len() {
        let (lower, upper) = layers.split_at_mut(i);
        let axes = upper[0].table.get("sweep").and_then(|s| s.get("axes")).and_then(Value::as_object);
        for (key, distribution) in axes.into_iter().flatten().filter(|(_, value)| value.is_object()) {
            for layer in &mut *lower {
                let old = layer.table.get_mut("sweep").and_then(|s| s.get_mut("axes")?.get_mut(key));
                if let Some(old) = old.filter(|old| old.is_object()) {
                    old.clone_from(distribution);
                }
            }
        }
    }
}

/// Drops the parameters that plugin `old` knows and plugin `new` does not.
pub(crate) fn drop_foreign(section: &Section, old: &str, new: &str, value: &mut Map<String, Value>) {
    if let (Some(old), Some(new)) = (section.schema_for(Some(old)), section.schema_for(Some(new))) {
        drop_foreign_keys(old, new, value);
    }
}

/// A file and all that it extends, the lowest first.
pub(crate) struct Chain {
    pub layers: Vec<Layer>,
    pub files: Vec<PathBuf>,
    pub errors: Vec<ConfigError>,
}

impl Chain {
    /// Whether every file was read and is TOML: then the rest can be checked in spite of `errors`.
    pub fn complete(&self) -> bool {
        self.layers.len() == self.files.len()
            && self.errors.iter().all(|e| !e.key.is_empty() && e.key != "extends")
    }
}

/// Reads a file and all that it extends.
pub(crate) fn read_chain(path: &Path) -> Chain {
    let (mut layers, mut files, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    let mut errors = Vec::new();
    let mut next = Some((path.to_owned(), None::<(String, Option<usize>)>));
    while let Some((file, from)) = next.take() {
        let name = file.display().to_string();
        let text = match read_text(&file) {
            Ok(text) => text,
            Err((line, problem)) => {
                errors.push(match from {
                    // The file that names it is where the mistake is.
                    Some((source, at)) if line.is_none() => {
                        let problem = Problem::text(format!("{name}: {problem}"));
                        ConfigError { source, line: at, key: "extends".to_owned(), problem }
                    }
                    _ => ConfigError {
                        source: name,
                        line,
                        key: String::new(),
                        problem: Problem::text(problem),
                    },
                });
                break;
            }
        };
        let identity = file.canonicalize().unwrap_or_else(|_| file.clone());
        if seen.contains(&identity) {
            let chain: Vec<String> =
                files.iter().chain([&file]).map(|f: &PathBuf| f.display().to_string()).collect();
            let (source, line) = from.unwrap_or((name, None));
            let problem =
                Problem::text(format!("files extend each other in a circle: {}", chain.join(" -> ")));
            errors.push(ConfigError { source, line, key: "extends".to_owned(), problem });
            break;
        }
        seen.push(identity);
        let (layer, found) = Layer::parse(&text, &name);
        errors.extend(found);
        files.push(file.clone());
        let Some(mut layer) = layer else { break };
        let at = (name.clone(), layer.line(&["extends"]));
        match layer.table.shift_remove("extends") {
            Some(Value::String(base)) => {
                next = Some((file.parent().unwrap_or(Path::new("")).join(base), Some(at)));
            }
            Some(other) => {
                let problem = Problem::value(plugin::toml_text(&other), "the path of a TOML file");
                errors.push(ConfigError { source: at.0, line: at.1, key: "extends".to_owned(), problem });
            }
            None => {}
        }
        layers.push(layer);
    }
    layers.reverse();
    files.reverse();
    Chain { layers, files, errors }
}

/// The text of a file, or the line and what is wrong.
fn read_text(path: &Path) -> Result<String, (Option<usize>, String)> {
    if path.is_dir() {
        return Err((None, "expected an experiment file, found a folder".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|e| {
        let near = if e.kind() == ErrorKind::NotFound { near_experiment(path) } else { String::new() };
        (None, format!("cannot be read: {e}{near}"))
    })?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|b| **b == b'\n').count();
        (Some(line), "expected UTF-8 text, found other bytes".to_owned())
    })
}

/// The experiment file that may be meant by one that is not there; a bare name may be that of one in `experiments`.
fn near_experiment(path: &Path) -> String {
    let is_experiment =
        |path: &Path| path.is_file() && path.extension().is_some_and(|ending| ending == "toml");
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = Path::new(path.file_name().unwrap_or_default());
    path_hint(nearest_path_or_usual(folder, name, "experiments", is_experiment).as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::drop_replaced;
    use crate::{Identity, Section};

    fn left(lower: Value, upper: Value) -> Value {
        let schema = json!({ "properties": { "walk": { "x-instead-of": ["train", "test"] }, "train": {}, "test": {}, "gap": {} } });
        let section = Section::fixed("split", "Dates.", schema, Identity::Params);
        let map = |value: Value| -> Map<String, Value> { value.as_object().cloned().unwrap_or_default() };
        let mut lower = map(lower);
        drop_replaced(&section, &map(upper), &mut lower);
        Value::Object(lower)
    }

    #[test]
    fn the_higher_layer_chooses_among_keys_that_stand_instead_of_each_other() {
        let dates = json!({ "train": 1, "test": 2, "gap": 3 });
        assert_eq!(left(dates.clone(), json!({ "walk": 4 })), json!({ "gap": 3 }));
        assert_eq!(left(dates.clone(), json!({ "gap": 4 })), dates);
        assert_eq!(left(dates.clone(), json!({ "walk": "none" })), dates);
        assert_eq!(left(json!({ "walk": 4, "gap": 3 }), json!({ "test": 2 })), json!({ "gap": 3 }));
        assert_eq!(left(json!({ "walk": 4 }), json!({ "test": "none" })), json!({ "walk": 4 }));
    }
}
