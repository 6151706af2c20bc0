//! `minute(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in,
//! NULL out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `minute`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("minute", &[], ("minute", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The minute of a point in time, from 0 to 59, as INTEGER.",
    syntax: "minute(moment)",
    example: r#"```sql
> SELECT minute(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 45   |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
