//! `second(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL in,
//! NULL out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `second`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("second", &[], ("second", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The second of a point in time, from 0 to 59, as INTEGER.",
    syntax: "second(moment)",
    example: r#"```sql
> SELECT second(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 59   |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
