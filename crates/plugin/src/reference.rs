//! The keys of a schema as a table for people.

use serde_json::{Map, Value};

use crate::shape::Node;
use crate::text::{accepted, choice_text};
use crate::{is_unhashed, toml_text};

/// One key of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// Dotted key.
    pub key: String,
    /// What it accepts, in words.
    pub accepts: String,
    /// Default as TOML text; `None` for a key that must be given, that may be left out, or whose table has keys of
    /// its own with their defaults.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it is left out of the identity of a run.
    pub unhashed: bool,
    /// The doc comment in one line; the meaning of each choice of an enumeration follows.
    pub doc: String,
}

/// The keys of `schema` in its order, nested ones after their table.
pub fn key_docs(schema: &Value) -> Vec<KeyDoc> {
    let mut docs = Vec::new();
    collect(Node::root(schema), "", None, &mut docs);
    docs
}

/// The keys of `schema` as a Markdown table (key, accepted, default, meaning); empty when it has none.
pub fn markdown_table(schema: &Value) -> String {
    let docs = key_docs(schema);
    if docs.is_empty() {
        return String::new();
    }
    let mut out = String::from("| key | accepted | default | meaning |\n|---|---|---|---|\n");
    for doc in docs {
        let default = match (&doc.default, doc.required) {
            (Some(text), _) => format!("`{}`", cell(text)),
            (None, true) => "required".to_owned(),
            (None, false) => String::new(),
        };
        let note = if doc.unhashed { " Not hashed." } else { "" };
        let line = format!(
            "| `{}` | {} | {default} | {}{note} |\n",
            cell(&doc.key),
            cell(&doc.accepts),
            cell(&doc.doc)
        );
        out.push_str(&line);
    }
    out
}

fn collect(node: Node<'_>, prefix: &str, whole: Option<&Map<String, Value>>, docs: &mut Vec<KeyDoc>) {
    let mut variants = node.alternatives();
    variants.retain(|a| a.is_table());
    let empty = Map::new();
    let own = if variants.is_empty() || node.is_table() { vec![node] } else { Vec::new() };
    for table in own.into_iter().chain(variants) {
        let shape = table.shape(&empty);
        for (name, property) in shape.properties {
            let key = crate::shape::join(prefix, name);
            let default = whole.and_then(|w| w.get(name)).or(property.get("default"));
            let inner = default.and_then(Value::as_object);
            let nested = property.is_table() || property.alternatives().iter().any(Node::is_table);
            let holds_keys = nested && has_keys(property);
            let doc = KeyDoc {
                key: key.clone(),
                accepts: accepted(property),
                // The keys of a nested table show their own defaults.
                default: default.filter(|d| !(holds_keys && d.is_object())).map(toml_text),
                required: default.is_none() && shape.required.contains(&name),
                unhashed: is_unhashed(property.schema()),
                doc: description(property),
            };
            match docs.iter_mut().find(|d| d.key == key) {
                // A key of several variants of a tagged enum: the tag itself, or one that they share.
                Some(known) if known.accepts != doc.accepts => {
                    known.accepts = format!("{} or {}", known.accepts, doc.accepts);
                }
                Some(_) => {}
                None => docs.push(doc),
            }
            if holds_keys {
                collect(property, &key, inner, docs);
            }
        }
    }
}

fn has_keys(node: Node<'_>) -> bool {
    let mut any = false;
    node.walk("", &mut |_, _| any = true);
    any
}

fn description(node: Node<'_>) -> String {
    let mut text = one_line(node.str("description").unwrap_or_default());
    for (choice, doc) in node.choices().into_iter().flatten() {
        if let Some(doc) = doc.filter(|_| node.get("const").is_none()) {
            text += &format!(" `{}`: {}", choice_text(choice), one_line(doc));
        }
    }
    text.trim().to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
