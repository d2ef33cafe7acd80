//! Names of arms: short, readable, and the same whatever else a sweep holds.

use std::collections::HashSet;

use plugin::toml_text;
use serde_json::Value;

use crate::keys;

/// The shortest ending of each dotted key that none of the other keys shares: `rank` for `agent.lora.rank`.
pub(crate) fn short_keys(all: &[String]) -> Vec<String> {
    let split: Vec<Vec<String>> = all.iter().map(|k| keys::parts(k)).collect();
    let ending = |parts: &[String], n: usize| parts[parts.len().saturating_sub(n)..].join(".");
    split
        .iter()
        .enumerate()
        .map(|(i, parts)| {
            let unique = |n: &usize| {
                split.iter().enumerate().all(|(j, other)| j == i || ending(other, *n) != ending(parts, *n))
            };
            let n = (1..=parts.len()).find(unique).unwrap_or(parts.len());
            ending(parts, n)
        })
        .collect()
}

/// An axis value in a name: the text of a scalar, the kind of a table where it tells the table from its siblings,
/// else the table's keys and values.
pub(crate) fn value_label(value: &Value, siblings: &[Value]) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(|i| value_label(i, &[])).collect::<Vec<_>>().join("-"),
        Value::Object(map) => {
            let kind_of = |v: &Value| v.get("kind").unwrap_or(v).as_str().map(str::to_owned);
            let kind = kind_of(value);
            let alike = siblings.iter().filter(|s| kind_of(s) == kind).count();
            if let (Some(kind), true) = (&kind, alike <= 1) {
                return kind.clone();
            }
            let rest = map.iter().filter(|(k, _)| *k != "kind");
            let parts = rest.map(|(k, v)| format!("{k}={}", value_label(v, &[])));
            kind.into_iter().chain(parts).collect::<Vec<_>>().join("+")
        }
        other => toml_text(other),
    }
}

/// `name` in letters, digits and `-_.,=+`, which every file system and shell takes; anything else becomes `-`.
pub(crate) fn safe(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || "-_.,=+".contains(c) { c } else { '-' };
    let name: String = name.trim_matches(['.', ' ', '/']).chars().map(kept).collect();
    if name.is_empty() { "arm".to_owned() } else { name }
}

/// Gives out each name once: a second `a` becomes `a+2`.
#[derive(Default)]
pub(crate) struct Taken(HashSet<String>);

impl Taken {
    pub fn claim(&mut self, name: &str) -> String {
        let name = safe(name);
        let tries = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}+{n}")));
        // On some file systems names differ only beyond their case.
        let free = tries.into_iter().find(|n| !self.0.contains(&n.to_lowercase())).unwrap_or(name);
        self.0.insert(free.to_lowercase());
        free
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Taken, safe, short_keys, value_label};

    #[test]
    fn keys_are_as_short_as_they_can_be() {
        let keys = ["agent.lora.rank", "agent.n_trainable_layers", "reward", "env.memory", "agent.memory"];
        let short = short_keys(&keys.map(str::to_owned));
        assert_eq!(short, ["rank", "n_trainable_layers", "reward", "env.memory", "agent.memory"]);
    }

    #[test]
    fn tables_are_named_by_kind_where_that_tells_them_apart() {
        let (a, b) = (json!({ "kind": "cvar", "alpha": 0.05 }), json!({ "kind": "cvar", "alpha": 0.1 }));
        assert_eq!(value_label(&a, &[a.clone(), json!("pnl")]), "cvar");
        assert_eq!(value_label(&a, &[a.clone(), b]), "cvar+alpha=0.05");
    }

    #[test]
    fn names_are_safe_and_unique() {
        assert_eq!(safe("path=a/b c\"d"), "path=a-b-c-d");
        assert_eq!(safe("../.."), "arm");
        let mut taken = Taken::default();
        assert_eq!([taken.claim("a"), taken.claim("A"), taken.claim("a")], ["a", "A+2", "a+3"]);
    }
}
