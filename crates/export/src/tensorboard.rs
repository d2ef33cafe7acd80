//! Event files of TensorBoard: a folder per run, tags as in CleanRL.
//!
//! Times are those of the run: its start, and what each update took. They come from what is stored, so that the same run
//! gives the same bytes.

mod message;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::DateTime;
use serde_json::Value;
use store::{ExperimentStore, Manifest, RunState};
use trading_env::{SplitName, StepRecord, UpdateRecord};

use self::message::Message;
use self::record::RecordWriter;
use crate::columns::{Columns, axis_text};
use crate::folder::NewFile;
use crate::{ExportError, Folder, Format, Run};

/// By which readers know the version of the format.
const VERSION: &str = "brain.Event:2";
/// Before the name of a column of `runs.csv`: a score of the run's test split.
const SCORES: &str = "metrics/";

pub(crate) fn write(store: &ExperimentStore, runs: &[Run], mut folder: Folder) -> Result<usize, ExportError> {
    let hparams = HParams::of(runs, &Columns::of(store, runs)?);
    let folders = folder_names(runs);
    let mut names = Vec::new();
    for run in runs {
        let manifest = store.read_manifest(&run.dir)?;
        let attempt = store::attempt_name(&manifest.start.run_id, manifest.attempt);
        names.push(format!(
            "{}/seed-{}/events.out.tfevents.{}.{attempt}",
            folders[run.arm.as_str()],
            manifest.start.seed,
            began(&manifest) as u64
        ));
    }
    let files: BTreeSet<String> = names.iter().cloned().collect();
    folder.expect(Format::TensorBoard, &files)?;
    for (run, name) in runs.iter().zip(names) {
        let mut events = Events::begin(&folder, &name)?;
        events.run(store, run, &hparams)?;
        events.finish()?;
    }
    let n = files.len();
    folder.settle(Format::TensorBoard, files)?;
    Ok(n)
}

/// Seconds since 1970 at which the run was last taken up.
fn began(manifest: &Manifest) -> f64 {
    let time = DateTime::parse_from_rfc3339(&manifest.started);
    time.map_or(0.0, |time| time.timestamp_millis() as f64 / 1e3).max(0.0)
}

