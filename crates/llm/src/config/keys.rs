//! Lookups in a `config.json` that name key, found and expected.

use std::path::Path;

use serde_json::Value;

use crate::LlmError;

/// An object of a `config.json`.
pub(crate) struct Keys<'a> {
    pub value: &'a Value,
    /// For messages.
    pub path: &'a Path,
}

impl<'a> Keys<'a> {
    pub fn error(&self, key: &str, found: &impl ToString, expected: impl Into<String>) -> LlmError {
        LlmError::Config {
            path: self.path.to_owned(),
            key: key.to_owned(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    /// The value under `key`; `null` counts as absent, as in Python.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// A whole number from 1 to 2^24, larger than any of a model.
    pub fn size(&self, key: &str, default: usize) -> Result<usize, LlmError> {
        self.up_to(key, default, 1 << 24)
    }

    /// A whole number from 1 to `most`.
    pub fn up_to(&self, key: &str, default: usize, most: usize) -> Result<usize, LlmError> {
        let Some(found) = self.get(key) else { return Ok(default) };
        match found.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if (1..=most).contains(&n) => Ok(n),
            _ => Err(self.error(key, found, format!("a whole number > 0 and <= {most}"))),
        }
    }

    /// A number > 0.
    pub fn positive(&self, key: &str, default: f64) -> Result<f64, LlmError> {
        match self.get(key) {
            None => Ok(default),
            Some(_) => self.required(key),
        }
    }

    /// A number > 0 that has no default.
    pub fn required(&self, key: &str) -> Result<f64, LlmError> {
        let found = self.get(key).unwrap_or(&Value::Null);
        match found.as_f64() {
            Some(x) if x > 0.0 && x.is_finite() => Ok(x),
            _ => Err(self.error(key, found, "a number > 0")),
        }
    }

    /// True or false.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, LlmError> {
        match self.get(key) {
            None => Ok(default),
            Some(found) => found.as_bool().ok_or_else(|| self.error(key, found, "true or false")),
        }
    }

    /// A key that must be absent or have one of the values that this decoder computes.
    pub fn fixed<const N: usize>(&self, key: &str, accepted: [Value; N]) -> Result<(), LlmError> {
        match self.get(key) {
            Some(found) if !accepted.contains(found) => {
                let accepted = accepted.map(|v| v.to_string()).join(" or ");
                Err(self.error(key, found, accepted))
            }
            _ => Ok(()),
        }
    }

    /// `head_dim`, or the quotient of width and heads, which must then have no remainder.
    pub fn head_dim(&self, hidden_size: usize, heads: usize) -> Result<usize, LlmError> {
        if self.get("head_dim").is_none() && !hidden_size.is_multiple_of(heads) {
            let expected = format!("a divisor of hidden_size ({hidden_size}), or a head_dim");
            return Err(self.error("num_attention_heads", &heads, expected));
        }
        self.size("head_dim", hidden_size / heads)
    }
}
