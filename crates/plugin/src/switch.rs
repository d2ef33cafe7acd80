//! What remains of a section's keys when its kind changes.

use serde_json::{Map, Value};

use crate::shape::Node;

/// Drops from `value` the keys that the schema `old` knows and `new` does not, in nested tables too.
///
/// A key that neither knows stays, so that a misspelt one is still reported.
pub fn drop_foreign_keys(old: &Value, new: &Value, value: &mut Map<String, Value>) {
    drop_keys(Node::root(old), Node::root(new), value);
}

fn drop_keys(old: Node<'_>, new: Node<'_>, value: &mut Map<String, Value>) {
    let (before, after) = (old.shape(value), new.shape(value));
    value.retain(|key, item| match (before.property(key), after.property(key)) {
        (Some(_), None) => after.additional.is_some(),
        (Some(old), Some(new)) => {
            if let Value::Object(inner) = item {
                drop_keys(old, new, inner);
            }
            true
        }
        (None, _) => true,
    });
}
