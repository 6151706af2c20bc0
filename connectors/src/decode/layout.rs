//! What a definition declares of its records: how they are encoded and which columns they become.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::lineage;

use super::natural;
use super::options::{Encoding, Options, Unknown};
use super::path::Keys;

/// The column that collects the keys a record has and the stream does not, as a JSON object.
const EXTRA: &str = "_extra";

/// The encoding and columns of a stream.
#[derive(Debug, Clone)]
pub struct Layout {
    options: Options,
    /// The decoded columns, `_extra` included.
    fields: Fields,
    extra: Option<usize>,
    keys: Arc<Keys>,
    keyed: bool,
    schema: SchemaRef,
}

impl Layout {
    /// Reads the options [`super::OPTIONS`] and the declared columns. Without columns and format a
    /// stream is raw and has the column `value`.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] for an unknown format, a column type that records
    /// cannot become, a lineage column, a path without its column, or columns that do not fit the
    /// format.
    pub fn of(definition: &TableDefinition) -> Result<Self> {
        let name = &definition.name;
        let options = Options::of(definition)?;
        let mut fields = decoded(name, definition.schema.fields(), &options)?;
        let of_extra = |fields: &[FieldRef]| fields.iter().position(|field| field.name() == EXTRA);
        let strict = options.unknown == Some(Unknown::Strict);
        match of_extra(&fields) {
            Some(_) if strict => {
                let message = format!("table \"{name}\" is strict and declares \"{EXTRA}\"");
                return Err(Error::user(message)
                    .hint("leave the column out: a record with an unknown key is a dead letter"));
            }
            None if !strict && options.encoding != Encoding::Raw => {
                fields.push(Arc::new(Field::new(EXTRA, DataType::Utf8, true)));
            }
            _ => {}
        }
        let extra = of_extra(&fields).filter(|_| options.encoding != Encoding::Raw);
        let fields = Fields::from(fields);
        check_paths(name, &options, &fields)?;
        let all = fields.iter().cloned().chain(lineage::fields());
        let schema = Arc::new(Schema::new(all.collect::<Fields>()));
        Ok(Self {
            keys: Arc::new(Keys::new(&fields, &options.paths, extra)),
            options,
            fields,
            extra,
            keyed: false,
            schema,
        })
    }

    /// The same for a stream whose records have keys and headers: they are columns after the
    /// lineage.
    #[must_use]
    pub fn keyed(mut self) -> Self {
        if !self.keyed {
            let fields = self.schema.fields().iter().cloned();
            let all = fields.chain(lineage::record_fields());
            self.schema = Arc::new(Schema::new(all.collect::<Fields>()));
            self.keyed = true;
        }
        self
    }

    /// The decoded columns, `_extra` where the stream has it, the columns of lineage, and those of
    /// keyed records.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What decides how records are decoded, as the options say it.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.options.settings()
    }

    /// How records are encoded.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.options.encoding
    }

    /// Whether pipelines make columns of unknown keys.
    #[must_use]
    pub fn evolves(&self) -> bool {
        self.options.unknown == Some(Unknown::Evolve)
    }

    /// The size of the largest record that is decoded.
    #[must_use]
    pub fn max_record_bytes(&self) -> usize {
        self.options.max_record_bytes
    }

    /// Whether records have keys and headers.
    pub(super) fn is_keyed(&self) -> bool {
        self.keyed
    }

    /// The decoded columns.
    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The decoded column that holds unknown keys; they are refused when there is none.
    pub(super) fn extra(&self) -> Option<usize> {
        self.extra
    }

    /// Which key is which decoded column.
    pub(super) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }
}

fn decoded(table: &str, declared: &Fields, options: &Options) -> Result<Vec<FieldRef>> {
    let format = options.encoding;
    match (format, declared.as_ref()) {
        (Encoding::Raw, [field]) if is_text(field.data_type()) => Ok(vec![column(table, field)?]),
        (Encoding::Raw, [_, ..]) => {
            let message = format!("table \"{table}\" has the format \"raw\" and other columns");
            Err(Error::user(message).hint("declare no columns, or one of type VARCHAR"))
        }
        (Encoding::Json | Encoding::Logfmt, [])
            if matches!(options.unknown, None | Some(Unknown::Strict)) =>
        {
            let name = if format == Encoding::Json {
                "json"
            } else {
                "logfmt"
            };
            let message = format!("table \"{table}\" has the format \"{name}\" and no columns");
            Err(Error::user(message).hint(
                "declare the columns to read, or give the option 'schema' 'extra' to have all \
                 keys in \"_extra\"",
            ))
        }
        (_, []) => Ok(natural::columns(format).iter().cloned().collect()),
        (_, declared) => declared.iter().map(|field| column(table, field)).collect(),
    }
}

/// Refuses a path to a column that there is not.
fn check_paths(table: &str, options: &Options, fields: &Fields) -> Result<()> {
    let is = |column: &str| column != EXTRA && fields.iter().any(|field| field.name() == column);
    let Some(wrong) = options.paths.keys().find(|column| !is(column)) else {
        return Ok(());
    };
    let names: Vec<String> = fields
        .iter()
        .filter(|field| field.name() != EXTRA)
        .map(|field| format!("\"{}\"", field.name()))
        .collect();
    let message = format!("table \"{table}\" has the option \"column.{wrong}\" and no such column");
    Err(Error::user(message).hint(match names.as_slice() {
        [] => "declare the column".to_owned(),
        _ => format!("columns with a path can be {}", names.join(", ")),
    }))
}

/// The column as it is decoded, or why it cannot be.
fn column(table: &str, field: &FieldRef) -> Result<FieldRef> {
    let name = field.name();
    if lineage::is_lineage(name) || [lineage::KEY, lineage::HEADERS].contains(&name.as_str()) {
        let message =
            format!("table \"{table}\" declares \"{name}\", which streams have themselves");
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
