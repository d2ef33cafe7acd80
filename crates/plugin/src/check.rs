//! Checks a value against the JSON Schema of its section: all problems together, with near-miss names.

use serde_json::{Map, Value};

use crate::error::UNKNOWN_KEY;
use crate::shape::{Node, is_of_type, join};
use crate::text::{accepted, choice_names, choice_text};
use crate::{ParamError, did_you_mean, nearest, toml_text};

/// Characters of a list of known keys in a message.
const KNOWN_KEYS: usize = 70;

/// All problems of `value` under `schema`: unknown keys (with the nearest known one), wrong types, values out of range.
///
/// Understands what `schemars` derives from parameter structs: types, `Option`, nested and flattened structs, plain
/// and tagged enums, bounds, lengths, lists, maps, `$ref`. A whole number is accepted where a number is asked for, a
/// number with a fraction part (even `3.0`) is not a whole number. An object is closed unless its schema has
/// `additionalProperties`. `pattern` is not checked: a plugin's own check does that.
pub fn check_value(schema: &Value, value: &Value) -> Vec<ParamError> {
    let mut errors = Vec::new();
    check(Node::root(schema), value, "", &mut errors);
    errors
}

/// Whether a property's schema marks it as not changing results (`x-unhashed`).
pub fn is_unhashed(property: &Value) -> bool {
    property.get("x-unhashed").and_then(Value::as_bool).unwrap_or(false)
}

/// Dotted keys of `schema` that are marked `x-unhashed`.
pub fn unhashed_keys(schema: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    Node::root(schema).walk("", &mut |key, node| {
        if is_unhashed(node.schema()) && !keys.iter().any(|k| k == key) {
            keys.push(key.to_owned());
        }
    });
    keys
}

/// The error for a `name` that is none of `known`: lists them, the nearest first in parentheses.
pub fn unknown_name<'a>(key: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> ParamError {
    let known: Vec<&str> = known.into_iter().collect();
    let hint = did_you_mean(name, known.iter().copied());
    let expected = match known.as_slice() {
        [] => "nothing: none is known".to_owned(),
        [only] => format!("{only}{hint}"),
        _ => format!("one of {}{hint}", known.join(", ")),
    };
    ParamError { key: key.to_owned(), found: toml_text(&Value::from(name)), expected }
}

/// The error for a key that none of `known` is: the nearest known key, or as many known ones as fit a line.
pub fn unknown_key<'a>(prefix: &str, key: &str, known: impl IntoIterator<Item = &'a str>) -> ParamError {
    let known: Vec<&str> = known.into_iter().collect();
    let expected = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "no keys are known here".to_owned(),
        None => {
            let mut list = String::new();
            for (i, name) in known.iter().enumerate() {
                if list.len() + name.len() > KNOWN_KEYS {
                    list += &format!(" and {} more", known.len() - i);
                    break;
                }
                list += if i > 0 { ", " } else { "" };
                list += name;
            }
            format!("known: {list}")
        }
    };
    ParamError { key: join(prefix, key), found: UNKNOWN_KEY.to_owned(), expected }
}

fn check(node: Node<'_>, value: &Value, key: &str, errors: &mut Vec<ParamError>) {
    if node.accepts_anything() || (value.is_null() && node.allows_null()) || node.says_none(value) {
        return;
    }
    let mut wrong = || {
        errors.push(ParamError { key: key.to_owned(), found: toml_text(value), expected: accepted(node) });
    };
    if let (Some(choices), Some(names)) = (node.choices(), choice_names(node)) {
        if choices.iter().any(|(c, _)| *c == value) {
            return;
        }
        match value {
            Value::String(name) => {
                errors.push(unknown_name(key, name, names.iter().map(String::as_str)));
            }
            _ => wrong(),
        }
        return;
    }
    if !node.alternatives().is_empty() && !node.is_table() {
        check_alternatives(node, value, key, errors);
        return;
    }
    let types = node.types();
    if !types.is_empty() && !types.iter().any(|t| is_of_type(value, t)) {
        wrong();
        return;
    }
    match value {
        Value::Number(_) if !in_range(node, value) => wrong(),
        Value::Number(_) => {
            if let Some(bits) = too_wide(node, value) {
                let expected = format!("{} that fits {bits} bits", accepted(node));
                errors.push(ParamError { key: key.to_owned(), found: toml_text(value), expected });
            }
        }
        Value::String(text) if !fits_string(node, text) => wrong(),
        Value::Array(items) => {
            if !fits_length(node, items) {
                wrong();
            }
            let prefix = node.prefix_items();
            for (i, item) in items.iter().enumerate() {
                if let Some(schema) = prefix.get(i).copied().or(node.child("items")) {
                    check(schema, item, &format!("{key}[{i}]"), errors);
                }
            }
        }
        Value::Object(map) if node.is_table() => check_table(node, map, key, errors),
        _ => {}
    }
    if !value.is_object() {
        for part in node.all_of() {
            check(part, value, key, errors);
        }
    }
}

