//! `redact(text [, categories] [, mode])` takes personal data and secrets out of text. NULL stays
//! NULL, text without findings is returned as it is, and redacting twice changes nothing more.
//! Option errors are planning errors. Cost: one pass over a clean row, two over one with findings.

use std::any::Any;

use arrow::datatypes::{DataType, Field, FieldRef};
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
use crate::pii::detect::{Categories, Category};
use crate::pii::mask::{Mode, Redactor};

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["text", "categories", "mode"];

/// Stands for every category.
const ALL: &str = "all";

/// The function `redact`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Redact::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "Replaces personal data and secrets in text. \
Checksums, number ranges, groupings and nearby words decide what is a finding, so identifiers, \
timestamps, hashes, versions and addresses of machines stay. JSON stays JSON. NULL gives NULL.",
    syntax_example = "redact(text [, categories] [, mode])",
    sql_example = r#"```sql
> SELECT redact(message) AS message FROM (VALUES
    ('card 4111 1111 1111 1111 declined'),
    ('ssn=536-90-4399 mail=alice.smith@example.com'),
    ('caller (212) 555-7890 on line 2'),
    ('{"user":"bob","password":"hunter2"}'),
    ('blk_-5195120009388265 served')) AS logs(message);
+------------------------------------------+
| message                                  |
+------------------------------------------+
| card xxxx-xxxx-xxxx-1111 declined        |
| ssn=xxx-xx-4399 mail=alic***@example.com |
| caller xxx-xxx-7890 on line 2            |
| {"user":"bob","password":""}             |
| blk_-5195120009388265 served             |
+------------------------------------------+
> SELECT redact('bob@example.com, 212-555-7890', ARRAY['email'], mode => 'label') AS message;
+-----------------------+
| message               |
+-----------------------+
| [EMAIL], 212-555-7890 |
+-----------------------+
> SELECT redact('mail bob@example.com', 'all', 'remove') AS message;
+---------+
| message |
+---------+
| mail    |
+---------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(
        name = "categories",
        description = "What to look for, as a literal: `'email,phone'` or \
`ARRAY['email','phone']`. One or more of `credit_card`, `us_ssn`, `email`, `phone`, `password` \
(passwords, tokens and keys under a name that says so), or `all`, the default."
    ),
    argument(
        name = "mode",
        description = "What to put in place of a finding, as a literal: `mask` (the default) keeps \
the last four digits of numbers and the start and domain of an e-mail address, and nothing of a \
password; `label` puts the category, such as `[EMAIL]`; `remove` puts nothing."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Redact {
    signature: Signature,
}

impl Redact {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for Redact {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "redact"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some((text, options)) = given.split_first() else {
            return plan_err!("redact needs a text: redact(text [, categories] [, mode])");
        };
        if options.len() >= PARAMETERS.len() {
            return plan_err!("redact takes at most three arguments: text, categories and mode");
        }
        let mut types = vec![args::text_type(self.name(), text)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            types.push(args::option_type(self.name(), name, option)?);
        }
        Ok(types)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let options = given.scalar_arguments.iter().skip(1).copied();
        parse_options(options.collect::<Vec<_>>().as_slice())?;
        let text = given.arg_fields.first();
        let kind = text.map_or(DataType::Utf8, |field| field.data_type().clone());
        let nullable = text.is_none_or(|field| field.is_nullable());
        Ok(Field::new(self.name(), kind, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((text, options)) = given.args.split_first() else {
            return exec_err!("redact needs a text");
        };
        let options = options.iter().map(|option| match option {
            ColumnarValue::Scalar(value) => Ok(Some(value)),
            ColumnarValue::Array(_) => plan_err!("{NOT_LITERAL}"),
        });
        let (categories, mode) = parse_options(&options.collect::<Result<Vec<_>>>()?)?;
        let mut redactor = Redactor::new(categories, mode);
        args::map_text(text, &mut |text, out| redactor.redact(text, out))
    }

    fn simplify(&self, given: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if given.iter().skip(1).any(Expr::any_column_refs) {
            return plan_err!("{NOT_LITERAL}");
        }
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

const NOT_LITERAL: &str = "the categories and the mode of redact are literals, not columns";

/// Reads the options that are known so far; the rest of them, such as a list that is not folded
/// yet, keep their defaults until the call is planned in full.
fn parse_options(options: &[Option<&ScalarValue>]) -> Result<(Categories, Mode)> {
    let known = |at: usize| match options.get(at).copied().flatten() {
        Some(value) => args::words(value),
        None => Ok(None),
    };
    let categories = known(0)?.map_or(Ok(Categories::ALL), |words| parse_categories(&words))?;
    let mode = known(1)?.map_or(Ok(Mode::Mask), |words| parse_mode(&words.join(",")))?;
    Ok((categories, mode))
}

fn parse_categories(words: &[String]) -> Result<Categories> {
    let mut categories = Categories::NONE;
    for word in words {
        let known = Category::ALL
            .into_iter()
            .find(|category| word == category.name());
        match known {
            Some(category) => categories = categories.with(category),
            None if word == ALL => categories = Categories::ALL,
            None => {
                let valid = Category::ALL.map(Category::name).join(", ");
                return plan_err!(
                    "redact does not know the category \"{word}\"; valid are {valid}, {ALL}"
                );
            }
        }
    }
    if categories == Categories::NONE {
        return plan_err!("redact was given an empty list of categories; leave it out for all");
    }
    Ok(categories)
}

fn parse_mode(word: &str) -> Result<Mode> {
    match Mode::ALL.into_iter().find(|mode| word == mode.name()) {
        Some(mode) => Ok(mode),
        None => {
            let valid = Mode::ALL.map(Mode::name).join(", ");
            plan_err!("redact does not know the mode \"{word}\"; valid are {valid}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: &[&str]) -> String {
        let values: Vec<_> = options
            .iter()
            .map(|option| ScalarValue::from(*option))
            .collect();
        let values: Vec<_> = values.iter().map(Some).collect();
        parse_options(&values).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_option_names_the_valid_ones() {
        let unknown = error(&["emial"]);
        assert!(
            unknown.contains("\"emial\"; valid are credit_card, us_ssn, email"),
            "{unknown}"
        );
        let unknown = error(&["all", "blur"]);
        assert!(
            unknown.contains("\"blur\"; valid are mask, label, remove"),
            "{unknown}"
        );
        assert!(error(&[""]).contains("\"\""));
    }
}
