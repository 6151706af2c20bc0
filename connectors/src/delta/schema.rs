//! Which Arrow types a Delta table stores, and as what: one type for each meaning, so that every
//! reader of protocol version 1 can read them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use deltalake::kernel::StructField;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use sluice_engine::error::{Error, Result};
use sluice_engine::lineage::timestamp_type;

/// The columns of a table as it stores them.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] naming the column whose name is taken,
/// [`sluice_engine::error::Kind::Unsupported`] naming the column and type that cannot be stored.
pub(super) fn canonical(schema: &Schema) -> Result<SchemaRef> {
    let mut names = BTreeSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        if !names.insert(field.name().to_lowercase()) {
            let name = field.name();
            return Err(Error::user(format!("there are two columns \"{name}\""))
                .hint("upper and lower case are the same to Delta: rename one"));
        }
        fields.push(canonical_field(field, field.name())?);
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// One column as a table stores it; `path` names it in errors.
pub(super) fn canonical_field(field: &Field, path: &str) -> Result<FieldRef> {
    let data_type = canonical_type(field.data_type(), path)?;
    Ok(Arc::new(Field::new(
        field.name(),
        data_type,
        field.is_nullable(),
    )))
}

fn canonical_type(data_type: &DataType, path: &str) -> Result<DataType> {
    use DataType as T;
    Ok(match data_type {
        T::Boolean | T::Int8 | T::Int16 | T::Int32 | T::Int64 => data_type.clone(),
        T::Float32 | T::Float64 | T::Utf8 | T::Binary | T::Date32 => data_type.clone(),
        T::UInt8 => T::Int16,
        T::UInt16 => T::Int32,
        // What counts rows is unsigned in places; a value past BIGINT fails when it is stored.
        T::UInt32 | T::UInt64 => T::Int64,
        T::Float16 => T::Float32,
        T::LargeUtf8 | T::Utf8View | T::Null => T::Utf8,
        T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Date64 => T::Date32,
        T::Timestamp(_, _) => timestamp_type(),
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale)
            if *precision <= 38 && *scale >= 0 && scale.unsigned_abs() <= *precision =>
        {
            T::Decimal128(*precision, *scale)
        }
        T::Dictionary(_, values) => canonical_type(values, path)?,
        T::RunEndEncoded(_, values) => canonical_type(values.data_type(), path)?,
        T::List(item)
        | T::LargeList(item)
        | T::ListView(item)
        | T::LargeListView(item)
        | T::FixedSizeList(item, _) => T::List(element(item, path)?),
        T::Struct(fields) => T::Struct(members(fields, path)?),
        T::Map(entries, sorted) => match entries.data_type() {
            T::Struct(fields) => {
                let entries = entries.as_ref().clone();
                let fields = members(fields, path)?;
                T::Map(Arc::new(entries.with_data_type(T::Struct(fields))), *sorted)
            }
            _ => return Err(unsupported(data_type, path)),
        },
        _ => return Err(unsupported(data_type, path)),
    })
}

fn element(item: &FieldRef, path: &str) -> Result<FieldRef> {
    let inner = canonical_type(item.data_type(), &format!("{path}.element"))?;
    Ok(Arc::new(Field::new("element", inner, item.is_nullable())))
}

fn members(fields: &Fields, path: &str) -> Result<Fields> {
    fields
        .iter()
        .map(|field| canonical_field(field, &format!("{path}.{}", field.name())))
        .collect()
}

fn unsupported(data_type: &DataType, path: &str) -> Error {
    let kind = words(data_type);
    Error::unsupported(format!(
        "column \"{path}\" is {kind}, which Delta does not store"
    ))
    .hint("cast it to VARCHAR or BIGINT")
}

/// A type in SQL's words, for messages.
pub(super) fn words(data_type: &DataType) -> String {
    let word = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BYTEA",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Timestamp(_, _) => "TIMESTAMP",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL",
        DataType::Decimal128(precision, scale) => return format!("DECIMAL({precision}, {scale})"),
        other => return other.to_string(),
    };
    word.to_owned()
}

