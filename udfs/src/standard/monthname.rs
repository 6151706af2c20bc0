//! `monthname(moment)`: a name out of the calendar. NULL in, NULL out. Cost: a few calendar
//! steps per row.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

use super::moment::moment_type;

/// The function `monthname`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Monthname::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "The English name of the month of a point in time.",
    syntax_example = "monthname(moment)",
    sql_example = r#"```sql
> SELECT monthname(DATE '2026-02-05') AS name;
+----------+
| name     |
+----------+
| February |
+----------+
```"#,
    argument(
        name = "moment",
        description = "A timestamp, a date, or text that is cast to a timestamp."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Monthname {
    signature: Signature,
}

impl Monthname {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Monthname {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "monthname"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [one] => Ok(vec![moment_type(self.name(), one)?]),
            _ => plan_err!("monthname takes one point in time: monthname(moment)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        let [moments] = arrays.as_slice() else {
            return exec_err!("monthname takes one point in time");
        };
        let days = cast(moments, &DataType::Date32)?;
        let days = days.as_primitive::<Date32Type>().iter();
        let name = |day: i32| Some(Date32Type::to_naive_date_opt(day)?.format("%B").to_string());
        let names: StringArray = days.map(|day| day.and_then(name)).collect();
        Ok(ColumnarValue::Array(Arc::new(names)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
