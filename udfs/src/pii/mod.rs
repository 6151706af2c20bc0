//! Personal data and secrets in text: finding them and taking them out.
//!
//! [`detect`] finds, [`mask`] rewrites, and each function joins the two to SQL. Detection looks at
//! the few places of a text that can begin a finding (a digit run, an `@`, the separator after a
//! key) and verifies each with checksums, shapes, neighbours and nearby words. Every look ahead or
//! behind is bounded, so the cost is linear in the text, whoever wrote it.

pub(crate) mod detect;

pub(crate) mod named;

mod names;
pub mod ner;

mod mode;
pub mod policy;

pub mod ledger;

pub(crate) mod hash;

pub(crate) mod search;

mod mask_by_name;
pub(crate) mod mask;

pub(crate) mod options;

crate::registry::functions! {
    match_pii, pii_categories, pii_token, pii_union, redact, redact_audit, redact_spans
}
