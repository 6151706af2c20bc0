//! Long runs of letters, digits and hyphens: web tokens, tokens of providers, crypto addresses.

use super::boundary::before;
use super::category::{Categories, Category};
use super::masks::run_length;
use super::row::Row;
use super::{cloud, crypto, jwt};

/// What is found here.
pub(super) const CATEGORIES: Categories = Categories::NONE
    .with(Category::Jwt)
    .with(Category::CloudToken)
    .with(Category::Crypto);

/// Longest run that is measured: no token that is known by its form is longer.
const RUN_MAX: usize = 512;

/// Appends the token in the run that begins at `start`.
pub(super) fn find(row: &mut Row<'_>, start: usize) {
    let text = row.text;
    // A web token's later parts are runs of their own.
    if start < row.progress.value && before(text, start) == Some(b'.') {
        return;
    }
    let near = text.get(start..).unwrap_or_default();
    let near = near.get(..RUN_MAX).unwrap_or(near);
    let run = near.get(..run_length(near)).unwrap_or_default();
    let found = match run.first() {
        Some(b'e') if run.starts_with(b"eyJ") => jwt::verify(text, start),
        _ => None,
    };
    let found = found
        .or_else(|| cloud::verify(text, start, run))
        .or_else(|| crypto::verify(text, start, run));
    if let Some(finding) = found.filter(|found| row.wanted.has(found.category)) {
        row.progress.value = row.progress.value.max(finding.end);
        row.found.push(finding);
    }
}
