//! Rows as text or bytes, batch by batch: nothing but a part of a table is ever held back.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::WriterBuilder as JsonBuilder;
use arrow::json::writer::LineDelimited;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use clap::ValueEnum;
use sluice_engine::error::{Error, Result};

/// A table is drawn when so many rows are there, and the next rows get a table of their own.
const TABLE_ROWS: usize = 10_000;
/// The same for bytes, where rows are large.
const TABLE_BYTES: usize = 64 << 20;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns between lines, for reading
    Table,
    /// Comma-separated values under a header; nested values as JSON
    Csv,
    /// One JSON object a line, every column in it, nulls too
    Json,
    /// An Arrow IPC stream for each statement
    Arrow,
}

/// Writes the rows of one statement.
pub(crate) struct Encoder {
    schema: SchemaRef,
    kind: Kind,
}

enum Kind {
    Table { held: Vec<RecordBatch>, drawn: bool },
    Csv { header: bool },
    Json,
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Encoder {
    /// An encoder of rows with the columns of `schema`.
    ///
    /// # Errors
    /// When the format cannot hold such columns.
    pub(crate) fn new(format: Format, schema: &SchemaRef) -> Result<Self> {
        let kind = match format {
            Format::Table => Kind::Table {
                held: Vec::new(),
                drawn: false,
            },
            Format::Csv => Kind::Csv { header: true },
            Format::Json => Kind::Json,
            Format::Arrow => {
                let writer = StreamWriter::try_new(Vec::new(), schema).map_err(unwritable)?;
                Kind::Arrow(Box::new(writer))
            }
        };
        let schema = if format == Format::Json {
            distinct(schema)
        } else {
            Arc::clone(schema)
        };
        Ok(Self { schema, kind })
    }

    /// What to write for `batch`; may be nothing yet.
    ///
    /// # Errors
    /// When the format cannot hold a value.
    pub(crate) fn encode(&mut self, batch: RecordBatch) -> Result<Vec<u8>> {
        match &mut self.kind {
            Kind::Table { held, drawn } => {
                held.push(batch);
                let rows: usize = held.iter().map(RecordBatch::num_rows).sum();
                let bytes: usize = held.iter().map(RecordBatch::get_array_memory_size).sum();
                if rows < TABLE_ROWS && bytes < TABLE_BYTES {
                    return Ok(Vec::new());
                }
                *drawn = true;
                draw(&std::mem::take(held))
            }
            Kind::Csv { header } => csv(&batch, std::mem::take(header)),
            Kind::Json => {
                let columns = batch.columns().to_vec();
                let named = RecordBatch::try_new(Arc::clone(&self.schema), columns);
                json(&named.map_err(unwritable)?)
            }
            Kind::Arrow(writer) => {
                writer.write(&batch).map_err(unwritable)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    /// What to write after the last batch.
    ///
    /// # Errors
    /// When the format cannot hold a value.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        match self.kind {
            Kind::Table { held, drawn: true } if held.is_empty() => Ok(Vec::new()),
            Kind::Table { mut held, .. } => {
                if held.is_empty() {
                    held.push(RecordBatch::new_empty(self.schema));
                }
                draw(&held)
            }
            Kind::Csv { header: true } => csv(&RecordBatch::new_empty(self.schema), true),
            Kind::Csv { header: false } | Kind::Json => Ok(Vec::new()),
            Kind::Arrow(mut writer) => {
                writer.finish().map_err(unwritable)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}

fn draw(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_display_error(true);
    let table = pretty_format_batches_with_options(batches, &options).map_err(unwritable)?;
    Ok(format!("{table}\n").into_bytes())
}

fn csv(batch: &RecordBatch, header: bool) -> Result<Vec<u8>> {
    let mut writer = CsvBuilder::new().with_header(header).build(Vec::new());
    writer.write(&flat(batch)?).map_err(unwritable)?;
    Ok(writer.into_inner())
}

fn json(batch: &RecordBatch) -> Result<Vec<u8>> {
    let builder = JsonBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(batch).map_err(unwritable)?;
    writer.finish().map_err(unwritable)?;
    Ok(writer.into_inner())
}

/// `batch` with nested values as JSON text, which is how a format without nesting can hold them.
fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if !field.data_type().is_nested() {
                return Ok((Arc::clone(field), Arc::clone(column)));
            }
            let field: FieldRef = Arc::new(Field::new(field.name(), DataType::Utf8, true));
            Ok((field, json_text(column)?))
        });
    let columns: Vec<(FieldRef, ArrayRef)> = columns.collect::<Result<_>>()?;
    let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(unwritable)
}

/// Each value of `column` as JSON text.
fn json_text(column: &ArrayRef) -> Result<ArrayRef> {
    let batch = RecordBatch::try_from_iter_with_nullable([("v", Arc::clone(column), true)]);
    let lines = json(&batch.map_err(unwritable)?)?;
    let text = std::str::from_utf8(&lines)
        .map_err(|error| Error::internal("JSON text is not UTF-8").source(error))?;
    let value = |line: &str| -> Option<String> {
        let value = line.strip_prefix("{\"v\":")?.strip_suffix('}')?;
        (value != "null").then(|| value.to_owned())
    };
    Ok(Arc::new(text.lines().map(value).collect::<StringArray>()))
}

/// `schema` with a number after each name that was there before: an object holds a name once.
fn distinct(schema: &SchemaRef) -> SchemaRef {
    let mut taken: Vec<String> = Vec::new();
    for field in schema.fields() {
        let names = std::iter::once(field.name().clone())
            .chain((1..).map(|number: u64| format!("{}_{number}", field.name())));
        taken.extend(names.into_iter().find(|name| !taken.contains(name)));
    }
    let fields = schema.fields().iter().zip(taken);
    let fields: Fields = fields
        .map(|(field, name)| field.as_ref().clone().with_name(name))
        .collect();
    Arc::new(Schema::new(fields))
}

fn unwritable(error: ArrowError) -> Error {
    Error::unsupported(format!("cannot write the rows in this format: {error}"))
        .hint("cast the column to a plain type, or choose another --format")
        .source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, ListArray};
    use arrow::datatypes::Int64Type;

    fn batch() -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let rows = [Some(vec![Some(1), None]), None];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows));
        RecordBatch::try_from_iter([("a", numbers), ("b", lists)]).unwrap()
    }

    fn written(format: Format, batches: &[RecordBatch]) -> String {
        let mut encoder = Encoder::new(format, &batch().schema()).unwrap();
        let mut bytes = Vec::new();
        for batch in batches {
            bytes.extend(encoder.encode(batch.clone()).unwrap());
        }
        bytes.extend(encoder.finish().unwrap());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_format_writes_nulls_and_nested_values() {
        let rows = [batch()];
        assert_eq!(written(Format::Csv, &rows), "a,b\n1,\"[1,null]\"\n,\n");
        let json = "{\"a\":1,\"b\":[1,null]}\n{\"a\":null,\"b\":null}\n";
        assert_eq!(written(Format::Json, &rows), json);
        let table = written(Format::Table, &rows);
        assert!(
            table.contains("| 1    | [1, NULL] |\n| NULL | NULL      |\n"),
            "{table}"
        );
    }

    #[test]
    fn without_rows_only_the_columns_are_written() {
        assert_eq!(written(Format::Csv, &[]), "a,b\n");
        assert_eq!(written(Format::Json, &[]), "");
        assert_eq!(
            written(Format::Table, &[]),
            "+---+---+\n| a | b |\n+---+---+\n+---+---+\n"
        );
    }

    #[test]
    fn a_header_is_written_once_and_long_tables_in_parts() {
        let rows = vec![batch(); TABLE_ROWS];
        assert_eq!(written(Format::Csv, &rows).matches("a,b").count(), 1);
        assert_eq!(written(Format::Table, &rows).matches("| a ").count(), 2);
    }

    #[test]
    fn a_json_object_names_every_column_once() {
        let names = ["id", "id", "id_1", "id"].map(|name| Field::new(name, DataType::Int64, true));
        let distinct = distinct(&Arc::new(Schema::new(names.to_vec())));
        let names: Vec<_> = distinct
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(names, ["id", "id_1", "id_1_1", "id_2"]);
    }
}
