//! The functions that read one value of a JSON text: their path, which is the rest of their
//! arguments, and what they make of the value there.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::columns::{self, Rows, Size};
use super::function;
use super::grammar::json::{self, Step};
use crate::args;

/// The types of the arguments: JSON, and a path of keys and indexes.
///
/// # Errors
/// When there is no JSON, or a part of the path is neither text nor a whole number.
pub(crate) fn coerce(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    let Some((json, path)) = given.split_first() else {
        return plan_err!("{function} needs JSON: {function}(json [, key or index ...])");
    };
    let mut types = vec![args::text_type(function, json)?];
    for part in path {
        types.push(match part {
            DataType::Null => DataType::Utf8,
            text if text.is_string() => DataType::Utf8,
            number if number.is_integer() => DataType::Int64,
            other => {
                return plan_err!("a path of {function} is keys and indexes, not {other}");
            }
        });
    }
    Ok(types)
}

/// Checks the path of a call that is being planned.
///
/// # Errors
/// When a part of it is a column.
pub(crate) fn check(function: &str, path: &[Option<&ScalarValue>]) -> Result<()> {
    match path.iter().all(Option::is_some) {
        true => Ok(()),
        false => plan_err!("a path of {function} is of literals, not of columns"),
    }
}

/// What becomes of the values found.
pub(crate) trait Answers {
    /// Appends what the value at the path says; None when nothing is there.
    fn push(&mut self, raw: Option<&str>);
    /// Appends the answer to NULL.
    fn push_null(&mut self) {
        self.push(None);
    }
    /// Takes the column.
    ///
    /// # Errors
    /// When its texts are more than a column can hold.
    fn finish(self) -> Result<ArrayRef>;
}

/// Reads the value at `path` of every text.
///
/// # Errors
/// When a part of the path is a column, or the answer is more than a column can hold.
pub(crate) fn read<A: Answers>(
    function: &str,
    json: &ColumnarValue,
    path: &[ColumnarValue],
    make: impl FnOnce(Size) -> A,
) -> Result<ColumnarValue> {
    let path = steps(&function::literals(function, path)?);
    columns::parse(json, |size| Read {
        path,
        answers: make(size),
    })
}

/// The steps of a path; None when one leads nowhere, as NULL and a negative index do.
fn steps(path: &[Option<&ScalarValue>]) -> Option<Vec<Step>> {
    let step = |part: &Option<&ScalarValue>| match part {
        Some(ScalarValue::Int64(Some(index))) => Some(Step::Index(usize::try_from(*index).ok()?)),
        Some(value) => Some(Step::Key(value.try_as_str()??.to_owned())),
        None => None,
    };
    path.iter().map(step).collect()
}

struct Read<A> {
    path: Option<Vec<Step>>,
    answers: A,
}

impl<A: Answers> Rows for Read<A> {
    fn push(&mut self, text: &str, _: usize) {
        let found = self.path.as_deref().map(|path| json::get(text, path));
        self.answers.push(found.and_then(Result::ok).flatten());
    }

    fn push_null(&mut self) {
        self.answers.push_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.answers.finish()
    }
}
