//! From a section as written to a section with every key, and what is wrong with it.

use plugin::{
    ParamError, PluginInfo, check_value, fill_defaults, normalise, toml_text, unknown_key, unknown_name,
};
use serde_json::{Map, Value};

use crate::Sections;
use crate::sections::{Section, SectionKind};

/// A section with its defaults filled.
pub(crate) struct Resolved {
    pub value: Value,
    /// Problems, keys relative to the section.
    pub errors: Vec<ParamError>,
}

/// Resolves one section; `written` has shorthand written out.
pub(crate) fn section(section: &Section, written: Option<&Value>) -> Resolved {
    let mut map = match written {
        None => Map::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(other) => {
            let expected = match section.kind {
                SectionKind::Fixed { .. } => "a table".to_owned(),
                SectionKind::Plugin { .. } | SectionKind::Tables { .. } => {
                    format!("a {} by name, or a table with its kind", section.name)
                }
            };
            let error = ParamError { key: String::new(), found: toml_text(other), expected };
            return Resolved { value: other.clone(), errors: vec![error] };
        }
    };
    match &section.kind {
        SectionKind::Fixed { schema } => {
            let check = |value: &Value| section.check.as_ref().map_or(Ok(()), |check| check(value));
            let (map, errors) = checked(schema, &check, map);
            Resolved { value: Value::Object(map), errors }
        }
        SectionKind::Plugin { plugins } => {
            let kind = map.shift_remove("kind").or(section.default_kind.as_deref().map(Value::from));
            let plugin = match named(kind.as_ref(), plugins) {
                Ok(plugin) => plugin,
                Err(error) => return Resolved { value: tagged(kind, map), errors: vec![error] },
            };
            let (map, errors) = checked(&plugin.schema, &*plugin.check, map);
            Resolved { value: tagged(kind, map), errors }
        }
        SectionKind::Tables { plugins } => {
            let kind = map.shift_remove("kind").or(section.default_kind.as_deref().map(Value::from));
            let chosen = named(kind.as_ref(), plugins);
            let (mut tables, mut errors) = (Map::new(), Vec::new());
            for plugin in plugins {
                let is_chosen = chosen.as_ref().is_ok_and(|chosen| chosen.name == plugin.name);
                let params = match map.shift_remove(plugin.name) {
                    Some(Value::Object(params)) => params,
                    None if is_chosen => Map::new(),
                    None => continue,
                    Some(other) => {
                        let (key, found) = (plugin.name.to_owned(), toml_text(&other));
                        errors.push(ParamError { key, found, expected: "a table".to_owned() });
                        continue;
                    }
                };
                let (params, found) = checked(&plugin.schema, &*plugin.check, params);
                errors.extend(found.into_iter().map(|error| below(plugin.name, error)));
                if !params.is_empty() {
                    tables.insert(plugin.name.to_owned(), Value::Object(params));
                }
            }
            errors.extend(map.keys().map(|key| no_table(key, plugins)));
            errors.splice(0..0, chosen.err());
            Resolved { value: tagged(kind, tables), errors }
        }
    }
}

/// The plugin that `kind` names.
fn named<'a>(kind: Option<&Value>, plugins: &'a [PluginInfo]) -> Result<&'a PluginInfo, ParamError> {
    let name = kind.and_then(Value::as_str);
    plugins.iter().find(|p| Some(p.name) == name).ok_or_else(|| {
        let mut error = unknown_name("kind", name.unwrap_or_default(), plugins.iter().map(|p| p.name));
        match kind {
            Some(other) => error.found = toml_text(other),
            None => error = ParamError::missing(error.key, error.expected),
        }
        error
    })
}

/// The error for a key that names no plugin's table; one of a plugin's parameters belongs into that plugin's.
fn no_table(key: &str, plugins: &[PluginInfo]) -> ParamError {
    let error = unknown_key("", key, ["kind"].into_iter().chain(plugins.iter().map(|p| p.name)));
    let has_key = |p: &&PluginInfo| p.schema.get("properties").is_some_and(|keys| keys.get(key).is_some());
    match plugins.iter().find(has_key) {
        Some(plugin) => {
            ParamError { expected: format!("did you mean {:?}?", format!("{}.{key}", plugin.name)), ..error }
        }
        None => error,
    }
}

/// Fills and checks one table; `check` sees only what fits the schema.
fn checked(
    schema: &Value,
    check: &dyn Fn(&Value) -> Result<(), Vec<ParamError>>,
    mut map: Map<String, Value>,
) -> (Map<String, Value>, Vec<ParamError>) {
    fill_defaults(schema, &mut map);
    let value = Value::Object(map.clone());
    let mut errors = check_value(schema, &value);
    if errors.is_empty() {
        normalise(schema, &mut map);
        errors = check(&value).err().unwrap_or_default();
    }
    (map, errors)
}

/// Resolves all sections of a run from merged settings; keys of the problems begin with the section.
pub(crate) fn run_sections(
    written: &Map<String, Value>,
    sections: &Sections,
) -> (Map<String, Value>, Vec<ParamError>) {
    let (mut spec, mut errors) = (Map::new(), Vec::new());
    for s in sections.iter().filter(|s| s.in_run()) {
        let resolved = section(s, written.get(&s.name));
        errors.extend(resolved.errors.into_iter().map(|e| below(&s.name, e)));
        spec.insert(s.name.clone(), resolved.value);
    }
    (spec, errors)
}

/// The error, its key below `prefix`.
pub(crate) fn below(prefix: &str, mut error: ParamError) -> ParamError {
    error.key = match error.key.as_str() {
        "" => prefix.to_owned(),
        key if key.starts_with('[') => format!("{prefix}{key}"),
        key => format!("{prefix}.{key}"),
    };
    error
}

fn tagged(kind: Option<Value>, params: Map<String, Value>) -> Value {
    let kind = kind.map(|k| ("kind".to_owned(), k));
    Value::Object(kind.into_iter().chain(params).collect())
}
