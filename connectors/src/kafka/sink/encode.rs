//! Rows to records: a JSON object of the columns, or the one text column; key and headers beside.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, StructArray};
use arrow::datatypes::{Field, Fields};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::record_batch::RecordBatch;
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::value::RawValue;
use sluice_engine::error::{Error, Result};
use sluice_engine::insert::EXTRA;
use sluice_engine::lineage;
use std::sync::Arc;

/// How rows become the values of records.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// An object with every column, NULL as null, and the keys of `_extra`.
    Json { columns: Vec<String> },
    /// The bytes of one column; NULL is a record without a value.
    Raw { column: String },
}

/// One row as a record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Option<OwnedHeaders>,
}

impl Form {
    pub(super) fn json(fields: &Fields) -> Self {
        let names = fields.iter().map(|field| field.name().clone());
        let columns = names.filter(|name| !is_beside(name)).collect();
        Self::Json { columns }
    }

    pub(super) fn raw(fields: &Fields) -> Result<Self> {
        let mut columns = fields.iter().map(|field| field.name());
        let column = columns.find(|name| !is_beside(name)).cloned();
        let column = column.ok_or_else(|| Error::internal("a raw stream has no column"))?;
        Ok(Self::Raw { column })
    }

    /// Gives every row of `rows` to `put`, in order.
    ///
    /// # Errors
    /// Those of `put`, and when a row cannot be a record.
    pub(super) fn each(
        &self,
        rows: &RecordBatch,
        put: impl FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Json { columns } => each_object(rows, columns, put),
            Self::Raw { column } => each_text(rows, column, put),
        }
    }
}

fn is_beside(name: &str) -> bool {
    [EXTRA, lineage::KEY, lineage::HEADERS].contains(&name)
}