fn check_alternatives(node: Node<'_>, value: &Value, key: &str, errors: &mut Vec<ParamError>) {
    let problems_of = |alternative: Node<'_>| {
        let mut problems = Vec::new();
        check(alternative, value, key, &mut problems);
        problems
    };
    if node.alternatives().into_iter().any(|a| problems_of(a).is_empty()) {
        return;
    }
    match node.choose(value).filter(|a| a.fits_type(value)) {
        // The tag itself is wrong: name all tags instead of the first alternative's.
        Some(chosen) => match (chosen.tag(), node.alternatives().len()) {
            (Some((tag, name)), 2..) if value.get(tag) != Some(name) => {
                let tags: Vec<String> =
                    node.alternatives().iter().filter_map(|a| Some(choice_text(a.tag()?.1))).collect();
                let known = tags.iter().map(String::as_str);
                let found = value.get(tag).and_then(Value::as_str);
                let error = unknown_name(&join(key, tag), found.unwrap_or_default(), known);
                errors.push(match value.get(tag) {
                    Some(other) => ParamError { found: toml_text(other), ..error },
                    None => ParamError::missing(error.key, error.expected),
                });
            }
            _ => errors.extend(problems_of(chosen)),
        },
        None => {
            errors.push(ParamError {
                key: key.to_owned(),
                found: toml_text(value),
                expected: accepted(node),
            });
        }
    }
}

fn check_table(node: Node<'_>, map: &Map<String, Value>, key: &str, errors: &mut Vec<ParamError>) {
    let shape = node.shape(map);
    for (name, value) in map {
        match shape.property(name) {
            Some(schema) => check(schema, value, &join(key, name), errors),
            None => match shape.additional {
                Some(schema) => check(schema, value, &join(key, name), errors),
                None => errors.push(unknown_key(key, name, shape.properties.iter().map(|(k, _)| *k))),
            },
        }
    }
    for (name, schema) in &shape.properties {
        if shape.required.contains(name) && !map.contains_key(*name) {
            errors.push(ParamError::missing(join(key, name), accepted(*schema)));
        }
    }
}

fn in_range(node: Node<'_>, value: &Value) -> bool {
    let number = |v: &Value| v.as_f64();
    let (Some(x), bound) = (number(value), |k| node.get(k).and_then(number)) else { return false };
    bound("minimum").is_none_or(|b| x >= b)
        && bound("maximum").is_none_or(|b| x <= b)
        && bound("exclusiveMinimum").is_none_or(|b| x > b)
        && bound("exclusiveMaximum").is_none_or(|b| x < b)
}

/// The width of the schema's integer type when `value` does not fit it: schemas leave those bounds out.
fn too_wide(node: Node<'_>, value: &Value) -> Option<u32> {
    let (signed, unsigned) = (value.as_i64(), value.as_u64());
    let (bits, fits) = match node.str("format")? {
        "uint" | "uint64" => (64, unsigned.is_some()),
        "uint32" => (32, unsigned.is_some_and(|v| u32::try_from(v).is_ok())),
        "int" | "int64" => (64, signed.is_some()),
        "int32" => (32, signed.is_some_and(|v| i32::try_from(v).is_ok())),
        _ => return None,
    };
    (!fits).then_some(bits)
}

fn fits_string(node: Node<'_>, text: &str) -> bool {
    let bound = |k| node.get(k).and_then(Value::as_u64).map(|n| n as usize);
    let length = text.chars().count();
    bound("minLength").is_none_or(|b| length >= b)
        && bound("maxLength").is_none_or(|b| length <= b)
        && (node.str("format") != Some("date") || is_date(text))
}

fn fits_length(node: Node<'_>, items: &[Value]) -> bool {
    let bound = |k| node.get(k).and_then(Value::as_u64).map(|n| n as usize);
    let unique = node.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false);
    bound("minItems").is_none_or(|b| items.len() >= b)
        && bound("maxItems").is_none_or(|b| items.len() <= b)
        && !(unique && items.iter().enumerate().any(|(i, item)| items[..i].contains(item)))
}

/// Whether `text` is a day of the Gregorian calendar, `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let digits = |part: &str, n: usize| {
        let all = part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
        all.then(|| part.parse::<u32>().ok()).flatten()
    };
    let mut parts = text.split('-');
    let fields = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(year), Some(month), Some(day), None) = fields else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests;
