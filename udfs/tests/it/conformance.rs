//! A function whose first argument is called `text` takes text in every Arrow form, as an array,
//! a slice, a scalar, NULL or nothing at all, and gives the same answer for each.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};
use datafusion::scalar::ScalarValue;
use sluice_udfs::Function;

use crate::call::{invoke, required};

/// Long, short, empty and absent values, with and without something for a function to do.
const TEXTS: [Option<&str>; 8] = [
    Some("level=info user=bob@example.com card=4111111111111111 password=hunter2"),
    None,
    Some(""),
    Some("x"),
    Some("536-90-4399"),
    Some("2026-02-05T10:00:00Z a plain line that is longer than a view holds itself"),
    Some("level=info user=bob@example.com card=4111111111111111 password=hunter2"),
    Some("call (212) 555-7890 caf\u{e9} \u{1f600}"),
];

fn forms() -> Vec<DataType> {
    let values = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View];
    let dictionary = |key: &DataType, value: &DataType| {
        DataType::Dictionary(Box::new(key.clone()), Box::new(value.clone()))
    };
    let keys = [DataType::Int32, DataType::UInt8];
    let coded = keys
        .iter()
        .flat_map(|key| values.iter().map(|value| dictionary(key, value)));
    values
        .iter()
        .cloned()
        .chain(coded.collect::<Vec<_>>())
        .collect()
}

fn text_functions() -> Vec<ScalarUDF> {
    let takes_text = |udf: &ScalarUDF| {
        let arguments = udf.documentation().and_then(|docs| docs.arguments.as_ref());
        arguments
            .and_then(|all| all.first())
            .is_some_and(|(name, _)| name == "text")
    };
    let scalar = |function| match function {
        Function::Scalar(udf) => Some(udf),
        _ => None,
    };
    sluice_udfs::functions()
        .into_iter()
        .filter_map(scalar)
        .filter(takes_text)
        .collect()
}

fn run(udf: &ScalarUDF, array: &ArrayRef) -> ArrayRef {
    let options = required(udf.name());
    let result = invoke(udf, ColumnarValue::Array(Arc::clone(array)), options).unwrap();
    result.into_array(array.len()).unwrap()
}

/// The types of a call of `udf` with text of type `form`.
fn types(udf: &ScalarUDF, form: &DataType) -> Vec<DataType> {
    let options = required(udf.name()).iter().map(|_| DataType::Utf8);
    std::iter::once(form.clone()).chain(options).collect()
}

/// The type that such a call is planned with.
fn answer(udf: &ScalarUDF, form: &DataType) -> DataType {
    let fields = types(udf, form).into_iter();
    let fields: Vec<_> = fields
        .map(|kind| Arc::new(Field::new("arg", kind, true)))
        .collect();
    let literals = required(udf.name())
        .iter()
        .map(|text| ScalarValue::from(*text));
    let literals: Vec<_> = literals.collect();
    let known: Vec<_> = std::iter::once(None)
        .chain(literals.iter().map(Some))
        .collect();
    let given = ReturnFieldArgs {
        arg_fields: &fields,
        scalar_arguments: &known,
    };
    let field = udf.return_field_from_args(given).unwrap();
    field.data_type().clone()
}

/// The text of an array whatever its form, so that answers can be compared.
fn plain(array: &ArrayRef) -> ArrayRef {
    if array.data_type().is_string() || matches!(array.data_type(), DataType::Dictionary(_, _)) {
        return cast(array, &DataType::Utf8).unwrap();
    }
    Arc::clone(array)
}

#[test]
fn redact_is_covered() {
    assert!(text_functions().iter().any(|udf| udf.name() == "redact"));
}

#[test]
fn arrays_of_every_form_give_the_same_answer() {
    let texts: ArrayRef = Arc::new(StringArray::from(TEXTS.to_vec()));
    for udf in text_functions() {
        let want = run(&udf, &texts);
        for form in forms() {
            let given = types(&udf, &form);
            assert_eq!(udf.coerce_types(&given).unwrap(), given);
            let input = cast(&texts, &form).unwrap();
            for from in 0..=input.len() {
                let slice = input.slice(from, input.len() - from);
                let got = run(&udf, &slice);
                let name = udf.name();
                assert_eq!(
                    plain(&got).as_ref(),
                    want.slice(from, got.len()).as_ref(),
                    "{name}"
                );
                assert_eq!(got.data_type(), &answer(&udf, &form));
                assert_eq!(
                    got.logical_null_count(),
                    slice.logical_null_count(),
                    "{name} {form}"
                );
            }
        }
    }
}

#[test]
fn scalars_of_every_form_give_the_same_answer() {
    let texts: ArrayRef = Arc::new(StringArray::from(TEXTS.to_vec()));
    for udf in text_functions() {
        let want = run(&udf, &texts);
        for form in forms() {
            for row in 0..texts.len() {
                let input = cast(&texts.slice(row, 1), &form).unwrap();
                let scalar = ScalarValue::try_from_array(&input, 0).unwrap();
                let options = required(udf.name());
                let got = invoke(&udf, ColumnarValue::Scalar(scalar), options).unwrap();
                let ColumnarValue::Scalar(got) = got else {
                    panic!("{} {form}", udf.name())
                };
                assert_eq!(got.data_type(), answer(&udf, &form));
                let got = plain(&got.to_array().unwrap());
                assert_eq!(
                    got.as_ref(),
                    want.slice(row, 1).as_ref(),
                    "{} {form}",
                    udf.name()
                );
            }
        }
    }
}

#[test]
fn nothing_and_null_give_nothing_and_null() {
    for udf in text_functions() {
        for form in forms() {
            for rows in [0, 3] {
                let got = run(&udf, &new_null_array(&form, rows));
                assert_eq!(got.len(), rows);
                assert_eq!(got.logical_null_count(), rows, "{} {form}", udf.name());
            }
        }
        let coerced = udf.coerce_types(&types(&udf, &DataType::Null)).unwrap();
        assert_eq!(coerced, types(&udf, &DataType::Utf8));
    }
}
