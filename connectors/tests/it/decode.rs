//! Decoding: what is accepted, what is rejected and why, and that neighbours never notice.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sluice_connectors::decode::{Decoder, Layout};
use sluice_engine::definition::TableDefinition;

mod cef;
mod chunk;
mod differential;
mod fuzz;
mod layout;
mod logfmt;
mod paths;
mod syslog;
mod values;

fn definition(fields: Vec<Field>, options: &[(&str, &str)]) -> TableDefinition {
    let options = options
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()));
    TableDefinition {
        name: "t".into(),
        format: "FILE".into(),
        location: "/t".into(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: Vec::new(),
        options: options.collect::<BTreeMap<_, _>>(),
    }
}

fn layout(fields: Vec<Field>, options: &[(&str, &str)]) -> Layout {
    Layout::of(&definition(fields, options)).expect("a definition that is right")
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

/// A decoder of JSON.
fn decoder(fields: Vec<Field>) -> Decoder {
    Decoder::new(&layout(fields, &[("format", "json")]))
}

/// The values of a column, as text.
fn shown(array: &ArrayRef) -> Vec<Option<String>> {
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(array, &options).expect("a type that prints");
    let value = |at| (!array.is_null(at)).then(|| text.value(at).to_string());
    (0..array.len()).map(value).collect()
}

/// The values of the first column, as text.
fn first(decoder: &mut Decoder) -> Vec<Option<String>> {
    let columns = decoder.finish().expect("columns form arrays");
    shown(columns.first().expect("a column"))
}

/// One record by a format: `column=value` of every column that is not NULL, or why it is refused.
fn read(layout: &Layout, record: &str, written_us: Option<i64>) -> Result<Vec<String>, String> {
    let mut decoder = Decoder::new(layout);
    decoder
        .append(record.as_bytes(), written_us)
        .map_err(|fault| fault.to_string())?;
    let columns = decoder.finish().expect("columns form arrays");
    let schema = layout.schema();
    let named = schema.fields().iter().zip(&columns);
    let value = |(field, array): (&Arc<Field>, &ArrayRef)| {
        let value = shown(array).remove(0)?;
        Some(format!("{}={value}", field.name()))
    };
    Ok(named.filter_map(value).collect())
}
