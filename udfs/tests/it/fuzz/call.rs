//! A call of a function as a query makes it: planned, then executed over one row.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray};
use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use datafusion::scalar::ScalarValue;
use sluice_udfs::enrich::snapshot::Enrichment;

use super::quiet;
use crate::{call, enrich};

/// What a function is given.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The subject.
    pub(super) text: String,
    /// A second text, or a pattern.
    pub(super) other: String,
}

/// Where an argument comes from.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    /// A column that holds the subject.
    Text,
    /// A column that holds the second text.
    Other,
    /// The second text as a literal, which planning may refuse.
    Pattern,
    /// The same for every case.
    Fixed(ScalarValue),
}

/// A function with arguments.
pub(super) struct Call {
    pub(super) name: &'static str,
    args: Vec<Arg>,
    udf: ScalarUDF,
    config: Arc<ConfigOptions>,
}

/// What came of a call.
pub(super) enum Outcome {
    /// Planning refused the pattern.
    Refused(String),
    /// One row for each that was given.
    Answer(ArrayRef),
}

impl Call {
    pub(super) fn new(name: &'static str, args: &[Arg]) -> Self {
        let mut config = call::config();
        config
            .extensions
            .insert(Enrichment::new(enrich::example()).unwrap());
        let udf = call::scalar(name);
        // Functions that look something up learn what there is.
        let udf = udf.inner().with_updated_config(&config).unwrap_or(udf);
        Self {
            name,
            args: args.to_vec(),
            udf,
            config: Arc::new(config),
        }
    }

    /// How it is written, for a report.
    pub(super) fn shown(&self) -> String {
        let args = self.args.iter().map(|arg| match arg {
            Arg::Text => "text".to_owned(),
            Arg::Other => "other".to_owned(),
            Arg::Pattern => "'other'".to_owned(),
            Arg::Fixed(value) => format!("{value:?}"),
        });
        let args: Vec<String> = args.collect();
        format!("{}({})", self.name, args.join(", "))
    }

    /// Calls the function for `cases`, a row each, of which the first has the literals; NULL comes
    /// after them.
    ///
    /// # Errors
    /// When it panics, fails for a row or gives what is no Arrow array.
    pub(super) fn run(&self, cases: &[&Case]) -> Result<Outcome, String> {
        let called = quiet::quietly(|| catch_unwind(AssertUnwindSafe(|| self.called(cases))));
        called.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panics: {}", text.unwrap_or_default()))
        })
    }

    fn called(&self, cases: &[&Case]) -> Result<Outcome, String> {
        let rows = cases.len() + 1;
        let column = |get: fn(&Case) -> &str| -> ColumnarValue {
            let texts = cases.iter().map(|case| Some(get(case))).chain([None]);
            ColumnarValue::Array(Arc::new(texts.collect::<StringArray>()))
        };
        let literal = |value: &ScalarValue| ColumnarValue::Scalar(value.clone());
        let pattern = ScalarValue::from(cases[0].other.as_str());
        let args = self.args.iter().map(|arg| match arg {
            Arg::Text => column(|case| &case.text),
            Arg::Other => column(|case| &case.other),
            Arg::Pattern => literal(&pattern),
            Arg::Fixed(value) => literal(value),
        });
        let args: Vec<ColumnarValue> = args.collect();
        let fields = args
            .iter()
            .map(|arg| Arc::new(Field::new("arg", arg.data_type(), true)));
        let fields: Vec<FieldRef> = fields.collect();
        let known = args.iter().map(|arg| match arg {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        });
        let known: Vec<_> = known.collect();
        let planned = self.udf.return_field_from_args(ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &known,
        });
        let return_field = match planned {
            Ok(field) => field,
            Err(error) if self.is_free() => return Ok(Outcome::Refused(error.to_string())),
            Err(error) => return Err(format!("cannot be planned: {error}")),
        };
        let kind = return_field.data_type().clone();
        let answer = self.udf.invoke_with_args(ScalarFunctionArgs {
            args,
            arg_fields: fields,
            number_rows: rows,
            return_field,
            config_options: Arc::clone(&self.config),
        });
        let answer = answer.and_then(|answer| answer.into_array(rows));
        let answer = answer.map_err(|error| format!("fails for a row: {error}"))?;
        let sound = answer.to_data().validate_full();
        sound.map_err(|error| format!("gives a broken array: {error}"))?;
        if answer.data_type() != &kind || answer.len() != rows {
            let got = answer.data_type();
            return Err(format!(
                "gives {} rows of {got}, planned {kind}",
                answer.len()
            ));
        }
        if answer.is_valid(rows - 1) {
            return Err("gives a value for NULL".to_owned());
        }
        Ok(Outcome::Answer(answer))
    }

    /// Whether planning may refuse a case.
    fn is_free(&self) -> bool {
        self.args.iter().any(|arg| matches!(arg, Arg::Pattern))
    }
}