/// The scalars of an update. CleanRL's tags, and for what it does not log names of its kind.
fn scalars(update: &UpdateRecord) -> [(&'static str, Option<f64>); 14] {
    [
        ("charts/learning_rate", Some(update.learning_rate)),
        ("charts/episodic_return", update.episode_return),
        ("losses/value_loss", Some(update.value_loss)),
        ("losses/policy_loss", Some(update.policy_loss)),
        ("losses/entropy", Some(update.entropy)),
        ("losses/approx_kl", Some(update.approx_kl)),
        ("losses/clipfrac", Some(update.clipfrac)),
        ("losses/explained_variance", update.explained_variance),
        ("losses/kl", update.kl),
        ("losses/grad_norm", Some(update.grad_norm)),
        ("losses/first_ratio_error", Some(update.first_ratio_error)),
        ("actions/sell", Some(update.share_sell)),
        ("actions/hold", Some(update.share_hold)),
        ("actions/buy", Some(update.share_buy)),
    ]
}

/// The file of one run.
struct Events {
    records: RecordWriter<NewFile>,
    path: PathBuf,
    /// Seconds since 1970.
    now: f64,
    step: u64,
}

impl Events {
    fn begin(folder: &Folder, name: &str) -> Result<Self, ExportError> {
        let records = RecordWriter::new(folder.begin(name)?);
        Ok(Self { records, path: folder.path().join(name), now: 0.0, step: 0 })
    }

    fn run(&mut self, store: &ExperimentStore, run: &Run, hparams: &HParams) -> Result<(), ExportError> {
        let (manifest, row) = run.read(store)?;
        self.now = began(&manifest);
        self.put(&Message::default().text(3, VERSION))?;
        self.summary([hparam("_hparams_/experiment", 2, &hparams.experiment())])?;
        let start = hparams.session(run).double(5, self.now);
        self.summary([hparam("_hparams_/session_start_info", 3, &start)])?;
        self.training(store, run)?;
        self.test(&store.read_steps(&run.dir, Some(SplitName::Test))?, run.initial_cash)?;
        let scores = row.metrics.iter().filter(|(name, _)| name.starts_with("test."));
        self.summary(scores.filter_map(|(name, score)| scalar(&format!("{SCORES}{name}"), *score)))?;
        let success = if run.state == RunState::Completed { 1 } else { 2 };
        let end = Message::default().varint(1, success).double(2, self.now);
        self.summary([hparam("_hparams_/session_end_info", 4, &end)])
    }

    /// Every update at its step and at the time at which it was done.
    fn training(&mut self, store: &ExperimentStore, run: &Run) -> Result<(), ExportError> {
        let speeds: HashMap<u32, f64> =
            store.read_timing(&run.dir)?.iter().map(|timing| (timing.update, timing.steps_per_s)).collect();
        for update in store.read_updates(&run.dir)? {
            let steps = update.global_step.saturating_sub(self.step) as f64;
            let speed = speeds.get(&update.update).copied();
            self.now += speed.filter(|speed| *speed > 0.0).map_or(0.0, |speed| steps / speed);
            self.step = update.global_step;
            let scalars = scalars(&update).into_iter().chain([("charts/SPS", speed)]);
            self.summary(scalars.filter_map(|(tag, value)| scalar(tag, value)))?;
        }
        Ok(())
    }

    /// What became of the account on the test split, against the step within it.
    fn test(&mut self, steps: &[StepRecord], initial_cash: f64) -> Result<(), ExportError> {
        let trained = self.step;
        let wealth: Vec<f64> =
            std::iter::once(initial_cash).chain(steps.iter().map(|step| step.equity)).collect();
        for (step, fall) in steps.iter().zip(stats::drawdowns(&wealth).into_iter().skip(1)) {
            self.step = u64::from(step.t);
            let values = [("test/equity", step.equity), ("test/drawdown", fall)];
            self.summary(values.into_iter().filter_map(|(tag, value)| scalar(tag, Some(value))))?;
        }
        self.step = trained;
        Ok(())
    }

    /// An event with these values, none where there are none.
    fn summary(&mut self, values: impl IntoIterator<Item = Message>) -> Result<(), ExportError> {
        let mut summary = Message::default();
        for value in values {
            summary = summary.message(1, &value);
        }
        if summary.is_empty() {
            return Ok(());
        }
        self.put(&Message::default().message(5, &summary))
    }

    /// An event of now.
    fn put(&mut self, what: &Message) -> Result<(), ExportError> {
        let event = Message::default().double(1, self.now).varint(2, self.step).and(what);
        self.records.put(&event).map_err(ExportError::io(&self.path))
    }

    fn finish(self) -> Result<(), ExportError> {
        self.records.into_inner().finish()
    }
}

/// A value of a chart; TensorBoard keeps single precision.
fn scalar(tag: &str, value: Option<f64>) -> Option<Message> {
    value.map(|value| Message::default().text(1, tag).float(2, value as f32))
}

/// A value for the page of hyperparameters: what it says is in its metadata.
fn hparam(tag: &str, field: u32, what: &Message) -> Message {
    let data = Message::default().varint(1, 0).message(field, what);
    let plugin = Message::default().text(1, "hparams").message(2, &data);
    Message::default().text(1, tag).message(9, &Message::default().message(1, &plugin))
}

/// What the page of hyperparameters has to know of all runs.
struct HParams {
    /// Axes with their types.
    axes: BTreeMap<String, Kind>,
    scores: Vec<String>,
}

/// As TensorBoard numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text = 1,
    Bool = 2,
    Number = 3,
}

impl HParams {
    fn of(runs: &[Run], columns: &Columns) -> Self {
        let mut axes: BTreeMap<String, Kind> = BTreeMap::new();
        for (axis, value) in runs.iter().flat_map(|run| &run.axes) {
            let kind = match value {
                Value::Null => continue,
                Value::Number(_) => Kind::Number,
                Value::Bool(_) => Kind::Bool,
                _ => Kind::Text,
            };
            let known = axes.entry(axis.clone()).or_insert(kind);
            // Mixed values are words, as in `summary.parquet`.
            if *known != kind {
                *known = Kind::Text;
            }
        }
        let scores = columns.metrics.iter().filter(|name| name.starts_with("test.")).cloned().collect();
        Self { axes, scores }
    }

