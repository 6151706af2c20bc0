//! `lcase(string)`: another name of `lower`. NULL in, NULL out. Cost: the same.

use datafusion::functions::string;
use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::renamed::renamed;

/// The function `lcase`.
#[must_use]
pub fn udf() -> ScalarUDF {
    renamed("lcase", &[], string::lower(), &DOCS)
}

const DOCS: Docs = Docs {
    description: "A text in lower case. It is `lower` by the name that ODBC and MySQL have for it.",
    syntax: "lcase(string)",
    example: r#"```sql
> SELECT lcase('Error') AS text;
+-------+
| text  |
+-------+
| error |
+-------+
```"#,
    arguments: &[("string", "The text.")],
};
