//! Keys. Tables of logs have none, which tools learn from answers without rows: an error instead
//! would show in a dialog for each table they open.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The columns of an answer about primary keys.
pub(super) fn primary() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("catalog_name").with_nullable(true),
        text("db_schema_name").with_nullable(true),
        text("table_name"),
        text("column_name"),
        text("key_name").with_nullable(true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// The columns of an answer about foreign keys, seen from either side or both.
pub(super) fn foreign() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("pk_catalog_name").with_nullable(true),
        text("pk_db_schema_name").with_nullable(true),
        text("pk_table_name"),
        text("pk_column_name"),
        text("fk_catalog_name").with_nullable(true),
        text("fk_db_schema_name").with_nullable(true),
        text("fk_table_name"),
        text("fk_column_name"),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name").with_nullable(true),
        text("pk_key_name").with_nullable(true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}
