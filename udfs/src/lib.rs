//! Every SQL function of Sluice, usable from any DataFusion program.
//!
//! # Use
//! ```
//! use datafusion::prelude::SessionContext;
//!
//! let mut context = SessionContext::new();
//! sluice_udfs::register_all(&mut context)?;
//! # Ok::<(), datafusion::error::DataFusionError>(())
//! ```
//!
//! # Families
//! A family is a folder with one function per file:
//! - [`parse`] takes lines of logs apart.
//! - [`pii`] finds and removes personal data and secrets in text.
//! - [`enrich`] adds what is known elsewhere of addresses, domains and keys.
//! - [`filter`] chooses rows.
//! - [`session`] says who asks, and where names are looked up.
//! - [`standard`] has functions by the names of other databases.
//!
//! # How to add a function
//! 1. Create `src/<family>/<name>.rs`. Its `pub fn udf()` returns a `ScalarUDF`, an
//!    `AggregateUDF` or a `WindowUDF`; `#[user_doc]` on its struct documents it and holds at least
//!    one example with its printed output.
//! 2. Add `<name>` to the `functions!` list in the family's `mod.rs`, in alphabetical order.
//! 3. Run the tests of this crate with `UPDATE=1`, which rewrites `docs/functions.md`.
//!
//! The example, type conformance and documentation tests and the bench walk [`functions`]: a
//! listed function is covered by all of them.
//!
//! # Rules
//! The subject is the first argument, options follow and may be given by name (`=>`). NULL in,
//! NULL out. Functions do no input or output. Modules import from the ones above them in the list
//! below.

mod registry;

mod rows;

mod args;

pub mod model;

pub mod parse;
pub mod pii;

pub mod enrich;
pub mod filter;

pub mod session;
pub mod standard;

pub use registry::Function;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::planner::ExprPlanner;

/// All functions, family by family, in the order in which they are documented.
#[must_use]
pub fn functions() -> Vec<Function> {
    let families = [
        parse::functions(),
        pii::functions(),
        enrich::functions(),
        filter::functions(),
        session::functions(),
        standard::functions(),
    ];
    families.concat()
}

/// What plans the operators of SQL that stand for functions: `->`, `->>` and `?` of JSON.
#[must_use]
pub fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(parse::JsonOperators::default())]
}

/// Makes every function and operator known to `registry`, such as a `SessionContext` or
/// `SessionState`.
///
/// # Errors
/// Fails when the registry refuses a function, as a read-only registry does.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for planner in planners() {
        registry.register_expr_planner(planner)?;
    }
    functions()
        .into_iter()
        .try_for_each(|function| function.register(registry))
}
