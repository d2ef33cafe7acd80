//! Checks a value against the JSON Schema of its section: all problems together, with near-miss names.

use serde_json::{Map, Value};

use crate::ParamError;

/// All problems of `value` under `schema`: unknown keys (with the nearest known one), wrong types, values out of range.
pub fn check_value(_schema: &Value, _value: &Value) -> Vec<ParamError> {
    todo!()
}

/// `value` with every absent key of `schema` filled from its `default`.
pub fn fill_defaults(_schema: &Value, _value: &mut Map<String, Value>) {
    todo!()
}

/// Whether a property's schema marks it as not changing results (`x-unhashed`).
pub fn is_unhashed(property: &Value) -> bool {
    property.get("x-unhashed").and_then(Value::as_bool).unwrap_or(false)
}

/// Dotted keys of `schema` that are marked `x-unhashed`.
pub fn unhashed_keys(_schema: &Value) -> Vec<String> {
    todo!()
}
