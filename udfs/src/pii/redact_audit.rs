//! `redact_audit(text [, categories] [, mode] [, policy])` is `redact` and `pii_categories` in one
//! look at the text: what is left of it, and the categories of what was taken out. NULL stays NULL.
//! Option errors are planning errors. Cost: that of `redact`.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListBuilder, StringBuilder, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::pii::detect::Categories;
use crate::pii::ledger::Ledger;
use crate::pii::mask::Redactor;
use crate::pii::options::{Options, PARAMETERS};
use crate::pii::search;
use crate::rows::{self, Changes, Rows};

/// The function `redact_audit`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(RedactAudit::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "Replaces personal data and secrets in text, and says which categories they were \
of, in one pass: a `STRUCT` of `text`, as `redact` gives it, and `categories` (a list of VARCHAR), \
each once, in alphabetical order. For a table with a column of the categories beside the text. \
NULL gives NULL, text without findings an empty list.",
    syntax_example = "redact_audit(text [, categories] [, mode] [, policy])",
    sql_example = r#"```sql
> SELECT audit['text'] AS message, audit['categories'] AS pii
  FROM (SELECT redact_audit(message) AS audit FROM (VALUES
    ('ssn 536-90-4399 of bob@example.com'),
    ('nothing here')) AS logs(message));
+-------------------------------------+-----------------+
| message                             | pii             |
+-------------------------------------+-----------------+
| ssn xxx-xx-4399 of b***@example.com | [email, us_ssn] |
| nothing here                        | []              |
+-------------------------------------+-----------------+
```"#,
    argument(
        name = "text",
        description = "Text: VARCHAR in any of its Arrow forms, also dictionary encoded."
    ),
    argument(name = "categories", description = "As for `redact`."),
    argument(name = "mode", description = "As for `redact`."),
    argument(name = "policy", description = "As for `redact`.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct RedactAudit {
    signature: Signature,
}

impl RedactAudit {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for RedactAudit {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "redact_audit"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        Options::coerce(self.name(), given)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Options::parse(self.name(), given.scalar_arguments)?;
        let text = given.arg_fields.first();
        let nullable = text.is_none_or(|field| field.is_nullable());
        Ok(Field::new(self.name(), self.return_type(&[])?, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(text) = given.args.first() else {
            return exec_err!("redact_audit needs a text");
        };
        let options = Options::called(self.name(), &given.args)?;
        let (rules, hasher) = options.resolve(&given.config_options)?;
        let model = search::model(rules.categories(), &given.config_options);
        let mut redactor = Redactor::new(rules, hasher, model);
        let result = match text {
            ColumnarValue::Array(texts) => {
                ColumnarValue::Array(Arc::new(audit(&mut redactor, texts)?))
            }
            ColumnarValue::Scalar(text) => {
                let one = audit(&mut redactor, &text.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?)
            }
        };
        if let Some(ledger) = given.config_options.extensions.get::<Ledger>() {
            ledger.add(&rules.digest(), redactor.counts());
        }
        Ok(result)
    }

    fn simplify(&self, given: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Options::check(self.name(), &given, context)?;
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn fields() -> Fields {
    let categories = DataType::new_list(DataType::Utf8, true);
    Fields::from(vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("categories", categories, true),
    ])
}

fn audit(redactor: &mut Redactor, texts: &ArrayRef) -> Result<StructArray> {
    // One form for all: a value of a dictionary counts for each row that has it.
    let texts = ColumnarValue::Array(cast(texts, &DataType::Utf8)?);
    let (mut held, mut done) = (Vec::new(), Ok(()));
    let read = &mut |rows: Rows<'_>, changes: &mut Changes| {
        let mut tell = |row: usize, categories: Categories| held.push((row, categories));
        if done.is_ok() {
            done = redactor.redact_and_tell(rows, changes, &mut tell);
        }
    };
    let texts = rows::change(&texts, read)?.into_array(1)?;
    done?;
    let categories = lists(&texts, &held);
    let nulls = texts.nulls().cloned();
    Ok(StructArray::try_new(
        fields(),
        vec![texts, categories],
        nulls,
    )?)
}

/// The names of what the rows `held`, empty for those that are not among them.
fn lists(texts: &ArrayRef, held: &[(usize, Categories)]) -> ArrayRef {
    let mut lists = ListBuilder::with_capacity(StringBuilder::new(), texts.len());
    let (mut held, mut names) = (held.iter().peekable(), Vec::new());
    for row in 0..texts.len() {
        let here = held.next_if(|(at, _)| *at == row);
        if texts.is_null(row) {
            lists.append_null();
            continue;
        }
        if let Some((_, categories)) = here {
            names.clear();
            names.extend(categories.iter().map(|category| category.name()));
            names.sort_unstable();
            names
                .iter()
                .for_each(|name| lists.values().append_value(name));
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}
