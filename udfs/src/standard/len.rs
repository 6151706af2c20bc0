//! `len(string)`: another name of `character_length`. NULL in, NULL out. Cost: the same.

use datafusion::functions::unicode;
use datafusion::logical_expr::ScalarUDF;

use super::docs::Docs;
use super::renamed::renamed;

/// The function `len`.
#[must_use]
pub fn udf() -> ScalarUDF {
    renamed("len", &[], unicode::character_length(), &DOCS)
}

const DOCS: Docs = Docs {
    description: "The number of characters of a text, those at its end included. It is \
`length` by the \
name that SQL Server has for it.",
    syntax: "len(string)",
    example: r#"```sql
> SELECT len('café') AS letters;
+---------+
| letters |
+---------+
| 4       |
+---------+
```"#,
    arguments: &[("string", "The text.")],
};
