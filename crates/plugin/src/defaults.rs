//! Fills what a value leaves out, so that a resolved value holds every key.

use serde_json::{Map, Value};

use crate::shape::Node;

/// `value` with every absent key of `schema` filled from its `default`, in the schema's key order, unknown keys last.
///
/// A table that is given in part takes its other keys from the default of the whole table, then from the defaults of
/// the keys. `"none"` where the schema has no value by that name becomes null. What does not fit the schema is left as it is, for [`check_value`](crate::check_value) to report.
pub fn fill_defaults(schema: &Value, value: &mut Map<String, Value>) {
    Fill { numbers: false }.table(Node::root(schema), None, value);
}

/// [`fill_defaults`], and whole numbers that stand where the schema asks for a number become one (`1` becomes `1.0`),
/// so that equal settings are equal values. For values that are checked: an error shows what the user wrote.
pub fn normalise(schema: &Value, value: &mut Map<String, Value>) {
    Fill { numbers: true }.table(Node::root(schema), None, value);
}

#[derive(Clone, Copy)]
struct Fill {
    numbers: bool,
}

impl Fill {
    fn table(self, node: Node<'_>, whole: Option<&Map<String, Value>>, value: &mut Map<String, Value>) {
        if let Some(whole) = whole {
            // The tag of a tagged enum decides what else there is, so it is filled first.
            for (tag, _) in node.alternatives().iter().filter_map(Node::tag) {
                if let (false, Some(default)) = (value.contains_key(tag), whole.get(tag)) {
                    value.insert(tag.to_owned(), default.clone());
                }
            }
        }
        let shape = node.shape(value);
        let mut filled = Map::new();
        for (key, property) in &shape.properties {
            // The default of the whole may be of another alternative: its keys then mean something else.
            let of_whole = whole.filter(|_| !shape.chosen).and_then(|w| w.get(*key));
            let default = of_whole.or(property.get("default"));
            let item = match value.shift_remove(*key) {
                Some(mut given) => {
                    self.value(*property, default, &mut given);
                    given
                }
                None => match default {
                    Some(default) => {
                        let mut default = default.clone();
                        self.value(*property, None, &mut default);
                        default
                    }
                    None => continue,
                },
            };
            filled.insert((*key).to_owned(), item);
        }
        for (key, mut item) in std::mem::take(value) {
            if let Some(schema) = shape.additional {
                self.value(schema, None, &mut item);
            }
            filled.insert(key, item);
        }
        *value = filled;
    }

    fn value(self, node: Node<'_>, default: Option<&Value>, value: &mut Value) {
        if node.says_none(value) {
            *value = Value::Null;
            return;
        }
        let chosen = if node.is_table() || node.choices().is_some() { None } else { node.choose(value) };
        if let Some(chosen) = chosen {
            match value {
                _ if !chosen.fits_type(value) => {}
                Value::Object(map) if node.alternatives().len() > 1 => {
                    self.table(node, default.and_then(Value::as_object), map);
                }
                _ => self.value(chosen, default, value),
            }
            return;
        }
        match value {
            Value::Object(map) if node.is_table() => {
                self.table(node, default.and_then(Value::as_object), map);
            }
            Value::Array(items) => {
                let prefix = node.prefix_items();
                for (i, item) in items.iter_mut().enumerate() {
                    if let Some(schema) = prefix.get(i).copied().or(node.child("items")) {
                        self.value(schema, None, item);
                    }
                }
            }
            Value::Number(n)
                if self.numbers && node.has_type("number") && !node.has_type("integer") && !n.is_f64() =>
            {
                if let Some(float) = n.as_f64() {
                    *value = Value::from(float);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
