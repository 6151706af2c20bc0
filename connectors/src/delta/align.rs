//! Rows into the very schema of a table: columns matched by name, each cast to what is stored.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::util::display::FormatOptions;
use sluice_engine::error::{Error, Result};

use super::schema::words;

/// How rows of one schema become rows of another.
#[derive(Debug)]
pub(super) struct Alignment {
    table: String,
    target: SchemaRef,
    /// For each column of the target, where it is in the rows.
    sources: Vec<Option<usize>>,
}

impl Alignment {
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] naming a column that the table lacks, one that must
    /// have values and has none, or one that cannot be cast.
    pub(super) fn new(table: &str, target: SchemaRef, rows: &Schema) -> Result<Self> {
        for field in rows.fields() {
            if target.field_with_name(field.name()).is_err() {
                let name = field.name();
                return Err(Error::user(format!(
                    "table \"{table}\" has no column \"{name}\""
                )));
            }
        }
        let sources = target
            .fields()
            .iter()
            .map(|field| source(table, field, rows))
            .collect::<Result<_>>()?;
        Ok(Self {
            table: table.to_owned(),
            target,
            sources,
        })
    }

    /// As [`Alignment::new`], for rows that go to files: columns keep their type where files hold
    /// it just as well, save those of `partition_columns`.
    ///
    /// # Errors
    /// As [`Alignment::new`].
    pub(super) fn for_files(
        table: &str,
        target: SchemaRef,
        partition_columns: &[String],
        rows: &Schema,
    ) -> Result<Self> {
        let exact = Self::new(table, target, rows)?;
        let fields = exact.target.fields().iter().zip(&exact.sources);
        let fields = fields.map(|(field, source)| {
            let given = source.map(|index| rows.field(index).data_type());
            let kept = given.filter(|given| {
                !partition_columns.contains(field.name()) && same_in_files(given, field.data_type())
            });
            let kind = kept.unwrap_or_else(|| field.data_type()).clone();
            Arc::new(Field::new(field.name(), kind, field.is_nullable()))
        });
        Ok(Self {
            target: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            ..exact
        })
    }

    /// The columns of aligned rows.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.target
    }

    /// # Errors
    /// [`sluice_engine::error::Kind::User`] naming the column whose value does not fit.
    pub(super) fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let fields = self.target.fields().iter();
        let columns = fields
            .zip(&self.sources)
            .map(|(field, source)| match source {
                Some(index) => self.fit(field, rows.column(*index)),
                None => Ok(new_null_array(field.data_type(), rows.num_rows())),
            })
            .collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(&self.target), columns).map_err(|error| {
            let table = &self.table;
            Error::user(format!("rows do not fit table \"{table}\": {error}")).source(error)
        })
    }

    fn fit(&self, field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
        let (name, table) = (field.name(), &self.table);
        if !field.is_nullable() && column.logical_null_count() > 0 {
            return Err(Error::user(format!(
                "column \"{name}\" of table \"{table}\" is NOT NULL, and a row has no value for it"
            )));
        }
        if column.data_type() == field.data_type() {
            return Ok(ArrayRef::clone(column));
        }
        let options = CastOptions {
            safe: false,
            format_options: FormatOptions::default(),
        };
        cast_with_options(column, field.data_type(), &options).map_err(|error| {
            let kind = words(field.data_type());
            Error::user(format!(
                "cannot store a value in column \"{name}\" of table \"{table}\" as {kind}: {error}"
            ))
            .source(error)
        })
    }
}

/// Whether a Parquet file has the same bytes for both types, so that a cast would only copy.
fn same_in_files(given: &DataType, stored: &DataType) -> bool {
    use DataType as T;
    match stored {
        T::Utf8 => matches!(given, T::LargeUtf8 | T::Utf8View),
        T::Binary => matches!(given, T::LargeBinary | T::BinaryView),
        _ => false,
    }
}

fn source(table: &str, field: &Field, rows: &Schema) -> Result<Option<usize>> {
    let name = field.name();
    let Ok(index) = rows.index_of(name) else {
        if field.is_nullable() {
            return Ok(None);
        }
        return Err(Error::user(format!(
            "column \"{name}\" of table \"{table}\" is NOT NULL, and the rows have no such column"
        )));
    };
    let given = rows.field(index).data_type();
    if given != field.data_type() && !can_cast_types(given, field.data_type()) {
        let (given, stored) = (words(given), words(field.data_type()));
        return Err(Error::user(format!(
            "column \"{name}\" of table \"{table}\" is {stored} and the rows have {given}"
        )));
    }
    Ok(Some(index))
}
