//! `week(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in, NULL
//! out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `week`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("week", &[], ("week", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The week of the year of a point in time by ISO 8601, from 1 to 53, as \
INTEGER. The \
first week is that with the first Thursday.",
    syntax: "week(moment)",
    example: r#"```sql
> SELECT week(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 6    |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
