//! Ordered lists of plugins of one kind.

use std::sync::Arc;

use serde_json::Value;

use crate::{Kind, ParamError, Plugin, nearest};

/// All plugins of one kind, in the order in which listings show them.
pub struct Catalog<K: Kind> {
    plugins: Vec<&'static dyn Plugin<K>>,
}

/// A pure check of parameters beyond their schema; keys of the errors are relative to the value.
pub type Check = Arc<dyn Fn(&Value) -> Result<(), Vec<ParamError>> + Send + Sync>;

/// A plugin without its type: what listings and the check of experiment files need.
#[derive(Clone)]
pub struct PluginInfo {
    /// Name used in experiment files.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// JSON Schema of its parameters.
    pub schema: Value,
    /// Its pure check.
    pub check: Check,
}

impl<K: Kind> Clone for Catalog<K> {
    fn clone(&self) -> Self {
        Self { plugins: self.plugins.clone() }
    }
}

impl<K: Kind> Default for Catalog<K> {
    fn default() -> Self {
        Self { plugins: Vec::new() }
    }
}

impl<K: Kind> Catalog<K> {
    /// A catalogue of the given plugins.
    pub fn new(plugins: &[&'static dyn Plugin<K>]) -> Self {
        Self { plugins: plugins.to_vec() }
    }

    /// Adds one at the end. A later plugin of the same name takes the earlier one's place.
    pub fn add(&mut self, plugin: &'static dyn Plugin<K>) {
        match self.plugins.iter_mut().find(|p| p.name() == plugin.name()) {
            Some(slot) => *slot = plugin,
            None => self.plugins.push(plugin),
        }
    }

    /// The plugin of that name.
    pub fn get(&self, name: &str) -> Option<&'static dyn Plugin<K>> {
        self.plugins.iter().copied().find(|p| p.name() == name)
    }

    /// The known name closest to `name`.
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        nearest(name, self.plugins.iter().map(|p| p.name()))
    }

    /// All plugins in order.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Plugin<K>> + '_ {
        self.plugins.iter().copied()
    }

    /// The plugins without their type.
    pub fn infos(&self) -> Vec<PluginInfo> {
        self.iter()
            .map(|p| PluginInfo {
                name: p.name(),
                summary: p.summary(),
                schema: p.schema(),
                check: Arc::new(move |v: &Value| p.check(v)),
            })
            .collect()
    }
}
