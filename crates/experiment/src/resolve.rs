//! From a section as written to a section with every key, and what is wrong with it.

use plugin::{ParamError, check_value, fill_defaults, normalise, toml_text, unknown_name};
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
                SectionKind::Plugin { .. } => format!("a {} by name, or a table with its kind", section.name),
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
            let named = kind.as_ref().and_then(Value::as_str);
            let names = || plugins.iter().map(|p| p.name);
            let Some(plugin) = plugins.iter().find(|p| Some(p.name) == named) else {
                let mut error = unknown_name("kind", named.unwrap_or_default(), names());
                match &kind {
                    Some(other) => error.found = toml_text(other),
                    None => error = ParamError::missing(error.key, error.expected),
                }
                return Resolved { value: tagged(kind, map), errors: vec![error] };
            };
            let (map, errors) = checked(&plugin.schema, &*plugin.check, map);
            Resolved { value: tagged(kind, map), errors }
        }
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
