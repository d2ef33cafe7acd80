//! Where the numbers come from.

use plugin::Imported;
use serde::Serialize;
use store::{Manifest, ManifestStart};

use crate::{ReportInput, numbers};

/// One fact; several values where runs disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub label: &'static str,
    pub values: Vec<String>,
}

/// How to make something on the page again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Command {
    pub makes: &'static str,
    pub command: String,
}

/// The commands behind the page, as one would type them.
pub(crate) fn commands(input: &ReportInput) -> Vec<Command> {
    let sweep = &input.plan.command;
    let Some((program, rest)) = sweep.split_once(" sweep ") else { return Vec::new() };
    let command = |makes, command| Command { makes, command };
    vec![
        command("The runs, their scores and this page", sweep.clone()),
        command("Every table and chart from what is stored", format!("{program} report {rest}")),
        command("The tables of scores as text", format!("{program} report {rest} --format markdown")),
        command("All statistics as JSON", format!("{program} report {rest} --format json")),
        command("The runs and their states", format!("{program} sweep {rest} --plan")),
    ]
}

/// The file that a model was imported from.
pub(crate) fn imported(of: &Imported) -> String {
    format!("{} ({}), sha256 {}", of.file, of.quantisation, of.sha256)
}

/// Backend and device.
pub(crate) fn backend(start: &ManifestStart) -> String {
    format!("{}: {}", start.backend, device(start))
}

/// The adapter, and what else is known of the device.
pub(crate) fn device(start: &ManifestStart) -> String {
    let mut text = start.adapter.clone();
    if let Some(device) = &start.device {
        let gib = |bytes: u64| format!("{} GiB of memory", numbers::fixed(Some(bytes as f64 / GIB), 1));
        let driver = device.driver.as_ref().map(|driver| format!("driver {driver}"));
        for part in [device.api.clone(), driver, device.memory_bytes.map(gib)].into_iter().flatten() {
            text += &format!(", {part}");
        }
    }
    text
}

const GIB: f64 = (1u64 << 30) as f64;

/// Facts about all runs that were started.
pub(crate) fn provenance(input: &ReportInput) -> Vec<Fact> {
    let manifests: Vec<&Manifest> = input.runs.iter().filter_map(|r| r.manifest.as_ref()).collect();
    let all = |f: &dyn Fn(&Manifest) -> Option<String>| {
        let mut values: Vec<String> = Vec::new();
        for value in manifests.iter().filter_map(|m| f(m)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    };
    let mut facts = Vec::new();
    let mut add = |label, values: Vec<String>| {
        if !values.is_empty() {
            facts.push(Fact { label, values });
        }
    };
    add(
        "Commit",
        all(&|m| Some(m.start.git_commit.clone().unwrap_or_else(|| "not in a repository".to_owned()))),
    );
    add(
        "Versions",
        all(&|m| {
            let v = &m.start.versions;
            let burn = v.burn.as_ref().map(|b| format!(", burn {b}")).unwrap_or_default();
            Some(format!("flaglab {}{burn}, run contract {}", v.flaglab, v.contract))
        }),
    );
    add(
        "Data",
        all(&|m| {
            let d = &m.start.data;
            Some(format!(
                "{} ({}): {} bars, sha256 {}",
                d.symbol,
                d.source,
                numbers::count(d.bars),
                d.fingerprint
            ))
        }),
    );
    let mut models: Vec<String> = Vec::new();
    for (name, commit) in manifests.iter().flat_map(|m| &m.start.models) {
        let model = format!("{name}: commit {commit}");
        if !models.contains(&model) {
            models.push(model);
        }
    }
    add("Models", models);
    add("Imported from", all(&|m| m.start.imported.as_ref().map(imported)));
    let mut files: Vec<String> = Vec::new();
    for manifest in &manifests {
        for (name, digest) in &manifest.start.content {
            let file = format!("{name}: sha256 {digest}");
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    add("Further files", files);
    add("Backend", all(&|m| Some(backend(&m.start))));
    add(
        "Machine",
        all(&|m| {
            let machine = &m.start.machine;
            Some(format!("{}, {} cores, {}", machine.cpu, machine.cores, machine.os))
        }),
    );
    let first = manifests.iter().map(|m| &m.started).min();
    let last = manifests.iter().filter_map(|m| m.finished.as_ref()).max();
    if let (Some(first), Some(last)) = (first, last) {
        let short = |t: &str| t.get(..16).unwrap_or(t).replace('T', " ");
        add("Computed", vec![format!("{} to {} UTC", short(first), short(last))]);
    }
    add("Runs started by", all(&|m| Some(m.start.command.join(" ")).filter(|c| !c.is_empty())));
    add("Report made by", Some(input.plan.command.clone()).filter(|c| !c.is_empty()).into_iter().collect());
    facts
}
