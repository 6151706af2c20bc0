//! Names and texts in SQL: read as DataFusion reads them, written so that they read back.

use datafusion::sql::sqlparser::ast::{Expr, Ident};

/// An identifier's name: lowercase unless quoted, as everywhere in DataFusion.
#[must_use]
pub fn normalize(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The name that an identifier's text stands for, quotes taken off.
#[must_use]
pub fn unquote(text: &str) -> String {
    match text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => text.to_lowercase(),
    }
}

/// Writes a name so that it reads back as itself.
#[must_use]
pub fn quote(name: &str) -> String {
    Expr::Identifier(Ident::with_quote('"', name)).to_string()
}

/// Writes a text so that it reads back as itself.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
