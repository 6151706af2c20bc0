//! `curdate()`: another name of `current_date`. NULL in, NULL out. Cost: the same.

use datafusion::functions::datetime;
use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::renamed::renamed;

/// The function `curdate`.
#[must_use]
pub fn udf() -> ScalarUDF {
    renamed("curdate", &[], datetime::current_date(), &DOCS)
}

const DOCS: Docs = Docs {
    description: "Today, as DATE. It is `current_date` by the name that ODBC and MySQL have \
for it.",
    syntax: "curdate()",
    example: r#"```sql
> SELECT curdate() = current_date() AS same;
+------+
| same |
+------+
| true |
+------+
```"#,
    arguments: &[],
};
