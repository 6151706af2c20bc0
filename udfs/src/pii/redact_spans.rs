//! `redact_spans(text [, categories])` says where `redact` would find something, and why, without
//! saying what: for reviews, for tuning a policy, and for the `pii` column of a pipeline. NULL
//! stays NULL, text without findings gives an empty list. Cost: one pass over the text.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    StructBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::args;
use crate::pii::detect::{Categories, Finding};
use crate::pii::named;
use crate::pii::search::{self, Search};

/// The arguments by name, in order.
const PARAMETERS: [&str; 2] = ["text", "categories"];
const NOT_LITERAL: &str = "the categories of redact_spans are literals, not columns";

/// The function `redact_spans`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(RedactSpans::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "Where personal data and secrets are in text, as a list of \
`STRUCT<category VARCHAR, start BIGINT, \"end\" BIGINT, score DOUBLE, rule VARCHAR>` in order. \
Positions count characters from 0 and the end is exclusive, so that \
`substr(text, start + 1, end - start)` is the finding; the list never holds the finding itself. \
The score is from 0 to 1, the rule says what spoke for it. Findings do not overlap. NULL gives \
NULL, text without findings an empty list.",
    syntax_example = "redact_spans(text [, categories])",
    sql_example = r#"```sql
> SELECT span['category'] AS category, span['start'] AS first, span['end'] AS after,
    substr(text, span['start'] + 1, span['end'] - span['start']) AS finding
  FROM (SELECT text, unnest(redact_spans(text)) AS span FROM (VALUES
    ('ssn 536-90-4399 of bob@example.com'),
    ('nothing here')) AS logs(text));
+----------+-------+-------+-----------------+
| category | first | after | finding         |
+----------+-------+-------+-----------------+
| us_ssn   | 4     | 15    | 536-90-4399     |
| email    | 19    | 34    | bob@example.com |
+----------+-------+-------+-----------------+
> SELECT cardinality(redact_spans('bob@example.com, 212-555-7890', 'phone')) AS phones;
+--------+
| phones |
+--------+
| 1      |
+--------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(
        name = "categories",
        description = "What to look for, as a literal: `'email,phone'` or \
`ARRAY['email','phone']`, with the names and sets that `redact` knows. Everything that is not \
particular to one country, which is `tier1,tier2`, unless stated. What a model finds has the rule \
`ner`."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct RedactSpans {
    signature: Signature,
}

impl RedactSpans {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for RedactSpans {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "redact_spans"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [text] => Ok(vec![args::text_type(self.name(), text)?]),
            [text, categories] => Ok(vec![
                args::text_type(self.name(), text)?,
                args::option_type(self.name(), PARAMETERS[1], categories)?,
            ]),
            _ => plan_err!(
                "redact_spans takes a text and at most the categories: \
                 redact_spans(text [, categories])"
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type())
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        wanted(given.scalar_arguments.get(1).copied().flatten())?;
        let nullable = given
            .arg_fields
            .first()
            .is_none_or(|text| text.is_nullable());
        Ok(Field::new(self.name(), list_type(), nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let wanted = match given.args.get(1) {
            None => wanted(None)?,
            Some(ColumnarValue::Scalar(value)) => wanted(Some(value))?,
            Some(ColumnarValue::Array(_)) => return plan_err!("{NOT_LITERAL}"),
        };
        search::check(self.name(), wanted, &given.config_options)?;
        let search = Search::new(wanted, &given.config_options);
        match given.args.first() {
            Some(ColumnarValue::Array(array)) => find_all(array, search).map(ColumnarValue::Array),
            Some(ColumnarValue::Scalar(value)) => {
                let found = find_all(&value.to_array()?, search)?;
                ScalarValue::try_from_array(&found, 0).map(ColumnarValue::Scalar)
            }
            None => exec_err!("redact_spans needs a text"),
        }
    }

    fn simplify(&self, given: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if given.iter().skip(1).any(Expr::any_column_refs) {
            return plan_err!("{NOT_LITERAL}");
        }
        if let Some(Expr::Literal(option, _)) = given.get(1) {
            search::check(self.name(), wanted(Some(option))?, context.config_options())?;
        }
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The categories of an option that is known, or those that are looked for without one.
fn wanted(option: Option<&ScalarValue>) -> Result<Categories> {
    let words = option.map(args::words).transpose()?.flatten();
    words.map_or_else(
        || Ok(Categories::TIER1.and(Categories::TIER2)),
        |words| named::categories("redact_spans", &words),
    )
}

fn fields() -> Fields {
    [
        ("category", DataType::Utf8),
        ("start", DataType::Int64),
        ("end", DataType::Int64),
        ("score", DataType::Float64),
        ("rule", DataType::Utf8),
    ]
    .map(|(name, kind)| Field::new(name, kind, true))
    .to_vec()
    .into()
}

fn list_type() -> DataType {
    DataType::new_list(DataType::Struct(fields()), true)
}

fn find_all(texts: &ArrayRef, mut search: Search) -> Result<ArrayRef> {
    let texts = cast(texts, &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let mut lists =
        ListBuilder::with_capacity(StructBuilder::from_fields(fields(), 0), texts.len());
    let names = search.names(texts.iter().map(Option::unwrap_or_default))?;
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            lists.append_null();
            continue;
        };
        let mut position = Position::default();
        for finding in search.text(text, names.of(row)) {
            let start = position.characters(text, finding.start);
            let end = position.characters(text, finding.end);
            append(lists.values(), finding, (start, end));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// Fields are appended in the order of [`fields`], which is also what their builders are.
fn append(spans: &mut StructBuilder, finding: &Finding, (start, end): (i64, i64)) {
    let texts = [(0, finding.category.name()), (4, finding.rule)];
    for (at, text) in texts {
        if let Some(builder) = spans.field_builder::<StringBuilder>(at) {
            builder.append_value(text);
        }
    }
    for (at, place) in [(1, start), (2, end)] {
        if let Some(builder) = spans.field_builder::<Int64Builder>(at) {
            builder.append_value(place);
        }
    }
    if let Some(builder) = spans.field_builder::<Float64Builder>(3) {
        builder.append_value(f64::from(finding.score) / 100.0);
    }
    spans.append(true);
}

/// Counts characters up to byte after byte, so that a text is read once for all its findings.
#[derive(Debug, Default)]
struct Position {
    bytes: usize,
    characters: i64,
}

impl Position {
    fn characters(&mut self, text: &str, to: usize) -> i64 {
        let passed = text.as_bytes().get(self.bytes..to).unwrap_or_default();
        // Every character has one byte that does not continue it.
        let begun = passed.iter().filter(|byte| (**byte as i8) >= -0x40).count();
        self.characters += i64::try_from(begun).unwrap_or(i64::MAX);
        self.bytes = to;
        self.characters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pii::detect::Finder;

    #[test]
    fn positions_count_characters() {
        let text = "caf\u{e9} \u{1f600} bob@x.com";
        let mut finder = Finder::new(Categories::TIER1);
        let found = finder.text(text);
        let mut position = Position::default();
        assert_eq!(position.characters(text, found[0].start), 7);
        assert_eq!(position.characters(text, found[0].end), 16);
    }
}
