//! `year(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in, NULL
//! out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `year`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("year", &[], ("year", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The year of a point in time, as INTEGER.",
    syntax: "year(moment)",
    example: r#"```sql
> SELECT year(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 2026 |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
