//! What a function is to the rest of the crate, and the macro that lists the functions of a
//! family. The list is the only thing to edit when a file is added: a listed name without a file
//! does not compile, and the registry test finds a file without a listed name.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, Documentation, ScalarUDF, WindowUDF};

/// One SQL function of any kind.
#[derive(Clone, Debug)]
pub enum Function {
    /// One value out for each row in.
    Scalar(ScalarUDF),
    /// One value out for each group of rows.
    Aggregate(AggregateUDF),
    /// One value out for each row in, computed over its window.
    Window(WindowUDF),
}

impl Function {
    /// The name by which SQL calls the function, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Scalar(udf) => udf.name(),
            Self::Aggregate(udf) => udf.name(),
            Self::Window(udf) => udf.name(),
        }
    }

    /// Further names of the same function.
    #[must_use]
    pub fn aliases(&self) -> &[String] {
        match self {
            Self::Scalar(udf) => udf.aliases(),
            Self::Aggregate(udf) => udf.aliases(),
            Self::Window(udf) => udf.aliases(),
        }
    }

    /// Description, arguments and examples, as the reference page prints them.
    #[must_use]
    pub fn documentation(&self) -> Option<&Documentation> {
        match self {
            Self::Scalar(udf) => udf.documentation(),
            Self::Aggregate(udf) => udf.documentation(),
            Self::Window(udf) => udf.documentation(),
        }
    }

    /// Makes the function known to `registry`.
    pub(crate) fn register(self, registry: &mut dyn FunctionRegistry) -> Result<()> {
        match self {
            Self::Scalar(udf) => registry.register_udf(Arc::new(udf)).map(drop),
            Self::Aggregate(udf) => registry.register_udaf(Arc::new(udf)).map(drop),
            Self::Window(udf) => registry.register_udwf(Arc::new(udf)).map(drop),
        }
    }
}

impl From<ScalarUDF> for Function {
    fn from(udf: ScalarUDF) -> Self {
        Self::Scalar(udf)
    }
}

impl From<AggregateUDF> for Function {
    fn from(udf: AggregateUDF) -> Self {
        Self::Aggregate(udf)
    }
}

impl From<WindowUDF> for Function {
    fn from(udf: WindowUDF) -> Self {
        Self::Window(udf)
    }
}

/// Declares the files of a family, each of which has a `pub fn udf()`, and lists their functions.
macro_rules! functions {
    ($($name:ident),+ $(,)?) => {
        $(pub mod $name;)+

        /// The functions of this family, by name.
        #[must_use]
        pub fn functions() -> Vec<$crate::Function> {
            vec![$($name::udf().into()),+]
        }
    };
}

pub(crate) use functions;
