//! The reference of every key, from doc comments.

use plugin::{markdown_table, schema_of, toml_text};

use crate::Sections;
use crate::file_keys::FileKeys;
use crate::sections::{Control, Identity, Section, SectionKind};

/// Markdown reference of every key that an experiment file may have: those of the file itself, then each section
/// with its plugins.
pub fn options_markdown(sections: &Sections) -> String {
    let mut out = String::from(
        "# Keys of experiment files\n\n\
         Generated from the doc comments of the settings.\n\n\
         An experiment file states its differences from the file that it extends. On top of the files come environment \
         variables (`FLAGLAB_SET__agent__lora__rank=4`), then `--set agent.lora.rank=4`. `reward = \"log-return\"` is \
         short for `reward.kind = \"log-return\"`. When a layer or an axis changes the `kind` of a section, keys that \
         only the old kind knows are dropped. `\"none\"` takes the value of an optional key back.\n\n\
         ## The file itself\n\n",
    );
    out += &markdown_table(&schema_of::<FileKeys>());
    if !sections.controls().is_empty() {
        out += "\n`controls` may name:\n\n| control | settings | what it takes away |\n| --- | --- | --- |\n";
        for Control { name, doc, settings } in sections.controls() {
            let settings: Vec<String> =
                settings.iter().map(|(key, value)| format!("`{key} = {}`", toml_text(value))).collect();
            out += &format!("| `{name}` | {} | {doc} |\n", settings.join(", "));
        }
    }
    for section in sections.iter() {
        out += &section_text(section);
    }
    out
}

fn section_text(section: &Section) -> String {
    let mut out = format!("\n## `[{}]`\n\n{}", section.name, section.doc.trim());
    out += match section.identity {
        Identity::Params => "\n",
        Identity::ContentOnly => " Its keys are not hashed: the content that they lead to is.\n",
        Identity::None => " Not hashed.\n",
    };
    match &section.kind {
        SectionKind::Fixed { schema } => {
            out += &format!("\n{}", markdown_table(schema));
        }
        SectionKind::Plugin { plugins } | SectionKind::Tables { plugins } => {
            let in_tables = matches!(section.kind, SectionKind::Tables { .. });
            let names: Vec<String> = plugins.iter().map(|p| format!("`{}`", p.name)).collect();
            out += &format!("\n`kind` is one of {}", names.join(", "));
            out += &match &section.default_kind {
                Some(kind) => format!("; `{kind}` where no layer names one.\n"),
                None => "; required.\n".to_owned(),
            };
            for plugin in plugins {
                out +=
                    &format!("\n### `{}.kind = \"{}\"`\n\n{}\n\n", section.name, plugin.name, plugin.summary);
                let table = markdown_table(&plugin.schema);
                if in_tables && !table.is_empty() {
                    out += &format!("Keys of the table `[{}.{}]`:\n\n", section.name, plugin.name);
                }
                out += if table.is_empty() { "No parameters.\n" } else { &table };
            }
        }
    }
    out
}