/// A stored column in the Delta library's terms.
pub(super) fn kernel_field(field: &Field) -> Result<StructField> {
    let made: Result<StructField, _> = field.try_into_kernel();
    made.map_err(|error| {
        let name = field.name();
        Error::unsupported(format!("column \"{name}\" cannot be stored: {error}")).source(error)
    })
}

/// Checks that `declared` columns are in `table` with the type they are stored as.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] naming the first that is not.
pub(super) fn check_declared(name: &str, declared: &Schema, table: &Schema) -> Result<()> {
    for wanted in canonical(declared)?.fields() {
        let column = wanted.name();
        let Ok(there) = table.field_with_name(column) else {
            return Err(Error::user(format!(
                "table \"{name}\" is there already and has no column \"{column}\""
            ))
            .hint("leave the columns out to take those of the table"));
        };
        let there = canonical_field(there, column)?;
        if !same_type(there.data_type(), wanted.data_type()) {
            let (is, said) = (words(there.data_type()), words(wanted.data_type()));
            return Err(Error::user(format!(
                "column \"{column}\" of table \"{name}\" is {is} there and {said} here"
            )));
        }
    }
    Ok(())
}

/// Whether two canonical types hold the same values; names and nullability inside are no matter.
pub(super) fn same_type(one: &DataType, other: &DataType) -> bool {
    one.equals_datatype(other)
}

/// Checks that files written for `files` may join a table whose schema has become `table`.
///
/// # Errors
/// [`sluice_engine::error::Kind::Conflict`] naming the column that stands in the way.
pub(super) fn check_superset(name: &str, files: &Schema, table: &Schema) -> Result<()> {
    let changed = |column: &str| {
        Error::conflict(format!(
            "column \"{column}\" of table \"{name}\" was changed by somebody else"
        ))
    };
    for field in files.fields() {
        match table.field_with_name(field.name()) {
            Ok(there) if there.data_type() == field.data_type() => {}
            _ => return Err(changed(field.name())),
        }
    }
    let required = |field: &&FieldRef| !field.is_nullable();
    for field in table.fields().iter().filter(required) {
        match files.field_with_name(field.name()) {
            Ok(there) if !there.is_nullable() => {}
            _ => return Err(changed(field.name())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{IntervalUnit, TimeUnit};

    fn stored(data_type: DataType) -> Result<DataType> {
        let schema = Schema::new(vec![Field::new("c", data_type, true)]);
        Ok(canonical(&schema)?.field(0).data_type().clone())
    }

    #[test]
    fn each_meaning_has_one_type() {
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8));
        for (given, want) in [
            (DataType::Utf8View, DataType::Utf8),
            (text.clone(), DataType::Utf8),
            (DataType::UInt8, DataType::Int16),
            (DataType::UInt32, DataType::Int64),
            (DataType::BinaryView, DataType::Binary),
            (
                DataType::Timestamp(TimeUnit::Nanosecond, None),
                timestamp_type(),
            ),
            (
                DataType::Timestamp(TimeUnit::Second, Some("+02:00".into())),
                timestamp_type(),
            ),
            (DataType::Decimal256(20, 2), DataType::Decimal128(20, 2)),
        ] {
            assert_eq!(stored(given.clone()).unwrap(), want, "{given}");
        }
        let list = stored(DataType::new_large_list(text, true)).unwrap();
        let element = Arc::new(Field::new("element", DataType::Utf8, true));
        assert_eq!(list, DataType::List(element));
    }

    #[test]
    fn what_cannot_be_stored_is_named() {
        let inner = Field::new("took", DataType::Interval(IntervalUnit::MonthDayNano), true);
        let error = stored(DataType::Struct(vec![inner].into())).unwrap_err();
        assert_eq!(
            error.message(),
            "column \"c.took\" is INTERVAL, which Delta does not store"
        );
        assert!(stored(DataType::Decimal256(40, 2)).is_err());

        let one = |name| Field::new(name, DataType::Utf8, true);
        let error = canonical(&Schema::new(vec![one("Host"), one("host")])).unwrap_err();
        assert_eq!(error.message(), "there are two columns \"host\"");
    }
}
