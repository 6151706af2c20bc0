//! `month(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in, NULL
//! out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `month`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("month", &[], ("month", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The month of a point in time, from 1 to 12, as INTEGER.",
    syntax: "month(moment)",
    example: r#"```sql
> SELECT month(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 2    |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
