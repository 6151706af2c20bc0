//! Calling functions: a session with all of them, and a call without SQL.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use sluice_udfs::Function;

use crate::enrich;

/// A session that knows every function of the crate, and what the examples look up.
pub(crate) fn session() -> SessionContext {
    enrich::session(enrich::example())
}

/// The scalar function of this name.
pub(crate) fn scalar(name: &str) -> ScalarUDF {
    let named = |function: Function| match function {
        Function::Scalar(udf) if udf.name() == name => Some(udf),
        _ => None,
    };
    sluice_udfs::functions()
        .into_iter()
        .find_map(named)
        .unwrap()
}

/// The options that a function cannot be called without.
pub(crate) fn required(name: &str) -> &'static [&'static str] {
    match name {
        "dissect" => &["%{a} %{b}"],
        "grok" => &["%{WORD:key}=%{NOTSPACE:value}", "%{INT:number:int}"],
        _ => &[],
    }
}

/// The result of `udf` on `text` and literal options.
pub(crate) fn invoke(
    udf: &ScalarUDF,
    text: ColumnarValue,
    options: &[&str],
) -> Result<ColumnarValue> {
    let number_rows = match &text {
        ColumnarValue::Array(array) => array.len(),
        ColumnarValue::Scalar(_) => 1,
    };
    let literals: Vec<_> = options
        .iter()
        .map(|option| ScalarValue::from(*option))
        .collect();
    let mut args = vec![text];
    args.extend(literals.iter().cloned().map(ColumnarValue::Scalar));
    let fields = args
        .iter()
        .map(|arg| Arc::new(Field::new("arg", arg.data_type(), true)));
    let fields: Vec<FieldRef> = fields.collect();
    let known: Vec<_> = std::iter::once(None)
        .chain(literals.iter().map(Some))
        .collect();
    let given = ReturnFieldArgs {
        arg_fields: &fields,
        scalar_arguments: &known,
    };
    let return_field = udf.return_field_from_args(given)?;
    udf.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields: fields,
        number_rows,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    })
}

/// The result of `redact` on plain strings.
pub(crate) fn redact(texts: &[&str], options: &[&str]) -> Vec<String> {
    let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let result = invoke(&scalar("redact"), ColumnarValue::Array(array), options).unwrap();
    let result = result.into_array(texts.len()).unwrap();
    result
        .as_string::<i32>()
        .iter()
        .map(|text| text.unwrap().to_owned())
        .collect()
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