fn each_text(
    rows: &RecordBatch,
    column: &str,
    mut put: impl FnMut(&Record<'_>) -> Result<()>,
) -> Result<()> {
    let beside = Beside::of(rows);
    let text = rows.column_by_name(column);
    let text = text.and_then(|text| text.as_string_opt::<i32>());
    let text = text.ok_or_else(|| Error::internal("a raw row came without its text"))?;
    for at in 0..rows.num_rows() {
        let value = text.is_valid(at).then(|| text.value(at).as_bytes());
        put(&beside.record(at, value)?)?;
    }
    Ok(())
}

fn each_object(
    rows: &RecordBatch,
    columns: &[String],
    mut put: impl FnMut(&Record<'_>) -> Result<()>,
) -> Result<()> {
    let beside = Beside::of(rows);
    let schema = rows.schema();
    let pick = |name: &String| -> Option<(Arc<Field>, ArrayRef)> {
        let (at, field) = schema.column_with_name(name)?;
        Some((Arc::new(field.clone()), Arc::clone(rows.column(at))))
    };
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.iter().filter_map(pick).unzip();
    let objects = StructArray::try_new_with_length(fields.into(), arrays, None, rows.num_rows());
    let objects = objects.map_err(|error| unwritable(&error))?;
    let field = Arc::new(Field::new("record", objects.data_type().clone(), false));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder =
        make_encoder(&field, &objects, &options).map_err(|error| unwritable(&error))?;
    let extra = rows.column_by_name(EXTRA);
    let extra = extra.and_then(|extra| extra.as_string_opt::<i32>());
    let mut value = Vec::new();
    for at in 0..rows.num_rows() {
        value.clear();
        encoder.encode(at, &mut value);
        if let Some(extra) = extra.filter(|extra| extra.is_valid(at)) {
            merge(&mut value, extra.value(at), columns)?;
        }
        put(&beside.record(at, Some(&value))?)?;
    }
    Ok(())
}

fn unwritable(error: &ArrowError) -> Error {
    Error::user(format!("rows cannot be written as JSON: {error}"))
}

/// Adds the keys of the object `extra` to `value`, their values byte for byte.
fn merge(value: &mut Vec<u8>, extra: &str, columns: &[String]) -> Result<()> {
    let keys: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(extra).map_err(|error| {
        Error::user(format!(
            "the \"{EXTRA}\" of a row is no JSON object: {error}"
        ))
        .hint(format!(
            "leave \"{EXTRA}\" out of the query, or make it an object"
        ))
    })?;
    if let Some(twice) = columns.iter().find(|name| keys.contains_key(name.as_str())) {
        return Err(Error::user(format!(
            "the \"{EXTRA}\" of a row has the key \"{twice}\", which is a column"
        ))
        .hint(format!(
            "leave \"{EXTRA}\" out of the query, or take the key out of it"
        )));
    }
    for (key, raw) in keys {
        // The object ends in a brace, before which the next key goes.
        value.pop();
        if value.len() > 1 {
            value.push(b',');
        }
        value.extend_from_slice(serde_json::Value::from(key).to_string().as_bytes());
        value.push(b':');
        value.extend_from_slice(raw.get().as_bytes());
        value.push(b'}');
    }
    Ok(())
}

/// What a record has beside its value.
struct Beside<'a> {
    keys: Option<&'a BinaryArray>,
    headers: Option<&'a ListArray>,
}

impl<'a> Beside<'a> {
    fn of(rows: &'a RecordBatch) -> Self {
        let keys = rows.column_by_name(lineage::KEY);
        let headers = rows.column_by_name(lineage::HEADERS);
        Self {
            keys: keys.and_then(|keys| keys.as_binary_opt::<i32>()),
            headers: headers.and_then(|headers| headers.as_list_opt::<i32>()),
        }
    }

    fn record<'v>(&'v self, at: usize, value: Option<&'v [u8]>) -> Result<Record<'v>> {
        let key = self.keys.filter(|keys| keys.is_valid(at));
        let headers = self.headers.filter(|headers| headers.is_valid(at));
        Ok(Record {
            key: key.map(|keys| keys.value(at)),
            value,
            headers: headers.map(|lists| list(lists, at)).transpose()?.flatten(),
        })
    }
}

/// The headers of one row; `None` where the list is empty.
fn list(lists: &ListArray, at: usize) -> Result<Option<OwnedHeaders>> {
    let entries = lists.value(at);
    let wrong = || Error::internal("headers came in another form");
    let entries = entries.as_struct_opt().ok_or_else(wrong)?;
    let column = |name: &str| entries.column_by_name(name).ok_or_else(wrong);
    let keys = column("key")?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let values = column("value")?.as_binary_opt::<i32>().ok_or_else(wrong)?;
    if entries.is_empty() {
        return Ok(None);
    }
    let mut headers = OwnedHeaders::new_with_capacity(entries.len());
    for at in 0..entries.len() {
        if entries.is_null(at) || keys.is_null(at) {
            return Err(Error::user(format!(
                "an entry of the \"{}\" of a row has no key",
                lineage::HEADERS
            ))
            .hint("give every header a key; its value may be NULL"));
        }
        let value = values.is_valid(at).then(|| values.value(at));
        headers = headers.insert(Header {
            key: keys.value(at),
            value,
        });
    }
    Ok(Some(headers))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn written(form: &Form, rows: &RecordBatch) -> Result<Vec<Option<String>>> {
        let mut all = Vec::new();
        form.each(rows, |record| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            all.push(record.value.map(text));
            Ok(())
        })?;
        Ok(all)
    }

    fn rows(extra: &str) -> RecordBatch {
        let time = TimestampMicrosecondArray::from(vec![1_770_286_830_123_000]);
        RecordBatch::try_from_iter_with_nullable([
            (
                "n",
                Arc::new(Int64Array::from(vec![None])) as ArrayRef,
                true,
            ),
            ("t", Arc::new(time.with_timezone("UTC")), true),
            ("s", Arc::new(StringArray::from(vec!["a\"\n"])), true),
            (EXTRA, Arc::new(StringArray::from(vec![extra])), true),
        ])
        .unwrap()
    }

    #[test]
    fn objects_have_every_column_and_the_keys_beside_them() {
        let empty = rows("{}");
        let form = Form::json(empty.schema().fields());
        let plain = r#"{"n":null,"t":"2026-02-05T10:20:30.123Z","s":"a\"\n"}"#;
        assert_eq!(written(&form, &empty).unwrap(), [Some(plain.to_owned())]);
        let more = rows(r#" {"x y":[1, 2.50], "\u00e9":{"n":1}} "#);
        let want =
            r#"{"n":null,"t":"2026-02-05T10:20:30.123Z","s":"a\"\n","x y":[1, 2.50],"é":{"n":1}}"#;
        assert_eq!(written(&form, &more).unwrap(), [Some(want.to_owned())]);
        for wrong in ["[1]", "", r#"{"n":1}"#] {
            let error = written(&form, &rows(wrong)).unwrap_err();
            assert!(error.hint_text().is_some(), "{error}");
        }
    }

    #[test]
    fn a_raw_record_is_its_text() {
        let texts = Arc::new(StringArray::from(vec![Some("a\nb"), None, Some("")]));
        let rows = RecordBatch::try_from_iter([("value", texts as ArrayRef)]).unwrap();
        let form = Form::raw(rows.schema().fields()).unwrap();
        let want = [Some("a\nb".to_owned()), None, Some(String::new())];
        assert_eq!(written(&form, &rows).unwrap(), want);
    }
}
