//! `ucase(string)`: another name of `upper`. NULL in, NULL out. Cost: the same.

use datafusion::functions::string;
use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::renamed::renamed;

/// The function `ucase`.
#[must_use]
pub fn udf() -> ScalarUDF {
    renamed("ucase", &[], string::upper(), &DOCS)
}

const DOCS: Docs = Docs {
    description: "A text in upper case. It is `upper` by the name that ODBC and MySQL have for it.",
    syntax: "ucase(string)",
    example: r#"```sql
> SELECT ucase('Error') AS text;
+-------+
| text  |
+-------+
| ERROR |
+-------+
```"#,
    arguments: &[("string", "The text.")],
};
