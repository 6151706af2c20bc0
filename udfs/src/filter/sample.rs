//! `sample(key, rate)` is true for the given share of keys, always the same ones. NULL stays NULL,
//! which a WHERE leaves out. Cost: one hash of the key for each row.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
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

use super::xxh64::xxh64;

/// The arguments by name, in order.
const PARAMETERS: [&str; 2] = ["key", "rate"];
const NOT_LITERAL: &str = "the rate of sample is a number from 0 to 1, not a column";
/// The bits of a hash that a DOUBLE holds exactly.
const BITS: u32 = 53;

/// The function `sample`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Sample::new())
}

#[user_doc(
    doc_section(label = "Filtering"),
    description = "Whether a key is in the sample: true for a share `rate` of all keys, and for \
the same ones in every query, process and version. Rows of one key stay together, so that \
`WHERE sample(trace_id, 0.01)` keeps whole traces, and what a smaller rate keeps a larger one \
keeps too. The key's text is hashed by XXH64 with the seed 0; it is in the sample when the upper \
53 bits of the hash, divided by 2 to the power of 53, are below the rate. NULL gives NULL, which \
WHERE leaves out.",
    syntax_example = "sample(key, rate)",
    sql_example = r#"```sql
> SELECT count(*) AS kept FROM range(10000) AS requests(id) WHERE sample(id, 0.1);
+------+
| kept |
+------+
| 1009 |
+------+
> SELECT sample('trace-1', 0.5) AS half, sample('trace-1', 1) AS whole, sample('trace-1', 0) AS no;
+------+-------+-------+
| half | whole | no    |
+------+-------+-------+
| true | true  | false |
+------+-------+-------+
```"#,
    argument(
        name = "key",
        description = "What is chosen by: VARCHAR in any of its Arrow forms, or an integer, which \
is hashed as its decimal text."
    ),
    argument(
        name = "rate",
        description = "The share of keys that is kept, as a literal from 0 (none) to 1 (all)."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sample {
    signature: Signature,
}

impl Sample {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for Sample {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "sample"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [key, rate] = given else {
            return plan_err!("sample takes a key and a rate: sample(key, rate)");
        };
        if !rate.is_numeric() && !rate.is_null() {
            return plan_err!("{NOT_LITERAL}; it is {rate}");
        }
        Ok(vec![key_type(key)?, DataType::Float64])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Some(Some(rate)) = given.scalar_arguments.get(1) {
            parse_rate(rate)?;
        }
        let nullable = given.arg_fields.first().is_none_or(|key| key.is_nullable());
        Ok(Field::new(self.name(), DataType::Boolean, nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [key, ColumnarValue::Scalar(rate)] = given.args.as_slice() else {
            return exec_err!("{NOT_LITERAL}");
        };
        let rate = parse_rate(rate)?;
        match key {
            ColumnarValue::Array(keys) => {
                let kept = choose(keys, rate)?;
                Ok(ColumnarValue::Array(Arc::new(kept)))
            }
            ColumnarValue::Scalar(key) => {
                let kept = choose(&key.to_array()?, rate)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &kept, 0,
                )?))
            }
        }
    }

    fn simplify(&self, given: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match given.get(1) {
            Some(rate) if rate.any_column_refs() => plan_err!("{NOT_LITERAL}"),
            Some(Expr::Literal(rate, _)) => {
                parse_rate(rate)?;
                Ok(ExprSimplifyResult::Original(given))
            }
            _ => Ok(ExprSimplifyResult::Original(given)),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The type in which a key is hashed.
fn key_type(given: &DataType) -> Result<DataType> {
    match given {
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(text.clone()),
        DataType::Dictionary(_, value) if value.is_string() => Ok(given.clone()),
        number if number.is_integer() => Ok(DataType::Utf8),
        other => plan_err!(
            "sample takes text or an integer for a key, not {other}; cast it: CAST(... AS VARCHAR)"
        ),
    }
}

fn parse_rate(value: &ScalarValue) -> Result<f64> {
    match value.cast_to(&DataType::Float64)? {
        ScalarValue::Float64(Some(rate)) if (0.0..=1.0).contains(&rate) => Ok(rate),
        ScalarValue::Float64(Some(rate)) => {
            plan_err!("the rate of sample is from 0 to 1, not {rate}")
        }
        _ => plan_err!("the rate of sample is a number from 0 to 1, not NULL"),
    }
}

fn choose(keys: &ArrayRef, rate: f64) -> Result<BooleanArray> {
    if let Some(dictionary) = keys.as_any_dictionary_opt() {
        let values = choose(dictionary.values(), rate)?;
        let chosen = dictionary.normalized_keys();
        let value = |row: usize| {
            let key = chosen.get(row).copied()?;
            let known = keys.is_valid(row) && values.is_valid(key);
            known.then(|| values.value(key))
        };
        return Ok((0..keys.len()).map(value).collect());
    }
    let keys = cast(keys, &DataType::Utf8View)?;
    let chosen = keys.as_string_view().iter();
    Ok(chosen
        .map(|key| key.map(|key| share(key.as_bytes()) < rate))
        .collect())
}

/// Where a key stands among all, from 0 to 1.
fn share(key: &[u8]) -> f64 {
    let upper = xxh64(key) >> (u64::BITS - BITS);
    upper as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_larger_rate_keeps_what_a_smaller_one_does_and_the_share_is_right() {
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..100_000).map(|n| format!("request-{n:08x}")),
        ));
        let mut before = BooleanArray::from(vec![false; keys.len()]);
        for rate in [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 1.0] {
            let kept = choose(&keys, rate).unwrap();
            let share = kept.true_count() as f64 / keys.len() as f64;
            // Four standard deviations of a fair choice.
            let allowed = 4.0 * (rate * (1.0 - rate) / keys.len() as f64).sqrt();
            assert!((share - rate).abs() <= allowed, "{share} of {rate}");
            let stays = before.iter().zip(&kept).all(|(old, new)| new >= old);
            assert!(stays, "{rate}");
            before = kept;
        }
    }

    #[test]
    fn a_rate_that_is_none_is_refused() {
        for rate in [
            ScalarValue::from(1.5),
            ScalarValue::from(-0.1),
            ScalarValue::Float64(None),
        ] {
            let error = parse_rate(&rate).unwrap_err().to_string();
            assert!(error.contains("from 0 to 1"), "{error}");
        }
        assert_eq!(parse_rate(&ScalarValue::from(1_i64)).unwrap(), 1.0);
    }
}
