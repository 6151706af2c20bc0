//! `day(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in, NULL
//! out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `day`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("day", &["dayofmonth"], ("day", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The day of the month of a point in time, from 1 to 31, as INTEGER.",
    syntax: "day(moment)",
    example: r#"```sql
> SELECT day(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 5    |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
