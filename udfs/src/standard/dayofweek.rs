//! `dayofweek(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL
//! in, NULL out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `dayofweek`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("dayofweek", &[], ("dow", 1), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The day of the week of a point in time as ODBC counts it: from 1 for Sunday \
to 7 for \
Saturday, as INTEGER. `date_part('dow', moment)` counts from 0.",
    syntax: "dayofweek(moment)",
    example: r#"```sql
> SELECT dayofweek(TIMESTAMP '2026-02-05 13:45:59') AS part;
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
