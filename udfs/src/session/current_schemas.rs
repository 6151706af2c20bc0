//! `current_schemas(implicit)`: where names are looked up. Cost: none.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

/// The function `current_schemas`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(CurrentSchemas::new())
}

#[user_doc(
    doc_section(label = "Session"),
    description = "The schemas in which names are looked up that name none, as a list.",
    syntax_example = "current_schemas(implicit)",
    sql_example = r#"```sql
> SELECT current_schemas(false) AS names;
+----------+
| names    |
+----------+
| [public] |
+----------+
```"#,
    argument(
        name = "implicit",
        description = "Whether schemas are listed that nobody named, as a literal."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentSchemas {
    signature: Signature,
}

impl CurrentSchemas {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Stable),
        }
    }
}

impl ScalarUDFImpl for CurrentSchemas {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "current_schemas"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_] => Ok(vec![DataType::Boolean]),
            _ => plan_err!("current_schemas takes a BOOLEAN: current_schemas(implicit)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(
            DataType::Utf8,
            true,
        ))))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let schema = given.config_options.catalog.default_schema.as_str();
        let implicit = matches!(
            given.args.first(),
            Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
        );
        let own = [ScalarValue::from(schema)];
        let all = [
            ScalarValue::from("information_schema"),
            ScalarValue::from(schema),
        ];
        let names = if implicit {
            all.as_slice()
        } else {
            own.as_slice()
        };
        let list = ScalarValue::new_list_nullable(names, &DataType::Utf8);
        Ok(ColumnarValue::Scalar(ScalarValue::List(list)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
