//! `grok(text, pattern [, pattern ...] [, definitions])` reads text by patterns of named pieces,
//! such as `%{IP:client} %{NUMBER:bytes:int}`. The patterns are literals, so that the struct they
//! give is known when the query is planned. NULL gives NULL; text that no pattern fits gives a
//! struct of NULLs that says so in `parse_error`. Cost: linear in the text; patterns whose pieces
//! are told apart by what stands between them are read without a regex engine.

pub(crate) mod library;

mod expand;

mod bytes;
mod plan;

mod compile;

mod matcher;

mod parser;

#[cfg(test)]
mod tests;

use std::any::Any;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::args;
use crate::parse::structs::parse_text;
use parser::{Grok, Spoken};

/// The arguments by name, in order. Further patterns follow by position.
const PARAMETERS: [&str; 3] = ["text", "pattern", "definitions"];

/// The function `grok`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(GrokFunction::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Reads text by patterns of named pieces into a struct with a field for each \
name. A piece is `%{PATTERN}`, `%{PATTERN:field}`, `%{PATTERN:field:type}` or, defined where \
it stands, `%{PATTERN:field=regex}`; between the pieces stands a regular expression, in \
which `(?<field>...)` is a field too. Types are `int` and `long` (BIGINT), `float` and \
`double` (DOUBLE), `bool` (BOOLEAN) and `string`, the default. `[a][b]` names the field \
`a.b`. The patterns are those of logstash-patterns-core with the names of the Elastic Common \
Schema; look-around and references back are not supported. Several patterns are tried in \
order, and the struct has the fields of all of them. Where none fits, all fields are NULL \
and `parse_error` says so; a value that is not of its type is NULL, and `parse_error` names \
it. NULL gives NULL.",
    syntax_example = "grok(text, pattern [, pattern ...] [, definitions])",
    sql_example = r#"```sql
> SELECT g['client'] AS client, g['bytes'] AS bytes, g['parse_error'] AS parse_error
  FROM (SELECT grok(line, '%{IP:client} %{WORD:method} %{NUMBER:bytes:int}') AS g
    FROM (VALUES ('10.0.0.7 GET 5120'), ('hello')) AS logs(line));
+----------+-------+-----------------+
| client   | bytes | parse_error     |
+----------+-------+-----------------+
| 10.0.0.7 | 5120  |                 |
|          |       | no pattern fits |
+----------+-------+-----------------+
> SELECT grok('took 12.5 ms', '%{NUMBER:s:float} s$', '%{NUMBER:ms:float} ms$')['ms'] AS ms;
+------+
| ms   |
+------+
| 12.5 |
+------+
> SELECT grok('order A-17 sent', 'order %{ORDER:id=[A-Z]-[0-9]+} %{WORD:state}') AS g;
+----------------------------------------+
| g                                      |
+----------------------------------------+
| {id: A-17, state: sent, parse_error: } |
+----------------------------------------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(
        name = "pattern",
        description = "A pattern, as a literal; further ones follow, or one `ARRAY['...', '...']` \
holds all. A pattern fits anywhere in the text unless it begins with `^`."
    ),
    argument(
        name = "definitions",
        description = "Patterns of your own, as a literal list: \
`definitions => ARRAY['NAME regex', 'OTHER %{NAME}-[0-9]+']`. They come before the standard ones."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct GrokFunction {
    signature: Signature,
}

impl GrokFunction {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for GrokFunction {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "grok"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some((text, options)) = given.split_first() else {
            return plan_err!("grok needs a text and a pattern: {SYNTAX}");
        };
        if options.is_empty() {
            return plan_err!("grok needs a pattern: {SYNTAX}");
        }
        let mut types = vec![args::text_type(self.name(), text)?];
        for option in options {
            types.push(args::option_type(self.name(), "pattern", option)?);
        }
        Ok(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of grok depends on its patterns")
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let options = given.scalar_arguments.iter().skip(1).copied();
        let grok = Grok::get(&spoken(options)?)?;
        let kind = DataType::Struct(grok.fields().clone());
        Ok(Field::new(self.name(), kind, true).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((text, options)) = given.args.split_first() else {
            return exec_err!("grok needs a text and a pattern");
        };
        let options = options.iter().map(|option| match option {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        });
        let grok = Grok::get(&spoken(options)?)?;
        parse_text(text, grok.fields(), &mut grok.rows())
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

const SYNTAX: &str = "grok(text, pattern [, pattern ...] [, definitions])";

/// The literal options. A list is the patterns where it stands first, and the definitions behind.
fn spoken<'a>(options: impl Iterator<Item = Option<&'a ScalarValue>>) -> Result<Spoken> {
    let mut spoken = Spoken::default();
    for (at, option) in options.enumerate() {
        let Some(option) = option else {
            return plan_err!(
                "the patterns of grok are literals, which decide the type of its answer; write \
                 them one after another: grok(text, 'first', 'second')"
            );
        };
        if let Some(text) = option.try_as_str() {
            match text {
                Some(text) => spoken.patterns.push(text.to_owned()),
                None => return plan_err!("a pattern of grok is NULL; write it as text"),
            }
            continue;
        }
        let items = args::items(option)?;
        match at {
            0 => spoken.patterns.extend(items),
            _ => spoken.definitions.extend(items),
        }
    }
    if spoken.patterns.is_empty() {
        return plan_err!("grok was given an empty list of patterns; name at least one");
    }
    Ok(spoken)
}
