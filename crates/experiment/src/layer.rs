//! One layer of settings: a TOML file, a `--set`, or an environment variable.

use serde_json::{Map, Value};

use crate::ConfigError;

/// Settings of one source, with the lines at which its keys stand.
pub(crate) struct Layer {
    pub source: String,
    pub table: Map<String, Value>,
}

impl Layer {
    pub fn parse(_text: &str, _source: &str) -> (Option<Layer>, Vec<ConfigError>) {
        todo!()
    }
    pub fn line(&self, _path: &[&str]) -> Option<usize> {
        todo!()
    }
}
