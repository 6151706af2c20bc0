//! What leaves the server looks like [`wire_schema`] says: the types every driver reads, all
//! columns nullable. The schema a statement announces and the schema its rows carry are made by
//! this one function, so they cannot differ, and [`conform`] casts each batch to it. No view or
//! dictionary leaves: their buffers may hold values that a filter or a function took out of the
//! rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use sluice_engine::error::{Error, Result};
use sluice_engine::type_name::sql_name;

/// Field metadata in which drivers look for the SQL name of a type.
const TYPE_NAME: &str = "ARROW:FLIGHT:SQL:TYPE_NAME";
/// Field metadata with the digits of a decimal.
const PRECISION: &str = "ARROW:FLIGHT:SQL:PRECISION";
/// Field metadata with the digits of a decimal after its point.
const SCALE: &str = "ARROW:FLIGHT:SQL:SCALE";

/// The schema in which rows of `schema` are announced and sent.
pub(crate) fn wire_schema(schema: &Schema) -> SchemaRef {
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| wire_field(field))
        .collect();
    Arc::new(Schema::new(fields))
}

/// The columns of a table as metadata describes them: wire types, SQL type names, real nullability.
pub(crate) fn described(schema: &Schema) -> Schema {
    let describe = |field: &FieldRef| {
        let kind = wire_type(field.data_type());
        let mut metadata = HashMap::from([(TYPE_NAME.to_owned(), sql_name(&kind).to_owned())]);
        if let DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) =
            kind
        {
            metadata.insert(PRECISION.to_owned(), precision.to_string());
            metadata.insert(SCALE.to_owned(), scale.to_string());
        }
        Field::new(field.name(), kind, field.is_nullable()).with_metadata(metadata)
    };
    Schema::new(schema.fields().iter().map(describe).collect::<Fields>())
}

/// How a parameter is declared to clients. Drivers write milliseconds into a timestamp whatever
/// unit was declared, so that is what is declared; a type nobody could infer is text.
pub(crate) fn parameter_field(field: &Field) -> Field {
    let kind = match wire_type(field.data_type()) {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone),
        other => other,
    };
    Field::new(field.name(), kind, true)
}

/// `batch` with the types and nullability of `wire`, which is [`wire_schema`] of its own schema.
///
/// # Errors
/// When a value does not fit its wire type, naming the column.
pub(crate) fn conform(batch: &RecordBatch, wire: &SchemaRef) -> Result<RecordBatch> {
    if batch.num_columns() != wire.fields().len() {
        let (got, want) = (batch.num_columns(), wire.fields().len());
        return Err(Error::internal(format!(
            "the query gave {got} columns instead of {want}"
        )));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(wire.fields())
        .map(|(column, field)| {
            cast(column, field.data_type()).map_err(|error| {
                Error::user(format!("cannot send column \"{}\": {error}", field.name()))
            })
        });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(wire), columns, &options).map_err(|error| {
        Error::internal(format!("the rows do not fit their schema: {error}")).source(error)
    })
}

/// `column` as `kind`; the same array where it is that already.
pub(crate) fn cast(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == kind {
        return Ok(Arc::clone(column));
    }
    cast_with_options(
        column,
        kind,
        &CastOptions {
            safe: false,
            ..CastOptions::default()
        },
    )
}

fn wire_field(field: &Field) -> FieldRef {
    let kind = wire_type(field.data_type());
    Arc::new(Field::new(field.name(), kind, true).with_metadata(field.metadata().clone()))
}

fn wire_type(kind: &DataType) -> DataType {
    match kind {
        // Some drivers have no null type.
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => wire_type(values),
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => DataType::List(wire_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(wire_field(item), *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| wire_field(field)).collect())
        }
        DataType::Map(entries, sorted) => DataType::Map(wire_entries(entries), *sorted),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Date32,
        other => other.clone(),
    }
}

/// The entries of a map: the format forbids that they or their keys are null.
fn wire_entries(entries: &FieldRef) -> FieldRef {
    let kind = match entries.data_type() {
        DataType::Struct(fields) => {
            let wire = fields.iter().enumerate().map(|(index, field)| {
                let wire = wire_field(field);
                if index == 0 {
                    Arc::new(wire.as_ref().clone().with_nullable(false))
                } else {
                    wire
                }
            });
            DataType::Struct(wire.collect())
        }
        other => other.clone(),
    };
    Arc::new(Field::new(entries.name(), kind, false))
}

#[cfg(test)]
mod tests;
