//! `dissect(text, pattern [, append_separator])` splits text at what stands between its fields, as
//! `%{client} [%{time}] %{rest}`. The pattern is a literal, so that the struct it gives is known
//! when the query is planned. NULL gives NULL; text without one of the delimiters gives a struct of
//! NULLs that says so in `parse_error`. Cost: one search for each delimiter.

mod pattern;

use std::any::Any;

use arrow::array::{ArrayBuilder, ArrayRef, MapBuilder, StringBuilder};
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
use crate::parse::structs::{Rows, parse_text, text_map};
use pattern::{Output, Pattern};

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["text", "pattern", "append_separator"];

/// The function `dissect`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Dissect::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Splits text at the delimiters between its fields into a struct of VARCHAR. \
`%{field}` is a field, `%{}` and `%{?name}` are left out, `%{field->}` swallows repeated \
delimiters after it, `%{+field}` is appended to the field of that name, in the order of \
`%{+field/2}` where one is given, and `%{*name}` and `%{&name}` are the key and the value of \
the one entry of the MAP `name`. The last field takes the rest. Where a delimiter is \
missing, all fields are NULL and `parse_error` says which. NULL gives NULL.",
    syntax_example = "dissect(text, pattern [, append_separator])",
    sql_example = r#"```sql
> SELECT dissect('10.0.0.7 - [05/Feb/2026] "GET /"', '%{client} %{} [%{date}] "%{request}"') AS d;
+----------------------------------------------------------------------+
| d                                                                    |
+----------------------------------------------------------------------+
| {client: 10.0.0.7, date: 05/Feb/2026, request: GET /, parse_error: } |
+----------------------------------------------------------------------+
> SELECT dissect('Feb  5 10:00:00 host', '%{ts->} %{+ts} %{+ts} %{host}', ' ')['ts'] AS ts;
+----------------+
| ts             |
+----------------+
| Feb 5 10:00:00 |
+----------------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(
        name = "pattern",
        description = "The fields and what stands between them, as a literal."
    ),
    argument(
        name = "append_separator",
        description = "What stands between the values of an appended field, as a literal; nothing \
by default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Dissect {
    signature: Signature,
}

impl Dissect {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for Dissect {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "dissect"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [text, options @ ..] = given else {
            return plan_err!("dissect needs a text and a pattern: {SYNTAX}");
        };
        if options.is_empty() || options.len() >= PARAMETERS.len() {
            return plan_err!("dissect takes a text, a pattern and perhaps a separator: {SYNTAX}");
        }
        let mut types = vec![args::text_type(self.name(), text)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            types.push(args::option_type(self.name(), name, option)?);
        }
        Ok(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of dissect depends on its pattern")
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let options = given.scalar_arguments.iter().skip(1).copied();
        let kind = DataType::Struct(parse_options(options)?.fields().clone());
        Ok(Field::new(self.name(), kind, true).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((text, options)) = given.args.split_first() else {
            return exec_err!("dissect needs a text and a pattern");
        };
        let options = options.iter().map(|option| match option {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        });
        let pattern = parse_options(options)?;
        parse_text(text, pattern.fields(), &mut Dissected::new(&pattern))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

const SYNTAX: &str = "dissect(text, pattern [, append_separator])";

fn parse_options<'a>(options: impl Iterator<Item = Option<&'a ScalarValue>>) -> Result<Pattern> {
    let mut texts = Vec::new();
    for option in options {
        match option.map(ScalarValue::try_as_str) {
            Some(Some(Some(text))) => texts.push(text),
            _ => {
                return plan_err!(
                    "the pattern of dissect is a literal, which decides the type of its answer"
                );
            }
        }
    }
    let mut texts = texts.into_iter();
    let pattern = texts.next().unwrap_or_default();
    Pattern::parse(pattern, texts.next().unwrap_or_default())
}

/// The rows of one batch.
struct Dissected<'a> {
    pattern: &'a Pattern,
    columns: Vec<Filling>,
    errors: StringBuilder,
    /// Where the values of the row are, by key.
    spans: Vec<(usize, usize)>,
    joined: String,
}

enum Filling {
    Text(StringBuilder),
    Map(Box<MapBuilder<StringBuilder, StringBuilder>>),
}

impl<'a> Dissected<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        let filling = |output: &Output| match output {
            Output::Text { .. } => Filling::Text(StringBuilder::new()),
            Output::Pair { .. } => Filling::Map(Box::new(text_map())),
        };
        Self {
            pattern,
            columns: pattern.outputs().iter().map(filling).collect(),
            errors: StringBuilder::new(),
            spans: Vec::new(),
            joined: String::new(),
        }
    }

    fn fill_null(&mut self) {
        for column in &mut self.columns {
            match column {
                Filling::Text(column) => column.append_null(),
                // Without entries it is well formed, whatever it holds.
                Filling::Map(column) => drop(column.append(false)),
            }
        }
    }
}

impl Rows for Dissected<'_> {
    fn push(&mut self, text: &str) {
        if let Err(delimiter) = self.pattern.split(text, &mut self.spans) {
            self.fill_null();
            self.errors
                .append_value(format!("\"{delimiter}\" is missing"));
            return;
        }
        let value = |key: &usize| {
            let span = self.spans.get(*key).copied();
            span.and_then(|(start, end)| text.get(start..end))
                .unwrap_or_default()
        };
        for (column, output) in self.columns.iter_mut().zip(self.pattern.outputs()) {
            match (column, output) {
                (Filling::Text(column), Output::Text { keys }) => {
                    if let [key] = keys.as_slice() {
                        column.append_value(value(key));
                        continue;
                    }
                    self.joined.clear();
                    for (at, key) in keys.iter().enumerate() {
                        if at > 0 {
                            self.joined.push_str(self.pattern.separator());
                        }
                        self.joined.push_str(value(key));
                    }
                    column.append_value(&self.joined);
                }
                (Filling::Map(column), Output::Pair { key, value: of }) => {
                    column.keys().append_value(value(key));
                    column.values().append_value(value(of));
                    drop(column.append(true));
                }
                _ => {}
            }
        }
        self.errors.append_null();
    }

    fn push_null(&mut self) {
        self.fill_null();
        self.errors.append_null();
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let columns = self.columns.iter_mut().map(|column| match column {
            Filling::Text(column) => ArrayBuilder::finish(column),
            Filling::Map(column) => ArrayBuilder::finish(column.as_mut()),
        });
        let mut columns: Vec<_> = columns.collect();
        columns.push(ArrayBuilder::finish(&mut self.errors));
        columns
    }
}
