//! `match_pii(message, value [, category])` finds the lines that are about a value, also where it
//! was redacted: as a token of `redact(.., mode => 'hash')`, and in text that is not redacted
//! however it is written there. It is what an erasure request asks for. NULL stays NULL. Cost: one
//! search for findings and, for each category that occurs, one hash of the value.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::args;
use crate::pii::detect::{Categories, Category, Finding};
use crate::pii::hash::Hasher;
use crate::pii::named;
use crate::pii::search::Search;

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["message", "value", "category"];
const NOT_LITERAL: &str = "the category of match_pii is a literal, not a column";

/// The function `match_pii`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(MatchPii::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "Whether a text is about a value: it holds the token that \
`redact` puts in its place in the mode `hash`, or the value itself in any grouping or \
capitalisation. Only whole findings match: part of a number does not. The key is the hash key of \
the policies in the configuration; without one the call is a planning error. NULL gives NULL.",
    syntax_example = "match_pii(message, value [, category])",
    sql_example = r#"```sql
> SELECT message, match_pii(message, '4111111111111111') AS about FROM (VALUES
    ('paid with 4111 1111 1111 1111'),
    ('paid with 4012 8888 8888 1881'),
    ('order 4111111111111111000')) AS logs(message);
+-------------------------------+-------+
| message                       | about |
+-------------------------------+-------+
| paid with 4111 1111 1111 1111 | true  |
| paid with 4012 8888 8888 1881 | false |
| order 4111111111111111000     | false |
+-------------------------------+-------+
> SELECT match_pii(redact('mail to bob@example.com', 'email', 'hash'), 'bob@example.com', 'email')
    AS about;
+-------+
| about |
+-------+
| true  |
+-------+
```"#,
    argument(
        name = "message",
        description = "Text, redacted or not: VARCHAR in any of its Arrow forms."
    ),
    argument(name = "value", description = "The value, as a column or a literal."),
    argument(
        name = "category",
        description = "Its category, as a literal, by the names that `redact` knows. All of them \
unless stated."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct MatchPii {
    signature: Signature,
}

impl MatchPii {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Stable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for MatchPii {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "match_pii"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (texts, category) = match given {
            [_, _] => (given, None),
            [message, value, category] => (&[message.clone(), value.clone()][..], Some(category)),
            _ => {
                return plan_err!(
                    "match_pii takes a text, a value and at most a category: \
                     match_pii(message, value [, category])"
                );
            }
        };
        let texts = texts.iter().map(|text| args::text_type(self.name(), text));
        let category = category.map(|one| args::option_type(self.name(), PARAMETERS[2], one));
        texts.chain(category).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        wanted(given.scalar_arguments.get(2).copied().flatten())?;
        let nullable = given.arg_fields.iter().take(2).any(|one| one.is_nullable());
        Ok(Field::new(self.name(), DataType::Boolean, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let wanted = match given.args.get(2) {
            None => wanted(None)?,
            Some(ColumnarValue::Scalar(category)) => wanted(Some(category))?,
            Some(ColumnarValue::Array(_)) => return plan_err!("{NOT_LITERAL}"),
        };
        let hasher = Hasher::of(self.name(), &given.config_options)?;
        let scalar = given
            .args
            .iter()
            .take(2)
            .all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(given.args.get(..2).unwrap_or_default())?;
        let matched = match arrays.as_slice() {
            [messages, values] => {
                let mut search = Value {
                    hasher,
                    wanted,
                    search: Search::new(wanted, &given.config_options),
                };
                match_all(messages, values, &mut search)?
            }
            _ => return plan_err!("match_pii needs a text and a value"),
        };
        if scalar {
            return ScalarValue::try_from_array(&matched, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(matched))
    }

    fn simplify(&self, given: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if given.iter().skip(2).any(Expr::any_column_refs) {
            return plan_err!("{NOT_LITERAL}");
        }
        Hasher::of(self.name(), context.config_options())?;
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn wanted(category: Option<&ScalarValue>) -> Result<Categories> {
    let words = category.map(args::words).transpose()?.flatten();
    match words.as_deref() {
        None => Ok(Categories::ALL),
        Some([word]) => Ok(Categories::NONE.asked(named::category("match_pii", word)?)),
        Some(_) => plan_err!("match_pii takes one category: match_pii(message, value, 'email')"),
    }
}

fn match_all(messages: &ArrayRef, values: &ArrayRef, search: &mut Value) -> Result<ArrayRef> {
    let messages = cast(messages, &DataType::Utf8View)?;
    let values = cast(values, &DataType::Utf8View)?;
    let (messages, values) = (messages.as_string_view(), values.as_string_view());
    let mut matched = BooleanBuilder::with_capacity(messages.len());
    let texts = messages.iter().map(Option::unwrap_or_default);
    let names = search.search.names(texts)?;
    for (row, pair) in messages.iter().zip(values).enumerate() {
        matched.append_option(match pair {
            (Some(message), Some(value)) => Some(search.matches(message, value, names.of(row))),
            _ => None,
        });
    }
    Ok(Arc::new(matched.finish()))
}

/// What to search for, but for the value.
struct Value {
    hasher: Hasher,
    wanted: Categories,
    search: Search,
}

impl Value {
    fn matches(&mut self, message: &str, value: &str, names: &[Finding]) -> bool {
        let hasher = &self.hasher;
        let same = |category, text: &str| {
            text == value || hasher.hash(category, text) == hasher.hash(category, value)
        };
        let written = self.search.text(message, names).iter().any(|finding| {
            let text = message.get(finding.start..finding.end).unwrap_or_default();
            same(finding.category, text)
        });
        written
            || tokens(message).any(|(category, token)| {
                self.wanted.has(category) && hasher.token(category, value) == token
            })
    }
}

/// The tokens of a redacted text, each with its category.
fn tokens(text: &str) -> impl Iterator<Item = (Category, &str)> {
    text.match_indices('[').filter_map(|(start, _)| {
        let rest = text.get(start..)?;
        // No further, so that brackets without end cost no more than others.
        let rest = rest.get(..rest.floor_char_boundary(TOKEN_MAX))?;
        let token = rest.get(..=rest.find(']')?)?;
        let name = token.get(1..)?.split_once(':')?.0;
        let named = |one: &&Category| one.name().eq_ignore_ascii_case(name);
        Some((*Category::ALL.iter().find(named)?, token))
    })
}

/// No token is longer.
const TOKEN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_out_of_text() {
        let text = "[x] [EMAIL:abc] [[PHONE:d\u{e9}] [EMAIL] [NOBODY:1] [US_SSN:";
        let got: Vec<_> = tokens(text).collect();
        let want = [
            (Category::Email, "[EMAIL:abc]"),
            (Category::Phone, "[PHONE:d\u{e9}]"),
        ];
        assert_eq!(got, want);
    }
}
