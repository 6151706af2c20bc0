//! Tables about what Sluice does not have: keys, constraints, privileges. Tools ask for them before
//! they show anything.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Each table with its columns; those after a `#` are numbers.
const TABLES: [(&str, &str); 8] = [
    (
        "character_sets",
        "character_set_catalog character_set_schema character_set_name character_repertoire \
         form_of_use default_collate_catalog default_collate_schema default_collate_name",
    ),
    (
        "check_constraints",
        "constraint_catalog constraint_schema constraint_name check_clause",
    ),
    (
        "constraint_column_usage",
        "table_catalog table_schema table_name column_name constraint_catalog constraint_schema \
         constraint_name",
    ),
    (
        "key_column_usage",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema \
         table_name column_name #ordinal_position #position_in_unique_constraint",
    ),
    (
        "referential_constraints",
        "constraint_catalog constraint_schema constraint_name unique_constraint_catalog \
         unique_constraint_schema unique_constraint_name match_option update_rule delete_rule",
    ),
    (
        "table_constraints",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema \
         table_name constraint_type is_deferrable initially_deferred enforced nulls_distinct",
    ),
    (
        "table_privileges",
        "grantor grantee table_catalog table_schema table_name privilege_type is_grantable \
         with_hierarchy",
    ),
    (
        "triggers",
        "trigger_catalog trigger_schema trigger_name event_manipulation event_object_catalog \
         event_object_schema event_object_table #action_order action_condition action_statement \
         action_orientation action_timing",
    ),
];

/// Their names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The columns of the table of this name.
pub(super) fn schema(name: &str) -> Option<SchemaRef> {
    let (_, columns) = TABLES.iter().find(|(known, _)| *known == name)?;
    let field = |column: &str| match column.strip_prefix('#') {
        Some(number) => Field::new(number, DataType::Int64, true),
        None => Field::new(column, DataType::Utf8, true),
    };
    let fields: Vec<Field> = columns.split_whitespace().map(field).collect();
    Some(Arc::new(Schema::new(fields)))
}