    fn experiment(&self) -> Message {
        let mut all = Message::default();
        let arm = [("arm", Kind::Text)];
        for (name, kind) in arm.into_iter().chain(self.axes.iter().map(|(name, kind)| (name.as_str(), *kind)))
        {
            all = all.message(4, &Message::default().text(1, name).varint(4, kind as u64));
        }
        for score in &self.scores {
            let name = Message::default().text(2, &format!("{SCORES}{score}"));
            all = all.message(5, &Message::default().message(1, &name).text(3, score));
        }
        all
    }

    /// The seeds of an arm are a group, whose scores TensorBoard can average.
    fn session(&self, run: &Run) -> Message {
        let mut session = Message::default();
        let mut set = |name: &str, value: &Message| {
            session =
                std::mem::take(&mut session).message(1, &Message::default().text(1, name).message(2, value));
        };
        set("arm", &Message::default().text(3, &run.arm));
        for (axis, kind) in &self.axes {
            let Some(value) = run.axes.get(axis).filter(|value| !value.is_null()) else { continue };
            let number = value.as_f64().filter(|_| *kind == Kind::Number);
            let flag = value.as_bool().filter(|_| *kind == Kind::Bool);
            let value = match (number, flag) {
                (Some(number), _) => Message::default().double(2, number),
                (_, Some(flag)) => Message::default().varint(4, u64::from(flag)),
                _ => Message::default().text(3, &axis_text(value).unwrap_or_default()),
            };
            set(axis, &value);
        }
        session.text(4, &run.arm)
    }
}

/// A folder for each arm: its name as far as it can be a file's, with a number where two would be the same.
fn folder_names(runs: &[Run]) -> HashMap<&str, String> {
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for run in runs {
        if names.contains_key(run.arm.as_str()) {
            continue;
        }
        let plain = plain_name(&run.arm);
        let mut numbered = std::iter::once(plain.clone()).chain((2..).map(|n| format!("{plain}~{n}")));
        // Some systems take upper and lower case for the same.
        let free = numbered.find(|name| taken.insert(name.to_lowercase()));
        names.insert(&run.arm, free.expect("invariant: the sequence does not end"));
    }
    names
}

/// Longest name of an arm's folder.
const LONGEST: usize = 100;

fn plain_name(arm: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.=,+".contains(c) { c } else { '_' };
    let name: String = arm.chars().map(plain).take(LONGEST).collect();
    let starts_plainly = name.starts_with(|c: char| c != '.');
    if starts_plainly && !name.ends_with('.') { name } else { format!("_{}_", name.trim_matches('.')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arm: &str, axes: &Value) -> Run {
        Run {
            dir: "nowhere".into(),
            state: RunState::Completed,
            arm: arm.to_owned(),
            role: trading_env::Role::Arm,
            axes: axes.as_object().cloned().unwrap_or_default(),
            initial_cash: 1.0,
        }
    }

    #[test]
    fn names_of_arms_become_names_of_folders() {
        let arms = ["reward=log-return, rank=4", "a/b", "a:b", "A_b", "..", "", "../x", "buy-and-hold"];
        let runs: Vec<Run> = arms.iter().map(|arm| run(arm, &Value::Null)).collect();
        let names = folder_names(&runs);
        let names = arms.map(|arm| names[arm].as_str());
        let expected =
            ["reward=log-return,_rank=4", "a_b", "a_b~2", "A_b~3", "__", "__~2", "__x_", "buy-and-hold"];
        assert_eq!(names, expected);
    }

    #[test]
    fn an_axis_of_mixed_values_is_text() {
        let runs = [
            run("a", &serde_json::json!({"x": 1, "y": true, "z": 2.5})),
            run("b", &serde_json::json!({"x": "one"})),
        ];
        let hparams = HParams::of(&runs, &Columns::default());
        let kinds: Vec<Kind> = hparams.axes.values().copied().collect();
        assert_eq!(kinds, [Kind::Text, Kind::Bool, Kind::Number]);
    }
}
