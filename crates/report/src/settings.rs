//! Resolved settings as dotted keys and TOML-like values.

use serde_json::{Map, Value};

/// `agent.lora.rank` and its value for every leaf, in order.
pub(crate) fn flatten(sections: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for (key, value) in sections {
        walk(key, value, &mut leaves);
    }
    leaves
}

fn walk(key: &str, value: &Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(k, v)| walk(&format!("{key}.{k}"), v, leaves));
        }
        other => leaves.push((key.to_owned(), other.clone())),
    }
}

/// A value as the experiment file would have it, names without quotes.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(s) => s.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let kind = map.get("kind").map(text);
            let rest = map.iter().filter(|(k, _)| *k != "kind").map(|(k, v)| format!("{k} = {}", text(v)));
            kind.into_iter().chain(rest).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// One key in which an arm is not like the base.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Difference {
    pub key: String,
    /// Value in the base; absent where it has no such key.
    pub base: Option<String>,
    /// Value in the arm; absent where it has no such key.
    pub arm: Option<String>,
}

/// What an arm changes in the base.
pub(crate) fn differences(base: &Map<String, Value>, arm: &Map<String, Value>) -> Vec<Difference> {
    let (base, arm) = (flatten(base), flatten(arm));
    let find =
        |leaves: &[(String, Value)], key: &str| leaves.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let mut found = Vec::new();
    for (key, value) in &arm {
        let before = find(&base, key);
        if before.as_ref() != Some(value) {
            found.push(Difference {
                key: key.clone(),
                base: before.as_ref().map(text),
                arm: Some(text(value)),
            });
        }
    }
    for (key, value) in &base {
        if find(&arm, key).is_none() {
            found.push(Difference { key: key.clone(), base: Some(text(value)), arm: None });
        }
    }
    found
}

/// The value at a dotted key; for a section with a `kind` the kind.
pub(crate) fn at(sections: &Map<String, Value>, key: &str) -> Option<Value> {
    let mut parts = key.split('.');
    let mut value = sections.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value.get("kind").unwrap_or(value).clone())
}

/// First and last date of a part, where the key has two.
pub(crate) fn dates(sections: &Map<String, Value>, key: &str) -> Option<(String, String)> {
    match at(sections, key)?.as_array()?.as_slice() {
        [first, last] => Some((text(first), text(last))),
        _ => None,
    }
}
