//! Calling functions: a session with all of them, and a call without SQL.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::{Field, FieldRef, Int64Type};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use sluice_udfs::Function;
use sluice_udfs::pii::policy::{HashKey, Policies};

use crate::enrich;

/// A session that knows every function of the crate, and what the examples look up.
pub(crate) fn session() -> SessionContext {
    enrich::session(SessionConfig::new(), enrich::example())
}

/// The same with a key to hash with.
pub(crate) fn keyed_session() -> SessionContext {
    let config = SessionConfig::new().with_option_extension(keyed());
    enrich::session(config, enrich::example())
}

/// The built-in policies with a key.
fn keyed() -> Policies {
    Policies::parse(&BTreeMap::new(), Some(HashKey::new(b"a key of tests"))).unwrap()
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
        config_options: Arc::new(config()),
    })
}

/// A configuration with a key to hash with.
pub(crate) fn config() -> ConfigOptions {
    let mut config = ConfigOptions::default();
    config.extensions.insert(keyed());
    config
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

/// What `redact_spans` finds in plain strings: category, first character, character after the last.
pub(crate) fn spans(texts: &[&str], categories: &str) -> Vec<Vec<(String, usize, usize)>> {
    let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let function = scalar("redact_spans");
    let result = invoke(&function, ColumnarValue::Array(array), &[categories]).unwrap();
    let result = result.into_array(texts.len()).unwrap();
    let lists = result.as_list::<i32>().iter();
    let read = |spans: ArrayRef| {
        let spans = spans.as_struct();
        let category = spans
            .column(0)
            .as_string::<i32>()
            .iter()
            .map(Option::unwrap);
        let place = |at: usize| spans.column(at).as_primitive::<Int64Type>().values().iter();
        let places = place(1).zip(place(2));
        let spans = category.zip(places);
        spans
            .map(|(category, (start, end))| (category.to_owned(), *start as usize, *end as usize))
            .collect()
    };
    lists.map(|spans| read(spans.unwrap())).collect()
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
