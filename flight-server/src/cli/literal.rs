//! Values of the command line as parts of SQL text.

use sluice_engine::statement::quote;

/// A text as SQL writes it.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The first argument of a `CALL`: a table's very name.
pub(crate) fn table_argument(name: &str) -> String {
    literal(&quote(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(table_argument("Lo'gs"), "'\"Lo''gs\"'");
    }
}
