//! `quarter(moment)`: a part of a point in time, as ODBC, MySQL and SQL Server call it. NULL
//! in, NULL out. Cost: that of `date_part`.

use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::part::part;

/// The function `quarter`.
#[must_use]
pub fn udf() -> ScalarUDF {
    part("quarter", &[], ("quarter", 0), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The quarter of the year of a point in time, from 1 to 4, as INTEGER.",
    syntax: "quarter(moment)",
    example: r#"```sql
> SELECT quarter(TIMESTAMP '2026-02-05 13:45:59') AS part;
+------+
| part |
+------+
| 1    |
+------+
```"#,
    arguments: &[(
        "moment",
        "A timestamp, a date, or text that is cast to a timestamp.",
    )],
};
