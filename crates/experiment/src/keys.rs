//! Dotted keys and the values that they lead to.

use serde_json::{Map, Value};

/// The parts of a dotted key: `sweep.axes."agent.lr"[2]` is `sweep`, `axes`, `agent.lr`, `2`.
pub(crate) fn parts(key: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => part.extend(chars.next()),
            '"' => quoted = !quoted,
            '.' | '[' if !quoted => parts.push(std::mem::take(&mut part)),
            ']' if !quoted => {}
            _ => part.push(c),
        }
    }
    parts.push(part);
    parts
}

/// Parts as one key, those quoted that are no bare TOML key; `index` parts are written `[i]`.
pub(crate) fn dotted(parts: &[String]) -> String {
    let mut key = String::new();
    for part in parts {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !key.is_empty() && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            key += &format!("[{part}]");
            continue;
        }
        if !key.is_empty() {
            key.push('.');
        }
        if !part.is_empty() && part.chars().all(bare) {
            key += part;
        } else {
            key += &Value::from(part.as_str()).to_string();
        }
    }
    key
}

/// The value below `map` at `path`.
pub(crate) fn get<'a>(map: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(map.get(first)?, |value, part| value.get(part))
}

/// Removes the value at `path`, if there is one.
pub(crate) fn remove(map: &mut Map<String, Value>, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            map.shift_remove(last);
        }
        [first, rest @ ..] => {
            if let Some(Value::Object(inner)) = map.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

/// Puts `value` at `path`: a table is merged into a table, anything else takes the place of what was there.
pub(crate) fn put(map: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match (map.get_mut(first), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                for (key, item) in new {
                    put(old, std::slice::from_ref(&key), item);
                }
            }
            (_, value) => {
                map.insert(first.clone(), value);
            }
        }
        return;
    }
    let inner = map.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{dotted, parts};

    #[test]
    fn keys_split_and_join() {
        for (key, split) in [
            ("agent.lora.rank", vec!["agent", "lora", "rank"]),
            (r#"sweep.axes."agent.lr"[2]"#, vec!["sweep", "axes", "agent.lr", "2"]),
            ("split.train[0]", vec!["split", "train", "0"]),
        ] {
            assert_eq!(parts(key), split);
            assert_eq!(dotted(&parts(key)), key);
        }
    }
}
