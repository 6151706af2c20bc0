//! What a user without `redact` writes: a chain of `regexp_replace` calls.

/// Patterns for the categories that a line of [`lines`](crate::lines) may hold, each with what is
/// put in its place, in the syntax that DataFusion and RE2 share.
const COMMON: [(&str, &str); 7] = [
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

/// Patterns for the other categories that `redact` looks for by default: tracks and codes of cards,
/// authorisation headers, web tokens, private keys, tokens of providers, IBAN, crypto addresses.
const OTHERS: [(&str, &str); 9] = [
    (r"%B\d{12,19}\^[^^]{2,26}\^\d{7,}[^?]*\?", ""),
    (r";\d{12,19}=\d{7,}\?", ""),
    (
        r#"(?i)\b((?:cvv2?|cvc2?|csc|pin)"?\s*[=:]\s*"?)\d{3,4}\b"#,
        r"$1",
    ),
    (
        r#"(?i)((?:authorization|cookie)"?\s*[=:]\s*"?(?:bearer|basic)?\s*)[^\s",;}]+"#,
        r"$1",
    ),
    (
        r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        "",
    ),
    (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END [A-Z ]*PRIVATE KEY-----",
        "",
    ),
    (
        concat!(
            r"\b(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|gh[oprsu]_[A-Za-z0-9]{36}|glpat-[\w-]{20,}|",
            r"xox[abeoprs]-[\w-]{10,}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|AIza[\w-]{35})\b",
        ),
        "",
    ),
    (
        r"\b([A-Z]{2}\d{2})(?: ?[A-Z0-9]{4}){2,7} ?[A-Z0-9]{1,4}\b",
        r"$1",
    ),
    (
        r"\b(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71}|0x[0-9a-fA-F]{40})\b",
        "",
    ),
];

/// How much of what `redact` looks for a chain covers.
#[derive(Clone, Copy, Debug)]
pub enum Covers {
    /// The categories that lines of [`lines`](crate::lines) may hold: seven patterns.
    Lines,
    /// Every category that `redact` looks for by default: sixteen patterns.
    Everything,
}

/// The chain over the column `text` in DataFusion's SQL.
#[must_use]
pub fn datafusion(covers: Covers) -> String {
    nested(covers, |mask| mask.to_owned())
}

/// The chain over the column `text` in DuckDB's SQL, which numbers groups with a backslash.
#[must_use]
pub fn duckdb(covers: Covers) -> String {
    nested(covers, |mask| mask.replace('$', "\\"))
}

fn nested(covers: Covers, mask: impl Fn(&str) -> String) -> String {
    let others = match covers {
        Covers::Lines => 0,
        Covers::Everything => OTHERS.len(),
    };
    COMMON.iter().chain(OTHERS.iter().take(others)).fold(
        "text".to_owned(),
        |inner, (pattern, shown)| {
            let (pattern, shown) = (pattern.replace('\'', "''"), mask(shown));
            format!("regexp_replace({inner}, '{pattern}', '{shown}', 'g')")
        },
    )
}
