//! What is looked for by name: addresses and identities of machines, numbers of banks, documents
//! and vehicles, and what keys say about persons.

mod device;
mod bank;
mod document;

mod network;
mod coordinates;
mod keyed;

use std::sync::LazyLock;

use super::rule::{self, Table};
use super::{Categories, Finding};

/// Identifiers with a shape.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::new(&[device::RULES, bank::RULES, document::RULES]));

/// Appends what is found of the wanted categories.
pub(super) fn find(text: &[u8], wanted: Categories, found: &mut Vec<Finding>) {
    if wanted.meets(TABLE.categories) {
        rule::find(text, &TABLE, wanted, found);
    }
    network::find(text, wanted, found);
    coordinates::find(text, wanted, found);
    keyed::find(text, wanted, found);
}
