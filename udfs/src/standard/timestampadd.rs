//! `timestampadd(unit, count, moment)`: a point in time some units later. NULL in, NULL out.
//! Cost: one addition per row, for months and years a few calendar steps.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::moment::{Unit, moment_type};

/// The function `timestampadd`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Timestampadd::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "The point in time `count` units after `moment`, or before it where the count is \
negative. The end of a month stays in the month: a month after January 31 is February \
28. A date with a unit of days or more stays DATE; the result is otherwise a TIMESTAMP \
of microseconds.",
    syntax_example = "timestampadd(unit, count, moment)",
    sql_example = r#"```sql
> SELECT timestampadd('month', 1, DATE '2026-01-31') AS day;
+------------+
| day        |
+------------+
| 2026-02-28 |
+------------+
```"#,
    argument(
        name = "unit",
        description = "The unit as a literal: year, quarter, month, week, day, hour, minute, \
second, millisecond, microsecond or nanosecond, in the plural, as `SQL_TSI_DAY`, or shortened \
as SQL Server does. Sluice takes it without quotes too."
    ),
    argument(name = "count", description = "How many, as BIGINT."),
    argument(
        name = "moment",
        description = "A timestamp, a date, or text that is cast to a timestamp."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Timestampadd {
    signature: Signature,
    aliases: Vec<String>,
}

impl Timestampadd {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
            aliases: vec!["dateadd".to_owned(), "date_add".to_owned()],
        }
    }
}

impl ScalarUDFImpl for Timestampadd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "timestampadd"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_, _, moment] => Ok(vec![
                DataType::Utf8,
                DataType::Int64,
                moment_type(self.name(), moment)?,
            ]),
            _ => plan_err!("timestampadd takes a unit, a count and a point in time"),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(match given.last() {
            Some(DataType::Timestamp(_, zone)) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            _ => DataType::Timestamp(TimeUnit::Microsecond, None),
        })
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let Some(Some(unit)) = given.scalar_arguments.first() else {
            return plan_err!("the unit of timestampadd is a literal");
        };
        let unit = Unit::read(self.name(), unit)?;
        let kinds: Vec<DataType> = given
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let kind = match kinds.last() {
            Some(DataType::Date32) if unit.is_of_days() => DataType::Date32,
            _ => self.return_type(&kinds)?,
        };
        Ok(Arc::new(Field::new(self.name(), kind, true)))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Scalar(unit)) = given.args.first() else {
            return exec_err!("the unit of timestampadd is a literal");
        };
        let unit = Unit::read(self.name(), unit)?;
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        let [_, counts, moments] = arrays.as_slice() else {
            return exec_err!("timestampadd takes a unit, a count and a point in time");
        };
        let moments = cast(moments, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let moments = moments.as_primitive::<TimestampMicrosecondType>().iter();
        let counts = counts.as_primitive::<Int64Type>().iter();
        let mut later = Vec::with_capacity(moments.len());
        for pair in counts.zip(moments) {
            later.push(match pair {
                (Some(count), Some(moment)) => match unit.add(moment, count) {
                    Some(moved) => Some(moved),
                    None => return exec_err!("timestampadd leaves the range of timestamps"),
                },
                _ => None,
            });
        }
        let later: PrimitiveArray<TimestampMicrosecondType> = later.into_iter().collect();
        let later = match given.return_field.data_type() {
            DataType::Timestamp(_, zone) => Arc::new(later.with_timezone_opt(zone.clone())),
            other => cast(&later, other)?,
        };
        Ok(ColumnarValue::Array(later))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
