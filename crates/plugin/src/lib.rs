//! What a plugin is, and ordered catalogues of them. Knows no domain type.
//!
//! A plugin is a unit struct that stands beside the thing it builds: a name, one sentence, documented
//! parameters (a JSON Schema that `schemars` derives from the doc comments), a pure check and a build.
//! Catalogues are plain lists in a fixed order: nothing registers itself at link time.

mod catalog;
mod check;
mod content;
pub mod contract;
mod defaults;
mod error;
mod files;
mod near;
mod near_path;
#[cfg(test)]
mod params_fixture;
mod program;
mod reference;
mod shape;
mod shared;
mod switch;
mod text;

pub use catalog::{Catalog, Check, PluginInfo};
pub use check::{check_value, is_unhashed, unhashed_keys, unknown_key, unknown_name};
pub use content::{Content, Imported, Pin};
pub use defaults::{fill_defaults, normalise};
pub use error::{BuildError, ParamError};
pub use files::{Files, Pins};
pub use near::{did_you_mean, nearest};
pub use near_path::{did_you_mean_path, nearest_path, nearest_path_or_usual, path_hint};
pub use program::{PROGRAM, program};
pub use reference::{KeyDoc, key_docs, markdown_table};
pub use shared::SharedPool;
pub use switch::drop_foreign_keys;
pub use text::toml_text;

use serde_json::Value;

/// One kind of plugin: the section of the experiment file that selects it and what it builds.
pub trait Kind: 'static {
    /// Section of the experiment file, also the word of `flaglab plugins KIND`: `data`, `rules`, `reward`,
    /// `agent`, `backend`, `launcher`.
    const SECTION: &'static str;
    /// What the build may use besides the parameters.
    type Context<'a>;
    /// What a build makes, usually `Box<dyn Trait>`.
    type Output;
}

/// One selectable way to make a `K::Output`, chosen by `<section>.kind = "<name>"`.
pub trait Plugin<K: Kind>: Sync {
    /// Name used in experiment files, for example `ppo-llm`.
    fn name(&self) -> &'static str;

    /// One sentence for listings and the generated reference.
    fn summary(&self) -> &'static str;

    /// JSON Schema of the parameters, see [`schema_of`]. Properties carry `description`, `default`, and bounds.
    fn schema(&self) -> Value;

    /// Checks what the schema cannot say (relations between parameters). Touches no disk, device or network.
    fn check(&self, _params: &Value) -> Result<(), Vec<ParamError>> {
        Ok(())
    }

    /// The files that the parameters name, which stand for the paths in the run's identity.
    fn content(&self, _params: &Value, _files: &Files) -> Result<Content, BuildError> {
        Ok(Content::default())
    }

    /// Makes the thing. `params` are resolved: every key of the schema is present.
    fn build(&self, params: &Value, context: K::Context<'_>) -> Result<K::Output, BuildError>;
}

/// JSON Schema of a documented parameter struct. Sub-schemas are inlined; the struct's `Default` fills `default`s.
///
/// An `Option` is a key that may have no value; files say `"none"`, as TOML has no null. Use `f64`, not `f32`: an `f32`
/// default of 0.1 would read 0.10000000149011612.
///
/// Mark a key that does not change results (a path, a number of workers) with
/// `#[schemars(extend("x-unhashed" = true))]`.
pub fn schema_of<P: schemars::JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<P>().to_value()
}

/// Reads checked parameters into their struct.
pub fn params<P: serde::de::DeserializeOwned>(value: &Value) -> Result<P, BuildError> {
    serde_json::from_value(value.clone()).map_err(|e| BuildError::Invalid(e.to_string()))
}
