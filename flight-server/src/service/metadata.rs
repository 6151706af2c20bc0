//! What is there: catalogs, schemas, tables and their types, as metadata commands ask for it. The
//! schemas of these answers are laid down by Flight SQL, null or not null included.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::metadata::{
    GetCatalogsBuilder, SqlInfoDataBuilder, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{Command, CommandGetDbSchemas, CommandGetTables};
use datafusion::common::TableReference;
use sluice_engine::context::{CATALOG, PUBLIC, SYSTEM};
use sluice_engine::error::Error;
use sluice_engine::session::{Session, TableInfo};

use super::info::unbuilt;
use super::{Call, keys, sql_info, type_info};
use crate::schema::{Origin, described};
use crate::status::Result;

/// The schema that describes the others; the catalog has it without listing it.
const INFORMATION: &str = "information_schema";
/// Its views.
const INFORMATION_VIEWS: [&str; 7] = [
    "columns",
    "df_settings",
    "parameters",
    "routines",
    "schemata",
    "tables",
    "views",
];

const TABLE: &str = "TABLE";
const BASE_TABLE: &str = "BASE TABLE";
const VIEW: &str = "VIEW";

/// The columns of the answer to `command`; `None` when it is no metadata command.
pub(super) fn schema(command: &Command) -> Option<SchemaRef> {
    Some(match command {
        Command::CommandGetCatalogs(_) => GetCatalogsBuilder::new().schema(),
        Command::CommandGetDbSchemas(query) => query.clone().into_builder().schema(),
        Command::CommandGetTables(query) => query.clone().into_builder().schema(),
        Command::CommandGetTableTypes(_) => table_types(),
        Command::CommandGetSqlInfo(_) => Arc::new(SqlInfoDataBuilder::schema().clone()),
        Command::CommandGetXdbcTypeInfo(_) => XdbcTypeInfoDataBuilder::new().schema(),
        Command::CommandGetPrimaryKeys(_) => keys::primary(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => keys::foreign(),
        _ => return None,
    })
}

/// The answer to `command`; `None` when it is no metadata command.
///
/// # Errors
/// When tables cannot be listed or a pattern is wrong.
pub(super) async fn batch(call: &Call, command: &Command) -> Result<Option<RecordBatch>> {
    let session = &call.session;
    Ok(Some(match command {
        Command::CommandGetCatalogs(_) => {
            let mut builder = GetCatalogsBuilder::new();
            builder.append(CATALOG);
            builder.build().map_err(unbuilt)?
        }
        Command::CommandGetDbSchemas(query) => schemas(query.clone())?,
        Command::CommandGetTables(query) => tables(call, query.clone()).await?,
        Command::CommandGetTableTypes(_) => {
            let types: ArrayRef = Arc::new(StringArray::from(vec![TABLE, VIEW]));
            RecordBatch::try_new(table_types(), vec![types])?
        }
        Command::CommandGetSqlInfo(query) => sql_info::batch(session, &query.info)?,
        Command::CommandGetXdbcTypeInfo(query) => type_info::batch(query.data_type)?,
        other => return Ok(schema(other).map(RecordBatch::new_empty)),
    }))
}

fn table_types() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "table_type",
        DataType::Utf8,
        false,
    )]))
}

fn schemas(query: CommandGetDbSchemas) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    for schema in [INFORMATION, PUBLIC, SYSTEM] {
        builder.append(CATALOG, schema);
    }
    Ok(builder.build().map_err(unbuilt)?)
}

async fn tables(call: &Call, mut query: CommandGetTables) -> Result<RecordBatch> {
    let session = &call.session;
    let wanted = std::mem::take(&mut query.table_types);
    let mut all = session.tables().await?;
    all.extend(information_views(session, query.include_schema).await?);
    let mut builder = query.into_builder();
    for table in all {
        if let Some(label) = label(table.kind, &wanted) {
            let origin = Origin {
                catalog: &table.catalog,
                schema: &table.schema,
                table: &table.name,
                writable: table.kind == TABLE,
            };
            let columns = described(&table.columns, origin, call.profile);
            builder
                .append(&table.catalog, &table.schema, &table.name, label, &columns)
                .map_err(unbuilt)?;
        }
    }
    Ok(builder.build().map_err(unbuilt)?)
}

/// How a relation of `kind` is labelled for a client that wants these types; `None` to leave it
/// out. Clients have several words for a plain table and look for the one they sent.
fn label<'a>(kind: &'a str, wanted: &'a [String]) -> Option<&'a str> {
    let fits = |word: &str| match kind {
        TABLE => word.eq_ignore_ascii_case(TABLE) || word.eq_ignore_ascii_case(BASE_TABLE),
        _ => word.eq_ignore_ascii_case(kind),
    };
    if wanted.is_empty() {
        return Some(kind);
    }
    wanted.iter().find(|word| fits(word)).map(String::as_str)
}

async fn information_views(session: &Session, columns: bool) -> Result<Vec<TableInfo>> {
    let mut views = Vec::new();
    for name in INFORMATION_VIEWS {
        let columns = if columns {
            let reference = TableReference::full(CATALOG, INFORMATION, name);
            let view = session
                .context()
                .table_provider(reference)
                .await
                .map_err(Error::from)?;
            view.schema()
        } else {
            Arc::new(Schema::empty())
        };
        views.push(TableInfo {
            catalog: CATALOG.to_owned(),
            schema: INFORMATION.to_owned(),
            name: name.to_owned(),
            kind: VIEW,
            columns,
        });
    }
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_filters_mean_the_same_in_every_spelling() {
        let rows: [(&str, &[&str], Option<&str>); 8] = [
            (TABLE, &[], Some("TABLE")),
            (TABLE, &["TABLE"], Some("TABLE")),
            (TABLE, &["BASE TABLE", "table"], Some("BASE TABLE")),
            (TABLE, &["VIEW", "table"], Some("table")),
            (TABLE, &["VIEW"], None),
            (VIEW, &["view"], Some("view")),
            (VIEW, &["TABLE"], None),
            (VIEW, &[], Some("VIEW")),
        ];
        for (kind, wanted, want) in rows {
            let wanted: Vec<String> = wanted.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(label(kind, &wanted), want, "{kind} {wanted:?}");
        }
    }
}
