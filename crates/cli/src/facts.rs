//! What a stored run is made of, to be compared with another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use experiment::RunSpec;
use plugin::{did_you_mean, did_you_mean_path, program};
use runner::Registry;
use serde_json::{Value, json};
use store::{ExperimentStore, Manifest, StoredRun};

use crate::failure::Failure;
use crate::paths::{Paths, shown};
use crate::stored::MANIFEST;

/// A stored run.
pub(crate) struct Facts {
    /// Its folder.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// What its id is made of, by name: settings by their dotted keys, `seed`, `data`, `content.<name>`, `contract`.
    pub inputs: BTreeMap<String, Value>,
    /// All settings by their dotted keys.
    pub settings: BTreeMap<String, Value>,
}

/// Something that differs: name, value of the first and of the second.
pub(crate) type Difference = (String, Value, Value);

impl Facts {
    /// Of the attempt in `dir`.
    pub fn read(registry: &Registry, dir: PathBuf, manifest: Manifest) -> Result<Self, Failure> {
        let text = ExperimentStore::open(&dir, "").read_spec(&dir)?;
        let source = dir.join("spec.toml").display().to_string();
        let spec = RunSpec::from_toml(&text, &source, &registry.sections())?;
        let start = &manifest.start;
        let mut inputs = spec.hashed_settings();
        inputs.insert("seed".to_owned(), json!(spec.seed));
        inputs.insert("data".to_owned(), json!(start.data.fingerprint));
        inputs.insert("contract".to_owned(), json!(start.versions.contract));
        inputs.extend(start.content.iter().map(|(name, digest)| (format!("content.{name}"), json!(digest))));
        Ok(Self { dir, settings: spec.settings(), inputs, manifest })
    }

    /// Of the run that `text` names: a folder, or an id (or its beginning) below the runs of the workspace.
    pub fn named(registry: &Registry, text: &str) -> Result<Self, Failure> {
        let dir = folder(text)?;
        let path = dir.join(MANIFEST);
        let wrong = |problem: String| Failure::wrong(format!("{}: {problem}", shown(&path)));
        let manifest = std::fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
        let manifest = serde_json::from_str(&manifest).map_err(|e| wrong(e.to_string()))?;
        Self::read(registry, dir, manifest)
    }

    /// The experiment's folder that it is in.
    pub fn store(&self) -> ExperimentStore {
        let experiment = self.dir.parent().unwrap_or(Path::new("."));
        let name = experiment.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        ExperimentStore::open(experiment.parent().unwrap_or(Path::new(".")), &name)
    }

    /// Inputs of its id that another run has otherwise.
    pub fn differing_inputs(&self, other: &Self) -> Vec<Difference> {
        differing(&self.inputs, &other.inputs)
    }

    /// `arm seed 3 (0123456789abcdef)`.
    pub fn name(&self) -> String {
        let start = &self.manifest.start;
        format!("{} seed {} ({})", start.arm, start.seed, start.run_id)
    }
}

/// The other runs of the folder that `facts` is in.
pub(crate) fn others(registry: &Registry, facts: &Facts) -> Result<Vec<Facts>, Failure> {
    let runs = facts.store().runs()?;
    let others = runs.into_iter().filter(|run| run.manifest.start.run_id != facts.manifest.start.run_id);
    others.map(|StoredRun { dir, manifest, .. }| Facts::read(registry, dir, manifest)).collect()
}

/// Entries that are not in both, or not equal.
pub(crate) fn differing(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<Difference> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let of = |map: &BTreeMap<String, Value>, name: &String| map.get(name).cloned().unwrap_or_default();
    let all = names.into_iter().map(|name| (name.clone(), of(a, name), of(b, name)));
    all.filter(|(_, a, b)| a != b).collect()
}

/// A value as it would stand in an experiment file.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn folder(text: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(text);
    let is_run = |dir: &Path| dir.join(MANIFEST).is_file();
    if is_run(path) {
        return std::path::absolute(path).map_err(|e| Failure::wrong(format!("{text}: {e}")));
    }
    let current = std::env::current_dir().unwrap_or_default();
    let runs = Paths::of(&current).runs;
    let is_id = text.len() >= 4 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.');
    let mut found: Vec<PathBuf> = Vec::new();
    if is_id {
        for store in ExperimentStore::all(&runs)? {
            let folders = std::fs::read_dir(store.dir()).into_iter().flatten().flatten().map(|e| e.path());
            let is_meant = |dir: &PathBuf| {
                let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                name.starts_with(text) && is_run(dir)
            };
            found.extend(folders.filter(is_meant));
        }
        found.sort();
        // The whole name of a first attempt begins those of later ones.
        if let Some(whole) = found.iter().find(|dir| dir.file_name().is_some_and(|name| name == text)) {
            return Ok(whole.clone());
        }
    }
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let near = match text.contains(['/', '\\']) {
                true => did_you_mean_path(path, is_run),
                false => {
                    let ids = ids(&runs)?;
                    did_you_mean(text, ids.iter().map(String::as_str))
                }
            };
            let (runs, program) = (shown(&runs), program());
            Err(Failure::wrong(format!(
                "{text}: expected the folder of a run, or the id of one below {runs}, at least its first 4 digits{near}; \
                 `{program} sweep FILE --plan` lists those of an experiment"
            )))
        }
        several => {
            let names: Vec<String> = several.iter().map(|dir| shown(dir)).collect();
            Err(Failure::wrong(format!("{text}: expected one run, found {}", names.join(", "))))
        }
    }
}

/// Ids of all stored runs, sorted.
fn ids(runs: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut ids = BTreeSet::new();
    for store in ExperimentStore::all(runs)? {
        ids.extend(store.list()?.ids().map(str::to_owned));
    }
    Ok(ids)
}
