//! `curtime()`: another name of `current_time`. NULL in, NULL out. Cost: the same.

use datafusion::functions::datetime;
use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::renamed::renamed;

/// The function `curtime`.
#[must_use]
pub fn udf() -> ScalarUDF {
    renamed("curtime", &[], datetime::current_time(), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The time of the day, as TIME. It is `current_time` by the name that ODBC \
and MySQL \
have for it.",
    syntax: "curtime()",
    example: r#"```sql
> SELECT curtime() = current_time() AS same;
+------+
| same |
+------+
| true |
+------+
```"#,
    arguments: &[],
};
