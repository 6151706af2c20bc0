//! Arguments of functions: the types in which text and literal options are taken, and what the
//! options say.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

/// The type in which text argument `given` of `function` is processed.
///
/// # Errors
/// Refuses a type that is not text, with the cast to write as a hint.
pub(crate) fn text_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(text.clone()),
        DataType::Dictionary(_, value) if value.is_string() => Ok(given.clone()),
        other => {
            plan_err!("{function} reads text, not {other}; cast the argument: CAST(... AS VARCHAR)")
        }
    }
}

/// The type in which an option that is a string or a list of strings is processed.
///
/// # Errors
/// Refuses every other type, naming the option.
pub(crate) fn option_type(function: &str, option: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(text.clone()),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if item.data_type().is_string() || item.data_type().is_null() =>
        {
            Ok(given.clone())
        }
        other => {
            plan_err!("option \"{option}\" of {function} is a string or a list, not {other}")
        }
    }
}

/// The words of a literal option: the parts of a string between commas, or the items of a list.
/// None stands for NULL, which leaves the option at its default.
///
/// # Errors
/// Fails when the value is not text.
pub(crate) fn words(value: &ScalarValue) -> Result<Option<Vec<String>>> {
    if value.is_null() {
        return Ok(None);
    }
    if let Some(Some(text)) = value.try_as_str() {
        return Ok(Some(
            text.split(',').map(|word| word.trim().to_owned()).collect(),
        ));
    }
    let items = items(value)?.into_iter();
    Ok(Some(items.map(|word| word.trim().to_owned()).collect()))
}

/// The items of a literal list of strings.
///
/// # Errors
/// Fails when the value is not a list of text.
pub(crate) fn items(value: &ScalarValue) -> Result<Vec<String>> {
    let array = value.to_array()?;
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(0),
        DataType::LargeList(_) => array.as_list::<i64>().value(0),
        DataType::FixedSizeList(_, _) => array.as_fixed_size_list().value(0),
        other => return plan_err!("an option is a string or a list of strings, not {other}"),
    };
    let items = cast(&items, &DataType::Utf8)?;
    let items = items.as_string::<i32>().iter();
    Ok(items
        .map(|word| word.unwrap_or_default().to_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_words_of_a_string_or_items_of_a_list() {
        let text = ScalarValue::from("email, phone");
        assert_eq!(
            words(&text).unwrap(),
            Some(vec!["email".to_owned(), "phone".to_owned()])
        );
        assert_eq!(words(&ScalarValue::Utf8(None)).unwrap(), None);
        let items = [ScalarValue::from("email")];
        let list = ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Utf8));
        assert_eq!(words(&list).unwrap(), Some(vec!["email".to_owned()]));
    }
}
