//! Parquet files whose bytes depend on their rows alone.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use tempfile::NamedTempFile;

use crate::table::Table;
use crate::{StoreError, atomic};

/// Rows that go to the encoder together. Part of the bytes, as are the settings below.
const BATCH_ROWS: usize = 4096;
const ROW_GROUP_ROWS: usize = 65_536;
const ZSTD_LEVEL: i32 = 3;

fn properties() -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("invariant: a level that zstd has");
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // The library's default names its version; that would change the bytes of equal rows with every upgrade.
        .set_created_by("flaglab".to_owned())
}

/// Writes rows as they come: memory stays bounded by one row group.
pub(crate) struct TableWriter<R: Table> {
    path: PathBuf,
    writer: ArrowWriter<NamedTempFile>,
    rows: Vec<R>,
}

impl<R: Table> TableWriter<R> {
    /// Begins the file that will be `path`.
    pub(crate) fn begin(path: PathBuf) -> Result<Self, StoreError> {
        let file = atomic::begin(&path)?;
        let writer = writer(&path, file, R::schema(), properties())?;
        Ok(Self { path, writer, rows: Vec::new() })
    }

    /// Appends a row.
    pub(crate) fn push(&mut self, row: R) -> Result<(), StoreError> {
        self.rows.push(row);
        if self.rows.len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// Completes the file and gives it its name. It lies in a folder out of sight, which is brought to the disk as a whole
    /// before anybody sees it.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        self.flush()?;
        let file = self.writer.into_inner().map_err(StoreError::parquet(&self.path))?;
        atomic::name(file, &self.path)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.writer.write(&R::batch(&self.rows)).map_err(StoreError::parquet(&self.path))?;
        self.rows.clear();
        Ok(())
    }
}

/// Writes one batch as a whole file. Its numbers hardly repeat: a dictionary of each column would take more memory than
/// the table.
pub(crate) fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), StoreError> {
    let schema = batch.schema();
    let numbers = schema.fields().iter().filter(|f| f.data_type() == &DataType::Float64);
    let properties = numbers.fold(properties(), |properties, field| {
        properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false)
    });
    let mut writer = writer(path, atomic::begin(path)?, schema.clone(), properties)?;
    writer.write(batch).map_err(StoreError::parquet(path))?;
    atomic::publish(writer.into_inner().map_err(StoreError::parquet(path))?, path)
}

fn writer(
    path: &Path,
    file: NamedTempFile,
    schema: SchemaRef,
    properties: WriterPropertiesBuilder,
) -> Result<ArrowWriter<NamedTempFile>, StoreError> {
    ArrowWriter::try_new(file, schema, Some(properties.build())).map_err(StoreError::parquet(path))
}

/// Reads the rows of a file, one batch at a time.
pub(crate) fn read<R: Table>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Vec<R>, StoreError>> + use<R>, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|b| b.with_batch_size(ROW_GROUP_ROWS).build())
        .map_err(StoreError::parquet(path))?;
    let path = path.to_owned();
    Ok(reader.map(move |batch| {
        let batch = batch.map_err(|e| StoreError::Parquet { path: path.clone(), source: e.into() })?;
        R::rows(&batch).map_err(|problem| StoreError::Invalid { path: path.clone(), problem })
    }))
}
