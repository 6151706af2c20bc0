//! What the functions of this family have in common: text first, literal options after it by
//! position or name, and a type that the options decide.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::clock;
use super::columns::{self, Rows, Size};
use crate::args;

/// The names of a function's arguments; a function without any takes its arguments by position.
pub(crate) fn signature(parameters: &[&str], volatility: Volatility) -> Signature {
    let mut signature = Signature::user_defined(volatility);
    if !parameters.is_empty() {
        let names = parameters.iter().map(|name| (*name).to_owned());
        signature.parameter_names = Some(names.collect());
    }
    signature
}

/// The types of the arguments of `function`: text first, and options that are text too.
///
/// # Errors
/// When there are too few or too many, or one is not text.
pub(crate) fn texts(
    function: &str,
    parameters: &[&str],
    given: &[DataType],
) -> Result<Vec<DataType>> {
    let Some((text, options)) = given.split_first() else {
        return plan_err!("{function} needs a text: {}", syntax(function, parameters));
    };
    if given.len() > parameters.len() {
        return plan_err!(
            "{function} takes fewer arguments: {}",
            syntax(function, parameters)
        );
    }
    let mut types = vec![args::text_type(function, text)?];
    for (option, name) in options.iter().zip(parameters.iter().skip(1)) {
        types.push(args::option_type(function, name, option)?);
    }
    Ok(types)
}

/// The types of the arguments of `function`: text first, then a time, a zone and a truth value in
/// any order.
///
/// # Errors
/// As [`texts`].
pub(crate) fn timed(
    function: &str,
    parameters: &[&str],
    given: &[DataType],
) -> Result<Vec<DataType>> {
    let option = |option: &DataType| match option {
        DataType::Boolean if parameters.contains(&"labels") => Ok(DataType::Boolean),
        option => clock::option_type(function, option),
    };
    let text = given.get(..1).unwrap_or_default();
    let mut types = texts(function, parameters, text)?;
    if given.len() > parameters.len() {
        return plan_err!(
            "{function} takes fewer arguments: {}",
            syntax(function, parameters)
        );
    }
    for given in given.iter().skip(1) {
        types.push(option(given)?);
    }
    Ok(types)
}

/// Parses `text` with what `make` makes; where the answer to a text differs from row to row, every
/// row is parsed for itself.
pub(crate) fn by_row<R: Rows>(
    text: &ColumnarValue,
    is_by_row: bool,
    rows: usize,
    make: impl FnOnce(Size) -> R,
) -> Result<ColumnarValue> {
    if !is_by_row {
        return columns::parse(text, make);
    }
    let texts = text.to_array(rows)?;
    columns::parse_array(&texts, make).map(ColumnarValue::Array)
}

/// How `function` is called.
pub(crate) fn syntax(function: &str, parameters: &[&str]) -> String {
    let mut text = format!("{function}({}", parameters.first().unwrap_or(&"text"));
    for option in parameters.iter().skip(1) {
        text.push_str(&format!(" [, {option}]"));
    }
    text + ")"
}

/// The field of an answer of `data_type`. A struct is NULL only for NULL.
pub(crate) fn field(name: &str, given: &ReturnFieldArgs<'_>, data_type: DataType) -> FieldRef {
    let for_null = given
        .arg_fields
        .first()
        .is_none_or(|field| field.is_nullable());
    let nullable = for_null || !matches!(data_type, DataType::Struct(_));
    Field::new(name, data_type, nullable).into()
}

/// The literal options of a call that is being planned; None for one that is not known yet.
pub(crate) fn planned<'a>(given: &ReturnFieldArgs<'a>) -> Vec<Option<&'a ScalarValue>> {
    given.scalar_arguments.iter().skip(1).copied().collect()
}

/// The literal options of a call that is being executed.
///
/// # Errors
/// When one is a column.
pub(crate) fn literals<'a>(
    function: &str,
    options: &'a [ColumnarValue],
) -> Result<Vec<Option<&'a ScalarValue>>> {
    let literal = |option: &'a ColumnarValue| match option {
        ColumnarValue::Scalar(value) => Ok(Some(value)),
        ColumnarValue::Array(_) => not_literal(function),
    };
    options.iter().map(literal).collect()
}

/// Refuses an option that is a column.
pub(crate) fn not_literal<T>(function: &str) -> Result<T> {
    plan_err!("the options of {function} are literals, not columns")
}

/// The text of the option at `at`; None where it is NULL or not given.
pub(crate) fn text<'a>(options: &[Option<&'a ScalarValue>], at: usize) -> Option<&'a str> {
    options.get(at).copied().flatten()?.try_as_str().flatten()
}

/// Implements `ScalarUDFImpl` for a struct with a `signature`, by the functions of its module:
/// `coerce(&[DataType]) -> Result<Vec<DataType>>`,
/// `kind(&[Option<&ScalarValue>]) -> Result<DataType>` for the options that are known, and
/// `invoke(&ColumnarValue, &[ColumnarValue], usize) -> Result<ColumnarValue>`.
macro_rules! scalar {
    ($function:ident, $name:expr, $parameters:expr, $volatility:ident) => {
        impl $function {
            fn new() -> Self {
                let volatility = datafusion::logical_expr::Volatility::$volatility;
                let parameters: &[&str] = &$parameters;
                let signature = $crate::parse::function::signature(parameters, volatility);
                Self { signature }
            }
        }

        impl datafusion::logical_expr::ScalarUDFImpl for $function {
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }

            fn name(&self) -> &str {
                $name
            }

            fn signature(&self) -> &datafusion::logical_expr::Signature {
                &self.signature
            }

            fn coerce_types(
                &self,
                given: &[arrow::datatypes::DataType],
            ) -> datafusion::error::Result<Vec<arrow::datatypes::DataType>> {
                coerce(given)
            }

            fn return_type(
                &self,
                _: &[arrow::datatypes::DataType],
            ) -> datafusion::error::Result<arrow::datatypes::DataType> {
                kind(&[])
            }

            fn return_field_from_args(
                &self,
                given: datafusion::logical_expr::ReturnFieldArgs<'_>,
            ) -> datafusion::error::Result<arrow::datatypes::FieldRef> {
                let data_type = kind(&$crate::parse::function::planned(&given))?;
                Ok($crate::parse::function::field($name, &given, data_type))
            }

            fn invoke_with_args(
                &self,
                given: datafusion::logical_expr::ScalarFunctionArgs,
            ) -> datafusion::error::Result<datafusion::logical_expr::ColumnarValue> {
                match given.args.split_first() {
                    Some((text, options)) => invoke(text, options, given.number_rows),
                    None => datafusion::common::exec_err!("{} needs a text", $name),
                }
            }

            fn documentation(&self) -> Option<&datafusion::logical_expr::Documentation> {
                self.doc()
            }
        }
    };
}

pub(crate) use scalar;
