//! What a definition declares of its records: how they are encoded and which columns they become.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::lineage;

/// The column that collects the keys a JSON record has and the table does not.
pub(super) const EXTRA: &str = "_extra";

/// How the bytes of a record become columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object for each record; keys are columns.
    Json,
    /// The whole record as one text column.
    Raw,
}

/// The encoding and columns of a stream.
#[derive(Debug, Clone)]
pub struct Layout {
    encoding: Encoding,
    fields: Fields,
    schema: SchemaRef,
}

impl Layout {
    /// Reads the option `format` and the declared columns. Without columns a stream is raw and has
    /// the column `value`.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] for an unknown format, a column type that records
    /// cannot become, a lineage column, or columns that do not fit the format.
    pub fn of(definition: &TableDefinition) -> Result<Self> {
        let (name, declared) = (&definition.name, definition.schema.fields());
        let encoding = match definition.options.get("format").map(String::as_str) {
            Some("json") => Encoding::Json,
            Some("raw") => Encoding::Raw,
            None if declared.is_empty() => Encoding::Raw,
            None => Encoding::Json,
            Some(other) => {
                let message = format!("table \"{name}\" has the unknown format \"{other}\"");
                return Err(Error::user(message).hint("valid formats are \"json\" and \"raw\""));
            }
        };
        let fields = match encoding {
            Encoding::Json => json_fields(name, declared)?,
            Encoding::Raw => raw_fields(name, declared)?,
        };
        let all = fields.iter().cloned().chain(lineage::fields());
        let schema = Arc::new(Schema::new(all.collect::<Fields>()));
        Ok(Self {
            encoding,
            fields,
            schema,
        })
    }

    /// The decoded columns followed by those of lineage.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How records are encoded.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The decoded columns.
    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }
}

fn json_fields(table: &str, declared: &Fields) -> Result<Fields> {
    if declared.is_empty() {
        let message = format!("table \"{table}\" has the format \"json\" and no columns");
        return Err(Error::user(message).hint(
            "declare the columns to read, or use the format \"raw\" and its column \"value\"",
        ));
    }
    declared.iter().map(|field| column(table, field)).collect()
}

fn raw_fields(table: &str, declared: &Fields) -> Result<Fields> {
    match declared.as_ref() {
        [] => Ok(Fields::from(vec![Field::new(
            "value",
            DataType::Utf8,
            true,
        )])),
        [field] if is_text(field.data_type()) => Ok(vec![column(table, field)?].into()),
        _ => {
            let message = format!("table \"{table}\" has the format \"raw\" and other columns");
            Err(Error::user(message).hint("declare no columns, or one of type VARCHAR"))
        }
    }
}

/// The column as it is decoded, or why it cannot be.
fn column(table: &str, field: &FieldRef) -> Result<FieldRef> {
    let name = field.name();
    if lineage::is_lineage(name) {
        let message = format!("table \"{table}\" declares \"{name}\", which every stream has");
        return Err(Error::user(message).hint(format!("leave \"{name}\" out of the column list")));
    }
    if name == EXTRA && !is_text(field.data_type()) {
        let message = format!("column \"{EXTRA}\" of table \"{table}\" is not VARCHAR");
        return Err(Error::user(message).hint("it holds unknown keys as JSON text"));
    }
    let Some(data_type) = canonical(field.data_type()) else {
        let kind = field.data_type();
        let message = format!("column \"{name}\" of table \"{table}\" cannot be read as {kind}");
        return Err(Error::user(message).hint(
            "valid types are VARCHAR, BIGINT, INT, SMALLINT, TINYINT, DOUBLE, FLOAT, BOOLEAN, \
             DATE, TIMESTAMP, DECIMAL, and lists and structs of them",
        ));
    };
    Ok(Arc::new(Field::new(name, data_type, field.is_nullable())))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// The type in which a declared one is decoded: one text type, one timestamp type.
fn canonical(data_type: &DataType) -> Option<DataType> {
    let inner = |field: &FieldRef| {
        let data_type = canonical(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    };
    Some(match data_type {
        text if is_text(text) => DataType::Utf8,
        DataType::Timestamp(_, _) => lineage::timestamp_type(),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::Float32
        | DataType::Float64
        | DataType::Boolean
        | DataType::Date32
        | DataType::Decimal128(_, _) => data_type.clone(),
        DataType::List(item) => DataType::List(inner(item)?),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(inner).collect::<Option<Fields>>()?)
        }
        DataType::Map(entries, sorted) => DataType::Map(inner(entries)?, *sorted),
        _ => return None,
    })
}
