//! Functions of DataFusion's whose result may be far larger than their arguments, each behind a
//! guard that reckons the size first. Memory is not asked for politely there: what the allocator
//! does not give ends the process, and every session and pipeline in it, whatever the memory pool
//! or a timeout says.
//!
//! A value may have what a statement has honest use for; so may all values of one call together,
//! which are those of a batch of rows. A result that is too large is an error of kind
//! [`crate::error::Kind::Limit`], also where the planner computes a constant. Over smaller batches
//! the same rows may pass; a row that does not pass alone is the row's own fault.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use crate::error::Error;

mod size;

use size::{Asked, Growth, Reckoning};

/// Bytes of one text that a function makes.
const TEXT_BYTES_MAX: u128 = 16 << 20;
/// Bytes of all values that one call makes, and of one list.
const CALL_BYTES_MAX: u128 = 256 << 20;

/// The functions that are guarded.
const GUARDED: [(&str, Growth); 9] = [
    ("repeat", Growth::Repeat),
    ("lpad", Growth::Pad),
    ("rpad", Growth::Pad),
    ("replace", Growth::Replace),
    ("array_to_string", Growth::Join),
    ("array_repeat", Growth::ListRepeat),
    ("array_resize", Growth::ListResize),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
];

/// Puts guards before those functions of `builder` that need one.
#[must_use]
pub fn guard(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    for function in builder.scalar_functions().get_or_insert_default() {
        let known = GUARDED.iter().find(|(name, _)| *name == function.name());
        if let Some((_, growth)) = known {
            *function = Arc::new(ScalarUDF::from(Bounded {
                inner: Arc::clone(function),
                growth: *growth,
            }));
        }
    }
    builder
}

/// A function behind a guard.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl Bounded {
    fn check(&self, args: &ScalarFunctionArgs) -> DfResult<()> {
        let quick = self.growth.asked(args, Reckoning::Quick)?;
        if self.excess(quick).is_none() {
            return Ok(());
        }
        let Some((asked, of, limit)) = self.excess(self.growth.asked(args, Reckoning::Close)?)
        else {
            return Ok(());
        };
        let (name, mib) = (self.inner.name(), limit >> 20);
        let asked = match asked {
            u128::MAX => "bytes without end".to_owned(),
            bytes => format!("{bytes} bytes"),
        };
        let error = Error::limit(format!(
            "function \"{name}\" was asked for {asked} in {of}, and the limit is {mib} MiB"
        ));
        Err(error.hint(self.growth.way_out()).into())
    }

    /// What is asked, in what, and the limit that it is beyond.
    fn excess(&self, Asked { most, all }: Asked) -> Option<(u128, &'static str, u128)> {
        let of_one = match self.growth.is_text() {
            true => TEXT_BYTES_MAX,
            false => CALL_BYTES_MAX,
        };
        match () {
            () if most > of_one => Some((most, "one value", of_one)),
            () if all > CALL_BYTES_MAX => Some((all, "a batch of rows", CALL_BYTES_MAX)),
            () => None,
        }
    }
}

impl ScalarUDFImpl for Bounded {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        self.check(&args)?;
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> DfResult<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
