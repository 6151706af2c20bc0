//! `hour(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in, NULL
//! out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `hour`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("hour", &[], ("hour", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The hour of a point in time, from 0 to 23, as INTEGER.",
    syntax: "hour(moment)",
    example: r#"```sql
> SELECT hour(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 13   |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
