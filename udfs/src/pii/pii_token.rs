//! `pii_token(value, category)` stands for a value without telling it: the same value has the same
//! token, in every table and every text redacted with `mode => 'hash'`, and nobody without the key
//! can try values until one fits. NULL stays NULL. Cost: two SHA-256 blocks for each value.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringBuilder};
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
use crate::pii::detect::Category;
use crate::pii::hash::Hasher;
use crate::pii::named;

/// The arguments by name, in order.
const PARAMETERS: [&str; 2] = ["value", "category"];
const NOT_LITERAL: &str = "the category of pii_token is a literal, not a column";

/// The function `pii_token`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(PiiToken::new())
}

#[user_doc(
    doc_section(label = "Personal data"),
    description = "A keyed token that stands for a value, such as `[EMAIL:hzq2k7p4vn3xw6ma]`. \
It is what `redact` puts in place of the value in the mode `hash`, so that tables and texts join \
on it without holding the value. How a number is grouped and how an address is capitalised makes \
no difference. The key is the hash key of the policies in the configuration; without one the call \
is a planning error. NULL gives NULL.",
    syntax_example = "pii_token(value, category)",
    sql_example = r#"```sql
> SELECT redact(message, 'email', 'hash') = 'sent to ' || pii_token('BOB@example.com', 'email')
    AS same FROM (VALUES ('sent to bob@example.com')) AS logs(message);
+------+
| same |
+------+
| true |
+------+
> SELECT pii_token(card, 'credit_card') = pii_token('4111111111111111', 'credit_card') AS same
  FROM (VALUES ('4111 1111 1111 1111'), ('4012 8888 8888 1881')) AS payments(card);
+-------+
| same  |
+-------+
| true  |
| false |
+-------+
```"#,
    argument(
        name = "value",
        description = "The value itself: VARCHAR in any of its Arrow forms."
    ),
    argument(
        name = "category",
        description = "Its category, as a literal, by the names that `redact` knows."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct PiiToken {
    signature: Signature,
}

impl PiiToken {
    fn new() -> Self {
        // The key may change between sessions, but not within a query.
        let mut signature = Signature::user_defined(Volatility::Stable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for PiiToken {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "pii_token"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [value, category] => Ok(vec![
                args::text_type(self.name(), value)?,
                args::option_type(self.name(), PARAMETERS[1], category)?,
            ]),
            _ => plan_err!("pii_token takes a value and its category: pii_token(value, category)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Some(category) = given.scalar_arguments.get(1).copied().flatten() {
            parse(category)?;
        }
        let nullable = given
            .arg_fields
            .first()
            .is_none_or(|value| value.is_nullable());
        Ok(Field::new(self.name(), DataType::Utf8, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, ColumnarValue::Scalar(category)] = given.args.as_slice() else {
            return plan_err!("{NOT_LITERAL}");
        };
        let category = parse(category)?;
        let hasher = Hasher::of(self.name(), &given.config_options)?;
        match value {
            ColumnarValue::Array(values) => {
                tokens(values, category, &hasher).map(ColumnarValue::Array)
            }
            ColumnarValue::Scalar(value) => {
                let tokens = tokens(&value.to_array()?, category, &hasher)?;
                ScalarValue::try_from_array(&tokens, 0).map(ColumnarValue::Scalar)
            }
        }
    }

    fn simplify(&self, given: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if given.iter().skip(1).any(Expr::any_column_refs) {
            return plan_err!("{NOT_LITERAL}");
        }
        Hasher::of(self.name(), context.config_options())?;
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn parse(category: &ScalarValue) -> Result<Category> {
    match args::words(category)?.as_deref() {
        Some([word]) => named::category("pii_token", word),
        _ => plan_err!("pii_token needs one category: pii_token(value, 'email')"),
    }
}

fn tokens(values: &ArrayRef, category: Category, hasher: &Hasher) -> Result<ArrayRef> {
    let values = cast(values, &DataType::Utf8View)?;
    let values = values.as_string_view();
    let mut tokens = StringBuilder::new();
    for value in values {
        tokens.append_option(value.map(|value| hasher.token(category, value)));
    }
    Ok(Arc::new(tokens.finish()))
}
