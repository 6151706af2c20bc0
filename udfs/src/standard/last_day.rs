//! `last_day(moment)`: the end of a month. NULL in, NULL out. Cost: a few calendar steps per row.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, Date32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

use super::moment::{last_day, moment_type};

/// The function `last_day`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(LastDay::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "The last day of the month of a point in time, as DATE.",
    syntax_example = "last_day(moment)",
    sql_example = r#"```sql
> SELECT last_day(DATE '2028-02-05') AS day;
+------------+
| day        |
+------------+
| 2028-02-29 |
+------------+
```"#,
    argument(
        name = "moment",
        description = "A timestamp, a date, or text that is cast to a timestamp."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct LastDay {
    signature: Signature,
}

impl LastDay {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for LastDay {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "last_day"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [one] => Ok(vec![moment_type(self.name(), one)?]),
            _ => plan_err!("last_day takes one point in time: last_day(moment)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        let [moments] = arrays.as_slice() else {
            return exec_err!("last_day takes one point in time");
        };
        let days = cast(moments, &DataType::Date32)?;
        let days = days.as_primitive::<Date32Type>().iter();
        let last: Date32Array = days.map(|day| day.and_then(last_day)).collect();
        Ok(ColumnarValue::Array(Arc::new(last)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
