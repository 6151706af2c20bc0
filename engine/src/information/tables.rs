//! `information_schema.tables`, `views` and `schemata`: answered without opening a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;

use super::Listed;
use crate::context::{CATALOG, USER};

/// One row for each table and view.
pub(super) fn tables(all: &[Listed]) -> DfResult<RecordBatch> {
    let kind = |listed: &Listed| match listed.view {
        true => "VIEW",
        false => "BASE TABLE",
    };
    let insertable = |listed: &Listed| match listed.view {
        true => "NO",
        false => "YES",
    };
    let mut columns = names(all);
    columns.push(("table_type", text(all, kind), false));
    columns.push(("is_insertable_into", text(all, insertable), false));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// One row for each view; Sluice's own have no text.
pub(super) fn views(all: &[Listed]) -> DfResult<RecordBatch> {
    let views: Vec<Listed> = all.iter().filter(|listed| listed.view).cloned().collect();
    let mut columns = names(&views);
    let none = new_null_array(&DataType::Utf8, views.len());
    columns.push(("definition", Arc::clone(&none), true));
    columns.push(("view_definition", none, true));
    columns.push(("is_updatable", text(&views, |_| "NO"), false));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// One row for each schema.
pub(super) fn schemata(schemas: &[&str]) -> DfResult<RecordBatch> {
    let same = |value: &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(schemas.iter().map(|_| value)))
    };
    let none = || new_null_array(&DataType::Utf8, schemas.len());
    let name: ArrayRef = Arc::new(StringArray::from_iter_values(schemas));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("catalog_name", same(CATALOG), false),
        ("schema_name", name, false),
        ("schema_owner", same(USER), true),
        ("default_character_set_catalog", none(), true),
        ("default_character_set_schema", none(), true),
        ("default_character_set_name", same("UTF8"), true),
        ("sql_path", none(), true),
    ])?)
}

type Named = (&'static str, ArrayRef, bool);

fn names(all: &[Listed]) -> Vec<Named> {
    vec![
        ("table_catalog", text(all, |_| CATALOG), false),
        ("table_schema", text(all, |listed| listed.schema), false),
        ("table_name", text(all, |listed| &listed.name), false),
    ]
}

fn text<'a>(all: &'a [Listed], get: impl Fn(&'a Listed) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(all.iter().map(get)))
}
