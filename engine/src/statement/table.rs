//! Statements about tables, written.

use datafusion::sql::parser::CreateExternalTable;

use super::name::literal;

/// Writes a table's definition so that it reads back as itself, columns and options included.
#[must_use]
pub fn external_table_sql(create: &CreateExternalTable) -> String {
    let list = |items: Vec<String>| items.join(", ");
    let CreateExternalTable {
        name,
        columns,
        constraints,
        file_type,
        ..
    } = create;
    let mut parts: Vec<String> = columns.iter().map(ToString::to_string).collect();
    parts.extend(constraints.iter().map(ToString::to_string));
    let columns = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", list(parts))
    };
    let mut sql = format!("CREATE EXTERNAL TABLE {name}{columns} STORED AS {file_type}");
    if !create.table_partition_cols.is_empty() {
        // The parser keeps them as written, quotes included.
        let names = create.table_partition_cols.clone();
        sql.push_str(&format!(" PARTITIONED BY ({})", list(names)));
    }
    if !create.order_exprs.is_empty() {
        let order = |exprs: &Vec<_>| exprs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let orders = create.order_exprs.iter().flat_map(order).collect();
        sql.push_str(&format!(" WITH ORDER ({})", list(orders)));
    }
    sql.push_str(&format!(" LOCATION {}", literal(&create.location)));
    if !create.options.is_empty() {
        let pairs = create
            .options
            .iter()
            .map(|(key, value)| format!("{} {value}", literal(key)));
        sql.push_str(&format!(" OPTIONS ({})", list(pairs.collect())));
    }
    sql
}
