//! Which sections an experiment file has and what each may hold.

use std::sync::Arc;

use plugin::{Check, ParamError, PluginInfo};
use serde_json::{Map, Value};

/// Section that baselines replace.
pub const AGENT: &str = "agent";

/// Sections that a baseline shares with the arms it is compared with; it runs once per distinct combination.
pub const CONTEXT: [&str; 4] = ["data", "split", "rules", "env"];

/// How a section enters the identity of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// All its keys are hashed, besides those marked `x-unhashed`.
    Params,
    /// None of its keys are hashed: the digests of the content that it leads to stand for it. Any parameter that
    /// changes the content changes its digest, and one that does not (a path, a file format) must not count.
    ContentOnly,
    /// Not part of a run at all: the section says where or how to run (the launcher).
    None,
}

/// What a section may hold.
#[derive(Clone)]
pub enum SectionKind {
    /// The keys of one JSON Schema.
    Fixed {
        /// JSON Schema of the section.
        schema: Value,
    },
    /// `kind = "<plugin>"` and the keys of that plugin.
    Plugin {
        /// Known plugins, in listing order.
        plugins: Vec<PluginInfo>,
    },
    /// `kind = "<plugin>"` and a table per plugin that is given parameters, so that one file holds those of several
    /// machines and the command line chooses among them.
    Tables {
        /// Known plugins, in listing order.
        plugins: Vec<PluginInfo>,
    },
}

/// One section of experiment files.
#[derive(Clone)]
pub struct Section {
    /// Name, for example `agent`.
    pub name: String,
    /// One sentence for the reference.
    pub doc: String,
    /// What it may hold.
    pub kind: SectionKind,
    /// How it enters the identity of a run.
    pub identity: Identity,
    /// Plugin used when no layer names a `kind`.
    pub default_kind: Option<String>,
    /// Check of a fixed section beyond its schema; plugins bring their own.
    pub check: Option<Check>,
}

impl Section {
    /// A section with the keys of `schema`.
    pub fn fixed(name: &str, doc: &str, schema: Value, identity: Identity) -> Self {
        Self::new(name, doc, SectionKind::Fixed { schema }, identity)
    }

    /// A section that selects one of `plugins`.
    pub fn plugin(name: &str, doc: &str, plugins: Vec<PluginInfo>, identity: Identity) -> Self {
        Self::new(name, doc, SectionKind::Plugin { plugins }, identity)
    }

    /// A section that selects one of `plugins`, each with its parameters in a table of its name.
    pub fn tables(name: &str, doc: &str, plugins: Vec<PluginInfo>, identity: Identity) -> Self {
        Self::new(name, doc, SectionKind::Tables { plugins }, identity)
    }

    /// The same section, with the plugin that is used when no layer names a `kind`.
    #[must_use]
    pub fn or_kind(mut self, kind: &str) -> Self {
        self.default_kind = Some(kind.to_owned());
        self
    }

    /// The same section, with a check of what its schema cannot say.
    #[must_use]
    pub fn with_check(
        mut self,
        check: impl Fn(&Value) -> Result<(), Vec<ParamError>> + Send + Sync + 'static,
    ) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Whether the section is part of a resolved run.
    pub fn in_run(&self) -> bool {
        self.identity != Identity::None
    }

    /// The plugins to choose from; empty for a fixed section.
    pub fn plugins(&self) -> &[PluginInfo] {
        match &self.kind {
            SectionKind::Fixed { .. } => &[],
            SectionKind::Plugin { plugins } | SectionKind::Tables { plugins } => plugins,
        }
    }

    /// The schema that holds for a section value: its own, or that of the plugin which `kind` names; none where each
    /// plugin has its table.
    pub(crate) fn schema_for(&self, kind: Option<&str>) -> Option<&Value> {
        match &self.kind {
            SectionKind::Fixed { schema } => Some(schema),
            SectionKind::Plugin { plugins } => {
                let kind = kind.or(self.default_kind.as_deref())?;
                plugins.iter().find(|p| p.name == kind).map(|p| &p.schema)
            }
            SectionKind::Tables { .. } => None,
        }
    }

    /// The schema for a section value as it stands in a layer.
    pub(crate) fn schema_of(&self, value: &Map<String, Value>) -> Option<&Value> {
        self.schema_for(value.get("kind").and_then(Value::as_str))
    }

    /// Whether the section selects a plugin.
    pub(crate) fn is_plugin(&self) -> bool {
        matches!(self.kind, SectionKind::Plugin { .. } | SectionKind::Tables { .. })
    }

    fn new(name: &str, doc: &str, kind: SectionKind, identity: Identity) -> Self {
        Self { name: name.to_owned(), doc: doc.to_owned(), kind, identity, default_kind: None, check: None }
    }
}

/// A control: settings that take one possible cause away from an arm, so that the difference is what that cause did.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// Name, for example `shuffled-news`.
    pub name: String,
    /// One sentence for the reference: what is taken away.
    pub doc: String,
    /// Dotted keys, or sections, with the values that they get.
    pub settings: Vec<(String, Value)>,
}

/// The sections of experiment files, in the order of the reference and of resolved runs, and the controls that a file
/// may ask for.
#[derive(Clone, Default)]
pub struct Sections {
    sections: Vec<Section>,
    controls: Vec<Control>,
}

impl Sections {
    /// These sections, in this order.
    pub fn new(sections: Vec<Section>) -> Self {
        Self { sections, controls: Vec::new() }
    }

    /// The same sections, with these controls.
    #[must_use]
    pub fn with_controls(mut self, controls: Vec<Control>) -> Self {
        self.controls = controls;
        self
    }

    /// The controls that a file may ask for.
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// The section of that name.
    pub fn get(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// All sections in order.
    pub fn iter(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter()
    }
}
