//! Escapes of ODBC and JDBC, `{fn f(x)}`, `{d '2026-01-02'}` and the like, as the SQL they stand
//! for.
//!
//! A brace opens an escape only where one of its words follows, in any case; other braces stay.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// What is written in the place of an escape's opening brace and word.
enum Opening {
    /// Nothing.
    Nothing,
    /// This word.
    Word(&'static str),
}

/// `tokens`, which have no white space, without escapes.
pub(super) fn unescaped(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| token.token == Token::LBrace) {
        return tokens;
    }
    let mut output = Vec::with_capacity(tokens.len());
    // For each open brace, whether it is an escape's.
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.token {
            Token::LBrace => match opening(tokens.get(at..).unwrap_or_default()) {
                Some((opening, words)) => {
                    at += words;
                    open.push(true);
                    if let Opening::Word(word) = opening {
                        let token = Token::make_keyword(word);
                        output.push(TokenWithSpan::new(token, tokens[at - words].span));
                    }
                }
                None => {
                    open.push(false);
                    output.push(token.clone());
                }
            },
            Token::RBrace if open.pop() == Some(true) => {}
            _ => output.push(token.clone()),
        }
    }
    output
}

/// What the escape that `after` a brace begins stands for, and how many tokens its word has.
fn opening(after: &[TokenWithSpan]) -> Option<(Opening, usize)> {
    let word = |at: usize| match &after.get(at)?.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        _ => None,
    };
    let text = |at: usize| {
        matches!(
            after.get(at).map(|token| &token.token),
            Some(Token::SingleQuotedString(_) | Token::Placeholder(_) | Token::Question)
        )
    };
    // The result of a procedure is what its CALL gives.
    let result = matches!(
        after.first().map(|token| &token.token),
        Some(Token::Placeholder(_) | Token::Question)
    ) && matches!(after.get(1).map(|token| &token.token), Some(Token::Eq));
    if result && word(2)? == "call" {
        return Some((Opening::Word("CALL"), 3));
    }
    let opening = match word(0)?.as_str() {
        "fn" | "oj" => Opening::Nothing,
        "call" => Opening::Word("CALL"),
        "d" if text(1) => Opening::Word("DATE"),
        "t" if text(1) => Opening::Word("TIME"),
        "ts" if text(1) => Opening::Word("TIMESTAMP"),
        "guid" if text(1) => Opening::Nothing,
        "escape" if text(1) => Opening::Word("ESCAPE"),
        "interval" => Opening::Word("INTERVAL"),
        _ => return None,
    };
    Some((opening, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::tokens;

    #[test]
    fn escapes_become_the_sql_that_they_stand_for() {
        for (sql, wanted) in [
            ("SELECT {fn UCASE(x)}", "SELECT UCASE ( x )"),
            (
                "SELECT {FN ucase({Fn lcase(x)})}",
                "SELECT ucase ( lcase ( x ) )",
            ),
            ("SELECT {d '2026-01-02'}", "SELECT DATE '2026-01-02'"),
            (
                "SELECT { TS '2026-01-02 03:04:05' }",
                "SELECT TIMESTAMP '2026-01-02 03:04:05'",
            ),
            ("SELECT {T '03:04:05'}", "SELECT TIME '03:04:05'"),
            (
                "SELECT * FROM {oj a LEFT OUTER JOIN b ON a.x = b.x}",
                "SELECT * FROM a LEFT OUTER JOIN b ON a . x = b . x",
            ),
            ("{call vacuum('t')}", "CALL vacuum ( 't' )"),
            ("{? = call vacuum('t')}", "CALL vacuum ( 't' )"),
            (
                "SELECT a LIKE 'x' {escape '!'}",
                "SELECT a LIKE 'x' ESCAPE '!'",
            ),
            ("SELECT {'d': 1}", "SELECT { 'd' : 1 }"),
            ("SELECT {d: 1}", "SELECT { d : 1 }"),
        ] {
            let written = tokens(sql).unwrap();
            let written = written
                .into_iter()
                .filter(|token| !matches!(token.token, Token::Whitespace(_)));
            let read = unescaped(written.collect());
            let read: Vec<String> = read.iter().map(|token| token.token.to_string()).collect();
            assert_eq!(read.join(" "), wanted);
        }
    }
}
