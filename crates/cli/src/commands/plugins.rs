//! `plugins`: what experiment files can choose from.

use std::process::ExitCode;

use plugin::PluginInfo;
use runner::Registry;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{self, Format};

/// Arguments of `plugins`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this kind: data, rules, reward, agent, backend or launcher.
    kind: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `plugins`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let mut kinds = registry.kinds();
    if let Some(kind) = &args.kind {
        let known: Vec<&str> = kinds.iter().map(|(k, _)| *k).collect();
        if !known.contains(&kind.as_str()) {
            return Err(Failure::unknown("unknown kind of plugin", kind, &known));
        }
        kinds.retain(|(k, _)| k == kind);
    }
    match args.format {
        Format::Json => {
            let listed = kinds
                .iter()
                .map(|(kind, plugins)| ((*kind).to_owned(), plugins.iter().map(as_json).collect()));
            output::print_json(&listed.collect::<serde_json::Map<String, Value>>());
        }
        Format::Text => {
            let listed: Vec<String> = kinds.iter().map(|(kind, plugins)| as_text(kind, plugins)).collect();
            output::print(&listed.join("\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(plugin: &PluginInfo) -> Value {
    json!({ "name": plugin.name, "summary": plugin.summary, "parameters": plugin.schema })
}

fn as_text(kind: &str, plugins: &[PluginInfo]) -> String {
    let mut text = format!("{kind}\n");
    for plugin in plugins {
        text += &format!("  {}: {}\n", plugin.name, plugin.summary);
        parameters(&plugin.schema, "", &mut text);
    }
    text
}

/// `    key = default    sentence`, tables flattened to dotted keys.
fn parameters(schema: &Value, prefix: &str, text: &mut String) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        let key = format!("{prefix}{name}");
        if property.get("properties").is_some() {
            parameters(property, &format!("{key}."), text);
            continue;
        }
        let default = match property.get("default") {
            None => "(required)".to_owned(),
            Some(Value::Null) => "(absent)".to_owned(),
            Some(value) => value.to_string(),
        };
        let sentence = property.get("description").and_then(Value::as_str).unwrap_or_default();
        let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
        let setting = format!("{key} = {default}");
        *text += &format!("      {setting:<44} {sentence}\n");
    }
}
