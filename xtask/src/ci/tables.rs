//! What other tools read of our results: event files in TensorBoard, tables in DuckDB and Polars.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Outcome, fresh_folder, succeed, sweep};
use crate::{flaglab, python, workspace};

const EXPERIMENT: &str = "tests/experiments/tables.toml";
const NAME: &str = "tables";

/// Values of exported event files beside those of exported tables.
pub fn tensorboard() -> anyhow::Result<Outcome> {
    let swept = Swept::in_folder("tensorboard")?;
    let (tables, events) = (swept.export("csv")?, swept.export("tensorboard")?);
    let mut script = python::script(&python::TENSORBOARD, "tests/oracles/tensorboard_events.py")?;
    script.arg("--runs").arg(swept.runs().join(NAME));
    succeed(script.arg("--tables").arg(tables).arg("--events").arg(events))
}

/// Every block of the page, and exported tables beside the Parquet files.
pub fn queries() -> anyhow::Result<Outcome> {
    let swept = Swept::in_folder("queries")?;
    let mut script = python::script(&python::QUERIES, "tests/oracles/queries.py")?;
    script.args(["--page", "docs/queries.md", "--experiment", NAME]);
    succeed(script.arg("--folder").arg(&swept.folder).arg("--tables").arg(swept.export("csv")?))
}

/// The experiment, swept in a folder of its own.
struct Swept {
    folder: PathBuf,
}

impl Swept {
    fn in_folder(name: &str) -> anyhow::Result<Self> {
        let swept = Self { folder: fresh_folder(name)? };
        let reports = swept.folder.join("reports");
        let env: [(&str, &Path); 2] = [("FLAGLAB_RUNS", &swept.runs()), ("FLAGLAB_REPORTS", &reports)];
        sweep(EXPERIMENT, &[], &env)?;
        Ok(swept)
    }

    fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// The folder of an export.
    fn export(&self, format: &str) -> anyhow::Result<PathBuf> {
        let out = self.folder.join(format);
        let mut export = Command::new(flaglab::build(&[])?);
        export.args(["export", EXPERIMENT, "--to", format, "--out"]).arg(&out);
        succeed(export.env("FLAGLAB_RUNS", self.runs()).current_dir(workspace::root()))?;
        Ok(out)
    }
}
