//! One declaration per table: a struct's fields become Arrow columns with description and unit, and come back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float32Array, Float64Array, StringArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, SchemaRef, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use chrono::{Datelike, NaiveDate};
use trading_env::{Action, SplitName};

/// A value that can be a cell of a column.
pub(crate) trait Cell: Sized {
    /// Arrow type.
    const TYPE: DataType;
    /// Whether the column may hold nulls.
    const NULLABLE: bool = false;
    /// A column of values.
    fn column(values: impl Iterator<Item = Self>) -> ArrayRef;
    /// Cell `i` of a column of [`Cell::TYPE`], or what was found instead of an accepted value.
    fn cell(column: &dyn Array, i: usize) -> Result<Self, String>;
}

macro_rules! number_cell {
    ($rust:ty, $type:ident, $array:ident, $arrow:ty) => {
        impl Cell for $rust {
            const TYPE: DataType = DataType::$type;
            fn column(values: impl Iterator<Item = Self>) -> ArrayRef {
                Arc::new($array::from_iter_values(values))
            }
            fn cell(column: &dyn Array, i: usize) -> Result<Self, String> {
                match column.is_valid(i) {
                    true => Ok(column.as_primitive::<$arrow>().value(i)),
                    false => Err("null where a number is required".to_owned()),
                }
            }
        }

        impl Cell for Option<$rust> {
            const TYPE: DataType = DataType::$type;
            const NULLABLE: bool = true;
            fn column(values: impl Iterator<Item = Self>) -> ArrayRef {
                Arc::new($array::from_iter(values))
            }
            fn cell(column: &dyn Array, i: usize) -> Result<Self, String> {
                Ok(column.is_valid(i).then(|| column.as_primitive::<$arrow>().value(i)))
            }
        }
    };
}

number_cell!(u32, UInt32, UInt32Array, UInt32Type);
number_cell!(u64, UInt64, UInt64Array, UInt64Type);
number_cell!(f32, Float32, Float32Array, Float32Type);
number_cell!(f64, Float64, Float64Array, Float64Type);

/// Day number of 1970-01-01 in chrono's count from year 1, day 1.
const EPOCH_FROM_CE: i32 = 719_163;

impl Cell for NaiveDate {
    const TYPE: DataType = DataType::Date32;
    fn column(values: impl Iterator<Item = Self>) -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(values.map(|d| d.num_days_from_ce() - EPOCH_FROM_CE)))
    }
    fn cell(column: &dyn Array, i: usize) -> Result<Self, String> {
        let days = column.as_primitive::<Date32Type>().value(i);
        let date = days.checked_add(EPOCH_FROM_CE).and_then(NaiveDate::from_num_days_from_ce_opt);
        date.ok_or_else(|| format!("day {days} is not a date"))
    }
}

macro_rules! word_cell {
    ($rust:ty, [$($variant:expr),+]) => {
        impl Cell for $rust {
            const TYPE: DataType = DataType::Utf8;
            fn column(values: impl Iterator<Item = Self>) -> ArrayRef {
                Arc::new(StringArray::from_iter_values(values.map(|v| v.word())))
            }
            fn cell(column: &dyn Array, i: usize) -> Result<Self, String> {
                let word = column.as_string::<i32>().value(i);
                let known = [$($variant),+];
                known.into_iter().find(|v| v.word() == word).ok_or_else(|| {
                    format!("\"{word}\" is none of {}", known.map(|v| v.word()).join(", "))
                })
            }
        }
    };
}

word_cell!(Action, [Action::Sell, Action::Hold, Action::Buy]);
word_cell!(SplitName, [SplitName::Train, SplitName::Valid, SplitName::Test]);

/// A row type with a fixed schema.
pub(crate) trait Table: Sized {
    /// Columns in the order of the struct's fields.
    fn schema() -> SchemaRef;
    /// Rows as columns.
    fn batch(rows: &[Self]) -> RecordBatch;
    /// Columns as rows; the error names the column.
    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, String>;
}

/// A column with its description and unit; pure numbers have the unit `1`, words and dates none.
pub(crate) fn field(name: &str, data_type: DataType, nullable: bool, unit: &str, description: &str) -> Field {
    let mut metadata = HashMap::from([("description".to_owned(), description.to_owned())]);
    if !unit.is_empty() {
        metadata.insert("unit".to_owned(), unit.to_owned());
    }
    Field::new(name, data_type, nullable).with_metadata(metadata)
}

/// The column called `name`, of the given type.
pub(crate) fn column<'a>(
    batch: &'a RecordBatch,
    name: &str,
    data_type: &DataType,
) -> Result<&'a dyn Array, String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("column `{name}` is missing"))?;
    match column.data_type() == data_type {
        true => Ok(column.as_ref()),
        false => Err(format!("column `{name}`: expected {data_type}, found {}", column.data_type())),
    }
}

/// The cells of a column, or what stands for each of them in a file from before the column was there.
pub(crate) enum Cells<'a, T> {
    Column(&'a dyn Array),
    Before(T),
}

impl<'a, T: Cell + Copy> Cells<'a, T> {
    /// The column called `name`; where it is missing, `before` in all its cells, if there is one.
    pub(crate) fn of(batch: &'a RecordBatch, name: &str, before: Option<T>) -> Result<Self, String> {
        match before {
            Some(value) if batch.column_by_name(name).is_none() => Ok(Self::Before(value)),
            _ => column(batch, name, &T::TYPE).map(Self::Column),
        }
    }

    /// Cell `i`, or what was found instead of an accepted value.
    pub(crate) fn cell(&self, i: usize) -> Result<T, String> {
        match self {
            Self::Column(column) => T::cell(*column, i),
            Self::Before(value) => Ok(*value),
        }
    }
}

/// Implements [`Table`] for a struct: `field: unit, description;` for every field, with `, before VALUE` for what files
/// from before the column was there are read as.
macro_rules! table {
    (@first) => { None };
    (@first $value:expr) => { Some($value) };
    ($record:ident { $($field:ident: $type:ty, $unit:literal, $description:literal $(, before $before:expr)?;)+ }) => {
        impl Table for $record {
            fn schema() -> SchemaRef {
                Arc::new(Schema::new(vec![$(
                    field(stringify!($field), <$type as Cell>::TYPE, <$type as Cell>::NULLABLE, $unit, $description)
                ),+]))
            }

            fn batch(rows: &[Self]) -> RecordBatch {
                let columns = vec![$(<$type as Cell>::column(rows.iter().map(|row| row.$field))),+];
                RecordBatch::try_new(Self::schema(), columns).expect("invariant: columns follow the schema")
            }

            fn rows(batch: &RecordBatch) -> Result<Vec<Self>, String> {
                $(let $field: Cells<'_, $type> =
                    Cells::of(batch, stringify!($field), table!(@first $($before)?))?;)+
                (0..batch.num_rows())
                    .map(|i| {
                        Ok($record {
                            $($field: $field.cell(i)
                                .map_err(|e| format!("column `{}`: {e}", stringify!($field)))?,)+
                        })
                    })
                    .collect()
            }
        }
    };
}
pub(crate) use table;
