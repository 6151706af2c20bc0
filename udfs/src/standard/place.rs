//! Where a text has a part.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;

/// For each row, the character of the text at which the part begins, from 1; 0 where there is none.
/// `arrays` are the parts, the texts and, where there is a third, the characters to begin at.
///
/// # Errors
/// Fails when the arrays are of other types.
pub(super) fn place(arrays: &[ArrayRef]) -> Result<Int64Array> {
    let text = |at: usize| -> Result<ArrayRef> {
        let array = arrays.get(at).ok_or_else(|| {
            datafusion::error::DataFusionError::Execution("a text is missing".to_owned())
        })?;
        Ok(cast(array, &DataType::Utf8)?)
    };
    let (parts, texts) = (text(0)?, text(1)?);
    let starts = arrays
        .get(2)
        .map(|starts| cast(starts, &DataType::Int64))
        .transpose()?;
    let starts = starts
        .as_ref()
        .map(|starts| starts.as_primitive::<Int64Type>());
    let pairs = parts
        .as_string::<i32>()
        .iter()
        .zip(texts.as_string::<i32>());
    let found = pairs.enumerate().map(|(row, (part, text))| {
        let start = match starts {
            None => 1,
            Some(starts) => starts.is_valid(row).then(|| starts.value(row))?,
        };
        Some(find(part?, text?, start))
    });
    Ok(found.collect())
}

fn find(part: &str, text: &str, start: i64) -> i64 {
    let skipped = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
    let Some((from, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skipped) else {
        return 0;
    };
    let rest = text.get(from..).unwrap_or_default();
    let Some(at) = rest.find(part) else {
        return 0;
    };
    let before = rest.get(..at).unwrap_or_default().chars().count();
    i64::try_from(skipped + before + 1).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        for (part, text, start, want) in [
            ("b", "abcb", 1, 2),
            ("b", "abcb", 3, 4),
            ("é", "caf\u{e9}", 1, 4),
            ("x", "abc", 1, 0),
            ("", "abc", 1, 1),
            ("a", "abc", 9, 0),
            ("a", "abc", -5, 1),
        ] {
            assert_eq!(
                find(part, text, start),
                want,
                "{part} in {text} from {start}"
            );
        }
    }
}
