//! Values and schemas in words, for error messages and references.

use serde_json::Value;

use crate::shape::Node;

/// Longest text of one value.
const LONGEST: usize = 60;

/// What stands in a file for an optional key without a value: TOML has no null, and a file has to be able to take
/// back what a lower layer sets.
pub(crate) const NONE: &str = "none";

/// A value as it would stand in TOML, cut after 60 characters; null is `"none"`.
pub fn toml_text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    if out.chars().count() > LONGEST {
        out = out.chars().take(LONGEST - 1).chain(['…']).collect();
    }
    out
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("\"none\""),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push_str("{ ");
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&crate::shape::join("", key));
                out.push_str(" = ");
                write(out, item);
            }
            out.push_str(" }");
        }
        // JSON and TOML write booleans, numbers and strings alike.
        other => out.push_str(&other.to_string()),
    }
}

/// What a schema accepts: `a number > 0`, `one of a, b`, `a list of 2 values, each a date (YYYY-MM-DD)`; with
/// `or "none"` where it may have no value.
pub(crate) fn accepted(node: Node<'_>) -> String {
    let text = accepted_value(node);
    let optional = node.choices().is_none() && !node.accepts_anything() && node.allows_null();
    match optional {
        true if text.starts_with("a list") => format!("{NONE:?} or {text}"),
        true => format!("{text} or {NONE:?}"),
        false => text,
    }
}

/// The choices of an enumeration by name, `none` included where it may have no value.
pub(crate) fn choice_names(node: Node<'_>) -> Option<Vec<String>> {
    let mut names: Vec<String> = node.choices()?.iter().map(|(c, _)| choice_text(c)).collect();
    if node.allows_null() && !names.iter().any(|n| n == NONE) {
        names.push(NONE.to_owned());
    }
    Some(names)
}

fn accepted_value(node: Node<'_>) -> String {
    if let Some(names) = choice_names(node) {
        return if names.len() == 1 { names[0].clone() } else { format!("one of {}", names.join(", ")) };
    }
    let alternatives = node.alternatives();
    if !alternatives.is_empty() && !node.is_table() {
        let mut words: Vec<String> = Vec::new();
        for alternative in alternatives {
            let word = accepted(alternative);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        return words.join(" or ");
    }
    let words: Vec<String> = node.types().into_iter().map(|t| type_text(node, t)).collect();
    if !words.is_empty() {
        return words.join(" or ");
    }
    if node.is_table() { "a table".to_owned() } else { "any value".to_owned() }
}

/// A choice without quotes where it is a string.
pub(crate) fn choice_text(value: &Value) -> String {
    value.as_str().map_or_else(|| toml_text(value), str::to_owned)
}

fn type_text(node: Node<'_>, name: &str) -> String {
    match name {
        "boolean" => "true or false".to_owned(),
        "integer" => format!("a whole number{}", range_text(node)),
        "number" => format!("a number{}", range_text(node)),
        "string" => match (node.str("format"), node.get("minLength").and_then(Value::as_u64)) {
            (Some("date"), _) => "a date (YYYY-MM-DD)".to_owned(),
            (_, Some(1)) => "a string that is not empty".to_owned(),
            (_, Some(n)) if n > 1 => format!("a string of at least {n} characters"),
            _ => "a string".to_owned(),
        },
        "array" => list_text(node),
        _ => "a table".to_owned(),
    }
}

fn list_text(node: Node<'_>) -> String {
    let bound = |k| node.get(k).and_then(Value::as_u64);
    let size = match (bound("minItems"), bound("maxItems")) {
        (Some(a), Some(b)) if a == b => format!(" of {a} values"),
        (Some(a), Some(b)) => format!(" of {a} to {b} values"),
        (Some(1), None) => " that is not empty".to_owned(),
        (Some(a), None) if a > 0 => format!(" of at least {a} values"),
        (_, Some(b)) => format!(" of at most {b} values"),
        _ => String::new(),
    };
    match node.child("items").filter(|i| !i.accepts_anything()) {
        Some(items) => format!("a list{size}, each {}", accepted(items)),
        None => format!("a list{size}"),
    }
}

/// Bounds of a number, with a space before; the type's own bounds only where they say something.
fn range_text(node: Node<'_>) -> String {
    let word = |sign: &str, bound: &Value| format!("{sign} {}", number_text(bound));
    let lower = match (node.get("exclusiveMinimum"), node.get("minimum")) {
        (Some(bound), _) => Some(word(">", bound)),
        (None, Some(bound)) => Some(word(">=", bound)),
        _ => None,
    };
    let upper = match (node.get("exclusiveMaximum"), node.get("maximum")) {
        (Some(bound), _) => Some(word("<", bound)),
        (None, Some(bound)) => Some(word("<=", bound)),
        _ => None,
    };
    if let (Some(low), Some(high)) = (node.get("minimum"), node.get("maximum"))
        && low == high
    {
        return format!(" equal to {}", number_text(low));
    }
    match (lower, upper) {
        (Some(l), Some(u)) => format!(" {l} and {u}"),
        (Some(one), None) | (None, Some(one)) => format!(" {one}"),
        (None, None) => String::new(),
    }
}

/// A bound without a needless fraction.
fn number_text(value: &Value) -> String {
    match value.as_f64() {
        Some(f) if f.fract() == 0.0 && f.abs() < 1e15 => format!("{}", f as i64),
        _ => value.to_string(),
    }
}
