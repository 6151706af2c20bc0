//! Choosing rows: which of them a pipeline or a query keeps.

mod xxh64;

crate::registry::functions! { sample }
