//! What leaves the server looks like [`wire_schema`] says: the types of the client's [`Profile`],
//! all columns nullable. The schema a statement announces and the schema its rows carry are made
//! by this one function, so they cannot differ, and [`conform`] casts each batch to it. Unless a
//! client asks for all of Arrow, no view or dictionary leaves: their buffers may hold values that a
//! filter or a function took out of the rows.

mod profile;

mod convert;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit, UnionFields,
};
use arrow::error::ArrowError;
use sluice_engine::error::{Error, Result};
use sluice_engine::type_name::sql_name;

use convert::{convert, shares};
pub(crate) use profile::{HEADER, OPTION, Profile};

/// Field metadata that drivers show in the place of a column's name.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";

/// Where a table's columns are from, as metadata tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The catalog.
    pub(crate) catalog: &'a str,
    /// The schema.
    pub(crate) schema: &'a str,
    /// The table.
    pub(crate) table: &'a str,
    /// Whether rows can be stored there.
    pub(crate) writable: bool,
}

/// The schema in which rows of `schema` are announced and sent.
pub(crate) fn wire_schema(schema: &Schema, profile: Profile) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields: Fields = fields.map(|field| wire_field(field, profile)).collect();
    Arc::new(Schema::new(fields))
}

/// The columns of a table as metadata describes them: wire types, SQL type names, real nullability.
pub(crate) fn described(schema: &Schema, origin: Origin<'_>, profile: Profile) -> Schema {
    let describe = |field: &FieldRef| {
        let kind = wire_type(field.data_type(), profile);
        let flag = |is: bool| if is { "1" } else { "0" }.to_owned();
        let text = matches!(
            kind,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        let said = [
            ("CATALOG_NAME", origin.catalog.to_owned()),
            ("SCHEMA_NAME", origin.schema.to_owned()),
            ("TABLE_NAME", origin.table.to_owned()),
            ("TYPE_NAME", sql_name(&kind).to_owned()),
            ("IS_AUTO_INCREMENT", flag(false)),
            ("IS_CASE_SENSITIVE", flag(text)),
            ("IS_READ_ONLY", flag(!origin.writable)),
            ("IS_SEARCHABLE", flag(true)),
        ];
        let said = said.into_iter().chain(digits(&kind).into_iter().flatten());
        let metadata: HashMap<String, String> = said
            .map(|(key, value)| (format!("ARROW:FLIGHT:SQL:{key}"), value))
            .collect();
        Field::new(field.name(), kind, field.is_nullable()).with_metadata(metadata)
    };
    Schema::new(schema.fields().iter().map(describe).collect::<Fields>())
}

/// The digits of a number, and those after its point, where its type says how many there are.
fn digits(kind: &DataType) -> Option<[(&'static str, String); 2]> {
    let (precision, scale) = match kind {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (*precision, *scale),
        _ => return None,
    };
    Some([
        ("PRECISION", precision.to_string()),
        ("SCALE", scale.to_string()),
    ])
}

/// How a parameter is declared to clients. Drivers write milliseconds into a timestamp whatever
/// unit was declared, so that is what is declared; a type nobody could infer is text.
pub(crate) fn parameter_field(field: &Field) -> Field {
    let kind = match wire_type(field.data_type(), Profile::Compat) {
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
            convert(column, field.data_type()).map_err(|error| {
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
    convert::cast(column, kind)
}

/// Whether a part of rows in `wire` takes conforming again, so that it holds its own values alone.
pub(crate) fn parts_share(wire: &Schema) -> bool {
    wire.fields().iter().any(|field| shares(field.data_type()))
}

fn wire_field(field: &Field, profile: Profile) -> FieldRef {
    let kind = wire_type(field.data_type(), profile);
    let mut metadata = field.metadata().clone();
    metadata.remove(REMARKS);
    Arc::new(Field::new(field.name(), kind, true).with_metadata(metadata))
}

fn wire_type(kind: &DataType, profile: Profile) -> DataType {
    let nested = |field: &FieldRef| wire_field(field, profile);
    match kind {
        DataType::List(item) => DataType::List(nested(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(nested(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(nested).collect()),
        DataType::Map(entries, sorted) => DataType::Map(wire_entries(entries, profile), *sorted),
        DataType::Union(fields, mode) => {
            let fields: UnionFields = fields
                .iter()
                .map(|(id, field)| (id, nested(field)))
                .collect();
            DataType::Union(fields, *mode)
        }
        DataType::ListView(item) => DataType::List(nested(item)),
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type(), profile),
        other if profile == Profile::Full => match other {
            DataType::Dictionary(key, values) => {
                DataType::Dictionary(key.clone(), Box::new(wire_type(values, profile)))
            }
            DataType::LargeList(item) | DataType::LargeListView(item) => {
                DataType::LargeList(nested(item))
            }
            plain => plain.clone(),
        },
        // Some drivers have no null type.
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => wire_type(values, profile),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::List(nested(item)),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        // Wider ones have nowhere to go: the drivers that matter read them.
        DataType::Decimal256(precision, scale) if *precision <= 38 => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Date32,
        plain if profile == Profile::Jdbc => jdbc_type(plain),
        DataType::Timestamp(unit, Some(zone)) => DataType::Timestamp(*unit, Some(zone_name(zone))),
        plain => plain.clone(),
    }
}

/// What the JDBC driver reads right.
fn jdbc_type(kind: &DataType) -> DataType {
    match kind {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
        other => other.clone(),
    }
}

/// A time zone by the name that every client knows; not all of them know how many there are for
/// UTC.
fn zone_name(zone: &Arc<str>) -> Arc<str> {
    const UTC: [&str; 9] = [
        "UTC", "Z", "GMT", "Etc/UTC", "Etc/GMT", "+00:00", "-00:00", "+0000", "+00",
    ];
    if UTC.iter().any(|name| name.eq_ignore_ascii_case(zone)) {
        return "UTC".into();
    }
    Arc::clone(zone)
}

/// The entries of a map: the format forbids that they or their keys are null.
fn wire_entries(entries: &FieldRef, profile: Profile) -> FieldRef {
    let kind = match entries.data_type() {
        DataType::Struct(fields) => {
            let wire = fields.iter().enumerate().map(|(index, field)| {
                let wire = wire_field(field, profile);
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
