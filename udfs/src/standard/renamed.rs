//! A function of DataFusion's by the name that another database has for it.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use super::SECTION;
use super::docs::Docs;

/// `inner` under the name `name`.
pub(super) fn renamed(
    name: &'static str,
    aliases: &[&str],
    inner: Arc<ScalarUDF>,
    docs: &Docs,
) -> ScalarUDF {
    ScalarUDF::from(Renamed {
        name,
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        inner,
        docs: docs.under(SECTION),
    })
}

#[derive(Debug, Clone)]
struct Renamed {
    name: &'static str,
    aliases: Vec<String>,
    inner: Arc<ScalarUDF>,
    docs: Documentation,
}

impl PartialEq for Renamed {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.inner == other.inner
    }
}

impl Eq for Renamed {}

impl Hash for Renamed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Renamed {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.inner.return_type(given)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(given)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(given)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.inner().with_updated_config(config)?;
        let mut updated = self.clone();
        updated.inner = Arc::new(inner);
        Some(ScalarUDF::from(updated))
    }

    /// The optimiser knows the other name, and what it can do with it.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.inner.simplify(args, info)? {
            ExprSimplifyResult::Original(args) => {
                let call = ScalarFunction::new_udf(Arc::clone(&self.inner), args);
                ExprSimplifyResult::Simplified(Expr::ScalarFunction(call))
            }
            simplified => simplified,
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.docs)
    }
}
