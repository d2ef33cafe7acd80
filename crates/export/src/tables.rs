//! CSV: one table of runs, one of steps, one of updates. Columns are named as in the Parquet files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use csv::{Writer, WriterBuilder};
use serde::Serialize;
use store::ExperimentStore;

use crate::columns::Columns;
use crate::folder::NewFile;
use crate::{ExportError, Folder, Format, Run};

/// First columns of the other tables: which run a row is of.
#[derive(Debug, Clone, Serialize)]
struct Key {
    run_id: String,
    arm: String,
    seed: u64,
}

const KEY: [&str; 3] = ["run_id", "arm", "seed"];

pub(crate) fn write(store: &ExperimentStore, runs: &[Run], mut folder: Folder) -> Result<usize, ExportError> {
    let columns = Columns::of(store, runs)?;
    let files: BTreeSet<String> = ["runs.csv", "steps.csv", "updates.csv"].map(str::to_owned).into();
    folder.expect(Format::Csv, &files)?;
    let mut all = Table::begin(&folder, "runs.csv", columns.names())?;
    let mut steps = Table::begin(&folder, "steps.csv", with_key(ExperimentStore::step_columns()))?;
    let mut updates = Table::begin(&folder, "updates.csv", with_key(ExperimentStore::update_columns()))?;
    for run in runs {
        let (_, row) = run.read(store)?;
        let key = Key { run_id: row.run_id.clone(), arm: row.arm.clone(), seed: row.seed };
        all.push(columns.cells(row))?;
        for batch in store.step_batches(&run.dir)? {
            batch?.iter().try_for_each(|step| steps.push((&key, step)))?;
        }
        store.read_updates(&run.dir)?.iter().try_for_each(|update| updates.push((&key, update)))?;
    }
    [all, steps, updates].into_iter().try_for_each(Table::finish)?;
    let n = files.len();
    folder.settle(Format::Csv, files)?;
    Ok(n)
}

fn with_key(columns: Vec<String>) -> Vec<String> {
    KEY.into_iter().map(str::to_owned).chain(columns).collect()
}

/// A file of rows; one of another length than the header is an error.
struct Table {
    path: PathBuf,
    rows: Writer<NewFile>,
}

impl Table {
    fn begin(folder: &Folder, name: &str, columns: Vec<String>) -> Result<Self, ExportError> {
        let rows = WriterBuilder::new().has_headers(false).from_writer(folder.begin(name)?);
        let mut table = Self { path: folder.path().join(name), rows };
        table.push(columns)?;
        Ok(table)
    }

    fn push(&mut self, row: impl Serialize) -> Result<(), ExportError> {
        self.rows.serialize(row).map_err(ExportError::io(&self.path))
    }

    fn finish(self) -> Result<(), ExportError> {
        let file = self.rows.into_inner().map_err(|e| ExportError::io(&self.path)(e.into_error()))?;
        file.finish()
    }
}
