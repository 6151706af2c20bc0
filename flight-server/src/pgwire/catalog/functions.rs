//! Functions that clients of PostgreSQL call: those about the server and the connection, and those
//! about objects that do not exist here.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog as known;

use super::super::setting::VERSION;

/// What has nothing to say: there are no comments, keys, triggers or stored definitions.
const NOTHING: [&str; 19] = [
    "obj_description",
    "col_description",
    "shobj_description",
    "pg_get_expr",
    "pg_get_viewdef",
    "pg_get_indexdef",
    "pg_get_constraintdef",
    "pg_get_partkeydef",
    "pg_get_ruledef",
    "pg_get_triggerdef",
    "pg_get_statisticsobjdef_columns",
    "pg_get_serial_sequence",
    "pg_get_function_result",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_functiondef",
    "pg_tablespace_location",
    "inet_server_addr",
    "inet_client_addr",
];

/// The functions of a session of `user` on the connection `process`.
pub(super) fn all(user: &str, process: i32) -> Vec<Arc<ScalarUDF>> {
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let mut all = vec![
        known::create_current_schemas_udf(),
        known::format_type::create_format_type_udf(),
        known::quote_ident_udf::create_quote_ident_udf(),
        known::quote_ident_udf::create_parse_ident_udf(),
    ];
    let version = format!("PostgreSQL {VERSION} on {}", std::env::consts::ARCH);
    for (name, value) in [
        ("version", text(&version)),
        ("current_database", text("sluice")),
        ("current_catalog", text("sluice")),
        ("current_schema", text("public")),
        ("session_user", text(user)),
        ("current_user", text(user)),
        ("user", text(user)),
        ("pg_encoding_to_char", text("UTF8")),
        ("pg_get_userbyid", text("sluice")),
        ("pg_backend_pid", ScalarValue::Int32(Some(process))),
        ("pg_is_in_recovery", ScalarValue::Boolean(Some(false))),
        ("pg_my_temp_schema", ScalarValue::Int32(Some(0))),
        ("pg_is_other_temp_schema", ScalarValue::Boolean(Some(false))),
        ("pg_size_pretty", text("0 bytes")),
        ("pg_relation_size", ScalarValue::Int64(Some(0))),
        ("pg_total_relation_size", ScalarValue::Int64(Some(0))),
        ("pg_table_size", ScalarValue::Int64(Some(0))),
        ("pg_database_size", ScalarValue::Int64(Some(0))),
        ("pg_stat_get_numscans", ScalarValue::Int64(Some(0))),
        ("pg_char_to_encoding", ScalarValue::Int32(Some(6))),
        (
            "pg_relation_is_publishable",
            ScalarValue::Boolean(Some(false)),
        ),
    ] {
        all.push(constant(name, value));
    }
    for name in [
        "pg_table_is_visible",
        "pg_type_is_visible",
        "pg_function_is_visible",
        "has_table_privilege",
        "has_schema_privilege",
        "has_database_privilege",
        "has_column_privilege",
        "has_any_column_privilege",
        "has_function_privilege",
    ] {
        all.push(constant(name, ScalarValue::Boolean(Some(true))));
    }
    for name in NOTHING {
        all.push(constant(name, ScalarValue::Utf8(None)));
    }
    all.into_iter().map(Arc::new).collect()
}

fn constant(name: &'static str, value: ScalarValue) -> ScalarUDF {
    let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
    ScalarUDF::from(Constant {
        name,
        value,
        signature: Signature::one_of(any, Volatility::Stable),
    })
}

/// A function that gives the same whatever it is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}
