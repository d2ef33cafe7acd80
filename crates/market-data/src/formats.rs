//! File formats: into [`crate::Columns`] with the place of every bar, for errors.

pub(crate) mod csv;
pub(crate) mod csv_rows;
pub(crate) mod investor_bench;
pub(crate) mod parquet;
