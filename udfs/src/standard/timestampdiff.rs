//! `timestampdiff(unit, beginning, ending)`: the time between two points. NULL in, NULL out.
//! Cost: one subtraction per row, for months and years a few calendar steps.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::moment::{Unit, moment_type};

/// The function `timestampdiff`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Timestampdiff::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "How many whole units lie between two points in time, as MySQL counts them: \
from 23:00 to \
01:00 is no day. The count is negative where `ending` is before `beginning`. `datediff` \
counts beginnings of units.",
    syntax_example = "timestampdiff(unit, beginning, ending)",
    sql_example = r#"```sql
> SELECT timestampdiff('hour', TIMESTAMP '2026-02-05', TIMESTAMP '2026-02-06') AS hours;
+-------+
| hours |
+-------+
| 24    |
+-------+
```"#,
    argument(
        name = "unit",
        description = "The unit as a literal: year, quarter, month, week, day, hour, minute, \
second, millisecond, microsecond or nanosecond, in the plural, as `SQL_TSI_DAY`, or shortened \
as SQL Server does. Sluice takes it without quotes too."
    ),
    argument(
        name = "beginning",
        description = "A timestamp, a date, or text that is cast to a timestamp."
    ),
    argument(name = "ending", description = "The same.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Timestampdiff {
    signature: Signature,
}

impl Timestampdiff {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Timestampdiff {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "timestampdiff"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        match given {
            [_, from, to] => Ok(vec![
                DataType::Utf8,
                moment_type(name, from)?,
                moment_type(name, to)?,
            ]),
            _ => plan_err!("{name} takes a unit and two points in time"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = self.name();
        let Some(Some(unit)) = given.scalar_arguments.first() else {
            return plan_err!("the unit of {name} is a literal");
        };
        Unit::read(name, unit)?;
        Ok(Arc::new(Field::new(name, DataType::Int64, true)))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = self.name();
        let Some(ColumnarValue::Scalar(unit)) = given.args.first() else {
            return exec_err!("the unit of {name} is a literal");
        };
        let unit = Unit::read(name, unit)?;
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        let [_, from, to] = arrays.as_slice() else {
            return exec_err!("{name} takes a unit and two points in time");
        };
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let (from, to) = (cast(from, &micros)?, cast(to, &micros)?);
        let from = from.as_primitive::<TimestampMicrosecondType>().iter();
        let to = to.as_primitive::<TimestampMicrosecondType>().iter();
        let between = |(from, to): (Option<i64>, Option<i64>)| unit.whole(from?, to?);
        let counts: Int64Array = from.zip(to).map(between).collect();
        Ok(ColumnarValue::Array(Arc::new(counts)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
