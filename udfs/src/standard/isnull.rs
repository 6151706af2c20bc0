//! `isnull(value [, otherwise])`: whether a value is NULL, or another in its place. Cost: one
//! look at each row.

use std::any::Any;
use std::sync::Arc;

use arrow::compute::is_null;
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::functions::core::coalesce;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

/// The function `isnull`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Isnull::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "With one argument, whether it is NULL, as MySQL has it; with two, the \
second where the \
first is NULL, as SQL Server has it.",
    syntax_example = "isnull(value [, otherwise])",
    sql_example = r#"```sql
> SELECT isnull(NULL) AS missing, isnull(NULL, 'none') AS text;
+---------+------+
| missing | text |
+---------+------+
| true    | none |
+---------+------+
```"#,
    argument(name = "value", description = "Anything."),
    argument(name = "otherwise", description = "What takes the place of NULL.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Isnull {
    signature: Signature,
}

impl Isnull {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Isnull {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "isnull"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [one] => Ok(vec![one.clone()]),
            [one, other] => match type_union_resolution(given) {
                Some(both) => Ok(vec![both.clone(), both]),
                None => plan_err!("isnull takes two values of one type, not {one} and {other}"),
            },
            _ => plan_err!("isnull takes one value or two: isnull(value [, otherwise])"),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(match given {
            [_, other] => other.clone(),
            _ => DataType::Boolean,
        })
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        match arrays.as_slice() {
            [values] => Ok(ColumnarValue::Array(Arc::new(is_null(values)?))),
            [values, others] => {
                let missing = is_null(values)?;
                let filled = arrow::compute::kernels::zip::zip(&missing, others, values)?;
                Ok(ColumnarValue::Array(filled))
            }
            _ => exec_err!("isnull takes one value or two"),
        }
    }

    /// The optimiser knows both by other names.
    fn simplify(&self, given: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let simple = match <[Expr; 1]>::try_from(given) {
            Ok([value]) => Expr::IsNull(Box::new(value)),
            Err(both) => coalesce().call(both),
        };
        Ok(ExprSimplifyResult::Simplified(simple))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
