//! What a user without `redact` writes: a chain of `regexp_replace` calls.

/// Patterns for the categories that a line of [`lines`](crate::lines) may hold, each with what is
/// put in its place, in the syntax that DataFusion and RE2 share.
pub const PATTERNS: [(&str, &str); 7] = [
    (r"\b(?:\d{4}[ -]?){3}(\d{4})\b", r"xxxx-xxxx-xxxx-$1"),
    (
        r"\b3[47]\d{2}[ -]?\d{6}[ -]?\d(\d{4})\b",
        r"xxxx-xxxx-xxxx-$1",
    ),
    (r"\b\d{3}-\d{2}-(\d{4})\b", r"xxx-xx-$1"),
    (
        r"\b([A-Za-z0-9._%+-]{1,4})[A-Za-z0-9._%+-]*@([A-Za-z0-9.-]+\.[A-Za-z]{2,})\b",
        r"$1***@$2",
    ),
    (
        r"(?:\+?1[ .-]?)?\(?\b[2-9]\d{2}\)?[ .-]\d{3}[ .-](\d{4})\b",
        r"xxx-xxx-$1",
    ),
    (
        r#"(?i)((?:password|passwd|pwd|secret|token|api_?key)"?\s*[=:]\s*"?)[^\s"&,;}]+"#,
        r"$1",
    ),
    (r"(://[^:/@\s]+:)[^@/\s]+@", r"$1@"),
];

/// The chain over the column `text` in DataFusion's SQL.
#[must_use]
pub fn datafusion() -> String {
    nested(|mask| mask.to_owned())
}

/// The chain over the column `text` in DuckDB's SQL, which numbers groups with a backslash.
#[must_use]
pub fn duckdb() -> String {
    nested(|mask| mask.replace('$', "\\"))
}

fn nested(mask: impl Fn(&str) -> String) -> String {
    PATTERNS
        .iter()
        .fold("text".to_owned(), |inner, (pattern, shown)| {
            let (pattern, shown) = (pattern.replace('\'', "''"), mask(shown));
            format!("regexp_replace({inner}, '{pattern}', '{shown}', 'g')")
        })
}
