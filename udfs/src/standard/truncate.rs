//! `truncate(number [, decimals])`: another name of `trunc`. NULL in, NULL out. Cost: the same.

use datafusion::functions::math;
use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::renamed::renamed;

/// The function `truncate`.
#[must_use]
pub fn udf() -> ScalarUDF {
    renamed("truncate", &[], math::trunc(), &DOCS)
}

const DOCS: Docs = Docs {
    description: "A number cut off after some decimals, towards zero. It is `trunc` by the \
name that \
ODBC and MySQL have for it.",
    syntax: "truncate(number [, decimals])",
    example: r#"```sql
> SELECT truncate(2.789, 1) AS cut;
+-----+
| cut |
+-----+
| 2.7 |
+-----+
```"#,
    arguments: &[
        ("number", "The number."),
        ("decimals", "How many decimals stay; 0 if none is given."),
    ],
};
