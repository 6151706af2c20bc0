//! Functions that give one part of a point in time, over `date_part`.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::functions::datetime::date_part;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;

use super::SECTION;
use super::docs::Docs;
use super::moment::moment_type;

/// The function `name`, which gives a part as `date_part` calls it, plus a number.
pub(super) fn part(
    name: &'static str,
    aliases: &[&str],
    part: (&'static str, i32),
    docs: &Docs,
) -> ScalarUDF {
    ScalarUDF::from(Part {
        name,
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        part,
        signature: Signature::user_defined(Volatility::Immutable),
        docs: docs.under(SECTION),
    })
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    aliases: Vec<String>,
    part: (&'static str, i32),
    signature: Signature,
    docs: Documentation,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Part {}

impl Hash for Part {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Part {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name;
        match given {
            [time @ (DataType::Time32(_) | DataType::Time64(_))] => Ok(vec![time.clone()]),
            [one] => Ok(vec![moment_type(name, one)?]),
            _ => plan_err!("{name} takes one point in time: {name}(moment)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, mut given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (part, shift) = self.part;
        given
            .args
            .insert(0, ColumnarValue::Scalar(ScalarValue::from(part)));
        let named: FieldRef = Arc::new(Field::new("part", DataType::Utf8, false));
        given.arg_fields.insert(0, named);
        given.return_field = Arc::new(Field::new(self.name, DataType::Int32, true));
        let found = date_part().invoke_with_args(given)?;
        if shift == 0 {
            return Ok(found);
        }
        let shifted = |array: &dyn arrow::array::Array| -> Result<Int32Array> {
            let parts = cast(array, &DataType::Int32)?;
            Ok(parts.as_primitive::<Int32Type>().unary(|part| part + shift))
        };
        match found {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(Arc::new(shifted(&array)?))),
            ColumnarValue::Scalar(scalar) => {
                let array = shifted(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &array, 0,
                )?))
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.docs)
    }
}
